/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2 — a connection's life, from preface to the transport's end.
 *
 *	open --GOAWAY either way--> going --last stream--> ending --> closed
 *	  `-- failure, close --> dying --last frames out--> ending
 *
 * The object ends in the transport's on_close and nowhere else, so whoever
 * stands further up the stack may still look at it.
 */
#include "h2_session.h"

enum { FRAME_BYTES = 1 << 20, HEADER_TABLE_BYTES = 4096 };
#define PING_EVERY_US UINT64_C(10000000)
#define PING_TIMEOUT_US UINT64_C(20000000)
#define HEAD_US UINT64_C(60000000)
/* A client that does not answer our goodbye is not waited for any longer. */
#define PARTING_US UINT64_C(5000000)
/* A peer that is gone is noticed in 4.5 s where somebody waits for it. */
#define QUIET_US UINT64_C(1500000)
#define ANSWER_US UINT64_C(3000000)

const struct http2_limits http2_limits_client = {
    .streams = 100,
    .head_bytes = 16 << 10,
    .frame_bytes = FRAME_BYTES,
    .ping_every_us = PING_EVERY_US,
    .ping_timeout_us = PING_TIMEOUT_US,
    .quiet_us = QUIET_US,
    .answer_us = ANSWER_US,
};

const struct http2_limits http2_limits_server = {
    .streams = 200,
    .head_bytes = 64 << 10,
    .frame_bytes = FRAME_BYTES,
    .ping_every_us = PING_EVERY_US,
    .ping_timeout_us = PING_TIMEOUT_US,
    .head_us = HEAD_US,
};

/* --- ends --- */

static void
finish_streams(struct http2 *c, enum err why)
{
	struct http2_stream *s;

	while ((s = LIST_FIRST(&c->streams, struct http2_stream, link)) != NULL)
		h2_stream_finish(s, why, NGHTTP2_INTERNAL_ERROR);
}

void
h2_end(struct http2 *c, enum err why, uint32_t code)
{
	if (c->dying)
		return;
	c->dying = c->going = true;
	if (c->why == OK)
		c->why = why;
	/* Without memory the transport's end says it alone. */
	(void)nghttp2_session_terminate_session(c->ng, code);
	finish_streams(c, c->why == OK ? ERR_CLOSED : c->why);
	h2_want_flush(c);
}

void
h2_part(struct http2 *c)
{
	if (!c->parting)
		return;
	c->parting = false;
	(void)nghttp2_submit_goaway(c->ng, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(c->ng), NGHTTP2_NO_ERROR,
	    NULL, 0); /* without memory the peer learns it by our end */
	h2_want_flush(c);
}

/* Nothing is open. */
static void
set_idle(struct http2 *c)
{
	if (c->parting)
		timer_set(&c->idle, PARTING_US);
	else if (c->limits.idle_us > 0)
		timer_set(&c->idle, c->limits.idle_us);
}

void
h2_look_over(struct http2 *c)
{
	bool over = !nghttp2_session_want_read(c->ng) &&
		    !nghttp2_session_want_write(c->ng) && buf_len(&c->out) == 0;

	if (c->ending || (!over && !c->dying))
		return;
	c->ending = c->dying = c->going = true;
	if (c->transport != NULL)
		stream_close(
		    c->transport, c->why == ERR_TIMEOUT ? ERR_TIMEOUT : OK);
}

static void
on_flush(void *arg)
{
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	h2_flush(c);
}

static void
on_reap(void *arg)
{
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	h2_reap(c);
	if (c->open == 0)
		set_idle(c);
	if (c->room_news && !c->going && c->events->on_room != NULL)
		c->events->on_room(c->arg, c);
	c->room_news = false;
	h2_want_flush(c);
}

static void
on_drain(void *arg)
{
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	h2_tell_drained(c);
}

static void
on_idle_timer(void *arg)
{
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	if (c->parting)
		h2_part(c);
	else
		http2_shutdown(c);
}

/* --- the transport --- */

static void
on_open(struct stream *t, void *arg)
{
	struct http2 *c;

	(void)t;
	OBJ(c, arg, HTTP2_MAGIC);
	c->opened = true;
	h2_alive_opened(c);
	h2_want_flush(c);
}

static void
on_data(struct stream *t, void *arg, struct slice bytes)
{
	struct http2 *c;

	(void)t;
	OBJ(c, arg, HTTP2_MAGIC);
	h2_alive_heard(c);
	h2_recv(c, bytes);
}

static void
on_eof(struct stream *t, void *arg)
{
	struct http2 *c;

	(void)t;
	OBJ(c, arg, HTTP2_MAGIC);
	h2_pump(c); /* what came before it may have been no HTTP/2 */
	h2_end(c, OK, NGHTTP2_NO_ERROR);
}

static void
on_drained(struct stream *t, void *arg)
{
	struct http2 *c;

	(void)t;
	OBJ(c, arg, HTTP2_MAGIC);
	c->blocked = false;
	h2_want_flush(c);
}

static void
conn_free(struct http2 *c)
{
	timer_clear(&c->ping);
	timer_clear(&c->idle);
	h2_calm_fini(c);
	loop_later_cancel(&c->flush);
	loop_later_cancel(&c->reap);
	loop_later_cancel(&c->drain);
	h2_flow_fini(c);
	nghttp2_session_del(c->ng);
	buf_fini(&c->out);
	c->magic = 0;
	mem_free(&c);
}

static void
on_close(struct stream *t, void *arg, enum err why)
{
	struct http2 *c;
	enum err final;

	(void)t;
	OBJ(c, arg, HTTP2_MAGIC);
	final = c->why != OK ? c->why : c->ending ? OK : why;
	c->going = c->dying = c->ending = true;
	/* Whoever hears of the end may ask the transport for its reasons. */
	if (c->why != OK)
		why = c->why;
	finish_streams(c, why == OK ? ERR_CLOSED : why);
	h2_reap(c);
	if (c->events->on_close != NULL)
		c->events->on_close(c->arg, c, final);
	conn_free(c);
}

static const struct stream_events transport_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

/* --- beginnings --- */

static void
on_end_sent(struct http2 *c, int32_t id)
{
	struct http2_stream *s = h2_stream_of(c, id);

	if (s != NULL)
		h2_stream_end_sent(s);
}

/* A GOAWAY of nghttp2's own tells that the peer broke a rule. */
static int
on_frame_sent(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	if ((f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS) &&
	    (f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		on_end_sent(c, f->hd.stream_id);
	/* One that is gone was reset by the peer meanwhile. */
	if (f->hd.type == NGHTTP2_RST_STREAM &&
	    nghttp2_session_find_stream(ng, f->hd.stream_id) != NULL)
		h2_order_reset(c, f->hd.stream_id);
	if (f->hd.type == NGHTTP2_RST_STREAM)
		h2_calm_reset(c, f->rst_stream.error_code);
	if (f->hd.type != NGHTTP2_GOAWAY)
		return 0;
	c->going = true;
	/*
	 * The last GOAWAY goes when this PING comes back: by then the peer has
	 * seen the first. nghttp2 sends a PING before all else, so not earlier.
	 */
	if (c->parting && !c->ping_sent)
		(void)h2_alive_ask(c); /* else the next keepalive does it */
	if (f->goaway.error_code == NGHTTP2_NO_ERROR || c->why != OK)
		return 0;
	c->why = ERR_PROTOCOL;
	c->flaw = (uint8_t)h2_calm_goaway(f->goaway.error_code);
	return 0;
}

static nghttp2_session *
session_new(struct http2 *c)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *o;
	nghttp2_mem mem = h2_memory(c);
	nghttp2_session *ng;
	int rv = nghttp2_session_callbacks_new(&cb) | nghttp2_option_new(&o);

	CHECK(rv == 0);
	h2_recv_setup(cb);
	h2_send_setup(cb);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_no_http_messaging(o, 1); /* h2_check.c does */
	nghttp2_option_set_max_deflate_dynamic_table_size(
	    o, HEADER_TABLE_BYTES);
	/* Ours are counted, and in time: h2_calm.c. */
	nghttp2_option_set_stream_reset_rate_limit(o, UINT32_MAX, UINT32_MAX);
	nghttp2_option_set_peer_max_concurrent_streams(o, c->limits.streams);
	rv = c->server ? nghttp2_session_server_new3(&ng, cb, c, o, &mem)
		       : nghttp2_session_client_new3(&ng, cb, c, o, &mem);
	CHECK(rv == 0);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(o);
	return ng;
}

static void
submit_settings(struct http2 *c)
{
	nghttp2_settings_entry e[6];
	size_t n = 0;
	int rv;

	if (c->server)
		e[n++] = (nghttp2_settings_entry){
		    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->limits.streams};
	else
		e[n++] =
		    (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
	if (c->limits.takes_upgrades)
		e[n++] = (nghttp2_settings_entry){
		    NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
	e[n++] = (nghttp2_settings_entry){
	    NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LIMIT_H2_WINDOW_START};
	e[n++] = (nghttp2_settings_entry){
	    NGHTTP2_SETTINGS_MAX_FRAME_SIZE, c->limits.frame_bytes};
	e[n++] = (nghttp2_settings_entry){
	    NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->limits.head_bytes};
	rv = nghttp2_submit_settings(c->ng, NGHTTP2_FLAG_NONE, e, n);
	CHECK(rv == 0);
	c->window = H2_CONN_START;
	rv = nghttp2_session_set_local_window_size(
	    c->ng, NGHTTP2_FLAG_NONE, 0, H2_CONN_START);
	CHECK(rv == 0);
}

struct http2 *
http2_open(const struct http2_spec *spec)
{
	struct http2 *c = mem_new(sizeof(*c));
	const struct http2_limits *limits = spec->limits;

	if (limits == NULL)
		limits =
		    spec->server ? &http2_limits_server : &http2_limits_client;
	c->magic = HTTP2_MAGIC;
	c->server = spec->server;
	c->limits = *limits;
	c->budget = spec->budget;
	c->loop = spec->loop;
	c->transport = spec->transport;
	c->opened = stream_is_open(c->transport);
	c->events = spec->events;
	c->arg = spec->arg;
	list_init(&c->streams);
	list_init(&c->ended);
	buf_init(&c->out, 2 * H2_OUT_MAX);
	loop_later_init(&c->flush, on_flush, c);
	loop_later_init(&c->reap, on_reap, c);
	loop_later_init(&c->drain, on_drain, c);
	timer_init(&c->idle, c->loop, on_idle_timer, c);
	c->ng = session_new(c);
	submit_settings(c);
	h2_alive_init(c);
	h2_order_init(c);
	h2_calm_init(c);
	set_idle(c);
	stream_set_events(c->transport, &transport_events, c);
	h2_want_flush(c);
	return c;
}

/* --- the owner's side --- */

void
http2_feed(struct http2 *c, struct slice bytes)
{
	h2_alive_heard(c);
	h2_recv(c, bytes);
}

bool
http2_was_open(const struct http2 *c)
{
	return c->opened;
}

void
http2_shutdown(struct http2 *c)
{
	int rv;

	if (c->going)
		return;
	c->going = true;
	if (c->server) {
		c->parting = true;
		rv = nghttp2_submit_shutdown_notice(c->ng);
		if (c->open == 0)
			set_idle(c);
	} else {
		rv = nghttp2_submit_goaway(
		    c->ng, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
	}
	if (rv != 0)
		h2_end(c, ERR_NO_MEMORY, NGHTTP2_NO_ERROR);
	h2_want_flush(c);
}

void
http2_close(struct http2 *c, enum http2_code code)
{
	h2_end(c, OK, (uint32_t)code);
}

void
http2_set_events(struct http2 *c, const struct http2_events *events, void *arg)
{
	c->events = events;
	c->arg = arg;
}

struct stream *
http2_transport(struct http2 *c)
{
	return c->transport;
}

uint32_t
http2_streams(const struct http2 *c)
{
	return c->open;
}

uint32_t
http2_streams_max(const struct http2 *c)
{
	if (!c->ready)
		return c->limits.streams;
	return MIN(
	    c->limits.streams, nghttp2_session_get_remote_settings(c->ng,
				   NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
}

uint32_t
http2_room(const struct http2 *c)
{
	uint32_t most = http2_streams_max(c);

	return c->open < most ? most - c->open : 0;
}

bool
http2_is_going(const struct http2 *c)
{
	return c->going;
}

bool
http2_is_ending(const struct http2 *c)
{
	return c->dying;
}

/* Streams that nobody reads have eaten nearly all that may be held, and it
 * does not grow any more: another would stand in line behind them. */
static bool
is_crowded(const struct http2 *c)
{
	return c->held > c->window - c->window / 4;
}

bool
http2_is_usable(const struct http2 *c)
{
	return !c->server && !c->going && !c->doubted && !is_crowded(c) &&
	       c->transport != NULL && !stream_is_closing(c->transport) &&
	       http2_room(c) > 0;
}

bool
http2_is_ready(const struct http2 *c)
{
	return c->ready;
}

bool
http2_allows_upgrades(const struct http2 *c)
{
	return c->ready && nghttp2_session_get_remote_settings(c->ng,
			       NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}
