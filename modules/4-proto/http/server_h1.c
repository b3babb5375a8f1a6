/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_h1 — HTTP/1.1 connections of the small server.
 *
 * One exchange at a time: while it is answered, what is read behind the request
 * waits in `rest`, and past REST_MARK reading is paused. The next request is
 * taken up at the end of the turn, so that a client that pipelines cannot keep
 * the loop to itself.
 */
#include "exchange.h"

enum { REST_MARK = 16 << 10, REST_MAX = 256 << 10 };

static void
set_timer(struct server_conn *c, uint64_t us, uint64_t otherwise_us)
{
	timer_set(&c->timer, us > 0 ? us : otherwise_us);
}

static void
wait_for_request(struct server_conn *c)
{
	set_timer(c, c->server->spec.idle_us, UINT64_C(60000000));
}

static void
wait_for_body(struct server_conn *c)
{
	set_timer(c, c->server->spec.request_us, UINT64_C(30000000));
}

/* --- the parser's events --- */

static void
on_head(void *arg, struct http_head *h)
{
	struct server_conn *c;

	OBJ(c, arg, CONN_MAGIC);
	c->x = exchange_new(c, c->server->spec.body_limit);
	c->x->head = h;
	c->x->is_head = http_head_is_method(h, S("HEAD"));
	if (http_head_keep(h) != OK) {
		http1_parser_abort(c->parser);
		return;
	}
	c->close_after = true; /* unless the body may come */
	if (!server_admit(c->x)) {
		http1_parser_abort(c->parser);
		return;
	}
	c->close_after = false;
	if (h->expect_continue &&
	    stream_write(c->stream, http1_continue()) > ERR_AGAIN)
		http1_parser_abort(c->parser);
}

static void
on_body(void *arg, struct slice bytes)
{
	struct server_conn *c;

	OBJ(c, arg, CONN_MAGIC);
	if (buf_add_slice(&c->x->body, bytes) != OK)
		http1_parser_abort(c->parser);
}

static const struct http1_events parser_events = {
    .on_head = on_head,
    .on_body = on_body,
};

/* --- bytes --- */

static void
reject(struct server_conn *c)
{
	enum http1_flaw flaw = http1_parser_flaw(c->parser);

	if (c->x == NULL)
		c->x = exchange_new(c, 0);
	exchange_reject(
	    c->x, http1_flaw_status(flaw), slice_str(http1_flaw_text(flaw)));
}

/*
 * The bytes behind a request wait for its answer. Reading goes on for a while,
 * because that is how one hears that the client has left.
 */
static void
keep_rest(struct server_conn *c, struct slice rest)
{
	if (rest.len > 0 && buf_add_slice(&c->rest, rest) != OK)
		c->close_after = true; /* it pipelines too much */
	if (buf_len(&c->rest) > REST_MARK)
		stream_pause(c->stream, STREAM_PAUSE_OWNER);
}

static void
feed(struct server_conn *c, struct slice bytes)
{
	bool fresh = http1_parser_is_idle(c->parser);
	size_t used;
	enum err e = http1_parser_feed(c->parser, bytes, &used);

	if (e == OK && fresh && !http1_parser_is_idle(c->parser))
		wait_for_body(c);
	if (e == OK)
		return;
	timer_clear(&c->timer);
	if (e != ERR_EOF) {
		if (!c->close_after)
			reject(c);
		return; /* else on_head has refused it */
	}
	keep_rest(c, slice_sub(bytes, used, bytes.len));
	if (c->x->head->framing == HTTP_BODY_TUNNEL) {
		exchange_reject(c->x, 405, S("CONNECT is not served here"));
		return;
	}
	server_dispatch(c->x);
}

static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	struct server_conn *c;

	(void)s;
	OBJ(c, arg, CONN_MAGIC);
	if (c->x != NULL && c->x->whole)
		keep_rest(c, bytes);
	else
		feed(c, bytes);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct server_conn *c;

	OBJ(c, arg, CONN_MAGIC);
	c->eof = true;
	/*
	 * A client that has ended its half may still wait for its answer. For
	 * one that is being streamed this is how watchers leave.
	 */
	if (c->x == NULL || !c->x->whole || c->x->begun)
		stream_close(s, OK);
}

static void
on_drained(struct stream *s, void *arg)
{
	struct server_conn *c;

	(void)s;
	OBJ(c, arg, CONN_MAGIC);
	if (c->x != NULL && c->x->drained != NULL)
		c->x->drained(c->x->drained_arg);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct server_conn *c;

	(void)s;
	(void)why; /* exchanges learn that the client is gone, no more */
	OBJ(c, arg, CONN_MAGIC);
	c->stream = NULL;
	server_conn_end(c);
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

static void
on_timer(void *arg)
{
	struct server_conn *c;

	OBJ(c, arg, CONN_MAGIC);
	if (http1_parser_is_idle(c->parser)) {
		stream_close(c->stream, OK);
		return;
	}
	if (c->x == NULL)
		c->x = exchange_new(c, 0);
	exchange_reject(c->x, 408, S("the request took too long"));
}

/* --- one request after the other --- */

static void
on_go_on(void *arg)
{
	struct server_conn *c;
	struct buf rest;

	OBJ(c, arg, CONN_MAGIC);
	rest = c->rest;
	buf_init(&c->rest, REST_MAX);
	if (buf_len(&rest) > 0 && !stream_is_closing(c->stream))
		feed(c, buf_slice(&rest));
	buf_fini(&rest);
	if (c->x == NULL && !stream_is_closing(c->stream))
		stream_resume(c->stream, STREAM_PAUSE_OWNER);
}

void
server_h1_answered(struct server_conn *c, bool keep_alive)
{
	c->x = NULL;
	timer_clear(&c->timer);
	if (stream_is_closing(c->stream))
		return;
	if (!keep_alive) {
		c->close_after = true;
		stream_close_lingering(c->stream);
		return;
	}
	http1_parser_next(c->parser);
	wait_for_request(c);
	loop_later(c->server->spec.loop, &c->go_on);
}

void
server_h1_open(struct server_conn *c)
{
	struct loop *loop = c->server->spec.loop;

	c->parser = http1_parser_new(HTTP1_REQUESTS, &parser_events, c);
	http1_parser_limit_body(c->parser, c->server->spec.body_limit);
	buf_init(&c->rest, REST_MAX);
	loop_later_init(&c->go_on, on_go_on, c);
	timer_init(&c->timer, loop, on_timer, c);
	wait_for_request(c);
	stream_set_events(c->stream, &stream_events, c);
}
