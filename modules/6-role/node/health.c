/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health — which check each service here has, and what comes of it.
 *
 * What was said with `expose` counts, else the HealthCheckPolicy of its
 * namespace that says most about it, else one of the mesh's root namespace; of
 * two that say as much the older one, as everywhere. Who is there for as long
 * as a command or a unit is at least taking connections. A command is run only
 * where this machine's own settings allow it, since whoever writes policies is
 * not its master.
 */
#define LOG_MODULE "node"

#include "health/health.h"
#include "codec/codec.h"
#include "discovery/discovery.h"

#include "inside.h"

#include <stdio.h>

enum {
	HEALTH_MAGIC = 0x686c7468,
	CHECK_ARENA_MAX = 1 << 20,
	ABOUT_MAX = 2 * NAME_LABEL_MAX + SLICE_U64_MAX + 8
};

/* The check of one service; the resource is referred to. */
struct chosen {
	const struct resource *policy; /* a reference; NULL: none */
	bool is_own;                   /* of expose */
	bool is_refused;               /* a command, which nobody allowed */
};

struct health {
	uint32_t magic;
	struct node *node;
	struct health_set *set;
	struct chosen chosen[NODE_EXPOSED_MAX]; /* as exposed_check() */
	size_t count;
	uint64_t policies; /* versions of what it was chosen from */
	uint64_t exposed;
};

/* --- a check of its own --------------------------------------------------- */

static struct value *
document(const struct node_expose *e, struct arena *a)
{
	struct value *doc = value_new(a, VALUE_MAP);
	struct value *metadata = value_new(a, VALUE_MAP);

	value_put_text(a, &metadata, S("name"), e->name);
	value_put_text(a, &metadata, S("namespace"), e->ns);
	value_put_text(a, &doc, S("apiVersion"), S("meshd.dev/v1"));
	value_put_text(a, &doc, S("kind"), S("HealthCheckPolicy"));
	value_put(&doc, S("metadata"), metadata);
	value_put(&doc, S("spec"), value_share(e->check, a));
	return doc;
}

MUST_USE enum err
health_read_check(
    const struct node_expose *e, struct resource **out, struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(findings_fini) struct findings found = {0};
	AUTO(resource_unref) struct resource *r = NULL;
	struct resource_source source = {.parse_json = codec_json_parse};
	const struct fault *first;
	const struct value *doc;
	enum err err;

	arena_init(&arena, CHECK_ARENA_MAX);
	doc = document(e, &arena);
	if (doc == NULL)
		return fault_set(why, ERR_LIMIT, "the check is too large");
	err = resource_decode(doc, &source, &r, &found);
	first = err != OK ? found.errors.items : found.inert.items;
	if (found.errors.count + found.inert.count > 0)
		return fault_set(why, err != OK ? err : ERR_UNSUPPORTED,
		    "its check: %s: %s", first->field, first->text);
	*out = TAKE(r);
	return OK;
}

MUST_USE enum err
health_may_check(
    const struct node *n, const struct value *check, struct fault *why)
{
	if (n->exec_checks || check == NULL ||
	    value_get(check, S("exec")) == NULL)
		return OK;
	return fault_set(why, ERR_DENIED,
	    "this agent runs no commands as health checks; to allow them, set "
	    "exec-checks in the section agent of meshd.conf and start it "
	    "again");
}

/* --- which policy --------------------------------------------------------- */

static const struct health_check_policy *
policy_of(const struct resource *r)
{
	return r->spec;
}

static bool
refers_to(const struct policy_scope *s, struct slice name)
{
	for (size_t i = 0; i < s->target_refs.count; i++)
		if (slice_eq(s->target_refs.items[i].kind, S("Service")) &&
		    slice_eq(s->target_refs.items[i].name, name))
			return true;
	return s->target_refs.count == 0 && s->target_ref != NULL &&
	       slice_eq(s->target_ref->kind, S("Service")) &&
	       slice_eq(s->target_ref->name, name);
}

/* How much it says of the service; 0: it is not for it. */
static unsigned
rank_of(
    const struct resource *r, const struct node_expose *e, struct slice root)
{
	enum { OF_ITS_OWN = 8 };
	const struct health_check_policy *p = policy_of(r);
	const struct policy_scope *s = &p->scope;
	const struct labels labels = {e->labels, e->label_count};
	bool has_refs = s->target_refs.count > 0 || s->target_ref != NULL;

	bool names = p->service.len > 0 || has_refs;
	bool is_own = slice_eq(r->key.ns, e->ns);

	if (!(is_own || (slice_eq(r->key.ns, root) && !names)) ||
	    (p->service.len > 0 && !slice_eq(p->service, e->name)) ||
	    (has_refs && !refers_to(s, e->name)) ||
	    (s->selector != NULL &&
		!labels_match(&labels, &s->selector->match_labels)))
		return 0;
	return 1U + (s->selector != NULL ? 1U : 0U) + (names ? 2U : 0U) +
	       (is_own ? (unsigned)OF_ITS_OWN : 0U);
}

const struct resource *
health_better(const struct resource *best, const struct resource *r,
    const struct node_expose *e, struct slice root)
{
	unsigned rank, of_best;

	if (r->kind != &kind_health_check_policy)
		return best;
	rank = rank_of(r, e, root);
	of_best = best != NULL ? rank_of(best, e, root) : 0;
	if (rank != of_best)
		return rank > of_best ? r : best;
	return rank > 0 && resource_age_cmp(r, best) < 0 ? r : best;
}

struct choosing {
	const struct node_expose *for_whom;
	const struct resource *best;
	struct slice root;
};

static void
offer(void *arg, const struct resource *r)
{
	struct choosing *c = arg;

	c->best = health_better(c->best, r, c->for_whom, c->root);
}

static void
find_root(void *arg, const struct resource *r)
{
	struct choosing *c = arg;

	if (r->kind == &kind_mesh_config)
		c->root = ((const struct mesh_config *)r->spec)->root_namespace;
}

/* Without a check or a policy: of a command or unit, which takes a while until
 * it listens. */
static struct resource *
connects(const struct node_expose *of)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct node_expose e = *of;
	struct value *check;
	struct resource *r = NULL;

	arena_init(&arena, CHECK_ARENA_MAX);
	check = value_new(&arena, VALUE_MAP);
	value_put(&check, S("tcp"), value_new(&arena, VALUE_MAP));
	e.check = check;
	CHECK(check != NULL && health_read_check(&e, &r, NULL) == OK);
	return r;
}

static struct chosen
choose(const struct node *n, const struct exposed_check *x)
{
	struct choosing c = {
	    .for_whom = x->what, .root = S(MESH_ROOT_NAMESPACE)};
	const struct resource *r = x->own;

	if (r == NULL) {
		publisher_each_resource(n, find_root, &c);
		publisher_each_resource(n, offer, &c);
		r = c.best;
	}
	if (r == NULL && x->what->is_passing)
		return (struct chosen){
		    .policy = connects(x->what), .is_own = true};
	if (r == NULL)
		return (struct chosen){0};
	return (struct chosen){.policy = resource_ref(r),
	    .is_own = x->own != NULL,
	    .is_refused = policy_of(r)->exec != NULL && !n->exec_checks};
}

/* --- the set -------------------------------------------------------------- */

static void
drop(struct chosen *c)
{
	struct resource *r = (struct resource *)(uintptr_t)c->policy;

	c->policy = NULL;
	resource_unref(&r);
}

static void
forget(struct health *h)
{
	for (size_t i = 0; i < h->count; i++)
		drop(&h->chosen[i]);
	h->count = 0;
}

static void
tell_refused(const struct chosen *c, const struct node_expose *e)
{
	if (c->is_refused)
		log_warn("a health check is not run, since this agent runs no "
			 "commands",
		    "service=%.*s/%.*s hint=\"exec-checks in meshd.conf\"",
		    SLICE_ARG(e->ns), SLICE_ARG(e->name));
}

static struct addr
with_port(const struct addr *a, uint16_t port)
{
	struct addr out = *a;

	out.port = port;
	return out;
}

static void
choose_all(struct health *h)
{
	AUTO(mem_free)
	struct health_wish *wishes =
	    mem_new_array(NODE_EXPOSED_MAX, sizeof(*wishes));
	const struct node *n = h->node;
	size_t count = 0;

	forget(h);
	h->count = exposed_count(n);
	for (size_t i = 0; i < h->count; i++) {
		const struct exposed_check x = exposed_check(n, i);
		struct chosen *c = &h->chosen[i];

		*c = choose(n, &x);
		tell_refused(c, x.what);
		if (c->policy != NULL && !c->is_refused)
			wishes[count++] = (struct health_wish){.ns = x.what->ns,
			    .name = x.what->name,
			    .port = x.what->port,
			    .target = x.what->asked.family != ADDR_NONE
					  ? with_port(&x.what->asked,
						x.what->target.port)
					  : x.what->target,
			    .policy = c->policy,
			    .serves = x.serves};
	}
	health_set_replace(h->set, wishes, count);
}

void
health_refresh(struct node *n)
{
	struct health *h = n->health;

	if (h == NULL || (h->policies == publisher_policies(n) &&
			     h->exposed == exposed_version(n)))
		return;
	h->policies = publisher_policies(n);
	h->exposed = exposed_version(n);
	choose_all(h);
}

/* Peers are told at once, and so is who calls from here. */
static void
on_change(void *arg)
{
	struct health *h;

	OBJ(h, arg, HEALTH_MAGIC);
	peers_offer(h->node);
	publisher_touch(h->node);
}

void
health_open(struct node *n)
{
	struct health *h = mem_new(sizeof(*h));

	h->magic = HEALTH_MAGIC;
	h->node = n;
	h->policies = h->exposed = UINT64_MAX;
	h->set = health_set_new(n->loop, on_change, h);
	n->health = h;
}

void
health_close(struct node *n)
{
	struct health *h = n->health;

	if (h == NULL)
		return;
	health_set_free(&h->set);
	forget(h);
	h->magic = 0;
	mem_free(&n->health);
}

/* --- what others ask ------------------------------------------------------ */

/* False: it has no check, or it was exposed just now. */
static bool
find(const struct node *n, const struct node_expose *e,
    struct health_report *out)
{
	return n->health != NULL &&
	       health_set_find(n->health->set, e->ns, e->name, e->port, out);
}

static struct slice
words(const struct health_report *r, struct arena *arena)
{
	char since[CLOCK_RFC3339_LEN];

	if (r->state == HEALTH_UNKNOWN)
		return S("its check has no answer yet");
	clock_format_rfc3339(r->since_ms, since);
	return arena_printf(
	    arena, "unhealthy since %s: %.*s", since, SLICE_ARG(r->reason));
}

struct slice
health_why_not(
    const struct node *n, const struct node_expose *e, struct arena *arena)
{
	struct health_report r;

	if (e->leaves.len > 0)
		return e->leaves;
	if (!find(n, e, &r) || r.state == HEALTH_HEALTHY)
		return S("");
	return words(&r, arena);
}

/* Before it is a member, what was said with expose. */
static struct chosen
chosen_for(const struct node *n, const struct node_expose *e)
{
	const struct health *h = n->health;
	bool is_fresh = h != NULL && h->exposed == exposed_version(n);

	for (size_t i = 0; i < exposed_count(n); i++) {
		struct exposed_check x = exposed_check(n, i);

		if (x.what != e)
			continue;
		return is_fresh
			   ? h->chosen[i]
			   : (struct chosen){.policy = x.own, .is_own = true};
	}
	return (struct chosen){0};
}

static void
fill_check(const struct chosen *c, char out[NODE_CHECK_MAX])
{
	char text[HEALTH_REASON_MAX];

	(void)health_check_text(policy_of(c->policy), text);
	if (c->is_own)
		(void)snprintf(out, NODE_CHECK_MAX, "%s", text);
	else
		(void)snprintf(out, NODE_CHECK_MAX, "%s (%.*s/%.*s)", text,
		    SLICE_ARG(c->policy->key.ns),
		    SLICE_ARG(c->policy->key.name));
}

void
health_fill(const struct node *n, struct node_exposed *row)
{
	const struct chosen c = chosen_for(n, row->what);
	struct health_report r;

	if (c.policy == NULL)
		return;
	fill_check(&c, row->check);
	if (c.is_refused) {
		row->reason = S("it is not run: exec-checks is off");
		return;
	}
	if (!find(n, row->what, &r))
		return;
	row->health = health_state_name(r.state);
	row->since_ms = r.since_ms;
	row->reason = r.reason;
}

static struct slice
problem_of(const struct node *n, const struct chosen *c,
    const struct node_expose *e, struct arena *arena)
{
	if (c->is_refused)
		return S("its health check is a command, which this agent does "
			 "not run: exec-checks in meshd.conf is off");
	return health_why_not(n, e, arena);
}

void
health_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	const struct health *h = n->health;

	if (h == NULL || h->exposed != exposed_version(n))
		return;
	for (size_t i = 0; i < h->count; i++) {
		AUTO(arena_fini) struct arena arena = {0};
		const struct node_expose *e = exposed_check(n, i).what;
		struct node_problem row = {.kind = "health"};
		char about[ABOUT_MAX];

		arena_init(&arena, CHECK_ARENA_MAX);
		row.text = problem_of(n, &h->chosen[i], e, &arena);
		(void)snprintf(about, sizeof(about), "%.*s.%.*s:%u",
		    SLICE_ARG(e->name), SLICE_ARG(e->ns), (unsigned)e->port);
		row.about = slice_str(about);
		if (row.text.len > 0)
			each(arg, &row);
	}
}
