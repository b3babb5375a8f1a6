/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream — HTTP/1.1 connections to endpoints, kept and used again.
 *
 * One request at a time on each; the connection used last is used first, so
 * that the others may end. Over plain TCP or through a tunnel, which look the
 * same from here. An idle one holds its state and no buffer.
 */
#ifndef MESHD_UPSTREAM_H
#define MESHD_UPSTREAM_H

#include "snapshot.h"
#include "tunnel/tunnels.h"

enum {
	UPSTREAM_CONNECT_MS = 5000,
	/* Below the keep-alive time of common servers (nginx: 75 s). */
	UPSTREAM_IDLE_US = 55 * 1000000
};

struct upstream_conn;

/* What its user hears; none of it comes from inside the user's own call. */
struct upstream_events {
	/* Connected: the request may be written. Not for a reused one. */
	void (*on_open)(void *arg, struct upstream_conn *u);
	/* 1xx but 101. Lent. */
	void (*on_interim)(
	    void *arg, struct upstream_conn *u, struct http_head *h);
	/* Lent until on_complete or on_failed. */
	void (*on_head)(
	    void *arg, struct upstream_conn *u, struct http_head *h);
	void (*on_body)(void *arg, struct upstream_conn *u, struct slice bytes);
	void (*on_trailers)(
	    void *arg, struct upstream_conn *u, struct http_head *h);
	/* The response is over; release it now. */
	void (*on_complete)(void *arg, struct upstream_conn *u);
	/*
	 * After a 101: the connection carries other bytes from now on. Take
	 * the stream with upstream_take_stream(); `rest` came already.
	 */
	void (*on_upgrade)(
	    void *arg, struct upstream_conn *u, struct slice rest);
	/* All bytes that one read brought were handed on. */
	void (*on_batch_end)(void *arg, struct upstream_conn *u);
	void (*on_drained)(void *arg, struct upstream_conn *u);
	/* Last: it broke, `words` (lent, may be empty) say why. */
	void (*on_failed)(void *arg, struct upstream_conn *u, enum err why,
	    struct slice words);
};

/*
 * An idle connection to the host, else an opening one. NULL, with words, if it
 * cannot even begin.
 */
struct upstream_conn *upstream_acquire(struct worker *w, struct host *host,
    const struct tunnels_ask *ask, const struct upstream_events *events,
    void *arg, struct fault *why);

/* The method decides how the response ends; before the request is written. */
void upstream_expect(struct upstream_conn *u, struct slice method);

/*
 * A request whose body is all at hand: its head, framed by a length or without
 * a body, then the bytes. ERR_AGAIN: taken, but stop until on_drained. Any
 * other: not taken; ERR_LIMIT if the head is too large, else on_failed follows.
 */
MUST_USE enum err upstream_send_head(
    struct upstream_conn *u, const struct http_head *h);
MUST_USE enum err upstream_send_body(
    struct upstream_conn *u, struct slice bytes);

/* True if it carried another request before. */
bool upstream_is_reused(const struct upstream_conn *u);
bool upstream_is_open(const struct upstream_conn *u);
/* True once a byte of the response came. */
bool upstream_has_answer(const struct upstream_conn *u);
/* Where it leaves this machine; once it is open. */
struct addr upstream_local(const struct upstream_conn *u);
struct stream *upstream_stream(struct upstream_conn *u);

/* After on_complete: back to the pool if it can carry another request. */
void upstream_release(struct upstream_conn **up);

/* No more events; the connection is reset. */
void upstream_cancel(struct upstream_conn **up);

/* In on_upgrade: the stream is the caller's, the rest is freed. */
struct stream *upstream_take_stream(struct upstream_conn **up);

/* Ends what is idle to this host; with a session only what it carries. */
void upstream_close_idle(struct host *host, const struct http2 *session);

/* A stream to the endpoint, through its tunnel or plainly; also for TCP. */
struct stream *upstream_dial(struct worker *w, const struct tunnels_ask *ask,
    const struct stream_events *events, void *arg, struct fault *why);

#endif
