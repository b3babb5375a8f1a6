/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hbone_silence — what becomes of tunnels whose other end says nothing.
 */
#include "unit.h"
#include "wire.h"

enum { SECOND = 1000000 };

static struct wire wire;
static struct http2 *conn;
static bool conn_closed;
static enum err conn_why;
static unsigned rooms;

static void
on_room(void *arg, struct http2 *c)
{
	(void)arg;
	(void)c;
	rooms++;
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
    .on_room = on_room, .on_close = on_conn_close};

/* What a tunnel's owner saw. */
struct seen {
	struct stream *stream;
	bool closed;
	enum err why;
	size_t bytes;
	char reason[128];
};

static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	struct seen *seen = arg;

	(void)s;
	seen->bytes += bytes.len;
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct seen *seen = arg;

	seen->closed = true;
	seen->why = why;
	EXPECT_OK(slice_to_cstr(
	    http_tunnel_reason(s), seen->reason, sizeof(seen->reason)));
}

static const struct stream_events tunnel_events = {
    .on_data = on_data, .on_close = on_close};

static void
open_over(struct stream *transport)
{
	conn_closed = false;
	rooms = 0;
	conn = http2_open(&(struct http2_spec){
	    .loop = wire.loop, .transport = transport, .events = &conn_events});
}

static void
begin(void)
{
	wire_init(&wire);
	open_over(wire.near);
	wire_skip_preface(&wire);
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, SLICE_NONE);
	wire_send_frame(&wire, WIRE_SETTINGS, WIRE_ACK, 0, SLICE_NONE);
	wire_settle(&wire);
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
open_tunnel(struct seen *seen, enum http2_patience patience)
{
	memset(seen, 0, sizeof(*seen));
	seen->stream = http_tunnel_open(
	    conn, S("10.0.0.7:8080"), NULL, &tunnel_events, seen);
	EXPECT_TRUE(seen->stream != NULL);
	http_tunnel_set_patience(seen->stream, patience);
	wire_send_head(&wire, wire_expect(&wire, WIRE_HEADERS)->stream, 0,
	    ":status: 200\n");
	wire_settle(&wire);
}

static void
answer(const struct wire_frame *ping)
{
	wire_send_frame(&wire, WIRE_PING, WIRE_ACK, 0, ping->payload);
	wire_settle(&wire);
}

static void
write_some(void *arg)
{
	EXPECT_OK(stream_write(arg, S("hello")));
}

TEST(what_was_written_when_the_timer_rings_is_sent)
{
	struct seen seen;
	struct timer t;

	begin();
	open_tunnel(&seen, HTTP2_URGENT);
	/* Due a moment before the look at silence, and run in the same turn. */
	timer_init(&t, wire.loop, write_some, seen.stream);
	timer_set(&t, 3 * SECOND / 2 - 1000);
	wire_wait(&wire, 2 * SECOND);
	EXPECT_SLICE(wire_expect(&wire, WIRE_DATA)->payload, S("hello"));
	end();
}

TEST(who_waits_is_told_within_five_seconds_and_who_cannot_is_spared)
{
	struct seen urgent, idle, patient;

	begin();
	open_tunnel(&urgent, HTTP2_URGENT);
	open_tunnel(&idle, HTTP2_IDLE);
	open_tunnel(&patient, HTTP2_PATIENT);
	wire_wait(&wire, 5 * SECOND);
	wire_expect(&wire, WIRE_PING);
	EXPECT_TRUE(urgent.closed && idle.closed);
	EXPECT_ERR(urgent.why, ERR_TIMEOUT);
	EXPECT_STR(urgent.reason, "the other end of the tunnel fell silent");
	EXPECT_EQ(wire_expect(&wire, WIRE_RST)->stream, 1);
	EXPECT_EQ(wire_expect(&wire, WIRE_RST)->stream, 3);
	/* New ones have to go elsewhere. */
	EXPECT_FALSE(http2_is_usable(conn));
	wire_wait(&wire, 10 * SECOND);
	EXPECT_FALSE(patient.closed || conn_closed);
	wire_wait(&wire, 10 * SECOND);
	EXPECT_TRUE(patient.closed && conn_closed);
	EXPECT_ERR(conn_why, ERR_TIMEOUT);
	end();
}

TEST(a_peer_that_comes_back_is_trusted_again)
{
	struct seen urgent, patient;
	const struct wire_frame *ping;

	begin();
	open_tunnel(&urgent, HTTP2_URGENT);
	open_tunnel(&patient, HTTP2_PATIENT);
	wire_wait(&wire, 5 * SECOND);
	ping = wire_expect(&wire, WIRE_PING);
	EXPECT_FALSE(http2_is_usable(conn));
	rooms = 0;
	answer(ping);
	EXPECT_TRUE(http2_is_usable(conn));
	EXPECT_EQ(rooms, 1);
	wire_send_frame(&wire, WIRE_DATA, 0, 3, S("still here"));
	wire_wait(&wire, 9 * SECOND);
	EXPECT_EQ(patient.bytes, 10);
	EXPECT_FALSE(patient.closed || conn_closed);
	open_tunnel(&urgent, HTTP2_URGENT);
	EXPECT_FALSE(urgent.closed);
	end();
}

TEST(a_service_that_thinks_for_ten_minutes_is_left_alone)
{
	struct seen urgent;
	unsigned pings = 0;

	begin();
	open_tunnel(&urgent, HTTP2_URGENT);
	for (int i = 0; i < 600; i++) {
		wire_wait(&wire, SECOND);
		while (wire_has(&wire, WIRE_PING)) {
			answer(wire_expect(&wire, WIRE_PING));
			pings++;
		}
		EXPECT_TRUE(http2_is_usable(conn));
	}
	EXPECT_FALSE(urgent.closed);
	EXPECT_TRUE(pings > 100 && pings <= 400);
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("forty-two"));
	wire_settle(&wire);
	EXPECT_EQ(urgent.bytes, 9);
	end();
}

/* A PING's answer may stand behind megabytes of a slow line. */
TEST(other_bytes_are_an_answer_as_well)
{
	struct seen urgent;

	begin();
	open_tunnel(&urgent, HTTP2_URGENT);
	wire_wait(&wire, 2 * SECOND);
	wire_expect(&wire, WIRE_PING);
	for (int i = 0; i < 60; i++) {
		wire_send_frame(&wire, WIRE_DATA, 0, 1, S("slow"));
		wire_wait(&wire, 2 * SECOND);
		EXPECT_TRUE(http2_is_usable(conn));
	}
	EXPECT_EQ(urgent.bytes, 240);
	EXPECT_FALSE(wire_has(&wire, WIRE_PING));
	end();
}

TEST(where_nobody_waits_silence_is_asked_about_now_and_then)
{
	struct seen idle;

	begin();
	open_tunnel(&idle, HTTP2_IDLE);
	wire_wait(&wire, 9 * SECOND);
	EXPECT_FALSE(wire_has(&wire, WIRE_PING));
	wire_wait(&wire, 2 * SECOND);
	answer(wire_expect(&wire, WIRE_PING));
	EXPECT_FALSE(idle.closed);
	end();
}

TEST(a_connection_that_was_silent_is_asked_when_it_is_used_again)
{
	struct seen idle;

	begin();
	open_tunnel(&idle, HTTP2_IDLE);
	wire_wait(&wire, 5 * SECOND);
	EXPECT_FALSE(wire_has(&wire, WIRE_PING));
	http_tunnel_set_patience(idle.stream, HTTP2_URGENT);
	wire_settle(&wire);
	wire_expect(&wire, WIRE_PING);
	wire_wait(&wire, 4 * SECOND);
	EXPECT_TRUE(idle.closed);
	EXPECT_ERR(idle.why, ERR_TIMEOUT);
	end();
}

/* --- a transport that opens when the test says so --- */

static struct buf written;

static enum err
late_writev(struct stream *s, const struct slice *parts, size_t count)
{
	(void)s;
	for (size_t i = 0; i < count; i++)
		EXPECT_OK(buf_add_slice(&written, parts[i]));
	return OK;
}

static void
late_nothing(struct stream *s)
{
	(void)s;
}

static size_t
late_pending(const struct stream *s)
{
	(void)s;
	return 0;
}

static void
late_close(struct stream *s, enum err why)
{
	(void)why;
	stream_finish(s);
}

static const struct stream_ops late_ops = {
    .name = "late",
    .writev = late_writev,
    .shutdown = late_nothing,
    .pause = late_nothing,
    .resume = late_nothing,
    .pending = late_pending,
    .close = late_close,
    .free = late_nothing, /* the test's own */
};

TEST(a_connection_that_opens_late_is_asked_soon_and_not_before)
{
	struct seen urgent = {0};
	struct stream late;

	wire_init(&wire);
	buf_init(&written, 65536);
	stream_init(
	    &late, &late_ops, wire.loop, &tunnel_events, NULL, STREAM_OPENING);
	open_over(&late);
	urgent.stream = http_tunnel_open(
	    conn, S("10.0.0.7:8080"), NULL, &tunnel_events, &urgent);
	http_tunnel_set_patience(urgent.stream, HTTP2_URGENT);
	/* Connecting has limits of its own. */
	wire_wait(&wire, 60 * SECOND);
	EXPECT_FALSE(urgent.closed || conn_closed);
	stream_emit_open(&late);
	wire_wait(&wire, 5 * SECOND);
	EXPECT_TRUE(urgent.closed);
	EXPECT_ERR(urgent.why, ERR_TIMEOUT);
	http2_close(conn, HTTP2_NO_ERROR);
	wire_settle(&wire);
	EXPECT_TRUE(conn_closed);
	buf_fini(&written);
	stream_close(wire.near, OK); /* nobody took it */
	wire_fini(&wire);
}

TEST(traffic_needs_no_ping)
{
	struct seen urgent;

	begin();
	open_tunnel(&urgent, HTTP2_URGENT);
	for (int i = 0; i < 30; i++) {
		wire_send_frame(&wire, WIRE_DATA, 0, 1, S("x"));
		wire_wait(&wire, SECOND);
	}
	EXPECT_FALSE(wire_has(&wire, WIRE_PING));
	end();
}
