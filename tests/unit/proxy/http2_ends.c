/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_ends — streams and sessions that end before their time.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <stdio.h>

#define NEVER RETRY("attempts: 0")
#define POST_2 "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\n"

enum { SAW_END = 1000 };

/* --- the client leaves --- */

static void
serve_nothing(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		AUTO(buf_fini) struct buf body = BUF(1 << 20);
		char trailers[1024];

		atomic_fetch_add(&s->requests, 1);
		(void)peer_rest(p, &body, trailers);
		if (p->is_h2 && H2_UNTIL(&p->h2, p->now->closed) &&
		    p->now->code == H2_CANCEL)
			atomic_fetch_add(&s->requests, SAW_END);
	}
	if (!p->is_h2)
		atomic_fetch_add(&s->requests, SAW_END);
	peer_fini(p);
}

static void
client_resets(struct way way, const char *head, bool end)
{
	struct duo *d = duo_new(way, serve_nothing, NULL, NULL);

	peer_head(&d->client, head, end);
	if (!end)
		peer_body(&d->client, S("h"));
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 1);
	h2_reset(&d->client.h2, d->client.now, H2_CANCEL);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 1 + SAW_END);
	EXPECT_TRUE(h2_ping(&d->client.h2)); /* the others live */
	duo_free(&d);
}

TEST(a_client_that_resets_its_stream_takes_its_request_with_it)
{
	for (int tunnel = 0; tunnel < 2; tunnel++) {
		struct way to_1 = {.down2 = true, .tunnel = tunnel};
		struct way to_2 = {
		    .down2 = true, .up2 = true, .tunnel = tunnel};

		client_resets(to_1, GET_WEB, /* end */ true);
		client_resets(to_2, GET_WEB, /* end */ true);
		client_resets(to_1, POST_2, /* end */ false);
		client_resets(to_2, POST_2, /* end */ false);
	}
}

TEST_WAYS(a_client_that_is_gone_takes_its_request_with_it)
{
	struct duo *d = duo_new(way, serve_nothing, NULL, NULL);

	peer_head(&d->client, GET_WEB, /* end */ true);
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 1);
	wire_reset(&d->wire);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 1 + SAW_END);
	duo_free(&d);
}

/* --- the service resets a stream --- */

/* The first with the number in its text, the others answer. */
static void
serve_reset(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x;
	uint64_t code;

	(void)n;
	CHECK(slice_to_u64(slice_str(s->text), &code) == OK);
	while ((x = h2_next(h)) != NULL)
		if (atomic_fetch_add(&s->requests, 1) == 0)
			h2_reset(h, x, (uint32_t)code);
		else
			h2_answer(h, x, "ok");
	h2_leave(&h);
}

TEST_WAYS_TO_2(a_reset_before_the_head_is_503_in_words)
{
	struct duo *d = duo_new(way, serve_reset, "2", NEVER);

	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 503);
	EXPECT_TRUE(d->reply.whole);
	EXPECT_TRUE(
	    strstr(d->reply.head,
		"proxy-status: meshd; error=connection_terminated") != NULL);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_UPSTREAM_RESET);
	EXPECT_EQ(rig_record(d->rig, 0).attempts, 1);
	duo_ask(d, GET_WEB); /* the session lives */
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_EQ(atomic_load(&d->server->connections), 1);
	duo_free(&d);
}

TEST_WAYS_TO_2(a_reset_is_tried_again_if_the_policy_says_so)
{
	struct duo *d = duo_new(
	    way, serve_reset, "8", RETRY("attempts: 2, retryOn: reset"));

	duo_post(d);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_SLICE(buf_slice(&d->reply.body), S("ok"));
	EXPECT_EQ(rig_record(d->rig, 0).attempts, 2);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_OK);
	EXPECT_EQ(atomic_load(&d->server->connections), 1);
	duo_free(&d);
}

TEST_WAYS_TO_2(a_refused_stream_is_tried_again_if_the_policy_says_so)
{
	struct duo *d = duo_new(way, serve_reset, "7",
	    RETRY("attempts: 2, retryOn: refused-stream"));

	duo_post(d);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_EQ(rig_record(d->rig, 0).attempts, 2);
	duo_free(&d);
	d = duo_new(way, serve_reset, "7", NULL); /* as by default */
	duo_post(d);
	EXPECT_EQ(d->reply.status, 200);
	duo_free(&d);
	d = duo_new(way, serve_reset, "7", NEVER);
	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 503);
	EXPECT_EQ(rig_record(d->rig, 0).attempts, 1);
	duo_free(&d);
}

/* A head and some bytes; then its text says what. */
static void
serve_half(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x;

	(void)n;
	while ((x = h2_next(h)) != NULL) {
		atomic_fetch_add(&s->requests, 1);
		h2_respond(h, x, "HTTP/2 200\r\nx-a: b\r\n\r\n", false);
		h2_data(h, x, S("hal"), /* end */ false);
		CHECK(h2_ping(h)); /* it is at the proxy */
		if (strcmp(s->text, "reset") == 0)
			h2_reset(h, x, H2_INTERNAL_ERROR);
		else if (strcmp(s->text, "close") == 0)
			break;
		else
			wire_reset(w);
		if (w->fd < 0)
			break;
	}
	h2_leave(&h);
}

TEST_WAYS_TO_2(an_answer_that_is_cut_off_is_cut_off_for_the_client_too)
{
	static const char *const how[] = {"reset", "close", "hard"};

	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		struct duo *d = duo_new(way, serve_half, how[i], NULL);
		struct rig_record r;

		duo_ask(d, GET_WEB);
		EXPECT_FALSE(d->reply.whole);
		if (way.down2) {
			EXPECT_TRUE(d->client.now->reset);
			EXPECT_EQ(d->client.now->code, H2_INTERNAL_ERROR);
			EXPECT_TRUE(h2_ping(&d->client.h2));
		}
		r = rig_record(d->rig, 0);
		EXPECT_EQ(r.status, 200);
		EXPECT_STR(r.detail, "the endpoint's answer was cut off");
		EXPECT_TRUE(r.flag == FLOW_UPSTREAM_RESET ||
			    (i > 0 && r.flag == FLOW_UPSTREAM_CLOSED));
		duo_free(&d);
	}
}
