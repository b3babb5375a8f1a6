/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn — a client's HTTP/1.1 connection, one request after the other.
 *
 * While a request is answered, bytes of the next wait in the backlog and
 * reading is paused (STREAM_PAUSE_OWNER, until the backlog is empty), so that
 * a client who pipelines costs a bounded buffer.
 */
#include "http/conn.h"

#include "http/h1.h"
#include "http/h2_conn.h"
#include "http/request.h"
#include "snapshot.h"

#include <stdio.h>

/* --- the parser's events --- */

static void
on_head(void *arg, struct http_head *h)
{
	struct conn *c = conn_of(arg);

	timer_clear(&c->timer);
	c->requests++;
	request_begin(&c->client, h, h->framing == HTTP_BODY_NONE);
}

static void
on_body(void *arg, struct slice bytes)
{
	struct conn *c = conn_of(arg);

	if (c->client.request != NULL)
		request_on_body(c->client.request, bytes);
}

static void
on_trailers(void *arg, struct http_head *h)
{
	struct conn *c = conn_of(arg);

	if (c->client.request != NULL)
		request_on_trailers(c->client.request, h);
}

static void
on_complete(void *arg)
{
	struct conn *c = conn_of(arg);

	if (c->client.request != NULL)
		request_on_complete(c->client.request);
}

static const struct http1_events parser_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_complete = on_complete,
};

/* --- reading --- */

static void
conn_free(struct conn **cp)
{
	struct conn *c = *cp;

	*cp = NULL;
	timer_clear(&c->timer);
	loop_later_cancel(&c->next);
	worker_unregister(&c->reg);
	http1_parser_free(&c->parser);
	listener_leave(&c->client.listener);
	buf_fini(&c->backlog);
	c->magic = 0;
	mem_free(&c);
}

/* The last answer is written: closes, but lets the client read it. */
static void
conn_end(struct conn *c)
{
	c->client.last = c->closing = true;
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
	if (c->client.request == NULL)
		loop_later(c->client.worker->loop, &c->next);
}

/* Its service speaks HTTP/2, so a client that speaks nonsense may not know what
 * an answer of HTTP/1.1 is (RFC 9113 §3.4). */
static bool
is_beyond_words(const struct conn *c)
{
	enum http1_flaw f = http1_parser_flaw(c->parser); /* of its line */
	struct listener_way way;

	if (c->requests > 0 || f < HTTP1_BAD_START || f > HTTP1_BAD_VERSION)
		return false;
	listener_way_of_request(c->client.listener, c->client.worker->now->view,
	    &c->client.local, &c->client.peer, &way);
	return way.host != NULL && (way.host->protocol == VIEW_HTTP2 ||
				       way.host->protocol == VIEW_GRPC);
}

/* What came was no request: an answer without one, then the end. */
static void
refuse(struct conn *c, unsigned status, struct slice words)
{
	AUTO(buf_fini) struct buf text = BUF(LIMIT_HEAD_BYTES);
	enum err e;

	if (is_over(c))
		return;
	request_refuse(&c->client, status, words, &text);
	if (is_beyond_words(c)) {
		stream_close(c->stream, OK);
		return;
	}
	e = stream_write(c->stream, buf_slice(&text));
	(void)e; /* it may be gone already, which reading tells */
	conn_end(c);
}

static void
on_flaw(struct conn *c)
{
	enum http1_flaw f = http1_parser_flaw(c->parser);

	worker_refused(c->client.worker, REFUSED_CLIENT, http1_flaw_word(f));
	c->client.last = true;
	if (c->client.request != NULL)
		request_on_flaw(c->client.request, http1_flaw_status(f),
		    slice_str(http1_flaw_text(f)));
	else if (!c->done)
		refuse(c, http1_flaw_status(f), slice_str(http1_flaw_text(f)));
}

static const struct proxy_limits *
limits_of(const struct conn *c)
{
	return &c->client.worker->proxy->limits;
}

/* Between requests; but what is left of the last answer has to be taken. */
static void
rest(struct conn *c)
{
	c->owed = stream_pending(c->stream) > 0;
	timer_set(&c->timer,
	    c->owed ? limits_of(c)->stream_idle_us : limits_of(c)->idle_us);
}

/* Outside the parser, which cannot be told to go on from inside. */
static void
after_request(struct conn *c)
{
	c->done = false;
	if (is_over(c))
		return;
	if (!c->usable || c->client.last || c->client.worker->draining) {
		conn_end(c);
		return;
	}
	http1_parser_next(c->parser);
	rest(c);
	/* An answer may come before the request went anywhere. */
	stream_resume(c->stream, STREAM_PAUSE_PEER_FULL |
				     STREAM_PAUSE_NOT_READY |
				     STREAM_PAUSE_FILTER);
	if (buf_len(&c->backlog) > 0)
		loop_later(c->client.worker->loop, &c->next);
}

/* To the end of the message at most; returns how much that was. */
static size_t
feed(struct conn *c, struct slice data)
{
	size_t used = 0;
	enum err e;

	c->client.reading = true;
	e = http1_parser_feed(c->parser, data, &used);
	c->client.reading = false;
	if (e != OK && e != ERR_EOF)
		on_flaw(c);
	if (c->client.request != NULL)
		request_on_batch_end(c->client.request);
	else if (c->done)
		after_request(c);
	return used;
}

/* The client waits for an answer, or thinks about the one that it got. An empty
 * line is not answered, so that no write would tell that its client is gone. */
static bool
is_resting(const struct conn *c, uint64_t requests_before)
{
	if (c->client.request != NULL)
		return c->client.request->complete;
	return http1_parser_is_idle(c->parser) &&
	       c->requests != requests_before;
}

static bool
is_preface(struct slice data)
{
	struct slice all = S(H2_CONN_PREFACE);

	return slice_eq(
	    slice_sub(data, 0, all.len), slice_sub(all, 0, data.len));
}

/* HTTP/2 by prior knowledge (RFC 9113 §3.3). */
static void
become_h2(struct conn *c)
{
	struct stream *s = TAKE(c->stream);

	h2_conn_accept(
	    c->client.worker, c->client.listener, s, buf_slice(&c->backlog));
	conn_free(&c);
}

/*
 * True if the first bytes of the connection are another's, or if nobody can say
 * yet. Those of a request are the parser's, now or behind this turn.
 */
static bool
look_at_first(struct conn *c, struct slice data)
{
	if (buf_len(&c->backlog) == 0 && !is_preface(data)) {
		c->known = true;
		return false;
	}
	if (buf_add_slice(&c->backlog, data) != OK) {
		stream_close(c->stream, ERR_LIMIT);
		return true;
	}
	c->known = !is_preface(buf_slice(&c->backlog));
	if (c->known) {
		stream_pause(c->stream, STREAM_PAUSE_OWNER);
		loop_later(c->client.worker->loop, &c->next);
	} else if (buf_len(&c->backlog) >= strlen(H2_CONN_PREFACE)) {
		become_h2(c);
	}
	return true;
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct conn *c = conn_of(arg);
	uint64_t requests = c->requests;
	size_t used = 0;

	if (c->client.request == NULL && http1_parser_is_idle(c->parser) &&
	    buf_len(&c->backlog) == 0)
		timer_set(&c->timer, limits_of(c)->head_us);
	if (!c->known && look_at_first(c, data))
		return;
	if (buf_len(&c->backlog) == 0)
		used = feed(c, data);
	keep_for_later(c, slice_sub(data, used, data.len - used));
	if (!is_over(c))
		stream_set_resting(s, is_resting(c, requests));
}

/* Behind a response: the bytes that came meanwhile begin the next request. */
static void
on_next(void *arg)
{
	struct conn *c = conn_of(arg);

	if (is_over(c) || c->client.request != NULL)
		return;
	buf_consume(&c->backlog, feed(c, buf_slice(&c->backlog)));
	/* Half of a head: the rest of it has to come in time. */
	if (c->client.request == NULL && !http1_parser_is_idle(c->parser) &&
	    !is_over(c))
		timer_set(&c->timer, limits_of(c)->head_us);
	if (buf_len(&c->backlog) > 0) {
		if (c->client.request == NULL)
			loop_later(c->client.worker->loop, &c->next);
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
	if (c->client.request != NULL)
		request_on_client_end(c->client.request);
	else
		stream_close(s, OK);
}

static void
on_drained(struct stream *s, void *arg)
{
	struct conn *c = conn_of(arg);

	(void)s; /* the connection's own */
	c->client.full = false;
	if (c->client.request != NULL)
		request_on_client_drained(c->client.request);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct conn *c = conn_of(arg);

	(void)s; /* gone with this call */
	c->stream = NULL;
	if (c->client.request != NULL)
		request_on_client_gone(c->client.request, why);
	CHECK(c->client.request == NULL);
	conn_free(&c);
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

/* Half a head is a flaw, and so is an answer that is not taken; else it was
 * idle for too long, which is an end like any other. */
static void
on_timer(void *arg)
{
	struct conn *c = conn_of(arg);
	struct worker *w = c->client.worker;

	if (!http1_parser_is_idle(c->parser)) {
		worker_refused(
		    w, REFUSED_CLIENT, http2_flaw_word(HTTP2_SLOW_HEAD));
		c->client.last = true;
		refuse(c, 408, S("the head did not come in time"));
	} else if (stream_pending(c->stream) > 0) {
		worker_refused(
		    w, REFUSED_CLIENT, http2_flaw_word(HTTP2_STALLED));
		stream_close(c->stream, ERR_TIMEOUT);
	} else if (c->owed) {
		c->owed = false; /* it is idle from now on */
		timer_set(&c->timer, limits_of(c)->idle_us);
	} else {
		stream_close(c->stream, OK);
	}
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
	out->peer = c->client.peer;
	out->bytes_in = c->stream->bytes_in;
	out->bytes_out = c->stream->bytes_out;
	(void)snprintf(out->what, sizeof(out->what), "%s",
	    listener_name(c->client.listener));
	(void)snprintf(out->source, sizeof(out->source), "%s",
	    listener_identity(c->client.listener));
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

	c->client.last = true;
	if (c->client.request == NULL && c->stream != NULL &&
	    http1_parser_is_idle(c->parser) && buf_len(&c->backlog) == 0)
		stream_close(c->stream, OK);
}

/* --- as a client --- */

static uint64_t
connection_id(struct client *client)
{
	return conn_of_client(client)->reg.id;
}

static void
pause(struct client *client, enum stream_pause why)
{
	struct conn *c = conn_of_client(client);

	if (c->stream != NULL)
		stream_pause(c->stream, why);
}

static void
resume(struct client *client, enum stream_pause why)
{
	struct conn *c = conn_of_client(client);

	if (c->stream != NULL)
		stream_resume(c->stream, why);
}

static void
cut_answer(struct client *client, enum err why)
{
	struct conn *c = conn_of_client(client);

	if (c->stream != NULL)
		stream_close(c->stream, why);
}

static void
on_done(struct client *client, bool complete)
{
	struct conn *c = conn_of_client(client);

	client->request = NULL;
	c->done = true;
	c->usable = complete && http1_parser_head(c->parser)->keep_alive &&
		    !client->last;
	if (!client->reading)
		after_request(c);
}

static struct stream *
take_stream(struct client *client, struct slice *out_rest)
{
	struct conn *c = conn_of_client(client);
	struct stream *s = c->stream;

	c->stream = NULL;
	client->request = NULL;
	stream_resume(s, STREAM_PAUSE_OWNER);
	*out_rest = buf_slice(&c->backlog);
	return s;
}

static void
drop(struct client *client)
{
	struct conn *c = conn_of_client(client);

	conn_free(&c);
}

static const struct client_ops client_ops = {
    .id = connection_id,
    .interim = h1_interim,
    .head = h1_head,
    .body = h1_body,
    .end = h1_end,
    .flush = h1_flush,
    .pause = pause,
    .resume = resume,
    .cut = cut_answer,
    .done = on_done,
    .take = take_stream,
    .drop = drop,
};

/* --- life --- */

void
conn_accept(struct worker *w, struct listener *l, struct stream *stream,
    struct slice first)
{
	struct conn *c = mem_new(sizeof(*c));

	c->magic = CONN_MAGIC;
	c->client.ops = &client_ops;
	c->client.worker = w;
	c->client.listener = listener_join(l);
	c->stream = stream;
	c->client.peer = stream_peer(stream);
	c->client.local = stream_local(stream);
	c->parser = http1_parser_new(HTTP1_REQUESTS, &parser_events, c);
	c->client.last = w->draining;
	buf_init(&c->backlog, LOOP_SCRATCH_LEN);
	timer_init(&c->timer, w->loop, on_timer, c);
	timer_set(&c->timer, limits_of(c)->idle_us);
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
