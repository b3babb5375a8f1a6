/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc — framing torn at every byte, and calls between our own two ends.
 */
#include <stdio.h>

#include "unit.h"
#include "wire.h"

/* --- framing --- */

static char got[256];

static bool
each(void *arg, struct slice message)
{
	size_t len = strlen(got);

	(void)arg;
	snprintf(got + len, sizeof(got) - len, "[%.*s]", SLICE_ARG(message));
	return true;
}

static enum err
feed(struct slice bytes, size_t piece, size_t limit)
{
	struct grpc_reader r;
	enum err e = OK;

	got[0] = '\0';
	grpc_reader_init(&r, limit);
	while (e == OK && bytes.len > 0) {
		e = grpc_reader_feed(
		    &r, slice_sub(bytes, 0, piece), each, NULL);
		bytes = slice_sub(bytes, piece, bytes.len);
	}
	grpc_reader_fini(&r);
	return e;
}

TEST(messages_are_cut_however_they_are_torn)
{
	struct slice bytes =
	    S("\0\0\0\0\3abc\0\0\0\0\0\0\0\0\0\1x\0\0\0\0\2yz");

	for (size_t piece = 1; piece <= bytes.len; piece++) {
		EXPECT_OK(feed(bytes, piece, 3));
		EXPECT_STR(got, "[abc][][x][yz]");
	}
}

TEST(a_message_past_the_limit_is_refused_by_its_prefix)
{
	for (size_t piece = 1; piece <= 5; piece++)
		EXPECT_ERR(feed(S("\0\0\0\0\4"), piece, 3), ERR_LIMIT);
	EXPECT_ERR(feed(S("\0\xff\xff\xff\xff"), 5, 1 << 20), ERR_LIMIT);
}

TEST(compression_and_other_flags_are_refused)
{
	EXPECT_ERR(feed(S("\1\0\0\0\1x"), 6, 10), ERR_UNSUPPORTED);
	EXPECT_ERR(feed(S("\2\0\0\0\1x"), 6, 10), ERR_PARSE);
}

TEST(what_is_written_is_read_back)
{
	AUTO(buf_fini) struct buf b = BUF(100);

	EXPECT_OK(grpc_write(S("hello"), &b));
	EXPECT_OK(grpc_write(S(""), &b));
	EXPECT_OK(feed(buf_slice(&b), 100, 10));
	EXPECT_STR(got, "[hello][]");
}

TEST(words_survive_percent_encoding)
{
	AUTO(buf_fini) struct buf b = BUF(100);
	struct arena a;
	struct slice out;

	arena_init(&a, 1000);
	EXPECT_OK(grpc_message_encode(S("50% \n \xc3\xa9"), &b));
	EXPECT_SLICE(buf_slice(&b), S("50%25 %0A %C3%A9"));
	EXPECT_OK(grpc_message_decode(buf_slice(&b), &a, &out));
	EXPECT_SLICE(out, S("50% \n \xc3\xa9"));
	EXPECT_OK(grpc_message_decode(S("%4%zz%"), &a, &out));
	EXPECT_SLICE(out, S("%4%zz%"));
	arena_fini(&a);
}

/* --- calls --- */

struct end {
	struct grpc_call *call;
	char text[512];
	bool head;
	bool drained;
	bool closed;
	enum grpc_status status;
	size_t bytes;
	bool pause; /* pauses in on_message */
};

static struct clock_fake fake;
static struct clock fake_clock;
static struct loop *loop;
static struct http2 *client;
static struct http2 *server;
static struct end here;  /* the client's */
static struct end there; /* the server's */
static unsigned closed;
static bool refuse;

static void
say(struct end *e, const char *what, struct slice text)
{
	size_t len = strlen(e->text);

	snprintf(e->text + len, sizeof(e->text) - len, "%s(%.*s)", what,
	    SLICE_ARG(text));
}

static void
on_head(void *arg, struct grpc_call *c, struct http_head *h)
{
	struct end *e = arg;

	(void)c;
	(void)h;
	e->head = true;
}

static void
on_message(void *arg, struct grpc_call *c, struct slice message)
{
	struct end *e = arg;

	e->bytes += message.len;
	if (message.len < 32)
		say(e, "msg", message);
	if (e->pause)
		grpc_call_pause(c);
}

static void
on_end(void *arg, struct grpc_call *c)
{
	(void)c;
	say(arg, "end", S(""));
}

static void
on_drained(void *arg, struct grpc_call *c)
{
	struct end *e = arg;

	(void)c;
	e->drained = true;
}

static void
on_close(
    void *arg, struct grpc_call *c, enum grpc_status status, struct slice text)
{
	struct end *e = arg;

	(void)c;
	e->closed = true;
	e->call = NULL;
	e->status = status;
	say(e, "close", text);
}

static const struct grpc_events call_events = {
    .on_head = on_head,
    .on_message = on_message,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_close = on_close,
};

static void
on_request(void *arg, struct http2_stream *s, struct http_head *h, bool last)
{
	(void)arg;
	(void)last;
	EXPECT_TRUE(grpc_is_request(h));
	EXPECT_SLICE(h->path, S("/meshd.v1.Control/Echo"));
	if (refuse)
		grpc_refuse(s, GRPC_UNIMPLEMENTED, S("not here: 100%"));
	else
		there.call = grpc_call_accept(s, &call_events, &there);
}

static void
on_conn_close(void *arg, struct http2 *c, enum err why)
{
	(void)arg;
	(void)c;
	(void)why;
	closed++;
}

static const struct http2_events conn_events = {
    .on_request = on_request, .on_close = on_conn_close};

static void
settle(void)
{
	for (int i = 0; i < 60; i++)
		loop_turn(loop, 0);
}

static void
begin(void)
{
	struct http2_spec spec = {.events = &conn_events};
	struct net_pair_spec pair = {.chunk = 1000};
	struct stream *ends[2];

	memset(&here, 0, sizeof(here));
	memset(&there, 0, sizeof(there));
	closed = 0;
	refuse = false;
	fake.mono_us = 1;
	fake_clock = clock_fake_as_clock(&fake);
	loop = loop_new(&fake_clock);
	net_pair_new(loop, &pair, &ends[0], &ends[1]);
	spec.loop = loop;
	spec.transport = ends[0];
	client = http2_open(&spec);
	spec.transport = ends[1];
	spec.server = true;
	server = http2_open(&spec);
	here.call = grpc_call_open(client, S("cp"), S("/meshd.v1.Control/Echo"),
	    NULL, &call_events, &here);
	EXPECT_TRUE(here.call != NULL);
}

static void
end(void)
{
	if (closed == 0)
		http2_close(client, HTTP2_NO_ERROR);
	settle();
	EXPECT_EQ(closed, 2);
	EXPECT_TRUE(here.closed);
	loop_free(&loop);
}

TEST(messages_go_both_ways_and_the_status_ends_the_call)
{
	begin();
	EXPECT_OK(grpc_call_send(here.call, S("one")));
	EXPECT_OK(grpc_call_send(here.call, S("")));
	settle();
	EXPECT_TRUE(here.head);
	EXPECT_STR(there.text, "msg(one)msg()");
	EXPECT_OK(grpc_call_send(there.call, S("answer")));
	settle();
	EXPECT_STR(here.text, "msg(answer)");
	grpc_call_end(here.call);
	settle();
	EXPECT_STR(there.text, "msg(one)msg()end()");
	grpc_call_finish(there.call, GRPC_OK, SLICE_NONE);
	settle();
	EXPECT_STR(here.text, "msg(answer)end()close()");
	EXPECT_EQ(here.status, GRPC_OK);
	EXPECT_STR(there.text, "msg(one)msg()end()close()");
	EXPECT_EQ(http2_streams(server), 0);
	end();
}

TEST(the_server_may_end_first_with_words)
{
	begin();
	settle();
	EXPECT_OK(grpc_call_send(there.call, S("last")));
	grpc_call_finish(
	    there.call, GRPC_PERMISSION_DENIED, S("caf\xc3\xa9 is closed"));
	settle();
	EXPECT_STR(here.text, "msg(last)end()close(caf\xc3\xa9 is closed)");
	EXPECT_EQ(here.status, GRPC_PERMISSION_DENIED);
	EXPECT_TRUE(there.closed);
	EXPECT_EQ(there.status, GRPC_PERMISSION_DENIED);
	end();
}

TEST(a_refusal_is_only_trailers)
{
	begin();
	refuse = true;
	settle();
	EXPECT_FALSE(here.head);
	EXPECT_TRUE(here.closed);
	EXPECT_EQ(here.status, GRPC_UNIMPLEMENTED);
	EXPECT_STR(here.text, "end()close(not here: 100%)");
	end();
}

TEST(cancelling_is_heard_at_the_other_end)
{
	begin();
	settle();
	grpc_call_cancel(here.call);
	settle();
	EXPECT_TRUE(here.closed);
	EXPECT_EQ(here.status, GRPC_CANCELLED);
	EXPECT_TRUE(there.closed);
	EXPECT_EQ(there.status, GRPC_CANCELLED);
	end();
}

TEST(a_lost_connection_is_unavailable)
{
	begin();
	settle();
	http2_close(server, HTTP2_NO_ERROR);
	settle();
	EXPECT_TRUE(here.closed);
	EXPECT_EQ(here.status, GRPC_UNAVAILABLE);
	EXPECT_EQ(there.status, GRPC_UNAVAILABLE);
	end();
}

TEST(a_large_message_arrives_whole)
{
	size_t len = 3 << 20;
	char *bytes = mem_new(len);

	begin();
	settle();
	EXPECT_ERR(grpc_call_send(here.call, slice_of(bytes, len)), ERR_AGAIN);
	for (int i = 0; i < 200 && there.bytes == 0; i++)
		settle();
	EXPECT_EQ(there.bytes, len);
	settle();
	EXPECT_TRUE(here.drained);
	mem_free(&bytes);
	end();
}

TEST(a_message_too_large_is_not_sent)
{
	size_t len = LIMIT_GRPC_MESSAGE + 1;
	char *bytes = mem_new(len);

	begin();
	EXPECT_ERR(grpc_call_send(here.call, slice_of(bytes, len)), ERR_LIMIT);
	mem_free(&bytes);
	end();
}

TEST(a_paused_receiver_stops_the_sender)
{
	static const char bytes[10000];
	enum err e = OK;
	size_t sent = 0;

	begin();
	settle();
	there.pause = true;
	while (e == OK && sent < 4 << 20) {
		e = grpc_call_send(here.call, slice_of(bytes, sizeof(bytes)));
		sent += sizeof(bytes);
		settle();
	}
	EXPECT_ERR(e, ERR_AGAIN);
	EXPECT_TRUE(
	    sent <= LIMIT_H2_WINDOW_START + 2 * (size_t)LIMIT_STREAM_BUFFER);
	there.pause = false;
	grpc_call_resume(there.call);
	for (int i = 0; i < 20; i++)
		settle();
	EXPECT_EQ(there.bytes, sent);
	EXPECT_TRUE(here.drained);
	end();
}
