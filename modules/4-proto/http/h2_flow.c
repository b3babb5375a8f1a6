/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_flow — credit for what was consumed, and windows that earn their size.
 *
 * A window limits a sender only if a whole one is emptied in about a round
 * trip. So a stream's window doubles when as much as it allows was consumed
 * within a second while the reader never let more than half of it pile up. A
 * slow reader never gets there; a slow sender does not need it.
 *
 * The connection's window is what all streams together may make us hold, so
 * that is what the process-wide budget counts. It stays at four times the
 * largest stream's, and grows when stalled streams have eaten half of it.
 *
 * On a session that we opened others' streams are not to wait for stalled ones:
 * there it becomes at last what all streams may send, whether the budget has it
 * or not, and streams grow only as far as that leaves room for a hundred. A
 * client's streams are all its own, and what they have is what it gets.
 */
#include "h2_session.h"

enum { GROW_WITHIN_US = 1000000, CONN_PER_STREAM = 4, STREAMS_EXPECTED = 100 };

static bool
budget_take(struct http2_budget *b, uint64_t n)
{
	uint64_t used = atomic_load_explicit(&b->used, memory_order_relaxed);

	do {
		if (used + n > b->limit)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&b->used, &used,
	    used + n, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void
set_conn(struct http2 *c, uint32_t window)
{
	c->window = window;
	/* Fails only for want of memory; then the window stays small. */
	(void)nghttp2_session_set_local_window_size(
	    c->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)window);
	h2_want_flush(c);
}

/* At least `want` for the connection; false if there is no room for it. */
static bool
grow_conn(struct http2 *c, uint64_t want)
{
	want = MIN(want, (uint64_t)LIMIT_H2_CONN_WINDOW_MAX);
	if (c->window >= want)
		return true;
	if (c->budget == NULL || !budget_take(c->budget, want - c->window))
		return false;
	c->borrowed += (uint32_t)want - c->window;
	set_conn(c, (uint32_t)want);
	return true;
}

/* What all streams may send, and what others may when they are opened. */
static bool
leaves_room(const struct http2 *c, uint32_t more)
{
	uint64_t others =
	    c->open < STREAMS_EXPECTED ? STREAMS_EXPECTED - c->open : 0;

	return c->promised + more + others * LIMIT_H2_WINDOW_START <=
	       LIMIT_H2_CONN_WINDOW_MAX;
}

static void
grow_stream(struct http2_stream *s)
{
	uint32_t want =
	    MIN(2 * s->window, (uint32_t)LIMIT_H2_STREAM_WINDOW_MAX);

	uint32_t more = want - s->window;

	if (more == 0 || !leaves_room(s->conn, more) ||
	    !grow_conn(s->conn, MAX((uint64_t)want * CONN_PER_STREAM,
				    s->conn->promised + more)))
		return;
	s->conn->promised += more;
	s->window = want;
	(void)nghttp2_session_set_local_window_size(
	    s->conn->ng, NGHTTP2_FLAG_NONE, s->id, (int32_t)want);
	h2_want_flush(s->conn);
}

/* A window's worth was consumed: was it fast, and did the reader keep up? */
static void
look_at_window(struct http2_stream *s)
{
	uint64_t now = loop_now_us(s->conn->loop);

	if (s->moved < s->window)
		return;
	if (now - s->moved_since_us <= GROW_WITHIN_US &&
	    s->peak <= s->window / 2)
		grow_stream(s);
	s->moved = 0;
	s->moved_since_us = now;
	s->peak = s->held;
}

void
h2_flow_received(struct http2_stream *s, size_t n)
{
	struct http2 *c = s->conn;

	s->held += (uint32_t)n;
	c->held += n;
	s->peak = MAX(s->peak, s->held);
	if (c->held <= c->window / 2 || grow_conn(c, c->window * UINT64_C(2)))
		return;
	if (!c->server && c->window < c->promised)
		set_conn(c, (uint32_t)MIN(c->promised,
				(uint64_t)LIMIT_H2_CONN_WINDOW_MAX));
}

static void
give_back(struct http2_stream *s, size_t n, bool stream_lives)
{
	struct http2 *c = s->conn;

	s->held -= (uint32_t)n;
	c->held -= n;
	/* Both fail only without memory; the next credit makes up for it. */
	(void)nghttp2_session_consume_connection(c->ng, n);
	if (stream_lives)
		(void)nghttp2_session_consume_stream(c->ng, s->id, n);
	h2_want_flush(c);
}

void
h2_flow_consumed(struct http2_stream *s, size_t n)
{
	CHECK(n <= s->held);
	if (n == 0)
		return;
	give_back(s, n, /* stream_lives */ !s->done && !s->ended_in);
	s->moved += (uint32_t)MIN(n, (size_t)UINT32_MAX / 2);
	if (!s->done && !s->ended_in)
		look_at_window(s);
}

void
h2_flow_drop(struct http2_stream *s)
{
	if (s->held > 0 && s->conn->ng != NULL)
		give_back(s, s->held, /* stream_lives */ false);
}

void
h2_flow_fini(struct http2 *c)
{
	if (c->budget != NULL)
		atomic_fetch_sub_explicit(
		    &c->budget->used, c->borrowed, memory_order_relaxed);
	c->borrowed = 0;
}
