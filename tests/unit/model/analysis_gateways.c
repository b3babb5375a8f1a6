/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis_gateways — Gateways beside each other, and what is in front.
 */
#include "analyse.h"
#include "documents.h"
#include "unit.h"

static const struct analysis_input usual = {.flags = ANALYSIS_USUAL_GATEWAYS};

#define GW_POD POD("p", "app: gw, tier: edge")
#define FOR_GW(name, select, port)                                             \
	GATEWAY(name, "selector: {" select                                     \
		      "}, servers: [" SERVER(port, "HTTP", "x.y") "]")
#define CONFLICT(name) "IST0145 Gateway/shop/" name " spec.servers[0]\n"
#define CLASH(name) "MSH0106 Gateway/shop/" name " spec.servers[0].port\n"

#define HTTP(name, hosts) ON_PORT(name, "80", "HTTP", hosts)

TEST(hosts_are_compared_with_their_namespaces)
{
	expect_found_with(
	    HTTP("a", "'./x.y'") HTTP("b", "'other/x.y'"), &usual, "");
	expect_found_with(HTTP("a", "'./x.y'") HTTP("b", "'shop/x.y'"), &usual,
	    CONFLICT("a") CONFLICT("b"));
	expect_found_with(HTTP("a", "'*/x.y'") HTTP("b", "x.y"), &usual,
	    CONFLICT("a") CONFLICT("b"));
	expect_found_with(
	    HTTP("a", "x.y") ON_PORT("b", "443", "HTTP", "x.y"), &usual, "");
}

TEST(two_selectors_meet_in_a_workload)
{
#define TWO FOR_GW("a", "app: gw", "80") FOR_GW("b", "tier: edge", "80")
	expect_found(TWO, "");
	expect_found(
	    GW_POD SERVICE("s", HTTP80) TWO, CONFLICT("a") CONFLICT("b"));
}

TEST(a_port_is_open_as_port_or_target_of_a_service_in_front)
{
#define FRONT                                                                  \
	SERVICE_OF("s",                                                        \
	    "selector: {app: gw}, ports: [{name: http, port: 80, targetPort: " \
	    "8080}]")
	expect_found(GW_POD FRONT FOR_GW("a", "app: gw", "80"), "");
	expect_found(GW_POD FRONT FOR_GW("a", "app: gw", "8080"), "");
	expect_found(GW_POD FRONT FOR_GW("a", "app: gw", "81"),
	    "IST0162 Gateway/shop/a spec.servers[0].port.number\n");
}

TEST(a_machines_gateway_needs_no_service)
{
#define MACHINE WORKLOAD("w", "address: 10.0.0.1, labels: {app: gw}")
	expect_found(MACHINE FOR_GW("a", "app: gw", "81"), "");
}

TEST(without_any_workload_no_selector_is_wrong)
{
	expect_found(FOR_GW("a", "app: none", "80"), "");
	expect_found_with(FOR_GW("a", "app: none", "80"), &usual,
	    "IST0101 Gateway/shop/a spec.selector\n");
}

TEST(without_any_secret_none_is_missing)
{
	expect_found_with(TLS_ON("g", "a.b", "credentialName: s"), &usual, "");
}

TEST(certificates_are_shared_by_files_as_well)
{
#define FILES(name, host, cert)                                                \
	TLS_ON(name, host, "serverCertificate: " cert ", privateKey: /k")
#define SAME(name) "IST0138 Gateway/shop/" name " spec.servers\n"
	expect_found_with(FILES("a", "a.b", "/c") FILES("b", "b.c", "/c"),
	    &usual, SAME("a") SAME("b"));
	expect_found_with(
	    FILES("a", "a.b", "/c") FILES("b", "b.c", "/d"), &usual, "");
}

TEST(what_reads_otherwise_cannot_share_a_port)
{
	expect_found_with(
	    HTTP("a", "a.b") ON_PORT("b", "80", "GRPC", "b.c"), &usual, "");
	expect_found_with(HTTP("a", "a.b") ON_PORT("b", "80", "MONGO", "b.c"),
	    &usual, CLASH("a") CLASH("b"));
}

/* --- shadows -------------------------------------------------------------- */

#define RULED(name, day, match)                                                \
	OF(NET, "VirtualService",                                              \
	    NAMED(name) ", creationTimestamp: '2026-01-0" day "T00:00:00Z'",   \
	    "hosts: [x.y], gateways: [g], http: [{" match "redirect: {uri: "   \
	    "/}}]")
#define OLD(match) ON_80("g") RULED("old", "1", match)
#define NEW(match) RULED("new", "2", match)
#define PATH(kind, path) "match: [{uri: {" kind ": " path "}}], "
#define HIDDEN "MSH0105 VirtualService/shop/new spec.http[0]\n"

TEST(an_older_prefix_hides_what_is_inside)
{
	expect_found_with(OLD(PATH("prefix", "/a")) NEW(PATH("exact", "/a/b")),
	    &usual, HIDDEN);
	expect_found_with(
	    OLD(PATH("prefix", "/a/b")) NEW(PATH("prefix", "/a")), &usual, "");
	expect_found_with(
	    OLD(PATH("exact", "/a")) NEW(PATH("exact", "/a")), &usual, HIDDEN);
	expect_found_with(
	    OLD(PATH("exact", "/a")) NEW(PATH("prefix", "/a")), &usual, "");
}

TEST(what_takes_everything_comes_last_and_hides_only_its_like)
{
	expect_found_with(OLD("") NEW(PATH("prefix", "/a")), &usual, "");
	expect_found_with(OLD("") NEW(PATH("prefix", "/")), &usual, HIDDEN);
}

TEST(a_rule_with_more_tests_hides_nothing)
{
#define OF_GET "match: [{uri: {prefix: /a}, method: {exact: GET}}], "
#define TWO_PATHS "match: [{uri: {prefix: /a/b}}, {uri: {prefix: /c}}], "
	expect_found_with(OLD(OF_GET) NEW(PATH("prefix", "/a/b")), &usual, "");
	/* Only one of its two matches is hidden. */
	expect_found_with(OLD(PATH("prefix", "/a")) NEW(TWO_PATHS), &usual, "");
}
