/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_stream — one exchange: what its owner asks, and how it ends.
 *
 * A stream ends for its owner before nghttp2 forgets it or after; the link
 * between the two is nghttp2's user data, which is cut when the first ends.
 */
#include "h2_session.h"

enum {
	/* One send may be a whole gRPC message; who goes on is cut off. */
	QUEUE_MAX = 2 * LIMIT_GRPC_MESSAGE,
	SEND_NOW_LEAST = 4 << 10
};

static const struct http2_stream_events no_events;

struct http2_stream *
h2_stream_new(struct http2 *c, int32_t id)
{
	struct http2_stream *s = hot_new(sizeof(*s));

	s->magic = HTTP2_STREAM_MAGIC;
	s->id = id;
	s->conn = c;
	s->window = LIMIT_H2_WINDOW_START;
	s->moved_since_us = loop_now_us(c->loop);
	arena_init(&s->arena, H2_STREAM_ARENA);
	buf_init(&s->queue, QUEUE_MAX);
	s->mark = LIMIT_STREAM_BUFFER;
	list_push_back(&c->streams, &s->link);
	c->open++;
	c->promised += s->window;
	timer_clear(&c->idle);
	h2_calm_stream(c);
	return s;
}

static void
trailers_free(struct h2_trailers **tp)
{
	if (*tp == NULL)
		return;
	arena_fini(&(*tp)->arena);
	mem_free(tp);
}

static void
early_free(struct buf **bp)
{
	if (*bp == NULL)
		return;
	buf_fini(*bp);
	mem_free(bp);
}

static void
stream_free(struct http2_stream *s)
{
	early_free(&s->early);
	trailers_free(&s->trailers);
	buf_fini(&s->queue);
	arena_fini(&s->arena);
	s->magic = 0;
	hot_free(&s, sizeof(*s));
}

void
h2_stream_hold(struct http2_stream *s, struct slice bytes)
{
	if (s->early == NULL) {
		s->early = mem_new(sizeof(*s->early));
		buf_init(s->early, LIMIT_H2_STREAM_WINDOW_MAX);
	}
	if (buf_add_slice(s->early, bytes) != OK)
		http2_stream_reset(s, HTTP2_INTERNAL_ERROR);
}

/* Events come in runs of one stream's. */
struct http2_stream *
h2_stream_of(struct http2 *c, int32_t id)
{
	if (c->last == NULL || c->last->id != id)
		c->last = nghttp2_session_get_stream_user_data(c->ng, id);
	return c->last;
}

void
h2_stream_finish(struct http2_stream *s, enum err why, uint32_t code)
{
	struct http2 *c = s->conn;

	CHECK(!s->done);
	s->done = true;
	if (c->last == s)
		c->last = NULL;
	s->why = why;
	s->code = code;
	if (s->full)
		c->full--;
	s->full = false;
	c->urgent -= s->patience == HTTP2_URGENT;
	c->owing -= s->owing;
	s->owing = false;
	c->promised -= s->window;
	h2_flow_drop(s);
	/* Fails if nghttp2 has forgotten the stream, which is as good. */
	(void)nghttp2_session_set_stream_user_data(c->ng, s->id, NULL);
	list_remove(&s->link);
	list_push_back(&c->ended, &s->link);
	c->open--;
	c->room_news = true;
	loop_later(c->loop, &c->reap);
}

void
h2_stream_give_up(struct http2_stream *s)
{
	/* Without memory the peer keeps a stream that is nobody's. */
	(void)nghttp2_submit_rst_stream(
	    s->conn->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
	h2_stream_finish(s, ERR_TIMEOUT, NGHTTP2_CANCEL);
}

void
h2_reap(struct http2 *c)
{
	struct http2_stream *s;

	while ((s = LIST_FIRST(&c->ended, struct http2_stream, link)) != NULL) {
		list_remove(&s->link);
		if (s->events != NULL && s->events->on_close != NULL)
			s->events->on_close(s->arg, s, s->why, s->code);
		stream_free(s);
	}
}

static enum h2_asked
asked(const struct http_head *h)
{
	if (h->upgrade.len > 0 || http_head_is_method(h, S("CONNECT")))
		return H2_ASKED_CONNECT;
	return http_head_is_method(h, S("HEAD")) ? H2_ASKED_HEAD
						 : H2_ASKED_OTHER;
}

static void
resume(struct http2_stream *s)
{
	if (s->deferred)
		/* Fails only for a stream that is ending anyway. */
		(void)nghttp2_session_resume_data(s->conn->ng, s->id);
	s->deferred = false;
	h2_want_flush(s->conn);
}

/* --- the owner's side --- */

struct http2_stream *
http2_request(struct http2 *c, const struct http_head *h, bool end,
    const struct http2_stream_events *events, void *arg)
{
	nghttp2_nv nv[LIMIT_HEAD_FIELDS + H2_PSEUDO_MAX];
	size_t n = h2_fields(h, /* trailers */ false, nv, ARRAY_LEN(nv));
	nghttp2_data_provider body = h2_provider();
	struct http2_stream *s;
	int32_t id;

	CHECK(!c->server && events->on_close != NULL);
	if (n == 0 || !http2_is_usable(c))
		return NULL;
	s = h2_stream_new(c, 0);
	id = nghttp2_submit_request(c->ng, NULL, nv, n, end ? NULL : &body, s);
	if (id < 0) {
		list_remove(&s->link);
		c->open--;
		c->promised -= s->window;
		stream_free(s);
		return NULL;
	}
	s->id = id;
	s->events = events;
	s->arg = arg;
	s->asked = (uint8_t)asked(h);
	s->ended_out = end;
	h2_want_flush(c);
	return s;
}

void
http2_stream_own(
    struct http2_stream *s, const struct http2_stream_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

bool
http2_stream_take_early(struct http2_stream *s, struct buf *out)
{
	if (s->early != NULL) {
		buf_fini(out);
		*out = *s->early;
		mem_free(&s->early);
	}
	return s->ended_in;
}

void
http2_stream_set_high_mark(struct http2_stream *s, uint32_t bytes)
{
	s->mark = bytes;
}

enum err
http2_stream_respond(
    struct http2_stream *s, const struct http_head *h, bool end)
{
	nghttp2_nv nv[LIMIT_HEAD_FIELDS + H2_PSEUDO_MAX];
	size_t n = h2_fields(h, /* trailers */ false, nv, ARRAY_LEN(nv));
	nghttp2_data_provider body = h2_provider();
	int rv;

	CHECK(s->conn->server && !s->answered);
	if (s->done)
		return ERR_CLOSED;
	if (n == 0)
		return ERR_LIMIT;
	if (h->status < 200)
		rv = nghttp2_submit_headers(
		    s->conn->ng, NGHTTP2_FLAG_NONE, s->id, NULL, nv, n, NULL);
	else
		rv = nghttp2_submit_response(
		    s->conn->ng, s->id, nv, n, end ? NULL : &body);
	if (rv < 0)
		return ERR_NO_MEMORY;
	s->answered = h->status >= 200;
	if (s->answered && end)
		h2_stream_owe_end(s);
	h2_want_flush(s->conn);
	return OK;
}

/*
 * Many bytes go into frames at once, if nothing stands in the way. Few wait for
 * the end of the turn: a head, what follows it and the end are two frames then.
 */
static struct slice
send_now(struct http2_stream *s, struct slice bytes)
{
	if (s->conn->inside || bytes.len < SEND_NOW_LEAST ||
	    buf_len(&s->queue) >= SEND_NOW_LEAST)
		return bytes;
	s->lent = bytes;
	resume(s);
	h2_pump(s->conn);
	bytes = s->lent;
	s->lent = SLICE_NONE;
	return bytes;
}

enum err
http2_stream_send(struct http2_stream *s, struct slice bytes)
{
	CHECK(!s->conn->server || s->answered);
	if (s->done || s->ended_out)
		return ERR_CLOSED;
	bytes = send_now(s, bytes);
	if (s->done)
		return ERR_CLOSED;
	if (buf_add_slice(&s->queue, bytes) != OK) {
		http2_stream_reset(s, HTTP2_INTERNAL_ERROR);
		return ERR_LIMIT;
	}
	resume(s);
	if (!s->full && buf_len(&s->queue) > s->mark) {
		s->full = true;
		s->conn->full++;
	}
	return s->full ? ERR_AGAIN : OK;
}

void
http2_stream_relax(struct http2_stream *s)
{
	if (buf_len(&s->queue) == 0)
		buf_fini(&s->queue);
}

static enum err
keep_trailers(struct http2_stream *s, const struct http_head *trailers)
{
	struct h2_trailers *t = mem_new(sizeof(*t));

	arena_init(&t->arena, H2_STREAM_ARENA);
	s->trailers = t;
	return http_head_copy(trailers, &t->arena, &t->head);
}

enum err
http2_stream_end(struct http2_stream *s, const struct http_head *trailers)
{
	CHECK(!s->conn->server || s->answered);
	if (s->done || s->ended_out)
		return ERR_CLOSED;
	if (trailers != NULL && trailers->count > 0 &&
	    keep_trailers(s, trailers) != OK) {
		http2_stream_reset(s, HTTP2_INTERNAL_ERROR);
		return ERR_LIMIT;
	}
	h2_stream_owe_end(s);
	resume(s);
	return OK;
}

static void
reset_rest(struct http2_stream *s)
{
	if (s->leave && s->sent_end && !s->ended_in && !s->done)
		/* Without memory the client goes on a while, in vain. */
		(void)nghttp2_submit_rst_stream(
		    s->conn->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
}

void
h2_stream_owe_end(struct http2_stream *s)
{
	s->ended_out = s->owing = true;
	s->sent_us = loop_now_us(s->conn->loop);
	s->conn->owing++;
}

void
h2_stream_end_sent(struct http2_stream *s)
{
	s->sent_end = true;
	s->conn->owing -= s->owing;
	s->owing = false;
	reset_rest(s);
}

void
http2_stream_leave(struct http2_stream *s)
{
	s->leave = true;
	if (s->events == NULL)
		s->events = &no_events;
	reset_rest(s);
	h2_want_flush(s->conn);
}

void
http2_stream_reset(struct http2_stream *s, enum http2_code code)
{
	if (s->done)
		return;
	/* Without memory for the frame the peer waits in vain; so be it. */
	(void)nghttp2_submit_rst_stream(
	    s->conn->ng, NGHTTP2_FLAG_NONE, s->id, (uint32_t)code);
	if (s->events == NULL)
		s->events = &no_events;
	h2_stream_finish(s, ERR_CANCELLED, (uint32_t)code);
	h2_want_flush(s->conn);
}

void
http2_stream_consumed(struct http2_stream *s, size_t n)
{
	if (!s->done)
		h2_flow_consumed(s, n);
}

bool
http2_stream_is_over(const struct http2_stream *s)
{
	return s->done || s->invalid;
}

size_t
http2_stream_queued(const struct http2_stream *s)
{
	return buf_len(&s->queue);
}

size_t
http2_stream_held(const struct http2_stream *s)
{
	return s->held;
}

void
http2_stream_forget_head(struct http2_stream *s)
{
	s->head = NULL;
	if (s->block == NULL)
		arena_reset(&s->arena);
}

bool
http2_stream_is_overlong(const struct http2_stream *s)
{
	return s->overlong;
}

struct http2 *
http2_stream_conn(struct http2_stream *s)
{
	return s->conn;
}
