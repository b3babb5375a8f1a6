/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect — records and local services become workloads, the oldest first.
 */
#include <stdlib.h>

#include "inside.h"

int
workload_age_cmp(const struct workload *a, const struct workload *b)
{
	int n;

	if (a->gone != b->gone)
		return a->gone ? 1 : -1;
	if (a->issued_s != b->issued_s)
		return a->issued_s < b->issued_s ? -1 : 1;
	/* Vouchers count seconds: of one second the name, which people know. */
	n = slice_cmp(a->node, b->node);
	if (n == 0)
		n = memcmp(&a->id, &b->id, sizeof(a->id));
	if (n == 0)
		n = slice_cmp(a->ns, b->ns);
	if (n == 0)
		n = slice_cmp(a->name, b->name);
	return n != 0 ? n : (int)a->port - (int)b->port;
}

static int
by_age(const void *a, const void *b)
{
	return workload_age_cmp(a, b);
}

static unsigned
family_bit(const struct addr *a)
{
	return a->family == ADDR_V4   ? DISCOVERY_V4
	       : a->family == ADDR_V6 ? DISCOVERY_V6
				      : 0;
}

unsigned
discovery_families(const struct addr *addrs, size_t count)
{
	unsigned families = 0;

	for (size_t i = 0; i < count; i++)
		if (!addr_is_loopback(&addrs[i]))
			families |= family_bit(&addrs[i]);
	return families;
}

/* The owner's order is its preference; the first that we can call. */
static const struct addr *
pick_addr(const struct addr *addrs, size_t count, unsigned families)
{
	for (size_t i = 0; i < count; i++)
		if (family_bit(&addrs[i]) & families)
			return &addrs[i];
	return NULL;
}

static struct addr
with_port(const struct addr *a, uint16_t port)
{
	struct addr out = *a;

	out.port = port;
	return out;
}

static void
place(struct workload *w, const struct addr *a, uint16_t tunnel_port)
{
	w->addr = with_port(a, w->port);
	if (tunnel_port != 0)
		w->tunnel = with_port(a, tunnel_port);
}

static struct labels
labels_of(struct compiler *c, const struct gossip_service *s)
{
	struct label *items =
	    arena_alloc_array(c->arena, s->label_count, sizeof(*items));

	if (items == NULL)
		return (struct labels){NULL, 0};
	for (size_t i = 0; i < s->label_count; i++)
		items[i] = (struct label){s->labels[i].key, s->labels[i].value};
	return (struct labels){items, s->label_count};
}

static bool
is_service_healthy(const struct discovery_record *r, size_t index)
{
	const struct gossip_member m = {.health = r->health};
	const struct gossip_record g = {
	    .member = &m, .unhealthy = r->unhealthy};

	return gossip_service_is_healthy(&g, r->offers, index);
}

/* Only evidence counts: who is merely suspected stays. */
static void
judge(struct compiler *c, const struct discovery_record *r, size_t index,
    struct workload *w)
{
	const struct gossip_service *s = &r->offers->services[index];

	w->gone = r->status == GOSSIP_DOWN || r->status == GOSSIP_LEFT;
	if (w->gone) {
		w->health = VIEW_DOWN;
		w->reason = arena_printf(c->arena, "node %s %s", r->name,
		    r->status == GOSSIP_DOWN ? "is down" : "has left");
	} else if (r->health == GOSSIP_DRAINING ||
		   s->health == GOSSIP_DRAINING) {
		w->health = VIEW_DRAINING;
		w->reason =
		    arena_printf(c->arena, "node %s drains it", r->name);
	} else if (!is_service_healthy(r, index)) {
		w->health = VIEW_UNHEALTHY;
		w->reason = arena_printf(
		    c->arena, "node %s says that it is unhealthy", r->name);
	} else if (!slice_eq(w->network, c->in->network)) {
		w->health = VIEW_UNHEALTHY;
		w->reason = arena_printf(c->arena,
		    "it is in network %s, and gateways between networks are "
		    "not supported yet",
		    r->network);
	}
}

static void
add_remote(struct compiler *c, const struct discovery_record *r, size_t index)
{
	const struct gossip_offers *o = r->offers;
	const struct gossip_service *s = &o->services[index];
	const struct addr *a =
	    pick_addr(o->addrs, o->addr_count, c->in->families);
	struct workload *w = pile_add(c, &c->workloads, sizeof(*w));

	if (w == NULL)
		return;
	*w = (struct workload){.node = slice_str(r->name),
	    .network = slice_str(r->network),
	    .locality = o->locality,
	    .name = s->name,
	    .ns = s->ns,
	    .account = s->account,
	    .protocol = s->protocol,
	    .labels = labels_of(c, s),
	    .port = s->port,
	    .weight = s->weight,
	    .issued_s = r->issued_s,
	    .id = r->id};
	judge(c, r, index, w);
	place(w, a != NULL ? a : &o->addrs[0], o->tunnel_port);
	if (a != NULL || w->health != VIEW_HEALTHY)
		return;
	w->health = VIEW_UNHEALTHY;
	w->reason = arena_printf(c->arena,
	    "node %s has no address of a family that this machine has",
	    r->name);
}

static void
add_record(struct compiler *c, const struct discovery_record *r)
{
	if (gossip_id_eq(&r->id, &c->in->self) || r->offers->addr_count == 0 ||
	    r->expires_s <= c->in->now_s)
		return;
	if (ca_node_is_revoked(c->in->revocations, c->in->revocation_count,
		slice_str(r->name), r->issued_s * INT64_C(1000)))
		return; /* nobody would let us in there */
	if (r->name_lost && r->offers->service_count > 0) {
		report(c,
		    "what a second node %s offers is not used: the older node "
		    "of that name is alive",
		    r->name);
		return;
	}
	for (size_t i = 0; i < r->offers->service_count; i++)
		add_remote(c, r, i);
}

/*
 * Called where it listens: a tunnel from this machine to itself would encrypt
 * what never leaves it, and ask itself who it is.
 */
static void
add_local(struct compiler *c, const struct discovery_local *l)
{
	const struct discovery_input *in = c->in;
	struct workload *w = pile_add(c, &c->workloads, sizeof(*w));

	if (w == NULL)
		return;
	*w = (struct workload){.node = in->node,
	    .network = in->network,
	    .name = l->name,
	    .ns = l->ns,
	    .account = l->account,
	    .protocol = l->protocol,
	    .labels = l->labels,
	    .port = l->port,
	    .weight = l->weight,
	    .addr = l->target,
	    .issued_s = in->issued_s,
	    .id = in->self};
}

void
collect_workloads(struct compiler *c)
{
	const struct discovery_record *r;

	for (size_t i = 0;
	     (r = discovery_catalog_next(c->in->catalog, &i)) != NULL;)
		add_record(c, r);
	for (size_t i = 0; i < c->in->local_count; i++)
		add_local(c, &c->in->locals[i]);
	if (c->workloads.count > 0)
		qsort(c->workloads.items, c->workloads.count,
		    sizeof(struct workload), by_age);
}
