/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile — what one proxy's view of a large mesh costs.
 *
 *	compile SERVICES
 *
 * A mesh of so many Services in 100 namespaces, five endpoints each, a
 * VirtualService and a DestinationRule for every second one, none of it out of
 * a proxy's scope. On stdout, as JSON: the milliseconds of this thread for a
 * view from nothing (the least of some tries), and what it takes of memory;
 * and for one where an endpoint is another than before, or the weights of a
 * VirtualService, or the policy of a DestinationRule, or what a Service says;
 * where one of these comes that was not there at first, and where one goes; and
 * where something else comes. At a gateway each of the VirtualServices has a
 *host of its own, but for some that have one in common with another, and some
 *of which something is wrong. Where a port passes on by itself it has a chain
 *for each cluster. Where a Sidecar holds it names all of one namespace; what is
 *there comes, changes and goes, and what is elsewhere does, too.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"

enum {
	CHANGES = 101,
	NAMESPACES = 100,
	ENDPOINTS = 5,
	DATA = 100, /* Services for connections, and such with delegates */
	TRIES = 3,
	TEXT_MAX = 4096
};

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
used_mib(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)(m.uordblks + m.hblkhd) / (1 << 20);
}

/* --- the mesh ------------------------------------------------------------- */

struct mesh {
	enum view_proxy proxy;
	const struct resource **resources;
	size_t resource_count;
	size_t service_count;
	struct view_endpoint_input *endpoints;
	size_t endpoint_count;
	struct view_serving *servings;
	size_t serving_count;
	/* What an agent knows of its changes: see view_input. */
	uint64_t resources_version, clock;
	size_t moved;         /* the serving that is the newest */
	size_t told_count;    /* services that only records tell of */
	size_t exposed_count; /* by this machine */
	uint64_t lists;       /* which of those are told of */
	struct arena arena;   /* of the endpoints' texts */
};

static const char service_text[] =
    "apiVersion: v1\n"
    "kind: Service\n"
    "metadata: {name: service-N, namespace: space-S}\n"
    "spec:\n"
    "  selector: {app: service-N}\n"
    "  ports: [{name: http, port: 80, targetPort: 8080}]\n";

static const char other_service_text[] =
    "apiVersion: v1\n"
    "kind: Service\n"
    "metadata: {name: service-N, namespace: space-S, labels: {a: b}}\n"
    "spec:\n"
    "  selector: {app: other-N}\n"
    "  ports:\n"
    "  - {name: http, port: 80, targetPort: 8080}\n";
static const char headless_text[] =
    "apiVersion: v1\n"
    "kind: Service\n"
    "metadata: {name: service-N, namespace: space-S}\n"
    "spec:\n"
    "  clusterIP: None\n"
    "  ports: [{name: tcp, port: 80}]\n";
static const char told_text[] = "apiVersion: v1\n"
				"kind: Service\n"
				"metadata: {name: told-0, namespace: space-0}\n"
				"spec:\n"
				"  selector: {app: told}\n"
				"  ports: [{name: http, port: 80}]\n";
static const char entry_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: ServiceEntry\n"
    "metadata: {name: entry-N, namespace: space-S}\n"
    "spec:\n"
    "  hosts: [entry-N.example.com]\n"
    "  location: MESH_EXTERNAL\n"
    "  resolution: DNS\n"
    "  ports:\n"
    "  - {name: http, number: 80, protocol: HTTP}\n"
    "  - {name: tls, number: 443, protocol: TLS}\n";

#define RULE_TEXT(balancer)                                                    \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: DestinationRule\n"                                              \
	"metadata: {name: service-N, namespace: space-S}\n"                    \
	"spec:\n"                                                              \
	"  host: service-N\n"                                                  \
	"  trafficPolicy: {loadBalancer: {simple: " balancer "}}\n"            \
	"  subsets:\n"                                                         \
	"  - {name: v1, labels: {version: v1}}\n"                              \
	"  - {name: v2, labels: {version: v2}}\n"

#define ROUTES_TEXT(timeout, v1, v2)                                           \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: VirtualService\n"                                               \
	"metadata: {name: service-N, namespace: space-S}\n"                    \
	"spec:\n"                                                              \
	"  hosts: [service-N]\n"                                               \
	"  http:\n"                                                            \
	"  - match: [{uri: {prefix: /v2/}}]\n"                                 \
	"    route: [{destination: {host: service-N, subset: v2}}]\n"          \
	"  - timeout: " timeout "\n"                                           \
	"    route:\n"                                                         \
	"    - {destination: {host: service-N, subset: v1}, weight: " v1 "}\n" \
	"    - {destination: {host: service-N, subset: v2}, weight: " v2 "}\n"

#define WIRED_TEXT(v1, v2)                                                     \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: VirtualService\n"                                               \
	"metadata: {name: data-N, namespace: space-S}\n"                       \
	"spec:\n"                                                              \
	"  hosts: [data-N]\n"                                                  \
	"  tcp:\n"                                                             \
	"  - route:\n"                                                         \
	"    - {destination: {host: data-N}, weight: " v1 "}\n"                \
	"    - {destination: {host: service-0}, weight: " v2 "}\n"

static const char data_text[] = "apiVersion: v1\n"
				"kind: Service\n"
				"metadata: {name: data-N, namespace: space-S}\n"
				"spec:\n"
				"  clusterIP: 10.200.0.N\n"
				"  ports: [{name: tcp, port: 3306}]\n";
static const char wired_text[] = WIRED_TEXT("9", "1");
static const char other_wired_text[] = WIRED_TEXT("5", "5");
#define LEAF_TEXT(timeout)                                                     \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: VirtualService\n"                                               \
	"metadata: {name: leaf-N, namespace: space-S}\n"                       \
	"spec:\n"                                                              \
	"  http:\n"                                                            \
	"  - {timeout: " timeout                                               \
	", route: [{destination: {host: front-N}}]}\n"

static const char front_text[] =
    "apiVersion: v1\n"
    "kind: Service\n"
    "metadata: {name: front-N, namespace: space-S}\n"
    "spec:\n"
    "  ports: [{name: http, port: 80}]\n";
static const char root_text[] = "apiVersion: networking.istio.io/v1\n"
				"kind: VirtualService\n"
				"metadata: {name: root-N, namespace: space-S}\n"
				"spec:\n"
				"  hosts: [front-N]\n"
				"  http: [{delegate: {name: leaf-N}}]\n";
static const char leaf_text[] = LEAF_TEXT("5s");
static const char other_leaf_text[] = LEAF_TEXT("3s");
static const char plain_routes_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: VirtualService\n"
    "metadata: {name: service-N, namespace: space-S}\n"
    "spec:\n"
    "  hosts: [service-N]\n"
    "  http:\n"
    "  - {timeout: 5s, route: [{destination: {host: service-N}}]}\n";
static const char sidecar_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: Sidecar\n"
    "metadata: {name: default, namespace: default}\n"
    "spec: {egress: [{hosts: ['./*', space-0/*]}]}\n";
static const char other_sidecar_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: Sidecar\n"
    "metadata: {name: default, namespace: default}\n"
    "spec: {egress: [{hosts: ['./*', space-0/*,\n"
    "  space-1/service-1.space-1.svc.cluster.local]}]}\n";
static const char gateway_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: Gateway\n"
    "metadata: {name: door, namespace: space}\n"
    "spec:\n"
    "  servers:\n"
    "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}\n"
    "  - {port: {number: 443, name: tls, protocol: TLS}, hosts: ['*'], "
    "tls: {mode: PASSTHROUGH}}\n";
#define BOUND_TEXT(timeout)                                                    \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: VirtualService\n"                                               \
	"metadata: {name: service-N, namespace: space-S}\n"                    \
	"spec:\n"                                                              \
	"  hosts: [service-N.example.com]\n"                                   \
	"  gateways: [space/door]\n"                                           \
	"  http:\n"                                                            \
	"  - {timeout: " timeout                                               \
	", route: [{destination: {host: service-N}}]}\n"

static const char bound_text[] = BOUND_TEXT("5s");
static const char other_bound_text[] = BOUND_TEXT("3s");
static const char wide_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: VirtualService\n"
    "metadata: {name: wide-N, namespace: space-S}\n"
    "spec:\n"
    "  hosts: ['*.example.com']\n"
    "  gateways: [space/door]\n"
    "  http:\n"
    "  - {timeout: 5s, route: [{destination: {host: service-0.space-0}}]}\n";
static const char passed_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: VirtualService\n"
    "metadata: {name: passed-N, namespace: space-S}\n"
    "spec:\n"
    "  hosts: [passed-N.example.com]\n"
    "  gateways: [space/door]\n"
    "  tls:\n"
    "  - match: [{sniHosts: [passed-N.example.com]}]\n"
    "    route: [{destination: {host: service-0.space-0}}]\n";
#define SHARED_TEXT(timeout)                                                   \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: VirtualService\n"                                               \
	"metadata: {name: front-N, namespace: space-S}\n"                      \
	"spec:\n"                                                              \
	"  hosts: [shared-N.example.com]\n"                                    \
	"  gateways: [space/door]\n"                                           \
	"  http:\n"                                                            \
	"  - match: [{uri: {prefix: /front/}}]\n"                              \
	"    timeout: " timeout "\n"                                           \
	"    route: [{destination: {host: front-N}}]\n"

static const char shared_text[] = SHARED_TEXT("5s");
static const char other_shared_text[] = SHARED_TEXT("3s");
static const char sharing_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: VirtualService\n"
    "metadata: {name: data-N, namespace: space-S}\n"
    "spec:\n"
    "  hosts: [shared-N.example.com]\n"
    "  gateways: [space/door]\n"
    "  http:\n"
    "  - {route: [{destination: {host: gone-N}}]}\n";
static const char odd_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: VirtualService\n"
    "metadata: {name: odd-N, namespace: space-S}\n"
    "spec:\n"
    "  hosts: ['*d.example.com']\n"
    "  gateways: [space/door]\n"
    "  http:\n"
    "  - {timeout: 5s, route: [{destination: {host: service-0.space-0}}]}\n";
static const char before_text[] =
    "apiVersion: v1\n"
    "kind: Service\n"
    "metadata: {name: door-N, namespace: default}\n"
    "spec:\n"
    "  selector: {app: door}\n"
    "  ports: [{name: http, port: 80, targetPort: 8080}]\n";
static const char group_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: WorkloadGroup\n"
    "metadata: {name: door-N, namespace: default, annotations:\n"
    "  {proxy.istio.io/config: 'gatewayTopology: {proxyProtocol: {}}'}}\n"
    "spec: {template: {}, metadata: {labels: {app: door}}}\n";
static const char passing_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: Gateway\n"
    "metadata: {name: door, namespace: space}\n"
    "spec:\n"
    "  servers:\n"
    "  - {port: {number: 15443, name: tls, protocol: TLS}, "
    "hosts: ['*.local'], tls: {mode: AUTO_PASSTHROUGH}}\n";
static const char far_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: Gateway\n"
    "metadata: {name: far-N, namespace: space}\n"
    "spec:\n"
    "  selector: {app: elsewhere}\n"
    "  servers:\n"
    "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}\n";
static const char near_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: Gateway\n"
    "metadata: {name: near-N, namespace: space}\n"
    "spec:\n"
    "  servers:\n"
    "  - {port: {number: 3306, name: tcp, protocol: TCP}, hosts: ['*']}\n";
static const char other_gateway_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: Gateway\n"
    "metadata: {name: door, namespace: space, labels: {a: b}}\n"
    "spec:\n"
    "  servers:\n"
    "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}\n"
    "  - {port: {number: 443, name: tls, protocol: TLS}, hosts: ['*'], "
    "tls: {mode: PASSTHROUGH}}\n";
static const char workload_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: WorkloadEntry\n"
    "metadata: {name: one, namespace: space-0}\n"
    "spec: {address: 10.250.0.1, labels: {app: service-0}}\n";
static const char access_text[] =
    "apiVersion: security.istio.io/v1\n"
    "kind: AuthorizationPolicy\n"
    "metadata: {name: policy-N, namespace: default}\n"
    "spec: {rules: [{from: [{source: {namespaces: [shop]}}]}]}\n";
static const char peers_text[] =
    "apiVersion: security.istio.io/v1\n"
    "kind: PeerAuthentication\n"
    "metadata: {name: policy-N, namespace: default}\n"
    "spec: {mtls: {mode: STRICT}}\n";
static const char peers_off_text[] =
    "apiVersion: security.istio.io/v1\n"
    "kind: PeerAuthentication\n"
    "metadata: {name: policy-N, namespace: space-1}\n"
    "spec: {mtls: {mode: DISABLE}}\n";
static const char one_peer_off_text[] =
    "apiVersion: security.istio.io/v1\n"
    "kind: PeerAuthentication\n"
    "metadata: {name: policy-N, namespace: space-1}\n"
    "spec:\n"
    "  selector: {matchLabels: {app: service-1}}\n"
    "  portLevelMtls: {8080: {mode: DISABLE}}\n";
static const char mesh_text[] = "apiVersion: meshd.dev/v1\n"
				"kind: MeshConfig\n"
				"metadata: {name: default}\n"
				"spec: {accessLogFormat: '%PROTOCOL%'}\n";
static const char network_text[] = "apiVersion: meshd.dev/v1\n"
				   "kind: Network\n"
				   "metadata: {name: west}\n"
				   "spec: {endpoints: [{fromCidr: "
				   "10.0.0.0/24}]}\n";
static const char telemetry_text[] =
    "apiVersion: telemetry.istio.io/v1\n"
    "kind: Telemetry\n"
    "metadata: {name: policy-N, namespace: default}\n"
    "spec: {accessLogging: [{disabled: true}]}\n";
static const char rule_text[] = RULE_TEXT("LEAST_REQUEST");
static const char other_rule_text[] = RULE_TEXT("ROUND_ROBIN");
static const char routes_text[] = ROUTES_TEXT("5s", "9", "1");
static const char other_routes_text[] = ROUTES_TEXT("3s", "5", "5");

static struct resource *
decode(const char *text)
{
	AUTO(arena_fini) struct arena a;
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct codec_documents docs;
	struct resource *r = NULL;

	arena_init(&a, 1 << 20);
	CHECK(codec_yaml_parse(
		  slice_str(text), "mesh", &a, &docs, &found.errors) == OK);
	CHECK(resource_decode(docs.items[0].root, &source, &r, &found) == OK);
	return r;
}

/* -N, .N and -S in the text are the numbers of the service and its namespace.
 */
static struct resource *
document(const char *form, size_t number)
{
	AUTO(buf_fini) struct buf text = BUF(TEXT_MAX);

	for (const char *p = form; *p != '\0'; p++) {
		if (p > form && (p[-1] == '-' || p[-1] == '.') &&
		    (*p == 'N' || *p == 'S'))
			CHECK(buf_printf(&text, "%zu",
				  *p == 'N' ? number : number % NAMESPACES) ==
			      OK);
		else
			CHECK(buf_add_byte(&text, (uint8_t)*p) == OK);
	}
	CHECK(buf_add_byte(&text, '\0') == OK);
	return decode(buf_slice(&text).ptr);
}

static struct slice
text_of(struct mesh *m, const char *word, size_t number)
{
	struct slice s = arena_printf(&m->arena, "%s-%zu", word, number);

	CHECK(s.len > 0);
	return s;
}

/* As its Service selects them; every second endpoint is of another version. */
static struct labels
labels_of(struct mesh *m, size_t number, size_t endpoint)
{
	struct label *items = arena_alloc_array(&m->arena, 2, sizeof(*items));

	CHECK(items != NULL);
	items[0] = (struct label){S("app"), text_of(m, "service", number)};
	items[1] =
	    (struct label){S("version"), endpoint % 2 == 0 ? S("v1") : S("v2")};
	return (struct labels){items, 2};
}

static void
add_endpoints(struct mesh *m, size_t number)
{
	for (size_t i = 0; i < ENDPOINTS; i++) {
		size_t n = m->endpoint_count++;

		m->endpoints[n] = (struct view_endpoint_input){
		    .service = text_of(m, "service", number),
		    .service_ns = text_of(m, "space", number % NAMESPACES),
		    .service_port = 80,
		    .addr = {ADDR_V4,
			{10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n},
			8080},
		    .tunnel = {ADDR_V4,
			{10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n},
			15008},
		    .network = S("east"),
		    .node = text_of(m, "node", n % 1000),
		    .workload = text_of(m, "service", number),
		    .ns = text_of(m, "space", number % NAMESPACES),
		    .account = text_of(m, "service", number),
		    .labels = labels_of(m, number, i),
		    .locality = S("eu/west/a"),
		    .weight = 1,
		};
	}
}

/* The last resources: so many of each, in this order. */
enum { DATA_AT, FRONT_AT, ROOT_AT, LEAF_AT, WIRED_AT, FORMS };
static const char *const last_forms[FORMS] = {
    [DATA_AT] = data_text,
    [FRONT_AT] = front_text,
    [ROOT_AT] = root_text,
    [LEAF_AT] = leaf_text,
    [WIRED_AT] = wired_text,
};
/* At a gateway two are for one host, and some are passed on. */
static const char *const last_at_gateway[FORMS] = {
    [DATA_AT] = data_text,
    [FRONT_AT] = front_text,
    [ROOT_AT] = sharing_text,
    [LEAF_AT] = shared_text,
    [WIRED_AT] = passed_text,
};

static const char *
last_form(const struct mesh *m, size_t form)
{
	return m->proxy == VIEW_ROUTER ? last_at_gateway[form]
				       : last_forms[form];
}

static void
make(struct mesh *m, size_t services, enum view_proxy proxy,
    const char *gateway, bool scoped)
{
	*m = (struct mesh){.proxy = proxy,
	    .resources_version = 1,
	    .clock = 1,
	    .told_count = 1};
	m->resources = mem_resize(
	    NULL, 0, services * 3 + FORMS * DATA + 4, sizeof(*m->resources));
	m->endpoints =
	    mem_resize(NULL, 0, services * ENDPOINTS, sizeof(*m->endpoints));
	m->servings = mem_resize(NULL, 0, services, sizeof(*m->servings));
	arena_init(&m->arena, (size_t)1 << 30);
	m->service_count = services;
	for (size_t i = 0; i < services; i++) {
		m->resources[m->resource_count++] = document(service_text, i);
		if (i % 2 == 0) {
			m->resources[m->resource_count++] =
			    document(rule_text, i);
			m->resources[m->resource_count++] = document(
			    proxy == VIEW_ROUTER ? bound_text : routes_text, i);
		}
		add_endpoints(m, i);
		m->servings[m->serving_count++] =
		    (struct view_serving){.service = text_of(m, "service", i),
			.ns = text_of(m, "space", i % NAMESPACES),
			.version = ++m->clock,
			.endpoints = &m->endpoints[i * ENDPOINTS],
			.count = ENDPOINTS};
	}
	if (gateway != NULL)
		m->resources[m->resource_count++] = decode(gateway);
	if (scoped)
		m->resources[m->resource_count++] = decode(sidecar_text);
	m->resources[m->resource_count++] =
	    document(plain_routes_text, services + 1); /* see add_ruled() */
	for (size_t i = 0; i < FORMS * DATA; i++)
		m->resources[m->resource_count++] =
		    document(last_form(m, i / DATA), i % DATA);
}

static void
drop(struct mesh *m)
{
	for (size_t i = 0; i < m->resource_count; i++) {
		struct resource *r =
		    (struct resource *)(uintptr_t)m->resources[i];

		resource_unref(&r);
	}
	mem_free(&m->resources);
	mem_free(&m->endpoints);
	mem_free(&m->servings);
	arena_fini(&m->arena);
}

/* --- measuring ------------------------------------------------------------ */

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct view *
compile(const struct mesh *m, const struct view *before)
{
	/* One of the endpoints is on this machine: the last. */
	const struct addr *own = &m->endpoints[m->endpoint_count - 1].addr;
	static const struct view_port_input port = {
	    80, {"http", 4}, {"http", 4}};
	const struct view_service_input told[] = {
	    {S("told-0"), S("space-0"), &port, 1, S("a record")},
	    {S("told-1"), S("space-1"), &port, 1, S("a record")}};
	const struct view_exposed_input exposed = {.service = S("service-0"),
	    .ns = S("space-0"),
	    .port = 80,
	    .protocol = S("http"),
	    .addr = {.family = ADDR_V6, .port = 80},
	    .target = {ADDR_V4, {127, 0, 0, 1}, 8080},
	    .account = S("service-0")};
	static const struct label door = {{"app", 3}, {"door", 4}};
	struct view_input in = {.proxy = m->proxy,
	    .labels = {&door, m->proxy == VIEW_ROUTER},
	    .parse_yaml = codec_yaml_parse_one,
	    .addrs = own,
	    .addr_count = 1,
	    .services = told,
	    .service_count = m->told_count,
	    .lists_version = 1 + m->lists,
	    .exposed = &exposed,
	    .exposed_count = m->exposed_count,
	    .resources = m->resources,
	    .resource_count = m->resource_count,
	    .servings = m->servings,
	    .serving_count = m->serving_count,
	    .resources_version = m->resources_version,
	    .names_version = 1,
	    .moved_since = m->clock - 1,
	    .moved = &m->moved,
	    .moved_count = 1,
	    .version = 1,
	    .before = before};
	struct view *v;
	struct fault why;

	CHECK(view_compile(&in, &v, &why) == OK);
	return v;
}

static void
measure_full(const struct mesh *m, double *out_ms, double *out_mib)
{
	for (int i = 0; i < TRIES; i++) {
		double mib = used_mib(), at = cpu_ms(), took;
		struct view *v = compile(m, NULL);

		took = cpu_ms() - at;
		*out_mib = used_mib() - mib;
		*out_ms = i == 0 ? took : MIN(*out_ms, took);
		view_unref(&v);
	}
}

static void
move(struct mesh *m, size_t serving)
{
	m->moved = serving;
	m->servings[serving].version = ++m->clock;
}

/* One of them is unhealthy, or is well again. */
static void
change_endpoint(struct mesh *m, size_t i)
{
	size_t n = i * 7919 % m->endpoint_count;
	struct view_endpoint_input *e = &m->endpoints[n];

	e->health = e->health == VIEW_HEALTHY ? VIEW_UNHEALTHY : VIEW_HEALTHY;
	move(m, n / ENDPOINTS);
}

static void
change_own_endpoint(struct mesh *m, size_t i)
{
	struct view_endpoint_input *e = &m->endpoints[m->endpoint_count - 1];

	e->health = i % 2 == 0 ? VIEW_UNHEALTHY : VIEW_HEALTHY;
	move(m, m->serving_count - 1);
}

static void
expose(struct mesh *m, size_t i)
{
	(void)i;
	m->exposed_count = 1;
}

static void
unexpose(struct mesh *m, size_t i)
{
	(void)i;
	m->exposed_count = 0;
}

static void
tell_more(struct mesh *m, size_t i)
{
	(void)i;
	m->told_count = 2;
	m->lists++;
}

static void
tell_less(struct mesh *m, size_t i)
{
	(void)i;
	m->told_count = 1;
	m->lists++;
}

/* The resources of a service with rules and of one without follow each other:
 * Service, DestinationRule, VirtualService; Service. */
static size_t
place_of(const struct mesh *m, size_t i, size_t at)
{
	return i * 7919 % (m->service_count / 2) * 4 + at;
}

static void
replace(struct mesh *m, size_t i, size_t at, const char *form)
{
	size_t place = place_of(m, i, at);
	struct resource **r =
	    (struct resource **)(uintptr_t)&m->resources[place];

	resource_unref(r);
	*r = document(form, place / 4 * 2);
}

/* One of the VirtualServices has other weights, or its own again. */
static void
change_rules(struct mesh *m, size_t i)
{
	replace(m, i, 2, i % 2 == 0 ? other_routes_text : routes_text);
}

static void
change_policy(struct mesh *m, size_t i)
{
	replace(m, i, 1, i % 2 == 0 ? other_rule_text : rule_text);
}

static void
insert(struct mesh *m, size_t at, const struct resource *r)
{
	memmove(&m->resources[at + 1], &m->resources[at],
	    (m->resource_count++ - at) * sizeof(*m->resources));
	m->resources[at] = r;
}

static const struct resource *
take_out(struct mesh *m, size_t at)
{
	const struct resource *r = m->resources[at];

	memmove(&m->resources[at], &m->resources[at + 1],
	    (--m->resource_count - at) * sizeof(*m->resources));
	return r;
}

/* One more, of a service that had none. */
static void
add(struct mesh *m, size_t i, const char *form)
{
	size_t at = place_of(m, i, 4);

	insert(m, at, document(form, at / 4 * 2 - 1));
}

static void
add_rules(struct mesh *m, size_t i)
{
	add(m, i, plain_routes_text);
}

static void
add_policy(struct mesh *m, size_t i)
{
	add(m, i, rule_text);
}

static void
drop_added(struct mesh *m, size_t i)
{
	struct resource *r =
	    (struct resource *)(uintptr_t)take_out(m, place_of(m, i, 4));

	resource_unref(&r);
}

/* One of those that were there at first; it comes back. */
static const struct resource *away;

static void
take_rules(struct mesh *m, size_t i)
{
	away = take_out(m, place_of(m, i, 2));
}

static void
put_rules(struct mesh *m, size_t i)
{
	insert(m, place_of(m, i, 2), away);
}

static void
take_policy(struct mesh *m, size_t i)
{
	away = take_out(m, place_of(m, i, 1));
}

static void
put_policy(struct mesh *m, size_t i)
{
	insert(m, place_of(m, i, 1), away);
}

/* Whatever else: behind all others. */
static void
add_last(struct mesh *m, const char *form)
{
	m->resources[m->resource_count++] = document(form, m->service_count);
}

static void
drop_last(struct mesh *m, size_t i)
{
	struct resource *r =
	    (struct resource *)(uintptr_t)take_out(m, m->resource_count - 1);

	(void)i; /* always the same one */
	resource_unref(&r);
}

static void
add_access(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, access_text);
}

static void
add_peers(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, peers_text);
}

/* All of a namespace, which is a hundredth of the mesh. */
static void
add_peers_off(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, peers_off_text);
}

static void
add_one_peer_off(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, one_peer_off_text);
}

static void
add_mesh(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, mesh_text);
}

/* No endpoint says that it lies there, but all are looked at. */
static void
add_network(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, network_text);
}

static void
add_telemetry(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, telemetry_text);
}

static void
add_workload(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, workload_text);
}

static void
add_bound(struct mesh *m, size_t i)
{
	add(m, i, bound_text);
}

static void
add_service(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, service_text);
}

/* One that records tell of already. */
static void
add_told(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, told_text);
}

/* One that a VirtualService is for already. */
static void
add_ruled(struct mesh *m, size_t i)
{
	(void)i;
	m->resources[m->resource_count++] =
	    document(service_text, m->service_count + 1);
}

static void
add_entry(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, entry_text);
}

/* One with rules, which says something else, or the same again. */
static void
change_service(struct mesh *m, size_t i)
{
	replace(m, i, 0, i % 2 == 0 ? other_service_text : service_text);
}

/* It is called at its endpoints, of which one is elsewhere each time. */
static void
move_headless(struct mesh *m, size_t i)
{
	size_t service = place_of(m, 0, 0) / 4 * 2;

	if (i == 0) {
		replace(m, 0, 0, headless_text);
		m->resources_version++;
	}
	m->endpoints[service * ENDPOINTS].addr.bytes[1] = (uint8_t)(100 + i);
	move(m, service);
}

/* One without rules. */
static void
take_service(struct mesh *m, size_t i)
{
	away = take_out(m, place_of(m, i, 3));
}

static void
put_service(struct mesh *m, size_t i)
{
	insert(m, place_of(m, i, 3), away);
}

static size_t
place_of_last(const struct mesh *m, size_t form, size_t i)
{
	return m->resource_count - (FORMS - form) * DATA + i % DATA;
}

static void
replace_last(struct mesh *m, size_t form, size_t i, const char *other)
{
	size_t at = place_of_last(m, form, i / 2);
	struct resource **r = (struct resource **)(uintptr_t)&m->resources[at];

	resource_unref(r);
	*r = document(i % 2 == 0 ? other : last_form(m, form), i / 2 % DATA);
}

static void
change_wired(struct mesh *m, size_t i)
{
	replace_last(m, WIRED_AT, i, other_wired_text);
}

static void
change_leaf(struct mesh *m, size_t i)
{
	replace_last(m, LEAF_AT, i, other_leaf_text);
}

static void
change_shared(struct mesh *m, size_t i)
{
	replace_last(m, LEAF_AT, i, other_shared_text);
}

static void
add_wide(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, wide_text);
}

static void
add_odd(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, odd_text);
}

static void
add_before(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, before_text);
}

static void
add_group(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, group_text);
}

static void
add_first_gateway(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, gateway_text);
}

static void
add_far_gateway(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, far_text);
}

static void
add_near_gateway(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, near_text);
}

/* The one that all are bound to. */
static void
change_gateway(struct mesh *m, size_t i)
{
	size_t at = m->resource_count - FORMS * DATA - 2;
	struct resource **r = (struct resource **)(uintptr_t)&m->resources[at];

	resource_unref(r);
	*r = decode(i % 2 == 0 ? other_gateway_text : gateway_text);
}

/* Another timeout, or its own again. */
static void
change_bound(struct mesh *m, size_t i)
{
	replace(m, i, 2, i % 2 == 0 ? other_bound_text : bound_text);
}

static size_t away_from;

static void
take_last(struct mesh *m, size_t form, size_t i)
{
	away_from = place_of_last(m, form, i);
	away = take_out(m, away_from);
}

static void
put_last(struct mesh *m, size_t i)
{
	(void)i; /* the same */
	insert(m, away_from, away);
}

static void
take_wired(struct mesh *m, size_t i)
{
	take_last(m, WIRED_AT, i);
}

static void
take_root(struct mesh *m, size_t i)
{
	take_last(m, ROOT_AT, i);
}

static void
take_leaf(struct mesh *m, size_t i)
{
	take_last(m, LEAF_AT, i);
}

/* The VirtualService for it stays. */
static void
take_ruled(struct mesh *m, size_t i)
{
	away_from = place_of(m, i, 0);
	away = take_out(m, away_from);
}

/* --- where a Sidecar holds ------------------------------------------------ */

/* What follows a Service of the namespace that is named. */
static size_t
place_named(const struct mesh *m, size_t i, size_t at)
{
	return i % (m->service_count / NAMESPACES) * NAMESPACES / 2 * 4 + at;
}

static void
take_named(struct mesh *m, size_t i)
{
	away_from = place_named(m, i, 0);
	away = take_out(m, away_from);
}

static void
take_named_rules(struct mesh *m, size_t i)
{
	away_from = place_named(m, i, 2);
	away = take_out(m, away_from);
}

static void
change_named_rules(struct mesh *m, size_t i)
{
	size_t place = place_named(m, i / 2, 2);
	struct resource **r =
	    (struct resource **)(uintptr_t)&m->resources[place];

	resource_unref(r);
	*r = document(
	    i % 2 == 0 ? other_routes_text : routes_text, place / 4 * 2);
}

static void
add_named(struct mesh *m, size_t i)
{
	size_t number = m->service_count + NAMESPACES;

	(void)i;
	m->resources[m->resource_count++] =
	    document(service_text, number - number % NAMESPACES);
}

/* In another namespace. */
static void
add_unnamed(struct mesh *m, size_t i)
{
	size_t number = m->service_count + NAMESPACES;

	(void)i;
	m->resources[m->resource_count++] =
	    document(service_text, number - number % NAMESPACES + 1);
}

static void
change_sidecar(struct mesh *m, size_t i)
{
	struct resource **r =
	    (struct resource **)(uintptr_t)&m
		->resources[m->resource_count - 2 - FORMS * DATA];

	resource_unref(r);
	*r = decode(i % 2 == 0 ? other_sidecar_text : sidecar_text);
}

/* --- several at once ------------------------------------------------------ */

static const char several_hosts_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: VirtualService\n"
    "metadata: {name: service-N, namespace: space-S}\n"
    "spec:\n"
    "  hosts: [service-N, shop-N.example.com]\n"
    "  http:\n"
    "  - route: [{destination: {host: service-N, subset: v1}}]\n";

static const char entry_rule_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: DestinationRule\n"
    "metadata: {name: entry-N, namespace: space-S}\n"
    "spec:\n"
    "  host: entry-N.example.com\n"
    "  trafficPolicy: {tls: {mode: SIMPLE}}\n";

/* As of one file: a service and what is said of it. */
static void
add_bundle(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, service_text);
	add_last(m, several_hosts_text);
	add_last(m, rule_text);
}

static void
drop_bundle(struct mesh *m, size_t i)
{
	for (int n = 0; n < 3; n++)
		drop_last(m, i);
}

static const char bare_text[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: VirtualService\n"
    "metadata: {name: bare-N, namespace: space-S}\n"
    "spec:\n"
    "  hosts: [bare-N.example.com]\n"
    "  http: [{route: [{destination: {host: service-0.space-0}}]}]\n";

/* For a name that is no service. */
static void
add_bare(struct mesh *m, size_t i)
{
	(void)i;
	add_last(m, bare_text);
}

/* For what is resolved by names; that is there from the first step on. */
static void
add_entry_rule(struct mesh *m, size_t i)
{
	if (i == 0)
		add_last(m, entry_text);
	add_last(m, entry_rule_text);
}

static void
drop_entry_rule(struct mesh *m, size_t i)
{
	drop_last(m, i);
	if (i == CHANGES - 1)
		drop_last(m, i);
}

/* What may happen, and what comes after it. */
struct change {
	const char *name;
	void (*happen)(struct mesh *m, size_t i);
	void (*undo)(struct mesh *m, size_t i); /* NULL: nothing */
	size_t times;
};

static const struct change changes[] = {
    {"endpoint_ms", change_endpoint, NULL, CHANGES},
    {"own_endpoint_ms", change_own_endpoint, NULL, CHANGES},
    {"expose_ms", expose, unexpose, CHANGES},
    {"record_comes_ms", tell_more, tell_less, CHANGES},
    {"written_over_record_ms", add_told, drop_last, CHANGES},
    {"rules_ms", change_rules, NULL, CHANGES},
    {"policy_ms", change_policy, NULL, CHANGES},
    {"rules_come_ms", add_rules, drop_added, CHANGES},
    {"rules_go_ms", take_rules, put_rules, CHANGES},
    {"policy_comes_ms", add_policy, drop_added, CHANGES},
    {"policy_goes_ms", take_policy, put_policy, CHANGES},
    {"access_comes_ms", add_access, drop_last, CHANGES},
    {"peers_come_ms", add_peers, drop_last, CHANGES},
    {"peers_off_ms", add_peers_off, drop_last, CHANGES},
    {"one_peer_off_ms", add_one_peer_off, drop_last, CHANGES},
    {"mesh_comes_ms", add_mesh, drop_last, CHANGES},
    {"network_comes_ms", add_network, drop_last, CHANGES},
    {"telemetry_comes_ms", add_telemetry, drop_last, CHANGES},
    {"workload_comes_ms", add_workload, drop_last, CHANGES},
    {"service_comes_ms", add_service, drop_last, CHANGES},
    {"service_ms", change_service, NULL, CHANGES},
    {"service_goes_ms", take_service, put_service, CHANGES},
    {"entry_comes_ms", add_entry, drop_last, CHANGES},
    {"ruled_service_comes_ms", add_ruled, drop_last, CHANGES},
    {"ruled_service_goes_ms", take_ruled, put_last, CHANGES},
    {"connections_ms", change_wired, NULL, CHANGES},
    {"connections_go_ms", take_wired, put_last, CHANGES},
    {"delegate_ms", change_leaf, NULL, CHANGES},
    {"delegate_goes_ms", take_leaf, put_last, CHANGES},
    {"root_goes_ms", take_root, put_last, CHANGES},
    {"bundle_comes_ms", add_bundle, drop_bundle, CHANGES},
    {"bare_rules_come_ms", add_bare, drop_last, CHANGES},
    {"entry_policy_comes_ms", add_entry_rule, drop_entry_rule, CHANGES},
    {"headless_moves_ms", move_headless, NULL, CHANGES},
};

static const struct change in_scope[] = {
    {"named_service_comes_ms", add_named, drop_last, CHANGES},
    {"named_service_goes_ms", take_named, put_last, CHANGES},
    {"named_rules_ms", change_named_rules, NULL, CHANGES},
    {"named_rules_go_ms", take_named_rules, put_last, CHANGES},
    {"unnamed_service_comes_ms", add_unnamed, drop_last, CHANGES},
    {"unnamed_service_goes_ms", take_service, put_service, CHANGES},
    {"unnamed_rules_ms", change_rules, NULL, CHANGES},
    {"unnamed_rules_go_ms", take_rules, put_rules, CHANGES},
    {"unnamed_connections_ms", change_wired, NULL, CHANGES},
    {"sidecar_ms", change_sidecar, NULL, CHANGES},
};

static const struct change at_gateway[] = {
    {"gateway_rules_come_ms", add_bound, drop_added, CHANGES},
    {"gateway_rules_go_ms", take_rules, put_rules, CHANGES},
    {"gateway_rules_ms", change_bound, NULL, CHANGES},
    {"gateway_shared_rules_ms", change_shared, NULL, CHANGES},
    {"gateway_shared_rules_go_ms", take_leaf, put_last, CHANGES},
    {"gateway_wildcard_comes_ms", add_wide, drop_last, CHANGES},
    {"gateway_tls_rules_go_ms", take_wired, put_last, CHANGES},
    {"gateway_service_comes_ms", add_service, drop_last, CHANGES},
    {"gateway_led_service_goes_ms", take_ruled, put_last, CHANGES},
    {"gateway_far_comes_ms", add_far_gateway, drop_last, CHANGES},
    {"gateway_port_comes_ms", add_near_gateway, drop_last, CHANGES},
    {"gateway_changes_ms", change_gateway, NULL, CHANGES},
    {"gateway_odd_comes_ms", add_odd, drop_last, CHANGES},
    {"gateway_front_comes_ms", add_before, drop_last, CHANGES},
    {"gateway_group_comes_ms", add_group, drop_last, CHANGES},
};

/* Nobody listens before it comes, or once it is gone. */
static const struct change at_no_gateway[] = {
    {"gateway_first_comes_ms", add_first_gateway, drop_last, CHANGES},
};

/* Where each cluster has a chain. */
static const struct change passing[] = {
    {"passing_service_comes_ms", add_service, drop_last, CHANGES},
    {"passing_service_ms", change_service, NULL, CHANGES},
    {"passing_service_goes_ms", take_service, put_service, CHANGES},
    {"passing_policy_ms", change_policy, NULL, CHANGES},
    {"passing_subsets_come_ms", add_policy, drop_added, CHANGES},
    {"passing_rules_ms", change_bound, NULL, CHANGES},
};

static void
step(struct mesh *m, struct view **v)
{
	struct view *before = *v;

	*v = compile(m, before);
	view_unref(&before);
}

/* The median. */
static double
measure(struct mesh *m, const struct change *c)
{
	struct view *v = compile(m, NULL);
	double took[CHANGES];

	for (size_t i = 0; i < c->times; i++) {
		uint64_t clock = m->clock;
		double at;

		c->happen(m, i);
		if (m->clock == clock) /* it is not of endpoints */
			m->resources_version++;
		at = cpu_ms();
		step(m, &v);
		took[i] = cpu_ms() - at;
		if (c->undo == NULL)
			continue;
		c->undo(m, i);
		m->resources_version++;
		step(m, &v);
	}
	view_unref(&v);
	qsort(took, c->times, sizeof(took[0]), by_size);
	return took[c->times / 2];
}

static void
measure_all(struct mesh *m, const struct change *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)printf(
		    ", \"%s\": %.4f", all[i].name, measure(m, &all[i]));
}

int
main(int argc, char **argv)
{
	struct mesh m = {0};
	double ms = 0, mib = 0;
	char *end;
	unsigned long services = argc == 2 ? strtoul(argv[1], &end, 10) : 0;

	if (services < NAMESPACES || services > 100000 || *end != '\0') {
		(void)fprintf(stderr, "usage: compile SERVICES (100-100000)\n");
		return 2;
	}
	make(&m, services, VIEW_SIDECAR, gateway_text, false);
	measure_full(&m, &ms, &mib);
	(void)printf("{\"full_ms\": %.3f, \"full_mib\": %.1f", ms, mib);
	measure_all(&m, changes, ARRAY_LEN(changes));
	drop(&m);
	make(&m, services, VIEW_SIDECAR, gateway_text, true);
	measure_full(&m, &ms, &mib);
	(void)printf(", \"scoped_ms\": %.3f, \"scoped_mib\": %.1f", ms, mib);
	measure_all(&m, in_scope, ARRAY_LEN(in_scope));
	drop(&m);
	make(&m, services, VIEW_ROUTER, gateway_text, false);
	measure_all(&m, at_gateway, ARRAY_LEN(at_gateway));
	drop(&m);
	make(&m, services, VIEW_ROUTER, NULL, false);
	measure_all(&m, at_no_gateway, ARRAY_LEN(at_no_gateway));
	drop(&m);
	make(&m, services, VIEW_ROUTER, passing_text, false);
	measure_all(&m, passing, ARRAY_LEN(passing));
	(void)printf("}\n");
	drop(&m);
	return 0;
}
