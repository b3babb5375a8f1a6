/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc — calls: who began one, what was said, how it ended.
 *
 * The outcome of a client's call comes from trailers, or from the head where
 * the answer is nothing but trailers, or else from the HTTP status and the
 * way that the stream ended. Credit for a message goes back when its owner
 * has seen it, unless the owner paused the call.
 */
#include "grpc.h"

#define GRPC_MAGIC 0x47525043u

enum { TEXT_MAX = 1024, ARENA_BYTES = 8 << 10 };

struct grpc_call {
	uint32_t magic;
	bool client;
	bool paused;
	bool has_status; /* the outcome is known */
	bool dead;       /* reset by us: no more messages */
	uint16_t http_status;
	uint32_t status; /* enum grpc_status, as far as the peer knows them */
	struct http2_stream *h2;
	const struct grpc_events *events;
	void *arg;
	char *text;  /* of the outcome */
	size_t owed; /* bytes whose credit waits for resume */
	struct grpc_reader reader;
};

static const struct http2_stream_events h2_events;

static struct grpc_call *
call_new(bool client, const struct grpc_events *events, void *arg)
{
	struct grpc_call *c = mem_new(sizeof(*c));

	CHECK(events->on_close != NULL);
	c->magic = GRPC_MAGIC;
	c->client = client;
	c->events = events;
	c->arg = arg;
	grpc_reader_init(&c->reader, LIMIT_GRPC_MESSAGE);
	return c;
}

static void
call_free(struct grpc_call *c)
{
	grpc_reader_fini(&c->reader);
	mem_free(&c->text);
	c->magic = 0;
	mem_free(&c);
}

/* The first outcome counts. */
static void
set_status(struct grpc_call *c, uint32_t status, struct slice text)
{
	if (c->has_status)
		return;
	c->has_status = true;
	c->status = status;
	c->text = mem_strndup(
	    text.ptr != NULL ? text.ptr : "", MIN(text.len, (size_t)TEXT_MAX));
}

/* --- heads and trailers --- */

/* grpc-status and grpc-message, if they are there. */
static void
read_status(struct grpc_call *c, const struct http_head *h)
{
	struct slice value;
	struct slice text = SLICE_NONE;
	uint64_t status;

	if (!http_head_get_id(h, HTTP_GRPC_STATUS, &value))
		return;
	if (slice_to_u64(value, &status) != OK || status > GRPC_UNAUTHENTICATED)
		status = GRPC_UNKNOWN;
	if (http_head_get_id(h, HTTP_GRPC_MESSAGE, &value) &&
	    grpc_message_decode(value, h->arena, &text) != OK)
		text = value;
	set_status(c, (uint32_t)status, text);
}

static void
give_up(struct grpc_call *c, enum grpc_status status, struct slice text)
{
	set_status(c, status, text);
	c->dead = true;
	http2_stream_reset(c->h2, HTTP2_CANCEL);
}

static void
on_head(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	struct grpc_call *c;

	(void)s;
	OBJ(c, arg, GRPC_MAGIC);
	c->http_status = h->status;
	read_status(c, h); /* trailers only, or none */
	if (h->status != 200 || (!end && !grpc_is_content(h))) {
		give_up(c, grpc_status_from_http(h->status),
		    S("the answer is not gRPC"));
		return;
	}
	if (!end && c->events->on_head != NULL)
		c->events->on_head(c->arg, c, h);
	http2_stream_forget_head(s);
}

static void
on_trailers(void *arg, struct http2_stream *s, struct http_head *h)
{
	struct grpc_call *c;

	(void)s;
	OBJ(c, arg, GRPC_MAGIC);
	if (c->client)
		read_status(c, h);
}

/* --- messages --- */

static bool
each_message(void *arg, struct slice message)
{
	struct grpc_call *c;

	OBJ(c, arg, GRPC_MAGIC);
	if (c->events->on_message != NULL)
		c->events->on_message(c->arg, c, message);
	return !c->dead;
}

static void
refuse_message(struct grpc_call *c, enum err e)
{
	if (e == ERR_LIMIT)
		give_up(c, GRPC_RESOURCE_EXHAUSTED, S("message too large"));
	else if (e == ERR_UNSUPPORTED)
		give_up(c, GRPC_UNIMPLEMENTED,
		    S("compressed messages are not supported"));
	else
		give_up(c, GRPC_INTERNAL, S("malformed message prefix"));
}

static void
on_data(void *arg, struct http2_stream *s, struct slice bytes)
{
	struct grpc_call *c;
	enum err e;

	OBJ(c, arg, GRPC_MAGIC);
	if (c->dead)
		return; /* the stream's end gives the credit */
	e = grpc_reader_feed(&c->reader, bytes, each_message, c);
	if (e != OK && !c->dead)
		refuse_message(c, e);
	else if (c->paused)
		c->owed += bytes.len;
	else
		http2_stream_consumed(s, bytes.len);
}

static void
on_end(void *arg, struct http2_stream *s)
{
	struct grpc_call *c;

	(void)s;
	OBJ(c, arg, GRPC_MAGIC);
	if (c->dead)
		return;
	if (grpc_reader_is_inside(&c->reader)) {
		give_up(c, GRPC_INTERNAL, S("ended inside a message"));
		return;
	}
	if (c->events->on_end != NULL)
		c->events->on_end(c->arg, c);
	/* Our half is of no more use: a call lives until its status. */
	if (c->client && http2_stream_end(s, NULL) == ERR_LIMIT)
		c->dead = true;
}

static void
on_drained(void *arg, struct http2_stream *s)
{
	struct grpc_call *c;

	(void)s;
	OBJ(c, arg, GRPC_MAGIC);
	if (c->events->on_drained != NULL)
		c->events->on_drained(c->arg, c);
}

/* The outcome of a stream that ended without one. */
static void
status_of_end(struct grpc_call *c, enum err why, uint32_t code)
{
	if (why == OK && c->http_status != 0 && c->http_status != 200)
		set_status(
		    c, grpc_status_from_http(c->http_status), SLICE_NONE);
	else if (why == OK)
		set_status(c, GRPC_UNKNOWN, S("no grpc-status"));
	else if (why == ERR_CANCELLED || code == HTTP2_CANCEL)
		set_status(c, GRPC_CANCELLED, SLICE_NONE);
	else
		set_status(c, GRPC_UNAVAILABLE, slice_str(err_text(why)));
}

static void
on_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	struct grpc_call *c;

	(void)s;
	OBJ(c, arg, GRPC_MAGIC);
	status_of_end(c, why, code);
	c->h2 = NULL;
	c->events->on_close(c->arg, c, c->status, slice_str(c->text));
	call_free(c);
}

static const struct http2_stream_events h2_events = {
    .on_head = on_head,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_close = on_close,
};

/* --- beginnings --- */

static enum err
add_request_fields(struct http_head *h)
{
	enum err e =
	    http_head_set_id(h, HTTP_CONTENT_TYPE, S("application/grpc"));

	if (e == OK)
		e = http_head_set_id(h, HTTP_TE, S("trailers"));
	return e;
}

struct grpc_call *
grpc_call_open(struct http2 *conn, struct slice authority, struct slice path,
    const struct http_head *extra, const struct grpc_events *events, void *arg)
{
	AUTO(arena_fini) struct arena a = {0};
	struct http_head h;
	struct grpc_call *c;

	arena_init(&a, 4 * LIMIT_HEAD_BYTES);
	http_head_init(&h, &a);
	if (extra != NULL && http_head_copy(extra, &a, &h) != OK)
		return NULL;
	h.status = 0;
	h.method = S("POST");
	h.scheme = S("https");
	h.authority = authority;
	h.path = path;
	h.framing = HTTP_BODY_CHUNKED;
	if (add_request_fields(&h) != OK)
		return NULL;
	c = call_new(/* client */ true, events, arg);
	c->h2 = http2_request(conn, &h, /* end */ false, &h2_events, c);
	if (c->h2 != NULL)
		return c;
	call_free(c);
	return NULL;
}

bool
grpc_is_request(const struct http_head *h)
{
	return http_head_is_method(h, S("POST")) && grpc_is_content(h);
}

struct grpc_call *
grpc_call_accept(
    struct http2_stream *s, const struct grpc_events *events, void *arg)
{
	AUTO(arena_fini) struct arena a = {0};
	struct grpc_call *c = call_new(/* client */ false, events, arg);
	struct http_head h;
	enum err e;

	arena_init(&a, ARENA_BYTES);
	http_head_init(&h, &a);
	h.status = 200;
	h.framing = HTTP_BODY_CHUNKED;
	c->h2 = s;
	http2_stream_own(s, &h2_events, c);
	e = http_head_set_id(&h, HTTP_CONTENT_TYPE, S("application/grpc"));
	if (e == OK)
		e = http2_stream_respond(s, &h, /* end */ false);
	if (e != OK)
		give_up(c, GRPC_INTERNAL, S("no room for the answer"));
	http2_stream_forget_head(s);
	return c;
}

/* grpc-status and grpc-message as fields; `text` lives in `words`. */
static enum err
add_status(struct http_head *h, enum grpc_status status, struct slice text,
    struct buf *words)
{
	struct slice number = arena_printf(h->arena, "%u", (unsigned)status);
	enum err e = http_head_set_id(h, HTTP_GRPC_STATUS, number);

	if (e == OK)
		e = grpc_message_encode(
		    slice_sub(text, 0, (size_t)TEXT_MAX), words);
	if (e == OK && buf_len(words) > 0)
		e = http_head_set_id(
		    h, HTTP_GRPC_MESSAGE, slice_trim(buf_slice(words)));
	return e;
}

void
grpc_refuse(struct http2_stream *s, enum grpc_status status, struct slice text)
{
	AUTO(arena_fini) struct arena a = {0};
	AUTO(buf_fini) struct buf words = BUF(4 * TEXT_MAX);
	struct http_head h;
	enum err e;

	arena_init(&a, ARENA_BYTES);
	http_head_init(&h, &a);
	h.status = 200;
	e = http_head_set_id(&h, HTTP_CONTENT_TYPE, S("application/grpc"));
	if (e == OK)
		e = add_status(&h, status, text, &words);
	if (e == OK)
		e = http2_stream_respond(s, &h, /* end */ true);
	if (e == OK)
		http2_stream_leave(s);
	else
		http2_stream_reset(s, HTTP2_INTERNAL_ERROR);
}

/* --- while it lasts --- */

enum err
grpc_call_send(struct grpc_call *c, struct slice message)
{
	char prefix[GRPC_PREFIX_LEN] = {0};
	enum err e;

	if (c->dead)
		return ERR_CLOSED;
	if (message.len > LIMIT_GRPC_MESSAGE)
		return ERR_LIMIT;
	for (int i = 0; i < 4; i++)
		prefix[1 + i] = (char)(message.len >> (24 - 8 * i));
	e = http2_stream_send(c->h2, slice_of(prefix, sizeof(prefix)));
	if (e == OK || e == ERR_AGAIN)
		e = http2_stream_send(c->h2, message);
	return e;
}

void
grpc_call_end(struct grpc_call *c)
{
	CHECK(c->client);
	if (http2_stream_end(c->h2, NULL) == ERR_LIMIT)
		c->dead = true; /* it was reset; on_close follows */
}

void
grpc_call_finish(
    struct grpc_call *c, enum grpc_status status, struct slice text)
{
	AUTO(arena_fini) struct arena a = {0};
	AUTO(buf_fini) struct buf words = BUF(4 * TEXT_MAX);
	struct http_head trailers;
	enum err e;

	CHECK(!c->client);
	if (c->dead)
		return;
	set_status(c, status, text);
	c->dead = true;
	arena_init(&a, ARENA_BYTES);
	http_head_init(&trailers, &a);
	e = add_status(&trailers, status, text, &words);
	if (e == OK)
		e = http2_stream_end(c->h2, &trailers);
	if (e == OK)
		http2_stream_leave(c->h2);
	else
		http2_stream_reset(c->h2, HTTP2_INTERNAL_ERROR);
}

void
grpc_call_cancel(struct grpc_call *c)
{
	if (!c->dead)
		give_up(c, GRPC_CANCELLED, SLICE_NONE);
}

void
grpc_call_relax(struct grpc_call *c)
{
	http2_stream_relax(c->h2);
}

void
grpc_call_pause(struct grpc_call *c)
{
	c->paused = true;
}

void
grpc_call_resume(struct grpc_call *c)
{
	c->paused = false;
	http2_stream_consumed(c->h2, c->owed);
	c->owed = 0;
}
