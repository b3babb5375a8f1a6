/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client — whoever sent a request: an HTTP/1.1 connection, or a stream of an
 * HTTP/2 one.
 *
 * The request says what the answer is; how it is framed is the client's
 * business. What a client sends comes to the request by its request_on_…().
 */
#ifndef MESHD_CLIENT_H
#define MESHD_CLIENT_H

#include "outbound/listeners.h"
#include "worker.h"

struct client;
struct request;

/* Writes say ERR_AGAIN when they took all and the client is slow: then
 * request_on_client_drained() follows. Other errors are told by the client's
 * end. */
struct client_ops {
	/* The number of its connection. */
	uint64_t (*id)(struct client *c);
	/* A 1xx but 101; left out where a client cannot read it. At once. */
	void (*interim)(struct client *c, const struct http_head *h);
	/* Once; changes what concerns its wire only. ERR_LIMIT: it does not
	 * fit, and nothing went out. `end`: no body follows. */
	enum err (*head)(struct client *c, struct http_head *h, bool end);
	/* Small pieces are collected until flush. */
	enum err (*body)(struct client *c, struct slice bytes);
	/* Behind the body; the trailers may be NULL. */
	enum err (*end)(struct client *c, const struct http_head *trailers);
	enum err (*flush)(struct client *c);
	/* It is read no further until all reasons are gone. */
	void (*pause)(struct client *c, enum stream_pause why);
	void (*resume)(struct client *c, enum stream_pause why);
	/* The answer breaks off here, and the client can see that. */
	void (*cut)(struct client *c, enum err why);
	/* The request is over and freed; all of it came, or not. */
	void (*done)(struct client *c, bool complete);
	/*
	 * After the head of a 101: its bytes are the caller's, `rest` came
	 * already and lives until drop. Not for a client that never upgrades.
	 */
	struct stream *(*take)(struct client *c, struct slice *out_rest);
	void (*drop)(struct client *c);
};

/* The common part of both. */
struct client {
	const struct client_ops *ops;
	struct worker *worker;
	struct listener *listener; /* counted */
	struct request *request;   /* NULL when it is over */
	struct addr peer;          /* asked for once, not for each request */
	struct addr local;
	bool last;    /* no other request follows on its connection */
	bool reading; /* it flushes what its own bytes brought about */
	bool full;    /* more would have to wait for it */
};

#endif
