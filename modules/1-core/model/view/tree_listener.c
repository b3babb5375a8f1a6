/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_listener — listeners, chains and sets of routes as values.
 */
#include <stdlib.h>

#include "inside.h"
#include "tree.h"

static struct value *
texts(struct tree *t, const struct slice *items, size_t count)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < count; i++)
		tree_add_text(t, list, items[i]);
	return list;
}

static struct value *
match(struct tree *t, const struct view_chain_match *m)
{
	static const char *const transports[] = {[VIEW_ANY_TRANSPORT] = "",
	    [VIEW_PLAIN] = "raw_buffer",
	    [VIEW_TLS_TRANSPORT] = "tls"};
	struct value *map = tree_map(t), *cidrs = tree_list(t);
	char text[ADDR_TEXT_MAX];

	if (m->port != 0)
		tree_put_int(t, map, "port", m->port);
	for (size_t i = 0; i < m->cidr_count; i++)
		tree_add_text(t, cidrs,
		    tree_printf(t, "%s", cidr_format(&m->cidrs[i], text)));
	tree_put(t, map, "addresses", cidrs);
	tree_put(t, map, "snis", texts(t, m->snis, m->sni_count));
	tree_put_text(t, map, "transport", slice_str(transports[m->transport]));
	tree_put(t, map, "alpns", texts(t, m->alpns, m->alpn_count));
	return map;
}

static void
put_tls(struct tree *t, struct value *map, const struct view_chain *c)
{
	tree_put_text(
	    t, map, "tls", slice_str(view_tls_mode_name(c->tls.mode)));
	tree_put(
	    t, map, "secrets", texts(t, c->tls.secrets, c->tls.secret_count));
	tree_put_text(t, map, "caSecret", c->tls.ca_secret);
	if (c->peers == MUTUAL_TLS_UNSET)
		return;
	tree_put_text(
	    t, map, "mutualTls", slice_str(mutual_tls_mode_name(c->peers)));
	tree_put_text(
	    t, map, "mutualTlsOrigin", tree_origin(t, &c->peers_origin));
}

/* --- virtual hosts -------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	const struct domain *x = a, *y = b;

	return slice_cmp(x->name, y->name);
}

/* All of its domains by name. Returns how many. */
static size_t
list_domains(struct tree *t, const struct view_routes *r, struct domain **out)
{
	struct domain *all =
	    arena_alloc_array(t->arena, r->domains.count + 1, sizeof(*all));
	size_t n = 0;
	void *host;

	t->full = t->full || all == NULL;
	if (all == NULL)
		return 0;
	for (size_t i = 0; map_next(&r->domains, &i, &all[n].name, &host); n++)
		all[n].host = host;
	if (r->any != NULL)
		all[n++] = (struct domain){S("*"), r->any};
	if (n > 0)
		qsort(all, n, sizeof(*all), by_name);
	*out = all;
	return n;
}

static struct value *
routes(struct tree *t, const struct view_routes *r)
{
	struct value *map = tree_map(t), *domains = tree_map(t);
	struct domain *all = NULL;
	size_t n = list_domains(t, r, &all);

	tree_put_text(t, map, "name", r->name);
	for (size_t i = 0; i < n && !t->full; i++)
		if (value_set(domains, all[i].name,
			value_new_string(t->arena, all[i].host->name)) != OK)
			t->full = true;
	tree_put(t, map, "domains", domains);
	return map;
}

static int
by_host(const void *a, const void *b)
{
	const struct domain *x = a, *y = b;
	int n = slice_cmp(x->host->name, y->host->name);

	return n != 0 ? n : slice_cmp(x->name, y->name);
}

/* Each once, of a set whose hosts are told nowhere else. */
static struct value *
hosts(struct tree *t, const struct view *v, const struct view_routes *r)
{
	struct value *list = tree_list(t);
	struct domain *all = NULL;
	size_t n = list_domains(t, r, &all);

	if (n > 0)
		qsort(all, n, sizeof(*all), by_host);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || all[i].host != all[i - 1].host)
			tree_add(t, list,
			    tree_host(t, view_host_now(v, all[i].host)));
	return list;
}

/* --- listeners ------------------------------------------------------------ */

static struct value *
chain(struct tree *t, const struct view_chain *c)
{
	struct value *map = tree_map(t);

	tree_put_text(t, map, "name", c->name);
	tree_put(t, map, "match", match(t, &c->match));
	put_tls(t, map, c);
	if (c->routes != NULL)
		tree_put_text(t, map, "routes", c->routes->name);
	else
		tree_put(t, map, "tcp", tree_tcp_route(t, c->tcp));
	tree_put(t, map, "access", tree_access(t, c->access));
	tree_put(t, map, "tokens", tree_authn(t, c->authn));
	tree_put_text(t, map, "origin", tree_origin(t, &c->origin));
	return map;
}

static struct value *
listener(struct tree *t, const struct view *v, const struct view_listener *l)
{
	struct value *map = tree_map(t), *chains = tree_list(t);
	const struct view_routes *last = NULL;

	tree_put_text(t, map, "name", l->name);
	if (l->addr.family != ADDR_NONE)
		tree_put_text(t, map, "address", tree_addr(t, &l->addr));
	else
		tree_put_int(t, map, "port", l->addr.port);
	tree_put_text(t, map, "path", l->path);
	tree_put_bool(t, map, "bound", l->bound);
	tree_put_bool(t, map, "sniffsHttp", l->sniffs_http);
	tree_put_bool(t, map, "sniffsTls", l->sniffs_tls);
	for (size_t i = 0; i < l->chain_count; i++) {
		const struct view_chain *c = &l->chains[i];
		struct value *one = chain(t, c);

		/* Those of programs' calls are among the view's hosts. */
		if (l->direction != VIEW_OUTBOUND && c->routes != NULL &&
		    c->routes != last)
			tree_put(t, one, "hosts", hosts(t, v, c->routes));
		last = c->routes != NULL ? c->routes : last;
		tree_add(t, chains, one);
	}
	tree_put(t, map, "chains", chains);
	if (l->otherwise != NULL)
		tree_put(t, map, "otherwise", chain(t, l->otherwise));
	tree_put_text(t, map, "origin", tree_origin(t, &l->origin));
	return map;
}

struct value *
tree_place(struct tree *t, const struct view *v, const struct view_scope *of)
{
	const struct scope *s = scope_const(of);
	struct value *map = tree_map(t), *sets = tree_list(t);

	tree_put_text(t, map, "namespace", of->ns);
	tree_put(t, map, "labels", tree_labels(t, &of->labels));
	for (size_t d = 0; d < VIEW_DIRECTIONS; d++) {
		struct value *list = tree_list(t);

		for (size_t i = 0; i < s->listeners[d].count; i++)
			tree_add(
			    t, list, listener(t, v, s->listeners[d].items[i]));
		tree_put(
		    t, map, view_direction_name((enum view_direction)d), list);
	}
	for (size_t i = 0; i < s->routes.count; i++)
		tree_add(t, sets, routes(t, s->routes.items[i]));
	tree_put(t, map, "routes", sets);
	return map;
}
