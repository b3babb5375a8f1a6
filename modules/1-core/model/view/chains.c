/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chains — which listener takes a connection, and which of its chains; or
 * which rule, where there are none.
 *
 * Envoy's order (listener.FilterChainMatch): one property after the other,
 * and each time only the chains that are the most specific go on. It does not
 * turn back where those fail further on.
 */
#include "inside.h"

/* --- how well a chain fits, by one property; 0: not at all ---------------- */

typedef unsigned (*fit_cb)(
    const struct view_chain_match *m, const struct view_connection *c);

static unsigned
fit_port(const struct view_chain_match *m, const struct view_connection *c)
{
	if (m->port == 0)
		return 1;
	return m->port == c->destination.port ? 2 : 0;
}

static unsigned
fit_cidrs(const struct cidr *cidrs, size_t count, const struct addr *called)
{
	unsigned best = count == 0 ? 1 : 0;

	for (size_t i = 0; i < count; i++)
		if (cidr_contains(&cidrs[i], called))
			best = MAX(best, 2 + (unsigned)cidrs[i].bits);
	return best;
}

static unsigned
fit_address(const struct view_chain_match *m, const struct view_connection *c)
{
	return fit_cidrs(m->cidrs, m->cidr_count, &c->destination);
}

static unsigned
fit_name(struct slice pattern, struct slice sni)
{
	struct slice suffix = slice_sub(pattern, 1, pattern.len);

	if (slice_eq(pattern, sni))
		return 2 + NAME_HOST_MAX;
	if (slice_starts(pattern, S("*.")) && sni.len > suffix.len &&
	    slice_ends(sni, suffix))
		return 1 + (unsigned)suffix.len;
	return 0;
}

static unsigned
fit_names(const struct slice *names, size_t count, struct slice sni)
{
	unsigned best = count == 0 ? 1 : 0;

	for (size_t i = 0; sni.len > 0 && i < count; i++)
		best = MAX(best, fit_name(names[i], sni));
	return best;
}

static unsigned
fit_sni(const struct view_chain_match *m, const struct view_connection *c)
{
	return fit_names(m->snis, m->sni_count, c->sni);
}

static unsigned
fit_transport(const struct view_chain_match *m, const struct view_connection *c)
{
	if (m->transport == VIEW_ANY_TRANSPORT)
		return 1;
	return (m->transport == VIEW_TLS_TRANSPORT) == c->tls ? 2 : 0;
}

static unsigned
fit_alpn(const struct view_chain_match *m, const struct view_connection *c)
{
	for (size_t i = 0; i < m->alpn_count; i++)
		if (slice_is_among(m->alpns[i], c->alpns, c->alpn_count))
			return 2;
	return m->alpn_count == 0 ? 1 : 0;
}

enum { BY_PORT }; /* the first of: */

static const fit_cb order[] = {
    fit_port, fit_address, fit_sni, fit_transport, fit_alpn};

enum { AFTER_NAMES = 3 }; /* in `order` */

/* --- choosing ------------------------------------------------------------- */

/* Some of a listener's chains, or all of them. */
struct some {
	const struct view_chain *chains;
	const uint32_t *which; /* NULL: the first `count` */
	size_t count;
};

static const struct view_chain *
chain_at(const struct some *s, size_t i)
{
	return &s->chains[s->which != NULL ? s->which[i] : i];
}

/* Fits each property as well as any of the chains before it was refined. */
static bool
fits(const struct view_chain_match *m, const struct view_connection *c,
    const unsigned *best, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (order[i](m, c) != best[i])
			return false;
	return true;
}

/*
 * Where none of the chains that go on asks for TLS, nobody reads a
 * ClientHello, and the connection is bytes like any.
 */
static bool
reads_hello(const struct some *s, const struct view_connection *c,
    const unsigned *best, size_t count)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct view_chain_match *m = &chain_at(s, i)->match;

		if (fits(m, c, best, 0, count) &&
		    (m->transport == VIEW_TLS_TRANSPORT || m->sni_count > 0))
			return true;
	}
	return false;
}

/* By the properties from `from` on; NULL if one of them has no chain left. */
static const struct view_chain *
choose(const struct some *s, const struct view_connection *c, size_t from)
{
	const struct view_connection bytes = {
	    .destination = c->destination, .source = c->source};
	unsigned best[ARRAY_LEN(order)];

	for (size_t n = from; n < ARRAY_LEN(order); n++) {
		best[n] = 0;
		for (size_t i = 0; i < s->count; i++) {
			const struct view_chain_match *m =
			    &chain_at(s, i)->match;

			if (fits(m, c, best, from, n))
				best[n] = MAX(best[n], order[n](m, c));
		}
		if (best[n] == 0)
			return NULL;
		if (n == BY_PORT && c->tls && !reads_hello(s, c, best, n + 1))
			c = &bytes;
	}
	for (size_t i = 0; i < s->count; i++)
		if (fits(&chain_at(s, i)->match, c, best, from,
			ARRAY_LEN(order)))
			return chain_at(s, i);
	return NULL;
}

/* One of this machine is called where it listens, and known where it is
 * announced. */
static bool
is_at(const struct view *v, const struct view_endpoint *e, const struct addr *a)
{
	if (addr_is_loopback(&e->addr) && view_is_announced(v, a))
		return true;
	for (size_t i = 0; i < e->other_count; i++)
		if (addr_ip_eq(&e->others[i], a))
			return true;
	return addr_ip_eq(&e->addr, a);
}

static bool
has_member(
    const struct view *v, const struct view_cluster *of, const struct addr *a)
{
	const struct view_cluster *now = view_cluster_now(v, of);

	for (size_t i = 0; i < now->endpoint_count; i++)
		if (is_at(v, now->endpoints[i], a))
			return true;
	return false;
}

static const struct view_chain *
find_by_member(const struct view *v, const struct view_listener *l,
    const struct view_chain *first, const struct addr *called)
{
	for (size_t i = 0; i < l->chain_count; i++) {
		const struct view_cluster *of = l->chains[i].match.members;

		if (of != NULL && has_member(v, of, called))
			return &l->chains[i];
	}
	return view_is_automatic(called) ? first : l->otherwise;
}

const struct view_chain *
view_find_chain(const struct view *v, const struct view_listener *l,
    const struct view_connection *c)
{
	struct some s = {l->chains, NULL, l->chain_count};
	const struct view_chain *chain;

	if (l->snis != NULL)
		s.which = find_by_sni(l->snis, c->sni, &s.count);
	chain = choose(&s, c, l->snis != NULL ? AFTER_NAMES : 0);
	if (chain != NULL && chain->match.members != NULL)
		chain = find_by_member(v, l, chain, &c->destination);
	return chain != NULL ? chain : l->otherwise;
}

enum view_misfit
view_chain_misfit(
    const struct view_chain *chain, const struct view_connection *c)
{
	static const enum view_misfit misfits[ARRAY_LEN(order)] = {
	    VIEW_OTHER_PORT, VIEW_OTHER_ADDRESS, VIEW_OTHER_SNI,
	    VIEW_OTHER_TRANSPORT, VIEW_OTHER_ALPN};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (order[i](&chain->match, c) == 0)
			return misfits[i];
	return VIEW_FITS;
}

bool
view_translates_grpc_web(const struct view_chain *by,
    const struct view_host *host, const struct view_cluster *to)
{
	return (by != NULL && by->grpc_web) ||
	       (host != NULL && host->protocol == VIEW_GRPC_WEB) ||
	       (to != NULL && to->protocol == VIEW_GRPC_WEB);
}

/* --- without a chain ------------------------------------------------------ */

static bool
takes_port(const struct view_tcp_route *r, uint16_t port)
{
	for (size_t i = 0; i < r->port_count; i++)
		if (r->ports[i] == port)
			return true;
	return r->port_count == 0 && r->never.len == 0;
}

/* 0: it does not take the port, or not the address. */
static unsigned
fit_called(const struct view_tcp_route *r, uint16_t port,
    const struct view_connection *c)
{
	return takes_port(r, port)
		   ? fit_cidrs(r->cidrs, r->cidr_count, &c->destination)
		   : 0;
}

enum view_misfit
view_tcp_misfit(const struct view_tcp_route *r, uint16_t port,
    const struct view_connection *c)
{
	if (!takes_port(r, port))
		return VIEW_OTHER_PORT;
	if (fit_called(r, port, c) == 0)
		return VIEW_OTHER_ADDRESS;
	return fit_names(r->snis, r->sni_count, c->sni) == 0 ? VIEW_OTHER_SNI
							     : VIEW_FITS;
}

static const struct view_tcp_route *
best_of(const struct view_host *host, const struct view_connection *c)
{
	const struct view_tcp_route *last, *best = NULL;
	unsigned address = 1, name = 0;

	if (host->tcp_count == 0)
		return NULL;
	for (size_t i = 0; i < host->tcp_count; i++)
		address =
		    MAX(address, fit_called(&host->tcp[i], host->port, c));
	for (size_t i = 0; i < host->tcp_count; i++) {
		const struct view_tcp_route *r = &host->tcp[i];
		unsigned fit = fit_names(r->snis, r->sni_count, c->sni);

		if (fit_called(r, host->port, c) == address && fit > name) {
			best = r;
			name = fit;
		}
	}
	last = &host->tcp[host->tcp_count - 1];
	if (best == NULL && view_tcp_misfit(last, host->port, c) == VIEW_FITS)
		return last;
	return best;
}

const struct view_tcp_route *
view_route_tcp(const struct view_host *host, const struct view_connection *c,
    const struct view_trace *trace)
{
	const struct view_tcp_route *best = best_of(host, c);
	struct view_step step = {.host = host};

	for (size_t i = 0;
	     trace != NULL && !step.matched && i < host->tcp_count; i++) {
		step.tcp = &host->tcp[i];
		step.matched = step.tcp == best;
		trace->step(trace->arg, &step);
	}
	return best;
}

/* --- listeners ------------------------------------------------------------ */

enum { KEY_BYTES = 19 };

static struct slice
key_of(const struct addr *a, unsigned char out[KEY_BYTES])
{
	out[0] = a->family;
	memcpy(&out[1], a->bytes, sizeof(a->bytes));
	out[17] = (unsigned char)(a->port >> 8);
	out[18] = (unsigned char)a->port;
	return slice_of(out, KEY_BYTES);
}

void
add_listener(struct builder *b, struct view_listener *l)
{
	struct listener_set *set = l->direction == VIEW_INBOUND
				       ? &b->v->inbound
				       : &b->scope->listeners[l->direction];
	unsigned char key[KEY_BYTES];

	if (b->outbound_now != NULL)
		set = b->outbound_now;
	if (l->snis == NULL)
		l->snis = index_snis(b, l, /* moves */ NULL);
	rows_add(&set->rows, l);
	if (l->path.len > 0)
		return; /* nobody looks for it by an address */
	(void)map_put(
	    &set->by_addr, key_of(&l->addr, key), l); /* addresses differ */
}

/* Stands for one that a patch has no more. */
static struct view_listener no_listener;

void
hide_listener(struct listener_set *set, const struct view_listener *l)
{
	unsigned char key[KEY_BYTES];

	(void)map_put(&set->by_addr, key_of(&l->addr, key),
	    &no_listener); /* the base's */
}

void
show_listener(struct listener_set *set, struct view_listener *l)
{
	unsigned char key[KEY_BYTES];

	(void)map_put(&set->by_addr, key_of(&l->addr, key), l); /* hidden */
}

const struct view_listener *
find_listener(const struct listener_set *set, const struct addr *a)
{
	unsigned char key[KEY_BYTES];

	return map_get(&set->by_addr, key_of(a, key));
}

/* What a patch has in place of the base's; NULL: nothing. */
static const struct listener_set *
set_now(
    const struct view *v, const struct view_scope *of, enum view_direction d)
{
	const struct scope *s =
	    of != NULL ? scope_const(of) : v->scopes.items[0];
	const struct box *box = d == VIEW_OUTBOUND  ? v->front
				: d == VIEW_GATEWAY ? v->doors
						    : NULL;
	const struct listener_set *set = box != NULL && box->outbound != NULL
					     ? &box->outbound[s->place]
					     : NULL;

	return set != NULL && set->rows.items != NULL ? set : NULL;
}

static const struct view_listener *
find_now(const struct listener_set *now, const struct listener_set *base,
    const struct addr *a)
{
	const struct view_listener *l =
	    now != NULL ? find_listener(now, a) : NULL;

	if (l == NULL)
		return find_listener(base, a);
	return l != &no_listener ? l : NULL;
}

static const struct listener_set *
set_of(const struct view *v, const struct view_scope *of, enum view_direction d)
{
	const struct scope *own = v->scopes.items[0];
	const struct scope *s = of != NULL ? scope_const(of) : own;

	return s == own && d == VIEW_INBOUND ? &v->inbound : &s->listeners[d];
}

const struct view_listener *
view_find_listener(const struct view *v, const struct view_scope *of,
    enum view_direction direction, const struct addr *destination)
{
	const struct listener_set *set = set_of(v, of, direction);
	const struct listener_set *now = set_now(v, of, direction);
	struct addr any = {.port = destination->port};
	const struct view_listener *l = find_now(now, set, destination);

	if (l == NULL)
		l = find_now(now, set, &any);
	any.port = 0;
	return l != NULL ? l : find_now(now, set, &any);
}

const struct view_listener *const *
view_listeners(const struct view *v, const struct view_scope *of,
    enum view_direction direction, size_t *out_count)
{
	const struct listener_set *set = set_now(v, of, direction);

	if (set == NULL)
		set = set_of(v, of, direction);
	*out_count = set->rows.count;
	return (const struct view_listener *const *)set->rows.items;
}
