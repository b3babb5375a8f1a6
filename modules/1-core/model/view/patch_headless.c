/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_headless — services that are called at their endpoints, where these
 * are at other places than in the base.
 *
 * A service without an address of its own has a listener at each of its
 * endpoints, if it is not HTTP's, which is told by names. So where they are is
 * a part of what callers meet: such a service is renewed as if it said
 * something else, and listeners are made of the endpoints that the base and its
 * box keep.
 */
#include "patch.h"

bool
is_called_at_endpoints(const struct service_row *s)
{
	if (s->row.resolution != VIEW_ORIGINAL)
		return false;
	for (size_t i = 0; i < s->port_count; i++)
		if (!view_protocol_is_http(s->ports[i].protocol))
			return true;
	return false;
}

/* Another number where any is elsewhere, whatever the order. */
static uint64_t
places_of(const struct rows *endpoints)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < endpoints->count; i++) {
		const struct view_endpoint *e = endpoints->items[i];

		sum += e->name.len > 0
			   ? hash_u64(slice_hash_stable(e->name)) | 1
			   : address_hash(&e->addr, /* port */ 0);
	}
	return sum;
}

bool
has_same_places(const struct service_row *s, const struct port_row *fresh)
{
	for (size_t i = 0; i < s->port_count; i++)
		if (!view_protocol_is_http(s->ports[i].protocol) &&
		    places_of(&s->ports[i].endpoints) !=
			places_of(&fresh[i].endpoints))
			return false;
	return true;
}

bool
is_headless_touched(const struct patching *p, const struct service_row *s)
{
	return is_called_at_endpoints(s) && is_served_otherwise(p, p->b.v, s);
}

static bool
is_elsewhere(struct patching *p, struct service_row *s)
{
	struct builder *b = &p->b;
	const struct view_serving *from =
	    is_recorded(b, s) ? serving_at(p, s->serving - 1) : NULL;
	struct service_row now;
	bool same;

	b->arena = &p->arena;
	if (!read_again(b, s, from, &now))
		return true;
	same = has_same_places(s, now.ports);
	for (size_t i = 0; i < s->port_count; i++)
		rows_fini(&now.ports[i].endpoints);
	return !same;
}

bool
find_headless(struct patching *p)
{
	const struct rows *all = &p->b.headless;
	bool workloads = has_any_of(p, &kind_workload_entry);

	for (size_t i = 0; i < all->count; i++) {
		struct service_row *s = all->items[i];

		if ((workloads || is_served_otherwise(p, p->base, s)) &&
		    is_elsewhere(p, s) && !renew_too(p, s->resource))
			return false;
	}
	return !p->b.full;
}
