/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway — where anybody calls a gateway: listeners, and their chains.
 *
 * Plain HTTP is one chain; each server that ends TLS has one, found by the
 * names that clients say; and where TLS is passed on each rule has one.
 */
#include "kinds/scoped_host.h"
#include "servers.h"
#include "validate.h"

/* Upstream's words for TLS of the mesh in a ClientHello. */
static const struct slice mesh_alpns[] = {{"istio", 5},
    {"istio-peer-exchange", 19}, {"istio-http/1.0", 14}, {"istio-http/1.1", 14},
    {"istio-h2", 8}};

/* One address while its chains are collected. */
struct door {
	struct view_listener *listener;
	struct rows chains; /* struct view_chain */
};

struct gateway_state {
	struct builder *b;
	struct serving serving;
	struct bindings bindings;
	struct map doors;       /* name of the listener → struct door */
	struct rows door_rows;  /* in the order of age */
	struct map routes;      /* name → struct view_routes */
	struct map bind_of_sni; /* number, name → struct slice, of tls rules */
};

/* --- names in a ClientHello ----------------------------------------------- */

struct names {
	struct slice *items;
	size_t count;
};

/* A name of the mesh has two spellings. True if it is any name at all. */
static bool
add_name(struct builder *b, struct names *n, struct slice host)
{
	struct slice shown = istio_host(b, host);

	n->items[n->count++] = host;
	if (!slice_eq(shown, host))
		n->items[n->count++] = shown;
	return slice_eq(host, S("*"));
}

static void
match_names(struct builder *b, const struct slice *hosts, size_t count,
    struct view_chain_match *out)
{
	struct names n = {take(b, count * 2, sizeof(*n.items)), 0};

	for (size_t i = 0; n.items != NULL && i < count; i++)
		if (add_name(b, &n, hosts[i]))
			return; /* whatever the name is, or without one */
	out->snis = n.items;
	out->sni_count = n.count;
}

static void
match_server(
    struct builder *b, const struct served *s, struct view_chain_match *out)
{
	struct slice *hosts = take(b, s->host_count, sizeof(*hosts));

	for (size_t i = 0; hosts != NULL && i < s->host_count; i++)
		hosts[i] = s->hosts[i].host;
	if (hosts != NULL)
		match_names(b, hosts, s->host_count, out);
}

/* --- TLS that ends here --------------------------------------------------- */

/* As upstream calls them; what has no place is of the gateway's namespace. */
static struct slice
secret_name(struct builder *b, struct slice written)
{
	return slice_find(written, ':') < written.len
		   ? written
		   : take_printf(b, "kubernetes://%.*s", SLICE_ARG(written));
}

static void
fill_secrets(
    struct builder *b, const struct server_tls *tls, struct view_chain_tls *out)
{
	size_t n = tls->credential_names.count;
	struct slice *items = take(b, n + 1, sizeof(*items));

	if (items == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		items[i] = secret_name(b, tls->credential_names.items[i]);
	if (n == 0 && tls->credential_name.len > 0)
		items[n++] = secret_name(b, tls->credential_name);
	out->secrets = items;
	out->secret_count = n;
	if (tls->ca_cert_credential_name.len > 0)
		out->ca_secret = secret_name(b, tls->ca_cert_credential_name);
}

static void
end_tls(struct builder *b, const struct served *s, struct view_chain_tls *out)
{
	static const enum view_tls_mode modes[] = {
	    [SERVER_TLS_PASSTHROUGH] = VIEW_TLS_NONE,
	    [SERVER_TLS_SIMPLE] = VIEW_TLS_SIMPLE,
	    [SERVER_TLS_MUTUAL] = VIEW_TLS_MUTUAL,
	    [SERVER_TLS_AUTO_PASSTHROUGH] = VIEW_TLS_NONE,
	    [SERVER_TLS_ISTIO_MUTUAL] = VIEW_TLS_ISTIO_MUTUAL,
	    [SERVER_TLS_OPTIONAL_MUTUAL] = VIEW_TLS_OPTIONAL,
	};

	out->settings = s->spec->tls;
	out->mode = modes[s->spec->tls->mode];
	if (out->mode != VIEW_TLS_ISTIO_MUTUAL)
		fill_secrets(b, s->spec->tls, out);
}

/* --- chains --------------------------------------------------------------- */

static struct origin
place_of(const struct served *s)
{
	return origin_of(s->gateway, s->spec->head.line);
}

static struct view_chain *
add_chain(struct gateway_state *g, struct door *d, const struct origin *o)
{
	struct view_chain *c = take(g->b, 1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->origin = *o;
	rows_add(&d->chains, c);
	return c;
}

static const struct view_routes *
routes_of(struct gateway_state *g, struct slice name)
{
	const struct rows *set = map_get(&g->serving.sets, name);
	const struct view_routes *r = map_get(&g->routes, name);

	if (r != NULL || set == NULL)
		return r;
	r = compile_virtual_hosts(g->b, &g->bindings, name, set);
	if (r != NULL)
		(void)map_put(
		    &g->routes, name, (void *)(uintptr_t)r); /* was not there */
	return r;
}

static void
add_http_chain(struct gateway_state *g, struct door *d, const struct served *s,
    struct slice routes)
{
	struct origin o = place_of(s);
	struct view_chain *c = add_chain(g, d, &o);

	if (c == NULL)
		return;
	c->routes = routes_of(g, routes);
	if (port_protocol_is_http(s->protocol))
		return;
	match_server(g->b, s, &c->match);
	end_tls(g->b, s, &c->tls);
}

/* --- rules for connections ------------------------------------------------ */

/* What upstream looks at here: the port, and the Gateway. */
static bool
is_for(struct gateway_state *g, const struct served *s, int64_t port,
    const struct callers *c)
{
	bool yes;

	g->b->gateway = s->name;
	yes = is_for_callers(g->b, c);
	g->b->gateway = S("");
	return yes && (port == 0 || port == s->spec->port->number);
}

static const struct labels anybody = {NULL, 0};

static bool
takes_tcp(struct gateway_state *g, const struct served *s,
    const struct tcp_route *r, const struct resource *owner)
{
	for (size_t i = 0; i < r->match.count; i++) {
		const struct tcp_match *m = &r->match.items[i];
		const struct callers c = {&anybody, S(""), m->gateways.items,
		    m->gateways.count, owner->key.ns};

		if (is_for(g, s, m->port, &c))
			return true;
	}
	return r->match.count == 0;
}

static const struct tcp_route *
find_tcp_rule(
    struct gateway_state *g, const struct served *s, const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->tcp.count; i++)
		if (vs->tcp.items[i].route.count > 0 &&
		    takes_tcp(g, s, &vs->tcp.items[i], r))
			return &vs->tcp.items[i];
	return NULL;
}

static const struct view_tcp_route *
bytes_to(struct gateway_state *g, const struct served *s,
    const struct tcp_destination *specs, size_t count, const struct origin *o,
    const struct resource *owner)
{
	struct view_tcp_route *r = take(g->b, 1, sizeof(*r));

	if (r == NULL)
		return NULL;
	compile_shares(
	    g->b, specs, count, owner, (uint16_t)s->spec->port->number, r);
	r->origin = *o;
	return r;
}

/* The first rule of the first VirtualService that has one takes all. */
static const struct view_tcp_route *
find_tcp(struct gateway_state *g, const struct served *s)
{
	const struct view_tcp_route *found = NULL;
	struct rows bound = {0};

	find_bound(&g->bindings, s, &bound);
	for (size_t i = 0; found == NULL && i < bound.count; i++) {
		const struct resource *r =
		    ((const struct bound *)bound.items[i])->resource;
		const struct tcp_route *spec = find_tcp_rule(g, s, r);
		struct origin o;

		if (spec == NULL)
			continue;
		o = origin_of(r, spec->head.line);
		found =
		    bytes_to(g, s, spec->route.items, spec->route.count, &o, r);
		if (g->b->full)
			break;
	}
	rows_fini(&bound);
	return found;
}

static void
add_tcp_chain(struct gateway_state *g, struct door *d, const struct served *s)
{
	const struct view_tcp_route *r = find_tcp(g, s);
	struct origin o = place_of(s);
	struct view_chain *c;

	if (r == NULL) {
		add_problem(g->b, &o,
		    "this server takes nothing: no VirtualService has a tcp "
		    "rule for it");
		return;
	}
	c = add_chain(g, d, &o);
	if (c == NULL)
		return;
	c->tcp = r;
	if (s->spec->tls == NULL)
		return;
	match_server(g->b, s, &c->match);
	end_tls(g->b, s, &c->tls);
}

/* --- TLS that is passed on ------------------------------------------------ */

/* The same name in two rules: the first has it. */
static bool
is_sni_taken(struct gateway_state *g, const struct served *s, uint16_t number,
    const struct tls_match *m, const struct resource *r)
{
	struct origin o = origin_of(r, m->head.line);
	struct builder *b = g->b;

	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < m->sni_hosts.count; i++) {
			struct slice key = take_printf(b, "%u %.*s",
			    (unsigned)number, SLICE_ARG(m->sni_hosts.items[i]));
			const struct slice *bind =
			    map_get(&g->bind_of_sni, key);

			if (pass > 0) {
				(void)map_put(&g->bind_of_sni, key,
				    (void *)(uintptr_t)&s->spec
					->bind); /* the last counts */
				continue;
			}
			if (bind == NULL || !slice_eq(*bind, s->spec->bind))
				continue;
			add_problem(b, &o,
			    "this match takes nothing: another, which comes "
			    "first, has the name %.*s on port %u",
			    SLICE_ARG(m->sni_hosts.items[i]), (unsigned)number);
			return true;
		}
	return false;
}

static void
match_snis(
    struct builder *b, const struct tls_match *m, struct view_chain_match *out)
{
	struct slice *names = take(b, m->sni_hosts.count, sizeof(*names));

	for (size_t i = 0; names != NULL && i < m->sni_hosts.count; i++)
		names[i] = take_lower(b, m->sni_hosts.items[i]);
	if (names != NULL)
		match_names(b, names, m->sni_hosts.count, out);
}

static void
add_tls_rule(struct gateway_state *g, struct door *d, const struct served *s,
    const struct tls_route *spec, const struct resource *r)
{
	for (size_t i = 0; i < spec->match.count; i++) {
		const struct tls_match *m = &spec->match.items[i];
		const struct callers callers = {&anybody, S(""),
		    m->gateways.items, m->gateways.count, r->key.ns};
		struct origin o = origin_of(r, m->head.line);
		struct view_chain *c;

		if (!is_for(g, s, m->port, &callers) ||
		    is_sni_taken(g, s, d->listener->addr.port, m, r))
			continue;
		c = add_chain(g, d, &o);
		if (c == NULL)
			return;
		match_snis(g->b, m, &c->match);
		c->tls.settings = s->spec->tls;
		c->tcp =
		    bytes_to(g, s, spec->route.items, spec->route.count, &o, r);
	}
}

static void
add_tls_chains(struct gateway_state *g, struct door *d, const struct served *s)
{
	struct origin o = place_of(s);
	size_t before = d->chains.count;
	struct rows bound = {0};

	find_bound(&g->bindings, s, &bound);
	for (size_t i = 0; !g->b->full && i < bound.count; i++) {
		const struct resource *r =
		    ((const struct bound *)bound.items[i])->resource;
		const struct virtual_service *vs = resource_virtual_service(r);

		for (size_t j = 0; j < vs->tls.count; j++)
			if (vs->tls.items[j].route.count > 0)
				add_tls_rule(g, d, s, &vs->tls.items[j], r);
	}
	rows_fini(&bound);
	if (d->chains.count == before)
		add_problem(g->b, &o,
		    "this server takes nothing: no VirtualService has a tls "
		    "rule for it");
}

/* --- the mesh of another network ------------------------------------------ */

static bool
is_outside(const struct service_row *s)
{
	const struct resource *r = s->resource;

	return r != NULL && r->kind == &kind_service_entry &&
	       ((const struct service_entry *)r->spec)->location ==
		   ENTRY_MESH_EXTERNAL;
}

/* Upstream compares what is written, "*.local", with its own domain. */
static bool
is_served(const struct served *s, const struct service_row *row)
{
	for (size_t i = 0; i < s->host_count; i++)
		if (host_is_inside(row->row.host, s->hosts[i].host) ||
		    host_is_inside(row->row.istio, s->hosts[i].host))
			return true;
	return false;
}

/* "outbound_.80_.v1_.web.shop.svc.cluster.local" names the cluster itself. */
static void
add_auto_chain(struct gateway_state *g, struct door *d, const struct served *s,
    struct service_row *row, const struct port_row *p, struct slice subset)
{
	struct origin o = place_of(s);
	struct view_tcp_route *r = take(g->b, 1, sizeof(*r));
	struct view_destination *to = take(g->b, 1, sizeof(*to));
	struct slice *sni = take(g->b, 1, sizeof(*sni));
	struct view_chain *c = add_chain(g, d, &o);

	if (r == NULL || to == NULL || sni == NULL || c == NULL)
		return;
	to->cluster = find_cluster(g->b, row, p, subset, &to->missing);
	to->host = row->row.host;
	if (to->cluster != NULL)
		to->name = to->cluster->name;
	r->destinations = to;
	r->destination_count = 1;
	r->origin = row->row.origin;
	*sni = take_printf(g->b, "outbound_.%u_.%.*s_.%.*s", (unsigned)p->port,
	    SLICE_ARG(subset), SLICE_ARG(row->row.istio));
	*sni = take_lower(g->b, *sni);
	c->match = (struct view_chain_match){.snis = sni,
	    .sni_count = 1,
	    .alpns = mesh_alpns,
	    .alpn_count = ARRAY_LEN(mesh_alpns)};
	c->tls.settings = s->spec->tls;
	c->tcp = r;
}

static bool
has_subset(const struct service_row *s, size_t rules, size_t subsets,
    struct slice name)
{
	for (size_t i = 0; i <= rules; i++) {
		const struct destination_rule *d =
		    resource_destination_rule(s->rules.items[i]);
		size_t n = i == rules ? subsets : d->subsets.count;

		for (size_t j = 0; j < n; j++)
			if (slice_eq(d->subsets.items[j].name, name))
				return true;
	}
	return false;
}

static void
add_auto_port(struct gateway_state *g, struct door *d, const struct served *s,
    struct service_row *row, const struct port_row *p)
{
	add_auto_chain(g, d, s, row, p, S(""));
	for (size_t i = 0; i < row->rules.count; i++) {
		const struct destination_rule *rule =
		    resource_destination_rule(row->rules.items[i]);

		for (size_t j = 0; j < rule->subsets.count; j++) {
			struct slice name = rule->subsets.items[j].name;

			if (!has_subset(row, i, j, name))
				add_auto_chain(g, d, s, row, p, name);
		}
	}
}

static void
add_auto_chains(struct gateway_state *g, struct door *d, const struct served *s)
{
	struct builder *b = g->b;

	for (size_t i = 0; !b->full && i < b->services.count; i++) {
		struct service_row *row = b->services.items[i];

		if (is_outside(row) || find_service(b, row->row.host) != row ||
		    !is_served(s, row))
			continue;
		for (size_t j = 0; j < row->port_count; j++)
			add_auto_port(g, d, s, row, &row->ports[j]);
	}
}

/* --- listeners ------------------------------------------------------------ */

static struct door *
new_door(
    struct gateway_state *g, const struct served_port *p, struct slice name)
{
	struct builder *b = g->b;
	const struct served *s = p->servers.items[0];
	struct door *d = take(b, 1, sizeof(*d));
	struct view_listener *l = take(b, 1, sizeof(*l));

	if (d == NULL || l == NULL)
		return NULL;
	l->name = name;
	l->direction = VIEW_GATEWAY;
	if (p->bind.len > 0)
		CHECK(addr_parse_ip(p->bind, &l->addr) == OK); /* validated */
	if (addr_is_any(&l->addr))
		l->addr = (struct addr){0};
	l->addr.port = p->number;
	l->origin = place_of(s);
	d->listener = l;
	rows_add(&g->door_rows, d);
	(void)map_put(&g->doors, name, d); /* was not there */
	return d;
}

static struct door *
door_of(struct gateway_state *g, const struct served_port *p)
{
	struct slice bind = p->bind.len > 0 ? p->bind : S("0.0.0.0");
	struct slice name =
	    take_printf(g->b, "%.*s_%u", SLICE_ARG(bind), (unsigned)p->number);
	struct door *d = map_get(&g->doors, name);

	return d != NULL ? d : new_door(g, p, name);
}

static void
add_server(struct gateway_state *g, struct door *d, const struct served *s)
{
	if (served_is_http(s))
		add_http_chain(g, d, s, s->routes);
	else if (!served_is_passthrough(s))
		add_tcp_chain(g, d, s);
	else if (s->spec->tls->mode == SERVER_TLS_AUTO_PASSTHROUGH)
		add_auto_chains(g, d, s);
	else
		add_tls_chains(g, d, s);
}

static void
add_port(struct gateway_state *g, const struct served_port *p)
{
	struct door *d = door_of(g, p);

	if (d == NULL)
		return;
	if (port_protocol_is_http(port_protocol_parse(p->protocol))) {
		add_http_chain(g, d, p->servers.items[0], p->routes);
		return;
	}
	for (size_t i = 0; !g->b->full && i < p->servers.count; i++)
		add_server(g, d, p->servers.items[i]);
}

/* Where no chain is, nobody listens. */
static void
close_door(struct gateway_state *g, struct door *d)
{
	struct view_chain *items = take(g->b, d->chains.count, sizeof(*items));

	for (size_t i = 0; items != NULL && i < d->chains.count; i++) {
		items[i] = *(const struct view_chain *)d->chains.items[i];
		d->listener->sniffs_tls = d->listener->sniffs_tls ||
					  items[i].match.sni_count > 0 ||
					  items[i].tls.mode != VIEW_TLS_NONE;
	}
	d->listener->chains = items;
	d->listener->chain_count = items != NULL ? d->chains.count : 0;
	if (d->listener->chain_count > 0)
		add_listener(g->b, d->listener);
	rows_fini(&d->chains);
}

void
compile_gateway(struct builder *b)
{
	struct gateway_state g = {.b = b};

	serving_init(&g.serving);
	bindings_init(b, &g.bindings);
	map_init(&g.doors);
	map_init(&g.routes);
	map_init(&g.bind_of_sni);
	merge_servers(b, &g.serving);
	for (size_t i = 0; !b->full && i < g.serving.ports.count; i++)
		add_port(&g, g.serving.ports.items[i]);
	for (size_t i = 0; i < g.door_rows.count; i++)
		close_door(&g, g.door_rows.items[i]);
	rows_fini(&g.door_rows);
	map_fini(&g.bind_of_sni, NULL);
	map_fini(&g.routes, NULL);
	map_fini(&g.doors, NULL);
	bindings_fini(&g.bindings);
	serving_fini(&g.serving);
}
