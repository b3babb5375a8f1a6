/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnels — HBONE sessions to other machines, shared by what goes there.
 *
 * Pooled by who calls, who has to answer, and where. A stream may be opened
 * while its session still shakes hands. Sessions close themselves when they
 * were idle for TUNNELS_IDLE_US. One that carried much gets no new streams: a
 * new one takes its place, and it ends with the last stream that it has.
 */
#ifndef MESHD_TUNNELS_H
#define MESHD_TUNNELS_H

#include "worker.h"

enum {
	TUNNELS_CONNECT_MS = 5000, /* TCP; the handshake has its own limit */
	TUNNELS_STREAMS_MAX = 100, /* of one session, as ztunnel has it */
	TUNNELS_IDLE_US = 300 * 1000000,
	/* Of one session; the TLS below changes keys after twice as many. */
	TUNNELS_RECORDS_MAX = 1 << 22,
	TUNNELS_LOOK_US = 10 * 1000000 /* how often that is looked at */
};

struct tunnels *tunnels_new(struct worker *w);
void tunnels_free(struct tunnels **tp);

/* Who wants to reach what; borrowed for the call. */
struct tunnels_ask {
	const struct view_caller *from; /* no identity: the fallback's */
	const struct view_endpoint *to;
	const struct addr *client; /* NULL: the stream will serve several */
	bool is_copy; /* never over what others' requests use, nor they */
	/* Version of the PROXY header that the endpoint is to get first, of
	 * this client and of where it called; 0: none. See upstream_tell(). */
	unsigned header;
	const struct addr *called;
	/* It is a program here, called from there; NULL: any other. See
	 * worker_bear_source(). */
	const struct addr *source;
};

/*
 * An opening stream to the endpoint through its node. NULL, with words, if
 * there is no certificate for the caller.
 */
struct stream *tunnels_open(struct tunnels *t, const struct tunnels_ask *ask,
    const struct stream_events *events, void *arg, struct fault *why);

/* In on_close of such a stream: why, in words; empty if unknown. Lent. */
struct slice tunnels_why(const struct stream *s);

/* Likewise: true if the node did not look at the request for a stream. */
bool tunnels_is_untouched(const struct stream *s);

/* Any stream: says what it does when its node falls silent; see http2.h. It
 * is urgent at first. */
void tunnels_set_patience(struct stream *s, enum http2_patience patience);

/* Sees to sessions that carried enough; comes by itself as well. */
void tunnels_roll_over(struct tunnels *t);

/* For tests: what is enough. */
void tunnels_set_records_max(struct tunnels *t, uint64_t records);

/* No new streams on the sessions that are there. */
void tunnels_drain(struct tunnels *t);

/* True when no session is left. */
bool tunnels_are_empty(const struct tunnels *t);

/* Ends all sessions at once; or those whose peer the worker's credentials
 * revoke. */
void tunnels_cut(struct tunnels *t);
void tunnels_cut_revoked(struct tunnels *t);

#endif
