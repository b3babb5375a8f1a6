/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream — what all layers have in common: states, reasons, one end.
 *
 * OPENING and OPEN take writes; CLOSING waits only for its on_close; CLOSED is
 * the time inside on_close. Whatever goes wrong, on_close comes from a later of
 * the loop, where nobody else is in the middle of using the stream.
 */
#include "net.h"

#define STREAM_MAGIC 0x53545245u

static const struct sm_row stream_rows[] = {
    [STREAM_OPENING] = {"opening", TO(STREAM_OPEN) | TO(STREAM_CLOSING)},
    [STREAM_OPEN] = {"open", TO(STREAM_CLOSING)},
    [STREAM_CLOSING] = {"closing", TO(STREAM_CLOSED)},
    [STREAM_CLOSED] = {"closed", 0},
};

/* An `sm` of its own would be a quarter of a stream's size. */
static void
go(struct stream *s, enum stream_state next)
{
	CHECK(s->magic == STREAM_MAGIC);
	CHECK(stream_rows[s->state].next & TO(next));
	s->state = (uint8_t)next;
}

static bool
is_live(const struct stream *s)
{
	CHECK(s->magic == STREAM_MAGIC);
	return s->state == STREAM_OPENING || s->state == STREAM_OPEN;
}

static void
on_finish(void *arg)
{
	struct stream *s;

	OBJ(s, arg, STREAM_MAGIC);
	go(s, STREAM_CLOSED);
	s->events->on_close(s, s->arg, s->why);
	s->magic = 0;
	s->ops->free(s);
}

void
stream_init(struct stream *s, const struct stream_ops *ops, struct loop *loop,
    const struct stream_events *events, void *arg, enum stream_state first)
{
	CHECK(first == STREAM_OPENING || first == STREAM_OPEN);
	memset(s, 0, sizeof(*s));
	s->magic = STREAM_MAGIC;
	s->state = (uint8_t)first;
	s->high_mark = LIMIT_STREAM_BUFFER;
	s->ops = ops;
	s->loop = loop;
	loop_later_init(&s->finish, on_finish, s);
	stream_set_events(s, events, arg);
}

/* --- for owners --- */

enum err
stream_writev(struct stream *s, const struct slice *parts, size_t count)
{
	size_t total = 0;
	enum err e;

	if (!is_live(s) || s->shut)
		return ERR_CLOSED;
	for (size_t i = 0; i < count; i++)
		total += parts[i].len;
	if (total == 0)
		return s->full ? ERR_AGAIN : OK;
	e = s->ops->writev(s, parts, count);
	if (e == OK || e == ERR_AGAIN)
		s->bytes_out += total;
	return e;
}

enum err
stream_write(struct stream *s, struct slice bytes)
{
	return stream_writev(s, &bytes, 1);
}

void
stream_cork(struct stream *s)
{
	if (is_live(s) && s->ops->cork != NULL)
		s->ops->cork(s);
}

void
stream_shutdown(struct stream *s)
{
	if (!is_live(s) || s->shut)
		return;
	s->shut = true;
	s->ops->shutdown(s);
}

void
stream_close(struct stream *s, enum err why)
{
	if (!is_live(s))
		return;
	s->why = why;
	go(s, STREAM_CLOSING);
	s->ops->close(s, why);
}

void
stream_pause(struct stream *s, enum stream_pause reason)
{
	bool first = s->paused == 0;

	s->paused |= reason;
	if (first && is_live(s))
		s->ops->pause(s);
}

void
stream_resume(struct stream *s, enum stream_pause reason)
{
	bool last = (s->paused & ~(uint32_t)reason) == 0 && s->paused != 0;

	s->paused &= ~(uint32_t)reason;
	if (last && is_live(s))
		s->ops->resume(s);
}

void
stream_set_resting(struct stream *s, bool resting)
{
	s->resting = resting;
}

bool
stream_is_paused(const struct stream *s)
{
	return s->paused != 0;
}

bool
stream_is_open(const struct stream *s)
{
	return s->state == STREAM_OPEN;
}

bool
stream_is_closing(const struct stream *s)
{
	return !is_live(s);
}

size_t
stream_pending(const struct stream *s)
{
	return s->ops->pending(s);
}

static void
ignore_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
}

static void
ignore_close(struct stream *s, void *arg, enum err why)
{
	(void)s;
	(void)arg;
	(void)why;
}

const struct stream_events stream_deaf = {
    .on_data = ignore_data, .on_close = ignore_close};

void
stream_set_events(
    struct stream *s, const struct stream_events *events, void *arg)
{
	s->resting = false;
	CHECK(events->on_data != NULL && events->on_close != NULL);
	s->events = events;
	s->arg = arg;
}

void
stream_set_high_mark(struct stream *s, uint32_t bytes)
{
	s->high_mark = bytes;
}

struct addr
stream_peer(const struct stream *s)
{
	struct addr a = {.family = ADDR_NONE};

	while (s != NULL && s->ops->peer == NULL)
		s = s->below;
	if (s != NULL)
		s->ops->peer(s, &a);
	return a;
}

struct addr
stream_local(const struct stream *s)
{
	struct addr a = {.family = ADDR_NONE};

	while (s != NULL && s->ops->local == NULL)
		s = s->below;
	if (s != NULL)
		s->ops->local(s, &a);
	return a;
}

/* --- for layers --- */

void
stream_emit_open(struct stream *s)
{
	if (s->state != STREAM_OPENING)
		return;
	go(s, STREAM_OPEN);
	if (s->events->on_open != NULL)
		s->events->on_open(s, s->arg);
}

void
stream_emit_data(struct stream *s, struct slice data)
{
	if (!is_live(s) || s->ended || data.len == 0)
		return;
	s->bytes_in += data.len;
	s->events->on_data(s, s->arg, data);
}

void
stream_emit_eof(struct stream *s)
{
	if (!is_live(s) || s->ended)
		return;
	s->ended = true;
	if (s->events->on_eof != NULL)
		s->events->on_eof(s, s->arg);
}

enum err
stream_mark(struct stream *s, size_t pending)
{
	/* One large write is its owner's affair; going on is not. */
	if (s->full && pending > (size_t)s->high_mark * 4 + LOOP_SCRATCH_LEN)
		return ERR_LIMIT;
	if (pending > s->high_mark)
		s->full = true;
	return s->full ? ERR_AGAIN : OK;
}

void
stream_emit_drained(struct stream *s, size_t pending)
{
	if (!s->full || pending > s->high_mark / 4)
		return;
	s->full = false;
	if (is_live(s) && s->events->on_drained != NULL)
		s->events->on_drained(s, s->arg);
}

void
stream_fail(struct stream *s, enum err why)
{
	if (is_live(s))
		go(s, STREAM_CLOSING);
	else if (s->state == STREAM_CLOSED || loop_later_is_set(&s->finish))
		return;
	/* A close that asked for OK and lost bytes after all was not OK. */
	if (s->why == OK)
		s->why = why;
	loop_later(s->loop, &s->finish);
}

void
stream_finish(struct stream *s)
{
	CHECK(s->state == STREAM_CLOSING);
	loop_later(s->loop, &s->finish);
}
