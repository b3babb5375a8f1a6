/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bindings — which VirtualServices a Gateway has, and which a server of it.
 *
 * At a gateway all VirtualServices of a host count. Those for the gateway's
 * namespace alone come first, as inside the mesh, then the older ones.
 */
#include "hosts.h"
#include "servers.h"
#include "validate.h"

/* Of the base; between two there is room for those of patches. */
enum { RANK_STEP = 256 };

/* Those of one Gateway. */
struct binding {
	struct rows all;    /* struct bound, by rank */
	struct map by_host; /* host → struct rows of struct bound */
	struct map inside;  /* "*.shop.com" → likewise, of hosts in it */
	struct rows odd;    /* of hosts like "*x.y", that no map finds */
};

static void
drop_rows(void *value)
{
	struct rows *r = value;

	rows_fini(r);
	mem_free(&r);
}

static void
drop_binding(void *value)
{
	struct binding *x = value;

	rows_fini(&x->all);
	rows_fini(&x->odd);
	map_fini(&x->by_host, drop_rows);
	map_fini(&x->inside, drop_rows);
	mem_free(&x);
}

static struct binding *
binding_of(struct bindings *g, struct slice name)
{
	struct binding *x = map_get(&g->of_gateway, name);

	if (x != NULL)
		return x;
	x = mem_new(sizeof(*x));
	map_init(&x->by_host);
	map_init(&x->inside);
	(void)map_put(&g->of_gateway, name, x); /* was not there */
	return x;
}

static void
add_under(struct map *m, struct slice host, struct bound *v)
{
	struct rows *r = map_get(m, host);

	if (r == NULL) {
		r = mem_new(sizeof(*r));
		(void)map_put(m, host, r); /* was not there */
	}
	rows_add(r, v);
}

static void
index_host(struct binding *x, struct bound *v, struct slice host)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern;
	size_t at = 0;

	if (host_is_odd(host))
		rows_add(&x->odd, v);
	else
		add_under(&x->by_host, host, v);
	while (host_next_pattern(host, &at, text, &pattern))
		if (slice_starts(pattern, S("*.")))
			add_under(&x->inside, pattern, v);
}

static void
bind(struct builder *b, struct bindings *g, struct bound *v, struct slice text)
{
	struct slice ns, name;
	struct binding *x;

	if (gateways_have_mesh(&text, 1))
		return;
	gateway_name_split(text, v->resource->key.ns, &ns, &name);
	x = binding_of(
	    g, take_printf(b, "%.*s/%.*s", SLICE_ARG(ns), SLICE_ARG(name)));
	if (x->all.count > 0 && x->all.items[x->all.count - 1] == v)
		return; /* the same one in two spellings */
	rows_add(&x->all, v);
	for (size_t i = 0; i < v->host_count; i++)
		index_host(x, v, v->hosts[i]);
}

/* NULL when it is full. */
static struct bound *
bound_new(struct builder *b, const struct resource *r, enum sight sight)
{
	const struct virtual_service *vs = resource_virtual_service(r);
	struct bound *v = take(b, 1, sizeof(*v));
	struct slice *hosts = take(b, vs->hosts.count, sizeof(*hosts));

	if (v == NULL || hosts == NULL)
		return NULL;
	for (size_t i = 0; i < vs->hosts.count; i++)
		hosts[i] = canonical_host(b, vs->hosts.items[i], r->key.ns);
	*v = (struct bound){.resource = r,
	    .hosts = hosts,
	    .host_count = vs->hosts.count,
	    .sight = sight,
	    .is_of_patch = b->patch != NULL};
	return v;
}

static void
add_bound(struct builder *b, struct bindings *g, const struct resource *r,
    enum sight sight)
{
	const struct virtual_service *vs = resource_virtual_service(r);
	struct bound *v = bound_new(b, r, sight);

	if (v == NULL)
		return;
	rows_add(&g->all, v);
	v->rank = g->all.count * RANK_STEP;
	for (size_t i = 0; i < vs->gateways.count; i++)
		bind(b, g, v, vs->gateways.items[i]);
}

void
bindings_init(struct builder *b, struct bindings *out)
{
	struct rows all = {0};

	*out = (struct bindings){.all = {0}};
	map_init(&out->of_gateway);
	for (size_t i = 0; i < b->v->resources.count; i++) {
		struct resource *r = b->v->resources.items[i];

		if (r->kind == &kind_virtual_service &&
		    resource_virtual_service(r)->gateways.count > 0)
			rows_add(&all, r);
	}
	rows_sort_by_age(&all);
	for (int sight = SIGHT_PRIVATE; sight < SIGHT_NONE; sight++)
		for (size_t i = 0; !b->full && i < all.count; i++)
			if (sight_of(b, all.items[i], b->scope->row.ns) ==
			    (enum sight)sight)
				add_bound(
				    b, out, all.items[i], (enum sight)sight);
	rows_fini(&all);
}

void
bindings_fini(struct bindings *g)
{
	rows_fini(&g->all);
	map_fini(&g->of_gateway, drop_binding);
}

/* --- of a patch ----------------------------------------------------------- */

/* As inside the mesh, see is_ruling_before(). */
static int
compare_bound(const void *a, const void *b)
{
	const struct bound *const *x = a;
	const struct bound *const *y = b;

	if ((*x)->sight != (*y)->sight)
		return (*x)->sight < (*y)->sight ? -1 : 1;
	return resource_age_cmp((*x)->resource, (*y)->resource);
}

void
bind_later(struct builder *b, struct bindings *g, const struct resource *r)
{
	enum sight sight = sight_of(b, r, b->scope->row.ns);
	struct bound *v = sight != SIGHT_NONE ? bound_new(b, r, sight) : NULL;

	if (v != NULL)
		rows_add(&g->come, v);
}

/* At most RENEWALS_MAX in one place. */
void
bindings_rank(struct bindings *g)
{
	rows_sort(&g->come, compare_bound);
	for (size_t i = 0; i < g->come.count; i++) {
		struct bound *v = g->come.items[i];

		v->rank = rows_place(&g->all, v, compare_bound) * RANK_STEP +
			  RANK_STEP / 2 + i;
	}
}

bool
is_bound_to(const struct resource *r, const struct served *s)
{
	const struct virtual_service *vs = resource_virtual_service(r);
	const struct resource_key *gateway = &s->gateway->key;

	for (size_t i = 0; i < vs->gateways.count; i++) {
		struct slice ns, name;

		if (gateways_have_mesh(&vs->gateways.items[i], 1))
			continue;
		gateway_name_split(
		    vs->gateways.items[i], r->key.ns, &ns, &name);
		if (slice_eq(ns, gateway->ns) && slice_eq(name, gateway->name))
			return true;
	}
	return false;
}

/* --- those of a server ---------------------------------------------------- */

bool
served_meets(const struct served_host *h, const struct bound *v,
    struct slice host, struct slice *out)
{
	if (h->ns.len > 0 && !slice_eq(h->ns, v->resource->key.ns))
		return false;
	if (host_is_inside(h->host, host))
		*out = h->host;
	else if (host_is_inside(host, h->host))
		*out = host;
	else
		return false;
	return true;
}

static bool
meets(const struct served *s, const struct bound *v)
{
	struct slice ignored;

	for (size_t i = 0; i < s->host_count; i++)
		for (size_t j = 0; j < v->host_count; j++)
			if (served_meets(
				&s->hosts[i], v, v->hosts[j], &ignored))
				return true;
	return false;
}

static void
add_all(struct rows *to, const struct rows *from)
{
	for (size_t i = 0; from != NULL && i < from->count; i++)
		rows_add(to, from->items[i]);
}

/* What may meet a host: itself, patterns around it, and what is inside. */
static void
add_around(const struct binding *x, struct slice host, struct rows *to)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern;
	size_t at = 0;

	while (host_next_pattern(host, &at, text, &pattern))
		add_all(to, map_get(&x->by_host, pattern));
	add_all(to, map_get(&x->inside, host));
	add_all(to, &x->odd);
}

static int
by_rank(const void *a, const void *b)
{
	const struct bound *const *x = a;
	const struct bound *const *y = b;

	return ((*x)->rank > (*y)->rank) - ((*x)->rank < (*y)->rank);
}

/* Maybe several times. */
static void
add_candidates(const struct binding *x, const struct served *s, struct rows *to)
{
	for (size_t i = 0; i < s->host_count; i++)
		if (slice_eq(s->hosts[i].host, S("*"))) {
			to->count = 0;
			add_all(to, &x->all);
			return;
		} else {
			add_around(x, s->hosts[i].host, to);
		}
	rows_sort(to, by_rank);
}

static bool
is_gone(const struct bindings *g, const struct bound *v)
{
	for (size_t i = 0; !v->is_of_patch && i < g->gone.count; i++)
		if (g->gone.items[i] == v->resource)
			return true;
	return false;
}

static void
add_come(const struct bindings *g, const struct served *s, struct rows *to)
{
	for (size_t i = 0; i < g->come.count; i++) {
		struct bound *v = g->come.items[i];

		if (is_bound_to(v->resource, s))
			rows_add(to, v);
	}
	if (g->come.count > 0)
		rows_sort(to, by_rank);
}

void
find_bound(const struct bindings *g, const struct served *s, struct rows *out)
{
	const struct binding *x = map_get(&g->of_gateway, s->name);
	const struct bound *last = NULL;
	size_t kept = 0;

	if (x != NULL)
		add_candidates(x, s, out);
	add_come(g, s, out);
	for (size_t i = 0; i < out->count; i++) {
		struct bound *v = out->items[i];

		if (v != last && !is_gone(g, v) && meets(s, v))
			out->items[kept++] = v;
		last = v;
	}
	out->count = kept;
}
