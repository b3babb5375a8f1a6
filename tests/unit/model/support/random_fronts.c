/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_fronts — what stands before gateways, and Gateways that hang on it or
 * on all services.
 */
#include "random_text.h"

static void
put_front(struct text *t)
{
	static const char *const forms[] = {
	    "{name: http, port: 80, targetPort: 8080}",
	    "{name: https, port: 443, targetPort: 9443}",
	    "{name: tls, port: 15443, targetPort: 443}",
	    "{name: tcp, port: 3306}", "{name: x, port: 80, targetPort: http}"};
	static const char *const labels[] = {"", "", "",
	    ", labels: {experimental.istio.io/disable-gateway-port-translation:"
	    " \"true\"}"};

	t->notes = ANY(t, labels);
	put_head(t, "v1", "Service");
	put(t, maybe(t, 5) ? "  selector: {app: web}\n"
			   : "  selector: {istio: ingress}\n");
	put2(t, "  ports: [", ANY(t, forms), "");
	for (size_t i = 0; i < ARRAY_LEN(forms) && maybe(t, 2); i++)
		put2(t, ", ", forms[i], "");
	put(t, "]\n");
}

struct resource *
random_front(struct rng *rng, uint64_t head)
{
	return random_valid(rng, head, put_front);
}

static void
put_group(struct text *t)
{
	static const char *const notes[] = {"",
	    ", annotations: {proxy.istio.io/config: "
	    "\"gatewayTopology: {proxyProtocol: {}}\"}",
	    ", annotations: {proxy.istio.io/config: "
	    "\"gatewayTopology: {numTrustedProxies: 1}\"}",
	    ", annotations: {proxy.istio.io/config: \"[]\"}"};

	t->notes = ANY(t, notes);
	put_head(t, "networking.istio.io/v1", "WorkloadGroup");
	put(t, "  template: {}\n");
	put(t, maybe(t, 5) ? "  metadata: {labels: {app: web}}\n"
			   : "  metadata: {labels: {istio: ingress}}\n");
}

struct resource *
random_group(struct rng *rng, uint64_t head)
{
	return random_valid(rng, head, put_group);
}

static void
put_passing(struct text *t)
{
	static const char *const servers[] = {
	    "{port: {number: 15443, name: a, protocol: TLS}, tls: "
	    "{mode: AUTO_PASSTHROUGH}, hosts: [\"*.local\"]}",
	    "{port: {number: 15443, name: b, protocol: TLS}, tls: "
	    "{mode: AUTO_PASSTHROUGH}, hosts: "
	    "[\"*.shop.svc.cluster.local\", a.test]}",
	    "{port: {number: 443, name: c, protocol: TLS}, tls: "
	    "{mode: AUTO_PASSTHROUGH}, hosts: [\"*\"]}",
	    "{port: {number: 443, name: s, protocol: HTTPS}, tls: "
	    "{mode: SIMPLE, credentialName: c}, hosts: [\"*\"]}",
	    "{port: {number: 80, name: p, protocol: HTTP}, hosts: [\"*\"]}",
	    "{port: {number: 3306, name: t, protocol: TCP}, hosts: [\"*\"]}"};
	static const char *const notes[] = {"", "", "",
	    ", annotations: {internal.istio.io/gateway-service: "
	    "\"web.shop.svc.cluster.local,cart.pay.svc.cluster.local\"}"};

	t->notes = ANY(t, notes);
	put_head(t, "networking.istio.io/v1", "Gateway");
	put(t, "  selector: {istio: ingress}\n");
	put2(t, "  servers: [", ANY(t, servers), "");
	while (!maybe(t, 3))
		put2(t, ", ", ANY(t, servers), "");
	put(t, "]\n");
}

struct resource *
random_passing(struct rng *rng, uint64_t head)
{
	return random_valid(rng, head, put_passing);
}
