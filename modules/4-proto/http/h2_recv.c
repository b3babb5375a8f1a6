/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_recv — what the peer sent, as heads, data and ends of streams.
 *
 * nghttp2 checks framing and the rules of RFC 9113 §8; what is bounded here
 * is what it leaves to us: the size of a head, and frames that cost us work
 * and carry nothing (PING, SETTINGS, PRIORITY, empty DATA).
 */
#include "h2_session.h"

enum { HEAD_FIELD_OVERHEAD = 32 /* RFC 9113 §6.5.2 */ };

static struct http2_stream *
stream_of(nghttp2_session *ng, int32_t id)
{
	return nghttp2_session_get_stream_user_data(ng, id);
}

/* A stream that may still hear of things. */
static bool
is_heard(const struct http2_stream *s)
{
	return s != NULL && !s->done && s->events != NULL;
}

/* --- heads --- */

static bool
begin_block(struct http2_stream *s)
{
	if (s->head == NULL)
		arena_reset(&s->arena);
	s->too_large = s->bad_block = false;
	s->block = arena_alloc(&s->arena, sizeof(*s->block));
	if (s->block == NULL)
		return false;
	http_head_init(s->block, &s->arena);
	s->block->version = HTTP_V2;
	s->block->keep_alive = true;
	return true;
}

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct http2_stream *s = stream_of(ng, frame->hd.stream_id);
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (s == NULL && c->server &&
	    frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		s = h2_stream_new(c, frame->hd.stream_id);
		(void)nghttp2_session_set_stream_user_data(
		    ng, frame->hd.stream_id, s); /* the stream exists */
	}
	if (s == NULL || s->done)
		return 0;
	return begin_block(s) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static bool
set_part(struct http_head *h, struct slice name, struct slice value)
{
	uint64_t status;

	if (slice_eq(name, S(":method")))
		h->method = value;
	else if (slice_eq(name, S(":scheme")))
		h->scheme = value;
	else if (slice_eq(name, S(":authority")))
		h->authority = value;
	else if (slice_eq(name, S(":path")))
		h->path = value;
	else if (slice_eq(name, S(":status")) &&
		 slice_to_u64(value, &status) == OK && status >= 100 &&
		 status <= 999) /* RFC 9110 §15 */
		h->status = (uint16_t)status;
	else if (slice_eq(name, S(":protocol")))
		h->upgrade = value;
	else
		return false;
	return true;
}

/* Crumbs become one again (RFC 9113 §8.2.3): HTTP/1 knows one Cookie. */
static bool
join_cookie(struct http_head *h, struct slice value)
{
	size_t cursor = 0;
	const struct http_field *f = http_head_next(h, S("cookie"), &cursor);
	struct slice joined;

	if (f == NULL)
		return http_head_add_raw(h, S("cookie"), value, false) == OK;
	joined = arena_printf(
	    h->arena, "%.*s; %.*s", SLICE_ARG(f->value), SLICE_ARG(value));
	if (joined.ptr == NULL)
		return false;
	h->bytes += (uint32_t)value.len + 2;
	h->fields[cursor - 1].value = joined;
	return true;
}

/* False: the field does not fit. */
static bool
add_field(struct http2_stream *s, struct slice name, struct slice value)
{
	struct http_head *h = s->block;

	if (arena_copy(&s->arena, value, &value) != OK)
		return false;
	if (name.len > 0 && name.ptr[0] == ':') {
		h->bytes += (uint32_t)value.len;
		s->bad_block |= !set_part(h, name, value);
		return true;
	}
	switch (http_field_id(name)) {
	case HTTP_HOST: /* :authority goes before it */
		if (h->authority.len == 0)
			h->authority = value;
		return true;
	case HTTP_OTHER:
		if (slice_eq(name, S("cookie")))
			return join_cookie(h, value);
		if (arena_copy(&s->arena, name, &name) != OK)
			return false;
		break;
	default:
		name = http_field_name(http_field_id(name));
	}
	return http_head_add_raw(h, name, value, /* lent */ false) == OK;
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
    void *arg)
{
	struct http2_stream *s = stream_of(ng, frame->hd.stream_id);
	struct http2 *c;
	uint16_t count;

	OBJ(c, arg, HTTP2_MAGIC);
	if (s == NULL || s->block == NULL || s->too_large)
		return 0;
	count = s->block->count;
	if (s->block->bytes + name_len + value_len +
		(size_t)HEAD_FIELD_OVERHEAD * (s->block->count + 1u) >
	    c->limits.head_bytes)
		s->too_large = true;
	else
		s->too_large = !add_field(
		    s, slice_of(name, name_len), slice_of(value, value_len));
	if ((flags & NGHTTP2_NV_FLAG_NO_INDEX) && s->block->count > count)
		s->block->fields[count].secret = true;
	return 0;
}

static void
decide_framing(struct http_head *h, bool end)
{
	struct slice value;

	if (end)
		h->framing = HTTP_BODY_NONE;
	else if (http_head_is_method(h, S("CONNECT")))
		h->framing = HTTP_BODY_TUNNEL;
	else if (http_head_get_id(h, HTTP_CONTENT_LENGTH, &value) &&
		 slice_to_u64(value, &h->content_length) == OK)
		h->framing = HTTP_BODY_LENGTH;
	else
		h->framing = HTTP_BODY_CHUNKED;
	if (http_head_get_id(h, HTTP_EXPECT, &value))
		h->expect_continue = slice_eq_nocase(value, S("100-continue"));
}

static void
refuse_head(struct http2_stream *s)
{
	AUTO(arena_fini) struct arena a = {0};
	struct slice words = s->bad_block
				 ? S("the head of the request makes no sense")
				 : S("the head of the request is too large");
	struct http_head h;

	arena_init(&a, 4096);
	http_head_init(&h, &a);
	h.status = s->bad_block ? 400 : 431;
	if (http_head_set_id(
		&h, HTTP_PROXY_STATUS, http_proxy_status(&a, words)) == OK &&
	    http2_stream_respond(s, &h, /* end */ true) == OK)
		http2_stream_leave(s);
	else
		http2_stream_reset(s, HTTP2_INTERNAL_ERROR);
}

static void
on_request_head(struct http2_stream *s, bool end)
{
	struct http2 *c = s->conn;

	s->head = s->block;
	s->block = NULL;
	if (s->too_large || s->bad_block ||
	    !http_is_authority(s->head->authority)) {
		s->bad_block |= !s->too_large;
		refuse_head(s);
		return;
	}
	decide_framing(s->head, end);
	if (s->head->upgrade.len > 0)
		s->head->method = S("GET"); /* RFC 8441 §4 */
	if (end)
		s->head->upgrade = SLICE_NONE; /* nothing will be switched */
	if (c->events->on_request != NULL)
		c->events->on_request(c->arg, s, s->head, end);
	if (s->events == NULL && !s->done)
		http2_stream_reset(s, HTTP2_REFUSED_STREAM);
}

static void
refuse_block(struct http2_stream *s)
{
	http2_stream_reset(
	    s, s->too_large ? HTTP2_ENHANCE_YOUR_CALM : HTTP2_PROTOCOL_ERROR);
}

static void
on_response_head(struct http2_stream *s, bool end)
{
	struct http_head *h = s->block;

	s->block = NULL;
	if (s->too_large || s->bad_block) {
		refuse_block(s);
		return;
	}
	decide_framing(h, end);
	if (h->status >= 200)
		s->got_head = true;
	if (h->status < 200) {
		if (s->events->on_interim != NULL)
			s->events->on_interim(s->arg, s, h);
		return;
	}
	s->head = h;
	if (s->events->on_head != NULL)
		s->events->on_head(s->arg, s, h, end);
}

static void
on_trailers(struct http2_stream *s)
{
	struct http_head *h = s->block;

	s->block = NULL;
	if (s->too_large || s->bad_block)
		refuse_block(s);
	else if (s->events->on_trailers != NULL)
		s->events->on_trailers(s->arg, s, h);
}

static void
on_headers(struct http2_stream *s, const nghttp2_frame *frame)
{
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (s == NULL || s->done || s->block == NULL)
		return;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		on_request_head(s, end);
	else if (!is_heard(s))
		return;
	else if (!s->conn->server && !s->got_head)
		on_response_head(s, end);
	else
		on_trailers(s);
}

/* --- data and ends --- */

static int
on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id,
    const uint8_t *data, size_t len, void *arg)
{
	struct http2_stream *s = stream_of(ng, id);

	(void)flags;
	(void)arg;
	if (!is_heard(s) || (s->events->on_data == NULL && !s->conn->server)) {
		(void)nghttp2_session_consume(ng, id, len); /* nobody's */
		return 0;
	}
	s->empty_data = 0;
	h2_flow_received(s, len);
	if (s->events->on_data == NULL)
		h2_stream_hold(s, slice_of(data, len));
	else
		s->events->on_data(s->arg, s, slice_of(data, len));
	return 0;
}

static void
on_end(struct http2_stream *s)
{
	if (!is_heard(s) || s->ended_in)
		return;
	s->ended_in = true;
	if (s->events->on_end != NULL)
		s->events->on_end(s->arg, s);
}

/* DATA without bytes and without an end is only work. */
static void
on_data_frame(struct http2 *c, struct http2_stream *s, const nghttp2_frame *f)
{
	bool end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (f->hd.length == 0 && !end && s != NULL &&
	    ++s->empty_data > H2_EMPTY_DATA_MAX)
		h2_end(c, ERR_PROTOCOL, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* --- the connection --- */

/* Frames that carry nothing: H2_CALM_FRAMES in H2_CALM_US, not more. */
static void
count_idle_frame(struct http2 *c)
{
	uint64_t now = loop_now_us(c->loop);

	if (now - c->calm_since_us > H2_CALM_US) {
		c->calm_since_us = now;
		c->calm_frames = 0;
	}
	if (++c->calm_frames > H2_CALM_FRAMES)
		h2_end(c, ERR_PROTOCOL, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void
on_goaway(struct http2 *c, uint32_t code)
{
	bool news = !c->going;

	c->going = true;
	if (news && c->events->on_goaway != NULL)
		c->events->on_goaway(c->arg, c, code);
}

static void
on_ping_ack(struct http2 *c)
{
	h2_alive_answered(c);
	if (!c->parting)
		return;
	c->parting = false;
	(void)nghttp2_submit_goaway(c->ng, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(c->ng), NGHTTP2_NO_ERROR,
	    NULL, 0); /* without memory the peer learns it by our end */
}

static void
on_settings(struct http2 *c)
{
	bool news = !c->ready;

	c->ready = true;
	if (news && c->events->on_ready != NULL)
		c->events->on_ready(c->arg, c);
}

static void
on_conn_frame(struct http2 *c, const nghttp2_frame *f)
{
	bool ack = f->hd.flags & NGHTTP2_FLAG_ACK;

	switch (f->hd.type) {
	case NGHTTP2_SETTINGS:
		if (!ack)
			on_settings(c);
		break;
	case NGHTTP2_GOAWAY:
		on_goaway(c, f->goaway.error_code);
		return;
	case NGHTTP2_PING:
		if (ack) {
			on_ping_ack(c);
			return;
		}
		break;
	case NGHTTP2_PRIORITY:
		break;
	default:
		return;
	}
	count_idle_frame(c);
}

static int
on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct http2_stream *s = stream_of(ng, f->hd.stream_id);
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	on_conn_frame(c, f);
	if (f->hd.type == NGHTTP2_HEADERS)
		on_headers(s, f);
	else if (f->hd.type == NGHTTP2_DATA)
		on_data_frame(c, s, f);
	else
		return 0;
	if (f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		on_end(s);
	return 0;
}

/* What a stream's end means to its owner. */
static enum err
why_closed(const struct http2_stream *s, uint32_t code)
{
	if (s->ended_in && (s->ended_out || code == NGHTTP2_NO_ERROR))
		return OK;
	if (s->leave && s->sent_end)
		return OK;
	if (s->invalid)
		return ERR_PROTOCOL;
	if (code == NGHTTP2_REFUSED_STREAM)
		return ERR_REFUSED;
	return ERR_RESET;
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct http2_stream *s = stream_of(ng, id);

	(void)arg;
	if (s != NULL && !s->done)
		h2_stream_finish(s, why_closed(s, code), code);
	return 0;
}

/* nghttp2 resets the stream: whoever began it may not know that yet. */
static int
on_invalid_frame(
    nghttp2_session *ng, const nghttp2_frame *frame, int code, void *arg)
{
	struct http2_stream *s = stream_of(ng, frame->hd.stream_id);
	struct http2 *c;

	(void)code; /* it tells the peer */
	OBJ(c, arg, HTTP2_MAGIC);
	if (s != NULL)
		s->invalid = true;
	if (frame->hd.type == NGHTTP2_HEADERS)
		h2_order_reset(c, frame->hd.stream_id);
	return 0;
}

void
h2_recv_setup(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(
	    cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
	    cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
	    cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(
	    cb, on_stream_close);
}

static bool
feed(struct http2 *c, struct slice bytes)
{
	ssize_t rv;

	c->inside = true;
	rv = nghttp2_session_mem_recv(
	    c->ng, (const uint8_t *)bytes.ptr, bytes.len);
	c->inside = false;
	if (rv < 0)
		h2_end(c, ERR_PROTOCOL,
		    rv == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM
					      : NGHTTP2_PROTOCOL_ERROR);
	return rv >= 0;
}

/* A part at a time, where a frame is doubtful. */
static void
feed_in_order(struct http2 *c, struct slice bytes)
{
	while (bytes.len > 0 && !c->dying) {
		int32_t id;
		size_t n = h2_order_look(c, bytes, &id);

		if (!feed(c, slice_sub(bytes, 0, n)))
			return;
		if (id > 0 && !h2_order_allows(c, id))
			h2_end(c, ERR_PROTOCOL, NGHTTP2_STREAM_CLOSED);
		bytes = slice_sub(bytes, n, bytes.len - n);
	}
}

void
h2_recv(struct http2 *c, struct slice bytes)
{
	if (c->dying)
		return;
	if (c->server)
		feed_in_order(c, bytes);
	else
		(void)feed(c, bytes); /* it ends by itself */
	if (c->events->on_batch_end != NULL)
		c->events->on_batch_end(c->arg, c);
	h2_want_flush(c);
}
