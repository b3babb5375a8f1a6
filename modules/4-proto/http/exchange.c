/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange — one answer, written as HTTP/1.1 or HTTP/2.
 *
 * An exchange whose client has left stays until its owner has answered it, so
 * that a pointer in the owner's hands never dangles.
 */
#include "exchange.h"

/* A body that was parsed, and an answer as a tree, are larger than as text. */
enum { HEADS_ARENA = 4 * LIMIT_HEAD_BYTES, TREE_FACTOR = 16 };

struct http_exchange *
exchange_new(struct server_conn *c, size_t body_limit)
{
	struct http_exchange *x = mem_new(sizeof(*x));

	x->magic = EXCHANGE_MAGIC;
	x->conn = c;
	arena_init(&x->arena, HEADS_ARENA + TREE_FACTOR * body_limit);
	buf_init(&x->body, body_limit);
	x->arena.secret = x->body.secret = c->server->spec.secret;
	http_head_init(&x->answer, &x->arena);
	list_push_back(&c->exchanges, &x->link);
	return x;
}

static void
exchange_free(struct http_exchange *x)
{
	list_remove(&x->link);
	timer_clear(&x->timer);
	buf_fini(&x->body);
	arena_fini(&x->arena);
	x->magic = 0;
	mem_free(&x);
}

static void
discard(void *arg, struct http2_stream *s, struct slice bytes)
{
	(void)arg;
	http2_stream_consumed(s, bytes.len);
}

/* The answer is out or on its way; nobody listens any more. */
static const struct http2_stream_events deaf = {.on_data = discard};

/* The head goes with the connection; the owner may still look at it. */
static void
keep_head(struct http_exchange *x)
{
	struct http_head *copy = arena_alloc(&x->arena, sizeof(*copy));
	struct http_head empty;

	CHECK(copy != NULL);
	http_head_init(&empty, &x->arena);
	*copy = empty;
	if (x->head != NULL && http_head_copy(x->head, &x->arena, copy) != OK)
		*copy = empty; /* nobody will read the answer anyway */
	x->head = copy;
}

void
exchange_lost(struct http_exchange *x)
{
	bool whole = x->whole;

	list_remove(&x->link);
	timer_clear(&x->timer);
	if (x->h2 != NULL)
		http2_stream_own(x->h2, &deaf, NULL);
	x->h2 = NULL;
	if (!whole) {
		exchange_free(x);
		return;
	}
	keep_head(x);
	x->conn = NULL;
	if (x->gone == NULL)
		return;
	x->gone(x->gone_arg);
	exchange_free(x);
}

/* --- writing the answer --- */

static void
begin_head(struct http_exchange *x, unsigned status, struct slice type)
{
	x->answer.status = (uint16_t)status;
	if (type.len > 0 &&
	    http_head_set_id(&x->answer, HTTP_CONTENT_TYPE, type) != OK)
		x->answer.status = 500; /* a content type that is none */
}

/* Whether this HTTP/1 connection may carry another request. */
static bool
keeps_alive(const struct http_exchange *x)
{
	const struct server_conn *c = x->conn;

	return x->whole && !c->close_after && !c->eof && !c->server->draining &&
	       http1_parser_keep_alive(c->parser);
}

static bool
is_http10(const struct http_exchange *x)
{
	return x->head != NULL && x->head->version == HTTP_V1_0;
}

static void
h1_head(struct http_exchange *x, struct buf *out)
{
	if (!keeps_alive(x))
		x->answer.connection = HTTP_CONN_CLOSE;
	else if (is_http10(x))
		x->answer.connection = HTTP_CONN_KEEP_ALIVE;
	/* The limit has room for any head that http_head_add() allows. */
	CHECK(http1_write_head(&x->answer, out) == OK);
}

static void
h1_answered(struct http_exchange *x)
{
	struct server_conn *c = x->conn;
	bool keep = keeps_alive(x) && x->answer.framing != HTTP_BODY_CLOSE;

	exchange_free(x);
	server_h1_answered(c, keep);
}

static void
h1_respond(struct http_exchange *x, struct slice body)
{
	AUTO(buf_fini) struct buf head = BUF(4 * LIMIT_HEAD_BYTES);
	struct slice parts[2];

	h1_head(x, &head);
	parts[0] = buf_slice(&head);
	parts[1] = x->is_head ? SLICE_NONE : body;
	if (stream_writev(x->conn->stream, parts, 2) > ERR_AGAIN)
		x->conn->close_after = true; /* on_close follows */
	h1_answered(x);
}

static void
h2_over(struct http_exchange *x)
{
	http2_stream_own(x->h2, &deaf, NULL);
	http2_stream_leave(x->h2);
	exchange_free(x);
}

static void
h2_respond(struct http_exchange *x, struct slice body)
{
	bool end = x->is_head || body.len == 0;
	enum err e = http2_stream_respond(x->h2, &x->answer, end);

	if (e == OK && !end)
		e = http2_stream_send(x->h2, body);
	if (!end && (e == OK || e == ERR_AGAIN))
		e = http2_stream_end(x->h2, NULL);
	if (e != OK)
		http2_stream_reset(x->h2, HTTP2_INTERNAL_ERROR);
	h2_over(x);
}

void
http_exchange_respond(struct http_exchange *x, unsigned status,
    struct slice content_type, struct slice body)
{
	CHECK(x->magic == EXCHANGE_MAGIC && !x->begun);
	if (x->conn == NULL) {
		exchange_free(x);
		return;
	}
	begin_head(x, status, content_type);
	x->answer.framing = HTTP_BODY_LENGTH;
	x->answer.content_length = body.len;
	if (status == 204 || status == 304)
		x->answer.framing = HTTP_BODY_NONE;
	if (x->conn->proto == HTTP_PROTO_1)
		h1_respond(x, body);
	else
		h2_respond(x, body);
}

void
exchange_reject(struct http_exchange *x, unsigned status, struct slice text)
{
	AUTO(buf_fini) struct buf body = BUF(1024);

	if (x->conn->proto == HTTP_PROTO_1)
		x->conn->close_after = true;
	if (buf_printf(&body, "%.*s\n", SLICE_ARG(text)) != OK)
		buf_reset(&body); /* the status says enough */
	http_exchange_respond(x, status, S("text/plain"), buf_slice(&body));
}

/* --- in pieces --- */

static void
h1_begin(struct http_exchange *x)
{
	AUTO(buf_fini) struct buf head = BUF(4 * LIMIT_HEAD_BYTES);

	if (is_http10(x)) {
		x->answer.framing = HTTP_BODY_CLOSE;
		x->conn->close_after = true;
	}
	h1_head(x, &head);
	if (stream_write(x->conn->stream, buf_slice(&head)) > ERR_AGAIN)
		x->conn->close_after = true; /* on_close follows */
}

void
http_exchange_begin(struct http_exchange *x, unsigned status,
    struct slice content_type, void (*drained)(void *arg), void *arg)
{
	CHECK(x->magic == EXCHANGE_MAGIC && !x->begun);
	x->begun = true;
	x->drained = drained;
	x->drained_arg = arg;
	if (x->conn == NULL)
		return;
	begin_head(x, status, content_type);
	x->answer.framing = HTTP_BODY_CHUNKED;
	if (x->conn->proto == HTTP_PROTO_1)
		h1_begin(x);
	else if (http2_stream_respond(x->h2, &x->answer, x->is_head) != OK)
		http2_stream_reset(x->h2, HTTP2_INTERNAL_ERROR);
}

static enum err
h1_write(struct http_exchange *x, struct slice bytes)
{
	char head[HTTP1_CHUNK_HEAD_MAX];
	struct slice parts[3] = {SLICE_NONE, bytes, S("\r\n")};

	if (x->answer.framing == HTTP_BODY_CLOSE)
		return stream_write(x->conn->stream, bytes);
	parts[0] = slice_of(head, http1_chunk_head(bytes.len, head));
	return stream_writev(x->conn->stream, parts, 3);
}

enum err
http_exchange_write(struct http_exchange *x, struct slice bytes)
{
	enum err e;

	CHECK(x->magic == EXCHANGE_MAGIC && x->begun);
	if (x->conn == NULL)
		return ERR_CLOSED;
	if (bytes.len == 0 || x->is_head)
		return OK;
	e = x->conn->proto == HTTP_PROTO_1 ? h1_write(x, bytes)
					   : http2_stream_send(x->h2, bytes);
	return e == OK || e == ERR_AGAIN ? e : ERR_CLOSED;
}

static void
h1_end(struct http_exchange *x)
{
	if (x->answer.framing == HTTP_BODY_CHUNKED && !x->is_head &&
	    stream_write(x->conn->stream, S("0\r\n\r\n")) > ERR_AGAIN)
		x->conn->close_after = true; /* on_close follows */
	h1_answered(x);
}

void
http_exchange_end(struct http_exchange *x)
{
	CHECK(x->magic == EXCHANGE_MAGIC && x->begun);
	if (x->conn == NULL) {
		exchange_free(x);
		return;
	}
	if (x->conn->proto == HTTP_PROTO_1) {
		h1_end(x);
		return;
	}
	if (!x->is_head && http2_stream_end(x->h2, NULL) != OK)
		http2_stream_reset(x->h2, HTTP2_INTERNAL_ERROR);
	h2_over(x);
}

/* --- looking at the request --- */

const struct http_head *
http_exchange_head(const struct http_exchange *x)
{
	return x->head;
}

struct slice
http_exchange_body(const struct http_exchange *x)
{
	return buf_slice(&x->body);
}

struct slice
http_exchange_path(const struct http_exchange *x)
{
	return slice_sub(x->head->path, 0, slice_find(x->head->path, '?'));
}

struct slice
http_exchange_query(const struct http_exchange *x)
{
	struct slice path = x->head->path;

	return slice_sub(path, slice_find(path, '?') + 1, path.len);
}

void *
http_exchange_conn_arg(const struct http_exchange *x)
{
	return x->conn != NULL ? x->conn->arg : NULL;
}

struct stream *
http_exchange_stream(const struct http_exchange *x)
{
	if (x->conn == NULL)
		return NULL;
	return x->conn->proto == HTTP_PROTO_1 ? x->conn->stream
					      : http2_transport(x->conn->h2);
}

struct arena *
http_exchange_arena(struct http_exchange *x)
{
	return &x->arena;
}

/* "%41+b" → "A b"; a '%' that is no escape stands for itself. */
static bool
unescape(struct arena *a, struct slice text, struct slice *out)
{
	char *mem = arena_alloc(a, text.len + 1);
	size_t n = 0;

	if (mem == NULL)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int byte = slice_escaped(text, i);

		if (byte < 0)
			byte = text.ptr[i] == '+' ? ' ' : text.ptr[i];
		else
			i += 2;
		mem[n++] = (char)byte;
	}
	*out = slice_of(mem, n);
	return true;
}

bool
http_exchange_param(
    struct http_exchange *x, struct slice name, struct slice *out)
{
	struct slice rest = http_exchange_query(x);

	while (rest.len > 0) {
		struct slice value = slice_split(&rest, '&');
		struct slice key = slice_split(&value, '=');

		if (slice_eq(key, name))
			return unescape(&x->arena, value, out);
	}
	return false;
}

void
http_exchange_on_gone(
    struct http_exchange *x, void (*gone)(void *arg), void *arg)
{
	x->gone = gone;
	x->gone_arg = arg;
}

enum err
http_exchange_set(
    struct http_exchange *x, struct slice name, struct slice value)
{
	enum err e = arena_copy(&x->arena, name, &name);

	if (e == OK)
		e = arena_copy(&x->arena, value, &value);
	return e == OK ? http_head_set(&x->answer, name, value) : e;
}
