/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analyze — the configuration beside itself, what lives, and the certificates.
 *
 *	all of it      references to all resources ─► a job ─► the call-back
 *	a change       what it concerns, before and after ─► the difference
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "codec/codec.h"
#include "discovery/discovery.h"
#include "loop/loop.h"
#include "model/model.h"

#include "inside.h"

enum {
	ANALYSES_MAX = 4, /* that run or wait */
	NEAR_MAX = 2000,  /* resources that a change is judged among */
	ROOT_WARN_DAYS = 90,
	NODE_WARN_DAYS = 1,
	DAY_MS = 86400000,
	FACTS_BYTES = 256 << 20
};

/* --- what lives ----------------------------------------------------------- */

struct living {
	struct arena *arena;
	struct analysis_workload *items;
	size_t count;
	size_t cap;
	const struct map *namespaces; /* only of these; NULL: of all */
};

static struct slice
copied(struct arena *a, struct slice s)
{
	struct slice out;

	return arena_copy(a, s, &out) == OK ? out : S("");
}

static const struct addr *
copied_addrs(struct arena *a, const struct gossip_offers *o)
{
	struct addr *addrs =
	    arena_alloc_array(a, o->addr_count + 1, sizeof(*addrs));

	if (addrs != NULL)
		memcpy(addrs, o->addrs, o->addr_count * sizeof(*addrs));
	return addrs;
}

static struct analysis_workload *
one_more(struct living *l)
{
	if (l->count == l->cap) {
		size_t cap = MAX(l->cap * 2, 64);

		l->items = mem_resize(l->items, l->cap, cap, sizeof(*l->items));
		l->cap = cap;
	}
	return &l->items[l->count++];
}

/* Gateways of any namespace are selected. */
static void
add_gateway(void *arg, const struct discovery_machine *m)
{
	struct living *l = arg;

	*one_more(l) =
	    (struct analysis_workload){.node = copied(l->arena, m->name),
		.name = copied(l->arena, m->name),
		.network = S(MESH_NETWORK),
		.ns = m->ns,
		.labels = m->labels,
		.healthy = true};
}

static void
add_living(void *arg, const struct member_offer *e)
{
	struct living *l = arg;
	const struct addr *addrs;

	if (l->namespaces != NULL &&
	    map_get(l->namespaces, e->service->ns) == NULL)
		return;
	addrs = copied_addrs(l->arena, e->offers);
	*one_more(l) = (struct analysis_workload){
	    .node = copied(l->arena, slice_str(e->member->name)),
	    .network = copied(l->arena, slice_str(e->member->network)),
	    .addrs = addrs,
	    .addr_count = addrs != NULL ? e->offers->addr_count : 0,
	    .issued_s = e->issued_s,
	    .name = copied(l->arena, e->service->name),
	    .ns = copied(l->arena, e->service->ns),
	    .protocol = copied(l->arena, e->service->protocol),
	    .labels = members_copy_labels(e->service, l->arena),
	    .port = e->service->port,
	    .healthy = e->healthy && !e->gone,
	    .gone = e->gone};
}

/* --- all of it ------------------------------------------------------------ */

struct run {
	struct server *server;
	struct arena arena;
	struct resource **stored; /* references */
	size_t stored_count;
	const struct value **trees; /* on top of it */
	size_t tree_count;
	struct slice ns;
	struct living living;
	struct analysis_certificate *certificates;
	size_t certificate_count;
	int64_t now_ms;
	struct analysis_result result;
	server_analysis_cb cb;
	void *arg;
};

static void
run_free(struct run *r)
{
	for (size_t i = 0; i < r->stored_count; i++)
		resource_unref(&r->stored[i]);
	mem_free(&r->stored);
	mem_free(&r->trees);
	mem_free(&r->certificates);
	mem_free(&r->living.items);
	analysis_result_fini(&r->result);
	arena_fini(&r->arena);
	mem_free(&r);
}

static void
keep_stored(struct run *r)
{
	AUTO(mem_free) const struct resource **all = NULL;
	size_t count;

	all = cache_sorted(&r->server->cache, NULL, NULL, &count);
	r->stored = mem_new_array(MAX(count, 1), sizeof(*r->stored));
	for (size_t i = 0; i < count; i++)
		r->stored[i] = resource_ref(all[i]);
	r->stored_count = count;
}

static enum err
keep_trees(
    struct run *r, const struct server_analyze_spec *spec, struct fault *why)
{
	if (spec->count > SERVER_APPLY_MAX)
		return fault_set(why, ERR_LIMIT,
		    "%zu documents at once; %d is the most", spec->count,
		    SERVER_APPLY_MAX);
	r->ns = copied(&r->arena, spec->ns);
	r->trees = mem_new_array(MAX(spec->count, 1), sizeof(*r->trees));
	for (size_t i = 0; i < spec->count; i++) {
		r->trees[i] = value_copy(spec->docs[i], &r->arena);
		if (r->trees[i] == NULL)
			return fault_set(why, ERR_LIMIT,
			    "the documents are larger than %d bytes",
			    FACTS_BYTES);
	}
	r->tree_count = spec->count;
	return OK;
}

static void
add_certificate(struct run *r, struct slice of, int64_t end, int64_t days)
{
	if (end > 0)
		r->certificates[r->certificate_count++] =
		    (struct analysis_certificate){
			of, end, days * (int64_t)DAY_MS};
}

/* Nodes renew by themselves long before; who does not has lost us. */
static void
add_node(void *arg, const struct server_node *n)
{
	struct run *r = arg;

	if (!n->revoked)
		add_certificate(r,
		    arena_printf(&r->arena, "node %.*s", SLICE_ARG(n->name)),
		    n->not_after_ms, NODE_WARN_DAYS);
}

static void
keep_certificates(struct run *r)
{
	struct server_ca ca;

	r->certificates = mem_new_array(
	    r->server->registry.nodes.count + 2, sizeof(*r->certificates));
	server_ca(r->server, &ca);
	add_certificate(r, S("root"), ca.root_not_after_ms, ROOT_WARN_DAYS);
	add_certificate(r, S("server"), ca.server_not_after_ms, NODE_WARN_DAYS);
	server_each_node(r->server, add_node, r);
}

/* What a job decodes on top of what is stored. */
struct decoded {
	struct analysis_document *docs;
	struct findings *found;
	size_t stored;
	size_t count;
	size_t wrong;
};

static void
decode(struct decoded *d, const struct run *r)
{
	d->stored = r->stored_count;
	d->count = r->stored_count + r->tree_count;
	d->docs = mem_new_array(MAX(d->count, 1), sizeof(*d->docs));
	d->found = mem_new_array(MAX(r->tree_count, 1), sizeof(*d->found));
	for (size_t i = 0; i < r->stored_count; i++)
		d->docs[i].resource = r->stored[i];
	for (size_t i = 0; i < r->tree_count; i++) {
		const struct resource_source source = {
		    .parse_json = codec_json_parse,
		    .ns = r->ns,
		    .keep_wrong = true};
		struct resource *now = NULL;

		/* What is wrong is among the findings. */
		d->wrong += resource_decode(
				r->trees[i], &source, &now, &d->found[i]) != OK;
		d->docs[d->stored + i] =
		    (struct analysis_document){.resource = now,
			.tree = r->trees[i],
			.found = &d->found[i]};
	}
}

static void
decoded_fini(struct decoded *d)
{
	for (size_t i = d->stored; i < d->count; i++) {
		struct resource *r =
		    (struct resource *)(uintptr_t)d->docs[i].resource;

		resource_unref(&r);
		findings_fini(&d->found[i - d->stored]);
	}
	mem_free(&d->docs);
	mem_free(&d->found);
}

/* On a thread of the pool: touches nothing but the run. */
static void
work(void *arg)
{
	AUTO(decoded_fini) struct decoded d = {0};
	struct run *r = arg;
	struct analysis_input in = {.ns = r->ns,
	    .domain = S(MESH_DOMAIN),
	    .network = S(MESH_NETWORK),
	    .workloads = r->living.items,
	    .workload_count = r->living.count,
	    .certificates = r->certificates,
	    .certificate_count = r->certificate_count,
	    .now_ms = r->now_ms,
	    .read_pem = tls_cert_validity,
	    .flags = ANALYSIS_LIVING | ANALYSIS_USUAL_GATEWAYS};

	decode(&d, r);
	in.documents = d.docs;
	in.document_count = d.count;
	analysis_run(&in, &r->result);
}

static void
done(void *arg)
{
	struct run *r = arg;
	struct server *s = r->server;

	r->cb(r->arg, OK, NULL, &r->result);
	run_free(r);
	analyze_done(s);
}

enum err
analyze_submit(struct server *s, void (*job)(void *arg),
    void (*then)(void *arg), void *arg, struct fault *why)
{
	enum err e = ERR_BUSY;

	if (s->jobs == NULL)
		s->jobs = jobs_new(/* threads */ 1, ANALYSES_MAX);
	if (s->analyses < ANALYSES_MAX)
		e = jobs_submit(s->jobs, s->spec.loop, job, then, arg);
	if (e != OK)
		return fault_set(
		    why, e, "too many analyses run already; try again");
	s->analyses++;
	s->parts |= PART_ANALYSIS;
	return OK;
}

void
analyze_done(struct server *s)
{
	if (--s->analyses == 0)
		server_part_gone(s, PART_ANALYSIS);
}

void
server_analyze(struct server *s, const struct server_analyze_spec *spec,
    server_analysis_cb cb, void *arg)
{
	struct run *r = mem_new(sizeof(*r));
	struct fault why = {0};
	enum err e;

	r->server = s;
	r->cb = cb;
	r->arg = arg;
	r->now_ms = server_now_ms(s);
	arena_init(&r->arena, FACTS_BYTES);
	r->arena.secret = true; /* a Secret may be among the documents */
	r->living = (struct living){.arena = &r->arena};
	e = keep_trees(r, spec, &why);
	if (e == OK) {
		keep_stored(r);
		keep_certificates(r);
		members_each_offer(s, add_living, &r->living);
		agents_each_gateway(s, &r->arena, add_gateway, &r->living);
		e = analyze_submit(s, work, done, r, &why);
	}
	if (e == OK)
		return;
	cb(arg, e, &why, NULL);
	run_free(r);
}

void
analyze_close(struct server *s)
{
	jobs_free(&s->jobs);
}

/* --- a change ------------------------------------------------------------- */

struct around {
	struct server *s;
	struct arena arena;
	/* What goes and what comes: `gone` first. */
	const struct resource **changed;
	size_t gone;
	size_t come;
	const struct resource **near;
	size_t near_count;
	struct map namespaces; /* of what is looked at, and of its hosts */
	struct living living;
};

static void
mark(struct around *x, struct slice ns)
{
	(void)map_put(&x->namespaces, ns, x); /* only the mark */
}

static void
mark_host(void *arg, enum host_part part, struct slice host)
{
	struct around *x = arg;
	struct service_name name;

	(void)part;
	if (name_service_parse(host, S(""), S(MESH_DOMAIN), &name) == OK)
		mark(x, name.ns);
}

static void
mark_all(struct around *x, const struct resource *const *of, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		mark(x, of[i]->key.ns);
		resource_each_host(of[i], S(MESH_DOMAIN), mark_host, x);
	}
}

static void
collect_changed(struct around *x, const struct server_change *changes,
    struct resource *const *now, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct resource *old =
		    cache_find(&x->s->cache, &changes[i].key);

		if (old != NULL)
			x->changed[x->gone++] = old;
	}
	for (size_t i = 0; i < count; i++)
		if (now[i] != NULL)
			x->changed[x->gone + x->come++] = now[i];
}

/* Near is what is tied to what comes or goes. */
static void
collect_near(struct around *x)
{
	size_t count = x->gone + x->come;

	x->near_count = analysis_index_near(
	    x->s->near, x->changed, count, x->near, NEAR_MAX);
	mark_all(x, x->changed, count);
	mark_all(x, x->near, x->near_count);
	x->living =
	    (struct living){.arena = &x->arena, .namespaces = &x->namespaces};
	members_each_offer(x->s, add_living, &x->living);
	agents_each_gateway(x->s, &x->arena, add_gateway, &x->living);
}

/* What is near, with these beside it. */
static void
look(struct around *x, const struct resource *const *beside, size_t count,
    struct analysis_result *out)
{
	AUTO(mem_free)
	struct analysis_document *docs =
	    mem_new_array(x->near_count + count + 1, sizeof(*docs));
	struct analysis_input in = {.documents = docs,
	    .document_count = x->near_count + count,
	    .domain = S(MESH_DOMAIN),
	    .network = S(MESH_NETWORK),
	    .workloads = x->living.items,
	    .workload_count = x->living.count,
	    .now_ms = server_now_ms(x->s),
	    .read_pem = tls_cert_validity,
	    .flags = ANALYSIS_LIVING | ANALYSIS_USUAL_GATEWAYS};

	for (size_t i = 0; i < x->near_count; i++)
		docs[i].resource = x->near[i];
	for (size_t i = 0; i < count; i++)
		docs[x->near_count + i].resource = beside[i];
	analysis_run(&in, out);
}

void
analyze_change(struct server *s, const struct server_change *changes,
    struct resource *const *now, size_t count, struct analysis_result *out)
{
	AUTO(analysis_result_fini) struct analysis_result before = {0};
	struct around x = {.s = s,
	    .changed = mem_new_array(2 * count + 1, sizeof(*x.changed)),
	    .near = mem_new_array(NEAR_MAX, sizeof(*x.near))};

	arena_init(&x.arena, FACTS_BYTES);
	map_init(&x.namespaces);
	collect_changed(&x, changes, now, count);
	collect_near(&x);
	look(&x, x.changed, x.gone, &before);
	look(&x, x.changed + x.gone, x.come, out);
	analysis_subtract(out, &before);
	map_fini(&x.namespaces, NULL);
	mem_free(&x.living.items);
	mem_free(&x.changed);
	mem_free(&x.near);
	arena_fini(&x.arena);
}
