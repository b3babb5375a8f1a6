/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_calm — what a peer may not do too often, or too slowly.
 *
 * A frame that carries nothing costs us more than its sender; so does a stream
 * that has to be reset for its sender's fault, behind whose request somebody
 * may work already. So many of each in H2_CALM_US are forgiven. WINDOW_UPDATEs
 * carry something if they answer what we sent: each frame of data and each
 * stream earns some. So do PINGs, one for each frame of data: by them gRPC
 * measures what a connection can bear while it is used. What nghttp2 bounds by
 * itself (CONTINUATIONs, answers that are not taken) is given its name here.
 */
#include "h2_session.h"

enum {
	IDLE_FRAMES_MAX = 1000, /* that say nothing, in H2_CALM_US */
	FAULT_RESETS_MAX = 500, /* streams that we had to reset, in it */
	EMPTY_DATA_MAX = 16,    /* in a row, of a stream */
	UPDATES_OF_DATA = 10,   /* earned by a frame of data, as Envoy has it */
	UPDATES_OF_STREAM = 5,  /* and by a stream */
	EARNED_MAX = 1 << 16,   /* of either that one may save */
	RESETS_MAX = 500,       /* streams that it reset, in it */
	BOMB_TIMES = 4,         /* as large as a head may be */
	STALL_LOOKS = 4,        /* in the time that a stall may last */
	LATE_BYTES = 256,       /* what may be padding alone */
	KNOWN_TYPES = 10        /* RFC 9113 §6: DATA to CONTINUATION */
};
#define CALM_US UINT64_C(10000000)

static const struct {
	enum http2_code code;
	const char *word;
	const char *text;
} flaws[] = {
#define X(id, code, word, text) [id] = {HTTP2_##code, word, text},
    HTTP2_FLAW_TABLE(X)
#undef X
};

const char *
http2_flaw_word(enum http2_flaw f)
{
	return flaws[f].word;
}

const char *
http2_flaw_text(enum http2_flaw f)
{
	return flaws[f].text;
}

enum http2_flaw
http2_flaw_of(const struct http2 *c)
{
	return (enum http2_flaw)c->flaw;
}

void
h2_fail(struct http2 *c, enum http2_flaw f)
{
	enum err why = f == HTTP2_SILENT || f == HTTP2_STALLED ? ERR_TIMEOUT
							       : ERR_PROTOCOL;

	if (c->flaw == HTTP2_SOUND)
		c->flaw = (uint8_t)f;
	h2_end(c, why, flaws[f].code);
}

/* --- too often -------------------------------------------------------------
 */

static bool
is_too_much(struct http2 *c, struct h2_calm *w, uint32_t most)
{
	uint64_t now = loop_now_us(c->loop);

	if (now - w->since_us > CALM_US) {
		w->since_us = now;
		w->count = 0;
	}
	return ++w->count > most;
}

static void
count(struct http2 *c, enum http2_flaw f)
{
	if (is_too_much(c, &c->frames, IDLE_FRAMES_MAX))
		h2_fail(c, f);
}

static void
earn(uint32_t *account, uint32_t frames)
{
	*account = MIN(*account + frames, (uint32_t)EARNED_MAX);
}

static void
spend(struct http2 *c, uint32_t *account, enum http2_flaw f)
{
	if (*account == 0)
		count(c, f);
	else
		--*account;
}

void
h2_calm_data_sent(struct http2 *c)
{
	earn(&c->updates, UPDATES_OF_DATA);
	earn(&c->pings, /* frames */ 1);
}

void
h2_calm_stream(struct http2 *c)
{
	earn(&c->updates, UPDATES_OF_STREAM);
}

/* DATA without bytes and without an end is only work; padding is no byte. */
static void
look_at_data(struct http2 *c, const nghttp2_frame *f, struct http2_stream *s)
{
	bool end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (f->hd.length > f->data.padlen || end || s == NULL)
		return;
	if (++s->empty_data > EMPTY_DATA_MAX)
		h2_fail(c, HTTP2_EMPTY_FLOOD);
}

void
h2_calm_frame(struct http2 *c, const nghttp2_frame *f, struct http2_stream *s)
{
	switch (f->hd.type) {
	case NGHTTP2_DATA:
		look_at_data(c, f, s);
		break;
	case NGHTTP2_RST_STREAM:
		if (c->server &&
		    is_too_much(c, &c->resets,
			c->limits.resets > 0 ? c->limits.resets : RESETS_MAX))
			h2_fail(c, HTTP2_RESET_FLOOD);
		break;
	case NGHTTP2_PING:
		spend(c, &c->pings, HTTP2_PING_FLOOD);
		break;
	case NGHTTP2_SETTINGS:
		count(c, HTTP2_SETTINGS_FLOOD);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		spend(c, &c->updates, HTTP2_WINDOW_FLOOD);
		break;
	case NGHTTP2_GOAWAY:
		count(c, HTTP2_FRAME_FLOOD);
		break;
	default:
		break;
	}
}

/* HPACK makes much of little (RFC 9113 §10.5.1), and must see all of it or be
 * out of step: what is not kept costs time. */
bool
h2_calm_field(struct http2_stream *s, size_t bytes)
{
	s->listed += (uint32_t)bytes;
	if (s->listed / BOMB_TIMES <= s->conn->limits.head_bytes)
		return true;
	h2_fail(s->conn, HTTP2_HEAD_BOMB);
	return false;
}

void
h2_calm_type(struct http2 *c, uint8_t type)
{
	if (type >= KNOWN_TYPES)
		count(c, HTTP2_FRAME_FLOOD);
	else if (type == NGHTTP2_PRIORITY) /* which nghttp2 does not tell */
		count(c, HTTP2_PRIORITY_FLOOD);
}

void
h2_calm_late(struct http2 *c, size_t len)
{
	if (len <= LATE_BYTES)
		count(c, HTTP2_FRAME_FLOOD);
}

void
h2_calm_reset(struct http2 *c, uint32_t code)
{
	switch (code) {
	case NGHTTP2_PROTOCOL_ERROR:
	case NGHTTP2_FLOW_CONTROL_ERROR:
	case NGHTTP2_STREAM_CLOSED:
	case NGHTTP2_FRAME_SIZE_ERROR:
	case NGHTTP2_ENHANCE_YOUR_CALM:
		if (c->server && is_too_much(c, &c->faults, FAULT_RESETS_MAX))
			h2_fail(c, HTTP2_FAULT_FLOOD);
		break;
	default:
		break;
	}
}

enum http2_flaw
h2_calm_error(int rv)
{
	switch (rv) {
	case NGHTTP2_ERR_FLOODED:
		return HTTP2_ANSWER_FLOOD;
	case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
		return HTTP2_CONTINUATION_FLOOD;
	default:
		return HTTP2_NONSENSE;
	}
}

/* Its one limit of this kind: frames for which it resets, counted before the
 * resets are sent. */
enum http2_flaw
h2_calm_goaway(uint32_t code)
{
	return code == NGHTTP2_ENHANCE_YOUR_CALM ? HTTP2_FAULT_FLOOD
						 : HTTP2_NONSENSE;
}

/* --- too slowly ------------------------------------------------------------
 */

static void
on_slow_head(void *arg)
{
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	h2_fail(c, HTTP2_SLOW_HEAD);
}

/* The rest of an answer that its owner is done with; of others the owner
 * knows how long they may take. */
static bool
is_stalled(const struct http2_stream *s)
{
	return s->owing && loop_now_us(s->conn->loop) - s->sent_us >=
			       s->conn->limits.stall_us;
}

static void
reset_stalled(struct http2 *c)
{
	LIST_EACH (&c->streams, it) {
		struct http2_stream *s =
		    CONTAINER(it, struct http2_stream, link);

		if (is_stalled(s))
			h2_stream_give_up(s);
	}
	h2_want_flush(c);
}

static void
on_stall_timer(void *arg)
{
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	if (c->dying)
		return;
	if (c->blocked &&
	    loop_now_us(c->loop) - c->blocked_us >= c->limits.stall_us) {
		h2_fail(c, HTTP2_STALLED);
		return;
	}
	reset_stalled(c);
	h2_calm_flushed(c);
}

void
h2_calm_flushed(struct http2 *c)
{
	if (c->limits.stall_us > 0 && (c->blocked || c->owing > 0) &&
	    !timer_is_set(&c->stall))
		timer_set(&c->stall, c->limits.stall_us / STALL_LOOKS);
}

void
h2_calm_read(struct http2 *c)
{
	if (!h2_order_is_in_head(c))
		timer_clear(&c->slow_head);
	else if (c->limits.head_us > 0 && !timer_is_set(&c->slow_head))
		timer_set(&c->slow_head, c->limits.head_us);
}

void
h2_calm_init(struct http2 *c)
{
	timer_init(&c->slow_head, c->loop, on_slow_head, c);
	timer_init(&c->stall, c->loop, on_stall_timer, c);
}

void
h2_calm_fini(struct http2 *c)
{
	timer_clear(&c->slow_head);
	timer_clear(&c->stall);
}
