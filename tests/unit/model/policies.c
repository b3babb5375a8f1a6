/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies — RateLimitPolicy and HealthCheckPolicy: right, wrong, and what is
 * said about each.
 */
#include "expect.h"
#include "unit.h"

#define HEAD(kind)                                                             \
	"apiVersion: meshd.dev/v1\nkind: " kind "\n"                           \
	"metadata: {name: x, namespace: shop}\nspec:\n"
#define RL(words)                                                              \
	HEAD("RateLimitPolicy") "  limits:\n  - {name: a, " words "}\n"
#define HC(words) HEAD("HealthCheckPolicy") "  " words "\n"

static const struct wrong wrongs[] = {
    {HC("http: {path: '/a b'}"), "spec.http.path", "blank", ERR_INVALID},
    {HEAD("RateLimitPolicy") "  selector: {matchLabels: {a: b}}\n",
	"spec.limits", "is required", ERR_INVALID},
    {HEAD("RateLimitPolicy") "  limits: []\n", "spec.limits", "empty",
	ERR_INVALID},
    {RL("per: 1s"), "spec.limits[0].requests", "is required", ERR_INVALID},
    {RL("requests: 0"), "spec.limits[0].requests", "outside", ERR_INVALID},
    {RL("requests: 5, per: 25h"), "spec.limits[0].per", "at most 24h",
	ERR_INVALID},
    {RL("requests: 5, per: 0s"), "spec.limits[0].per", "at least 1ms",
	ERR_INVALID},
    {RL("requests: 5, burst: 4"), "spec.limits[0].burst", "less than",
	ERR_INVALID},
    {RL("requests: 5, status: 200"), "spec.limits[0].status", "outside",
	ERR_INVALID},
    {RL("requests: 5, scope: GLOBAL"), "spec.limits[0].scope", "none of",
	ERR_INVALID},
    {RL("requests: 5, key: [{}]"), "spec.limits[0].key[0]",
	"a header, a claim or an attribute", ERR_INVALID},
    {RL("requests: 5, key: [{header: 'a b'}]"), "spec.limits[0].key[0].header",
	"no name of a header", ERR_INVALID},
    {RL("requests: 5, key: [{claim: ''}]"), "spec.limits[0].key[0].claim",
	"empty", ERR_INVALID},
    {RL("requests: 5, match: [{uri: {regex: '('}}]"),
	"spec.limits[0].match[0].uri.regex", "no regular expression",
	ERR_PARSE},
    {RL("requests: 5, match: [{headers: {'a b': {}}}]"),
	"spec.limits[0].match[0].headers[\"a b\"]", "no name of a header",
	ERR_INVALID},
    {RL("requests: 5, match: [{namespaces: [a_b]}]"),
	"spec.limits[0].match[0].namespaces[0]", "no namespace", ERR_INVALID},
    {RL("requests: 5}\n  - {name: a, requests: 6"), "spec.limits[1].name",
	"twice", ERR_INVALID},
    {RL("requests: 5") "  selector: {}\n  targetRefs: [{kind: Service, name: "
		       "a}]\n",
	"spec", "only one of", ERR_INVALID},
    {HC("interval: 5s"), "spec", "has to say how", ERR_INVALID},
    {HC("http: {path: x}"), "spec.http.path", "begin with", ERR_INVALID},
    {HC("http: {method: 'a b'}"), "spec.http.method", "no method", ERR_INVALID},
    {HC("http: {headers: [{value: a}]}"), "spec.http.headers[0].name",
	"is required", ERR_INVALID},
    {HC("http: {expectedStatuses: ['200-']}"), "spec.http.expectedStatuses[0]",
	"neither", ERR_INVALID},
    {HC("http: {expectedStatuses: ['299-200']}"),
	"spec.http.expectedStatuses[0]", "neither", ERR_INVALID},
    {HC("http: {expectedStatuses: ['20']}"), "spec.http.expectedStatuses[0]",
	"neither", ERR_INVALID},
    {HC("tcp: {port: 0}"), "spec.tcp.port", "outside", ERR_INVALID},
    {HC("exec: {}"), "spec.exec.command", "is required", ERR_INVALID},
    {HC("{tcp: {}, interval: 50ms}"), "spec.interval", "at least 100ms",
	ERR_INVALID},
    {HC("{tcp: {}, timeout: 11s}"), "spec.timeout", "longer than the interval",
	ERR_INVALID},
    {HC("{tcp: {}, unhealthyThreshold: 0}"), "spec.unhealthyThreshold",
	"outside", ERR_INVALID},
    {HC("{tcp: {}, service: a.b}"), "spec.service", "a name", ERR_INVALID},
};

TEST(each_mistake_in_a_policy_of_our_own_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++)
		expect_wrong(&wrongs[i]);
}

TEST(what_is_right_in_a_policy_of_our_own_is_taken_in_silence)
{
	static const char *const right[] = {
	    RL("requests: 100, per: 1m, burst: 200, scope: MESH, status: 503, "
	       "dryRun: true, key: [{header: X-Tenant}, {claim: sub}, "
	       "{attribute: IDENTITY}], match: [{route: {exact: r}, uri: "
	       "{prefix: /a}, method: {exact: POST}, headers: {x: {}}, "
	       "principals: ['*/sa/web'], namespaces: [shop]}]"),
	    HC("{http: {port: 80, path: /h, host: a.b, scheme: HTTPS, headers: "
	       "[{name: a, value: b}], expectedStatuses: ['200', '300-302']}, "
	       "service: web, interval: 500ms, initialDelay: 5s}"),
	    HC("{exec: {command: [check]}, timeout: 500ms, selector: "
	       "{matchLabels: {a: b}}}"),
	    HC("{grpc: {service: a.B}, targetRefs: [{kind: Service, name: "
	       "a}]}"),
	};

	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		expect_quiet(right[i]);
		expect_round_trip(right[i]);
	}
}

TEST(what_a_policy_does_not_say_has_a_default)
{
	AUTO(loaded_fini) struct loaded l;
	const struct rate_limit_policy *r;
	const struct health_check_policy *h;

	load(RL("requests: 5") "---\n" HC("http: {}"), NULL, &l);
	EXPECT_EQ(l.count, 2);
	r = l.items[0]->spec;
	EXPECT_EQ(r->limits.items[0].per, 1000000);
	EXPECT_EQ(r->limits.items[0].status, 429);
	EXPECT_EQ(r->limits.items[0].scope, RATE_LIMIT_LOCAL);
	EXPECT_EQ(r->limits.items[0].burst, 0);
	h = l.items[1]->spec;
	EXPECT_SLICE(h->http->path, S("/"));
	EXPECT_SLICE(h->http->method, S("GET"));
	EXPECT_EQ(h->interval, 10000000);
	EXPECT_EQ(h->unhealthy_threshold, 3);
}

TEST(a_limit_that_nobody_keeps_lets_more_through)
{
	expect_inert(RL("requests: 5"), "kind", "MSH0002");
}
