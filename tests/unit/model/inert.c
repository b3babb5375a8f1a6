/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inert — what is valid but not in force: the view may not pass it by, and
 * says so.
 */
#include <stdio.h>

#include "compiled.h"
#include "unit.h"

#define SERVICES                                                               \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"               \
	"spec: {ports: [{name: http, port: 80}]}\n---\n"                       \
	"apiVersion: v1\nkind: Service\nmetadata: {name: db}\n"                \
	"spec: {ports: [{name: tcp, port: 5432}]}\n---\n"
#define VS(host)                                                               \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: v}\nspec:\n  hosts: [" host "]\n"
#define DR                                                                     \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: d}\nspec:\n  host: web\n"
#define WEB "route: [{destination: {host: web}}]"

/* The rule that a GET of / meets; NULL: none. */
static const struct view_http_route *
get(const struct compiled *w)
{
	struct http_attrs a = {.method = S("GET"), .path = S("/"), .port = 80};

	return view_route_http(
	    view_find_host(w->v, NULL, S("web"), 80), &a, NULL)
	    .route;
}

static struct slice
told(struct compiled *w, const char *path)
{
	struct explain_request r = {.host = S("web")};
	const struct value *v =
	    value_get_path(model_explain(w->v, &r, &w->arena), slice_str(path));

	return v != NULL && v->type == VALUE_STRING ? v->string : S("");
}

static struct slice
why_not_first(struct compiled *w, struct slice host)
{
	struct explain_request r = {.host = host};
	const struct value *rules =
	    value_get(model_explain(w->v, &r, &w->arena), S("rules"));

	return value_get_string(rules->child, S("why"), S(""));
}

TEST(a_match_for_gateways_only_takes_nothing_and_is_no_problem)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS("web") "  http: [{match: [{gateways: [g]}], " WEB
			       "}, {" WEB "}]\n");
	EXPECT_EQ(get(&w)->index, 1);
	EXPECT_SLICE(why_not_first(&w, S("web")), S("it is for gateways only"));
	EXPECT_FALSE(compiled_tells(&w, "force"));
}

TEST(a_match_for_gateways_and_the_mesh_is_taken)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS("web") "  http: [{match: [{gateways: [g, mesh]}], " WEB
			       "}, {" WEB "}]\n");
	EXPECT_EQ(get(&w)->index, 0);
}

TEST(a_rule_that_answers_is_no_refusal)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(
	    &w, SERVICES VS("web") "  http: [{redirect: {uri: /a}}]\n");
	EXPECT_EQ(get(&w)->destination_count, 0);
	EXPECT_SLICE(told(&w, "location"), S("http://web/a"));
	EXPECT_SLICE(
	    told(&w, "outcome.reason"), S("the rule answers: another place"));
	EXPECT_FALSE(compiled_tells(&w, "force"));
}

TEST(a_fault_for_every_request_is_its_outcome)
{
	static const struct {
		const char *abort;
		const char *flag;
	} rows[] = {
	    {"{httpStatus: 418, percentage: {value: 100}}", "FI"},
	    {"{grpcStatus: ABORTED, percentage: {value: 100}}", "FI"},
	    {"{httpStatus: 418, percentage: {value: 99}}", "UH"},
	    {"{httpStatus: 418}", "UH"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled w;
		char yaml[2048];

		(void)snprintf(yaml, sizeof(yaml),
		    SERVICES VS("web") "  http: [{fault: {abort: %s}, " WEB
				       "}]\n",
		    rows[i].abort);
		compiled_init(&w, yaml);
		EXPECT_SLICE(told(&w, "outcome.flag"), slice_str(rows[i].flag));
	}
}

TEST(what_is_done_is_not_told)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS("web") "  http: [{mirror: {host: db}, fault: {delay: "
			       "{fixedDelay: 1s}}, corsPolicy: {}, " WEB
			       "}]\n  tls: [{match: [{sniHosts: [web]}], " WEB
			       "}]\n");
	EXPECT_TRUE(get(&w)->destinations[0].cluster != NULL);
	EXPECT_FALSE(compiled_tells(&w, "mirror"));
	EXPECT_FALSE(compiled_tells(&w, "force"));
}

TEST(a_header_with_a_value_that_nobody_makes_is_told)
{
	AUTO(compiled_fini) struct compiled w;
	const struct view_headers *h;

	compiled_init(&w,
	    SERVICES VS("web") "  http: [{headers: {request: {set: {X-User: "
			       "'%DOWNSTREAM_PEER_URI_SAN%', a: b, host: "
			       "'%REQ(x)%'}, add: {c: '%REQ(x)%', d: '1%%'}, "
			       "remove: [e, 'f g']}}, " WEB "}]\n");
	h = &get(&w)->request;
	EXPECT_EQ(h->change_count, 4);
	EXPECT_SLICE(h->changes[0].name, S("x-user"));
	EXPECT_TRUE(h->changes[0].format != NULL);
	EXPECT_SLICE(h->changes[1].name, S("a"));
	EXPECT_TRUE(h->changes[1].format == NULL);
	EXPECT_TRUE(h->changes[2].format != NULL);
	EXPECT_TRUE(h->changes[2].append);
	EXPECT_SLICE(h->changes[3].value, S("1%"));
	EXPECT_EQ(h->remove_count, 1);
	EXPECT_SLICE(h->remove[0], S("e"));
	EXPECT_TRUE(compiled_tells(&w, "the proxy does not make"));
}

TEST(a_header_with_a_value_that_is_made_is_nothing_to_tell)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS("web") "  http: [{headers: {response: {set: {a: "
			       "'%REQ(x)% %UPSTREAM_HOST%'}}}, " WEB "}]\n");
	EXPECT_FALSE(compiled_tells(&w, "does not make"));
}

TEST(rules_for_gateways_only_do_not_touch_the_mesh)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS("web, other.example") "  gateways: [g]\n  http: [{"
					      "redirect: {uri: /a}}]\n");
	EXPECT_SLICE(get(&w)->name, S("default"));
	EXPECT_TRUE(view_find_host(w.v, NULL, S("other.example"), 80) == NULL);
}

TEST(a_delegate_alone_does_nothing)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w, SERVICES "apiVersion: networking.istio.io/v1\n"
				   "kind: VirtualService\nmetadata: {name: v}\n"
				   "spec: {http: [{" WEB "}]}\n");
	EXPECT_SLICE(get(&w)->name, S("default"));
}

TEST(a_wildcard_inside_a_label_is_not_looked_for)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w, SERVICES VS("'*-a.example'") "  http: [{" WEB "}]\n");
	EXPECT_TRUE(view_find_host(w.v, NULL, S("x-a.example"), 80) == NULL);
	EXPECT_TRUE(compiled_tells(&w, "a part of a label"));
}

TEST(a_policy_that_is_not_in_force_is_told)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES DR "  trafficPolicy: {tls: {mode: SIMPLE}, "
			"outlierDetection: {}, loadBalancer: {consistentHash: "
			"{useSourceIp: true}}}\n");
	EXPECT_EQ(get(&w)->destinations[0].cluster->policy->balancing.balancer,
	    BALANCER_LEAST_REQUEST);
	EXPECT_TRUE(compiled_tells(
	    &w, "not in force yet: outlierDetection, tls, consistentHash"));
}

TEST(a_pool_is_told_of_for_what_is_not_in_force_of_it)
{
	static const struct {
		const char *pool;
		bool told;
	} rows[] = {
	    {"tcp: {maxConnectionDuration: 1s}", false},
	    {"tcp: {maxConnections: 1}", true},
	    {"tcp: {}, http: {maxRetries: 1}", true},
	    {"http: {useClientProtocol: true}", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled w;
		char yaml[2048];

		(void)snprintf(yaml, sizeof(yaml),
		    "%s  trafficPolicy: {connectionPool: {%s}}\n", SERVICES DR,
		    rows[i].pool);
		compiled_init(&w, yaml);
		EXPECT_EQ(
		    compiled_tells(&w, "not in force yet: connectionPool"),
		    rows[i].told);
	}
}

TEST(ports_of_another_transport_are_no_ports)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    "apiVersion: v1\nkind: Service\nmetadata: {name: dns}\n"
	    "spec: {ports: [{name: a, port: 53, protocol: UDP},"
	    " {name: b, port: 54}]}\n---\n"
	    "apiVersion: v1\nkind: Service\nmetadata: {name: far}\n"
	    "spec: {type: ExternalName, externalName: a.b}\n");
	EXPECT_TRUE(view_find_host(w.v, NULL, S("dns"), 53) == NULL);
	EXPECT_TRUE(view_find_host(w.v, NULL, S("dns"), 54) != NULL);
	EXPECT_TRUE(compiled_tells(&w, "type ExternalName"));
}
