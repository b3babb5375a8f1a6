/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound — where the mesh calls programs of this machine.
 *
 * What is captured comes to one listener, "virtualInbound". A port that a
 * service or a Sidecar names has chains of its own there, the rest passes to
 * where it was called; which chains there are, PeerAuthentication says. Names,
 * order and application protocols are Istio's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "authn.h"
#include "inbound.h"

/* --- one port, or all that none names ------------------------------------- */

struct chains {
	struct view_chain *items;
	size_t count;
	size_t cap;
};

/* What the chains of a port have in common, and what PeerAuthentication says
 * of it. */
struct part {
	const struct inbound_port *of; /* NULL: it is of none */
	uint16_t port;                 /* 0: any */
	struct slice bind;
	struct slice http_name;
	struct slice tcp_name;
	const struct view_routes *routes;
	const struct view_tcp_route *tcp;
	struct view_chain_tls tls; /* where it is ended */
	enum mutual_tls_mode peers;
	struct origin peers_origin;
	const struct view_guard *guard; /* NULL: none */
	struct origin origin;
};

/* All that leads in; of it listeners are made, again when other peers may
 * come. */
struct inbound {
	struct part blackhole, passthrough;
	struct part *ports; /* by number */
	size_t count;
};

static void
add_chain(struct chains *to, const struct part *p, const struct way *w)
{
	struct view_chain *c;

	if (to->count == to->cap)
		return;
	c = &to->items[to->count++];
	c->name = w->http ? p->http_name : p->tcp_name;
	c->match.port = p->port;
	way_match(w, &c->match);
	if (w->ends_tls)
		c->tls = p->tls;
	c->routes = w->http ? p->routes : NULL;
	c->tcp = w->http ? NULL : p->tcp;
	c->peers = p->peers;
	c->peers_origin = p->peers_origin;
	c->guard = p->guard;
	c->origin = p->origin;
}

static void
add_ways(struct chains *to, const struct part *p, const struct way *w)
{
	for (; w->transport != VIEW_ANY_TRANSPORT; w++)
		add_chain(to, p, w);
}

/* --- where it goes -------------------------------------------------------- */

static const struct view_destination *
add_destination(struct builder *b, const struct view_cluster *c)
{
	struct view_destination *d = take(b, 1, sizeof(*d));

	if (c == NULL || d == NULL)
		return NULL;
	d->cluster = c;
	d->name = d->host = c->name;
	return d;
}

static const struct view_tcp_route *
add_tcp(
    struct builder *b, const struct view_destination *d, const struct origin *o)
{
	struct view_tcp_route *r = take(b, 1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->destinations = d;
	r->destination_count = 1;
	r->origin = *o;
	return r;
}

static const struct view_http_route *
add_http(struct builder *b, const struct view_destination *d, bool is_grpc,
    const struct origin *o)
{
	struct view_http_route *r = take(b, 1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->name = S("default");
	r->destinations = d;
	r->destination_count = 1;
	r->origin = *o;
	inbound_actions(b, r, is_grpc);
	return r;
}

/* What is spoken behind a TLS that the Sidecar itself ends. */
static enum view_protocol
protocol_behind(const struct inbound_port *p)
{
	if (p->ingress == NULL || p->ingress->tls == NULL)
		return p->protocol;
	switch (port_protocol_parse(p->ingress->port->protocol)) {
	case PORT_HTTPS:
		return VIEW_HTTP;
	case PORT_TLS:
		return VIEW_TCP;
	default:
		return p->protocol;
	}
}

/* One virtual host for all: callers may say what name they like. */
static const struct view_routes *
add_inbound_routes(struct builder *b, const struct view_destination *d,
    const struct inbound_port *p, const struct origin *o)
{
	struct view_routes *routes = add_routes(b, d->name);
	struct view_host *h = take(b, 1, sizeof(*h));

	if (routes == NULL || h == NULL)
		return NULL;
	h->port = p != NULL ? p->service_port : 0;
	h->name = take_printf(b, "inbound|http|%u", (unsigned)h->port);
	h->host = S("*");
	h->protocol = p != NULL ? protocol_behind(p) : VIEW_AUTO;
	h->scope = &b->scope->row;
	h->service = p != NULL && p->service != NULL ? &p->service->row : NULL;
	h->http = add_http(b, d, view_protocol_is_grpc(h->protocol), o);
	h->http_count = 1;
	h->origin = *o;
	(void)add_domain(b, routes, h->host, h); /* the only one */
	seal_routes(routes);
	return routes;
}

static void
set_way_on(struct builder *b, struct part *p, const struct view_cluster *c,
    const struct inbound_port *port)
{
	const struct view_destination *d = add_destination(b, c);

	if (d == NULL)
		return;
	p->routes = add_inbound_routes(b, d, port, &p->origin);
	p->tcp = add_tcp(b, d, &p->origin);
}

/* --- who may come --------------------------------------------------------- */

static void
set_peers(struct part *p, const struct peer_policy *policy)
{
	const struct resource *by;

	p->tls.mode = VIEW_TLS_ISTIO_MUTUAL;
	p->peers = peer_policy_on(policy, p->port, &by);
	p->peers_origin =
	    by != NULL ? origin_of(by, 0)
		       : (struct origin){.words = S("no PeerAuthentication")};
}

static enum view_tls_mode
tls_mode_of(const struct server_tls *s)
{
	switch (s->mode) {
	case SERVER_TLS_MUTUAL:
		return VIEW_TLS_MUTUAL;
	case SERVER_TLS_OPTIONAL_MUTUAL:
		return VIEW_TLS_OPTIONAL;
	default: /* the rest is refused in an ingress, or means this */
		return VIEW_TLS_SIMPLE;
	}
}

/* A certificate of the ingress's own is used only where no mTLS is taken. */
static const struct way *
ways_of(struct part *p, const struct inbound_port *port)
{
	const struct server_tls *own =
	    port->ingress != NULL ? port->ingress->tls : NULL;

	if (own == NULL || p->peers != MUTUAL_TLS_DISABLE)
		return inbound_ways(p->peers, port->protocol);
	p->tls =
	    (struct view_chain_tls){.mode = tls_mode_of(own), .settings = own};
	return inbound_ways_behind_tls(protocol_behind(port));
}

/* --- names ---------------------------------------------------------------- */

/* Where an ingress that does not say it is: the machine's first address. */
static struct slice
bind_of(struct builder *b, const struct inbound_port *p)
{
	char text[ADDR_TEXT_MAX];

	if (p->ingress == NULL)
		return any_address(b);
	if (p->ingress->bind.len > 0)
		return p->ingress->bind;
	for (size_t i = 0; i < b->in->addr_count; i++)
		if (addr_is_global_unicast(&b->in->addrs[i]))
			return take_copy(b,
			    slice_str(addr_format_ip(&b->in->addrs[i], text)));
	return any_address(b);
}

/* --- listeners ------------------------------------------------------------ */

static bool
sniffs_http(const struct view_chain *c)
{
	for (size_t i = 0; i < c->match.alpn_count; i++)
		if (slice_eq(c->match.alpns[i], S("http/1.1")))
			return true;
	return false;
}

static void
add_inbound_listener(struct builder *b, struct slice name,
    const struct addr *addr, const struct chains *chains,
    const struct origin *o)
{
	struct view_listener *l = take(b, 1, sizeof(*l));

	if (l == NULL)
		return;
	l->name = name;
	l->direction = VIEW_INBOUND;
	l->addr = *addr;
	l->chains = chains->items;
	l->chain_count = chains->count;
	l->origin = *o;
	for (size_t i = 0; i < chains->count; i++) {
		const struct view_chain *c = &chains->items[i];

		l->sniffs_http = l->sniffs_http || sniffs_http(c);
		l->sniffs_tls =
		    l->sniffs_tls || c->match.transport == VIEW_TLS_TRANSPORT;
	}
	add_listener(b, l);
}

/* Captures nothing: programs outside reach it as it is. */
static void
add_bound(struct builder *b, const struct part *p, const struct way *w,
    struct slice bind)
{
	struct addr addr = {0};
	struct chains chains = {
	    take(b, WAYS_MAX, sizeof(struct view_chain)), 0, WAYS_MAX};

	if (chains.items == NULL)
		return;
	if (addr_parse_ip(bind, &addr) != OK || addr_is_any(&addr))
		addr = (struct addr){0};
	addr.port = p->port;
	add_ways(&chains, p, w);
	add_inbound_listener(b, p->tcp_name, &addr, &chains, &p->origin);
}

static void
fill_port(struct builder *b, const struct inbound_port *port, struct part *p)
{
	p->of = port;
	p->port = port->port;
	p->bind = bind_of(b, port);
	p->guard = guard_of(b, port->callee.ns, port->callee.labels);
	p->origin = port->origin;
	p->tcp_name = p->http_name =
	    take_printf(b, "%.*s_%u", SLICE_ARG(p->bind), (unsigned)p->port);
	set_way_on(b, p,
	    add_local_cluster(
		b, take_printf(b, "inbound|%u||", (unsigned)p->port), port),
	    port);
}

static void
add_port_chains(struct builder *b, struct part p, struct chains *to)
{
	const struct inbound_port *port = p.of;
	const struct peer_policy policy =
	    peer_policy_of(b, port->callee.ns, port->callee.labels);
	const struct way *w;

	set_peers(&p, &policy);
	w = ways_of(&p, port);
	if (port->ingress != NULL &&
	    port->ingress->capture_mode == CAPTURE_NONE)
		add_bound(b, &p, w, p.bind);
	else
		add_ways(to, &p, w);
}

/* --- what no port takes --------------------------------------------------- */

/* What came in here may not go out to itself. */
static void
fill_blackhole(struct builder *b, struct part *p)
{
	const struct view_cluster *nowhere =
	    bare_cluster(b, S("BlackHoleCluster"), VIEW_CLUSTER_STATIC, NULL);

	*p = (struct part){.port = (uint16_t)b->mesh->proxy_inbound_listen_port,
	    .tcp_name = S("virtualInbound-blackhole"),
	    .origin = {.words = S("the mesh's own port")}};
	p->tcp = add_tcp(b, add_destination(b, nowhere), &p->origin);
}

static void
fill_passthrough(struct builder *b, struct part *p)
{
	const struct view_scope *of = &b->scope->row;

	*p = (struct part){.http_name = S("virtualInbound-catchall-http"),
	    .tcp_name = S("virtualInbound"),
	    .guard = guard_of(b, of->ns, &of->labels),
	    .origin = {.words = S("no service has the port")}};
	set_way_on(b, p,
	    bare_cluster(b, S("InboundPassthroughCluster"),
		VIEW_CLUSTER_ORIGINAL_DST, NULL),
	    NULL);
}

static int
compare_port(const void *key, const void *row)
{
	const uint16_t *port = key;
	const struct part *p = row;

	return (int)*port - (int)p->port;
}

static bool
has_port(const struct inbound *in, uint16_t port)
{
	return in->count > 0 && bsearch(&port, in->ports, in->count,
				    sizeof(*in->ports), compare_port) != NULL;
}

/* One more for each port that a policy sets apart and nothing else names. */
static void
add_passthrough(struct builder *b, const struct inbound *in, struct chains *to)
{
	const struct view_scope *of = &b->scope->row;
	const struct peer_policy policy =
	    peer_policy_of(b, of->ns, &of->labels);
	struct part p = in->passthrough;
	uint16_t apart;

	set_peers(&p, &policy);
	add_ways(to, &p, inbound_ways(p.peers, VIEW_AUTO));
	for (size_t i = 0; (apart = peer_policy_port(&policy, i)) != 0; i++) {
		if (has_port(in, apart))
			continue;
		p.port = apart;
		set_peers(&p, &policy);
		add_ways(to, &p, inbound_ways(p.peers, VIEW_AUTO));
	}
}

static size_t
count_apart(const struct builder *b)
{
	const struct view_scope *of = &b->scope->row;
	const struct peer_policy policy =
	    peer_policy_of(b, of->ns, &of->labels);
	size_t n = 0;

	while (peer_policy_port(&policy, n) != 0)
		n++;
	return n;
}

static void
fill(struct builder *b, struct inbound *in)
{
	struct rows ports = {0};

	b->door = DOOR_HERE;
	collect_inbound_ports(b, &ports);
	b->door = 0;
	fill_blackhole(b, &in->blackhole);
	fill_passthrough(b, &in->passthrough);
	in->ports = take(b, ports.count, sizeof(*in->ports));
	for (size_t i = 0; i < ports.count && !b->full; i++)
		fill_port(b, ports.items[i], &in->ports[in->count++]);
	rows_fini(&ports);
}

void
compile_inbound_listeners(struct builder *b)
{
	static const struct addr anywhere = {0};
	static const struct way closed = {
	    VIEW_ANY_TRANSPORT, ANY_ALPN, false, false};
	const struct inbound *in = b->inbound;
	struct origin o = {.words = S("captured calls to this machine")};
	struct chains chains = {.cap = 1 + WAYS_MAX};

	if (in == NULL)
		return;
	b->scope = b->v->scopes.items[0];
	chains.cap += WAYS_MAX * (count_apart(b) + in->count);
	chains.items = take(b, chains.cap, sizeof(*chains.items));
	if (chains.items == NULL)
		return;
	add_chain(&chains, &in->blackhole, &closed);
	add_passthrough(b, in, &chains);
	for (size_t i = 0; i < in->count && !b->full; i++)
		add_port_chains(b, in->ports[i], &chains);
	add_inbound_listener(b, S("virtualInbound"), &anywhere, &chains, &o);
	listeners_sort(&b->v->inbound);
}

/* Who is called does not depend on who calls: once, in the own scope. */
void
compile_inbound(struct builder *b)
{
	if (b->scope->hash != 0)
		return;
	b->inbound = take(b, 1, sizeof(*b->inbound));
	if (b->inbound != NULL)
		fill(b, b->inbound);
	if (!b->full)
		compile_inbound_listeners(b);
}
