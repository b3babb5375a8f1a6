/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp — a client's connection whose bytes are nobody's business.
 *
 *	SNIFFING (first.c) --bytes--> CONNECTING --open--> (a pipe: this is
 *	   |                             |                  gone)
 *	   `-- refused, client gone -----^--> closed, reported
 *
 * It begins with CONNECTING where the port says what it speaks.
 */
#define LOG_MODULE "proxy"

#include "outbound/peek.h"
#include "pipe/piped.h"
#include "tcp/inside.h"

#include <stdio.h>

static struct tcp *
tcp_of_reg(struct registered *r)
{
	return tcp_of(CONTAINER(r, struct tcp, reg));
}

static void
describe(struct registered *r, struct proxy_conn_info *out)
{
	struct tcp *t = tcp_of_reg(r);

	out->peer = t->record.downstream_remote;
	(void)snprintf(
	    out->what, sizeof(out->what), "%s", listener_name(t->listener));
	(void)snprintf(out->source, sizeof(out->source), "%s",
	    listener_identity(t->listener));
}

static void
cut(struct registered *r, enum err why)
{
	struct tcp *t = tcp_of_reg(r);

	if (t->down != NULL)
		stream_close(t->down, why);
}

/* --- the end --- */

/* Refused here: a connection that never was, said with its reason. */
static void
report_end(struct tcp *t, enum flow_flag flag, struct slice detail)
{
	t->record.flag = flag;
	t->record.detail = detail;
	t->record.duration_us = loop_now_us(t->worker->loop) - t->reg.since_us;
	worker_report(t->worker, &t->record);
	t->over = true;
}

void
tcp_free(struct tcp *t)
{
	dial_stop(&t->dial);
	mem_free(&t->outside);
	timer_clear(&t->silence);
	awaiting_stop(&t->await);
	buf_fini(&t->first);
	snapshot_unref(&t->snapshot);
	listener_leave(&t->listener);
	worker_unregister(&t->reg);
	t->magic = 0;
	mem_free(&t);
}

void
tcp_on_client_gone(struct tcp *t)
{
	t->down = NULL;
	if (!t->over)
		report_end(t, FLOW_DOWNSTREAM_CLOSED, SLICE_NONE);
	tcp_free(t);
}

static void
give_up(struct tcp *t, enum flow_flag flag, struct slice detail)
{
	report_end(t, flag, detail);
	timer_clear(&t->silence);
	dial_stop(&t->dial);
	stream_close(t->down, ERR_RESET);
}

void
tcp_refuse(struct tcp *t, enum flow_flag flag, struct slice words)
{
	listener_refused(t->listener, words);
	give_up(t, flag, words);
}

/* --- an endpoint --- */

/* A failed write is told by the stream's own end, to the pipe. */
static void
send_first(struct tcp *t, struct stream *up)
{
	enum err e = buf_len(&t->first) > 0
			 ? stream_write(up, buf_slice(&t->first))
			 : OK;

	(void)e;
	t->record.bytes_received = buf_len(&t->first);
}

void
tcp_become_pipe(struct tcp *t)
{
	struct piped_spec spec = {.worker = t->worker,
	    .kind = PROXY_CONN_TCP,
	    .down = t->down,
	    .record = &t->record,
	    .listener = t->listener,
	    .what = slice_str(listener_name(t->listener)),
	    .longest_us = bound_longest_us(t->dial.bound)};

	spec.up = dial_take(&t->dial, &spec.host);
	t->record.kind = FLOW_TCP_OPENED;
	send_first(t, spec.up);
	piped_new(&spec);
	tcp_free(t);
}

static void
on_open(void *arg)
{
	struct tcp *t = tcp_of(arg);

	if (t->sniffs)
		first_watch_endpoint(t);
	else
		tcp_become_pipe(t);
}

static void
on_failed(void *arg, enum flow_flag flag, struct slice words)
{
	give_up(tcp_of(arg), flag, words);
}

static const struct dial_events dial_events = {
    .on_open = on_open, .on_failed = on_failed};

/* --- where it goes --- */

/* By an endpoint of the cluster if one is there, else just to the address. */
static void
lead_on(struct tcp *t, struct bound *b)
{
	const struct addr *called = &t->record.downstream_local;

	if (b != NULL && bound_has_at(b, called)) {
		t->dial.at = called;
		return;
	}
	t->outside = mem_new(sizeof(*t->outside));
	outside_be(t->outside, t->worker, called);
	t->dial.outside = t->outside;
}

static void
connect_to(struct tcp *t, const struct view_destination *d)
{
	struct flow_record *f = &t->record;
	bool leads_on = listener_leads_on(t->listener, d);
	struct bound *b = NULL;

	if (d->cluster == NULL && !leads_on) {
		give_up(t, d->flag, d->missing);
		return;
	}
	f->cluster = d->name;
	if (d->cluster != NULL) {
		b = snapshot_bind(t->snapshot, d->cluster);
		worker_name_destination(f, d->cluster);
	}
	flow_party_seal(&f->destination);
	t->dial = (struct dial){.worker = t->worker,
	    .bound = b,
	    .from = t->way.caller,
	    .is_inbound = listener_is_inbound(t->listener),
	    .record = f,
	    .events = &dial_events,
	    .arg = t};
	if (leads_on)
		lead_on(t, b);
	dial_begin(&t->dial);
}

static void
follow(struct tcp *t, const struct view_tcp_route *route)
{
	if (route == NULL) {
		give_up(t, FLOW_NO_ROUTE, SLICE_NONE);
		return;
	}
	t->record.origin = &route->origin;
	connect_to(t, view_choose(route->destinations, route->destination_count,
			  route->weight_total, rng_u64(&t->worker->rng)));
}

void
tcp_route(struct tcp *t)
{
	const struct view_host *host = t->way.host;
	const struct view_connection seen = {
	    .destination =
		listener_called(t->listener, &t->record.downstream_local),
	    .source = t->record.downstream_remote,
	    .sni = t->record.sni};

	if (host != NULL)
		follow(t, view_route_tcp(host, &seen, NULL));
	else if (t->way.chain != NULL)
		follow(t, t->way.chain->tcp);
	else if (t->way.may_come)
		first_await(t);
	else
		tcp_refuse(t, FLOW_NO_ROUTE, t->way.why_not);
}

/* --- beginning --- */

static void
fill_record(struct tcp *t, struct slice sni)
{
	struct flow_record *f = &t->record;
	enum err e = slice_to_cstr(sni, t->sni, sizeof(t->sni));

	f->kind = FLOW_TCP_REFUSED; /* until it stands */
	f->reporter = FLOW_SOURCE;
	f->protocol = S("tcp");
	CHECK(e == OK); /* a hello's is no longer */
	f->sni = slice_str(t->sni);
	f->start_wall_ms = clock_wall_ms(loop_clock(t->worker->loop));
	f->downstream_remote = stream_peer(t->down);
	f->downstream_local = stream_local(t->down);
	if (t->way.caller != NULL)
		f->source = t->way.caller->party;
	if (listener_is_inbound(t->listener))
		listener_name_inbound(t->listener, f);
}

void
tcp_accept(struct worker *w, struct listener *l, struct stream *stream,
    const struct view_connection *seen, struct slice first)
{
	struct tcp *t = mem_new(sizeof(*t));

	t->magic = TCP_MAGIC;
	t->worker = w;
	t->listener = listener_join(l);
	t->down = stream;
	CHECK(w->now != NULL);
	t->snapshot = snapshot_ref(w->now);
	listener_way(l, t->snapshot->view, seen, &t->way);
	buf_init(&t->first, PEEK_BYTES_MAX);
	CHECK(buf_add_slice(&t->first, first) == OK); /* it is no more */
	t->reg = (struct registered){
	    .kind = PROXY_CONN_TCP, .describe = describe, .cut = cut};
	worker_register(w, &t->reg);
	first_init(t);
	fill_record(t, seen->sni);
	if (t->way.sniffs)
		first_listen(t);
	else
		tcp_route(t);
}
