/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes — what rules change in requests and answers on their way.
 */
#include "scene.h"
#include "unit.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define VS                                                                     \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
#define WEB "destination: {host: web}"

/* What the service says that it got. */
static void
expect_arrives(const char *yaml, const char *fields, const char *wanted,
    const char *unwanted)
{
	struct scene *s = scene_with(serve_echo, NULL, yaml);
	AUTO(buf_fini) struct buf request = BUF(1024);

	EXPECT_OK(buf_printf(&request,
	    "GET /a/b?c HTTP/1.1\r\nHost: web\r\n%s\r\n%c", fields, 0));
	scene_ask(s, buf_slice(&request).ptr);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(body_has(&s->reply, wanted));
	EXPECT_FALSE(body_has(&s->reply, unwanted));
	scene_free(&s);
}

/* Nobody makes it yet, and the service may believe what is there. */
TEST(a_value_that_is_not_made_is_not_the_clients)
{
	expect_arrives(VS "  - headers: {request: {set: {x-user: "
			  "'%DOWNSTREAM_PEER_URI_SAN%', x-b: '50%%'}}}\n"
			  "    route: [{" WEB "}]\n",
	    "x-user: admin\r\n", "x-b: 50%\r\n", "x-user");
}

TEST(headers_go_before_others_come)
{
	expect_arrives(VS "  - headers: {request: {remove: [x-a], set: {x-a: "
			  "new}}}\n    route: [{" WEB "}]\n",
	    "x-a: old\r\n", "x-a: new\r\n", "old");
}

TEST(the_only_destination_has_the_last_word)
{
	expect_arrives(VS "  - headers: {request: {set: {x-a: route}}}\n"
			  "    route: [{" WEB
			  ", headers: {request: {set: {x-a: destination}}}}]\n",
	    "", "x-a: destination\r\n", "x-a: route");
}

TEST(of_several_destinations_the_route_has_it)
{
	expect_arrives(VS "  - headers: {request: {set: {x-a: route}}}\n"
			  "    route:\n    - {" WEB ", weight: 1, headers: "
			  "{request: {set: {x-a: destination, host: d.e}}}}\n"
			  "    - {" WEB ", weight: 0}\n",
	    "", "host: d.e\r\n", "x-a: destination");
}

TEST(a_path_is_rewritten_by_an_expression)
{
	expect_arrives(VS "  - rewrite: {uriRegexRewrite: {match: '^/a/(.*)', "
			  "rewrite: '/\\1/\\1'}}\n    route: [{" WEB "}]\n",
	    "", "GET /b/b?c HTTP/1.1\r\n", "GET /a/");
}

TEST(what_was_asked_for_is_told_behind_a_rewrite)
{
	expect_arrives(VS "  - match: [{uri: {prefix: /a}}]\n"
			  "    rewrite: {uri: /n, authority: n.o}\n"
			  "    route: [{" WEB "}]\n",
	    "x-envoy-original-path: /mine\r\n",
	    "x-envoy-original-path: /a/b?c\r\n", "/mine");
	expect_arrives(VS "  - rewrite: {authority: n.o}\n"
			  "    route: [{" WEB "}]\n",
	    "", "x-envoy-original-host: web\r\n", "original-path");
}

/* --- what a service is told of the try ------------------------------------ */

TEST(a_service_is_told_which_try_it_is)
{
	expect_arrives(VS "  - {route: [{" WEB "}]}\n",
	    "x-envoy-attempt-count: 5\r\n", "x-envoy-attempt-count: 1\r\n",
	    "expected-rq-timeout-ms");
	expect_arrives(VS "  - {headers: {request: {remove: "
			  "[x-envoy-attempt-count]}}, route: [{" WEB "}]}\n",
	    "x-envoy-attempt-count: 5\r\n", "host: web\r\n", "attempt-count");
}

TEST(a_service_is_told_how_long_it_has)
{
	expect_arrives(VS "  - {timeout: 3s, route: [{" WEB "}]}\n", "",
	    "x-envoy-expected-rq-timeout-ms: 3000\r\n", "no such text");
	expect_arrives(VS "  - {timeout: 3s, retries: {attempts: 1, "
			  "perTryTimeout: 500ms}, route: [{" WEB "}]}\n",
	    "", "x-envoy-expected-rq-timeout-ms: 500\r\n", "3000");
	expect_arrives(VS "  - {retries: {attempts: 1, perTryTimeout: "
			  "500ms}, route: [{" WEB "}]}\n",
	    "", "x-envoy-expected-rq-timeout-ms: 500\r\n", "3000");
}

/* Others that begin so are a service's business. */
TEST(a_client_does_not_steer_a_proxy_behind)
{
	expect_arrives(NULL,
	    "x-envoy-retry-on: steer\r\nX-Envoy-Max-Retries: steer\r\n"
	    "x-envoy-upstream-rq-timeout-ms: steer\r\n"
	    "x-envoy-expected-rq-timeout-ms: steer\r\n"
	    "x-envoy-max-retries: steer\r\nx-envoy-peer-metadata: p\r\n",
	    "x-envoy-peer-metadata: p\r\n", "steer");
}

/* --- values that are computed --------------------------------------------- */

/* x-it is set to the value; it arrives so, or is the client's own. */
static void
expect_made(const char *value, const char *fields, const char *wanted)
{
	AUTO(buf_fini) struct buf yaml = BUF(4096);
	AUTO(buf_fini) struct buf line = BUF(4096);

	EXPECT_OK(buf_printf(&yaml,
	    VS "  - name: one\n    headers: {request: {set: {x-it: '%s'}}}\n"
	       "    route: [{" WEB "}]\n%c",
	    value, 0));
	EXPECT_OK(buf_printf(&line, "x-it: %s\r\n%c", wanted, 0));
	expect_arrives(
	    buf_slice(&yaml).ptr, fields, buf_slice(&line).ptr, "no such text");
}

TEST(a_value_is_made_of_what_the_request_is)
{
	static const struct {
		const char *value;
		const char *fields;
		const char *wanted;
	} rows[] = {
	    {"by %REQ(X-Who)%, 100%%", "x-who: me\r\n", "by me, 100%"},
	    /* The first of several; the other name if there is none. */
	    {"%REQ(x-who)%", "x-who: me\r\nx-who: you\r\n", "me"},
	    {"%REQ(x-none?x-who)%", "x-who: me\r\n", "me"},
	    {"%REQ(x-who?x-none)%", "x-who: me\r\n", "me"},
	    {"%REQ(:METHOD)% %REQ(:path)% %REQ(:AUTHORITY)% %REQ(host)%", "",
		"GET /a/b?c web web"},
	    {"[%REQ(x-none)%]", "", "[]"},
	    {"%RESP(x-who)%.%TRAILER(x-who)%", "x-who: me\r\n", "."},
	    {"%QUERY_PARAM(c)%/%QUERY_PARAM(d)%", "", "/"},
	    {"%PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% "
	     "%RESPONSE_CODE_DETAILS%.",
		"", "HTTP/1.1 0 - ."},
	    {"%ROUTE_NAME% %UPSTREAM_CLUSTER%", "",
		"one outbound|80||web.default.svc.cluster.local"},
	    {"%UPSTREAM_REQUEST_ATTEMPT_COUNT%%UPSTREAM_HOST%"
	     "%UPSTREAM_LOCAL_PORT%.",
		"", "1."},
	    {"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% "
	     "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% "
	     "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
		"", "127.0.0.1 127.0.0.1 127.0.0.1"},
	    {"%DOWNSTREAM_REMOTE_ADDRESS%",
		"x-forwarded-for: 9.9.9.9, 8.8.8.8\r\n", "8.8.8.8:0"},
	    {"%DOWNSTREAM_REMOTE_ADDRESS%", "x-forwarded-for: ::1\r\n",
		"[::1]:0"},
	    {"%DOWNSTREAM_REMOTE_PORT%", "x-forwarded-for: x, 8.8.8.8\r\n",
		"0"},
	    {"%STREAM_ID%", "x-request-id: abc\r\n", "abc"},
	    {"%START_TIME(%%)%", "", "%"},
	    {"%BYTES_RECEIVED%/%BYTES_SENT%/%REQUESTED_SERVER_NAME%", "",
		"0/0/"},
	    /* Nothing is as good as no change at all. */
	    {"%REQ(x-none)%", "x-it: mine\r\n", "mine"},
	    {"", "x-it: mine\r\n", "mine"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_made(rows[i].value, rows[i].fields, rows[i].wanted);
}

/* What the service says that x-it was. */
static void
value_of(const char *format, char out[256])
{
	AUTO(buf_fini) struct buf yaml = BUF(4096);
	struct scene *s;
	const char *at;

	EXPECT_OK(buf_printf(&yaml,
	    VS "  - {headers: {request: {set: {x-it: '%s'}}}, route: [{" WEB
	       "}]}\n%c",
	    format, 0));
	s = scene_with(serve_echo, NULL, buf_slice(&yaml).ptr);
	scene_ask(s, GET_WEB);
	EXPECT_OK(buf_add_byte(&s->reply.body, 0));
	at = strstr(buf_slice(&s->reply.body).ptr, "x-it: ");
	EXPECT_TRUE(at != NULL);
	(void)snprintf(out, 256, "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
	scene_free(&s);
}

TEST(a_time_is_written_as_its_format_says)
{
	char got[256], wanted[256], date[64];
	int ms, ms2, us, ns;
	long long at;
	struct tm tm;
	time_t t;

	value_of("%START_TIME(%s)% %START_TIME(%3f %6f %f)% %START_TIME(%F "
		 "%H:%M:%S)%",
	    got);
	EXPECT_EQ(sscanf(got, "%lld %3d %6d %9d", &at, &ms, &us, &ns), 4);
	t = (time_t)at;
	EXPECT_TRUE(t >= time(NULL) - 60 && t <= time(NULL));
	EXPECT_EQ(us, ms * 1000);
	EXPECT_EQ(ns, ms * 1000000);
	EXPECT_TRUE(gmtime_r(&t, &tm) != NULL);
	EXPECT_TRUE(strftime(date, sizeof(date), "%F %H:%M:%S", &tm) > 0);
	EXPECT_STR(got + strlen(got) - strlen(date), date);
	/* RFC 3339 if nothing is said; a letter that is none is nothing. */
	value_of("%START_TIME(%Y)%%START_TIME(%Q)%-x %START_TIME%", got);
	EXPECT_EQ(sscanf(got, "%4d-x %4d-", &ms, &ms2), 2);
	EXPECT_EQ(ms, ms2);
	EXPECT_EQ(got[strlen(got) - 1], 'Z');
	EXPECT_EQ(gethostname(wanted, sizeof(wanted)), 0);
	value_of("%HOSTNAME%", got);
	EXPECT_STR(got, wanted);
	value_of("%CONNECTION_ID%", got);
	EXPECT_EQ(strspn(got, "0123456789"), strlen(got));
}

TEST(a_value_sees_the_head_before_any_change)
{
	expect_arrives(VS
	    "  - headers: {request: {remove: [x-gone], set: {x-a: "
	    "new, x-b: '%REQ(x-a)%', x-c: '<%REQ(x-gone)%>'}, "
	    "add: {x-a: '%REQ(x-a)%'}}}\n    route: [{" WEB "}]\n",
	    "x-a: old\r\nx-gone: g\r\n", "x-b: old\r\nx-c: <>\r\nx-a: old\r\n",
	    "x-gone: g");
}

/* What the client gets for a request to this rule. */
static void
expect_answer(
    const char *rule, int status, const char *line, const char *unwanted)
{
	AUTO(buf_fini) struct buf yaml = BUF(4096);
	struct scene *s;

	EXPECT_OK(buf_printf(&yaml, VS "  - {%s}\n%c", rule, 0));
	s = scene_with(serve_ok, NULL, buf_slice(&yaml).ptr);
	scene_ask(s, "GET /a?q=7 HTTP/1.1\r\nHost: web\r\nx-a: me\r\n\r\n");
	EXPECT_EQ(s->reply.status, status);
	EXPECT_TRUE(head_has(s->reply.head, line));
	EXPECT_TRUE(
	    unwanted == NULL || strstr(s->reply.head, unwanted) == NULL);
	scene_free(&s);
}

#define ANSWERS(op, fields) "headers: {response: {" op ": {" fields "}}}, "

TEST(an_answer_is_told_what_became_of_its_request)
{
	expect_answer(ANSWERS("set", "x-it: '%REQ(x-a)% %RESP(content-length)% "
				     "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% "
				     "%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% "
				     "%QUERY_PARAM(q)%'") "route: [{" WEB "}]",
	    200, "x-it: me 3 200 via_upstream 127.0.0.1 7", NULL);
	expect_answer(ANSWERS("add", "content-length: '9'") "route: [{" WEB
							    "}]",
	    200, "content-length: 3", "content-length: 9");
}

TEST(our_own_answers_are_changed_too)
{
	expect_answer(ANSWERS("set", "x-it: '%REQ(x-a)% %RESPONSE_CODE%', "
				     "content-type: a/b") "directResponse: "
							  "{status: 418}",
	    418, "x-it: me 418", NULL);
	expect_answer(
	    ANSWERS("set",
		"x-it: '%RESPONSE_FLAGS%'") "route: "
					    "[{destination: {host: gone}}]",
	    503, "x-it: NC", NULL);
}

TEST(a_value_that_is_too_long_is_no_reason_to_fail)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {match: [{uri: {prefix: /gone}}], "
	       "headers: {response: {set: {x-a: '%REQ(x-a)%%REQ(x-a)%'}}}, "
	       "route: [{destination: {host: gone}}]}\n"
	       "  - {headers: {request: {set: {x-b: '%REQ(x-a)%'}}}, "
	       "route: [{" WEB "}]}\n");
	AUTO(buf_fini) struct buf request = BUF(1 << 17);

	for (int i = 0; i < 2; i++) {
		buf_reset(&request);
		EXPECT_OK(buf_printf(&request,
		    "GET /%s HTTP/1.1\r\nHost: "
		    "web\r\nx-a: ",
		    i == 0 ? "gone" : ""));
		for (int k = 0; k < 40000; k++)
			EXPECT_OK(buf_add_byte(&request, 'a'));
		EXPECT_OK(buf_printf(&request, "\r\n\r\n%c", 0));
		scene_ask(s, buf_slice(&request).ptr);
		EXPECT_EQ(s->reply.status, i == 0 ? 503 : 431);
		EXPECT_TRUE(strstr(s->reply.head, "x-a:") == NULL);
	}
	scene_free(&s);
}
