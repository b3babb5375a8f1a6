/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe — two streams joined, bytes both ways, until both have ended.
 *
 * Each side's arg is its half, so that one set of handlers serves both. A
 * side that ended in order stays open for the other direction; a side that
 * broke takes the other with it, as a reset, so that nobody mistakes a cut
 * for an end.
 */
#include "base/base.h"
#include "net/net.h"

#include "pipe/pipe.h"

enum { PIPE_MAGIC = 0x70697065 };

struct half {
	struct pipe *pipe;
	struct stream *stream; /* NULL once closed */
	uint64_t bytes;        /* received here */
	bool ended;            /* its peer sends no more */
};

struct pipe {
	uint32_t magic;
	struct half half[2];
	enum err why;
	enum pipe_side culprit;
	pipe_done_cb done;
	void *arg;
};

static struct half *
half_of(void *arg)
{
	struct half *h = arg;

	CHECK(h != NULL && h->pipe->magic == PIPE_MAGIC);
	return h;
}

static enum pipe_side
side_of(const struct half *h)
{
	return h == &h->pipe->half[PIPE_DOWN] ? PIPE_DOWN : PIPE_UP;
}

static struct half *
other(struct half *h)
{
	return &h->pipe->half[side_of(h) == PIPE_DOWN ? PIPE_UP : PIPE_DOWN];
}

/* Both directions have ended in order: nothing more can come. */
static void
close_if_over(struct pipe *p)
{
	if (!p->half[PIPE_DOWN].ended || !p->half[PIPE_UP].ended)
		return;
	for (int i = 0; i < 2; i++)
		if (p->half[i].stream != NULL)
			stream_close(p->half[i].stream, OK);
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct half *h = half_of(arg);
	struct half *to = other(h);

	h->bytes += data.len;
	if (to->stream == NULL)
		return;
	/* Any failure is told again, with its reason, by to's on_close. */
	if (stream_write(to->stream, data) == ERR_AGAIN)
		stream_pause(s, STREAM_PAUSE_PEER_FULL);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct half *h = half_of(arg);
	struct half *to = other(h);

	(void)s; /* the half knows its stream */
	h->ended = true;
	if (to->stream != NULL)
		stream_shutdown(to->stream);
	close_if_over(h->pipe);
}

static void
on_drained(struct stream *s, void *arg)
{
	struct half *from = other(half_of(arg));

	(void)s; /* room here lets the other side read */
	if (from->stream != NULL)
		stream_resume(from->stream, STREAM_PAUSE_PEER_FULL);
}

static void
finish(struct pipe *p)
{
	pipe_done_cb done = p->done;
	void *arg = p->arg;

	done(arg, p, p->why, p->culprit);
	p->magic = 0;
	mem_free(&p);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct half *h = half_of(arg);
	struct half *to = other(h);
	struct pipe *p = h->pipe;

	(void)s; /* the half knows its stream */
	h->stream = NULL;
	if (why != OK && p->why == OK) {
		p->why = why;
		p->culprit = side_of(h);
	}
	if (to->stream == NULL)
		finish(p);
	else
		stream_close(to->stream, why == OK ? OK : ERR_RESET);
}

static const struct stream_events pipe_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

struct pipe *
pipe_new(struct stream *down, struct stream *up, pipe_done_cb done, void *arg)
{
	struct pipe *p = mem_new(sizeof(*p));

	p->magic = PIPE_MAGIC;
	p->done = done;
	p->arg = arg;
	p->half[PIPE_DOWN] = (struct half){.pipe = p, .stream = down};
	p->half[PIPE_UP] = (struct half){.pipe = p, .stream = up};
	for (int i = 0; i < 2; i++)
		stream_set_events(p->half[i].stream, &pipe_events, &p->half[i]);
	/* Who half-closed before is not going to say so again. */
	if (down->ended)
		on_eof(down, &p->half[PIPE_DOWN]);
	if (up->ended)
		on_eof(up, &p->half[PIPE_UP]);
	stream_resume(down, STREAM_PAUSE_NOT_READY);
	return p;
}

void
pipe_cut(struct pipe *p, enum err why)
{
	CHECK(p->magic == PIPE_MAGIC && why != OK);
	if (p->why == OK)
		p->why = why;
	for (int i = 0; i < 2; i++)
		if (p->half[i].stream != NULL)
			stream_close(p->half[i].stream, ERR_RESET);
}

uint64_t
pipe_bytes(const struct pipe *p, enum pipe_side from)
{
	return p->half[from].bytes;
}
