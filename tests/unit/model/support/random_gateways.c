/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_gateways — Gateways, and VirtualServices for them.
 */
#include "random_text.h"

void
put_gateway(struct text *t)
{
	static const char *const protocols[] = {"HTTP", "TCP", "GRPC"};

	put_head(t, "networking.istio.io/v1", "Gateway");
	put(t, "  selector: {istio: ingress}\n");
	put2(t, "  servers: [{port: {number: ", ANY(t, few_ports), "");
	put2(t, ", name: p, protocol: ", ANY(t, protocols), "}");
	put2(t, ", hosts: [\"", ANY(t, few_hosts), "\"]}");
	if (maybe(t, 3))
		put2(t,
		    ", {port: {number: 443, name: s, protocol: HTTPS}, tls: "
		    "{mode: SIMPLE, credentialName: c}, hosts: [\"",
		    ANY(t, few_hosts), "\"]}");
	put(t, "]\n");
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

struct resource *
random_door(struct rng *rng, const char *ns)
{
	struct resource *r = random_valid(rng, 0, put_door);

	while (r == NULL || !slice_eq(r->key.ns, slice_str(ns)) ||
	       !slice_eq(r->key.name, S("web"))) {
		resource_unref(&r);
		r = random_valid(rng, 0, put_door);
	}
	return r;
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

struct resource *
random_bound(struct rng *rng, uint64_t head)
{
	return random_valid(rng, head, put_bound);
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
	return random_valid(rng, head, put_gate);
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
	return random_valid(rng, head, put_passed);
}
