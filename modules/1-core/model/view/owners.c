/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owners — which VirtualService owns a host.
 *
 * Inside the mesh one VirtualService decides about a host's port, the first
 * that has a rule for the caller; the rest is reported.
 */
#include <stdlib.h>

#include "hosts.h"
#include "inside.h"

static int
by_age(const void *a, const void *b)
{
	const struct resource *const *x = a;
	const struct resource *const *y = b;

	return resource_age_cmp(*x, *y);
}

static int
by_length(const void *a, const void *b)
{
	const struct host_owners *const *x = a;
	const struct host_owners *const *y = b;

	if ((*x)->host.len != (*y)->host.len)
		return (*x)->host.len > (*y)->host.len ? -1 : 1;
	return slice_cmp((*x)->host, (*y)->host);
}

static void
report_conflict(struct builder *b, const struct resource *loser,
    const struct resource *winner, struct slice host)
{
	struct origin o = origin_of(loser, 0);
	char key[RESOURCE_KEY_MAX];

	add_problem(b, &o,
	    "its rules for %.*s are used only where %s, which comes first, has "
	    "none for the caller and the port",
	    SLICE_ARG(host), resource_key_format(&winner->key, key));
}

/* "*x.y" stands for hosts that end so; only "*.y" is looked for. */
static bool
is_unknown_pattern(
    struct builder *b, const struct resource *r, struct slice host)
{
	struct origin o = origin_of(r, 0);

	if (!slice_starts(host, S("*")) || host_is_pattern(host))
		return false;
	add_problem(b, &o,
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
	o->host = host;
	(void)map_put(&b->scope->owner_by_host, host, o); /* was not there */
	if (slice_starts(host, S("*.")))
		rows_add(&b->scope->wildcard_owners, o);
	return o;
}

static void
own(struct builder *b, const struct resource *r, struct slice host)
{
	struct host_owners *o = map_get(&b->scope->owner_by_host, host);

	if (is_unknown_pattern(b, r, host))
		return;
	if (o == NULL)
		o = owners_new(b, host);
	if (o == NULL || (o->all.count > 0 &&
			     o->all.items[o->all.count - 1] == (const void *)r))
		return; /* the same host in two spellings */
	if (o->all.count > 0)
		report_conflict(b, r, o->all.items[0], host);
	rows_add(&o->all, (void *)(uintptr_t)r);
}

static bool
is_inside(struct slice host, struct slice wildcard)
{
	struct slice suffix = slice_sub(wildcard, 1, wildcard.len);

	return host.len > suffix.len && slice_ends(host, suffix);
}

static const struct host_owners *
wildcard_of(const struct scope *s, struct slice host)
{
	for (size_t i = 0; i < s->wildcard_owners.count; i++) {
		const struct host_owners *o = s->wildcard_owners.items[i];

		if (is_inside(host, o->host))
			return o;
	}
	return NULL;
}

static bool
decides(struct builder *b, const struct resource *r, uint16_t port, bool http)
{
	return http ? has_http_rule(b, r, port) : has_tcp_rule(b, r, port);
}

/*
 * Upstream drops a VirtualService none of whose rules is for the caller and
 * the port, and asks the next of an exact host, but only the first of a
 * wildcard.
 */
const struct resource *
owner_of(struct builder *b, struct slice host, uint16_t port, bool http)
{
	const struct host_owners *o = map_get(&b->scope->owner_by_host, host);
	size_t count = o != NULL ? o->all.count : 1;

	if (o == NULL)
		o = wildcard_of(b->scope, host);
	for (size_t i = 0; o != NULL && i < count; i++)
		if (decides(b, o->all.items[i], port, http))
			return o->all.items[i];
	return NULL;
}

/* One that names gateways only says nothing to proxies inside the mesh. */
static void
add_virtual_service(struct builder *b, struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);
	struct origin o = origin_of(r, 0);

	if (!gateways_have_mesh(vs->gateways.items, vs->gateways.count))
		return;
	rows_add(&b->virtual_services, r);
	if (vs->tls.count > 0)
		add_problem(b, &o, "its tls rules are not in force yet");
}

static void
sort_by_age(struct rows *r)
{
	if (r->count > 0)
		qsort(r->items, r->count, sizeof(void *), by_age);
}

void
collect_rules(struct builder *b)
{
	for (size_t i = 0; i < b->v->resources.count; i++) {
		struct resource *r = b->v->resources.items[i];

		if (r->kind == &kind_virtual_service)
			add_virtual_service(b, r);
	}
	sort_by_age(&b->virtual_services);
}

/* How a VirtualService is seen: upstream asks those of the first kind first. */
enum sight {
	SIGHT_PRIVATE, /* of the caller's namespace, for it alone */
	SIGHT_NAMED,   /* for namespaces that it names */
	SIGHT_PUBLIC,
	SIGHT_NONE
};

static bool
names(const struct slice *list, size_t count, struct slice what)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(list[i], what))
			return true;
	return false;
}

static enum sight
sight_of(const struct builder *b, const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);
	const struct slice *to = vs->export_to.items;
	size_t count = vs->export_to.count;

	if (count == 0 || names(to, count, S("*")))
		return SIGHT_PUBLIC;
	if (!is_exported(r, b->scope->row.ns, to, count))
		return SIGHT_NONE;
	return slice_eq(r->key.ns, b->scope->row.ns) ? SIGHT_PRIVATE
						     : SIGHT_NAMED;
}

static void
see_virtual_services(struct builder *b)
{
	for (int sight = SIGHT_PRIVATE; sight < SIGHT_NONE; sight++)
		for (size_t i = 0; i < b->virtual_services.count; i++) {
			void *r = b->virtual_services.items[i];

			if (sight_of(b, r) == (enum sight)sight)
				rows_add(&b->scope->virtual_services, r);
		}
}

void
compile_owners(struct builder *b)
{
	struct rows *seen = &b->scope->virtual_services;
	struct rows *seen_wild = &b->scope->wildcard_owners;

	see_virtual_services(b);
	for (size_t i = 0; i < seen->count; i++) {
		const struct resource *r = seen->items[i];
		const struct virtual_service *vs = resource_virtual_service(r);

		for (size_t j = 0; j < vs->hosts.count; j++)
			own(b, r,
			    canonical_host(b, vs->hosts.items[j], r->key.ns));
	}
	if (seen_wild->count > 0)
		qsort(seen_wild->items, seen_wild->count, sizeof(void *),
		    by_length);
}
