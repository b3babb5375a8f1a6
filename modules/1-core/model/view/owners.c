/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owners — which VirtualService owns a host.
 *
 * Inside the mesh one VirtualService decides about requests to a host's port,
 * the first that has a rule for the caller; the rest is reported. Of rules for
 * connections all are asked.
 */
#include "hosts.h"
#include "inside.h"

void
report_conflict(struct builder *b, const struct resource *loser,
    const struct resource *winner, struct slice host)
{
	struct origin o = origin_of(loser, 0);
	char key[RESOURCE_KEY_MAX];

	b->owner = loser;
	add_loss(b, &o,
	    "its rules for %.*s are used only where %s, which comes first, has "
	    "none for the caller and the port",
	    SLICE_ARG(host), resource_key_format(&winner->key, key));
	b->owner = NULL;
}

/* "*x.y" stands for hosts that end so; only "*.y" is looked for. */
static bool
is_unknown_pattern(
    struct builder *b, const struct resource *r, struct slice host)
{
	struct origin o = origin_of(r, 0);

	if (!host_is_odd(host))
		return false;
	add_loss(b, &o,
	    "%.*s: a wildcard that is a part of a label is not in force yet",
	    SLICE_ARG(host));
	return true;
}

static struct host_owners *
owners_new(struct builder *b, struct slice host)
{
	struct host_owners *o = take(b, 1, sizeof(*o));

	if (o == NULL)
		return NULL;
	(void)map_put(&b->egress->owner_by_host, host, o); /* was not there */
	b->egress->wildcard_count += host_is_pattern(host);
	return o;
}

static void
own(struct builder *b, struct ruling *r, struct slice host)
{
	struct host_owners *o = map_get(&b->egress->owner_by_host, host);

	if (is_unknown_pattern(b, r->resource, host))
		return;
	if (o == NULL)
		o = owners_new(b, host);
	if (o == NULL ||
	    (o->all.count > 0 && o->all.items[o->all.count - 1] == r))
		return; /* the same host in two spellings */
	if (o->all.count > 0)
		report_conflict(b, r->resource,
		    ((const struct ruling *)o->all.items[0])->resource, host);
	rows_add(&o->all, r);
}

/* "shop.com" in "*.com", "*.shop.com", or "*". */
static bool
is_inside(struct slice host, struct slice wildcard)
{
	struct slice suffix = slice_sub(wildcard, 1, wildcard.len);

	return host.len > suffix.len && slice_ends(host, suffix);
}

/* The longest pattern that has all of the host in it. */
static const struct host_owners *
wildcard_of(const struct egress *e, struct slice host)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern;
	size_t at = 0;

	if (e->wildcard_count == 0 ||
	    !host_next_pattern(host, &at, text, &pattern))
		return NULL; /* the first is the host itself */
	while (host_next_pattern(host, &at, text, &pattern)) {
		const struct host_owners *o =
		    map_get(&e->owner_by_host, pattern);

		if (o != NULL)
			return o;
	}
	return NULL;
}

bool
has_wildcard_owner(const struct builder *b, struct slice host)
{
	return wildcard_of(b->egress, host) != NULL;
}

/*
 * Upstream drops a VirtualService none of whose rules is for the caller and
 * the port, and asks the next of an exact host, but only the first of a
 * wildcard.
 */
void
add_rulings(
    struct builder *b, struct slice host, uint16_t port, struct rows *out)
{
	const struct host_owners *o = map_get(&b->egress->owner_by_host, host);
	size_t count =
	    o != NULL && !slice_starts(host, S("*")) ? o->all.count : 1;

	if (o == NULL)
		o = wildcard_of(b->egress, host);
	for (size_t i = 0; o != NULL && i < count; i++) {
		struct ruling *r = o->all.items[i];

		if (has_http_rule(b, r->resource, port))
			rows_add(out, r);
	}
}

const struct resource *
owner_of(struct builder *b, struct slice host, uint16_t port)
{
	struct rows all = {0};
	const struct resource *first = NULL;

	add_rulings(b, host, port, &all);
	if (all.count > 0)
		first = ((const struct ruling *)all.items[0])->resource;
	rows_fini(&all);
	return first;
}

/* --- of connections ------------------------------------------------------ */

bool
has_connections(const struct resource *r)
{
	const struct virtual_service *vs;

	if (r == NULL || r->kind != &kind_virtual_service)
		return false;
	vs = resource_virtual_service(r);
	return vs->tcp.count + vs->tls.count > 0;
}

bool
is_ruling_before(
    const struct builder *b, const struct resource *x, const struct resource *y)
{
	enum sight of_x = sight_of(b, x, b->scope->row.ns);
	enum sight of_y = sight_of(b, y, b->scope->row.ns);

	return of_x != of_y ? of_x < of_y : resource_age_cmp(x, y) < 0;
}

static int
by_rank(const void *a, const void *b)
{
	const struct ruling *const *x = a;
	const struct ruling *const *y = b;

	return ((*x)->rank > (*y)->rank) - ((*x)->rank < (*y)->rank);
}

void
rulings_sort(struct rows *r)
{
	rows_sort(r, by_rank);
}

static void
add_once(struct egress *e, const struct host_owners *o, struct rows *out)
{
	for (size_t i = 0; o != NULL && i < o->all.count; i++) {
		struct ruling *r = o->all.items[i];

		if (r->mark == e->marks)
			continue;
		r->mark = e->marks;
		rows_add(out, r);
	}
}

/* Those that name a part of what a wildcard stands for. */
static void
add_parts(struct egress *e, struct slice pattern, struct rows *out)
{
	struct slice key;
	size_t at = 0;
	void *o;

	while (map_next(&e->owner_by_host, &at, &key, &o))
		if (is_inside(key, pattern))
			add_once(e, o, out);
}

static void
add_all(struct egress *e, struct slice host, struct rows *out)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern;

	e->marks++;
	for (size_t at = 0; host_next_pattern(host, &at, text, &pattern);)
		add_once(e, map_get(&e->owner_by_host, pattern), out);
	if (slice_starts(host, S("*")))
		add_parts(e, host, out);
	rulings_sort(out);
}

void
find_tcp_rulings(struct builder *b, struct slice host, struct rows *out)
{
	struct rows all = {0};

	add_all(b->egress, host, &all);
	for (size_t i = 0; i < all.count; i++) {
		const struct resource *r =
		    ((const struct ruling *)all.items[i])->resource;

		if (b->patch != NULL)
			r = ruling_now(b->patch, r);
		if (has_connections(r))
			rows_add(out, (void *)(uintptr_t)r);
	}
	rows_fini(&all);
	if (b->patch != NULL)
		add_moved_rulings(b->patch, host, out);
}

/* One that names gateways only says nothing to proxies inside the mesh. */
static void
add_virtual_service(struct builder *b, struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	if (gateways_have_mesh(vs->gateways.items, vs->gateways.count))
		rows_add(&b->virtual_services, r);
}

void
collect_rules(struct builder *b)
{
	for (size_t i = 0; i < b->v->resources.count; i++) {
		struct resource *r = b->v->resources.items[i];

		if (r->kind == &kind_virtual_service)
			add_virtual_service(b, r);
	}
	rows_sort_by_age(&b->virtual_services);
}

void
compile_owners(struct builder *b)
{
	const struct rows *all = &b->egress->rulings;

	for (size_t i = 0; i < all->count; i++) {
		struct ruling *r = all->items[i];
		const struct virtual_service *vs =
		    resource_virtual_service(r->resource);

		for (size_t j = 0; j < vs->hosts.count; j++)
			own(b, r,
			    canonical_host(
				b, vs->hosts.items[j], r->resource->key.ns));
	}
}
