/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp — a client's connection whose bytes are nobody's business.
 *
 *	CONNECTING --open--> (a pipe: this object is gone)
 *	   |  `--failed--> CONNECTING, another endpoint
 *	   `--no more tries, client gone--> closed, reported
 *
 * The first call to a service that is not known waits until it is, for a
 * while. Nobody has said then what it speaks: a client whose first bytes are a
 * request's is given an HTTP answer, any other one, and one that is silent, is
 * reset.
 */
#define LOG_MODULE "proxy"

#include "tcp/tcp.h"

#include "http/conn.h"
#include "outbound/peek.h"
#include "pipe/piped.h"
#include "snapshot.h"
#include "tunnel/tunnels.h"
#include "upstream/upstream.h"

#include <stdio.h>

enum {
	TCP_MAGIC = 0x74637063,
	GUESS_US = 50000,
	AWAIT_US = 1000000 /* for a host to become known */
};

struct tcp {
	uint32_t magic;
	struct worker *worker;
	struct listener *listener; /* counted */
	struct stream *down;       /* NULL once closed */
	struct stream *up;         /* the try that is under way */
	struct snapshot *snapshot;
	struct listener_way way;
	struct buf first; /* of the client's bytes, read ahead */
	char sni[NAME_HOST_MAX + 1];
	struct bound *bound;
	struct host *host; /* of the try; counted, active */
	struct host *tried[TCP_TRIES_MAX];
	size_t tries;
	bool over;            /* refused and reported */
	struct timer guess;   /* until then the client may speak */
	struct timer await;   /* until then the host may become known */
	struct list awaiting; /* of the worker, while that is set */
	struct flow_record record;
	struct registered reg;
};

static struct tcp *
tcp_of(void *arg)
{
	struct tcp *t;

	OBJ(t, arg, TCP_MAGIC);
	return t;
}

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

static void
leave_host(struct tcp *t)
{
	if (t->host == NULL)
		return;
	t->host->lb.active--;
	host_unref(t->worker->hosts, &t->host);
}

static void
stop_awaiting(struct tcp *t)
{
	if (timer_is_set(&t->await))
		list_remove(&t->awaiting);
	timer_clear(&t->await);
}

static void
tcp_free(struct tcp *t)
{
	leave_host(t);
	for (size_t i = 0; i < TCP_TRIES_MAX; i++)
		host_unref(t->worker->hosts, &t->tried[i]);
	timer_clear(&t->guess);
	stop_awaiting(t);
	buf_fini(&t->first);
	snapshot_unref(&t->snapshot);
	listener_unref(&t->listener);
	worker_unregister(&t->reg);
	t->magic = 0;
	mem_free(&t);
}

/* Refused here: a connection that never was, said with its reason. */
static void
report_end(struct tcp *t, enum flow_flag flag, struct slice detail)
{
	t->record.flag = flag;
	t->record.detail = detail;
	t->record.duration_us = loop_now_us(t->worker->loop) - t->reg.since_us;
	worker_report(t->worker, &t->record);
}

static void
give_up(struct tcp *t, enum flow_flag flag, struct slice detail)
{
	report_end(t, flag, detail);
	t->over = true;
	stream_close(t->down, ERR_RESET);
}

/* In words to the log, too: the client of a plain connection sees none. */
static void
refuse(struct tcp *t, enum flow_flag flag, struct slice detail)
{
	timer_clear(&t->guess);
	listener_refused(t->listener, detail);
	give_up(t, flag, detail);
}

/* --- a client of a service that is not known --- */

/* "GET /…", "OPTIONS *", "POST http://…" in the first bytes that came. */
static bool
is_request(struct slice data)
{
	size_t space = slice_find(slice_sub(data, 0, 16), ' ');
	struct slice target = slice_sub(data, space + 1, 1);

	for (size_t i = 0; i < space && i < data.len; i++)
		if (data.ptr[i] < 'A' || data.ptr[i] > 'Z')
			return false;
	return space > 0 && target.len == 1 &&
	       (target.ptr[0] == '/' || target.ptr[0] == '*' ||
		   target.ptr[0] == 'h');
}

static void
become_http(struct tcp *t, struct slice first)
{
	struct worker *w = t->worker;
	struct stream *s = TAKE(t->down);
	struct listener *l = listener_ref(t->listener);

	tcp_free(t);
	conn_accept(w, l, s, first);
	listener_unref(&l);
}

static void
refuse_unknown(struct tcp *t)
{
	refuse(t, FLOW_NO_CLUSTER, t->way.upstream->missing);
}

static void
on_silence(void *arg)
{
	refuse_unknown(tcp_of(arg));
}

static void
guess(struct tcp *t)
{
	timer_set(&t->guess, GUESS_US);
	stream_resume(t->down, STREAM_PAUSE_NOT_READY);
}

/* Only the first: what is not there mostly stays so. */
static void
await(struct tcp *t)
{
	if (!listener_may_await(t->listener)) {
		guess(t);
		return;
	}
	list_push_back(&t->worker->awaiting, &t->awaiting);
	timer_set(&t->await, AWAIT_US);
}

static void
on_miss(void *arg)
{
	struct tcp *t = tcp_of(arg);

	list_remove(&t->awaiting); /* the timer is not set any more */
	listener_missed(t->listener);
	log_warn("a call waited in vain",
	    "listener=%s waited_ms=%d reason=\"%.*s\"",
	    listener_name(t->listener), AWAIT_US / 1000,
	    SLICE_ARG(t->way.upstream->missing));
	guess(t);
}

/* As if it came now: what it speaks may be known, too. */
static void
begin_anew(struct tcp *t)
{
	struct stream *s = TAKE(t->down);
	struct listener *l = listener_ref(t->listener);
	const struct view_connection seen = {
	    .destination = stream_local(s), .source = stream_peer(s)};

	tcp_free(t);
	listener_hand_over(l, s, &seen, SLICE_NONE);
	listener_unref(&l);
}

void
tcp_view_changed(struct worker *w)
{
	LIST_EACH (&w->awaiting, it) {
		struct tcp *t = CONTAINER(it, struct tcp, awaiting);
		const struct view_upstream *u = view_find_upstream(
		    w->now->view, slice_str(listener_name(t->listener)));

		if (u == NULL || u->host != NULL)
			begin_anew(t);
	}
}

/* --- the client, until there is a pipe --- */

static void
on_down_data(struct stream *s, void *arg, struct slice data)
{
	struct tcp *t = tcp_of(arg);

	(void)s; /* t->down */
	if (t->over)
		return;
	CHECK(timer_is_set(&t->guess)); /* else it is paused */
	if (is_request(data))
		become_http(t, data);
	else
		refuse_unknown(t);
}

static void
on_down_eof(struct stream *s, void *arg)
{
	struct tcp *t = tcp_of(arg);

	(void)s; /* t->down */
	if (!t->over)
		refuse_unknown(t);
}

static void
on_down_close(struct stream *s, void *arg, enum err why)
{
	struct tcp *t = tcp_of(arg);

	(void)s; /* gone with this call */
	(void)why;
	t->down = NULL;
	if (!t->over)
		report_end(t, FLOW_DOWNSTREAM_CLOSED, SLICE_NONE);
	if (t->up != NULL)
		stream_close(t->up, ERR_CANCELLED);
	else
		tcp_free(t);
}

static const struct stream_events down_events = {
    .on_data = on_down_data,
    .on_eof = on_down_eof,
    .on_close = on_down_close,
};

/* --- an endpoint --- */

static void try_next(struct tcp *t, struct slice last_words);

/* A failed write is told by the stream's own end, to the pipe. */
static void
send_first(struct tcp *t)
{
	enum err e = buf_len(&t->first) > 0
			 ? stream_write(t->up, buf_slice(&t->first))
			 : OK;

	(void)e;
	t->record.bytes_received = buf_len(&t->first);
}

static void
become_pipe(struct tcp *t)
{
	struct piped_spec spec = {.worker = t->worker,
	    .kind = PROXY_CONN_TCP,
	    .down = t->down,
	    .up = t->up,
	    .record = &t->record,
	    .what = slice_str(listener_name(t->listener)),
	    .host = t->host};

	lb_host_succeeded(&t->host->lb);
	t->host = NULL;
	t->record.upstream_local = stream_local(t->up);
	t->record.kind = FLOW_TCP_OPENED;
	send_first(t);
	piped_new(&spec);
	tcp_free(t);
}

static void
on_up_open(struct stream *s, void *arg)
{
	(void)s; /* t->up */
	become_pipe(tcp_of(arg));
}

static void
on_up_close(struct stream *s, void *arg, enum err why)
{
	struct tcp *t = tcp_of(arg);
	struct slice words = tunnels_why(s);

	t->up = NULL;
	if (t->down == NULL) {
		tcp_free(t);
		return;
	}
	lb_host_failed(&t->host->lb, loop_now_us(t->worker->loop));
	t->host->lb.active--;
	t->tried[t->tries - 1] = t->host;
	t->host = NULL;
	if (words.len == 0)
		words = slice_str(err_text(why));
	if (!t->over)
		try_next(t, words);
}

static void
on_up_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes from an endpoint before there is a pipe");
}

static const struct stream_events up_events = {
    .on_open = on_up_open,
    .on_data = on_up_data,
    .on_close = on_up_close,
};

static void
try_next(struct tcp *t, struct slice last_words)
{
	const struct view_endpoint *e;
	struct tunnels_ask ask = {
	    .from = t->way.caller, .client = &t->record.downstream_remote};
	struct fault why = {0};

	if (t->tries == TCP_TRIES_MAX) {
		give_up(t, FLOW_CONNECT_FAILED, last_words);
		return;
	}
	e = bound_pick(t->bound, t->worker, t->tried, t->tries, &t->host);
	if (e == NULL) {
		give_up(t, FLOW_NO_ENDPOINT, last_words);
		return;
	}
	t->tries++;
	t->record.attempts++;
	t->record.upstream = e->addr;
	t->record.destination = e->party;
	ask.to = e;
	t->up = upstream_dial(t->worker, &ask, &up_events, t, &why);
	if (t->up == NULL)
		give_up(t, FLOW_CONNECT_FAILED, slice_str(why.text));
	else if (stream_is_open(t->up))
		become_pipe(t);
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
}

static void
connect_to(struct tcp *t, const struct view_destination *d)
{
	struct flow_record *f = &t->record;

	if (d->cluster == NULL) {
		give_up(t, d->flag, d->missing);
		return;
	}
	t->bound = snapshot_bind(t->snapshot, d->cluster);
	f->cluster = d->cluster->name;
	f->destination.service = d->cluster->service->host;
	f->destination.service_name = d->cluster->service->name;
	f->destination.service_ns = d->cluster->service->ns;
	flow_party_seal(&f->destination);
	try_next(t, SLICE_NONE);
}

static void
follow(struct tcp *t, const struct view_tcp_route *route)
{
	if (route == NULL)
		give_up(t, FLOW_NO_ROUTE, SLICE_NONE);
	else
		connect_to(t,
		    view_choose(route->destinations, route->destination_count,
			route->weight_total, rng_u64(&t->worker->rng)));
}

static void
route(struct tcp *t)
{
	const struct view_host *host;

	if (t->way.chain != NULL) {
		follow(t, t->way.chain->tcp);
		return;
	}
	if (t->way.upstream == NULL) {
		refuse(t, FLOW_NO_ROUTE, t->way.why_not);
		return;
	}
	host = view_host_now(t->snapshot->view, t->way.upstream->host);
	if (host == NULL)
		await(t);
	else
		follow(t, view_route_tcp(host, host->port, NULL));
}

void
tcp_accept(struct worker *w, struct listener *l, struct stream *stream,
    const struct view_connection *seen, struct slice first)
{
	struct tcp *t = mem_new(sizeof(*t));

	t->magic = TCP_MAGIC;
	t->worker = w;
	t->listener = listener_ref(l);
	t->down = stream;
	CHECK(w->now != NULL);
	t->snapshot = snapshot_ref(w->now);
	listener_way(l, t->snapshot->view, seen, &t->way);
	buf_init(&t->first, PEEK_BYTES_MAX);
	CHECK(buf_add_slice(&t->first, first) == OK); /* it is no more */
	t->reg = (struct registered){
	    .kind = PROXY_CONN_TCP, .describe = describe, .cut = cut};
	worker_register(w, &t->reg);
	timer_init(&t->guess, w->loop, on_silence, t);
	timer_init(&t->await, w->loop, on_miss, t);
	stream_set_events(stream, &down_events, t);
	fill_record(t, seen->sni);
	route(t);
}
