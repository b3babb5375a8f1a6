/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chains — which listener takes a connection, and which of its chains.
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
fit_address(const struct view_chain_match *m, const struct view_connection *c)
{
	unsigned best = m->cidr_count == 0 ? 1 : 0;

	for (size_t i = 0; i < m->cidr_count; i++)
		if (cidr_contains(&m->cidrs[i], &c->destination))
			best = MAX(best, 2 + (unsigned)m->cidrs[i].bits);
	return best;
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
fit_sni(const struct view_chain_match *m, const struct view_connection *c)
{
	unsigned best = m->sni_count == 0 ? 1 : 0;

	for (size_t i = 0; c->sni.len > 0 && i < m->sni_count; i++)
		best = MAX(best, fit_name(m->snis[i], c->sni));
	return best;
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

const struct view_chain *
view_find_chain(const struct view_listener *l, const struct view_connection *c)
{
	struct some s = {l->chains, NULL, l->chain_count};
	const struct view_chain *chain;

	if (l->snis != NULL)
		s.which = find_by_sni(l->snis, c->sni, &s.count);
	chain = choose(&s, c, l->snis != NULL ? AFTER_NAMES : 0);
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
	struct scope *s = b->scope;
	unsigned char *key = take(b, 1, KEY_BYTES);

	if (key == NULL)
		return;
	l->snis = index_snis(b, l);
	rows_add(&s->listeners[l->direction], l);
	if (l->path.len > 0)
		return; /* nobody looks for it by an address */
	(void)map_put(&s->listener_by_addr[l->direction], key_of(&l->addr, key),
	    l); /* addresses differ */
}

const struct view_listener *
find_listener(
    const struct scope *s, enum view_direction direction, const struct addr *a)
{
	unsigned char key[KEY_BYTES];

	return map_get(&s->listener_by_addr[direction], key_of(a, key));
}

const struct view_listener *
view_find_listener(const struct view *v, const struct view_scope *of,
    enum view_direction direction, const struct addr *destination)
{
	const struct scope *s =
	    of != NULL ? scope_const(of) : v->scopes.items[0];
	struct addr any = {.port = destination->port};
	const struct view_listener *l =
	    find_listener(s, direction, destination);

	if (l == NULL)
		l = find_listener(s, direction, &any);
	any.port = 0;
	return l != NULL ? l : find_listener(s, direction, &any);
}

const struct view_listener *const *
view_listeners(const struct view *v, const struct view_scope *of,
    enum view_direction direction, size_t *out_count)
{
	const struct scope *s =
	    of != NULL ? scope_const(of) : v->scopes.items[0];

	*out_count = s->listeners[direction].count;
	return (const struct view_listener *const *)s->listeners[direction]
	    .items;
}
