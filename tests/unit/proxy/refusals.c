/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusals — requests that must not pass, and what they are told.
 */
#include "scene.h"
#include "unit.h"

#include <stdio.h>

struct refusal {
	const char *head;
	int status;
	const char *words; /* of the access record */
};

/* Each on a connection of its own, which must not carry another request. */
static void
expect_refused(const struct refusal *rows, size_t count)
{
	struct scene *s = scene_new(serve_ok, NULL);
	struct addr at = rig_addr(s->rig, "web");

	for (size_t i = 0; i < count; i++) {
		struct wire w = wire_dial(&at);
		struct rig_record r;

		reply_fini(&s->reply);
		ask(&w, rows[i].head, &s->reply);
		EXPECT_EQ(s->reply.status, rows[i].status);
		EXPECT_TRUE(head_has(s->reply.head, "connection: close"));
		EXPECT_TRUE(
		    strstr(s->reply.head, "proxy-status: meshd; "
					  "error=http_request_error") != NULL);
		EXPECT_TRUE(wire_is_over(&w));
		wire_close(&w);
		r = rig_record(s->rig, i);
		EXPECT_EQ(r.flag, FLOW_DOWNSTREAM_PROTOCOL);
		EXPECT_STR(r.detail, rows[i].words);
	}
	EXPECT_EQ(atomic_load(&s->server.requests), 0);
	scene_free(&s);
}

TEST(each_vector_of_smuggling_is_refused_with_its_own_words)
{
	static const struct refusal rows[] = {
	    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		400, "both Content-Length and Transfer-Encoding"},
	    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
	     "Content-Length: 3\r\n\r\nabc",
		400, "Content-Length is no number, or there are two"},
	    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400,
		"Content-Length is no number, or there are two"},
	    {"POST / HTTP/1.1\r\nHost: a\r\n"
	     "Transfer-Encoding: xchunked\r\n\r\n",
		501, "a transfer coding other than chunked"},
	    {"POST / HTTP/1.0\r\nHost: a\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n",
		400, "malformed or misplaced Transfer-Encoding"},
	    {"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n y\r\n\r\n", 400,
		"field value continues on the next line"},
	    {"GET / HTTP/1.1\r\nHost: a\r\nX: 1\nY: 2\r\n\r\n", 400,
		"line ends without CR and LF together"},
	    {"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400,
		"space between field name and colon"},
	    {"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400,
		"Host differs from the request target"},
	    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400,
		"more than one Host field"},
	    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400,
		"malformed Host field"},
	    {"GET / HTTP/1.1\r\n\r\n", 400, "no Host field"},
	    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505,
		"HTTP version is neither 1.0 nor 1.1"},
	};

	expect_refused(rows, ARRAY_LEN(rows));
}

/* Zero cannot stand in the text of a table. */
TEST(a_zero_byte_in_a_value_is_refused)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nX: 1\0002\r\n"
				   "\r\n";
	struct scene *s = scene_new(serve_ok, NULL);

	EXPECT_TRUE(wire_send(&s->client, slice_of(head, sizeof(head) - 1)));
	reply_read(&s->client, "GET", &s->reply);
	EXPECT_EQ(s->reply.status, 400);
	EXPECT_STR(
	    rig_record(s->rig, 0).detail, "illegal byte in a field value");
	scene_free(&s);
}

static char *
head_of(size_t fields, size_t value_len)
{
	AUTO(buf_fini) struct buf text = BUF(fields * (value_len + 32) + 64);
	char *at;

	EXPECT_OK(buf_printf(&text, "GET / HTTP/1.1\r\nHost: web\r\n"));
	for (size_t i = 0; i < fields; i++) {
		EXPECT_OK(buf_printf(&text, "x-%zu: ", i));
		EXPECT_OK(buf_reserve(&text, value_len, &at));
		memset(at, 'v', value_len);
		buf_commit(&text, value_len);
		EXPECT_OK(buf_add_slice(&text, S("\r\n")));
	}
	EXPECT_OK(buf_add_slice(&text, S("\r\n")));
	return mem_strndup(text.mem, buf_len(&text));
}

TEST(a_head_over_its_limits_is_431)
{
	AUTO(mem_free) char *many = head_of(LIMIT_HEAD_FIELDS, 1);
	AUTO(mem_free) char *large = head_of(8, 8 << 10);
	struct refusal rows[] = {
	    {many, 431, "too many fields"},
	    {large, 431, "start line and fields are too large"},
	};

	expect_refused(rows, ARRAY_LEN(rows));
}

TEST(a_head_within_its_limits_passes)
{
	AUTO(mem_free) char *many = head_of(LIMIT_HEAD_FIELDS - 8, 1);
	AUTO(mem_free) char *large = head_of(6, 8 << 10);
	struct scene *s = scene_new(serve_ok, NULL);

	scene_ask(s, many);
	EXPECT_EQ(s->reply.status, 200);
	scene_ask(s, large);
	EXPECT_EQ(s->reply.status, 200);
	scene_free(&s);
}

/* A body that breaks: nothing behind it is taken for a request. */
TEST(a_chunk_that_is_none_ends_the_connection)
{
	struct scene *s = scene_new(serve_ok, NULL);

	scene_ask(s, "POST / HTTP/1.1\r\nHost: web\r\n"
		     "Transfer-Encoding: chunked\r\n\r\n"
		     "zz\r\nGET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 400);
	EXPECT_TRUE(wire_is_over(&s->client));
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DOWNSTREAM_PROTOCOL);
	scene_free(&s);
}

struct visit {
	struct addr at;
	const char *text;
};

/* All of it in one turn of the worker, which so finds both at once. */
static void
speak_and_reset(void *arg)
{
	const struct visit *v = arg;
	struct wire w = wire_dial(&v->at);

	CHECK(wire_say(&w, v->text));
	wire_reset(&w);
}

static void
expect_forgotten(const char *text, size_t records)
{
	struct scene *s = scene_new(serve_ok, NULL);
	struct visit v = {rig_addr(s->rig, "web"), text};

	wire_close(&s->client);
	rig_on_worker(s->rig, 0, speak_and_reset, &v);
	RIG_UNTIL(s->rig, (rig_list(s->rig), s->rig->conn_count) == 0);
	EXPECT_EQ(rig_records(s->rig), records);
	scene_free(&s);
}

TEST(who_is_gone_before_a_refusal_is_forgotten)
{
	expect_forgotten("GET / HTTP/1.1\r\nno field\r\n\r\nand more", 1);
}

TEST(who_says_nothing_and_is_gone_is_forgotten)
{
	expect_forgotten("\r\n", 0);
}

TEST(an_absolute_target_of_the_same_host_passes_as_a_path)
{
	struct scene *s = scene_new(serve_echo, NULL);

	scene_ask(s, "GET http://web/a?b HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(body_has(&s->reply, "GET /a?b HTTP/1.1\r\nhost: web\r\n"));
	scene_free(&s);
}

/* What an answer of a service must not do to its client. */
TEST(an_answer_that_can_be_read_in_two_ways_is_502)
{
	static const char *const texts[] = {
	    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"
	    "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"
	    "content-length: 3\r\n\r\nabc",
	    "HTTP/1.1 200 OK\r\nx : 1\r\ncontent-length: 0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nx: 1\r\n y\r\ncontent-length: 0\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct scene *s = scene_new(serve_text, texts[i]);

		scene_ask(s, GET_WEB);
		EXPECT_EQ(s->reply.status, 502);
		EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_UPSTREAM_PROTOCOL);
		EXPECT_TRUE(
		    strstr(s->reply.head, "error=http_protocol_error") != NULL);
		scene_free(&s);
	}
}

/* --- a listener whose service nobody knows --- */

static struct rig *
rig_unknown(void)
{
	struct rig *r = rig_new(/* workers */ 1, ADDR_NONE);

	rig_listen(r, "nowhere", ADDR_V4);
	rig_publish(r, NULL);
	return r;
}

static const char unknown[] =
    "there is no service nowhere.default.svc.mesh.internal (yet)";

TEST(a_request_to_an_unknown_service_is_told_so_in_http)
{
	struct rig *r = rig_unknown();
	struct addr at = rig_addr(r, "nowhere");
	struct wire w = wire_dial(&at);
	struct reply reply = {0};
	struct rig_record told;

	/* And the connection goes on: the service may come. */
	for (size_t i = 0; i < 2; i++) {
		reply_fini(&reply);
		ask(&w, GET_WEB, &reply);
		EXPECT_EQ(reply.status, 503);
		EXPECT_TRUE(
		    strstr(reply.head, "proxy-status: meshd; "
				       "error=destination_not_found") != NULL);
		EXPECT_TRUE(body_has(&reply, unknown));
		told = rig_record(r, i);
		EXPECT_EQ(told.kind, FLOW_HTTP);
		EXPECT_EQ(told.flag, FLOW_NO_CLUSTER);
		EXPECT_STR(told.detail, unknown);
	}
	reply_fini(&reply);
	wire_close(&w);
	rig_free(&r);
}

TEST(what_is_no_request_to_an_unknown_service_is_reset_and_counted)
{
	static const char *const texts[] = {
	    "", "\x16\x03\x01\x02", "get / http", "GET", "GET  /", "HELLO you"};
	struct rig *r = rig_unknown();
	struct addr at = rig_addr(r, "nowhere");

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct wire w = wire_dial(&at);
		struct rig_record told;

		EXPECT_TRUE(wire_send(&w, slice_str(texts[i])));
		EXPECT_TRUE(wire_is_over(&w));
		wire_close(&w);
		told = rig_record(r, i);
		EXPECT_EQ(told.kind, FLOW_TCP_REFUSED);
		EXPECT_EQ(told.flag, FLOW_NO_CLUSTER);
		EXPECT_STR(told.detail, unknown);
	}
	rig_free(&r);
}

TEST(a_client_that_guesses_with_us_is_cut_at_the_end)
{
	struct rig *r = rig_unknown();
	struct addr at = rig_addr(r, "nowhere");
	struct wire w = wire_dial(&at);

	rig_close(r, /* drain_us */ 0);
	EXPECT_TRUE(wire_is_over(&w));
	wire_close(&w);
	rig_free(&r);
}

/* --- a call that came before its service --- */

struct early {
	struct rig *rig;
	struct server server;
	struct wire client;
};

/* A client has called, and then its service comes. */
static void
early_open(struct early *e, const char *protocol, server_fn fn)
{
	struct addr at;

	e->rig = rig_unknown();
	at = rig_addr(e->rig, "nowhere");
	server_open(&e->server, ADDR_V4, fn, NULL);
	e->client = wire_dial(&at);
	RIG_UNTIL(e->rig, (rig_list(e->rig), e->rig->conn_count == 1));
	rig_service(e->rig, "nowhere", protocol);
	(void)rig_endpoint(e->rig, "nowhere", &e->server.addr, NULL);
	rig_publish(e->rig, NULL);
}

static void
early_close(struct early *e)
{
	wire_close(&e->client);
	rig_free(&e->rig);
	server_close(&e->server);
}

TEST(the_first_call_waits_until_its_service_is_known)
{
	static const char *const protocols[] = {"http", "tcp"};

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		struct reply reply = {0};
		struct early e;

		early_open(&e, protocols[i], serve_ok);
		ask(&e.client, GET_WEB, &reply);
		EXPECT_EQ(reply.status, 200);
		reply_fini(&reply);
		early_close(&e);
	}
}

TEST(a_client_that_leaves_while_it_waits_is_reported)
{
	struct rig *r = rig_unknown();
	struct addr at = rig_addr(r, "nowhere");
	struct wire w = wire_dial(&at);

	RIG_UNTIL(r, (rig_list(r), r->conn_count == 1));
	wire_reset(&w);
	EXPECT_EQ(rig_record(r, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	rig_publish(r, NULL); /* nobody is there any more */
	rig_free(&r);
}

/* Another one is told at once: less than a second for ten of them. */
TEST(only_the_first_call_waits_in_vain)
{
	struct rig *r = rig_unknown();
	struct reply reply = {0};
	uint64_t began = clock_mono_us(&clock_system), first;

	rig_get(r, "nowhere", "/", &reply);
	EXPECT_EQ(reply.status, 503);
	first = clock_mono_us(&clock_system) - began;
	EXPECT_TRUE(first >= 1000000);
	for (size_t i = 0; i < 10; i++) {
		reply_fini(&reply);
		rig_get(r, "nowhere", "/", &reply);
		EXPECT_EQ(reply.status, 503);
	}
	EXPECT_TRUE(clock_mono_us(&clock_system) - began < 10 * first);
	reply_fini(&reply);
	rig_free(&r);
}

TEST(a_service_that_comes_is_served_by_the_listener_that_waited)
{
	struct rig *r = rig_unknown();
	struct server server;
	struct addr at = rig_addr(r, "nowhere");
	struct reply reply = {0};

	server_open(&server, ADDR_V4, serve_ok, NULL);
	rig_service(r, "nowhere", "http");
	(void)rig_endpoint(r, "nowhere", &server.addr, NULL);
	rig_publish(r, NULL);
	EXPECT_TRUE(addr_eq(&at, &r->upstreams[0].listen));
	rig_get(r, "nowhere", "/", &reply);
	EXPECT_EQ(reply.status, 200);
	reply_fini(&reply);
	rig_free(&r);
	server_close(&server);
}

/* As gRPC says things: a status of its own, and no body. */
TEST(a_call_of_grpc_is_refused_as_grpc_says_it)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
	    "  - {route: [{destination: {host: gone}}]}\n");

	scene_ask(s, "POST /a.B/C HTTP/1.1\r\nHost: web\r\nContent-Type: "
		     "application/grpc+proto\r\nContent-Length: 0\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(head_has(s->reply.head, "content-type: application/grpc"));
	EXPECT_TRUE(head_has(s->reply.head, "grpc-status: 14"));
	EXPECT_TRUE(strstr(s->reply.head, "grpc-message: there is no") != NULL);
	EXPECT_EQ(buf_len(&s->reply.body), 0);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_NO_CLUSTER);
	EXPECT_EQ(rig_record(s->rig, 0).status, 200);
	EXPECT_EQ(rig_record(s->rig, 0).sent, 0);
	scene_free(&s);
}
