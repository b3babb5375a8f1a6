/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bodies — what flows behind a head: slowly, with trailers, or not to its end.
 */
#include "scene.h"
#include "unit.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* Answers with the trailers of the request as the body. */
static void
serve_request_trailers(struct server *s, struct wire *w, unsigned n)
{
	char out[1024];
	struct slice part;

	(void)n;
	while (server_head(s, w, &part)) {
		CHECK(wire_until(w, "\r\n0\r\n", &part));
		CHECK(wire_until(w, "\r\n\r\n", &part));
		(void)snprintf(out, sizeof(out),
		    "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\n\r\n%.*s",
		    part.len, SLICE_ARG(part));
		wire_say(w, out);
	}
}

#define WITH_TRAILERS                                                          \
	"POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n"   \
	"3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-Note: behind\r\n\r\n"

/* On the first request the service is not connected when they come. */
TEST(trailers_of_a_request_reach_the_service)
{
	struct scene *s = scene_new(serve_request_trailers, NULL);

	for (int i = 0; i < 3; i++) {
		scene_ask(s, WITH_TRAILERS);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_SLICE(buf_slice(&s->reply.body),
		    S("x-sum: 7\r\nx-note: behind\r\n\r\n"));
	}
	scene_free(&s);
}

/* The first try is refused with enough bytes to overwrite what was read. */
static void
serve_second_time(struct server *s, struct wire *w, unsigned n)
{
	struct slice part;

	if (n > 0) {
		serve_request_trailers(s, w, n);
		return;
	}
	CHECK(server_head(s, w, &part));
	CHECK(wire_until(w, "behind\r\n\r\n", &part));
	wire_say(w, "HTTP/1.1 503 Busy\r\nconnection: close\r\n"
		    "content-length: 200\r\n\r\n");
	for (int i = 0; i < 20; i++)
		wire_say(w, "0123456789");
}

TEST(trailers_of_a_request_are_sent_with_each_try)
{
	struct scene *s = scene_with(serve_second_time, NULL,
	    "apiVersion: networking.istio.io/v1\n"
	    "kind: VirtualService\n"
	    "metadata: {name: web, namespace: default}\n"
	    "spec:\n"
	    "  hosts: [web]\n"
	    "  http:\n"
	    "  - route: [{destination: {host: web}}]\n"
	    "    retries: {attempts: 1, retryOn: 5xx}\n");

	scene_ask(s, WITH_TRAILERS);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_SLICE(
	    buf_slice(&s->reply.body), S("x-sum: 7\r\nx-note: behind\r\n\r\n"));
	scene_free(&s);
}

/* --- Expect --- */

static void
serve_refusal(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	while (server_head(s, w, &head))
		wire_say(w, "HTTP/1.1 403 Forbidden\r\n"
			    "content-length: 2\r\n\r\nno");
}

TEST(who_expects_100_may_get_a_refusal_instead)
{
	struct scene *s = scene_new(serve_refusal, NULL);

	scene_ask(s, "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n"
		     "Expect: 100-continue\r\n\r\n");
	EXPECT_EQ(s->reply.status, 403);
	EXPECT_TRUE(head_has(s->reply.head, "connection: close"));
	EXPECT_SLICE(buf_slice(&s->reply.body), S("no"));
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}

/* The service never says 100 and the client does not wait for it. */
TEST(who_expects_100_may_send_at_once)
{
	struct scene *s = scene_new(serve_echo, NULL);

	for (int i = 0; i < 2; i++) {
		scene_ask(s, "POST / HTTP/1.1\r\nHost: web\r\n"
			     "Content-Length: 4\r\n"
			     "Expect: 100-continue\r\n\r\nbody");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_TRUE(body_has(&s->reply, "\r\n\r\nbody"));
		EXPECT_TRUE(body_has(&s->reply, "expect: 100-continue\r\n"));
	}
	scene_free(&s);
}

TEST(an_expectation_that_nobody_knows_is_417)
{
	struct scene *s = scene_new(serve_ok, NULL);

	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\nExpect: tea\r\n\r\n");
	EXPECT_EQ(s->reply.status, 417);
	EXPECT_EQ(atomic_load(&s->server.requests), 0);
	scene_free(&s);
}

TEST(early_hints_go_through_and_the_answer_follows)
{
	struct scene *s = scene_new(serve_text,
	    "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
	    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 103);
	EXPECT_TRUE(head_has(s->reply.head, "link: </a>"));
	reply_read(&s->client, "GET", &s->reply);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_SLICE(buf_slice(&s->reply.body), S("hi"));
	scene_free(&s);
}

/* --- a service that reads slowly --- */

/* Reads nothing of the body until its text is set. */
static void
serve_late(struct server *s, struct wire *w, unsigned n)
{
	AUTO(buf_fini) struct buf body = BUF(64 << 20);
	char head_copy[1024];
	struct slice head;

	(void)n;
	CHECK(server_head(s, w, &head));
	CHECK(slice_to_cstr(head, head_copy, sizeof(head_copy)) == OK);
	while (atomic_load(&s->requests) == 1)
		(void)poll(NULL, 0, /* ms */ 5);
	if (server_body(w, slice_str(head_copy), &body))
		wire_say(w, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

enum {
	BODY = 32 << 20,
	/* What kernels keep on two connections, and what we may. */
	KERNEL_BYTES = 16 << 20,
	PROXY_BYTES = 4 * LIMIT_STREAM_BUFFER
};

static void *
send_body(void *arg)
{
	static char block[64 << 10];
	struct wire *w = arg;

	for (size_t i = 0; i < BODY / sizeof(block); i++)
		CHECK(wire_send(w, slice_of(block, sizeof(block))));
	return NULL;
}

TEST(a_slow_service_stops_its_client)
{
	struct scene *s = scene_new(serve_late, NULL);
	pthread_t sender;

	EXPECT_TRUE(wire_say(&s->client, "POST / HTTP/1.1\r\nHost: web\r\n"
					 "Content-Length: 33554432\r\n\r\n"));
	CHECK(pthread_create(&sender, NULL, send_body, &s->client) == 0);
	RIG_UNTIL(s->rig, atomic_load(&s->server.requests) == 1);
	EXPECT_TRUE(rig_still(s->rig).in < KERNEL_BYTES + PROXY_BYTES);
	atomic_fetch_add(&s->server.requests, 1); /* go on */
	pthread_join(sender, NULL);
	reply_read(&s->client, "POST", &s->reply);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_EQ(rig_record(s->rig, 0).received, BODY);
	scene_free(&s);
}

/* --- ends before their time --- */

static void
serve_nothing(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	if (server_head(s, w, &head))
		(void)server_head(s, w, &head); /* until the end */
	atomic_fetch_add(&s->requests, 10);     /* saw it */
}

TEST(a_client_that_leaves_takes_its_request_with_it)
{
	struct scene *s = scene_new(serve_nothing, NULL);

	EXPECT_TRUE(wire_say(&s->client, GET_WEB));
	RIG_UNTIL(s->rig, atomic_load(&s->server.requests) == 1);
	wire_reset(&s->client);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	RIG_UNTIL(s->rig, atomic_load(&s->server.requests) == 11);
	scene_free(&s);
}

TEST(a_client_that_leaves_inside_its_body_takes_its_request_with_it)
{
	struct scene *s = scene_new(serve_nothing, NULL);

	EXPECT_TRUE(wire_say(&s->client, "POST / HTTP/1.1\r\nHost: web\r\n"
					 "Content-Length: 9\r\n\r\nhal"));
	RIG_UNTIL(s->rig, atomic_load(&s->server.requests) == 1);
	wire_reset(&s->client);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	RIG_UNTIL(s->rig, atomic_load(&s->server.requests) == 11);
	scene_free(&s);
}

static void
serve_reset(struct server *s, struct wire *w, unsigned n)
{
	struct linger hard = {.l_onoff = 1};
	struct slice head;

	(void)n;
	if (!server_head(s, w, &head))
		return;
	if (s->text != NULL)
		wire_say(w, s->text);
	CHECK(
	    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0);
}

TEST(a_service_that_resets_before_its_head_is_503_ur)
{
	struct scene *s = scene_new(serve_reset, NULL);

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_UPSTREAM_RESET);
	EXPECT_TRUE(
	    strstr(s->reply.head,
		"proxy-status: meshd; error=connection_terminated") != NULL);
	scene_free(&s);
}

/* Chunked or up to the end of the connection: never a proper end. */
TEST(an_answer_that_a_reset_cuts_is_cut_for_the_client)
{
	static const char *const texts[] = {
	    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhal\r\n",
	    "HTTP/1.1 200 OK\r\n\r\nhal",
	    "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct scene *s = scene_new(serve_reset, texts[i]);

		scene_ask(s, GET_WEB);
		EXPECT_FALSE(s->reply.whole);
		EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_UPSTREAM_RESET);
		scene_free(&s);
	}
}

/* The answer does not wait for the rest of the request. */
TEST(an_answer_before_the_body_is_whole_reaches_the_client)
{
	struct scene *s = scene_new(serve_refusal, NULL);

	scene_ask(s, "POST / HTTP/1.1\r\nHost: web\r\n"
		     "Content-Length: 99999\r\n\r\nsome");
	EXPECT_EQ(s->reply.status, 403);
	EXPECT_SLICE(buf_slice(&s->reply.body), S("no"));
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}
