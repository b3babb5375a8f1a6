/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_sidecars — Sidecars.
 */
#include "random_text.h"

void
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
put_egress_hosts(struct text *t)
{
	static const char *const scopes[] = {"./*", "*/*", "shop/*", "pay/*",
	    "~/*", "./web.shop.svc.cluster.local", "*/a.test", "*/b.test",
	    "shop/web.shop.svc.cluster.local", "pay/db.pay.svc.cluster.local",
	    "*/cart.shop.svc.cluster.local", "*/*.example.com",
	    "*/*.svc.cluster.local", "istio-system/*", "~pay/*",
	    "~shop/cart.shop.svc.cluster.local"};

	put2(t, "hosts: [\"", ANY(t, scopes), "\"");
	while (maybe(t, 2))
		put2(t, ", \"", ANY(t, scopes), "\"");
	put(t, "]");
}

static void
put_egress_port(struct text *t)
{
	static const char *const own[] = {
	    "{number: 80, name: e, protocol: HTTP}",
	    "{number: 8080, name: f, protocol: GRPC}",
	    "{number: 9000, name: g, protocol: HTTP}",
	    "{number: 3306, name: h, protocol: TCP}",
	    "{number: 443, name: i, protocol: TLS}"};
	static const char *const odd[] = {
	    "{number: 80, name: e, protocol: HTTP_PROXY}",
	    "{number: 0, name: s, protocol: HTTP}"};
	const char *port = maybe(t, 20) ? ANY(t, odd) : ANY(t, own);

	put2(t, "{port: ", port, ", ");
	if (port == odd[1])
		put(t, "bind: 'unix:///tmp/s', ");
	else if (maybe(t, 4))
		put(t, maybe(t, 2) ? "bind: 10.1.1.1, " : "bind: 127.0.0.1, ");
	if (port != odd[1] && maybe(t, 4))
		put(t, "captureMode: NONE, ");
}

static void
put_unknown(struct text *t)
{
	static const char *const all[] = {"mode: REGISTRY_ONLY",
	    "mode: ALLOW_ANY",
	    ("mode: ALLOW_ANY, egressProxy: "
	     "{host: web.shop.svc.cluster.local, port: {number: 80}}")};

	if (maybe(t, 3))
		put2(t, "  outboundTrafficPolicy: {", ANY(t, all), "}\n");
}

/* Listeners of several kinds, or only one for all. */
static void
put_scoping(struct text *t)
{
	struct rng *rng = t->rng, again;

	put_head(t, "networking.istio.io/v1", "Sidecar");
	rng_init(&again, t->head);
	t->rng = &again;
	if (maybe(t, 3))
		put(t, "  workloadSelector: {labels: {app: web}}\n");
	t->rng = rng;
	if (maybe(t, 8)) {
		put(t, "  ingress: [{port: {number: 9080, name: i, protocol: "
		       "HTTP}, defaultEndpoint: '127.0.0.1:8080'}]\n");
		put_unknown(t);
		return;
	}
	put(t, "  egress: [");
	while (maybe(t, 2)) {
		put_egress_port(t);
		put_egress_hosts(t);
		put(t, "}, ");
	}
	put(t, maybe(t, 8) ? "{captureMode: NONE, " : "{");
	put_egress_hosts(t);
	put(t, "}]\n");
	put_unknown(t);
}

struct resource *
random_scoping(struct rng *rng, uint64_t head)
{
	return random_valid(rng, head, put_scoping);
}
