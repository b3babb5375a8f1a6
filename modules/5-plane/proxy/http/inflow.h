/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflow — what a peer sends on a stream of HTTP/2, for one who may pause.
 *
 * What comes during a pause is held, and no credit is given for it, so that it
 * cannot be more than the stream's window.
 */
#ifndef MESHD_INFLOW_H
#define MESHD_INFLOW_H

#include "http/http.h"
#include "loop/loop.h"
#include "net/net.h"

/* Each may end with inflow_stop(), and with inflow_fini() once it is closed. */
struct inflow_events {
	void (*on_data)(void *arg, struct slice bytes);
	/* Lent until the inflow ends. */
	void (*on_trailers)(void *arg, struct http_head *h);
	void (*on_end)(void *arg);
	/* All that was held and could be handed on is. */
	void (*on_batch_end)(void *arg);
};

struct inflow {
	const struct inflow_events *events; /* NULL: stopped */
	void *arg;
	struct loop *loop;
	struct http2_stream *h2; /* NULL once closed */
	struct buf held;
	struct loop_later deliver;
	struct http_head *trailers; /* held, in the arena */
	struct arena arena;
	uint8_t pauses; /* a set of enum stream_pause */
	bool ended;     /* by the peer; told or not */
	bool told;
	bool *gone; /* where inflow_fini() tells an event's caller of it */
};

void inflow_init(struct inflow *f, struct loop *l, struct http2_stream *h2,
    const struct inflow_events *events, void *arg);
void inflow_fini(struct inflow *f);

/* No more events; what still comes is thrown away and credited. */
void inflow_stop(struct inflow *f);

/* From the stream's events. */
void inflow_data(struct inflow *f, struct slice bytes);
void inflow_trailers(struct inflow *f, struct http_head *h);
void inflow_end(struct inflow *f);

/* The stream is closed; what is held is delivered all the same. */
void inflow_closed(struct inflow *f);

void inflow_pause(struct inflow *f, enum stream_pause why);
void inflow_resume(struct inflow *f, enum stream_pause why);

/* The peer ended, and the owner does not know yet. */
bool inflow_is_behind(const struct inflow *f);

#endif
