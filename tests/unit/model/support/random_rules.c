/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_rules — DestinationRules, and VirtualServices for requests.
 */
#include "random_text.h"

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

void
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

void
put_delegate(struct text *t)
{
	put2(t, "  - delegate: {name: ", ANY(t, few_names), "");
	put2(t, ", namespace: ", ANY(t, few_spaces), "}\n");
}

static void
put_routes_head(struct text *t)
{
	static const char *const gateways[] = {
	    "mesh", "shop/web", "mesh, pay/cart"};

	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	put2(t, "  hosts: [\"", ANY(t, few_hosts), "\"]\n");
	if (maybe(t, 3))
		put2(t, "  gateways: [", ANY(t, gateways), "]\n");
}

void
put_delegated(struct text *t)
{
	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	put(t, "  http:\n");
	put_http_rule(t);
}

void
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
		put2(t, "  tls:\n  - match: [{sniHosts: [\"", ANY(t, few_hosts),
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

void
put_rule(struct text *t)
{
	static const char *const policies[] = {
	    "loadBalancer: {simple: ROUND_ROBIN}", "tls: {mode: SIMPLE}",
	    "connectionPool: {tcp: {maxConnections: 5}}",
	    "outlierDetection: {interval: 5s}"};

	put_head(t, "networking.istio.io/v1", "DestinationRule");
	put_export(t);
	put2(t, "  host: \"", ANY(t, few_hosts), "\"\n");
	if (maybe(t, 2))
		put2(t, "  trafficPolicy: {", ANY(t, policies), "}\n");
	if (maybe(t, 2))
		put2(t,
		    "  subsets: [{name: v1, labels: {version: v1}, "
		    "trafficPolicy: {",
		    ANY(t, policies), "}}]\n");
	put_selector(t, "  workloadSelector: {matchLabels: {", "}}\n");
}

/* Of one head with the same key, host and callers, whatever its rest is. */
static void
put_rule_again(struct text *t)
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

	rng_init(&again, t->head);
	t->head = 0; /* also the key comes of `again` */
	t->rng = &again;
	put_head(t, "networking.istio.io/v1", "DestinationRule");
	if (maybe(t, 2)) /* nobody may say both */
		put_export(t);
	else
		put_selector(t, "  workloadSelector: {matchLabels: {", "}}\n");
	put2(t, "  host: \"", ANY(t, few_hosts), "\"\n");
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
put_routes_again(struct text *t)
{
	struct rng *rng = t->rng, again;

	rng_init(&again, t->head);
	t->head = 0;
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
	return random_valid(
	    rng, head, head % 2 == 0 ? put_rule_again : put_routes_again);
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
	    ANY(t, few_names), ", namespace: shop}\nspec:\n");
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
		put2(t, "  - delegate: {name: ", ANY(t, few_names),
		    ", namespace: shop}\n");
		if (maybe(t, 3))
			put(t, "    match: [{uri: {prefix: /b}}]\n");
	} while (maybe(t, 2));
}

struct resource *
random_delegation(struct rng *rng, uint64_t head)
{
	return random_valid(rng, head, head % 2 == 0 ? put_leaf : put_root);
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
	return random_valid(rng, head, put_named);
}
