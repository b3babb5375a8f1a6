/* SPDX-License-Identifier: Apache-2.0 */
/*
 * first — a client's first bytes, where nothing declares what they are.
 *
 *	SNIFFING --a request line--> HTTP (this object is gone)
 *	   | `--anything else--> bytes, unless there are rules for requests
 *	   `--silent for 50 ms--> SNIFFING, an endpoint is connected as well:
 *	        |                 if that speaks first, they are bytes
 *	        `--in the middle of a line--> bytes, or, if there are rules,
 *	                          60 s for the rest of it
 *
 * Nothing of the client's is sent on before it is known what it is, so however
 * slowly it speaks, it does not get past a rule for requests. Where there is
 * none, nobody is kept waiting for longer than 50 ms by half a line.
 *
 * The first call to a service that is not known waits until it is, for a
 * while. Nobody has said then what it speaks: a client whose first bytes are a
 * request's is given an HTTP answer, any other one, and one that is silent, is
 * reset.
 */
#define LOG_MODULE "proxy"

#include "http/conn.h"
#include "tcp/inside.h"

enum {
	SILENCE_US = 50000,
	AWAIT_US = 1000000 /* for a host to become known */
};

static bool
is_known(const struct tcp *t)
{
	return t->way.host != NULL || t->way.chain != NULL;
}

static void
refuse_unknown(struct tcp *t)
{
	tcp_refuse(t, FLOW_NO_CLUSTER, t->way.why_not);
}

static void
refuse_bytes(struct tcp *t, struct slice words)
{
	tcp_refuse(t, FLOW_DOWNSTREAM_PROTOCOL, words);
}

/* --- what it is ----------------------------------------------------------- */

/* Its bytes move with it. */
static void
become_http(struct tcp *t, enum http_sniff is)
{
	const struct slice alpn = is == HTTP_SNIFF_2 ? S("h2c") : S("http/1.1");
	struct worker *w = t->worker;
	struct stream *s = TAKE(t->down);
	struct listener *l = listener_ref(t->listener);
	const struct view_connection seen = {.destination = stream_local(s),
	    .source = stream_peer(s),
	    .alpns = &alpn,
	    .alpn_count = 1};
	struct buf first = t->first;
	bool known = is_known(t);

	t->first = BUF(0);
	tcp_free(t);
	if (known)
		listener_hand_over(l, s, &seen, buf_slice(&first));
	else
		conn_accept(w, l, s, buf_slice(&first));
	buf_fini(&first);
	listener_unref(&l);
}

static void
become_bytes(struct tcp *t)
{
	if (!is_known(t)) {
		refuse_unknown(t);
		return;
	}
	if (listener_way_refuses_bytes(&t->way)) {
		refuse_bytes(t, view_only_requests);
		return;
	}
	t->sniffs = false;
	timer_clear(&t->silence);
	stream_pause(t->down, STREAM_PAUSE_NOT_READY);
	if (!dial_has_begun(&t->dial))
		tcp_route(t);
	else if (dial_is_open(&t->dial))
		tcp_become_pipe(t);
}

static uint64_t
waited_us(const struct tcp *t)
{
	return t->first_us == 0 ? 0
				: loop_now_us(t->worker->loop) - t->first_us;
}

static void
look(struct tcp *t)
{
	enum http_sniff is = http_sniff(buf_slice(&t->first));

	if (is == HTTP_SNIFF_1 || is == HTTP_SNIFF_2)
		become_http(t, is);
	else if (is == HTTP_SNIFF_BYTES)
		become_bytes(t);
	else if (waited_us(t) >= t->worker->proxy->limits.head_us)
		refuse_bytes(t, S("the request line did not come in time"));
	else
		timer_set(&t->silence, SILENCE_US);
}

/* Half a line, and whatever follows must be a request: it may take its time. */
static void
go_on_waiting(struct tcp *t)
{
	uint64_t us = waited_us(t);

	if (us >= t->worker->proxy->limits.head_us)
		refuse_bytes(t, S("the request line did not come in time"));
	else
		timer_set(&t->silence, t->worker->proxy->limits.head_us - us);
}

static void
on_silence(void *arg)
{
	struct tcp *t = tcp_of(arg);

	if (!is_known(t))
		refuse_unknown(t);
	else if (buf_len(&t->first) == 0)
		tcp_route(t); /* still sniffing */
	else if (listener_way_refuses_bytes(&t->way))
		go_on_waiting(t);
	else
		become_bytes(t);
}

/* --- the endpoint speaks first -------------------------------------------- */

static void
on_up_data(struct stream *s, void *arg, struct slice data)
{
	struct tcp *t = tcp_of(arg);
	enum err e;

	(void)s; /* t->dial.up */
	if (t->over)
		return;
	if (listener_way_refuses_bytes(&t->way)) {
		refuse_bytes(t, view_only_requests);
		return;
	}
	e = stream_write(t->down, data);
	(void)e; /* its end is told to the pipe */
	t->record.bytes_sent += data.len;
	tcp_become_pipe(t);
}

static void
on_up_eof(struct stream *s, void *arg)
{
	struct tcp *t = tcp_of(arg);

	(void)s; /* t->dial.up */
	if (!t->over)
		become_bytes(t);
}

static void
on_up_close(struct stream *s, void *arg, enum err why)
{
	struct tcp *t = tcp_of(arg);

	(void)s; /* gone with this call */
	t->dial.up = NULL;
	if (!t->over)
		tcp_refuse(t, FLOW_UPSTREAM_RESET, slice_str(err_text(why)));
}

static const struct stream_events up_events = {
    .on_data = on_up_data, .on_eof = on_up_eof, .on_close = on_up_close};

void
first_watch_endpoint(struct tcp *t)
{
	stream_set_events(t->dial.up, &up_events, t);
}

/* --- the client ----------------------------------------------------------- */

static void
on_down_data(struct stream *s, void *arg, struct slice data)
{
	struct tcp *t = tcp_of(arg);

	(void)s; /* t->down */
	if (t->over)
		return;
	CHECK(t->sniffs); /* else it is paused */
	if (t->first_us == 0)
		t->first_us = loop_now_us(t->worker->loop);
	if (buf_add_slice(&t->first, data) == OK)
		look(t);
	else
		refuse_bytes(t, S("the client's first bytes are too many"));
}

/* Whoever ended waits for bytes, if for anything. */
static void
on_down_eof(struct stream *s, void *arg)
{
	struct tcp *t = tcp_of(arg);

	(void)s; /* t->down */
	if (!t->over)
		become_bytes(t);
}

static void
on_down_close(struct stream *s, void *arg, enum err why)
{
	struct tcp *t = tcp_of(arg);

	(void)s; /* gone with this call */
	(void)why;
	tcp_on_client_gone(t);
}

static const struct stream_events down_events = {
    .on_data = on_down_data,
    .on_eof = on_down_eof,
    .on_close = on_down_close,
};

void
first_listen(struct tcp *t)
{
	t->sniffs = true;
	stream_resume(t->down, STREAM_PAUSE_NOT_READY);
	if (buf_len(&t->first) > 0) {
		t->first_us = loop_now_us(t->worker->loop);
		look(t);
	} else {
		timer_set(&t->silence, SILENCE_US);
	}
}

/* --- a service that is not known ------------------------------------------ */

static struct tcp *
tcp_of_await(struct awaiting *a)
{
	return tcp_of(CONTAINER(a, struct tcp, await));
}

static void
on_miss(struct awaiting *a)
{
	struct tcp *t = tcp_of_await(a);

	listener_missed(t->listener);
	log_warn("a call waited in vain",
	    "listener=%s waited_ms=%d reason=\"%.*s\"",
	    listener_name(t->listener), AWAIT_US / 1000,
	    SLICE_ARG(t->way.why_not));
	first_listen(t);
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
	listener_accept(l, s, &seen, SLICE_NONE);
	listener_unref(&l);
}

static void
on_view(struct awaiting *a)
{
	struct tcp *t = tcp_of_await(a);
	const struct view_connection seen = {
	    .destination = stream_local(t->down),
	    .source = stream_peer(t->down)};
	struct listener_way way;

	listener_way(t->listener, t->worker->now->view, &seen, &way);
	if (!way.may_come)
		begin_anew(t);
}

/* Only the first: what is not there mostly stays so. */
void
first_await(struct tcp *t)
{
	if (!listener_may_await(t->listener)) {
		first_listen(t);
		return;
	}
	t->await.on_view = on_view;
	t->await.on_end = on_miss;
	awaiting_begin(t->worker, &t->await, AWAIT_US);
}

/* --- beginning ------------------------------------------------------------ */

void
first_init(struct tcp *t)
{
	timer_init(&t->silence, t->worker->loop, on_silence, t);
	stream_set_events(t->down, &down_events, t);
}
