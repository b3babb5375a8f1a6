/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream — HTTP/1.1 connections to endpoints, kept and used again.
 *
 *	OPENING --open--> BUSY --release--> IDLE --acquire--> BUSY
 *	   `-- cancel, failure, any state --> (stream closing) --> freed
 *
 * Every connection has a user while it is OPENING or BUSY and none while it
 * is IDLE; bytes or an end that come to an idle one close it.
 */
#include "upstream/upstream.h"

#include "tunnel/tunnels.h"

enum { UPSTREAM_MAGIC = 0x75707374 };

enum conn_state { OPENING, BUSY, IDLE, CLOSING };

struct upstream_conn {
	uint32_t magic;
	uint8_t state;
	bool reused;
	bool answered;  /* a byte of the response is here */
	bool completed; /* the parser saw the response's end */
	bool upgraded;
	struct worker *worker;
	struct host *host;
	struct stream *stream;
	struct addr local; /* once it is open */
	struct http1_parser *parser;
	const struct upstream_events *events;
	void *arg;        /* of the user; NULL when there is none */
	uint64_t way;     /* by which it was made, see way_of() */
	struct list link; /* of host->idle */
	struct timer idle;
};

static struct upstream_conn *
conn_of(void *arg)
{
	struct upstream_conn *u;

	OBJ(u, arg, UPSTREAM_MAGIC);
	return u;
}

static void
leave_idle(struct upstream_conn *u)
{
	if (u->state != IDLE)
		return;
	list_remove(&u->link);
	timer_clear(&u->idle);
	u->host->idle_count--;
	u->state = BUSY;
}

/* From here only on_close comes, which frees it. */
static void
close_conn(struct upstream_conn *u, enum err why)
{
	leave_idle(u);
	u->events = NULL;
	u->state = CLOSING;
	stream_close(u->stream, why);
}

/* --- the parser's events --- */

static void
on_interim(void *arg, struct http_head *h)
{
	struct upstream_conn *u = conn_of(arg);

	if (u->events != NULL && u->events->on_interim != NULL)
		u->events->on_interim(u->arg, u, h);
}

static void
on_head(void *arg, struct http_head *h)
{
	struct upstream_conn *u = conn_of(arg);

	u->upgraded = h->framing == HTTP_BODY_TUNNEL;
	if (u->events != NULL)
		u->events->on_head(u->arg, u, h);
}

static void
on_body(void *arg, struct slice bytes)
{
	struct upstream_conn *u = conn_of(arg);

	if (u->events != NULL)
		u->events->on_body(u->arg, u, bytes);
}

static void
on_trailers(void *arg, struct http_head *h)
{
	struct upstream_conn *u = conn_of(arg);

	if (u->events != NULL)
		u->events->on_trailers(u->arg, u, h);
}

static void
on_complete(void *arg)
{
	conn_of(arg)->completed = true;
}

static const struct http1_events parser_events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_complete = on_complete,
};

/* --- the stream's events --- */

static void
fail(struct upstream_conn *u, enum err why, struct slice words)
{
	const struct upstream_events *events = u->events;
	void *arg = u->arg;

	u->events = NULL;
	if (events != NULL)
		events->on_failed(arg, u, why, words);
	close_conn(u, why == OK ? ERR_CLOSED : why);
}

static void
on_open(struct stream *s, void *arg)
{
	struct upstream_conn *u = conn_of(arg);

	u->state = BUSY;
	u->local = stream_local(s);
	if (u->events != NULL)
		u->events->on_open(u->arg, u);
}

/* The response ended inside this read; `rest` came behind it. */
static void
after_message(struct upstream_conn *u, struct slice rest)
{
	if (u->events == NULL)
		return;
	if (u->upgraded) {
		u->events->on_upgrade(u->arg, u, rest);
		return;
	}
	/* Bytes that nobody asked for: the connection is out of step. */
	if (rest.len > 0)
		u->reused = false;
	u->completed = rest.len == 0 && http1_parser_keep_alive(u->parser);
	u->events->on_complete(u->arg, u);
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct upstream_conn *u = conn_of(arg);
	size_t used;
	enum err e;

	(void)s; /* the connection's own */
	if (u->events == NULL) {
		close_conn(u, ERR_PROTOCOL);
		return;
	}
	u->answered = true;
	e = http1_parser_feed(u->parser, data, &used);
	if (u->events == NULL)
		return;
	if (e == ERR_EOF)
		after_message(u, slice_sub(data, used, data.len - used));
	else if (e != OK)
		fail(u, ERR_PROTOCOL,
		    slice_str(http1_flaw_text(http1_parser_flaw(u->parser))));
	else if (u->events->on_batch_end != NULL)
		u->events->on_batch_end(u->arg, u);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct upstream_conn *u = conn_of(arg);

	(void)s; /* the connection's own */
	if (u->events == NULL) {
		close_conn(u, OK);
		return;
	}
	if (http1_parser_finish(u->parser) != ERR_EOF) {
		fail(u, ERR_EOF, SLICE_NONE);
		return;
	}
	u->completed = false;
	u->events->on_complete(u->arg, u);
}

static void
on_drained(struct stream *s, void *arg)
{
	struct upstream_conn *u = conn_of(arg);

	(void)s; /* the connection's own */
	if (u->events != NULL)
		u->events->on_drained(u->arg, u);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct upstream_conn *u = conn_of(arg);
	const struct upstream_events *events = u->events;

	leave_idle(u);
	u->events = NULL;
	if (events != NULL)
		events->on_failed(
		    u->arg, u, why == OK ? ERR_EOF : why, tunnels_why(s));
	http1_parser_free(&u->parser);
	host_unref(u->worker->hosts, &u->host);
	u->worker->upstreams--;
	u->magic = 0;
	mem_free(&u);
}

static const struct stream_events stream_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

/* --- making and reusing --- */

struct stream *
upstream_dial(struct worker *w, const struct tunnels_ask *ask,
    const struct stream_events *events, void *arg, struct fault *why)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	if (ask->to->tunnel.family != ADDR_NONE)
		return tunnels_open(w->tunnels, ask, events, arg, why);
	spec.addr = ask->to->addr;
	spec.timeout_us = UPSTREAM_CONNECT_MS * UINT64_C(1000);
	return net_connect(w->loop, &spec, events, arg);
}

static void
on_idle_timeout(void *arg)
{
	close_conn(conn_of(arg), OK);
}

/*
 * Who calls, who has to answer, and where: a connection made for another of
 * them, before a view changed it, is not to be used again.
 */
static uint64_t
way_of(const struct tunnels_ask *ask)
{
	const struct view_endpoint *e = ask->to;
	uint64_t way = slice_hash(ask->from->identity) + ask->is_copy;

	if (e->tunnel.family == ADDR_NONE)
		return way;
	way = way * UINT64_C(0x9e3779b97f4a7c15) + slice_hash(e->identity);
	return way * UINT64_C(0x9e3779b97f4a7c15) +
	       slice_hash(slice_of(e->tunnel.bytes, sizeof(e->tunnel.bytes))) +
	       e->tunnel.port;
}

static struct upstream_conn *
conn_new(struct worker *w, struct host *host, const struct tunnels_ask *ask,
    struct fault *why)
{
	struct upstream_conn *u = mem_new(sizeof(*u));

	u->magic = UPSTREAM_MAGIC;
	u->stream = upstream_dial(w, ask, &stream_events, u, why);
	if (u->stream == NULL) {
		mem_free(&u);
		return NULL;
	}
	u->worker = w;
	u->host = host;
	w->upstreams++;
	host->refs++;
	u->way = way_of(ask);
	u->state = stream_is_open(u->stream) ? BUSY : OPENING;
	if (u->state == BUSY)
		u->local = stream_local(u->stream);
	u->parser = http1_parser_new(HTTP1_RESPONSES, &parser_events, u);
	timer_init(&u->idle, w->loop, on_idle_timeout, u);
	return u;
}

static struct upstream_conn *
take_idle(struct host *host, uint64_t way)
{
	LIST_EACH (&host->idle, it) {
		struct upstream_conn *u =
		    CONTAINER(it, struct upstream_conn, link);

		if (u->way != way)
			continue;
		leave_idle(u);
		tunnels_set_patience(u->stream, HTTP2_URGENT);
		u->reused = true;
		stream_set_resting(u->stream, false);
		return u;
	}
	return NULL;
}

struct upstream_conn *
upstream_acquire(struct worker *w, struct host *host,
    const struct tunnels_ask *ask, const struct upstream_events *events,
    void *arg, struct fault *why)
{
	struct upstream_conn *u = NULL;

	if (host->idle_count > 0)
		u = take_idle(host, way_of(ask));
	if (u == NULL)
		u = conn_new(w, host, ask, why);
	if (u == NULL)
		return NULL;
	u->events = events;
	u->arg = arg;
	u->answered = false;
	u->completed = false;
	return u;
}

void
upstream_expect(struct upstream_conn *u, struct slice method)
{
	http1_parser_expect(u->parser, method);
}

enum err
upstream_send_head(struct upstream_conn *u, const struct http_head *h)
{
	AUTO(buf_fini) struct buf out = BUF(2 * LIMIT_HEAD_BYTES);
	enum err e = http1_write_head(h, &out);

	if (e != OK)
		return e;
	upstream_expect(u, h->method);
	stream_cork(u->stream);
	return stream_write(u->stream, buf_slice(&out));
}

enum err
upstream_send_body(struct upstream_conn *u, struct slice bytes)
{
	return stream_write(u->stream, bytes);
}

bool
upstream_is_reused(const struct upstream_conn *u)
{
	return u->reused;
}

bool
upstream_is_open(const struct upstream_conn *u)
{
	return u->state == BUSY;
}

bool
upstream_has_answer(const struct upstream_conn *u)
{
	return u->answered;
}

struct addr
upstream_local(const struct upstream_conn *u)
{
	return u->local;
}

struct stream *
upstream_stream(struct upstream_conn *u)
{
	return u->stream;
}

/* `completed` says by now that the connection can carry another request. */
void
upstream_release(struct upstream_conn **up)
{
	struct upstream_conn *u = *up;

	*up = NULL;
	u->events = NULL;
	if (!u->completed || u->worker->draining ||
	    u->host->idle_count >= HOST_IDLE_CONNS_MAX ||
	    stream_pending(u->stream) > 0 || stream_is_closing(u->stream)) {
		close_conn(u, OK);
		return;
	}
	http1_parser_next(u->parser);
	stream_resume(u->stream, STREAM_PAUSE_PEER_FULL | STREAM_PAUSE_FILTER);
	stream_set_resting(u->stream, true);
	tunnels_set_patience(u->stream, HTTP2_IDLE);
	u->state = IDLE;
	list_push_front(&u->host->idle, &u->link);
	u->host->idle_count++;
	timer_set(&u->idle, UPSTREAM_IDLE_US);
}

void
upstream_cancel(struct upstream_conn **up)
{
	struct upstream_conn *u = *up;

	*up = NULL;
	if (u == NULL)
		return;
	close_conn(u, ERR_CANCELLED);
}

static void
on_stray_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes before the stream has its new owner");
}

static void
on_stray_close(struct stream *s, void *arg, enum err why)
{
	(void)s; /* closed in the turn in which it changed hands */
	(void)arg;
	(void)why;
}

static const struct stream_events nobody = {
    .on_data = on_stray_data, .on_close = on_stray_close};

struct stream *
upstream_take_stream(struct upstream_conn **up)
{
	struct upstream_conn *u = *up;
	struct stream *s = u->stream;

	*up = NULL;
	stream_set_events(s, &nobody, NULL);
	u->events = NULL;
	u->state = CLOSING;
	http1_parser_free(&u->parser);
	host_unref(u->worker->hosts, &u->host);
	u->worker->upstreams--;
	u->magic = 0;
	mem_free(&u);
	return s;
}

static bool
is_carried_by(const struct upstream_conn *u, const struct http2 *session)
{
	return http_tunnel_is(u->stream) &&
	       http_tunnel_conn(u->stream) == session;
}

void
upstream_close_idle(struct host *host, const struct http2 *session)
{
	LIST_EACH (&host->idle, it) {
		struct upstream_conn *u =
		    CONTAINER(it, struct upstream_conn, link);

		if (session == NULL || is_carried_by(u, session))
			close_conn(u, OK);
	}
}
