/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish — resources + records + local services → one view, in force.
 *
 *	         touch                  compiled                done
 *	IDLE ------------> DUE ----------------------> BUSY ----------> IDLE
 *	   first change: this turn's end;   a touch meanwhile: DUE again
 *	   else NODE_SETTLE_MS after the last
 *
 * Updates of the stream are settled, i.e. acknowledged, when the first view
 * with them is in force on every worker.
 */
#define LOG_MODULE "node"

#include "codec/codec.h"
#include "discovery/discovery.h"

#include "inside.h"
#include "names.h"

enum {
	PUBLISHER_MAGIC = 0x7075626c,
	BODY_ARENA_MAX = 32 << 20, /* LIMIT_RESOURCE_BYTES as a tree */
	WORDS_MAX = 4 << 20,
	TIDY_US = 10 * 1000000
};

struct pending {
	struct list link;
	struct xds_update *update;
};

struct publisher {
	uint32_t magic;
	struct node *node;
	struct map resources; /* name on the stream → struct resource */
	uint64_t resources_version;
	uint64_t policies_version; /* of HealthCheckPolicies, MeshConfig */
	uint64_t groups_version;   /* of the WorkloadGroups */
	struct discovery *discovery;
	struct names *names; /* where those of `view` lead */
	struct view *view;   /* the newest, in force or about to be */
	struct view *former; /* until `view` is; then it is freed here, since
			      * a worker has other things to do */
	uint64_t generation; /* of `view` */
	uint64_t scope;      /* the interests' version, of `view` */
	uint64_t in_force;
	struct arena words; /* conflicts */
	const struct slice *conflicts;
	size_t conflict_count;
	bool dirty;
	bool busy;
	bool has_published;
	uint64_t last_us;
	struct loop_later now;
	struct timer timer;
	struct timer tidy;   /* gives back what views of before had */
	struct list waiting; /* struct pending: in the next view */
	struct list flying;  /* in the view that is on its way */
};

static void
drop_resource(void *value)
{
	struct resource *r = value;

	resource_unref(&r);
}

/* --- updates -------------------------------------------------------------- */

/* The first mistake in words, for the server and `meshd status`. */
static void
say(const struct findings *found, enum err err, char *out, size_t out_len)
{
	struct fault why = {0};

	if (found->errors.count > 0) {
		fault_format(&found->errors.items[0], out, out_len);
		return;
	}
	(void)fault_set(&why, err, "%s", err_text(err));
	fault_format(&why, out, out_len);
}

static enum err
decode(struct slice body, struct resource **out, char *words, size_t words_len)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct fault why = {0};
	const struct value *doc;
	enum err err;

	arena_init(&arena, BODY_ARENA_MAX);
	err = codec_json_parse(body, &arena, &doc, &why);
	if (err != OK) {
		fault_format(&why, words, words_len);
		return err;
	}
	*out = NULL;
	err = resource_decode(doc, &source, out, &found);
	if (err != OK)
		say(&found, err, words, words_len);
	return err;
}

static bool
is_of(const struct resource *r, const struct resource_kind *kind)
{
	return r != NULL && r->kind == kind;
}

static void
put(struct publisher *p, struct slice name, struct resource *r)
{
	struct resource *before =
	    r != NULL ? map_put(&p->resources, name, r)
		      : map_remove(&p->resources, name); /* skipped kind */

	p->resources_version++;
	if (is_of(r, &kind_health_check_policy) ||
	    is_of(before, &kind_health_check_policy) ||
	    is_of(r, &kind_mesh_config) || is_of(before, &kind_mesh_config))
		p->policies_version++;
	if (is_of(r, &kind_workload_group) ||
	    is_of(before, &kind_workload_group))
		p->groups_version++;
	resource_unref(&before);
}

static void
take_resource(struct publisher *p, struct xds_update *u, size_t index)
{
	const struct codec_delta_resource *from = &u->resources[index];
	char words[XDS_REASON_MAX];
	struct resource *r;

	if (decode(from->body, &r, words, sizeof(words)) == OK) {
		put(p, from->name, r);
		return;
	}
	log_warn("resource is not used", "name=\"%.*s\" why=\"%s\"",
	    SLICE_ARG(from->name), words);
	xds_update_refuse(u, index, slice_str(words));
}

void
publisher_update(struct node *n, struct xds_update *u)
{
	struct publisher *p = n->publisher;
	struct pending *w = mem_new(sizeof(*w));

	for (size_t i = 0; i < u->resource_count; i++)
		take_resource(p, u, i);
	for (size_t i = 0; i < u->removed_count; i++)
		put(p, u->removed[i], NULL);
	w->update = u;
	list_push_back(&p->waiting, &w->link);
	publisher_touch(n);
}

void
publisher_restore(struct node *n, const struct xds_resource *from)
{
	char words[XDS_REASON_MAX];
	struct resource *r;

	if (decode(from->body, &r, words, sizeof(words)) == OK)
		put(n->publisher, from->name, r);
	else
		log_warn("resource of the snapshot is not used",
		    "name=\"%.*s\" why=\"%s\"", SLICE_ARG(from->name), words);
}

static void
settle(struct publisher *p, struct list *list, const char *refusal)
{
	LIST_EACH (list, it) {
		struct pending *w = CONTAINER(it, struct pending, link);

		list_remove(it);
		for (size_t i = 0;
		     refusal != NULL && i < w->update->resource_count; i++)
			xds_update_refuse(w->update, i, slice_str(refusal));
		xds_update_settle(&w->update);
		mem_free(&w);
		uplink_settled(p->node);
	}
}

/* --- one compilation ------------------------------------------------------ */

static void
keep_conflicts(struct publisher *p, const struct discovery_output *d)
{
	struct slice *copies;

	arena_reset(&p->words);
	p->conflict_count = 0;
	copies = arena_alloc_array(
	    &p->words, MAX(d->conflict_count, 1), sizeof(*copies));
	p->conflicts = copies;
	if (copies == NULL)
		return;
	for (size_t i = 0; i < d->conflict_count; i++) {
		if (arena_copy(&p->words, d->conflicts[i], &copies[i]) != OK)
			return; /* the rest is not shown */
		p->conflict_count++;
	}
}

static const struct resource **
list_resources(const struct publisher *p, struct arena *arena)
{
	const struct resource **out = arena_alloc_array(
	    arena, MAX(p->resources.count, 1), sizeof(struct resource *));
	struct slice name;
	size_t count = 0;
	void *value;

	if (out == NULL)
		return NULL;
	for (size_t i = 0; map_next(&p->resources, &i, &name, &value);)
		out[count++] = value;
	return out;
}

enum err
node_machine(
    const struct node *n, struct arena *arena, struct discovery_machine *out)
{
	struct tls_identity *own = identities_node(n);

	*out = (struct discovery_machine){.name = slice_str(n->member.name),
	    .network = slice_str(n->member.network),
	    .locality = place_of(n),
	    .domain = slice_str(n->member.domain),
	    .trust_domain = slice_str(n->member.bundle.trust_domain),
	    .issued_s = peers_issued_s(n),
	    .families = discovery_families(n->addrs, n->addr_count),
	    .addrs = n->addrs,
	    .addr_count = n->addr_count,
	    .ns = slice_str(n->ns),
	    .account = slice_str(n->account),
	    .proxy = n->proxy,
	    .labels = n->labels,
	    .upstreams = upstreams_inputs(n, arena),
	    .upstream_count = upstreams_count(n)};
	peers_self(n, &out->id);
	if (own != NULL)
		out->identity = slice_str(tls_identity_info(own)->uri);
	out->local_count = exposed_locals(n, arena, &out->locals);
	return out->locals != NULL && out->upstreams != NULL ? OK
							     : ERR_NO_MEMORY;
}

/* What the mesh is, whole: the caller narrows it. */
static void
fill_mesh(const struct node *n, struct arena *arena, struct discovery_input *in)
{
	in->catalog = peers_catalog(n);
	in->now_s = node_wall_ms(n) / 1000;
	in->revocations = revoked_all(n, arena, &in->revocation_count);
}

static uint64_t
with_upstream(uint64_t h, const struct view_upstream_input *u)
{
	char text[ADDR_TEXT_MAX];

	h = hash_with(h, slice_hash_stable(u->name));
	h = hash_with(h, slice_hash_stable(u->host));
	h = hash_with(h, u->port);
	h = hash_with(h, slice_hash_stable(u->ns));
	h = hash_with(h, slice_hash_stable(u->account));
	return hash_with(
	    h, slice_hash_stable(slice_str(addr_format(&u->listen, text))));
}

/* Another number wherever anything but endpoints, resources and what is exposed
 * is another. */
static uint64_t
version_of(const struct view_input *in)
{
	uint64_t h = 1;
	char text[ADDR_TEXT_MAX];

	h = hash_with(h, slice_hash_stable(in->domain));
	h = hash_with(h, slice_hash_stable(in->trust_domain));
	h = hash_with(h, slice_hash_stable(in->ns));
	h = hash_with(h, slice_hash_stable(in->account));
	h = hash_with(h, slice_hash_stable(in->network));
	h = hash_with(h, slice_hash_stable(in->locality));
	h = hash_with(h, slice_hash_stable(in->identity));
	for (size_t i = 0; i < in->upstream_count; i++)
		h = with_upstream(h, &in->upstreams[i]);
	for (size_t i = 0; i < in->addr_count; i++)
		h = hash_with(h, slice_hash_stable(slice_str(
				     addr_format(&in->addrs[i], text))));
	h = hash_with(h, in->captures_dns);
	return h | 1;
}

static enum err
compile(struct publisher *p, struct view **out, struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct discovery_machine self;
	struct discovery_scope scope;
	struct discovery_input wanted = {.scope = &scope,
	    .resource_count = p->resources.count,
	    .resources_version = p->resources_version};
	struct discovery_output found;
	struct view_input in;
	enum err err;

	arena_init(&arena, DISCOVERY_BYTES_MAX);
	wanted.resources = list_resources(p, &arena);
	if (wanted.resources == NULL ||
	    node_machine(p->node, &arena, &self) != OK ||
	    interests_scope(p->node, &arena, &scope) != OK)
		return fault_set(why, ERR_NO_MEMORY, "too much for a view");
	if (interests_have_all(p->node))
		wanted.scope = NULL;
	fill_mesh(p->node, &arena, &wanted);
	err = discovery_view_input(p->discovery, &self, &wanted, &found, &in);
	if (err != OK)
		return fault_set(why, err, "discovery: %s", err_text(err));
	p->scope = scope.version;
	keep_conflicts(p, &found);
	in.generation = p->generation + 1;
	in.parse_yaml = codec_yaml_parse_one;
	in.before = p->view;
	in.captures_dns = captured_tells_automatic(p->node);
	in.version = version_of(&in);
	in.resources_version = p->resources_version;
	in.names_version = names_state(p->names);
	in.names = names_inputs(p->names, &arena, &in.name_count);
	if (in.names == NULL)
		return fault_set(why, ERR_NO_MEMORY, "too much for a view");
	return view_compile(&in, out, why);
}

/* Those of which this machine wants nothing. */
static enum err
list_others(
    const struct publisher *p, struct arena *arena, struct view_input *in)
{
	struct view_service_input *out =
	    arena_alloc_array(arena, MAX(in->service_count, 1), sizeof(*out));
	size_t count = 0;

	if (out == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < in->service_count; i++) {
		const struct view_service_input *s = &in->services[i];

		if (!discovery_wants(p->discovery, s->ns, s->name))
			out[count++] = *s;
	}
	in->services = out;
	in->service_count = count;
	return OK;
}

/* By records alone: nothing is kept of it. */
enum err
publisher_survey(const struct node *n, struct view **out, struct fault *why)
{
	AUTO(discovery_free) struct discovery *all = discovery_new();
	AUTO(arena_fini) struct arena arena = {0};
	struct discovery_machine self;
	struct discovery_input mesh = {0};
	struct discovery_output found;
	struct view_input in;
	enum err err;

	if (publisher_view(n) == NULL)
		return fault_set(
		    why, ERR_BUSY, "this agent has no configuration yet");
	arena_init(&arena, DISCOVERY_BYTES_MAX);
	fill_mesh(n, &arena, &mesh);
	err = node_machine(n, &arena, &self);
	self.upstream_count = 0; /* nobody calls here */
	if (err == OK)
		err = discovery_view_input(all, &self, &mesh, &found, &in);
	if (err == OK)
		err = list_others(n->publisher, &arena, &in);
	if (err != OK)
		return fault_set(why, err, "discovery: %s", err_text(err));
	return view_compile(&in, out, why);
}

/* --- when ----------------------------------------------------------------- */

static void publish(struct publisher *p);

static void
on_in_force(void *arg)
{
	struct publisher *p;

	OBJ(p, arg, PUBLISHER_MAGIC);
	p->busy = false;
	p->in_force = p->generation;
	view_unref(&p->former);
	dns_publish(p->node, p->view);
	settle(p, &p->flying, NULL);
	interests_in_force(p->node, p->scope);
	peers_offer(p->node);
	node_published(p->node);
	if (p->dirty)
		publisher_touch(p->node);
}

/* By now most requests that held views of before have ended. */
static void
on_tidy(void *arg)
{
	(void)arg; /* the process's memory */
	mem_give_back();
}

static void
hand_over(struct publisher *p, struct view *fresh)
{
	LIST_EACH (&p->waiting, it) {
		list_remove(it);
		list_push_back(&p->flying, it);
	}
	if (fresh == p->view) { /* nothing is new */
		exposed_compiled(p->node, p->generation);
		view_unref(&fresh);
		settle(p, &p->flying, NULL);
		interests_in_force(p->node, p->scope);
		peers_offer(p->node);
		return;
	}
	p->former = p->view;
	p->view = fresh;
	p->generation++;
	p->busy = true;
	exposed_compiled(p->node, p->generation);
	if (!timer_is_set(&p->tidy))
		timer_set(&p->tidy, TIDY_US);
	proxy_publish(plane_proxy(p->node), fresh, on_in_force, p);
	plane_choose_lines(p->node, fresh);
}

static void
follow_names(struct publisher *p, const struct view *v)
{
	size_t count;
	const struct view_name *needed = view_names(v, &count);

	names_follow(p->names, needed, count, view_name_refresh_us(v));
}

static void
publish(struct publisher *p)
{
	struct fault why = {0};
	struct view *fresh;

	if (p->busy || plane_proxy(p->node) == NULL)
		return; /* on_in_force() comes back to it */
	groups_refresh(p->node);
	interests_refresh(p->node);
	health_refresh(p->node);
	p->dirty = false;
	p->has_published = true;
	p->last_us = loop_now_us(p->node->loop);
	if (compile(p, &fresh, &why) == OK) {
		follow_names(p, fresh);
		hand_over(p, fresh);
		return;
	}
	log_error(
	    "view was not made, the former one stays", "why=\"%s\"", why.text);
	settle(p, &p->waiting, why.text);
}

static void
on_due(void *arg)
{
	struct publisher *p;

	OBJ(p, arg, PUBLISHER_MAGIC);
	publish(p);
}

void
publisher_touch(struct node *n)
{
	struct publisher *p = n->publisher;
	uint64_t now, next;

	if (p == NULL)
		return;
	p->dirty = true;
	if (p->busy || timer_is_set(&p->timer))
		return;
	now = loop_now_us(n->loop);
	next = p->last_us + NODE_SETTLE_MS * UINT64_C(1000);
	if (!p->has_published || next <= now)
		loop_later(n->loop, &p->now);
	else
		timer_set(&p->timer, next - now);
}

/* What no interface here has an address for cannot be called. */
static enum addr_family
callable_family(void)
{
	struct addr addrs[NODE_ADDRS_MAX];
	size_t count = net_machine_addrs(addrs, ARRAY_LEN(addrs));

	switch (discovery_families(addrs, count)) {
	case DISCOVERY_V4:
		return ADDR_V4;
	case DISCOVERY_V6:
		return ADDR_V6;
	default:
		return ADDR_NONE; /* both, or there is loopback alone */
	}
}

static void
on_names_change(void *arg)
{
	publisher_touch(arg);
}

void
publisher_retry(struct node *n)
{
	if (n->publisher != NULL)
		names_retry(n->publisher->names);
}

void
publisher_open(struct node *n)
{
	const struct names_spec names = {.loop = n->loop,
	    .family = callable_family,
	    .on_change = on_names_change,
	    .arg = n};
	struct publisher *p = mem_new(sizeof(*p));

	p->magic = PUBLISHER_MAGIC;
	p->node = n;
	map_init(&p->resources);
	p->discovery = discovery_new();
	p->names = names_new(&names);
	arena_init(&p->words, WORDS_MAX);
	list_init(&p->waiting);
	list_init(&p->flying);
	loop_later_init(&p->now, on_due, p);
	timer_init(&p->timer, n->loop, on_due, p);
	timer_init(&p->tidy, n->loop, on_tidy, p);
	n->publisher = p;
}

/* The proxy is gone: no view is on its way any more. */
void
publisher_close(struct node *n)
{
	struct publisher *p = n->publisher;

	if (p == NULL)
		return;
	loop_later_cancel(&p->now);
	timer_clear(&p->timer);
	timer_clear(&p->tidy);
	settle(p, &p->flying, "the agent is going down");
	settle(p, &p->waiting, "the agent is going down");
	discovery_free(&p->discovery);
	names_free(&p->names);
	map_fini(&p->resources, drop_resource);
	view_unref(&p->view);
	view_unref(&p->former);
	arena_fini(&p->words);
	p->magic = 0;
	mem_free(&n->publisher);
}

/* --- what others ask ------------------------------------------------------ */

const struct view *
publisher_view(const struct node *n)
{
	return n->publisher != NULL ? n->publisher->view : NULL;
}

uint64_t
publisher_generation(const struct node *n)
{
	return n->publisher != NULL ? n->publisher->in_force : 0;
}

uint64_t
publisher_policies(const struct node *n)
{
	return n->publisher != NULL ? n->publisher->policies_version : 0;
}

uint64_t
publisher_groups(const struct node *n)
{
	return n->publisher != NULL ? n->publisher->groups_version : 0;
}

size_t
publisher_resources(const struct node *n)
{
	return n->publisher != NULL ? n->publisher->resources.count : 0;
}

void
publisher_each_resource(const struct node *n,
    void (*each)(void *arg, const struct resource *r), void *arg)
{
	struct slice name;
	void *value;

	if (n->publisher == NULL)
		return;
	for (size_t i = 0;
	     map_next(&n->publisher->resources, &i, &name, &value);)
		each(arg, value);
}

/* Who is told of problems. */
struct listener {
	void (*each)(void *arg, const struct node_problem *p);
	void *arg;
};

static void
tell_name(void *arg, struct slice name, struct slice words)
{
	const struct listener *to = arg;

	to->each(to->arg, &(struct node_problem){
			      .kind = "name", .about = name, .text = words});
}

void
publisher_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	struct listener to = {each, arg};
	const struct publisher *p = n->publisher;
	const struct view_problem *problems;
	char about[ORIGIN_TEXT_MAX];
	size_t count = 0;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->conflict_count; i++) {
		struct node_problem row = {
		    .kind = "discovery", .text = p->conflicts[i]};

		each(arg, &row);
	}
	names_each_failure(p->names, tell_name, &to);
	problems = p->view != NULL ? view_problems(p->view, &count) : NULL;
	for (size_t i = 0; i < count; i++) {
		struct node_problem row = {.kind = "view",
		    .about =
			slice_str(origin_format(&problems[i].origin, about)),
		    .text = problems[i].text};

		each(arg, &row);
	}
}
