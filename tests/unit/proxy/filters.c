/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filters — what a filter may do: wait, collect, answer, and go on later.
 *
 * The table here has a gate between routes and headers. What it does with a
 * request and its answer says the test; the test's thread opens it.
 */
#include "http/filter.h"
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
	enum filter_verdict request; /* what it says first */
	enum filter_verdict response;
	_Atomic(struct request *) held; /* who waits */
	atomic_uint asked;              /* for requests and answers together */
	atomic_uint ended;
	atomic_size_t collected;
	atomic_bool all; /* of it was there */
} gate;

static enum filter_verdict
decide(struct request *r, enum filter_verdict first, size_t held, bool has)
{
	atomic_fetch_add(&gate.asked, 1);
	if (first == FILTER_COLLECT && has) {
		atomic_store(&gate.collected, held);
		return FILTER_GO_ON;
	}
	if (first == FILTER_WAIT)
		atomic_store(&gate.held, r);
	return first;
}

static enum filter_verdict
gate_request(struct request *r)
{
	bool has = request_has_body(r);

	if (gate.request == FILTER_COLLECT && has)
		atomic_store(&gate.all, r->complete);
	return decide(r, gate.request, buf_len(&r->held), has);
}

static enum filter_verdict
gate_response(struct request *r, struct http_head *h)
{
	bool has = request_has_response(r);

	(void)h;
	if (gate.response == FILTER_COLLECT && has)
		atomic_store(&gate.all, r->response_over);
	return decide(r, gate.response, buf_len(&r->response_held), has);
}

static void
gate_end(struct request *r)
{
	(void)r;
	atomic_store(&gate.held, NULL);
	atomic_fetch_add(&gate.ended, 1);
}

static const struct filter filter_gate = {.name = "gate",
    .on_request = gate_request,
    .on_response = gate_response,
    .on_end = gate_end};

/* Takes the place of the proxy's own table. */
const struct filter *const filters[] = {&filter_hygiene, &filter_gate,
    &filter_route, &filter_grpc_web, &filter_target, &filter_headers};
const size_t filter_count = ARRAY_LEN(filters);

static void
set_gate(enum filter_verdict request, enum filter_verdict response)
{
	gate.request = request;
	gate.response = response;
	atomic_store(&gate.held, NULL);
	atomic_store(&gate.asked, 0);
	atomic_store(&gate.ended, 0);
	atomic_store(&gate.collected, 0);
	atomic_store(&gate.all, false);
}

static struct duo *
begin(struct way way, enum filter_verdict request, enum filter_verdict response,
    server_fn fn, const char *text)
{
	set_gate(request, response);
	return duo_new(way, fn, text, NULL);
}

static void
go_on(void *arg)
{
	struct request *r = atomic_exchange(&gate.held, NULL);

	(void)arg;
	if (r != NULL)
		request_continue(r);
}

static void
refuse(void *arg)
{
	struct request *r = atomic_exchange(&gate.held, NULL);

	(void)arg;
	request_answer(r, 403, FLOW_DENIED, S("the gate is shut"));
}

static void
wait_at_gate(struct duo *s)
{
	RIG_UNTIL(s->rig, atomic_load(&gate.held) != NULL);
}

static void
open_gate(struct duo *s)
{
	wait_at_gate(s);
	rig_on_worker(s->rig, 0, go_on, NULL);
}

static void
say(struct duo *s, const char *request)
{
	peer_head(&s->client, request, /* end */ true);
}

static void
read_reply(struct duo *s)
{
	duo_read(s);
}

/* A body of that many bytes, all 'x', behind the head of a POST. */
static void
post(struct duo *s, size_t bytes)
{
	AUTO(mem_free) char *body = mem_new(bytes);
	char head[256];

	memset(body, 'x', bytes);
	(void)snprintf(head, sizeof(head),
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: %zu\r\n\r\n",
	    bytes);
	peer_head(&s->client, head, /* end */ false);
	peer_body(&s->client, slice_of(body, bytes));
	peer_end(&s->client, NULL);
}

/* Answers with as many bytes as its text says, and a trailer. */
static void
serve_much(struct server *s, struct wire *w, unsigned n)
{
	static char block[1 << 20];
	size_t bytes = strtoul(s->text, NULL, 10);
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	memset(block, 'y', sizeof(block));
	peer_server(p, w);
	while (peer_next(p)) {
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
		    "trailer: x-sum\r\n\r\n",
		    /* end */ false);
		peer_body(p, slice_of(block, bytes));
		peer_end(p, "x-sum: 7\r\n");
	}
	peer_fini(p);
}

/* --- requests --- */

TEST(text_that_came_while_a_filter_waited_becomes_bytes)
{
	struct duo *s = begin((struct way){.web = true}, FILTER_WAIT,
	    FILTER_GO_ON, serve_mirror, NULL);

	peer_head(&s->client,
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 16\r\n"
	    "Content-Type: application/grpc-web-text\r\n\r\n",
	    /* end */ false);
	peer_body(&s->client, S("aGVs"));
	wait_at_gate(s);
	peer_body(&s->client, S("bG8=d29yb"));
	open_gate(s);
	peer_body(&s->client, S("GQ="));
	read_reply(s);
	EXPECT_TRUE(head_has(s->reply.head, "grpc-status: 2"));
	EXPECT_TRUE(strstr(s->reply.head, "helloworld") != NULL);
	duo_free(&s);
}

TEST_WAYS(a_request_waits_and_goes_on)
{
	struct duo *s =
	    begin(way, FILTER_WAIT, FILTER_GO_ON, serve_mirror, NULL);

	for (unsigned i = 1; i <= 3; i++) {
		post(s, 1000);
		wait_at_gate(s);
		EXPECT_EQ(atomic_load(&s->server->requests), i - 1);
		open_gate(s);
		read_reply(s);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_TRUE(body_has(&s->reply, "xxxxxxxxxx"));
		RIG_UNTIL(s->rig, atomic_load(&gate.ended) == i);
	}
	duo_free(&s);
}

TEST_WAYS(a_waiting_request_stops_its_client)
{
	struct duo *s =
	    begin(way, FILTER_WAIT, FILTER_GO_ON, serve_mirror, NULL);

	post(s, 200000);
	wait_at_gate(s);
	open_gate(s);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(buf_len(&s->reply.body) > 200000);
	duo_free(&s);
}

TEST_WAYS(a_filter_may_answer_later)
{
	struct duo *s =
	    begin(way, FILTER_WAIT, FILTER_GO_ON, serve_mirror, NULL);

	say(s, GET_WEB);
	wait_at_gate(s);
	rig_on_worker(s->rig, 0, refuse, NULL);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 403);
	EXPECT_TRUE(body_has(&s->reply, "the gate is shut"));
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DENIED);
	EXPECT_EQ(atomic_load(&s->server->requests), 0);
	duo_free(&s);
}

TEST_WAYS(a_client_that_leaves_a_waiting_request_ends_it)
{
	struct duo *s =
	    begin(way, FILTER_WAIT, FILTER_GO_ON, serve_mirror, NULL);

	say(s, GET_WEB);
	wait_at_gate(s);
	wire_reset(&s->wire);
	RIG_UNTIL(s->rig, atomic_load(&gate.ended) == 1);
	EXPECT_TRUE(atomic_load(&gate.held) == NULL);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	duo_free(&s);
}

static void
serve_never(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)s;
	(void)n;
	peer_server(p, w);
	while (peer_next(p))
		continue;
	peer_fini(p);
}

/* Its end came when there was no route yet to ask for a timeout. */
TEST_WAYS(a_request_that_waited_has_its_routes_timeout)
{
	struct duo *s;

	set_gate(FILTER_WAIT, FILTER_GO_ON);
	s = duo_new(way, serve_never, NULL,
	    "apiVersion: networking.istio.io/v1\n"
	    "kind: VirtualService\n"
	    "metadata: {name: web, namespace: default}\n"
	    "spec:\n"
	    "  hosts: [web]\n"
	    "  http:\n"
	    "  - timeout: 0.1s\n"
	    "    route: [{destination: {host: web}}]\n");
	say(s, GET_WEB);
	open_gate(s);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 504);
	duo_free(&s);
}

TEST_WAYS(a_small_body_is_collected_whole)
{
	struct duo *s =
	    begin(way, FILTER_COLLECT, FILTER_GO_ON, serve_mirror, NULL);

	post(s, 5000);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_EQ(atomic_load(&gate.collected), 5000);
	EXPECT_TRUE(atomic_load(&gate.all));
	EXPECT_EQ(atomic_load(&gate.asked), 3); /* twice, and the answer */
	duo_free(&s);
}

TEST_WAYS(a_large_body_is_collected_to_a_bound_and_arrives_whole)
{
	struct duo *s =
	    begin(way, FILTER_COLLECT, FILTER_GO_ON, serve_mirror, NULL);

	post(s, 1 << 20);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(atomic_load(&gate.collected) >= LIMIT_STREAM_BUFFER);
	EXPECT_TRUE(atomic_load(&gate.collected) <= REQUEST_HELD_BYTES);
	EXPECT_FALSE(atomic_load(&gate.all));
	EXPECT_TRUE(buf_len(&s->reply.body) > 1 << 20);
	duo_free(&s);
}

/* The service is not asked before there is a body, so it cannot say so. */
TEST_WAYS(who_expects_100_gets_it_from_us_when_a_body_is_collected)
{
	struct duo *s =
	    begin(way, FILTER_COLLECT, FILTER_GO_ON, serve_mirror, NULL);

	peer_head(&s->client,
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n"
	    "Expect: 100-continue\r\n\r\n",
	    /* end */ false);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 100);
	peer_body(&s->client, S("hello"));
	peer_end(&s->client, NULL);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(body_has(&s->reply, "hello"));
	EXPECT_FALSE(body_has(&s->reply, "100-continue"));
	duo_free(&s);
}

/* --- answers --- */

TEST_WAYS(an_answer_waits_and_goes_on)
{
	struct duo *s =
	    begin(way, FILTER_GO_ON, FILTER_WAIT, serve_much, "5000");

	for (unsigned i = 0; i < 3; i++) {
		say(s, GET_WEB);
		open_gate(s);
		read_reply(s);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_EQ(buf_len(&s->reply.body), 5000);
		EXPECT_TRUE(strstr(s->reply.trailers, "x-sum: 7") != NULL);
		EXPECT_TRUE(s->reply.whole);
	}
	EXPECT_EQ(atomic_load(&s->server->connections), 1);
	duo_free(&s);
}

TEST_WAYS(a_waiting_answer_stops_its_service_and_arrives_whole)
{
	struct duo *s =
	    begin(way, FILTER_GO_ON, FILTER_WAIT, serve_much, "1000000");

	say(s, GET_WEB);
	open_gate(s);
	read_reply(s);
	EXPECT_EQ(buf_len(&s->reply.body), 1000000);
	EXPECT_TRUE(s->reply.whole);
	EXPECT_TRUE(strstr(s->reply.trailers, "x-sum: 7") != NULL);
	duo_free(&s);
}

TEST_WAYS(a_filter_may_put_its_own_answer_in_the_services_place)
{
	struct duo *s =
	    begin(way, FILTER_GO_ON, FILTER_WAIT, serve_much, "100000");

	say(s, GET_WEB);
	wait_at_gate(s);
	rig_on_worker(s->rig, 0, refuse, NULL);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 403);
	EXPECT_FALSE(body_has(&s->reply, "y"));
	duo_free(&s);
}

TEST_WAYS(a_client_that_leaves_a_waiting_answer_ends_it)
{
	struct duo *s =
	    begin(way, FILTER_GO_ON, FILTER_WAIT, serve_much, "100000");

	say(s, GET_WEB);
	wait_at_gate(s);
	wire_reset(&s->wire);
	RIG_UNTIL(s->rig, atomic_load(&gate.ended) == 1);
	duo_free(&s);
}

/* One that came whole is at hand, although its connection is gone. */
TEST(a_waiting_answer_outlives_its_connection_if_it_is_whole)
{
	struct duo *s =
	    begin((struct way){0}, FILTER_GO_ON, FILTER_WAIT, serve_text,
		"HTTP/1.1 200 OK\r\nconnection: close\r\n"
		"content-length: 2\r\n\r\nok");

	say(s, GET_WEB);
	wait_at_gate(s);
	server_close(s->server);
	open_gate(s);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_SLICE(buf_slice(&s->reply.body), S("ok"));
	server_open(s->server, ADDR_V4, serve_mirror, NULL);
	duo_free(&s);
}

/* All of it is at the proxy when the session ends. */
static void
serve_and_end(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x = h2_next(h);

	(void)s;
	(void)n;
	if (x != NULL) {
		h2_answer(h, x, "ok");
		(void)h2_ping(h);
	}
	h2_leave(&h);
}

TEST_WAYS_TO_2(a_waiting_answer_outlives_its_session_if_it_is_whole)
{
	struct duo *s =
	    begin(way, FILTER_GO_ON, FILTER_WAIT, serve_and_end, NULL);

	say(s, GET_WEB);
	wait_at_gate(s);
	server_close(s->server);
	open_gate(s);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_SLICE(buf_slice(&s->reply.body), S("ok"));
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_OK);
	server_open(s->server, ADDR_V4, serve_mirror, NULL);
	duo_free(&s);
}

/* Half an answer; the other half never comes. */
static void
serve_half(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)s;
	(void)n;
	peer_server(p, w);
	if (peer_next(p)) {
		peer_head(p, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
		    /* end */ false);
		peer_body(p, S("half"));
		while (atomic_load(&gate.held) == NULL &&
		       atomic_load(&gate.ended) == 0)
			sched_yield();
		wire_reset(w);
	}
	peer_fini(p);
}

TEST_WAYS(a_waiting_answer_that_breaks_is_503)
{
	struct duo *s = begin(way, FILTER_GO_ON, FILTER_WAIT, serve_half, NULL);

	say(s, GET_WEB);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_UPSTREAM_RESET);
	RIG_UNTIL(s->rig, atomic_load(&gate.ended) == 1);
	duo_free(&s);
}

TEST_WAYS(a_small_answer_is_collected_whole)
{
	struct duo *s =
	    begin(way, FILTER_GO_ON, FILTER_COLLECT, serve_much, "5000");

	say(s, GET_WEB);
	read_reply(s);
	EXPECT_EQ(atomic_load(&gate.collected), 5000);
	EXPECT_TRUE(atomic_load(&gate.all));
	EXPECT_EQ(buf_len(&s->reply.body), 5000);
	EXPECT_TRUE(strstr(s->reply.trailers, "x-sum: 7") != NULL);
	duo_free(&s);
}

TEST_WAYS(a_large_answer_is_collected_to_a_bound_and_arrives_whole)
{
	struct duo *s =
	    begin(way, FILTER_GO_ON, FILTER_COLLECT, serve_much, "1000000");

	for (unsigned i = 0; i < 3; i++) {
		say(s, GET_WEB);
		read_reply(s);
		EXPECT_TRUE(
		    atomic_load(&gate.collected) >= LIMIT_STREAM_BUFFER);
		EXPECT_TRUE(atomic_load(&gate.collected) <= REQUEST_HELD_BYTES);
		EXPECT_FALSE(atomic_load(&gate.all));
		EXPECT_EQ(buf_len(&s->reply.body), 1000000);
		EXPECT_TRUE(s->reply.whole);
	}
	duo_free(&s);
}

/* 101, a word, then back what comes. */
static void
serve_switch(struct server *s, struct wire *w, unsigned n)
{
	struct slice part;

	(void)n;
	if (!server_head(s, w, &part))
		return;
	wire_say(w,
	    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n"
	    "upgrade: websocket\r\n\r\nhello");
	while (wire_take(w, 1, &part))
		wire_send(w, part);
}

TEST(an_upgrade_may_wait_like_any_answer)
{
	static const enum filter_verdict ways[] = {
	    FILTER_WAIT, FILTER_COLLECT, FILTER_GO_ON};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct duo *s = begin(
		    (struct way){0}, FILTER_GO_ON, ways[i], serve_switch, NULL);
		struct slice got;

		say(s, "GET / HTTP/1.1\r\nHost: web\r\n"
		       "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
		if (ways[i] == FILTER_WAIT)
			open_gate(s);
		EXPECT_TRUE(wire_until(&s->wire, "hello", &got));
		EXPECT_TRUE(slice_starts(got, S("HTTP/1.1 101 ")));
		EXPECT_TRUE(wire_say(&s->wire, "ping"));
		EXPECT_TRUE(wire_until(&s->wire, "ping", &got));
		EXPECT_SLICE(got, S("ping"));
		duo_free(&s);
	}
}
