/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis_routes — what routes may name, who sees it, and when nothing is
 * said.
 */
#include <stdio.h>

#include "analyse.h"
#include "documents.h"
#include "unit.h"

#define TO_HOST(name, host)                                                    \
	ROUTE(name, "hosts: [x.y], http: [{route: [" LEAD(host) "]}]")
#define AT(name) "IST0101 VirtualService/shop/" name
#define FIRST " spec.http[0].route[0].destination\n"
#define ABROAD(kind, ns, spec)                                                 \
	DOC(NET, kind, "name: x, namespace: " ns) "spec: {" spec "}\n"
#define EVERY "ports: [{number: 80, name: http, protocol: HTTP}]"

TEST(each_spelling_of_a_host_finds_its_service)
{
	expect_found(SERVICE("a", HTTP80) TO_HOST("r1", "a") TO_HOST("r2",
			 "a.shop.svc.cluster.local") TO_HOST("r3", "a.shop"),
	    "IST0109 VirtualService/shop/r1 spec.hosts\n"
	    "IST0109 VirtualService/shop/r2 spec.hosts\n"
	    "IST0109 VirtualService/shop/r3 spec.hosts\n");
}

TEST(a_short_name_is_of_the_routes_own_namespace)
{
	expect_found(SERVICE("a", HTTP80) ABROAD("VirtualService", "other",
			 "hosts: [x.y], http: [{route: [" LEAD("a") "]}]"),
	    "IST0101 VirtualService/other/x" FIRST);
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

	expect_found_with(
	    ROUTE("r",
		"hosts: [x.y], http: [{route: [" LEAD("a") ", " LEAD(
		    "b") ", {destination: {host: a, port: {number: 81}}}]}]"),
	    &known,
	    AT("r") " spec.http[0].route[2].destination\n"
		    "IST0112 VirtualService/shop/r "
		    "spec.http[0].route[1].destination\n");
}

TEST(wildcards_of_entries_stand_for_hosts)
{
	expect_found(
	    ENTRY("e", "hosts: ['*.w.org'], resolution: NONE, " EVERY) ROUTE(
		"r",
		"hosts: [x.y], http: [{route: [" LEAD("a.w.org") ", " LEAD(
		    "'*.w.org'") ", " LEAD("'*.b.w.org'") ", " LEAD("w."
								    "or"
								    "g") ""
									 "]"
									 "}"
									 "]"),
	    AT("r") " spec.http[0].route[3].destination\n");
}

TEST(what_is_not_exported_is_not_seen)
{
	static const char entry[] = ABROAD("ServiceEntry", "other",
	    "hosts: [e.org], resolution: DNS, exportTo: [here], " EVERY);
	char text[2048];

	expect_found(entry, "");
	(void)snprintf(text, sizeof(text), "%s%s%s", entry,
	    TO_HOST("r", "e.org"),
	    ABROAD("VirtualService", "here",
		"hosts: [x.z], http: [{route: [" LEAD("e.org") "]}]"));
	expect_found(text, AT("r") FIRST);
}

TEST(a_service_says_in_an_annotation_who_sees_it)
{
	expect_found(
	    DOC("v1", "Service",
		NAMED(
		    "a") ", annotations: {networking.istio.io/exportTo: "
			 "'one, .'}") "spec: {ports: [" HTTP80 "]}\n" TO_HOST("r",
		"a") DOC(NET, "VirtualService",
		"name: x, namespace: one") "spec: {hosts: [x.z], http: "
					   "[{route: [" LEAD(
					       "a.shop.svc."
					       "cluster.local") "]}]}\n" DOC(NET,
					       "VirtualService",
					       "name: x, namespace: two") "spec"
									  ": "
									  "{hos"
									  "ts: "
									  "[x."
									  "w], "
									  "http"
									  ": "
									  "[{"
									  "rout"
									  "e: "
									  "[" LEAD(
									      "a.shop.svc.cluster.local") "]}]}\n",
	    "IST0101 VirtualService/two/x" FIRST);
}

TEST(mirrors_and_bytes_lead_somewhere_too)
{
	expect_found(
	    SERVICE("a", HTTP80) ROUTE("r",
		"hosts: [x.y], http: [{route: [" LEAD(
		    "a") "], mirrors: [{destination: {host: m1}}]}], tcp: "
			 "[{route: [" LEAD(
			     "t") "]}], tls: [{match: [{sniHosts: [x.y]}], "
				  "route: [" LEAD("s") "]}]"),
	    AT("r") " spec.http[0].mirrors[0].destination\n" AT(
		"r") " spec.tcp[0].route[0].destination\n" AT("r") " spec.tls["
								   "0].route[0]"
								   ".destinatio"
								   "n\n");
}

TEST(subsets_are_found_under_wildcards_and_in_the_services_namespace)
{
#define V1 "subsets: [{name: v1, labels: {v: '1'}}]"
#define TO_V1(host) "{destination: {host: " host ", subset: v1}}"
	expect_found(
	    RULE("w", "host: '*.w.org', " V1) ABROAD("DestinationRule", "far",
		"host: a.shop.svc.cluster.local, " V1) ABROAD("DestinationRule",
		"away", "host: e.org.uk, " V1) ROUTE("r",
		"hosts: [x.y], http: [{route: [" TO_V1("a.w.org") ", " TO_V1(
		    "a") ", " TO_V1("e.org.uk") "]}]"),
	    AT("r") " spec.http[0].route[2].destination\n");
}

TEST(gateways_show_hosts_to_namespaces)
{
#define BOUND(name, host)                                                      \
	ROUTE(name, "hosts: [" host                                            \
		    "], gateways: [far/g], http: [{redirect: {uri: /}}]")
	expect_found(
	    DOC(NET, "Gateway",
		"name: g, namespace: far") "spec: {" INGRESS
					   ", servers: [" SERVER("80", "HTTP",
					       "'./own.org', 'shop/ours.org', "
					       "'*/all.org', "
					       "'*.wild.org'") "]}\n" BOUND("r"
									    "1",
					       "own.org")
					       BOUND("r2", "ours.org")
						   BOUND("r3", "all.org") BOUND(
						       "r4", "a.wild.org"),
	    "IST0132 VirtualService/shop/r1 spec.gateways[0]\n");
}

TEST(a_gateway_of_the_gateway_api_is_one_too)
{
	expect_found(DOC("gateway.networking.k8s.io/v1", "Gateway",
			 NAMED("g")) "spec: {listeners: [{name: a, hostname: "
				     "a.org, port: 80, protocol: "
				     "HTTP}]}\n" ROUTE("r1",
					 "hosts: [a.org], gateways: [g], http: "
					 "[{redirect: {uri: /}}]") ROUTE("r2",
					 "hosts: [b.org], gateways: [g], http: "
					 "[{redirect: {uri: /}}]"),
	    "IST0132 VirtualService/shop/r2 spec.gateways[0]\n");
}

TEST(claims_are_right_where_tokens_are_verified)
{
#define CLAIM                                                                  \
	GATEWAY("g", INGRESS ", servers: [" SERVER("80", "HTTP", "x.y") "]")   \
	ROUTE("r",                                                             \
	    "hosts: [x.y], gateways: [g], http: [{match: [{withoutHeaders: "   \
	    "{'@request.auth.claims.sub': {exact: a}}}], redirect: {uri: "     \
	    "/}}]")
	const struct analysis_input usual = {.flags = ANALYSIS_USUAL_GATEWAYS};

	expect_found_with(CLAIM, &usual,
	    "IST0149 VirtualService/shop/r spec.http[0].match[0].headers\n");
	expect_found_with(
	    CLAIM DOC(SEC, "RequestAuthentication",
		"name: a, namespace: istio-system") "spec: {jwtRules: "
						    "[{issuer: a}]}\n",
	    &usual, "");
	expect_found_with(
	    CLAIM DOC(SEC, "RequestAuthentication",
		"name: a, namespace: shop") "spec: {jwtRules: [{issuer: a}]}\n",
	    &usual,
	    "IST0149 VirtualService/shop/r spec.http[0].match[0].headers\n");
}

TEST(one_host_of_two_routes_is_told_to_both_however_they_are_seen)
{
#define MINE(name, host, more)                                                 \
	ROUTE(name, "hosts: [" host "], http: [{redirect: {uri: /}}]" more)
	expect_found(MINE("a", "h.org", ", exportTo: [one]")
			 MINE("b", "h.org", ", exportTo: [two]"),
	    "");
	expect_found(MINE("a", "h.org", ", exportTo: [one]")
			 MINE("b", "h.org", ""),
	    "IST0109 VirtualService/shop/a spec.hosts\n"
	    "IST0109 VirtualService/shop/b spec.hosts\n");
	expect_found(MINE("a", "'*.org'", ", exportTo: [one]")
			 MINE("b", "h.org", ""),
	    "IST0109 VirtualService/shop/a spec.hosts\n"
	    "IST0109 VirtualService/shop/b spec.hosts\n");
	expect_found(MINE("a", "'*.org'", "") MINE("b", "h.org", ""), "");
	expect_found(MINE("a", "h.org", "")
			 MINE("b", "h.org", ", gateways: [g]")
			     GATEWAY("g", "selector: {}, servers: [" SERVER(
					      "80", "HTTP", "h.org") "]"),
	    "");
}
