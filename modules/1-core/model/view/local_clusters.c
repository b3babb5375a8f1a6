/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_clusters — what an inbound connection leads to: programs of this
 * machine, at the address that was called or where a Sidecar says they are.
 */
#include "inbound.h"

/* --- where the program is ------------------------------------------------- */

static const struct addr *
own_of(const struct builder *b, uint8_t family)
{
	for (size_t i = 0; i < b->in->addr_count; i++)
		if (b->in->addrs[i].family == family)
			return &b->in->addrs[i];
	return NULL;
}

static struct addr
loopback(uint8_t family)
{
	struct addr a = {.family = family};

	if (family == ADDR_V4) {
		a.bytes[0] = 127;
		a.bytes[3] = 1;
	} else {
		a.bytes[15] = 1;
	}
	return a;
}

/* Loopback of a family that the machine has no address of is the other's. */
static struct addr
loopback_here(const struct builder *b, uint8_t family)
{
	uint8_t other = family == ADDR_V4 ? ADDR_V6 : ADDR_V4;

	if (own_of(b, family) == NULL && own_of(b, other) != NULL)
		return loopback(other);
	return loopback(family);
}

/* "0.0.0.0:80" stands for the machine's address, as upstream has it. */
static bool
read_endpoint(
    const struct builder *b, struct slice text, struct view_endpoint *out)
{
	const struct addr *own;
	uint16_t port;

	if (slice_starts(text, S("unix://"))) {
		out->name = slice_sub(text, strlen("unix://"), text.len);
		return true;
	}
	if (addr_parse(text, &out->addr) != OK)
		return false; /* none is written */
	port = out->addr.port;
	own = own_of(b, out->addr.family);
	if (addr_is_loopback(&out->addr))
		out->addr = loopback_here(b, out->addr.family);
	else
		out->addr = own != NULL ? *own : loopback(out->addr.family);
	out->addr.port = port;
	return true;
}

/* False: it is where it was called. */
static bool
find_program(const struct builder *b, const struct inbound_port *p,
    struct view_endpoint *out)
{
	const struct mesh_inbound_policy *all = b->mesh->inbound;

	if (p->ingress != NULL)
		return read_endpoint(b, p->ingress->default_endpoint, out);
	if (all == NULL || all->mode != MESH_INBOUND_LOCALHOST)
		return false;
	out->addr = loopback_here(b, ADDR_V4);
	out->addr.port = p->port;
	return true;
}

static const struct view_endpoint *
add_program(struct builder *b, const struct view_endpoint *program)
{
	struct view_endpoint *e = take(b, 1, sizeof(*e));

	if (e == NULL)
		return NULL;
	*e = *program;
	e->network = take_copy(b, b->in->network);
	e->id = endpoint_id(e);
	e->weight = 1;
	e->health = VIEW_HEALTHY;
	e->usable = true;
	return e;
}

/* --- how it is called ----------------------------------------------------- */

/* Of a port that it names, else of all; the Sidecar at hand. */
static const struct connection_pool *
pool_of(struct builder *b, uint16_t port)
{
	const struct resource *r = sidecar_of(b);
	const struct sidecar *s = r != NULL ? r->spec : NULL;

	for (size_t i = 0; s != NULL && i < s->ingress.count; i++) {
		const struct sidecar_ingress *in = &s->ingress.items[i];

		if (in->port != NULL && in->port->number == port &&
		    in->connection_pool != NULL)
			return in->connection_pool;
	}
	return s != NULL ? s->inbound_connection_pool : NULL;
}

/* Bounds and times of its service's DestinationRule hold here, too. */
static void
set_policy(
    struct builder *b, struct view_cluster *c, const struct inbound_port *p)
{
	/* There is one at most to choose from. */
	static const struct load_balancer in_turn = {
	    .simple = BALANCER_ROUND_ROBIN};
	const struct resource *from = NULL;
	const struct traffic_policy *policy =
	    p->service != NULL
		? find_policy(find_rule_of_servers(b, p->service), &from)
		: NULL;
	const struct settings written =
	    merge_settings(b, policy, NULL, p->service_port);
	const struct connection_pool *own = pool_of(b, p->port);
	const struct settings s = {.balancer = &in_turn,
	    .pool = own != NULL ? own : written.pool,
	    .budget = written.budget};

	c->policy = cluster_policy_of(b, &s);
	if (from != NULL)
		c->origin = origin_of(from, 0);
}

const struct view_cluster *
add_local_cluster(
    struct builder *b, struct slice name, const struct inbound_port *p)
{
	struct view_endpoint program = {0};
	const struct view_endpoint *e =
	    find_program(b, p, &program) ? add_program(b, &program) : NULL;
	struct view_cluster *c = new_bare_cluster(b, name,
	    e != NULL ? VIEW_CLUSTER_STATIC : VIEW_CLUSTER_ORIGINAL_DST, e);

	if (c == NULL)
		return NULL;
	c->port = p->port;
	if (p->service != NULL)
		c->service = &p->service->row;
	c->protocol = p->protocol;
	c->http2 =
	    c->protocol == VIEW_HTTP2 || view_protocol_is_grpc(c->protocol);
	set_policy(b, c, p);
	return c;
}
