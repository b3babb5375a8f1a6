/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches — a view of before with other endpoints is the view that is made
 * from nothing.
 */
#include <stdio.h>

#include "random.h"
#include "unit.h"

enum { SEEDS = 2000, RESOURCES = 8, SERVINGS = 9, MOST = 4, STEPS = 6 };

struct world {
	struct rng rng;
	struct resource *items[RESOURCES];
	size_t count;
	struct view_endpoint_input endpoints[SERVINGS][MOST];
	struct view_serving servings[SERVINGS];
	struct view_service_input told;
	struct addr own;
	struct view_input in;
};

static const char *const names[] = {"web", "cart", "db"};
static const char *const spaces[] = {"shop", "pay", "istio-system"};

static void
fill(struct world *w, struct view_serving *s, struct view_endpoint_input *all)
{
	static const struct label labels[] = {
	    {{"version", 7}, {"v1", 2}}, {{"version", 7}, {"v2", 2}}};
	static const uint16_t ports[] = {80, 8080, 3306, 9000};

	s->count = rng_below(&w->rng, MOST + 1);
	s->version++;
	for (size_t i = 0; i < s->count; i++)
		all[i] = (struct view_endpoint_input){.service = s->service,
		    .service_ns = s->ns,
		    .service_port = ports[rng_below(&w->rng, 4)],
		    .addr = {ADDR_V4,
			{10, 0, 0, (uint8_t)rng_below(&w->rng, 6)}, 8080},
		    .network = rng_below(&w->rng, 8) ? S("") : S("far"),
		    .node = S("n"),
		    .workload = s->service,
		    .ns = s->ns,
		    .account = S("a"),
		    .labels = {&labels[rng_below(&w->rng, 2)], 1},
		    .locality = rng_below(&w->rng, 2) ? S("a/b/c") : S("x/y/z"),
		    .weight = (uint32_t)rng_below(&w->rng, 3),
		    .health = (enum view_health)rng_below(&w->rng, 4)};
}

static void
world_init(struct world *w, uint64_t seed)
{
	static const struct view_port_input port = {
	    9000, {"tcp", 3}, {"tcp", 3}};

	*w = (struct world){.own = {ADDR_V4, {10, 0, 0, 5}, 0}};
	rng_init(&w->rng, seed);
	random_place(&w->rng, &w->in);
	while (w->count < RESOURCES)
		w->items[w->count++] = random_resource(&w->rng);
	for (size_t i = 0; i < SERVINGS; i++) {
		w->servings[i] =
		    (struct view_serving){.service = slice_str(names[i % 3]),
			.ns = slice_str(spaces[i / 3]),
			.endpoints = w->endpoints[i]};
		fill(w, &w->servings[i], w->endpoints[i]);
	}
	w->told = (struct view_service_input){
	    S("web"), S("shop"), &port, 1, S("a record")};
	w->in.services = &w->told;
	w->in.service_count = rng_below(&w->rng, 2);
	w->in.addrs = &w->own;
	w->in.addr_count = rng_below(&w->rng, 2);
	w->in.resources = (const struct resource *const *)w->items;
	w->in.resource_count = w->count;
	w->in.servings = w->servings;
	w->in.serving_count = SERVINGS;
}

static void
world_fini(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		resource_unref(&w->items[i]);
}

static struct view *
compile(const struct world *w, const struct view *before, uint64_t version)
{
	struct view_input in = w->in;
	struct view *v;

	in.before = before;
	in.version = version;
	EXPECT_OK(view_compile(&in, &v, NULL));
	return v;
}

static void
compare(const struct world *w, const struct view *v, uint64_t seed)
{
	AUTO(view_unref) struct view *alone = compile(w, NULL, 0);

	if (view_fingerprint(v) != view_fingerprint(alone))
		printf("seed %llu\n", (unsigned long long)seed);
	EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
}

TEST(endpoints_step_by_step_are_endpoints_at_once)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct view *v;
		struct world w;

		world_init(&w, seed);
		v = compile(&w, NULL, 1);
		for (size_t i = 0; i < STEPS; i++) {
			size_t n = rng_below(&w.rng, SERVINGS);
			struct view *before = v;

			fill(&w, &w.servings[n], w.endpoints[n]);
			v = compile(&w, before, 1);
			view_unref(&before);
			compare(&w, v, seed);
		}
		view_unref(&v);
		world_fini(&w);
	}
}

/* Routes name the clusters of the first; what they have now is the last's. */
TEST(what_routes_name_has_the_endpoints_of_now)
{
	struct world w;
	struct view *v, *before;
	const struct view_cluster *c;
	const struct view_host *h;

	world_init(&w, 1);
	w.in.proxy = VIEW_SIDECAR;
	w.in.resource_count = 0;
	w.in.service_count = 1;
	w.in.ns = S("shop");
	w.servings[0].count = 0;
	before = compile(&w, NULL, 1);
	w.endpoints[0][0] = (struct view_endpoint_input){.service = S("web"),
	    .service_ns = S("shop"),
	    .service_port = 9000,
	    .addr = {ADDR_V4, {10, 0, 0, 1}, 9000},
	    .weight = 1};
	w.servings[0].count = 1;
	w.servings[0].version++;
	v = compile(&w, before, 1);
	h = view_find_host(v, NULL, S("web"), 9000);
	EXPECT_TRUE(h != NULL);
	EXPECT_TRUE(view_find_host(before, NULL, S("web"), 9000) == h);
	c = h->tcp[0].destinations[0].cluster;
	EXPECT_EQ(view_cluster_now(before, c)->usable_count, 0);
	EXPECT_EQ(view_cluster_now(v, c)->usable_count, 1);
	EXPECT_TRUE(view_find_cluster(v, c->name) == view_cluster_now(v, c));
	view_unref(&before); /* its rows live on */
	EXPECT_SLICE(c->name, S("outbound|9000||web.shop.svc.cluster.local"));
	view_unref(&v);
	world_fini(&w);
}

TEST(the_same_endpoints_are_the_same_view)
{
	AUTO(view_unref) struct view *v = NULL;
	AUTO(view_unref) struct view *again = NULL;
	struct world w;

	world_init(&w, 2);
	v = compile(&w, NULL, 1);
	again = compile(&w, v, 1);
	EXPECT_TRUE(again == v);
	world_fini(&w);
}
