/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bindings — the VirtualServices of a server, by index as by a walk.
 */
#include <stdio.h>

#include "compiled.h"
#include "unit.h"
#include "view/servers.h"

enum { SEEDS = 300, RULES = 24, HOSTS_MAX = 3, YAML_MAX = RULES * 512 };

static const char *const hosts[] = {"a.b.com", "b.com", "*.b.com", "*.com", "*",
    "x.a.b.com", "*.a.b.com", "*-a.b.com", "y-a.b.com", "c.com", "*.c.com",
    "*x.com", "xx.com"};
static const char *const served[] = {
    "a.b.com", "*.b.com", "*.com", "*", "y-a.b.com", "c.com", "xx.com", "e.f"};

struct world {
	struct rng rng;
	struct compiled c;
	struct builder b;
	struct bindings g;
	struct served_host served[HOSTS_MAX];
	struct served s;
};

static const char *
any_of(struct world *w, const char *const *items, size_t count)
{
	return items[rng_below(&w->rng, count)];
}

/* One of the gateway's namespace, or not; of one age, or not. */
static void
add_rule(struct world *w, char yaml[YAML_MAX], size_t i)
{
	size_t n = strlen(yaml);

	(void)snprintf(yaml + n, YAML_MAX - n,
	    "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: v%zu, namespace: %s, creationTimestamp: "
	    "'2026-01-0%uT00:00:00Z'}\n"
	    "spec: {hosts: ['%s'], gateways: [one/gw], exportTo: ['%s'], "
	    "http: [{redirect: {uri: /}}]}\n",
	    i, rng_below(&w->rng, 2) == 0 ? "one" : "two",
	    1 + (unsigned)rng_below(&w->rng, 3),
	    any_of(w, hosts, ARRAY_LEN(hosts)),
	    rng_below(&w->rng, 2) == 0 ? "*" : "one");
}

static void
world_init(struct world *w, uint64_t seed)
{
	static const struct view_input place = {
	    .proxy = VIEW_ROUTER, .ns = {"one", 3}};
	static const struct mesh_config mesh;
	static char yaml[YAML_MAX];

	memset(w, 0, sizeof(*w));
	rng_init(&w->rng, seed);
	yaml[0] = '\0';
	for (size_t i = 0; i < RULES; i++)
		add_rule(w, yaml, i);
	compiled_init_from(&w->c, yaml, &place);
	w->b = (struct builder){.v = w->c.v,
	    .arena = &w->c.v->arena,
	    .in = &place,
	    .mesh = &mesh,
	    .scope = w->c.v->scopes.items[0]};
	bindings_init(&w->b, &w->g);
	w->s = (struct served){.name = S("one/gw"),
	    .hosts = w->served,
	    .host_count = 1 + rng_below(&w->rng, HOSTS_MAX)};
	for (size_t i = 0; i < w->s.host_count; i++)
		w->served[i] = (struct served_host){
		    rng_below(&w->rng, 3) == 0 ? S("two") : S(""),
		    slice_str(any_of(w, served, ARRAY_LEN(served)))};
}

static void
world_fini(struct world *w)
{
	bindings_fini(&w->g);
	map_fini(&w->b.service_by_host, NULL);
	map_fini(&w->b.two_labels, NULL);
	compiled_fini(&w->c);
}

static bool
meets(const struct world *w, const struct resource *r)
{
	const struct slice *text = resource_virtual_service(r)->hosts.items;
	const struct bound v = {.resource = r};
	struct slice ignored;

	for (size_t i = 0; i < w->s.host_count; i++)
		if (served_meets(&w->served[i], &v, *text, &ignored))
			return true;
	return false;
}

/* Shown to one namespace alone: its own first, then others'; then the rest. */
static int
sight(const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	if (slice_eq(vs->export_to.items[0], S("*")))
		return 2;
	return slice_eq(r->key.ns, S("one")) ? 0 : 1;
}

static bool
is_before(const struct resource *a, const struct resource *b)
{
	return sight(a) != sight(b) ? sight(a) < sight(b)
				    : resource_age_cmp(a, b) < 0;
}

TEST(the_index_finds_each_that_meets_the_server_once_and_in_order)
{
	static struct world w;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		const struct resource *last = NULL;
		struct rows found = {0};
		size_t wanted = 0;

		world_init(&w, seed);
		find_bound(&w.g, &w.s, &found);
		for (size_t i = 0; i < w.c.l.count; i++)
			wanted += meets(&w, w.c.l.items[i]);
		if (found.count != wanted)
			(void)fprintf(
			    stderr, "seed %llu\n", (unsigned long long)seed);
		EXPECT_EQ(found.count, wanted);
		for (size_t i = 0; i < found.count; i++) {
			const struct bound *v = found.items[i];

			EXPECT_TRUE(meets(&w, v->resource));
			EXPECT_TRUE(
			    last == NULL || is_before(last, v->resource));
			last = v->resource;
		}
		rows_fini(&found);
		world_fini(&w);
	}
}

TEST(a_gateway_is_named_in_several_ways)
{
	static const struct {
		struct slice text, ns, name;
	} rows[] = {
	    {{"gw", 2}, {"own", 3}, {"gw", 2}},
	    {{"shop/gw", 7}, {"shop", 4}, {"gw", 2}},
	    {{"gw.shop", 7}, {"shop", 4}, {"gw", 2}},
	    {{"gw.shop.svc.cluster.local", 25}, {"shop", 4}, {"gw", 2}},
	};
	struct slice ns, name;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		gateway_name_split(rows[i].text, S("own"), &ns, &name);
		EXPECT_SLICE(ns, rows[i].ns);
		EXPECT_SLICE(name, rows[i].name);
	}
}
