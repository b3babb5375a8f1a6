/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hbone_client — tunnels that we open, against a server written by hand.
 */
#include "unit.h"
#include "wire.h"

static struct wire wire;
static struct http2 *conn;
static bool conn_closed;
static enum err conn_why;
static bool conn_going;

static void
on_goaway(void *arg, struct http2 *c, uint32_t code)
{
	(void)arg;
	(void)c;
	(void)code;
	conn_going = true;
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
    .on_goaway = on_goaway, .on_close = on_conn_close};

/* What a tunnel's owner saw. */
struct seen {
	bool untouched; /* by a peer that refused */
	bool open;
	bool eof;
	bool drained;
	bool closed;
	enum err why;
	unsigned status;
	char reason[128];
	size_t bytes;
	char text[64]; /* the first of them */
};

static void
on_open(struct stream *s, void *arg)
{
	struct seen *seen = arg;

	(void)s;
	seen->open = true;
}

static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	struct seen *seen = arg;

	(void)s;
	for (size_t i = 0; i < bytes.len; i++)
		if (seen->bytes + i < sizeof(seen->text) - 1)
			seen->text[seen->bytes + i] = bytes.ptr[i];
	seen->bytes += bytes.len;
}

static void
on_eof(struct stream *s, void *arg)
{
	struct seen *seen = arg;

	(void)s;
	seen->eof = true;
}

static void
on_drained(struct stream *s, void *arg)
{
	struct seen *seen = arg;

	(void)s;
	seen->drained = true;
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct seen *seen = arg;
	struct slice reason = http_tunnel_reason(s);

	seen->closed = true;
	seen->why = why;
	seen->status = http_tunnel_status(s);
	seen->untouched = http_tunnel_is_untouched(s);
	EXPECT_OK(slice_to_cstr(reason, seen->reason, sizeof(seen->reason)));
}

static const struct stream_events tunnel_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

static struct http2_budget budget = {.limit = UINT64_C(64) << 20};

static void
begin(void)
{
	struct http2_spec spec = {.events = &conn_events, .budget = &budget};

	wire_init(&wire);
	conn_closed = conn_going = false;
	budget.used = 0;
	spec.loop = wire.loop;
	spec.transport = wire.near;
	conn = http2_open(&spec);
	wire_skip_preface(&wire);
}

static void
end(void)
{
	if (!conn_closed)
		http2_close(conn, HTTP2_NO_ERROR);
	wire_fini(&wire);
	EXPECT_TRUE(conn_closed);
	EXPECT_EQ(budget.used, 0);
}

static struct stream *
open_tunnel(struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	return http_tunnel_open(
	    conn, S("10.0.0.7:8080"), NULL, &tunnel_events, seen);
}

/* A tunnel that the server has accepted. */
static struct stream *
open_accepted(struct seen *seen)
{
	struct stream *s = open_tunnel(seen);

	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, SLICE_NONE);
	wire_send_frame(&wire, WIRE_SETTINGS, WIRE_ACK, 0, SLICE_NONE);
	wire_expect(&wire, WIRE_HEADERS);
	wire_send_head(&wire, 1, 0, ":status: 200\n");
	wire_settle(&wire);
	EXPECT_TRUE(seen->open);
	return s;
}

TEST(the_client_begins_with_preface_settings_and_window)
{
	static const char settings[] = {0, 2, 0, 0, 0, 0, /* no push */
	    0, 4, 0, 4, 0, 0,                             /* 256 KiB */
	    0, 5, 0, 16, 0, 0,                            /* 1 MiB frames */
	    0, 6, 0, 0, 64, 0};                           /* 16 KiB heads */
	const struct wire_frame *f;

	begin();
	f = wire_expect(&wire, WIRE_SETTINGS);
	EXPECT_EQ(f->flags, 0);
	EXPECT_SLICE(f->payload, slice_of(settings, sizeof(settings)));
	f = wire_expect(&wire, WIRE_WINDOW);
	EXPECT_EQ(f->stream, 0);
	EXPECT_EQ(wire_u32(f->payload), (1 << 20) - 65535);
	end();
}

TEST(a_connect_has_method_and_authority_and_no_more)
{
	struct seen seen;
	const struct wire_frame *f;

	begin();
	EXPECT_TRUE(open_tunnel(&seen) != NULL);
	f = wire_expect(&wire, WIRE_HEADERS);
	EXPECT_EQ(f->stream, 1);
	EXPECT_EQ(f->flags, WIRE_END_HEADERS);
	EXPECT_STR(f->text, ":method: CONNECT\n:authority: 10.0.0.7:8080\n");
	end();
	EXPECT_TRUE(seen.closed);
}

TEST(further_fields_go_behind_it)
{
	struct seen seen = {0};
	struct arena a;
	struct http_head extra;

	arena_init(&a, 65536);
	http_head_init(&extra, &a);
	EXPECT_OK(
	    http_head_add(&extra, S("Forwarded"), S("for=\"1.2.3.4:5\"")));
	EXPECT_OK(http_head_add(&extra, S("baggage"), S("service.name=web")));
	begin();
	EXPECT_TRUE(http_tunnel_open(conn, S("[::1]:80"), &extra,
			&tunnel_events, &seen) != NULL);
	EXPECT_STR(wire_expect(&wire, WIRE_HEADERS)->text,
	    ":method: CONNECT\n:authority: [::1]:80\n"
	    "forwarded: for=\"1.2.3.4:5\"\nbaggage: service.name=web\n");
	end();
	arena_fini(&a);
}

TEST(bytes_go_both_ways_and_halves_close)
{
	struct seen seen;
	struct stream *s;
	const struct wire_frame *f;

	begin();
	s = open_accepted(&seen);
	EXPECT_EQ(http_tunnel_status(s), 200);
	EXPECT_OK(stream_write(s, S("ping")));
	f = wire_expect(&wire, WIRE_DATA);
	EXPECT_EQ(f->stream, 1);
	EXPECT_EQ(f->flags, 0);
	EXPECT_SLICE(f->payload, S("ping"));
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("pong"));
	wire_settle(&wire);
	EXPECT_STR(seen.text, "pong");
	stream_shutdown(s);
	f = wire_expect(&wire, WIRE_DATA);
	EXPECT_EQ(f->flags, WIRE_END_STREAM);
	EXPECT_EQ(f->payload.len, 0);
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("more"));
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, SLICE_NONE);
	wire_settle(&wire);
	EXPECT_STR(seen.text, "pongmore");
	EXPECT_TRUE(seen.eof);
	EXPECT_FALSE(seen.closed);
	stream_close(s, OK);
	wire_settle(&wire);
	EXPECT_TRUE(seen.closed);
	EXPECT_ERR(seen.why, OK);
	EXPECT_EQ(http2_streams(conn), 0);
	end();
}

TEST(what_is_written_early_waits_for_the_answer)
{
	struct seen seen;
	struct stream *s;

	begin();
	s = open_tunnel(&seen);
	EXPECT_OK(stream_write(s, S("early")));
	stream_shutdown(s);
	wire_expect(&wire, WIRE_HEADERS);
	EXPECT_FALSE(wire_has(&wire, WIRE_DATA));
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, SLICE_NONE);
	wire_send_head(&wire, 1, 0, ":status: 200\n");
	EXPECT_SLICE(wire_expect(&wire, WIRE_DATA)->payload, S("early"));
	end();
}

TEST(another_status_closes_with_the_words)
{
	struct seen seen;

	begin();
	EXPECT_TRUE(open_tunnel(&seen) != NULL);
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, SLICE_NONE);
	wire_expect(&wire, WIRE_HEADERS);
	wire_send_head(&wire, 1, WIRE_END_STREAM,
	    ":status: 401\nproxy-status: meshd; details=\"no \\\"rule\\\"\"\n");
	wire_settle(&wire);
	EXPECT_TRUE(seen.closed);
	EXPECT_FALSE(seen.open);
	EXPECT_ERR(seen.why, ERR_REFUSED);
	EXPECT_EQ(seen.status, 401);
	EXPECT_STR(seen.reason, "no \"rule\"");
	end();
}

static void
send_rst(uint32_t code)
{
	char payload[4] = {(char)(code >> 24), (char)(code >> 16),
	    (char)(code >> 8), (char)code};

	wire_send_frame(&wire, WIRE_RST, 0, 1, slice_of(payload, 4));
	wire_settle(&wire);
}

TEST(a_polite_reset_reads_as_the_end)
{
	static const uint32_t codes[] = {HTTP2_CANCEL, HTTP2_NO_ERROR};
	struct seen seen;
	struct stream *s;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		begin();
		s = open_accepted(&seen);
		wire_send_frame(&wire, WIRE_DATA, 0, 1, S("last"));
		send_rst(codes[i]);
		EXPECT_STR(seen.text, "last");
		EXPECT_TRUE(seen.eof);
		EXPECT_FALSE(seen.closed);
		EXPECT_ERR(stream_write(s, S("x")), ERR_RESET);
		wire_settle(&wire);
		EXPECT_TRUE(seen.closed);
		end();
	}
}

TEST(any_other_reset_is_one)
{
	static const struct {
		uint32_t code;
		enum err why;
	} resets[] = {
	    {HTTP2_CONNECT_ERROR, ERR_RESET},
	    {HTTP2_INTERNAL_ERROR, ERR_RESET},
	    {HTTP2_REFUSED_STREAM, ERR_REFUSED},
	};
	struct seen seen;

	for (size_t i = 0; i < ARRAY_LEN(resets); i++) {
		begin();
		EXPECT_TRUE(open_accepted(&seen) != NULL);
		send_rst(resets[i].code);
		EXPECT_FALSE(seen.eof);
		EXPECT_TRUE(seen.closed);
		EXPECT_ERR(seen.why, resets[i].why);
		EXPECT_EQ(seen.untouched, resets[i].why == ERR_REFUSED);
		end();
	}
}

TEST(an_abort_is_a_reset_and_a_close_is_an_end)
{
	struct seen seen;
	struct stream *s;

	begin();
	s = open_accepted(&seen);
	stream_close(s, ERR_RESET);
	EXPECT_EQ(wire_u32(wire_expect(&wire, WIRE_RST)->payload),
	    HTTP2_CONNECT_ERROR);
	EXPECT_TRUE(seen.closed);
	EXPECT_ERR(seen.why, ERR_RESET);
	end();

	begin();
	s = open_accepted(&seen);
	stream_close(s, OK);
	EXPECT_EQ(wire_expect(&wire, WIRE_DATA)->flags, WIRE_END_STREAM);
	EXPECT_FALSE(seen.closed);
	wire_wait(&wire, UINT64_C(1000) * NET_LINGER_MS + 1000000);
	EXPECT_EQ(
	    wire_u32(wire_expect(&wire, WIRE_RST)->payload), HTTP2_NO_ERROR);
	EXPECT_TRUE(seen.closed);
	EXPECT_ERR(seen.why, OK);
	end();
}

/* n bytes of DATA in frames of 16 KiB. */
static void
send_data(size_t n)
{
	static const char zeros[16384];

	while (n > 0) {
		size_t part = MIN(n, sizeof(zeros));

		wire_send_frame(&wire, WIRE_DATA, 0, 1, slice_of(zeros, part));
		wire_settle(&wire);
		n -= part;
	}
}

static uint64_t
credit_of(uint32_t stream)
{
	uint64_t sum = 0;
	const struct wire_frame *f;

	while (wire_has(&wire, WIRE_WINDOW)) {
		f = wire_expect(&wire, WIRE_WINDOW);
		if (f->stream == stream)
			sum += wire_u32(f->payload);
	}
	return sum;
}

TEST(a_paused_reader_gives_no_credit)
{
	struct seen seen;
	struct stream *s;

	begin();
	s = open_accepted(&seen);
	EXPECT_EQ(credit_of(1), 0);
	stream_pause(s, STREAM_PAUSE_PEER_FULL);
	send_data(LIMIT_H2_WINDOW_START);
	EXPECT_EQ(seen.bytes, 0);
	EXPECT_EQ(credit_of(1), 0);
	stream_resume(s, STREAM_PAUSE_PEER_FULL);
	wire_settle(&wire);
	EXPECT_EQ(seen.bytes, LIMIT_H2_WINDOW_START);
	EXPECT_TRUE(credit_of(1) >= LIMIT_H2_WINDOW_START / 2);
	end();
}

static void
close_at_once(struct stream *s, void *arg, struct slice bytes)
{
	on_data(s, arg, bytes);
	stream_close(s, OK);
}

/* As who has read an answer to its end, of what came while it was paused. */
TEST(what_was_held_may_be_closed_while_it_is_read)
{
	static const struct stream_events events = {.on_open = on_open,
	    .on_data = close_at_once,
	    .on_eof = on_eof,
	    .on_drained = on_drained,
	    .on_close = on_close};
	struct seen seen;
	struct stream *s;

	begin();
	s = open_accepted(&seen);
	stream_set_events(s, &events, &seen);
	stream_pause(s, STREAM_PAUSE_PEER_FULL);
	send_data(LIMIT_H2_WINDOW_START);
	stream_resume(s, STREAM_PAUSE_PEER_FULL);
	wire_settle(&wire);
	EXPECT_EQ(seen.bytes, LIMIT_H2_WINDOW_START);
	EXPECT_FALSE(seen.eof);
	EXPECT_EQ(wire_expect(&wire, WIRE_DATA)->flags, WIRE_END_STREAM);
	end();
}

/* RFC 9113 §5.2.2 leaves the choice: who does so is out of step. */
TEST(more_than_the_window_ends_the_connection)
{
	const struct wire_frame *f;
	struct seen seen;
	struct stream *s;

	begin();
	s = open_accepted(&seen);
	stream_pause(s, STREAM_PAUSE_PEER_FULL);
	send_data(LIMIT_H2_WINDOW_START + 1);
	f = wire_expect(&wire, WIRE_GOAWAY);
	EXPECT_EQ(
	    wire_u32(slice_sub(f->payload, 4, 4)), HTTP2_FLOW_CONTROL_ERROR);
	end();
}

TEST(a_keen_reader_gets_a_larger_window)
{
	struct seen seen;
	uint64_t sent = 0;
	uint64_t window = LIMIT_H2_WINDOW_START;

	begin();
	EXPECT_TRUE(open_accepted(&seen) != NULL);
	while (sent < 24 << 20) {
		send_data(64 << 10);
		sent += 64 << 10;
		window += credit_of(1);
	}
	EXPECT_EQ(seen.bytes, sent);
	/* What may be sent now: at most the largest window, nearly all. */
	EXPECT_TRUE(window - sent <= LIMIT_H2_STREAM_WINDOW_MAX);
	EXPECT_TRUE(window - sent >= LIMIT_H2_STREAM_WINDOW_MAX / 2);
	EXPECT_EQ(budget.used, 4 * LIMIT_H2_STREAM_WINDOW_MAX - (1 << 20));
	end();
}

TEST(a_slow_sender_does_not_grow_a_window)
{
	struct seen seen;

	begin();
	EXPECT_TRUE(open_accepted(&seen) != NULL);
	for (int i = 0; i < 40; i++) {
		send_data(64 << 10);
		clock_fake_advance(&wire.fake, 500000);
		wire_settle(&wire);
	}
	EXPECT_EQ(budget.used, 0);
	end();
}

TEST(an_empty_budget_keeps_windows_small)
{
	struct seen seen;

	begin();
	budget.limit = 0;
	EXPECT_TRUE(open_accepted(&seen) != NULL);
	send_data(4 << 20);
	EXPECT_EQ(seen.bytes, 4 << 20);
	EXPECT_EQ(budget.used, 0);
	budget.limit = UINT64_C(64) << 20;
	end();
}

/* Whoever came now would stand in line behind what nobody reads. */
TEST(a_window_that_stalled_streams_have_eaten_takes_no_new_one)
{
	static const char piece[64 << 10];
	struct stream *s[4];
	struct seen seen[4];

	begin();
	budget.limit = 0; /* the window stays at 1 MiB */
	s[0] = open_accepted(&seen[0]);
	for (uint32_t i = 1; i < 4; i++) {
		s[i] = open_tunnel(&seen[i]);
		wire_settle(&wire);
		wire_send_head(&wire, 1 + 2 * i, 0, ":status: 200\n");
	}
	wire_settle(&wire);
	for (uint32_t i = 0; i < 4; i++) {
		EXPECT_TRUE(http2_is_usable(conn));
		stream_pause(s[i], STREAM_PAUSE_PEER_FULL);
		for (int k = 0; k < 4; k++)
			wire_send_frame(&wire, WIRE_DATA, 0, 1 + 2 * i,
			    slice_of(piece, sizeof(piece)));
		wire_settle(&wire);
	}
	EXPECT_FALSE(http2_is_usable(conn));
	stream_resume(s[0], STREAM_PAUSE_PEER_FULL);
	wire_settle(&wire);
	EXPECT_TRUE(http2_is_usable(conn));
	budget.limit = UINT64_C(64) << 20;
	end();
}

TEST(a_closed_window_stops_the_writer_until_it_opens)
{
	static const char bytes[40000];
	struct seen seen;
	struct stream *s;
	enum err e = OK;
	size_t written = 0;

	begin();
	s = open_accepted(&seen);
	while (e == OK) {
		e = stream_write(s, slice_of(bytes, sizeof(bytes)));
		written += sizeof(bytes);
		wire_settle(&wire);
	}
	EXPECT_ERR(e, ERR_AGAIN);
	EXPECT_EQ(wire_data_bytes(&wire, 1), 65535);
	EXPECT_TRUE(written <= 65535 + LIMIT_STREAM_BUFFER + sizeof(bytes));
	EXPECT_FALSE(seen.drained);
	wire_send_frame(&wire, WIRE_WINDOW, 0, 0, S("\0\2\0\0"));
	wire_send_frame(&wire, WIRE_WINDOW, 0, 1, S("\0\2\0\0"));
	wire_settle(&wire);
	EXPECT_TRUE(seen.drained);
	EXPECT_EQ(wire_data_bytes(&wire, 1), written);
	end();
}

TEST(many_bytes_travel_in_frames_as_large_as_the_peer_takes)
{
	static const char bytes[60000];
	struct seen seen;
	struct stream *s;
	const struct wire_frame *f;

	begin();
	s = open_accepted(&seen);
	EXPECT_OK(stream_write(s, slice_of(bytes, 17000)));
	f = wire_expect(&wire, WIRE_DATA);
	EXPECT_EQ(f->payload.len, 16384); /* RFC 9113 §6.5.2, the default */
	f = wire_expect(&wire, WIRE_DATA);
	EXPECT_EQ(f->payload.len, 17000 - 16384);
	/* SETTINGS_MAX_FRAME_SIZE (5) is 1 MiB, the windows open far. */
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, S("\0\5\0\x10\0\0"));
	wire_send_frame(&wire, WIRE_WINDOW, 0, 0, S("\0\2\0\0"));
	wire_send_frame(&wire, WIRE_WINDOW, 0, 1, S("\0\2\0\0"));
	wire_settle(&wire);
	EXPECT_OK(stream_write(s, slice_of(bytes, sizeof(bytes))));
	f = wire_expect(&wire, WIRE_DATA);
	EXPECT_EQ(f->payload.len, sizeof(bytes));
	end();
}

TEST(goodbye_lets_living_streams_finish)
{
	static const char goaway[8] = {0, 0, 0, 1, 0, 0, 0, 0};
	struct seen seen;
	struct seen other;
	struct stream *s;

	begin();
	s = open_accepted(&seen);
	EXPECT_TRUE(open_tunnel(&other) != NULL);
	wire_expect(&wire, WIRE_HEADERS);
	wire_send_frame(&wire, WIRE_GOAWAY, 0, 0, slice_of(goaway, 8));
	wire_settle(&wire);
	EXPECT_TRUE(conn_going);
	EXPECT_FALSE(http2_is_usable(conn));
	EXPECT_TRUE(open_tunnel(&other) == NULL || other.closed);
	EXPECT_FALSE(seen.closed);
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("still"));
	wire_settle(&wire);
	EXPECT_STR(seen.text, "still");
	stream_shutdown(s);
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, SLICE_NONE);
	wire_settle(&wire);
	stream_close(s, OK);
	wire_settle(&wire);
	EXPECT_TRUE(conn_closed);
	EXPECT_ERR(conn_why, OK);
	end();
}

TEST(a_stream_behind_the_last_one_served_may_be_tried_again)
{
	static const char goaway[8] = {0};
	struct seen seen;

	begin();
	EXPECT_TRUE(open_tunnel(&seen) != NULL);
	wire_expect(&wire, WIRE_HEADERS);
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, SLICE_NONE);
	wire_send_frame(&wire, WIRE_GOAWAY, 0, 0, slice_of(goaway, 8));
	wire_settle(&wire);
	EXPECT_TRUE(seen.closed);
	EXPECT_ERR(seen.why, ERR_REFUSED);
	EXPECT_EQ(seen.status, 0);
	EXPECT_TRUE(seen.untouched);
	end();
}

TEST(silence_is_asked_about_and_then_given_up)
{
	struct seen seen;
	struct slice ping;

	begin();
	EXPECT_TRUE(open_accepted(&seen) != NULL);
	EXPECT_FALSE(wire_has(&wire, WIRE_PING));
	wire_wait(&wire, 11000000);
	ping = wire_expect(&wire, WIRE_PING)->payload;
	EXPECT_EQ(ping.len, 8);
	wire_send_frame(&wire, WIRE_PING, WIRE_ACK, 0, ping);
	wire_wait(&wire, 11000000);
	wire_expect(&wire, WIRE_PING);
	EXPECT_FALSE(conn_closed);
	wire_wait(&wire, 21000000);
	EXPECT_TRUE(conn_closed);
	EXPECT_ERR(conn_why, ERR_TIMEOUT);
	EXPECT_TRUE(seen.closed);
	EXPECT_ERR(seen.why, ERR_TIMEOUT);
	end();
}

TEST(a_connection_that_dies_closes_its_tunnels)
{
	struct seen seen;

	begin();
	EXPECT_TRUE(open_accepted(&seen) != NULL);
	stream_close(wire.far, ERR_RESET);
	wire_settle(&wire);
	EXPECT_TRUE(seen.closed);
	EXPECT_TRUE(conn_closed);
	EXPECT_TRUE(seen.why != OK);
	end();
}

TEST(no_more_streams_than_the_peer_allows)
{
	struct seen seen[2];

	begin();
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, S("\0\3\0\0\0\1"));
	wire_settle(&wire);
	EXPECT_EQ(http2_room(conn), 1);
	EXPECT_TRUE(open_tunnel(&seen[0]) != NULL);
	EXPECT_EQ(http2_room(conn), 0);
	EXPECT_TRUE(open_tunnel(&seen[1]) == NULL);
	end();
}
