/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_rules — who speaks which version, and what never crosses over.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <poll.h>

#define VS                                                                     \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
#define RULE                                                                   \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: web}\nspec: {host: web, trafficPolicy: "             \
	"{connectionPool: {http: "
#define RULE_END "}}}\n"

static const struct way both = {.down2 = true, .up2 = true};

static bool
has(const struct duo *d, const char *line)
{
	return head_has(d->reply.head, line);
}

/* --- the first bytes --- */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0";

/* Each byte in a read of its own, as far as that can be had. */
static void
dribble(struct wire *w, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		EXPECT_TRUE(wire_send(w, slice_sub(bytes, i, 1)));
		(void)poll(NULL, 0, /* ms */ 1);
	}
}

TEST(a_preface_may_come_byte_by_byte)
{
	struct duo *d = duo_new(both, serve_mirror, NULL, NULL);
	struct addr at = rig_addr(d->rig, "web");
	struct slice got;
	struct wire w = wire_dial(&at);

	dribble(&w, slice_of(preface, sizeof(preface) - 1));
	EXPECT_TRUE(wire_take(&w, 9, &got)); /* SETTINGS */
	EXPECT_EQ(got.ptr[3], 4);
	wire_close(&w);
	duo_free(&d);
}

TEST(a_request_may_begin_like_a_preface)
{
	static const char *const requests[] = {
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n",
	    "PRI / HTTP/1.1\r\nHost: web\r\n\r\n",
	    "PRI * HTTP/1.1\r\nHost: web\r\n\r\n",
	    "PUT / HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n",
	};
	struct duo *d =
	    duo_new((struct way){.up2 = true}, serve_mirror, NULL, NULL);
	struct addr at = rig_addr(d->rig, "web");

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		AUTO(mem_free) struct reply *reply = mem_new(sizeof(*reply));
		struct wire w = wire_dial(&at);
		bool known = i == 0 || i == 3;

		dribble(&w, slice_str(requests[i]));
		reply_read(&w, "POST", reply);
		EXPECT_EQ(reply->status == 200, known);
		wire_close(&w);
		reply_fini(reply);
	}
	duo_free(&d);
}

/* Half a preface is no request: its connection ends without a word. */
TEST(half_a_preface_leaves_nothing)
{
	struct duo *d = duo_new(both, serve_mirror, NULL, NULL);
	struct addr at = rig_addr(d->rig, "web");

	for (size_t i = 1; i < 24; i += 5) {
		struct wire w = wire_dial(&at);

		EXPECT_TRUE(wire_send(&w, slice_of(preface, i)));
		wire_shut(&w);
		EXPECT_TRUE(wire_is_over(&w));
		wire_close(&w);
	}
	EXPECT_EQ(rig_records(d->rig), 0);
	duo_free(&d);
}

/* --- what concerns one connection --- */

TEST(what_concerns_a_connection_of_http1_reaches_no_stream)
{
	struct duo *d = duo_new((struct way){.down2 = true}, serve_text,
	    "HTTP/1.1 200 OK\r\nconnection: close, x-hop\r\nx-hop: 1\r\n"
	    "keep-alive: 5\r\nproxy-connection: x\r\nx-end: 1\r\n"
	    "content-length: 2\r\n\r\nok",
	    NULL);

	for (int i = 0; i < 2; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_SLICE(buf_slice(&d->reply.body), S("ok"));
		EXPECT_TRUE(has(d, "x-end: 1"));
		EXPECT_FALSE(has(d, "x-hop: 1"));
	}
	duo_free(&d);
	d = duo_new((struct way){.up2 = true}, serve_mirror, NULL, NULL);
	duo_ask(d, "GET / HTTP/1.1\r\nHost: web\r\nConnection: x-hop, te, "
		   "keep-alive\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
		   "TE: gzip\r\nX-End: 1\r\n\r\n");
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(body_has(&d->reply, "x-end: 1\r\n"));
	EXPECT_FALSE(body_has(&d->reply, "x-hop"));
	EXPECT_FALSE(body_has(&d->reply, "gzip"));
	duo_free(&d);
}

/* RFC 9113 §8.2.3: a stream may have it in crumbs. */
TEST(cookies_become_one_for_http1)
{
	struct duo *d =
	    duo_new((struct way){.down2 = true}, serve_mirror, NULL, NULL);

	duo_ask(d, "GET / HTTP/1.1\r\nHost: web\r\nCookie: a=b\r\n"
		   "X-One: 1\r\nCookie: c=d\r\n\r\n");
	EXPECT_TRUE(body_has(&d->reply, "cookie: a=b; c=d\r\n"));
	duo_free(&d);
}

/* --- tries --- */

/* Never answers the first. */
static void
serve_second(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *first = NULL, *x;

	(void)n;
	while ((x = h2_next(h)) != NULL) {
		if (atomic_fetch_add(&s->requests, 1) == 0) {
			first = x;
			continue;
		}
		CHECK(first != NULL && first->reset);
		CHECK(first->code == H2_CANCEL);
		h2_answer(h, x, "ok");
	}
	h2_leave(&h);
}

TEST_WAYS_TO_2(a_try_that_takes_too_long_is_cancelled_and_tried_again)
{
	struct duo *d = duo_new(way, serve_second, NULL,
	    RETRY("attempts: 2, perTryTimeout: 100ms, retryOn: 5xx"));

	duo_post(d);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_SLICE(buf_slice(&d->reply.body), S("ok"));
	EXPECT_EQ(rig_record(d->rig, 0).attempts, 2);
	EXPECT_EQ(atomic_load(&d->server->connections), 1);
	duo_free(&d);
}

/* --- who decides the version --- */

static void
expect_arrives(struct way way, const char *yaml, const char *line)
{
	struct duo *d = duo_new(way, serve_mirror, NULL, yaml);

	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(body_has(&d->reply, line));
	duo_free(&d);
}

TEST(a_service_may_be_spoken_to_as_its_client_speaks)
{
	static const char rule[] = RULE "{useClientProtocol: true}" RULE_END;

	expect_arrives((struct way){.up2 = true}, rule, "GET / HTTP/1.1\r\n");
	expect_arrives((struct way){.down2 = true}, rule, "GET / HTTP/2\r\n");
	expect_arrives((struct way){.down2 = true, .tunnel = true}, rule,
	    "GET / HTTP/2\r\n");
}

TEST(a_rule_may_upgrade_a_port_to_http2)
{
	static const char yes[] = RULE "{h2UpgradePolicy: UPGRADE}" RULE_END;
	static const char no[] =
	    RULE "{h2UpgradePolicy: DO_NOT_UPGRADE}" RULE_END;

	expect_arrives((struct way){0}, yes, "GET / HTTP/2\r\n");
	expect_arrives((struct way){.down2 = true}, yes, "GET / HTTP/2\r\n");
	expect_arrives((struct way){0}, no, "GET / HTTP/1.1\r\n");
}

/* --- answers of our own --- */

TEST(a_rules_redirect_and_response_reach_a_client_of_http2)
{
	struct duo *d = duo_new(both, serve_mirror, NULL,
	    VS "  - {match: [{uri: {prefix: /old/}}], redirect: "
	       "{prefixRewrite: /new/, redirectCode: 308}}\n"
	       "  - {match: [{uri: {prefix: /204}}], directResponse: "
	       "{status: 204}}\n"
	       "  - {directResponse: {status: 418, body: {string: "
	       "teapot}}}\n");

	for (int i = 0; i < 2; i++) {
		duo_ask(d, "GET /old/a?b=c HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(d->reply.status, 308);
		EXPECT_TRUE(has(d, "location: http://web/new/a?b=c"));
		EXPECT_TRUE(d->reply.whole);
		duo_ask(d, "GET /204 HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(d->reply.status, 204);
		EXPECT_TRUE(d->reply.whole);
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 418);
		EXPECT_TRUE(has(d, "content-length: 6"));
		EXPECT_SLICE(buf_slice(&d->reply.body), S("teapot"));
		duo_ask(d, "HEAD / HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(d->reply.status, 418);
		EXPECT_TRUE(has(d, "content-length: 6"));
		EXPECT_EQ(buf_len(&d->reply.body), 0);
		EXPECT_TRUE(d->reply.whole);
	}
	EXPECT_EQ(atomic_load(&d->server->requests), 0);
	duo_free(&d);
}

TEST(a_refusal_to_a_client_of_http2_is_in_words)
{
	struct duo *d = duo_new(both, serve_mirror, NULL,
	    VS "  - {match: [{uri: {prefix: /only}}], route: [{destination: "
	       "{host: web}}]}\n");

	for (int i = 0; i < 2; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 404);
		EXPECT_TRUE(d->reply.whole);
		EXPECT_TRUE(
		    strstr(d->reply.head, "proxy-status: meshd; ") != NULL);
		EXPECT_TRUE(buf_len(&d->reply.body) > 10);
		duo_ask(d, "GET /%00 HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(d->reply.status, 400);
		EXPECT_TRUE(strstr(d->reply.head, "no path may have") != NULL);
		duo_ask(d, "GET /only HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(d->reply.status, 200);
	}
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_NO_ROUTE);
	EXPECT_EQ(rig_record(d->rig, 1).flag, FLOW_DOWNSTREAM_PROTOCOL);
	duo_free(&d);
}

TEST(a_refusal_inside_a_body_ends_the_stream_and_no_other)
{
	struct duo *d = duo_new(both, serve_mirror, NULL,
	    VS "  - {directResponse: {status: 403}}\n");

	for (int i = 0; i < 2; i++) {
		peer_head(&d->client, "POST / HTTP/1.1\r\nHost: web\r\n\r\n",
		    /* end */ false);
		duo_read(d);
		EXPECT_EQ(d->reply.status, 403);
		EXPECT_TRUE(H2_UNTIL(&d->client.h2, d->client.now->reset));
		EXPECT_EQ(d->client.now->code, H2_NO_ERROR);
	}
	EXPECT_FALSE(d->client.h2.goaway);
	duo_free(&d);
}
