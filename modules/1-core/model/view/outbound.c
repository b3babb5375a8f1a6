/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound — where programs of this machine call the mesh.
 *
 * Requests to a port are one listener's, whatever the address; connections
 * are taken by the address of their service, if it has one. What meets on one
 * address is told apart: HTTP by its first bytes, TLS by the server's name,
 * the rest by networks. Of two that cannot be told apart the older service
 * stays.
 */
#include "outbound.h"

/* --- what a port speaks -------------------------------------------------- */

static enum port_protocol
said_by_service(const struct resource *r, uint16_t number)
{
	const struct service_spec *s = r->spec;

	for (size_t i = 0; i < s->ports.count; i++) {
		const struct service_port *p = &s->ports.items[i];
		struct slice word =
		    p->app_protocol.len > 0 ? p->app_protocol : p->name;

		if (p->port == number)
			return port_protocol_parse(
			    slice_sub(word, 0, slice_find(word, '-')));
	}
	return PORT_UNKNOWN;
}

static enum port_protocol
said_by(const struct service_row *s, uint16_t number)
{
	const struct service_entry *e;

	if (s->resource == NULL)
		return PORT_UNKNOWN;
	if (!is_entry(s))
		return said_by_service(s->resource, number);
	e = s->resource->spec;
	for (size_t i = 0; i < e->ports.count; i++)
		if (e->ports.items[i].number == number)
			return port_protocol_parse(e->ports.items[i].protocol);
	return PORT_UNKNOWN;
}

static bool
speaks_first(enum port_protocol p)
{
	return p == PORT_MONGO || p == PORT_MYSQL;
}

/* Such a protocol shares its port with no other: nobody waits for bytes. */
static bool
may_share(const struct entry *e, const struct listening *l)
{
	return e->said == l->said ||
	       (!speaks_first(e->said) && !speaks_first(l->said));
}

static void
report_hidden(
    struct builder *b, const struct entry *e, const struct listening *l)
{
	const struct origin *first = &e->listener->origin;
	char key[RESOURCE_KEY_MAX];

	if (!e->shared->hides && b->box == NULL)
		rows_add(&b->scope->hiding, e->shared);
	e->shared->hides = true;
	b->door = DOOR_HIDDEN;
	add_loss(b, &l->service->row.origin,
	    "connections to port %u of it cannot be told from those to %s, "
	    "which comes first, at %.*s; an address of its own sets it apart",
	    (unsigned)l->number,
	    first->key.kind.len > 0 ? resource_key_format(&first->key, key)
				    : "another",
	    SLICE_ARG(e->listener->name));
	b->door = 0;
}

static void
merge(struct builder *b, struct entry *e, const struct rows *more,
    const struct listening *l)
{
	size_t hidden = 0;

	for (size_t i = 0; i < more->count; i++)
		if (is_ambiguous(&e->chains, more->items[i]))
			hidden++;
		else
			rows_add(&e->chains, more->items[i]);
	if (hidden > 0 && is_bytes(l->protocol))
		report_hidden(b, e, l);
}

/* --- listeners ----------------------------------------------------------- */

static struct entry *
entry_at(struct making *m, struct slice name)
{
	return map_get(&m->by_name, name);
}

static struct entry *
new_entry(struct builder *b, struct making *m, const struct listening *l,
    struct slice name)
{
	struct entry *e = take(b, 1, sizeof(*e));
	struct shared_listener *shared = take(b, 1, sizeof(*shared));
	struct view_listener *v;

	if (e == NULL || shared == NULL)
		return NULL;
	shared->first = l->service;
	shared->egress = l->egress;
	shared->is_simple = true;
	v = &shared->row;
	v->name = take_copy(b, name);
	v->direction = VIEW_OUTBOUND;
	v->addr = l->addr;
	v->addr.port = l->number;
	v->bound = l->bound;
	if (is_socket(l))
		v->path = slice_sub(l->bind, strlen("unix://"), l->bind.len);
	v->origin = l->service->row.origin;
	e->shared = shared;
	e->listener = v;
	e->egress = l->egress;
	(void)map_put(&m->by_name, v->name, e); /* was not there */
	rows_add(&m->entries, e);
	return e;
}

/* HTTP at any address waits for bytes, so it is of no protocol alone. */
static enum view_protocol
protocol_kept(const struct listening *l)
{
	return view_protocol_is_http(l->protocol) && is_any_bound(l) &&
		       l->said != PORT_HTTP_PROXY
		   ? VIEW_AUTO
		   : l->protocol;
}

/* Nothing more to be told of one that is there. */
static bool
is_settled(const struct entry *e, const struct listening *l)
{
	if (view_protocol_is_http(l->protocol))
		return !is_bytes(e->protocol);
	return l->protocol == VIEW_AUTO && e->protocol == VIEW_AUTO;
}

static void
replace(struct entry *e, const struct rows *chains, const struct listening *l)
{
	e->chains.count = 0;
	for (size_t i = 0; i < chains->count; i++)
		rows_add(&e->chains, chains->items[i]);
	e->protocol = protocol_kept(l);
	e->said = l->said;
	e->listener->origin = l->service->row.origin;
}

bool
is_simple(const struct listening *l)
{
	return !is_bytes(l->protocol) && is_any_bound(l) &&
	       l->said != PORT_HTTP_PROXY;
}

static void
count_in(struct entry *e, const struct listening *l)
{
	if (e == NULL)
		return;
	e->shared->count++;
	e->shared->is_simple = e->shared->is_simple && is_simple(l);
}

/* --- listening ------------------------------------------------------------ */

static void
listen(struct builder *b, struct making *m, const struct listening *l)
{
	char port[SLICE_U64_MAX], text[HOST_TEXT_MAX];
	struct slice name =
	    slice_join(SLICES(l->bind, S("_"), slice_from_u64(l->number, port)),
		text, sizeof(text));
	struct entry *e = entry_at(m, name);
	struct rows chains = {0};
	bool proxy = l->said == PORT_HTTP_PROXY;

	if (!is_wanted(b, m, l, name))
		return;
	count_in(e, l);
	if (e != NULL &&
	    (e->egress != l->egress ||
		(!proxy && (is_settled(e, l) || !may_share(e, l)))))
		return;
	add_chains(b, l, &chains);
	if (e == NULL || proxy ||
	    (l->protocol == VIEW_AUTO && view_protocol_is_http(e->protocol))) {
		if (e == NULL) {
			e = new_entry(b, m, l, name);
			count_in(e, l);
		}
		if (e != NULL)
			replace(e, &chains, l);
	} else {
		merge(b, e, &chains, l);
		if (is_bytes(e->protocol) != is_bytes(l->protocol))
			e->protocol = VIEW_AUTO;
	}
	rows_fini(&chains);
}

/* --- where a service is listened for ------------------------------------- */

static void
bind_to(struct builder *b, struct listening *l, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	l->addr = *a;
	l->bind = take_copy(b, slice_str(addr_format_ip(a, text)));
}

/* Listeners of our own are there already. */
static bool
is_reserved(const struct builder *b, const struct listening *l)
{
	return (is_any_bound(l) ||
		   (l->bind.len == 0 && view_protocol_is_http(l->protocol))) &&
	       (l->number == b->mesh->proxy_listen_port ||
		   l->number == b->mesh->proxy_inbound_listen_port);
}

/* Nobody wrote an address for it. An automatic one does not hide those of its
 * machines, which a program may have from elsewhere. */
static bool
is_known_by_members(const struct builder *b, const struct listening *l)
{
	return b->v->knows_members && !is_entry(l->service) &&
	       l->service->row.address_count == 0;
}

/* Each address has a listener; of a network a chain at any address. */
static void
listen_by_address(
    struct builder *b, struct making *m, const struct listening *how)
{
	size_t n;
	const struct cidr *all = service_addresses(b, how->service, &n);

	for (size_t i = 0; i < n; i++) {
		struct listening l = *how;

		if (cidr_is_one(&all[i])) {
			bind_to(b, &l, &all[i].base);
		} else {
			l.bind = any_ip;
			l.cidrs = &all[i];
			l.cidr_count = 1;
		}
		listen(b, m, &l);
	}
	if (n == 0 || is_known_by_members(b, how)) {
		struct listening l = *how;

		l.bind = any_ip;
		l.by_members = is_known_by_members(b, how);
		listen(b, m, &l);
	}
}

static size_t
listen_at_endpoints(struct builder *b, struct making *m,
    const struct listening *how, const struct port_row *p)
{
	for (size_t i = 0; i < p->endpoints.count; i++) {
		const struct view_endpoint *at = p->endpoints.items[i];
		const struct addr *a = &at->addr;
		struct listening l = *how;

		if (a->family == ADDR_NONE || at->name.len > 0 ||
		    is_own_address(b, a))
			continue;
		bind_to(b, &l, a);
		listen(b, m, &l);
	}
	return p->endpoints.count;
}

/*
 * Without an address, its workloads are called by theirs; entries of one host
 * in a namespace have them in common.
 */
static void
listen_by_workload(
    struct builder *b, struct making *m, const struct listening *how)
{
	const struct service_row *s = how->service, *of;
	const struct service_entry *e = is_entry(s) ? s->resource->spec : NULL;
	size_t met = 0;

	/* In a patch it may be the base's, and alone has the host. */
	of = b->box == NULL ? service_at(b, s->row.host) : s;
	for (; of != NULL; of = of->next) {
		const struct port_row *p = find_port(of, how->number);

		if (p != NULL && slice_eq(of->row.ns, s->row.ns))
			met += listen_at_endpoints(b, m, how, p);
	}
	if (met == 0 && e != NULL && e->workload_selector == NULL)
		listen_by_address(b, m, how);
}

static void
listen_for(struct builder *b, struct making *m, const struct listening *how)
{
	struct listening l = *how;
	size_t n;

	if (l.service->row.resolution == VIEW_ALIAS || is_reserved(b, &l))
		return;
	if (l.bind.len > 0) {
		listen(b, m, &l);
		return;
	}
	if (view_protocol_is_http(l.protocol)) {
		l.bind = any_ip;
		listen(b, m, &l);
		return;
	}
	(void)service_addresses(b, l.service, &n);
	if (n == 0 && l.service->row.resolution == VIEW_ORIGINAL &&
	    is_egress_of_rest(l.egress) && l.port != NULL)
		listen_by_workload(b, m, &l);
	else
		listen_by_address(b, m, &l);
}

/* --- the listeners of an egress ------------------------------------------ */

/* As the Sidecar says it, or nothing; a socket of its own is at loopback. */
static void
read_bind(struct listening *l, const struct sidecar_egress *spec)
{
	if (spec == NULL)
		return;
	l->bind = spec->bind;
	l->bound = spec->capture_mode == CAPTURE_NONE ||
		   slice_starts(spec->bind, S("unix://"));
	if (l->bind.len == 0 && l->bound)
		l->bind = S("127.0.0.1");
	if (addr_parse_ip(l->bind, &l->addr) != OK || addr_is_any(&l->addr))
		l->addr = (struct addr){0};
}

/* On the port that a Sidecar names. */
static void
listen_for_named(
    struct builder *b, struct making *m, struct listening l, struct egress *e)
{
	const struct sidecar_port *p = e->spec->port;

	l.number = (uint16_t)p->number;
	l.protocol = protocol_of(p->protocol, S(""));
	l.said = port_protocol_parse(p->protocol);
	l.port = find_port(l.service, l.number);
	if (l.port == NULL && l.service->port_count == 1)
		l.port = &l.service->ports[0];
	listen_for(b, m, &l);
}

void
listen_in(struct builder *b, struct making *m, struct egress *e,
    struct service_row *s)
{
	struct listening l = {.egress = e, .service = s};

	read_bind(&l, e->spec);
	if (!is_egress_of_rest(e)) {
		listen_for_named(b, m, l, e);
		return;
	}
	for (size_t i = 0; i < s->port_count; i++) {
		l.port = &s->ports[i];
		l.number = l.port->port;
		l.protocol = l.port->protocol;
		l.said = said_by(s, l.number);
		listen_for(b, m, &l);
	}
}

/* --- those that no service asks for -------------------------------------- */

static struct view_listener *
new_listener(struct builder *b, struct slice name)
{
	struct view_listener *v = take(b, 1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->name = name;
	v->direction = VIEW_OUTBOUND;
	v->origin.words = S("outbound traffic of the mesh");
	return v;
}

static void
add_proxy(struct builder *b)
{
	const uint16_t port = (uint16_t)b->mesh->proxy_http_port;
	struct egress *e = egress_of_port(b->scope, 0);
	struct view_chain *c = take(b, 1, sizeof(*c));
	struct view_listener *v;

	if (port == 0 || e == NULL || c == NULL)
		return;
	v = new_listener(b, take_printf(b, "127.0.0.1_%u", (unsigned)port));
	if (v == NULL || addr_parse_ip(S("127.0.0.1"), &v->addr) != OK)
		return;
	v->addr.port = port;
	v->bound = true;
	v->proxies = true;
	c->routes = routes_of_proxy(b, e, S("http_proxy"));
	c->origin = v->origin;
	v->chains = c;
	v->chain_count = 1;
	add_listener(b, v);
}

/* Who calls the listener itself was not captured, and would come back to it. */
static void
add_virtual(struct builder *b)
{
	struct view_listener *v = new_listener(b, S("virtualOutbound"));
	struct view_chain *chains = take(b, 3, sizeof(*chains));
	const struct view_host *h = b->scope->unknown_host;
	struct view_routes *r;
	size_t n = 0;

	if (v == NULL || chains == NULL || h == NULL)
		return;
	chains[n].name = S("virtualOutbound-blackhole");
	chains[n].match.port = (uint16_t)b->mesh->proxy_listen_port;
	chains[n].origin = v->origin;
	chains[n++].tcp = nowhere_route(b);
	if (slice_eq(h->name, S("allow_any_dynamic_dns"))) {
		r = add_routes(b, h->name);
		if (r == NULL || !add_domain(b, r, S("*"), h))
			return;
		chains[n].name = S("virtualOutbound-catchall-tcp-http");
		chains[n].match.alpns = http_alpns;
		chains[n].match.alpn_count = HTTP_ALPNS;
		chains[n].origin = v->origin;
		chains[n++].routes = r;
		v->sniffs_http = true;
	}
	chains[n].name = S("virtualOutbound-catchall-tcp");
	chains[n].origin = b->scope->unknown_route->origin;
	chains[n++].tcp = b->scope->unknown_route;
	v->chains = chains;
	v->chain_count = n;
	add_listener(b, v);
}

/* --- the whole ----------------------------------------------------------- */

/* What matches none of the chains goes where the unknown goes. */
void
finish_entry(struct builder *b, struct entry *e)
{
	struct view_listener *v = e->listener;
	struct view_chain *all = take(b, e->chains.count + 1, sizeof(*all));

	for (size_t i = 0; all != NULL && i < e->chains.count; i++) {
		const struct view_chain *c = e->chains.items[i];

		v->sniffs_http = v->sniffs_http || c->match.alpn_count > 0;
		v->sniffs_tls = v->sniffs_tls || c->match.sni_count > 0;
		if (takes_all(c))
			v->otherwise = c;
		else
			all[v->chain_count++] = *c;
	}
	v->chains = all;
	if (all != NULL && v->otherwise == NULL) {
		struct view_chain *c = &all[e->chains.count];

		c->name = S("PassthroughFilterChain");
		c->tcp = b->scope->unknown_route;
		c->origin = c->tcp->origin;
		v->otherwise = c;
	}
	rows_fini(&e->chains);
	add_listener(b, v);
}

void
compile_outbound(struct builder *b)
{
	struct making m = {0};

	compile_unknown(b);
	if (b->full || b->mesh->proxy_listen_port == 0)
		return;
	map_init(&m.by_name);
	for (size_t i = 0; !b->full && i < b->scope->egresses.count; i++) {
		const struct rows *all;

		b->egress = b->scope->egresses.items[i];
		all = &b->egress->services;
		for (size_t j = 0; !b->full && j < all->count; j++)
			listen_in(b, &m, b->egress, all->items[j]);
	}
	for (size_t i = 0; i < m.entries.count; i++)
		finish_entry(b, m.entries.items[i]);
	if (!b->full) {
		add_proxy(b);
		add_virtual(b);
	}
	b->egress = NULL;
	rows_fini(&m.entries);
	map_fini(&m.by_name, NULL);
}
