/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_fronts — what stands before a gateway comes, goes and changes, and so
 * does what a gateway passes on by itself: a view of before is the view that is
 * made from nothing.
 */

#include "codec/codec.h"
#include "patched.h"
#include "play.h"
#include "unit.h"
#include "walk.h"

/* Services, policies, what stands in front, Gateways, and their rules. */
static void
change_front(struct world *w)
{
	size_t n = rng_below(&w->rng, OTHERS + OWN);

	switch (rng_below(&w->rng, 6)) {
	case 0:
	case 1:
		world_make_again(w, n);
		break;
	case 2:
	case 3:
		world_come_or_go(w, n);
		break;
	case 4:
		change_told(w);
		break;
	default:
		change_service(w);
	}
}

TEST(gateways_change_with_all_that_stands_before_them)
{
	walk_as(change_front, SERVICE_SEEDS, OF_FRONTS, 3 * SERVICE_SEEDS);
}

#define GATE(name, year, servers)                                              \
	RESOURCE("Gateway", name, year,                                        \
	    "  selector: {app: door}\n  servers: [" servers "]\n")
#define WEB_SERVER                                                             \
	"{port: {number: 80, name: http, protocol: HTTP}, hosts: [\"*\"]}"
#define AUTO_SERVER                                                            \
	"{port: {number: 15443, name: a, protocol: TLS}, "                     \
	"tls: {mode: AUTO_PASSTHROUGH}, hosts: [\"*.local\"]}"
#define RULES_FOR(name, hosts, rest)                                           \
	RESOURCE("VirtualService", name, "2021",                               \
	    "  hosts: [" hosts "]\n  gateways: [door]\n  http: [" rest "]\n")

static void
play_at_door(const char *const *documents, size_t count, const struct act *acts,
    size_t act_count)
{
	static const struct label app = {{"app", 3}, {"door", 4}};
	struct play p;

	play_init(&p, documents, count);
	p.in.proxy = VIEW_ROUTER;
	p.in.labels = (struct labels){&app, 1};
	p.in.parse_yaml = codec_yaml_parse_one;
	play_from_each(&p, acts, act_count);
	play_fini(&p);
}

/* Wildcards that are a part of a label, some of them longer than others. */
TEST(hosts_that_no_map_finds_are_patches)
{
	static const char *const documents[] = {
	    GATE("door", "2020", WEB_SERVER),
	    RULES_FOR("a", "\"*ple.com\"", "{timeout: 1s, " LEAD_TO("web") "}"),
	    RULES_FOR("b", "\"*maple.com\", \"*.test\"",
		"{timeout: 2s, " LEAD_TO("web") "}"),
	    RULES_FOR("b", "\"*maple.com\"", "{" LEAD_TO("cart") "}"),
	    RULES_FOR("c", "\"*le.com\"", "{" LEAD_TO("web") "}")};
	static const struct act acts[] = {{.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "012", .is_patch = true},
	    {.there = "013", .is_patch = true},
	    {.there = "0134", .is_patch = true},
	    {.there = "034", .is_patch = true},
	    {.there = "04", .is_patch = true},
	    {.there = "02", .is_patch = true}};

	play_at_door(documents, ARRAY_LEN(documents), acts, ARRAY_LEN(acts));
}

/* Both roots tell of the leaf that nobody is where it leads. */
TEST(what_several_tell_is_told_until_none_does)
{
	static const char *const documents[] = {
	    GATE("door", "2020", WEB_SERVER),
	    RULES_FOR("a", "a.com", "{delegate: {name: leaf}}"),
	    RULES_FOR("b", "b.com", "{delegate: {name: leaf}}"),
	    RESOURCE("VirtualService", "leaf", "2020",
		"  http: [{" LEAD_TO("nowhere") "}]\n"),
	    RESOURCE("VirtualService", "leaf", "2020",
		"  http: [{" LEAD_TO("elsewhere") "}]\n"),
	    GATE("door", "2020", WEB_SERVER ", " AUTO_SERVER)};
	static const struct act acts[] = {{.there = "0123"},
	    {.there = "013", .is_patch = true},
	    {.there = "023", .is_patch = true},
	    {.there = "03", .is_patch = true},
	    {.there = "014", .is_patch = true},
	    {.there = "0124", .is_patch = true},
	    {.there = "5124", .is_patch = true},
	    {.there = "524", .is_patch = true},
	    {.there = "12", .is_patch = true}};

	play_at_door(documents, ARRAY_LEN(documents), acts, ARRAY_LEN(acts));
}

/* The first chain of all comes, and the last one goes. */
TEST(the_first_and_the_last_port_are_patches)
{
	static const char *const documents[] = {
	    GATE("door", "2020", WEB_SERVER),
	    RULES_FOR("a", "a.com", "{" LEAD_TO("web") "}"),
	    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
	    "metadata: {name: p, namespace: shop}\n"
	    "spec: {rules: [{to: [{operation: {paths: [/a]}}]}]}\n"};
	static const struct act acts[] = {{.there = ""},
	    {.there = "0", .is_patch = true}, {.there = "01", .is_patch = true},
	    {.there = "012", .is_patch = true},
	    {.there = "12", .is_patch = true}};

	play_at_door(documents, ARRAY_LEN(documents), acts, ARRAY_LEN(acts));
}

/* Ports go from one of the machine to another; or have something before them.
 */
TEST(what_stands_in_front_is_a_patch)
{
	static const char *const documents[] = {
	    GATE("door", "2020", WEB_SERVER),
	    RULES_FOR("a", "a.com", "{" LEAD_TO("web") "}"),
	    SERVICE("", "selector: {app: door}, ports: [{name: http, port: 80, "
			"targetPort: 8080}]"),
	    SERVICE("", "selector: {app: door}, ports: [{name: http, port: 80, "
			"targetPort: 8081}, {name: x, port: 9}]"),
	    SERVICE("", "selector: {app: other}, ports: [" HTTP_PORT "]"),
	    "apiVersion: networking.istio.io/v1\nkind: WorkloadGroup\n"
	    "metadata: {name: g, namespace: shop, annotations: "
	    "{proxy.istio.io/config: 'gatewayTopology: {proxyProtocol: "
	    "{}}'}}\n"
	    "spec: {template: {}, metadata: {labels: {app: door}}}\n",
	    "apiVersion: networking.istio.io/v1\nkind: WorkloadGroup\n"
	    "metadata: {name: g, namespace: shop, annotations: "
	    "{proxy.istio.io/config: '[]'}}\n"
	    "spec: {template: {}, metadata: {labels: {app: door}}}\n",
	    "apiVersion: networking.istio.io/v1\nkind: Gateway\n"
	    "metadata: {name: named, namespace: shop, annotations: "
	    "{internal.istio.io/gateway-service: "
	    "a.shop.svc.cluster.local}}\n"
	    "spec: {servers: [{port: {number: 9, name: t, protocol: TCP}, "
	    "hosts: ['*']}]}\n"};
	static const struct act acts[] = {{.there = "01"},
	    {.there = "012", .is_patch = true},
	    {.there = "013", .is_patch = true},
	    {.there = "0137", .is_patch = true},
	    {.there = "0147", .is_patch = true},
	    {.there = "017", .is_patch = true},
	    {.there = "0125", .is_patch = true},
	    {.there = "015", .is_patch = true},
	    {.there = "016", .is_patch = true},
	    {.there = "0136", .is_patch = true},
	    {.there = "136", .is_patch = true}};

	play_at_door(documents, ARRAY_LEN(documents), acts, ARRAY_LEN(acts));
}

/* Each cluster has a chain there. */
TEST(ports_that_pass_on_by_themselves_are_patches)
{
	static const char *const documents[] = {
	    GATE("door", "2020", AUTO_SERVER ", " WEB_SERVER),
	    GATE("door", "2020", WEB_SERVER),
	    SERVICE("", "ports: [" HTTP_PORT "]"),
	    SERVICE("", "ports: [{name: tcp, port: 3306}, " HTTP_PORT "]"),
	    POLICIES("p", "a", "subsets: [{name: v1, labels: {version: v1}}]"),
	    POLICIES("p", "a",
		"subsets: [{name: v1, labels: {version: v1}}, "
		"{name: v2, labels: {version: v2}}]"),
	    POLICIES(
		"q", "web", "subsets: [{name: v1, labels: {version: v1}}]"),
	    ENTRY("location: MESH_EXTERNAL\n  resolution: DNS"),
	    RULES_FOR("a", "a.com", "{" LEAD_TO("a") "}")};
	static const struct act acts[] = {{.there = "0"},
	    {.there = "02", .is_patch = true},
	    {.there = "024", .is_patch = true},
	    {.there = "025", .is_patch = true},
	    {.there = "0258", .is_patch = true},
	    {.there = "02586", .is_patch = true},
	    {.there = "03586", .is_patch = true},
	    {.there = "1386", .is_patch = true},
	    {.there = "186", .is_patch = true},
	    {.there = "06", .is_patch = true}};

	play_at_door(documents, ARRAY_LEN(documents), acts, ARRAY_LEN(acts));
}
