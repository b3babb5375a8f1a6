/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_server — what a client sends to an HTTP/2 server that answers it.
 *
 * The preface is given; the input is frames, and they come in pieces of the
 * size that the second byte says. The first byte says how requests are
 * answered. Whatever comes: a head comes before data, data before trailers,
 * those before the end, and nothing after it; no more is held than a window;
 * each stream and the connection close exactly once, and the budget gets back
 * what it lent.
 */
#include "http/http.h"
#include "net/net.h"

#include "far.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_S = 4, HEAD_BYTES = 4096, STREAMS = 8 };

enum mode {
	AT_ONCE = 1,    /* answers when the head is here, else at the end */
	WITH_BODY = 2,  /* with trailers behind it */
	RESETS = 4,     /* a stream whose data begin with 'r' */
	LATE = 8,       /* consumes data at the end only */
	GOODBYE = 16,   /* after the first request */
	FED = 32,       /* the first piece came before the session */
	NOBODY = 64,    /* takes no POST */
	HARD_END = 128, /* the client's end is a reset */
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0"  /* SETTINGS */
			      "\0\0\0\4\1\0\0\0\0"; /* and its answer */

static const struct http2_limits limits = {.streams = STREAMS,
    .head_bytes = HEAD_BYTES,
    .frame_bytes = 16 << 10,
    .idle_us = 30 * 1000000};

static struct clock_fake fake;
static uint8_t mode;
static unsigned live; /* streams that owe an on_close */
static bool open;     /* the connection likewise */

/* One request. */
struct seen {
	size_t held; /* and not consumed */
	bool ended;
	bool trailers;
	bool answered;
};

static void
answer(struct http2_stream *s, struct seen *me, bool last)
{
	AUTO(arena_fini) struct arena a = {0};
	struct http_head h;
	bool body = mode & WITH_BODY;

	if (me->answered)
		return;
	me->answered = true;
	arena_init(&a, HEAD_BYTES);
	http_head_init(&h, &a);
	h.status = body ? 200 : 204;
	if (http2_stream_respond(s, &h, !body) != OK)
		return; /* it is over, and on_close comes */
	if (body && http2_stream_send(s, S("hello")) <= ERR_AGAIN) {
		http_head_init(&h, &a);
		if (http_head_add(&h, S("x-sum"), S("5")) != OK ||
		    http2_stream_end(s, &h) != OK)
			return; /* likewise */
	}
	if (!last)
		http2_stream_leave(s);
}

static void
on_data(void *arg, struct http2_stream *s, struct slice bytes)
{
	struct seen *me = arg;

	CHECK(!me->ended && !me->trailers && bytes.len > 0);
	me->held += bytes.len;
	CHECK(http2_stream_held(s) >= bytes.len);
	CHECK(http2_stream_held(s) <= LIMIT_H2_STREAM_WINDOW_MAX);
	if ((mode & RESETS) && bytes.ptr[0] == 'r')
		http2_stream_reset(s, HTTP2_CANCEL);
	if (mode & LATE)
		return;
	http2_stream_consumed(s, me->held);
	me->held = 0;
}

static void
on_trailers(void *arg, struct http2_stream *s, struct http_head *h)
{
	struct seen *me = arg;

	(void)s;
	CHECK(!me->ended && !me->trailers && h->count <= LIMIT_HEAD_FIELDS);
	me->trailers = true;
}

static void
on_end(void *arg, struct http2_stream *s)
{
	struct seen *me = arg;

	CHECK(!me->ended);
	me->ended = true;
	http2_stream_consumed(s, me->held);
	me->held = 0;
	answer(s, me, /* last */ true);
}

static void
on_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	struct seen *me = arg;

	(void)s;
	(void)code;
	CHECK(live > 0 && (why != OK || me->answered));
	live--;
	mem_free(&me);
}

static const struct http2_stream_events stream_events = {
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_close = on_close,
};

static void
on_request(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	struct seen *me;

	(void)arg;
	CHECK(h->method.len > 0 && h->authority.len > 0);
	CHECK(h->count <= LIMIT_HEAD_FIELDS && h->bytes <= HEAD_BYTES);
	CHECK(http2_streams(http2_stream_conn(s)) <= 2 * STREAMS);
	if ((mode & NOBODY) && http_head_is_method(h, S("POST")))
		return;
	me = mem_new(sizeof(*me));
	live++;
	http2_stream_own(s, &stream_events, me);
	if (mode & AT_ONCE)
		answer(s, me, end);
	if (mode & GOODBYE)
		http2_shutdown(http2_stream_conn(s));
}

static void
on_conn_close(void *arg, struct http2 *c, enum err why)
{
	(void)arg;
	(void)c;
	(void)why;
	CHECK(open && live == 0);
	open = false;
}

static const struct http2_events conn_events = {
    .on_request = on_request, .on_close = on_conn_close};

/* --- the client --- */

static void
say(struct loop *l, struct stream **far, struct slice bytes, size_t piece)
{
	while (*far != NULL && bytes.len > 0) {
		struct slice now = slice_sub(bytes, 0, piece);

		if (stream_write(*far, now) > ERR_AGAIN)
			return; /* it was cut off already */
		settle(l);
		bytes = slice_sub(bytes, now.len, bytes.len);
	}
}

static void
talk(struct loop *l, size_t piece, struct slice frames)
{
	struct http2_budget budget = {.limit = 64 << 20};
	struct net_pair_spec pair = {0};
	struct http2_spec spec = {.loop = l,
	    .server = true,
	    .limits = &limits,
	    .budget = &budget,
	    .events = &conn_events};
	struct slice first = slice_of(preface, sizeof(preface) - 1);
	struct stream *far;
	struct http2 *c;

	net_pair_new(l, &pair, &spec.transport, &far);
	stream_set_events(far, &far_events, &far);
	open = true;
	live = 0;
	c = http2_open(&spec);
	if (mode & FED)
		http2_feed(c, first);
	else
		say(l, &far, first, first.len);
	say(l, &far, frames, piece);
	if (far != NULL)
		stream_close(far, mode & HARD_END ? ERR_RESET : OK);
	for (int s = 0; s < 60; s += STEP_S) {
		clock_fake_advance(&fake, STEP_S * 1000000);
		settle(l);
	}
	CHECK(!open && live == 0 && budget.used == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clock clock = clock_fake_as_clock(&fake);
	AUTO(loop_free) struct loop *l = NULL;

	if (size < 2 || size > 1 << 14)
		return 0;
	fake.mono_us = 1;
	mode = data[0];
	l = loop_new(&clock);
	talk(l, data[1] > 0 ? data[1] : size, slice_of(data + 2, size - 2));
	return 0;
}
