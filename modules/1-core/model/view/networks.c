/* SPDX-License-Identifier: Apache-2.0 */
/*
 * networks — endpoints of other networks are reached by their gateways.
 *
 * Split horizon: the same service has its endpoints here and gateways there.
 * The weight of what lies behind a gateway is the gateway's; where a network
 * has several they share it, so all weights are multiplied first by a number
 * that all shares divide. A network without a gateway is reached directly, as
 * one that is not said. What has no mutual TLS cannot be told apart by a
 * gateway, and is left out.
 */
#include "inside.h"

enum { SCALE_MAX = 1 << 20 };

#define NETWORK_LABEL "topology.istio.io/network"

static struct network_row *
find_network(const struct builder *b, struct slice name)
{
	for (size_t i = 0; i < b->networks.count; i++) {
		struct network_row *n = b->networks.items[i];

		if (slice_eq(n->name, name))
			return n;
	}
	return NULL;
}

size_t
network_ranges(const struct network *n, struct cidr *out)
{
	size_t count = 0;

	for (size_t i = 0; i < n->endpoints.count; i++)
		if (cidr_parse(n->endpoints.items[i].from_cidr, &out[count]) ==
		    OK)
			count++;
	return count;
}

struct network_row *
network_new(struct builder *b, const struct resource *r)
{
	const struct network *spec = r->spec;
	struct network_row *n = take(b, 1, sizeof(*n));
	struct cidr *ranges = take(b, spec->endpoints.count, sizeof(*ranges));

	if (n == NULL || ranges == NULL)
		return NULL;
	n->name = r->key.name;
	n->spec = spec;
	n->ranges = ranges;
	n->range_count = network_ranges(spec, ranges);
	return n;
}

struct network_row *
find_network_row(const struct builder *b, const struct resource *r)
{
	struct network_row *n = find_network(b, r->key.name);

	return n != NULL && n->spec == r->spec ? n : NULL;
}

void
collect_networks(struct builder *b)
{
	for (size_t i = 0; i < b->v->resources.count; i++) {
		const struct resource *r = b->v->resources.items[i];
		struct network_row *n;

		if (r->kind != &kind_network)
			continue;
		n = network_new(b, r);
		if (n == NULL)
			return;
		rows_add(&b->networks, n); /* by name, as the resources are */
	}
}

void
network_fini(struct network_row *n)
{
	rows_fini(&n->gateways);
}

void
networks_fini(struct builder *b)
{
	for (size_t i = 0; i < b->networks.count; i++)
		network_fini(b->networks.items[i]);
	rows_fini(&b->networks);
}

/* --- where an endpoint lies ----------------------------------------------- */

static bool
has_range(const struct network_row *n, const struct addr *a)
{
	for (size_t i = 0; i < n->range_count; i++)
		if (cidr_contains(&n->ranges[i], a))
			return true;
	return false;
}

uint32_t
first_bytes(const struct addr *a)
{
	return (uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 |
	       (uint32_t)a->bytes[2] << 8 | a->bytes[3];
}

uint64_t
network_bit(struct slice name)
{
	return name.len > 0 ? UINT64_C(1) << slice_hash_stable(name) % 64 : 0;
}

struct slice
network_of(const struct builder *b, struct slice given,
    const struct labels *labels, const struct addr *a)
{
	if (given.len == 0)
		given = labels_get(labels, S(NETWORK_LABEL));
	for (size_t i = 0; given.len == 0 && i < b->networks.count; i++) {
		const struct network_row *n = b->networks.items[i];

		if (has_range(n, a))
			given = n->name;
	}
	return given;
}

/* --- gateways ------------------------------------------------------------- */

static void
add_gateway(struct builder *b, struct network_row *n,
    const struct network_gateway *g, struct addr at)
{
	struct view_endpoint *e = take(b, 1, sizeof(*e));

	if (e == NULL)
		return;
	e->addr = at;
	e->addr.port = (uint16_t)g->port;
	e->network = n->name;
	e->gateway = true;
	e->mutual = true;
	e->reason = take_printf(b,
	    "not in force yet: through a gateway of network %.*s",
	    SLICE_ARG(n->name));
	rows_add(&n->gateways, e);
}

/* Each endpoint of a service that is named as the gateway. */
static void
add_gateway_service(
    struct builder *b, struct network_row *n, const struct network_gateway *g)
{
	struct service_row *s = find_service(
	    b, canonical_host(b, g->registry_service_name, b->v->root_ns));
	const struct port_row *p =
	    s != NULL && s->port_count > 0 ? &s->ports[0] : NULL;

	if (s != NULL)
		s->is_gateway = true;
	for (size_t i = 0; p != NULL && i < p->endpoints.count; i++) {
		const struct view_endpoint *e = p->endpoints.items[i];

		if (e->usable)
			add_gateway(b, n, g, e->addr);
	}
}

static int
by_address(const void *a, const void *b)
{
	const struct view_endpoint *const *x = a, *const *y = b;
	int n = slice_cmp((*x)->name, (*y)->name);

	return n != 0 ? n : addr_cmp(&(*x)->addr, &(*y)->addr);
}

static uint32_t
gcd(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

void
network_find_gateways(struct builder *b, struct network_row *n)
{
	for (size_t i = 0; i < n->spec->gateways.count; i++) {
		const struct network_gateway *g = &n->spec->gateways.items[i];
		struct addr at;

		if (g->registry_service_name.len > 0)
			add_gateway_service(b, n, g);
		else if (addr_parse_ip(g->address, &at) == OK)
			add_gateway(b, n, g, at);
	}
	rows_sort(&n->gateways, by_address);
}

uint32_t
gateway_scale_of(const struct rows *networks)
{
	uint32_t all = 0;

	for (size_t i = 0; i < networks->count; i++) {
		const struct network_row *n = networks->items[i];
		uint32_t count = (uint32_t)n->gateways.count, scale;

		if (count == 0)
			continue;
		scale = MAX(all, 1U);
		scale = scale / gcd(scale, count) * count;
		all = MIN(scale, (uint32_t)SCALE_MAX);
	}
	return all;
}

void
find_gateways(struct builder *b)
{
	for (size_t i = 0; i < b->networks.count && !b->full; i++)
		network_find_gateways(b, b->networks.items[i]);
	b->gateway_scale = gateway_scale_of(&b->networks);
}

/* --- in the place of endpoints -------------------------------------------- */

/* Those that this machine can reach; one of unknown addresses reaches all. */
static bool
is_reachable(const struct builder *b, const struct view_endpoint *gateway)
{
	if (b->in->addr_count == 0)
		return true;
	for (size_t i = 0; i < b->in->addr_count; i++)
		if (b->in->addrs[i].family == gateway->addr.family)
			return true;
	return false;
}

/* Direct is what lies here, where nobody says, or behind no gateway. */
static struct network_row *
network_behind(const struct builder *b, const struct view_endpoint *e)
{
	struct network_row *n = find_network(b, e->network);

	if (e->network.len == 0 || n == NULL || n->gateways.count == 0 ||
	    slice_eq(e->network, b->in->network))
		return NULL;
	return n;
}

static uint32_t
scaled(const struct builder *b, uint32_t weight)
{
	uint64_t w = (uint64_t)MAX(weight, 1U) * b->gateway_scale;

	return (uint32_t)MIN(w, (uint64_t)UINT32_MAX);
}

/* The one at this gateway for the locality, which may be there already. */
static struct view_endpoint *
gateway_row(struct builder *b, struct rows *out, size_t first,
    const struct view_endpoint *gateway, struct slice locality)
{
	struct view_endpoint *e;

	for (size_t i = first; i < out->count; i++) {
		e = out->items[i];
		if (e->gateway && addr_eq(&e->addr, &gateway->addr) &&
		    slice_eq(e->network, gateway->network))
			return e;
	}
	e = take(b, 1, sizeof(*e));
	if (e == NULL)
		return NULL;
	*e = *gateway;
	if (b->box != NULL) { /* the Network may be gone before it */
		e->network = take_copy(b, e->network);
		e->reason = take_copy(b, e->reason);
	}
	e->locality = locality;
	rows_add(out, e);
	return e;
}

/* Behind a gateway an endpoint needs no address. */
static bool
is_usable_there(const struct view_endpoint *e)
{
	return e->usable || slice_eq(e->reason, S(NO_ADDRESS));
}

static void
add_behind(struct builder *b, struct rows *out, size_t first,
    const struct network_row *n, const struct view_endpoint *e)
{
	uint32_t reachable = 0;

	for (size_t i = 0; i < n->gateways.count; i++)
		reachable += is_reachable(b, n->gateways.items[i]);
	if (reachable == 0 || !is_usable_there(e))
		return;
	for (size_t i = 0; i < n->gateways.count; i++) {
		const struct view_endpoint *g = n->gateways.items[i];
		struct view_endpoint *at;
		uint64_t sum;

		if (!is_reachable(b, g))
			continue;
		at = gateway_row(b, out, first, g, e->locality);
		if (at == NULL)
			continue;
		sum = (uint64_t)at->weight + scaled(b, e->weight) / reachable;
		at->weight = (uint32_t)MIN(sum, UINT32_MAX);
	}
}

static void
add_direct(struct builder *b, struct rows *out, struct view_endpoint *e)
{
	struct view_endpoint *copy;

	if (b->gateway_scale == 1 || e->weight == 0) {
		rows_add(out, e);
		return;
	}
	copy = take(b, 1, sizeof(*copy));
	if (copy == NULL)
		return;
	*copy = *e;
	copy->weight = scaled(b, e->weight);
	rows_add(out, copy);
}

static int
by_locality(const void *a, const void *b)
{
	const struct view_endpoint *const *x = a, *const *y = b;
	int n = slice_cmp((*x)->locality, (*y)->locality);

	return n != 0 ? n : by_address(a, b);
}

bool
replace_by_gateways(struct builder *b, struct rows *endpoints,
    const struct network_rules *r, size_t *out_left)
{
	struct rows out = {0};
	size_t first = 0, plain = 0;
	bool behind = false;

	*out_left = 0;
	if (b->gateway_scale == 0 || endpoints->count == 0)
		return false;
	rows_sort(endpoints, by_locality);
	for (size_t i = 0; i < endpoints->count && !b->full; i++) {
		struct view_endpoint *e = endpoints->items[i];
		const struct network_row *n = network_behind(b, e);

		if (i > 0 &&
		    !slice_eq(((struct view_endpoint *)endpoints->items[i - 1])
				  ->locality,
			e->locality))
			first = out.count;
		behind = behind || n != NULL;
		if (n == NULL)
			add_direct(b, &out, e);
		else if (r->none_mutual || (!r->all_mutual && !e->mutual))
			plain++;
		else
			add_behind(b, &out, first, n, e);
	}
	if (plain > 0)
		add_problem(b, &r->origin,
		    "%zu endpoints in other networks are left out: only "
		    "mutual TLS passes their gateways",
		    plain);
	rows_fini(endpoints);
	*endpoints = out;
	*out_left = plain;
	return behind;
}
