/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflow — what a peer sends on a stream of HTTP/2; see inflow.h.
 */
#include "http/inflow.h"

enum { TRAILERS_BYTES = 2 * LIMIT_HEAD_BYTES };

static bool
is_held(const struct inflow *f)
{
	return buf_len(&f->held) > 0 || f->trailers != NULL;
}

static bool
may_deliver(const struct inflow *f)
{
	return f->events != NULL && f->pauses == 0;
}

static void
credit(struct inflow *f, size_t n)
{
	if (f->h2 != NULL)
		http2_stream_consumed(f->h2, n);
}

static void
tell_end(struct inflow *f)
{
	if (!f->ended || f->told)
		return;
	f->told = true;
	f->events->on_end(f->arg);
}

/* An event may stop it, or be the end of it. */
static void
deliver(struct inflow *f, const bool *gone)
{
	while (buf_len(&f->held) > 0 && may_deliver(f)) {
		struct slice part =
		    slice_sub(buf_slice(&f->held), 0, (size_t)LOOP_SCRATCH_LEN);

		f->events->on_data(f->arg, part);
		if (*gone || f->events == NULL)
			return;
		buf_consume(&f->held, part.len);
		credit(f, part.len);
	}
	if (buf_len(&f->held) > 0 || !may_deliver(f))
		return;
	buf_fini(&f->held);
	if (f->trailers != NULL)
		f->events->on_trailers(f->arg, TAKE(f->trailers));
	if (!*gone && may_deliver(f))
		tell_end(f);
}

static void
on_deliver(void *arg)
{
	struct inflow *f = arg;
	bool gone = false;

	if (!may_deliver(f))
		return;
	f->gone = &gone;
	deliver(f, &gone);
	if (gone)
		return;
	f->gone = NULL;
	if (f->events != NULL && f->events->on_batch_end != NULL)
		f->events->on_batch_end(f->arg);
}

void
inflow_init(struct inflow *f, struct loop *l, struct http2_stream *h2,
    const struct inflow_events *events, void *arg)
{
	*f = (struct inflow){.events = events, .arg = arg, .loop = l, .h2 = h2};
	buf_init(&f->held, LIMIT_H2_STREAM_WINDOW_MAX);
	arena_init(&f->arena, TRAILERS_BYTES);
	loop_later_init(&f->deliver, on_deliver, f);
}

void
inflow_fini(struct inflow *f)
{
	if (f->gone != NULL)
		*f->gone = true;
	loop_later_cancel(&f->deliver);
	buf_fini(&f->held);
	arena_fini(&f->arena);
}

void
inflow_stop(struct inflow *f)
{
	f->events = NULL;
	credit(f, buf_len(&f->held));
	buf_reset(&f->held);
}

void
inflow_data(struct inflow *f, struct slice bytes)
{
	if (f->events == NULL) {
		credit(f, bytes.len);
		return;
	}
	if (!is_held(f) && may_deliver(f)) {
		f->events->on_data(f->arg, bytes);
		credit(f, bytes.len);
		return;
	}
	/* Within the window, for which there is room. */
	if (buf_add_slice(&f->held, bytes) != OK && f->h2 != NULL)
		http2_stream_reset(f->h2, HTTP2_FLOW_CONTROL_ERROR);
}

void
inflow_trailers(struct inflow *f, struct http_head *h)
{
	struct http_head *kept;

	if (f->events == NULL)
		return;
	if (!is_held(f) && may_deliver(f)) {
		f->events->on_trailers(f->arg, h);
		return;
	}
	kept = arena_alloc(&f->arena, sizeof(*kept));
	if (kept != NULL && http_head_copy(h, &f->arena, kept) == OK)
		f->trailers = kept;
	else if (f->h2 != NULL)
		http2_stream_reset(f->h2, HTTP2_INTERNAL_ERROR);
}

void
inflow_end(struct inflow *f)
{
	f->ended = true;
	if (!is_held(f) && may_deliver(f))
		tell_end(f);
}

void
inflow_closed(struct inflow *f)
{
	f->h2 = NULL;
}

void
inflow_pause(struct inflow *f, enum stream_pause why)
{
	f->pauses |= (uint8_t)why;
}

void
inflow_resume(struct inflow *f, enum stream_pause why)
{
	bool was = f->pauses != 0;

	f->pauses &= (uint8_t)~why;
	if (was && f->pauses == 0 && f->events != NULL &&
	    (is_held(f) || (f->ended && !f->told)))
		loop_later(f->loop, &f->deliver);
}

bool
inflow_is_behind(const struct inflow *f)
{
	return f->events != NULL && f->ended && !f->told;
}
