/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_recv — what the peer sent, as heads, data and ends of streams.
 *
 * nghttp2 checks frames; whether they are a message h2_check.c decides. What is
 * bounded here is the size of a head, and how many 1xx one answer has. Frames
 * that cost work and carry nothing are h2_calm.c's.
 */
#include "h2_session.h"
#include "http1.h"

enum { HEAD_FIELD_OVERHEAD = 32 /* RFC 9113 §6.5.2 */ };

/* A stream that may still hear of things. */
static bool
is_heard(const struct http2_stream *s)
{
	return s != NULL && !s->done && s->events != NULL;
}

static void
tell_refused(
    struct http2 *c, unsigned status, const char *word, const char *text)
{
	if (c->events->on_refused != NULL)
		c->events->on_refused(c->arg, c, status, word, text);
}

static void
tell_malformed(struct http2_stream *s)
{
	if (s->conn->server && s->events == NULL)
		tell_refused(s->conn, 0, http1_flaw_word(HTTP1_BAD_HEAD),
		    http1_flaw_text(HTTP1_BAD_HEAD));
}

/* RFC 9113 §8.1.1: the stream ends, and no other. */
static void
end_malformed(struct http2_stream *s)
{
	/* Without memory the peer goes on in vain. */
	(void)nghttp2_submit_rst_stream(
	    s->conn->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
	tell_malformed(s);
	h2_stream_finish(s, ERR_PROTOCOL, NGHTTP2_PROTOCOL_ERROR);
	h2_want_flush(s->conn);
}

/* --- heads --- */

static bool
begin_block(struct http2_stream *s, bool trailers)
{
	h2_check_begin(s, trailers);
	if (s->head == NULL)
		arena_reset(&s->arena);
	s->too_large = s->overlong = s->bad_block = false;
	s->listed = 0;
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
	struct http2_stream *s;
	struct http2 *c;
	bool trailers;

	OBJ(c, arg, HTTP2_MAGIC);
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	s = h2_stream_of(c, frame->hd.stream_id);
	if (s == NULL && c->server &&
	    frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		s = h2_stream_new(c, frame->hd.stream_id);
		(void)nghttp2_session_set_stream_user_data(
		    ng, frame->hd.stream_id, s); /* the stream exists */
	}
	if (s == NULL || s->done)
		return 0;
	trailers = c->server ? frame->headers.cat != NGHTTP2_HCAT_REQUEST
			     : s->got_head;
	return begin_block(s, trailers) ? 0
					: NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Crumbs become one again (RFC 9113 §8.2.3): HTTP/1 knows one Cookie. */
static bool
join_cookie(struct http_head *h, struct slice value)
{
	size_t cursor = 0;
	const struct http_field *f = http_head_next(h, S("cookie"), &cursor);
	struct slice joined;

	if (f == NULL)
		return http_head_add_raw(
			   h, HTTP_OTHER, S("cookie"), value, false) == OK;
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
	enum http_field_id id;

	if (arena_copy(&s->arena, value, &value) != OK)
		return false;
	if (name.len > 0 && name.ptr[0] == ':') {
		h->bytes += (uint32_t)value.len;
		s->bad_block = !h2_check_part(s, name, value);
		return true;
	}
	id = http_field_id(name);
	s->bad_block = !h2_check_field(s, id, name, value);
	switch (id) {
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
		name = http_field_name(id);
	}
	return http_head_add_raw(h, id, name, value, /* lent */ false) == OK;
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
    void *arg)
{
	struct http2_stream *s;
	struct http2 *c;
	uint16_t count;

	(void)ng;
	OBJ(c, arg, HTTP2_MAGIC);
	s = h2_stream_of(c, frame->hd.stream_id);
	if (s == NULL || s->block == NULL)
		return 0;
	if (!h2_calm_field(s, name_len + value_len + HEAD_FIELD_OVERHEAD))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (s->too_large || s->bad_block)
		return 0;
	count = s->block->count;
	if (s->block->bytes + name_len + value_len +
		(size_t)HEAD_FIELD_OVERHEAD * (s->block->count + 1u) >
	    c->limits.head_bytes)
		s->too_large = s->overlong = true;
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
	else if (http_head_has(h, HTTP_CONTENT_LENGTH))
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
	enum http1_flaw f = !s->too_large ? HTTP1_BAD_HEAD
			    : s->overlong ? HTTP1_HEAD_TOO_LARGE
					  : HTTP1_TOO_MANY_FIELDS;
	const char *text = http1_flaw_text(f);
	struct http_head h;

	arena_init(&a, 4096);
	http_head_init(&h, &a);
	h.status = (uint16_t)http1_flaw_status(f);
	tell_refused(s->conn, h.status, http1_flaw_word(f), text);
	if (http_head_set_id(&h, HTTP_PROXY_STATUS,
		http_proxy_status(
		    &a, S("http_request_error"), slice_str(text))) == OK &&
	    http2_stream_respond(s, &h, /* end */ true) == OK)
		http2_stream_leave(s);
	else
		http2_stream_reset(s, HTTP2_INTERNAL_ERROR);
}

static void
on_request_head(struct http2_stream *s, bool end)
{
	struct http2 *c = s->conn;
	bool bad = s->bad_block || (!s->too_large && !h2_check_request(s, end));

	s->head = s->block;
	s->block = NULL;
	if (bad) {
		end_malformed(s);
		return;
	}
	if (s->too_large || !http_is_authority(s->head->authority)) {
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
on_response_head(struct http2_stream *s, bool end)
{
	struct http_head *h = s->block;
	bool bad = s->bad_block || !h2_check_response(s, end);

	s->block = NULL;
	if (s->too_large) {
		http2_stream_reset(s, HTTP2_ENHANCE_YOUR_CALM);
		return;
	}
	if (bad) {
		end_malformed(s);
		return;
	}
	decide_framing(h, end);
	if (h->status >= 200)
		s->got_head = true;
	if (h->status < 200 && ++s->interims > H2_INTERIM_MAX) {
		http2_stream_reset(s, HTTP2_PROTOCOL_ERROR);
		return;
	}
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
on_trailers(struct http2_stream *s, bool end)
{
	struct http_head *h = s->block;

	s->block = NULL;
	if (s->too_large)
		http2_stream_reset(s, HTTP2_ENHANCE_YOUR_CALM);
	else if (s->bad_block || !end || !h2_check_end(s))
		end_malformed(s);
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
		on_trailers(s, end);
}

/* --- data and ends --- */

static int
on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id,
    const uint8_t *data, size_t len, void *arg)
{
	struct http2_stream *s;
	struct http2 *c;

	(void)flags;
	OBJ(c, arg, HTTP2_MAGIC);
	s = h2_stream_of(c, id);
	if (!is_heard(s) || (s->events->on_data == NULL && !s->conn->server)) {
		(void)nghttp2_session_consume(ng, id, len); /* nobody's */
		return 0;
	}
	if (!h2_check_data(s, len)) {
		(void)nghttp2_session_consume(ng, id, len); /* as good */
		end_malformed(s);
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
	if (!h2_check_end(s)) {
		end_malformed(s);
		return;
	}
	s->ended_in = true;
	if (s->events->on_end != NULL)
		s->events->on_end(s->arg, s);
}

/* --- the connection --- */

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
	h2_part(c);
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
		break;
	case NGHTTP2_PING:
		if (ack)
			on_ping_ack(c);
		break;
	default:
		break;
	}
}

static int
on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct http2_stream *s;
	struct http2 *c;

	(void)ng;
	OBJ(c, arg, HTTP2_MAGIC);
	h2_calm_frame(c, f, h2_stream_of(c, f->hd.stream_id));
	on_conn_frame(c, f);
	s = h2_stream_of(c, f->hd.stream_id);
	if (f->hd.type == NGHTTP2_HEADERS)
		on_headers(s, f);
	else if (f->hd.type != NGHTTP2_DATA)
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
	struct http2_stream *s;
	struct http2 *c;

	(void)ng;
	OBJ(c, arg, HTTP2_MAGIC);
	s = h2_stream_of(c, id);
	if (s != NULL && !s->done)
		h2_stream_finish(s, why_closed(s, code), code);
	return 0;
}

/* nghttp2 resets the stream: whoever began it may not know that yet. */
static int
on_invalid_frame(
    nghttp2_session *ng, const nghttp2_frame *frame, int code, void *arg)
{
	struct http2_stream *s;
	struct http2 *c;

	(void)ng;
	(void)code; /* it tells the peer */
	OBJ(c, arg, HTTP2_MAGIC);
	s = h2_stream_of(c, frame->hd.stream_id);
	if (s != NULL)
		s->invalid = true;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	h2_order_reset(c, frame->hd.stream_id);
	if (s != NULL)
		tell_malformed(s);
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
		h2_fail(c, h2_calm_error((int)rv));
	return rv >= 0;
}

/* A part at a time, where a frame is doubtful. */
static void
feed_in_order(struct http2 *c, struct slice bytes)
{
	while (bytes.len > 0 && !c->dying) {
		int32_t id;
		size_t n = h2_order_look(c, bytes, &id);

		if (c->dying || !feed(c, slice_sub(bytes, 0, n)))
			return;
		if (id > 0 && !h2_order_allows(c, id))
			h2_fail(c, HTTP2_OUT_OF_STEP);
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
	h2_calm_read(c);
	if (c->events->on_batch_end != NULL)
		c->events->on_batch_end(c->arg, c);
	h2_want_flush(c);
}
