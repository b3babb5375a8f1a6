/* SPDX-License-Identifier: Apache-2.0 */
/*
 * by_rule — redirects and responses that a rule says.
 */
#include "scene.h"
#include "unit.h"

#include <stdio.h>

#define VS                                                                     \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
#define WEB "route: [{destination: {host: web}}]"

static bool
has(const struct scene *s, const char *line)
{
	return head_has(s->reply.head, line);
}

TEST(a_redirect_says_where_to_go)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS
	    "  - {match: [{uri: {prefix: /old/}}], redirect: {prefixRewrite: "
	    "/new/, scheme: https, redirectCode: 308}, headers: {response: "
	    "{set: {x-by: rule}}}}\n  - {" WEB "}\n");

	for (int i = 0; i < 2; i++) {
		scene_ask(s, "GET /old/a?b=c HTTP/1.1\r\nHost: web:80\r\n\r\n");
		EXPECT_EQ(s->reply.status, 308);
		EXPECT_TRUE(has(s, "location: https://web/new/a?b=c"));
		EXPECT_TRUE(has(s, "content-length: 0"));
		EXPECT_TRUE(has(s, "x-by: rule"));
		EXPECT_TRUE(strstr(s->reply.head, "proxy-status") == NULL);
	}
	EXPECT_EQ(rig_record(s->rig, 1).flag, FLOW_OK);
	EXPECT_EQ(rig_record(s->rig, 1).status, 308);
	EXPECT_EQ(atomic_load(&s->server.requests), 0);
	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 200);
	scene_free(&s);
}

TEST(a_response_has_the_rules_body)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {match: [{uri: {prefix: /204}}], directResponse: {status: "
	       "204, body: {string: never}}}\n"
	       "  - {directResponse: {status: 418, body: {string: teapot}}, "
	       "headers: {response: {set: {content-type: a/b}}}}\n");

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 418);
	EXPECT_SLICE(buf_slice(&s->reply.body), S("teapot"));
	EXPECT_TRUE(has(s, "content-type: a/b"));
	EXPECT_EQ(rig_record(s->rig, 0).sent, 6);
	EXPECT_TRUE(
	    wire_say(&s->client, "HEAD / HTTP/1.1\r\nHost: web\r\n\r\n"));
	reply_fini(&s->reply);
	reply_read(&s->client, "HEAD", &s->reply);
	EXPECT_TRUE(has(s, "content-length: 6"));
	EXPECT_EQ(rig_record(s->rig, 1).sent, 0);
	scene_ask(s, "GET /204 HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 204);
	EXPECT_TRUE(strstr(s->reply.head, "content-length") == NULL);
	scene_ask(s, GET_WEB); /* the connection is in step */
	EXPECT_EQ(s->reply.status, 418);
	scene_free(&s);
}

/* Nobody reads the rest of the request, so that its connection ends. */
TEST(an_answer_before_the_end_of_a_request_is_the_last)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {directResponse: {status: 403, body: {string: no}}}\n");

	scene_ask(s, "POST / HTTP/1.1\r\nHost: web\r\n"
		     "Content-Length: 500000\r\n\r\nhello");
	EXPECT_EQ(s->reply.status, 403);
	EXPECT_SLICE(buf_slice(&s->reply.body), S("no"));
	EXPECT_TRUE(has(s, "connection: close"));
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}

enum { LARGE = 900000 };

static struct scene *
with_large_body(void)
{
	AUTO(buf_fini) struct buf yaml = BUF(2 * LARGE);

	EXPECT_OK(buf_printf(
	    &yaml, VS "  - {directResponse: {status: 200, body: {string: "));
	for (int i = 0; i < LARGE; i++)
		EXPECT_OK(buf_add_byte(&yaml, (uint8_t)('a' + i % 26)));
	EXPECT_OK(buf_add(&yaml, "}}}\n", 5)); /* with the zero */
	return scene_with(serve_ok, NULL, buf_slice(&yaml).ptr);
}

TEST(a_large_body_waits_for_a_slow_reader)
{
	struct scene *s = with_large_body();

	/* More than any buffer between us holds. */
	for (int i = 0; i < 20; i++)
		EXPECT_TRUE(wire_say(&s->client, GET_WEB));
	for (int i = 0; i < 20; i++) {
		reply_fini(&s->reply);
		reply_read(&s->client, "GET", &s->reply);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_EQ(buf_len(&s->reply.body), LARGE);
		EXPECT_EQ(buf_slice(&s->reply.body).ptr[LARGE - 1],
		    'a' + (LARGE - 1) % 26);
		EXPECT_EQ(rig_record(s->rig, (size_t)i).sent, LARGE);
	}
	scene_free(&s);
}

TEST(a_reader_that_goes_away_leaves_nothing)
{
	struct scene *s = with_large_body();

	for (int i = 0; i < 20; i++)
		EXPECT_TRUE(wire_say(&s->client, GET_WEB));
	wire_reset(&s->client);
	rig_list(s->rig);
	RIG_UNTIL(s->rig, (rig_list(s->rig), s->rig->conn_count == 0));
	scene_free(&s);
}
