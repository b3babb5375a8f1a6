/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_conn — a client's HTTP/2 connection: each stream of it is a client.
 *
 * What one read brings for one stream is sent on together: before another
 * stream is served, and at the end of the read, its request is told so.
 *
 * Of the requests that come in one turn a few begin at once, the others at its
 * end: a client that takes them back by then has cost nobody behind us a thing
 * (CVE-2023-44487).
 */
#include "http/h2_conn.h"

#include "http/conn.h"
#include "http/inflow.h"
#include "http/request.h"
#include "upstream/upstream.h"

#include <stdio.h>

enum {
	CONN_MAGIC = 0x6832636e,
	CALLER_MAGIC = 0x68326372,
	STREAMS_MAX = 1024,
	STREAMS_MAX_OUTSIDE = 100, /* as Envoy advises at an edge */
	BEGIN_AT_ONCE = 8,         /* requests, in a turn */
	FRAME_BYTES = 16 << 10
};

struct h2_conn {
	uint32_t magic;
	struct worker *worker;
	struct listener *listener; /* counted */
	struct http2 *http2;
	struct caller *unflushed; /* whose request holds bytes back */
	struct list waiting;      /* callers whose requests begin later */
	struct loop_later turn;   /* the end of this one */
	unsigned begun;           /* requests, in it */
	struct addr peer;
	struct addr local;
	struct registered reg;
	uint64_t requests;
};

/* One stream. */
struct caller {
	struct client client; /* first */
	uint32_t magic;
	struct h2_conn *conn;
	struct http2_stream *h2; /* NULL once closed */
	struct list waiting;     /* of the connection's, until it begins */
	struct http_head *head;
	bool last;  /* the head is all of it */
	bool begun; /* the answer's head went out */
	bool ended; /* our half */
	struct inflow in;
};

static struct h2_conn *
conn_of(void *arg)
{
	struct h2_conn *c;

	OBJ(c, arg, CONN_MAGIC);
	return c;
}

static struct caller *
caller_of(void *arg)
{
	struct caller *c;

	OBJ(c, arg, CALLER_MAGIC);
	return c;
}

static struct caller *
caller_of_client(struct client *client)
{
	return caller_of(CONTAINER(client, struct caller, client));
}

/* --- what comes ------------------------------------------------------------
 */

static void
flush_request(struct h2_conn *c)
{
	struct caller *x = TAKE(c->unflushed);

	if (x != NULL && x->client.request != NULL)
		request_on_batch_end(x->client.request);
}

/* Its bytes are at hand now, and nobody else's. */
static void
begin(struct caller *x)
{
	if (x->conn->unflushed != x)
		flush_request(x->conn);
	x->conn->unflushed = x;
	x->client.reading = true;
}

static void
end(struct caller *x)
{
	x->client.reading = false;
}

static void
on_body(void *arg, struct slice bytes)
{
	struct caller *x = caller_of(arg);

	if (x->client.request != NULL)
		request_on_body(x->client.request, bytes);
}

static void
on_trailers_due(void *arg, struct http_head *h)
{
	struct caller *x = caller_of(arg);

	if (x->client.request != NULL)
		request_on_trailers(x->client.request, h);
}

static void
on_end_due(void *arg)
{
	struct caller *x = caller_of(arg);

	if (x->client.request != NULL)
		request_on_complete(x->client.request);
}

/* Behind a pause, and not in a read. */
static void
on_held_delivered(void *arg)
{
	struct caller *x = caller_of(arg);

	if (x->client.request != NULL)
		request_on_batch_end(x->client.request);
}

static const struct inflow_events inflow_events = {
    .on_data = on_body,
    .on_trailers = on_trailers_due,
    .on_end = on_end_due,
    .on_batch_end = on_held_delivered,
};

static void
on_data(void *arg, struct http2_stream *h2, struct slice bytes)
{
	struct caller *x = caller_of(arg);

	(void)h2; /* x->h2 */
	begin(x);
	inflow_data(&x->in, bytes);
	end(x);
}

static void
on_trailers(void *arg, struct http2_stream *h2, struct http_head *h)
{
	struct caller *x = caller_of(arg);

	(void)h2; /* x->h2 */
	begin(x);
	inflow_trailers(&x->in, h);
	end(x);
}

static void
on_end(void *arg, struct http2_stream *h2)
{
	struct caller *x = caller_of(arg);

	(void)h2; /* x->h2 */
	begin(x);
	inflow_end(&x->in);
	end(x);
}

static void
on_drained(void *arg, struct http2_stream *h2)
{
	struct caller *x = caller_of(arg);

	(void)h2; /* x->h2 */
	x->client.full = false;
	if (x->client.request != NULL)
		request_on_client_drained(x->client.request);
}

static void
caller_free(struct caller *x)
{
	if (x->conn->unflushed == x)
		x->conn->unflushed = NULL;
	list_remove(&x->waiting);
	inflow_fini(&x->in);
	listener_unref(&x->client.listener);
	x->magic = 0;
	hot_free(&x, sizeof(*x));
}

static void
on_close(void *arg, struct http2_stream *h2, enum err why, uint32_t code)
{
	struct caller *x = caller_of(arg);

	(void)h2;   /* gone with this call */
	(void)code; /* whatever it was, the client is gone */
	if (why == ERR_TIMEOUT && x->client.request == NULL)
		worker_refused(x->conn->worker, REFUSED_CLIENT,
		    http2_flaw_word(HTTP2_STALLED));
	x->h2 = NULL;
	inflow_closed(&x->in);
	inflow_stop(&x->in);
	if (x->client.request != NULL)
		request_on_client_gone(x->client.request, why);
	CHECK(x->client.request == NULL);
	caller_free(x);
}

static const struct http2_stream_events stream_events = {
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_close = on_close,
};

/* --- the answer ------------------------------------------------------------
 */

/* What cannot be sent is told by the stream's end; but for a head that does
 * not fit. */
static enum err
send_head(struct caller *x, const struct http_head *h, bool last)
{
	enum err e =
	    x->h2 != NULL ? http2_stream_respond(x->h2, h, last) : ERR_CLOSED;

	x->begun = e == OK && h->status >= 200;
	return e == ERR_LIMIT ? ERR_LIMIT : OK;
}

static uint64_t
connection_id(struct client *client)
{
	return caller_of_client(client)->conn->reg.id;
}

static void
answer_interim(struct client *client, const struct http_head *h)
{
	if (h->status != 101) /* RFC 9113 §8.6 */
		(void)!send_head(caller_of_client(client), h, false);
}

static enum err
answer_head(struct client *client, struct http_head *h, bool last)
{
	struct caller *x = caller_of_client(client);

	x->ended = last;
	if (h->framing == HTTP_BODY_TUNNEL)
		h->status = 200; /* RFC 8441 §5 */
	h->upgrade = SLICE_NONE;
	return send_head(x, h, last);
}

static enum err
answer_body(struct client *client, struct slice bytes)
{
	struct caller *x = caller_of_client(client);
	enum err e = x->h2 != NULL && x->begun ? http2_stream_send(x->h2, bytes)
					       : ERR_CLOSED;

	client->full = client->full || e == ERR_AGAIN;
	return e;
}

static enum err
answer_end(struct client *client, const struct http_head *trailers)
{
	struct caller *x = caller_of_client(client);

	if (x->ended || x->h2 == NULL || !x->begun)
		return OK;
	x->ended = true;
	return http2_stream_end(x->h2, trailers);
}

/* All frames of a turn leave together. */
static enum err
flush_answer(struct client *client)
{
	(void)client;
	return OK;
}

static void
pause_client(struct client *client, enum stream_pause why)
{
	inflow_pause(&caller_of_client(client)->in, why);
}

static void
resume_client(struct client *client, enum stream_pause why)
{
	inflow_resume(&caller_of_client(client)->in, why);
}

static void
cut_answer(struct client *client, enum err why)
{
	struct caller *x = caller_of_client(client);

	if (x->h2 != NULL)
		http2_stream_reset(x->h2, why == ERR_PROTOCOL
					      ? HTTP2_PROTOCOL_ERROR
					      : HTTP2_INTERNAL_ERROR);
}

static void
on_done(struct client *client, bool complete)
{
	struct caller *x = caller_of_client(client);

	client->request = NULL;
	inflow_stop(&x->in);
	if (x->h2 != NULL && !complete)
		http2_stream_leave(x->h2);
}

static struct stream *
take_stream(struct client *client, struct slice *out_rest)
{
	struct caller *x = caller_of_client(client);

	client->request = NULL;
	*out_rest = SLICE_NONE; /* the stream brings it */
	return http_tunnel_take(
	    x->h2, &x->in.held, x->in.ended, &upstream_nobody, NULL);
}

static void
drop(struct client *client)
{
	caller_free(caller_of_client(client));
}

static const struct client_ops client_ops = {
    .id = connection_id,
    .interim = answer_interim,
    .head = answer_head,
    .body = answer_body,
    .end = answer_end,
    .flush = flush_answer,
    .pause = pause_client,
    .resume = resume_client,
    .cut = cut_answer,
    .done = on_done,
    .take = take_stream,
    .drop = drop,
};

/* --- the connection --------------------------------------------------------
 */

static void
begin_request(struct caller *x)
{
	/* What follows an upgrade is no body. */
	bool upgrades = x->head->framing == HTTP_BODY_TUNNEL;

	if (upgrades)
		inflow_pause(&x->in, STREAM_PAUSE_OWNER);
	request_begin(&x->client, x->head, x->last || upgrades);
}

static void
on_turn_end(void *arg)
{
	struct h2_conn *c = conn_of(arg);
	struct caller *x;

	c->begun = 0;
	while ((x = LIST_FIRST(&c->waiting, struct caller, waiting)) != NULL) {
		list_remove(&x->waiting);
		if (http2_stream_is_over(x->h2))
			continue;
		inflow_resume(&x->in, STREAM_PAUSE_NOT_READY);
		begin_request(x);
	}
}

/* At once, or at the end of the turn if it is one of many. */
static void
begin_or_wait(struct caller *x)
{
	struct h2_conn *c = x->conn;

	loop_later(c->worker->loop, &c->turn);
	if (c->begun < BEGIN_AT_ONCE) {
		c->begun++;
		begin(x);
		begin_request(x);
		end(x);
		return;
	}
	inflow_pause(&x->in, STREAM_PAUSE_NOT_READY);
	list_push_back(&c->waiting, &x->waiting);
}

static void
on_request(void *arg, struct http2_stream *h2, struct http_head *h, bool last)
{
	struct h2_conn *c = conn_of(arg);
	struct caller *x = hot_new(sizeof(*x));

	c->requests++;
	x->head = h;
	x->last = last;
	x->magic = CALLER_MAGIC;
	x->conn = c;
	x->h2 = h2;
	x->client = (struct client){.ops = &client_ops,
	    .worker = c->worker,
	    .listener = listener_ref(c->listener),
	    .peer = c->peer,
	    .local = c->local};
	inflow_init(&x->in, c->worker->loop, h2, &inflow_events, x);
	http2_stream_own(h2, &stream_events, x);
	begin_or_wait(x);
}

static void
on_batch_end(void *arg, struct http2 *http2)
{
	(void)http2; /* c->http2 */
	flush_request(conn_of(arg));
}

/* Nobody's request: told here, as there is none to tell of. */
static void
on_refused(void *arg, struct http2 *http2, unsigned status, const char *word,
    const char *text)
{
	struct h2_conn *c = conn_of(arg);
	const struct client client = {.worker = c->worker,
	    .listener = c->listener,
	    .peer = c->peer,
	    .local = c->local};

	(void)http2; /* c->http2 */
	worker_refused(c->worker, REFUSED_CLIENT, word);
	request_report_refusal(&client, S("HTTP/2"), status, slice_str(text),
	    /* bytes */ 0);
}

static void
on_conn_close(void *arg, struct http2 *http2, enum err why)
{
	struct h2_conn *c = conn_of(arg);

	(void)why; /* each stream of it was told */
	worker_refused_http2(c->worker, REFUSED_CLIENT, http2);
	loop_later_cancel(&c->turn);
	worker_unregister(&c->reg);
	listener_leave(&c->listener);
	c->magic = 0;
	mem_free(&c);
}

static const struct http2_events conn_events = {
    .on_request = on_request,
    .on_refused = on_refused,
    .on_batch_end = on_batch_end,
    .on_close = on_conn_close,
};

/* --- the registry ----------------------------------------------------------
 */

static struct h2_conn *
conn_of_reg(struct registered *r)
{
	return conn_of(CONTAINER(r, struct h2_conn, reg));
}

static void
describe(struct registered *r, struct proxy_conn_info *out)
{
	struct h2_conn *c = conn_of_reg(r);
	struct stream *s = http2_transport(c->http2);

	out->requests = c->requests;
	out->peer = c->peer;
	if (s != NULL) {
		out->bytes_in = s->bytes_in;
		out->bytes_out = s->bytes_out;
	}
	(void)snprintf(
	    out->what, sizeof(out->what), "%s", listener_name(c->listener));
	(void)snprintf(out->source, sizeof(out->source), "%s",
	    listener_identity(c->listener));
}

static void
cut(struct registered *r, enum err why)
{
	struct stream *s = http2_transport(conn_of_reg(r)->http2);

	if (s != NULL)
		stream_close(s, why);
}

static void
drain(struct registered *r)
{
	http2_shutdown(conn_of_reg(r)->http2);
}

/* --- life ------------------------------------------------------------------
 */

/* Clients are not asked whether they live: TCP finds out. */
static struct http2_limits
limits_of(const struct worker *w, const struct listener *l)
{
	const struct proxy_limits *most = &w->proxy->limits;

	return (struct http2_limits){
	    .streams =
		listener_is_gateway(l) ? STREAMS_MAX_OUTSIDE : STREAMS_MAX,
	    .head_bytes = LIMIT_HEAD_BYTES,
	    .frame_bytes = FRAME_BYTES,
	    .idle_us = most->idle_us,
	    .head_us = most->head_us,
	    .stall_us = most->stream_idle_us,
	    .takes_upgrades = true,
	};
}

void
h2_conn_accept(struct worker *w, struct listener *l, struct stream *stream,
    struct slice first)
{
	struct h2_conn *c = mem_new(sizeof(*c));
	struct http2_limits limits = limits_of(w, l);

	c->magic = CONN_MAGIC;
	c->worker = w;
	c->listener = listener_join(l);
	list_init(&c->waiting);
	loop_later_init(&c->turn, on_turn_end, c);
	c->peer = stream_peer(stream);
	c->local = stream_local(stream);
	c->reg = (struct registered){.kind = PROXY_CONN_HTTP,
	    .describe = describe,
	    .cut = cut,
	    .drain = drain};
	worker_register(w, &c->reg);
	c->http2 = http2_open(&(struct http2_spec){
	    .loop = w->loop,
	    .transport = stream,
	    .server = true,
	    .limits = &limits,
	    .budget = &w->proxy->budget,
	    .events = &conn_events,
	    .arg = c,
	});
	http2_feed(c->http2, first);
	if (w->draining)
		http2_shutdown(c->http2);
}
