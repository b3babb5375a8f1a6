/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cors — browsers of other origins. What is expected is what Envoy 1.40 said
 * to the same policies and requests.
 */
#include "scene.h"
#include "unit.h"

#define VS                                                                     \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
#define WEB "route: [{destination: {host: web}}]"
#define POLICY                                                                 \
	"allowOrigins: [{exact: 'http://a.com'}, {prefix: 'http://b'}, "       \
	"{regex: 'http://c[0-9]+'}], allowMethods: [GET, POST], "              \
	"allowHeaders: [x-a, x-b], exposeHeaders: [x-e], maxAge: 10m, "        \
	"allowCredentials: true"
#define FULL VS "  - {corsPolicy: {" POLICY "}, " WEB "}\n"

/* A request with this method, origin and more fields. */
static void
call(struct scene *s, const char *method, const char *origin, const char *more)
{
	AUTO(buf_fini) struct buf request = BUF(1024);

	EXPECT_OK(buf_printf(&request,
	    "%s / HTTP/1.1\r\nHost: web\r\n%s%s%s%s\r\n%c", method,
	    origin != NULL ? "Origin: " : "", origin != NULL ? origin : "",
	    origin != NULL ? "\r\n" : "", more, 0));
	scene_ask(s, buf_slice(&request).ptr);
}

#define ASKS "Access-Control-Request-Method: POST\r\n"

static void
preflight(struct scene *s, const char *origin)
{
	call(s, "OPTIONS", origin, ASKS);
}

static bool
says(const struct scene *s, const char *line)
{
	return head_has(s->reply.head, line);
}

static bool
says_any(const struct scene *s)
{
	return strstr(s->reply.head, "access-control-") != NULL;
}

TEST(a_preflight_is_answered_here)
{
	struct scene *s = scene_with(serve_ok, NULL, FULL);

	for (size_t i = 0; i < 2; i++) { /* the connection stays in step */
		preflight(s, "http://a.com");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_EQ(buf_len(&s->reply.body), 0);
		EXPECT_TRUE(
		    says(s, "access-control-allow-origin: http://a.com"));
		EXPECT_TRUE(says(s, "access-control-allow-credentials: true"));
		EXPECT_TRUE(says(s, "access-control-allow-methods: GET,POST"));
		EXPECT_TRUE(says(s, "access-control-allow-headers: x-a,x-b"));
		EXPECT_TRUE(says(s, "access-control-max-age: 600"));
		EXPECT_TRUE(says(s, "access-control-expose-headers: x-e"));
		EXPECT_EQ(rig_record(s->rig, i).status, 200);
		EXPECT_EQ(rig_record(s->rig, i).flag, FLOW_OK);
	}
	EXPECT_EQ(atomic_load(&s->server.requests), 0);
	scene_free(&s);
}

TEST(an_answer_is_marked_for_those_who_may_read_it)
{
	static const struct {
		const char *origin;
		bool may;
	} rows[] = {
	    {"http://a.com", true},
	    {"http://b.example", true},
	    {"http://c12", true},
	    {"http://a.com:8080", false},
	    {"http://A.com", false},
	    {"http://c1x", false},
	    {"null", false},
	    {"", false},
	};
	struct scene *s = scene_with(serve_ok, NULL, FULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		call(s, "GET", rows[i].origin, "");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_SLICE(buf_slice(&s->reply.body), S("ok\n"));
		EXPECT_EQ(says_any(s), rows[i].may);
		if (!rows[i].may)
			continue;
		EXPECT_TRUE(says(s, "access-control-allow-credentials: true"));
		EXPECT_TRUE(says(s, "access-control-expose-headers: x-e"));
		EXPECT_FALSE(says(s, "access-control-max-age: 600"));
	}
	EXPECT_TRUE(atomic_load(&s->server.requests) == ARRAY_LEN(rows));
	scene_free(&s);
}

/* Without a method that is asked for, OPTIONS is a request like any other. */
TEST(what_is_no_preflight_is_sent_on)
{
	struct scene *s = scene_with(serve_ok, NULL, FULL);

	call(s, "OPTIONS", "http://a.com", "");
	EXPECT_TRUE(says(s, "access-control-allow-origin: http://a.com"));
	call(s, "OPTIONS", NULL, ASKS);
	EXPECT_FALSE(says_any(s));
	call(s, "GET", "http://a.com", ASKS);
	EXPECT_TRUE(says(s, "access-control-allow-origin: http://a.com"));
	EXPECT_EQ(atomic_load(&s->server.requests), 3);
	scene_free(&s);
}

TEST(a_preflight_of_another_origin_is_the_services_or_nobodys)
{
	static const char *const policies[] = {"",
	    ", unmatchedPreflights: "
	    "FORWARD",
	    ", unmatchedPreflights: IGNORE"};

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		AUTO(buf_fini) struct buf yaml = BUF(4096);
		struct scene *s;

		EXPECT_OK(buf_printf(&yaml,
		    VS "  - {corsPolicy: {" POLICY "%s}, " WEB "}\n%c",
		    policies[i], 0));
		s = scene_with(serve_ok, NULL, buf_slice(&yaml).ptr);
		preflight(s, "http://other.com");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_EQ(atomic_load(&s->server.requests), i < 2 ? 1 : 0);
		EXPECT_EQ(says_any(s), i == 2);
		EXPECT_TRUE(strstr(s->reply.head,
				"access-control-allow-origin") == NULL);
		EXPECT_TRUE(strstr(s->reply.head, "expose") == NULL);
		EXPECT_EQ(
		    says(s, "access-control-allow-methods: GET,POST"), i == 2);
		scene_free(&s);
	}
}

TEST(a_star_is_everybody)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {corsPolicy: {allowOrigins: [{exact: '*'}]}, " WEB "}\n");

	call(s, "GET", "http://who.ever", "");
	EXPECT_TRUE(says(s, "access-control-allow-origin: http://who.ever"));
	EXPECT_TRUE(strstr(s->reply.head, "credentials") == NULL);
	preflight(s, "http://who.ever");
	EXPECT_TRUE(says(s, "access-control-allow-origin: http://who.ever"));
	EXPECT_TRUE(strstr(s->reply.head, "methods") == NULL);
	EXPECT_TRUE(says(s, "content-length: 0"));
	scene_free(&s);
}

/* The rule's own words come first, the policy's last. */
TEST(the_policy_has_the_last_word)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {corsPolicy: {" POLICY "}, headers: {response: {set: "
	       "{access-control-allow-origin: mine, x-by: rule}}}, " WEB "}\n");

	call(s, "GET", "http://a.com", "");
	EXPECT_TRUE(says(s, "access-control-allow-origin: http://a.com"));
	EXPECT_TRUE(says(s, "x-by: rule"));
	call(s, "GET", "http://other.com", "");
	EXPECT_TRUE(says(s, "access-control-allow-origin: mine"));
	preflight(s, "http://a.com");
	EXPECT_TRUE(says(s, "access-control-allow-origin: http://a.com"));
	EXPECT_FALSE(says(s, "x-by: rule"));
	scene_free(&s);
}

/* A page has to be able to read why it failed. */
TEST(our_own_answers_are_marked_too)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {match: [{uri: {prefix: /}, method: {exact: PUT}}], "
	       "corsPolicy: {" POLICY "}, fault: {abort: {httpStatus: 500, "
	       "percentage: {value: 100}}}, " WEB "}\n"
	       "  - {corsPolicy: {" POLICY "}, route: [{destination: {host: "
	       "gone}}]}\n");

	call(s, "PUT", "http://a.com", "");
	EXPECT_EQ(s->reply.status, 500);
	EXPECT_TRUE(says(s, "access-control-allow-origin: http://a.com"));
	call(s, "GET", "http://a.com", "");
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_TRUE(says(s, "access-control-allow-origin: http://a.com"));
	preflight(s, "http://a.com");
	EXPECT_EQ(s->reply.status, 200);
	scene_free(&s);
}

TEST(a_rule_that_answers_has_no_policy)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {corsPolicy: {" POLICY "}, directResponse: {status: "
	       "418}}\n");

	preflight(s, "http://a.com");
	EXPECT_EQ(s->reply.status, 418);
	EXPECT_FALSE(says_any(s));
	scene_free(&s);
}
