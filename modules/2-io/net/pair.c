/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair — two streams that are joined in memory.
 *
 * Bytes lie with the end that will read them; what exceeds its capacity counts
 * as pending at the end that wrote. Delivery is a later, so a test that turns
 * its loop by hand sees each step.
 */
#include "net.h"

struct pair_end {
	struct stream s;        /* first */
	struct pair_end *other; /* NULL when it is closed */
	struct buf in;
	bool fin; /* no more will come */
	size_t chunk;
	size_t capacity;
	struct loop_later deliver;
};

static struct pair_end *
end_of(struct stream *s)
{
	return CONTAINER(s, struct pair_end, s);
}

/* What `p` wrote and does not count as on its way. */
static size_t
pending_of(const struct pair_end *p)
{
	size_t len = p->other != NULL ? buf_len(&p->other->in) : 0;

	return len > p->capacity ? len - p->capacity : 0;
}

static void
wake(struct pair_end *p)
{
	loop_later(p->s.loop, &p->deliver);
}

static bool
may_deliver(const struct pair_end *p)
{
	return p->s.state == STREAM_OPEN && !p->s.paused && !p->s.ended;
}

/* One on_data, from lent memory: its owner may write while it reads. */
static void
deliver_chunk(struct pair_end *p, struct slice all)
{
	size_t n = MIN(MIN(all.len, p->chunk), (size_t)LOOP_SCRATCH_LEN);
	struct loop *l = p->s.loop;
	char *mem = loop_scratch_lend(l);

	memcpy(mem, all.ptr, n);
	buf_consume(&p->in, n);
	stream_emit_data(&p->s, slice_of(mem, n));
	loop_scratch_return(l, mem);
}

static void
on_deliver(void *arg)
{
	struct pair_end *p = arg;
	struct slice all;

	while (may_deliver(p) && (all = buf_slice(&p->in)).len > 0)
		deliver_chunk(p, all);
	if (may_deliver(p) && buf_len(&p->in) == 0 && p->fin)
		stream_emit_eof(&p->s);
	if (p->other != NULL)
		stream_emit_drained(&p->other->s, pending_of(p->other));
}

static enum err
pair_writev(struct stream *s, const struct slice *parts, size_t count)
{
	struct pair_end *p = end_of(s);
	enum err e = OK;

	if (p->other == NULL) {
		stream_fail(s, ERR_RESET);
		return ERR_RESET;
	}
	for (size_t i = 0; i < count && e == OK; i++)
		e = buf_add_slice(&p->other->in, parts[i]);
	if (e == OK)
		e = stream_mark(s, pending_of(p));
	if (e != OK && e != ERR_AGAIN)
		stream_fail(s, e);
	wake(p->other);
	return e;
}

static void
pair_shutdown(struct stream *s)
{
	struct pair_end *p = end_of(s);

	if (p->other == NULL)
		return;
	p->other->fin = true;
	wake(p->other);
}

static void
pair_pause(struct stream *s)
{
	(void)s; /* on_deliver() looks at the reasons before each chunk */
}

static void
pair_resume(struct stream *s)
{
	wake(end_of(s));
}

static size_t
pair_pending(const struct stream *s)
{
	return pending_of((const struct pair_end *)s);
}

/* The other end hears of it, and this one is alone from now on. */
static void
part(struct pair_end *p, enum err why)
{
	struct pair_end *other = p->other;

	if (other == NULL)
		return;
	p->other = other->other = NULL;
	if (why == ERR_RESET) {
		stream_fail(&other->s, ERR_RESET);
		return;
	}
	other->fin = true;
	wake(other);
}

static void
pair_close(struct stream *s, enum err why)
{
	part(end_of(s), why);
	stream_finish(s);
}

static void
pair_free(struct stream *s)
{
	struct pair_end *p = end_of(s);

	part(p, ERR_RESET); /* no effect unless it failed instead of closing */
	loop_later_cancel(&p->deliver);
	buf_fini(&p->in);
	mem_free(&p);
}

static void
no_addr(const struct stream *s, struct addr *out)
{
	(void)s;
	*out = (struct addr){.family = ADDR_NONE};
}

static const struct stream_ops pair_ops = {
    .name = "pair",
    .writev = pair_writev,
    .shutdown = pair_shutdown,
    .pause = pair_pause,
    .resume = pair_resume,
    .pending = pair_pending,
    .close = pair_close,
    .free = pair_free,
    .peer = no_addr,
    .local = no_addr,
};

static struct pair_end *
end_new(struct loop *loop, const struct net_pair_spec *spec)
{
	struct pair_end *p = mem_new(sizeof(*p));

	stream_init(&p->s, &pair_ops, loop, &stream_deaf, NULL, STREAM_OPEN);
	buf_init(&p->in, SIZE_MAX / 2);
	p->chunk = spec->chunk != 0 ? spec->chunk : SIZE_MAX;
	p->capacity = spec->capacity != 0 ? spec->capacity : 64 << 10;
	loop_later_init(&p->deliver, on_deliver, p);
	return p;
}

void
net_pair_new(struct loop *loop, const struct net_pair_spec *spec,
    struct stream **out_a, struct stream **out_b)
{
	struct pair_end *a = end_new(loop, spec);
	struct pair_end *b = end_new(loop, spec);

	a->other = b;
	b->other = a;
	*out_a = &a->s;
	*out_b = &b->s;
}
