/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — how a host is spelled, and which hosts a resource speaks of.
 */
#include <stdio.h>
#include <string.h>

#include "codec/codec.h"
#include "load.h"
#include "unit.h"

static const char *
spelled(const char *host)
{
	static char out[HOST_TEXT_MAX];
	char text[HOST_TEXT_MAX];
	struct slice s =
	    host_spell(slice_str(host), S("shop"), S("mesh.internal"), text);

	(void)snprintf(out, sizeof(out), "%.*s", SLICE_ARG(s));
	return out;
}

TEST(every_form_of_a_service_is_spelled_in_one_way)
{
	static const char *const forms[] = {"db", "DB.shop", "db.shop.svc",
	    "db.shop.svc.cluster.local", "db.shop.svc.mesh.internal."};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		EXPECT_STR(spelled(forms[i]), "db.shop.svc.mesh.internal");
}

TEST(other_hosts_and_patterns_stay_what_they_are)
{
	EXPECT_STR(spelled("API.example.com."), "api.example.com");
	EXPECT_STR(spelled("*.Example.com"), "*.example.com");
	EXPECT_STR(
	    spelled("*.shop.svc.cluster.local"), "*.shop.svc.mesh.internal");
	EXPECT_STR(spelled("*"), "*");
	EXPECT_STR(spelled(""), "");
}

TEST(a_host_without_room_is_none)
{
	char host[HOST_TEXT_MAX + 1];

	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	EXPECT_STR(spelled(host), "");
}

TEST(patterns_of_a_host_come_from_long_to_short)
{
	static const char *const want[] = {"a.b.c", "*.b.c", "*.c", "*"};
	char text[HOST_TEXT_MAX];
	struct slice pattern;
	size_t n = 0;

	for (size_t at = 0; host_next_pattern(S("a.b.c"), &at, text, &pattern);)
		EXPECT_SLICE(pattern, slice_str(want[n++]));
	EXPECT_EQ(n, ARRAY_LEN(want));
	EXPECT_TRUE(host_is_pattern(S("*")));
	EXPECT_TRUE(host_is_pattern(S("*.c")));
	EXPECT_FALSE(host_is_pattern(S("c")));
}

static void
add_host(void *arg, enum host_part part, struct slice host)
{
	char *out = arg;
	size_t len = strlen(out);

	(void)snprintf(out + len, HOST_TEXT_MAX - len, "%s%.*s ",
	    part == HOST_REFERS ? ">" : "", SLICE_ARG(host));
}

static void
expect_hosts(const char *yaml, const char *want)
{
	AUTO(loaded_fini) struct loaded l;
	char out[HOST_TEXT_MAX] = "";

	load(yaml, NULL, &l);
	EXPECT_EQ(l.count, 1);
	resource_each_host(l.items[0], S("mesh.internal"), add_host, out);
	EXPECT_STR(out, want);
}

TEST(a_service_is_about_its_name)
{
	expect_hosts("apiVersion: v1\nkind: Service\n"
		     "metadata: {name: db, namespace: shop}\n"
		     "spec: {ports: [{port: 1}]}\n",
	    "db.shop.svc.mesh.internal ");
}

TEST(a_destination_rule_is_about_its_host)
{
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
	    "metadata: {name: x, namespace: shop}\n"
	    "spec: {host: '*.shop.svc.cluster.local'}\n",
	    "*.shop.svc.mesh.internal ");
}

TEST(a_virtual_service_is_about_its_hosts_and_refers_to_destinations)
{
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: x, namespace: shop}\nspec:\n"
	    "  hosts: [web, '*.example.com']\n"
	    "  http: [{route: [{destination: {host: v1}, weight: 1},\n"
	    "    {destination: {host: v2.other}, weight: 1}]}]\n"
	    "  tcp: [{route: [{destination: {host: db}}]}]\n",
	    "web.shop.svc.mesh.internal *.example.com "
	    ">v1.shop.svc.mesh.internal "
	    ">v2.other >v2.other.svc.mesh.internal "
	    ">db.shop.svc.mesh.internal ");
}

TEST(a_virtual_service_refers_to_mirrors_and_destinations_of_tls)
{
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: x, namespace: shop}\nspec:\n"
	    "  hosts: [web]\n"
	    "  http:\n"
	    "  - route: [{destination: {host: web}}]\n"
	    "    mirror: {host: shadow}\n"
	    "  - route: [{destination: {host: web}}]\n"
	    "    mirrors: [{destination: {host: second}}]\n"
	    "  tls:\n"
	    "  - match: [{sniHosts: [web]}]\n"
	    "    route: [{destination: {host: secret}}]\n",
	    "web.shop.svc.mesh.internal "
	    ">web.shop.svc.mesh.internal >shadow.shop.svc.mesh.internal "
	    ">web.shop.svc.mesh.internal >second.shop.svc.mesh.internal "
	    ">secret.shop.svc.mesh.internal ");
}

TEST(two_labels_may_be_a_service_or_a_name_of_the_outside)
{
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
	    "metadata: {name: x, namespace: shop}\n"
	    "spec: {hosts: [example.com], location: MESH_INTERNAL,\n"
	    "  resolution: STATIC, ports: [{number: 80, name: http}],\n"
	    "  endpoints: [{address: 10.0.0.1}]}\n",
	    "example.com example.com.svc.mesh.internal >peers/shop ");
}

/* --- what is about no host ------------------------------------------------ */

static void
expect_space(const char *api, const char *kind, const char *spec)
{
	char yaml[1024];

	(void)snprintf(yaml, sizeof(yaml),
	    "apiVersion: %s\nkind: %s\n"
	    "metadata: {name: x, namespace: shop}\nspec: %s\n",
	    api, kind, spec);
	expect_hosts(yaml, "space/shop ");
}

TEST(what_holds_for_workloads_is_about_the_space_of_their_namespace)
{
	expect_space("security.istio.io/v1", "AuthorizationPolicy", "{}");
	expect_space("security.istio.io/v1", "RequestAuthentication", "{}");
	expect_space("telemetry.istio.io/v1", "Telemetry", "{}");
	expect_space(
	    "networking.istio.io/v1beta1", "ProxyConfig", "{concurrency: 1}");
	expect_space("meshd.dev/v1", "HealthCheckPolicy", "{tcp: {}}");
	expect_space("extensions.istio.io/v1alpha1", "WasmPlugin",
	    "{url: 'https://x.org/a.wasm'}");
	expect_space("networking.istio.io/v1", "Sidecar",
	    "{egress: [{hosts: ['./*']}]}");
}

TEST(callers_have_to_know_how_a_namespace_is_called)
{
	expect_hosts("apiVersion: security.istio.io/v1\n"
		     "kind: PeerAuthentication\n"
		     "metadata: {name: x, namespace: shop}\n"
		     "spec: {mtls: {mode: STRICT}}\n",
	    "space/shop peers/shop ");
}

TEST(a_sidecar_refers_to_where_the_unknown_is_sent)
{
	expect_hosts("apiVersion: networking.istio.io/v1\nkind: Sidecar\n"
		     "metadata: {name: x, namespace: shop}\nspec:\n"
		     "  outboundTrafficPolicy:\n"
		     "    mode: ALLOW_ANY\n"
		     "    egressProxy: {host: out.edge.svc.cluster.local,\n"
		     "      port: {number: 80}}\n",
	    "space/shop >out.edge.svc.mesh.internal ");
}

TEST(what_is_mesh_wide_is_about_the_mesh)
{
	expect_hosts("apiVersion: meshd.dev/v1\nkind: MeshConfig\n"
		     "metadata: {name: default}\n"
		     "spec: {rootNamespace: base}\n",
	    "mesh/config >space/base ");
	expect_hosts("apiVersion: meshd.dev/v1\nkind: Network\n"
		     "metadata: {name: far}\n"
		     "spec: {gateways: [\n"
		     "  {registryServiceName: in.edge.svc.cluster.local,\n"
		     "   port: 15443}, {address: 10.0.0.1, port: 15443}]}\n",
	    "mesh/networks >in.edge.svc.mesh.internal ");
}

TEST(a_gateway_is_about_those_whom_it_selects)
{
	expect_hosts("apiVersion: networking.istio.io/v1\nkind: Gateway\n"
		     "metadata: {name: x, namespace: shop}\n"
		     "spec: {selector: {istio: edge, zone: a}, servers: [\n"
		     "  {port: {number: 80, name: http, protocol: HTTP},\n"
		     "   hosts: ['*']}]}\n",
	    ">bound/shop/x gateway/istio=edge ");
	expect_hosts("apiVersion: networking.istio.io/v1\nkind: Gateway\n"
		     "metadata: {name: x, namespace: shop}\n"
		     "spec: {servers: [\n"
		     "  {port: {number: 80, name: http, protocol: HTTP},\n"
		     "   hosts: ['*']}]}\n",
	    ">bound/shop/x gateway/ ");
}

TEST(a_group_of_workloads_is_about_itself_and_gateways_with_its_labels)
{
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: WorkloadGroup\n"
	    "metadata: {name: x, namespace: shop}\n"
	    "spec: {template: {}, metadata: {labels: {istio: edge}}}\n",
	    "group/shop/x gateway/istio=edge ");
	expect_hosts("apiVersion: networking.istio.io/v1\nkind: WorkloadGroup\n"
		     "metadata: {name: x, namespace: shop}\n"
		     "spec: {template: {labels: {a: b}}}\n",
	    "group/shop/x ");
}

TEST(a_virtual_service_is_about_the_gateways_that_it_is_bound_to)
{
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: x, namespace: shop}\nspec:\n"
	    "  gateways: [mesh, edge, other/edge, e.n.svc]\n"
	    "  hosts: ['*.x']\n"
	    "  http: [{route: [{destination: {host: a}}]}]\n",
	    "*.x bound/shop/edge bound/other/edge bound/n/e "
	    ">a.shop.svc.mesh.internal ");
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: x, namespace: shop}\nspec:\n"
	    "  gateways: [edge]\n  hosts: ['*.x']\n"
	    "  http: [{route: [{destination: {host: a}}]}]\n",
	    "bound/shop/edge >a.shop.svc.mesh.internal ");
}

TEST(a_service_is_in_front_of_those_whom_it_selects)
{
	expect_hosts("apiVersion: v1\nkind: Service\n"
		     "metadata: {name: in, namespace: shop}\n"
		     "spec: {selector: {istio: edge, zone: a},\n"
		     "  ports: [{port: 1}]}\n",
	    "in.shop.svc.mesh.internal >workload/shop/istio=edge "
	    "front/shop/istio=edge ");
}

static void
expect_next(const char *host, bool bare, const char *want)
{
	char text[HOST_TEXT_MAX];
	struct slice next = S("");

	EXPECT_EQ(host_leads_to(
		      slice_str(host), bare, S("mesh.internal"), text, &next),
	    want != NULL);
	if (want != NULL)
		EXPECT_SLICE(next, slice_str(want));
}

TEST(a_host_leads_to_the_peers_of_its_namespace)
{
	expect_next("web.shop.svc.mesh.internal", false, "peers/shop");
	expect_next("web.shop.svc.mesh.internal", true, "peers/shop");
	expect_next("www.example.com", true, NULL);
	expect_next("space/shop", true, NULL);
	expect_next(HOST_MESH, true, "space/istio-system");
	expect_next(HOST_MESH, false, NULL);
}

TEST(what_is_no_host_is_matched_by_itself_alone)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern;
	size_t at = 0;

	EXPECT_TRUE(
	    host_next_pattern(S("workload/shop/v=1.2"), &at, text, &pattern));
	EXPECT_SLICE(pattern, S("workload/shop/v=1.2"));
	EXPECT_FALSE(
	    host_next_pattern(S("workload/shop/v=1.2"), &at, text, &pattern));
}
