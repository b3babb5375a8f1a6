/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_service — the clusters of one service, with the endpoints and the
 * policies of now.
 *
 * Some endpoints say more than where to send to: those at this machine make
 * ports of it, and those of a service without an address are called by theirs,
 * if it is not HTTP. So they have to stay where they are.
 */
#include "patch.h"

/* Several of one host may be called at each other's endpoints. */
static bool
is_simple(const struct builder *b, const struct service_row *s)
{
	const struct service_row *first = service_at(b, s->row.host);

	return first->next == NULL && s->row.resolution != VIEW_ALIAS;
}

uint64_t
address_hash(const struct addr *a, uint16_t port)
{
	const uint16_t ports[] = {port, a->port};
	char text[sizeof(ports) + sizeof(a->bytes)];

	/* 0 is no endpoint at all. */
	return hash_u64(slice_hash_stable(
		   slice_join(SLICES(slice_of(ports, sizeof(ports)),
				  slice_of(a->bytes, sizeof(a->bytes))),
		       text, sizeof(text)))) |
	       1;
}

/* A gateway asks for labels, too. */
static uint64_t
socket_hash(const struct view_endpoint_input *e)
{
	uint64_t h = address_hash(&e->addr, e->service_port);

	for (size_t i = 0; i < e->labels.count; i++) {
		const struct label *l = &e->labels.items[i];

		h = hash_with(h, slice_hash_stable(l->key));
		h = hash_with(h, slice_hash_stable(l->value));
	}
	return h;
}

uint64_t
served_here(const struct view *v, const struct view_serving *from)
{
	uint64_t all = 0;

	for (size_t i = 0; i < from->count; i++)
		if (view_is_announced(v, &from->endpoints[i].addr))
			all += socket_hash(&from->endpoints[i]);
	return all;
}

/* Its ports, with the endpoints of now. */
static bool
read_ports(
    struct builder *b, const struct service_row *s, struct port_row **out)
{
	*out = take(b, s->port_count, sizeof(**out));
	for (size_t i = 0; *out != NULL && i < s->port_count; i++) {
		(*out)[i].port = s->ports[i].port;
		(*out)[i].protocol = s->ports[i].protocol;
	}
	return *out != NULL;
}

static struct cluster_row *
copy_cluster(struct builder *b, const struct cluster_row *old,
    const struct service_row *s, const struct port_row *p)
{
	struct cluster_row *row = take(b, 1, sizeof(*row));

	if (row == NULL)
		return NULL;
	*row = *old;
	row->row.endpoints = NULL;
	row->row.localities = NULL;
	row->row.endpoint_count = row->row.usable_count = 0;
	row->row.awaited_count = 0;
	row->row.locality_count = 0;
	secure_again(b, row, p);
	choose_endpoints(b, row, &s->row, p);
	return row;
}

/* Nobody gives its service the subset any more, or it has no endpoint there. */
static bool
is_gone(const struct cluster_row *c, const struct service_row *s,
    const struct merged_rule *m)
{
	const struct resource *from;
	const struct subset_spec *subset;

	if (m == c->rule || c->subset == NULL)
		return false;
	subset = find_subset(m, c->row.subset, &from);
	return subset == NULL || !has_names_of(s, subset);
}

/* False also where only rules led to what is gone: others may still do so. */
static bool
renew_cluster(struct builder *b, const struct cluster_row *old,
    struct service_row *s, struct port_row *p)
{
	const struct merged_rule *m = rule_now(s, old->rule);
	struct cluster_row *row;

	if (old->leaves_out) /* and maybe no more, though that was told */
		return false;
	if (is_gone(old, s, m)) {
		slots_put(&b->v->clusters, old->row.slot, NULL);
		return old->is_kept;
	}
	b->scope = old->scope;
	row = m == old->rule ? copy_cluster(b, old, s, p)
			     : remake_cluster(b, old, s, p, m);
	if (row == NULL || (is_resolved(s) && row->row.endpoint_count == 0 &&
			       row->row.type != VIEW_CLUSTER_ORIGINAL_DST))
		return false; /* upstream has no such cluster */
	slots_put(&b->v->clusters, row->row.slot, &row->row);
	return true;
}

static bool
renew_clusters(struct builder *b, struct service_row *s, struct port_row *fresh)
{
	for (size_t i = 0; i < s->port_count; i++)
		for (const struct cluster_row *c = s->ports[i].clusters;
		     c != NULL; c = c->next)
			if (!renew_cluster(b, c, s, &fresh[i]))
				return false;
	return true;
}

/* Those that the base has not. */
static bool
renew_later(struct builder *b, struct service_row *s, struct port_row *fresh)
{
	for (size_t i = 0; i < b->v->renewal_count; i++) {
		const struct rows *some = &b->v->renewals[i].box->clusters;

		for (size_t j = 0; j < some->count; j++) {
			const struct cluster_row *c = some->items[j];
			const struct port_row *p =
			    c->row.service == &s->row
				? find_port(s, c->row.port)
				: NULL;

			if (p != NULL &&
			    !renew_cluster(b, c, s, &fresh[p - s->ports]))
				return false;
		}
	}
	return true;
}

bool
has_clusters(const struct service_row *s)
{
	for (size_t i = 0; i < s->port_count; i++)
		if (s->ports[i].clusters != NULL)
			return true;
	return false;
}

void
reset_service(struct patching *p, const struct service_row *s)
{
	for (size_t i = 0; i < s->port_count; i++)
		for (struct cluster_row *c = s->ports[i].clusters; c != NULL;
		     c = c->next)
			slots_put(&p->b.v->clusters, c->row.slot, &c->row);
}

/* What an entry chooses may be here; and names that come or go are needed. */
static bool
stays_away(const struct builder *b, const struct service_row *s,
    const struct port_row *fresh)
{
	if (!is_selecting_entry(s))
		return true;
	if (s->leads_here || is_resolved(s))
		return false;
	for (size_t i = 0; i < s->port_count; i++)
		for (size_t j = 0; j < fresh[i].endpoints.count; j++) {
			const struct view_endpoint *e =
			    fresh[i].endpoints.items[j];

			if (is_own_address(b, &e->addr))
				return false;
		}
	return true;
}

bool
read_again(struct builder *b, const struct service_row *s,
    const struct view_serving *from, struct service_row *out)
{
	*out = *s;
	if (!read_ports(b, s, &out->ports))
		return false;
	if (from != NULL)
		add_serving(b, out, from);
	if (out->resource != NULL)
		add_written_endpoints(b, out);
	return true;
}

bool
patch_service(
    struct builder *b, struct service_row *s, const struct view_serving *from)
{
	struct service_row fresh;
	bool ok;

	if (!is_simple(b, s) || !read_again(b, s, from, &fresh))
		return false;
	map_init(&b->policies); /* those of the base stay */
	ok = stays_away(b, s, fresh.ports) &&
	     (!is_called_at_endpoints(s) || has_same_places(s, fresh.ports)) &&
	     renew_clusters(b, s, fresh.ports) &&
	     renew_later(b, s, fresh.ports);
	for (size_t i = 0; i < s->port_count; i++) {
		s->ports[i].is_scattered |= fresh.ports[i].is_scattered;
		rows_fini(&fresh.ports[i].endpoints);
	}
	map_fini(&b->policies, NULL);
	return ok;
}
