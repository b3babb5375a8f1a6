/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hbone_script — whole conversations with a ztunnel, frame by frame.
 *
 * The other end is a script: frames with the values that ztunnel sends. After
 * each step everything that we sent is compared, in order, nothing left out:
 * type, flags, stream and payload in hex, heads as their fields.
 */
#include <stdio.h>

#include "unit.h"
#include "wire.h"

enum { TEXT_MAX = 8192, HEX_MAX = 64 };

static struct wire wire;
static struct http2 *conn;
static struct stream *tunnels[4]; /* in the order of their opening */
static size_t tunnel_count;
static char heard[128]; /* what the tunnels' owner was told, a letter each */
static unsigned closed;
static bool conn_closed;
static enum err conn_why;

static struct http2_budget budget = {.limit = UINT64_C(64) << 20};

/* --- the owner of tunnels --- */

static void
hear(char letter)
{
	size_t n = strlen(heard);

	EXPECT_TRUE(n < sizeof(heard) - 1);
	heard[n] = letter;
	heard[n + 1] = '\0';
}

static void
on_open(struct stream *s, void *arg)
{
	(void)s;
	(void)arg;
	hear('o');
}

static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	(void)s;
	(void)arg;
	(void)bytes;
	hear('d');
}

static void
on_eof(struct stream *s, void *arg)
{
	(void)s;
	(void)arg;
	hear('e');
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	(void)arg;
	for (size_t i = 0; i < tunnel_count; i++)
		if (tunnels[i] == s)
			tunnels[i] = NULL;
	hear(why == OK ? 'c' : why == ERR_REFUSED ? 'r' : 'x');
	closed++;
}

static const struct stream_events tunnel_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_close = on_close,
};

static void
on_waiting_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	(void)arg;
	(void)s;
	(void)why;
	(void)code;
	hear('w');
}

static const struct http2_stream_events refused_events = {
    .on_close = on_waiting_close};

/* A server that knows one address. */
static void
on_request(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	(void)arg;
	(void)end;
	if (http_head_is_method(h, S("CONNECT")) &&
	    slice_eq(h->authority, S("10.0.0.7:8080"))) {
		tunnels[tunnel_count++] =
		    http_tunnel_accept(s, NULL, &tunnel_events, NULL);
		return;
	}
	http2_stream_own(s, &refused_events, NULL);
	EXPECT_OK(http_tunnel_refuse(s,
	    http_head_is_method(h, S("CONNECT")) ? 503 : 400, S(""), S("no")));
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

/* --- the script --- */

static const char *
type_name(uint8_t type)
{
	static const char *const names[] = {"DATA", "HEADERS", "PRIORITY",
	    "RST", "SETTINGS", "PUSH", "PING", "GOAWAY", "WINDOW",
	    "CONTINUATION"};

	EXPECT_TRUE(type < ARRAY_LEN(names));
	return names[type];
}

static size_t
say_frame(const struct wire_frame *f, char *out, size_t room)
{
	char hex[2 * HEX_MAX + 1] = "";

	if (f->type == WIRE_HEADERS)
		return (size_t)snprintf(out, room, "HEADERS %u %u\n%s",
		    f->flags, f->stream, f->text);
	EXPECT_TRUE(f->payload.len <= HEX_MAX);
	crypto_hex(f->payload, hex);
	hex[2 * f->payload.len] = '\0';
	return (size_t)snprintf(out, room, "%s %u %u %s\n", type_name(f->type),
	    f->flags, f->stream, hex);
}

/* All that we sent since the last look. */
static void
expect_sent(const char *script)
{
	static char text[TEXT_MAX];
	size_t n = 0;

	text[0] = '\0';
	(void)wire_has(&wire, WIRE_DATA); /* cuts what came into frames */
	for (; wire.next < wire.count; wire.next++)
		n += say_frame(
		    &wire.frames[wire.next], text + n, sizeof(text) - n);
	EXPECT_STR(text, script);
}

static void
forget_owner(void)
{
	memset(tunnels, 0, sizeof(tunnels));
	tunnel_count = 0;
	heard[0] = '\0';
	closed = 0;
	conn_closed = false;
	conn_why = OK;
}

/* Push off, 4 MiB windows, 1 MiB frames, 16 KiB heads: ztunnel's client. */
#define ZTUNNEL_CLIENT                                                         \
	"\0\2\0\0\0\0"                                                         \
	"\0\4\0\100\0\0"                                                       \
	"\0\5\0\20\0\0"                                                        \
	"\0\6\0\0\100\0"

/* 200 streams, 4 MiB windows, 1 MiB frames, 64 KiB heads: its server. */
#define ZTUNNEL_SERVER                                                         \
	"\0\3\0\0\0\310"                                                       \
	"\0\4\0\100\0\0"                                                       \
	"\0\5\0\20\0\0"                                                        \
	"\0\6\0\1\0\0"

/* 16 MiB less what every connection begins with. */
#define ZTUNNEL_WINDOW "\0\377\0\1"

/* It has the client's SETTINGS by the time that its own leave. */
#define OUR_SERVER                                                             \
	"SETTINGS 0 0 0003000000c8000400040000000500100000000600010000\n"      \
	"SETTINGS 1 0 \n"                                                      \
	"WINDOW 0 0 000f0001\n"

#define OUR_CLIENT                                                             \
	"SETTINGS 0 0 000200000000000400040000000500100000000600004000\n"      \
	"WINDOW 0 0 000f0001\n"

static void
be_server(void)
{
	struct http2_spec spec = {
	    .server = true, .events = &conn_events, .budget = &budget};

	wire_init(&wire);
	forget_owner();
	budget.used = 0;
	spec.loop = wire.loop;
	spec.transport = wire.near;
	conn = http2_open(&spec);
	wire_send(&wire, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, S(ZTUNNEL_CLIENT));
	wire_send_frame(&wire, WIRE_WINDOW, 0, 0, S(ZTUNNEL_WINDOW));
	expect_sent(OUR_SERVER);
	wire_send_frame(&wire, WIRE_SETTINGS, WIRE_ACK, 0, SLICE_NONE);
	expect_sent("");
}

static void
be_client(void)
{
	struct http2_spec spec = {.events = &conn_events, .budget = &budget};

	wire_init(&wire);
	forget_owner();
	budget.used = 0;
	spec.loop = wire.loop;
	spec.transport = wire.near;
	conn = http2_open(&spec);
	wire_skip_preface(&wire);
	expect_sent(OUR_CLIENT);
	wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, S(ZTUNNEL_SERVER));
	wire_send_frame(&wire, WIRE_WINDOW, 0, 0, S(ZTUNNEL_WINDOW));
	wire_send_frame(&wire, WIRE_SETTINGS, WIRE_ACK, 0, SLICE_NONE);
	expect_sent("SETTINGS 1 0 \n");
}

static void
be_gone(void)
{
	for (size_t i = 0; i < tunnel_count; i++)
		if (tunnels[i] != NULL)
			stream_close(tunnels[i], OK);
	if (!conn_closed)
		http2_close(conn, HTTP2_NO_ERROR);
	wire_fini(&wire);
	EXPECT_TRUE(conn_closed);
	EXPECT_EQ(closed, tunnel_count);
	EXPECT_EQ(budget.used, 0);
}

#define CONNECT                                                                \
	":method: CONNECT\n:authority: 10.0.0.7:8080\n"                        \
	"baggage: k8s.cluster.name=c,service.name=web\n"                       \
	"forwarded: for=\"10.0.0.1:55555\";host=web.default.svc\n"             \
	"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"   \
	"01\n"

/* --- we are the server --- */

TEST(a_ztunnel_calls_says_a_word_each_way_and_halves_close)
{
	be_server();
	wire_send_head(&wire, 1, 0, CONNECT);
	expect_sent("HEADERS 4 1\n:status: 200\n");
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("ping"));
	expect_sent("");
	EXPECT_STR(heard, "d");
	EXPECT_OK(stream_write(tunnels[0], S("pong")));
	expect_sent("DATA 0 1 706f6e67\n");
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, S("bye"));
	expect_sent("");
	EXPECT_STR(heard, "dde");
	EXPECT_OK(stream_write(tunnels[0], S("late")));
	stream_shutdown(tunnels[0]);
	expect_sent("DATA 1 1 6c617465\n");
	stream_close(tunnels[0], OK);
	expect_sent("");
	EXPECT_STR(heard, "ddec");
	EXPECT_EQ(http2_streams(conn), 0);
	be_gone();
}

TEST(the_end_on_our_side_first_leaves_the_other_open)
{
	be_server();
	wire_send_head(&wire, 1, 0, CONNECT);
	expect_sent("HEADERS 4 1\n:status: 200\n");
	stream_shutdown(tunnels[0]);
	expect_sent("DATA 1 1 \n");
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("still"));
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, SLICE_NONE);
	expect_sent("");
	EXPECT_STR(heard, "de");
	be_gone();
}

TEST(what_is_no_connect_is_400_and_what_is_not_here_is_503)
{
	be_server();
	wire_send_head(&wire, 1, WIRE_END_STREAM,
	    ":method: GET\n:scheme: https\n:path: /\n:authority: h\n");
	expect_sent("HEADERS 5 1\n:status: 400\n"
		    "proxy-status: meshd; details=\"no\"\n");
	wire_send_head(
	    &wire, 3, 0, ":method: CONNECT\n:authority: 10.0.0.8:8080\n");
	/* Its half is still open: it is told to save its breath. */
	expect_sent("HEADERS 5 3\n:status: 503\n"
		    "proxy-status: meshd; details=\"no\"\n"
		    "RST 0 3 00000000\n");
	EXPECT_STR(heard, "ww");
	be_gone();
}

TEST(aborts_travel_as_resets_in_both_directions)
{
	be_server();
	wire_send_head(&wire, 1, 0, CONNECT);
	wire_send_head(&wire, 3, 0, CONNECT);
	expect_sent("HEADERS 4 1\n:status: 200\nHEADERS 4 3\n:status: 200\n");
	stream_close(tunnels[0], ERR_RESET); /* CONNECT_ERROR */
	expect_sent("RST 0 1 0000000a\n");
	wire_send_frame(&wire, WIRE_RST, 0, 3, S("\0\0\0\2"));
	expect_sent(""); /* a reset is never answered */
	EXPECT_STR(heard, "xx");
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("crossed"));
	expect_sent("");
	be_gone();
}

/* n bytes to stream 1, in frames of 16 KiB. */
static void
send_bytes(size_t n)
{
	static const char zeros[16384];

	while (n > 0) {
		size_t part = MIN(n, sizeof(zeros));

		wire_send_frame(&wire, WIRE_DATA, 0, 1, slice_of(zeros, part));
		n -= part;
	}
}

TEST(credit_comes_back_only_for_what_was_taken)
{
	be_server();
	wire_send_head(&wire, 1, 0, CONNECT);
	expect_sent("HEADERS 4 1\n:status: 200\n");
	stream_pause(tunnels[0], STREAM_PAUSE_PEER_FULL);
	clock_fake_advance(&wire.fake, 2000000);
	send_bytes(128 << 10);
	expect_sent("");
	stream_resume(tunnels[0], STREAM_PAUSE_PEER_FULL);
	/* Half of the stream's window, not yet half of the connection's. */
	expect_sent("WINDOW 0 1 00020000\n");
	be_gone();
}

TEST(pings_are_answered_and_a_drain_says_so_twice)
{
	be_server();
	wire_send_head(&wire, 1, 0, CONNECT);
	expect_sent("HEADERS 4 1\n:status: 200\n");
	wire_send_frame(&wire, WIRE_PING, 0, 0, S("\1\2\3\4\5\6\7\10"));
	expect_sent("PING 1 0 0102030405060708\n");
	http2_shutdown(conn);
	expect_sent("GOAWAY 0 0 7fffffff00000000\nPING 0 0 0000000000000000\n");
	wire_send_frame(&wire, WIRE_PING, WIRE_ACK, 0, S("\0\0\0\0\0\0\0\0"));
	expect_sent("GOAWAY 0 0 0000000100000000\n");
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, SLICE_NONE);
	expect_sent("");
	EXPECT_FALSE(conn_closed);
	stream_close(tunnels[0], OK);
	expect_sent("DATA 1 1 \n");
	EXPECT_TRUE(conn_closed);
	EXPECT_ERR(conn_why, OK);
	be_gone();
}

TEST(a_client_that_says_goodbye_finishes_what_it_has)
{
	be_server();
	wire_send_head(&wire, 1, 0, CONNECT);
	expect_sent("HEADERS 4 1\n:status: 200\n");
	wire_send_frame(&wire, WIRE_GOAWAY, 0, 0, S("\0\0\0\0\0\0\0\0"));
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("x"));
	expect_sent("");
	EXPECT_STR(heard, "d");
	EXPECT_FALSE(conn_closed);
	be_gone();
}

/* --- we are the client --- */

static struct stream *
open_tunnel(void)
{
	tunnels[tunnel_count] = http_tunnel_open(
	    conn, S("10.0.0.7:8080"), NULL, &tunnel_events, NULL);
	EXPECT_TRUE(tunnels[tunnel_count] != NULL);
	return tunnels[tunnel_count++];
}

#define OUR_CONNECT(id)                                                        \
	"HEADERS 4 " id "\n:method: CONNECT\n:authority: 10.0.0.7:8080\n"

TEST(we_call_a_ztunnel_and_halves_close)
{
	struct stream *s;

	be_client();
	s = open_tunnel();
	EXPECT_OK(stream_write(s, S("early")));
	expect_sent(OUR_CONNECT("1"));
	wire_send_head(
	    &wire, 1, 0, ":status: 200\nbaggage: service.name=web\n");
	expect_sent("DATA 0 1 6561726c79\n");
	wire_send_frame(&wire, WIRE_DATA, 0, 1, S("word"));
	stream_shutdown(s);
	expect_sent("DATA 1 1 \n");
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, S("last"));
	expect_sent("");
	EXPECT_STR(heard, "odde");
	stream_close(s, OK);
	expect_sent("");
	EXPECT_EQ(http2_streams(conn), 0);
	be_gone();
}

TEST(a_ztunnel_that_refuses_is_a_refusal)
{
	static const char *const answers[] = {":status: 401\n",
	    ":status: 400\n", ":status: 503\n", ":status: 201\n",
	    ":status: 301\n"};

	be_client();
	for (unsigned i = 0; i < 4; i++) {
		uint32_t id = 2 * i + 1;

		(void)open_tunnel();
		(void)wire_has(&wire, WIRE_HEADERS);
		wire_send_head(&wire, id, WIRE_END_STREAM, answers[i]);
	}
	wire_settle(&wire);
	EXPECT_STR(heard, "rrrr");
	EXPECT_FALSE(conn_closed);
	be_gone();
}

TEST(a_refusal_that_goes_on_is_cancelled)
{
	be_client();
	(void)open_tunnel();
	expect_sent(OUR_CONNECT("1"));
	wire_send_head(&wire, 1, 0, ":status: 503\n");
	expect_sent("RST 0 1 00000008\n");
	EXPECT_STR(heard, "r");
	be_gone();
}

TEST(a_status_that_is_none_breaks_the_stream_alone)
{
	be_client();
	(void)open_tunnel();
	(void)open_tunnel();
	expect_sent(OUR_CONNECT("1") OUR_CONNECT("3"));
	wire_send_head(&wire, 1, 0, ":status: 013\n");
	expect_sent("RST 0 1 00000001\n");
	EXPECT_STR(heard, "x");
	wire_send_head(&wire, 3, 0, ":status: 200\n");
	expect_sent("");
	EXPECT_STR(heard, "xo");
	be_gone();
}

TEST(a_ztunnel_that_drains_gets_no_new_stream)
{
	struct stream *s;

	be_client();
	s = open_tunnel();
	expect_sent(OUR_CONNECT("1"));
	wire_send_head(&wire, 1, 0, ":status: 200\n");
	wire_send_frame(&wire, WIRE_GOAWAY, 0, 0, S("\0\0\0\1\0\0\0\0"));
	wire_settle(&wire);
	EXPECT_FALSE(http2_is_usable(conn));
	EXPECT_OK(stream_write(s, S("on")));
	expect_sent("DATA 0 1 6f6e\n");
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, SLICE_NONE);
	wire_settle(&wire);
	stream_close(s, OK);
	expect_sent("DATA 1 1 \n");
	EXPECT_TRUE(conn_closed);
	EXPECT_ERR(conn_why, OK);
	be_gone();
}

TEST(silence_is_asked_about_every_ten_seconds)
{
	be_client();
	(void)open_tunnel();
	expect_sent(OUR_CONNECT("1"));
	wire_wait(&wire, 9000000);
	expect_sent("");
	wire_wait(&wire, 2000000);
	expect_sent("PING 0 0 0000000000000000\n");
	be_gone();
}
