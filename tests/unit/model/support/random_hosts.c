/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_hosts — VirtualServices for several hosts, which may be services or
 * not; and services that are resolved by names, with what is said of them.
 */
#include "random_text.h"

/* From here on the same for each of one head. */
static struct rng *
begin_same(struct text *t, struct rng *again)
{
	struct rng *rng = t->rng;

	rng_init(again, t->head);
	t->rng = again;
	return rng;
}

static void
put_hosts(struct text *t)
{
	static const char *const own[] = {"web", "a.test", "x.test", "cart",
	    "b.test", "web.shop.svc.cluster.local", "c.test",
	    "cart.shop.svc.cluster.local", "api.example.com"};
	static const char *const matches[] = {
	    "port: 80", "port: 8080", "port: 9000", "uri: {prefix: /b}"};
	struct rng *rng, again;
	size_t at;

	put_head(t, "networking.istio.io/v1", "VirtualService");
	put_export(t);
	rng = begin_same(t, &again);
	at = rng_below(t->rng, ARRAY_LEN(own));
	put2(t, "  hosts: [", own[at], "");
	while (++at < ARRAY_LEN(own) && !maybe(t, 3)) /* each once */
		put2(t, ", ", own[at], "");
	t->rng = rng;
	put(t, "]\n  http:\n");
	do {
		if (maybe(t, 4)) {
			put_http_rule(t);
			continue;
		}
		put2(t, "  - route: [{destination: {host: ", ANY(t, own),
		    "}}]\n");
		if (maybe(t, 3))
			put2(t, "    match: [{", ANY(t, matches), "}]\n");
	} while (maybe(t, 2));
}

struct resource *
random_hosts(struct rng *rng, uint64_t head)
{
	return random_valid(rng, head, put_hosts);
}

static const char *
resolved_host(const struct text *t)
{
	return t->head / 4 % 2 == 0 ? "a.test" : "b.test";
}

static void
put_resolved(struct text *t)
{
	static const char *const how[] = {"DNS", "DNS_ROUND_ROBIN"};
	static const char *const ports[] = {
	    "{number: 80, name: http, protocol: HTTP}",
	    "{number: 443, name: tls, protocol: TLS}",
	    "{number: 3306, name: tcp, protocol: TCP}"};
	static const char *const versions[] = {"v1", "v2"};

	put_head(t, "networking.istio.io/v1", "ServiceEntry");
	put_export(t);
	put2(t, "  hosts: [", resolved_host(t), "]\n");
	put2(t, "  resolution: ", ANY(t, how), "\n");
	put2(t, "  ports: [", ANY(t, ports), "]\n");
	if (maybe(t, 4))
		return;
	put2(t, "  endpoints:\n  - {address: a.names.test, labels: {version: ",
	    ANY(t, versions), "}}\n");
	if (maybe(t, 2)) /* of both, that is not valid in turn */
		put2(t, "  - {address: b.names.test, labels: {version: ",
		    ANY(t, versions), "}}\n");
}

/* Of subsets that some of the endpoints have, or none. */
static void
put_resolved_rule(struct text *t)
{
	static const char *const policies[] = {"loadBalancer: {simple: RANDOM}",
	    "tls: {mode: SIMPLE}", "connectionPool: {tcp: {maxConnections: 5}}",
	    "outlierDetection: {interval: 5s}"};
	static const char *const labels[] = {
	    "version: v1", "version: v1", "version: v2", "version: v3", ""};
	struct rng *rng, again;

	put_head(t, "networking.istio.io/v1", "DestinationRule");
	rng = begin_same(t, &again);
	if (maybe(t, 3))
		put_selector(t, "  workloadSelector: {matchLabels: {", "}}\n");
	t->rng = rng;
	put2(t, "  host: ", resolved_host(t), "\n");
	if (!maybe(t, 3))
		put2(t, "  trafficPolicy: {", ANY(t, policies), "}\n");
	if (maybe(t, 6))
		return;
	put(t, "  subsets:\n");
	put2(t, "  - {name: v1, labels: {", ANY(t, labels), "}}\n");
	if (maybe(t, 2))
		put2(t, "  - {name: v2, labels: {", ANY(t, labels), "}}\n");
}

static void
put_resolved_routes(struct text *t)
{
	static const char *const subsets[] = {"v1", "v2"};
	const char *host = resolved_host(t);

	put_head(t, "networking.istio.io/v1", "VirtualService");
	put2(t, "  hosts: [", t->head / 8 % 2 == 0 ? "web" : host,
	    "]\n  http:\n");
	do {
		put2(t, "  - route: [{destination: {host: ", host, "");
		put2(t, ", subset: ", ANY(t, subsets), "}}]\n");
		if (maybe(t, 2))
			put(t, "    match: [{uri: {prefix: /b}}]\n");
	} while (maybe(t, 2));
}

struct resource *
random_resolved(struct rng *rng, uint64_t head)
{
	static void (*const kinds[])(struct text * t) = {put_resolved_rule,
	    put_resolved_rule, put_resolved_routes, put_resolved};

	return random_valid(rng, head, kinds[head % ARRAY_LEN(kinds)]);
}
