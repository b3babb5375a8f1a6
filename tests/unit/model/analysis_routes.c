/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis_routes — what routes may name, who sees it, and when nothing is
 * said.
 */
#include "analyse.h"
#include "documents.h"
#include "unit.h"

#define TO_HOST(name, host) ROUTE(name, RULES_TO(LEAD(host)))
#define FAR_ROUTE(ns, host)                                                    \
	OF(NET, "VirtualService", IN(ns), RULES_TO(LEAD(host)))
#define EVERY "ports: [{number: 80, name: http, protocol: HTTP}]"
#define A SERVICE("a", HTTP80)
#define LONG_A "a.shop.svc.cluster.local"

#define AT(name) "IST0101 VirtualService/shop/" name
#define FIRST " spec.http[0].route[0].destination\n"
#define TWICE(name) "IST0109 VirtualService/shop/" name " spec.hosts\n"

static const struct analysis_input usual = {.flags = ANALYSIS_USUAL_GATEWAYS};

TEST(each_spelling_of_a_host_finds_its_service)
{
#define SPELLED TO_HOST("r1", "a") TO_HOST("r2", LONG_A) TO_HOST("r3", "a.shop")
	expect_found(A SPELLED, TWICE("r1") TWICE("r2") TWICE("r3"));
}

TEST(a_short_name_is_of_the_routes_own_namespace)
{
	expect_found(
	    A FAR_ROUTE("other", "a"), "IST0101 VirtualService/other/x" FIRST);
}

TEST(without_any_host_none_is_missing)
{
	expect_found(TO_HOST("r", "nobody"), "");
}

TEST(a_living_service_is_a_host_with_its_ports)
{
	const struct analysis_workload living[] = {
	    {.node = S("n"), .name = S("a"), .ns = S("shop"), .port = 80},
	    {.node = S("m"), .name = S("a"), .ns = S("shop"), .port = 80},
	    {.node = S("m"), .name = S("b"), .ns = S("shop"), .port = 80},
	    {.node = S("m"), .name = S("b"), .ns = S("shop"), .port = 81},
	};
	const struct analysis_input known = {.workloads = living,
	    .workload_count = ARRAY_LEN(living),
	    .flags = ANALYSIS_LIVING};

#define A81 "{destination: {host: a, port: {number: 81}}}"
#define B_HAS_TWO "IST0112 VirtualService/shop/r "
	expect_found_with(ROUTE("r", RULES_TO(LEAD("a"))), &known, "");
	expect_found_with(ROUTE("r", RULES_TO(A81)), &known, AT("r") FIRST);
	expect_found_with(ROUTE("r", RULES_TO(LEAD("b"))), &known,
	    "IST0112 VirtualService/shop/r" FIRST);
}

TEST(wildcards_of_entries_stand_for_hosts)
{
#define WILD ENTRY("e", "hosts: ['*.w.org'], resolution: NONE, " EVERY)
	expect_found(WILD TO_HOST("r", "a.w.org"), "");
	expect_found(WILD TO_HOST("r", "'*.w.org'"), "");
	expect_found(WILD TO_HOST("r", "'*.b.w.org'"), "");
	expect_found(WILD TO_HOST("r", "w.org"), AT("r") FIRST);
}

TEST(what_is_not_exported_is_not_seen)
{
#define HIDDEN                                                                 \
	OF(NET, "ServiceEntry", IN("other"),                                   \
	    "hosts: [e.org], resolution: DNS, exportTo: [here], " EVERY)
	expect_found(HIDDEN FAR_ROUTE("here", "e.org"), "");
	expect_found(HIDDEN TO_HOST("r", "e.org"), AT("r") FIRST);
}

TEST(a_service_says_in_an_annotation_who_sees_it)
{
#define SHOWN                                                                  \
	OF("v1", "Service",                                                    \
	    NAMED("a") ", annotations: {networking.istio.io/exportTo: 'one, "  \
		       ".'}",                                                  \
	    "ports: [" HTTP80 "]")
	expect_found(SHOWN TO_HOST("r", "a"), "");
	expect_found(SHOWN FAR_ROUTE("one", LONG_A), "");
	expect_found(SHOWN FAR_ROUTE("two", LONG_A),
	    "IST0101 VirtualService/two/x" FIRST);
}

TEST(mirrors_and_bytes_lead_somewhere_too)
{
#define MIRROR "mirrors: [{destination: {host: m}}]"
#define MIRRORED "http: [{route: [" LEAD("a") "], " MIRROR "}]"
#define BYTES "tcp: [{route: [" LEAD("t") "]}]"
#define SNI "tls: [{match: [{sniHosts: [x.y]}], route: [" LEAD("s") "]}]"
	expect_found(A ROUTE("r", "hosts: [x.y], " MIRRORED),
	    AT("r") " spec.http[0].mirrors[0].destination\n");
	expect_found(A ROUTE("r", "hosts: [x.y], " BYTES),
	    AT("r") " spec.tcp[0].route[0].destination\n");
	expect_found(A ROUTE("r", "hosts: [x.y], " SNI),
	    AT("r") " spec.tls[0].route[0].destination\n");
}

TEST(subsets_are_found_under_wildcards_and_in_the_services_namespace)
{
#define V1 "subsets: [{name: v1, labels: {v: '1'}}]"
#define TO_V1(host) "{destination: {host: " host ", subset: v1}}"
#define WILD_RULE RULE("w", "host: '*.w.org', " V1)
#define FAR_RULE(host)                                                         \
	OF(NET, "DestinationRule", IN("far"), "host: " host ", " V1)
	expect_found(WILD_RULE ROUTE("r", RULES_TO(TO_V1("a.w.org"))), "");
	expect_found(FAR_RULE(LONG_A) ROUTE("r", RULES_TO(TO_V1("a"))), "");
	expect_found(FAR_RULE("e.org.uk")
			 ROUTE("r", RULES_TO(TO_V1("e.org.uk"))),
	    AT("r") FIRST);
}

TEST(gateways_show_hosts_to_namespaces)
{
#define SHOW(hosts)                                                            \
	OF(NET, "Gateway", IN("far"),                                          \
	    INGRESS ", servers: [" SERVER("80", "HTTP", hosts) "]")
#define BOUND(host) ROUTE("r", "hosts: [" host "], gateways: [far/x], " AWAY)
	expect_found(SHOW("'./a.org'") BOUND("a.org"),
	    "IST0132 VirtualService/shop/r spec.gateways[0]\n");
	expect_found(SHOW("'shop/a.org'") BOUND("a.org"), "");
	expect_found(SHOW("'*/a.org'") BOUND("a.org"), "");
	expect_found(SHOW("'*.org'") BOUND("a.org"), "");
	expect_found(SHOW("a.org") BOUND("'*.org'"), "");
}

TEST(a_gateway_of_the_gateway_api_is_one_too)
{
#define K8S_GATEWAY                                                            \
	OF("gateway.networking.k8s.io/v1", "Gateway", IN("far"),               \
	    "listeners: [{name: a, hostname: a.org, port: 80}]")
	expect_found(K8S_GATEWAY BOUND("a.org"), "");
	expect_found(K8S_GATEWAY BOUND("b.org"),
	    "IST0132 VirtualService/shop/r spec.gateways[0]\n");
}

TEST(claims_are_right_where_tokens_are_verified)
{
#define CLAIM                                                                  \
	ON_80("g")                                                             \
	ROUTE("r",                                                             \
	    "hosts: [x.y], gateways: [g], http: [{match: [{withoutHeaders: "   \
	    "{'@request.auth.claims.sub': {exact: a}}}], redirect: {uri: "     \
	    "/}}]")
#define VERIFIED(ns)                                                           \
	OF(SEC, "RequestAuthentication", IN(ns), "jwtRules: [{issuer: a}]")
#define UNVERIFIED                                                             \
	"IST0149 VirtualService/shop/r spec.http[0].match[0].headers\n"
	expect_found_with(CLAIM, &usual, UNVERIFIED);
	expect_found_with(CLAIM VERIFIED("istio-system"), &usual, "");
	expect_found_with(CLAIM VERIFIED("shop"), &usual, UNVERIFIED);
}

TEST(one_host_of_two_routes_is_told_to_both_however_they_are_seen)
{
#define MINE(name, host, more) ROUTE(name, "hosts: [" host "], " AWAY more)
#define TO_ONE ", exportTo: [one]"
#define TO_TWO ", exportTo: [two]"
	expect_found(MINE("a", "h.org", TO_ONE) MINE("b", "h.org", TO_TWO), "");
	expect_found(MINE("a", "h.org", TO_ONE) MINE("b", "h.org", ""),
	    TWICE("a") TWICE("b"));
	expect_found(MINE("a", "'*.org'", TO_ONE) MINE("b", "h.org", ""),
	    TWICE("a") TWICE("b"));
	expect_found(MINE("a", "h.org", TO_ONE) MINE("b", "'*.org'", ""),
	    TWICE("a") TWICE("b"));
	expect_found(MINE("a", "'*.org'", "") MINE("b", "h.org", ""), "");
	/* One of them is behind a gateway. */
	expect_found(ON_80("g") MINE("a", "x.y", "")
			 MINE("b", "x.y", ", gateways: [g]"),
	    "");
}
