/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_rules — a view of before with VirtualServices and DestinationRules
 * that come, go or say something else is the view that is made from nothing.
 */

#include "patched.h"
#include "play.h"
#include "unit.h"
#include "walk.h"

TEST(rules_step_by_step_are_rules_at_once)
{
	walk_as(change_rule, FEW_SEEDS, OF_ANY, FEW_SEEDS);
}

TEST(rules_that_come_and_go_are_there_or_not)
{
	walk_as(come_or_go, SERVICE_SEEDS, OF_ANY, 2 * SERVICE_SEEDS);
}

TEST(delegates_and_who_names_them_come_go_and_change)
{
	walk_as(change_service, SERVICE_SEEDS, OF_DELEGATES, 2 * SERVICE_SEEDS);
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
	    .lists_version = 1,
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
	EXPECT_TRUE(is_patch(v[2], v[1]));
	EXPECT_EQ(timeout_of(v[2]), 0);
	EXPECT_TRUE(is_patch(v[3], v[2]));
	EXPECT_EQ(timeout_of(v[3]), 1000000);
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
		EXPECT_EQ(connections_of_web(v[i], steps[i].endpoints),
		    5 + steps[i].rule);
		view_unref(&v[i]);
	}
	resource_unref(&r[0]);
	resource_unref(&r[1]);
}

TEST(a_virtual_service_comes_goes_and_comes_again)
{
	static const char *const documents[] = {
	    ROUTES("a", "2020", "web", "timeout: 1s\n    " LEAD_TO("web")),
	    ROUTES("a", "2020", "web", "timeout: 2s\n    " LEAD_TO("web")),
	    ROUTES("a", "2021", "web, web.shop",
		"timeout: 3s\n    " LEAD_TO("cart")),
	    ROUTES("b", "2021", "cart", "timeout: 4s\n    " LEAD_TO("web"))};
	static const struct act acts[] = {{"", false, 0, true, 1, 0},
	    {"0", true, 1, true, 1, 0}, {"", true, 0, true, 1, 0},
	    {"0", true, 1, true, 1, 0}, {"1", true, 2, true, 1, 0},
	    /* No destination without a port is at the port of cart. */
	    {"2", true, 3, false, 1, 1}, {"", true, 0, true, 1, 0},
	    {"3", true, 0, true, 1, 1}, {"13", true, 2, true, 1, 1},
	    {"1", true, 2, true, 1, 0}, {"", true, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

/* The timeout of what takes a request on port 80 to cart, which is not there,
 * in seconds; 0 if it goes where what is not known goes. */
static uint64_t
web_timeout(const struct view *v)
{
	struct http_attrs a = {.authority = S("cart.shop.svc.mesh.internal"),
	    .path = S("/"),
	    .port = 80};
	const struct addr to = {ADDR_V4, {10, 0, 0, 9}, 80};
	const struct view_listener *l =
	    view_find_listener(v, NULL, VIEW_OUTBOUND, &to);
	const struct view_host *h =
	    view_find_domain(v, l->chains[0].routes, a.authority);

	EXPECT_EQ(h, view_host_now(v, h));
	EXPECT_EQ(slice_eq(h->host, a.authority),
	    slice_eq(h->name, S("cart.shop.svc.cluster.local:80")));
	return view_route_http(h, &a, NULL).route->timeout_us / 1000000;
}

/* On port 80 all rules count: their hosts are there because of them. */
TEST(a_host_that_only_rules_know_comes_and_goes_with_them)
{
	static const char *const documents[] = {
	    ROUTES("a", "2020", "cart", "timeout: 1s\n    " LEAD_TO("web")),
	    ROUTES("b", "2021", "cart", "timeout: 2s\n    " LEAD_TO("web")),
	    ROUTES("c", "2022", "web, cart",
		"match: [{port: 80}]\n    timeout: 3s\n    " LEAD_TO("web")),
	    ROUTES("a", "2020", "cart",
		"match: [{port: 8080}]\n    timeout: 4s\n    " LEAD_TO("web"))};
	static const struct {
		const char *there;
		uint64_t timeout;
	} steps[] = {{"", 0}, {"0", 1}, {"01", 1}, {"1", 2}, {"", 0}, {"2", 3},
	    {"21", 2}, {"210", 1}, {"213", 2}, {"23", 3}, {"3", 0}, {"", 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t first = 0; first < ARRAY_LEN(steps); first++) {
		struct view *v = NULL;

		for (size_t i = first; i < ARRAY_LEN(steps); i++) {
			struct view *before = v;

			v = compile_act(&p,
			    &(struct act){
				.there = steps[i].there, .is_patch = true},
			    before);
			EXPECT_EQ(web_timeout(v), steps[i].timeout);
			if (before != NULL)
				view_unref(&before);
		}
		view_unref(&v);
	}
	play_fini(&p);
}

TEST(of_two_with_one_host_the_older_decides)
{
	static const char *const documents[] = {
	    ROUTES("a", "2020", "web", "timeout: 1s\n    " LEAD_TO("web")),
	    ROUTES("b", "2021", "web", "timeout: 2s\n    " LEAD_TO("web")),
	    ROUTES("b", "2021", "web", "timeout: 3s\n    " LEAD_TO("web")),
	    ROUTES("a", "2020", "web",
		"match: [{port: 8080}]\n    timeout: 4s\n    " LEAD_TO("web")),
	    ROUTES("c", "2019", "web", "timeout: 5s\n    " LEAD_TO("web"))};
	static const struct act acts[] = {{"", false, 0, true, 1, 0},
	    {"1", true, 2, true, 1, 0}, {"10", true, 1, true, 1, 1},
	    {"20", true, 1, true, 1, 1}, {"2", true, 3, true, 1, 0},
	    /* What is older, but for another port, leaves it to the other. */
	    {"23", true, 3, true, 1, 1}, {"13", true, 2, true, 1, 1},
	    {"3", true, 0, true, 1, 0}, {"0", true, 1, true, 1, 0},
	    {"041", true, 5, true, 1, 2}, {"41", true, 5, true, 1, 1},
	    {"1", true, 2, true, 1, 0}, {"", true, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play(&p, &acts[9], ARRAY_LEN(acts) - 9); /* with all of them first */
	play_fini(&p);
}

TEST(subsets_come_and_go_with_those_who_lead_to_them)
{
	static const char *const documents[] = {
	    POLICIES("a", "web",
		"subsets: [{name: v1, labels: {version: v1}}, "
		"{name: v2, labels: {version: v2}}]"),
	    POLICIES(
		"a", "web", "subsets: [{name: v1, labels: {version: v1}}]"),
	    POLICIES(
		"b", "web", "subsets: [{name: v2, labels: {version: v2}}]"),
	    ROUTES("a", "2020", "web",
		"timeout: 1s\n    route: "
		"[{destination: {host: web, subset: v2}}]"),
	    ROUTES("a", "2020", "web",
		"timeout: 2s\n    route: "
		"[{destination: {host: web, subset: v1}}]")};
	static const struct act acts[] = {{"3", false, 1, false, 1, 1},
	    {"30", true, 1, true, 3, 0}, {"31", true, 1, false, 2, 1},
	    {"321", true, 1, true, 3, 0}, {"32", true, 1, true, 2, 0},
	    {"42", true, 2, false, 2, 1}, {"421", true, 2, true, 3, 0},
	    {"41", true, 2, true, 2, 0}, {"4", true, 2, false, 1, 1},
	    {"", true, 0, true, 1, 0}, {"0", true, 0, true, 3, 0},
	    {"03", true, 1, true, 3, 0}, {"", true, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	for (size_t i = 1; i < ARRAY_LEN(acts); i++)
		play(&p, &acts[i], ARRAY_LEN(acts) - i);
	play_fini(&p);
}

/* What is said of web alone makes the box of the wildcard's rule anew, and the
 * rules that lead to what is in it. */
TEST(a_wildcard_gives_subsets_to_those_who_have_no_rule_of_their_own)
{
	static const char *const documents[] = {
	    POLICIES("web", "web",
		"trafficPolicy: {loadBalancer: {simple: RANDOM}}"),
	    POLICIES("web", "web",
		"trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}"),
	    POLICIES("all", "\"*.shop.svc.mesh.internal\"",
		"subsets: [{name: v1, labels: {version: v1}}]"),
	    ROUTES("a", "2020", "cart",
		"timeout: 1s\n    route: "
		"[{destination: {host: cart, subset: v1}}]")};
	static const struct act acts[] = {{"03", false, 0, true, 1, 1},
	    {"032", true, 0, true, 1, 0}, {"132", true, 0, true, 1, 0},
	    {"032", true, 0, true, 1, 0}, {"32", true, 0, true, 2, 0},
	    {"132", true, 0, true, 1, 0}, {"13", true, 0, true, 1, 1},
	    {"3", true, 0, true, 1, 1}, {"", true, 0, true, 1, 0},
	    {"2", true, 0, true, 2, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		play(&p, &acts[i], ARRAY_LEN(acts) - i);
	play_fini(&p);
}

/* By what it is hashed is a part of routes, all else one of clusters. */
TEST(a_rule_that_hashes_by_the_same_is_one_of_clusters)
{
	static const char *const documents[] = {
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {consistentHash: "
		"{httpCookie: {name: c, ttl: 3s}}}}"),
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {consistentHash: "
		"{httpCookie: {name: c, ttl: 3s}, minimumRingSize: 9}}}"),
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {consistentHash: "
		"{httpCookie: {name: c, ttl: 4s}}}}"),
	    POLICIES(
		"a", "web", "trafficPolicy: {loadBalancer: {simple: RANDOM}}")};
	static const struct act acts[] = {{"0", false, 0, true, 1, 1},
	    {"1", true, 0, true, 1, 1}, {"0", true, 0, true, 1, 1},
	    {"2", false, 0, true, 1, 1}, {"3", false, 0, true, 1, 0},
	    {"0", false, 0, true, 1, 1}, {"", false, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

TEST(where_more_follows_the_view_is_made_from_nothing)
{
	static const char *const documents[] = {
	    ROUTES("a", "2020", "\"*.shop.svc.mesh.internal\"", LEAD_TO("web")),
	    RESOURCE("VirtualService", "a", "2020",
		"  hosts: [\"*.shop\"]\n  tcp: [{" LEAD_TO("web") "}]\n"),
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {consistentHash: "
		"{useSourceIp: true}}}"),
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}"),
	    POLICIES("a", "\"*b.shop.svc.mesh.internal\"",
		"trafficPolicy: {loadBalancer: {simple: RANDOM}}"),
	    RESOURCE(
		"Sidecar", "a", "2020", "  egress: [{hosts: [\"./*\"]}]\n"),
	    ROUTES("z", "2020", "web", LEAD_TO("web"))};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t i = 0; i + 1 < ARRAY_LEN(documents); i++) {
		const char with[] = {(char)('0' + i), '\0'};
		const struct act acts[] = {
		    {"", false, 0, true, 1, 0}, {.there = with}, {.there = ""}};

		play(&p, acts, ARRAY_LEN(acts));
	}
	/* Whether it counts is the Sidecar's word. */
	play(&p,
	    (struct act[]){{.there = "5"}, {.there = "56", .is_patch = true}},
	    2);
	play_fini(&p);
}
