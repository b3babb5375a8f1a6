/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions — HTTP/2 to endpoints: requests are streams of shared sessions.
 *
 * A session belongs to its host until its transport ends. A call outlives its
 * stream until its user has heard of the end, and its user until the stream is
 * closed.
 */
#include "upstream/inside.h"

#include "http/inflow.h"
#include "tunnel/tunnels.h"

enum { SESSION_MAGIC = 0x68327365, CALL_MAGIC = 0x68326361 };

/*
 * Services are not asked whether they live: gRPC's servers end a connection
 * that asks too often. Whether the machine is there the tunnel finds out.
 */
static const struct http2_limits limits = {
    .streams = 100, /* until the peer says how many */
    .head_bytes = LIMIT_HEAD_BYTES,
    .frame_bytes = 64 << 10,
    .idle_us = UPSTREAM_IDLE_US,
};

static const struct slice no_upgrade = {
    "the service speaks HTTP/2 and takes no WebSockets", 49};

struct session {
	uint32_t magic;
	bool used;  /* it carried a request before */
	bool ready; /* it said how many streams it takes */
	struct list link;
	struct worker *worker;
	struct host *host; /* counted */
	struct http2 *http2;
	uint64_t way;
	uint32_t calls;
	struct call *unflushed; /* whose user holds bytes back in this read */
	struct list streamless; /* calls that no stream tells of the end */
	struct timer age;       /* set if it may get too old */
};

struct call {
	struct upstream_conn up; /* first */
	uint32_t magic;
	struct session *session; /* NULL once it is gone */
	struct http2_stream *h2; /* NULL before the head, and once closed */
	bool ended;              /* our half */
	struct slice protocol;   /* that was asked for; the request's */
	struct list link;        /* of session->streamless */
	struct inflow in;
};

static struct session *
session_of(void *arg)
{
	struct session *s;

	OBJ(s, arg, SESSION_MAGIC);
	return s;
}

static struct call *
call_of(void *arg)
{
	struct call *c;

	OBJ(c, arg, CALL_MAGIC);
	return c;
}

static struct call *
call_of_up(struct upstream_conn *u)
{
	return call_of(CONTAINER(u, struct call, up));
}

/* --- the user is told in batches ------------------------------------------ */

static void
end_batch(struct call *c)
{
	if (c->up.events != NULL && c->up.events->on_batch_end != NULL)
		c->up.events->on_batch_end(c->up.arg, &c->up);
}

static void
flush_user(struct session *s)
{
	struct call *c = TAKE(s->unflushed);

	if (c != NULL)
		end_batch(c);
}

/* Something is told to the call's user: what others hold back goes first. */
static void
tell(struct call *c)
{
	struct session *s = c->session;

	if (s == NULL || s->unflushed == c)
		return;
	flush_user(s);
	s->unflushed = c;
}

/* --- the end of a call ---------------------------------------------------- */

/* Before its session is, or with it. */
static void
leave_session(struct call *c)
{
	struct session *s = TAKE(c->session);

	if (s == NULL)
		return;
	if (s->unflushed == c)
		s->unflushed = NULL;
	list_remove(&c->link);
	if (--s->calls > 0)
		return;
	tunnels_set_patience(http2_transport(s->http2), HTTP2_IDLE);
	if (s->worker->draining)
		http2_shutdown(s->http2);
}

static void
free_if_over(struct call *c)
{
	if (c->h2 != NULL || c->up.events != NULL)
		return;
	leave_session(c);
	inflow_fini(&c->in);
	host_unref(c->up.worker->hosts, &c->up.host);
	c->magic = 0;
	mem_free(&c);
}

/* The user leaves: what is not over is broken off. */
static void
leave(struct upstream_conn *up)
{
	struct call *c = call_of_up(up);

	up->events = NULL;
	inflow_stop(&c->in);
	if (c->h2 != NULL && !(c->ended && c->in.ended))
		http2_stream_reset(c->h2, HTTP2_CANCEL);
	free_if_over(c);
}

static void
fail(struct call *c, enum err why, struct slice words)
{
	const struct upstream_events *events = TAKE(c->up.events);

	inflow_stop(&c->in);
	if (events != NULL)
		events->on_failed(c->up.arg, &c->up, why, words);
}

/* --- the response ----------------------------------------------------------
 */

static void
on_body(void *arg, struct slice bytes)
{
	struct call *c = call_of(arg);

	c->up.events->on_body(c->up.arg, &c->up, bytes);
}

static void
on_trailers_due(void *arg, struct http_head *h)
{
	struct call *c = call_of(arg);

	c->up.events->on_trailers(c->up.arg, &c->up, h);
}

static void
on_end_due(void *arg)
{
	struct call *c = call_of(arg);

	c->up.events->on_complete(c->up.arg, &c->up);
}

static void
on_held_delivered(void *arg)
{
	end_batch(call_of(arg));
}

static const struct inflow_events inflow_events = {
    .on_data = on_body,
    .on_trailers = on_trailers_due,
    .on_end = on_end_due,
    .on_batch_end = on_held_delivered,
};

static void
on_interim(void *arg, struct http2_stream *h2, struct http_head *h)
{
	struct call *c = call_of(arg);

	(void)h2; /* c->h2 */
	c->up.answered = true;
	tell(c);
	if (c->up.events != NULL && c->up.events->on_interim != NULL &&
	    h->status != 101)
		c->up.events->on_interim(c->up.arg, &c->up, h);
}

/* RFC 8441 §5: inside it is a 101, as of HTTP/1.1. */
static void
switch_protocol(struct call *c, struct http_head *h)
{
	h->status = 101;
	h->framing = HTTP_BODY_TUNNEL;
	h->upgrade = c->protocol;
	inflow_pause(&c->in, STREAM_PAUSE_OWNER);
	if (c->up.events != NULL)
		c->up.events->on_head(c->up.arg, &c->up, h);
	if (c->up.events != NULL)
		c->up.events->on_upgrade(c->up.arg, &c->up, SLICE_NONE);
}

static void
on_head(void *arg, struct http2_stream *h2, struct http_head *h, bool end)
{
	struct call *c = call_of(arg);
	struct stream *below = http2_transport(http2_stream_conn(h2));

	c->up.answered = true;
	if (below != NULL)
		c->up.local = stream_local(below);
	tell(c);
	if (c->protocol.len > 0 && h->status == 200 && !end)
		switch_protocol(c, h);
	else if (c->up.events != NULL)
		c->up.events->on_head(c->up.arg, &c->up, h);
}

static void
on_data(void *arg, struct http2_stream *h2, struct slice bytes)
{
	struct call *c = call_of(arg);

	(void)h2; /* c->h2 */
	tell(c);
	inflow_data(&c->in, bytes);
}

static void
on_trailers(void *arg, struct http2_stream *h2, struct http_head *h)
{
	struct call *c = call_of(arg);

	(void)h2; /* c->h2 */
	tell(c);
	inflow_trailers(&c->in, h);
}

static void
on_end(void *arg, struct http2_stream *h2)
{
	struct call *c = call_of(arg);

	(void)h2; /* c->h2 */
	tell(c);
	inflow_end(&c->in);
}

static void
on_drained(void *arg, struct http2_stream *h2)
{
	struct call *c = call_of(arg);

	(void)h2; /* c->h2 */
	if (c->up.events != NULL)
		c->up.events->on_drained(c->up.arg, &c->up);
}

/* Of a head that is too large. */
static enum http1_flaw
flaw_of(const struct http2_stream *h2)
{
	return http2_stream_is_overlong(h2) ? HTTP1_HEAD_TOO_LARGE
					    : HTTP1_TOO_MANY_FIELDS;
}

static struct slice
words_of(struct http2_stream *h2, enum err why, uint32_t code)
{
	struct http2 *conn = http2_stream_conn(h2);
	struct stream *below = http2_transport(conn);

	if (why == ERR_PROTOCOL && http2_is_ending(conn))
		return S("the endpoint's answer is no HTTP/2");
	if (why == ERR_PROTOCOL && code == HTTP2_ENHANCE_YOUR_CALM)
		return slice_str(http1_flaw_text(flaw_of(h2)));
	if (why == ERR_PROTOCOL)
		return S("the endpoint's answer makes no sense in HTTP/2");
	return below != NULL ? tunnels_why(below) : SLICE_NONE;
}

/* We reset what makes no sense, and a head that is too large. */
static enum err
cause_of(enum err why, uint32_t code)
{
	if (why == ERR_CANCELLED &&
	    (code == HTTP2_PROTOCOL_ERROR || code == HTTP2_ENHANCE_YOUR_CALM))
		return ERR_PROTOCOL;
	return why == OK || why == ERR_CLOSED ? ERR_EOF : why;
}

static void
on_close(void *arg, struct http2_stream *h2, enum err why, uint32_t code)
{
	struct call *c = call_of(arg);
	struct http2 *conn = http2_stream_conn(h2);

	c->h2 = NULL;
	inflow_closed(&c->in);
	leave_session(c);
	if (why == OK && inflow_is_behind(&c->in))
		return; /* its user still has to hear of the end */
	c->up.untouched = why == ERR_REFUSED;
	c->up.left = c->up.untouched && http2_is_going(conn);
	c->up.open = http2_was_open(conn);
	/* A stream that is reset was met by somebody who lives. */
	c->up.reused = c->up.reused && http2_is_ending(conn);
	why = cause_of(why, code);
	c->up.overlong = http2_stream_is_overlong(h2);
	if (why == ERR_PROTOCOL && !http2_is_ending(conn))
		worker_refused(c->up.worker, REFUSED_SERVICE,
		    http1_flaw_word(code == HTTP2_ENHANCE_YOUR_CALM
					? flaw_of(h2)
					: HTTP1_BAD_HEAD));
	fail(c, why, words_of(h2, why, code));
	free_if_over(c);
}

static const struct http2_stream_events stream_events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_close = on_close,
};

/* --- the request -----------------------------------------------------------
 */

static enum err
send_head(struct upstream_conn *up, const struct http_head *h, bool end)
{
	struct call *c = call_of_up(up);
	struct session *s = c->session;

	bool upgrade = h->upgrade.len > 0;

	c->h2 = http2_request(s->http2, h, end && !upgrade, &stream_events, c);
	if (c->h2 == NULL && http2_is_usable(s->http2))
		return ERR_LIMIT;
	if (c->h2 == NULL) {
		list_push_back(&s->streamless, &c->link);
		return ERR_CLOSED;
	}
	c->protocol = h->upgrade;
	end = end && !upgrade;
	c->in.h2 = c->h2;
	c->ended = end;
	http2_stream_set_patience(c->h2, HTTP2_URGENT);
	return OK;
}

static enum err
send_body(struct upstream_conn *up, struct slice bytes)
{
	struct call *c = call_of_up(up);

	if (c->h2 == NULL)
		return ERR_CLOSED;
	return bytes.len > 0 ? http2_stream_send(c->h2, bytes) : OK;
}

static enum err
send_end(struct upstream_conn *up, const struct http_head *trailers)
{
	struct call *c = call_of_up(up);

	/* Behind the head of an upgrade nothing is over. */
	if (c->ended || c->h2 == NULL || c->protocol.len > 0)
		return OK;
	c->ended = true;
	return http2_stream_end(c->h2, trailers);
}

/* All frames of a turn leave together. */
static enum err
flush(struct upstream_conn *up)
{
	(void)up;
	return OK;
}

static void
pause_response(struct upstream_conn *up, enum stream_pause why)
{
	inflow_pause(&call_of_up(up)->in, why);
}

static void
resume_response(struct upstream_conn *up, enum stream_pause why)
{
	inflow_resume(&call_of_up(up)->in, why);
}

static struct stream *
take(struct upstream_conn *up)
{
	struct call *c = call_of_up(up);
	struct stream *s = http_tunnel_take(
	    c->h2, &c->in.held, c->in.ended, &upstream_nobody, NULL);

	c->h2 = NULL;
	up->events = NULL;
	free_if_over(c);
	return s;
}

static struct addr
peer(const struct upstream_conn *up)
{
	const struct call *c = (const struct call *)(const void *)up;
	const struct stream *below =
	    c->session != NULL ? http2_transport(c->session->http2) : NULL;

	return below != NULL ? stream_peer(below)
			     : (struct addr){.family = ADDR_NONE};
}

static const struct upstream_ops call_ops = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .flush = flush,
    .pause = pause_response,
    .resume = resume_response,
    .release = leave,
    .cancel = leave,
    .take = take,
    .peer = peer,
};

/* --- sessions --------------------------------------------------------------
 */

/* What waited to know whether it may be asked for may be sent now. */
static void
let_upgrade(struct call *c)
{
	list_remove(&c->link);
	if (http2_allows_upgrades(c->session->http2)) {
		c->up.open = true;
		c->up.events->on_open(c->up.arg, &c->up);
		return;
	}
	fail(c, ERR_UNSUPPORTED, no_upgrade);
	free_if_over(c);
}

/* The next session need not find out by having its streams refused. */
static void
on_ready(void *arg, struct http2 *http2)
{
	struct session *s = session_of(arg);

	s->ready = true;
	s->host->streams_max = http2_streams_max(http2);
	LIST_EACH (&s->streamless, it) {
		struct call *c = CONTAINER(it, struct call, link);

		if (!c->up.open)
			let_upgrade(c);
	}
}

static void
on_batch_end(void *arg, struct http2 *http2)
{
	(void)http2; /* s->http2 */
	flush_user(session_of(arg));
}

/* The transport could not even begin, or ended before it was known what the
 * peer takes. */
static void
fail_streamless(struct session *s, enum err why, struct slice words)
{
	struct call *c;

	while ((c = LIST_FIRST(&s->streamless, struct call, link)) != NULL) {
		leave_session(c);
		c->up.open = false;
		fail(c, why, words);
		free_if_over(c);
	}
}

static void
on_session_close(void *arg, struct http2 *http2, enum err why)
{
	struct session *s = session_of(arg);

	worker_refused_http2(s->worker, REFUSED_SERVICE, http2);
	fail_streamless(
	    s, why == OK ? ERR_EOF : why, tunnels_why(http2_transport(http2)));
	CHECK(s->calls == 0); /* each stream was told */
	timer_clear(&s->age);
	list_remove(&s->link);
	host_unref(s->worker->hosts, &s->host);
	s->worker->upstreams--;
	s->magic = 0;
	mem_free(&s);
}

static const struct http2_events session_events = {
    .on_ready = on_ready,
    .on_batch_end = on_batch_end,
    .on_close = on_session_close,
};

/* Its streams end in their time; others get a session of their own. */
static void
on_age(void *arg)
{
	http2_shutdown(session_of(arg)->http2);
}

static struct session *
session_new(const struct upstream_ask *ask, struct fault *why)
{
	struct worker *w = ask->worker;
	struct stream *transport =
	    upstream_dial(w, &ask->way, &upstream_nobody, NULL, why);
	struct session *s;

	if (transport == NULL)
		return NULL;
	s = mem_new(sizeof(*s));
	s->magic = SESSION_MAGIC;
	s->worker = w;
	s->host = ask->host;
	s->host->refs++;
	w->upstreams++;
	s->way = upstream_way(w, &ask->way);
	list_push_front(&s->host->sessions, &s->link);
	list_init(&s->streamless);
	timer_init(&s->age, w->loop, on_age, s);
	if (ask->longest_us > 0)
		timer_set(&s->age, ask->longest_us);
	s->http2 = http2_open(&(struct http2_spec){
	    .loop = w->loop,
	    .transport = transport,
	    .limits = &limits,
	    .budget = &w->proxy->budget,
	    .events = &session_events,
	    .arg = s,
	});
	return s;
}

static bool
has_room(const struct session *s)
{
	uint32_t most = s->host->streams_max;

	return http2_is_usable(s->http2) &&
	       (s->ready || most == 0 || s->calls < most);
}

static struct session *
session_for(const struct upstream_ask *ask, struct fault *why)
{
	uint64_t way = upstream_way(ask->worker, &ask->way);

	LIST_EACH (&ask->host->sessions, it) {
		struct session *s = CONTAINER(it, struct session, link);

		if (s->way == way && has_room(s))
			return s;
	}
	return session_new(ask, why);
}

struct upstream_conn *
sessions_acquire(const struct upstream_ask *ask, struct fault *why)
{
	struct session *s = session_for(ask, why);
	struct call *c;

	if (s == NULL)
		return NULL;
	if (ask->upgrade && http2_is_ready(s->http2) &&
	    !http2_allows_upgrades(s->http2)) {
		(void)fault_set(
		    why, ERR_UNSUPPORTED, "%.*s", SLICE_ARG(no_upgrade));
		return NULL;
	}
	c = mem_new(sizeof(*c));
	c->magic = CALL_MAGIC;
	c->session = s;
	c->up.ops = &call_ops;
	c->up.worker = ask->worker;
	c->up.host = ask->host;
	c->up.host->refs++;
	c->up.reused = s->used;
	/* What is sent waits until it is open, but nobody may ask for another
	 * protocol before the peer says so (RFC 8441 §3). */
	c->up.open = !ask->upgrade || http2_is_ready(s->http2);
	if (!c->up.open)
		list_push_back(&s->streamless, &c->link);
	inflow_init(&c->in, ask->worker->loop, NULL, &inflow_events, c);
	s->used = true;
	if (s->calls++ == 0)
		tunnels_set_patience(http2_transport(s->http2), HTTP2_URGENT);
	return &c->up;
}

static bool
is_carried_by(struct session *s, const struct http2 *carrier)
{
	struct stream *below = http2_transport(s->http2);

	return below != NULL && http_tunnel_is(below) &&
	       http_tunnel_conn(below) == carrier;
}

void
sessions_drain(struct host *host, const struct http2 *carrier)
{
	LIST_EACH (&host->sessions, it) {
		struct session *s = CONTAINER(it, struct session, link);

		if (carrier == NULL || is_carried_by(s, carrier))
			http2_shutdown(s->http2);
	}
}
