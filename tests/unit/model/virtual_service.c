/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtual_service — its fields right and wrong, its warnings, what is inert.
 */
#include <stdio.h>

#include "expect.h"
#include "unit.h"

#define VS                                                                     \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: x, namespace: n}\nspec:\n"
#define HEAD VS "  hosts: [reviews]\n"
#define GOES "route: [{destination: {host: a}}]"
#define RULE HEAD "  http:\n  - " GOES "\n"
#define MATCH(text) HEAD "  http:\n  - " GOES "\n    match: [{" text "}]\n"
#define ALONE(text) HEAD "  http:\n  - {" text "}\n"
#define HTTP "  http: [{" GOES "}]\n"
#define TCP "  tcp: [{" GOES "}]\n"

static const struct wrong wrong_matches[] = {
    {MATCH("uri: {regex: ''}"), "spec.http[0].match[0].uri.regex",
	"may not be empty", ERR_INVALID},
    {MATCH("method: {prefix: ''}"), "spec.http[0].match[0].method.prefix",
	"may not be empty", ERR_INVALID},
    {MATCH("queryParams: {a: {prefix: ''}}"),
	"spec.http[0].match[0].queryParams[\"a\"].prefix", "may not be empty",
	ERR_INVALID},
    {MATCH("withoutHeaders: {'a b': {}}"),
	"spec.http[0].match[0].withoutHeaders[\"a b\"]", "no name of a header",
	ERR_INVALID},
    {MATCH("sourceNamespace: a.b"), "spec.http[0].match[0].sourceNamespace",
	"no namespace", ERR_INVALID},
    {MATCH("sourceLabels: {'-': b}"),
	"spec.http[0].match[0].sourceLabels[\"-\"]", "no label name",
	ERR_INVALID},
    {MATCH("gateways: [a/b/c]"), "spec.http[0].match[0].gateways[0]",
	"no gateway", ERR_INVALID},
    {MATCH("port: 65536"), "spec.http[0].match[0].port", "outside",
	ERR_INVALID},
    {MATCH("headers: {'@request.auth.claims.sub': {exact: x}}"),
	"spec.http[0].match[0].headers[\"@request.auth.claims.sub\"]",
	"at gateways only", ERR_INVALID},
};

static const struct wrong wrong_actions[] = {
    {ALONE("redirect: {}"), "spec.http[0].redirect", "has to name",
	ERR_INVALID},
    {ALONE("redirect: {uri: /a, prefixRewrite: /b}"), "spec.http[0].redirect",
	"only one of uri and prefixRewrite", ERR_INVALID},
    {ALONE("match: [{uri: {exact: /}}], redirect: {prefixRewrite: /b}"),
	"spec.http[0].redirect.prefixRewrite", "needs a prefix", ERR_INVALID},
    {ALONE("redirect: {uri: /a, redirectCode: 299}"),
	"spec.http[0].redirect.redirectCode", "no redirect", ERR_INVALID},
    {ALONE("redirect: {scheme: ftp}"), "spec.http[0].redirect.scheme",
	"http or https", ERR_INVALID},
    {ALONE("redirect: {uri: /a}, " GOES), "spec.http[0].route",
	"beside redirect", ERR_INVALID},
    {ALONE("redirect: {uri: /a}, fault: {delay: {}}"), "spec.http[0].fault",
	"beside redirect", ERR_INVALID},
    {ALONE("directResponse: {status: 200}, rewrite: {uri: /}"),
	"spec.http[0].rewrite", "beside directResponse", ERR_INVALID},
    {ALONE("redirect: {uri: /a}, directResponse: {status: 200}"),
	"spec.http[0].directResponse", "beside redirect", ERR_INVALID},
    {ALONE("delegate: {name: a}, " GOES), "spec.http[0].route",
	"beside delegate", ERR_INVALID},
    {ALONE("directResponse: {status: 199}"),
	"spec.http[0].directResponse.status", "outside 200", ERR_INVALID},
    {ALONE("directResponse: {body: {string: x}}"),
	"spec.http[0].directResponse.status", "is required", ERR_INVALID},
    {ALONE("directResponse: {status: 200, body: {bytes: 'x=y='}}"),
	"spec.http[0].directResponse.body.bytes", "no base64", ERR_PARSE},
    {ALONE("route: []"), "spec.http[0]", "has no route", ERR_INVALID},
    {RULE "    fault: {}\n", "spec.http[0].fault", "a delay or an abort",
	ERR_INVALID},
    {RULE "    fault: {delay: {exponentialDelay: 1s}}\n",
	"spec.http[0].fault.delay.exponentialDelay", "write fixedDelay",
	ERR_UNSUPPORTED},
    {RULE "    fault: {abort: {http2Error: X}}\n",
	"spec.http[0].fault.abort.http2Error", "httpStatus or grpcStatus",
	ERR_UNSUPPORTED},
    {RULE "    fault: {abort: {httpStatus: 601}}\n",
	"spec.http[0].fault.abort.httpStatus", "outside", ERR_INVALID},
    {RULE "    fault: {abort: {grpcStatus: UNAVAILABL}}\n",
	"spec.http[0].fault.abort.grpcStatus", "did you mean \"UNAVAILABLE\"",
	ERR_INVALID},
    {RULE "    fault: {abort: {percentage: {value: 0.00001}}}\n",
	"spec.http[0].fault.abort.percentage", "too little", ERR_INVALID},
    {RULE "    mirror: {host: b}\n    mirrors: [{destination: {host: c}}]\n",
	"spec.http[0].mirrors", "beside mirror", ERR_INVALID},
    {RULE "    mirrors: [{percentage: {value: 1}}]\n",
	"spec.http[0].mirrors[0].destination", "is required", ERR_INVALID},
    {RULE "    mirrorPercentage: {value: 100.5}\n",
	"spec.http[0].mirrorPercentage", "outside", ERR_INVALID},
    {RULE "    mirrorPercent: 101\n", "spec.http[0].mirrorPercent", "outside",
	ERR_INVALID},
    {RULE "    corsPolicy: {allowOrigins: [{}]}\n",
	"spec.http[0].corsPolicy.allowOrigins[0]", "has to hold", ERR_INVALID},
    {RULE "    corsPolicy: {allowMethods: [get]}\n",
	"spec.http[0].corsPolicy.allowMethods[0]", "no method", ERR_INVALID},
    {RULE "    corsPolicy: {exposeHeaders: ['a b']}\n",
	"spec.http[0].corsPolicy.exposeHeaders[0]", "no name of a header",
	ERR_INVALID},
    {RULE "    corsPolicy: {maxAge: 1.5s}\n", "spec.http[0].corsPolicy.maxAge",
	"whole number of seconds", ERR_INVALID},
    {RULE "    rewrite: {uri: /, uriRegexRewrite: {match: a, rewrite: b}}\n",
	"spec.http[0].rewrite", "only one of uri", ERR_INVALID},
    {RULE "    rewrite: {uriRegexRewrite: {match: a}}\n",
	"spec.http[0].rewrite.uriRegexRewrite", "both match and rewrite",
	ERR_INVALID},
    {RULE "    retries: {attempts: 2, retryOn: '5xx, reset'}\n",
	"spec.http[0].retries.retryOn", "neither a condition", ERR_INVALID},
    {RULE "    retries: {attempts: 2, retryOn: '599'}\n",
	"spec.http[0].retries.retryOn", "neither a condition", ERR_INVALID},
    {RULE "    headers: {request: {set: {a: '%REQ(x'}}}\n",
	"spec.http[0].headers.request.set[\"a\"]", "does not end", ERR_INVALID},
    {RULE "    headers: {request: {set: {host: a, ':authority': b}}}\n",
	"spec.http[0].headers.request", "one place only", ERR_INVALID},
    {RULE "    timeout: 1.0000001s\n", "spec.http[0].timeout",
	"finer than a microsecond", ERR_INVALID},
};

static const struct wrong wrong_tops[] = {
    {VS "  hosts: ['*', a]\n  gateways: [g]\n" HTTP, "spec.hosts[1]",
	"duplicate hosts in virtual service", ERR_INVALID},
    {VS "  hosts: [1.2.3.4.5]\n" HTTP, "spec.hosts[0]", "no host name",
	ERR_INVALID},
    {VS "  hosts: [outbound_.80_._.e.f]\n" HTTP, "spec.hosts[0]",
	"no host name", ERR_INVALID},
    {HEAD "  gateways: [ns/]\n" HTTP, "spec.gateways[0]", "no gateway",
	ERR_INVALID},
    {VS HTTP "  gateways: [g]\n", "spec.gateways", "which is a delegate",
	ERR_INVALID},
    {VS HTTP TCP, "spec.tcp", "which is a delegate", ERR_INVALID},
    {VS "  http: [{delegate: {name: a}}]\n", "spec.http[0].delegate",
	"a delegate itself", ERR_INVALID},
    {HEAD "  exportTo: ['~']\n" HTTP, "spec.exportTo[0]", "ServiceEntries",
	ERR_INVALID},
    {HEAD "  exportTo: [., n]\n" HTTP, "spec.exportTo[1]", "twice",
	ERR_INVALID},
    {HEAD "  exportTo: ['*', b]\n" HTTP, "spec.exportTo[0]", "to be alone",
	ERR_INVALID},
    {HEAD "  tls: [{" GOES "}]\n", "spec.tls[0].match", "is required",
	ERR_INVALID},
    {HEAD "  tls: [{match: [{port: 1}], " GOES "}]\n",
	"spec.tls[0].match[0].sniHosts", "is required", ERR_INVALID},
    {HEAD "  tls: [{match: [{sniHosts: [other]}], " GOES "}]\n",
	"spec.tls[0].match[0].sniHosts[0]", "not a compatible subset",
	ERR_INVALID},
    {HEAD "  tls: [{match: [{sniHosts: [reviews]}]}]\n", "spec.tls[0].route",
	"is required", ERR_INVALID},
    {HEAD "  tcp: [{match: [{destinationSubnets: [10.0.0.0/33]}], " GOES "}]\n",
	"spec.tcp[0].match[0].destinationSubnets[0]", "neither an address",
	ERR_INVALID},
};

TEST(each_wrong_match_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong_matches); i++)
		expect_wrong(&wrong_matches[i]);
}

TEST(each_wrong_action_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong_actions); i++)
		expect_wrong(&wrong_actions[i]);
}

TEST(each_wrong_place_of_it_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong_tops); i++)
		expect_wrong(&wrong_tops[i]);
}

TEST(what_upstream_takes_is_taken_without_a_word)
{
	static const char *const right[] = {
	    VS "  hosts: ['*']\n  gateways: [g, ns/h]\n" HTTP,
	    VS "  hosts: ['*-x.b', 10.0.0.1, a.]\n" HTTP,
	    VS "  http: [{" GOES "}]\n",
	    MATCH("uri: {prefix: ''}"),
	    MATCH("withoutHeaders: {a: {regex: '*'}}"),
	    HEAD "  http: [{match: [null], " GOES "}]\n",
	    HEAD "  http: [{delegate: {name: a}, route: []}]\n",
	    HEAD "  exportTo: [., b]\n" HTTP,
	    RULE "    mirrors: [{destination: {host: b}}]\n",
	    RULE "    fault: {abort: {percentage: {value: '5'}}}\n",
	    RULE "    corsPolicy: {unmatchedPreflights: 1}\n",
	    RULE "    headers: {request: {add: {a: '%REQ([\"x\"])%'}}}\n",
	    RULE "    headers: {request: {add: {'a b': c}}}\n",
	    VS "  hosts: ['*.b']\n  tls: [{match: [{sniHosts: [a.b],"
	       " destinationSubnets: ['::1', 10.0.0.0/8]}], " GOES "}]\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(right); i++)
		expect_quiet(right[i]);
}

TEST(what_is_unwise_is_warned_about)
{
	expect_warning(RULE "    mirror_percent: 5\n",
	    "spec.http[0].mirror_percent", "write mirrorPercentage");
	expect_warning(HEAD "  gateways: [g.n.svc]\n" HTTP, "spec.gateways[0]",
	    "write \"n/g\"");
	expect_warning(HEAD "  tls: [{match: [{sniHosts: [10.0.0.1]}], " GOES
			    "}]\n",
	    "spec.tls[0].match[0].sniHosts[0]", "is an address");
	expect_warning(RULE
	    "    headers: {request: {set: {a: '%UPSTREAM_HOTS%'}}}\n",
	    "spec.http[0].headers.request.set[\"a\"]",
	    "did you mean \"UPSTREAM_HOST\"?");
	expect_warning(RULE "    headers: {request: {set: {a: '%REQ%'}}}\n",
	    "spec.http[0].headers.request.set[\"a\"]", "left out");
}

TEST(rules_that_nothing_reaches_are_warned_about)
{
	static const struct {
		const char *http;
		const char *field;
		const char *words;
	} rows[] = {
	    {"[{" GOES "}, {" GOES "}]", "spec.http[1]",
		"only the last rule can have no matches"},
	    {"[{" GOES "}, {match: [{port: 1}], " GOES "}]", "spec.http[1]",
		"route without matches defined before"},
	    {"[{match: [{port: 1}], " GOES
	     "}, {match: [{port: 1, name: m}], " GOES "}]",
		"spec.http[1]", "all matches used by prior rules"},
	    {"[{match: [{port: 1}], name: r, " GOES
	     "}, {match: [{port: 2}, {port: 1, name: m}], " GOES "}]",
		"spec.http[1].match[1]",
		"rule #1 match \"m\" is not used (duplicate/overlapping match "
		"in rule \"r\")"},
	    {"[{match: [{port: 1}, {port: 1, queryParams: {}}], " GOES "}]",
		"spec.http[0].match[1]", "duplicate/overlapping"},
	    {"[{match: [{uri: {prefix: /a}}], " GOES
	     "}, {match: [{uri: {prefix: /a/b}}], " GOES "}]",
		"spec.http[1].match[0]", "match #0 of prefix /a/b"},
	};
	char text[1024];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)snprintf(
		    text, sizeof(text), HEAD "  http: %s\n", rows[i].http);
		expect_warning(text, rows[i].field, rows[i].words);
	}
	expect_warning(HEAD "  tcp: [{" GOES "}, {" GOES "}]\n", "spec.tcp[1]",
	    "only the last");
}

TEST(matches_that_differ_are_all_reached)
{
	static const char *const http[] = {
	    "[{match: [{uri: {prefix: /a/b}}], " GOES
	    "}, {match: [{uri: {prefix: /a}}], " GOES "}]",
	    "[{match: [{uri: {prefix: /a}, method: {exact: POST}}], " GOES
	    "}, {match: [{uri: {prefix: /a/b}}], " GOES "}]",
	    "[{match: [{uri: {prefix: /a}, headers: {x: {exact: y}}}], " GOES
	    "}, {match: [{uri: {prefix: /a/b}}], " GOES "}]",
	    "[{match: [{headers: {a: {}, b: {}}}], " GOES
	    "}, {match: [{headers: {a: {}}}], " GOES "}, {" GOES "}]",
	};
	char text[1024];

	for (size_t i = 0; i < ARRAY_LEN(http); i++) {
		(void)snprintf(
		    text, sizeof(text), HEAD "  http: %s\n", http[i]);
		expect_quiet(text);
	}
}

TEST(of_two_tests_of_one_text_the_later_counts)
{
	AUTO(loaded_fini) struct loaded l;
	const struct string_match *m;

	load(MATCH("uri: {prefix: /a, exact: /b}"), NULL, &l);
	EXPECT_EQ(l.count, 1);
	m = resource_virtual_service(l.items[0])
		->http.items[0]
		.match.items[0]
		.uri;
	EXPECT_SLICE(m->prefix, S("/a"));
	EXPECT_EQ(m->exact.len, 0);
	EXPECT_EQ(l.found.inert.count, 1);
	EXPECT_STR(
	    l.found.inert.items[0].field, "spec.http[0].match[0].uri.exact");
}

TEST(what_cannot_be_read_is_not_judged_further)
{
	AUTO(loaded_fini) struct loaded l;

	load(HEAD "  http: [{" GOES "}, {" GOES "}]\n  exportTo: {}\n", NULL,
	    &l);
	EXPECT_EQ(l.found.errors.count, 1);
	EXPECT_EQ(l.found.warnings.count, 0);
}

TEST(what_nothing_acts_on_is_told)
{
	static const struct {
		const char *yaml;
		const char *field;
		const char *id;
	} rows[] = {
	    {RULE "    retries: {attempts: 1, retryRemoteLocalities: true}\n",
		"spec.http[0].retries.retryRemoteLocalities", "MSH0001"},
	    {RULE
		"    headers: {request: {set: {a: '%DYNAMIC_METADATA(x)%'}}}\n",
		"spec.http[0].headers.request.set[\"a\"]", "MSH0001"},
	    {HEAD "  tcp: [{match: [{sourceSubnet: '::1'}], " GOES "}]\n",
		"spec.tcp[0].match[0].sourceSubnet", "MSH0001"},
	    {VS "  hosts: ['*-a.b']\n" HTTP, "spec.hosts[0]", "MSH0001"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_inert(rows[i].yaml, rows[i].field, rows[i].id);
	expect_in_force(HEAD "  gateways: [mesh]\n  exportTo: ['*']\n" HTTP);
	expect_in_force(HEAD "  gateways: [mesh, g]\n" HTTP);
	expect_in_force(MATCH("gateways: [g]"));
	expect_in_force(
	    HEAD "  gateways: [g]\n"
		 "  tls: [{match: [{sniHosts: [reviews]}], " GOES "}]\n");
	expect_in_force(MATCH("uri: {prefix: /a}, ignoreUriCase: false"));
	expect_in_force(
	    RULE "    headers: {request: {set: {a: '%REQ(x)%'}}}\n");
	expect_in_force(RULE "    mirror: {host: b}\n    mirrorPercentage: "
			     "{value: 5}\n");
	expect_in_force(RULE "    mirrors: [{destination: {host: b}}]\n");
	expect_in_force(RULE "    corsPolicy: {}\n");
	expect_in_force(RULE "    fault: {delay: {fixedDelay: 1s}}\n");
	expect_in_force(ALONE("redirect: {uri: /a}"));
	expect_in_force(ALONE("directResponse: {status: 200}"));
	expect_in_force(
	    RULE "    retries: {attempts: 1, backoff: 1s, "
		 "retryIgnorePreviousHosts: false}\n"
		 "    rewrite: {uriRegexRewrite: {match: a, rewrite: b}}\n");
}

TEST(everything_comes_back_as_it_was)
{
	expect_round_trip(VS
	    "  hosts: [a.b, '*.c']\n  gateways: [mesh, ns/g]\n"
	    "  exportTo: ['*']\n  http:\n"
	    "  - name: r\n    match:\n"
	    "    - {name: m, uri: {regex: /a.*}, ignoreUriCase: true,\n"
	    "       withoutHeaders: {x: {}}, queryParams: {q: {exact: ''}},\n"
	    "       sourceLabels: {a: b}, sourceNamespace: n, port: 80,\n"
	    "       gateways: [ns/g], statPrefix: s}\n"
	    "    rewrite: {uriRegexRewrite: {match: a, rewrite: '\\1'}}\n"
	    "    fault: {delay: {percentage: {value: 0.5}, fixedDelay: 5s},\n"
	    "      abort: {percentage: {value: 10}, httpStatus: 503}}\n"
	    "    mirrors: [{destination: {host: m}, percentage: {value: 1}}]\n"
	    "    corsPolicy: {allowOrigins: [{exact: o}], maxAge: 24h,\n"
	    "      allowCredentials: false, unmatchedPreflights: IGNORE}\n"
	    "    retries: {attempts: 3, backoff: 25ms,\n"
	    "      retryRemoteLocalities: true}\n"
	    "    route: [{destination: {host: a, port: {number: 80}}}]\n"
	    "  - redirect: {prefixRewrite: /, derivePort: FROM_REQUEST_PORT,\n"
	    "      redirectCode: 308}\n"
	    "  - directResponse: {status: 404, body: {bytes: aGk=}}\n"
	    "  - delegate: {name: d, namespace: e}\n"
	    "  tls:\n  - match: [{sniHosts: [a.b], port: 443}]\n"
	    "    route: [{destination: {host: a}}]\n"
	    "  tcp:\n  - match: [{destinationSubnets: [10.0.0.0/8]}]\n"
	    "    route: [{destination: {host: a}, weight: 5}]\n");
}
