/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound — where the mesh calls programs of this machine.
 */
#include <stdio.h>

#include "machine.h"
#include "unit.h"

#define ENTRY(name, day, port)                                                 \
	"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"             \
	"metadata: {name: " name ", namespace: shop,\n"                        \
	"  creationTimestamp: '2026-01-" day "T00:00:00Z'}\n"                  \
	"spec: {hosts: [" name ".shop.com], resolution: STATIC,\n"             \
	"  location: MESH_INTERNAL,\n"                                         \
	"  endpoints: [{address: 10.0.0.7}, {address: 10.0.0.8}],\n"           \
	"  ports: [" port "]}\n---\n"
#define HTTP "{number: 80, name: http, protocol: HTTP, targetPort: 8080}"
#define TCP "{number: 5432, name: tcp, protocol: TCP}"
#define PEER(name, spec)                                                       \
	"apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"         \
	"metadata: {name: " name ", namespace: shop}\n"                        \
	"spec: {" spec "}\n---\n"
#define STRICT PEER("strict", "mtls: {mode: STRICT}")
#define DISABLE PEER("plain", "mtls: {mode: DISABLE}")
#define INGRESS(rest)                                                          \
	"apiVersion: networking.istio.io/v1\nkind: Sidecar\n"                  \
	"metadata: {name: s, namespace: shop}\n"                               \
	"spec:\n  ingress:\n  - " rest "\n---\n"

enum client { PLAIN, TLS, MTLS };

static const struct view_listener *
captured(const struct machine *w)
{
	const struct addr any = {0};

	return view_find_listener(w->v, NULL, VIEW_INBOUND, &any);
}

static const struct view_chain *
call(const struct machine *w, uint16_t port, enum client client,
    const char *alpn)
{
	const struct slice alpns[] = {slice_str(alpn)};
	struct view_connection c = {.tls = client != PLAIN,
	    .alpns = alpns,
	    .alpn_count = alpns[0].len > 0 ? 1 : 0};

	EXPECT_OK(addr_parse_ip(S("10.0.0.7"), &c.destination));
	c.destination.port = port;
	return view_find_chain(w->v, captured(w), &c);
}

/* "chain cluster tls", or "none". */
static const char *
taken(const struct machine *w, uint16_t port, enum client client,
    const char *alpn)
{
	static char text[200];
	static const char *const words[] = {[VIEW_TLS_NONE] = "",
	    [VIEW_TLS_SIMPLE] = " simple",
	    [VIEW_TLS_MUTUAL] = " mutual",
	    [VIEW_TLS_OPTIONAL] = " optional",
	    [VIEW_TLS_ISTIO_MUTUAL] = " mesh"};
	const struct view_chain *c = call(w, port, client, alpn);
	struct slice cluster;

	if (c == NULL)
		return "none";
	cluster = c->routes != NULL
		      ? view_find_domain(w->v, c->routes, S("any.com"))
			    ->http[0]
			    .destinations[0]
			    .cluster->name
		      : c->tcp->destinations[0].cluster->name;
	(void)snprintf(text, sizeof(text), "%.*s %.*s%s", SLICE_ARG(c->name),
	    SLICE_ARG(cluster), words[c->tls.mode]); /* fits */
	return text;
}

/* --- ports of services ---------------------------------------------------- */

TEST(a_port_has_a_chain_and_the_names_are_those_of_istio)
{
	AUTO(machine_fini) struct machine w;
	const struct view_chain *c;
	const struct view_host *h;

	machine_init(&w, ENTRY("web", "01", HTTP));
	EXPECT_SLICE(captured(&w)->name, S("virtualInbound"));
	EXPECT_STR(
	    taken(&w, 8080, PLAIN, "http/1.1"), "0.0.0.0_8080 inbound|8080||");
	c = call(&w, 8080, PLAIN, "http/1.1");
	EXPECT_SLICE(view_routes_name(c->routes), S("inbound|8080||"));
	h = view_find_domain(w.v, c->routes, S("web.shop.com"));
	EXPECT_SLICE(h->name, S("inbound|http|80"));
	EXPECT_SLICE(h->http[0].name, S("default"));
	EXPECT_EQ(h->http[0].retry.on, VIEW_RETRY_RESET_BEFORE_REQUEST);
	EXPECT_SLICE(c->origin.key.name, S("web"));
}

TEST(bytes_of_a_tcp_port_are_not_looked_into)
{
	AUTO(machine_fini) struct machine w;

	machine_init(&w, ENTRY("db", "01", TCP));
	EXPECT_TRUE(call(&w, 5432, PLAIN, "http/1.1")->routes == NULL);
	EXPECT_STR(taken(&w, 5432, PLAIN, ""), "0.0.0.0_5432 inbound|5432||");
	EXPECT_STR(
	    taken(&w, 5432, MTLS, "istio"), "0.0.0.0_5432 inbound|5432|| mesh");
	EXPECT_STR(taken(&w, 5432, TLS, "h2"), "0.0.0.0_5432 inbound|5432||");
}

TEST(a_service_of_another_namespace_or_machine_leads_nowhere_here)
{
	AUTO(machine_fini) struct machine w, far;

	machine_init(&w,
	    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
	    "metadata: {name: a, namespace: blog}\n"
	    "spec: {hosts: [a.com], resolution: STATIC,\n"
	    "  endpoints: [{address: 10.0.0.7}], ports: [" TCP "]}\n");
	EXPECT_STR(taken(&w, 5432, PLAIN, ""),
	    "virtualInbound InboundPassthroughCluster");
	machine_init(&far,
	    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
	    "metadata: {name: a, namespace: shop}\n"
	    "spec: {hosts: [a.com], resolution: STATIC,\n"
	    "  endpoints: [{address: 10.0.0.8}], ports: [" TCP "]}\n");
	EXPECT_STR(taken(&far, 5432, PLAIN, ""),
	    "virtualInbound InboundPassthroughCluster");
}

TEST(of_two_services_at_one_port_the_older_says_what_it_speaks)
{
	AUTO(machine_fini) struct machine w;
	size_t n;
	const struct view_problem *p;

	machine_init(&w,
	    ENTRY("a", "02", "{number: 80, name: tcp, protocol: TCP}")
		ENTRY("b", "01", "{number: 80, name: http, protocol: HTTP}"));
	EXPECT_TRUE(call(&w, 80, PLAIN, "")->routes != NULL);
	p = view_problems(w.v, &n);
	EXPECT_EQ(n, 1);
	EXPECT_SLICE(p[0].origin.key.name, S("a"));
}

TEST(of_two_ports_with_one_target_the_first_that_is_listed_counts)
{
	AUTO(machine_fini) struct machine w;

	machine_init(&w,
	    "apiVersion: v1\nkind: Service\n"
	    "metadata: {name: web, namespace: shop}\n"
	    "spec: {selector: {app: web}, ports: [{name: http, port: 9000, "
	    "targetPort: 8080}, {name: tls, port: 8000, targetPort: 8080}]}\n");
	EXPECT_TRUE(call(&w, 8080, PLAIN, "http/1.1")->routes != NULL);
}

TEST(a_service_is_also_known_by_its_selector)
{
	AUTO(machine_fini) struct machine w;

	machine_init(&w,
	    "apiVersion: v1\nkind: Service\n"
	    "metadata: {name: web, namespace: shop}\n"
	    "spec: {selector: {app: web}, ports: [{name: http, port: 80,\n"
	    "  targetPort: 8080}, {name: tcp-x, port: 90, targetPort: x}]}\n");
	EXPECT_STR(
	    taken(&w, 8080, PLAIN, "http/1.1"), "0.0.0.0_8080 inbound|8080||");
	EXPECT_STR(taken(&w, 90, PLAIN, ""),
	    "virtualInbound InboundPassthroughCluster");
}

TEST(what_is_exposed_needs_no_service_and_has_a_policy_of_its_own)
{
	AUTO(machine_fini) struct machine w;
	const struct label db[] = {{S("app"), S("db")}};

	machine_init(&w, PEER("db", "selector: {matchLabels: {app: db}}, "
				    "mtls: {mode: STRICT}"));
	w.exposed = (struct view_exposed_input){.service = S("db"),
	    .ns = S("shop"),
	    .port = 5432,
	    .labels = {db, 1},
	    .addr = w.addr};
	w.exposed.addr.port = 15432;
	w.in.exposed = &w.exposed;
	w.in.exposed_count = 1;
	machine_compile(&w);
	EXPECT_STR(taken(&w, 15432, PLAIN, ""), "none");
	EXPECT_STR(taken(&w, 15432, MTLS, "istio"),
	    "0.0.0.0_15432 inbound|15432|| mesh");
	EXPECT_STR(taken(&w, 5432, PLAIN, ""),
	    "virtualInbound InboundPassthroughCluster");
}

/* --- who may come --------------------------------------------------------- */

TEST(strict_takes_the_mesh_only)
{
	AUTO(machine_fini) struct machine w;
	const struct view_chain *c;

	machine_init(&w, STRICT ENTRY("web", "01", HTTP ", " TCP));
	EXPECT_STR(taken(&w, 8080, PLAIN, "http/1.1"), "none");
	EXPECT_STR(taken(&w, 8080, MTLS, "istio-h2"),
	    "0.0.0.0_8080 inbound|8080|| mesh");
	EXPECT_STR(taken(&w, 5432, PLAIN, ""), "none");
	EXPECT_STR(taken(&w, 9, PLAIN, ""), "none");
	EXPECT_STR(taken(&w, 9, MTLS, "istio-http/1.1"),
	    "virtualInbound-catchall-http InboundPassthroughCluster mesh");
	c = call(&w, 8080, MTLS, "istio-h2");
	EXPECT_EQ(c->peers, MUTUAL_TLS_STRICT);
	EXPECT_SLICE(c->peers_origin.key.name, S("strict"));
}

TEST(permissive_tells_the_mesh_by_its_application_protocol)
{
	AUTO(machine_fini) struct machine w;

	machine_init(&w, ENTRY("web", "01", HTTP));
	EXPECT_STR(taken(&w, 8080, MTLS, "istio-h2"),
	    "0.0.0.0_8080 inbound|8080|| mesh");
	/* Another's TLS cannot be requests that are declared. */
	EXPECT_STR(taken(&w, 8080, TLS, "h2"), "none");
	EXPECT_STR(taken(&w, 9, PLAIN, "http/1.1"),
	    "virtualInbound-catchall-http InboundPassthroughCluster");
	EXPECT_STR(taken(&w, 9, TLS, "h2"),
	    "virtualInbound InboundPassthroughCluster");
	EXPECT_SLICE(call(&w, 9, TLS, "h2")->peers_origin.words,
	    S("no PeerAuthentication"));
}

TEST(where_mtls_is_off_tls_is_bytes_like_any)
{
	AUTO(machine_fini) struct machine w;

	machine_init(&w, DISABLE ENTRY("web", "01", HTTP ", " TCP));
	EXPECT_STR(
	    taken(&w, 8080, TLS, "http/1.1"), "0.0.0.0_8080 inbound|8080||");
	EXPECT_STR(
	    taken(&w, 5432, MTLS, "istio"), "0.0.0.0_5432 inbound|5432||");
	EXPECT_STR(taken(&w, 9, TLS, "http/1.1"),
	    "virtualInbound InboundPassthroughCluster");
}

TEST(a_port_that_only_a_policy_names_has_chains_of_its_own)
{
	AUTO(machine_fini) struct machine w;

	machine_init(&w,
	    ENTRY("web", "01", HTTP) PEER("p",
		"selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, "
		"portLevelMtls: {'9': {mode: DISABLE}, "
		"'8080': {mode: PERMISSIVE}}"));
	EXPECT_STR(taken(&w, 9, PLAIN, ""),
	    "virtualInbound InboundPassthroughCluster");
	EXPECT_STR(taken(&w, 10, PLAIN, ""), "none");
	EXPECT_STR(taken(&w, 8080, PLAIN, ""), "0.0.0.0_8080 inbound|8080||");
}

TEST(the_listener_itself_is_not_called)
{
	AUTO(machine_fini) struct machine w;

	machine_init(&w, ENTRY("web", "01", "{number: 15006, name: tcp}"));
	EXPECT_STR(taken(&w, 15006, PLAIN, ""),
	    "virtualInbound-blackhole BlackHoleCluster");
}

TEST(it_is_told_who_says_that_plain_text_is_not_taken)
{
	AUTO(machine_fini) struct machine w;
	AUTO(arena_fini) struct arena arena = {0};
	struct explain_connection c = {
	    .direction = VIEW_INBOUND, .destination = {.port = 8080}};
	const struct value *told, *step;

	arena_init(&arena, 1 << 20);
	machine_init(&w, STRICT ENTRY("web", "01", HTTP));
	told = model_explain_connection(w.v, &c, &arena);
	EXPECT_SLICE(
	    value_get_string(told, S("error"), S("")), S("ErrNoFilterChain"));
	EXPECT_SLICE(
	    value_get_string(value_get(told, S("outcome")), S("reason"), S("")),
	    S("the connection is plain, and nothing but mutual TLS of the mesh "
	      "is taken here"));
	step = value_get(told, S("steps"))->child->next;
	EXPECT_SLICE(value_get_string(step, S("step"), S("")), S("mutual TLS"));
	EXPECT_SLICE(value_get_string(step, S("name"), S("")), S("STRICT"));
	EXPECT_SLICE(value_get_string(step, S("origin"), S("")), S("m.yaml:1"));
	c.tls = EXPLAIN_MTLS;
	told = model_explain_connection(w.v, &c, &arena);
	EXPECT_SLICE(
	    value_get_string(told, S("error"), S("")), S("ErrProtocolError"));
}

TEST(the_order_of_resources_does_not_matter)
{
	AUTO(machine_fini) struct machine w;
	AUTO(view_unref) struct view *v = NULL;
	const struct resource *shuffled[LOADED_MAX];

	machine_init(&w,
	    STRICT ENTRY("a", "02", TCP) ENTRY("b", "02", HTTP ", " TCP)
		PEER("w", "selector: {matchLabels: {app: web}}, "
			  "mtls: {mode: DISABLE}"));
	for (size_t i = 0; i < w.l.count; i++)
		shuffled[i] = w.l.items[w.l.count - 1 - i];
	w.in.resources = shuffled;
	EXPECT_OK(view_compile(&w.in, &v, NULL));
	EXPECT_EQ(view_fingerprint(v), view_fingerprint(w.v));
}

/* Whoever publishes views looks at nothing else. */
TEST(a_policy_that_changes_makes_another_view)
{
	AUTO(machine_fini) struct machine strict, plain;
	AUTO(arena_fini) struct arena arena = {0};
	const struct value *place;
	size_t found = 0;

	arena_init(&arena, 1 << 20);
	machine_init(&strict, STRICT ENTRY("web", "01", HTTP));
	machine_init(&plain, DISABLE ENTRY("web", "01", HTTP));
	EXPECT_NE(view_fingerprint(strict.v), view_fingerprint(plain.v));
	place = value_get(view_dump(strict.v, &arena), S("places"))->child;
	EXPECT_SLICE(value_get_string(value_get(place, S("inbound"))->child,
			 S("name"), S("")),
	    S("virtualInbound"));
	VALUE_EACH(value_get(place, S("routes")), it)
	{
		found += slice_eq(value_get_string(it, S("name"), S("")),
		    S("inbound|8080||"));
	}
	EXPECT_EQ(found, 1);
}

/* --- of a Sidecar --------------------------------------------------------- */

TEST(an_ingress_stands_for_all_services)
{
	AUTO(machine_fini) struct machine w;
	const struct view_host *h;

	machine_init(&w, ENTRY("web", "01", HTTP) INGRESS(
			     "port: {number: 90, name: g, protocol: GRPC}"));
	EXPECT_STR(taken(&w, 90, PLAIN, "h2c"), "10.0.0.7_90 inbound|90||");
	EXPECT_STR(taken(&w, 8080, PLAIN, ""),
	    "virtualInbound InboundPassthroughCluster");
	h = view_find_domain(w.v, call(&w, 90, PLAIN, "h2c")->routes, S("x"));
	EXPECT_SLICE(h->name, S("inbound|http|90"));
	EXPECT_EQ(h->http[0].retry.attempts, 0); /* of a stream: never */
	EXPECT_SLICE(h->origin.key.name, S("s"));
}

TEST(an_ingress_that_is_not_captured_has_a_listener_of_its_own)
{
	AUTO(machine_fini) struct machine w;
	const struct view_listener *l;
	struct addr at;

	machine_init(&w, INGRESS("port: {number: 90, name: t, protocol: TCP}\n"
				 "    bind: 10.0.0.9\n    captureMode: NONE"));
	EXPECT_OK(addr_parse(S("10.0.0.9:90"), &at));
	l = view_find_listener(w.v, NULL, VIEW_INBOUND, &at);
	EXPECT_SLICE(l->name, S("10.0.0.9_90"));
	EXPECT_EQ(l->chain_count, 3);
	EXPECT_STR(taken(&w, 90, PLAIN, ""),
	    "virtualInbound InboundPassthroughCluster");
}

#define HTTPS_INGRESS                                                          \
	INGRESS("port: {number: 443, name: h, protocol: HTTPS}\n"              \
		"    defaultEndpoint: 127.0.0.1:8080\n"                        \
		"    tls: {mode: SIMPLE, serverCertificate: c.pem,\n"          \
		"          privateKey: k.pem}")

TEST(an_ingress_ends_tls_only_where_no_mtls_is_taken)
{
	AUTO(machine_fini) struct machine plain, strict;

	machine_init(&plain, DISABLE HTTPS_INGRESS);
	EXPECT_STR(
	    taken(&plain, 443, TLS, "h2"), "10.0.0.7_443 inbound|443|| simple");
	EXPECT_TRUE(call(&plain, 443, TLS, "h2")->routes != NULL);
	EXPECT_STR(taken(&plain, 443, PLAIN, ""), "none");
	machine_init(&strict, STRICT HTTPS_INGRESS);
	EXPECT_STR(taken(&strict, 443, MTLS, "istio-h2"),
	    "10.0.0.7_443 inbound|443|| mesh");
	/* Then it is passed on as it is, HTTPS. */
	EXPECT_TRUE(call(&strict, 443, MTLS, "istio-h2")->routes == NULL);
}

TEST(of_sidecars_the_one_that_selects_the_workload_holds)
{
	AUTO(machine_fini) struct machine w;

	machine_init(&w,
	    INGRESS(
		"port: {number: 90, name: t, protocol: TCP}") "apiVersion: "
							      "networking."
							      "istio.io/"
							      "v1\nkind: "
							      "Sidecar\n"
							      "metadata: "
							      "{name: mine, "
							      "namespace: "
							      "shop}\n"
							      "spec:\n  "
							      "workloadSelector"
							      ": {labels: "
							      "{app: web}}\n"
							      "  ingress:\n"
							      "  - port: "
							      "{number: 91, "
							      "name: t, "
							      "protocol: "
							      "TCP}\n");
	EXPECT_STR(taken(&w, 91, PLAIN, ""), "10.0.0.7_91 inbound|91||");
	EXPECT_STR(taken(&w, 90, PLAIN, ""),
	    "virtualInbound InboundPassthroughCluster");
}
