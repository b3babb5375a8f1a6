/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clusters — how a cluster is called: rules, ports, subsets and the mesh
 * merged; its type, and how it is secured.
 */
#include <stdio.h>

#include "compiled.h"
#include "documents.h"
#include "unit.h"

#define WEB(port) "outbound|" port "||web.shop.svc.cluster.local"
#define WEB80 WEB("80")
#define OF_WEB(port, subset)                                                   \
	"outbound|" port "|" subset "|web.shop.svc.cluster.local"
#define TWO_PORTS                                                              \
	SERVICE("web", HTTP80 ", {name: grpc, port: 81}, {name: tcp, port: "   \
			      "82}")
#define RULE_OF(policy) RULE("r", "host: web, trafficPolicy: {" policy "}")

static const struct view_cluster *
cluster(const struct compiled *c, const char *name)
{
	return view_find_cluster(c->v, slice_str(name));
}

static const struct view_cluster_policy *
policy(const struct compiled *c, const char *name)
{
	return cluster(c, name)->policy;
}

TEST(without_a_rule_everything_is_its_default)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_cluster_policy *p;

	compiled_init(&c, TWO_PORTS);
	p = policy(&c, WEB80);
	EXPECT_EQ(p->limits.connections, VIEW_UNBOUNDED);
	EXPECT_EQ(p->limits.retries, VIEW_UNBOUNDED);
	EXPECT_EQ(p->connections.connect_timeout_us, 10000000);
	EXPECT_EQ(p->connections.idle_timeout_us, 3600000000);
	EXPECT_FALSE(p->connections.keepalive);
	EXPECT_TRUE(p->outlier.written == NULL);
	EXPECT_EQ(p->balancing.balancer, BALANCER_LEAST_REQUEST);
	EXPECT_EQ(p->balancing.panic_percent, 50);
	EXPECT_TRUE(p == policy(&c, WEB("82")));
	EXPECT_EQ(cluster(&c, WEB80)->type, VIEW_CLUSTER_EDS);
	EXPECT_EQ(cluster(&c, WEB80)->security, VIEW_SECURITY_EACH);
	EXPECT_SLICE(cluster(&c, WEB80)->sni,
	    S("outbound_.80_._.web.shop.svc.cluster.local"));
	EXPECT_FALSE(cluster(&c, WEB80)->http2);
	EXPECT_TRUE(cluster(&c, WEB("81"))->http2);
}

TEST(grpc_of_browsers_is_sent_on_as_grpc)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    SERVICE("web", "{name: grpc-web-x, port: 81}, {name: x, port: 82, "
			   "appProtocol: grpc-web}"));
	EXPECT_TRUE(cluster(&c, WEB("81"))->http2);
	EXPECT_TRUE(cluster(&c, WEB("82"))->http2);
	EXPECT_TRUE(
	    view_translates_grpc_web(NULL, NULL, cluster(&c, WEB("81"))));
	EXPECT_TRUE(
	    view_translates_grpc_web(NULL, NULL, cluster(&c, WEB("82"))));
}

TEST(a_port_replaces_all_and_a_subset_only_what_it_says)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_cluster_policy *p;

	compiled_init(&c,
	    TWO_PORTS RULE("r",
		"host: web, trafficPolicy: {loadBalancer: {simple: RANDOM}, "
		"connectionPool: {tcp: {maxConnections: 7, connectTimeout: 3s},"
		" http: {http1MaxPendingRequests: 8, http2MaxRequests: 9, "
		"maxRetries: 4, idleTimeout: 5s}}, "
		"outlierDetection: {consecutive5xxErrors: 2}, "
		"portLevelSettings: [{port: {number: 81}, "
		"loadBalancer: {simple: ROUND_ROBIN}}]}, "
		"subsets: [{name: v1, trafficPolicy: {connectionPool: "
		"{tcp: {maxConnections: 1}}}}, {name: v2, trafficPolicy: "
		"{outlierDetection: {}, portLevelSettings: [{port: {number: "
		"80}, loadBalancer: {simple: LEAST_REQUEST}}]}}]"));
	p = policy(&c, WEB80);
	EXPECT_EQ(p->limits.connections, 7);
	EXPECT_EQ(p->limits.pending, 8);
	EXPECT_EQ(p->limits.requests, 9);
	EXPECT_EQ(p->limits.retries, 4);
	EXPECT_EQ(p->connections.connect_timeout_us, 3000000);
	EXPECT_EQ(p->connections.idle_timeout_us, 5000000);
	EXPECT_EQ(p->outlier.after_5xx, 2);
	EXPECT_EQ(p->balancing.panic_percent, 0);
	EXPECT_EQ(p->balancing.balancer, BALANCER_RANDOM);
	p = policy(&c, WEB("81"));
	EXPECT_EQ(p->limits.connections, VIEW_UNBOUNDED);
	EXPECT_TRUE(p->outlier.written == NULL);
	EXPECT_EQ(p->balancing.balancer, BALANCER_ROUND_ROBIN);
	p = policy(&c, OF_WEB("80", "v1"));
	EXPECT_EQ(p->limits.connections, 1);
	EXPECT_EQ(p->limits.pending, VIEW_UNBOUNDED);
	EXPECT_EQ(p->connections.connect_timeout_us, 10000000);
	EXPECT_EQ(p->outlier.after_5xx, 2);
	EXPECT_EQ(p->balancing.balancer, BALANCER_RANDOM);
	/* The port's settings of the subset are all that the subset says. */
	p = policy(&c, OF_WEB("80", "v2"));
	EXPECT_EQ(p->limits.connections, VIEW_UNBOUNDED);
	EXPECT_TRUE(p->outlier.written == NULL);
	EXPECT_EQ(p->balancing.balancer, BALANCER_LEAST_REQUEST);
	p = policy(&c, OF_WEB("82", "v2"));
	EXPECT_EQ(p->limits.connections, 7);
	EXPECT_EQ(p->outlier.after_5xx, 5);
}

TEST(the_mesh_fills_what_no_rule_says)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_cluster_policy *p;

	compiled_init(&c,
	    TWO_PORTS RULE_OF("connectionPool: {http: {maxRetries: 1}}")
		MESH("connectTimeout: 4s, tcpKeepalive: {probes: 3, time: 9s}, "
		     "h2UpgradePolicy: UPGRADE, defaultTrafficPolicy: "
		     "{connectionPool: {tcp: {maxConnections: 3}}, "
		     "outlierDetection: {consecutive5xxErrors: 8}}")
		    SERVICE("other", HTTP80));
	p = policy(&c, WEB80);
	EXPECT_EQ(p->limits.connections, VIEW_UNBOUNDED);
	EXPECT_EQ(p->limits.retries, 1);
	EXPECT_EQ(p->outlier.after_5xx, 8);
	EXPECT_EQ(p->connections.connect_timeout_us, 4000000);
	EXPECT_EQ(p->connections.keepalive_probes, 3);
	EXPECT_EQ(p->connections.keepalive_time_us, 9000000);
	EXPECT_TRUE(cluster(&c, WEB80)->http2);
	EXPECT_FALSE(cluster(&c, WEB("82"))->http2);
	p = policy(&c, "outbound|80||other.shop.svc.cluster.local");
	EXPECT_EQ(p->limits.connections, 3);
}

TEST(a_hash_names_its_key_and_its_table)
{
	static const struct {
		const char *yaml;
		enum view_hash_on on;
		const char *name;
		enum view_hash_table table;
		uint64_t size;
	} rows[] = {
	    {"httpHeaderName: x-user", VIEW_HASH_HEADER, "x-user", VIEW_RING,
		1024},
	    {"httpCookie: {name: c, ttl: 5s}, minimumRingSize: 7",
		VIEW_HASH_COOKIE, "c", VIEW_RING, 7},
	    {"useSourceIp: true, maglev: {tableSize: 11}", VIEW_HASH_SOURCE, "",
		VIEW_MAGLEV, 11},
	    {"httpQueryParameterName: q, ringHash: {minimumRingSize: 9}",
		VIEW_HASH_PARAMETER, "q", VIEW_RING, 9},
	};
	static const char form[] =
	    TWO_PORTS RULE_OF("loadBalancer: {consistentHash: {%s}}");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;
		const struct view_hash *h;
		char yaml[2048];

		(void)snprintf(yaml, sizeof(yaml), form, rows[i].yaml);
		compiled_init(&c, yaml);
		h = &policy(&c, WEB80)->balancing.hash;
		EXPECT_EQ(h->on, rows[i].on);
		EXPECT_SLICE(h->name, slice_str(rows[i].name));
		EXPECT_EQ(h->table, rows[i].table);
		EXPECT_EQ(h->size, rows[i].size);
	}
}

TEST(tls_that_is_written_decides_for_all_endpoints)
{
	static const struct {
		const char *tls;
		enum view_security security;
		const char *sni;
	} rows[] = {
	    {"mode: DISABLE", VIEW_SECURITY_NONE, ""},
	    {"mode: SIMPLE", VIEW_SECURITY_TLS, ""},
	    {"mode: SIMPLE, sni: a.b", VIEW_SECURITY_TLS, "a.b"},
	    {"mode: ISTIO_MUTUAL", VIEW_SECURITY_MESH,
		"outbound_.80_._.web.shop.svc.cluster.local"},
	    {"mode: ISTIO_MUTUAL, sni: a.b", VIEW_SECURITY_MESH, "a.b"},
	    /* Upstream's: a machine's rule for all may not name a secret. */
	    {"mode: SIMPLE, credentialName: s", VIEW_SECURITY_NONE, ""},
	};
	static const char form[] = TWO_PORTS RULE_OF("tls: {%s}");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;
		char yaml[2048];

		(void)snprintf(yaml, sizeof(yaml), form, rows[i].tls);
		compiled_init(&c, yaml);
		EXPECT_EQ(cluster(&c, WEB80)->security, rows[i].security);
		EXPECT_SLICE(cluster(&c, WEB80)->sni, slice_str(rows[i].sni));
	}
}

#define TO_NONE(location)                                                      \
	ENTRY("e", "hosts: [e.com], resolution: STATIC, location: " location   \
		   ", ports: [{number: 80, name: http, protocol: HTTP}], "     \
		   "endpoints: [{address: 192.0.2.1}]")
#define E80 "outbound|80||e.com"

TEST(mutual_tls_is_for_the_mesh_and_where_no_policy_turns_it_off)
{
	static const struct {
		const char *yaml;
		const char *cluster;
		enum view_security security;
	} rows[] = {
	    {TO_NONE("MESH_EXTERNAL"), E80, VIEW_SECURITY_NONE},
	    {TO_NONE("MESH_INTERNAL"), E80, VIEW_SECURITY_EACH},
	    {TWO_PORTS MESH("enableAutoMtls: false"), WEB80,
		VIEW_SECURITY_NONE},
	    {TWO_PORTS POLICY(
		 "PeerAuthentication", "p", "mtls: {mode: DISABLE}"),
		WEB80, VIEW_SECURITY_NONE},
	    {TWO_PORTS POLICY(
		 "PeerAuthentication", "p", "mtls: {mode: STRICT}"),
		WEB80, VIEW_SECURITY_EACH},
	    {SERVICE_OF("web", "clusterIP: None, ports: [" HTTP80 "]"), WEB80,
		VIEW_SECURITY_NONE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;

		compiled_init(&c, rows[i].yaml);
		EXPECT_EQ(
		    cluster(&c, rows[i].cluster)->security, rows[i].security);
	}
}

#define E_PORTS "ports: [{name: h, number: 80, protocol: HTTP}]"

TEST(the_type_is_that_of_the_resolution)
{
	static const struct {
		const char *yaml;
		const char *cluster;
		enum view_cluster_type type;
	} rows[] = {
	    {ENTRY("e", "hosts: [e.com], resolution: NONE, " E_PORTS), E80,
		VIEW_CLUSTER_ORIGINAL_DST},
	    {ENTRY("e", "hosts: [e.com], resolution: DNS, " E_PORTS), E80,
		VIEW_CLUSTER_STRICT_DNS},
	    {ENTRY(
		 "e", "hosts: [e.com], resolution: DNS_ROUND_ROBIN, " E_PORTS),
		E80, VIEW_CLUSTER_LOGICAL_DNS},
	    {ENTRY("e", "hosts: ['*.e.com'], resolution: DYNAMIC_DNS, ports: "
			"[{name: h, number: 80, protocol: HTTP}]"),
		"outbound|80||*.e.com", VIEW_CLUSTER_DYNAMIC_DNS},
	    {SERVICE_OF("web", "clusterIP: None, ports: [" HTTP80 "]"), WEB80,
		VIEW_CLUSTER_ORIGINAL_DST},
	    {TWO_PORTS RULE_OF("loadBalancer: {simple: PASSTHROUGH}"), WEB80,
		VIEW_CLUSTER_ORIGINAL_DST},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;
		const struct view_cluster *found;

		compiled_init(&c, rows[i].yaml);
		found = cluster(&c, rows[i].cluster);
		EXPECT_TRUE(found != NULL);
		EXPECT_EQ(found->type, rows[i].type);
	}
}

TEST(at_a_gateway_nothing_has_an_original_destination)
{
	const struct view_input gateway = {.proxy = VIEW_ROUTER};
	AUTO(compiled_fini) struct compiled c;

	compiled_init_from(&c,
	    SERVICE_OF("web", "clusterIP: None, ports: [" HTTP80 "]")
		RULE_OF("tls: {mode: SIMPLE, credentialName: s}"),
	    &gateway);
	EXPECT_EQ(cluster(&c, WEB80)->type, VIEW_CLUSTER_EDS);
	EXPECT_EQ(cluster(&c, WEB80)->security, VIEW_SECURITY_TLS);
}

TEST(what_no_service_has_is_a_cluster_by_its_name)
{
	const struct view_input gateway = {.proxy = VIEW_ROUTER};
	AUTO(compiled_fini) struct compiled c, g;

	compiled_init(&c, TWO_PORTS);
	compiled_init_from(&g, TWO_PORTS, &gateway);
	EXPECT_EQ(
	    cluster(&c, "PassthroughCluster")->type, VIEW_CLUSTER_ORIGINAL_DST);
	EXPECT_EQ(cluster(&c, "BlackHoleCluster")->type, VIEW_CLUSTER_STATIC);
	EXPECT_EQ(cluster(&c, "BlackHoleCluster")->usable_count, 0);
	EXPECT_TRUE(cluster(&g, "PassthroughCluster") == NULL);
	EXPECT_TRUE(cluster(&g, "BlackHoleCluster") != NULL);
}

/* --- which rule ----------------------------------------------------------- */

#define SAYS(name, ns, host, more, percent)                                    \
	OF(NET, "DestinationRule", "name: " name ", namespace: " ns,           \
	    "host: " host ", " more "trafficPolicy: {outlierDetection: "       \
	    "{maxEjectionPercent: " percent "}}")
#define WEB_HOST "web.shop.svc.cluster.local"

static uint32_t
ejects(const char *yaml, struct slice ns, struct labels labels)
{
	const struct view_input in = {.ns = ns, .labels = labels};
	AUTO(compiled_fini) struct compiled c;

	compiled_init_from(&c, yaml, &in);
	return policy(&c, WEB80)->outlier.most_percent;
}

TEST(the_namespace_of_the_caller_then_of_the_service_then_the_root_decides)
{
	static const struct label v1[] = {{{"v", 1}, {"1", 1}}};
	const struct labels mine = {v1, 1}, none = {NULL, 0};
	static const struct {
		const char *yaml;
		uint32_t percent;
		uint32_t of_mine;
	} rows[] = {
	    {SAYS("a", "me", "'*.shop.svc.cluster.local'", "", "1")
		    SAYS("b", "shop", WEB_HOST, "", "2"),
		1, 1},
	    {SAYS("b", "shop", WEB_HOST, "", "2")
		    SAYS("c", "istio-system", WEB_HOST, "", "3"),
		2, 2},
	    {SAYS("c", "istio-system", "'*'", "", "3"), 3, 3},
	    /* What is not exported hides nothing, but what is not to us does.
	     */
	    {SAYS("b", "shop", WEB_HOST, "exportTo: [.], ", "2")
		    SAYS("d", "shop", "'*.svc.cluster.local'", "", "4"),
		4, 4},
	    {SAYS("b", "shop", WEB_HOST, "exportTo: [x, y], ", "2")
		    SAYS("d", "shop", "'*.svc.cluster.local'", "", "4")
			SAYS("c", "istio-system", "'*'", "", "3"),
		3, 3},
	    /* One with a selector is for those, and only in its namespace. */
	    {SAYS("a", "me", WEB_HOST,
		 "workloadSelector: {matchLabels: {v: '1'}}, ", "1")
		    SAYS("e", "me", WEB_HOST, "", "5"),
		5, 1},
	    {SAYS("b", "shop", WEB_HOST,
		 "workloadSelector: {matchLabels: {v: '1'}}, ", "2")
		    SAYS("c", "istio-system", WEB_HOST, "", "3"),
		3, 3},
	    /* A name that ends within a label. */
	    {SAYS("a", "me", "'*eb.shop.svc.cluster.local'", "", "1")
		    SAYS("b", "me", "'*.svc.cluster.local'", "", "2"),
		1, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char yaml[4096];

		(void)snprintf(
		    yaml, sizeof(yaml), "%s%s", TWO_PORTS, rows[i].yaml);
		EXPECT_EQ(ejects(yaml, S("me"), none), rows[i].percent);
		EXPECT_EQ(ejects(yaml, S("me"), mine), rows[i].of_mine);
	}
}

TEST(a_private_rule_of_the_root_is_for_its_own_callers)
{
	static const char yaml[] = TWO_PORTS SAYS("c", "istio-system", WEB_HOST,
	    "exportTo: [.], ", "3") SAYS("b", "shop", WEB_HOST, "", "2");
	const struct labels none = {NULL, 0};

	EXPECT_EQ(ejects(yaml, S("istio-system"), none), 3);
	EXPECT_EQ(ejects(yaml, S("me"), none), 2);
}

TEST(rules_with_another_exportTo_are_not_merged)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_input me = {.ns = S("me")};

	compiled_init_from(&c,
	    TWO_PORTS RULE("a", "host: web, subsets: [{name: v1}]")
		RULE("b", "host: web, exportTo: [me], subsets: [{name: v2}]")
		    RULE("c", "host: web, subsets: [{name: v3}]"),
	    &me);
	/* Upstream's oddity: the third merges with the first, and stands for
	 * itself again because of the second; the last of them counts. */
	EXPECT_TRUE(cluster(&c, OF_WEB("80", "v1")) == NULL);
	EXPECT_TRUE(cluster(&c, OF_WEB("80", "v2")) == NULL);
	EXPECT_TRUE(cluster(&c, OF_WEB("80", "v3")) != NULL);
}

/* --- order ---------------------------------------------------------------- */

TEST(the_order_of_what_comes_in_does_not_matter)
{
	static const char mesh[] =
	    TWO_PORTS SAYS("b", "shop", WEB_HOST, "", "2") SAYS("a", "shop",
		WEB_HOST, "subsets: [{name: v1}], ", "3") SAYS("c", "shop",
		WEB_HOST, "workloadSelector: {matchLabels: {v: '1'}}, ", "4")
		ENTRY("x", "hosts: [x.com, y.com], resolution: DNS, " E_PORTS)
		    ENTRY("z", "hosts: [x.com], resolution: STATIC, " E_PORTS
			       ", workloadSelector: {labels: {app: db}}")
			WORKLOAD("a", "address: 192.0.2.1, network: east, "
				      "serviceAccount: a, labels: {app: db}")
			    WORKLOAD("b", "address: 192.0.2.1, network: east, "
					  "serviceAccount: b, labels: {app: "
					  "db}")
				OF("meshd.dev/v1", "Network", "name: east",
				    "gateways: [{address: 203.0.113.1, port: "
				    "15443}]");
	AUTO(compiled_fini) struct compiled a, b;
	struct view_input in = {0};

	compiled_init(&a, mesh);
	compiled_init(&b, mesh);
	view_unref(&b.v);
	for (size_t i = 0; i < b.l.count / 2; i++) {
		struct resource *r = b.l.items[i];

		b.l.items[i] = b.l.items[b.l.count - 1 - i];
		b.l.items[b.l.count - 1 - i] = r;
	}
	in.resources = (const struct resource *const *)b.l.items;
	in.resource_count = b.l.count;
	EXPECT_OK(view_compile(&in, &b.v, NULL));
	EXPECT_EQ(view_fingerprint(a.v), view_fingerprint(b.v));
}

/* --- as values ------------------------------------------------------------ */

TEST(facts_are_those_that_upstream_records)
{
	AUTO(compiled_fini) struct compiled c;
	const struct explain_question q = {.cluster = S(E80)};
	const struct value *v;
	const struct value *of;

	compiled_init(&c,
	    ENTRY("e", "hosts: [e.com], resolution: DNS, ports: [{name: h, "
		       "number: 80, protocol: HTTP2}], endpoints: [{address: "
		       "b.c, weight: 3}, {address: a.b}]")
		OF(NET, "DestinationRule", NAMED("r"),
		    "host: e.com, trafficPolicy: {connectionPool: {tcp: "
		    "{maxConnections: 3, connectTimeout: 0.25s}}, "
		    "loadBalancer: {consistentHash: {useSourceIp: true}}, "
		    "outlierDetection: {baseEjectionTime: 3m, "
		    "consecutive5xxErrors: 5}, tls: {mode: MUTUAL, "
		    "clientCertificate: /c, privateKey: /k}}"));
	v = model_answer(c.v, &q, &c.arena);
	EXPECT_TRUE(v != NULL);
	of = value_get(v, S("settings"));
	EXPECT_SLICE(value_get_string(of, S("type"), S("")), S("STRICT_DNS"));
	EXPECT_SLICE(value_get_string(of, S("lb"), S("")), S("RING_HASH"));
	EXPECT_SLICE(
	    value_get_string(of, S("connectTimeout"), S("")), S("250ms"));
	EXPECT_EQ(
	    value_get(value_get(of, S("limits")), S("maxConnections"))->integer,
	    3);
	EXPECT_SLICE(value_get_string(value_get(of, S("outlier")),
			 S("baseEjectionTime"), S("")),
	    S("3m0s"));
	EXPECT_TRUE(
	    value_get(value_get(of, S("outlier")), S("interval")) == NULL);
	EXPECT_SLICE(value_get(value_get(of, S("tls")), S("certificates"))
			 ->child->string,
	    S("file-cert:/c~/k"));
	EXPECT_SLICE(
	    value_get_string(value_get(of, S("tls")), S("sni"), S("x")), S(""));
	EXPECT_SLICE(value_get(of, S("endpoints"))->child->string, S("a.b:80"));
	EXPECT_SLICE(value_get(of, S("endpoints"))->child->next->string,
	    S("b.c:80 weight 3"));
}
