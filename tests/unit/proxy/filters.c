/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filters — what a filter may do: wait, collect, answer, and go on later.
 *
 * The table here has a gate between routes and headers. What it does with a
 * request and its answer says the test; the test's thread opens it.
 */
#include "http/filter.h"
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
    &filter_route, &filter_target, &filter_headers};
const size_t filter_count = ARRAY_LEN(filters);

static struct scene *
begin(enum filter_verdict request, enum filter_verdict response, server_fn fn,
    const char *text, const char *yaml)
{
	gate.request = request;
	gate.response = response;
	atomic_store(&gate.held, NULL);
	atomic_store(&gate.asked, 0);
	atomic_store(&gate.ended, 0);
	atomic_store(&gate.collected, 0);
	atomic_store(&gate.all, false);
	return scene_with(fn, text, yaml);
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
wait_at_gate(struct scene *s)
{
	RIG_UNTIL(s->rig, atomic_load(&gate.held) != NULL);
}

static void
open_gate(struct scene *s)
{
	wait_at_gate(s);
	rig_on_worker(s->rig, 0, go_on, NULL);
}

static void
say(struct scene *s, const char *request)
{
	EXPECT_TRUE(wire_say(&s->client, request));
}

static void
read_reply(struct scene *s)
{
	reply_fini(&s->reply);
	reply_read(&s->client, "GET", &s->reply);
}

/* Answers with as many bytes as its text says, chunked with a trailer. */
static void
serve_much(struct server *s, struct wire *w, unsigned n)
{
	static char block[1 << 20];
	size_t bytes = strtoul(s->text, NULL, 10);
	struct slice head;
	char size[64];

	(void)n;
	memset(block, 'y', sizeof(block));
	while (server_head(s, w, &head)) {
		wire_say(w, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
			    "trailer: x-sum\r\n\r\n");
		(void)snprintf(size, sizeof(size), "%zx\r\n", bytes);
		wire_say(w, size);
		wire_send(w, slice_of(block, bytes));
		wire_say(w, "\r\n0\r\nx-sum: 7\r\n\r\n");
	}
}

/* --- requests --- */

TEST(a_request_waits_and_goes_on)
{
	struct scene *s =
	    begin(FILTER_WAIT, FILTER_GO_ON, serve_echo, NULL, NULL);

	for (unsigned i = 1; i <= 3; i++) {
		wire_post(&s->client, 1000);
		wait_at_gate(s);
		EXPECT_EQ(atomic_load(&s->server.requests), i - 1);
		open_gate(s);
		read_reply(s);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_TRUE(body_has(&s->reply, "xxxxxxxxxx"));
		RIG_UNTIL(s->rig, atomic_load(&gate.ended) == i);
	}
	scene_free(&s);
}

TEST(a_waiting_request_stops_its_client)
{
	struct scene *s =
	    begin(FILTER_WAIT, FILTER_GO_ON, serve_echo, NULL, NULL);

	wire_post(&s->client, 200000);
	wait_at_gate(s);
	open_gate(s);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(buf_len(&s->reply.body) > 200000);
	scene_free(&s);
}

TEST(a_filter_may_answer_later)
{
	struct scene *s =
	    begin(FILTER_WAIT, FILTER_GO_ON, serve_ok, NULL, NULL);

	say(s, GET_WEB);
	wait_at_gate(s);
	rig_on_worker(s->rig, 0, refuse, NULL);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 403);
	EXPECT_TRUE(body_has(&s->reply, "the gate is shut"));
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DENIED);
	EXPECT_EQ(atomic_load(&s->server.requests), 0);
	scene_free(&s);
}

TEST(a_client_that_leaves_a_waiting_request_ends_it)
{
	struct scene *s =
	    begin(FILTER_WAIT, FILTER_GO_ON, serve_ok, NULL, NULL);

	say(s, GET_WEB);
	wait_at_gate(s);
	wire_reset(&s->client);
	RIG_UNTIL(s->rig, atomic_load(&gate.ended) == 1);
	EXPECT_TRUE(atomic_load(&gate.held) == NULL);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	scene_free(&s);
}

static void
serve_never(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	while (server_head(s, w, &head))
		;
}

/* Its end came when there was no route yet to ask for a timeout. */
TEST(a_request_that_waited_has_its_routes_timeout)
{
	struct scene *s = begin(FILTER_WAIT, FILTER_GO_ON, serve_never, NULL,
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
	scene_free(&s);
}

TEST(a_small_body_is_collected_whole)
{
	struct scene *s =
	    begin(FILTER_COLLECT, FILTER_GO_ON, serve_echo, NULL, NULL);

	wire_post(&s->client, 5000);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_EQ(atomic_load(&gate.collected), 5000);
	EXPECT_TRUE(atomic_load(&gate.all));
	EXPECT_EQ(atomic_load(&gate.asked), 3); /* twice, and the answer */
	scene_free(&s);
}

TEST(a_large_body_is_collected_to_a_bound_and_arrives_whole)
{
	struct scene *s =
	    begin(FILTER_COLLECT, FILTER_GO_ON, serve_echo, NULL, NULL);

	wire_post(&s->client, 1 << 20);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(atomic_load(&gate.collected) >= LIMIT_STREAM_BUFFER);
	EXPECT_TRUE(atomic_load(&gate.collected) <= REQUEST_HELD_BYTES);
	EXPECT_FALSE(atomic_load(&gate.all));
	EXPECT_TRUE(buf_len(&s->reply.body) > 1 << 20);
	scene_free(&s);
}

/* The service is not asked before there is a body, so it cannot say so. */
TEST(who_expects_100_gets_it_from_us_when_a_body_is_collected)
{
	struct scene *s =
	    begin(FILTER_COLLECT, FILTER_GO_ON, serve_echo, NULL, NULL);
	struct slice interim;

	say(s, "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n"
	       "Expect: 100-continue\r\n\r\n");
	EXPECT_TRUE(wire_until(&s->client, "\r\n\r\n", &interim));
	EXPECT_TRUE(slice_starts(interim, S("HTTP/1.1 100 ")));
	say(s, "hello");
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(body_has(&s->reply, "hello"));
	EXPECT_FALSE(body_has(&s->reply, "100-continue"));
	scene_free(&s);
}

/* --- answers --- */

TEST(an_answer_waits_and_goes_on)
{
	struct scene *s =
	    begin(FILTER_GO_ON, FILTER_WAIT, serve_much, "5000", NULL);

	for (unsigned i = 0; i < 3; i++) {
		say(s, GET_WEB);
		open_gate(s);
		read_reply(s);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_EQ(buf_len(&s->reply.body), 5000);
		EXPECT_TRUE(strstr(s->reply.trailers, "x-sum: 7") != NULL);
		EXPECT_TRUE(s->reply.whole);
	}
	EXPECT_EQ(atomic_load(&s->server.connections), 1);
	scene_free(&s);
}

TEST(a_waiting_answer_stops_its_service_and_arrives_whole)
{
	struct scene *s =
	    begin(FILTER_GO_ON, FILTER_WAIT, serve_much, "1000000", NULL);

	say(s, GET_WEB);
	open_gate(s);
	read_reply(s);
	EXPECT_EQ(buf_len(&s->reply.body), 1000000);
	EXPECT_TRUE(s->reply.whole);
	EXPECT_TRUE(strstr(s->reply.trailers, "x-sum: 7") != NULL);
	scene_free(&s);
}

TEST(a_filter_may_put_its_own_answer_in_the_services_place)
{
	struct scene *s =
	    begin(FILTER_GO_ON, FILTER_WAIT, serve_much, "100000", NULL);

	say(s, GET_WEB);
	wait_at_gate(s);
	rig_on_worker(s->rig, 0, refuse, NULL);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 403);
	EXPECT_FALSE(body_has(&s->reply, "y"));
	scene_free(&s);
}

TEST(a_client_that_leaves_a_waiting_answer_ends_it)
{
	struct scene *s =
	    begin(FILTER_GO_ON, FILTER_WAIT, serve_much, "100000", NULL);

	say(s, GET_WEB);
	wait_at_gate(s);
	wire_reset(&s->client);
	RIG_UNTIL(s->rig, atomic_load(&gate.ended) == 1);
	scene_free(&s);
}

/* One that came whole is at hand, although its connection is gone. */
TEST(a_waiting_answer_outlives_its_connection_if_it_is_whole)
{
	struct scene *s = begin(FILTER_GO_ON, FILTER_WAIT, serve_text,
	    "HTTP/1.1 200 OK\r\nconnection: close\r\n"
	    "content-length: 2\r\n\r\nok",
	    NULL);

	say(s, GET_WEB);
	wait_at_gate(s);
	server_close(&s->server);
	open_gate(s);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_SLICE(buf_slice(&s->reply.body), S("ok"));
	server_open(&s->server, ADDR_V4, serve_ok, NULL);
	scene_free(&s);
}

/* Half an answer; the other half never comes. */
static void
serve_half(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	if (!server_head(s, w, &head))
		return;
	wire_say(w, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
	while (atomic_load(&gate.held) == NULL && atomic_load(&gate.ended) == 0)
		sched_yield();
	wire_reset(w);
}

TEST(a_waiting_answer_that_breaks_is_503)
{
	struct scene *s =
	    begin(FILTER_GO_ON, FILTER_WAIT, serve_half, NULL, NULL);

	say(s, GET_WEB);
	read_reply(s);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_UPSTREAM_RESET);
	RIG_UNTIL(s->rig, atomic_load(&gate.ended) == 1);
	scene_free(&s);
}

TEST(a_small_answer_is_collected_whole)
{
	struct scene *s =
	    begin(FILTER_GO_ON, FILTER_COLLECT, serve_much, "5000", NULL);

	say(s, GET_WEB);
	read_reply(s);
	EXPECT_EQ(atomic_load(&gate.collected), 5000);
	EXPECT_TRUE(atomic_load(&gate.all));
	EXPECT_EQ(buf_len(&s->reply.body), 5000);
	EXPECT_TRUE(strstr(s->reply.trailers, "x-sum: 7") != NULL);
	scene_free(&s);
}

TEST(a_large_answer_is_collected_to_a_bound_and_arrives_whole)
{
	struct scene *s =
	    begin(FILTER_GO_ON, FILTER_COLLECT, serve_much, "1000000", NULL);

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
	scene_free(&s);
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
		struct scene *s =
		    begin(FILTER_GO_ON, ways[i], serve_switch, NULL, NULL);
		struct slice got;

		say(s, "GET / HTTP/1.1\r\nHost: web\r\n"
		       "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
		if (ways[i] == FILTER_WAIT)
			open_gate(s);
		EXPECT_TRUE(wire_until(&s->client, "hello", &got));
		EXPECT_TRUE(slice_starts(got, S("HTTP/1.1 101 ")));
		say(s, "ping");
		EXPECT_TRUE(wire_until(&s->client, "ping", &got));
		EXPECT_SLICE(got, S("ping"));
		scene_free(&s);
	}
}
