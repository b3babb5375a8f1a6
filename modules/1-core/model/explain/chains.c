/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chains — why a listener's chains do not take a connection.
 *
 * What view_chain_misfit() says, with what the chain asks for and what there
 * is instead.
 */
#include "chains.h"

enum { CHAINS_TOLD = 50, NAMES_TOLD = 5 };

/* "a", or "one of a, b, c …". */
static struct slice
some_of(struct tree *t, const struct slice *names, size_t count)
{
	struct slice all = S("");

	for (size_t i = 0; i < MIN(count, NAMES_TOLD); i++)
		all = tree_printf(t, "%.*s%s%.*s", SLICE_ARG(all),
		    i > 0 ? ", " : "", SLICE_ARG(names[i]));
	return tree_printf(t, "%s%.*s%s", count > 1 ? "one of " : "",
	    SLICE_ARG(all), count > NAMES_TOLD ? " …" : "");
}

static struct slice
address_words(struct tree *t, const struct view_chain_match *m,
    const struct view_connection *c)
{
	struct slice names[NAMES_TOLD];
	size_t count = MIN(m->cidr_count, NAMES_TOLD);
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		names[i] =
		    tree_printf(t, "%s", cidr_format(&m->cidrs[i], text));
	if (c->destination.family == ADDR_NONE)
		return tree_printf(t, "address is in %.*s; it is not known",
		    SLICE_ARG(some_of(t, names, count)));
	return tree_printf(t, "address is in %.*s; it is %s",
	    SLICE_ARG(some_of(t, names, count)),
	    addr_format_ip(&c->destination, text));
}

static struct slice
sni_words(struct tree *t, const struct view_chain_match *m,
    const struct view_connection *c)
{
	struct slice wanted = some_of(t, m->snis, m->sni_count);

	if (c->sni.len == 0)
		return tree_printf(t, "server name is %.*s; none is asked for",
		    SLICE_ARG(wanted));
	return tree_printf(t, "server name is %.*s; it is \"%.*s\"",
	    SLICE_ARG(wanted), SLICE_ARG(c->sni));
}

static struct slice
alpn_words(struct tree *t, const struct view_chain_match *m,
    const struct view_connection *c)
{
	struct slice wanted = some_of(t, m->alpns, m->alpn_count);

	if (c->alpn_count == 0)
		return tree_printf(t,
		    "application protocol is %.*s; none is offered",
		    SLICE_ARG(wanted));
	return tree_printf(t, "application protocol is %.*s; it is %.*s",
	    SLICE_ARG(wanted), SLICE_ARG(some_of(t, c->alpns, c->alpn_count)));
}

struct slice
chains_misfit(struct tree *t, enum view_misfit misfit,
    const struct view_chain_match *m, const struct view_connection *c)
{
	switch (misfit) {
	case VIEW_FITS:
		break;
	case VIEW_OTHER_PORT:
		return tree_printf(t, "port is %u", (unsigned)m->port);
	case VIEW_OTHER_ADDRESS:
		return address_words(t, m, c);
	case VIEW_OTHER_SNI:
		return sni_words(t, m, c);
	case VIEW_OTHER_TRANSPORT:
		return m->transport == VIEW_PLAIN ? S("it comes without TLS")
						  : S("it comes with TLS");
	case VIEW_OTHER_ALPN:
		return alpn_words(t, m, c);
	}
	return S("");
}

static struct value *
chain_of(struct tree *t, const struct view_chain *chain,
    const struct view_connection *c)
{
	enum view_misfit misfit = view_chain_misfit(chain, c);
	struct value *map = tree_map(t);

	tree_put_text(t, map, "name", chain->name);
	tree_put_text(t, map, "origin", tree_origin(t, &chain->origin));
	tree_put_text(t, map, "why",
	    misfit == VIEW_FITS
		? S("others fit better, as far as they were asked")
		: tree_printf(t, "not so: %.*s",
		      SLICE_ARG(chains_misfit(t, misfit, &chain->match, c))));
	return map;
}

static bool
is_of_interest(const struct view_listener *l, const struct view_chain *chain,
    const struct view_chain *taken, const struct view_connection *c)
{
	enum view_misfit misfit = view_chain_misfit(chain, c);

	if (taken != NULL && (chain == taken || misfit == VIEW_FITS))
		return false;
	return l->addr.port != 0 || misfit != VIEW_OTHER_PORT;
}

struct value *
chains_tell(struct tree *t, const struct view_listener *l,
    const struct view_chain *taken, const struct view_connection *c)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < l->chain_count && list != NULL; i++) {
		const struct view_chain *chain = &l->chains[i];

		if (list->count == CHAINS_TOLD)
			break;
		if (is_of_interest(l, chain, taken, c))
			tree_add(t, list, chain_of(t, chain, c));
	}
	return list;
}
