/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1 — a client's HTTP/1.1 connection, as its two parts see it: conn.c reads
 * requests, h1_answer.c writes what becomes of them.
 */
#ifndef MESHD_H1_H
#define MESHD_H1_H

#include "http/client.h"

#define CONN_MAGIC 0x636f6e6eu

struct conn {
	struct client client; /* first */
	uint32_t magic;
	bool ended;      /* the client sends no more */
	bool done;       /* the request is over, the parser not told yet */
	bool usable;     /* and another may follow it */
	bool closing;    /* the last byte for the client is written */
	bool owed;       /* it had bytes to take when it began to rest */
	bool to_chunked; /* the answer's body goes in chunks */
	bool known;      /* to be HTTP/1: bytes came that say so */
	struct stream *stream; /* NULL once closed */
	struct http1_parser *parser;
	struct buf backlog;     /* bytes behind the current request */
	struct timer timer;     /* idle, or waiting for a head */
	struct loop_later next; /* begin with the backlog */
	struct registered reg;
	uint64_t requests;
};

static inline struct conn *
conn_of(void *arg)
{
	struct conn *c;

	OBJ(c, arg, CONN_MAGIC);
	return c;
}

static inline struct conn *
conn_of_client(struct client *client)
{
	return conn_of(CONTAINER(client, struct conn, client));
}

/* As client_ops has them (h1_answer.c). */
void h1_interim(struct client *client, const struct http_head *h);
MUST_USE enum err h1_head(struct client *client, struct http_head *h, bool end);
MUST_USE enum err h1_body(struct client *client, struct slice bytes);
MUST_USE enum err h1_end(
    struct client *client, const struct http_head *trailers);
MUST_USE enum err h1_flush(struct client *client);

#endif
