/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners — where a view says that clients come in, on one worker: by the
 * name of an upstream, or at a gateway's ports.
 *
 * Every worker has a socket of its own for each (SO_REUSEPORT). A listener
 * stays open as long as views name it with the same address.
 */
#ifndef MESHD_LISTENERS_H
#define MESHD_LISTENERS_H

#include "worker.h"

struct listener; /* one of them; counted, as connections refer to it */

struct listeners *listeners_new(struct worker *w);

/* Closes all; connections live on. */
void listeners_free(struct listeners **lp);

/* Opens what the view names and is not open, closes what it no longer names. */
void listeners_update(struct listeners *ls, const struct view *v);

/* Takes no more connections, for good. */
void listeners_stop(struct listeners *ls);

/* True when every socket is closed. */
bool listeners_are_empty(const struct listeners *ls);

struct listener *listener_ref(struct listener *l);
void listener_unref(struct listener **lp);
const char *listener_name(const struct listener *l);

/* A connection to it was: says so in the log once for each reason. */
void listener_refused(struct listener *l, struct slice reason);

/*
 * May a call wait until its host is known? Not for a while after one that
 * waited in vain, which is told by the second.
 */
bool listener_may_await(const struct listener *l);
void listener_missed(struct listener *l);

/* Its clients are not of this machine. */
bool listener_is_gateway(const struct listener *l);

/*
 * A connection goes to who speaks what is spoken on it: `seen` is what is known
 * of it, `first` came already.
 */
void listener_hand_over(struct listener *l, struct stream *s,
    const struct view_connection *seen, struct slice first);

/* What a connection to it meets in a view. */
struct listener_way {
	const struct view_caller *caller; /* NULL: the view has no such */
	/* One of the two, or none. */
	const struct view_upstream *upstream; /* of its name */
	const struct view_chain *chain;       /* of a gateway */
	struct slice why_not; /* words, if there is none of the two */
};

void listener_way(const struct listener *l, const struct view *v,
    const struct view_connection *seen, struct listener_way *out);

/* Who its clients call as (URI); "" for the fallback. */
const char *listener_identity(const struct listener *l);

#endif
