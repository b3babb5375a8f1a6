/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_endpoints — the clusters of one service, with the endpoints of now.
 *
 * Some endpoints say more than where to send to: those at this machine make
 * ports of it, those of a service without an address are called by theirs.
 */
#include "inside.h"

/* Several of one host may be called at each other's endpoints. */
static bool
is_simple(const struct builder *b, const struct service_row *s)
{
	const struct service_row *first =
	    map_get(&b->service_by_host, s->row.host);

	if (first->next != NULL)
		return false;
	for (size_t i = 0; i < s->port_count; i++)
		for (const struct cluster_row *c = s->ports[i].clusters;
		     c != NULL; c = c->next)
			if (c->needs_all)
				return false;
	return s->row.resolution == VIEW_LISTED &&
	       (s->resource == NULL || s->resource->kind == &kind_service);
}

bool
is_served_here(const struct view *v, const struct view_serving *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (view_is_announced(v, &from->endpoints[i].addr))
			return true;
	return false;
}

/* Its ports, with the endpoints of now. */
static bool
read_ports(struct builder *b, struct service_row *s, struct port_row **out)
{
	*out = take(b, s->port_count, sizeof(**out));
	for (size_t i = 0; *out != NULL && i < s->port_count; i++) {
		(*out)[i].port = s->ports[i].port;
		(*out)[i].protocol = s->ports[i].protocol;
	}
	return *out != NULL;
}

static void
renew_cluster(struct builder *b, const struct cluster_row *old,
    const struct service_row *s, const struct port_row *fresh)
{
	struct cluster_row *row = take(b, 1, sizeof(*row));

	if (row == NULL)
		return;
	*row = *old;
	row->row.endpoints = NULL;
	row->row.localities = NULL;
	row->row.endpoint_count = row->row.usable_count = 0;
	row->row.locality_count = 0;
	b->scope = old->scope;
	choose_endpoints(b, row, &s->row, fresh);
	b->v->clusters.items[row->row.slot] = &row->row;
}

bool
patch_endpoints(
    struct builder *b, struct service_row *s, const struct view_serving *from)
{
	struct service_row fresh = *s;

	if (!is_simple(b, s))
		return false;
	if (!read_ports(b, s, &fresh.ports))
		return false;
	add_serving(b, &fresh, from);
	if (fresh.resource != NULL)
		add_written_endpoints(b, &fresh);
	for (size_t i = 0; i < s->port_count; i++) {
		for (const struct cluster_row *c = s->ports[i].clusters;
		     c != NULL; c = c->next)
			renew_cluster(b, c, s, &fresh.ports[i]);
		rows_fini(&fresh.ports[i].endpoints);
	}
	return true;
}
