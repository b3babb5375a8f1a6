/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random — resources made at random, out of few names, so that they meet.
 */
#include "random.h"

#include "codec/codec.h"

enum { TEXT_MAX = 16 << 10, ARENA_MAX = 4 << 20 };

static const char *const spaces[] = {"shop", "pay", "istio-system"};
static const char *const names[] = {"web", "cart", "db"};
static const char *const hosts[] = {"web", "cart.shop.svc.cluster.local",
    "db.pay.svc.cluster.local", "*.shop.svc.cluster.local", "api.example.com",
    "*.example.com", "example.com"};
static const char *const ports[] = {"80", "8080", "3306"};

struct text {
	struct rng *rng;
	struct buf b;
	uint64_t head; /* its key comes of this; 0: it is any */
};

static bool
maybe(struct text *t, uint64_t of)
{
	return rng_below(t->rng, of) == 0;
}

static void
put(struct text *t, const char *s)
{
	CHECK(buf_add_slice(&t->b, slice_str(s)) == OK);
}

#define ANY(t, list) ((list)[rng_below((t)->rng, ARRAY_LEN(list))])

static void
put2(struct text *t, const char *before, const char *s, const char *after)
{
	put(t, before);
	put(t, s);
	put(t, after);
}

static void
put_head(struct text *t, const char *group, const char *kind)
{
	static const char *const years[] = {"2019", "2020", "2021", "2022"};

	struct rng *rng = t->rng, again;

	rng_init(&again, t->head);
	t->rng = t->head != 0 ? &again : rng;
	put2(t, "apiVersion: ", group, "\n");
	put2(t, "kind: ", kind, "\n");
	put2(t, "metadata: {name: ", ANY(t, names), "");
	put2(t, ", namespace: ", ANY(t, spaces), "");
	t->rng = rng;
	put2(t, ", creationTimestamp: \"", ANY(t, years),
	    "-01-01T00:00:00Z\"}\nspec:\n");
}

/* --- values --- */

static void
put_export(struct text *t)
{
	static const char *const values[] = {"\"*\"", "\".\"", "shop", "pay"};

	if (maybe(t, 4))
		put2(t, "  exportTo: [", ANY(t, values), "]\n");
}

static void
put_selector(struct text *t, const char *form, const char *end)
{
	static const char *const labels[] = {
	    "app: web", "app: db", "version: v1", "istio: ingress"};

	if (maybe(t, 2))
		put2(t, form, ANY(t, labels), end);
}

static void
put_destination(struct text *t)
{
	static const char *const subsets[] = {"v1", "v2"};

	put2(t, "{destination: {host: \"", ANY(t, hosts), "\"");
	if (maybe(t, 2))
		put2(t, ", port: {number: ", ANY(t, ports), "}");
	if (maybe(t, 2))
		put2(t, ", subset: ", ANY(t, subsets), "");
	put(t, "}}");
}

/* --- kinds --- */

static void
put_service(struct text *t)
{
	static const char *const ports_of[] = {
	    "{name: http, port: 80, targetPort: 8080}",
	    "{name: tcp, port: 3306}", "{name: https, port: 443}",
	    "{name: grpc-x, port: 8080}", "{name: x, port: 9000}"};

	put_head(t, "v1", "Service");
	if (maybe(t, 6))
		put(t, "  type: ExternalName\n  externalName: example.com\n");
	put_selector(t, "  selector: {", "}\n");
	if (maybe(t, 4))
		put(t, "  clusterIP: None\n");
	put2(t, "  ports:\n  - ", ANY(t, ports_of), "\n");
}

static void
put_entry(struct text *t)
{
	static const char *const how[] = {
	    "STATIC", "DNS", "NONE", "DNS_ROUND_ROBIN"};
	static const char *const where[] = {"MESH_INTERNAL", "MESH_EXTERNAL"};
	const char *resolution = ANY(t, how);

	put_head(t, "networking.istio.io/v1", "ServiceEntry");
	put_export(t);
	put2(t, "  hosts: [\"", ANY(t, hosts), "\"]\n");
	put2(t, "  location: ", ANY(t, where), "\n");
	put2(t, "  ports: [{number: ", ANY(t, ports),
	    ", name: http, protocol: HTTP}]\n");
	put2(t, "  resolution: ", resolution, "\n");
	if (maybe(t, 3))
		put(t, "  addresses: [10.1.1.1]\n");
	if (strcmp(resolution, "STATIC") == 0 && maybe(t, 2))
		put_selector(t, "  workloadSelector: {labels: {", "}}\n");
	else if (strcmp(resolution, "STATIC") == 0)
		put(t, "  endpoints:\n"
		       "  - {address: 10.9.0.1, labels: {version: v1}}\n"
		       "  - {address: 10.9.0.2, labels: {version: v2}}\n");
	else if (strcmp(resolution, "NONE") != 0 && maybe(t, 2))
		put(t, "  endpoints:\n"
		       "  - {address: a.names.test, labels: {version: v1}}\n");
	else if (strcmp(resolution, "DNS") == 0 && maybe(t, 2))
		put(t, "  endpoints:\n"
		       "  - {address: a.names.test, labels: {version: v1}}\n"
		       "  - {address: b.names.test, labels: {version: v2}}\n");
}

/* Some of what a rule may do beside leading somewhere. */
static void
put_action(struct text *t)
{
	static const char *const actions[] = {"timeout: 3s",
	    "retries: {attempts: 2, retryOn: 5xx}", "rewrite: {uri: /z}",
	    "fault: {abort: {httpStatus: 503}}",
	    "headers: {request: {set: {x: z}}}",
	    "corsPolicy: {allowMethods: [GET]}",
	    "mirror: {host: cart.shop.svc.cluster.local}"};

	if (maybe(t, 2))
		put2(t, "    ", ANY(t, actions), "\n");
}

static void
put_http_rule(struct text *t)
{
	static const char *const matches[] = {"uri: {exact: /a}",
	    "uri: {prefix: /b}", "headers: {x: {exact: y}}", "port: 80",
	    "sourceLabels: {app: web}", "sourceNamespace: shop",
	    "gateways: [shop/web]", "queryParams: {q: {exact: a}}",
	    "method: {exact: GET}", "uri: {regex: '/c.*'}",
	    "withoutHeaders: {x: {}}"};

	if (maybe(t, 2))
		put2(t, "  - match: [{", ANY(t, matches), "}]\n    route: [");
	else
		put(t, "  - route: [");
	put_destination(t);
	put(t, "]\n");
	put_action(t);
}

/* A rule of another VirtualService, maybe of one that is not there. */
static void
put_delegate(struct text *t)
{
	put2(t, "  - delegate: {name: ", ANY(t, names), "");
	put2(t, ", namespace: ", ANY(t, spaces), "}\n");
}

static void
put_routes_head(struct text *t)
{
	static const char *const gateways[] = {
	    "mesh", "shop/web", "mesh, pay/cart"};

	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	put2(t, "  hosts: [\"", ANY(t, hosts), "\"]\n");
	if (maybe(t, 3))
		put2(t, "  gateways: [", ANY(t, gateways), "]\n");
}

/* Without hosts: others delegate to it. */
static void
put_delegated(struct text *t)
{
	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	put(t, "  http:\n");
	put_http_rule(t);
}

static void
put_routes(struct text *t)
{
	put_routes_head(t);
	if (maybe(t, 4)) {
		put(t, "  tcp:\n  - route: [");
		put_destination(t);
		put(t, "]\n");
		return;
	}
	if (maybe(t, 6)) {
		put2(t, "  tls:\n  - match: [{sniHosts: [\"", ANY(t, hosts),
		    "\"]}]\n    route: [");
		put_destination(t);
		put(t, "]\n");
		return;
	}
	put(t, "  http:\n");
	if (maybe(t, 4))
		put_delegate(t);
	do
		put_http_rule(t);
	while (maybe(t, 2));
}

static void
put_rule(struct text *t)
{
	static const char *const policies[] = {
	    "loadBalancer: {simple: ROUND_ROBIN}", "tls: {mode: SIMPLE}",
	    "connectionPool: {tcp: {maxConnections: 5}}",
	    "outlierDetection: {interval: 5s}"};

	put_head(t, "networking.istio.io/v1", "DestinationRule");
	put_export(t);
	put2(t, "  host: \"", ANY(t, hosts), "\"\n");
	if (maybe(t, 2))
		put2(t, "  trafficPolicy: {", ANY(t, policies), "}\n");
	if (maybe(t, 2))
		put2(t,
		    "  subsets: [{name: v1, labels: {version: v1}, "
		    "trafficPolicy: {",
		    ANY(t, policies), "}}]\n");
	put_selector(t, "  workloadSelector: {matchLabels: {", "}}\n");
}

static void
put_sidecar(struct text *t)
{
	static const char *const scopes[] = {
	    "./*", "*/*", "shop/*", "~/*", "pay/db.pay.svc.cluster.local"};

	put_head(t, "networking.istio.io/v1", "Sidecar");
	put_selector(t, "  workloadSelector: {labels: {", "}}\n");
	put(t, "  egress: [");
	if (maybe(t, 3))
		put2(t,
		    "{port: {number: 80, name: e, protocol: HTTP}, hosts: [\"",
		    ANY(t, scopes), "\"]}, ");
	put2(t, "{hosts: [\"", ANY(t, scopes), "\"]}]\n");
	if (maybe(t, 4))
		put(t, "  ingress: [{port: {number: 9080, name: i, protocol: "
		       "HTTP}, defaultEndpoint: '127.0.0.1:8080'}]\n");
	if (maybe(t, 3))
		put(t, "  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n");
}

static void
put_gateway(struct text *t)
{
	static const char *const protocols[] = {"HTTP", "TCP", "GRPC"};

	put_head(t, "networking.istio.io/v1", "Gateway");
	put(t, "  selector: {istio: ingress}\n");
	put2(t, "  servers: [{port: {number: ", ANY(t, ports), "");
	put2(t, ", name: p, protocol: ", ANY(t, protocols), "}");
	put2(t, ", hosts: [\"", ANY(t, hosts), "\"]}");
	if (maybe(t, 3))
		put2(t,
		    ", {port: {number: 443, name: s, protocol: HTTPS}, tls: "
		    "{mode: SIMPLE, credentialName: c}, hosts: [\"",
		    ANY(t, hosts), "\"]}");
	put(t, "]\n");
}

static void
put_peers(struct text *t)
{
	static const char *const modes[] = {
	    "STRICT", "PERMISSIVE", "DISABLE", "UNSET"};

	put_head(t, "security.istio.io/v1", "PeerAuthentication");
	put_selector(t, "  selector: {matchLabels: {", "}}\n");
	put2(t, "  mtls: {mode: ", ANY(t, modes), "}\n");
}

static void
put_access(struct text *t)
{
	static const char *const actions[] = {"ALLOW", "DENY"};
	static const char *const rules[] = {"[{}]",
	    "[{from: [{source: {namespaces: [shop]}}]}]",
	    "[{to: [{operation: {paths: [/a*]}}]}]"};

	put_head(t, "security.istio.io/v1", "AuthorizationPolicy");
	put_selector(t, "  selector: {matchLabels: {", "}}\n");
	if (maybe(t, 4))
		put2(t, "  action: CUSTOM\n  provider: {name: ", ANY(t, names),
		    "}\n");
	else
		put2(t, "  action: ", ANY(t, actions), "\n");
	put2(t, "  rules: ", ANY(t, rules), "\n");
}

static void
put_tokens(struct text *t)
{
	put_head(t, "security.istio.io/v1", "RequestAuthentication");
	put_selector(t, "  selector: {matchLabels: {", "}}\n");
	put2(t, "  jwtRules: [{issuer: ", ANY(t, names),
	    ", jwksUri: 'https://example.com/keys'}]\n");
}

static void
put_workload(struct text *t)
{
	static const char *const networks[] = {"''", "far"};
	static const char *const addresses[] = {"10.9.1.1", "10.9.1.2"};

	put_head(t, "networking.istio.io/v1", "WorkloadEntry");
	put2(t, "  address: ", ANY(t, addresses), "\n");
	put_selector(t, "  labels: {", "}\n");
	put2(t, "  network: ", ANY(t, networks), "\n");
}

/* One, whose name is given. */
static void
put_mesh(struct text *t)
{
	static const char *const specs[] = {"{connectTimeout: 3s}",
	    "{defaultServiceExportTo: ['.']}",
	    "{defaultVirtualServiceExportTo: ['.']}",
	    "{defaultDestinationRuleExportTo: ['.']}", "{rootNamespace: pay}",
	    "{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}",
	    "{enableAutoMtls: false}",
	    "{defaultHttpRetryPolicy: {attempts: 4}}"};

	put2(t,
	    "apiVersion: meshd.dev/v1\nkind: MeshConfig\n"
	    "metadata: {name: default}\nspec: ",
	    ANY(t, specs), "\n");
}

/* What no row of the mesh is made of, and seldom something else. */
static void
put_mesh_again(struct text *t)
{
	static const char *const specs[] = {"accessLogFormat: '%PROTOCOL%'",
	    "accessLogFormat: '{}', accessLogEncoding: JSON",
	    "accessLogFile: /dev/stdout", "enableTracing: false",
	    "dnsRefreshRate: 5s", "trustDomainAliases: [old.test]",
	    "pathNormalization: {normalization: MERGE_SLASHES}",
	    "pathNormalization: {normalization: NONE}",
	    "extensionProviders: [{name: web, envoyExtAuthzHttp: {service: "
	    "authz.shop.svc.cluster.local, port: 80}}]",
	    "extensionProviders: [{name: cart, envoyExtAuthzGrpc: {service: "
	    "authz.shop.svc.cluster.local, port: 81}}]",
	    "extensionProviders: [{name: web, prometheus: {}}], "
	    "defaultProviders: {metrics: [web]}",
	    "discoverySelectors: [{matchLabels: {a: b}}]",
	    "defaultConfig: {concurrency: 3}",
	    "defaultConfig: {proxyMetadata: {A: b}}"};
	static const char *const more[] = {"connectTimeout: 3s",
	    "defaultInboundHttpRetryPolicy: {attempts: 0}",
	    "defaultHttpRetryPolicy: {attempts: 4}", "rootNamespace: pay",
	    "defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true'}}",
	    "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"};

	put(t, "apiVersion: meshd.dev/v1\nkind: MeshConfig\n"
	       "metadata: {name: default}\nspec: {");
	put(t, maybe(t, 8) ? ANY(t, more) : ANY(t, specs));
	put(t, "}\n");
}

static void
put_telemetry(struct text *t)
{
	put_head(t, "telemetry.istio.io/v1", "Telemetry");
	put_selector(t, "  selector: {matchLabels: {", "}}\n");
	put(t, "  accessLogging: [{disabled: true}]\n");
}

/* --- all of it --- */

static struct resource *
decode(struct text *t)
{
	AUTO(arena_fini) struct arena a;
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct slice text = buf_slice(&t->b);
	struct codec_documents docs;
	struct resource *r = NULL;

	arena_init(&a, ARENA_MAX);
	CHECK(codec_yaml_parse(text, "random", &a, &docs, &found.errors) == OK);
	if (resource_decode(docs.items[0].root, &source, &r, &found) != OK)
		return NULL; /* not all that is put together is valid */
	return r;
}

static struct resource *
make(struct rng *rng, uint64_t head, void (*put_kind)(struct text *t))
{
	AUTO(buf_fini) struct buf memory = BUF(TEXT_MAX);
	struct text t = {rng, memory, head};
	struct resource *r;

	put_kind(&t);
	r = decode(&t);
	memory = t.b;
	return r;
}

struct resource *
random_resource(struct rng *rng)
{
	static void (*const kinds[])(struct text *) = {put_service, put_entry,
	    put_routes, put_routes, put_rule, put_rule, put_sidecar,
	    put_gateway, put_peers, put_access, put_tokens, put_workload,
	    put_mesh, put_telemetry, put_delegated};
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, 0, kinds[rng_below(rng, ARRAY_LEN(kinds))]);
	return r;
}

struct resource *
random_own(struct rng *rng, uint64_t head)
{
	static void (*const kinds[])(struct text *) = {put_peers, put_peers,
	    put_access, put_access, put_tokens, put_telemetry, put_sidecar,
	    put_gateway, put_workload};
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, head, kinds[head % ARRAY_LEN(kinds)]);
	return r;
}

static void
put_door(struct text *t)
{
	static const char *const servers[] = {
	    "{port: {number: 80, name: p, protocol: HTTP}, hosts: [\"*\"]}",
	    "{port: {number: 80, name: p, protocol: HTTP}, hosts: [\"*\"], "
	    "tls: {httpsRedirect: true}}",
	    "{port: {number: 80, name: p, protocol: HTTP}, hosts: "
	    "[\"shop/*\", example.com], tls: {httpsRedirect: true}}",
	    "{port: {number: 80, name: p, protocol: HTTP}, hosts: "
	    "[api.example.com, \"*.shop.svc.cluster.local\"]}"};

	put_head(t, "networking.istio.io/v1", "Gateway");
	put(t, "  selector: {istio: ingress}\n");
	put2(t, "  servers: [", ANY(t, servers), "");
	if (maybe(t, 2))
		put2(t, ", ", ANY(t, servers), "");
	put(t, ", {port: {number: 443, name: s, protocol: HTTPS}, tls: "
	       "{mode: SIMPLE, credentialName: c}, hosts: [\"*\"]}]\n");
}

static void
put_bound(struct text *t)
{
	static const char *const gateways[] = {"shop/web", "shop/web",
	    "pay/web", "shop/web, pay/web", "shop/web, mesh"};
	static const char *const own[] = {"web", "cart.shop.svc.cluster.local",
	    "api.example.com", "example.com", "a.test", "b.test", "c.test",
	    "d.test", "e.test", "*.example.com"};

	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	put2(t, "  hosts: [\"", ANY(t, own), "\"");
	if (maybe(t, 3))
		put2(t, ", \"", ANY(t, own), "\"");
	put2(t, "]\n  gateways: [", ANY(t, gateways), "]\n");
	put(t, "  http:\n");
	do
		put_http_rule(t);
	while (maybe(t, 2));
}

/* Half of them turn it off, for all or for a port. */
static void
put_peers_again(struct text *t)
{
	static const char *const modes[] = {
	    "STRICT", "PERMISSIVE", "DISABLE", "DISABLE", "UNSET"};
	static const char *const labels[] = {
	    "app: web", "version: v1", "version: v2"};
	static const char *const target_ports[] = {"80", "8080", "3306"};

	put_head(t, "security.istio.io/v1", "PeerAuthentication");
	put2(t, "  mtls: {mode: ", ANY(t, modes), "}\n");
	if (maybe(t, 2))
		return;
	put2(t, "  selector: {matchLabels: {", ANY(t, labels), "}}\n");
	if (maybe(t, 2)) {
		put2(t, "  portLevelMtls: {", ANY(t, target_ports), ": ");
		put2(t, "{mode: ", ANY(t, modes), "}}\n");
	}
}

struct resource *
random_mesh(struct rng *rng)
{
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, 0, put_mesh_again);
	return r;
}

struct resource *
random_peers(struct rng *rng, uint64_t head)
{
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, head, put_peers_again);
	return r;
}

static void
put_network(struct text *t)
{
	static const char *const ranges[] = {
	    "10.0.0.0/30", "10.0.0.4/31", "10.9.0.0/24", "10.9.1.2"};
	static const char *const gateways[] = {
	    "203.0.113.1", "203.0.113.2", "203.0.113.3"};

	put2(t, "apiVersion: meshd.dev/v1\nkind: Network\nmetadata: {name: ",
	    t->head % 2 == 0 ? "far" : "near", "}\nspec:\n");
	if (maybe(t, 2))
		put2(t, "  endpoints: [{fromCidr: ", ANY(t, ranges), "}]\n");
	if (maybe(t, 6))
		return;
	put(t, "  gateways:\n");
	if (maybe(t, 12))
		put(t, "  - {registryServiceName: "
		       "web.shop.svc.cluster.local, port: 15443}\n");
	else
		put2(t, "  - {address: ", ANY(t, gateways), ", port: 15443}\n");
	if (maybe(t, 12))
		put(t, "  - {address: 203.0.113.9, port: 15443}\n");
}

struct resource *
random_network(struct rng *rng, uint64_t head)
{
	return make(rng, head, put_network);
}

struct resource *
random_workload(struct rng *rng, uint64_t head)
{
	return make(rng, head, put_workload);
}

struct resource *
random_door(struct rng *rng, const char *ns)
{
	struct resource *r = make(rng, 0, put_door);

	while (r == NULL || !slice_eq(r->key.ns, slice_str(ns)) ||
	       !slice_eq(r->key.name, S("web"))) {
		resource_unref(&r);
		r = make(rng, 0, put_door);
	}
	return r;
}

struct resource *
random_bound(struct rng *rng, uint64_t head)
{
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, head, put_bound);
	return r;
}

/* Servers that share ports, of several Gateways. */
static void
put_gate(struct text *t)
{
	static const char *const servers[] = {
	    "{port: {number: 80, name: p, protocol: HTTP}, hosts: [\"*\"]}",
	    "{port: {number: 80, name: p, protocol: HTTP}, hosts: "
	    "[\"shop/*\", example.com]}",
	    "{port: {number: 80, name: p, protocol: HTTP}, hosts: "
	    "[\"*.example.com\", a.test], tls: {httpsRedirect: true}}",
	    "{port: {number: 80, name: t, protocol: TCP}, hosts: [\"*\"]}",
	    "{port: {number: 80, name: p, protocol: HTTP2}, bind: 10.0.0.5, "
	    "hosts: [\"*\"]}",
	    "{port: {number: 8080, name: q, protocol: GRPC}, hosts: [\"*\"]}",
	    "{port: {number: 443, name: s, protocol: HTTPS}, tls: "
	    "{mode: SIMPLE, credentialName: c}, hosts: [\"*\"]}",
	    "{port: {number: 443, name: s, protocol: HTTPS}, tls: "
	    "{mode: SIMPLE, credentialName: d}, hosts: [\"*.example.com\"]}",
	    "{port: {number: 443, name: u, protocol: HTTPS}, tls: "
	    "{mode: MUTUAL, credentialName: c}, hosts: [a.test, b.test]}",
	    "{port: {number: 443, name: v, protocol: TLS}, tls: "
	    "{mode: PASSTHROUGH}, hosts: [\"*\"]}",
	    "{port: {number: 443, name: w, protocol: HTTPS}, tls: "
	    "{mode: PASSTHROUGH}, hosts: [\"*.example.com\", c.test]}",
	    "{port: {number: 9443, name: w, protocol: TLS}, tls: "
	    "{mode: PASSTHROUGH}, hosts: [a.test, api.example.com]}",
	    "{port: {number: 9443, name: w, protocol: TLS}, tls: "
	    "{mode: SIMPLE, credentialName: c}, hosts: [b.test]}",
	    "{port: {number: 3306, name: t, protocol: TCP}, hosts: [\"*\"]}",
	    "{port: {number: 3306, name: m, protocol: MYSQL}, hosts: "
	    "[a.test, \"pay/*\"]}",
	    "{port: {number: 15443, name: a, protocol: TLS}, tls: "
	    "{mode: AUTO_PASSTHROUGH}, hosts: [\"*.local\"]}"};
	static const char *const selectors[] = {
	    "ingress", "ingress", "ingress", "ingress", "ingress", "egress"};
	size_t kinds =
	    maybe(t, 8) ? ARRAY_LEN(servers) : ARRAY_LEN(servers) - 1;

	put_head(t, "networking.istio.io/v1", "Gateway");
	put2(t, "  selector: {istio: ", ANY(t, selectors), "}\n");
	put2(t, "  servers: [", servers[rng_below(t->rng, kinds)], "");
	while (!maybe(t, 3))
		put2(t, ", ", servers[rng_below(t->rng, kinds)], "");
	put(t, "]\n");
}

struct resource *
random_gate(struct rng *rng, uint64_t head)
{
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, head, put_gate);
	return r;
}

static void
put_passed_rules(struct text *t)
{
	static const char *const ports_of[] = {
	    "port: 3306", "port: 80", "gateways: [shop/web]"};
	static const char *const names_of[] = {"api.example.com", "example.com",
	    "a.test", "c.test", "*.example.com"};

	if (maybe(t, 2)) {
		put(t, "  tcp:\n  - route: [");
		put_destination(t);
		put(t, "]\n");
		if (maybe(t, 2))
			put2(t, "    match: [{", ANY(t, ports_of), "}]\n");
	}
	if (maybe(t, 2)) {
		put(t, "  tls:\n  - route: [");
		put_destination(t);
		put2(t, "]\n    match: [{sniHosts: [\"", ANY(t, names_of),
		    "\"]");
		put2(t, maybe(t, 3) ? ", port: 443" : "", "", "}]\n");
	}
}

/* For any of the gates. */
static void
put_passed(struct text *t)
{
	static const char *const gateways[] = {"shop/web", "shop/web",
	    "pay/web", "shop/web, pay/web", "shop/cart, shop/db",
	    "shop/web, mesh", "pay/cart, pay/db, istio-system/web",
	    "shop/web, shop/cart, pay/web, pay/cart, istio-system/cart"};
	static const char *const own[] = {"web", "cart.shop.svc.cluster.local",
	    "api.example.com", "example.com", "a.test", "b.test", "c.test",
	    "*.example.com", "*.test", "*", "*ple.com"};
	struct rng *rng = t->rng, again;

	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	rng_init(&again, t->head);
	if (!maybe(t, 4))
		t->rng = &again;
	put2(t, "  hosts: [\"", ANY(t, own), "\"");
	while (maybe(t, 2))
		put2(t, ", \"", ANY(t, own), "\"");
	put2(t, "]\n  gateways: [", ANY(t, gateways), "]\n");
	t->rng = rng;
	if (maybe(t, 3))
		put_passed_rules(t);
	if (maybe(t, 8))
		return;
	put(t, "  http:\n");
	if (maybe(t, 6))
		put_delegate(t);
	do
		put_http_rule(t);
	while (maybe(t, 2));
}

struct resource *
random_passed(struct rng *rng, uint64_t head)
{
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, head, put_passed);
	return r;
}

/* Ports that mostly are those of the same head before. */
static void
put_ports(struct text *t, const char *const *forms, size_t count)
{
	struct rng *rng = t->rng, again;

	rng_init(&again, t->head);
	if (!maybe(t, 4))
		t->rng = &again;
	put2(t, "  ports: [", forms[rng_below(t->rng, count)], "");
	if (maybe(t, 3))
		put2(t, ", ", forms[rng_below(t->rng, count)], "");
	put(t, "]\n");
	t->rng = rng;
}

static void
put_service_again(struct text *t)
{
	static const char *const forms[] = {
	    "{name: http, port: 80, targetPort: 8080}",
	    "{name: grpc-x, port: 8080}", "{name: tcp, port: 3306}",
	    "{name: x, port: 9000}", "{name: https, port: 443}"};
	static const char *const addresses[] = {
	    "10.1.1.1", "10.1.1.2", "10.1.1.3", "240.240.0.7"};

	put_head(t, "v1", "Service");
	if (maybe(t, 20))
		put(t, "  type: ExternalName\n  externalName: example.com\n");
	else if (maybe(t, 20))
		put(t, "  clusterIP: None\n");
	else if (maybe(t, 3))
		put2(t, "  clusterIP: ", ANY(t, addresses), "\n");
	put_selector(t, "  selector: {", "}\n");
	put_ports(t, forms, ARRAY_LEN(forms));
}

static void
put_entry_again(struct text *t)
{
	static const char *const forms[] = {
	    "{number: 80, name: http, protocol: HTTP}",
	    "{number: 8080, name: auto, protocol: UNSET}",
	    "{number: 3306, name: tcp, protocol: TCP}",
	    "{number: 443, name: tls, protocol: TLS}"};
	static const char *const own[] = {"api.example.com", "example.com",
	    "a.test", "b.test", "c.test", "d.test", "e.test", "f.test",
	    "web.shop.svc.cluster.local", "*.example.com"};
	static const char *const rest[] = {
	    "  resolution: STATIC\n  endpoints:\n"
	    "  - {address: 10.9.0.1, labels: {version: v1}}\n",
	    "  resolution: DNS\n", "  resolution: NONE\n",
	    "  resolution: STATIC\n"
	    "  workloadSelector: {labels: {version: v1}}\n",
	    "  resolution: DNS_ROUND_ROBIN\n  endpoints:\n"
	    "  - {address: a.names.test, labels: {version: v1}}\n"};
	struct rng *rng = t->rng, again;

	put_head(t, "networking.istio.io/v1", "ServiceEntry");
	put_export(t);
	rng_init(&again, t->head);
	if (!maybe(t, 6))
		t->rng = &again;
	put2(t, "  hosts: [\"", ANY(t, own), "\"");
	if (maybe(t, 4))
		put2(t, ", \"", ANY(t, own), "\"");
	t->rng = rng;
	put(t, "]\n");
	if (maybe(t, 4))
		put(t, "  addresses: [10.1.1.1]\n");
	put_ports(t, forms, ARRAY_LEN(forms));
	put(t, ANY(t, rest));
}

struct resource *
random_service(struct rng *rng, uint64_t head)
{
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, head,
		    head % 3 == 0 ? put_entry_again : put_service_again);
	return r;
}

/* A rule with a head of `head`, whatever its rest is. */
static void
put_rule_again(struct text *t, uint64_t head)
{
	static const char *const policies[] = {
	    "loadBalancer: {simple: ROUND_ROBIN}", "tls: {mode: SIMPLE}",
	    "connectionPool: {tcp: {maxConnections: 5}}",
	    "loadBalancer: {consistentHash: {useSourceIp: true}}",
	    "loadBalancer: {consistentHash: {useSourceIp: true}}, "
	    "connectionPool: {tcp: {maxConnections: 7}}",
	    "loadBalancer: {consistentHash: {httpHeaderName: x}}",
	    "loadBalancer: {consistentHash: {httpHeaderName: x, "
	    "minimumRingSize: 7}}",
	    "loadBalancer: {simple: PASSTHROUGH}",
	    "loadBalancer: {localityLbSetting: {failoverPriority: [app]}}, "
	    "outlierDetection: {interval: 5s}"};
	static const char *const versions[] = {"v1", "v2", "v3"};
	static const char *const subsets[] = {"v1", "v1", "v1", "v2"};
	struct rng *rng = t->rng, again;

	rng_init(&again, head);
	t->rng = &again;
	put_head(t, "networking.istio.io/v1", "DestinationRule");
	if (maybe(t, 2)) /* nobody may say both */
		put_export(t);
	else
		put_selector(t, "  workloadSelector: {matchLabels: {", "}}\n");
	put2(t, "  host: \"", ANY(t, hosts), "\"\n");
	if (maybe(t, 2)) {
		t->rng = rng;
		put2(t, "  subsets: [{name: ", ANY(t, subsets), "");
		put2(t, ", labels: {version: ", ANY(t, versions),
		    "}, trafficPolicy: {");
		put2(t, "", ANY(t, policies), "}}]\n");
	}
	t->rng = rng;
	if (maybe(t, 4))
		return;
	put2(t, "  trafficPolicy: {", ANY(t, policies), "}\n");
}

static void
put_routes_again(struct text *t, uint64_t head)
{
	struct rng *rng = t->rng, again;

	rng_init(&again, head);
	t->rng = &again;
	put_routes_head(t);
	t->rng = rng;
	put(t, "  http:\n");
	do
		put_http_rule(t);
	while (maybe(t, 2));
}

struct resource *
random_again(struct rng *rng, uint64_t head)
{
	struct resource *r = NULL;

	while (r == NULL) {
		AUTO(buf_fini) struct buf memory = BUF(TEXT_MAX);
		struct text t = {rng, memory, 0};

		if (head % 2 == 0)
			put_rule_again(&t, head);
		else
			put_routes_again(&t, head);
		r = decode(&t);
		memory = t.b;
	}
	return r;
}

static void
put_l4_rule(struct text *t)
{
	static const char *const matches[] = {"port: 3306", "port: 9000",
	    "sourceLabels: {app: web}", "gateways: [mesh]",
	    "destinationSubnets: [10.1.0.0/16]"};

	put(t, "  - route: [");
	put_destination(t);
	put(t, "]\n");
	if (maybe(t, 2))
		put2(t, "    match: [{", ANY(t, matches), "}]\n");
}

static void
put_tls_rule(struct text *t)
{
	static const char *const names_of[] = {
	    "api.example.com", "example.com", "a.test", "web.shop"};

	put(t, "  - route: [");
	put_destination(t);
	put2(t, "]\n    match: [{sniHosts: [\"", ANY(t, names_of), "\"]");
	put2(t, maybe(t, 2) ? ", port: 443" : "", "", "}]\n");
}

/* Rules for connections, and some for requests. */
static void
put_wired(struct text *t)
{
	static const char *const own[] = {"web", "cart.shop.svc.cluster.local",
	    "db.pay.svc.cluster.local", "api.example.com", "example.com",
	    "a.test", "b.test", "c.test", "*.example.com"};
	struct rng *rng = t->rng, again;

	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	rng_init(&again, t->head);
	if (!maybe(t, 6))
		t->rng = &again;
	put2(t, "  hosts: [\"", ANY(t, own), "\"");
	if (maybe(t, 4))
		put2(t, ", \"", ANY(t, own), "\"");
	t->rng = rng;
	put(t, "]\n  tcp:\n");
	do
		put_l4_rule(t);
	while (maybe(t, 3));
	if (maybe(t, 2)) {
		put(t, "  tls:\n");
		put_tls_rule(t);
	}
	if (maybe(t, 4)) {
		put(t, "  http:\n");
		put_http_rule(t);
	}
}

struct resource *
random_wired(struct rng *rng, uint64_t head)
{
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, head, put_wired);
	return r;
}

/* Of shop, one of three: few enough that roots name it. */
static void
put_leaf(struct text *t)
{
	struct rng *rng = t->rng, again;

	rng_init(&again, t->head);
	t->rng = &again;
	put2(t,
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: ",
	    ANY(t, names), ", namespace: shop}\nspec:\n");
	t->rng = rng;
	put_export(t);
	put(t, "  http:\n");
	do
		put_http_rule(t);
	while (maybe(t, 2));
}

static void
put_root(struct text *t)
{
	static const char *const gateways[] = {"mesh", "mesh", "shop/web",
	    "shop/web", "shop/web, pay/web", "shop/web, mesh"};
	static const char *const own[] = {"web", "cart.shop.svc.cluster.local",
	    "api.example.com", "a.test", "b.test"};
	struct rng *rng = t->rng, again;

	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	rng_init(&again, t->head);
	t->rng = &again;
	put2(t, "  hosts: [\"", ANY(t, own), "\"]\n");
	put2(t, "  gateways: [", ANY(t, gateways), "]\n  http:\n");
	t->rng = rng;
	do {
		if (maybe(t, 4)) {
			put_http_rule(t);
			continue;
		}
		put2(t, "  - delegate: {name: ", ANY(t, names),
		    ", namespace: shop}\n");
		if (maybe(t, 3))
			put(t, "    match: [{uri: {prefix: /b}}]\n");
	} while (maybe(t, 2));
}

struct resource *
random_delegation(struct rng *rng, uint64_t head)
{
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, head, head % 2 == 0 ? put_leaf : put_root);
	return r;
}

static void
put_named(struct text *t)
{
	static const char *const own[] = {"a.test", "b.test", "c.test",
	    "api.example.com", "web.shop.svc.cluster.local",
	    "cart.pay.svc.cluster.local"};
	struct rng *rng = t->rng, again;

	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	rng_init(&again, t->head);
	t->rng = &again;
	put2(t, "  hosts: [\"", ANY(t, own), "\"]\n");
	t->rng = rng;
	put(t, "  http:\n");
	do
		if (maybe(t, 2))
			put_http_rule(t);
		else
			put2(t,
			    "  - route: [{destination: {host: ", ANY(t, own),
			    "}}]\n");
	while (maybe(t, 2));
}

struct resource *
random_named(struct rng *rng, uint64_t head)
{
	struct resource *r = NULL;

	while (r == NULL)
		r = make(rng, head, put_named);
	return r;
}

void
random_place(struct rng *rng, struct view_input *in)
{
	static const struct label labels[] = {
	    {{"app", 3}, {"web", 3}}, {{"istio", 5}, {"ingress", 7}}};

	in->ns = slice_str(spaces[rng_below(rng, ARRAY_LEN(spaces))]);
	in->proxy = rng_below(rng, 3) == 0 ? VIEW_ROUTER : VIEW_SIDECAR;
	in->labels = (struct labels){&labels[in->proxy == VIEW_ROUTER], 1};
}

void
random_machine(struct rng *rng, struct view_input *in)
{
	static const struct label labels[] = {{{"app", 3}, {"web", 3}}};
	static const struct addr own = {ADDR_V4, {10, 0, 0, 5}, 0};
	static const struct view_upstream_input upstreams[] = {
	    {.name = {"a", 1}, .host = {"web.shop", 8}, .ns = {"shop", 4}},
	    {.name = {"b", 1}, .host = {"example.com", 11}, .ns = {"pay", 3}}};
	static const struct view_exposed_input exposed[] = {
	    {.service = {"web", 3},
		.ns = {"shop", 4},
		.port = 80,
		.protocol = {"http", 4},
		.addr = {ADDR_V4, {10, 0, 0, 5}, 80},
		.target = {ADDR_V4, {127, 0, 0, 1}, 8080},
		.account = {"web", 3},
		.labels = {labels, 1}},
	    {.service = {"db", 2},
		.ns = {"pay", 3},
		.port = 3306,
		.protocol = {"tcp", 3},
		.addr = {ADDR_V4, {10, 0, 0, 5}, 3306},
		.target = {ADDR_V4, {127, 0, 0, 1}, 3306},
		.account = {"db", 2}}};

	in->addrs = &own;
	in->addr_count = rng_below(rng, 2);
	in->upstreams = upstreams; /* so there are scopes of others */
	in->upstream_count = rng_below(rng, ARRAY_LEN(upstreams) + 1);
	in->exposed = exposed; /* so policies are of somebody */
	in->exposed_count = rng_below(rng, ARRAY_LEN(exposed) + 1);
}
