/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linger — closing a stream whose peer may still be sending.
 *
 * A socket that is closed with unread bytes resets the connection, and the
 * reset may overtake our last answer (RFC 9112 §9.6). So we send our end, read
 * on for nobody, and close at the peer's end or when the time is up, or the
 * loop.
 */
#include "net.h"

struct linger {
	struct stream *stream;
	struct timer timer;
	struct loop_hook end;
	const struct stream_events *events; /* the owner's */
	void *arg;
};

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data; /* thrown away: the answer is given */
}

static void
on_eof(struct stream *s, void *arg)
{
	(void)arg;
	stream_close(s, OK);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct linger *g = arg;

	timer_clear(&g->timer);
	loop_hook_remove(&g->end);
	stream_set_events(s, g->events, g->arg);
	mem_free(&g);
	s->events->on_close(s, s->arg, why);
}

static void
on_time(void *arg)
{
	struct linger *g = arg;

	stream_close(g->stream, OK);
}

static void
on_end(void *arg)
{
	struct linger *g = arg;

	stream_close(g->stream, ERR_CANCELLED);
}

static const struct stream_events linger_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_close = on_close,
};

void
stream_close_lingering(struct stream *s)
{
	struct linger *g;

	if (!stream_is_open(s) || s->ended) {
		stream_close(s, OK);
		return;
	}
	g = mem_new(sizeof(*g));
	g->stream = s;
	g->events = s->events;
	g->arg = s->arg;
	timer_init(&g->timer, s->loop, on_time, g);
	timer_set(&g->timer, NET_LINGER_MS * UINT64_C(1000));
	loop_hook_add_end(s->loop, &g->end, on_end, g);
	stream_set_events(s, &linger_events, g);
	stream_shutdown(s);
	stream_resume(s, (enum stream_pause)s->paused);
}
