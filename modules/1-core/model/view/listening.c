/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listening — the chains that one service's port gives to a listener.
 *
 * Requests have one, with a set of routes; connections one for each rule that
 * tells them apart by address or by server name.
 */
#include "listening.h"

const struct slice any_ip = {"0.0.0.0", 7};

const struct slice http_alpns[HTTP_ALPNS] = {{"http/1.1", 8}, {"h2c", 3}};

bool
is_bytes(enum view_protocol p)
{
	return p == VIEW_TCP || p == VIEW_TLS;
}

/* --- chains -------------------------------------------------------------- */

static struct view_chain *
new_chain(struct builder *b, struct rows *to)
{
	struct view_chain *c = take(b, 1, sizeof(*c));

	if (c != NULL)
		rows_add(to, c);
	return c;
}

bool
is_any_bound(const struct listening *l)
{
	return slice_eq(l->bind, any_ip);
}

bool
is_socket(const struct listening *l)
{
	return slice_starts(l->bind, S("unix://"));
}

static const struct view_routes *
routes_for(struct builder *b, const struct listening *l)
{
	if (is_socket(l))
		return routes_of_proxy(b, l->egress, l->bind);
	if (l->said == PORT_HTTP_PROXY && l->egress->spec != NULL)
		return routes_of_proxy(
		    b, l->egress, take_printf(b, "%u", (unsigned)l->number));
	if (l->protocol == VIEW_AUTO && !is_any_bound(l))
		return routes_of_service(b, l->service, l->number);
	return routes_of_port(b, l->number);
}

static void
add_http(struct builder *b, const struct listening *l, struct rows *to)
{
	struct view_chain *c = new_chain(b, to);

	if (c == NULL)
		return;
	c->routes = routes_for(b, l);
	c->origin = l->service->row.origin;
	if (l->said == PORT_HTTP_PROXY ||
	    (l->protocol != VIEW_AUTO && !is_any_bound(l)))
		return;
	c->match.alpns = http_alpns;
	c->match.alpn_count = HTTP_ALPNS;
	c->match.transport = VIEW_PLAIN;
}

/* Is it listened for at an address of its own? */
static bool
is_at_home(const struct listening *l, const struct cidr *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (cidr_is_one(&all[i]) && addr_ip_eq(&all[i].base, &l->addr))
			return true;
	return false;
}

/* Does nothing but the server's name say which service is meant? */
static bool
needs_name(struct builder *b, const struct listening *l)
{
	const struct view_service *s = &l->service->row;
	size_t n;
	const struct cidr *all = service_addresses(b, l->service, &n);

	if (l->cidr_count > 0 || (n == 0 && is_any_bound(l)))
		return true;
	if (n > 0 && !cidr_is_one(&all[0]) && !is_at_home(l, all, n))
		return true;
	return slice_starts(s->host, S("*")) &&
	       s->resolution == VIEW_DNS_DYNAMIC;
}

/* As clients may say it. */
static void
name_server(struct builder *b, const struct listening *l, struct view_chain *c)
{
	const struct rows *aliases = aliases_of(b, l->service->row.host);
	size_t n = 0, more = aliases != NULL ? aliases->count : 0;
	struct slice *snis = take(b, 2 + more * FORMS_MAX, sizeof(*snis));

	if (snis == NULL)
		return;
	snis[n++] = l->service->row.host;
	if (!slice_eq(l->service->row.host, l->service->row.istio))
		snis[n++] = l->service->row.istio;
	for (size_t i = 0; i < more; i++)
		n += host_forms(b, aliases->items[i], &snis[n]);
	c->match.snis = snis;
	c->match.sni_count = n;
}

static bool
is_same_list(const struct cidr *x, size_t n, const struct cidr *y, size_t m)
{
	for (size_t i = 0; n == m && i < n; i++)
		if (x[i].bits != y[i].bits ||
		    !addr_ip_eq(&x[i].base, &y[i].base))
			return false;
	return n == m;
}

/* A match of names that came before stands for this one, too. */
static bool
is_shadowed(const struct tcp_routes *all, size_t at)
{
	const struct view_tcp_route *r = &all->items[at];

	for (size_t i = 0; i < at; i++) {
		const struct view_tcp_route *x = &all->items[i];
		size_t j = 0;

		if (!all->met[i] || x->sni_count != r->sni_count ||
		    !is_same_list(
			x->cidrs, x->cidr_count, r->cidrs, r->cidr_count))
			continue;
		while (j < r->sni_count && slice_eq(x->snis[j], r->snis[j]))
			j++;
		if (j == r->sni_count)
			return true;
	}
	return false;
}

static struct view_chain *
add_route(struct builder *b, const struct listening *l,
    const struct view_tcp_route *r, struct rows *to)
{
	struct view_chain *c = new_chain(b, to);

	if (c == NULL)
		return NULL;
	c->tcp = r;
	c->origin = r->origin;
	c->match.cidrs = r->cidr_count > 0 ? r->cidrs : l->cidrs;
	c->match.cidr_count = r->cidr_count > 0 ? r->cidr_count : l->cidr_count;
	c->match.snis = r->snis;
	c->match.sni_count = r->sni_count;
	return c;
}

/*
 * The networks of one match hold for those behind it that name none: this is
 * upstream's way.
 */
static void
add_tls(struct builder *b, struct listening l, const struct tcp_routes *all,
    struct rows *to)
{
	size_t last = all->count - 1, before = to->count;
	struct view_chain *c;

	for (size_t i = 0; i < last; i++) {
		const struct view_tcp_route *r = &all->items[i];

		if (!all->met[i] || is_shadowed(all, i))
			continue;
		(void)add_route(b, &l, r, to); /* or it is full */
		if (r->cidr_count == 0)
			continue;
		l.cidrs = r->cidrs;
		l.cidr_count = r->cidr_count;
	}
	if (to->count > before)
		return;
	c = add_route(b, &l, &all->items[last], to);
	if (c != NULL && needs_name(b, &l))
		name_server(b, &l, c);
}

static void
add_plain(struct builder *b, const struct listening *l,
    const struct tcp_routes *all, struct rows *to)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct view_tcp_route *r = &all->items[i];

		if (!all->met[i])
			continue;
		(void)add_route(b, l, r, to); /* or it is full */
		if (r->cidr_count == 0)
			return;
		if (is_same_list(
			r->cidrs, r->cidr_count, l->cidrs, l->cidr_count))
			return;
	}
}

static const struct host_row *
host_of(const struct builder *b, const struct listening *l)
{
	const struct host_row *h =
	    host_row_now(b->v, b->scope, l->service->row.host);

	while (h != NULL && (h->service != l->service || h->port != l->port))
		h = h->next;
	return h;
}

/* Those of the host itself, if they are of this kind of port. */
static struct tcp_routes
tcp_routes_for(struct builder *b, const struct listening *l)
{
	bool tls = l->protocol == VIEW_TLS;
	const struct host_row *h = host_of(b, l);

	if (h != NULL && h->tcp.count > 0 && h->egress == l->egress &&
	    (l->port->protocol == VIEW_TLS) == tls)
		return h->tcp;
	return compile_tcp(b, l->service, l->port, tls, l->number);
}

/* What is found out to be no HTTP must not get past rules for requests. */
static void
guard_requests(struct builder *b, const struct listening *l,
    const struct rows *chains, size_t from)
{
	const struct host_row *h = host_of(b, l);

	if (l->protocol != VIEW_AUTO || h == NULL || !h->row.has_rules)
		return;
	for (size_t i = from; i < chains->count; i++)
		((struct view_chain *)chains->items[i])->refuses_bytes = true;
}

/* What is for any address of a port would take strangers' connections. */
static void
ask_for_members(struct builder *b, const struct listening *l,
    const struct rows *chains, size_t from)
{
	struct slice missing = S("");
	const struct view_cluster *own;

	if (!l->by_members || l->port == NULL)
		return;
	own = find_own_cluster(b, l->service, l->port, &missing);
	for (size_t i = from; i < chains->count; i++) {
		struct view_chain_match *m =
		    &((struct view_chain *)chains->items[i])->match;

		if (m->sni_count == 0 && m->cidr_count == 0)
			m->members = own;
	}
}

static void
add_tcp(struct builder *b, const struct listening *l, struct rows *to)
{
	struct tcp_routes all = tcp_routes_for(b, l);
	size_t before = to->count;

	if (all.count == 0)
		return;
	if (l->protocol == VIEW_TLS)
		add_tls(b, *l, &all, to);
	else
		add_plain(b, l, &all, to);
	guard_requests(b, l, to, before);
	ask_for_members(b, l, to, before);
}

void
add_chains(struct builder *b, const struct listening *l, struct rows *to)
{
	if (!view_protocol_is_http(l->protocol))
		add_tcp(b, l, to);
	if (!is_bytes(l->protocol))
		add_http(b, l, to);
}

/* --- what cannot be told apart ------------------------------------------- */

static bool
have_same_names(
    const struct view_chain_match *x, const struct view_chain_match *y)
{
	for (size_t i = 0; i < x->sni_count; i++)
		if (!slice_is_among(x->snis[i], y->snis, y->sni_count))
			return false;
	for (size_t i = 0; i < y->sni_count; i++)
		if (!slice_is_among(y->snis[i], x->snis, x->sni_count))
			return false;
	return true;
}

static bool
has_cidr(const struct view_chain_match *m, const struct cidr *c)
{
	for (size_t i = 0; i < m->cidr_count; i++)
		if (is_same_list(&m->cidrs[i], 1, c, 1))
			return true;
	return addr_is_any(&c->base);
}

static bool
have_same_cidrs(
    const struct view_chain_match *x, const struct view_chain_match *y)
{
	for (size_t i = 0; i < x->cidr_count; i++)
		if (!has_cidr(y, &x->cidrs[i]))
			return false;
	for (size_t i = 0; i < y->cidr_count; i++)
		if (!has_cidr(x, &y->cidrs[i]))
			return false;
	return true;
}

bool
is_ambiguous(const struct rows *chains, const struct view_chain *c)
{
	for (size_t i = 0; i < chains->count; i++) {
		const struct view_chain *x = chains->items[i];

		if (x->match.transport == c->match.transport &&
		    x->match.alpn_count == c->match.alpn_count &&
		    x->match.members == c->match.members &&
		    have_same_names(&x->match, &c->match) &&
		    have_same_cidrs(&x->match, &c->match))
			return true;
	}
	return false;
}

bool
takes_all(const struct view_chain *c)
{
	const struct view_chain_match *m = &c->match;

	return m->cidr_count == 0 && m->alpn_count == 0 && m->members == NULL &&
	       m->transport == VIEW_ANY_TRANSPORT &&
	       (m->sni_count == 0 ||
		   slice_is_among(S("*"), m->snis, m->sni_count));
}
