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
	if (m->members != NULL)
		tree_put_text(t, map, "membersOf", m->members->name);
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
list_domains(struct tree *t, const struct view *v, const struct view_routes *r,
    struct domain **out)
{
	struct domain *all = arena_alloc_array(
	    t->arena, r->domains.count + v->more_hosts.count + 1, sizeof(*all));
	size_t n = 0;
	struct slice name;
	void *host;

	t->full = t->full || all == NULL;
	if (all == NULL)
		return 0;
	for (size_t i = 0; map_next(&r->domains, &i, &name, &host);)
		if (view_host_now(v, host) != NULL)
			all[n++] = (struct domain){name, host};
	for (size_t i = 0; map_next(&v->more_hosts, &i, &name, &host);)
		if (((const struct more_host *)host)->routes == r)
			all[n++] = (struct domain){
			    slice_sub(name, sizeof(r), name.len), host};
	if (r->any != NULL && view_host_now(v, r->any) != NULL)
		all[n++] = (struct domain){S("*"), r->any};
	if (n > 0)
		qsort(all, n, sizeof(*all), by_name);
	*out = all;
	return n;
}

static struct value *
routes(struct tree *t, const struct view *v, const struct view_routes *r)
{
	struct value *map = tree_map(t), *domains = tree_map(t);
	struct domain *all = NULL;
	size_t n = list_domains(t, v, r, &all);

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
	size_t n = list_domains(t, v, r, &all);

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
chain(struct tree *t, const struct view *v, const struct view_chain *c)
{
	const struct view_guard *g = view_guard_now(v, c->guard);
	struct value *map = tree_map(t);

	tree_put_text(t, map, "name", c->name);
	tree_put(t, map, "match", match(t, &c->match));
	put_tls(t, map, c);
	if (c->routes != NULL)
		tree_put_text(t, map, "routes", c->routes->name);
	else
		tree_put(t, map, "tcp", tree_tcp_route(t, c->tcp));
	if (c->grpc_web)
		tree_put_bool(t, map, "grpcWeb", true);
	if (c->refuses_bytes)
		tree_put_bool(t, map, "refusesBytes", true);
	tree_put(t, map, "access", tree_access(t, g->access));
	tree_put(t, map, "tokens", tree_authn(t, g->authn));
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
	if (l->proxies)
		tree_put_bool(t, map, "proxies", true);
	if (l->reads_proxy_header)
		tree_put_bool(t, map, "readsProxyHeader", true);
	tree_put_bool(t, map, "sniffsHttp", l->sniffs_http);
	tree_put_bool(t, map, "sniffsTls", l->sniffs_tls);
	for (size_t i = 0; i < l->chain_count; i++) {
		const struct view_chain *c = &l->chains[i];
		struct value *one = chain(t, v, c);

		/* Those of programs' calls are among the view's hosts. */
		if (l->direction != VIEW_OUTBOUND && c->routes != NULL &&
		    c->routes != last)
			tree_put(t, one, "hosts", hosts(t, v, c->routes));
		last = c->routes != NULL ? c->routes : last;
		tree_add(t, chains, one);
	}
	tree_put(t, map, "chains", chains);
	if (l->otherwise != NULL)
		tree_put(t, map, "otherwise", chain(t, v, l->otherwise));
	tree_put_text(t, map, "origin", tree_origin(t, &l->origin));
	return map;
}

/* --- sets of routes ------------------------------------------------------- */

/* Those that listeners lead to, in the order of both. */
struct sets {
	struct tree *t;
	struct map known; /* the address of one → anything */
	struct rows all;  /* struct set */
};

struct set {
	const struct view_routes *routes;
	size_t at;
};

/* And the set that it is a part of. */
static void
list_set(struct sets *sets, const struct view_routes *r)
{
	for (; r != NULL; r = r->of) {
		struct slice key = slice_of(&r, sizeof(r));
		struct set *set;

		if (map_get(&sets->known, key) != NULL)
			return;
		set = arena_alloc(sets->t->arena, sizeof(*set));
		sets->t->full = sets->t->full || set == NULL;
		if (set == NULL)
			return;
		*set = (struct set){r, sets->all.count};
		(void)map_put(&sets->known, key, set); /* was not there */
		rows_add(&sets->all, set);
	}
}

static int
by_set(const void *a, const void *b)
{
	const struct set *const *x = a;
	const struct set *const *y = b;
	int n = slice_cmp((*x)->routes->name, (*y)->routes->name);

	return n != 0 ? n : ((*x)->at > (*y)->at) - ((*x)->at < (*y)->at);
}

/* Those of a patch lie elsewhere, and it may leave some of its base unused. */
static void
list_sets(struct sets *sets, const struct view_listener *l)
{
	for (size_t i = 0; i < l->chain_count; i++)
		list_set(sets, l->chains[i].routes);
	if (l->otherwise != NULL)
		list_set(sets, l->otherwise->routes);
}

static struct value *
tell_sets(struct sets *sets, const struct view *v)
{
	struct value *list = tree_list(sets->t);

	rows_sort(&sets->all, by_set);
	for (size_t i = 0; i < sets->all.count; i++)
		tree_add(sets->t, list,
		    routes(sets->t, v,
			((const struct set *)sets->all.items[i])->routes));
	rows_fini(&sets->all);
	map_fini(&sets->known, NULL);
	return list;
}

struct value *
tree_place(struct tree *t, const struct view *v, const struct view_scope *of)
{
	struct value *map = tree_map(t);
	const struct view_listener *const *all;
	struct sets sets = {.t = t};
	size_t count;

	map_init(&sets.known);
	tree_put_text(t, map, "namespace", of->ns);
	tree_put(t, map, "labels", tree_labels(t, &of->labels));
	for (size_t d = 0; d < VIEW_DIRECTIONS; d++) {
		struct value *list = tree_list(t);

		all = view_listeners(v, of, (enum view_direction)d, &count);
		for (size_t i = 0; i < count; i++) {
			list_sets(&sets, all[i]);
			tree_add(t, list, listener(t, v, all[i]));
		}
		tree_put(
		    t, map, view_direction_name((enum view_direction)d), list);
	}
	tree_put(t, map, "routes", tell_sets(&sets, v));
	return map;
}
