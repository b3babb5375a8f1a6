/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call — one request, until its answer or a reason why there is none.
 *
 * The outcome is noted where it happens and told at the end of the turn, where
 * nothing of the call is on the stack and all of it may go.
 */
#include "call.h"
#include "http1.h"
#include "loop/loop.h"
#include "net/net.h"

#define CALL_MAGIC 0x43414c4cu
#define TIMEOUT_US UINT64_C(30000000)

enum { CALL_ARENA = 4 * LIMIT_HEAD_BYTES };

struct http_call {
	uint32_t magic;
	bool over;
	bool headed;
	bool cancelled;
	struct http_call_spec spec;
	struct arena arena;
	struct http_head request;
	struct buf request_body;
	struct stream *conn; /* HTTP_PROTO_1 */
	struct http1_parser *parser;
	struct http2 *session; /* our own */
	struct http2_stream *h2;
	struct buf body;
	struct http_result result;
	struct timer timer;
	struct loop_later tell;
};

/* --- ends --- */

/* The first outcome counts. */
static void
finish(struct http_call *c, enum err e)
{
	if (c->over)
		return;
	c->over = true;
	c->result.err = e;
	timer_clear(&c->timer);
	loop_later(c->spec.loop, &c->tell);
}

static void
ignore_data(struct stream *s, void *arg, struct slice bytes)
{
	(void)s;
	(void)arg;
	(void)bytes;
}

static void
ignore_close(struct stream *s, void *arg, enum err why)
{
	(void)s;
	(void)arg;
	(void)why;
}

static const struct stream_events deaf_conn = {
    .on_data = ignore_data,
    .on_close = ignore_close,
};
static const struct http2_stream_events deaf_stream;
static const struct http2_events deaf_session;

static void
let_go(struct http_call *c)
{
	if (c->conn != NULL) {
		stream_set_events(c->conn, &deaf_conn, NULL);
		stream_close(c->conn, OK);
	}
	if (c->h2 != NULL) {
		http2_stream_own(c->h2, &deaf_stream, NULL);
		http2_stream_reset(c->h2, HTTP2_CANCEL);
	}
	if (c->session != NULL) {
		http2_set_events(c->session, &deaf_session, NULL);
		http2_close(c->session, HTTP2_NO_ERROR);
	}
}

static void
call_free(struct http_call *c)
{
	loop_later_cancel(&c->tell);
	timer_clear(&c->timer);
	let_go(c);
	http1_parser_free(&c->parser);
	buf_fini(&c->body);
	buf_fini(&c->request_body);
	arena_fini(&c->arena);
	c->magic = 0;
	mem_free(&c);
}

static void
on_tell(void *arg)
{
	struct http_call *c;

	OBJ(c, arg, CALL_MAGIC);
	if (c->result.err == OK)
		c->result.body = buf_slice(&c->body);
	else
		c->result.head = NULL;
	if (!c->cancelled)
		c->spec.on_done(c->spec.arg, &c->result);
	call_free(c);
}

static void
on_timer(void *arg)
{
	struct http_call *c;

	OBJ(c, arg, CALL_MAGIC);
	finish(c, ERR_TIMEOUT);
}

/* --- the answer, whichever wire it comes over --- */

static bool
is_streamed(const struct http_call *c)
{
	return c->spec.on_data != NULL && c->result.status >= 200 &&
	       c->result.status <= 299;
}

static void
got_head(struct http_call *c, struct http_head *h)
{
	c->headed = true;
	c->result.status = h->status;
	c->result.head = h;
	c->result.what = "reading the answer";
	if (!is_streamed(c))
		return;
	timer_clear(&c->timer);
	if (c->spec.silence_us > 0)
		timer_set(&c->timer, c->spec.silence_us);
}

static void
got_body(struct http_call *c, struct slice bytes)
{
	if (c->over)
		return;
	if (!is_streamed(c)) {
		if (buf_add_slice(&c->body, bytes) != OK)
			finish(c, ERR_LIMIT);
		return;
	}
	if (c->spec.silence_us > 0)
		timer_set(&c->timer, c->spec.silence_us);
	c->spec.on_data(c->spec.arg, bytes);
}

/* --- HTTP/1.1 --- */

static void
on_h1_head(void *arg, struct http_head *h)
{
	struct http_call *c;

	OBJ(c, arg, CALL_MAGIC);
	if (http_head_keep(h) == OK)
		got_head(c, h);
	else
		http1_parser_abort(c->parser);
}

static void
on_h1_body(void *arg, struct slice bytes)
{
	struct http_call *c;

	OBJ(c, arg, CALL_MAGIC);
	got_body(c, bytes);
}

static const struct http1_events parser_events = {
    .on_head = on_h1_head,
    .on_body = on_h1_body,
};

static void
on_open(struct stream *s, void *arg)
{
	struct http_call *c;

	(void)s;
	OBJ(c, arg, CALL_MAGIC);
	c->result.what = "waiting for the answer";
}

static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	struct http_call *c;
	size_t used;
	enum err e;

	(void)s;
	OBJ(c, arg, CALL_MAGIC);
	if (c->over)
		return;
	e = http1_parser_feed(c->parser, bytes, &used);
	if (e == ERR_EOF)
		finish(c, OK);
	else if (e != OK)
		finish(c, ERR_PROTOCOL);
}

static void
on_end_of_bytes(struct http_call *c, enum err why)
{
	if (!c->over && http1_parser_finish(c->parser) == ERR_EOF)
		finish(c, OK);
	else
		finish(c, why);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct http_call *c;

	(void)s;
	OBJ(c, arg, CALL_MAGIC);
	on_end_of_bytes(c, ERR_EOF);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct http_call *c;

	(void)s;
	OBJ(c, arg, CALL_MAGIC);
	c->conn = NULL;
	on_end_of_bytes(c, why == OK ? ERR_EOF : why);
}

static const struct stream_events conn_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_close = on_close,
};

static void
begin_h1(struct http_call *c)
{
	AUTO(buf_fini) struct buf head = BUF(4 * LIMIT_HEAD_BYTES);
	struct slice parts[2];

	c->conn = c->spec.conn;
	c->parser = http1_parser_new(HTTP1_RESPONSES, &parser_events, c);
	http1_parser_expect(c->parser, c->request.method);
	stream_set_events(c->conn, &conn_events, c);
	if (stream_is_open(c->conn))
		c->result.what = "waiting for the answer";
	c->request.connection = HTTP_CONN_CLOSE;
	if (http1_write_head(&c->request, &head) != OK) {
		finish(c, ERR_LIMIT);
		return;
	}
	parts[0] = buf_slice(&head);
	parts[1] = buf_slice(&c->request_body);
	if (stream_writev(c->conn, parts, 2) > ERR_AGAIN)
		finish(c, ERR_CLOSED);
}

/* --- HTTP/2 --- */

static void
on_h2_head(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	struct http_call *c;

	(void)s;
	(void)end;
	OBJ(c, arg, CALL_MAGIC);
	got_head(c, h);
}

static void
on_h2_data(void *arg, struct http2_stream *s, struct slice bytes)
{
	struct http_call *c;

	OBJ(c, arg, CALL_MAGIC);
	got_body(c, bytes);
	http2_stream_consumed(s, bytes.len);
}

static void
on_h2_end(void *arg, struct http2_stream *s)
{
	struct http_call *c;

	(void)s;
	OBJ(c, arg, CALL_MAGIC);
	finish(c, OK);
}

/* The head lies in the stream and goes with it. */
static void
on_h2_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	struct http_call *c;

	(void)s;
	(void)code;
	OBJ(c, arg, CALL_MAGIC);
	c->h2 = NULL;
	if (c->result.head != NULL &&
	    http_head_copy(c->result.head, &c->arena, &c->request) == OK)
		c->result.head = &c->request;
	else
		c->result.head = NULL;
	finish(c, why == OK ? ERR_EOF : why);
}

static const struct http2_stream_events stream_events = {
    .on_head = on_h2_head,
    .on_data = on_h2_data,
    .on_end = on_h2_end,
    .on_close = on_h2_close,
};

static void
on_ready(void *arg, struct http2 *h2)
{
	struct http_call *c;

	(void)h2;
	OBJ(c, arg, CALL_MAGIC);
	c->result.what = c->headed ? c->result.what : "waiting for the answer";
}

static void
on_session_close(void *arg, struct http2 *h2, enum err why)
{
	struct http_call *c;

	(void)h2;
	(void)why; /* the stream has told */
	OBJ(c, arg, CALL_MAGIC);
	c->session = NULL;
}

/* A session of our own; its goodbye outlives the call, which is deaf then. */
static const struct http2_events session_events = {
    .on_ready = on_ready,
    .on_close = on_session_close,
};

static struct http2 *
open_session(struct http_call *c)
{
	struct http2_spec spec = {.loop = c->spec.loop,
	    .transport = c->spec.conn,
	    .events = &session_events,
	    .arg = c};

	c->session = http2_open(&spec);
	return c->session;
}

static void
begin_h2(struct http_call *c)
{
	struct http2 *h2 =
	    c->spec.conn != NULL ? open_session(c) : c->spec.session;
	struct slice body = buf_slice(&c->request_body);
	enum err e = OK;

	c->h2 =
	    http2_request(h2, &c->request, body.len == 0, &stream_events, c);
	if (c->h2 == NULL) {
		finish(c, ERR_BUSY);
		return;
	}
	if (body.len == 0)
		return;
	e = http2_stream_send(c->h2, body);
	if (e == OK || e == ERR_AGAIN)
		e = http2_stream_end(c->h2, NULL);
	if (e != OK)
		finish(c, e);
}

/* --- the owner's side --- */

static enum err
copy_extra(struct http_call *c)
{
	http_head_init(&c->request, &c->arena);
	if (c->spec.extra == NULL)
		return OK;
	return http_head_copy(c->spec.extra, &c->arena, &c->request);
}

static enum err
make_request(struct http_call *c)
{
	struct http_head *h = &c->request;
	enum err e = copy_extra(c);
	struct slice type = SLICE_NONE;

	h->status = 0;
	if (h->scheme.len == 0)
		h->scheme = S("https");
	if (e == OK)
		e = arena_copy(&c->arena, c->spec.method, &h->method);
	if (e == OK)
		e = arena_copy(&c->arena, c->spec.authority, &h->authority);
	if (e == OK)
		e = arena_copy(&c->arena, c->spec.path, &h->path);
	if (e == OK)
		e = arena_copy(&c->arena, c->spec.content_type, &type);
	if (e == OK && type.len > 0)
		e = http_head_set_id(h, HTTP_CONTENT_TYPE, type);
	buf_init(&c->request_body, LIMIT_API_BODY);
	c->request_body.secret = c->spec.secret;
	if (e == OK)
		e = buf_add_slice(&c->request_body, c->spec.body);
	if (c->spec.body.len > 0 || slice_eq(h->method, S("POST")))
		h->framing = HTTP_BODY_LENGTH;
	h->content_length = c->spec.body.len;
	return e;
}

struct http_call *
http_call_open(const struct http_call_spec *spec)
{
	struct http_call *c = mem_new(sizeof(*c));
	enum err e;

	CHECK(spec->on_done != NULL);
	CHECK((spec->conn != NULL) != (spec->session != NULL));
	c->magic = CALL_MAGIC;
	c->spec = *spec;
	c->result.what = "connecting";
	arena_init(&c->arena, CALL_ARENA);
	buf_init(&c->body,
	    spec->body_limit > 0 ? spec->body_limit : (size_t)LIMIT_API_BODY);
	c->body.secret = spec->secret;
	loop_later_init(&c->tell, on_tell, c);
	timer_init(&c->timer, spec->loop, on_timer, c);
	timer_set(
	    &c->timer, spec->timeout_us > 0 ? spec->timeout_us : TIMEOUT_US);
	e = make_request(c);
	if (e != OK) {
		c->conn = spec->conn;
		finish(c, e);
	} else if (spec->conn != NULL && spec->proto == HTTP_PROTO_1) {
		begin_h1(c);
	} else {
		begin_h2(c);
	}
	c->spec.body = c->spec.method = c->spec.path = SLICE_NONE;
	return c;
}

void
http_call_cancel(struct http_call **cp)
{
	if (*cp == NULL)
		return;
	/* It may be one of our own call-backs that cancels. */
	(*cp)->cancelled = true;
	finish(*cp, ERR_CANCELLED);
	*cp = NULL;
}
