/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — one row for each host and port that may be called.
 *
 * Each egress of a scope has its own; a port that a Sidecar names is of that
 * egress alone, but for services that have an address of their own there.
 */
#include "listening.h"

void
fill_new_host(struct builder *b, struct host_row *h, struct slice name,
    struct slice host, uint16_t port)
{
	h->row.name = name;
	h->row.host = host;
	h->row.port = port;
	h->row.scope = &b->scope->row;
	h->egress = b->egress;
}

struct host_row *
new_host(struct builder *b, struct slice name, struct slice host, uint16_t port)
{
	struct host_row *h = take(b, 1, sizeof(*h));

	if (h == NULL)
		return NULL;
	fill_new_host(b, h, name, host, port);
	rows_add(&b->hosts, h);
	return h;
}

/* Behind the ports of the host that are there; one of its number gives way. */
static struct host_row *
host_of(struct builder *b, struct slice host, struct slice name, uint16_t port)
{
	struct host_row *first = map_get(&b->scope->hosts, host);
	struct host_row *last = first, *h;

	for (h = first; h != NULL; h = h->next) {
		if (h->row.port == port)
			return h;
		last = h;
	}
	h = new_host(b, name, host, port);
	if (h == NULL)
		return NULL;
	if (last != NULL)
		last->next = h;
	else
		(void)map_put(&b->scope->hosts, host, h); /* was not there */
	if (slice_starts(host, S("*")))
		rows_add(&b->scope->wildcards, h);
	return h;
}

/* Who asks for the virtual hosts of the port finds it. */
static void
call(struct builder *b, struct host_row *h)
{
	struct slice key = slice_of(&h->row.port, sizeof(h->row.port));
	struct called *c = map_get(&b->egress->called, key);

	if (c == NULL) {
		c = take(b, 1, sizeof(*c));
		if (c == NULL)
			return;
		(void)map_put(&b->egress->called, key, c); /* was not there */
	}
	rows_add(&c->hosts, h);
}

void
fill_host(struct builder *b, struct host_row *h, struct service_row *s,
    const struct port_row *p, const struct resource *owner)
{
	const struct import_port *of =
	    find_import_port(b, s->row.host, p->port);
	struct slice missing = S("");

	if (h->service == NULL) {
		h->next_of_service = s->hosts;
		s->hosts = h;
	}
	h->service = s;
	h->port = p;
	h->row.service = &s->row;
	h->row.protocol = p->protocol;
	h->row.origin = s->row.origin;
	h->row.http = NULL;
	h->row.http_count = 0;
	h->row.index = NULL;
	h->row.has_rules = false;
	h->owner = NULL;
	if (of != NULL) { /* of several with the host, whose endpoints count */
		s = of->service;
		p = of->port;
	}
	(void)find_own_cluster(b, s, p, &missing); /* told by its routes */
	if (b->full)
		return;
	if (is_bytes(p->protocol))
		owner = NULL;
	else
		compile_http(b, h, owner, s, p);
	h->tcp = (struct tcp_routes){0};
	if (!view_protocol_is_http(h->row.protocol))
		h->tcp =
		    compile_tcp(b, s, p, h->row.protocol == VIEW_TLS, p->port);
	h->row.tcp = h->tcp.items;
	h->row.tcp_count = h->tcp.count;
	if (owner == NULL && h->tcp.owner != NULL)
		h->row.origin = origin_of(h->tcp.owner, 0);
}

struct slice
service_host_name(struct builder *b, const struct service_row *s, uint16_t port)
{
	char text[SLICE_U64_MAX];

	return take_join(
	    b, SLICES(s->row.istio, S(":"), slice_from_u64(port, text)));
}

/* Requests to a port that a Sidecar names are its listener's alone. */
bool
is_called_here(const struct builder *b, const struct port_row *p)
{
	return egress_of_port(b->scope, p->port) == b->egress ||
	       !view_protocol_is_http(p->protocol);
}

static void
add_service_port(
    struct builder *b, struct service_row *s, const struct port_row *p)
{
	struct slice name = service_host_name(b, s, p->port);
	struct host_row *h;
	bool known;

	if (!is_called_here(b, p))
		return;
	h = host_of(b, s->row.host, name, p->port);
	if (h == NULL || h->egress != b->egress)
		return;
	known = h->service != NULL;
	fill_host(b, h, s, p, owner_of(b, s->row.host, p->port));
	if (!known)
		call(b, h);
}

static void
add_services(struct builder *b)
{
	const struct rows *all = &b->egress->services;
	uint16_t only = egress_port(b->egress);

	for (size_t i = 0; !b->full && i < all->count; i++) {
		struct service_row *s = all->items[i];

		for (size_t j = 0; j < s->port_count; j++)
			if (only == 0 || s->ports[j].port == only)
				add_service_port(b, s, &s->ports[j]);
	}
}

/* A name that only a VirtualService knows: requests on any port. */
static void
add_bare_host(
    struct builder *b, const struct resource *owner, struct slice host)
{
	struct host_row *h;

	if (map_get(&b->scope->hosts, host) != NULL ||
	    find_import(b, host) != NULL || owner_of(b, host, 0) != owner)
		return;
	h = host_of(b, host, bare_host_name(b, host, 0), 0);
	if (h == NULL)
		return;
	h->row.protocol = VIEW_HTTP;
	compile_http(b, h, owner, NULL, NULL);
}

static void
add_bare_hosts(struct builder *b)
{
	for (size_t i = 0; i < b->egress->rulings.count; i++) {
		const struct ruling *r = b->egress->rulings.items[i];
		const struct virtual_service *vs =
		    resource_virtual_service(r->resource);

		for (size_t j = 0; j < vs->hosts.count; j++)
			add_bare_host(b, r->resource,
			    canonical_host(
				b, vs->hosts.items[j], r->resource->key.ns));
	}
}

static int
longest_first(const void *a, const void *b)
{
	const struct view_host *const *x = a;
	const struct view_host *const *y = b;

	if ((*x)->host.len != (*y)->host.len)
		return (*x)->host.len > (*y)->host.len ? -1 : 1;
	return slice_cmp((*x)->host, (*y)->host);
}

void
compile_hosts(struct builder *b)
{
	struct scope *s = b->scope;

	for (size_t i = 0; i < s->egresses.count; i++) {
		b->egress = s->egresses.items[i];
		if (egress_port(b->egress) != 0 || is_egress_of_rest(b->egress))
			add_services(b);
	}
	for (size_t i = 0; i < s->egresses.count; i++) {
		b->egress = s->egresses.items[i];
		add_bare_hosts(b);
	}
	b->egress = NULL;
	rows_sort(&s->wildcards, longest_first);
}
