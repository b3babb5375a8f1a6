/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_alive — whether the peer is still there.
 *
 *	quiet --PING--> asked --answer_us--> doubted --ping_timeout_us--> over
 *	  ^---------------- any byte of the peer ----------'
 *
 * Silence says nothing by itself: a service may think for minutes. So silence
 * is asked about, soon if somebody waits and now and then if nobody does. A
 * peer that leaves even a PING unanswered, and whose kernel acknowledges
 * nothing either, is doubted: what can go elsewhere does, and what cannot keeps
 * its connection, because networks come back. Bytes of any kind are an answer;
 * a PING's own may stand in line behind megabytes.
 *
 * The timer is not moved by traffic. It finds out when it rings.
 */
#include "h2_session.h"

static uint64_t
since(const struct http2 *c, uint64_t then_us)
{
	return loop_now_us(c->loop) - then_us;
}

/* How long silence is taken for what it is; 0: for ever. */
static uint64_t
quiet_us(const struct http2 *c)
{
	if (c->urgent > 0 && c->limits.quiet_us > 0)
		return c->limits.quiet_us;
	return c->limits.ping_every_us;
}

static void
look_in(struct http2 *c, uint64_t us)
{
	c->look_us = loop_now_us(c->loop) + us;
	timer_set(&c->ping, us);
}

static void
look_later(struct http2 *c)
{
	uint64_t quiet = quiet_us(c), silent = since(c, c->heard_us);

	if (quiet > 0)
		look_in(c, quiet > silent ? quiet - silent : quiet);
}

/* How long nothing came although we had asked. */
static uint64_t
waited_us(const struct http2 *c)
{
	return since(c, MAX(c->heard_us, c->asked_us));
}

static void
look_for_answer(struct http2 *c)
{
	if (c->limits.answer_us > 0)
		look_in(c, c->limits.answer_us);
	else if (c->limits.ping_timeout_us > 0)
		look_in(c, c->limits.ping_timeout_us);
}

bool
h2_alive_ask(struct http2 *c)
{
	if (nghttp2_submit_ping(c->ng, NGHTTP2_FLAG_NONE, NULL) != 0)
		return false;
	c->ping_sent = true;
	c->asked_us = loop_now_us(c->loop);
	look_for_answer(c);
	h2_want_flush(c);
	return true;
}

/* Those that may go elsewhere end; their owners hear it at the turn's end. */
static void
doubt(struct http2 *c)
{
	c->doubted = true;
	LIST_EACH (&c->streams, it) {
		struct http2_stream *s =
		    CONTAINER(it, struct http2_stream, link);

		if (s->patience != HTTP2_PATIENT)
			h2_stream_give_up(s);
	}
	h2_want_flush(c);
}

/* A PING is out. Acknowledgements tell that bytes go their way, slowly. */
static void
look_at_answer(struct http2 *c)
{
	uint64_t waited = waited_us(c), silent;

	if (waited >= c->limits.ping_timeout_us) {
		h2_fail(c, HTTP2_SILENT);
		return;
	}
	if (!c->doubted && c->limits.answer_us > 0) {
		silent = MIN(waited, net_stream_silence_us(c->transport));
		if (silent < c->limits.answer_us) {
			look_in(c, c->limits.answer_us - silent);
			return;
		}
		doubt(c);
	}
	look_in(c, c->limits.ping_timeout_us - waited);
}

static void
on_timer(void *arg)
{
	struct http2 *c;

	OBJ(c, arg, HTTP2_MAGIC);
	if (buf_len(&c->out) == 0) /* else it is of this turn, and goes yet */
		buf_fini(&c->out); /* what a busy time left */
	if (c->transport == NULL || quiet_us(c) == 0)
		return;
	if (c->ping_sent)
		look_at_answer(c);
	else if (!stream_is_open(c->transport) ||
		 since(c, c->heard_us) < quiet_us(c) || !h2_alive_ask(c))
		look_later(c); /* connecting has limits of its own */
}

void
h2_alive_init(struct http2 *c)
{
	c->heard_us = loop_now_us(c->loop);
	timer_init(&c->ping, c->loop, on_timer, c);
	look_later(c);
}

/* Somebody waits: a connection that was long silent is asked at once. */
static void
hurry(struct http2 *c)
{
	if (c->limits.quiet_us == 0 || c->ping_sent || c->transport == NULL ||
	    !stream_is_open(c->transport))
		return;
	if (since(c, c->heard_us) >= c->limits.quiet_us)
		(void)h2_alive_ask(c); /* without memory: when it rings */
	else if (c->look_us > loop_now_us(c->loop) + c->limits.quiet_us)
		look_later(c);
}

void
h2_alive_opened(struct http2 *c)
{
	c->heard_us = loop_now_us(c->loop);
	if (c->urgent > 0)
		hurry(c);
}

void
h2_alive_heard(struct http2 *c)
{
	c->heard_us = loop_now_us(c->loop);
	if (!c->doubted)
		return;
	c->doubted = false;
	c->room_news = true;
	loop_later(c->loop, &c->reap);
}

void
h2_alive_answered(struct http2 *c)
{
	c->ping_sent = false;
	look_later(c);
}

void
http2_stream_set_patience(struct http2_stream *s, enum http2_patience p)
{
	bool was = s->patience == HTTP2_URGENT, is = p == HTTP2_URGENT;

	if (s->done)
		return;
	s->patience = p;
	s->conn->urgent += is;
	s->conn->urgent -= was;
	if (is && !was)
		hurry(s->conn);
}
