/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches — a view of before with other endpoints, or with rules that say
 * something else about their hosts, is the view that is made from nothing, and
 * what it does to calls is told in the same words.
 */
#include <stdio.h>

#include "load.h"
#include "random.h"
#include "unit.h"

enum {
	SEEDS = 2000,
	FEW_SEEDS = 400,
	RULES = 5, /* of the resources the last, see random_again() */
	RESOURCES = 7 + RULES,
	SERVINGS = 9,
	MOST = 4,
	STEPS = 6,
	EFFECTS_BYTES = 4 << 20
};

struct world {
	struct rng rng;
	uint64_t seed, revision;
	uint64_t heads[RESOURCES]; /* of rules */
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

/* Few worlds have two of one key, of which the newer counts. */
static bool
is_welcome(const struct world *w, const struct resource *r)
{
	for (size_t i = 0; w->seed % 8 != 0 && i < w->count; i++)
		if (resource_key_eq(&w->items[i]->key, &r->key))
			return false;
	return true;
}

static void
fill_resources(struct world *w)
{
	while (w->count < RESOURCES) {
		bool is_rule = w->count >= RESOURCES - RULES;
		uint64_t head = rng_u64(&w->rng);
		struct resource *r = is_rule ? random_again(&w->rng, head)
					     : random_resource(&w->rng);

		if (is_welcome(w, r)) {
			w->heads[w->count] = head;
			w->items[w->count++] = r;
		} else {
			resource_unref(&r);
		}
	}
}

static void
world_init(struct world *w, uint64_t seed)
{
	static const struct view_port_input port = {
	    9000, {"tcp", 3}, {"tcp", 3}};
	static const struct view_upstream_input upstreams[] = {
	    {.name = {"a", 1}, .host = {"web.shop", 8}, .ns = {"shop", 4}},
	    {.name = {"b", 1}, .host = {"cart", 4}, .ns = {"pay", 3}}};

	*w = (struct world){.seed = seed, .own = {ADDR_V4, {10, 0, 0, 5}, 0}};
	rng_init(&w->rng, seed);
	random_place(&w->rng, &w->in);
	fill_resources(w);
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
	w->in.upstreams = upstreams; /* so there are scopes of others */
	w->in.upstream_count = rng_below(&w->rng, 3);
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

/* How many there are; a patch shares most rows with the view of before. */
static size_t
compare_effects(
    const struct view *before, const struct view *v, const struct view *alone)
{
	struct arena arena;
	const struct value *told, *of_alone;
	size_t count;

	arena_init(&arena, EFFECTS_BYTES);
	told = view_effects(before, v, &arena);
	of_alone = view_effects(before, alone, &arena);
	EXPECT_TRUE(told != NULL && of_alone != NULL);
	EXPECT_TRUE(value_eq(told, of_alone));
	count = told->count;
	arena_fini(&arena);
	return count;
}

static size_t
compare(const struct world *w, const struct view *before, const struct view *v)
{
	AUTO(view_unref) struct view *alone = compile(w, NULL, 0);

	if (view_fingerprint(v) != view_fingerprint(alone))
		printf("seed %llu\n", (unsigned long long)w->seed);
	EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
	return compare_effects(before, v, alone);
}

static void
change_serving(struct world *w)
{
	size_t n = rng_below(&w->rng, SERVINGS);

	fill(w, &w->servings[n], w->endpoints[n]);
}

static void
change_rule(struct world *w)
{
	size_t n = RESOURCES - 1 - rng_below(&w->rng, RULES);

	resource_unref(&w->items[n]);
	w->items[n] = random_again(&w->rng, w->heads[n]);
	w->items[n]->revision = ++w->revision;
	if (rng_below(&w->rng, 2) == 0)
		w->items[n]->file = S(""); /* then the revision is told */
}

/* It has the rows that a patch leaves as they are. */
static bool
is_patch(const struct view *v, const struct view *before)
{
	size_t count;

	return view_upstreams(v, &count) == view_upstreams(before, &count);
}

/* One step at a time; how many of the views were patches. Many say something
 * else about calls than the one before. */
static size_t
walk(void (*change)(struct world *w), uint64_t seeds)
{
	size_t patches = 0, effects = 0;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct view *v;
		struct world w;

		world_init(&w, seed);
		v = compile(&w, NULL, 1);
		for (size_t i = 0; i < STEPS; i++) {
			struct view *before = v;

			change(&w);
			v = compile(&w, before, 1);
			patches += is_patch(v, before);
			effects += compare(&w, before, v);
			view_unref(&before);
		}
		view_unref(&v);
		world_fini(&w);
	}
	EXPECT_TRUE(effects > seeds / 2); /* of endpoints there are few */
	return patches;
}

TEST(endpoints_step_by_step_are_endpoints_at_once)
{
	EXPECT_TRUE(walk(change_serving, FEW_SEEDS) > FEW_SEEDS);
}

TEST(rules_step_by_step_are_rules_at_once)
{
	EXPECT_TRUE(walk(change_rule, FEW_SEEDS) > FEW_SEEDS);
}

static void
change_any(struct world *w)
{
	if (rng_below(&w->rng, 2) == 0)
		change_rule(w);
	else
		change_serving(w);
}

TEST(both_step_by_step_are_both_at_once)
{
	size_t patches = walk(change_any, SEEDS);

	printf("%zu of %d views are patches\n", patches, SEEDS * STEPS);
	EXPECT_TRUE(patches > SEEDS);
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

static struct resource *
resource_of(const char *text)
{
	AUTO(loaded_fini) struct loaded l;

	load(text, /* file */ NULL, &l);
	EXPECT_EQ(l.count, 1);
	return resource_ref(l.items[0]);
}

#define ROUTES_HEAD                                                            \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web, namespace: shop}\n"                             \
	"spec:\n  hosts: [web]\n  http:\n"

/* The timeout of the rule that takes a call of the port, or of the name. */
static uint64_t
timeout_of(const struct view *v)
{
	struct http_attrs a = {.authority = S("web.shop"), .path = S("/")};
	const struct addr to = {ADDR_V4, {10, 0, 0, 9}, 9000};
	const struct view_listener *l =
	    view_find_listener(v, NULL, VIEW_OUTBOUND, &to);
	const struct view_host *h = view_find_host(v, NULL, S("web"), 9000);
	const struct view_http_choice one = view_route_http(h, &a, NULL);
	size_t count;
	const struct view_upstream *u = view_upstreams(v, &count);

	EXPECT_EQ(h, view_find_domain(v, l->chains[0].routes, a.authority));
	EXPECT_EQ(h, view_host_now(v, u[0].host));
	return one.route->timeout_us;
}

TEST(a_request_meets_the_rules_of_now)
{
	static const struct view_port_input port = {
	    9000, {"http", 4}, {"http", 4}};
	static const struct view_upstream_input upstream = {
	    .name = {"a", 1}, .host = {"web", 3}};
	struct resource *r[] = {
	    resource_of(
		ROUTES_HEAD "  - timeout: 1s\n"
			    "    route: [{destination: {host: web}}]\n"),
	    resource_of(
		ROUTES_HEAD "  - timeout: 2s\n"
			    "    route: [{destination: {host: web}}]\n"),
	    resource_of(
		ROUTES_HEAD "  - match: [{port: 80}]\n"
			    "    route: [{destination: {host: web}}]\n")};
	struct view_service_input service = {
	    S("web"), S("shop"), &port, 1, S("a record")};
	struct view *v[4];
	struct view_input in = {.ns = S("shop"),
	    .services = &service,
	    .service_count = 1,
	    .upstreams = &upstream,
	    .upstream_count = 1,
	    .resource_count = 1,
	    .version = 1};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		in.resources = (const struct resource *const *)&r[i % 3];
		in.before = i > 0 ? v[i - 1] : NULL;
		EXPECT_OK(view_compile(&in, &v[i], NULL));
	}
	EXPECT_EQ(timeout_of(v[0]), 1000000);
	EXPECT_TRUE(is_patch(v[1], v[0]));
	EXPECT_EQ(timeout_of(v[1]), 2000000);
	/* It does not decide about this port any more. */
	EXPECT_FALSE(is_patch(v[2], v[1]));
	EXPECT_EQ(timeout_of(v[2]), 0);
	EXPECT_FALSE(is_patch(v[3], v[2]));
	in.resources = (const struct resource *const *)&r[1];
	view_unref(&v[2]);
	in.before = v[1];
	EXPECT_OK(view_compile(&in, &v[2], NULL));
	EXPECT_EQ(v[2], v[1]); /* nothing is another */
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		view_unref(&v[i]);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		resource_unref(&r[i]);
}

#define POLICY(connections)                                                    \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: web, namespace: shop}\n"                             \
	"spec:\n  host: web\n  trafficPolicy: {connectionPool: "               \
	"{tcp: {maxConnections: " connections "}}}\n"

static uint32_t
connections_of(const struct view *v, size_t endpoints)
{
	const struct view_cluster *c = view_find_cluster(
	    v, S("outbound|9000||web.shop.svc.cluster.local"));

	EXPECT_EQ(c->endpoint_count, endpoints);
	return c->policy->limits.connections;
}

TEST(a_cluster_has_the_policy_and_the_endpoints_of_now)
{
	static const struct view_port_input port = {
	    9000, {"http", 4}, {"http", 4}};
	static const struct view_endpoint_input one = {.service = {"web", 3},
	    .service_ns = {"shop", 4},
	    .service_port = 9000,
	    .addr = {ADDR_V4, {10, 0, 0, 1}, 80},
	    .weight = 1};
	struct view_service_input service = {
	    S("web"), S("shop"), &port, 1, S("a record")};
	struct view_serving serving = {.service = S("web"),
	    .ns = S("shop"),
	    .version = 1,
	    .endpoints = &one};
	struct resource *r[] = {
	    resource_of(POLICY("5")), resource_of(POLICY("6"))};
	struct view *v[5];
	struct view_input in = {.ns = S("shop"),
	    .services = &service,
	    .service_count = 1,
	    .servings = &serving,
	    .serving_count = 1,
	    .resource_count = 1,
	    .version = 1};
	static const struct {
		size_t rule, endpoints;
	} steps[] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		serving.count = steps[i].endpoints;
		serving.version +=
		    i > 0 && steps[i].endpoints != steps[i - 1].endpoints;
		in.resources =
		    (const struct resource *const *)&r[steps[i].rule];
		in.before = i > 0 ? v[i - 1] : NULL;
		EXPECT_OK(view_compile(&in, &v[i], NULL));
		EXPECT_TRUE(i == 0 || is_patch(v[i], v[i - 1]));
	}
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		EXPECT_EQ(connections_of(v[i], steps[i].endpoints),
		    5 + steps[i].rule);
		view_unref(&v[i]);
	}
	resource_unref(&r[0]);
	resource_unref(&r[1]);
}

#define GATEWAY                                                                \
	"apiVersion: networking.istio.io/v1\nkind: Gateway\n"                  \
	"metadata: {name: door, namespace: shop}\n"                            \
	"spec:\n  selector: {app: door}\n"                                     \
	"  servers: [{port: {number: 80, name: http, protocol: HTTP}, "        \
	"hosts: [\"*.com\"]}]\n"
#define BOUND_TO(gateways, name, hosts, rest)                                  \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: " name ", namespace: shop}\n"                        \
	"spec:\n  hosts: [" hosts "]\n  gateways: [" gateways "]\n"            \
	"  http:\n  - " rest "    route: [{destination: {host: web}}]\n"

/* The timeout of the rule that takes a call of the name at the gateway. */
static uint64_t
timeout_at(const struct view *v, struct slice authority)
{
	const struct http_attrs a = {.authority = authority, .path = S("/")};
	const struct addr to = {.family = ADDR_V4, .port = 80};
	const struct view_listener *l =
	    view_find_listener(v, NULL, VIEW_GATEWAY, &to);
	const struct view_host *h =
	    view_find_domain(v, l->chains[0].routes, authority);

	return view_route_http(h, &a, NULL).route->timeout_us;
}

TEST(a_gateway_meets_the_rules_and_the_endpoints_of_now)
{
	static const struct view_port_input port = {
	    9000, {"http", 4}, {"http", 4}};
	static const struct label app = {{"app", 3}, {"door", 4}};
	static const struct view_endpoint_input one = {.service = {"web", 3},
	    .service_ns = {"shop", 4},
	    .service_port = 9000,
	    .addr = {ADDR_V4, {10, 0, 0, 1}, 80},
	    .weight = 1};
	struct view_service_input service = {
	    S("web"), S("shop"), &port, 1, S("a record")};
	struct view_serving serving = {
	    .service = S("web"), .ns = S("shop"), .endpoints = &one};
	static const struct view_upstream_input upstream = {
	    .name = {"a", 1}, .host = {"web", 3}};
	struct resource *gateway = resource_of(GATEWAY);
	/* The last two have a host in common. */
	struct resource *r[] = {
	    resource_of(BOUND_TO("door", "a", "a.com", "timeout: 1s\n")),
	    resource_of(BOUND_TO("door", "a", "a.com", "timeout: 2s\n")),
	    resource_of(BOUND_TO("door", "b", "b.com", "timeout: 3s\n")),
	    resource_of(BOUND_TO("door", "b", "b.com", "timeout: 4s\n")),
	    resource_of(BOUND_TO("door", "c", "b.com", "timeout: 5s\n"))};
	static const struct {
		size_t rules[2];
		size_t resources, endpoints;
		bool patch;
		uint64_t a, b; /* seconds */
	} steps[] = {{{0, 2}, 3, 0, false, 1, 3}, {{1, 2}, 3, 0, true, 2, 3},
	    {{1, 2}, 3, 1, true, 2, 3}, {{1, 3}, 3, 1, true, 2, 4},
	    {{0, 3}, 3, 0, true, 1, 4}, {{0, 2}, 3, 0, true, 1, 3},
	    {{0, 2}, 4, 0, false, 1, 3}, {{1, 2}, 4, 0, true, 2, 3},
	    {{1, 3}, 4, 0, false, 2, 4}};
	const struct resource *all[] = {gateway, NULL, NULL, r[4]};
	struct view *v = NULL;
	struct view_input in = {.ns = S("shop"),
	    .proxy = VIEW_ROUTER,
	    .labels = {&app, 1},
	    .services = &service,
	    .service_count = 1,
	    .servings = &serving,
	    .serving_count = 1,
	    .resources = all,
	    .upstreams = &upstream,
	    .upstream_count = 1,
	    .version = 1};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct view *before = v;

		all[1] = r[steps[i].rules[0]];
		all[2] = r[steps[i].rules[1]];
		in.resource_count = steps[i].resources;
		serving.count = steps[i].endpoints;
		serving.version = 1 + steps[i].endpoints;
		in.before = before;
		EXPECT_OK(view_compile(&in, &v, NULL));
		EXPECT_EQ(
		    before != NULL && is_patch(v, before), steps[i].patch);
		EXPECT_EQ(timeout_at(v, S("a.com")), steps[i].a * 1000000);
		EXPECT_EQ(timeout_at(v, S("b.com")), steps[i].b * 1000000);
		(void)connections_of(v, steps[i].endpoints);
		if (before != NULL)
			view_unref(&before);
	}
	view_unref(&v);
	resource_unref(&gateway);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		resource_unref(&r[i]);
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
