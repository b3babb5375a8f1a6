/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2 — messages of every shape, whichever version each side speaks.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <stdio.h>

#define POST_CHUNKS                                                            \
	"POST /p HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: "                 \
	"chunked\r\n\r\n"
static bool
has(const struct duo *d, const char *line)
{
	return head_has(d->reply.head, line);
}

/* --- messages --- */

TEST_WAYS(a_request_and_its_answer)
{
	struct duo *d = duo_new(way, serve_mirror, NULL, NULL);

	for (size_t i = 0; i < 5; i++) {
		duo_ask(d, "GET /a?b=c HTTP/1.1\r\nHost: web\r\nX-One: 1\r\n"
			   "TE: trailers\r\n\r\n");
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(d->reply.whole);
		EXPECT_TRUE(
		    body_has(&d->reply, way.up2 ? "GET /a?b=c HTTP/2\r\n"
						: "GET /a?b=c HTTP/1.1\r\n"));
		EXPECT_TRUE(body_has(&d->reply, "host: web\r\n"));
		EXPECT_TRUE(body_has(&d->reply, "x-one: 1\r\n"));
		EXPECT_TRUE(body_has(&d->reply, "x-request-id: "));
		EXPECT_TRUE(body_has(&d->reply, "x-forwarded-proto: http\r\n"));
		EXPECT_STR(d->reply.trailers, "x-mirrored: all\r\n");
		EXPECT_EQ(rig_record(d->rig, i).flag, FLOW_OK);
		EXPECT_EQ(rig_record(d->rig, i).status, 200);
		EXPECT_EQ(rig_record(d->rig, i).sent, buf_len(&d->reply.body));
	}
	EXPECT_EQ(atomic_load(&d->server->connections), 1);
	duo_free(&d);
}

/* Five bytes with a length; the same to a HEAD, without them. */
static void
serve_length(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		bool none = slice_starts(slice_str(p->request), S("HEAD "));

		atomic_fetch_add(&s->requests, 1);
		peer_head(
		    p, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", none);
		if (none)
			continue;
		peer_body(p, S("hello"));
		peer_end(p, NULL);
	}
	peer_fini(p);
}

TEST_WAYS(a_length_is_kept_and_head_has_it_without_a_body)
{
	struct duo *d = duo_new(way, serve_length, NULL, NULL);

	for (int i = 0; i < 3; i++) {
		duo_ask(d, "HEAD / HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(has(d, "content-length: 5"));
		EXPECT_TRUE(d->reply.whole);
		EXPECT_EQ(buf_len(&d->reply.body), 0);
		duo_ask(d, GET_WEB);
		EXPECT_TRUE(has(d, "content-length: 5"));
		EXPECT_SLICE(buf_slice(&d->reply.body), S("hello"));
	}
	EXPECT_EQ(atomic_load(&d->server->connections), 1);
	duo_free(&d);
}

/* Answers with its text, a head alone. */
static void
serve_head(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		atomic_fetch_add(&s->requests, 1);
		peer_head(p, s->text, /* end */ true);
	}
	peer_fini(p);
}

TEST_WAYS(answers_without_a_body)
{
	static const char *const heads[] = {
	    "HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n",
	    "HTTP/1.1 304 Not Modified\r\nx-a: b\r\n\r\n",
	    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-a: b\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct duo *d = duo_new(way, serve_head, heads[i], NULL);

		for (int n = 0; n < 3; n++) {
			duo_ask(d, GET_WEB);
			EXPECT_EQ(d->reply.status, i == 0   ? 204
						   : i == 1 ? 304
							    : 200);
			EXPECT_TRUE(has(d, "x-a: b"));
			EXPECT_TRUE(d->reply.whole);
			EXPECT_EQ(buf_len(&d->reply.body), 0);
		}
		EXPECT_EQ(atomic_load(&d->server->connections), 1);
		duo_free(&d);
	}
}

/* An HTTP/1.1 client must not wait for the connection's end. */
static void
serve_no_length(struct server *s, struct wire *w, unsigned n)
{
	s->text = "HTTP/1.1 200 OK\r\n\r\n";
	serve_head(s, w, n);
}

TEST(an_empty_answer_of_http2_has_a_length_for_http1)
{
	struct duo *d =
	    duo_new((struct way){.up2 = true}, serve_no_length, NULL, NULL);

	for (int i = 0; i < 2; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_TRUE(has(d, "content-length: 0"));
		EXPECT_TRUE(d->reply.whole);
	}
	duo_free(&d);
}

TEST_WAYS(a_body_with_a_length)
{
	struct duo *d = duo_new(way, serve_mirror, NULL, NULL);

	for (size_t i = 0; i < 3; i++) {
		peer_head(&d->client,
		    "POST /p HTTP/1.1\r\nHost: web\r\n"
		    "Content-Length: 5\r\n\r\n",
		    /* end */ false);
		peer_body(&d->client, S("hello"));
		peer_end(&d->client, NULL);
		duo_read(d);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(body_has(&d->reply, "content-length: 5\r\n"));
		EXPECT_TRUE(body_has(&d->reply, "\r\n\r\nhello"));
		EXPECT_EQ(rig_record(d->rig, i).received, 5);
	}
	duo_free(&d);
}

TEST_WAYS(a_body_without_a_length_and_trailers_both_ways)
{
	struct duo *d = duo_new(way, serve_mirror, NULL, NULL);

	for (int i = 0; i < 3; i++) {
		peer_head(&d->client, POST_CHUNKS, /* end */ false);
		peer_body(&d->client, S("abc"));
		peer_body(&d->client, S("defg"));
		peer_end(&d->client, "x-sum: 7\r\nx-note: behind\r\n");
		duo_read(d);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_FALSE(body_has(&d->reply, "content-length"));
		EXPECT_TRUE(body_has(&d->reply,
		    "\r\n\r\nabcdefgx-sum: 7\r\nx-note: behind\r\n"));
		EXPECT_STR(d->reply.trailers, "x-mirrored: all\r\n");
		EXPECT_TRUE(d->reply.whole);
	}
	EXPECT_EQ(atomic_load(&d->server->connections), 1);
	duo_free(&d);
}

/* Trailers behind nothing, which a request may have, too. */
TEST_WAYS(trailers_without_a_body)
{
	struct duo *d = duo_new(way, serve_mirror, NULL, NULL);

	for (int i = 0; i < 2; i++) {
		peer_head(&d->client, POST_CHUNKS, /* end */ false);
		peer_end(&d->client, "x-sum: 0\r\n");
		duo_read(d);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(body_has(&d->reply, "\r\n\r\nx-sum: 0\r\n"));
	}
	duo_free(&d);
}

/* --- before the answer --- */

static void
serve_early(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		AUTO(buf_fini) struct buf body = BUF(1 << 20);
		char trailers[1024];

		atomic_fetch_add(&s->requests, 1);
		peer_head(p, s->text, /* end */ false);
		if (!peer_rest(p, &body, trailers))
			break;
		peer_head(p, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n",
		    /* end */ false);
		peer_body(p, S("ok"));
		peer_end(p, NULL);
	}
	peer_fini(p);
}

TEST_WAYS(who_expects_100_gets_it_from_the_service_first)
{
	struct duo *d =
	    duo_new(way, serve_early, "HTTP/1.1 100 Continue\r\n\r\n", NULL);

	for (int i = 0; i < 2; i++) {
		peer_head(&d->client,
		    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n"
		    "Expect: 100-continue\r\n\r\n",
		    /* end */ false);
		duo_read(d);
		EXPECT_EQ(d->reply.status, 100);
		peer_body(&d->client, S("body"));
		peer_end(&d->client, NULL);
		duo_read(d);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_SLICE(buf_slice(&d->reply.body), S("ok"));
	}
	duo_free(&d);
}

TEST_WAYS(early_hints_go_through_and_the_answer_follows)
{
	struct duo *d = duo_new(way, serve_early,
	    "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", NULL);

	for (int i = 0; i < 2; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 103);
		EXPECT_TRUE(has(d, "link: </a>"));
		duo_read(d);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_SLICE(buf_slice(&d->reply.body), S("ok"));
	}
	duo_free(&d);
}

/* Answers a head at once, and reads no body. */
static void
serve_refusal(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		atomic_fetch_add(&s->requests, 1);
		peer_head(p,
		    "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n",
		    /* end */ false);
		peer_body(p, S("no"));
		peer_end(p, NULL);
	}
	peer_fini(p);
}

/* A stream ends by itself; a connection of HTTP/1.1 has to. */
TEST_WAYS(an_answer_before_the_body_is_whole_reaches_the_client)
{
	struct duo *d = duo_new(way, serve_refusal, NULL, NULL);

	peer_head(&d->client,
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 99999\r\n\r\n",
	    /* end */ false);
	peer_body(&d->client, S("some"));
	duo_read(d);
	EXPECT_EQ(d->reply.status, 403);
	EXPECT_TRUE(d->reply.whole);
	EXPECT_SLICE(buf_slice(&d->reply.body), S("no"));
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_OK);
	if (!way.down2) {
		EXPECT_TRUE(wire_is_over(&d->wire));
	} else {
		struct h2_stream *s = d->client.now;

		EXPECT_TRUE(H2_UNTIL(&d->client.h2, s->reset));
		EXPECT_EQ(s->code, H2_NO_ERROR);
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 403);
	}
	duo_free(&d);
}
