/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conns — HTTP/1.1 connections to endpoints, kept and used again.
 *
 *	OPENING --open--> BUSY --release--> IDLE --acquire--> BUSY
 *	   `-- cancel, failure, any state --> (stream closing) --> freed
 *
 * Every connection has a user while it is OPENING or BUSY and none while it
 * is IDLE; bytes or an end that come to an idle one close it.
 */
#include "upstream/inside.h"

#include "tunnel/tunnels.h"

enum { UPSTREAM_MAGIC = 0x75707374 };

enum conn_state { OPENING, BUSY, IDLE, CLOSING };

struct h1_conn {
	struct upstream_conn up; /* first */
	uint32_t magic;
	uint8_t state;
	bool completed; /* the parser saw the response's end */
	bool upgraded;
	bool chunked;     /* the request's body goes in chunks */
	uint64_t keep_us; /* unused, at most */
	uint64_t ends_us; /* no new request then; 0: never */
	struct stream *stream;
	struct http1_parser *parser;
	uint64_t way;     /* by which it was made */
	struct list link; /* of host->idle */
	struct timer idle;
};

static struct h1_conn *
conn_of(void *arg)
{
	struct h1_conn *u;

	OBJ(u, arg, UPSTREAM_MAGIC);
	return u;
}

static struct h1_conn *
h1_of(struct upstream_conn *u)
{
	return conn_of(CONTAINER(u, struct h1_conn, up));
}

static void
leave_idle(struct h1_conn *u)
{
	if (u->state != IDLE)
		return;
	list_remove(&u->link);
	timer_clear(&u->idle);
	u->up.host->idle_count--;
	u->state = BUSY;
}

/* From here only on_close comes, which frees it. */
static void
close_conn(struct h1_conn *u, enum err why)
{
	leave_idle(u);
	u->up.events = NULL;
	u->state = CLOSING;
	stream_close(u->stream, why);
}

/* --- the parser's events --- */

static void
on_interim(void *arg, struct http_head *h)
{
	struct h1_conn *u = conn_of(arg);

	if (u->up.events != NULL && u->up.events->on_interim != NULL)
		u->up.events->on_interim(u->up.arg, &u->up, h);
}

/*
 * "timeout=5, max=100" (RFC 2068 §19.7.1.1), which Node and Apache say: they
 * end it after so many seconds without a request. We do before that, or a
 * request and that end would meet on the way.
 */
static uint64_t
keep_time(const struct http_head *h)
{
	uint64_t us = UPSTREAM_IDLE_US, seconds;
	struct slice list, item;

	if (!http_head_get_id(h, HTTP_KEEP_ALIVE, &list))
		return us;
	while (list.len > 0) {
		item = slice_split(&list, ',');
		if (slice_eq_nocase(
			slice_trim(slice_split(&item, '=')), S("timeout")) &&
		    slice_to_u64(slice_trim(item), &seconds) == OK &&
		    seconds < us / 1000000)
			us = seconds * 900000; /* nine tenths */
	}
	return us;
}

static void
on_head(void *arg, struct http_head *h)
{
	struct h1_conn *u = conn_of(arg);

	u->upgraded = h->framing == HTTP_BODY_TUNNEL;
	u->keep_us = keep_time(h);
	if (u->up.events != NULL)
		u->up.events->on_head(u->up.arg, &u->up, h);
}

static void
on_body(void *arg, struct slice bytes)
{
	struct h1_conn *u = conn_of(arg);

	if (u->up.events != NULL)
		u->up.events->on_body(u->up.arg, &u->up, bytes);
}

static void
on_trailers(void *arg, struct http_head *h)
{
	struct h1_conn *u = conn_of(arg);

	if (u->up.events != NULL)
		u->up.events->on_trailers(u->up.arg, &u->up, h);
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
fail(struct h1_conn *u, enum err why, struct slice words)
{
	const struct upstream_events *events = u->up.events;
	void *arg = u->up.arg;

	u->up.events = NULL;
	buf_reset(&u->up.worker->to_service);
	if (events != NULL)
		events->on_failed(arg, &u->up, why, words);
	close_conn(u, why == OK ? ERR_CLOSED : why);
}

static void
on_open(struct stream *s, void *arg)
{
	struct h1_conn *u = conn_of(arg);

	u->state = BUSY;
	u->up.open = true;
	u->up.local = stream_local(s);
	if (u->up.events != NULL)
		u->up.events->on_open(u->up.arg, &u->up);
}

/* The response ended inside this read; `rest` came behind it. */
static void
after_message(struct h1_conn *u, struct slice rest)
{
	if (u->up.events == NULL)
		return;
	if (u->upgraded) {
		u->up.events->on_upgrade(u->up.arg, &u->up, rest);
		return;
	}
	/* Bytes that nobody asked for: the connection is out of step. */
	if (rest.len > 0)
		u->up.reused = false;
	u->completed = rest.len == 0 && http1_parser_keep_alive(u->parser);
	u->up.events->on_complete(u->up.arg, &u->up);
}

static void
fail_flawed(struct h1_conn *u)
{
	enum http1_flaw f = http1_parser_flaw(u->parser);

	worker_refused(u->up.worker, REFUSED_SERVICE, http1_flaw_word(f));
	u->up.overlong = f == HTTP1_HEAD_TOO_LARGE;
	fail(u, ERR_PROTOCOL, slice_str(http1_flaw_text(f)));
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct h1_conn *u = conn_of(arg);
	size_t used;
	enum err e;

	(void)s; /* the connection's own */
	if (u->up.events == NULL) {
		close_conn(u, ERR_PROTOCOL);
		return;
	}
	u->up.answered = true;
	e = http1_parser_feed(u->parser, data, &used);
	if (u->up.events == NULL)
		return;
	if (e == ERR_EOF)
		after_message(u, slice_sub(data, used, data.len - used));
	else if (e != OK)
		fail_flawed(u);
	else if (u->up.events->on_batch_end != NULL)
		u->up.events->on_batch_end(u->up.arg, &u->up);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct h1_conn *u = conn_of(arg);

	(void)s; /* the connection's own */
	if (u->up.events == NULL) {
		close_conn(u, OK);
		return;
	}
	if (http1_parser_finish(u->parser) != ERR_EOF) {
		fail(u, ERR_EOF, SLICE_NONE);
		return;
	}
	u->completed = false;
	u->up.events->on_complete(u->up.arg, &u->up);
}

static void
on_drained(struct stream *s, void *arg)
{
	struct h1_conn *u = conn_of(arg);

	(void)s; /* the connection's own */
	if (u->up.events != NULL)
		u->up.events->on_drained(u->up.arg, &u->up);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct h1_conn *u = conn_of(arg);
	const struct upstream_events *events = u->up.events;

	leave_idle(u);
	u->up.events = NULL;
	u->up.untouched = tunnels_is_untouched(s);
	buf_reset(&u->up.worker->to_service);
	if (events != NULL)
		events->on_failed(u->up.arg, &u->up, why == OK ? ERR_EOF : why,
		    tunnels_why(s));
	http1_parser_free(&u->parser);
	host_unref(u->up.worker->hosts, &u->up.host);
	u->up.worker->upstreams--;
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

static void
on_idle_timeout(void *arg)
{
	close_conn(conn_of(arg), OK);
}

/* How long it may wait for another request; 0: not at all. */
static uint64_t
rest_time(const struct h1_conn *u)
{
	uint64_t now = loop_now_us(u->up.worker->loop);

	if (u->ends_us == 0)
		return u->keep_us;
	return u->ends_us > now ? MIN(u->keep_us, u->ends_us - now) : 0;
}

static const struct upstream_ops conn_ops;

static struct h1_conn *
conn_new(const struct upstream_ask *ask, struct fault *why)
{
	struct worker *w = ask->worker;
	struct h1_conn *u = mem_new(sizeof(*u));

	u->magic = UPSTREAM_MAGIC;
	u->stream = upstream_dial(w, &ask->way, &stream_events, u, why);
	if (u->stream == NULL) {
		mem_free(&u);
		return NULL;
	}
	u->up.ops = &conn_ops;
	u->up.worker = w;
	u->up.host = ask->host;
	w->upstreams++;
	ask->host->refs++;
	u->way = upstream_way(w, &ask->way);
	if (ask->longest_us > 0)
		u->ends_us = loop_now_us(w->loop) + ask->longest_us;
	u->state = stream_is_open(u->stream) ? BUSY : OPENING;
	u->up.open = u->state == BUSY;
	if (u->state == BUSY)
		u->up.local = stream_local(u->stream);
	u->parser = http1_parser_new(HTTP1_RESPONSES, &parser_events, u);
	timer_init(&u->idle, w->loop, on_idle_timeout, u);
	return u;
}

static struct h1_conn *
take_idle(struct host *host, uint64_t way)
{
	LIST_EACH (&host->idle, it) {
		struct h1_conn *u = CONTAINER(it, struct h1_conn, link);

		if (u->way != way)
			continue;
		leave_idle(u);
		tunnels_set_patience(u->stream, HTTP2_URGENT);
		u->up.reused = true;
		stream_set_resting(u->stream, false);
		return u;
	}
	return NULL;
}

struct upstream_conn *
conns_acquire(const struct upstream_ask *ask, struct fault *why)
{
	struct h1_conn *u = NULL;

	if (ask->host->idle_count > 0 && !ask->is_fresh)
		u = take_idle(ask->host, upstream_way(ask->worker, &ask->way));
	if (u == NULL)
		u = conn_new(ask, why);
	if (u == NULL)
		return NULL;
	u->up.answered = false;
	u->completed = false;
	return &u->up;
}

/* --- sending -------------------------------------------------------------- */

static enum err
flush(struct upstream_conn *up)
{
	struct buf *out = &up->worker->to_service;
	enum err e;

	if (buf_len(out) == 0)
		return OK;
	e = stream_write(h1_of(up)->stream, buf_slice(out));
	buf_reset(out);
	return e;
}

/* Small pieces are collected; a large one goes out with what waits. */
static enum err
put(struct h1_conn *u, struct slice bytes)
{
	struct buf *out = &u->up.worker->to_service;
	struct slice parts[2];
	enum err e;

	if (bytes.len <= LIMIT_STREAM_BUFFER / 8 &&
	    buf_add_slice(out, bytes) == OK)
		return OK;
	parts[0] = buf_slice(out);
	parts[1] = bytes;
	e = stream_writev(u->stream, parts, ARRAY_LEN(parts));
	buf_reset(out);
	return e;
}

static enum err
send_head(struct upstream_conn *up, const struct http_head *h, bool end)
{
	struct h1_conn *u = h1_of(up);

	(void)end; /* the framing says it */
	http1_parser_expect(u->parser, h->method);
	u->chunked = h->framing == HTTP_BODY_CHUNKED;
	return http1_write_head(h, &up->worker->to_service);
}

static enum err
send_body(struct upstream_conn *up, struct slice bytes)
{
	struct h1_conn *u = h1_of(up);
	char size[HTTP1_CHUNK_HEAD_MAX];
	struct slice parts[3] = {SLICE_NONE, bytes, S("\r\n")};
	enum err e, worst = OK;

	if (bytes.len == 0)
		return OK;
	if (!u->chunked)
		return put(u, bytes);
	parts[0] = slice_of(size, http1_chunk_head(bytes.len, size));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		e = put(u, parts[i]);
		worst = e != OK ? e : worst;
	}
	return worst;
}

static enum err
send_end(struct upstream_conn *up, const struct http_head *trailers)
{
	struct h1_conn *u = h1_of(up);

	if (!u->chunked)
		return OK;
	if (http1_write_end(trailers, &up->worker->to_service) == OK)
		return OK;
	stream_close(u->stream, ERR_LIMIT);
	return ERR_CLOSED;
}

static void
pause_response(struct upstream_conn *up, enum stream_pause why)
{
	stream_pause(h1_of(up)->stream, why);
}

static void
resume_response(struct upstream_conn *up, enum stream_pause why)
{
	stream_resume(h1_of(up)->stream, why);
}

/* --- the end -------------------------------------------------------------- */

/*
 * `completed` says by now that the connection can carry another request. Of too
 * many the one that rested longest goes: it may be of a client that is gone.
 */
static void
release(struct upstream_conn *up)
{
	struct h1_conn *u = h1_of(up);
	uint64_t rest_us = rest_time(u);

	up->events = NULL;
	if (!u->completed || rest_us == 0 || up->worker->draining ||
	    stream_pending(u->stream) > 0 || stream_is_closing(u->stream)) {
		close_conn(u, OK);
		return;
	}
	http1_parser_next(u->parser);
	stream_resume(u->stream, STREAM_PAUSE_PEER_FULL | STREAM_PAUSE_FILTER);
	stream_set_resting(u->stream, true);
	tunnels_set_patience(u->stream, HTTP2_IDLE);
	u->state = IDLE;
	list_push_front(&up->host->idle, &u->link);
	up->host->idle_count++;
	timer_set(&u->idle, rest_us);
	if (up->host->idle_count > HOST_IDLE_CONNS_MAX)
		close_conn(
		    CONTAINER(up->host->idle.prev, struct h1_conn, link), OK);
}

static void
cancel(struct upstream_conn *up)
{
	close_conn(h1_of(up), ERR_CANCELLED);
}

static struct stream *
take(struct upstream_conn *up)
{
	struct h1_conn *u = h1_of(up);
	struct stream *s = u->stream;

	stream_set_events(s, &upstream_nobody, NULL);
	http1_parser_free(&u->parser);
	host_unref(u->up.worker->hosts, &u->up.host);
	u->up.worker->upstreams--;
	u->magic = 0;
	mem_free(&u);
	return s;
}

static struct addr
peer(const struct upstream_conn *up)
{
	return stream_peer(((const struct h1_conn *)(const void *)up)->stream);
}

static const struct upstream_ops conn_ops = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .flush = flush,
    .pause = pause_response,
    .resume = resume_response,
    .release = release,
    .cancel = cancel,
    .take = take,
    .peer = peer,
};

static bool
is_carried_by(const struct h1_conn *u, const struct http2 *session)
{
	return http_tunnel_is(u->stream) &&
	       http_tunnel_conn(u->stream) == session;
}

void
conns_close_idle(struct host *host, const struct http2 *carrier)
{
	LIST_EACH (&host->idle, it) {
		struct h1_conn *u = CONTAINER(it, struct h1_conn, link);

		if (carrier == NULL || is_carried_by(u, carrier))
			close_conn(u, OK);
	}
}
