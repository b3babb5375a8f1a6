/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_limits — heads that do not fit, what is not served, and the proxy's
 * own changes and end while streams are under way.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <poll.h>
#include <stdio.h>

static const struct way both = {.down2 = true, .up2 = true};

/* --- heads ----------------------------------------------------------------
 */

/* A start line, then so many fields of that length. */
static char *
head_of(const char *first, size_t fields, size_t len)
{
	AUTO(buf_fini) struct buf text = BUF(fields * (len + 32) + 256);
	char *at;

	EXPECT_OK(buf_printf(&text, "%s\r\nhost: web\r\n", first));
	for (size_t i = 0; i < fields; i++) {
		EXPECT_OK(buf_printf(&text, "x-%zu: ", i));
		EXPECT_OK(buf_reserve(&text, len, &at));
		memset(at, 'v', len);
		buf_commit(&text, len);
		EXPECT_OK(buf_add_slice(&text, S("\r\n")));
	}
	EXPECT_OK(buf_add_slice(&text, S("\r\n")));
	return mem_strndup(buf_slice(&text).ptr, buf_len(&text));
}

static void
request_is_431(struct way way, size_t fields, size_t len)
{
	AUTO(mem_free) char *head = head_of("GET / HTTP/1.1", fields, len);
	struct duo *d = duo_new(way, serve_mirror, NULL, NULL);

	duo_ask(d, head);
	EXPECT_EQ(d->reply.status, 431);
	EXPECT_TRUE(d->reply.whole);
	EXPECT_TRUE(
	    strstr(d->reply.head,
		"proxy-status: meshd; error=http_request_error; details=\"") !=
	    NULL);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_DOWNSTREAM_PROTOCOL);
	if (way.down2) {
		duo_ask(d, GET_WEB); /* the connection lives */
		EXPECT_EQ(d->reply.status, 200);
	}
	EXPECT_EQ(atomic_load(&d->server->requests), way.down2 ? 1 : 0);
	duo_free(&d);
}

TEST_WAYS(a_head_over_its_limits_is_431)
{
	request_is_431(way, LIMIT_HEAD_FIELDS + 1, 1);
	request_is_431(way, LIMIT_HEAD_FIELDS, 1); /* and the proxy's own */
	request_is_431(way, 9, 8 << 10);
}

TEST(an_authority_that_is_none_is_400_in_words)
{
	struct duo *d = duo_new(both, serve_mirror, NULL, NULL);

	duo_ask(d, "GET / HTTP/1.1\r\nHost: a:80000\r\n\r\n");
	EXPECT_EQ(d->reply.status, 400);
	EXPECT_TRUE(strstr(d->reply.head, "makes no sense") != NULL);
	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 200);
	duo_free(&d);
}

TEST_WAYS(a_head_within_its_limits_passes)
{
	AUTO(mem_free)
	char *many = head_of("GET / HTTP/1.1", LIMIT_HEAD_FIELDS - 8, 1);
	AUTO(mem_free) char *large = head_of("GET / HTTP/1.1", 6, 8 << 10);
	struct duo *d = duo_new(way, serve_mirror, NULL, NULL);

	for (int i = 0; i < 2; i++) {
		duo_ask(d, many);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(body_has(&d->reply, "x-91: v\r\n"));
		duo_ask(d, large);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(buf_len(&d->reply.body) > 6 * (8 << 10));
	}
	duo_free(&d);
}

static void
serve_heads(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	AUTO(mem_free)
	char *many = head_of(
	    "HTTP/1.1 200 OK\r\ncontent-length: 0", LIMIT_HEAD_FIELDS - 8, 1);
	AUTO(mem_free)
	char *large =
	    head_of("HTTP/1.1 200 OK\r\ncontent-length: 0", 6, 8 << 10);
	AUTO(mem_free)
	char *too_many = head_of(
	    "HTTP/1.1 200 OK\r\ncontent-length: 0", LIMIT_HEAD_FIELDS + 1, 1);
	AUTO(mem_free)
	char *too_large =
	    head_of("HTTP/1.1 200 OK\r\ncontent-length: 0", 9, 8 << 10);

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		atomic_fetch_add(&s->requests, 1);
		if (strstr(p->request, "/many"))
			peer_head(p, many, /* end */ true);
		else if (strstr(p->request, "/large"))
			peer_head(p, large, /* end */ true);
		else if (strstr(p->request, "/toomany"))
			peer_head(p, too_many, /* end */ true);
		else
			peer_head(p, too_large, /* end */ true);
	}
	peer_fini(p);
}

TEST_WAYS(a_head_of_an_answer_over_its_limits_is_refused_in_words)
{
	struct duo *d = duo_new(way, serve_heads, NULL, RETRY("attempts: 0"));

	duo_ask(d, "GET /many HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(head_has(d->reply.head, "x-91: v"));
	duo_ask(d, "GET /large HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(d->reply.status, 200);
	duo_ask(d, "GET /toomany HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(d->reply.status, 502);
	EXPECT_TRUE(d->reply.whole);
	EXPECT_EQ(rig_record(d->rig, 2).flag, FLOW_UPSTREAM_PROTOCOL);
	EXPECT_STR(rig_record(d->rig, 2).detail, "too many fields");
	duo_ask(d, "GET /toolarge HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(d->reply.status, 503);
	EXPECT_EQ(rig_record(d->rig, 3).flag, FLOW_UPSTREAM_PROTOCOL);
	EXPECT_STR(rig_record(d->rig, 3).detail,
	    "start line and fields are too large");
	duo_ask(d, "GET /many HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(d->reply.status, 200);
	duo_free(&d);
}

/* Its text is the head of an answer with three bytes. */
static void
serve_three(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		atomic_fetch_add(&s->requests, 1);
		peer_head(p, s->text, /* end */ false);
		peer_body(p, S("abc"));
		peer_end(p, NULL);
	}
	peer_fini(p);
}

TEST_WAYS_TO_2(an_answer_that_http2_does_not_allow_is_502_in_words)
{
	struct duo *d = duo_new(
	    way, serve_three, "HTTP/1.1 200 OK\r\nkeep-alive: 5\r\n\r\n", NULL);

	for (size_t i = 0; i < 2; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 502);
		EXPECT_EQ(rig_record(d->rig, i).flag, FLOW_UPSTREAM_PROTOCOL);
		EXPECT_STR(rig_record(d->rig, i).detail,
		    "the endpoint's answer makes no sense in HTTP/2");
	}
	EXPECT_EQ(atomic_load(&d->server->connections), 1);
	duo_free(&d);
}

TEST_WAYS_TO_2(an_answer_that_is_not_as_long_as_it_says_is_cut_off)
{
	static const char *const heads[] = {
	    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
	    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct duo *d = duo_new(way, serve_three, heads[i], NULL);

		duo_ask(d, GET_WEB);
		EXPECT_FALSE(d->reply.whole);
		EXPECT_NE(rig_record(d->rig, 0).flag, FLOW_OK);
		duo_free(&d);
	}
}

TEST(a_request_that_is_not_as_long_as_it_says_is_reset)
{
	struct duo *d = duo_new(both, serve_mirror, NULL, NULL);

	peer_head(&d->client,
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\n",
	    /* end */ false);
	peer_body(&d->client, S("abc"));
	peer_end(&d->client, NULL);
	duo_read(d);
	EXPECT_FALSE(d->reply.whole);
	EXPECT_EQ(d->client.now->code, H2_PROTOCOL_ERROR);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 200);
	duo_free(&d);
}

/* --- what is not served ---------------------------------------------------
 */

TEST(connect_is_refused_on_a_stream)
{
	struct duo *d = duo_new(both, serve_mirror, NULL, NULL);

	peer_head(&d->client, "CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n",
	    /* end */ false);
	duo_read(d);
	EXPECT_EQ(d->reply.status, 403);
	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 200);
	duo_free(&d);
}

/* --- the proxy's own changes and end --------------------------------------
 */

/* Half an answer; the other half when it is told to go on. */
static void
serve_in_two(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		unsigned now = atomic_fetch_add(&s->requests, 1);

		peer_head(p, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
		    /* end */ false);
		peer_body(p, S("ha"));
		while (atomic_load(&s->requests) == now + 1)
			(void)poll(NULL, 0, /* ms */ 5);
		peer_body(p, S("lf"));
		peer_end(p, NULL);
	}
	peer_fini(p);
}

static void
begin_in_two(struct duo *d)
{
	peer_head(&d->client, GET_WEB, /* end */ true);
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 1);
	if (d->client.is_h2)
		EXPECT_TRUE(H2_UNTIL(
		    &d->client.h2, buf_len(&d->client.now->body) == 2));
}

static void
end_in_two(struct duo *d)
{
	atomic_fetch_add(&d->server->requests, 1);
	duo_read(d);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(d->reply.whole);
	EXPECT_SLICE(buf_slice(&d->reply.body), S("half"));
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_OK);
}

TEST_WAYS(a_view_changes_nothing_under_a_stream)
{
	struct duo *d = duo_new(way, serve_in_two, NULL, NULL);

	begin_in_two(d);
	rig_publish(d->rig,
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
	    "  - {directResponse: {status: 418}}\n");
	end_in_two(d);
	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 418);
	duo_free(&d);
}

TEST_WAYS_TO_2(an_endpoint_that_goes_keeps_its_streams)
{
	struct duo *d = duo_new(way, serve_in_two, NULL, NULL);

	begin_in_two(d);
	d->rig->endpoint_count = 0;
	rig_publish(d->rig, NULL);
	end_in_two(d);
	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 503);
	EXPECT_EQ(rig_record(d->rig, 1).flag, FLOW_NO_ENDPOINT);
	duo_free(&d);
}

/* Its connections stay, but nobody knows what they are for. */
TEST_WAYS(a_listener_that_goes_refuses_in_words)
{
	struct duo *d = duo_new(way, serve_in_two, NULL, NULL);

	begin_in_two(d);
	d->rig->upstream_count = 0;
	rig_publish(d->rig, NULL);
	end_in_two(d);
	duo_ask(d, GET_WEB);
	EXPECT_TRUE(d->reply.status == 404 || d->reply.status == 503);
	EXPECT_TRUE(strstr(d->reply.head, "proxy-status: meshd; ") != NULL);
	duo_free(&d);
}

static void *
finish_later(void *arg)
{
	struct duo *d = arg;
	struct h2 *h = &d->client.h2;

	CHECK(H2_UNTIL(h, h->goaway));
	atomic_fetch_add(&d->server->requests, 1);
	peer_reply(&d->client, &d->reply);
	CHECK(!H2_UNTIL(h, false)); /* until the end */
	return NULL;
}

TEST(a_drain_says_goodbye_and_lets_streams_end)
{
	for (int i = 0; i < 4; i++) {
		struct way way = {.down2 = true, .up2 = i & 1, .tunnel = i & 2};
		struct duo *d = duo_new(way, serve_in_two, NULL, NULL);
		uint64_t began = clock_mono_us(&clock_system);
		pthread_t client;

		begin_in_two(d);
		CHECK(pthread_create(&client, NULL, finish_later, d) == 0);
		rig_close(d->rig, /* drain_us */ 8000000);
		EXPECT_TRUE(clock_mono_us(&clock_system) - began < 5000000);
		pthread_join(client, NULL);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(d->reply.whole);
		EXPECT_SLICE(buf_slice(&d->reply.body), S("half"));
		EXPECT_EQ(d->client.h2.goaway_code, H2_NO_ERROR);
		EXPECT_TRUE(d->client.h2.goaway_last >= d->client.now->id);
		duo_free(&d);
	}
}

/* The first refuses its stream once it is told to go on. */
static void
serve_refusing(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x;

	while ((x = h2_next(h)) != NULL) {
		atomic_fetch_add(&s->requests, 1);
		while (atomic_load(&s->requests) == 1)
			(void)poll(NULL, 0, /* ms */ 5);
		if (n == 0)
			h2_reset(h, x, H2_REFUSED_STREAM);
		else
			h2_answer(h, x, "half");
	}
	h2_leave(&h);
}

/* The drain does not wait until it has been idle for long. */
TEST(a_session_that_is_made_in_a_drain_ends_with_its_last_stream)
{
	struct duo *d = duo_new(both, serve_refusing, NULL, NULL);
	uint64_t began = clock_mono_us(&clock_system);
	pthread_t client;

	peer_head(&d->client, GET_WEB, /* end */ true);
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 1);
	CHECK(pthread_create(&client, NULL, finish_later, d) == 0);
	rig_close(d->rig, /* drain_us */ 8000000);
	EXPECT_TRUE(clock_mono_us(&clock_system) - began < 5000000);
	pthread_join(client, NULL);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_EQ(atomic_load(&d->server->connections), 2);
	duo_free(&d);
}
