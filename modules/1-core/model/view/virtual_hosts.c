/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtual_hosts — what the requests of one set of routes meet at a gateway.
 *
 * All VirtualServices of a host stand in one row, the first to be asked first;
 * rules that take everything come last. Hosts that have the same of them share
 * a row, which has the name of the most specific one.
 */
#include "servers.h"

struct drafting {
	struct builder *b;
	struct rows drafts; /* struct gateway_draft */
	struct map by_host; /* → struct gateway_draft */
	struct map part_of; /* by part_key(): struct gateway_part */
	struct view_routes *routes;
};

/* --- rules ---------------------------------------------------------------- */

/* Of a Gateway and a VirtualService. */
static struct slice
part_key(struct builder *b, const struct served *s, const struct resource *r)
{
	return take_printf(b, "%.*s %.*s/%.*s", SLICE_ARG(s->name),
	    SLICE_ARG(r->key.ns), SLICE_ARG(r->key.name));
}

/* NULL if none of its rules is for the server. */
static struct gateway_part *
part_of(struct drafting *d, const struct served *s, const struct bound *v)
{
	struct slice key = part_key(d->b, s, v->resource);
	struct gateway_part *p = map_get(&d->part_of, key);

	if (p == NULL) {
		p = gateway_part_of(d->b, s, v->resource);
		if (p == NULL)
			return NULL;
		(void)map_put(&d->part_of, key, p); /* was not there */
	}
	return p->count > 0 ? p : NULL;
}

/* --- drafts --------------------------------------------------------------- */

void
gateway_draft_init(struct builder *b, const struct served *s, struct slice host,
    struct gateway_draft *out)
{
	*out = (struct gateway_draft){.host = host,
	    .shown = istio_host(b, host),
	    .port = (uint16_t)s->spec->port->number,
	    .ends_tls =
		s->spec->tls != NULL && !port_protocol_is_http(s->protocol),
	    .origin = served_origin(s)};
}

static struct gateway_draft *
draft_of(struct drafting *d, const struct served *s, struct slice host)
{
	struct gateway_draft *x = map_get(&d->by_host, host);

	if (x != NULL)
		return x;
	x = take(d->b, 1, sizeof(*x));
	if (x == NULL)
		return NULL;
	gateway_draft_init(d->b, s, host, x);
	rows_add(&d->drafts, x);
	(void)map_put(&d->by_host, host, x); /* was not there */
	return x;
}

bool
served_redirects(const struct served *s)
{
	return s->spec->tls != NULL && s->spec->tls->https_redirect;
}

/* Each host once, also where it is within several of the server's. */
static void
add_part(struct drafting *d, const struct served *s, struct gateway_part *p,
    struct slice host)
{
	struct gateway_draft *x = draft_of(d, s, host);

	if (x == NULL)
		return;
	if (x->parts.count == 0)
		x->origin = origin_of(p->resource, 0);
	rows_add(&x->parts, p);
	x->needs_tls = x->needs_tls || served_redirects(s);
}

static void
add_bound(struct drafting *d, const struct served *s, const struct bound *v)
{
	struct gateway_part *p = part_of(d, s, v);
	struct slice *met =
	    take(d->b, s->host_count * v->host_count, sizeof(*met));
	size_t n = 0;

	for (size_t i = 0; p != NULL && met != NULL && i < s->host_count; i++)
		for (size_t j = 0; j < v->host_count; j++)
			if (served_meets(
				&s->hosts[i], v, v->hosts[j], &met[n]) &&
			    !slice_is_among(met[n], met, n))
				add_part(d, s, p, met[n++]);
}

/* Also of hosts that no VirtualService has. */
static void
add_redirects(struct drafting *d, const struct served *s)
{
	for (size_t i = 0; served_redirects(s) && i < s->host_count; i++) {
		const struct served_host *h = &s->hosts[i];
		struct slice host =
		    h->ns.len == 0 ? h->host
				   : take_printf(d->b, "%.*s/%.*s",
					 SLICE_ARG(h->ns), SLICE_ARG(h->host));
		struct gateway_draft *x = draft_of(d, s, host);

		if (x != NULL)
			x->needs_tls = true;
	}
}

static void
add_server(struct drafting *d, const struct bindings *g, const struct served *s)
{
	struct rows bound = {0};

	d->b->gateway = s->name;
	find_bound(g, s, &bound);
	for (size_t i = 0; !d->b->full && i < bound.count; i++)
		add_bound(d, s, bound.items[i]);
	add_redirects(d, s);
	rows_fini(&bound);
	d->b->gateway = S("");
}

/* --- rows ----------------------------------------------------------------- */

static size_t
append(const struct rows *parts, bool last, struct view_http_route *out)
{
	size_t n = 0;

	for (size_t i = 0; i < parts->count; i++) {
		const struct gateway_part *p = parts->items[i];
		size_t from = last ? p->count - p->last : 0;
		size_t to = last ? p->count : p->count - p->last;

		for (size_t j = from; j < to; j++)
			out[n++] = p->rows[j];
	}
	return n;
}

static void
fill_rules(struct builder *b, const struct rows *parts, struct view_host *h)
{
	struct view_http_route *rows;
	size_t count = 0;

	for (size_t i = 0; i < parts->count; i++)
		count += ((const struct gateway_part *)parts->items[i])->count;
	h->http_count = count;
	if (parts->count == 1) {
		h->http = ((const struct gateway_part *)parts->items[0])->rows;
		return;
	}
	rows = take(b, count, sizeof(*rows));
	h->http = rows;
	if (rows == NULL)
		h->http_count = 0;
	else
		(void)append(parts, true,
		    &rows[append(parts, false, rows)]); /* all of them */
}

void
fill_gateway_host(
    struct builder *b, const struct gateway_draft *x, struct view_host *h)
{
	h->name =
	    take_printf(b, "%.*s:%u", SLICE_ARG(x->shown), (unsigned)x->port);
	h->host = x->host;
	h->port = x->port;
	h->protocol = VIEW_HTTP;
	h->scope = &b->scope->row;
	h->origin = x->origin;
	h->needs_tls = x->needs_tls;
	h->ends_tls = x->ends_tls;
	fill_rules(b, &x->parts, h);
	index_routes(b, h);
}

static struct view_host *
add_row(struct drafting *d, const struct gateway_draft *x)
{
	struct gateway_host *g = take(d->b, 1, sizeof(*g));
	struct view_host *h = g != NULL ? &g->row : NULL;

	if (h == NULL)
		return NULL;
	fill_gateway_host(d->b, x, h);
	g->routes = d->routes;
	gateway_parts_have(&x->parts, g);
	rows_add(&d->routes->hosts, h);
	rows_add(&d->b->v->hosts, h);
	return h;
}

/* Of the same rules in the same order, and as eager for TLS. */
static struct view_host *
row_of(struct drafting *d, struct map *known, const struct gateway_draft *x)
{
	struct slice key =
	    slice_of(x->parts.items, x->parts.count * sizeof(void *));
	struct view_host *h = map_get(known, key);

	if (h != NULL && h->needs_tls == x->needs_tls)
		return h;
	h = add_row(d, x);
	if (h != NULL)
		(void)map_put(known, key, h); /* the last counts */
	return h;
}

int
compare_gateway_drafts(const void *a, const void *b)
{
	const struct gateway_draft *const *x = a;
	const struct gateway_draft *const *y = b;
	struct slice s = (*x)->shown, t = (*y)->shown;
	int n = slice_starts(s, S("*")) - slice_starts(t, S("*"));

	if (n == 0 && s.len != t.len)
		n = s.len > t.len ? -1 : 1;
	return n != 0 ? n : slice_cmp(s, t);
}

static void
add_domains(struct drafting *d)
{
	struct map known;

	map_init(&known);
	rows_sort(&d->drafts, compare_gateway_drafts);
	for (size_t i = 0; !d->b->full && i < d->drafts.count; i++) {
		const struct gateway_draft *x = d->drafts.items[i];
		const struct view_host *h = row_of(d, &known, x);

		if (h == NULL)
			continue;
		(void)add_domain(d->b, d->routes, x->host, h); /* is new */
		(void)add_domain(
		    d->b, d->routes, x->shown, h); /* or the same */
	}
	map_fini(&known, NULL);
}

/* Nobody is at home: 404 for everything, and not "no such host". */
static void
add_blackhole(struct drafting *d, const struct rows *servers)
{
	const struct served *s = servers->items[0];
	const struct gateway_draft x = {.host = S("*"),
	    .shown = S("blackhole"),
	    .port = (uint16_t)s->spec->port->number,
	    .origin = served_origin(s)};
	const struct view_host *h = add_row(d, &x);

	if (h != NULL)
		(void)add_domain(d->b, d->routes, x.host, h); /* the only one */
}

/* For those that come and go. */
static void
keep_set(struct drafting *d, const struct rows *servers)
{
	struct gateway_set *s = take(d->b, 1, sizeof(*s));

	if (s == NULL)
		return;
	s->routes = d->routes;
	s->scope = d->b->scope;
	s->is_blackhole = d->drafts.count == 0;
	s->servers = take(d->b, servers->count, sizeof(*s->servers));
	for (size_t i = 0; s->servers != NULL && i < servers->count; i++)
		s->servers[s->server_count++] = servers->items[i];
	rows_add(&d->b->gateway_sets, s);
}

const struct view_routes *
compile_virtual_hosts(struct builder *b, const struct bindings *g,
    struct slice name, const struct rows *servers)
{
	struct drafting d = {.b = b, .routes = add_routes(b, name)};

	if (d.routes == NULL)
		return NULL;
	d.routes->scope = NULL; /* outside of the mesh no name is short */
	map_init(&d.by_host);
	map_init(&d.part_of);
	for (size_t i = 0; !b->full && i < servers->count; i++)
		add_server(&d, g, servers->items[i]);
	if (d.drafts.count == 0)
		add_blackhole(&d, servers);
	else
		add_domains(&d);
	seal_routes(d.routes);
	keep_set(&d, servers);
	for (size_t i = 0; i < d.drafts.count; i++)
		rows_fini(&((struct gateway_draft *)d.drafts.items[i])->parts);
	rows_fini(&d.drafts);
	map_fini(&d.by_host, NULL);
	map_fini(&d.part_of, NULL);
	return d.routes;
}
