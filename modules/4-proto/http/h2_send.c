/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_send — frames of all streams of a turn, collected into one write.
 *
 * When windows and transport are open, body bytes are copied once, from the
 * owner's slice into the turn's buffer, or not at all if they are many; what
 * does not go waits in the stream's queue. The buffer is let go when a turn has
 * nothing for it.
 */
#include "h2_session.h"

enum {
	FRAME_HEAD = 9,
	OUT_FIRST = 1000,
	OUT_SLACK = 64 << 10,
	PAST_MIN = 16 << 10 /* bytes that are worth a write of their own */
};

/* --- what nghttp2 asks for --- */

static bool
is_full(const struct http2 *c)
{
	return c->blocked || buf_len(&c->out) >= H2_OUT_MAX;
}

/* A turn's first frames are a head and a few bytes, mostly. */
static enum err
out_add(struct http2 *c, const void *bytes, size_t len)
{
	char *room;

	if (c->out.mem == NULL && buf_reserve(&c->out, OUT_FIRST, &room) != OK)
		return ERR_NO_MEMORY;
	return buf_add(&c->out, bytes, len);
}

static ssize_t
on_send(
    nghttp2_session *ng, const uint8_t *data, size_t len, int flags, void *arg)
{
	struct http2 *c;

	(void)ng;
	(void)flags;
	OBJ(c, arg, HTTP2_MAGIC);
	if (is_full(c))
		return NGHTTP2_ERR_WOULDBLOCK;
	if (out_add(c, data, len) != OK)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return (ssize_t)len;
}

static void
note_blocked(struct http2 *c, enum err e)
{
	c->blocked = e == ERR_AGAIN;
	if (c->blocked)
		c->blocked_us = loop_now_us(c->loop);
}

/* What was collected goes on its way; false: no more may follow now. */
static bool
write_out(struct http2 *c)
{
	enum err e;

	if (buf_len(&c->out) == 0 || c->transport == NULL)
		return false;
	e = stream_write(c->transport, buf_slice(&c->out));
	buf_reset(&c->out);
	note_blocked(c, e);
	return e == OK;
}

/* A part of what the stream has to send: the queue's bytes go first. */
struct share {
	struct slice queued;
	struct slice lent;
};

static struct share
first_bytes(const struct http2_stream *s, size_t n)
{
	struct slice queued = slice_sub(buf_slice(&s->queue), 0, n);

	CHECK(n - queued.len <= s->lent.len);
	return (struct share){queued, slice_sub(s->lent, 0, n - queued.len)};
}

static void
drop_bytes(struct http2_stream *s, struct share part)
{
	buf_consume(&s->queue, part.queued.len);
	s->lent = slice_sub(s->lent, part.lent.len, s->lent.len);
}

/* A large frame goes to the transport from where it lies. */
static int
send_past(struct http2 *c, const uint8_t *head, struct share part)
{
	struct slice parts[] = {
	    slice_of(head, FRAME_HEAD), part.queued, part.lent};
	enum err e;

	(void)write_out(c); /* what it says shows in c->blocked */
	if (c->blocked)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (c->transport == NULL)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	e = stream_writev(c->transport, parts, ARRAY_LEN(parts));
	note_blocked(c, e);
	return 0; /* any failure is told by the transport's on_close */
}

/* A small one is gathered. */
static int
send_with_others(struct http2 *c, const uint8_t *head, struct share part)
{
	if (out_add(c, head, FRAME_HEAD) != OK ||
	    buf_add_slice(&c->out, part.queued) != OK ||
	    buf_add_slice(&c->out, part.lent) != OK)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int
on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head,
    size_t len, nghttp2_data_source *source, void *arg)
{
	struct http2_stream *s;
	struct http2 *c;
	struct share part;
	int rv;

	(void)ng;
	(void)source;
	OBJ(c, arg, HTTP2_MAGIC);
	s = h2_stream_of(c, frame->hd.stream_id);
	if (is_full(c))
		return NGHTTP2_ERR_WOULDBLOCK;
	if (s == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	part = first_bytes(s, len);
	rv = len >= PAST_MIN ? send_past(c, head, part)
			     : send_with_others(c, head, part);
	if (rv != 0)
		return rv;
	drop_bytes(s, part);
	s->sent_us = loop_now_us(c->loop);
	h2_calm_data_sent(c);
	return 0;
}

static int
submit_trailers(struct http2_stream *s)
{
	nghttp2_nv nv[LIMIT_HEAD_FIELDS + H2_PSEUDO_MAX];
	size_t n = h2_fields(&s->trailers->head, true, nv, ARRAY_LEN(nv));

	return nghttp2_submit_trailer(s->conn->ng, s->id, nv, n);
}

/* How much waits to be sent. */
static size_t
waiting(const struct http2_stream *s)
{
	return buf_len(&s->queue) + s->lent.len;
}

/* How much of the queue goes into the next DATA frame. */
static ssize_t
on_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct http2_stream *s;
	struct http2 *c;
	size_t there;

	(void)ng;
	(void)buf;
	(void)source;
	OBJ(c, arg, HTTP2_MAGIC);
	s = h2_stream_of(c, id);
	if (s == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	there = waiting(s);
	if (there == 0 && !s->ended_out) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (there > len || !s->ended_out)
		return (ssize_t)MIN(there, len);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->trailers != NULL) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (submit_trailers(s) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)there;
}

/*
 * Few large frames instead of many: the other end hands on each frame by
 * itself, which costs it a write. nghttp2 cuts this to what windows and the
 * peer's largest frame allow; and it keeps room for so much, as long as the
 * connection lives, so that large frames are for those who have much to say.
 */
static ssize_t
on_frame_length(nghttp2_session *ng, uint8_t type, int32_t id,
    int32_t conn_window, int32_t stream_window, uint32_t frame_max, void *arg)
{
	const struct http2_stream *s;
	struct http2 *c;

	(void)ng;
	(void)type;
	(void)conn_window;
	(void)stream_window;
	(void)frame_max;
	OBJ(c, arg, HTTP2_MAGIC);
	s = h2_stream_of(c, id);
	return s != NULL && waiting(s) > H2_DATA_LEAST ? H2_DATA_MAX
						       : H2_DATA_LEAST;
}

nghttp2_data_provider
h2_provider(void)
{
	return (nghttp2_data_provider){.read_callback = on_read};
}

void
h2_send_setup(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_send_callback(cb, on_send);
	nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
	nghttp2_session_callbacks_set_data_source_read_length_callback(
	    cb, on_frame_length);
}

/* --- a head as nghttp2 wants it --- */

static nghttp2_nv
pair(struct slice name, struct slice value, bool secret)
{
	uint8_t flags =
	    secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;

	/* It copies both and writes names in lower case. */
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr,
	    (uint8_t *)(uintptr_t)value.ptr, name.len, value.len, flags};
}

/* Three digits; lives in `out`. */
static struct slice
status_text(unsigned status, char out[3])
{
	out[0] = (char)('0' + status / 100 % 10);
	out[1] = (char)('0' + status / 10 % 10);
	out[2] = (char)('0' + status % 10);
	return slice_of(out, 3);
}

static size_t
request_parts(const struct http_head *h, nghttp2_nv *nv)
{
	bool upgrades = h->upgrade.len > 0; /* RFC 8441 §4 */
	size_t n = 0;

	nv[n++] =
	    pair(S(":method"), upgrades ? S("CONNECT") : h->method, false);
	if (upgrades)
		nv[n++] = pair(S(":protocol"), h->upgrade, false);
	if (h->authority.len > 0)
		nv[n++] = pair(S(":authority"), h->authority, false);
	if (http_head_is_method(h, S("CONNECT")))
		return n;
	nv[n++] = pair(
	    S(":scheme"), h->scheme.len > 0 ? h->scheme : S("http"), false);
	nv[n++] = pair(S(":path"), h->path.len > 0 ? h->path : S("/"), false);
	return n;
}

/* RFC 9113 §8.2.2: nothing of one connection only. */
static bool
is_for_http2(const struct http_head *h, const struct http_field *f)
{
	if (f->id == HTTP_TE)
		return slice_eq_nocase(f->value, S("trailers"));
	return f->id != HTTP_HOST && !http_is_framing(h, f);
}

static bool
is_secret(const struct http_field *f)
{
	return f->secret || f->id == HTTP_AUTHORIZATION;
}

/*
 * nghttp2 copies what it is given, so texts made here are static per thread:
 * they are read before the next head is built.
 */
static _Thread_local char status_digits[3];
static _Thread_local char length_digits[24];

static struct slice
length_text(uint64_t n)
{
	size_t i = sizeof(length_digits);

	do {
		length_digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return slice_of(length_digits + i, sizeof(length_digits) - i);
}

size_t
h2_fields(const struct http_head *h, bool trailers, nghttp2_nv *nv, size_t max)
{
	size_t n = 0;

	if (h->count + (size_t)H2_PSEUDO_MAX > max)
		return 0;
	if (!trailers && h->status == 0)
		n = request_parts(h, nv);
	else if (!trailers)
		nv[n++] = pair(
		    S(":status"), status_text(h->status, status_digits), false);
	for (size_t i = 0; i < h->count; i++) {
		const struct http_field *f = &h->fields[i];

		if (is_for_http2(h, f))
			nv[n++] = pair(f->name, f->value, is_secret(f));
	}
	if (!trailers && h->framing == HTTP_BODY_LENGTH)
		nv[n++] = pair(
		    S("content-length"), length_text(h->content_length), false);
	return n;
}

/* --- making frames, and writing them --- */

void
h2_want_flush(struct http2 *c)
{
	loop_later_flush(c->loop, &c->flush);
}

void
h2_pump(struct http2 *c)
{
	int rv;

	CHECK(!c->inside);
	if (c->ending || is_full(c) || !nghttp2_session_want_write(c->ng))
		return;
	c->inside = true;
	rv = nghttp2_session_send(c->ng);
	c->inside = false;
	if (rv != 0)
		h2_end(c, ERR_NO_MEMORY, NGHTTP2_NO_ERROR);
}

static struct http2_stream *
first_drained(struct http2 *c)
{
	LIST_EACH (&c->streams, it) {
		struct http2_stream *s =
		    CONTAINER(it, struct http2_stream, link);

		if (s->full && buf_len(&s->queue) <= s->mark / 4)
			return s;
	}
	return NULL;
}

/*
 * Streams that fell below the mark may be filled again. Their owners may end
 * any stream meanwhile, so each search begins anew.
 */
void
h2_tell_drained(struct http2 *c)
{
	struct http2_stream *s;

	while (c->full > 0 && (s = first_drained(c)) != NULL) {
		s->full = false;
		c->full--;
		if (s->events->on_drained != NULL)
			s->events->on_drained(s->arg, s);
	}
}

void
h2_flush(struct http2 *c)
{
	do {
		h2_pump(c);
	} while (write_out(c));
	if (c->out.cap > OUT_SLACK || c->open == 0)
		buf_fini(&c->out);
	/* In a later: who is told writes again, and a flush has to end. */
	if (c->full > 0 && first_drained(c) != NULL)
		loop_later(c->loop, &c->drain);
	h2_calm_flushed(c);
	h2_look_over(c);
}
