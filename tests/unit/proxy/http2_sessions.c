/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_sessions — sessions that say goodbye, were dead, or never were.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <sys/resource.h>

#define NEVER RETRY("attempts: 0")

/* --- the service says goodbye --- */

/* The first connection leaves its first stream untouched. */
static void
serve_goodbye(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x;

	while ((x = h2_next(h)) != NULL) {
		atomic_fetch_add(&s->requests, 1);
		if (n == 0)
			h2_goaway(h, /* last */ 0, H2_NO_ERROR);
		else
			h2_answer(h, x, "ok");
	}
	h2_leave(&h);
}

TEST_WAYS_TO_2(what_a_goaway_leaves_untouched_is_sent_again_unasked)
{
	struct duo *d = duo_new(way, serve_goodbye, NULL, NEVER);

	duo_post(d);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_EQ(rig_record(d->rig, 0).attempts, 1);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_OK);
	EXPECT_EQ(atomic_load(&d->server->connections), 2);
	duo_free(&d);
}

/* Goodbye comes first, the answer to what was taken behind it. */
static void
serve_last(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x;

	(void)n;
	while ((x = h2_next(h)) != NULL) {
		atomic_fetch_add(&s->requests, 1);
		h2_goaway(h, x->id, H2_NO_ERROR);
		CHECK(h2_ping(h));
		h2_answer(h, x, "ok");
	}
	h2_leave(&h);
}

TEST_WAYS_TO_2(what_a_goaway_includes_is_answered_and_the_next_goes_elsewhere)
{
	struct duo *d = duo_new(way, serve_last, NULL, NEVER);

	for (unsigned i = 1; i <= 3; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_EQ(atomic_load(&d->server->connections), i);
	}
	duo_free(&d);
}

/* A new session is needed, for which there is no file. */
TEST(without_descriptors_it_is_our_limit_and_not_the_endpoints)
{
	for (int i = 0; i < 2; i++) {
		struct duo *d = duo_new((struct way){.down2 = i, .up2 = true},
		    serve_last, NULL, NULL);
		struct rlimit old, none;

		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
		none = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
		EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
		duo_ask(d, GET_WEB);
		EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
		EXPECT_EQ(d->reply.status, 503);
		EXPECT_EQ(rig_record(d->rig, 1).flag, FLOW_OVERFLOW);
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 200);
		duo_free(&d);
	}
}

/* --- the session was dead --- */

/* Answers once; what comes then finds the connection ended. */
static void
serve_once(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x = h2_next(h);

	(void)n;
	if (x != NULL) {
		atomic_fetch_add(&s->requests, 1);
		h2_answer(h, x, "ok");
		if (h2_next(h) != NULL && strcmp(s->text, "hard") == 0)
			wire_reset(w);
	}
	h2_leave(&h);
}

TEST_WAYS_TO_2(a_get_on_a_dead_session_is_sent_again)
{
	static const char *const how[] = {"close", "hard"};

	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		struct duo *d = duo_new(way, serve_once, how[i], NEVER);

		for (size_t n = 0; n < 3; n++) {
			duo_ask(d, GET_WEB);
			EXPECT_EQ(d->reply.status, 200);
			EXPECT_EQ(rig_record(d->rig, n).attempts, 1);
		}
		EXPECT_EQ(atomic_load(&d->server->connections), 3);
		duo_free(&d);
	}
}

TEST_WAYS_TO_2(a_post_on_a_dead_session_is_not)
{
	struct duo *d = duo_new(way, serve_once, "close", NEVER);
	enum flow_flag flag;

	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 200);
	duo_post(d);
	EXPECT_EQ(d->reply.status, 503);
	flag = rig_record(d->rig, 1).flag;
	EXPECT_TRUE(
	    flag == FLOW_UPSTREAM_CLOSED || flag == FLOW_UPSTREAM_RESET);
	duo_free(&d);
}

/* --- nobody there, or nobody who speaks HTTP/2 --- */

TEST_WAYS_TO_2(a_service_that_is_down_is_503_uf_in_words)
{
	struct duo *d = duo_new(way, serve_mirror, NULL, NEVER);

	server_refuse(d->server);
	for (size_t i = 0; i < 2; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 503);
		EXPECT_TRUE(d->reply.whole);
		EXPECT_EQ(rig_record(d->rig, i).flag, FLOW_CONNECT_FAILED);
		EXPECT_TRUE(
		    strstr(rig_record(d->rig, i).detail, "refused") != NULL ||
		    way.tunnel);
	}
	duo_free(&d);
}

static void
serve_http1(struct server *s, struct wire *w, unsigned n)
{
	struct slice part;

	(void)n;
	if (!server_head(s, w, &part))
		return;
	wire_say(w, "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"
		    "content-length: 0\r\n\r\n");
	wire_shut(w);
	while (wire_some(w, &part)) /* what is unread would reset it */
		continue;
}

TEST_WAYS_TO_2(a_service_that_does_not_speak_http2_is_502_in_words)
{
	struct duo *d = duo_new(way, serve_http1, NULL, NULL);

	for (size_t i = 0; i < 2; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 502);
		EXPECT_EQ(rig_record(d->rig, i).flag, FLOW_UPSTREAM_PROTOCOL);
		EXPECT_STR(rig_record(d->rig, i).detail,
		    "the endpoint's answer is no HTTP/2");
	}
	duo_free(&d);
}
