/* SPDX-License-Identifier: Apache-2.0 */
/*
 * piped — a pipe with what is to be said of it: listed, counted, reported.
 */
#include "pipe/piped.h"

#include "tunnel/tunnels.h"

#include <stdio.h>

enum { PIPED_MAGIC = 0x70697064, RECORD_BYTES = 16 << 10, WHAT_MAX = 128 };

struct piped {
	uint32_t magic;
	struct worker *worker;
	struct pipe *pipe;
	struct listener *listener; /* joined, or NULL */
	struct host *host;
	struct registered reg;
	struct arena arena;
	struct flow_record record;
	uint64_t began_us;
	struct timer *age; /* NULL: it may be of any age */
	bool is_too_old;
	char what[WHAT_MAX];
};

static struct piped *
piped_of(void *arg)
{
	struct piped *p;

	OBJ(p, arg, PIPED_MAGIC);
	return p;
}

static struct piped *
piped_of_reg(struct registered *r)
{
	return piped_of(CONTAINER(r, struct piped, reg));
}

static void
describe(struct registered *r, struct proxy_conn_info *out)
{
	struct piped *p = piped_of_reg(r);

	out->peer = p->record.downstream_remote;
	out->bytes_in = pipe_bytes(p->pipe, PIPE_DOWN);
	out->bytes_out = pipe_bytes(p->pipe, PIPE_UP);
	(void)snprintf(out->what, sizeof(out->what), "%s", p->what);
	(void)snprintf(out->source, sizeof(out->source), "%.*s",
	    SLICE_ARG(p->record.source.identity));
}

static void
cut(struct registered *r, enum err why)
{
	pipe_cut(piped_of_reg(r)->pipe, why);
}

static enum flow_flag
flag_of(enum err why, enum pipe_side side)
{
	if (why == OK)
		return FLOW_OK;
	return side == PIPE_DOWN ? FLOW_DOWNSTREAM_CLOSED : FLOW_UPSTREAM_RESET;
}

static void
on_done(void *arg, struct pipe *pipe, enum err why, enum pipe_side side)
{
	struct piped *p = piped_of(arg);
	struct flow_record *f = &p->record;

	f->bytes_received += pipe_bytes(pipe, PIPE_DOWN);
	f->bytes_sent += pipe_bytes(pipe, PIPE_UP);
	f->duration_us = loop_now_us(p->worker->loop) - p->began_us;
	f->flag = p->is_too_old ? FLOW_TOO_OLD : flag_of(why, side);
	if (f->kind == FLOW_TCP_OPENED)
		f->kind = FLOW_TCP_CLOSED;
	worker_report(p->worker, f);
	if (p->host != NULL)
		p->host->lb.active--;
	host_unref(p->worker->hosts, &p->host);
	worker_unregister(&p->reg);
	listener_leave(&p->listener);
	arena_fini(&p->arena);
	if (p->age != NULL)
		timer_clear(p->age);
	mem_free(&p->age);
	p->magic = 0;
	mem_free(&p);
}

static void
on_age(void *arg)
{
	struct piped *p = piped_of(arg);

	p->is_too_old = true;
	pipe_cut(p->pipe, ERR_TIMEOUT);
}

static void
limit_age(struct piped *p, uint64_t longest_us)
{
	p->age = mem_new(sizeof(*p->age));
	timer_init(p->age, p->worker->loop, on_age, p);
	timer_set(p->age, longest_us);
}

void
piped_new(const struct piped_spec *spec)
{
	struct piped *p = mem_new(sizeof(*p));

	p->magic = PIPED_MAGIC;
	p->worker = spec->worker;
	if (spec->listener != NULL)
		p->listener = listener_join(spec->listener);
	p->host = spec->host;
	p->began_us = loop_now_us(spec->worker->loop);
	arena_init(&p->arena, RECORD_BYTES);
	flow_record_copy(spec->record, &p->arena, &p->record);
	(void)snprintf(p->what, sizeof(p->what), "%.*s", SLICE_ARG(spec->what));
	p->reg = (struct registered){
	    .kind = spec->kind, .describe = describe, .cut = cut};
	worker_register(spec->worker, &p->reg);
	if (p->record.kind == FLOW_TCP_OPENED)
		worker_report(spec->worker, &p->record);
	/* What has no second try outlives a network that comes back. */
	tunnels_set_patience(spec->up, HTTP2_PATIENT);
	p->pipe = pipe_new(spec->down, spec->up, on_done, p);
	if (spec->longest_us > 0)
		limit_age(p, spec->longest_us);
}
