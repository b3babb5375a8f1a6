/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel — a stream whose bytes are the DATA frames of a CONNECT.
 *
 * Credit for received bytes goes back when the owner's on_data has returned;
 * what arrives while the owner is paused is held here and not credited, so it
 * cannot exceed the window. A close that is in order ends our half and waits
 * a moment for the peer's end, because a reset at once could overtake, at the
 * peer, the bytes before it.
 */
#include "tunnel.h"
#include "http2.h"
#include "net/net.h"
#include "tls/tls.h"

#define TUNNEL_MAGIC 0x54554e4eu

enum { EARLY_MAX = 8 * LIMIT_STREAM_BUFFER, REASON_MAX = 512 };

struct tunnel {
	struct stream s; /* first */
	uint32_t magic;
	uint16_t status;
	bool client;
	bool fin;                /* the peer's end came */
	bool untouched;          /* the peer refused the very stream */
	struct http2_stream *h2; /* NULL once it has closed */
	char *reason;
	struct buf held;  /* received, the owner is paused */
	struct buf early; /* written before the answer */
	struct loop_later deliver;
	struct timer linger;
};

static struct tunnel *
tunnel_of(struct stream *s)
{
	struct tunnel *t = CONTAINER(s, struct tunnel, s);

	CHECK(t->magic == TUNNEL_MAGIC);
	return t;
}

/* --- bytes from the peer --- */

static bool
may_deliver(const struct tunnel *t)
{
	return !stream_is_paused(&t->s) && t->s.state == STREAM_OPEN;
}

static void
credit(struct tunnel *t, size_t n)
{
	if (t->h2 != NULL)
		http2_stream_consumed(t->h2, n);
}

/* The owner may close meanwhile: what it reads is out of that one's reach. */
static void
deliver(struct tunnel *t, struct buf *held)
{
	while (buf_len(held) > 0 && may_deliver(t)) {
		struct slice part =
		    slice_sub(buf_slice(held), 0, (size_t)LOOP_SCRATCH_LEN);

		stream_emit_data(&t->s, part);
		buf_consume(held, part.len);
		credit(t, part.len);
	}
}

static void
on_deliver(void *arg)
{
	struct buf held;
	struct tunnel *t;

	OBJ(t, arg, TUNNEL_MAGIC);
	held = t->held;
	buf_init(&t->held, LIMIT_H2_STREAM_WINDOW_MAX);
	deliver(t, &held);
	if (buf_len(&held) > 0 && !stream_is_closing(&t->s)) {
		t->held = held;
		return;
	}
	credit(t, buf_len(&held)); /* nobody wants it any more */
	buf_fini(&held);
	if (t->fin && may_deliver(t))
		stream_emit_eof(&t->s);
}

static void
on_data(void *arg, struct http2_stream *h2, struct slice bytes)
{
	struct tunnel *t;

	OBJ(t, arg, TUNNEL_MAGIC);
	if (stream_is_closing(&t->s)) {
		http2_stream_consumed(h2, bytes.len);
		return;
	}
	if (buf_len(&t->held) == 0 && may_deliver(t)) {
		stream_emit_data(&t->s, bytes);
		http2_stream_consumed(h2, bytes.len);
	} else if (buf_add_slice(&t->held, bytes) != OK) {
		stream_close(&t->s, ERR_NO_MEMORY);
	}
}

static void
on_end(void *arg, struct http2_stream *h2)
{
	struct tunnel *t;

	(void)h2;
	OBJ(t, arg, TUNNEL_MAGIC);
	t->fin = true;
	if (buf_len(&t->held) == 0 && may_deliver(t))
		stream_emit_eof(&t->s);
}

/* --- the client's answer --- */

static void
read_reason(struct tunnel *t, struct http_head *h)
{
	struct slice value;

	if (!http_head_get_id(h, HTTP_PROXY_STATUS, &value))
		return;
	value = http_proxy_status_details(h->arena, value);
	t->reason = mem_strndup(value.ptr != NULL ? value.ptr : "",
	    MIN(value.len, (size_t)REASON_MAX));
}

/* What was written while the answer was on its way. */
static void
send_early(struct tunnel *t)
{
	struct slice bytes = buf_slice(&t->early);

	if (bytes.len > 0 && http2_stream_send(t->h2, bytes) == ERR_LIMIT)
		stream_fail(&t->s, ERR_LIMIT);
	buf_fini(&t->early);
	if (t->s.shut && http2_stream_end(t->h2, NULL) == ERR_LIMIT)
		stream_fail(&t->s, ERR_LIMIT);
}

static void
on_head(void *arg, struct http2_stream *h2, struct http_head *h, bool end)
{
	struct tunnel *t;

	(void)end; /* on_end tells */
	OBJ(t, arg, TUNNEL_MAGIC);
	t->status = h->status;
	if (stream_is_closing(&t->s))
		return;
	/* Any 2xx would do (RFC 9110 §9.3.6); HBONE's answer is 200 alone. */
	if (h->status != 200) {
		read_reason(t, h);
		http2_stream_reset(h2, HTTP2_CANCEL);
		stream_fail(&t->s, ERR_REFUSED);
		return;
	}
	send_early(t);
	stream_emit_open(&t->s);
	stream_emit_drained(&t->s, stream_pending(&t->s));
}

/* --- ends --- */

static void
on_drained(void *arg, struct http2_stream *h2)
{
	struct tunnel *t;

	OBJ(t, arg, TUNNEL_MAGIC);
	stream_emit_drained(&t->s, http2_stream_queued(h2));
}

/* A session that never came up: TLS knows best what was wrong. */
static struct slice
words_of_tls(struct http2_stream *h2)
{
	struct stream *below = http2_transport(http2_stream_conn(h2));
	const struct fault *f;

	if (below == NULL || !tls_stream_is(below))
		return SLICE_NONE;
	f = tls_stream_fault(below);
	return f->code == OK ? SLICE_NONE : slice_str(f->text);
}

static void
find_reason(struct tunnel *t, struct http2_stream *h2, enum err why)
{
	struct slice words = words_of_tls(h2);

	if (words.len == 0 && why == ERR_TIMEOUT)
		words = S("the other end of the tunnel fell silent");
	if (t->reason == NULL && words.len > 0)
		t->reason =
		    mem_strndup(words.ptr, MIN(words.len, (size_t)REASON_MAX));
}

/* ztunnel ends a stream that it has no more use for in this way. */
static bool
is_polite(enum err why, uint32_t code)
{
	return why == ERR_RESET &&
	       (code == HTTP2_CANCEL || code == HTTP2_NO_ERROR);
}

static void
on_close(void *arg, struct http2_stream *h2, enum err why, uint32_t code)
{
	struct tunnel *t;

	OBJ(t, arg, TUNNEL_MAGIC);
	find_reason(t, h2, why);
	t->untouched = code == HTTP2_REFUSED_STREAM && why == ERR_REFUSED;
	t->h2 = NULL;
	t->s.below = NULL;
	timer_clear(&t->linger);
	if (t->s.state == STREAM_CLOSING)
		stream_finish(&t->s);
	else if (t->s.state == STREAM_OPEN && is_polite(why, code))
		t->fin = true;
	else if (why != OK || t->s.state == STREAM_OPENING)
		stream_fail(&t->s, why == OK ? ERR_CLOSED : why);
	loop_later(t->s.loop, &t->deliver);
}

static const struct http2_stream_events h2_events = {
    .on_head = on_head,
    .on_data = on_data,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_close = on_close,
};

static void
on_linger(void *arg)
{
	struct tunnel *t;

	OBJ(t, arg, TUNNEL_MAGIC);
	if (t->h2 != NULL)
		http2_stream_reset(t->h2, HTTP2_NO_ERROR);
}

/* --- as a stream --- */

static enum err
tunnel_writev(struct stream *s, const struct slice *parts, size_t count)
{
	struct tunnel *t = tunnel_of(s);
	enum err e = OK;

	if (t->h2 == NULL) {
		stream_fail(s, ERR_RESET);
		return ERR_RESET;
	}
	http2_stream_set_high_mark(t->h2, s->high_mark);
	for (size_t i = 0; i < count && (e == OK || e == ERR_AGAIN); i++) {
		if (s->state == STREAM_OPENING)
			e = buf_add_slice(&t->early, parts[i]);
		else
			e = http2_stream_send(t->h2, parts[i]);
	}
	if (e == OK || e == ERR_AGAIN)
		e = stream_mark(s, stream_pending(s));
	if (e != OK && e != ERR_AGAIN)
		stream_close(s, e);
	return e;
}

static void
tunnel_shutdown(struct stream *s)
{
	struct tunnel *t = tunnel_of(s);

	if (t->h2 == NULL || s->state == STREAM_OPENING)
		return; /* gone, or send_early() does it */
	if (http2_stream_end(t->h2, NULL) == ERR_LIMIT)
		stream_fail(s, ERR_LIMIT);
}

static void
tunnel_pause(struct stream *s)
{
	(void)s; /* on_data looks */
}

static void
tunnel_resume(struct stream *s)
{
	loop_later(s->loop, &tunnel_of(s)->deliver);
}

static size_t
tunnel_pending(const struct stream *s)
{
	const struct tunnel *t = (const void *)s;

	return buf_len(&t->early) +
	       (t->h2 != NULL ? http2_stream_queued(t->h2) : 0);
}

/* Our half ends behind what is queued; the peer gets time to end its own. */
static void
close_in_order(struct tunnel *t)
{
	bool idle = http2_stream_queued(t->h2) == 0;

	credit(t, buf_len(&t->held));
	buf_fini(&t->held);
	if (http2_stream_end(t->h2, NULL) == ERR_LIMIT)
		return; /* it reset the stream; on_close follows */
	timer_set(
	    &t->linger, UINT64_C(1000) * (idle ? NET_LINGER_MS : NET_FLUSH_MS));
}

static void
tunnel_close(struct stream *s, enum err why)
{
	struct tunnel *t = tunnel_of(s);
	bool opening = t->client && t->status == 0;

	if (t->h2 == NULL)
		stream_finish(s);
	else if (opening)
		http2_stream_reset(t->h2, HTTP2_CANCEL);
	else if (why == OK)
		close_in_order(t);
	else
		http2_stream_reset(t->h2, HTTP2_CONNECT_ERROR);
}

static void
tunnel_free(struct stream *s)
{
	struct tunnel *t = tunnel_of(s);

	/* A stream that failed before its HTTP/2 side: nobody listens now. */
	if (t->h2 != NULL) {
		static const struct http2_stream_events deaf;

		http2_stream_own(t->h2, &deaf, NULL);
		http2_stream_reset(t->h2, HTTP2_CANCEL);
	}
	loop_later_cancel(&t->deliver);
	timer_clear(&t->linger);
	buf_fini(&t->held);
	buf_fini(&t->early);
	mem_free(&t->reason);
	t->magic = 0;
	mem_free(&t);
}

static const struct stream_ops tunnel_ops = {
    .name = "tunnel",
    .writev = tunnel_writev,
    .shutdown = tunnel_shutdown,
    .pause = tunnel_pause,
    .resume = tunnel_resume,
    .pending = tunnel_pending,
    .close = tunnel_close,
    .free = tunnel_free,
};

static struct tunnel *
tunnel_new(
    struct http2 *c, bool client, const struct stream_events *events, void *arg)
{
	struct tunnel *t = mem_new(sizeof(*t));
	struct stream *below = http2_transport(c);

	t->magic = TUNNEL_MAGIC;
	t->client = client;
	buf_init(&t->held, LIMIT_H2_STREAM_WINDOW_MAX);
	buf_init(&t->early, EARLY_MAX);
	stream_init(&t->s, &tunnel_ops, below->loop, events, arg,
	    client ? STREAM_OPENING : STREAM_OPEN);
	t->s.below = below;
	loop_later_init(&t->deliver, on_deliver, t);
	timer_init(&t->linger, below->loop, on_linger, t);
	return t;
}

/* --- the owner's side --- */

struct stream *
http_tunnel_open(struct http2 *c, struct slice authority,
    const struct http_head *extra, const struct stream_events *events,
    void *arg)
{
	struct http_head h;
	struct tunnel *t;

	if (!http2_is_usable(c))
		return NULL;
	http_head_init(&h, NULL);
	if (extra != NULL)
		h = *extra;
	h.status = 0;
	h.method = S("CONNECT");
	h.authority = authority;
	h.framing = HTTP_BODY_TUNNEL;
	t = tunnel_new(c, /* client */ true, events, arg);
	t->h2 = http2_request(c, &h, /* end */ false, &h2_events, t);
	if (t->h2 == NULL) {
		tunnel_free(&t->s);
		return NULL;
	}
	return &t->s;
}

struct stream *
http_tunnel_take(struct http2_stream *s, struct buf *first, bool ended,
    const struct stream_events *events, void *arg)
{
	/* As one that was accepted: it is open, whichever end this is. */
	struct tunnel *t =
	    tunnel_new(http2_stream_conn(s), /* client */ false, events, arg);

	t->h2 = s;
	t->status = 200;
	t->fin = ended;
	http2_stream_own(s, &h2_events, t);
	if (buf_len(first) > 0) {
		buf_fini(&t->held);
		t->held = *first;
		*first = BUF(0);
	}
	loop_later(t->s.loop, &t->deliver);
	return &t->s;
}

struct stream *
http_tunnel_accept(struct http2_stream *s, const struct http_head *extra,
    const struct stream_events *events, void *arg)
{
	struct buf first = BUF(LIMIT_H2_STREAM_WINDOW_MAX);
	struct http_head h;
	bool ended;

	http_head_init(&h, NULL);
	if (extra != NULL)
		h = *extra;
	h.status = 200;
	h.framing = HTTP_BODY_TUNNEL;
	if (http2_stream_respond(s, &h, /* end */ false) != OK) {
		http2_stream_reset(s, HTTP2_INTERNAL_ERROR);
		return NULL;
	}
	ended = http2_stream_take_early(s, &first);
	return http_tunnel_take(s, &first, ended, events, arg);
}

enum err
http_tunnel_refuse(struct http2_stream *s, unsigned status, struct slice error,
    struct slice why)
{
	AUTO(arena_fini) struct arena a = {0};
	struct http_head h;
	enum err e;

	arena_init(&a, 8 << 10);
	http_head_init(&h, &a);
	h.status = (uint16_t)status;
	why = http_proxy_status(&a, error, slice_sub(why, 0, REASON_MAX));
	e = http_head_set_id(&h, HTTP_PROXY_STATUS, why);
	if (e == OK)
		e = http2_stream_respond(s, &h, /* end */ true);
	if (e == OK)
		http2_stream_leave(s);
	else
		http2_stream_reset(s, HTTP2_INTERNAL_ERROR);
	return e;
}

bool
http_tunnel_is(const struct stream *s)
{
	return s->ops == &tunnel_ops;
}

static const struct tunnel *
asked(const struct stream *s)
{
	CHECK(http_tunnel_is(s));
	return (const void *)s;
}

unsigned
http_tunnel_status(const struct stream *tunnel)
{
	return asked(tunnel)->status;
}

bool
http_tunnel_is_untouched(const struct stream *tunnel)
{
	return asked(tunnel)->untouched;
}

struct slice
http_tunnel_reason(const struct stream *tunnel)
{
	return slice_str(asked(tunnel)->reason);
}

void
http_tunnel_set_patience(struct stream *tunnel, enum http2_patience patience)
{
	struct tunnel *t = tunnel_of(tunnel);

	if (t->h2 != NULL)
		http2_stream_set_patience(t->h2, patience);
}

struct http2 *
http_tunnel_conn(const struct stream *tunnel)
{
	const struct tunnel *t = asked(tunnel);

	return t->h2 != NULL ? http2_stream_conn(t->h2) : NULL;
}
