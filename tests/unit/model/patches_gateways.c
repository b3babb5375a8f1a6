/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_gateways — at a gateway, a view of before is the view that is made
 * from nothing.
 */

#include "patched.h"
#include "play.h"
#include "unit.h"
#include "walk.h"

TEST(rules_of_gateways_come_go_and_change)
{
	walk_as(come_or_go, SERVICE_SEEDS, OF_GATEWAYS, 2 * SERVICE_SEEDS);
}

/* Gateways, what is bound to them, and what that leads to. */
static void
change_gate(struct world *w)
{
	size_t n = OTHERS + rng_below(&w->rng, OWN);

	switch (rng_below(&w->rng, 12)) {
	case 0:
		world_make_again(w, n);
		break;
	case 1:
		world_come_or_go(w, n);
		break;
	case 2:
		world_make_again(w, rng_below(&w->rng, RULED + 2));
		break;
	case 3:
		world_come_or_go(w, rng_below(&w->rng, RULED + 2));
		break;
	case 4:
		change_told(w);
		break;
	case 5:
		change_serving(w);
		break;
	case 6:
	case 7:
	case 8:
		come_or_go(w);
		break;
	default:
		change_rule(w);
	}
}

TEST(gateways_change_with_all_that_is_bound_to_them)
{
	walk_as(change_gate, SERVICE_SEEDS, OF_GATES, 7 * SERVICE_SEEDS / 2);
}

#define GATEWAY                                                                \
	"apiVersion: networking.istio.io/v1\nkind: Gateway\n"                  \
	"metadata: {name: door, namespace: shop}\n"                            \
	"spec:\n  selector: {app: door}\n"                                     \
	"  servers: [{port: {number: 80, name: http, protocol: HTTP}, "        \
	"hosts: [\"*.com\"]}]\n"

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
	    {{0, 2}, 4, 0, true, 1, 3}, {{1, 2}, 4, 0, true, 2, 3},
	    {{1, 3}, 4, 0, true, 2, 4}};
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
		(void)connections_of_web(v, steps[i].endpoints);
		if (before != NULL)
			view_unref(&before);
	}
	view_unref(&v);
	resource_unref(&gateway);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		resource_unref(&r[i]);
}

TEST(what_is_for_gateways_alone_is_nothing_to_a_machine)
{
	static const char *const documents[] = {
	    BOUND_TO("door", "a", "shop.com", "timeout: 1s\n"),
	    BOUND_TO("door, mesh", "a", "web", "timeout: 2s\n")};
	static const struct act acts[] = {{"", false, 0, true, 1, 0},
	    {"0", true, 0, true, 1, 0}, {"1", true, 2, true, 1, 0},
	    {"0", true, 0, true, 1, 0}, {"", true, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	p.in.proxy = VIEW_ROUTER;
	play(&p,
	    (struct act[]){{.there = ""}, {.there = "1", .is_patch = true},
		{.there = "", .is_patch = true}},
	    3);
	play_fini(&p);
}

#define GATE(name, year, app, servers)                                         \
	RESOURCE("Gateway", name, year,                                        \
	    "  selector: {app: " app "}\n  servers: [" servers "]\n")

#define WEB_SERVER(hosts)                                                      \
	"{port: {number: 80, name: http, protocol: HTTP}, hosts: [" hosts "]}"

#define AT_GATES(name, year, hosts, rest)                                      \
	RESOURCE("VirtualService", name, year,                                 \
	    "  hosts: [" hosts "]\n  gateways: [door, two]\n  " rest "\n")

static void
play_at_gates(const char *const *documents, size_t count,
    const struct act *acts, size_t act_count)
{
	static const struct label app = {{"app", 3}, {"door", 4}};
	struct play p;

	play_init(&p, documents, count);
	p.in.proxy = VIEW_ROUTER;
	p.in.labels = (struct labels){&app, 1};
	play_from_each(&p, acts, act_count);
	play_fini(&p);
}

/* One host of several, wildcards, and those that are in them. */
TEST(ordinary_rules_of_gateways_are_patches)
{
	static const char *const documents[] = {
	    GATE("door", "2020", "door", WEB_SERVER("\"*.com\", x.test")),
	    AT_GATES("a", "2021", "a.com",
		"http: [{timeout: 1s, " LEAD_TO("web") "}]"),
	    AT_GATES("a", "2021", "a.com",
		"http: [{timeout: 2s, " LEAD_TO("cart") "}]"),
	    AT_GATES("b", "2020", "b.com", "http: [{" LEAD_TO("web") "}]"),
	    AT_GATES("b", "2020", "a.com, b.com",
		"http: [{match: [{uri: {prefix: /b}}], timeout: 3s, " LEAD_TO(
		    "web") "}]"),
	    AT_GATES("w", "2019", "\"*.com\"",
		"http: [{timeout: 4s, " LEAD_TO("web") "}]"),
	    AT_GATES("w", "2019", "\"*\"", "http: [{delegate: {name: leaf}}]"),
	    RESOURCE("VirtualService", "leaf", "2020",
		"  http: [{timeout: 5s, " LEAD_TO("web") "}]\n"),
	    AT_GATES("m", "2020", "a.com, mesh.com, x.test",
		"http: [{timeout: 6s, " LEAD_TO("a") "}]"),
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]")};
	static const struct act acts[] = {{.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "02", .is_patch = true},
	    {.there = "024", .is_patch = true},
	    {.there = "0245", .is_patch = true},
	    {.there = "0145", .is_patch = true},
	    {.there = "014", .is_patch = true},
	    {.there = "0146", .is_patch = true},
	    {.there = "01467", .is_patch = true},
	    {.there = "0467", .is_patch = true},
	    {.there = "04678", .is_patch = true},
	    {.there = "046789", .is_patch = true},
	    {.there = "0489", .is_patch = true},
	    {.there = "08", .is_patch = true},
	    {.there = "05", .is_patch = true},
	    {.there = "0", .is_patch = true}};

	play_at_gates(documents, ARRAY_LEN(documents), acts, ARRAY_LEN(acts));
}

/* Of this machine, or not; on ports that others have, too. */
TEST(ordinary_gateways_are_patches)
{
	static const char *const documents[] = {
	    GATE("door", "2020", "door", WEB_SERVER("\"*.com\"")),
	    GATE("door", "2020", "door",
		WEB_SERVER("\"*.com\"") ", {port: {number: 443, name: s, "
					"protocol: HTTPS}, tls: "
					"{mode: SIMPLE, credentialName: c}, "
					"hosts: [a.com]}"),
	    GATE("two", "2021", "door",
		WEB_SERVER(
		    "\"*\"") ", {port: {number: 443, name: p, protocol: TLS}, "
			     "tls: "
			     "{mode: PASSTHROUGH}, hosts: [b.com]}"
			     ", {port: {number: 3306, name: t, protocol: TCP}, "
			     "hosts: [\"*\"]}"),
	    GATE("two", "2019", "door",
		"{port: {number: 80, name: t, protocol: TCP}, "
		"hosts: [\"*\"]}"),
	    GATE("far", "2020", "far", WEB_SERVER("\"*\"")),
	    AT_GATES("a", "2021", "a.com, b.com",
		"http: [{timeout: 1s, " LEAD_TO("web") "}]"),
	    AT_GATES("t", "2020", "\"*\"", "tcp: [{" LEAD_TO("web") "}]"),
	    AT_GATES("t", "2020", "\"*\"", "tcp: [{" LEAD_TO("cart") "}]"),
	    AT_GATES("p", "2020", "b.com",
		"tls: [{match: [{sniHosts: [b.com]}], " LEAD_TO("web") "}]"),
	    AT_GATES("q", "2019", "b.com",
		"tls: [{match: [{sniHosts: [b.com]}], " LEAD_TO("web") "}]")};
	static const struct act acts[] = {{.there = "05"},
	    {.there = "15", .is_patch = true},
	    {.there = "125", .is_patch = true},
	    {.there = "1256", .is_patch = true},
	    {.there = "1257", .is_patch = true},
	    {.there = "12578", .is_patch = true},
	    {.there = "125789", .is_patch = true},
	    {.there = "12589", .is_patch = true},
	    {.there = "1259", .is_patch = true},
	    {.there = "12594", .is_patch = true},
	    {.there = "2594", .is_patch = true},
	    {.there = "0259", .is_patch = true},
	    {.there = "0357", .is_patch = true},
	    {.there = "0356", .is_patch = true},
	    {.there = "056", .is_patch = true},
	    {.there = "05", .is_patch = true}};

	play_at_gates(documents, ARRAY_LEN(documents), acts, ARRAY_LEN(acts));
}
