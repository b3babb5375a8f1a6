/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hbone_server — CONNECTs that we accept or refuse, from a client by hand.
 */
#include <stdio.h>

#include "unit.h"
#include "wire.h"

/* What the server does with a request. */
enum answer { ACCEPT, REFUSE, WAIT, IGNORE };

struct tunnel_seen {
	struct stream *stream;
	bool eof;
	bool closed;
	enum err why;
	size_t bytes;
	char text[64];
};

static struct wire wire;
static struct http2 *conn;
static bool conn_closed;
static enum err conn_why;
static enum answer answer;
static unsigned requests;
static char authority[64];
static char method[16];
static struct http2_stream *waiting;
static enum err waiting_why;
static struct tunnel_seen seen;

static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	(void)s;
	(void)arg;
	for (size_t i = 0; i < bytes.len; i++)
		if (seen.bytes + i < sizeof(seen.text) - 1)
			seen.text[seen.bytes + i] = bytes.ptr[i];
	seen.bytes += bytes.len;
}

static void
on_eof(struct stream *s, void *arg)
{
	(void)s;
	(void)arg;
	seen.eof = true;
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	(void)s;
	(void)arg;
	seen.closed = true;
	seen.why = why;
	seen.stream = NULL;
}

static const struct stream_events tunnel_events = {
    .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

static void
on_waiting_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	(void)arg;
	(void)s;
	(void)code;
	waiting = NULL;
	waiting_why = why;
}

static const struct http2_stream_events waiting_events = {
    .on_close = on_waiting_close};

static void
on_request(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	(void)arg;
	(void)end;
	requests++;
	EXPECT_OK(slice_to_cstr(h->authority, authority, sizeof(authority)));
	EXPECT_OK(slice_to_cstr(h->method, method, sizeof(method)));
	if (answer == IGNORE)
		return;
	waiting = s;
	http2_stream_own(s, &waiting_events, NULL);
	if (answer == ACCEPT) {
		waiting = NULL;
		seen.stream = http_tunnel_accept(s, NULL, &tunnel_events, NULL);
	} else if (answer == REFUSE) {
		EXPECT_OK(http_tunnel_refuse(
		    s, 503, S("dns_error"), S("nobody \"home\"")));
	}
}

static void
on_conn_close(void *arg, struct http2 *c, enum err why)
{
	(void)arg;
	(void)c;
	conn_closed = true;
	conn_why = why;
}

static const struct http2_events conn_events = {
    .on_request = on_request, .on_close = on_conn_close};

static void
begin(enum answer what)
{
	struct http2_spec spec = {.server = true, .events = &conn_events};

	wire_init(&wire);
	memset(&seen, 0, sizeof(seen));
	waiting = NULL;
	waiting_why = OK;
	requests = 0;
	conn_closed = false;
	conn_why = OK;
	answer = what;
	spec.loop = wire.loop;
	spec.transport = wire.near;
	conn = http2_open(&spec);
	wire_greet(&wire);
	wire_send_frame(&wire, WIRE_SETTINGS, WIRE_ACK, 0, SLICE_NONE);
}

static void
end(void)
{
	if (!conn_closed)
		http2_close(conn, HTTP2_NO_ERROR);
	wire_fini(&wire);
	EXPECT_TRUE(conn_closed);
}

static void
send_connect(uint32_t stream)
{
	wire_send_head(&wire, stream, 0,
	    ":method: CONNECT\n:authority: 10.0.0.7:8080\n"
	    "baggage: service.name=web\n");
	wire_settle(&wire);
}

TEST(the_server_says_what_it_allows)
{
	static const char settings[] = {0, 3, 0, 0, 0, (char)200, /* streams */
	    0, 4, 0, 4, 0, 0,                                     /* 256 KiB */
	    0, 5, 0, 16, 0, 0, /* 1 MiB frames */
	    0, 6, 0, 1, 0, 0}; /* 64 KiB heads */

	begin(ACCEPT);
	EXPECT_SLICE(wire_expect(&wire, WIRE_SETTINGS)->payload,
	    slice_of(settings, sizeof(settings)));
	end();
}

TEST(a_connect_becomes_a_stream)
{
	const struct wire_frame *f;

	begin(ACCEPT);
	send_connect(1);
	EXPECT_STR(authority, "10.0.0.7:8080");
	f = wire_expect(&wire, WIRE_HEADERS);
	EXPECT_STR(f->text, ":status: 200\n");
	EXPECT_EQ(f->flags, WIRE_END_HEADERS);
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("hello"));
	wire_settle(&wire);
	EXPECT_STR(seen.text, "hello");
	EXPECT_OK(stream_write(seen.stream, S("there")));
	EXPECT_SLICE(wire_expect(&wire, WIRE_DATA)->payload, S("there"));
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, SLICE_NONE);
	wire_settle(&wire);
	EXPECT_TRUE(seen.eof);
	stream_shutdown(seen.stream);
	f = wire_expect(&wire, WIRE_DATA);
	EXPECT_EQ(f->flags, WIRE_END_STREAM);
	stream_close(seen.stream, OK);
	wire_settle(&wire);
	EXPECT_TRUE(seen.closed);
	EXPECT_ERR(seen.why, OK);
	EXPECT_EQ(http2_streams(conn), 0);
	end();
}

TEST(frames_of_a_turn_leave_in_one_write)
{
	begin(ACCEPT);
	send_connect(1);
	wire_settle(&wire);
	for (int i = 0; i < 5; i++)
		EXPECT_OK(stream_write(seen.stream, S("12345")));
	EXPECT_EQ(stream_pending(wire.near), 0);
	EXPECT_EQ(wire_data_bytes(&wire, 1), 25);
	end();
}

TEST(a_refusal_has_a_status_and_words)
{
	const struct wire_frame *f;

	begin(REFUSE);
	send_connect(1);
	f = wire_expect(&wire, WIRE_HEADERS);
	EXPECT_STR(f->text, ":status: 503\n"
			    "proxy-status: meshd; error=dns_error; "
			    "details=\"nobody \\\"home\\\"\"\n");
	EXPECT_EQ(f->flags, WIRE_END_HEADERS | WIRE_END_STREAM);
	EXPECT_EQ(
	    wire_u32(wire_expect(&wire, WIRE_RST)->payload), HTTP2_NO_ERROR);
	EXPECT_TRUE(waiting == NULL);
	EXPECT_ERR(waiting_why, OK);
	end();
}

TEST(what_nobody_takes_is_refused)
{
	begin(IGNORE);
	send_connect(1);
	EXPECT_EQ(wire_u32(wire_expect(&wire, WIRE_RST)->payload),
	    HTTP2_REFUSED_STREAM);
	end();
}

TEST(bytes_before_the_answer_are_kept)
{
	begin(WAIT);
	send_connect(1);
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, S("eager"));
	wire_settle(&wire);
	EXPECT_EQ(http2_stream_held(waiting), 5);
	seen.stream = http_tunnel_accept(waiting, NULL, &tunnel_events, NULL);
	wire_settle(&wire);
	EXPECT_STR(seen.text, "eager");
	EXPECT_TRUE(seen.eof);
	stream_close(seen.stream, OK);
	wire_settle(&wire);
	EXPECT_TRUE(seen.closed);
	end();
}

TEST(a_client_that_leaves_before_the_answer_is_told)
{
	begin(WAIT);
	send_connect(1);
	wire_send_frame(&wire, WIRE_RST, 0, 1, S("\0\0\0\10"));
	wire_settle(&wire);
	EXPECT_TRUE(waiting == NULL);
	EXPECT_ERR(waiting_why, ERR_RESET);
	end();
}

TEST(another_method_is_told_as_it_is)
{
	begin(REFUSE);
	wire_send_head(&wire, 1, WIRE_END_STREAM,
	    ":method: GET\n:scheme: https\n:path: /\n:authority: x\n");
	wire_settle(&wire);
	EXPECT_STR(method, "GET");
	end();
}

TEST(a_connect_without_authority_breaks_the_rules)
{
	begin(ACCEPT);
	wire_send_head(&wire, 1, 0, ":method: CONNECT\n");
	EXPECT_EQ(wire_u32(wire_expect(&wire, WIRE_RST)->payload),
	    HTTP2_PROTOCOL_ERROR);
	EXPECT_EQ(requests, 0);
	end();
}

TEST(an_authority_that_is_none_is_400)
{
	begin(ACCEPT);
	wire_send_head(
	    &wire, 1, 0, ":method: CONNECT\n:authority: host:80000\n");
	EXPECT_STR(wire_expect(&wire, WIRE_HEADERS)->text,
	    ":status: 400\n"
	    "proxy-status: meshd; error=http_request_error; details=\"a head "
	    "that makes no "
	    "sense\"\n");
	EXPECT_EQ(requests, 0);
	end();
}

/* RFC 9113 §8.3.1: such a head is malformed, so it is no request. */
TEST(an_authority_with_a_user_is_a_protocol_error)
{
	begin(ACCEPT);
	wire_send_head(
	    &wire, 1, 0, ":method: CONNECT\n:authority: user@host:80\n");
	EXPECT_EQ(wire_u32(wire_expect(&wire, WIRE_RST)->payload),
	    HTTP2_PROTOCOL_ERROR);
	EXPECT_EQ(requests, 0);
	end();
}

TEST(a_field_that_is_none_is_a_protocol_error)
{
	begin(ACCEPT);
	wire_send_head(
	    &wire, 1, 0, ":method: CONNECT\n:authority: 10.0.0.7:80\nx y: z\n");
	EXPECT_EQ(wire_u32(wire_expect(&wire, WIRE_RST)->payload),
	    HTTP2_PROTOCOL_ERROR);
	EXPECT_EQ(requests, 0);
	end();
}

TEST(a_head_past_the_limit_is_431)
{
	char lines[256];
	struct http2_limits limits = http2_limits_server;
	struct http2_spec spec = {
	    .server = true, .limits = &limits, .events = &conn_events};

	wire_init(&wire);
	limits.head_bytes = 200;
	spec.loop = wire.loop;
	spec.transport = wire.near;
	conn = http2_open(&spec);
	conn_closed = false;
	requests = 0;
	wire_greet(&wire);
	snprintf(lines, sizeof(lines),
	    ":method: CONNECT\n:authority: h:1\nx: %0*d\n", 170, 7);
	wire_send_head(&wire, 1, 0, lines);
	EXPECT_STR(wire_expect(&wire, WIRE_HEADERS)->text,
	    ":status: 431\n"
	    "proxy-status: meshd; error=http_request_error; details=\"start "
	    "line and fields are too "
	    "large\"\n");
	EXPECT_EQ(requests, 0);
	end();
}

TEST(goodbye_is_announced_first_and_streams_finish)
{
	const struct wire_frame *f;
	struct slice ping;

	begin(ACCEPT);
	send_connect(1);
	http2_shutdown(conn);
	f = wire_expect(&wire, WIRE_GOAWAY);
	EXPECT_EQ(wire_u32(f->payload), 0x7fffffff);
	ping = wire_expect(&wire, WIRE_PING)->payload;
	send_connect(3); /* was on its way */
	EXPECT_EQ(requests, 2);
	wire_send_frame(&wire, WIRE_PING, WIRE_ACK, 0, ping);
	f = wire_expect(&wire, WIRE_GOAWAY);
	EXPECT_EQ(wire_u32(f->payload), 3);
	EXPECT_FALSE(conn_closed);
	wire_send_frame(&wire, WIRE_RST, 0, 1, S("\0\0\0\2"));
	wire_send_frame(&wire, WIRE_RST, 0, 3, S("\0\0\0\2"));
	wire_settle(&wire);
	EXPECT_TRUE(conn_closed);
	EXPECT_ERR(conn_why, OK);
	end();
}

TEST(a_hard_close_cuts_streams)
{
	begin(ACCEPT);
	send_connect(1);
	http2_close(conn, HTTP2_NO_ERROR);
	EXPECT_EQ(wire_expect(&wire, WIRE_GOAWAY)->payload.len, 8);
	EXPECT_TRUE(seen.closed);
	EXPECT_ERR(seen.why, ERR_CLOSED);
	EXPECT_TRUE(conn_closed);
	end();
}

/* --- floods --- */

/* The connection ended, with a GOAWAY of this code if there was room. */
static void
expect_cut(uint32_t code)
{
	const struct wire_frame *f;
	uint32_t got;

	wire_settle(&wire);
	EXPECT_TRUE(conn_closed);
	EXPECT_ERR(conn_why, ERR_PROTOCOL);
	f = wire_expect(&wire, WIRE_GOAWAY);
	got = wire_u32(slice_sub(f->payload, 4, 4));
	EXPECT_EQ(got, code);
}

TEST(streams_that_are_reset_at_once_end_the_connection)
{
	begin(WAIT);
	for (uint32_t id = 1; id < 2 * 700 && !conn_closed; id += 2) {
		wire_send_head(
		    &wire, id, 0, ":method: CONNECT\n:authority: h:1\n");
		wire_send_frame(&wire, WIRE_RST, 0, id, S("\0\0\0\10"));
		if (id % 64 == 1)
			wire_settle(&wire);
	}
	wire_settle(&wire);
	EXPECT_TRUE(conn_closed);
	EXPECT_TRUE(requests <= 600);
	end();
}

TEST(a_flood_of_pings_ends_the_connection)
{
	begin(ACCEPT);
	for (int i = 0; i < 1100 && !conn_closed; i++)
		wire_send_frame(&wire, WIRE_PING, 0, 0, S("12345678"));
	expect_cut(HTTP2_ENHANCE_YOUR_CALM);
	end();
}

TEST(a_flood_of_settings_ends_the_connection)
{
	begin(ACCEPT);
	for (int i = 0; i < 1100 && !conn_closed; i++)
		wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, SLICE_NONE);
	expect_cut(HTTP2_ENHANCE_YOUR_CALM);
	end();
}

TEST(empty_data_ends_the_connection)
{
	begin(ACCEPT);
	send_connect(1);
	for (int i = 0; i < 20; i++)
		wire_send_frame(&wire, WIRE_DATA, 0, 1, SLICE_NONE);
	expect_cut(HTTP2_ENHANCE_YOUR_CALM);
	end();
}

TEST(endless_continuations_end_the_connection)
{
	begin(ACCEPT);
	wire_send_frame(&wire, WIRE_HEADERS, 0, 1, S("\0\1x\1y"));
	for (int i = 0; i < 20; i++)
		wire_send_frame(&wire, WIRE_CONTINUATION, 0, 1, S("\0\1x\1y"));
	wire_settle(&wire);
	EXPECT_TRUE(conn_closed);
	EXPECT_ERR(conn_why, ERR_PROTOCOL);
	EXPECT_EQ(requests, 0);
	end();
}

TEST(more_streams_than_announced_break_the_rules)
{
	begin(ACCEPT);
	for (uint32_t id = 1; id < 2 * 200 + 1; id += 2)
		send_connect(id);
	EXPECT_EQ(requests, 200);
	send_connect(401);
	EXPECT_EQ(requests, 200);
	expect_cut(HTTP2_PROTOCOL_ERROR);
	end();
}

TEST(bytes_that_are_no_preface_end_the_connection)
{
	struct http2_spec spec = {.server = true, .events = &conn_events};

	wire_init(&wire);
	conn_closed = false;
	spec.loop = wire.loop;
	spec.transport = wire.near;
	conn = http2_open(&spec);
	wire_send(&wire, S("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
	wire_settle(&wire);
	EXPECT_TRUE(conn_closed);
	EXPECT_ERR(conn_why, ERR_PROTOCOL);
	end();
}
