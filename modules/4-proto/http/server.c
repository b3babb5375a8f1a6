/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — connections, their limits, and requests over HTTP/2.
 */
#include "exchange.h"

enum { CONNS_DEFAULT = 1024 };
#define IDLE_US UINT64_C(60000000)
#define REQUEST_US UINT64_C(30000000)

/* --- what both versions share --- */

bool
server_admit(struct http_exchange *x)
{
	const struct http_server_spec *spec = &x->conn->server->spec;

	if (spec->on_head == NULL)
		return true;
	x->whole = true;
	if (!spec->on_head(spec->arg, x))
		return false;
	x->whole = false;
	return true;
}

void
server_dispatch(struct http_exchange *x)
{
	struct http_server *s = x->conn->server;

	timer_clear(&x->timer);
	x->whole = true;
	s->spec.on_request(s->spec.arg, x);
}

static void
leave_server(struct server_conn *c)
{
	struct http_server *s = c->server;

	if (s == NULL)
		return;
	list_remove(&c->link);
	s->count--;
	c->server = NULL;
	if (s->spec.on_conn_close != NULL)
		s->spec.on_conn_close(s->spec.arg, c->arg);
}

static void
lose_exchanges(struct server_conn *c)
{
	struct http_exchange *x;

	while (
	    (x = LIST_FIRST(&c->exchanges, struct http_exchange, link)) != NULL)
		exchange_lost(x);
	c->x = NULL;
}

void
server_conn_end(struct server_conn *c)
{
	timer_clear(&c->timer);
	loop_later_cancel(&c->go_on);
	lose_exchanges(c);
	leave_server(c);
	http1_parser_free(&c->parser);
	buf_fini(&c->rest);
	c->magic = 0;
	mem_free(&c);
}

/* --- HTTP/2 --- */

static void
on_body(void *arg, struct http2_stream *s, struct slice bytes)
{
	struct http_exchange *x;

	OBJ(x, arg, EXCHANGE_MAGIC);
	http2_stream_consumed(s, bytes.len);
	if (!x->whole && buf_add_slice(&x->body, bytes) != OK)
		exchange_reject(x, 413, S("body is too large"));
}

static void
on_end(void *arg, struct http2_stream *s)
{
	struct http_exchange *x;

	(void)s;
	OBJ(x, arg, EXCHANGE_MAGIC);
	if (!x->whole)
		server_dispatch(x);
}

static void
on_drained(void *arg, struct http2_stream *s)
{
	struct http_exchange *x;

	(void)s;
	OBJ(x, arg, EXCHANGE_MAGIC);
	if (x->drained != NULL)
		x->drained(x->drained_arg);
}

static void
on_stream_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	struct http_exchange *x;

	(void)s;
	(void)why;
	(void)code;
	OBJ(x, arg, EXCHANGE_MAGIC);
	exchange_lost(x);
}

static const struct http2_stream_events stream_events = {
    .on_data = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_close = on_stream_close,
};

static void
on_late(void *arg)
{
	struct http_exchange *x;

	OBJ(x, arg, EXCHANGE_MAGIC);
	exchange_reject(x, 408, S("the request took too long"));
}

static void
take_request(struct server_conn *c, struct http2_stream *s, struct http_head *h)
{
	struct http_server *server = c->server;
	struct http_exchange *x = exchange_new(c, server->spec.body_limit);

	x->head = h;
	x->h2 = s;
	x->is_head = http_head_is_method(h, S("HEAD"));
	timer_init(&x->timer, server->spec.loop, on_late, x);
	http2_stream_own(s, &stream_events, x);
	if (http_head_is_method(h, S("CONNECT")))
		exchange_reject(x, 405, S("CONNECT is not served here"));
	else if (server_admit(x))
		timer_set(&x->timer, server->spec.request_us);
}

static void
on_request(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	struct server_conn *c;
	struct http_server *server;

	(void)end; /* on_end comes in any case */
	OBJ(c, arg, CONN_MAGIC);
	server = c->server;
	if (server == NULL)
		return; /* not owned: refused */
	if (!grpc_is_request(h))
		take_request(c, s, h);
	else if (server->spec.on_grpc != NULL)
		server->spec.on_grpc(server->spec.arg, s, h, c->arg);
	else
		grpc_refuse(s, GRPC_UNIMPLEMENTED, S("no such service"));
}

static void
on_h2_close(void *arg, struct http2 *h2, enum err why)
{
	struct server_conn *c;

	(void)h2;
	(void)why;
	OBJ(c, arg, CONN_MAGIC);
	c->h2 = NULL;
	server_conn_end(c);
}

static const struct http2_events h2_events = {
    .on_request = on_request,
    .on_close = on_h2_close,
};

static void
open_h2(struct server_conn *c, struct stream *conn)
{
	const struct http_server_spec *spec = &c->server->spec;
	struct http2_limits limits = http2_limits_server;
	struct http2_spec h2 = {.loop = spec->loop,
	    .transport = conn,
	    .server = true,
	    .limits = &limits,
	    .budget = spec->budget,
	    .events = &h2_events,
	    .arg = c};

	limits.idle_us = spec->idle_us;
	c->h2 = http2_open(&h2);
}

/* --- the owner's side --- */

struct http_server *
http_server_new(const struct http_server_spec *spec)
{
	struct http_server *s = mem_new(sizeof(*s));

	CHECK(spec->on_request != NULL);
	s->spec = *spec;
	if (s->spec.body_limit == 0)
		s->spec.body_limit = LIMIT_API_BODY;
	if (s->spec.idle_us == 0)
		s->spec.idle_us = IDLE_US;
	if (s->spec.request_us == 0)
		s->spec.request_us = REQUEST_US;
	if (s->spec.conns_max == 0)
		s->spec.conns_max = CONNS_DEFAULT;
	list_init(&s->conns);
	return s;
}

static void
conn_close(struct server_conn *c)
{
	timer_clear(&c->timer);
	loop_later_cancel(&c->go_on);
	if (c->h2 != NULL)
		http2_close(c->h2, HTTP2_NO_ERROR);
	else if (c->stream != NULL)
		stream_close(c->stream, OK);
}

void
http_server_free(struct http_server **sp)
{
	struct http_server *s = *sp;
	struct server_conn *c;

	if (s == NULL)
		return;
	while ((c = LIST_FIRST(&s->conns, struct server_conn, link)) != NULL) {
		lose_exchanges(c);
		leave_server(c);
		conn_close(c);
	}
	mem_free(sp);
}

/* Somebody must hear of the end of a stream that was refused. */
static void
ignore_data(struct stream *s, void *arg, struct slice bytes)
{
	(void)s;
	(void)arg;
	(void)bytes;
}

static void
ignore_close(struct stream *s, void *arg, enum err why)
{
	(void)s;
	(void)arg;
	(void)why;
}

static const struct stream_events deaf_events = {
    .on_data = ignore_data,
    .on_close = ignore_close,
};

void
http_server_serve(struct http_server *s, struct stream *conn,
    enum http_proto proto, void *conn_arg)
{
	struct server_conn *c;

	if (s->count >= s->spec.conns_max || s->draining) {
		stream_set_events(conn, &deaf_events, NULL);
		stream_close(conn, OK);
		if (s->spec.on_conn_close != NULL)
			s->spec.on_conn_close(s->spec.arg, conn_arg);
		return;
	}
	if (s->spec.secret)
		net_stream_set_secret(conn);
	c = mem_new(sizeof(*c));
	c->magic = CONN_MAGIC;
	c->proto = proto;
	c->server = s;
	c->arg = conn_arg;
	list_init(&c->exchanges);
	list_push_back(&s->conns, &c->link);
	s->count++;
	if (proto == HTTP_PROTO_2) {
		open_h2(c, conn);
		return;
	}
	c->stream = conn;
	server_h1_open(c);
}

void
http_server_drain(struct http_server *s)
{
	s->draining = true;
	LIST_EACH (&s->conns, it) {
		struct server_conn *c = CONTAINER(it, struct server_conn, link);

		if (c->h2 != NULL)
			http2_shutdown(c->h2);
		else if (c->x == NULL && http1_parser_is_idle(c->parser))
			stream_close(c->stream, OK);
	}
}

size_t
http_server_conns(const struct http_server *s)
{
	return s->count;
}
