/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound — listeners, chains and virtual hosts of what programs call.
 */
#include "calls.h"
#include "unit.h"

#define SVC(name, spec)                                                        \
	"apiVersion: v1\nkind: Service\nmetadata: {name: " name "}\n"          \
	"spec: {" spec "}\n---\n"
#define SE(name, day, spec)                                                    \
	"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"             \
	"metadata: {name: " name ",\n"                                         \
	"  creationTimestamp: '2026-01-" day "T00:00:00Z'}\n"                  \
	"spec: {" spec "}\n---\n"
#define VS(name, spec)                                                         \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: " name "}\nspec: {" spec "}\n---\n"
#define REGISTRY_ONLY                                                          \
	"apiVersion: meshd.dev/v1\nkind: MeshConfig\n"                         \
	"metadata: {name: default}\n"                                          \
	"spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}\n---\n"
#define WEB                                                                    \
	SVC("web",                                                             \
	    "clusterIP: 10.0.0.1, ports: [{name: http, port: 80}, {name: "     \
	    "tcp-db, port: 3306}, {name: any, port: 81}, {name: https, port: " \
	    "443}]")

TEST(requests_share_a_port_and_bytes_have_their_services_address)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c, WEB);
	EXPECT_SLICE(call_listener(&c, "10.0.0.1:80"), S("0.0.0.0_80"));
	EXPECT_SLICE(call_listener(&c, "1.2.3.4:80"), S("0.0.0.0_80"));
	EXPECT_SLICE(call_listener(&c, "10.0.0.1:3306"), S("10.0.0.1_3306"));
	EXPECT_SLICE(call_listener(&c, "1.2.3.4:3306"), S("virtualOutbound"));
	EXPECT_SLICE(call_target(&c, HTTP("10.0.0.1:80", "")), S("80"));
	EXPECT_SLICE(
	    call_target(&c, TCP("10.0.0.1:80")), S("PassthroughCluster"));
	EXPECT_SLICE(call_target(&c, TCP("10.0.0.1:3306")),
	    S("outbound|3306||web.default.svc.cluster.local"));
	EXPECT_SLICE(call_target(&c, TLS("10.0.0.1:443", "web")),
	    S("outbound|443||web.default.svc.cluster.local"));
}

TEST(a_port_that_says_nothing_is_told_by_its_first_bytes)
{
	AUTO(compiled_fini) struct compiled c;
	const struct call http = HTTP("10.0.0.1:81", "any");

	compiled_init(&c, WEB);
	EXPECT_SLICE(
	    call_target(&c, http), S("web.default.svc.cluster.local:81"));
	EXPECT_SLICE(
	    call_host(&c, http), S("web.default.svc.cluster.local:81"));
	EXPECT_SLICE(call_target(&c, TCP("10.0.0.1:81")),
	    S("outbound|81||web.default.svc.cluster.local"));
}

TEST(what_is_not_known_goes_where_the_policy_says)
{
	AUTO(compiled_fini) struct compiled any, none;
	const struct call http = HTTP("10.0.0.9:80", "x.y");

	compiled_init(&any, WEB);
	compiled_init(&none, WEB REGISTRY_ONLY);
	EXPECT_SLICE(call_host(&any, http), S("allow_any"));
	EXPECT_SLICE(call_host(&none, http), S("block_all"));
	EXPECT_SLICE(
	    call_target(&any, TCP("10.0.0.9:9")), S("PassthroughCluster"));
	EXPECT_SLICE(
	    call_target(&none, TCP("10.0.0.9:9")), S("BlackHoleCluster"));
	EXPECT_SLICE(
	    call_target(&any, TCP("10.0.0.9:15001")), S("BlackHoleCluster"));
}

/* Upstream reads the name before it believes the protocol. */
TEST(a_port_whose_name_says_udp_is_left_out)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    SVC("web", "clusterIP: 10.0.0.1, ports: [{name: udp-a, port: 53}, "
		       "{name: udp, port: 54, appProtocol: tcp}, {name: tcp, "
		       "port: 55, appProtocol: udp-x}]"));
	EXPECT_SLICE(call_listener(&c, "10.0.0.1:53"), S("virtualOutbound"));
	EXPECT_SLICE(call_listener(&c, "10.0.0.1:54"), S("10.0.0.1_54"));
	EXPECT_SLICE(call_listener(&c, "10.0.0.1:55"), S("virtualOutbound"));
	EXPECT_TRUE(compiled_tells(&c, "port 53 is left out"));
}

TEST(a_request_to_what_is_not_known_is_refused_with_502)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_listener *l;
	const struct view_http_route *r;
	struct addr to;

	compiled_init(&c, WEB REGISTRY_ONLY);
	EXPECT_OK(addr_parse(S("10.0.0.1:80"), &to));
	l = view_find_listener(c.v, NULL, VIEW_OUTBOUND, &to);
	r = view_find_domain(c.v, l->chains[0].routes, S("x.y"))->http;
	EXPECT_EQ(r->answer->status, 502);
	EXPECT_TRUE(r->answer->refusal.len > 0);
	EXPECT_EQ(r->destination_count, 0);
}

#define BY_SOURCE                                                              \
	"trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}"
#define DR(spec)                                                               \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: web}\nspec: {host: web, " spec "}\n---\n"

/* Upstream asks neither a port's own balancer nor the second destination. */
TEST(connections_are_told_apart_by_their_source_where_the_rule_says_so)
{
	static const struct {
		const char *yaml;
		bool hashes;
	} rows[] = {
	    {WEB DR(BY_SOURCE), true},
	    {WEB DR("trafficPolicy: {loadBalancer: {simple: RANDOM}}"), false},
	    {WEB DR("trafficPolicy: {portLevelSettings: [{port: {number: "
		    "3306}, loadBalancer: {consistentHash: {useSourceIp: "
		    "true}}}]}"),
		false},
	    {WEB DR(BY_SOURCE ", subsets: [{name: a, trafficPolicy: "
			      "{loadBalancer: {simple: RANDOM}}}]")
		    VS("v", "hosts: [web], tcp: [{route: [{destination: {host: "
			    "web, subset: a}}]}]"),
		false},
	    {WEB DR("subsets: [{name: a, " BY_SOURCE "}]")
		    VS("v", "hosts: [web], tcp: [{route: [{destination: {host: "
			    "web, subset: a}}]}]"),
		true},
	    {WEB DR("subsets: [{name: a, " BY_SOURCE "}]")
		    VS("v", "hosts: [web], tcp: [{route: [{destination: {host: "
			    "web, subset: a}, weight: 1}, {destination: {host: "
			    "web}, weight: 1}]}]"),
		false},
	};
	struct addr to;

	EXPECT_OK(addr_parse(S("10.0.0.1:3306"), &to));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;
		const struct view_listener *l;

		compiled_init(&c, rows[i].yaml);
		l = view_find_listener(c.v, NULL, VIEW_OUTBOUND, &to);
		EXPECT_EQ(l->otherwise->tcp->hashes_source, rows[i].hashes);
	}
}

TEST(a_service_answers_to_every_form_of_its_name_and_its_address)
{
	static const char *const forms[] = {"web", "WEB:80", "web.default",
	    "web.default.svc", "web.default.svc.mesh.internal",
	    "web.default.svc.cluster.local:1", "web.default.svc.mesh.internal.",
	    "web.default.svc.cluster.local.", "10.0.0.1", "10.0.0.1:80"};
	static const char *const others[] = {"web.", "web.other",
	    "x.web.default.svc.mesh.internal", "web.default.", "10.0.0.2", ""};
	AUTO(compiled_fini) struct compiled c;
	struct call call = HTTP("10.0.0.1:80", "");

	compiled_init(&c, WEB);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		call.host = forms[i];
		EXPECT_SLICE(
		    call_host(&c, call), S("web.default.svc.cluster.local:80"));
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		call.host = others[i];
		EXPECT_SLICE(call_host(&c, call), S("allow_any"));
	}
}

TEST(a_host_that_is_no_service_answers_on_port_80_alone)
{
	AUTO(compiled_fini) struct compiled c;
	struct call call = HTTP("1.2.3.4:80", "a.shop.com");

	compiled_init(&c,
	    WEB SVC("more", "ports: [{name: http, port: 8080}]")
		VS("v", "hosts: ['*.shop.com'], http: [{route: [{destination: "
			"{host: web}}]}]"));
	EXPECT_SLICE(call_host(&c, call), S("*.shop.com:80"));
	call.host = "a.shop.com.";
	EXPECT_SLICE(call_host(&c, call), S("allow_any"));
	call = HTTP("1.2.3.4:8080", "a.shop.com");
	EXPECT_SLICE(call_host(&c, call), S("allow_any"));
}

TEST(the_other_hosts_of_a_rule_come_with_its_service)
{
	AUTO(compiled_fini) struct compiled c;
	struct call call = HTTP("1.2.3.4:8080", "shop.com");

	compiled_init(
	    &c, SVC("more", "ports: [{name: http, port: 8080}]") VS("v",
		    "hosts: [more, shop.com], http: [{route: [{destination: "
		    "{host: more}}]}]"));
	EXPECT_SLICE(call_host(&c, call), S("shop.com:8080"));
	/* On port 80 too, where it leads nowhere; no reason to warn of it. */
	EXPECT_FALSE(compiled_tells(&c, "has no port 80"));
}

TEST(http_and_bytes_on_one_address_are_told_apart)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(
	    &c, SE("a", "01",
		    "hosts: [a.com], ports: [{number: 9000, name: x, protocol: "
		    "TCP}]") SE("b", "02",
		    "hosts: [b.com], ports: [{number: 9000, name: x, protocol: "
		    "HTTP}]"));
	EXPECT_SLICE(
	    call_target(&c, TCP("1.2.3.4:9000")), S("outbound|9000||a.com"));
	EXPECT_SLICE(call_target(&c, HTTP("1.2.3.4:9000", "")), S("9000"));
}

TEST(of_two_that_cannot_be_told_apart_the_older_stays)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(
	    &c, SE("a", "02",
		    "hosts: [a.com], ports: [{number: 9000, name: x, protocol: "
		    "TCP}]") SE("b", "01",
		    "hosts: [b.com], ports: [{number: 9000, name: x, protocol: "
		    "TCP}]"));
	EXPECT_SLICE(
	    call_target(&c, TCP("1.2.3.4:9000")), S("outbound|9000||b.com"));
	EXPECT_TRUE(compiled_tells(&c, "cannot be told from those to "
				       "ServiceEntry/default/b, which"));
}

TEST(who_speaks_first_shares_its_port_with_nobody)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(
	    &c, SE("a", "01",
		    "hosts: [a.com], ports: [{number: 9000, name: x, protocol: "
		    "MONGO}]") SE("b", "02",
		    "hosts: [b.com], ports: [{number: 9000, name: x, protocol: "
		    "HTTP}]"));
	EXPECT_SLICE(call_target(&c, HTTP("1.2.3.4:9000", "")),
	    S("outbound|9000||a.com"));
}

TEST(networks_are_chains_the_longest_first)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    SE("a", "01",
		"hosts: [a.com], addresses: [10.0.0.0/8], ports: [{number: "
		"9000, name: x, protocol: TCP}]") SE("b", "02",
		"hosts: [b.com], addresses: [10.1.0.0/16, 10.2.0.1/32], ports: "
		"[{number: 9000, name: x, protocol: TCP}]"));
	EXPECT_SLICE(
	    call_target(&c, TCP("10.9.9.9:9000")), S("outbound|9000||a.com"));
	EXPECT_SLICE(
	    call_target(&c, TCP("10.1.9.9:9000")), S("outbound|9000||b.com"));
	EXPECT_SLICE(call_listener(&c, "10.2.0.1:9000"), S("10.2.0.1_9000"));
	EXPECT_SLICE(
	    call_target(&c, TCP("11.1.1.1:9000")), S("PassthroughCluster"));
}

TEST(tls_without_an_address_is_told_by_the_servers_name)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    SE("a", "01",
		"hosts: [a.com], ports: [{number: 443, name: x, protocol: "
		"TLS}]") SE("b", "02",
		"hosts: ['*.b.com'], ports: [{number: 443, name: x, protocol: "
		"HTTPS}]"));
	EXPECT_SLICE(call_target(&c, TLS("1.2.3.4:443", "a.com")),
	    S("outbound|443||a.com"));
	EXPECT_SLICE(call_target(&c, TLS("1.2.3.4:443", "x.b.com")),
	    S("outbound|443||*.b.com"));
	EXPECT_SLICE(call_target(&c, TLS("1.2.3.4:443", "b.com")),
	    S("PassthroughCluster"));
}

TEST(rules_by_server_name_take_tls_and_rules_of_bytes_do_not)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    WEB SE("a", "01",
		"hosts: [a.com], ports: [{number: 443, name: x, protocol: "
		"TLS}]") VS("v",
		"hosts: [a.com], tls: [{match: [{sniHosts: [a.com], "
		"sourceLabels: {no: one}}], route: [{destination: {host: "
		"nobody}}]}, {match: [{sniHosts: [a.com], port: 443}], route: "
		"[{destination: {host: web, port: {number: 443}}}]}], tcp: "
		"[{route: [{destination: {host: nobody}}]}]"));
	EXPECT_SLICE(call_target(&c, TLS("1.2.3.4:443", "a.com")),
	    S("outbound|443||web.default.svc.cluster.local"));
	EXPECT_SLICE(call_target(&c, TLS("1.2.3.4:443", "x.com")),
	    S("PassthroughCluster"));
}

TEST(rules_of_bytes_are_asked_one_after_the_other)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    WEB SE("a", "01",
		"hosts: [a.com], ports: [{number: 9000, name: x, protocol: "
		"TCP}]") VS("v",
		"hosts: [a.com], tcp: [{match: [{port: 1}], route: "
		"[{destination: {host: nobody}}]}, {match: "
		"[{destinationSubnets: [10.1.0.0/16]}], route: [{destination: "
		"{host: web, port: {number: 3306}}}]}]"));
	EXPECT_SLICE(call_target(&c, TCP("10.1.2.3:9000")),
	    S("outbound|3306||web.default.svc.cluster.local"));
	EXPECT_SLICE(
	    call_target(&c, TCP("10.2.2.3:9000")), S("outbound|9000||a.com"));
}

TEST(a_service_without_an_address_is_called_at_its_workloads)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(
	    &c, SVC("h", "clusterIP: None, ports: [{name: tcp, port: 9000}, "
			 "{name: http, port: 9001}]"));
	EXPECT_SLICE(call_listener(&c, "10.1.2.3:9000"), S("virtualOutbound"));
	EXPECT_SLICE(call_host(&c, HTTP("10.1.2.3:9001", "h-0.h.default")),
	    S("h.default.svc.cluster.local:9001"));
}

TEST(another_name_is_a_name_of_its_service)
{
	AUTO(compiled_fini) struct compiled c;
	struct call call = HTTP("10.0.0.1:80", "old");

	compiled_init(&c, WEB SVC("old", "type: ExternalName, externalName: "
					 "web.default.svc.cluster.local"));
	EXPECT_SLICE(
	    call_host(&c, call), S("web.default.svc.cluster.local:80"));
}

TEST(a_port_that_was_called_is_the_one_that_a_destination_means)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_host *h;

	compiled_init(&c,
	    WEB SVC("one", "ports: [{name: http, port: 9080}]") VS("v",
		"hosts: [web], http: [{route: [{destination: {host: one}}]}]"));
	h = view_find_host(c.v, NULL, S("web"), 80);
	EXPECT_TRUE(h->http[0].destinations[0].cluster == NULL);
	EXPECT_SLICE(h->http[0].destinations[0].name,
	    S("outbound|80||one.default.svc.cluster.local"));
	EXPECT_TRUE(compiled_tells(&c, "has no port 80, the one that is"));
}

TEST(a_destination_may_be_another_name)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_host *h;

	compiled_init(&c,
	    WEB SVC("old", "type: ExternalName, externalName: "
			   "web.default.svc.cluster.local, ports: [{name: "
			   "http, port: 80}]")
		SVC("x", "ports: [{name: http, port: 80}]")
		    VS("v", "hosts: [x], http: [{route: [{destination: {host: "
			    "old}}]}]"));
	h = view_find_host(c.v, NULL, S("x"), 80);
	EXPECT_SLICE(h->http[0].destinations[0].cluster->name,
	    S("outbound|80||web.default.svc.cluster.local"));
}

#define ALIAS(name, port)                                                      \
	SVC(name, "type: ExternalName, externalName: a.b, ports: [{name: x, "  \
		  "port: " port "}]")
#define LEADS(host, port)                                                      \
	"{destination: {host: " host ", port: {number: " port "}}, weight: 1}"

/* Of requests where it has the port that is called, of bytes always. */
TEST(another_name_stands_for_it_on_ports_that_are_not_its_own)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_destination *of;

	compiled_init(&c,
	    WEB ALIAS("has", "80") ALIAS("not", "81") VS("v",
		"hosts: [web], http: [{route: [" LEADS("has", "90") ", " LEADS(
		    "not", "81") "]}], tcp: [{route: [" LEADS("has",
		    "90") ", " LEADS("not", "90") "]}]"));
	of = view_find_host(c.v, NULL, S("web"), 80)->http[0].destinations;
	EXPECT_SLICE(of[0].name, S("outbound|90||a.b"));
	EXPECT_SLICE(
	    of[1].name, S("outbound|81||not.default.svc.cluster.local"));
	of = view_find_host(c.v, NULL, S("web"), 3306)->tcp[0].destinations;
	EXPECT_SLICE(of[0].name, S("outbound|90||a.b"));
	EXPECT_SLICE(of[1].name, S("outbound|90||a.b"));
}
#undef ALIAS
#undef LEADS

#define MESH(spec)                                                             \
	"apiVersion: meshd.dev/v1\nkind: MeshConfig\n"                         \
	"metadata: {name: default}\nspec: {" spec "}\n---\n"

TEST(automatic_addresses_are_called_where_dns_tells_of_them)
{
	AUTO(compiled_fini) struct compiled c, told;
	const struct view_service *s;
	char to[ADDR_TEXT_MAX];
	struct addr a;

#define DB                                                                     \
	SE("a", "01",                                                          \
	    "hosts: [a.com], resolution: DNS, ports: [{number: 9000, name: "   \
	    "x, protocol: TCP}]")
	compiled_init(&c, DB);
	EXPECT_SLICE(call_listener(&c, "1.2.3.4:9000"), S("0.0.0.0_9000"));
	compiled_init(&told,
	    DB MESH("defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: "
		    "'true'}}"));
	EXPECT_SLICE(
	    call_listener(&told, "1.2.3.4:9000"), S("virtualOutbound"));
	s = view_find_host(told.v, NULL, S("a.com"), 9000)->service;
	a = s->automatic[0];
	a.port = 9000;
	EXPECT_SLICE(call_target(&told, TCP(addr_format(&a, to))),
	    S("outbound|9000||a.com"));
}

TEST(a_port_for_proxied_requests_knows_what_port_80_knows)
{
	AUTO(compiled_fini) struct compiled c;
	const struct call call = HTTP("127.0.0.1:15002", "web");

	compiled_init(&c, WEB MESH("proxyHttpPort: 15002"));
	EXPECT_SLICE(call_target(&c, call), S("http_proxy"));
	EXPECT_SLICE(
	    call_host(&c, call), S("web.default.svc.cluster.local:80"));
}

static const struct view_listener *
find_by_name(const struct compiled *c, struct slice name)
{
	size_t n;
	const struct view_listener *const *all =
	    view_listeners(c->v, NULL, VIEW_OUTBOUND, &n);

	for (size_t i = 0; i < n; i++)
		if (slice_eq(all[i]->name, name))
			return all[i];
	return NULL;
}

TEST(a_socket_of_a_sidecar_is_a_listener_without_an_address)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_listener *l;

	compiled_init(&c,
	    WEB "apiVersion: networking.istio.io/v1\nkind: Sidecar\n"
		"metadata: {name: s}\nspec: {egress: [{port: {number: 0, "
		"name: http, protocol: HTTP}, bind: 'unix:///run/x', hosts: "
		"['*/*']}]}\n");
	l = find_by_name(&c, S("unix:///run/x_0"));
	EXPECT_TRUE(l != NULL);
	EXPECT_SLICE(l->path, S("/run/x"));
	EXPECT_SLICE(
	    view_find_domain(c.v, l->otherwise->routes, S("web"))->name,
	    S("web.default.svc.cluster.local:80"));
	EXPECT_SLICE(call_listener(&c, "10.0.0.1:80"), S("virtualOutbound"));
}

TEST(the_order_of_what_is_written_does_not_matter)
{
	AUTO(compiled_fini) struct compiled c;
	AUTO(view_unref) struct view *v = NULL;
	const struct resource *turned[16];
	struct view_input in = {.resources = turned};

	compiled_init(&c,
	    WEB SE("a", "01",
		"hosts: [a.com], ports: [{number: 9000, name: x, protocol: "
		"TCP}, {number: 80, name: h, protocol: HTTP}]") SE("b", "01",
		"hosts: [b.com], ports: [{number: 9000, name: x, protocol: "
		"TCP}, {number: 443, name: t, protocol: TLS}]") SE("d", "02",
		"hosts: [b.com], ports: [{number: 80, name: x, protocol: "
		"HTTP}]")
		VS("v", "hosts: [a.com, z.com], http: [{route: [{destination: "
			"{host: web}}]}]")
		    VS("w", "hosts: [z.com], http: [{route: [{destination: "
			    "{host: b.com}}]}]"));
	in.resource_count = c.l.count;
	for (size_t i = 0; i < c.l.count; i++)
		turned[i] = c.l.items[c.l.count - 1 - i];
	EXPECT_OK(view_compile(&in, &v, NULL));
	EXPECT_EQ(view_fingerprint(v), view_fingerprint(c.v));
}

TEST(a_service_and_an_entry_of_one_host_are_one_cluster)
{
	AUTO(compiled_fini) struct compiled c;
	size_t found = 0;
	const struct view_cluster *one;

	compiled_init(&c,
	    WEB SE("e", "01",
		"hosts: [web.default.svc.cluster.local], ports: [{number: 80, "
		"name: h, protocol: HTTP}, {number: 3306, name: t, protocol: "
		"TCP}]"));
	for (size_t i = 0; (one = view_next_cluster(c.v, &i)) != NULL;)
		found += slice_eq(one->name,
			     S("outbound|80||web.default.svc.cluster.local")) ||
			 slice_eq(one->name,
			     S("outbound|3306||web.default.svc.cluster.local"));
	EXPECT_EQ(found, 2);
	EXPECT_SLICE(call_target(&c, TCP("1.2.3.4:3306")),
	    S("outbound|3306||web.default.svc.cluster.local"));
}

/* The entry's other port is listened at, and nobody is behind it. */
TEST(a_service_has_no_ports_of_an_entry_with_its_host)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(
	    &c, WEB SE("e", "01",
		    "hosts: [web.default.svc.cluster.local], ports: [{number: "
		    "3307, name: t, protocol: TCP}]"));
	EXPECT_SLICE(call_target(&c, TCP("1.2.3.4:3307")),
	    S("outbound|3307||web.default.svc.cluster.local"));
	EXPECT_TRUE(
	    view_find_cluster(c.v,
		S("outbound|3307||web.default.svc.cluster.local")) == NULL);
	EXPECT_TRUE(compiled_tells(&c,
	    "of the services that have the host web.default.svc.mesh.internal "
	    "the one that counts here has no port 3307"));
}

TEST(where_a_match_names_gateways_labels_are_not_looked_at)
{
	AUTO(compiled_fini) struct compiled c;
	struct http_attrs ask = {.method = S("GET"), .path = S("/")};
	const struct view_http_route *r;

	compiled_init(&c,
	    WEB VS("v", "hosts: [web], http: [{name: one, match: [{gateways: "
			"[mesh], sourceLabels: {no: one}}], route: "
			"[{destination: {host: web}}]}]"));
	r = view_route_http(view_find_host(c.v, NULL, S("web"), 80), &ask, NULL)
		.route;
	EXPECT_SLICE(r->name, S("one"));
}

TEST(entries_of_one_host_have_their_workloads_in_common)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    SE("a", "01",
		"hosts: [a.com], ports: [{number: 9000, name: x, protocol: "
		"TCP}]") SE("b", "02",
		"hosts: [a.com], addresses: [10.1.0.1], resolution: STATIC, "
		"endpoints: [{address: 192.0.2.9}], ports: [{number: 9000, "
		"name: x, protocol: TCP}]"));
	EXPECT_SLICE(call_listener(&c, "1.2.3.4:9000"), S("virtualOutbound"));
	EXPECT_SLICE(call_listener(&c, "192.0.2.9:9000"), S("192.0.2.9_9000"));
	EXPECT_SLICE(call_listener(&c, "10.1.0.1:9000"), S("10.1.0.1_9000"));
}

/* --- machines ------------------------------------------------------------- */

/* Two services on one port, each of a machine of its own. */
static void
init_records(struct compiled *c, const char *yaml, bool captures_dns)
{
	static const struct view_port_input port = {
	    5432, {"tcp", 3}, {"tcp", 3}};
	static const struct view_service_input services[] = {
	    {{"a", 1}, {"default", 7}, &port, 1, {"record of node n1", 17}},
	    {{"b", 1}, {"default", 7}, &port, 1, {"record of node n2", 17}}};
	static const struct addr own = {ADDR_V4, {10, 0, 0, 3}, 0};
	static const struct view_endpoint_input servings[] = {
	    {.service = {"a", 1},
		.service_ns = {"default", 7},
		.service_port = 5432,
		.addr = {ADDR_V4, {10, 0, 0, 1}, 6000},
		.node = {"n1", 2},
		.weight = 1},
	    {.service = {"b", 1},
		.service_ns = {"default", 7},
		.service_port = 5432,
		.addr = {ADDR_V4, {10, 0, 0, 2}, 5432},
		.node = {"n2", 2},
		.weight = 1},
	    {.service = {"b", 1},
		.service_ns = {"default", 7},
		.service_port = 5432,
		.addr = {ADDR_V4, {127, 0, 0, 1}, 5433},
		.node = {"n3", 2},
		.weight = 1}};

	compiled_init_from(c, yaml,
	    &(struct view_input){.services = services,
		.service_count = ARRAY_LEN(services),
		.endpoints = servings,
		.endpoint_count = ARRAY_LEN(servings),
		.addrs = &own,
		.addr_count = 1,
		.captures_dns = captures_dns,
		.knows_members = true});
}

#define OF_A S("outbound|5432||a.default.svc.cluster.local")
#define OF_B S("outbound|5432||b.default.svc.cluster.local")

TEST(who_is_called_by_a_machines_address_is_its_service_and_nobody_else)
{
	for (int i = 0; i < 2; i++) {
		AUTO(compiled_fini) struct compiled c;

		init_records(&c, "", /* captures_dns */ i == 1);
		EXPECT_SLICE(call_target(&c, TCP("10.0.0.1:5432")), OF_A);
		EXPECT_SLICE(call_target(&c, TCP("10.0.0.2:5432")), OF_B);
		EXPECT_SLICE(call_target(&c, TCP("10.0.0.3:5432")), OF_B);
		/* A stranger's, and an address that is nobody's. */
		EXPECT_SLICE(call_target(&c, TCP("10.0.0.9:5432")),
		    S("PassthroughCluster"));
		EXPECT_SLICE(call_target(&c, TCP("240.240.9.9:5432")), OF_A);
		EXPECT_TRUE(!compiled_tells(&c, "cannot be told from"));
	}
}

TEST(services_of_machines_have_automatic_addresses_where_they_are_called)
{
	for (int i = 0; i < 2; i++) {
		AUTO(compiled_fini) struct compiled c;
		const struct view_service *s;
		char to[ADDR_TEXT_MAX];
		struct addr a;

		init_records(&c, "", /* captures_dns */ i == 1);
		s = view_find_host(c.v, NULL, S("b"), 5432)->service;
		a = s->automatic[0];
		EXPECT_EQ(a.family == ADDR_V4, i == 1);
		if (i == 0)
			continue;
		a.port = 5432;
		EXPECT_SLICE(call_target(&c, TCP(addr_format(&a, to))), OF_B);
	}
}

TEST(a_written_service_without_an_address_is_known_by_its_members_too)
{
	AUTO(compiled_fini) struct compiled c, at;

	init_records(&c,
	    SVC("b", "selector: {app: b}, ports: [{name: tcp, port: 5432}]"),
	    false);
	EXPECT_SLICE(call_target(&c, TCP("10.0.0.1:5432")), OF_A);
	EXPECT_SLICE(call_target(&c, TCP("10.0.0.2:5432")), OF_B);
	init_records(&at,
	    SVC("b", "clusterIP: 10.9.9.9, ports: [{name: tcp, port: 5432}]"),
	    true);
	EXPECT_SLICE(call_target(&at, TCP("10.9.9.9:5432")), OF_B);
	EXPECT_SLICE(
	    call_target(&at, TCP("10.0.0.2:5432")), S("PassthroughCluster"));
}
