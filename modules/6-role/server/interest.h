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

/* The resources that there are, by the hosts that they are about. */
struct interest_index {
	struct slice domain;
	struct map about; /* host or pattern → struct about */
};

/* `domain` is borrowed. */
void interest_index_init(struct interest_index *x, struct slice domain);
void interest_index_fini(struct interest_index *x);

/* Borrows the resource until it is removed. */
void interest_index_add(struct interest_index *x, const struct resource *r);
void interest_index_remove(struct interest_index *x, const struct resource *r);

/* Of one agent. Maps are of marks. */
struct interest {
	struct map asked;     /* hosts that it asked for */
	struct map patterns;  /* what matches those and what they lead to */
	struct map resources; /* cache_key_text() of those that concern it */
};

void interest_init(struct interest *i);
void interest_fini(struct interest *i);

/* Could this resource, new or gone, change what concerns the agent? */
bool interest_is_touched(
    const struct interest *i, struct slice domain, const struct resource *r);

bool interest_concerns(const struct interest *i, struct slice name);

/*
 * Finds out anew what concerns the agent; then calls `each` with the name of
 * each resource that does now, or does no more.
 */
void interest_follow(struct interest *i, const struct interest_index *x,
    void (*each)(void *arg, struct slice name), void *arg);

#endif
