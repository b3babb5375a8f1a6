/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange — the server's connections and requests, as its parts see them.
 *
 *	server.c     the server, HTTP/2 connections, timeouts
 *	server_h1.c  HTTP/1.1 connections: one exchange at a time
 *	exchange.c   a request's answer, whichever wire it goes over
 */
#ifndef MESHD_EXCHANGE_H
#define MESHD_EXCHANGE_H

#include "fields.h"
#include "http1.h"
#include "loop/loop.h"
#include "net/net.h"
#include "server.h"

#define CONN_MAGIC 0x48534356u
#define EXCHANGE_MAGIC 0x45584348u

struct http_server {
	struct http_server_spec spec;
	struct list conns;
	size_t count;
	bool draining;
};

struct server_conn {
	uint32_t magic;
	enum http_proto proto;
	struct http_server *server; /* NULL once that has ended */
	struct list link;
	void *arg;
	struct stream *stream; /* HTTP_PROTO_1; NULL once gone */
	struct http2 *h2;      /* HTTP_PROTO_2 */
	struct list exchanges;

	/* HTTP_PROTO_1 only */
	struct http1_parser *parser;
	struct http_exchange *x; /* under way */
	struct buf rest;         /* read behind it */
	bool close_after;        /* no further request */
	bool eof;
	struct loop_later go_on;
	struct timer timer; /* idle, or until the body is whole */
};

struct http_exchange {
	uint32_t magic;
	struct server_conn *conn; /* NULL: the client has left */
	struct list link;
	struct http2_stream *h2;
	struct arena arena;
	struct http_head *head; /* the parser's, or in the arena */
	struct http_head answer;
	struct buf body;
	bool whole;   /* the owner's: on_request, or on_head that said no */
	bool begun;   /* the answer's head is out */
	bool is_head; /* HEAD: no body in the answer */
	void (*gone)(void *arg);
	void *gone_arg;
	void (*drained)(void *arg);
	void *drained_arg;
	struct timer timer; /* HTTP_PROTO_2: until the body is whole */
};

/* --- server.c --- */

/* The connection has ended; frees it and what hangs on it. */
void server_conn_end(struct server_conn *c);

/* Asks on_head. False: the exchange is the owner's, or answered already. */
bool server_admit(struct http_exchange *x);

/* The request is whole: calls on_request. */
void server_dispatch(struct http_exchange *x);

/* --- server_h1.c --- */

void server_h1_open(struct server_conn *c);

/* The answer of c->x is out; the exchange is gone. */
void server_h1_answered(struct server_conn *c, bool keep_alive);

/* --- exchange.c --- */

struct http_exchange *exchange_new(struct server_conn *c, size_t body_limit);

/* The client has left: tells the owner, or waits for the owner's answer. */
void exchange_lost(struct http_exchange *x);

/* Answers `status` in words, before the request was whole. */
void exchange_reject(
    struct http_exchange *x, unsigned status, struct slice text);

#endif
