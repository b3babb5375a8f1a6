/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtual_hosts — what the requests of one set of routes meet at a gateway.
 *
 * All VirtualServices of a host stand in one row, the first to be asked first;
 * rules that take everything come last. Hosts that have the same of them share
 * a row, which has the name of the most specific one.
 *
 *	server, VirtualService ─► claim on a host ─► draft ─► row
 */
#include "patch.h"
#include "servers.h"

struct drafting {
	struct builder *b;
	struct gateway_set *set;
	struct map part_of; /* by part_key(): struct gateway_part */
	struct view_routes *routes;
};

enum { PART_KEY_MAX = RESOURCE_KEY_MAX + sizeof(void *) };

/* --- rules ---------------------------------------------------------------- */

/* Of a Gateway and a VirtualService; lies in `out`. */
static struct slice
part_key(
    const struct served *s, const struct resource *r, char out[PART_KEY_MAX])
{
	return slice_join(
	    SLICES(slice_of(&r, sizeof(r)), s->name), out, PART_KEY_MAX);
}

/* In a patch: that of its base, if it is the same and has nothing to tell;
 * NULL: it is not. */
static struct gateway_part *
known_part(struct builder *b, const struct served *s, const struct resource *r)
{
	const struct http_rules *rules =
	    b->patch != NULL ? rules_of_base(b->patch, r) : NULL;

	for (size_t i = 0; rules != NULL && i < rules->parts.count; i++) {
		struct gateway_part *p = rules->parts.items[i];

		if (p->scope == b->scope && slice_eq(p->gateway, s->name) &&
		    p->port == (uint16_t)s->spec->port->number && !p->tells &&
		    p->ends_tls == (s->spec->tls != NULL))
			return p;
	}
	return NULL;
}

/* NULL if none of its rules is for the server. */
static struct gateway_part *
part_of(struct drafting *d, const struct served *s, const struct bound *v)
{
	char text[PART_KEY_MAX];
	struct slice key = part_key(s, v->resource, text);
	struct gateway_part *p = map_get(&d->part_of, key);

	if (p == NULL) {
		p = known_part(d->b, s, v->resource);
		if (p == NULL)
			p = gateway_part_of(d->b, s, v->resource);
		if (p == NULL)
			return NULL;
		(void)map_put(&d->part_of, key, p); /* was not there */
	}
	return p->count > 0 ? p : NULL;
}

/* --- drafts --------------------------------------------------------------- */

static struct gateway_draft *
draft_of(struct drafting *d, struct slice host)
{
	struct gateway_draft *x = map_get(&d->set->by_host, host);

	if (x != NULL)
		return x;
	x = take(d->b, 1, sizeof(*x));
	if (x == NULL)
		return NULL;
	x->set = d->set;
	x->host = host;
	x->shown = istio_host(d->b, host);
	rows_add(&d->set->drafts, x);
	(void)map_put(&d->set->by_host, host, x); /* was not there */
	return x;
}

bool
served_redirects(const struct served *s)
{
	return s->spec->tls != NULL && s->spec->tls->https_redirect;
}

/* Behind those that are there; `p` NULL: a redirect. */
static void
add_claim(
    struct drafting *d, size_t at, struct gateway_part *p, struct slice host)
{
	struct gateway_draft *x = draft_of(d, host);
	struct claim *c = take(d->b, 1, sizeof(*c));

	if (x == NULL || c == NULL)
		return;
	*c = (struct claim){.at = at, .part = p, .draft = x};
	*(x->last != NULL ? &x->last->next : &x->claims) = c;
	x->last = c;
	if (p == NULL || d->b->patch != NULL)
		return;
	c->next_of_part = p->claims;
	p->claims = c;
}

/* Each host once, also where it is within several of the server's. */
static void
add_bound(struct drafting *d, size_t at, const struct bound *v)
{
	const struct served *s = d->set->servers[at];
	struct gateway_part *p = part_of(d, s, v);
	struct slice *met =
	    take(d->b, s->host_count * v->host_count, sizeof(*met));
	size_t n = 0;

	for (size_t i = 0; p != NULL && met != NULL && i < s->host_count; i++)
		for (size_t j = 0; j < v->host_count; j++)
			if (served_meets(
				&s->hosts[i], v, v->hosts[j], &met[n]) &&
			    !slice_is_among(met[n], met, n))
				add_claim(d, at, p, met[n++]);
}

/* Also of hosts that no VirtualService has. */
static void
add_redirects(struct drafting *d, size_t at)
{
	const struct served *s = d->set->servers[at];

	for (size_t i = 0; served_redirects(s) && i < s->host_count; i++) {
		const struct served_host *h = &s->hosts[i];

		add_claim(d, at, NULL,
		    h->ns.len == 0 ? h->host
				   : take_printf(d->b, "%.*s/%.*s",
					 SLICE_ARG(h->ns), SLICE_ARG(h->host)));
	}
}

static void
add_server(struct drafting *d, const struct bindings *g, size_t at)
{
	const struct served *s = d->set->servers[at];
	struct rows bound = {0};

	d->b->gateway = s->name;
	find_bound(g, s, &bound);
	for (size_t i = 0; !d->b->full && i < bound.count; i++)
		add_bound(d, at, bound.items[i]);
	add_redirects(d, at);
	rows_fini(&bound);
	d->b->gateway = S("");
}

static size_t
count_parts(const struct gateway_draft *x)
{
	size_t n = 0;

	for (const struct claim *c = x->claims; c != NULL; c = c->next)
		n += c->part != NULL;
	return n;
}

void
settle_draft(struct builder *b, struct gateway_draft *x)
{
	const struct gateway_set *set = x->set;
	const struct served *first = set->servers[x->claims->at];

	x->port = (uint16_t)first->spec->port->number;
	x->ends_tls =
	    first->spec->tls != NULL && !port_protocol_is_http(first->protocol);
	x->parts = take(b, count_parts(x), sizeof(struct gateway_part *));
	x->part_count = 0;
	x->needs_tls = false;
	for (const struct claim *c = x->claims; c != NULL; c = c->next) {
		if (c->part != NULL && x->parts != NULL)
			x->parts[x->part_count++] = c->part;
		x->needs_tls =
		    x->needs_tls || served_redirects(set->servers[c->at]);
	}
	x->origin = x->part_count > 0 ? origin_of(x->parts[0]->resource, 0)
				      : served_origin(first);
}

/* --- rows ----------------------------------------------------------------- */

static size_t
append(const struct gateway_draft *x, bool last, struct view_http_route *out)
{
	size_t n = 0;

	for (size_t i = 0; i < x->part_count; i++) {
		const struct gateway_part *p = x->parts[i];
		size_t from = last ? p->count - p->last : 0;
		size_t to = last ? p->count : p->count - p->last;

		for (size_t j = from; j < to; j++)
			out[n++] = p->rows[j];
	}
	return n;
}

static void
fill_rules(
    struct builder *b, const struct gateway_draft *x, struct view_host *h)
{
	struct view_http_route *rows;
	size_t count = 0;

	for (size_t i = 0; i < x->part_count; i++)
		count += x->parts[i]->count;
	h->http_count = count;
	if (x->part_count == 1) {
		h->http = x->parts[0]->rows;
		return;
	}
	rows = take(b, count, sizeof(*rows));
	h->http = rows;
	if (rows == NULL)
		h->http_count = 0;
	else
		(void)append(
		    x, true, &rows[append(x, false, rows)]); /* all of them */
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
	h->gate = x->set->routes;
	h->origin = x->origin;
	h->needs_tls = x->needs_tls;
	h->ends_tls = x->ends_tls;
	fill_rules(b, x, h);
	index_routes(b, h);
}

/* Nobody is at home: 404 for everything, and not "no such host". */
void
fill_nobody(
    struct builder *b, const struct gateway_set *set, struct view_host *h)
{
	const struct served *s = set->servers[0];
	const struct gateway_draft x = {.set = set,
	    .host = S("*"),
	    .shown = S("blackhole"),
	    .port = (uint16_t)s->spec->port->number,
	    .origin = served_origin(s)};

	fill_gateway_host(b, &x, h);
}

/* Of a patch it is found by its slot alone. */
static struct view_host *
add_later_row(struct drafting *d)
{
	struct more_host *h = take(d->b, 1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->routes = d->routes;
	put_more_host(d->b->patch, h);
	return &h->row.row;
}

static struct view_host *
add_row(struct drafting *d, struct gateway_draft *first)
{
	struct gateway_host *g;

	if (d->b->patch != NULL)
		return add_later_row(d);
	g = take(d->b, 1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->first = first;
	for (struct gateway_draft *x = first; x != NULL; x = x->next_of_row)
		x->row = g;
	rows_add(&d->b->hosts, g);
	return &g->row;
}

bool
has_same_parts(const struct gateway_draft *x, const struct gateway_draft *y)
{
	return slice_eq(slice_of(x->parts, x->part_count * sizeof(void *)),
	    slice_of(y->parts, y->part_count * sizeof(void *)));
}

static int
compare_drafts(const void *a, const void *b)
{
	const struct gateway_draft *const *x = a;
	const struct gateway_draft *const *y = b;
	struct slice s = (*x)->shown, t = (*y)->shown;
	int n = slice_starts(s, S("*")) - slice_starts(t, S("*"));

	if (n == 0 && s.len != t.len)
		n = s.len > t.len ? -1 : 1;
	return n != 0 ? n : slice_cmp(s, t);
}

/* Those of the same rules in the same order, and as eager for TLS. */
void
group_drafts(struct rows *drafts, struct rows *out)
{
	struct map last_of; /* what they have → struct gateway_draft */

	map_init(&last_of);
	rows_sort(drafts, compare_drafts);
	for (size_t i = 0; i < drafts->count; i++) {
		struct gateway_draft *x = drafts->items[i];
		struct slice key =
		    slice_of(x->parts, x->part_count * sizeof(void *));
		struct gateway_draft *last = map_put(&last_of, key, x);

		x->next_of_row = NULL;
		if (last != NULL && last->needs_tls == x->needs_tls)
			last->next_of_row = x;
		else
			rows_add(out, x);
	}
	map_fini(&last_of, NULL);
}

static void
add_domains(struct drafting *d, struct gateway_draft *first)
{
	struct view_host *h = add_row(d, first);

	if (h == NULL)
		return;
	fill_gateway_host(d->b, first, h);
	rows_add(&d->routes->hosts, h);
	for (const struct gateway_draft *x = first; x != NULL;
	     x = x->next_of_row) {
		(void)add_domain(d->b, d->routes, x->host, h); /* is new */
		(void)add_domain(
		    d->b, d->routes, x->shown, h); /* or the same */
	}
}

static void
add_rows(struct drafting *d)
{
	struct rows *drafts = &d->set->drafts;
	struct rows firsts = {0};

	for (size_t i = 0; !d->b->full && i < drafts->count; i++)
		settle_draft(d->b, drafts->items[i]);
	group_drafts(drafts, &firsts);
	for (size_t i = 0; !d->b->full && i < firsts.count; i++)
		add_domains(d, firsts.items[i]);
	rows_fini(&firsts);
}

static void
add_nobody(struct drafting *d)
{
	struct view_host *h = add_row(d, NULL);

	if (h == NULL)
		return;
	fill_nobody(d->b, d->set, h);
	d->set->nobody = h;
	rows_add(&d->routes->hosts, h);
	(void)add_domain(d->b, d->routes, h->host, h); /* the only one */
}

static struct gateway_set *
new_set(struct builder *b, struct slice name, const struct rows *servers)
{
	struct gateway_set *s = take(b, 1, sizeof(*s));
	struct view_routes *r = add_routes(b, name);

	if (s == NULL || r == NULL)
		return NULL;
	r->scope = NULL; /* outside of the mesh no name is short */
	map_init(&s->by_host);
	s->routes = r;
	s->mark = set_mark(b->gateway_sets.count);
	s->scope = b->scope;
	s->servers = take(b, servers->count, sizeof(*s->servers));
	for (size_t i = 0; s->servers != NULL && i < servers->count; i++)
		s->servers[s->server_count++] = servers->items[i];
	return s;
}

void
gateway_set_fini(struct gateway_set *s)
{
	rows_fini(&s->drafts);
	map_fini(&s->by_host, NULL);
}

const struct view_routes *
compile_virtual_hosts(struct builder *b, const struct bindings *g,
    struct slice name, const struct rows *servers)
{
	struct gateway_set *set = new_set(b, name, servers);
	struct drafting d = {.b = b, .set = set};

	if (set == NULL)
		return NULL;
	d.routes = (struct view_routes *)(uintptr_t)set->routes; /* ours */
	b->door = set->mark; /* what is told now is about rules */
	map_init(&d.part_of);
	for (size_t i = 0; !b->full && i < set->server_count; i++)
		add_server(&d, g, i);
	if (set->drafts.count == 0)
		add_nobody(&d);
	else
		add_rows(&d);
	seal_routes(d.routes);
	map_fini(&d.part_of, NULL);
	if (b->patch != NULL)
		gateway_set_fini(set); /* nothing is made of it any more */
	else
		rows_add(&b->gateway_sets, set);
	return d.routes;
}
