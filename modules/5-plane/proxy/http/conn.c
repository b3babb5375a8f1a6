/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn — a client's HTTP/1.1 connection, one request after the other.
 *
 * While a request is answered, bytes of the next wait in the backlog and
 * reading is paused (STREAM_PAUSE_OWNER, until the backlog is empty), so that
 * a client who pipelines costs a bounded buffer.
 */
#include "http/conn.h"

#include "http/request.h"

#include <stdio.h>

enum { CONN_MAGIC = 0x636f6e6e };

static struct conn *
conn_of(void *arg)
{
	struct conn *c;

	OBJ(c, arg, CONN_MAGIC);
	return c;
}

/* --- the parser's events --- */

static void
on_head(void *arg, struct http_head *h)
{
	struct conn *c = conn_of(arg);

	timer_clear(&c->timer);
	c->requests++;
	request_begin(c, h);
}

static void
on_body(void *arg, struct slice bytes)
{
	struct conn *c = conn_of(arg);

	if (c->request != NULL)
		request_on_body(c->request, bytes);
}

static void
on_trailers(void *arg, struct http_head *h)
{
	struct conn *c = conn_of(arg);

	if (c->request != NULL)
		request_on_trailers(c->request, h);
}

static void
on_complete(void *arg)
{
	struct conn *c = conn_of(arg);

	if (c->request != NULL)
		request_on_complete(c->request);
}

static const struct http1_events parser_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_complete = on_complete,
};

/* --- reading --- */

void
conn_end(struct conn *c)
{
	c->last = c->closing = true;
	timer_clear(&c->timer);
	if (c->ended)
		stream_close(c->stream, OK);
	else
		stream_close_lingering(c->stream);
}

static bool
is_over(const struct conn *c)
{
	return c->closing || c->stream == NULL || stream_is_closing(c->stream);
}

/* What follows a request waits until its response is out. */
static void
keep_for_later(struct conn *c, struct slice rest)
{
	if (rest.len == 0 || is_over(c))
		return;
	if (buf_add_slice(&c->backlog, rest) != OK) {
		stream_close(c->stream, ERR_LIMIT);
		return;
	}
	stream_pause(c->stream, STREAM_PAUSE_OWNER);
	if (c->request == NULL)
		loop_later(c->worker->loop, &c->next);
}

static void
on_flaw(struct conn *c)
{
	enum http1_flaw f = http1_parser_flaw(c->parser);

	c->last = true;
	if (c->request != NULL)
		request_on_flaw(c->request, f);
	else if (!c->done)
		request_refuse(
		    c, http1_flaw_status(f), slice_str(http1_flaw_text(f)));
}

/* Outside the parser, which cannot be told to go on from inside. */
static void
after_request(struct conn *c)
{
	c->done = false;
	if (is_over(c))
		return;
	if (!c->usable || c->last || c->worker->draining) {
		conn_end(c);
		return;
	}
	http1_parser_next(c->parser);
	timer_set(&c->timer, CONN_IDLE_US);
	/* An answer may come before the request went anywhere. */
	stream_resume(c->stream, STREAM_PAUSE_PEER_FULL |
				     STREAM_PAUSE_NOT_READY |
				     STREAM_PAUSE_FILTER);
	if (buf_len(&c->backlog) > 0)
		loop_later(c->worker->loop, &c->next);
}

/* To the end of the message at most; returns how much that was. */
static size_t
feed(struct conn *c, struct slice data)
{
	size_t used = 0;
	enum err e;

	c->reading = true;
	e = http1_parser_feed(c->parser, data, &used);
	c->reading = false;
	if (e != OK && e != ERR_EOF)
		on_flaw(c);
	if (c->request != NULL)
		request_on_batch_end(c->request);
	else if (c->done)
		after_request(c);
	return used;
}

/* The client waits for an answer, or thinks. */
static bool
is_resting(const struct conn *c)
{
	return c->request != NULL ? c->request->complete
				  : http1_parser_is_idle(c->parser);
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct conn *c = conn_of(arg);
	size_t used = 0;

	if (c->request == NULL && http1_parser_is_idle(c->parser))
		timer_set(&c->timer, CONN_HEAD_US);
	if (buf_len(&c->backlog) == 0)
		used = feed(c, data);
	keep_for_later(c, slice_sub(data, used, data.len - used));
	if (!is_over(c))
		stream_set_resting(s, is_resting(c));
}

/* Behind a response: the bytes that came meanwhile begin the next request. */
static void
on_next(void *arg)
{
	struct conn *c = conn_of(arg);

	if (is_over(c) || c->request != NULL)
		return;
	buf_consume(&c->backlog, feed(c, buf_slice(&c->backlog)));
	if (buf_len(&c->backlog) > 0) {
		if (c->request == NULL)
			loop_later(c->worker->loop, &c->next);
		return;
	}
	buf_fini(&c->backlog);
	if (c->stream != NULL)
		stream_resume(c->stream, STREAM_PAUSE_OWNER);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct conn *c = conn_of(arg);

	c->ended = true;
	if (c->request != NULL)
		request_on_client_end(c->request);
	else
		stream_close(s, OK);
}

static void
on_drained(struct stream *s, void *arg)
{
	struct conn *c = conn_of(arg);

	(void)s; /* the connection's own */
	if (c->request != NULL)
		request_on_client_drained(c->request);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct conn *c = conn_of(arg);

	(void)s; /* gone with this call */
	c->stream = NULL;
	if (c->request != NULL)
		request_on_client_gone(c->request, why);
	CHECK(c->request == NULL);
	conn_free(&c);
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

/* Idle for too long is an end like any other; half a head is a flaw. */
static void
on_timer(void *arg)
{
	struct conn *c = conn_of(arg);

	if (http1_parser_is_idle(c->parser)) {
		stream_close(c->stream, OK);
		return;
	}
	c->last = true;
	request_refuse(c, 408, S("the head did not come in time"));
}

/* --- the registry --- */

static struct conn *
conn_of_reg(struct registered *r)
{
	return conn_of(CONTAINER(r, struct conn, reg));
}

static void
describe(struct registered *r, struct proxy_conn_info *out)
{
	struct conn *c = conn_of_reg(r);

	out->requests = c->requests;
	if (c->stream == NULL)
		return;
	out->peer = c->peer;
	out->bytes_in = c->stream->bytes_in;
	out->bytes_out = c->stream->bytes_out;
	(void)snprintf(
	    out->what, sizeof(out->what), "%s", listener_name(c->listener));
	(void)snprintf(out->source, sizeof(out->source), "%s",
	    listener_identity(c->listener));
}

static void
cut(struct registered *r, enum err why)
{
	struct conn *c = conn_of_reg(r);

	if (c->stream != NULL)
		stream_close(c->stream, why);
}

static void
drain(struct registered *r)
{
	struct conn *c = conn_of_reg(r);

	c->last = true;
	if (c->request == NULL && c->stream != NULL &&
	    http1_parser_is_idle(c->parser) && buf_len(&c->backlog) == 0)
		stream_close(c->stream, OK);
}

/* --- life --- */

void
conn_accept(struct worker *w, struct listener *l, struct stream *stream,
    struct slice first)
{
	struct conn *c = mem_new(sizeof(*c));

	c->magic = CONN_MAGIC;
	c->worker = w;
	c->listener = listener_ref(l);
	c->stream = stream;
	c->peer = stream_peer(stream);
	c->local = stream_local(stream);
	c->parser = http1_parser_new(HTTP1_REQUESTS, &parser_events, c);
	c->last = w->draining;
	buf_init(&c->backlog, LOOP_SCRATCH_LEN);
	timer_init(&c->timer, w->loop, on_timer, c);
	timer_set(&c->timer, CONN_IDLE_US);
	loop_later_init(&c->next, on_next, c);
	c->reg = (struct registered){.kind = PROXY_CONN_HTTP,
	    .describe = describe,
	    .cut = cut,
	    .drain = drain};
	worker_register(w, &c->reg);
	stream_set_events(stream, &stream_events, c);
	if (first.len > 0)
		on_data(stream, c, first);
}

void
conn_request_done(struct conn *c, bool usable)
{
	c->request = NULL;
	c->done = true;
	c->usable = usable;
	if (!c->reading)
		after_request(c);
}

struct stream *
conn_take_stream(struct conn *c, struct slice *out_rest)
{
	struct stream *s = c->stream;

	c->stream = NULL;
	c->request = NULL;
	stream_resume(s, STREAM_PAUSE_OWNER);
	*out_rest = buf_slice(&c->backlog);
	return s;
}

void
conn_free(struct conn **cp)
{
	struct conn *c = *cp;

	*cp = NULL;
	timer_clear(&c->timer);
	loop_later_cancel(&c->next);
	worker_unregister(&c->reg);
	http1_parser_free(&c->parser);
	listener_unref(&c->listener);
	buf_fini(&c->backlog);
	c->magic = 0;
	mem_free(&c);
}
