/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway — where anybody calls a gateway: listeners, and their chains.
 *
 * Plain HTTP is one chain; each server that ends TLS has one, found by the
 * names that clients say; and where TLS is passed on each rule has one.
 */
#include "authn.h"
#include "doors.h"

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

void
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

void
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

void
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

/* What is told of it is about policies, and not about a port. */
static const struct view_guard *
guard_here(struct builder *b)
{
	const struct view_scope *of = &b->scope->row;
	uint32_t mark = b->door;
	const struct view_guard *guard;

	b->door = 0;
	guard = guard_of(b, of->ns, &of->labels);
	b->door = mark;
	return guard;
}

struct view_chain *
add_chain(struct gateway_state *g, struct door *d, const struct origin *o)
{
	const struct view_guard *guard = guard_here(g->b);
	struct view_chain *c = take(g->b, 1, sizeof(*c));

	if (c == NULL || guard == NULL)
		return NULL;
	c->origin = *o;
	c->guard = guard;
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
	struct origin o = served_origin(s);
	struct view_chain *c = add_chain(g, d, &o);
	uint32_t mark = g->b->door;

	if (c == NULL)
		return;
	c->routes = routes_of(g, routes);
	g->b->door = mark;
	c->grpc_web = s->protocol == PORT_GRPC_WEB;
	if (port_protocol_is_http(s->protocol))
		return;
	match_server(g->b, s, &c->match);
	end_tls(g->b, s, &c->tls);
}

/* A certificate of its own is needed, or clusters that no rule leads to. */
struct slice
view_chain_missing(const struct view_chain *c)
{
	if (c->tls.mode != VIEW_TLS_NONE)
		return S("TLS that ends at a gateway is not in force yet");
	if (c->tls.settings != NULL &&
	    c->tls.settings->mode == SERVER_TLS_AUTO_PASSTHROUGH)
		return S("AUTO_PASSTHROUGH, TLS to whom its name stands for, "
			 "is not in force yet");
	return S("");
}

static void
report_missing(struct gateway_state *g, const struct door *d,
    const struct served *s, size_t first)
{
	struct origin o = served_origin(s);
	struct slice missing = S("");

	for (size_t i = first; missing.len == 0 && i < d->chains.count; i++)
		missing = view_chain_missing(d->chains.items[i]);
	if (missing.len > 0)
		add_problem(g->b, &o, "this server takes nobody: %.*s",
		    SLICE_ARG(missing));
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
	if (p->bind.len > 0 && addr_parse_ip(p->bind, &l->addr) != OK)
		return NULL; /* none that was validated */
	if (addr_is_any(&l->addr))
		l->addr = (struct addr){0};
	l->addr.port = p->number;
	l->reads_proxy_header = g->is_behind;
	l->origin = served_origin(s);
	d->listener = l;
	rows_add(&g->door_rows, d);
	(void)map_put(&g->doors, name, d); /* was not there */
	return d;
}

static struct door *
door_of(struct gateway_state *g, const struct served_port *p)
{
	struct slice bind = p->bind.len > 0 ? p->bind : any_address(g->b);
	struct slice name =
	    take_printf(g->b, "%.*s_%u", SLICE_ARG(bind), (unsigned)p->number);
	struct door *d = map_get(&g->doors, name);

	return d != NULL ? d : new_door(g, p, name);
}

static void
add_server(struct gateway_state *g, struct door *d, const struct served *s)
{
	size_t first = d->chains.count;

	if (served_is_http(s))
		add_http_chain(g, d, s, s->routes);
	else if (!served_is_passthrough(s))
		add_tcp_chain(g, d, s);
	else if (s->spec->tls->mode == SERVER_TLS_AUTO_PASSTHROUGH)
		add_auto_chains(g, d, s);
	else
		add_tls_chains(g, d, s);
	report_missing(g, d, s, first);
}

static void
add_servers(
    struct gateway_state *g, struct door *d, const struct served_port *p)
{
	if (port_protocol_is_http(port_protocol_parse(p->protocol))) {
		add_http_chain(g, d, p->servers.items[0], p->routes);
		return;
	}
	for (size_t i = 0; !g->b->full && i < p->servers.count; i++)
		add_server(g, d, p->servers.items[i]);
}

void
open_port_at(struct gateway_state *g, const struct served_port *p)
{
	struct door *d;

	g->b->door = door_mark(p->number);
	d = door_of(g, p);
	if (d != NULL)
		add_servers(g, d, p);
	g->b->door = 0;
}

static void
report_shadowed(struct builder *b, const struct view_listener *l,
    const struct view_chain *c, const struct view_chain *first,
    const struct sni *name)
{
	if (first != c && first->match.alpn_count == c->match.alpn_count)
		add_loss(b, &c->origin,
		    "what it says of %s%.*s on %.*s is for nobody: another, "
		    "which comes first, says it, too",
		    name->ending ? "*" : "", SLICE_ARG(name->text),
		    SLICE_ARG(l->name));
}

static void
report_all_shadowed(struct builder *b, const struct view_listener *l)
{
	struct map seen;

	map_init(&seen);
	for (size_t i = 0; i < l->chain_count; i++) {
		const struct view_chain *c = &l->chains[i];
		size_t count = MAX(c->match.sni_count, (size_t)1);

		for (size_t j = 0; j < count; j++) {
			struct sni name = {.text = c->match.sni_count > 0
						       ? c->match.snis[j]
						       : S("*")};
			const struct view_chain *first =
			    map_get(&seen, name.text);

			if (first != NULL)
				report_shadowed(b, l, c, first, &name);
			else
				(void)map_put(&seen, name.text,
				    (void *)(uintptr_t)c); /* was not there */
		}
	}
	map_fini(&seen, NULL);
}

/* A name that several chains have is the first one's. Where there is an index
 * it has them side by side. */
static void
tell_shadowed(struct builder *b, const struct view_listener *l)
{
	struct sni name;
	const uint32_t *some;
	size_t count;

	if (l->snis == NULL)
		report_all_shadowed(b, l);
	for (size_t at = 0; l->snis != NULL && next_shared_sni(l->snis, &at,
						   &name, &some, &count);)
		for (size_t i = 1; i < count; i++)
			report_shadowed(b, l, &l->chains[some[i]],
			    &l->chains[some[0]], &name);
}

/* One address has one listener, under whatever name. */
static bool
is_elsewhere(struct gateway_state *g, const struct view_listener *l)
{
	const struct view_listener *other = find_listener(
	    g->b->outbound_now != NULL ? g->b->outbound_now
				       : &g->b->scope->listeners[VIEW_GATEWAY],
	    &l->addr);

	if (other == NULL)
		return false;
	add_loss(g->b, &l->origin,
	    "nobody listens at %.*s: it is the address of %.*s",
	    SLICE_ARG(l->name), SLICE_ARG(other->name));
	return true;
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
	d->listener->snis = index_snis(g->b, d->listener, &d->moves);
	tell_shadowed(g->b, d->listener);
	if (d->listener->chain_count > 0 && !is_elsewhere(g, d->listener))
		add_listener(g->b, d->listener);
	rows_fini(&d->chains);
	chain_moves_fini(&d->moves);
}

void
close_doors(struct gateway_state *g)
{
	for (size_t i = 0; i < g->door_rows.count; i++) {
		struct door *d = g->door_rows.items[i];

		g->b->door = door_mark(d->listener->addr.port);
		close_door(g, d);
	}
	g->b->door = 0;
}

void
doors_init(struct gateway_state *g)
{
	map_init(&g->doors);
	map_init(&g->routes);
	map_init(&g->bind_of_sni);
}

void
doors_fini(struct gateway_state *g)
{
	rows_fini(&g->door_rows);
	map_fini(&g->bind_of_sni, NULL);
	map_fini(&g->routes, NULL);
	map_fini(&g->doors, NULL);
}

/* What only patches need is kept. */
void
compile_gateway(struct builder *b)
{
	struct gateway_state *g = mem_new(sizeof(*g));

	*g = (struct gateway_state){
	    .b = b, .scope = b->scope, .is_behind = stands_behind_proxy(b)};
	rows_add(&b->gateways, g);
	(void)guard_here(b); /* also where nobody listens, for patches */
	serving_init(&g->serving);
	bindings_init(b, &g->bindings);
	doors_init(g);
	merge_servers(b, &g->serving);
	for (size_t i = 0; !b->full && i < g->serving.ports.count; i++)
		open_port_at(g, g->serving.ports.items[i]);
	close_doors(g);
	doors_fini(g);
}

void
gateways_fini(struct builder *b)
{
	for (size_t i = 0; i < b->gateways.count; i++) {
		struct gateway_state *g = b->gateways.items[i];

		bindings_fini(&g->bindings);
		serving_fini(&g->serving);
		mem_free(&g);
	}
	rows_fini(&b->gateways);
	for (size_t i = 0; i < b->gateway_sets.count; i++)
		gateway_set_fini(b->gateway_sets.items[i]);
	rows_fini(&b->gateway_sets);
}
