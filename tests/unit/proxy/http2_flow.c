/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_flow — large bodies, slow readers, and many streams at once.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <poll.h>
#include <stdio.h>

enum {
	PIECE = 64 << 10,
	BIG = 8 << 20,
	FLOOD = 20 << 20,
	/* What kernels keep on a connection without flow control of its own. */
	KERNEL_BYTES = 12 << 20,
	/* A window, and what waits behind it. */
	PROXY_BYTES = 1 << 20
};

static char
byte_at(size_t i)
{
	return (char)('a' + (i / 7) % 26);
}

static void
fill(char *piece, size_t at)
{
	for (size_t i = 0; i < PIECE; i++)
		piece[i] = byte_at(at + i);
}

static bool
is_filled(struct slice s, size_t len)
{
	if (s.len != len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != byte_at(i))
			return false;
	return true;
}

/* How much may be on its way when the last one reads nothing. */
static uint64_t
most_on_its_way(struct way way)
{
	return PROXY_BYTES + (way.down2 ? 0u : (uint64_t)KERNEL_BYTES) +
	       (way.up2 ? 0u : (uint64_t)KERNEL_BYTES) +
	       (way.tunnel ? 2u * (uint64_t)KERNEL_BYTES : 0u);
}

/* --- large bodies ----------------------------------------------------------
 */

static void
send_filled(struct peer *p, size_t len)
{
	static _Thread_local char piece[PIECE];

	for (size_t at = 0; at < len; at += PIECE) {
		fill(piece, at);
		peer_body(p, slice_of(piece, PIECE));
	}
}

TEST_WAYS(a_large_body_comes_back_whole)
{
	struct duo *d = duo_new(way, serve_mirror, NULL, NULL);
	struct slice body;

	peer_head(&d->client,
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 8388608\r\n\r\n",
	    /* end */ false);
	send_filled(&d->client, BIG);
	peer_end(&d->client, NULL);
	duo_read(d);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(d->reply.whole);
	body = buf_slice(&d->reply.body);
	EXPECT_TRUE(
	    is_filled(slice_sub(body, body.len - BIG, (size_t)BIG), BIG));
	EXPECT_EQ(rig_record(d->rig, 0).received, BIG);
	duo_free(&d);
}

/* --- slow readers ----------------------------------------------------------
 */

/* Counts the pieces that it got rid of. */
static void
serve_flood(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	char piece[PIECE];

	(void)n;
	peer_server(p, w);
	if (peer_next(p)) {
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ncontent-length: 20971520\r\n\r\n",
		    /* end */ false);
		for (size_t at = 0; at < FLOOD; at += PIECE) {
			fill(piece, at);
			peer_body(p, slice_of(piece, PIECE));
			atomic_fetch_add(&s->requests, 1);
		}
		peer_end(p, NULL);
		(void)peer_next(p); /* until the end */
	}
	peer_fini(p);
}

TEST_WAYS(a_slow_client_stops_its_service)
{
	struct duo *d = duo_new(way, serve_flood, NULL, NULL);
	struct h2 *h = &d->client.h2;

	h->how.hold = true;
	peer_head(&d->client, GET_WEB, /* end */ true);
	if (way.down2)
		EXPECT_TRUE(
		    H2_UNTIL(h, buf_len(&d->client.now->body) == 65535));
	(void)rig_still(d->rig);
	EXPECT_TRUE((uint64_t)atomic_load(&d->server->requests) * PIECE <
		    most_on_its_way(way));
	if (way.down2)
		h2_credit(h);
	duo_read(d);
	EXPECT_TRUE(d->reply.whole);
	EXPECT_TRUE(is_filled(buf_slice(&d->reply.body), FLOOD));
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_OK);
	duo_free(&d);
}

/* Reads no body until it is told to. */
static void
serve_late(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	AUTO(buf_fini) struct buf body = BUF(2 * FLOOD);
	char trailers[1024];

	(void)n;
	peer_server(p, w);
	p->h2.how.hold = true;
	if (peer_next(p)) {
		atomic_fetch_add(&s->requests, 1);
		while (atomic_load(&s->requests) == 1)
			(void)poll(NULL, 0, /* ms */ 5);
		if (p->is_h2)
			h2_credit(&p->h2);
		if (peer_rest(p, &body, trailers) &&
		    is_filled(buf_slice(&body), FLOOD))
			peer_head(p,
			    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
			    /* end */ true);
		(void)peer_next(p); /* until the end */
	}
	peer_fini(p);
}

static void *
send_flood(void *arg)
{
	struct peer *p = arg;

	send_filled(p, FLOOD);
	peer_end(p, NULL);
	return NULL;
}

TEST_WAYS(a_slow_service_stops_its_client)
{
	struct duo *d = duo_new(way, serve_late, NULL, NULL);
	pthread_t sender;

	peer_head(&d->client,
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 20971520\r\n\r\n",
	    /* end */ false);
	CHECK(pthread_create(&sender, NULL, send_flood, &d->client) == 0);
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 1);
	EXPECT_TRUE(rig_still(d->rig).in < most_on_its_way(way));
	atomic_fetch_add(&d->server->requests, 1); /* go on */
	pthread_join(sender, NULL);
	duo_read(d);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_EQ(rig_record(d->rig, 0).received, FLOOD);
	duo_free(&d);
}

/* All of the answer is at the proxy, more than its client takes. */
static void
serve_much(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
		    /* end */ false);
		send_filled(p, 4 * (size_t)PIECE);
		peer_end(p, s->text);
		atomic_fetch_add(&s->requests, 1);
	}
	peer_fini(p);
}

static void
answer_outlives_its_stream(struct way way, const char *trailers)
{
	struct duo *d = duo_new(way, serve_much, trailers, NULL);
	struct h2 *h = &d->client.h2;

	for (unsigned i = 1; i <= 3; i++) {
		h->how.hold = true;
		peer_head(&d->client, GET_WEB, /* end */ true);
		RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == i);
		if (way.down2) {
			EXPECT_TRUE(
			    H2_UNTIL(h, d->client.now->owed > PIECE / 4));
			EXPECT_TRUE(h2_ping(h));
			h2_credit_stream(h, d->client.now);
		}
		duo_read(d);
		EXPECT_TRUE(d->reply.whole);
		EXPECT_TRUE(
		    is_filled(buf_slice(&d->reply.body), 4 * (size_t)PIECE));
		EXPECT_STR(d->reply.trailers, trailers != NULL ? trailers : "");
	}
	duo_free(&d);
}

TEST_WAYS(an_answer_that_waits_for_its_client_outlives_its_stream)
{
	answer_outlives_its_stream(way, NULL);
	answer_outlives_its_stream(way, "x-sum: 7\r\n");
}

/* It leaves instead of reading on. */
TEST_WAYS(an_answer_that_waits_for_its_client_ends_with_it)
{
	struct duo *d = duo_new(way, serve_much, NULL, NULL);

	d->client.h2.how.hold = true;
	peer_head(&d->client, GET_WEB, /* end */ true);
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 1);
	if (way.down2) {
		h2_reset(&d->client.h2, d->client.now, H2_CANCEL);
		EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
		EXPECT_TRUE(h2_ping(&d->client.h2));
	}
	wire_reset(&d->wire);
	RIG_UNTIL(d->rig, (rig_list(d->rig), d->rig->conn_count == 0));
	duo_free(&d);
}

enum { LARGE = 900000 };

static struct duo *
with_large_answer(void)
{
	AUTO(buf_fini) struct buf yaml = BUF(2 * LARGE);

	EXPECT_OK(buf_printf(&yaml,
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
	    "  - {directResponse: {status: 200, body: {string: "));
	for (size_t i = 0; i < LARGE; i++)
		EXPECT_OK(buf_add_byte(&yaml, (uint8_t)byte_at(i)));
	EXPECT_OK(buf_add(&yaml, "}}}\n", 5)); /* with the zero */
	return duo_new((struct way){.down2 = true}, serve_mirror, NULL,
	    buf_slice(&yaml).ptr);
}

TEST(a_rules_large_answer_waits_for_a_slow_stream)
{
	struct duo *d = with_large_answer();
	struct h2 *h = &d->client.h2;
	struct h2_stream *x[5];

	h->how.hold = true;
	for (size_t i = 0; i < ARRAY_LEN(x); i++)
		x[i] = h2_request(h, GET_WEB, /* end */ true);
	EXPECT_TRUE(H2_UNTIL(h, x[0]->owed > 0));
	EXPECT_TRUE(rig_still(d->rig).out < PROXY_BYTES);
	h2_reset(h, x[1], H2_CANCEL);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	h2_credit(h);
	for (size_t i = 0; i < ARRAY_LEN(x); i++) {
		EXPECT_EQ(h2_whole(h, x[i]), i != 1);
		EXPECT_TRUE(i == 1 || is_filled(buf_slice(&x[i]->body), LARGE));
	}
	duo_free(&d);
}

/* --- many at once ----------------------------------------------------------
 */

enum { MANY = 100 };

/* Answers when all are here, the last first. */
static void
serve_backwards(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x[MANY];

	(void)n;
	for (unsigned i = 0; i < MANY; i++) {
		x[i] = h2_next(h);
		if (x[i] == NULL)
			break;
		if (atomic_fetch_add(&s->requests, 1) + 1 < MANY)
			continue;
		for (unsigned k = MANY; k > 0; k--)
			h2_answer(h, x[k - 1], x[k - 1]->head);
	}
	(void)h2_next(h); /* until the end */
	h2_leave(&h);
}

static void
expect_all_answered(struct duo *d, unsigned count)
{
	struct h2_stream *x[2 * MANY];
	char head[128];

	CHECK(count <= ARRAY_LEN(x));
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(head, sizeof(head),
		    "GET /%u HTTP/1.1\r\nHost: web\r\n\r\n", i);
		x[i] = h2_request(&d->client.h2, head, /* end */ true);
	}
	for (unsigned i = 0; i < count; i++) {
		EXPECT_TRUE(h2_whole(&d->client.h2, x[i]));
		EXPECT_EQ(x[i]->status, 200);
		(void)snprintf(head, sizeof(head), "GET /%u HTTP/", i);
		EXPECT_TRUE(
		    slice_starts(buf_slice(&x[i]->body), slice_str(head)));
	}
	for (unsigned i = 0; i < count; i++)
		EXPECT_EQ(rig_record(d->rig, i).flag, FLOW_OK);
}

TEST(many_streams_share_one_session)
{
	for (int tunnel = 0; tunnel < 2; tunnel++) {
		struct duo *d = duo_new(
		    (struct way){.down2 = true, .up2 = true, .tunnel = tunnel},
		    serve_backwards, NULL, NULL);

		expect_all_answered(d, MANY);
		EXPECT_EQ(atomic_load(&d->server->connections), 1);
		duo_free(&d);
	}
}

TEST(many_streams_to_http1_have_a_connection_each)
{
	struct duo *d =
	    duo_new((struct way){.down2 = true}, serve_mirror, NULL, NULL);

	expect_all_answered(d, MANY);
	EXPECT_TRUE(atomic_load(&d->server->connections) > 1);
	expect_all_answered(d, 2 * MANY);
	duo_free(&d);
}

/* Two streams at a time: the others wait, or have sessions of their own. */
static void
serve_few(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct h2 *h = mem_new(sizeof(*h));
	struct h2_stream *x;

	(void)n;
	h2_server(h, w, (struct h2_how){.streams = 2});
	while ((x = h2_next(h)) != NULL) {
		atomic_fetch_add(&s->requests, 1);
		h2_answer(h, x, x->head);
	}
	h2_fini(h);
}

TEST(a_service_that_takes_few_streams_gets_more_sessions)
{
	struct duo *d = duo_new(
	    (struct way){.down2 = true, .up2 = true}, serve_few, NULL, NULL);

	expect_all_answered(d, MANY);
	expect_all_answered(d, MANY);
	EXPECT_EQ(atomic_load(&d->server->requests), 2 * MANY);
	duo_free(&d);
}

/* A stream that nobody reads costs its own window, not the others'. */
TEST(a_stalled_stream_does_not_stop_the_others)
{
	struct duo *d = duo_new(
	    (struct way){.down2 = true, .up2 = true}, serve_late, NULL, NULL);
	struct h2_stream *stalled;

	peer_head(&d->client, "POST / HTTP/1.1\r\nHost: web\r\n\r\n",
	    /* end */ false);
	stalled = d->client.now;
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 1);
	{
		AUTO(mem_free) char *bytes = mem_new(BIG);

		h2_data(&d->client.h2, stalled, slice_of(bytes, BIG), false);
	}
	(void)rig_still(d->rig);
	for (int i = 0; i < 3; i++) {
		duo_ask(d, "GET /%00 HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(d->reply.status, 400);
	}
	h2_reset(&d->client.h2, stalled, H2_CANCEL);
	atomic_fetch_add(&d->server->requests, 1);
	EXPECT_TRUE(h2_ping(&d->client.h2));
	duo_free(&d);
}
