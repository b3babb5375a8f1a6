/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actions — what a rule does, as explain says it in Envoy's words.
 */
#include <stdio.h>

#include "codec/codec.h"
#include "compiled.h"
#include "unit.h"

#define SERVICES                                                               \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"               \
	"spec: {ports: [{name: http, port: 80}]}\n---\n"                       \
	"apiVersion: v1\nkind: Service\nmetadata: {name: old}\n"               \
	"spec: {ports: [{name: http, port: 8080}]}\n---\n"                     \
	"apiVersion: v1\nkind: Service\nmetadata: {name: two}\n"               \
	"spec: {ports: [{name: http, port: 81}, {name: b, port: 82}]}\n"
#define VS                                                                     \
	"---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"      \
	"metadata: {name: v}\nspec:\n  hosts: [web]\n  http:\n  - "
#define DR(name, spec)                                                         \
	"---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n"     \
	"metadata: {name: " name "}\nspec: {host: " name ", " spec "}\n"
#define MESH(spec)                                                             \
	"---\napiVersion: meshd.dev/v1\nkind: MeshConfig\n"                    \
	"metadata: {name: default}\nspec: {" spec "}\n"

#define WEB "route: [{destination: {host: web}}]"
#define OUT(host) "outbound|80||" host ".default.svc.cluster.local"
#define WORDS                                                                  \
	"\"connect-failure,refused-stream,unavailable,cancelled,"              \
	"retriable-status-codes\""
#define TRIED                                                                  \
	"\"hostSelectionAttempts\":5,\"hostPredicates\":"                      \
	"[\"envoy.retry_host_predicates.previous_hosts\"]"
#define RETRY "\"retry\":{\"numRetries\":2,\"retryOn\":" WORDS "," TRIED "}"
#define TO_WEB "\"cluster\":\"" OUT("web") "\","
#define NO_TIME "\"timeout\":\"0s\","

/* The action of a call to `path`, as JSON; its members in any order. */
static void
expect_action(const char *yaml, const char *path, const char *json)
{
	AUTO(compiled_fini) struct compiled w;
	AUTO(buf_fini) struct buf text = BUF(1 << 16);
	AUTO(buf_fini) struct buf wanted = BUF(1 << 16);
	struct explain_request r = {.host = S("web"), .path = slice_str(path)};
	const struct value *v = NULL;

	compiled_init(&w, yaml);
	EXPECT_OK(codec_json_emit(
	    value_get(model_explain(w.v, &r, &w.arena), S("action")), &text));
	EXPECT_OK(codec_json_parse(slice_str(json), &w.arena, &v, NULL));
	EXPECT_OK(codec_json_emit(v, &wanted));
	EXPECT_SLICE(buf_slice(&text), buf_slice(&wanted));
}

struct row {
	const char *rule; /* of the VirtualService, in flow style */
	const char *json; /* of its action */
};

static void
expect_rows(const struct row *rows, size_t count, const char *more)
{
	for (size_t i = 0; i < count; i++) {
		char yaml[4096];

		(void)snprintf(yaml, sizeof(yaml), SERVICES VS "{%s}\n%s",
		    rows[i].rule, more);
		expect_action(yaml, "/", rows[i].json);
	}
}

TEST(a_call_without_a_rule_goes_to_the_service_and_is_tried_again)
{
	expect_action(SERVICES, "/", "{" TO_WEB NO_TIME RETRY "}");
}

TEST(an_answer_of_our_own_is_a_redirect_or_a_response)
{
	static const struct row rows[] = {
	    {"redirect: {uri: /a}",
		"{\"redirect\":{\"code\":301,\"path\":\"/a\"}}"},
	    {"redirect: {authority: b.c, scheme: https, port: 8443, "
	     "redirectCode: 308}",
		"{\"redirect\":{\"code\":308,\"scheme\":\"https\",\"host\":"
		"\"b.c\",\"port\":8443}}"},
	    /* The usual port of a scheme is not said. */
	    {"redirect: {uri: /a, port: 80}",
		"{\"redirect\":{\"code\":301,\"path\":\"/a\"}}"},
	    {"redirect: {scheme: https, port: 443}",
		"{\"redirect\":{\"code\":301,\"scheme\":\"https\"}}"},
	    {"redirect: {scheme: https, derivePort: FROM_REQUEST_PORT}",
		"{\"redirect\":{\"code\":301,\"scheme\":\"https\",\"port\":80}"
		"}"},
	    {"redirect: {scheme: https, derivePort: FROM_PROTOCOL_DEFAULT}",
		"{\"redirect\":{\"code\":301,\"scheme\":\"https\"}}"},
	    {"match: [{uri: {prefix: /}}], redirect: {prefixRewrite: /b}",
		"{\"redirect\":{\"code\":301,\"prefixRewrite\":\"/b\"}}"},
	    {"directResponse: {status: 503}",
		"{\"directResponse\":{\"status\":503}}"},
	    {"directResponse: {status: 200, body: {string: hi}}, headers: "
	     "{response: {set: {a: b}}}",
		"{\"directResponse\":{\"status\":200,\"body\":\"hi\"},"
		"\"responseHeaders\":{\"add\":[{\"name\":\"a\",\"op\":\"set\","
		"\"value\":\"b\"}]}}"},
	    {"directResponse: {status: 200, body: {bytes: aGk=}}",
		"{\"directResponse\":{\"status\":200,\"bodyBytes\":\"aGk=\"}}"},
	};

	expect_rows(rows, ARRAY_LEN(rows), "");
}

TEST(a_body_in_base64_is_its_bytes)
{
	AUTO(compiled_fini) struct compiled w;
	struct http_attrs a = {.path = S("/")};

	compiled_init(&w,
	    SERVICES VS "{directResponse: {status: 200, body: {bytes: "
			"aGk=}}}\n");
	EXPECT_SLICE(
	    view_route_http(view_find_host(w.v, NULL, S("web"), 80), &a, NULL)
		.route->answer->body,
	    S("hi"));
}

TEST(several_destinations_have_weights_and_headers_of_their_own)
{
	static const struct row rows[] = {
	    {"route: [{destination: {host: web}, weight: 90}, {destination: "
	     "{host: old, subset: v1}, weight: 10, headers: {request: {set: "
	     "{host: x.y}, remove: [b]}}}, {destination: {host: two}, weight: "
	     "0}]",
		"{\"weightedClusters\":[{\"cluster\":\"" OUT(
		    "web") "\",\"weight\":90},{\"cluster\":\"outbound|80|v1|"
			   "old.default.svc.cluster.local\",\"weight\":10,"
			   "\"hostRewrite\":\"x.y\",\"requestHeaders\":{"
			   "\"remove\":[\"b\"]}}]," NO_TIME RETRY "}"},
	    /* The only one may have any weight. */
	    {"route: [{destination: {host: web}, weight: 7}]",
		"{" TO_WEB NO_TIME RETRY "}"},
	    {"route: [{destination: {host: web}, weight: 1}, {destination: "
	     "{host: web}, weight: 0}]",
		"{\"weightedClusters\":[{\"cluster\":\"" OUT(
		    "web") "\",\"weight\":1}]," NO_TIME RETRY "}"},
	};

	expect_rows(rows, ARRAY_LEN(rows), DR("old", "subsets: [{name: v1}]"));
}

TEST(a_destination_that_is_not_there_has_a_name)
{
	static const struct row rows[] = {
	    {"route: [{destination: {host: gone.example.com}}]",
		"{\"cluster\":\"outbound|80||gone.example.com\"," NO_TIME RETRY
		"}"},
	    {"route: [{destination: {host: gone, port: {number: 9}}}]",
		"{\"cluster\":\"outbound|9||gone.default.svc.cluster."
		"local\"," NO_TIME RETRY "}"},
	    {"route: [{destination: {host: old, subset: v9}}]",
		"{\"cluster\":\"outbound|80|v9|old.default.svc.cluster."
		"local\"," NO_TIME RETRY "}"},
	    /* Of several ports none is the one that was called. */
	    {"route: [{destination: {host: two}}]",
		"{\"cluster\":\"outbound|80||two.default.svc.cluster."
		"local\"," NO_TIME RETRY "}"},
	};

	expect_rows(rows, ARRAY_LEN(rows), "");
}

TEST(headers_are_set_then_added_by_name)
{
	static const struct row rows[] = {
	    {"headers: {request: {add: {b: '2', a: '1'}, set: {D: '50%%', C: "
	     "'%REQ(x)%'}, remove: [X-Old]}}, " WEB,
		"{" TO_WEB NO_TIME RETRY
		",\"requestHeaders\":{\"add\":[{\"name\":\"c\",\"op\":\"set\","
		"\"value\":\"%REQ(x)%\"},{\"name\":\"d\",\"op\":\"set\","
		"\"value\":\"50%%\"},{\"name\":\"a\",\"op\":\"append\","
		"\"value\":\"1\"},{\"name\":\"b\",\"op\":\"append\",\"value\":"
		"\"2\"}],\"remove\":[\"x-old\"]}}"},
	    /* Those of the only destination come behind the route's. */
	    {"headers: {response: {add: {a: r}}}, route: [{destination: {host: "
	     "web}, headers: {response: {set: {a: d}, remove: [e]}}}]",
		"{" TO_WEB NO_TIME RETRY
		",\"responseHeaders\":{\"add\":[{\"name\":\"a\",\"op\":"
		"\"append\",\"value\":\"r\"},{\"name\":\"a\",\"op\":\"set\","
		"\"value\":\"d\"}],\"remove\":[\"e\"]}}"},
	};

	expect_rows(rows, ARRAY_LEN(rows), "");
}

TEST(a_computed_value_is_kept_in_parts)
{
	AUTO(compiled_fini) struct compiled w;
	struct http_attrs a = {.path = S("/")};
	const struct view_headers *ops;
	const struct view_format *f;

	compiled_init(&w,
	    SERVICES VS "{headers: {request: {set: {a: 'by %%%REQ(X-Y?:Path)% "
			"at %START_TIME(%s)%.', b: '%UPSTREAM_METADATA(a:b)%', "
			"c: '%REQ%'}}}, " WEB "}\n");
	ops =
	    &view_route_http(view_find_host(w.v, NULL, S("web"), 80), &a, NULL)
		 .route->request;
	EXPECT_TRUE(ops->computes);
	f = ops->changes[0].format;
	EXPECT_FALSE(f->is_inert);
	EXPECT_EQ(f->count, 3);
	EXPECT_SLICE(f->parts[0].text, S("by %"));
	EXPECT_EQ(f->parts[0].id, OPERATOR_REQ);
	EXPECT_SLICE(f->parts[0].argument, S("x-y"));
	EXPECT_SLICE(f->parts[0].otherwise, S(":path"));
	EXPECT_SLICE(f->parts[1].text, S(" at "));
	EXPECT_EQ(f->parts[1].id, OPERATOR_START_TIME);
	EXPECT_SLICE(f->parts[1].argument, S("%s"));
	EXPECT_SLICE(f->parts[2].text, S("."));
	EXPECT_EQ(f->parts[2].id, OPERATOR_NONE);
	EXPECT_EQ(ops->changes[1].format->parts[0].id, OPERATOR_INERT);
	EXPECT_TRUE(ops->changes[1].format->is_inert);
	EXPECT_EQ(ops->changes[2].format->parts[0].id, OPERATOR_UNKNOWN);
	EXPECT_TRUE(ops->changes[2].format->is_inert);
}

TEST(the_authority_is_the_rewrites_then_the_routes_then_the_destinations)
{
	static const struct row rows[] = {
	    {"rewrite: {authority: a.b}, route: [{destination: {host: web}, "
	     "headers: {request: {set: {host: c.d}}}}]",
		"{" TO_WEB "\"hostRewrite\":\"a.b\"," NO_TIME RETRY "}"},
	    {"headers: {request: {set: {':authority': e.f}}}, route: "
	     "[{destination: {host: web}, headers: {request: {set: {Host: "
	     "c.d}}}}]",
		"{" TO_WEB "\"hostRewrite\":\"e.f\"," NO_TIME RETRY "}"},
	    {"route: [{destination: {host: web}, headers: {request: {add: "
	     "{Host: c.d}}}}]",
		"{" TO_WEB "\"hostRewrite\":\"c.d\"," NO_TIME RETRY "}"},
	};

	expect_rows(rows, ARRAY_LEN(rows), "");
}

TEST(a_path_is_rewritten_by_its_prefix_or_by_an_expression)
{
	static const struct row rows[] = {
	    {"rewrite: {uri: /a}, " WEB,
		"{" TO_WEB "\"prefixRewrite\":\"/a\"," NO_TIME RETRY "}"},
	    {"rewrite: {uriRegexRewrite: {match: '^/(.)', rewrite: "
	     "'/x/\\1'}}, " WEB,
		"{" TO_WEB "\"regexRewrite\":{\"regex\":\"^/(.)\","
		"\"substitution\":\"/x/\\\\1\"}," NO_TIME RETRY "}"},
	};

	expect_rows(rows, ARRAY_LEN(rows), "");
}

TEST(retries_are_the_rules_or_the_meshs)
{
	static const struct row rows[] = {
	    {"retries: {attempts: 0}, timeout: 2.5s, " WEB,
		"{" TO_WEB "\"timeout\":\"2.5s\"}"},
	    {"retries: {attempts: 3, retryOn: '5xx,503,429', perTryTimeout: "
	     "250ms, backoff: 50ms, retryRemoteLocalities: true, "
	     "retryIgnorePreviousHosts: false}, " WEB,
		"{" TO_WEB NO_TIME
		"\"retry\":{\"numRetries\":3,\"retryOn\":\"5xx,retriable-"
		"status-codes\",\"statusCodes\":[503,429],\"perTryTimeout\":"
		"\"250ms\",\"backoffBase\":\"50ms\",\"hostSelectionAttempts\":"
		"5,\"priority\":\"envoy.retry_priorities.previous_priorities"
		"\"}}"},
	    {"retries: {attempts: 1}, " WEB,
		"{" TO_WEB NO_TIME
		"\"retry\":{\"numRetries\":1,\"retryOn\":" WORDS "," TRIED
		"}}"},
	};
	static const struct row of_mesh[] = {
	    {"timeout: 1s, " WEB,
		"{" TO_WEB "\"timeout\":\"1s\",\"retry\":{\"numRetries\":7,"
		"\"retryOn\":\"reset\"," TRIED "}}"},
	    {"retries: {attempts: 1}, " WEB,
		"{" TO_WEB NO_TIME
		"\"retry\":{\"numRetries\":1,\"retryOn\":" WORDS "," TRIED
		"}}"},
	};

	expect_rows(rows, ARRAY_LEN(rows), "");
	expect_rows(of_mesh, ARRAY_LEN(of_mesh),
	    MESH("defaultHttpRetryPolicy: {attempts: 7, retryOn: reset}"));
}

TEST(copies_have_a_share_of_the_requests)
{
#define MIRRORED(list) "{" TO_WEB NO_TIME RETRY ",\"mirrors\":[" list "]}"
#define COPY(share)                                                            \
	"{\"cluster\":\"outbound|80||old.default.svc.cluster.local\","         \
	"\"percent\":" share "}"
	static const struct row rows[] = {
	    {"mirror: {host: old}, " WEB, MIRRORED(COPY("100"))},
	    {"mirror: {host: old}, mirrorPercent: 5, " WEB,
		MIRRORED(COPY("5"))},
	    {"mirror: {host: old}, mirrorPercent: 5, mirrorPercentage: {value: "
	     "0.5}, " WEB,
		MIRRORED(COPY("0.5"))},
	    {"mirror: {host: old}, mirrorPercent: 0, " WEB,
		"{" TO_WEB NO_TIME RETRY "}"},
	    {"mirrors: [{destination: {host: old}}, {destination: {host: old}, "
	     "percentage: {value: 25}}, {destination: {host: web}, percentage: "
	     "{value: 0}}], " WEB,
		MIRRORED(COPY("100") "," COPY("25"))},
	};

	expect_rows(rows, ARRAY_LEN(rows), "");
}

TEST(a_delegate_takes_over_that_nothing_is_copied)
{
	expect_action(SERVICES VS
	    "{delegate: {name: d}, mirrorPercent: 0}\n"
	    "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: d}\nspec: {http: [{mirror: {host: old}, " WEB
	    "}]}\n",
	    "/", "{" TO_WEB NO_TIME RETRY "}");
}

TEST(cors_says_which_origins_may_do_what)
{
#define CORS(members) "{" TO_WEB NO_TIME RETRY ",\"cors\":{" members "}}"
	static const struct row rows[] = {
	    {"corsPolicy: {allowOrigins: [{exact: a}, {prefix: b}, {regex: "
	     "c.*}], allowMethods: [GET, POST], allowHeaders: [x, y], "
	     "exposeHeaders: [z], maxAge: 24h, allowCredentials: false, "
	     "unmatchedPreflights: IGNORE}, " WEB,
		CORS("\"origins\":[\"exact:a\",\"prefix:b\",\"regex:c.*\"],"
		     "\"methods\":\"GET,POST\",\"headers\":\"x,y\",\"expose\":"
		     "\"z\",\"maxAge\":\"86400\",\"credentials\":false,"
		     "\"forwardUnmatchedPreflights\":false")},
	    {"corsPolicy: {allowOrigin: [a]}, " WEB,
		CORS("\"origins\":[\"exact:a\"],\"forwardUnmatchedPreflights\":"
		     "true")},
	};

	expect_rows(rows, ARRAY_LEN(rows), "");
}

TEST(faults_delay_and_abort_a_share)
{
#define FAULT(members) "{" TO_WEB NO_TIME RETRY ",\"fault\":{" members "}}"
	static const struct row rows[] = {
	    {"fault: {delay: {fixedDelay: 5ms, percentage: {value: 0.1}}, "
	     "abort: {httpStatus: 400, percentage: {value: 50}}}, " WEB,
		FAULT("\"delay\":{\"fixed\":\"5ms\",\"percent\":0.1},\"abort\":"
		      "{\"http\":400,\"percent\":50}")},
	    {"fault: {delay: {fixedDelay: 1s, percent: 10}}, " WEB,
		FAULT("\"delay\":{\"fixed\":\"1s\",\"percent\":10}")},
	    {"fault: {abort: {grpcStatus: UNAVAILABLE}}, " WEB,
		FAULT("\"abort\":{\"grpc\":14}")},
	};

	expect_rows(rows, ARRAY_LEN(rows), "");
}

TEST(endpoints_are_chosen_by_the_hash_of_the_destinations_rules)
{
#define HASHED(retry, list)                                                    \
	"{" TO_WEB NO_TIME "\"retry\":{\"numRetries\":2,\"retryOn\":" WORDS    \
	"," retry "},\"hashPolicy\":[" list "]}"
#define UNTRIED "\"hostSelectionAttempts\":5"
	static const struct row rows[] = {
	    {WEB, HASHED(UNTRIED, "{\"header\":\"x-user\"}")},
	    {"route: [{destination: {host: web, port: {number: 80}}}]",
		HASHED(UNTRIED, "{\"queryParameter\":\"id\"}")},
	    {"route: [{destination: {host: web}, weight: 1}, {destination: "
	     "{host: old}, weight: 0}, {destination: {host: web}, weight: 0}]",
		"{\"weightedClusters\":[{\"cluster\":\"" OUT(
		    "web") "\",\"weight\":1}]," NO_TIME RETRY
			   ",\"hashPolicy\":[{\"header\":\"x-user\"}]}"},
	};
	static const char *const more =
	    DR("web", "trafficPolicy: {loadBalancer: {consistentHash: "
		      "{httpHeaderName: x-user}}, portLevelSettings: [{port: "
		      "{number: 80}, loadBalancer: {consistentHash: "
		      "{httpQueryParameterName: id}}}]}");

	expect_rows(rows, ARRAY_LEN(rows), more);
	/* Where no rule stands, the service's own port counts. */
	expect_action(SERVICES DR("web",
			  "trafficPolicy: {portLevelSettings: [{port: {number: "
			  "80}, loadBalancer: {consistentHash: {useSourceIp: "
			  "true}}}]}"),
	    "/", HASHED(TRIED, "{\"sourceIp\":true}"));
}

TEST(a_subset_has_a_hash_of_its_own)
{
	expect_action(SERVICES VS
	    "{route: [{destination: {host: old, subset: v1}}]}\n" DR("old",
		"trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: "
		"true}}}, subsets: [{name: v1, trafficPolicy: {loadBalancer: "
		"{consistentHash: {httpCookie: {name: sid, ttl: 30s, path: "
		"/a}}}}}]"),
	    "/",
	    "{\"cluster\":\"outbound|80|v1|old.default.svc.cluster."
	    "local\"," NO_TIME "\"retry\":{\"numRetries\":2,\"retryOn\":" WORDS
	    "," UNTRIED
	    "},\"hashPolicy\":[{\"cookie\":\"sid\",\"ttl\":\"30s\",\"path\":"
	    "\"/a\"}]}");
}

TEST(what_cannot_be_made_is_answered_503)
{
	static const struct {
		const char *rule;
		const char *words;
	} rows[] = {
	    {"rewrite: {uriRegexRewrite: {match: a, rewrite: '\\1'}}, " WEB,
		"a rewrite that cannot be made"},
	    {"rewrite: {uri: \"/a\\nb\"}, " WEB, "a byte that no path may"},
	    {"rewrite: {authority: a b}, " WEB, "a byte that no path may"},
	    {"redirect: {uri: \"/a\\r\\nb: c\"}", "a byte that no place may"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled w;
		struct http_attrs a = {.path = S("/")};
		struct view_http_choice c;
		char yaml[2048];

		(void)snprintf(
		    yaml, sizeof(yaml), SERVICES VS "{%s}\n", rows[i].rule);
		compiled_init(&w, yaml);
		c = view_route_http(
		    view_find_host(w.v, NULL, S("web"), 80), &a, NULL);
		EXPECT_EQ(c.route->destination_count, 1);
		EXPECT_TRUE(c.route->destinations[0].cluster == NULL);
		EXPECT_TRUE(compiled_tells(&w, rows[i].words));
	}
}

/* --- paths and places ----------------------------------------------------- */

TEST(paths_are_rewritten_as_envoy_does)
{
	static const struct {
		const char *rule;
		const char *path;
		const char *wanted;
	} rows[] = {
	    {"match: [{uri: {prefix: /a}}], rewrite: {uri: /}", "/a/b?c",
		"//b?c"},
	    {"match: [{uri: {prefix: /a/}}], rewrite: {uri: /}", "/a/b", "/b"},
	    {"match: [{uri: {prefix: /A}, ignoreUriCase: true}], rewrite: "
	     "{uri: /b}",
		"/abc", "/bbc"},
	    {"match: [{uri: {exact: /a}}], rewrite: {uri: /b}", "/a?c", "/b?c"},
	    {"match: [{uri: {regex: '/.*'}}], rewrite: {uri: /b}", "/a/c?d",
		"/b?d"},
	    {"match: [{method: {exact: GET}}], rewrite: {uri: /b}", "/a?d",
		"/ba?d"},
	    {"rewrite: {uriRegexRewrite: {match: '/v(.)/', rewrite: "
	     "'/\\1\\1/'}}",
		"/v1/v2/?/v3/", "/11/v2/?/v3/"},
	    {"rewrite: {uriRegexRewrite: {match: '^/a(.*)$', rewrite: "
	     "'\\1'}}",
		"/a?b", "/?b"},
	    {"rewrite: {uriRegexRewrite: {match: x, rewrite: yy}}", "/xax?x",
		"/yyayy?x"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled w;
		struct http_attrs a = {
		    .path = slice_str(rows[i].path), .method = S("GET")};
		struct view_http_choice c;
		struct slice out;
		char yaml[2048];

		(void)snprintf(yaml, sizeof(yaml), SERVICES VS "{%s, " WEB "}",
		    rows[i].rule);
		compiled_init(&w, yaml);
		c = view_route_http(
		    view_find_host(w.v, NULL, S("web"), 80), &a, NULL);
		EXPECT_OK(view_rewrite_path(&c, a.path, &w.arena, &out));
		EXPECT_SLICE(out, slice_str(rows[i].wanted));
	}
}

TEST(a_redirect_leads_where_envoys_does)
{
	static const struct {
		const char *redirect;
		const char *authority;
		const char *path;
		const char *wanted;
	} rows[] = {
	    {"uri: /b", "w:8080", "/a?x=1", "http://w:8080/b?x=1"},
	    {"uri: '/b?y'", "w", "/a?x=1", "http://w/b?y"},
	    {"authority: n.w", "w:80", "/a", "http://n.w/a"},
	    {"scheme: https", "w:80", "/a", "https://w/a"},
	    {"scheme: https", "w:8080", "/a", "https://w:8080/a"},
	    {"scheme: http", "w:80", "/a", "http://w:80/a"},
	    {"port: 8443", "w:80", "/", "http://w:8443/"},
	    {"port: 8443, scheme: https", "[::1]:80", "/",
		"https://[::1]:8443/"},
	    {"port: 8443", "[::1]", "/", "http://[::1]:8443/"},
	    {"prefixRewrite: /n", "w", "/a/b?x", "http://w/nb?x"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled w;
		struct http_attrs a = {.path = slice_str(rows[i].path),
		    .scheme = S("http"),
		    .authority = slice_str(rows[i].authority)};
		struct view_http_choice c;
		struct slice out;
		char yaml[2048];

		(void)snprintf(yaml, sizeof(yaml),
		    SERVICES VS
		    "{match: [{uri: {prefix: %s}}], redirect: {%s}}",
		    i + 1 < ARRAY_LEN(rows) ? "/" : "/a/", rows[i].redirect);
		compiled_init(&w, yaml);
		c = view_route_http(
		    view_find_host(w.v, NULL, S("web"), 80), &a, NULL);
		EXPECT_OK(view_redirect_location(&c, &a, &w.arena, &out));
		EXPECT_SLICE(out, slice_str(rows[i].wanted));
	}
}
