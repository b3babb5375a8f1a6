/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — requests and answers, over HTTP/1.1 written by hand and, with our
 * own client at the other end, over both versions.
 */
#include <stdio.h>

#include "unit.h"
#include "wire.h"

static struct wire wire;
static struct http_server *server;
static unsigned requests;
static unsigned conns_closed;
static unsigned gone;
static bool later;
static struct http_exchange *kept;
static char last_body[64];
static unsigned drained;

static void
on_gone(void *arg)
{
	(void)arg;
	gone++;
	kept = NULL;
}

static void
on_drained(void *arg)
{
	(void)arg;
	drained++;
}

static void
stream_three(struct http_exchange *x)
{
	http_exchange_begin(x, 200, S("text/plain"), on_drained, NULL);
	EXPECT_OK(http_exchange_write(x, S("one,")));
	EXPECT_OK(http_exchange_write(x, S("two,")));
	EXPECT_OK(http_exchange_write(x, S("three")));
	http_exchange_end(x);
}

/* /echo gives the body back, /stream comes in pieces, /wait is kept. */
static void
on_request(void *arg, struct http_exchange *x)
{
	struct slice path = http_exchange_path(x);
	struct slice name;

	(void)arg;
	requests++;
	EXPECT_OK(slice_to_cstr(slice_sub(http_exchange_body(x), 0, 60),
	    last_body, sizeof(last_body)));
	if (slice_eq(path, S("/echo"))) {
		EXPECT_OK(http_exchange_set(x, S("X-Made-By"), S("test")));
		http_exchange_respond(
		    x, 200, S("application/json"), http_exchange_body(x));
	} else if (slice_eq(path, S("/stream"))) {
		stream_three(x);
	} else if (slice_eq(path, S("/hello"))) {
		EXPECT_TRUE(http_exchange_param(x, S("name"), &name));
		http_exchange_respond(x, 200, S("text/plain"), name);
	} else if (slice_eq(path, S("/wait"))) {
		if (later)
			http_exchange_on_gone(x, on_gone, NULL);
		kept = x;
	} else {
		http_exchange_respond(x, 404, SLICE_NONE, SLICE_NONE);
	}
}

/* /no is refused before its body, /no-later after a while. */
static bool
on_head(void *arg, struct http_exchange *x)
{
	(void)arg;
	EXPECT_EQ(http_exchange_body(x).len, 0);
	if (slice_eq(http_exchange_path(x), S("/no"))) {
		http_exchange_respond(x, 401, S("text/plain"), S("no"));
		return false;
	}
	if (!slice_eq(http_exchange_path(x), S("/no-later")))
		return true;
	http_exchange_on_gone(x, on_gone, NULL);
	kept = x;
	return false;
}

static void
on_conn_close(void *arg, void *conn_arg)
{
	(void)arg;
	EXPECT_STR(conn_arg, "peer");
	conns_closed++;
}

static char peer[] = "peer";

static void
begin(enum http_proto proto)
{
	struct http_server_spec spec = {.on_head = on_head,
	    .on_request = on_request,
	    .on_conn_close = on_conn_close,
	    .body_limit = 4096};

	wire_init(&wire);
	requests = conns_closed = gone = drained = 0;
	kept = NULL;
	later = false;
	spec.loop = wire.loop;
	server = http_server_new(&spec);
	http_server_serve(server, wire.near, proto, peer);
	EXPECT_EQ(http_server_conns(server), 1);
}

static void
end(void)
{
	wire_settle(&wire);
	http_server_free(&server);
	wire_fini(&wire);
	EXPECT_EQ(conns_closed, 1);
}

static struct slice
received(void)
{
	wire_settle(&wire);
	return buf_slice(&wire.in);
}

static void
expect_answer(const char *request, const char *answer)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, slice_str(request));
	EXPECT_SLICE(received(), slice_str(answer));
	end();
}

TEST(a_body_comes_whole_and_goes_back)
{
	expect_answer("POST /echo HTTP/1.1\r\nHost: x\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n"
		      "2\r\n{\"\r\n3\r\na\":\r\n2\r\n1}\r\n0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nx-made-by: test\r\n"
	    "content-type: application/json\r\ncontent-length: 7\r\n\r\n"
	    "{\"a\":1}");
	EXPECT_STR(last_body, "{\"a\":1}");
}

TEST(an_unknown_path_is_what_the_route_says)
{
	expect_answer("GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
	    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
}

TEST(a_query_parameter_is_decoded)
{
	expect_answer("GET /hello?x=1&name=a+b%2Fc HTTP/1.1\r\nHost: x\r\n\r\n",
	    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
	    "content-length: 5\r\n\r\na b/c");
}

TEST(head_has_no_body)
{
	expect_answer("HEAD /hello?name=abc HTTP/1.1\r\nHost: x\r\n\r\n",
	    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
	    "content-length: 3\r\n\r\n");
}

TEST(pieces_are_chunks)
{
	expect_answer("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
	    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
	    "transfer-encoding: chunked\r\n\r\n"
	    "4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n");
}

TEST(pieces_for_an_old_client_end_with_the_connection)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("GET /stream HTTP/1.0\r\nHost: x\r\n\r\n"));
	EXPECT_SLICE(
	    received(), S("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
			  "connection: close\r\n\r\none,two,three"));
	EXPECT_TRUE(wire.eof);
	end();
}

TEST(one_connection_carries_many_requests_even_pipelined)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("GET /hello?name=1 HTTP/1.1\r\nHost: x\r\n\r\n"
			   "GET /hello?name=2 HTTP/1.1\r\nHost: x\r\n\r\n"
			   "GET /hello?name=3 HTTP/1.1\r\nHost: x\r\n"
			   "Connection: close\r\n\r\n"));
	wire_settle(&wire);
	EXPECT_EQ(requests, 3);
	EXPECT_TRUE(slice_ends(
	    received(), S("content-length: 1\r\nconnection: close\r\n\r\n3")));
	EXPECT_TRUE(wire.eof);
	end();
}

TEST(a_client_that_asks_first_is_told_to_go_on)
{
	begin(HTTP_PROTO_1);
	wire_send(
	    &wire, S("POST /echo HTTP/1.1\r\nHost: x\r\n"
		     "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
	EXPECT_SLICE(received(), S("HTTP/1.1 100 Continue\r\n\r\n"));
	wire_send(&wire, S("hi"));
	EXPECT_TRUE(slice_ends(received(), S("\r\n\r\nhi")));
	end();
}

TEST(what_is_malformed_is_answered_and_ends)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"));
	EXPECT_SLICE(received(),
	    S("HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n"
	      "content-length: 14\r\nconnection: close\r\n\r\n"
	      "no Host field\n"));
	EXPECT_TRUE(wire.eof);
	EXPECT_EQ(requests, 0);
	end();
}

TEST(a_head_may_be_refused_before_its_body_is_asked_for)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("POST /no HTTP/1.1\r\nHost: x\r\n"
			   "Content-Length: 2\r\n"
			   "Expect: 100-continue\r\n\r\n"));
	EXPECT_SLICE(received(),
	    S("HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\n"
	      "content-length: 2\r\nconnection: close\r\n\r\nno"));
	EXPECT_TRUE(wire.eof);
	EXPECT_EQ(requests, 0);
	end();
}

TEST(a_refusal_of_a_head_may_come_later_and_ends_the_connection)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("POST /no-later HTTP/1.1\r\nHost: x\r\n"
			   "Content-Length: 4000\r\n\r\nabc"));
	EXPECT_EQ(received().len, 0);
	wire_send(&wire, S("defGET /hello HTTP/1.1\r\n"));
	wire_wait(&wire, 40000000);
	EXPECT_EQ(received().len, 0); /* it is not late: it is not awaited */
	EXPECT_TRUE(kept != NULL);
	http_exchange_respond(kept, 401, SLICE_NONE, SLICE_NONE);
	EXPECT_SLICE(received(), S("HTTP/1.1 401 Unauthorized\r\n"
				   "content-length: 0\r\n"
				   "connection: close\r\n\r\n"));
	EXPECT_TRUE(wire.eof);
	EXPECT_EQ(requests, 0);
	end();
}

TEST(a_client_may_leave_before_it_is_refused)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("GET /no-later HTTP/1.1\r\nHost: x\r\n\r\n"));
	wire_settle(&wire);
	stream_close(wire.far, ERR_RESET);
	wire_settle(&wire);
	EXPECT_EQ(gone, 1);
	EXPECT_EQ(requests, 0);
	end();
}

TEST(a_body_past_the_limit_is_413)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("POST /echo HTTP/1.1\r\nHost: x\r\n"
			   "Content-Length: 4097\r\n\r\n"));
	EXPECT_TRUE(slice_starts(received(), S("HTTP/1.1 413 ")));
	EXPECT_TRUE(wire.eof);
	end();
}

TEST(a_request_that_never_ends_is_408)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("POST /echo HTTP/1.1\r\nHost: x\r\n"
			   "Content-Length: 5\r\n\r\nab"));
	wire_wait(&wire, 31000000);
	EXPECT_TRUE(slice_starts(received(), S("HTTP/1.1 408 ")));
	end();
}

TEST(an_idle_connection_is_closed)
{
	begin(HTTP_PROTO_1);
	wire_wait(&wire, 61000000);
	EXPECT_TRUE(wire.eof);
	EXPECT_EQ(http_server_conns(server), 0);
	end();
}

TEST(an_answer_may_come_later)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
	EXPECT_EQ(received().len, 0);
	EXPECT_TRUE(kept != NULL);
	http_exchange_respond(kept, 204, SLICE_NONE, SLICE_NONE);
	EXPECT_SLICE(received(), S("HTTP/1.1 204 No Content\r\n\r\n"));
	end();
}

TEST(an_owner_may_answer_a_client_that_has_left)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
	wire_settle(&wire);
	stream_close(wire.far, ERR_RESET);
	wire_settle(&wire);
	EXPECT_EQ(http_server_conns(server), 0);
	EXPECT_SLICE(http_exchange_path(kept), S("/wait"));
	http_exchange_respond(kept, 200, SLICE_NONE, S("nobody"));
	end();
}

TEST(an_owner_may_be_told_that_the_client_has_left)
{
	begin(HTTP_PROTO_1);
	later = true;
	wire_send(&wire, S("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
	wire_settle(&wire);
	stream_close(wire.far, ERR_RESET);
	wire_settle(&wire);
	EXPECT_EQ(gone, 1);
	end();
}

TEST(a_watcher_that_closes_is_noticed)
{
	begin(HTTP_PROTO_1);
	later = true;
	wire_send(&wire, S("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
	wire_settle(&wire);
	http_exchange_begin(kept, 200, S("text/plain"), NULL, NULL);
	EXPECT_OK(http_exchange_write(kept, S("news")));
	stream_close(wire.far, OK);
	wire_settle(&wire);
	EXPECT_EQ(gone, 1);
	end();
}

TEST(draining_closes_what_is_idle_and_finishes_the_rest)
{
	begin(HTTP_PROTO_1);
	wire_send(&wire, S("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
	wire_settle(&wire);
	http_server_drain(server);
	wire_settle(&wire);
	EXPECT_EQ(http_server_conns(server), 1);
	http_exchange_respond(kept, 200, SLICE_NONE, S("done"));
	EXPECT_TRUE(slice_ends(received(),
	    S("content-length: 4\r\nconnection: close\r\n\r\ndone")));
	wire_wait(&wire, 5000000);
	EXPECT_EQ(http_server_conns(server), 0);
	end();
}

/* --- with our own client --- */

static struct {
	unsigned times;
	enum err err;
	unsigned status;
	char body[128];
	char pieces[128];
	char type[32];
} done;

static void
on_piece(void *arg, struct slice bytes)
{
	size_t len = strlen(done.pieces);

	(void)arg;
	snprintf(done.pieces + len, sizeof(done.pieces) - len, "%.*s",
	    SLICE_ARG(bytes));
}

static void
on_done(void *arg, const struct http_result *r)
{
	struct slice type = SLICE_NONE;

	(void)arg;
	done.times++;
	done.err = r->err;
	done.status = r->status;
	EXPECT_OK(slice_to_cstr(
	    slice_sub(r->body, 0, 100), done.body, sizeof(done.body)));
	if (r->err == OK)
		(void)http_head_get_id(r->head, HTTP_CONTENT_TYPE, &type);
	EXPECT_OK(slice_to_cstr(type, done.type, sizeof(done.type)));
}

static struct http_call *
call(enum http_proto proto, struct slice method, struct slice path,
    struct slice body)
{
	struct http_call_spec spec = {.loop = wire.loop,
	    .conn = wire.far,
	    .proto = proto,
	    .method = method,
	    .authority = S("server"),
	    .path = path,
	    .body = body,
	    .content_type = body.len > 0 ? S("application/json") : SLICE_NONE,
	    .on_done = on_done};

	memset(&done, 0, sizeof(done));
	wire.far = NULL;
	return http_call_open(&spec);
}

static const enum http_proto protos[] = {HTTP_PROTO_1, HTTP_PROTO_2};

TEST(our_client_and_our_server_understand_each_other)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		begin(protos[i]);
		(void)call(
		    protos[i], S("POST"), S("/echo"), S("{\"x\":[1,2]}"));
		EXPECT_EQ(done.times, 0);
		wire_settle(&wire);
		EXPECT_EQ(done.times, 1);
		EXPECT_OK(done.err);
		EXPECT_EQ(done.status, 200);
		EXPECT_STR(done.body, "{\"x\":[1,2]}");
		EXPECT_STR(done.type, "application/json");
		end();
	}
}

TEST(our_client_collects_pieces_or_hands_them_on)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		struct http_call_spec spec = {.loop = NULL,
		    .proto = protos[i],
		    .method = S("GET"),
		    .authority = S("server"),
		    .path = S("/stream"),
		    .on_data = on_piece,
		    .on_done = on_done};

		begin(protos[i]);
		(void)call(protos[i], S("GET"), S("/stream"), SLICE_NONE);
		wire_settle(&wire);
		EXPECT_STR(done.body, "one,two,three");
		end();

		begin(protos[i]);
		memset(&done, 0, sizeof(done));
		spec.loop = wire.loop;
		spec.conn = wire.far;
		wire.far = NULL;
		(void)http_call_open(&spec);
		wire_settle(&wire);
		EXPECT_OK(done.err);
		EXPECT_STR(done.body, "");
		EXPECT_STR(done.pieces, "one,two,three");
		end();
	}
}

TEST(a_status_of_failure_is_an_answer_too)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		begin(protos[i]);
		(void)call(protos[i], S("GET"), S("/nothing"), SLICE_NONE);
		wire_settle(&wire);
		EXPECT_OK(done.err);
		EXPECT_EQ(done.status, 404);
		end();
	}
}

TEST(a_refused_head_takes_no_body_whichever_the_version)
{
	static const char big[4000];

	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		begin(protos[i]);
		(void)call(
		    protos[i], S("POST"), S("/no"), slice_of(big, sizeof(big)));
		wire_settle(&wire);
		EXPECT_OK(done.err);
		EXPECT_EQ(done.status, 401);
		wire_wait(&wire, 5000000);
		end();

		begin(protos[i]);
		(void)call(protos[i], S("POST"), S("/no-later"),
		    slice_of(big, sizeof(big)));
		wire_settle(&wire);
		EXPECT_TRUE(kept != NULL);
		http_exchange_respond(kept, 401, SLICE_NONE, SLICE_NONE);
		wire_settle(&wire);
		EXPECT_EQ(done.status, 401);
		EXPECT_EQ(requests, 0);
		wire_wait(&wire, 5000000);
		end();
	}
}

TEST(a_call_has_a_time_limit)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		begin(protos[i]);
		(void)call(protos[i], S("GET"), S("/wait"), SLICE_NONE);
		wire_wait(&wire, 31000000);
		EXPECT_EQ(done.times, 1);
		EXPECT_ERR(done.err, ERR_TIMEOUT);
		wire_settle(&wire);
		http_exchange_respond(kept, 200, SLICE_NONE, SLICE_NONE);
		end();
	}
}

TEST(a_cancelled_call_says_nothing)
{
	struct http_call *c;

	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		begin(protos[i]);
		c = call(protos[i], S("GET"), S("/stream"), SLICE_NONE);
		http_call_cancel(&c);
		EXPECT_TRUE(c == NULL);
		wire_settle(&wire);
		EXPECT_EQ(done.times, 0);
		end();
	}
}

TEST(a_connection_that_ends_early_is_an_error)
{
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		begin(protos[i]);
		(void)call(protos[i], S("GET"), S("/wait"), SLICE_NONE);
		wire_settle(&wire);
		http_server_free(&server);
		wire_settle(&wire);
		EXPECT_EQ(done.times, 1);
		EXPECT_TRUE(done.err != OK);
		EXPECT_TRUE(kept != NULL);
		http_exchange_respond(kept, 200, SLICE_NONE, SLICE_NONE);
		end();
	}
}

TEST(too_large_a_body_is_413_on_http2)
{
	static const char big[5000];

	begin(HTTP_PROTO_2);
	(void)call(
	    HTTP_PROTO_2, S("POST"), S("/echo"), slice_of(big, sizeof(big)));
	wire_settle(&wire);
	EXPECT_OK(done.err);
	EXPECT_EQ(done.status, 413);
	EXPECT_EQ(requests, 0);
	end();
}
