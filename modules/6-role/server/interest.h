/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interest — which resources concern an agent: those about hosts it may call.
 *
 * An agent asks for hosts. What is about one of them concerns it; where that
 * refers to other hosts, what is about those does too, and so on. Pure.
 */
#ifndef MESHD_INTEREST_H
#define MESHD_INTEREST_H

#include "model/model.h"

enum { INTEREST_HOSTS_MAX = 4096 }; /* that one agent may ask for */

/* What there is and who is interested in it, by hosts. */
struct interest_index {
	struct slice domain;
	struct map places; /* host or pattern → struct place */
	struct list stale; /* of struct interest, by its link */
	struct list all;   /* of those that asked for HOST_ALL */
};

/* `domain` is borrowed. */
void interest_index_init(struct interest_index *x, struct slice domain);

/* Interests are gone by then. */
void interest_index_fini(struct interest_index *x);

/*
 * A resource is another now; either may be NULL. Borrows `now` until it is
 * changed again. Interests for which something else than before may follow
 * from it become stale; none does if it is about the same hosts as before and
 * leads to the same. Costs those whom it may concern, not all.
 */
void interest_index_change(struct interest_index *x,
    const struct resource *before, const struct resource *now);

/* There is no resource any more. */
void interest_index_clear(struct interest_index *x);

/* Of one agent. Maps are of marks but for patterns. */
struct interest {
	struct interest_index *index;
	struct list link;     /* while it is stale */
	struct map asked;     /* hosts that it asked for */
	struct list all;      /* in the index, if HOST_ALL is among them */
	struct map news;      /* then: what came since it was followed */
	struct map patterns;  /* what matches those and what they lead to */
	struct map resources; /* cache_key_text() of those that concern it */
};

void interest_init(struct interest *i, struct interest_index *x);
void interest_fini(struct interest *i);

/* Has something changed that may change what concerns the agent? */
bool interest_is_stale(const struct interest *i);

/* Each resource that concerns it, perhaps several times. */
void interest_each(const struct interest *i,
    void (*each)(void *arg, struct slice name), void *arg);

bool interest_concerns(const struct interest *i, struct slice name);

/*
 * Finds out anew what concerns the agent; then calls `each` with the name of
 * each resource that does now, or does no more. It is not stale after it.
 */
void interest_follow(
    struct interest *i, void (*each)(void *arg, struct slice name), void *arg);

#endif
