/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial — a connection to a service's endpoint: one that does not answer is
 * left for another.
 */
#ifndef MESHD_DIAL_H
#define MESHD_DIAL_H

#include "upstream/outside.h"
#include "upstream/upstream.h"

enum { DIAL_TRIES_MAX = 3 };

/* One of them, once; perhaps inside dial_begin(). */
struct dial_events {
	/* Take it with dial_take(). */
	void (*on_open)(void *arg);
	void (*on_failed)(void *arg, enum flow_flag flag, struct slice words);
};

/* Zeroed it is at rest. */
struct dial {
	struct worker *worker;
	struct bound *bound;
	struct outside *outside; /* first: of who is not known */
	/* Of `bound` only the endpoint at that address; NULL: any. */
	const struct addr *at;
	const struct view_caller *from;
	bool is_inbound; /* a program here, that is called by others */
	struct flow_record *record;
	const struct dial_events *events;
	void *arg;
	struct stream *up; /* the try that is under way, or the open one */
	struct host *host; /* of the try; counted, active */
	struct host *tried[DIAL_TRIES_MAX];
	size_t tries;
	bool floats; /* its endpoint: the connection knows where it led */
	struct awaiting await;  /* for where a name of `bound` leads */
	struct snapshot *named; /* the view that told; it has `bound` then */
};

/*
 * All but the lower half is set; the cluster's snapshot is kept by the caller.
 * Whom it tried, and who is called, goes into the record.
 */
void dial_begin(struct dial *d);

/* Between the two there may be no stream: where a name leads is looked up. */
static inline bool
dial_has_begun(const struct dial *d)
{
	return d->worker != NULL;
}

static inline bool
dial_is_open(const struct dial *d)
{
	return d->up != NULL && stream_is_open(d->up);
}

/* After on_open: the stream is the caller's, and the host with its count of
 * one active. */
struct stream *dial_take(struct dial *d, struct host **out_host);

/* It is wanted no more; nothing is heard of it. Also at rest. */
void dial_stop(struct dial *d);

#endif
