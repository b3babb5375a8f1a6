/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory — allocations that fail when the test says so.
 *
 * Those of buf and arena, i.e. all whose size a peer or a file chooses. Small
 * fixed objects end the process instead; SQLite's memory is walked in
 * unit/store/faults, gossip's in unit/gossip.
 */
#ifndef MESHD_TEST_MEMORY_H
#define MESHD_TEST_MEMORY_H

#include "base/base.h"

/* One attempt: the n-th allocation between fail and heal has no memory. */
struct memory_walk {
	uint64_t n;
	bool hit; /* after heal: it was reached */
};

void memory_fail(struct memory_walk *w);
void memory_heal(struct memory_walk *w);

/* Calls `try` with n = 1, 2, … until the n-th is not reached any more. */
void memory_walk_all(void (*try)(struct memory_walk *w));

/*
 * OK without a failure, else out of memory; or a limit, which is what a full
 * arena is taken for.
 */
void memory_expect(const struct memory_walk *w, enum err e);

#endif
