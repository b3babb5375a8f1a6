/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups — the WorkloadGroups that this machine is a workload of.
 *
 *	ABSENT --the stream brings it--> THERE --it goes--> LEAVING
 *	  ^                                ^--it is back-------' |
 *	  `------------------ after the grace ------------------'
 *
 * THERE: what it says of a workload is offered. LEAVING: that still takes what
 * comes, but callers are told not to; so that one that was written anew is no
 * outage, and nobody is cut off who has not heard of it yet. That a machine
 * itself leaves or dies is gossip's to tell.
 */
#define LOG_MODULE "node"

#include "codec/codec.h"
#include "discovery/discovery.h"

#include "groups.h"
#include "inside.h"

enum {
	GROUPS_MAGIC = 0x67727073,
	WISH_BYTES_MAX = 64 << 10,
	SERVICES_BYTES_MAX = 4 << 20,
	/* As upstream leaves an entry whose agent is away. */
	GRACE_US = 10 * 1000000
};

struct joined {
	struct node_group what; /* text in the arena */
	struct arena arena;
	struct resource *group; /* the last that was seen; NULL: ABSENT */
	uint64_t gone_us;       /* LEAVING since; 0: it is there */
	struct fault problem; /* why nothing is offered for it; no text: none */
};

struct groups {
	uint32_t magic;
	struct node *node;
	struct joined *items[NODE_GROUPS_MAX]; /* by namespace and name */
	size_t count;
	uint64_t version;                   /* of the list */
	uint64_t seen_version, seen_groups; /* that were made services of */
	struct timer grace;
};

static void
joined_free(struct joined **jp)
{
	if (*jp == NULL)
		return;
	resource_unref(&(*jp)->group);
	arena_fini(&(*jp)->arena);
	mem_free(jp);
}

static struct joined *
find(struct groups *g, struct slice ns, struct slice name, size_t *out_at)
{
	for (size_t i = 0; i < g->count; i++) {
		struct joined *j = g->items[i];

		if (!slice_eq(j->what.ns, ns) || !slice_eq(j->what.name, name))
			continue;
		*out_at = i;
		return j;
	}
	return NULL;
}

/* --- a wish --------------------------------------------------------------- */

static enum err
check_wish(const struct node_group *w, struct fault *why)
{
	enum err e = name_check_label(w->name, why);

	if (e != OK)
		return fault_prefix(why, e, "group: ");
	e = name_check_label(w->ns, why);
	if (e != OK)
		return fault_prefix(why, e, "namespace: ");
	if (w->port_count > NODE_GROUP_PORTS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "of a group's workload at most %d ports may be said here",
		    NODE_GROUP_PORTS_MAX);
	for (size_t i = 0; i < w->port_count; i++)
		if (w->ports[i].port == 0 || w->ports[i].target.port == 0)
			return fault_set(
			    why, ERR_INVALID, "0 is no port of a workload");
	return OK;
}

static enum err
copy_labels(struct joined *j, const struct node_group *from)
{
	struct label *l =
	    arena_alloc_array(&j->arena, from->label_count + 1, sizeof(*l));
	enum err e = l != NULL ? OK : ERR_NO_MEMORY;

	for (size_t i = 0; e == OK && i < from->label_count; i++) {
		e = arena_copy(&j->arena, from->labels[i].key, &l[i].key);
		if (e == OK)
			e = arena_copy(
			    &j->arena, from->labels[i].value, &l[i].value);
	}
	j->what.labels = l;
	return e;
}

static enum err
copy_ports(struct joined *j, const struct node_group *from)
{
	struct node_group_port *p =
	    arena_alloc_array(&j->arena, from->port_count + 1, sizeof(*p));

	if (p == NULL)
		return ERR_NO_MEMORY;
	if (from->port_count > 0)
		memcpy(p, from->ports, from->port_count * sizeof(*p));
	j->what.ports = p;
	return OK;
}

static enum err
joined_new(const struct node_group *w, struct joined **out, struct fault *why)
{
	AUTO(joined_free) struct joined *j = mem_new(sizeof(*j));
	enum err e;

	j->what = *w;
	arena_init(&j->arena, WISH_BYTES_MAX);
	e = arena_copy(&j->arena, w->name, &j->what.name);
	if (e == OK)
		e = arena_copy(&j->arena, w->ns, &j->what.ns);
	if (e == OK)
		e = arena_copy(&j->arena, w->protocol, &j->what.protocol);
	if (e == OK)
		e = copy_labels(j, w);
	if (e == OK)
		e = copy_ports(j, w);
	if (e != OK)
		return fault_set(why, ERR_LIMIT, "its texts are too long");
	*out = TAKE(j);
	return OK;
}

static void
remove_at(struct groups *g, size_t at)
{
	joined_free(&g->items[at]);
	g->count--;
	memmove(&g->items[at], &g->items[at + 1],
	    (g->count - at) * sizeof(g->items[0]));
	g->version++;
}

/* In order, so that the file is the same however they came. */
static void
insert(struct groups *g, struct joined *j)
{
	size_t at = 0;

	while (at < g->count) {
		const struct node_group *o = &g->items[at]->what;
		int n = slice_cmp(o->ns, j->what.ns);

		if (n > 0 || (n == 0 && slice_cmp(o->name, j->what.name) > 0))
			break;
		at++;
	}
	memmove(&g->items[at + 1], &g->items[at],
	    (g->count - at) * sizeof(g->items[0]));
	g->items[at] = j;
	g->count++;
	g->version++;
}

static enum err
put(struct groups *g, const struct node_group *wish, struct fault *why)
{
	struct node_group w = *wish;
	struct joined *j = NULL, *before;
	size_t at = 0;
	enum err e;

	if (w.ns.len == 0)
		w.ns = S("default");
	e = check_wish(&w, why);
	if (e != OK)
		return e;
	before = find(g, w.ns, w.name, &at);
	if (before == NULL && g->count == NODE_GROUPS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a machine may be a workload of at most %d groups",
		    NODE_GROUPS_MAX);
	e = joined_new(&w, &j, why);
	if (e != OK)
		return e;
	if (before != NULL) {
		j->group = before->group; /* taken over */
		before->group = NULL;
		j->gone_us = before->gone_us;
		remove_at(g, at);
	}
	insert(g, j);
	return OK;
}

/* --- the file ------------------------------------------------------------- */

static void
put_addr(struct arena *a, struct value **map, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];
	struct slice kept;

	if (arena_copy(a, slice_str(addr_format(addr, text)), &kept) == OK)
		value_put_text(a, map, S("target"), kept);
	else
		*map = NULL;
}

static struct value *
wish_value(const struct node_group *w, struct arena *a)
{
	struct value *map = value_new(a, VALUE_MAP);
	struct value *labels = value_new(a, VALUE_MAP);
	struct value *ports = value_new(a, VALUE_LIST);

	for (size_t i = 0; i < w->label_count; i++)
		value_put_text(
		    a, &labels, w->labels[i].key, w->labels[i].value);
	for (size_t i = 0; i < w->port_count; i++) {
		struct value *p = value_new(a, VALUE_MAP);

		value_put_int(a, &p, S("port"), w->ports[i].port);
		put_addr(a, &p, &w->ports[i].target);
		value_push(&ports, p);
	}
	value_put_text(a, &map, S("name"), w->name);
	value_put_text(a, &map, S("namespace"), w->ns);
	value_put_text(a, &map, S("protocol"), w->protocol);
	value_put(&map, S("labels"), labels);
	value_put(&map, S("ports"), ports);
	return map;
}

struct value *
groups_encode(const struct node *n, struct arena *arena)
{
	struct value *list = value_new(arena, VALUE_LIST);

	for (size_t i = 0; i < n->groups->count; i++)
		value_push(
		    &list, wish_value(&n->groups->items[i]->what, arena));
	return list;
}

static void
load_one(struct groups *g, const struct value *v)
{
	struct label labels[GOSSIP_LABELS_MAX];
	struct node_group_port ports[NODE_GROUP_PORTS_MAX];
	struct node_group w = {
	    .name = value_get_string(v, S("name"), SLICE_NONE),
	    .ns = value_get_string(v, S("namespace"), SLICE_NONE),
	    .protocol = value_get_string(v, S("protocol"), SLICE_NONE),
	    .labels = labels,
	    .ports = ports};
	struct fault why = {0};

	VALUE_EACH(value_get(v, S("labels")), it)
	if (it->type == VALUE_STRING && w.label_count < ARRAY_LEN(labels))
		labels[w.label_count++] = (struct label){it->key, it->string};
	VALUE_EACH(value_get(v, S("ports")), it)
	{
		struct node_group_port *p = &ports[w.port_count];

		if (w.port_count == ARRAY_LEN(ports) ||
		    addr_parse(value_get_string(it, S("target"), SLICE_NONE),
			&p->target) != OK)
			continue;
		p->port = (uint16_t)value_get_int(it, S("port"), 0);
		w.port_count++;
	}
	if (put(g, &w, &why) != OK)
		log_warn("a group is left out", "why=\"%s\"", why.text);
}

void
groups_load(struct node *n, const struct value *list)
{
	VALUE_EACH(list, it)
	load_one(n->groups, it);
}

/* --- what they make of this machine --------------------------------------- */

struct finding {
	const struct node_group *wanted;
	const struct resource *found;
};

static void
compare(void *arg, const struct resource *r)
{
	struct finding *f = arg;

	if (r->kind == &kind_workload_group &&
	    slice_eq(r->key.ns, f->wanted->ns) &&
	    slice_eq(r->key.name, f->wanted->name))
		f->found = r;
}

/* Of the stream, as it is now. */
static void
look_up(struct groups *g, struct joined *j)
{
	struct finding f = {.wanted = &j->what};
	uint64_t now = loop_now_us(g->node->loop);

	publisher_each_resource(g->node, compare, &f);
	if (f.found != NULL) {
		resource_unref(&j->group);
		j->group = resource_ref(f.found);
		j->gone_us = 0;
		return;
	}
	if (j->group == NULL)
		return;
	if (j->gone_us == 0) {
		j->gone_us = now;
		log_info("a workload's group is gone",
		    "group=%.*s/%.*s grace_s=%d", SLICE_ARG(j->what.ns),
		    SLICE_ARG(j->what.name), GRACE_US / 1000000);
	}
	if (now - j->gone_us >= GRACE_US) {
		resource_unref(&j->group);
		j->gone_us = 0;
	} else if (!timer_is_set(&g->grace)) {
		timer_set(&g->grace, j->gone_us + GRACE_US - now);
	}
}

/* What all of them come to, while it is put together. */
struct making {
	struct groups *groups;
	struct arena arena;
	struct node_expose *items;
	size_t count;
};

static void
take(struct making *m, const struct joined *j, const struct node_expose *from,
    size_t count)
{
	char text[GROUP_ORIGIN_MAX];
	struct slice origin = SLICE_NONE;

	if (arena_copy(&m->arena, group_origin(&j->what, text), &origin) != OK)
		origin = S("WorkloadGroup");
	for (size_t i = 0; i < count && m->count < NODE_EXPOSED_MAX; i++) {
		struct node_expose *e = &m->items[m->count++];

		*e = from[i];
		e->origin = origin;
		if (j->gone_us != 0)
			e->leaves = S("it leaves: its WorkloadGroup is gone");
	}
}

static void
make_services(struct making *m, struct joined *j)
{
	const struct node *n = m->groups->node;
	const struct group_place at = {.wish = &j->what,
	    .network = slice_str(n->member.network),
	    .addrs = n->addrs,
	    .addr_count = n->addr_count};
	const struct node_expose *found;
	size_t count;

	j->problem.text[0] = '\0';
	if (j->group == NULL)
		(void)fault_set(&j->problem, ERR_NOT_FOUND,
		    "there is no such WorkloadGroup, as far as this agent has "
		    "heard");
	else if (group_services(j->group, &at, &m->arena, &found, &count,
		     &j->problem) == OK)
		take(m, j, found, count);
}

static void
on_refused(void *arg, const struct node_expose *e, const struct fault *why)
{
	struct groups *g = arg;
	size_t at;
	struct joined *j = find(g, e->ns, e->name, &at);

	if (j != NULL)
		j->problem = *why;
}

void
groups_refresh(struct node *n)
{
	struct groups *g = n->groups;
	struct making m = {.groups = g};

	if (g->seen_version == g->version &&
	    g->seen_groups == publisher_groups(n))
		return;
	g->seen_version = g->version;
	g->seen_groups = publisher_groups(n);
	arena_init(&m.arena, SERVICES_BYTES_MAX);
	m.items = mem_new_array(NODE_EXPOSED_MAX, sizeof(*m.items));
	for (size_t i = 0; i < g->count; i++) {
		look_up(g, g->items[i]);
		make_services(&m, g->items[i]);
	}
	if (exposed_set(n, NODE_BY_GROUP, m.items, m.count, on_refused, g)) {
		plane_set_credentials(n);
		facts_refresh(n);
	}
	mem_free(&m.items);
	arena_fini(&m.arena);
}

static void
on_grace(void *arg)
{
	struct groups *g;

	OBJ(g, arg, GROUPS_MAGIC);
	g->version++;
	publisher_touch(g->node);
}

/* --- birth and end -------------------------------------------------------- */

void
groups_open(struct node *n)
{
	struct groups *g = mem_new(sizeof(*g));

	g->magic = GROUPS_MAGIC;
	g->node = n;
	g->version = 1;
	timer_init(&g->grace, n->loop, on_grace, g);
	n->groups = g;
}

void
groups_forget(struct node *n)
{
	while (n->groups->count > 0)
		remove_at(n->groups, n->groups->count - 1);
	timer_clear(&n->groups->grace);
}

void
groups_close(struct node *n)
{
	if (n->groups == NULL)
		return;
	groups_forget(n);
	n->groups->magic = 0;
	mem_free(&n->groups);
}

/* --- the local API -------------------------------------------------------- */

static enum err
check_namespace(const struct node *n, struct slice ns, struct fault *why)
{
	struct gossip_voucher v;

	if (!n->is_member ||
	    gossip_voucher_parse(
		slice_of(n->member.voucher, n->member.voucher_len), &v) != OK ||
	    gossip_voucher_grants(&v, ns, /* account */ SLICE_NONE))
		return OK;
	return fault_set(why, ERR_DENIED,
	    "this machine may not be a workload of namespace %.*s: its join "
	    "token granted namespaces \"%.*s\"; join with a token made with: "
	    "meshd token create --namespaces %.*s",
	    SLICE_ARG(ns), SLICE_ARG(v.namespaces), SLICE_ARG(ns));
}

MUST_USE enum err
node_group_enter(
    struct node *n, const struct node_group *wish, struct fault *why)
{
	struct slice ns = wish->ns.len > 0 ? wish->ns : S("default");
	size_t before = n->groups->count, at;
	enum err e = check_namespace(n, ns, why);

	if (e == OK)
		e = put(n->groups, wish, why);
	if (e != OK)
		return e;
	e = exposed_save(n, why);
	if (e != OK && n->groups->count > before) {
		if (find(n->groups, ns, wish->name, &at) != NULL)
			remove_at(n->groups, at);
		return e;
	}
	if (e != OK)
		e = exposed_not_kept(e, why);
	publisher_touch(n);
	return e;
}

MUST_USE enum err
node_group_leave(
    struct node *n, struct slice name, struct slice ns, struct fault *why)
{
	size_t at;
	enum err e;

	if (ns.len == 0)
		ns = S("default");
	if (find(n->groups, ns, name, &at) == NULL)
		return fault_set(why, ERR_NOT_FOUND,
		    "this machine is no workload of the group %.*s.%.*s; see: "
		    "meshd exposed",
		    SLICE_ARG(name), SLICE_ARG(ns));
	remove_at(n->groups, at);
	publisher_touch(n);
	e = exposed_save(n, why);
	return e == OK ? OK : exposed_not_kept(e, why);
}

/* --- what others ask ------------------------------------------------------ */

void
groups_each_host(
    const struct node *n, void (*each)(void *arg, struct slice host), void *arg)
{
	char text[HOST_TEXT_MAX];

	for (size_t i = 0; i < n->groups->count; i++) {
		const struct node_group *w = &n->groups->items[i]->what;

		each(arg, host_group(w->ns, w->name, text));
	}
}

struct slice
groups_locality(const struct node *n)
{
	for (size_t i = 0; i < n->groups->count; i++) {
		const struct resource *r = n->groups->items[i]->group;

		if (r != NULL && group_locality(r).len > 0 &&
		    node_locality_check(group_locality(r), NULL) == OK)
			return group_locality(r);
	}
	return SLICE_NONE;
}

void
groups_each_waiting(const struct node *n,
    void (*each)(void *arg, const struct node_exposed *e), void *arg)
{
	for (size_t i = 0; i < n->groups->count; i++) {
		const struct joined *j = n->groups->items[i];
		char text[GROUP_ORIGIN_MAX];
		const struct node_expose what = {.name = j->what.name,
		    .ns = j->what.ns,
		    .by = NODE_BY_GROUP,
		    .origin = group_origin(&j->what, text)};
		const struct node_exposed row = {
		    .what = &what, .waits_for = slice_str(j->problem.text)};

		if (row.waits_for.len > 0)
			each(arg, &row);
	}
}

void
groups_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	for (size_t i = 0; i < n->groups->count; i++) {
		const struct joined *j = n->groups->items[i];
		char text[GROUP_ORIGIN_MAX];
		const struct node_problem row = {.kind = "group",
		    .about = group_origin(&j->what, text),
		    .text = slice_str(j->problem.text)};

		if (row.text.len > 0)
			each(arg, &row);
	}
}
