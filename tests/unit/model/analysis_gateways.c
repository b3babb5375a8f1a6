/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis_gateways — Gateways beside each other, and what is in front.
 */
#include "analyse.h"
#include "documents.h"
#include "unit.h"

static const struct analysis_input usual = {.flags = ANALYSIS_USUAL_GATEWAYS};

#define ON(name, port, protocol, hosts)                                        \
	GATEWAY(name, INGRESS ", servers: [" SERVER(port, protocol, hosts) "]")
#define GW_POD                                                                 \
	DOC("v1", "Pod", NAMED("p") ", labels: {app: gw, tier: edge}")         \
	"spec: {containers: [{name: istio-proxy, image: p}]}\n"
#define FOR_GW(name, select, port)                                             \
	GATEWAY(name, "selector: {" select                                     \
		      "}, servers: [" SERVER(port, "HTTP", "x.y") "]")

TEST(hosts_are_compared_with_their_namespaces)
{
	expect_found_with(ON("a", "80", "HTTP", "'./x.y'")
			      ON("b", "80", "HTTP", "'other/x.y'"),
	    &usual, "");
	expect_found_with(ON("a", "80", "HTTP", "'./x.y'")
			      ON("b", "80", "HTTP", "'shop/x.y'"),
	    &usual,
	    "IST0145 Gateway/shop/a spec.servers[0]\n"
	    "IST0145 Gateway/shop/b spec.servers[0]\n");
	expect_found_with(ON("a", "80", "HTTP", "'*/x.y'")
			      ON("b", "80", "HTTP", "x.y"),
	    &usual,
	    "IST0145 Gateway/shop/a spec.servers[0]\n"
	    "IST0145 Gateway/shop/b spec.servers[0]\n");
	expect_found_with(ON("a", "80", "HTTP", "x.y")
			      ON("b", "443", "HTTP", "x.y"),
	    &usual, "");
}

TEST(two_selectors_meet_in_a_workload)
{
	expect_found(FOR_GW("a", "app: gw", "80")
			 FOR_GW("b", "tier: edge", "80") SERVICE("s", HTTP80),
	    "");
	expect_found(GW_POD FOR_GW("a", "app: gw", "80")
			 FOR_GW("b", "tier: edge", "80") SERVICE("s", HTTP80),
	    "IST0145 Gateway/shop/a spec.servers[0]\n"
	    "IST0145 Gateway/shop/b spec.servers[0]\n");
}

TEST(a_port_is_open_as_port_or_target_of_a_service_in_front)
{
#define FRONT                                                                  \
	DOC("v1", "Service", NAMED("s"))                                       \
	"spec: {selector: {app: gw}, ports: [{name: http, port: 80, "          \
	"targetPort: 8080}]}\n"
	expect_found(GW_POD FRONT FOR_GW("a", "app: gw", "80")
			 FOR_GW("b", "app: gw", "8080"),
	    "");
	expect_found(GW_POD FRONT FOR_GW("c", "app: gw", "81"),
	    "IST0162 Gateway/shop/c spec.servers[0].port.number\n");
}

TEST(a_machines_gateway_needs_no_service)
{
	expect_found(DOC(NET, "WorkloadEntry",
			 NAMED("w")) "spec: {address: 10.0.0.1, labels: {app: "
				     "gw}}\n" FOR_GW("a", "app: gw", "81"),
	    "");
}

TEST(without_any_workload_no_selector_is_wrong)
{
	expect_found(FOR_GW("a", "app: none", "80"), "");
	expect_found_with(FOR_GW("a", "app: none", "80"), &usual,
	    "IST0101 Gateway/shop/a spec.selector\n");
}

TEST(without_any_secret_none_is_missing)
{
	expect_found_with(
	    GATEWAY("g", INGRESS ", servers: [{port: {number: 443, name: "
				 "s, protocol: HTTPS}, hosts: [a.b], tls: "
				 "{mode: SIMPLE, credentialName: s}}]"),
	    &usual, "");
}

TEST(certificates_are_shared_by_files_as_well)
{
#define FILES(name, host, cert)                                                \
	GATEWAY(name,                                                          \
	    INGRESS ", servers: [{port: {number: 443, name: s, protocol: "     \
		    "HTTPS}, hosts: [" host "], tls: {mode: SIMPLE, "          \
		    "serverCertificate: " cert ", privateKey: /k}}]")
	expect_found_with(FILES("a", "a.b", "/c") FILES("b", "b.c", "/c"),
	    &usual,
	    "IST0138 Gateway/shop/a spec.servers\n"
	    "IST0138 Gateway/shop/b spec.servers\n");
	expect_found_with(
	    FILES("a", "a.b", "/c") FILES("b", "b.c", "/d"), &usual, "");
}

TEST(what_reads_otherwise_cannot_share_a_port)
{
	expect_found_with(ON("a", "80", "HTTP", "a.b")
			      ON("b", "80", "GRPC", "b.c"),
	    &usual, "");
	expect_found_with(
	    ON("a", "80", "HTTP", "a.b") ON("b", "80", "MONGO", "b.c"), &usual,
	    "MSH0106 Gateway/shop/a spec.servers[0].port\n"
	    "MSH0106 Gateway/shop/b spec.servers[0].port\n");
}

TEST(a_workload_port_belongs_to_one_workload)
{
#define ENTRY_AT(name, address, labels, port)                                  \
	DOC(NET, "WorkloadEntry", NAMED(name))                                 \
	"spec: {address: " address ", labels: {" labels                        \
	"}, ports: {http: " port "}}\n"
	expect_found(ENTRY_AT("a", "10.0.0.1", "app: a", "80")
			 ENTRY_AT("b", "10.0.0.1", "app: b", "80"),
	    "MSH0106 WorkloadEntry/shop/a spec.ports.http\n"
	    "MSH0106 WorkloadEntry/shop/b spec.ports.http\n");
	expect_found(ENTRY_AT("a", "10.0.0.1", "app: a", "80")
			 ENTRY_AT("b", "10.0.0.2", "app: b", "80")
			     ENTRY_AT("c", "10.0.0.1", "app: c", "81"),
	    "");
	expect_found(ENTRY_AT("a", "10.0.0.1", "app: a", "80")
			 ENTRY_AT("b", "10.0.0.1", "app: a", "80"),
	    "");
}

#define RULES(name, time, matches)                                             \
	DOC(NET, "VirtualService",                                             \
	    NAMED(name) ", creationTimestamp: '2026-01-0" time "T00:00:00Z'")  \
	"spec: {hosts: [x.y], gateways: [g], http: [{" matches                 \
	"redirect: {uri: /}}]}\n"
#define PATH(kind, path) "match: [{uri: {" kind ": " path "}}], "
#define SHADOW ON("g", "80", "HTTP", "x.y")

TEST(an_older_prefix_hides_what_is_inside)
{
	expect_found_with(SHADOW RULES("old", "1", PATH("prefix", "/a"))
			      RULES("new", "2", PATH("exact", "/a/b")),
	    &usual, "MSH0105 VirtualService/shop/new spec.http[0]\n");
	expect_found_with(SHADOW RULES("old", "1", PATH("prefix", "/a/b"))
			      RULES("new", "2", PATH("prefix", "/a")),
	    &usual, "");
	expect_found_with(SHADOW RULES("old", "1", PATH("exact", "/a"))
			      RULES("new", "2", PATH("exact", "/a")),
	    &usual, "MSH0105 VirtualService/shop/new spec.http[0]\n");
}

TEST(what_takes_everything_comes_last_and_hides_only_its_like)
{
	expect_found_with(SHADOW RULES("old", "1", "")
			      RULES("new", "2", PATH("prefix", "/a")),
	    &usual, "");
	expect_found_with(SHADOW RULES("old", "1", "")
			      RULES("new", "2", PATH("prefix", "/")),
	    &usual, "MSH0105 VirtualService/shop/new spec.http[0]\n");
}

TEST(a_rule_with_more_tests_hides_nothing)
{
	expect_found_with(
	    SHADOW RULES("old", "1",
		"match: [{uri: {prefix: /a}, method: {exact: GET}}], ")
		RULES("new", "2", PATH("prefix", "/a/b")),
	    &usual, "");
	expect_found_with(SHADOW RULES("old", "1", PATH("prefix", "/a"))
			      RULES("new", "2",
				  "match: [{uri: {prefix: /a/b}}, {uri: "
				  "{prefix: /c}}], "),
	    &usual, "");
}
