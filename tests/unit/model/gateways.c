/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateways — what a gateway makes of Gateways and VirtualServices.
 */
#include <stdio.h>

#include "compiled.h"
#include "documents.h"
#include "unit.h"

#define AGED(kind, name, ns, day, spec)                                        \
	OF(NET, kind,                                                          \
	    "name: " name ", namespace: " ns                                   \
	    ", creationTimestamp: '2026-01-" day "T00:00:00Z'",                \
	    spec)
#define GW(name, day, servers)                                                 \
	AGED("Gateway", name, "shop", day,                                     \
	    "selector: {app: gw}, servers: [" servers "]")
#define VS(name, day, spec) AGED("VirtualService", name, "shop", day, spec)
#define VS_IN(ns, name, day, spec) AGED("VirtualService", name, ns, day, spec)
#define AT(name, port, protocol, hosts, more)                                  \
	"{port: {number: " port ", name: " name ", protocol: " protocol        \
	"}, hosts: [" hosts "] " more "}"
#define HTTP(hosts) AT("http", "80", "HTTP", hosts, "")
#define TLS(name, port, protocol, hosts, tls)                                  \
	AT(name, port, protocol, hosts, ", tls: {" tls "}")
#define SIMPLE(name, hosts)                                                    \
	TLS(name, "443", "HTTPS", hosts, "mode: SIMPLE, credentialName: cert")
#define WEB SERVICE("web", "{name: http, port: 80}, {name: tcp, port: 90}")
#define TO_WEB "route: [{destination: {host: web, port: {number: 80}}}]"
#define TO_80 TO_WEB
#define TO_90 "route: [{destination: {host: web, port: {number: 90}}}]"
#define RULE_OF(name, match) "{name: " name ", match: [" match "], " TO_WEB "}"
#define ALL_OF(name) "{name: " name ", " TO_WEB "}"
#define ON(uri) "{uri: {prefix: " uri "}}"
#define BOUND(hosts, rules)                                                    \
	"hosts: [" hosts "], gateways: [gw], http: [" rules "]"

enum { TOLD_MAX = 512 };

static void
at_address(struct compiled *c, const char *yaml, struct slice address)
{
	static const struct label app[] = {{{"app", 3}, {"gw", 2}}};
	struct addr ip;
	struct view_input place = {.proxy = VIEW_ROUTER,
	    .ns = S("edge"),
	    .labels = {app, 1},
	    .addrs = &ip,
	    .addr_count = 1};

	EXPECT_OK(addr_parse_ip(address, &ip));
	compiled_init_from(c, yaml, &place);
}

static void
at_gateway(struct compiled *c, const char *yaml)
{
	at_address(c, yaml, S("10.0.0.1"));
}

/* Many rules of a host are found by an index, as those of an agent. */
TEST(rules_of_a_gateway_have_an_index)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_host *host;
	size_t at = 0;
	const struct http_attrs deep = {.path = S("/7/x")};
	const struct http_attrs other = {.path = S("/0")};

	at_gateway(&c,
	    WEB GW("gw", "01", HTTP("shop.com")) VS("v", "02",
		BOUND("shop.com",
		    RULE_OF("r1", ON("/1")) "," RULE_OF("r2",
			ON("/2")) "," RULE_OF("r3", ON("/3")) "," RULE_OF("r4",
			ON("/4")) "," RULE_OF("r5", ON("/5")) "," RULE_OF("r6",
			ON("/6")) "," RULE_OF("r7", ON("/7")) "," RULE_OF("r8",
			ON("/8")) "," ALL_OF("r9"))));
	do
		host = view_next_host(c.v, &at);
	while (host != NULL && host->http_count != 9);
	EXPECT_TRUE(host != NULL && host->index != NULL);
	EXPECT_SLICE(view_route_http(host, &deep, NULL).route->name, S("r7"));
	EXPECT_SLICE(view_route_http(host, &other, NULL).route->name, S("r9"));
}

struct call {
	uint16_t port;
	enum explain_tls tls;
	const char *sni; /* of what is asked, too */
	const char *path;
	const char *wanted;
};

/* "listener routes host route cluster error", what there is. */
static const char *
told(struct compiled *c, const struct call *call, char out[TOLD_MAX])
{
	static const char *const members[] = {"listenerMatched",
	    "routeConfigMatched", "virtualHostMatched", "routeMatched",
	    "clusterMatched", "error"};
	struct explain_connection q = {.direction = VIEW_GATEWAY,
	    .protocol = call->path != NULL ? EXPLAIN_HTTP : EXPLAIN_TCP,
	    .tls = call->tls,
	    .sni = slice_str(call->tls != EXPLAIN_PLAINTEXT ? call->sni : "")};
	const struct value *v;
	size_t n = 0;

	EXPECT_OK(addr_parse_ip(S("10.0.0.1"), &q.destination));
	q.destination.port = call->port;
	q.request.authority = slice_str(call->sni);
	q.request.path = slice_str(call->path);
	v = model_explain_connection(c->v, &q, &c->arena);
	EXPECT_TRUE(v != NULL);
	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		struct slice s =
		    value_get_string(v, slice_str(members[i]), S(""));

		if (s.len > 0)
			n += (size_t)snprintf(out + n, TOLD_MAX - n, "%s%.*s",
			    n > 0 ? " " : "", SLICE_ARG(s));
	}
	return out;
}

static void
expect_calls(const char *yaml, const struct call *calls, size_t count)
{
	AUTO(compiled_fini) struct compiled c;
	char text[TOLD_MAX];

	at_gateway(&c, yaml);
	for (size_t i = 0; i < count; i++)
		EXPECT_STR(told(&c, &calls[i], text), calls[i].wanted);
}

#define EXPECT_CALLS(yaml, calls) expect_calls(yaml, calls, ARRAY_LEN(calls))

#define WEB_80 "outbound|80||web.shop.svc.cluster.local"
#define WEB_90 "outbound|90||web.shop.svc.cluster.local"
#define P80 "0.0.0.0_80 http.80 "

/* --- which Gateways, which ports ------------------------------------------ */

TEST(a_gateway_takes_the_servers_that_its_labels_select)
{
	static const struct call calls[] = {
	    {80, 0, "a.com", "/", P80 "blackhole:80 ErrNoRoute"},
	    {81, 0, "a.com", "/", "ErrNoListener"},
	    {82, 0, "a.com", "/", "0.0.0.0_82 http.82 blackhole:82 ErrNoRoute"},
	};

	EXPECT_CALLS(
	    GW("gw", "01", HTTP("a.com")) GATEWAY(
		"other", "selector: {app: other}, servers: [" AT("http", "81",
			     "HTTP", "a.com", "") "]") GATEWAY("any",
		"servers: [" AT("http", "82", "HTTP", "a.com", "") "]"),
	    calls);
}

TEST(a_server_may_listen_at_one_address_only)
{
	static const struct call calls[] = {
	    {80, 0, "a.com", "/", P80 "blackhole:80 ErrNoRoute"},
	    {81, 0, "a.com", "/",
		"10.0.0.1_81 http.81.10.0.0.1 blackhole:81 ErrNoRoute"},
	    {82, 0, "a.com", "/", "ErrNoListener"},
	};

	EXPECT_CALLS(GW("gw", "01",
			 HTTP("a.com") ", " AT("b", "81", "HTTP", "a.com",
			     ", bind: 10.0.0.1") ", " AT("c", "82", "HTTP",
			     "a.com", ", bind: 10.0.0.2")),
	    calls);
}

TEST(a_machine_without_ipv4_listens_at_any_address_of_the_other)
{
	AUTO(compiled_fini) struct compiled c;
	struct addr at = {.port = 80};
	const struct view_listener *l;

	at_address(&c, GW("gw", "01", HTTP("a.com")), S("fd00::1"));
	l = view_find_listener(c.v, NULL, VIEW_GATEWAY, &at);
	EXPECT_SLICE(l != NULL ? l->name : S(""), S("::_80"));
}

TEST(a_unix_socket_is_said_to_be_not_in_force)
{
	AUTO(compiled_fini) struct compiled c;

	at_gateway(
	    &c, GW("gw", "01",
		    AT("u", "0", "HTTP", "a.com", ", bind: 'unix:///u'")));
	EXPECT_TRUE(compiled_tells(&c, "unix socket"));
}

TEST(browsers_speak_grpc_where_the_first_server_of_a_port_says_so)
{
	AUTO(compiled_fini) struct compiled c;

	at_gateway(&c,
	    GW("old", "01", AT("w", "80", "GRPC-WEB", "a.com", "")) GW("young",
		"02", HTTP("b.com") ", " AT("h", "81", "HTTP", "b.com", "")));
	for (uint16_t port = 80; port <= 81; port++) {
		struct addr at = {.port = port};
		const struct view_listener *l =
		    view_find_listener(c.v, NULL, VIEW_GATEWAY, &at);

		EXPECT_EQ(l->chain_count, 1);
		EXPECT_EQ(view_translates_grpc_web(l->chains, NULL, NULL),
		    port == 80);
	}
}

TEST(the_older_of_two_protocols_has_a_port)
{
	AUTO(compiled_fini) struct compiled c;
	const struct call call = {
	    80, EXPLAIN_PLAINTEXT, "a.com", "/", P80 "blackhole:80 ErrNoRoute"};
	char text[TOLD_MAX];

	at_gateway(&c,
	    GW("young", "02", AT("tcp", "80", "TCP", "a.com", ""))
		GW("old", "01", HTTP("a.com")) WEB VS("v", "01",
		    "hosts: [a.com], gateways: [young], tcp: [{" TO_90 "}]"));
	EXPECT_STR(told(&c, &call, text), call.wanted);
	EXPECT_TRUE(compiled_tells(&c, "TCP cannot share port 80"));
}

TEST(plain_http_after_tls_shares_the_port_with_it)
{
	static const struct call calls[] = {
	    {443, EXPLAIN_TLS, "a.com", "/",
		"0.0.0.0_443 https.443.s.old.shop blackhole:443 ErrNoRoute"},
	    {443, 0, "a.com", "/",
		"0.0.0.0_443 http.443 blackhole:443 ErrNoRoute"},
	};

	EXPECT_CALLS(GW("old", "01", SIMPLE("s", "a.com")) GW(
			 "young", "02", AT("http", "443", "HTTP", "b.com", "")),
	    calls);
}

#define BEHIND(ports)                                                          \
	OF("v1", "Service", "name: front, namespace: edge",                    \
	    "selector: {app: gw}, ports: [" ports "]")

TEST(a_service_in_front_moves_a_server_to_its_target_port)
{
	static const struct call calls[] = {
	    {8080, 0, "a.com", "/",
		"0.0.0.0_8080 http.8080 a.com:80 r " WEB_80},
	    {80, 0, "a.com", "/", "ErrNoListener"},
	    {81, 0, "a.com", "/", "0.0.0.0_81 http.81 a.com:81 r " WEB_80},
	};

	EXPECT_CALLS(
	    WEB BEHIND("{name: http, port: 80, targetPort: 8080}, "
		       "{name: named, port: 81, targetPort: web}") GW("gw",
		"01", HTTP("a.com") ", " AT("b", "81", "HTTP", "a.com", ""))
		VS("v", "01", BOUND("a.com", ALL_OF("r"))),
	    calls);
}

TEST(a_gateway_may_name_the_services_that_lead_to_it)
{
	static const struct call calls[] = {
	    {8080, 0, "a.com", "/",
		"0.0.0.0_8080 http.8080 blackhole:80 ErrNoRoute"},
	    {80, 0, "a.com", "/", "ErrNoListener"},
	    {81, 0, "a.com", "/", "ErrNoListener"},
	};

	EXPECT_CALLS(
	    OF(NET, "Gateway",
		"name: gw, namespace: edge, annotations: "
		"{internal.istio.io/gateway-service: 'x.com, front.com'}",
		"servers: [" HTTP("a.com") ", " AT(
		    "b", "81", "HTTP", "a.com", "") "]")
		OF(NET, "ServiceEntry", "name: front, namespace: edge",
		    "hosts: [front.com], resolution: STATIC, endpoints: "
		    "[{address: 10.0.0.1}], ports: [{name: http, number: 80, "
		    "protocol: HTTP, targetPort: 8080}]"),
	    calls);
}

/* --- virtual hosts -------------------------------------------------------- */

TEST(hosts_of_both_sides_meet_and_the_narrower_is_the_virtual_host)
{
	static const struct call calls[] = {
	    {80, 0, "a.com", "/", P80 "a.com:80 one " WEB_80},
	    {80, 0, "A.COM:80", "/", P80 "a.com:80 one " WEB_80},
	    {80, 0, "x.b.com", "/", P80 "*.b.com:80 two " WEB_80},
	    {80, 0, "y.x.b.com", "/", P80 "*.b.com:80 two " WEB_80},
	    {80, 0, "b.com", "/", P80 "ErrNoVirtualHost"},
	    {80, 0, "c.com", "/", P80 "ErrNoVirtualHost"},
	};

	EXPECT_CALLS(WEB GW("gw", "01", HTTP("'*.com'"))
			 VS("one", "01", BOUND("a.com", ALL_OF("one")))
			     VS("two", "02", BOUND("'*.b.com'", ALL_OF("two"))),
	    calls);
}

TEST(an_odd_wildcard_is_found_and_a_longer_one_first)
{
	static const struct call calls[] = {
	    {80, 0, "x-b.c.com", "/", P80 "*-b.c.com:80 odd " WEB_80},
	    {80, 0, "x.c.com", "/", P80 "*.c.com:80 even " WEB_80},
	    {80, 0, "x-b.y.c.com", "/", P80 "*.c.com:80 even " WEB_80},
	};

	EXPECT_CALLS(WEB GW("gw", "01", HTTP("'*'")) VS(
			 "odd", "01", BOUND("'*-b.c.com'", ALL_OF("odd")))
			 VS("even", "02", BOUND("'*.c.com'", ALL_OF("even"))),
	    calls);
}

TEST(all_that_have_a_host_stand_in_one_row_catch_alls_last)
{
	static const struct call calls[] = {
	    {80, 0, "a.com", "/one", P80 "a.com:80 one " WEB_80},
	    {80, 0, "a.com", "/two", P80 "a.com:80 two " WEB_80},
	    {80, 0, "a.com", "/three", P80 "a.com:80 all " WEB_80},
	};

	/* The older takes everything by its second match, and no more. */
	EXPECT_CALLS(
	    WEB GW("gw", "01", HTTP("a.com")) VS("b", "02",
		BOUND("a.com", RULE_OF("two", ON("/two")))) VS("a", "01",
		BOUND("a.com",
		    RULE_OF("one", ON("/one")) ", " RULE_OF(
			"all", ON("/x") ", " ON("/") ", " ON(
				   "/two")) ", " RULE_OF("never", ON("/two")))),
	    calls);
}

TEST(hosts_with_the_same_rules_share_the_row_of_the_most_specific)
{
	static const struct call calls[] = {
	    {80, 0, "a.com", "/", P80 "long.com:80 r " WEB_80},
	    {80, 0, "long.com", "/", P80 "long.com:80 r " WEB_80},
	    {80, 0, "b.com", "/", P80 "b.com:80 r " WEB_80},
	};

	EXPECT_CALLS(
	    WEB GW("gw", "01", HTTP("'*'"))
		VS("v", "01", BOUND("a.com, long.com, b.com", ALL_OF("r")))
		    VS("w", "02", BOUND("b.com", RULE_OF("more", ON("/x")))),
	    calls);
}

TEST(a_server_says_of_which_namespaces_its_rules_may_be)
{
	static const struct call calls[] = {
	    {80, 0, "a.com", "/", P80 "a.com:80 mine " WEB_80},
	    {80, 0, "b.com", "/", P80 "ErrNoVirtualHost"},
	    {80, 0, "c.com", "/",
		P80 "c.com:80 other outbound|80||web.blog.svc.cluster.local"},
	    {80, 0, "d.com", "/", P80 "ErrNoVirtualHost"},
	};

	EXPECT_CALLS(
	    WEB GW("gw", "01", HTTP("./a.com, ./b.com, blog/c.com, d.com"))
		VS("v", "01", BOUND("a.com, c.com", ALL_OF("mine"))) VS_IN(
		    "blog", "v", "02",
		    "hosts: [b.com, c.com], gateways: [shop/gw], "
		    "http: [" ALL_OF("other") "]") VS_IN("blog", "hidden", "02",
		    "hosts: [d.com], gateways: [shop/gw], "
		    "exportTo: [blog], http: [" ALL_OF("r") "]"),
	    calls);
}

TEST(matches_for_other_gateways_and_ports_take_nothing)
{
	static const struct call calls[] = {
	    {8080, 0, "a.com", "/here",
		"0.0.0.0_8080 http.8080 a.com:80 m " WEB_80},
	    {8080, 0, "a.com", "/x",
		"0.0.0.0_8080 http.8080 a.com:80 ErrNoRoute"},
	    {8080, 0, "a.com", "/y",
		"0.0.0.0_8080 http.8080 a.com:80 ErrNoRoute"},
	    {8080, 0, "a.com", "/l",
		"0.0.0.0_8080 http.8080 a.com:80 l " WEB_80},
	    {8080, 0, "b.com", "/", "0.0.0.0_8080 http.8080 ErrNoVirtualHost"},
	};

	EXPECT_CALLS(
	    WEB BEHIND("{name: http, port: 80, targetPort: 8080}")
		GW("gw", "01", HTTP("'*'")) VS("v", "01",
		    BOUND("a.com", RULE_OF("m", "{gateways: [gw], "
						"sourceLabels: {no: one}, "
						"port: 80, uri: {prefix: "
						"/here}}") ", " RULE_OF("x",
				       "{gateways: [other], uri: "
				       "{prefix: /x}}") ", " RULE_OF("y",
				       "{port: 8080, uri: {prefix: "
				       "/y}}") ", " RULE_OF("l",
				       "{sourceLabels: {app: gw}, uri: "
				       "{prefix: /l}}")))
		    VS("w", "02", BOUND("b.com", RULE_OF("r", "{port: 81}"))),
	    calls);
}

TEST(a_delegates_gateways_are_of_its_namespace_and_the_roots_of_the_roots)
{
	static const struct call calls[] = {
	    {80, 0, "a.com", "/a",
		P80
		"a.com:80 root-leaf outbound|80||web.blog.svc.cluster.local"},
	    {80, 0, "a.com", "/b", P80 "a.com:80 ErrNoRoute"},
	};

	EXPECT_CALLS(
	    GW("gw", "01", HTTP("'*'")) VS("root", "01",
		BOUND("a.com",
		    "{name: root, match: [{gateways: [gw], uri: {prefix: "
		    "/}}], delegate: {name: leaf, namespace: blog}}"))
		VS_IN("blog", "leaf", "01",
		    "http: [" RULE_OF("leaf", ON("/a")) ", " RULE_OF(
			"not", "{gateways: [gw], uri: {prefix: /b}}") "]"),
	    calls);
}

TEST(plain_requests_are_sent_to_https_where_a_server_says_so)
{
	static const struct call calls[] = {
	    {80, 0, "a.com", "/", P80 "a.com:80 ErrTLSRedirect"},
	    {80, 0, "b.com", "/", P80 "b.com:80 ErrTLSRedirect"},
	    {80, 0, "c.com", "/", P80 "c.com:80 r " WEB_80},
	};

	EXPECT_CALLS(WEB GW("gw", "01",
			 TLS("http", "80", "HTTP", "a.com, b.com",
			     "httpsRedirect: true") ", " AT("more", "80",
			     "HTTP", "c.com", ""))
			 VS("v", "01", BOUND("a.com, c.com", ALL_OF("r"))),
	    calls);
}

/* --- TLS ------------------------------------------------------------------ */

#define S443 "0.0.0.0_443 "

TEST(each_server_with_tls_has_its_own_routes_by_the_name_that_is_said)
{
	static const struct call calls[] = {
	    {443, EXPLAIN_TLS, "a.com", "/",
		S443 "https.443.a.gw.shop a.com:443 r " WEB_80},
	    {443, EXPLAIN_TLS, "x.b.com", "/",
		S443 "https.443.b.gw.shop x.b.com:443 r " WEB_80},
	    {443, EXPLAIN_TLS, "c.com", "/", S443 "ErrNoFilterChain"},
	    {443, EXPLAIN_PLAINTEXT, "a.com", "/", S443 "ErrNoFilterChain"},
	    {444, EXPLAIN_TLS, "any", "/",
		"0.0.0.0_444 https.444.m.gw.shop ErrMTLSError"},
	};
	static const struct call mutual = {
	    444, EXPLAIN_TLS, "c.com", "/", "0.0.0.0_444 ErrMTLSError"};
	AUTO(compiled_fini) struct compiled c;
	const struct view_listener *l;
	struct addr at = {.port = 443};
	char text[TOLD_MAX];

	at_gateway(&c,
	    WEB GW("gw", "01",
		SIMPLE("a", "a.com") ", " SIMPLE("b", "'*.b.com'") ", " TLS(
		    "m", "444", "HTTPS", "'*'", "mode: ISTIO_MUTUAL"))
		VS("v", "01", BOUND("a.com, x.b.com", ALL_OF("r"))));
	for (size_t i = 0; i + 1 < ARRAY_LEN(calls); i++)
		EXPECT_STR(told(&c, &calls[i], text), calls[i].wanted);
	EXPECT_STR(told(&c, &mutual, text), mutual.wanted);
	l = view_find_listener(c.v, NULL, VIEW_GATEWAY, &at);
	EXPECT_EQ(l->chain_count, 2);
	EXPECT_EQ(l->chains[0].tls.mode, VIEW_TLS_SIMPLE);
	EXPECT_SLICE(l->chains[0].tls.secrets[0], S("kubernetes://cert"));
	EXPECT_SLICE(l->chains[0].origin.file, S("m.yaml"));
}

TEST(a_server_that_takes_nobody_yet_says_why)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_listener *l;
	struct addr at = {.port = 443};

	at_gateway(
	    &c, WEB GW("gw", "01",
		    SIMPLE("a", "a.com") ", " TLS("p", "443", "TLS", "b.com",
			"mode: PASSTHROUGH") ", " TLS("n", "15443", "TLS",
			"'*.local'", "mode: AUTO_PASSTHROUGH")) VS("v", "01",
		    "hosts: [b.com], gateways: [gw], tls: [{match: "
		    "[{sniHosts: [b.com]}], " TO_90 "}]"));
	EXPECT_TRUE(compiled_tells(&c,
	    "takes nobody: TLS that ends at a gateway is not in force yet"));
	EXPECT_TRUE(compiled_tells(&c, "takes nobody: AUTO_PASSTHROUGH"));
	l = view_find_listener(c.v, NULL, VIEW_GATEWAY, &at);
	EXPECT_EQ(l->chain_count, 2);
	EXPECT_NE(view_chain_missing(&l->chains[0]).len, 0);
	EXPECT_EQ(view_chain_missing(&l->chains[1]).len, 0);
}

TEST(of_two_servers_with_tls_and_one_host_the_older_is_there)
{
	AUTO(compiled_fini) struct compiled c;
	const struct call call = {443, EXPLAIN_TLS, "a.com", "/",
	    S443 "https.443.s.old.shop blackhole:443 ErrNoRoute"};
	char text[TOLD_MAX];

	at_gateway(&c, GW("young", "02", SIMPLE("s", "a.com, b.com"))
			   GW("old", "01", SIMPLE("s", "a.com")));
	EXPECT_STR(told(&c, &call, text), call.wanted);
	EXPECT_TRUE(compiled_tells(&c, "has the host a.com on port 443"));
}

TEST(tls_that_is_passed_on_is_found_by_name)
{
	static const struct call calls[] = {
	    {443, EXPLAIN_TLS, "a.com", "/", S443 WEB_90},
	    {443, EXPLAIN_TLS, "b.com", "/", S443 "ErrNoFilterChain"},
	    {443, EXPLAIN_TLS, "x.c.com", "/", S443 WEB_80},
	    {444, EXPLAIN_TLS, "a.com", "/", "ErrNoListener"},
	};

	EXPECT_CALLS(
	    WEB GW("gw", "01",
		TLS("p", "443", "TLS", "'*'", "mode: PASSTHROUGH") ", " TLS("q",
		    "444", "TLS", "q.com", "mode: PASSTHROUGH")) VS("v", "01",
		"hosts: [a.com, '*.c.com'], gateways: [gw], tls: [{match: "
		"[{sniHosts: [a.com]}], " TO_90 "}, {match: [{port: 444, "
		"sniHosts: [a.com]}], " TO_80 "}, {match: [{port: 443, "
		"sniHosts: ['*.c.com']}], " TO_80 "}]"),
	    calls);
}

TEST(the_first_of_two_rules_has_a_name)
{
	AUTO(compiled_fini) struct compiled c;
	const struct call call = {443, EXPLAIN_TLS, "a.com", "/", S443 WEB_90};
	char text[TOLD_MAX];

	at_gateway(&c,
	    WEB GW(
		"gw", "01", TLS("p", "443", "TLS", "'*'", "mode: PASSTHROUGH"))
		VS("young", "02",
		    "hosts: [a.com], gateways: [gw], tls: [{match: [{sniHosts: "
		    "[a.com]}], " TO_80 "}]") VS("old", "01",
		    "hosts: [a.com], gateways: [gw], tls: [{match: "
		    "[{sniHosts: [a.com]}], " TO_90 "}]"));
	EXPECT_STR(told(&c, &call, text), call.wanted);
	EXPECT_TRUE(compiled_tells(&c, "has the name a.com on port 443"));
}

TEST(bytes_go_where_the_first_tcp_rule_for_the_server_says)
{
	static const struct call calls[] = {
	    {31, 0, "a.com", NULL, "0.0.0.0_31 " WEB_90},
	    {32, 0, "a.com", NULL, "0.0.0.0_32 " WEB_80},
	    {33, 0, "a.com", NULL, "ErrNoListener"},
	    {34, EXPLAIN_TLS, "a.com", NULL, "0.0.0.0_34 " WEB_80},
	};

	EXPECT_CALLS(
	    WEB GW("gw", "01",
		AT("a", "31", "TCP", "a.com", "") ", " AT(
		    "b", "32", "MONGO", "a.com", "") ", " AT("c", "33", "TCP",
		    "b.com", "") ", " TLS("d", "34", "TLS", "a.com",
		    "mode: SIMPLE, credentialName: x")) VS("v", "01",
		"hosts: [a.com], gateways: [gw], tcp: [{match: [{port: "
		"31}], " TO_90 "}, {match: [{gateways: [no]}], " TO_90
		"}, {" TO_80 "}]"),
	    calls);
}

#define SHARED(ns, port)                                                       \
	OF(NET, "ServiceEntry", "name: e, namespace: " ns,                     \
	    "hosts: [x.io], resolution: DNS, ports: [{number: " port           \
	    ", name: http, protocol: HTTP}]")

/*
 * The service of the rule's namespace says which port is meant, as upstream
 * has it, but the clusters are those of the one that has the host.
 */
TEST(of_two_services_with_one_host_one_has_the_clusters)
{
	static const struct call calls[] = {
	    {80, 0, "a.com", "/", P80 "a.com:80 r outbound|81||x.io"}};
	AUTO(compiled_fini) struct compiled c;

	at_gateway(&c,
	    SHARED("early", "80") SHARED("shop", "81") GW(
		"gw", "01", HTTP("a.com")) VS("v", "01",
		BOUND("a.com", "{name: r, route: [{destination: {host: x.io, "
			       "port: {number: 81}}}]}")));
	EXPECT_STR(told(&c, calls, (char[TOLD_MAX]){""}), calls[0].wanted);
	EXPECT_TRUE(view_find_cluster(c.v, S("outbound|81||x.io")) == NULL);
	EXPECT_TRUE(compiled_tells(&c, "has no port 81"));
}

/* At a gateway it is the oldest, whatever the gateway's own namespace. */
TEST(the_namespace_of_a_gateway_has_no_hosts_before_others)
{
	static const struct call calls[] = {
	    {90, 0, "", NULL, "0.0.0.0_90 outbound|81||x.io"}};
	AUTO(compiled_fini) struct compiled c;

	at_gateway(&c,
	    AGED("ServiceEntry", "own", "edge", "02",
		"hosts: [x.io], ports: [{number: 80, name: a, protocol: TCP}, "
		"{number: 90, name: b, protocol: TCP}]")
		AGED("ServiceEntry", "far", "other", "01",
		    "hosts: [x.io], ports: [{number: 81, name: a, protocol: "
		    "TCP}]") GW("gw", "01", AT("tcp", "90", "TCP", "'*'", ""))
		    VS("v", "01",
			"hosts: ['*'], gateways: [gw], tcp: [{route: "
			"[{destination: {host: x.io}}]}]"));
	EXPECT_STR(told(&c, calls, (char[TOLD_MAX]){""}), calls[0].wanted);
	EXPECT_TRUE(view_find_cluster(c.v, S("outbound|81||x.io")) != NULL);
}

TEST(the_mesh_of_another_network_is_called_by_the_names_of_clusters)
{
	static const struct call calls[] = {
	    {15443, EXPLAIN_MTLS, "outbound_.90_._.web.shop.svc.cluster.local",
		NULL,
		"0.0.0.0_15443 outbound_.90_._.web.shop.svc.cluster.local"},
	    {15443, EXPLAIN_MTLS,
		"outbound_.80_.v1_.web.shop.svc.cluster.local", NULL,
		"0.0.0.0_15443 outbound_.80_.v1_.web.shop.svc.cluster.local"},
	    /* Anybody else, or no service of the mesh. */
	    {15443, EXPLAIN_TLS, "outbound_.90_._.web.shop.svc.cluster.local",
		NULL, "0.0.0.0_15443 ErrNoFilterChain"},
	    {15443, EXPLAIN_MTLS, "outbound_.80_._.out.com", NULL,
		"0.0.0.0_15443 ErrNoFilterChain"},
	};

	EXPECT_CALLS(
	    WEB GW("gw", "01",
		TLS("n", "15443", "TLS", "'*.local', out.com",
		    "mode: AUTO_PASSTHROUGH")) RULE("r",
		"host: web, subsets: [{name: v1, labels: {v: '1'}}]") RULE("s",
		"host: web, subsets: [{name: v1, labels: {v: '2'}}]")
		ENTRY("out",
		    "hosts: [out.com], location: MESH_EXTERNAL, resolution: "
		    "DNS, ports: [{name: http, number: 80, protocol: "
		    "HTTP}]"),
	    calls);
}

TEST(what_a_gateway_serves_is_told_and_counts_in_the_fingerprint)
{
	AUTO(compiled_fini) struct compiled one;
	AUTO(compiled_fini) struct compiled other;
	const struct view_host *h;
	size_t found = 0;

	at_gateway(&one, WEB GW("gw", "01", HTTP("a.com")) VS("v", "01",
			     BOUND("a.com", RULE_OF("r", ON("/a")))));
	at_gateway(&other, WEB GW("gw", "01", HTTP("a.com")) VS("v", "01",
			       BOUND("a.com", RULE_OF("r", ON("/b")))));
	EXPECT_NE(view_fingerprint(one.v), view_fingerprint(other.v));
	for (size_t i = 0; (h = view_next_host(one.v, &i)) != NULL;)
		found += slice_eq(h->name, S("a.com:80"));
	EXPECT_EQ(found, 1);
}

/* --- all of it ------------------------------------------------------------ */

TEST(the_order_of_what_comes_never_matters)
{
	static const char *const parts[] = {WEB, GW("a", "01", HTTP("'*'")),
	    GW("b", "01", HTTP("x.com")),
	    VS("v", "03",
		"hosts: ['*'], gateways: [a, b], http: [" RULE_OF(
		    "v", ON("/v")) "]"),
	    VS("w", "03",
		"hosts: [x.com], gateways: [a, b], http: [" ALL_OF("w") "]"),
	    VS("u", "02",
		"hosts: [x.com], gateways: [b], http: [" ALL_OF("u") "]")};
	static const struct call calls[] = {
	    {80, 0, "x.com", "/", P80 "x.com:80 w " WEB_80},
	    {80, 0, "x.com", "/v", P80 "x.com:80 v " WEB_80},
	    {80, 0, "y.com", "/", P80 "*:80 ErrNoRoute"},
	};
	char yaml[8192];

	for (size_t turn = 0; turn < ARRAY_LEN(parts); turn++) {
		size_t n = 0;

		for (size_t i = 0; i < ARRAY_LEN(parts); i++)
			n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, "%s",
			    parts[(turn + i) % ARRAY_LEN(parts)]);
		EXPECT_CALLS(yaml, calls);
	}
}
