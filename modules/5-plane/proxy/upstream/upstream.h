/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream — a way to an endpoint for one request, kept and used again.
 *
 * Either an HTTP/1.1 connection, for one request at a time (upstream.c: the
 * one used last is used first, so that the others may end; an idle one holds
 * its state and no buffer), or a stream of an HTTP/2 session that requests
 * share (sessions.c). Over plain TCP or through a tunnel, which look the same
 * from here.
 */
#ifndef MESHD_UPSTREAM_H
#define MESHD_UPSTREAM_H

#include "snapshot.h"
#include "tunnel/tunnels.h"

enum {
	UPSTREAM_CONNECT_MS = 5000,
	/* Below the keep-alive time of common servers (nginx: 75 s), of
	 * those that do not say theirs. */
	UPSTREAM_IDLE_US = 55 * 1000000
};

struct upstream_conn;

/* What its user hears; none of it comes from inside the user's own call. */
struct upstream_events {
	/* Connected: the request may be sent. Not for one that is open. */
	void (*on_open)(void *arg, struct upstream_conn *u);
	/* 1xx but 101. Lent. May be NULL. */
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
	 * After a 101 (HTTP/2: what stands for it): it carries other bytes from
	 * now on. Take the stream with upstream_take_stream(); `rest` came
	 * already.
	 */
	void (*on_upgrade)(
	    void *arg, struct upstream_conn *u, struct slice rest);
	/* All bytes that one read brought were handed on. May be NULL. */
	void (*on_batch_end)(void *arg, struct upstream_conn *u);
	void (*on_drained)(void *arg, struct upstream_conn *u);
	/* Last: it broke, `words` (lent, may be empty) say why. */
	void (*on_failed)(void *arg, struct upstream_conn *u, enum err why,
	    struct slice words);
};

/* What is wanted; borrowed for the call, but for the events. */
struct upstream_ask {
	struct worker *worker;
	struct host *host;
	struct tunnels_ask way;
	bool http2;
	bool upgrade;  /* the request asks for another protocol */
	bool is_fresh; /* no kept connection of HTTP/1.1: one was dead */
	/* One that is made takes no new request when it is so old, and ends
	 * when it has none; 0: it may be of any age. */
	uint64_t longest_us;
	const struct upstream_events *events;
	void *arg;
};

/* One that is there, else an opening one. NULL, with words, if it cannot even
 * begin. */
struct upstream_conn *upstream_acquire(
    const struct upstream_ask *ask, struct fault *why);

/*
 * The request, once it is open: its head, the body, its end. What is written
 * leaves at upstream_flush(), or before if it is much. ERR_AGAIN: all of it was
 * taken, and no more should come until on_drained. ERR_LIMIT, of the head: it
 * does not fit, and nothing was sent. Any other is told by on_failed, too.
 */
MUST_USE enum err upstream_send_head(
    struct upstream_conn *u, const struct http_head *h, bool end);
MUST_USE enum err upstream_send_body(
    struct upstream_conn *u, struct slice bytes);
MUST_USE enum err upstream_send_end(
    struct upstream_conn *u, const struct http_head *trailers);
MUST_USE enum err upstream_flush(struct upstream_conn *u);

/* The response is read no further until all reasons are gone. */
void upstream_pause(struct upstream_conn *u, enum stream_pause why);
void upstream_resume(struct upstream_conn *u, enum stream_pause why);

/* True if it carried another request before, which it may have outlived. */
bool upstream_is_reused(const struct upstream_conn *u);
/* May the request be sent? Or could it, in on_failed. */
bool upstream_is_open(const struct upstream_conn *u);
/* True once a byte of the response came. */
bool upstream_has_answer(const struct upstream_conn *u);
/* In on_failed: the peer says that it did not look at the request. */
bool upstream_is_untouched(const struct upstream_conn *u);
/* And that it takes no more requests, this one or others. */
bool upstream_is_left(const struct upstream_conn *u);
/* Likewise: the head of its answer has more bytes than we take. */
bool upstream_is_overlong(const struct upstream_conn *u);
/* Where it leaves this machine, and where it leads; once it is open. */
struct addr upstream_local(const struct upstream_conn *u);
struct addr upstream_peer(const struct upstream_conn *u);

/* After on_complete: back to the pool if it can carry another request. */
void upstream_release(struct upstream_conn **up);

/* No more events, and what was not flushed is gone; the request is broken off.
 */
void upstream_cancel(struct upstream_conn **up);

/* In on_upgrade: the stream is the caller's, the rest is freed. */
struct stream *upstream_take_stream(struct upstream_conn **up);

/* Of a stream that changes hands, in the turn in which it does. */
extern const struct stream_events upstream_nobody;

/* Ends what is idle to this host, and lets what is shared end with its last
 * request; with a tunnel's session only what it carries. */
void upstream_close_idle(struct host *host, const struct http2 *session);

/* If the cluster's endpoints want to know whose connection it is, it will be
 * that of this client, who called there, alone. Keeps both. */
void upstream_tell(struct tunnels_ask *way, const struct view_cluster *c,
    const struct addr *client, const struct addr *called);

/* A stream to the endpoint, through its tunnel or plainly, to the first of its
 * addresses that answers; also for TCP. */
struct stream *upstream_dial(struct worker *w, const struct tunnels_ask *ask,
    const struct stream_events *events, void *arg, struct fault *why);

#endif
