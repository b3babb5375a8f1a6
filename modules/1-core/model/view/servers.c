/* SPDX-License-Identifier: Apache-2.0 */
/*
 * servers — what the Gateways for this machine serve, port by port.
 */
#include "servers.h"

#include "kinds/scoped_host.h"

/* --- merging -------------------------------------------------------------- */

struct merge {
	struct builder *b;
	struct serving *out;
	struct map ports; /* number, protocol, bind → struct served_port */
	struct map plain; /* number, bind → that without TLS */
	struct map bind_of_tls; /* number, host → struct slice, of TLS */
};

bool
served_is_passthrough(const struct served *s)
{
	const struct server_tls *tls = s->spec->tls;

	return tls != NULL && (tls->mode == SERVER_TLS_PASSTHROUGH ||
				  tls->mode == SERVER_TLS_AUTO_PASSTHROUGH);
}

bool
served_is_http(const struct served *s)
{
	return port_protocol_is_http(s->protocol) ||
	       (s->protocol == PORT_HTTPS && !served_is_passthrough(s));
}

/* A redirect from plain HTTP is none. */
static bool
is_tls(const struct served *s)
{
	return s->spec->tls != NULL && !port_protocol_is_http(s->protocol);
}

struct origin
served_origin(const struct served *s)
{
	return origin_of(s->gateway, s->spec->head.line);
}

static struct slice
routes_name(struct builder *b, const struct served *s, uint16_t number)
{
	const struct gateway_port *p = s->spec->port;
	struct slice bind = s->spec->bind;
	const char *dot = bind.len > 0 ? "." : "";

	if (port_protocol_is_http(s->protocol))
		return take_printf(
		    b, "http.%u%s%.*s", (unsigned)number, dot, SLICE_ARG(bind));
	if (!served_is_http(s))
		return S("");
	return take_printf(b, "https.%u.%.*s.%.*s.%.*s%s%.*s",
	    (unsigned)p->number, SLICE_ARG(p->name),
	    SLICE_ARG(s->gateway->key.name), SLICE_ARG(s->gateway->key.ns), dot,
	    SLICE_ARG(bind));
}

static struct slice
host_text(struct builder *b, uint16_t number, const struct served_host *h)
{
	return take_printf(b, "%u %.*s/%.*s", (unsigned)number,
	    SLICE_ARG(h->ns), SLICE_ARG(h->host));
}

/* The same name in two servers with TLS: no client could say which it means. */
static bool
is_taken(struct merge *m, const struct served *s, uint16_t number)
{
	struct origin o = served_origin(s);

	for (size_t i = 0; i < s->host_count; i++) {
		struct slice key = host_text(m->b, number, &s->hosts[i]);
		const struct slice *bind = map_get(&m->bind_of_tls, key);

		if (bind == NULL || !slice_eq(*bind, s->spec->bind))
			continue;
		add_loss(m->b, &o,
		    "this server is not there: another, which comes first, "
		    "has the host %.*s on port %u",
		    SLICE_ARG(s->hosts[i].host), (unsigned)number);
		return true;
	}
	for (size_t i = 0; i < s->host_count; i++)
		(void)map_put(&m->bind_of_tls,
		    host_text(m->b, number, &s->hosts[i]),
		    (void *)(uintptr_t)&s->spec->bind); /* the last counts */
	return false;
}

/* One of several ports that a server arrives at has them, too. */
static void
add_to_set(struct merge *m, const struct served *s)
{
	struct rows *set = map_get(&m->out->sets, s->routes);
	const struct served *last;

	if (set == NULL) {
		set = mem_new(sizeof(*set));
		(void)map_put(&m->out->sets, s->routes, set); /* was not */
	}
	last = set->count > 0 ? set->items[set->count - 1] : NULL;
	if (last == NULL || last->spec != s->spec)
		rows_add(set, (void *)(uintptr_t)s);
}

static struct served_port *
open_port(struct merge *m, const struct served *s, uint16_t number)
{
	struct slice key = take_printf(m->b, "%u %.*s %.*s", (unsigned)number,
	    SLICE_ARG(s->spec->port->protocol), SLICE_ARG(s->spec->bind));
	struct served_port *p = map_get(&m->ports, key);

	if (p != NULL)
		return p;
	p = take(m->b, 1, sizeof(*p));
	if (p == NULL)
		return NULL;
	*p = (struct served_port){.number = number,
	    .protocol = s->spec->port->protocol,
	    .bind = s->spec->bind,
	    .routes = s->routes};
	(void)map_put(&m->ports, key, p); /* was not there */
	rows_add(&m->out->ports, p);
	return p;
}

/* Only plain HTTP shares a port with what has no TLS. */
static bool
is_conflict(
    struct merge *m, const struct served *s, const struct served_port *plain)
{
	struct origin o = served_origin(s);

	if (plain == NULL ||
	    (port_protocol_is_http(s->protocol) &&
		port_protocol_is_http(port_protocol_parse(plain->protocol))))
		return false;
	add_loss(m->b, &o,
	    "this server is not there: %.*s cannot share port %u with the "
	    "%.*s of another, which comes first",
	    SLICE_ARG(s->spec->port->protocol), (unsigned)plain->number,
	    SLICE_ARG(plain->protocol));
	return true;
}

static void
add_on(struct merge *m, struct served *s, uint16_t number)
{
	struct slice key = take_printf(
	    m->b, "%u %.*s", (unsigned)number, SLICE_ARG(s->spec->bind));
	struct served_port *p = map_get(&m->plain, key);

	s->routes = routes_name(m->b, s, number);
	if ((s->spec->tls != NULL && is_taken(m, s, number)) ||
	    is_conflict(m, s, p))
		return;
	if (p == NULL)
		p = open_port(m, s, number);
	if (p == NULL)
		return;
	if (!is_tls(s))
		(void)map_put(&m->plain, key, p); /* or is it already */
	if (served_is_http(s))
		add_to_set(m, s);
	rows_add(&p->servers, (void *)(uintptr_t)s);
}

static void
add_on_port(struct merge *m, struct served *s, uint16_t number)
{
	m->b->door = DOORS_SHARED;
	add_on(m, s, number);
	m->b->door = 0;
}

/* --- one Gateway ---------------------------------------------------------- */

static void
read_host(struct builder *b, const struct resource *r, struct slice text,
    struct served_host *out)
{
	struct slice ns, host;

	scoped_host_split(text, &ns, &host);
	if (slice_eq(ns, S(".")))
		ns = r->key.ns;
	else if (slice_eq(ns, S("*")))
		ns = S("");
	*out = (struct served_host){ns, canonical_host(b, host, r->key.ns)};
}

/* Where there is "any host of any namespace", nothing else is said. */
static void
read_hosts(struct builder *b, struct served *s)
{
	size_t n = s->spec->hosts.count;
	struct served_host *items = take(b, n, sizeof(*items));

	s->hosts = items;
	for (size_t i = 0; items != NULL && i < n; i++) {
		read_host(b, s->gateway, s->spec->hosts.items[i], &items[i]);
		if (slice_eq(s->spec->hosts.items[i], S("*/*"))) {
			items[0] = items[i];
			s->host_count = 1;
			return;
		}
	}
	s->host_count = items != NULL ? n : 0;
}

static struct served *
read_server(struct builder *b, const struct resource *r,
    const struct gateway_server *spec)
{
	struct served *s = take(b, 1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->spec = spec;
	s->gateway = r;
	s->name = take_printf(
	    b, "%.*s/%.*s", SLICE_ARG(r->key.ns), SLICE_ARG(r->key.name));
	s->protocol = port_protocol_parse(spec->port->protocol);
	read_hosts(b, s);
	return s;
}

static bool
arrived_before(const struct merge *m, const struct resource *r, size_t before,
    const struct target *t)
{
	for (size_t i = 0; i < before; i++) {
		const struct target *other = m->out->targets.items[i];

		if (leads_to(other, r, t->port) && other->arrives == t->arrives)
			return true;
	}
	return false;
}

static void
serve(struct merge *m, const struct resource *r,
    const struct gateway_server *spec, uint16_t number)
{
	struct served *s = read_server(m->b, r, spec);

	if (s != NULL)
		add_on_port(m, s, number);
}

/* Of the services that a Gateway names, all; else of those with its labels the
 * first, and if there is none the port itself. */
static void
add_server(struct merge *m, const struct resource *r,
    const struct gateway_server *spec)
{
	bool named = names_services(r);

	for (size_t i = 0; i < m->out->targets.count; i++) {
		const struct target *t = m->out->targets.items[i];

		if (!leads_to(t, r, spec->port->number) ||
		    arrived_before(m, r, i, t))
			continue;
		serve(m, r, spec, t->arrives);
		if (!named)
			return;
	}
	if (!named)
		serve(m, r, spec, (uint16_t)spec->port->number);
}

bool
is_gateway_for(const struct builder *b, const struct rows *targets,
    const struct resource *r)
{
	const struct gateway *g = r->spec;

	if (!names_services(r))
		return labels_match(&b->scope->row.labels, &g->selector);
	for (size_t i = 0; i < targets->count; i++)
		if (is_named_by(targets->items[i], r))
			return true;
	return false;
}

static void
add_gateway(struct merge *m, const struct resource *r)
{
	const struct gateway *g = r->spec;

	for (size_t i = 0; i < g->servers.count; i++) {
		const struct gateway_server *s = &g->servers.items[i];
		struct origin o = origin_of(r, s->head.line);

		m->b->owner = r;
		if (slice_starts(s->bind, S("unix://")))
			add_loss(m->b, &o,
			    "not in force yet: a server at a unix socket");
		m->b->owner = NULL;
		if (!slice_starts(s->bind, S("unix://")))
			add_server(m, r, s);
	}
}

void
serving_init(struct serving *s)
{
	*s = (struct serving){0};
	map_init(&s->sets);
}

static void
drop_set(void *value)
{
	struct rows *set = value;

	rows_fini(set);
	mem_free(&set);
}

void
serving_fini(struct serving *s)
{
	for (size_t i = 0; i < s->ports.count; i++)
		rows_fini(&((struct served_port *)s->ports.items[i])->servers);
	rows_fini(&s->ports);
	rows_fini(&s->gateways);
	rows_fini(&s->targets);
	map_fini(&s->sets, drop_set);
}

static void
merge_all(struct builder *b, struct serving *out)
{
	struct merge m = {.b = b, .out = out};

	map_init(&m.ports);
	map_init(&m.plain);
	map_init(&m.bind_of_tls);
	for (size_t i = 0; !b->full && i < out->gateways.count; i++)
		add_gateway(&m, out->gateways.items[i]);
	map_fini(&m.ports, NULL);
	map_fini(&m.plain, NULL);
	map_fini(&m.bind_of_tls, NULL);
}

void
merge_servers(struct builder *b, struct serving *out)
{
	const struct rows *all = &b->v->resources;

	find_targets(b, &out->targets);
	for (size_t i = first_resource(b->v, &kind_gateway, S(""));
	     i < all->count; i++) {
		struct resource *r = all->items[i];

		if (r->kind != &kind_gateway)
			break;
		if (is_gateway_for(b, &out->targets, r))
			rows_add(&out->gateways, r);
	}
	rows_sort_by_age(&out->gateways);
	merge_all(b, out);
}

void
merge_servers_again(struct builder *b, struct serving *s)
{
	rows_sort_by_age(&s->gateways);
	merge_all(b, s);
}
