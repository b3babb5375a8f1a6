/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn — a client's HTTP/1.1 connection, one request after the other.
 *
 * It reads, splits into requests and writes; what a request means is the
 * request's business. Between requests it holds no buffer.
 */
#ifndef MESHD_CONN_H
#define MESHD_CONN_H

#include "outbound/listeners.h"
#include "worker.h"

enum {
	CONN_IDLE_US = 3600 * INT64_C(1000000), /* without a request */
	CONN_HEAD_US = 60 * 1000000             /* for a head to be whole */
};

struct request;

struct conn {
	uint32_t magic;
	bool reading; /* inside the parser */
	bool ended;   /* the client sends no more */
	bool last;    /* close behind the current response */
	bool done;    /* the request is over, the parser not told yet */
	bool usable;  /* and another may follow it */
	bool closing; /* the last byte for the client is written */
	struct worker *worker;
	struct listener *listener; /* counted */
	struct stream *stream;     /* NULL once closed */
	struct http1_parser *parser;
	struct request *request; /* from its head to the response's end */
	struct buf backlog;      /* bytes behind the current request */
	struct timer timer;      /* idle, or waiting for a head */
	struct loop_later next;  /* begin with the backlog */
	struct registered reg;
	uint64_t requests;
	struct addr peer; /* asked for once, not for each request */
	struct addr local;
};

/* Takes the stream, which is open. `first` came already; borrowed. */
void conn_accept(struct worker *w, struct listener *l, struct stream *stream,
    struct slice first);

/* The request is over and freed. `usable`: another may follow. */
void conn_request_done(struct conn *c, bool usable);

/* The last answer is written: closes, but lets the client read it. */
void conn_end(struct conn *c);

/*
 * After a 101: hands the stream over, with the bytes that the client sent
 * behind its request, which live until conn_free(). The rest goes.
 */
struct stream *conn_take_stream(struct conn *c, struct slice *out_rest);
void conn_free(struct conn **cp);

#endif
