/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_calm — peers that do things too often or too slowly, and those that
 * only seem to.
 */
#include <stdio.h>

#include "unit.h"
#include "wire.h"

enum { SECOND = 1000000, HEAD_S = 60, STALL_S = 300, LARGE = 3 << 20 };

static struct wire wire;
static struct http2 *conn;
static bool closed;
static enum err why_closed;
static enum http2_flaw flaw;
static unsigned requests;
static struct http2_stream *asked; /* the last that is still open */
static enum err stream_why;
static uint32_t stream_code;
static unsigned interims;
static bool overlong;
static char refused[64]; /* "status word" of the last */

static void
on_stream_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	(void)arg;
	stream_why = why;
	stream_code = code;
	overlong = http2_stream_is_overlong(s);
	asked = NULL;
}

static void
on_interim(void *arg, struct http2_stream *s, struct http_head *h)
{
	(void)arg;
	(void)s;
	(void)h;
	interims++;
}

static const struct http2_stream_events stream_events = {
    .on_interim = on_interim, .on_close = on_stream_close};

static void
on_request(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	(void)arg;
	(void)h;
	(void)end;
	requests++;
	asked = s;
	http2_stream_own(s, &stream_events, NULL);
}

static void
on_refused(void *arg, struct http2 *c, unsigned status, const char *word,
    const char *text)
{
	(void)arg;
	(void)c;
	EXPECT_TRUE(text[0] != 0);
	(void)snprintf(refused, sizeof(refused), "%u %s", status, word);
}

static void
on_conn_close(void *arg, struct http2 *c, enum err why)
{
	(void)arg;
	closed = true;
	why_closed = why;
	flaw = http2_flaw_of(c);
}

static const struct http2_events conn_events = {.on_request = on_request,
    .on_refused = on_refused,
    .on_close = on_conn_close};

static const struct http2_limits limits = {.streams = 1000,
    .head_bytes = 1024,
    .frame_bytes = 16 << 10,
    .head_us = HEAD_S * UINT64_C(1000000),
    .stall_us = STALL_S * UINT64_C(1000000)};

static void
begin_with(bool server, const struct http2_limits *l)
{
	struct http2_spec spec = {
	    .server = server, .limits = l, .events = &conn_events};

	wire_init(&wire);
	closed = overlong = false;
	why_closed = stream_why = OK;
	flaw = HTTP2_SOUND;
	requests = interims = 0;
	asked = NULL;
	refused[0] = 0;
	spec.loop = wire.loop;
	spec.transport = wire.near;
	conn = http2_open(&spec);
}

static void
begin(void)
{
	begin_with(/* server */ true, &limits);
	wire_greet(&wire);
	wire_send_frame(&wire, WIRE_SETTINGS, WIRE_ACK, 0, SLICE_NONE);
}

static void
end(void)
{
	if (!closed)
		http2_close(conn, HTTP2_NO_ERROR);
	wire_fini(&wire);
	EXPECT_TRUE(closed);
}

static void
ask(uint32_t id, bool end_stream)
{
	wire_send_head(&wire, id, end_stream ? WIRE_END_STREAM : 0,
	    ":method: POST\n:scheme: http\n:authority: h\n:path: /\n");
	wire_settle(&wire);
}

static void
expect_end(enum http2_flaw wanted, enum http2_code code)
{
	wire_settle(&wire);
	EXPECT_TRUE(closed);
	EXPECT_STR(http2_flaw_word(flaw), http2_flaw_word(wanted));
	EXPECT_EQ(
	    wire_u32(slice_sub(wire_expect(&wire, WIRE_GOAWAY)->payload, 4, 8)),
	    code);
}

/* --- too often -------------------------------------------------------------
 */

enum { WIRE_PADDED = 8, WIRE_UNKNOWN = 0x42 };

struct flood {
	uint8_t type;
	uint8_t flags;
	uint32_t stream;
	struct slice payload;
	unsigned passes; /* so many are forgiven */
	enum http2_flaw flaw;
};

TEST(each_flood_ends_the_connection_by_its_name)
{
	const struct flood rows[] = {
	    {WIRE_PING, 0, 0, S("12345678"), 990, HTTP2_PING_FLOOD},
	    {WIRE_SETTINGS, 0, 0, SLICE_NONE, 990, HTTP2_SETTINGS_FLOOD},
	    {WIRE_PRIORITY, 0, 1, S("\0\0\0\0\1"), 990, HTTP2_PRIORITY_FLOOD},
	    {WIRE_WINDOW, 0, 0, S("\0\0\0\1"), 990, HTTP2_WINDOW_FLOOD},
	    {WIRE_WINDOW, 0, 1, S("\0\0\0\1"), 990, HTTP2_WINDOW_FLOOD},
	    {WIRE_UNKNOWN, 0, 0, S("x"), 990, HTTP2_FRAME_FLOOD},
	    {WIRE_DATA, 0, 1, SLICE_NONE, 16, HTTP2_EMPTY_FLOOD},
	    {WIRE_DATA, WIRE_PADDED, 1, S("\3\0\0\0"), 16, HTTP2_EMPTY_FLOOD},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct flood *f = &rows[i];

		begin();
		ask(1, /* end_stream */ false);
		for (unsigned n = 0; n < f->passes + 30 && !closed; n++) {
			wire_send_frame(&wire, (enum wire_type)f->type,
			    f->flags, f->stream, f->payload);
			if (n % 64 == 0 || n + 1 == f->passes)
				wire_settle(&wire);
			EXPECT_TRUE(n >= f->passes || !closed);
		}
		expect_end(f->flaw, HTTP2_ENHANCE_YOUR_CALM);
		EXPECT_ERR(why_closed, ERR_PROTOCOL);
		end();
	}
}

/* What we reset the client may not know yet; but not for ever. */
TEST(empty_data_of_a_stream_that_we_reset_is_a_flood_too)
{
	begin();
	ask(1, /* end_stream */ false);
	http2_stream_reset(asked, HTTP2_INTERNAL_ERROR);
	wire_settle(&wire);
	for (int i = 0; i < 1010 && !closed; i++) {
		wire_send_frame(&wire, WIRE_DATA, 0, 1, SLICE_NONE);
		if (i % 64 == 0)
			wire_settle(&wire);
		EXPECT_TRUE(i > 990 || !closed);
	}
	expect_end(HTTP2_FRAME_FLOOD, HTTP2_ENHANCE_YOUR_CALM);
	end();
}

/* A thousand in ten seconds are forgiven, again and again. */
TEST(the_same_frames_over_a_longer_time_are_none)
{
	begin();
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 900; i++)
			wire_send_frame(&wire, WIRE_PING, 0, 0, S("12345678"));
		wire_wait(&wire, 11 * SECOND);
		EXPECT_FALSE(closed);
	}
	end();
}

static void
answer(const char *body, bool end_stream)
{
	AUTO(arena_fini) struct arena a = {0};
	struct http_head h;
	enum err e;

	arena_init(&a, 4096);
	http_head_init(&h, &a);
	h.status = 200;
	EXPECT_OK(http2_stream_respond(asked, &h, /* end */ false));
	e = http2_stream_send(asked, slice_str(body));
	EXPECT_TRUE(e == OK || e == ERR_AGAIN);
	if (end_stream)
		EXPECT_OK(http2_stream_end(asked, NULL));
	wire_settle(&wire);
}

TEST(window_updates_for_what_was_sent_are_no_flood)
{
	begin();
	ask(1, /* end_stream */ true);
	answer("x", /* end_stream */ false);
	for (int i = 0; i < 1000; i++) {
		EXPECT_OK(http2_stream_send(asked, S("0123456789")));
		for (int k = 0; k < 4; k++)
			wire_send_frame(&wire, WIRE_WINDOW, 0, k & 1 ? 1 : 0,
			    S("\0\0\0\5"));
		wire_settle(&wire);
		EXPECT_FALSE(closed);
	}
	end();
}

/* As gRPC measures bandwidth: for each frame of data that came, a PING. */
TEST(pings_for_what_was_sent_are_no_flood)
{
	begin();
	ask(1, /* end_stream */ true);
	answer("x", /* end_stream */ false);
	for (int i = 0; i < 2000; i++) {
		EXPECT_OK(http2_stream_send(asked, S("0123456789")));
		wire_send_frame(&wire, WIRE_PING, 0, 0, S("12345678"));
		wire_send_frame(&wire, WIRE_WINDOW, 0, 0, S("\0\0\0\12"));
		wire_send_frame(&wire, WIRE_WINDOW, 0, 1, S("\0\0\0\12"));
		wire_settle(&wire);
		EXPECT_FALSE(closed);
	}
	end();
}

TEST(streams_that_are_reset_at_once_have_their_name)
{
	begin();
	for (uint32_t id = 1; id < 2 * 700 && !closed; id += 2) {
		ask(id, /* end_stream */ true);
		if (!closed)
			wire_send_frame(&wire, WIRE_RST, 0, id, S("\0\0\0\10"));
	}
	expect_end(HTTP2_RESET_FLOOD, HTTP2_ENHANCE_YOUR_CALM);
	EXPECT_EQ(requests, 501);
	end();
}

/* "Made you reset": the window of a stream overflows, and we are to blame. */
TEST(streams_that_we_are_made_to_reset_count_as_well)
{
	begin();
	for (uint32_t id = 1; id < 2 * 700 && !closed; id += 2) {
		ask(id, /* end_stream */ true);
		wire_send_frame(
		    &wire, WIRE_WINDOW, 0, id, S("\177\377\377\377"));
		wire_settle(&wire);
	}
	expect_end(HTTP2_FAULT_FLOOD, HTTP2_ENHANCE_YOUR_CALM);
	EXPECT_TRUE(requests > 400 && requests <= 502);
	end();
}

/* So many in one read that nghttp2 has enough before the resets are sent. */
TEST(streams_that_come_to_be_reset_all_at_once_have_the_same_name)
{
	struct http2_limits few = limits;

	few.streams = 100;
	begin_with(/* server */ true, &few);
	wire_greet(&wire);
	for (uint32_t id = 1; id < 2 * 11000; id += 2) {
		wire_send_head(&wire, id, WIRE_END_STREAM,
		    ":method: POST\n:scheme: http\n:authority: h\n:path: /\n");
		wire_send_frame(
		    &wire, WIRE_WINDOW, 0, id, S("\177\377\377\377"));
	}
	wire_settle(&wire);
	expect_end(HTTP2_FAULT_FLOOD, HTTP2_ENHANCE_YOUR_CALM);
	end();
}

TEST(a_head_in_endless_pieces_has_its_name)
{
	begin();
	wire_send_frame(&wire, WIRE_HEADERS, 0, 1, S("\0\1x\1y"));
	for (int i = 0; i < 20; i++)
		wire_send_frame(&wire, WIRE_CONTINUATION, 0, 1, S("\0\1x\1y"));
	expect_end(HTTP2_CONTINUATION_FLOOD, HTTP2_ENHANCE_YOUR_CALM);
	EXPECT_EQ(requests, 0);
	end();
}

/* RFC 7541 §6.1: one byte is a whole field, as large as the table lets it be;
 * what is past the limit is not kept. */
TEST(a_head_that_is_small_only_on_the_wire_ends_the_connection)
{
	/* POST http / h, then a field into the table, 127 + 57 + 22 * 128. */
	static const char first[] = "\x83\x86\x84\x01\x01h"
				    "\x40\x01x\x7f\xb9\x16";
	char bomb[12 + 3000 + 4000]; /* 12 MB of fields */

	begin();
	memcpy(bomb, first, 12);
	memset(bomb + 12, 'v', 3000);
	memset(bomb + 3012, '\xbe', 4000);
	wire_send_frame(&wire, WIRE_HEADERS, WIRE_END_HEADERS | WIRE_END_STREAM,
	    1, slice_of(bomb, sizeof(bomb)));
	wire_settle(&wire);
	EXPECT_EQ(requests, 0);
	expect_end(HTTP2_HEAD_BOMB, HTTP2_ENHANCE_YOUR_CALM);
	end();
}

TEST(a_request_that_is_nobodys_is_told)
{
	AUTO(buf_fini) struct buf many = BUF(1 << 16);
	static const char good[] =
	    ":method: GET\n:scheme: http\n:authority: h\n:path: /\n";

	begin();
	EXPECT_OK(buf_printf(&many, "%s", good));
	for (int i = 0; i < 20; i++)
		EXPECT_OK(buf_printf(&many, "x: vvvvvvvvvvvvvvvvvvvvvvvv\n"));
	EXPECT_OK(buf_add_byte(&many, 0));
	wire_send_head(&wire, 1, WIRE_END_STREAM, buf_slice(&many).ptr);
	wire_settle(&wire);
	EXPECT_STR(refused, "431 head_too_large");
	wire_send_head(&wire, 3, WIRE_END_STREAM,
	    ":method: GET\n:scheme: http\n:authority: a@b\n:path: /\n");
	wire_settle(&wire);
	EXPECT_STR(refused, "0 bad_head");
	refused[0] = 0;
	wire_send_head(&wire, 5, WIRE_END_STREAM,
	    ":method: GET\n:scheme: http\n:authority: h\n:path: /\nX: y\n");
	wire_settle(&wire);
	EXPECT_STR(refused, "0 bad_head");
	EXPECT_EQ(requests, 0);
	EXPECT_FALSE(closed);
	end();
}

static void
begin_client(void)
{
	AUTO(arena_fini) struct arena a = {0};
	struct http_head h;

	begin_with(/* server */ false, &limits);
	wire_skip_preface(&wire);
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, SLICE_NONE);
	arena_init(&a, 4096);
	http_head_init(&h, &a);
	h.method = S("GET");
	h.authority = S("h");
	h.path = S("/");
	EXPECT_TRUE(
	    http2_request(conn, &h, true, &stream_events, NULL) != NULL);
	wire_settle(&wire);
}

TEST(endless_interim_answers_end_the_stream)
{
	begin_client();
	for (int i = 0; i < 40; i++)
		wire_send_head(&wire, 1, 0, ":status: 103\n");
	wire_settle(&wire);
	EXPECT_EQ(interims, 32);
	EXPECT_ERR(stream_why, ERR_CANCELLED);
	EXPECT_EQ(stream_code, HTTP2_PROTOCOL_ERROR);
	EXPECT_FALSE(closed);
	end();
}

static void
expect_overlong(unsigned fields, const char *field, bool wanted)
{
	AUTO(buf_fini) struct buf text = BUF(1 << 16);

	begin_client();
	EXPECT_OK(buf_printf(&text, ":status: 200\n"));
	for (unsigned i = 0; i < fields; i++)
		EXPECT_OK(buf_printf(&text, "%s\n", field));
	EXPECT_OK(buf_add_byte(&text, 0));
	wire_send_head(&wire, 1, WIRE_END_STREAM, buf_slice(&text).ptr);
	wire_settle(&wire);
	EXPECT_ERR(stream_why, ERR_CANCELLED);
	EXPECT_EQ(stream_code, HTTP2_ENHANCE_YOUR_CALM);
	EXPECT_EQ(overlong, wanted);
	end();
}

TEST(an_answer_with_too_many_bytes_is_told_apart)
{
	expect_overlong(20, "x: vvvvvvvvvvvvvvvvvvvvvvvvvvvvv", true);
}

TEST(a_service_may_not_flood_either)
{
	begin_client();
	for (int i = 0; i < 1100 && !closed; i++)
		wire_send_frame(&wire, WIRE_PING, 0, 0, S("12345678"));
	expect_end(HTTP2_PING_FLOOD, HTTP2_ENHANCE_YOUR_CALM);
	end();
}

/* --- too slowly ------------------------------------------------------------
 */

TEST(a_head_whose_rest_does_not_come_ends_the_connection)
{
	for (int half = 0; half < 2; half++) {
		begin();
		if (half)
			wire_send(&wire, S("\0\0\100\1\4\0\0\0\1\0"));
		else
			wire_send_frame(
			    &wire, WIRE_HEADERS, 0, 1, S("\0\1x\1y"));
		wire_wait(&wire, (HEAD_S / 2) * SECOND);
		if (half)
			wire_send(&wire, S("\1x")); /* slowly is not at all */
		else
			wire_send_frame(
			    &wire, WIRE_CONTINUATION, 0, 1, S("\0\1x\1y"));
		wire_wait(&wire, (HEAD_S / 2 - 2) * SECOND);
		EXPECT_FALSE(closed);
		wire_wait(&wire, 4 * SECOND);
		expect_end(HTTP2_SLOW_HEAD, HTTP2_ENHANCE_YOUR_CALM);
		end();
	}
}

TEST(a_head_that_is_whole_in_time_is_served)
{
	static const char head[] = "\x83\x86\x84\x01\x01h"; /* POST http / h */

	begin();
	wire_send_frame(
	    &wire, WIRE_HEADERS, WIRE_END_STREAM, 1, slice_of(head, 3));
	wire_wait(&wire, (HEAD_S - 2) * SECOND);
	wire_send_frame(&wire, WIRE_CONTINUATION, WIRE_END_HEADERS, 1,
	    slice_of(head + 3, 3));
	wire_settle(&wire);
	EXPECT_EQ(requests, 1);
	wire_wait(&wire, 2 * HEAD_S * SECOND);
	EXPECT_FALSE(closed);
	end();
}

/* A goodbye is announced first, and the answer to a PING is waited for. */
TEST(a_client_that_does_not_answer_a_goodbye_is_left)
{
	begin();
	ask(1, /* end_stream */ true);
	http2_shutdown(conn);
	wire_wait(&wire, 20 * SECOND);
	EXPECT_FALSE(closed);
	answer("hello", /* end_stream */ true);
	EXPECT_TRUE(asked == NULL);
	wire_wait(&wire, 4 * SECOND);
	EXPECT_FALSE(closed);
	wire_wait(&wire, 2 * SECOND);
	EXPECT_TRUE(closed);
	EXPECT_EQ(flaw, HTTP2_SOUND);
	EXPECT_ERR(why_closed, OK);
	end();
}

/* Our streams may have no byte of window, and it stays so. */
static void
begin_without_window(void)
{
	begin();
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, S("\0\4\0\0\0\0"));
	ask(1, /* end_stream */ true);
}

TEST(an_answer_that_is_not_taken_ends_with_its_stream)
{
	begin_without_window();
	answer("hello", /* end_stream */ true);
	wire_wait(&wire, (STALL_S - 5) * UINT64_C(1000000));
	EXPECT_TRUE(asked != NULL);
	wire_wait(&wire, (STALL_S / 4 + 10) * SECOND);
	EXPECT_TRUE(asked == NULL);
	EXPECT_ERR(stream_why, ERR_TIMEOUT);
	EXPECT_EQ(wire_expect(&wire, WIRE_RST)->stream, 1);
	EXPECT_FALSE(closed);
	end();
}

TEST(an_answer_that_is_taken_slowly_is_not_cut)
{
	begin_without_window();
	answer("hello", /* end_stream */ true);
	for (int i = 0; i < 4; i++) {
		wire_wait(&wire, (STALL_S - 90) * UINT64_C(1000000));
		EXPECT_TRUE(asked != NULL);
		wire_send_frame(&wire, WIRE_WINDOW, 0, 1, S("\0\0\0\1"));
		wire_settle(&wire);
	}
	EXPECT_EQ(wire_data_bytes(&wire, 1), 4);
	wire_send_frame(&wire, WIRE_WINDOW, 0, 1, S("\0\0\0\1"));
	wire_settle(&wire);
	EXPECT_TRUE(asked == NULL);
	EXPECT_ERR(stream_why, OK);
	end();
}

/* How long its owner takes is its owner's business. */
TEST(an_answer_that_goes_on_is_its_owners)
{
	begin_without_window();
	answer("hello", /* end_stream */ false);
	wire_wait(&wire, 3 * STALL_S * UINT64_C(1000000));
	EXPECT_TRUE(asked != NULL);
	end();
}

/* The transport is full, and stays so. */
static void
begin_full(void)
{
	AUTO(mem_free) char *large = mem_new(LARGE);
	enum err e;

	begin();
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, S("\0\4\177\377\377\377"));
	wire_send_frame(&wire, WIRE_WINDOW, 0, 0, S("\100\0\0\0"));
	ask(1, /* end_stream */ true);
	stream_pause(wire.far, STREAM_PAUSE_OWNER);
	answer("x", /* end_stream */ false);
	e = http2_stream_send(asked, slice_of(large, LARGE));
	EXPECT_ERR(e, ERR_AGAIN);
}

TEST(answers_that_are_not_taken_end_the_connection)
{
	begin_full();
	for (int i = 0; i < 1200 && !closed; i++) {
		wire_send_frame(&wire, WIRE_PING, 0, 0, S("12345678"));
		if (i == 900)
			wire_wait(&wire, 11 * SECOND);
	}
	wire_settle(&wire);
	EXPECT_TRUE(closed);
	EXPECT_EQ(flaw, HTTP2_ANSWER_FLOOD);
	end();
}

TEST(a_peer_that_takes_nothing_at_all_is_left)
{
	begin_full();
	wire_wait(&wire, (STALL_S - 5) * UINT64_C(1000000));
	EXPECT_FALSE(closed);
	wire_wait(&wire, (STALL_S / 4 + 10) * SECOND);
	EXPECT_TRUE(closed);
	EXPECT_EQ(flaw, HTTP2_STALLED);
	EXPECT_ERR(why_closed, ERR_TIMEOUT);
	end();
}
