/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_order — frames of streams that are over, however they come in pieces.
 *
 * What a client sends is a word a frame: its kind, the stream, 'e' if it ends
 * it, and the path of a request, which says what becomes of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "h2_session.h"
#include "unit.h"
#include "wire.h"

enum { SCRIPT_MAX = 64 << 10, NONE = -1, STREAMS = 4 };

static struct wire wire;
static struct http2 *conn;
static bool closed;
static unsigned requests;
static char heard[256]; /* what the owner was told */

static void
hear(char what, const struct http2_stream *s)
{
	size_t n = strlen(heard);

	if (s == NULL)
		(void)snprintf(heard + n, sizeof(heard) - n, "%c", what);
	else
		(void)snprintf(
		    heard + n, sizeof(heard) - n, "%c%d", what, s->id);
}

static void
on_data(void *arg, struct http2_stream *s, struct slice bytes)
{
	(void)arg;
	hear('d', s);
	http2_stream_consumed(s, bytes.len);
}

static void
on_end(void *arg, struct http2_stream *s)
{
	(void)arg;
	hear('e', s);
}

static void
on_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	(void)arg;
	(void)s;
	(void)why;
	(void)code;
}

static const struct http2_stream_events stream_events = {
    .on_data = on_data, .on_end = on_end, .on_close = on_close};

static void
on_request(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	AUTO(arena_fini) struct arena a = {0};
	struct http_head answer;

	(void)arg;
	requests++;
	hear('r', s);
	if (slice_eq(h->path, S("/nobody")))
		return;
	http2_stream_own(s, &stream_events, NULL);
	if (slice_eq(h->path, S("/reset")))
		http2_stream_reset(s, HTTP2_INTERNAL_ERROR);
	if (!slice_eq(h->path, S("/ok")))
		return;
	arena_init(&a, 4096);
	http_head_init(&answer, &a);
	answer.status = 204;
	EXPECT_OK(http2_stream_respond(s, &answer, /* end */ true));
	if (!end)
		http2_stream_leave(s);
}

static void
on_batch_end(void *arg, struct http2 *c)
{
	(void)arg;
	(void)c;
	hear('b', NULL);
}

static void
on_conn_close(void *arg, struct http2 *c, enum err why)
{
	(void)arg;
	(void)c;
	(void)why;
	closed = true;
}

static const struct http2_events conn_events = {.on_request = on_request,
    .on_batch_end = on_batch_end,
    .on_close = on_conn_close};

static const struct http2_limits limits = {
    .streams = STREAMS, .head_bytes = 1024, .frame_bytes = 16 << 10};

static void
begin(void)
{
	struct http2_spec spec = {
	    .server = true, .limits = &limits, .events = &conn_events};

	wire_init(&wire);
	closed = false;
	requests = 0;
	heard[0] = 0;
	spec.loop = wire.loop;
	spec.transport = wire.near;
	conn = http2_open(&spec);
}

static void
end(void)
{
	if (!closed)
		http2_close(conn, HTTP2_NO_ERROR);
	wire_fini(&wire);
	EXPECT_TRUE(closed);
}

/* --- the client's script --------------------------------------------------
 */

static const char big[] =
    "x: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
    "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
    "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
    "\n";

static void
send_request(uint32_t id, uint8_t flags, const char *path)
{
	AUTO(buf_fini) struct buf lines = BUF(SCRIPT_MAX);

	EXPECT_OK(buf_printf(&lines,
	    ":method: GET\n:scheme: http\n:authority: web\n:path: %s\n", path));
	if (strcmp(path, "/big") == 0)
		for (int i = 0; i < 8; i++)
			EXPECT_OK(buf_printf(&lines, "%s", big));
	if (strcmp(path, "/bad") == 0)
		EXPECT_OK(buf_printf(&lines, "connection: x\n"));
	EXPECT_OK(buf_add_byte(&lines, 0));
	wire_send_head(&wire, id, flags, lines.mem);
}

/* HEADERS with one field, the others in a CONTINUATION. */
static void
send_in_two(uint32_t id, uint8_t flags)
{
	AUTO(buf_fini) struct buf whole = BUF(SCRIPT_MAX);
	struct buf *to = wire.kept;
	enum { HEAD = 9, FIRST = 12 };
	struct slice block;

	wire.kept = &whole;
	send_request(id, flags, "/ok");
	wire.kept = to;
	block = slice_sub(buf_slice(&whole), HEAD, buf_len(&whole));
	wire_send_frame(
	    &wire, WIRE_HEADERS, flags, id, slice_sub(block, 0, FIRST));
	wire_send_frame(&wire, WIRE_CONTINUATION, WIRE_END_HEADERS, id,
	    slice_sub(block, FIRST, block.len));
}

static void
send_word(struct slice word)
{
	char kind = word.ptr[0];
	char *rest;
	uint32_t id = (uint32_t)strtoul(word.ptr + 1, &rest, 10);
	uint8_t flags = *rest == 'e' ? WIRE_END_STREAM : 0;
	char path[16];

	rest += *rest == 'e';
	(void)snprintf(path, sizeof(path), "%.*s",
	    (int)(word.ptr + word.len - rest), rest);
	if (kind == 'H')
		send_request(id, flags, path);
	else if (kind == 'C')
		send_in_two(id, flags);
	else if (kind == 'T')
		wire_send_head(&wire, id, WIRE_END_STREAM, "x-sum: 1\n");
	else if (kind == 'D')
		wire_send_frame(&wire, WIRE_DATA, flags, id, S("some"));
	else if (kind == 'R')
		wire_send_frame(
		    &wire, WIRE_RST, 0, id, slice_of("\0\0\0\10", 4));
	else if (kind == 'W')
		wire_send_frame(
		    &wire, WIRE_WINDOW, 0, id, slice_of("\0\0\0\10", 4));
	else if (kind == 'P')
		wire_send_frame(
		    &wire, WIRE_PRIORITY, 0, id, slice_of("\0\0\0\0\20", 5));
	else
		EXPECT_TRUE(!"a kind of frame");
}

/* All its frames, into `out` unless that is NULL. */
static void
send_script(const char *script, struct buf *out)
{
	struct slice rest = slice_str(script);

	wire.kept = out;
	while (rest.len > 0)
		send_word(slice_split(&rest, ' '));
	wire.kept = NULL;
}

/* The code of the GOAWAY that came, or NONE; then all that it may say is said.
 */
static int
goaway(void)
{
	if (!wire_has(&wire, WIRE_GOAWAY))
		return NONE;
	return (int)wire_u32(
	    slice_sub(wire_expect(&wire, WIRE_GOAWAY)->payload, 4, 4));
}

struct row {
	const char *first; /* has its effect before the others come */
	const char *then;
	int code; /* of the GOAWAY that it brings about */
	unsigned requests;
};

static const struct row rows[] = {
    /* Streams that both have ended. */
    {"H1e/ok", "D1", NGHTTP2_STREAM_CLOSED, 1},
    {"H1e/ok", "D1e", NGHTTP2_STREAM_CLOSED, 1},
    {"H1e/ok", "H1e/ok", NGHTTP2_STREAM_CLOSED, 1},
    {"H1e/ok", "C1e/ok", NGHTTP2_STREAM_CLOSED, 1},
    {"H1e/ok", "W1 P1 R1 H3e/ok", NONE, 2},
    {"H1e/ok H3e/ok", "H5e/ok D1 H7e/ok", NGHTTP2_STREAM_CLOSED, 3},
    {"", "C1e C3e C5e", NONE, 3},
    {"", "H1/ok D1 D1e H3/ok T3 H5e/ok", NONE, 3},
    /* Those that were passed over. */
    {"H3e/ok", "H1e/ok", NGHTTP2_STREAM_CLOSED, 1},
    {"H5e/wait", "H3e/ok", NGHTTP2_STREAM_CLOSED, 1},
    {"H5e/wait", "D3", NGHTTP2_STREAM_CLOSED, 1},
    /* We left or reset them, which the client may not know. */
    {"H1/ok", "D1 D1e H3e/ok", NONE, 2},
    {"H1/reset", "D1 D1e H3e/ok", NONE, 2},
    {"H1/reset", "T1 H3e/ok", NONE, 2},
    {"H1/nobody", "D1e H3e/ok", NONE, 2},
    {"H1/big", "D1 D1e H3e/ok", NONE, 1},
    {"H1/bad", "D1 D1e H3e/ok", NONE, 1},
    {"H1e/wait H3e/wait H5e/wait H7e/wait H9/wait", "D9 D9e W1", NONE, 4},
    /* But this one does. */
    {"H1/reset", "R1 D1", NGHTTP2_STREAM_CLOSED, 1},
    {"H1/wait R1", "D1", NGHTTP2_STREAM_CLOSED, 1},
    {"H1/wait", "R1 D1", NGHTTP2_STREAM_CLOSED, 1},
    {"H1/wait", "R1 T1", NGHTTP2_STREAM_CLOSED, 1},
    {"H1/wait R1 H3/wait R3", "D1", NGHTTP2_STREAM_CLOSED, 2},
    /* So many that the first are forgotten: then it is let be. */
    {"H1/reset H3/reset H5/reset H7/reset H9/reset H11/reset H13/reset "
     "H15/reset H17/reset H19/reset H21/reset H23/reset H25/reset H27/reset "
     "H29/reset H31/reset H33/reset H35/reset",
	"D1 D3 D35 H37e/ok", NONE, 19},
};

/* At most `piece` bytes at a time, the first time `first`. */
static void
expect_row(const struct row *row, struct slice then, size_t first, size_t piece)
{
	struct slice script = slice_str(row->first);
	size_t n = first;

	begin();
	wire_greet(&wire);
	while (script.len > 0) {
		send_word(slice_split(&script, ' '));
		wire_settle(&wire);
	}
	EXPECT_EQ(goaway(), NONE);
	for (; then.len > 0 && !wire.eof; n = piece) {
		wire_send(&wire, slice_sub(then, 0, n));
		wire_settle(&wire);
		then = slice_sub(then, MIN(n, then.len), then.len);
	}
	if (goaway() != row->code || requests != row->requests)
		printf("\"%s\", \"%s\" at %zu\n", row->first, row->then, first);
	wire.next = 0;
	EXPECT_EQ(goaway(), row->code);
	EXPECT_EQ(requests, row->requests);
	end();
}

TEST(each_frame_of_a_stream_that_is_over_is_told_apart_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf_fini) struct buf then = BUF(SCRIPT_MAX);

		begin();
		send_script(rows[i].then, &then);
		end();
		for (size_t at = 1; at <= buf_len(&then); at++)
			expect_row(&rows[i], buf_slice(&then), at, SCRIPT_MAX);
		/* nghttp2 takes the head of a CONTINUATION in eight pieces. */
		if (strchr(rows[i].then, 'C') == NULL)
			expect_row(&rows[i], buf_slice(&then), 1, 1);
		expect_row(&rows[i], buf_slice(&then), 1, 2);
		expect_row(&rows[i], buf_slice(&then), 2, 7);
	}
}

/* It may not have heard of our goodbye yet. */
TEST(behind_our_goodbye_nobody_is_out_of_step)
{
	begin();
	wire_greet(&wire);
	send_script("H1/wait H3e/ok", NULL);
	wire_settle(&wire);
	http2_shutdown(conn);
	wire_settle(&wire);
	EXPECT_EQ(goaway(), NGHTTP2_NO_ERROR);
	send_script("D3 D3e D1", NULL);
	wire_settle(&wire);
	EXPECT_FALSE(closed);
	EXPECT_TRUE(strstr(heard, "d1") != NULL);
	EXPECT_EQ(goaway(), NONE);
	end();
}

/* --- bytes that came before ------------------------------------------------
 */

TEST(what_came_before_and_what_comes_are_one_at_every_split)
{
	AUTO(buf_fini) struct buf all = BUF(SCRIPT_MAX);
	struct slice bytes;

	begin();
	wire.kept = &all;
	wire_greet(&wire);
	send_script("H1/wait D1 D1e C3e H5e/ok D5", &all);
	end();
	bytes = buf_slice(&all);
	for (size_t at = 0; at <= bytes.len; at++) {
		begin();
		http2_feed(conn, slice_sub(bytes, 0, at));
		if (at < bytes.len)
			wire_send(&wire, slice_sub(bytes, at, bytes.len));
		wire_settle(&wire);
		EXPECT_EQ(requests, 3);
		EXPECT_TRUE(strstr(heard, "r1") != NULL);
		EXPECT_TRUE(strstr(heard, "d1d1e1") != NULL ||
			    strstr(heard, "d1bd1e1") != NULL);
		end();
	}
}

/* --- the end of a read ----------------------------------------------------
 */

TEST(the_end_of_each_read_is_told_behind_what_it_brought)
{
	AUTO(buf_fini) struct buf some = BUF(SCRIPT_MAX);

	begin();
	wire_greet(&wire);
	wire_settle(&wire);
	EXPECT_STR(heard, "b");
	send_script("H1/wait D1 H3e/wait D1e", &some);
	heard[0] = 0;
	wire_send(&wire, buf_slice(&some));
	wire_settle(&wire);
	EXPECT_STR(heard, "r1d1r3e3d1e1b");
	heard[0] = 0;
	send_script("H5/wait", NULL);
	wire_settle(&wire);
	send_script("D5e", NULL);
	wire_settle(&wire);
	EXPECT_STR(heard, "r5bd5e5b");
	heard[0] = 0;
	http2_feed(conn, SLICE_NONE); /* a read that brought nothing */
	EXPECT_STR(heard, "b");
	end();
}
