/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_networks — Networks that come, go or say something else.
 *
 * An endpoint is of a network because it says so, or by its address; where the
 * network has gateways these stand in its place for all others. Clusters know
 * of which networks they have endpoints, so only those are made anew. Weights
 * of all clusters are multiplied by what the gateways of all networks share,
 * so where that is another number there is no patch; nor where a gateway is a
 * service, or was, as the endpoints of that are not at hand.
 */
#include "patch.h"

static bool
is_network(const struct renewal *r)
{
	return kind_of(r) == &kind_network;
}

/* --- those of now --------------------------------------------------------- */

static bool
has_plain_gateways(const struct resource *r)
{
	const struct network *n = r != NULL ? r->spec : NULL;

	for (size_t i = 0; n != NULL && i < n->gateways.count; i++)
		if (n->gateways.items[i].registry_service_name.len > 0)
			return false;
	return true;
}

static struct network_row *
add_network(struct patching *p, const struct resource *r)
{
	struct network_row *n = network_new(&p->b, r);

	if (n == NULL)
		return NULL;
	rows_add(&p->new_networks, n);
	network_find_gateways(&p->b, n);
	return n;
}

/* In the place of the base's, of which those that are the same stay. */
static void
list_networks(struct patching *p)
{
	struct rows now = {0}, networks = {0};

	list_resources(p, &now);
	for (size_t i = 0; i < now.count; i++) {
		const struct resource *r = now.items[i];
		struct network_row *n;

		if (r->kind != &kind_network)
			continue;
		n = find_network_row(&p->b, r);
		if (n == NULL)
			n = add_network(p, r);
		if (n != NULL)
			rows_add(&networks, n);
	}
	rows_fini(&now);
	p->b.networks = networks;
	p->other_networks = true;
}

bool
find_networks(struct patching *p)
{
	list_moved(p, &kind_network, &p->moved_networks);
	if (!has_any_of(p, &kind_network))
		return true;
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (is_network(r) && !(has_plain_gateways(r->old) &&
					 has_plain_gateways(r->fresh)))
			return false;
	}
	list_networks(p);
	return !p->b.full && gateway_scale_of(&p->b.networks) ==
				 p->base->made_by->gateway_scale;
}

void
forget_networks(struct patching *p)
{
	for (size_t i = 0; i < p->new_networks.count; i++)
		network_fini(p->new_networks.items[i]);
	rows_fini(&p->new_networks);
	rows_fini(&p->moved_networks);
	if (p->other_networks)
		rows_fini(&p->b.networks);
}

/* --- whose endpoints lie there -------------------------------------------- */

/* All that those are which are others, before or now. */
struct moved {
	uint64_t networks; /* network_bit() of each */
	struct cidr *ranges;
	size_t range_count;
};

static void
find_moved_networks(struct patching *p, struct moved *out)
{
	size_t most = 0;

	*out = (struct moved){0};
	p->b.arena = &p->arena;
	for (size_t i = 0; i < p->moved_networks.count; i++) {
		const struct resource *r = p->moved_networks.items[i];

		out->networks |= network_bit(r->key.name);
		most += ((const struct network *)r->spec)->endpoints.count;
	}
	out->ranges = take(&p->b, most, sizeof(*out->ranges));
	for (size_t i = 0; out->ranges != NULL && i < p->moved_networks.count;
	     i++) {
		const struct resource *r = p->moved_networks.items[i];

		out->range_count +=
		    network_ranges(r->spec, &out->ranges[out->range_count]);
	}
}

static bool
may_contain(const struct cidr *range, const struct cluster_row *c)
{
	uint32_t from = first_bytes(&range->base);
	uint32_t to =
	    range->bits < 32 ? from | UINT32_MAX >> range->bits : from;

	return from <= c->highest && to >= c->lowest;
}

static bool
contains_any(const struct cidr *range, const struct cluster_row *c)
{
	for (size_t i = 0; i < c->row.endpoint_count; i++)
		if (cidr_contains(range, &c->row.endpoints[i]->addr))
			return true;
	return false;
}

/* Addresses may be those of endpoints that do not say where they lie; these may
 * be behind gateways. */
static bool
may_hold(const struct moved *m, const struct cluster_row *c)
{
	if ((c->networks & m->networks) != 0 ||
	    (m->range_count > 0 && c->is_behind))
		return true;
	for (size_t i = 0; i < m->range_count; i++)
		if (may_contain(&m->ranges[i], c) &&
		    contains_any(&m->ranges[i], c))
			return true;
	return false;
}

static bool
is_cluster_there(const struct patching *p, const struct moved *m,
    const struct cluster_row *c)
{
	/* Of the view before: a cluster begins with its row. */
	const struct view_cluster *of_before =
	    slots_at(&p->before->clusters, c->row.slot);

	return of_before != NULL &&
	       may_hold(m, (const struct cluster_row *)(const void *)of_before);
}

static bool
is_there(const struct patching *p, const struct moved *m,
    const struct service_row *s)
{
	for (size_t i = 0; i < s->port_count; i++)
		for (const struct cluster_row *c = s->ports[i].clusters;
		     c != NULL; c = c->next)
			if (is_cluster_there(p, m, c))
				return true;
	return false;
}

bool
mark_in_networks(struct patching *p, bool *due)
{
	size_t count = 0, n = p->moved_networks.count;
	struct moved m;

	find_moved_networks(p, &m);
	for (size_t i = 0; n > 0 && i < p->b.services.count; i++) {
		const struct service_row *s = p->b.services.items[i];

		if (is_changed_service(&p->b, s) || !is_there(p, &m, s))
			continue;
		due[s->serving - 1] = true;
		if (++count > DUE_MAX)
			return false;
	}
	for (size_t i = 0; n > 0 && i < p->before->renewal_count; i++) {
		const struct rows *some = &p->before->renewals[i].box->clusters;

		for (size_t j = 0; j < some->count; j++) {
			const struct cluster_row *c = some->items[j];
			const struct service_row *s = service_of_cluster(c);

			if (!is_changed_service(&p->b, s) &&
			    is_cluster_there(p, &m, c))
				due[s->serving - 1] = true;
		}
	}
	return true;
}

/* --- gateways that are services ------------------------------------------- */

bool
is_named_as_gateway(struct patching *p, struct slice host)
{
	const struct rows *all = &p->b.networks;

	for (size_t i = 0; i < all->count; i++) {
		const struct network_row *n = all->items[i];

		for (size_t j = 0; j < n->spec->gateways.count; j++) {
			struct slice of =
			    n->spec->gateways.items[j].registry_service_name;

			if (of.len > 0 &&
			    is_spelled(&p->b, of, p->base->root_ns, host))
				return true;
		}
	}
	return false;
}
