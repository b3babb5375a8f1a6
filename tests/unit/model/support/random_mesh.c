/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_mesh — the MeshConfig, and Networks.
 */
#include "random_text.h"

/* One, whose name is given. */
void
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

struct resource *
random_mesh(struct rng *rng)
{
	return random_valid(rng, 0, put_mesh_again);
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
	return random_valid(rng, head, put_network);
}
