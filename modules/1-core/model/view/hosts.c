/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — one row for each host and port that may be called.
 */
#include <stdlib.h>

#include "inside.h"

static struct view_host *
add_host(struct builder *b, struct slice name, struct slice host, uint16_t port)
{
	struct view_host *h = take(b, 1, sizeof(*h));
	struct slice key =
	    take_printf(b, "%.*s:%u", SLICE_ARG(host), (unsigned)port);

	if (b->full)
		return NULL;
	h->name = name;
	h->host = host;
	h->port = port;
	h->scope = &b->scope->row;
	rows_add(&b->v->hosts, h);
	(void)map_put(&b->scope->host_by_key, key, h); /* hosts differ */
	if (map_get(&b->scope->host_first, host) == NULL)
		(void)map_put(
		    &b->scope->host_first, host, h); /* was not there */
	return h;
}

static void
add_service_port(
    struct builder *b, struct service_row *s, const struct port_row *p)
{
	const struct resource *owner = owner_of(
	    b, s->row.host, p->port, view_protocol_is_http(p->protocol));
	struct slice name = take_printf(
	    b, "%.*s:%u", SLICE_ARG(s->row.istio), (unsigned)p->port);
	struct view_host *h = add_host(b, name, s->row.host, p->port);
	struct slice missing = S("");

	if (h == NULL)
		return;
	if (slice_starts(h->host, S("*.")))
		rows_add(&b->scope->wildcards, h);
	h->service = &s->row;
	h->protocol = p->protocol;
	h->origin = s->row.origin;
	(void)find_cluster(b, s, p, S(""), &missing); /* told by its routes */
	if (b->full)
		return;
	if (view_protocol_is_http(p->protocol))
		compile_http(b, h, owner, s, p);
	else
		compile_tcp(b, h, owner, s, p);
}

/* A name that only a VirtualService knows: requests on any port. */
static void
add_bare_host(
    struct builder *b, const struct resource *owner, struct slice host)
{
	struct view_host *h;

	if (find_service(b, host) != NULL ||
	    owner_of(b, host, 0, /* http */ true) != owner)
		return;
	h = add_host(b, take_printf(b, "%.*s:*", SLICE_ARG(host)), host, 0);
	if (h == NULL)
		return;
	h->protocol = VIEW_HTTP;
	compile_http(b, h, owner, NULL, NULL);
	if (slice_starts(host, S("*.")))
		rows_add(&b->scope->wildcards, h);
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

static void
sort(struct rows *r, int (*cmp)(const void *, const void *))
{
	if (r->count > 0)
		qsort(r->items, r->count, sizeof(void *), cmp);
}

void
compile_hosts(struct builder *b)
{
	for (size_t i = 0; i < b->services.count; i++)
		find_rules(b, b->services.items[i]);
	for (size_t i = 0; i < b->services.count; i++) {
		struct service_row *s = b->services.items[i];
		bool is_it = find_service(b, s->row.host) == s;

		for (size_t j = 0; is_it && j < s->port_count; j++)
			add_service_port(b, s, &s->ports[j]);
	}
	for (size_t i = 0; i < b->scope->virtual_services.count; i++) {
		const struct resource *r = b->scope->virtual_services.items[i];
		const struct virtual_service *vs = resource_virtual_service(r);

		for (size_t j = 0; j < vs->hosts.count; j++)
			add_bare_host(b, r,
			    canonical_host(b, vs->hosts.items[j], r->key.ns));
	}
	sort(&b->scope->wildcards, longest_first);
}
