/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hbone_inbound — what a client sends to our HTTP/2 server.
 *
 * The preface is given; the input is frames. The first byte says how the
 * server treats CONNECTs. After it the clock runs until all is closed, and
 * nothing may be left: each stream and the connection close exactly once.
 */
#include "http/http.h"
#include "net/net.h"

#include "far.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_S = 4 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0"  /* SETTINGS */
			      "\0\0\0\4\1\0\0\0\0"; /* and its answer */

static struct clock_fake fake;
static uint8_t mode;
static unsigned live;  /* tunnels and streams that owe an on_close */
static unsigned conns; /* likewise */

/* An echo that sometimes pauses, half-closes or aborts. */
static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	(void)arg;
	if (stream_write(s, bytes) == ERR_AGAIN)
		stream_pause(s, STREAM_PAUSE_PEER_FULL);
	if ((mode & 4) && bytes.ptr[0] == 'c')
		stream_close(s, OK);
	else if ((mode & 4) && bytes.ptr[0] == 'r')
		stream_close(s, ERR_RESET);
	else if ((mode & 4) && bytes.ptr[0] == 's')
		stream_shutdown(s);
}

static void
on_eof(struct stream *s, void *arg)
{
	(void)arg;
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
	(void)s;
	(void)arg;
	(void)why;
	CHECK(live > 0);
	live--;
}

static const struct stream_events tunnel_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

static void
on_stream_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	(void)arg;
	(void)s;
	(void)why;
	(void)code;
	CHECK(live > 0);
	live--;
}

static const struct http2_stream_events refused = {.on_close = on_stream_close};

static void
on_request(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	(void)arg;
	(void)end;
	CHECK(h->authority.len > 0 && h->method.len > 0);
	if (mode & 1)
		return;
	live++;
	if (!(mode & 2) && http_head_is_method(h, S("CONNECT")) &&
	    http_tunnel_accept(s, NULL, &tunnel_events, NULL) != NULL)
		return;
	http2_stream_own(s, &refused, NULL);
	if (http_tunnel_refuse(s, 503, S(""), S("no")) != OK)
		return; /* it was reset; on_close comes */
}

static void
on_conn_close(void *arg, struct http2 *c, enum err why)
{
	(void)arg;
	(void)c;
	(void)why;
	CHECK(conns > 0);
	conns--;
}

static const struct http2_events conn_events = {
    .on_request = on_request, .on_close = on_conn_close};

static void
talk(struct loop *l, struct slice frames)
{
	struct net_pair_spec pair = {.chunk = mode & 8 ? 1 : 0};
	struct http2_spec spec = {
	    .loop = l, .server = true, .events = &conn_events};
	struct stream *far;

	net_pair_new(l, &pair, &spec.transport, &far);
	stream_set_events(far, &far_events, &far);
	conns = 1;
	live = 0;
	if (http2_open(&spec) == NULL)
		return;
	if (stream_write(far, slice_of(preface, sizeof(preface) - 1)) == OK &&
	    stream_write(far, frames) > ERR_AGAIN)
		settle(l); /* it was cut off already */
	settle(l);
	if (far != NULL)
		stream_close(far, mode & 16 ? ERR_RESET : OK);
	for (int s = 0; s < 60; s += STEP_S) {
		clock_fake_advance(&fake, STEP_S * 1000000);
		settle(l);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clock clock = clock_fake_as_clock(&fake);
	AUTO(loop_free) struct loop *l = NULL;

	if (size < 1 || size > 1 << 16)
		return 0;
	fake.mono_us = 1;
	mode = data[0];
	l = loop_new(&clock);
	talk(l, slice_of(data + 1, size - 1));
	CHECK(conns == 0);
	CHECK(live == 0);
	return 0;
}
