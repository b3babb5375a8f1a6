/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp — the rules for connections of one service's port.
 *
 * The rules of every VirtualService that names the host count, one after the
 * other, up to the first that takes any address. Where none takes a connection
 * it goes to the service itself. On a port of TLS the rules are those by
 * server name.
 */
#include "inside.h"

/* What both kinds of matches say. */
struct l4_match {
	struct callers callers;
	uint16_t port;
	const struct slice *subnets;
	size_t subnet_count;
	const struct slice *snis;
	size_t sni_count;
	uint32_t line;
};

static struct l4_match
of_tcp(const struct tcp_match *m, const struct resource *owner)
{
	return (struct l4_match){
	    {&m->source_labels, m->source_namespace, m->gateways.items,
		m->gateways.count, owner->key.ns},
	    (uint16_t)m->port, m->destination_subnets.items,
	    m->destination_subnets.count, NULL, 0, m->head.line};
}

static struct l4_match
of_tls(const struct tls_match *m, const struct resource *owner)
{
	return (struct l4_match){
	    {&m->source_labels, m->source_namespace, m->gateways.items,
		m->gateways.count, owner->key.ns},
	    (uint16_t)m->port, m->destination_subnets.items,
	    m->destination_subnets.count, m->sni_hosts.items,
	    m->sni_hosts.count, m->head.line};
}

/* A route, and whether anything that is captured may meet it. */
struct gathered {
	struct view_tcp_route row; /* first */
	bool is_met;
};

/* The routes of one service's port while they are gathered. */
struct gathering {
	struct rows routes;           /* struct gathered */
	const struct resource *owner; /* whose rules are at hand */
	struct service_row *service;
	const struct port_row *port;
	uint16_t called; /* 0: a socket, where nothing is known of addresses */
	bool all_taken;  /* nothing gets past the last of them */
};

/* --- where they lead ----------------------------------------------------- */

/* Of a service with one port that one, whatever was called. */
static uint16_t
port_of(struct builder *b, const struct destination_spec *d,
    const struct resource *owner, uint16_t called)
{
	const struct import *i =
	    find_import(b, canonical_host(b, d->host, owner->key.ns));

	if (i == NULL || i->ports == NULL || i->ports->next != NULL)
		return called;
	return i->ports->port->port;
}

static struct gathered *
new_route(struct builder *b, struct gathering *g)
{
	struct gathered *r = take(b, 1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->row.index = g->routes.count;
	rows_add(&g->routes, r);
	return r;
}

/* Of several destinations the first one's service decides. */
static bool
shares_hash(struct builder *b, const struct tcp_destination *specs,
    size_t count, const struct resource *owner)
{
	const struct destination_spec *d = specs[0].destination;
	struct service_row *s = find_destination_service(b, d, owner);

	return s != NULL && hashes_source(b, s, count == 1 ? d->subset : S(""));
}

void
compile_shares(struct builder *b, const struct tcp_destination *specs,
    size_t count, const struct resource *owner, uint16_t port,
    struct view_tcp_route *out)
{
	struct view_destination *items = take(b, count, sizeof(*items));

	if (items == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct destination_spec *d = specs[i].destination;

		compile_destination(
		    b, d, owner, port_of(b, d, owner, port), &items[i]);
		items[i].weight = (uint32_t)specs[i].weight;
		out->weight_total += items[i].weight;
	}
	out->destinations = items;
	out->destination_count = count;
	out->hashes_source = shares_hash(b, specs, count, owner);
}

/* --- what they take ------------------------------------------------------ */

static bool
is_port_called(const struct l4_match *m, const struct gathering *g)
{
	return m->port == 0 || m->port == g->called;
}

static void
add_cidrs(
    struct builder *b, const struct l4_match *m, struct view_tcp_route *out)
{
	struct cidr *all =
	    take(b, out->cidr_count + m->subnet_count, sizeof(*all));

	if (all == NULL)
		return;
	for (size_t i = 0; i < out->cidr_count; i++)
		all[i] = out->cidrs[i];
	out->cidrs = all;
	for (size_t i = 0; i < m->subnet_count; i++)
		if (cidr_parse(m->subnets[i], &all[out->cidr_count]) == OK)
			out->cidr_count++;
}

static void
keep_port(struct builder *b, const struct l4_match *m,
    struct view_tcp_route *out, struct slice why)
{
	uint16_t *ports = take(b, out->port_count + 1, sizeof(*ports));

	if (why.len > 0)
		out->never = why;
	if (why.len > 0 || ports == NULL)
		return;
	for (size_t i = 0; i < out->port_count; i++)
		ports[i] = out->ports[i];
	ports[out->port_count++] = m->port;
	out->ports = ports;
}

/*
 * True if it takes any address. Of matches with addresses those of all that
 * may be met are one list.
 */
static bool
compile_matches_of(struct builder *b, const struct tcp_route *spec,
    const struct gathering *g, struct gathered *out)
{
	bool any_port = spec->match.count == 0, any = any_port;

	for (size_t i = 0; !any && i < spec->match.count; i++) {
		struct l4_match m = of_tcp(&spec->match.items[i], g->owner);
		struct slice why = why_not_callers(b, &m.callers);
		bool may =
		    is_for_callers(b, &m.callers) && is_port_called(&m, g);

		any_port = any_port || (why.len == 0 && m.port == 0);
		keep_port(b, &m, &out->row, why);
		any = may && (m.subnet_count == 0 || g->called == 0);
		if (may && !any)
			add_cidrs(b, &m, &out->row);
	}
	out->is_met = any || out->row.cidr_count > 0;
	if (any)
		out->row.cidr_count = 0;
	if (any_port || out->row.port_count > 0)
		out->row.never = S("");
	if (any_port)
		out->row.port_count = 0;
	return any;
}

static void
add_tcp(struct builder *b, struct gathering *g, const struct tcp_route *spec)
{
	struct gathered *r;

	if (spec->route.count == 0)
		return;
	r = new_route(b, g);
	if (r == NULL)
		return;
	r->row.origin = origin_of(g->owner, spec->head.line);
	g->all_taken = compile_matches_of(b, spec, g, r);
	compile_shares(b, spec->route.items, spec->route.count, g->owner,
	    g->called, &r->row);
}

/* One for each match: each has names of its own. */
static void
add_tls(struct builder *b, struct gathering *g, const struct tls_route *spec)
{
	for (size_t i = 0; spec->route.count > 0 && i < spec->match.count;
	     i++) {
		struct l4_match m = of_tls(&spec->match.items[i], g->owner);
		struct gathered *r = new_route(b, g);

		if (r == NULL)
			return;
		r->is_met =
		    is_for_callers(b, &m.callers) && is_port_called(&m, g);
		r->row.origin = origin_of(g->owner, m.line);
		r->row.snis = m.snis;
		r->row.sni_count = m.sni_count;
		r->row.never = why_not_callers(b, &m.callers);
		if (r->row.never.len == 0 && !is_port_called(&m, g))
			r->row.never = S("another port was called");
		if (g->called != 0)
			add_cidrs(b, &m, &r->row);
		compile_shares(b, spec->route.items, spec->route.count,
		    g->owner, g->called, &r->row);
	}
}

static void
add_default(struct builder *b, struct gathering *g)
{
	struct gathered *r = new_route(b, g);
	struct view_destination *d = take(b, 1, sizeof(*d));

	if (r == NULL || d == NULL)
		return;
	compile_own(b, g->service, g->port, g->called, d);
	r->is_met = true;
	r->row.destinations = d;
	r->row.destination_count = 1;
	r->row.hashes_source = hashes_source(b, g->service, S(""));
	r->row.origin = g->service->row.origin;
}

static struct tcp_routes
finish(struct builder *b, struct gathering *g, const struct resource *owner)
{
	struct view_tcp_route *items = take(b, g->routes.count, sizeof(*items));
	bool *met = take(b, g->routes.count, sizeof(*met));
	struct tcp_routes out = {items, met, 0, owner};

	for (size_t i = 0; items != NULL && met != NULL && i < g->routes.count;
	     i++) {
		const struct gathered *r = g->routes.items[i];

		items[i] = r->row;
		met[i] = r->is_met;
		out.count++;
	}
	rows_fini(&g->routes);
	return out;
}

struct tcp_routes
compile_tcp(struct builder *b, struct service_row *s, const struct port_row *p,
    bool tls, uint16_t called)
{
	struct gathering g = {.service = s, .port = p, .called = called};
	const struct resource *owner = NULL, *before = b->owner;
	struct rows rulings = {0};

	find_tcp_rulings(b, s->row.host, &rulings);
	for (size_t i = 0; i < rulings.count; i++) {
		const struct resource *r = rulings.items[i];
		const struct virtual_service *vs = resource_virtual_service(r);

		g.owner = b->owner = r;
		for (size_t j = 0; tls && j < vs->tls.count; j++)
			add_tls(b, &g, &vs->tls.items[j]);
		for (size_t j = 0; !tls && !g.all_taken && j < vs->tcp.count;
		     j++)
			add_tcp(b, &g, &vs->tcp.items[j]);
		if (owner == NULL && g.routes.count > 0)
			owner = r;
	}
	b->owner = before;
	if (!g.all_taken)
		add_default(b, &g);
	rows_fini(&rulings);
	return finish(b, &g, owner);
}
