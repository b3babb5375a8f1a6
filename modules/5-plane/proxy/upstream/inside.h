/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — what both ways to an endpoint have in common.
 */
#ifndef MESHD_UPSTREAM_INSIDE_H
#define MESHD_UPSTREAM_INSIDE_H

#include "upstream/upstream.h"

/* As the functions of upstream.h are. */
struct upstream_ops {
	enum err (*send_head)(
	    struct upstream_conn *u, const struct http_head *h, bool end);
	enum err (*send_body)(struct upstream_conn *u, struct slice bytes);
	enum err (*send_end)(
	    struct upstream_conn *u, const struct http_head *trailers);
	enum err (*flush)(struct upstream_conn *u);
	void (*pause)(struct upstream_conn *u, enum stream_pause why);
	void (*resume)(struct upstream_conn *u, enum stream_pause why);
	void (*release)(struct upstream_conn *u);
	void (*cancel)(struct upstream_conn *u);
	struct stream *(*take)(struct upstream_conn *u);
	struct addr (*peer)(const struct upstream_conn *u);
};

/* The common part. */
struct upstream_conn {
	const struct upstream_ops *ops;
	struct worker *worker;
	struct host *host;                    /* counted */
	const struct upstream_events *events; /* NULL: nobody's */
	void *arg;                            /* of the user */
	bool reused;
	bool open;      /* the request may be sent, or could be */
	bool answered;  /* a byte of the response is here */
	bool untouched; /* it failed, and nobody looked at the request */
	bool left;      /* because the session said goodbye before it */
	bool overlong;  /* the head of the answer is too large for us */
	struct addr local;
};

/*
 * Who calls, who has to answer, and where; and for whom, if the endpoint was
 * told that: a connection made for another of them, before a view changed it,
 * is not to be used again.
 */
uint64_t upstream_way(const struct worker *w, const struct tunnels_ask *ask);

/* A connection that is there, the one used last first, or is made (conns.c). */
struct upstream_conn *conns_acquire(
    const struct upstream_ask *ask, struct fault *why);
void conns_close_idle(struct host *host, const struct http2 *carrier);

/* A stream of a session that is there or is made (sessions.c). */
struct upstream_conn *sessions_acquire(
    const struct upstream_ask *ask, struct fault *why);

/* No new streams on those of the host; see upstream_close_idle(). */
void sessions_drain(struct host *host, const struct http2 *carrier);

#endif
