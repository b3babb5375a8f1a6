/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lb — which of a destination's endpoints takes the next request.
 *
 * Pure: time and chance are arguments. Hosts belong to one worker and outlive
 * views, so that counts and failures survive a change of configuration.
 * Weights follow an earliest-deadline queue; least request follows the power
 * of two choices (Mitzenmacher 2001) where weights are equal.
 */
#ifndef MESHD_LB_H
#define MESHD_LB_H

#include "base/base.h"

enum lb_policy { LB_LEAST_REQUEST, LB_ROUND_ROBIN, LB_RANDOM };

enum {
	LB_AVOID_FIRST_MS = 1000, /* after the first failure in a row */
	LB_AVOID_MAX_MS = 30000,  /* it doubles up to this */
	LB_TRIAL_MS = 5000 /* one request tries it; others wait so long */
};

/* What one worker knows of one endpoint. */
struct lb_host {
	uint32_t weight;   /* 0 takes no new traffic */
	uint32_t active;   /* requests or connections under way here */
	uint32_t failures; /* in a row */
	bool unhealthy;    /* by its owner's own word */
	bool excluded;     /* set by the caller for one pick: tried already */
	uint64_t avoid_until_us;
	uint64_t trial_until_us; /* while a request finds out */
};

/* A host's place in one destination; the same host may stand in several. */
struct lb_slot {
	struct lb_host *host;
	double deadline; /* in the weighted queue */
};

/* The hosts of one destination, in the order of the view's endpoints. */
struct lb_set {
	struct lb_slot *slots; /* the caller's, for as long as the set lives */
	size_t count;
	size_t cursor;   /* round robin with equal weights */
	bool equal;      /* all weights that count are the same */
	double deadline; /* of the host that was picked last */
};

/* Starts at a random place, so that many callers do not march in step. */
void lb_set_init(
    struct lb_set *s, struct lb_slot *slots, size_t count, struct rng *rng);

/*
 * The index of the host to use, or s->count if there is none. A host whose
 * owner says unhealthy, or of weight 0, is never picked; one that failed here
 * is picked only when no other is left (suspicion alone never empties a
 * service), or by one request at a time when its time is over: a machine that
 * is gone costs that one its patience and the others nothing. An excluded one
 * is picked only when every host was tried.
 */
size_t lb_pick(
    struct lb_set *s, enum lb_policy policy, uint64_t now_us, struct rng *rng);

/*
 * No connection, or it broke before an answer: avoid it for a while. What
 * fails while it is avoided already is the same event, seen by many requests.
 */
void lb_host_failed(struct lb_host *h, uint64_t now_us);

/* It answered: whatever was held against it is forgotten. */
void lb_host_succeeded(struct lb_host *h);

#endif
