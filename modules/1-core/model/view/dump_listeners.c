/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump_listeners — listeners, their chains and their routes as a tree.
 */
#include <stdlib.h>

#include "inside.h"
#include "tree.h"

static struct value *
names(struct tree *t, const struct slice *items, size_t count)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < count; i++)
		tree_add_text(t, list, items[i]);
	return list;
}

static struct value *
networks(struct tree *t, const struct cidr *items, size_t count)
{
	struct value *list = tree_list(t);
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		tree_add_text(t, list,
		    tree_printf(t, "%s", cidr_format(&items[i], text)));
	return list;
}

static struct value *
match(struct tree *t, const struct view_chain_match *m)
{
	static const char *const transports[] = {
	    [VIEW_ANY_TRANSPORT] = "",
	    [VIEW_PLAIN] = "plain",
	    [VIEW_TLS_TRANSPORT] = "tls",
	};
	struct value *map = tree_map(t);

	if (m->port != 0)
		tree_put_int(t, map, "port", m->port);
	tree_put(t, map, "addresses", networks(t, m->cidrs, m->cidr_count));
	tree_put(t, map, "serverNames", names(t, m->snis, m->sni_count));
	tree_put_text(t, map, "transport", slice_str(transports[m->transport]));
	tree_put(t, map, "alpn", names(t, m->alpns, m->alpn_count));
	return map;
}

static const char *
tls_mode(enum view_tls_mode m)
{
	static const char *const words[] = {
	    [VIEW_TLS_NONE] = "",
	    [VIEW_TLS_SIMPLE] = "SIMPLE",
	    [VIEW_TLS_MUTUAL] = "MUTUAL",
	    [VIEW_TLS_OPTIONAL] = "OPTIONAL_MUTUAL",
	    [VIEW_TLS_ISTIO_MUTUAL] = "ISTIO_MUTUAL",
	};

	return words[m];
}

static struct value *
chain(struct tree *t, const struct view_chain *c)
{
	struct value *map = tree_map(t);

	tree_put_text(t, map, "name", c->name);
	tree_put_text(t, map, "origin", tree_origin(t, &c->origin));
	tree_put(t, map, "match", match(t, &c->match));
	tree_put_text(t, map, "tls", slice_str(tls_mode(c->tls.mode)));
	if (c->routes != NULL)
		tree_put_text(t, map, "routes", c->routes->name);
	if (c->tcp != NULL)
		tree_put(t, map, "tcp", tree_tcp_route(t, c->tcp));
	return map;
}

static struct value *
listener(struct tree *t, const struct view_listener *l)
{
	static const char *const directions[] = {
	    [VIEW_OUTBOUND] = "outbound",
	    [VIEW_INBOUND] = "inbound",
	    [VIEW_GATEWAY] = "gateway",
	};
	struct value *map = tree_map(t);
	struct value *chains = tree_list(t);

	tree_put_text(t, map, "name", l->name);
	tree_put_text(t, map, "direction", slice_str(directions[l->direction]));
	tree_put_text(t, map, "address", tree_addr(t, &l->addr));
	tree_put_text(t, map, "path", l->path);
	tree_put_int(t, map, "port", l->addr.port);
	tree_put_bool(t, map, "bound", l->bound);
	tree_put_text(t, map, "origin", tree_origin(t, &l->origin));
	for (size_t i = 0; i < l->chain_count; i++)
		tree_add(t, chains, chain(t, &l->chains[i]));
	tree_put(t, map, "chains", chains);
	if (l->otherwise != NULL)
		tree_put(t, map, "otherwise", chain(t, l->otherwise));
	return map;
}

/* --- sets of routes ------------------------------------------------------ */

static int
by_text(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	return slice_cmp(*x, *y);
}

/* Each domain, and the virtual host that has it. */
static struct value *
domains(struct tree *t, const struct view_routes *r)
{
	struct value *list = tree_list(t);
	struct slice *keys =
	    arena_alloc_array(t->arena, r->domains.count + 1, sizeof(*keys));
	size_t at = 0, n = 0;
	void *host;

	if (keys == NULL) {
		t->full = true;
		return list;
	}
	while (map_next(&r->domains, &at, &keys[n], &host))
		n++;
	qsort(keys, n, sizeof(*keys), by_text);
	for (size_t i = 0; i < n; i++) {
		const struct view_host *h = map_get(&r->domains, keys[i]);

		tree_add_text(t, list,
		    tree_printf(t, "%.*s → %.*s", SLICE_ARG(keys[i]),
			SLICE_ARG(h->name)));
	}
	return list;
}

static struct value *
routes(struct tree *t, const struct view_routes *r)
{
	struct value *map = tree_map(t);

	tree_put_text(t, map, "name", r->name);
	tree_put(t, map, "domains", domains(t, r));
	if (r->any != NULL)
		tree_put_text(t, map, "otherwise", r->any->name);
	return map;
}

struct value *
tree_scope(struct tree *t, const struct scope *s)
{
	struct value *map = tree_map(t);
	struct value *listeners = tree_list(t), *sets = tree_list(t);

	tree_put_text(t, map, "namespace", s->row.ns);
	tree_put(t, map, "labels", tree_labels(t, &s->row.labels));
	if (s->sidecar != NULL)
		tree_put_text(t, map, "sidecar",
		    tree_printf(t, "%.*s/%.*s", SLICE_ARG(s->sidecar->key.ns),
			SLICE_ARG(s->sidecar->key.name)));
	for (size_t i = 0; i < ARRAY_LEN(s->listeners); i++)
		for (size_t j = 0; j < s->listeners[i].count; j++)
			tree_add(t, listeners,
			    listener(t, s->listeners[i].items[j]));
	for (size_t i = 0; i < s->routes.count; i++)
		tree_add(t, sets, routes(t, s->routes.items[i]));
	tree_put(t, map, "listeners", listeners);
	tree_put(t, map, "routes", sets);
	return map;
}
