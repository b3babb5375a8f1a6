/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_client — what a server sends to our HTTP/2 client.
 *
 * Two tunnels, a request and a gRPC call are open; the input is frames. The
 * first byte says how their owners behave. Whatever comes: heads come before
 * bytes, bytes before the end, nothing after it; each stream and the
 * connection close exactly once, and the budget gets back what it lent.
 */
#include "http/http.h"
#include "net/net.h"

#include "far.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_S = 4 };
enum { FIRST_TUNNEL, SECOND_TUNNEL, REQUEST, CALL, STREAMS };

static const char settings[] = "\0\0\0\4\0\0\0\0\0"  /* SETTINGS */
			       "\0\0\0\4\1\0\0\0\0"; /* and its answer */

static struct clock_fake fake;
static uint8_t mode;
static unsigned live;  /* streams that owe an on_close */
static unsigned conns; /* likewise */

/* How far each of them has come. */
static struct seen {
	bool head;
	bool end;
	bool closed;
	struct stream *tunnel;
} seen[STREAMS];

static void
count_close(struct seen *me)
{
	CHECK(!me->closed && live > 0);
	me->closed = true;
	live--;
}

/* --- tunnels: an echo that may pause, half-close or abort --- */

static void
on_open(struct stream *s, void *arg)
{
	struct seen *me = arg;

	CHECK(!me->head && http_tunnel_status(s) == 200);
	me->head = true;
}

static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	struct seen *me = arg;

	CHECK(me->head && !me->end && bytes.len > 0);
	if (stream_write(s, bytes) == ERR_AGAIN)
		stream_pause(s, STREAM_PAUSE_PEER_FULL);
	if ((mode & 1) && bytes.ptr[0] == 'c')
		stream_close(s, OK);
	else if ((mode & 1) && bytes.ptr[0] == 'r')
		stream_close(s, ERR_RESET);
	else if ((mode & 1) && bytes.ptr[0] == 's')
		stream_shutdown(s);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct seen *me = arg;

	CHECK(me->head && !me->end);
	me->end = true;
	if (mode & 2)
		stream_close(s, OK);
}

static void
on_drained(struct stream *s, void *arg)
{
	(void)arg;
	stream_resume(s, STREAM_PAUSE_PEER_FULL);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct seen *me = arg;

	CHECK(why != OK || me->head);
	CHECK(me->head || why != ERR_REFUSED || http_tunnel_status(s) != 200);
	(void)http_tunnel_reason(s);
	count_close(me);
}

static const struct stream_events tunnel_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

/* --- a request --- */

static void
on_interim(void *arg, struct http2_stream *s, struct http_head *h)
{
	struct seen *me = arg;

	(void)s;
	CHECK(!me->head && h->status >= 100 && h->status < 200);
}

static void
on_head(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	struct seen *me = arg;

	(void)s;
	(void)end;
	CHECK(!me->head && h->status >= 200 && h->status <= 999);
	CHECK(h->count <= LIMIT_HEAD_FIELDS && h->bytes <= LIMIT_HEAD_BYTES);
	me->head = true;
}

static void
on_body(void *arg, struct http2_stream *s, struct slice bytes)
{
	struct seen *me = arg;

	CHECK(me->head && !me->end && bytes.len > 0);
	if (mode & 4)
		http2_stream_consumed(s, bytes.len);
}

static void
on_trailers(void *arg, struct http2_stream *s, struct http_head *h)
{
	struct seen *me = arg;

	(void)s;
	CHECK(me->head && !me->end && h->count <= LIMIT_HEAD_FIELDS);
}

static void
on_end(void *arg, struct http2_stream *s)
{
	struct seen *me = arg;

	(void)s;
	CHECK(me->head && !me->end);
	me->end = true;
}

static void
on_stream_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	struct seen *me = arg;

	(void)s;
	(void)code;
	CHECK(why != OK || (me->head && me->end));
	count_close(me);
}

static const struct http2_stream_events request_events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_data = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_close = on_stream_close,
};

/* --- a gRPC call --- */

static void
on_call_head(void *arg, struct grpc_call *c, struct http_head *h)
{
	struct seen *me = arg;

	(void)c;
	CHECK(!me->head && h->status == 200);
	me->head = true;
}

static void
on_message(void *arg, struct grpc_call *c, struct slice message)
{
	struct seen *me = arg;

	CHECK(me->head && !me->end);
	if (message.len > 0 && message.ptr[0] == 'c')
		grpc_call_cancel(c);
	else if (message.len > 0 && message.ptr[0] == 'p')
		grpc_call_pause(c);
}

static void
on_call_end(void *arg, struct grpc_call *c)
{
	struct seen *me = arg;

	(void)c;
	CHECK(!me->end);
	me->end = true;
}

static void
on_call_close(
    void *arg, struct grpc_call *c, enum grpc_status status, struct slice text)
{
	struct seen *me = arg;

	(void)c;
	(void)text;
	CHECK(status != GRPC_OK || me->head || !me->closed);
	count_close(me);
}

static const struct grpc_events call_events = {
    .on_head = on_call_head,
    .on_message = on_message,
    .on_end = on_call_end,
    .on_close = on_call_close,
};

/* --- the connection --- */

static void
on_conn_close(void *arg, struct http2 *c, enum err why)
{
	(void)arg;
	(void)c;
	(void)why;
	CHECK(conns == 1);
	/* Tunnels and calls may still owe theirs, at the end of the turn. */
	CHECK(seen[REQUEST].closed);
	conns--;
}

static const struct http2_events conn_events = {.on_close = on_conn_close};

static void
open_streams(struct http2 *c)
{
	AUTO(arena_fini) struct arena a;
	struct http_head h;

	arena_init(&a, 4096);
	for (int i = FIRST_TUNNEL; i <= SECOND_TUNNEL; i++) {
		seen[i].tunnel = http_tunnel_open(
		    c, S("h:1"), NULL, &tunnel_events, &seen[i]);
		live += seen[i].tunnel != NULL;
	}
	http_head_init(&h, &a);
	h.method = S("POST");
	h.scheme = S("https");
	h.authority = S("h");
	h.path = S("/");
	live += http2_request(
		    c, &h, mode & 8, &request_events, &seen[REQUEST]) != NULL;
	live += grpc_call_open(c, S("h"), S("/a.B/C"), NULL, &call_events,
		    &seen[CALL]) != NULL;
	CHECK(live == STREAMS);
}

/* A reset may read as the end of the bytes: then closing is the owner's. */
static void
close_tunnels(void)
{
	for (int i = FIRST_TUNNEL; i <= SECOND_TUNNEL; i++) {
		CHECK(seen[i].closed || seen[i].end);
		if (!seen[i].closed)
			stream_close(seen[i].tunnel, OK);
	}
}

static void
talk(struct loop *l, struct http2_budget *budget, struct slice frames)
{
	struct net_pair_spec pair = {.chunk = mode & 16 ? 1 : 0};
	struct http2_spec spec = {
	    .loop = l, .events = &conn_events, .budget = budget};
	struct stream *far;
	struct http2 *c;

	net_pair_new(l, &pair, &spec.transport, &far);
	stream_set_events(far, &far_events, &far);
	memset(seen, 0, sizeof(seen));
	conns = 1;
	live = 0;
	c = http2_open(&spec);
	open_streams(c);
	settle(l); /* our SETTINGS go first, or their answer is a mistake */
	if (stream_write(far, slice_of(settings, sizeof(settings) - 1)) == OK &&
	    stream_write(far, frames) > ERR_AGAIN)
		settle(l); /* it was cut off already */
	settle(l);
	if (conns > 0 && (mode & 32))
		http2_shutdown(c);
	settle(l);
	if (far != NULL)
		stream_close(far, mode & 64 ? ERR_RESET : OK);
	for (int s = 0; s < 60; s += STEP_S) {
		clock_fake_advance(&fake, STEP_S * 1000000);
		settle(l);
	}
	close_tunnels();
	settle(l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clock clock = clock_fake_as_clock(&fake);
	struct http2_budget budget = {.limit = UINT64_C(64) << 20};
	AUTO(loop_free) struct loop *l = NULL;

	if (size < 1 || size > 1 << 16)
		return 0;
	fake.mono_us = 1;
	mode = data[0];
	l = loop_new(&clock);
	talk(l, &budget, slice_of(data + 1, size - 1));
	CHECK(conns == 0);
	CHECK(live == 0);
	CHECK(budget.used == 0);
	return 0;
}
