/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_connections — VirtualServices with rules for connections.
 */
#include "random_text.h"

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
	return random_valid(rng, head, put_wired);
}
