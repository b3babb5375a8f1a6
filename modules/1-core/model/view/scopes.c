/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scopes — from whose place the mesh is seen.
 *
 * A machine's programs call as accounts of several namespaces, and rules may
 * be for some callers only. Each namespace and set of labels that somebody
 * here calls from has hosts of its own.
 */
#include <stdlib.h>

#include "kinds/scoped_host.h"
#include "wish.h"

static void
drop_owners(void *value)
{
	struct host_owners *o = value; /* in the view's arena */

	rows_fini(&o->all);
}

static void
drop_called(void *value)
{
	struct called *c = value; /* in the view's arena */

	rows_fini(&c->hosts);
}

/* What only the making of the scope needs. */
static void
scope_trim(struct scope *s)
{
	for (size_t i = 0; i < s->egresses.count; i++) {
		struct egress *e = s->egresses.items[i];

		if (e->spec == NULL)
			rows_fini(&e->services); /* all that are seen */
		rows_fini(&e->rulings);
		map_fini(&e->called, drop_called);
	}
	rows_fini(&s->virtual_services);
}

/* Nor what else its patches need. */
void
scope_settle(struct scope *s)
{
	for (size_t i = 0; i < s->egresses.count; i++) {
		struct egress *e = s->egresses.items[i];

		rows_fini(&e->services);
		wish_drop(e->wish);
		map_fini(&e->owner_by_host, drop_owners);
		map_fini(&e->aliases, rows_drop);
	}
	rows_fini(&s->hiding);
	rows_fini(&s->egresses);
}

void
scope_fini(struct scope *s)
{
	scope_trim(s);
	scope_settle(s);
	map_fini(&s->imports, NULL);
	map_fini(&s->hosts, NULL);
	rows_fini(&s->wildcards);
	map_fini(&s->routes_by_name, NULL);
	for (size_t i = 0; i < s->routes.count; i++)
		routes_fini(s->routes.items[i]);
	rows_fini(&s->routes);
	rows_fini(&s->sets);
	for (size_t i = 0; i < ARRAY_LEN(s->listeners); i++)
		listeners_fini(&s->listeners[i]);
}

static bool
is_same(const struct scope *s, struct slice ns, const struct labels *labels)
{
	return slice_eq(s->row.ns, ns) &&
	       s->row.labels.count == labels->count &&
	       labels_match(&s->row.labels, labels);
}

static struct scope *
find(const struct view *v, struct slice ns, const struct labels *labels)
{
	for (size_t i = 0; i < v->scopes.count; i++)
		if (is_same(v->scopes.items[i], ns, labels))
			return v->scopes.items[i];
	return NULL;
}

const struct view_scope *
view_find_scope(
    const struct view *v, struct slice ns, const struct labels *labels)
{
	const struct scope *s = find(v, ns, labels);

	if (s == NULL)
		s = v->scopes.items[0];
	return &s->row;
}

/* --- what labels a caller has ----------------------------------------------
 */

static struct slice
or_else(struct slice s, struct slice otherwise)
{
	return s.len > 0 ? s : otherwise;
}

static bool
serves_as(
    const struct view_exposed_input *e, struct slice ns, struct slice account)
{
	return slice_eq(or_else(e->ns, S("default")), ns) &&
	       slice_eq(e->account, account);
}

/* Only of labels that all of them have can be said that the caller has it. */
static bool
all_have(const struct view_input *in, struct slice ns, struct slice account,
    const struct label *l)
{
	for (size_t i = 0; i < in->exposed_count; i++) {
		const struct view_exposed_input *e = &in->exposed[i];

		if (serves_as(e, ns, account) &&
		    !slice_eq(labels_get(&e->labels, l->key), l->value))
			return false;
	}
	return true;
}

/* Those of the services that are exposed here as the caller's account. */
static struct labels
labels_of(struct builder *b, struct slice ns, struct slice account)
{
	const struct view_exposed_input *first = NULL;
	struct labels out = {NULL, 0};
	struct label *items;

	for (size_t i = 0; first == NULL && i < b->in->exposed_count; i++)
		if (serves_as(&b->in->exposed[i], ns, account))
			first = &b->in->exposed[i];
	if (first == NULL || account.len == 0)
		return out;
	items = take(b, first->labels.count, sizeof(*items));
	for (size_t i = 0; items != NULL && i < first->labels.count; i++)
		if (all_have(b->in, ns, account, &first->labels.items[i]))
			items[out.count++] = first->labels.items[i];
	out.items = items;
	return out;
}

/* --- making them -----------------------------------------------------------
 */

static int
by_key(const void *a, const void *b)
{
	const struct label *x = a, *y = b;

	return slice_cmp(x->key, y->key);
}

/* The same in every view, whatever the order of labels was. */
static uint64_t
hash_of(const struct view_scope *s)
{
	uint64_t h = slice_hash_stable(s->ns);

	for (size_t i = 0; i < s->labels.count; i++)
		h = (h ^ slice_hash_stable(s->labels.items[i].key)) * 31 +
		    slice_hash_stable(s->labels.items[i].value);
	return h | 1;
}

static struct scope *
add(struct builder *b, struct slice ns, const struct labels *labels)
{
	struct scope *s = take(b, 1, sizeof(*s));

	if (s == NULL)
		return NULL;
	map_init(&s->hosts);
	map_init(&s->imports);
	map_init(&s->routes_by_name);
	for (size_t i = 0; i < ARRAY_LEN(s->listeners); i++)
		listeners_init(&s->listeners[i]);
	s->row.ns = take_copy(b, ns);
	s->row.labels = take_labels(b, labels);
	if (s->row.labels.count > 0)
		qsort((void *)(uintptr_t)s->row.labels.items,
		    s->row.labels.count, sizeof(struct label), by_key);
	s->hash = b->v->scopes.count > 0 ? hash_of(&s->row) : 0;
	rows_add(&b->v->scopes, s);
	return s;
}

const struct scope *
scope_of_upstream(struct builder *b, const struct view_upstream_input *u)
{
	const struct scope *own = b->v->scopes.items[0];
	struct slice ns = or_else(u->ns, own->row.ns);
	struct labels labels = labels_of(b, ns, u->account);
	const struct scope *s = find(b->v, ns, &labels);

	return s != NULL ? s : add(b, ns, &labels);
}

/* The proxy's own stays the first. */
static int
by_place(const void *a, const void *b)
{
	const struct scope *const *x = a;
	const struct scope *const *y = b;
	int n = ((*x)->hash != 0) - ((*y)->hash != 0);

	if (n == 0)
		n = slice_cmp((*x)->row.ns, (*y)->row.ns);
	return n != 0 ? n
		      : ((*x)->hash > (*y)->hash) - ((*x)->hash < (*y)->hash);
}

/* Those of gateways behind the others; in a set each has another name. */
static int
by_gate(const struct view_routes *x, const struct view_routes *y)
{
	if (x == NULL || y == NULL)
		return (x != NULL) - (y != NULL);
	return slice_cmp(x->name, y->name);
}

/* Of each listener of the scope there may be one. */
static int
by_egress(const struct view_host *x, const struct view_host *y)
{
	const struct egress *a =
	    ((const struct host_row *)(const void *)x)->egress;
	const struct egress *b =
	    ((const struct host_row *)(const void *)y)->egress;

	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return (a->place > b->place) - (a->place < b->place);
}

int
compare_hosts(const void *a, const void *b)
{
	const struct view_host *const *x = a;
	const struct view_host *const *y = b;
	const struct scope *of_x = scope_const((*x)->scope);
	const struct scope *of_y = scope_const((*y)->scope);
	int n = slice_cmp((*x)->name, (*y)->name);

	if (n == 0)
		n = by_place(&of_x, &of_y);
	if (n == 0 && ((*x)->gate != NULL || (*y)->gate != NULL))
		return by_gate((*x)->gate, (*y)->gate);
	if (n == 0)
		n = by_egress(*x, *y);
	/* And one of a proxy, beside that of its port. */
	if (n == 0)
		n = (int)(*x)->origin.line - (int)(*y)->origin.line;
	return n != 0 ? n
		      : resource_key_cmp(&(*x)->origin.key, &(*y)->origin.key);
}

int
compare_clusters(const void *a, const void *b)
{
	const struct view_cluster *const *x = a;
	const struct view_cluster *const *y = b;
	int n = slice_cmp((*x)->name, (*y)->name);

	return n != 0 ? n : ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

void
compile_scopes(struct builder *b)
{
	const struct view_input *in = b->in;

	(void)add(b, or_else(in->ns, S("default")), &in->labels); /* the same */
	for (size_t i = 0; !b->full && i < in->upstream_count; i++)
		(void)scope_of_upstream(
		    b, &in->upstreams[i]); /* or it is full */
	if (!b->full)
		rows_sort(&b->v->scopes, by_place);
	for (size_t i = 0; !b->full && i < b->v->scopes.count; i++) {
		b->scope = b->v->scopes.items[i];
		b->scope->place = i;
		compile_imports(b);
		compile_hosts(b);
		compile_subsets(b);
		compile_listeners(b);
		b->scope->has_hosts_aside = has_hosts_aside(b->scope);
		scope_trim(b->scope);
	}
	compile_bare_clusters(b);
	give_slots(b);
}

/* --- whom a match is for ---------------------------------------------------
 */

static const struct label *
first_missing(const struct labels *have, const struct labels *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (!slice_eq(labels_get(have, wanted->items[i].key),
			wanted->items[i].value))
			return &wanted->items[i];
	return NULL;
}

static bool
is_at_hand(const struct builder *b, struct slice gateway, struct slice owner_ns)
{
	struct slice ns, name, of, own;

	gateway_name_split(gateway, owner_ns, &ns, &name);
	scoped_host_split(b->gateway, &of, &own);
	return slice_eq(ns, of) && slice_eq(name, own);
}

static bool
has_gateway(const struct builder *b, const struct callers *c)
{
	if (b->gateway.len == 0)
		return gateways_have_mesh(c->gateways, c->gateway_count);
	for (size_t i = 0; i < c->gateway_count; i++)
		if (is_at_hand(b, c->gateways[i], c->owner_ns))
			return true;
	return c->gateway_count == 0;
}

bool
is_for_callers(const struct builder *b, const struct callers *c)
{
	const struct view_scope *of = &b->scope->row;

	return has_gateway(b, c) &&
	       (c->ns.len == 0 || slice_eq(c->ns, of->ns)) &&
	       labels_match(&of->labels, c->labels);
}

struct slice
why_not_callers(struct builder *b, const struct callers *c)
{
	const struct view_scope *of = &b->scope->row;
	const struct label *l = first_missing(&of->labels, c->labels);

	if (!has_gateway(b, c))
		return b->gateway.len == 0
			   ? S("it is for gateways only")
			   : take_printf(b, "it is not for the Gateway %.*s",
				 SLICE_ARG(b->gateway));
	if (c->ns.len > 0 && !slice_eq(c->ns, of->ns))
		return take_printf(b,
		    "it is for callers in namespace %.*s; this one is in %.*s",
		    SLICE_ARG(c->ns), SLICE_ARG(of->ns));
	if (l != NULL)
		return take_printf(b,
		    "it is for callers with the label %.*s=%.*s; this one has "
		    "not got it",
		    SLICE_ARG(l->key), SLICE_ARG(l->value));
	return S("");
}
