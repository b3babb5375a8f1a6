/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump — a whole view as a tree, and as a number.
 */
#include "authn.h"
#include "inside.h"
#include "tree.h"

static struct value *
destinations(struct tree *t, const struct view_destination *items, size_t count,
    uint32_t weight_total)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < count; i++)
		tree_add(t, list, tree_destination(t, &items[i], weight_total));
	return list;
}

static struct value *
match(struct tree *t, const struct view_match *m)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < m->count; i++)
		tree_add_text(t, list, tree_condition(t, &m->conditions[i]));
	return list;
}

static struct value *
http_route(struct tree *t, const struct view_http_route *r)
{
	struct value *map = tree_map(t);
	struct value *matches = tree_list(t);

	tree_put_text(t, map, "name", r->name);
	tree_put_text(t, map, "origin", tree_origin(t, &r->origin));
	for (size_t i = 0; i < r->match_count; i++)
		tree_add(t, matches, match(t, &r->matches[i]));
	tree_put(t, map, "matches", matches);
	tree_put(t, map, "destinations",
	    destinations(
		t, r->destinations, r->destination_count, r->weight_total));
	tree_put(t, map, "action", tree_http_action(t, r));
	return map;
}

struct value *
tree_tcp_route(struct tree *t, const struct view_tcp_route *r)
{
	struct value *map = tree_map(t);
	struct value *ports = tree_list(t);

	tree_put_text(t, map, "origin", tree_origin(t, &r->origin));
	for (size_t i = 0; i < r->port_count; i++)
		tree_add(t, ports, value_new_int(t->arena, r->ports[i]));
	tree_put(t, map, "ports", ports);
	tree_put_text(t, map, "never", r->never);
	tree_put(t, map, "destinations",
	    destinations(
		t, r->destinations, r->destination_count, r->weight_total));
	tree_put_bool(t, map, "hashesSource", r->hashes_source);
	return map;
}

struct value *
tree_host(struct tree *t, const struct view_host *h)
{
	struct value *map = tree_map(t);
	struct value *http = tree_list(t);
	struct value *tcp = tree_list(t);

	tree_put_text(t, map, "name", h->name);
	tree_put_text(t, map, "host", h->host);
	tree_put_int(t, map, "port", h->port);
	tree_put_text(
	    t, map, "protocol", slice_str(view_protocol_name(h->protocol)));
	tree_put_text(t, map, "origin", tree_origin(t, &h->origin));
	for (size_t i = 0; i < h->http_count; i++)
		tree_add(t, http, http_route(t, &h->http[i]));
	for (size_t i = 0; i < h->tcp_count; i++)
		tree_add(t, tcp, tree_tcp_route(t, &h->tcp[i]));
	tree_put(t, map, "http", http);
	tree_put(t, map, "tcp", tcp);
	return map;
}

static struct value *
upstream(struct tree *t, const struct view_upstream *u)
{
	struct value *map = tree_map(t);

	tree_put_text(t, map, "name", u->name);
	tree_put_text(t, map, "listen", tree_addr(t, &u->listen));
	tree_put_text(t, map, "identity", u->caller.identity);
	if (u->host != NULL)
		tree_put_text(t, map, "virtualHost", u->host->name);
	tree_put_text(t, map, "missing", u->missing);
	return map;
}

static struct value *
exposed(struct tree *t, const struct view *v, const struct view_exposed *e)
{
	const struct view_guard *g = view_guard_now(v, e->guard);
	struct value *map = tree_map(t);

	tree_put_text(t, map, "service", e->host);
	tree_put_int(t, map, "port", e->port);
	tree_put_text(
	    t, map, "protocol", slice_str(view_protocol_name(e->protocol)));
	tree_put_text(t, map, "address", tree_addr(t, &e->addr));
	tree_put_text(t, map, "target", tree_addr(t, &e->target));
	tree_put_text(t, map, "identity", e->identity);
	tree_put(t, map, "labels", tree_labels(t, &e->labels));
	tree_put(t, map, "access", tree_access(t, g->access));
	tree_put(t, map, "tokens", tree_authn(t, g->authn));
	return map;
}

static struct value *
problem(struct tree *t, const struct view_problem *p)
{
	struct value *map = tree_map(t);
	char key[RESOURCE_KEY_MAX];

	if (p->origin.key.kind.len > 0)
		tree_put_text(t, map, "resource",
		    tree_printf(
			t, "%s", resource_key_format(&p->origin.key, key)));
	tree_put_text(t, map, "origin", tree_origin(t, &p->origin));
	tree_put_text(t, map, "text", p->text);
	return map;
}

static struct value *
everything(struct tree *t, const struct view *v)
{
	struct value *map = tree_map(t);
	struct value *hosts = tree_list(t), *clusters = tree_list(t);
	struct value *upstreams = tree_list(t), *exposures = tree_list(t);
	struct value *problems = tree_list(t), *addrs = tree_list(t);
	struct value *places = tree_list(t);
	const struct view_host *host;
	const struct view_cluster *cluster;

	for (size_t i = 0; i < v->addr_count; i++)
		tree_add_text(t, addrs, tree_addr(t, &v->addrs[i]));
	for (size_t i = 0; (host = view_next_host(v, &i)) != NULL;)
		tree_add(t, hosts, tree_host(t, host));
	for (size_t i = 0; (cluster = view_next_cluster(v, &i)) != NULL;)
		tree_add(t, clusters, tree_cluster(t, cluster));
	for (size_t i = 0; i < v->upstream_count; i++)
		tree_add(t, upstreams, upstream(t, &v->upstreams[i]));
	for (size_t i = 0; i < v->exposed_count; i++)
		tree_add(t, exposures, exposed(t, v, &v->exposed[i]));
	for (size_t i = 0; i < v->problem_count; i++)
		tree_add(t, problems, problem(t, &v->problems[i]));
	for (size_t i = 0; i < v->scopes.count; i++)
		tree_add(t, places, tree_place(t, v, v->scopes.items[i]));
	tree_put_text(t, map, "domain", v->domain);
	tree_put_text(t, map, "trustDomain", v->trust_domain);
	tree_put_text(t, map, "pathNormalization",
	    slice_str(path_normalization_name(v->normalization)));
	tree_put_text(t, map, "namespace",
	    ((const struct scope *)v->scopes.items[0])->row.ns);
	tree_put(t, map, "addresses", addrs);
	tree_put(t, map, "upstreams", upstreams);
	tree_put(t, map, "exposed", exposures);
	tree_put(t, map, "hosts", hosts);
	tree_put(t, map, "places", places);
	tree_put(t, map, "clusters", clusters);
	tree_put(t, map, "problems", problems);
	return map;
}

struct value *
view_dump(const struct view *v, struct arena *arena)
{
	struct tree t = {.arena = arena};
	struct value *map = everything(&t, v);

	tree_put_int(&t, map, "generation", (int64_t)v->generation);
	return t.full ? NULL : map;
}

/* FNV-1a's step over the hash of each part keeps the order. */
static uint64_t
hash_of(const struct value *v)
{
	enum { PRIME = 0x1b3 };
	uint64_t h = slice_hash_stable(v->key) ^ (uint64_t)v->type;

	if (v->type == VALUE_STRING)
		h ^= slice_hash_stable(v->string) * PRIME;
	else if (v->type == VALUE_INT)
		h ^= (uint64_t)v->integer * PRIME;
	else if (v->type == VALUE_BOOL)
		h ^= (uint64_t)v->boolean * PRIME;
	else if (v->type == VALUE_FLOAT)
		h ^= slice_hash_stable(slice_of(&v->real, sizeof(v->real))) *
		     PRIME;
	VALUE_EACH(v, it)
	{
		h = (h ^ hash_of(it)) * UINT64_C(0x100000001b3);
	}
	return h;
}

uint64_t
view_fingerprint(const struct view *v)
{
	AUTO(arena_fini) struct arena a;
	struct tree t;
	struct value *map;

	arena_init(&a, VIEW_BYTES_MAX);
	t = (struct tree){.arena = &a};
	map = everything(&t, v);
	return t.full ? 0 : hash_of(map);
}
