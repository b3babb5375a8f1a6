/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sm — state machines as tables; the only way that a state changes.
 *
 * A machine is an array of rows, one a state, with the set of states that may
 * follow. sm_go() checks the edge, traces it and runs the invariant.
 */
#ifndef MESHD_SM_H
#define MESHD_SM_H

#include "attr.h"

#define TO(state) (UINT64_C(1) << (state))

struct sm_row {
	const char *name;
	uint64_t next; /* TO(a) | TO(b) */
};

struct sm {
	const struct sm_row *rows;
	unsigned count;
	unsigned state;
	const char *what; /* "conn"; static */
	uint64_t id;      /* "17" */
	/* Called after each change; CHECKs what is true in the new state. */
	void (*invariant)(const void *owner, unsigned state);
	const void *owner;
};

void sm_init(struct sm *m, const char *what, uint64_t id,
    const struct sm_row *rows, unsigned count, unsigned first,
    void (*invariant)(const void *owner, unsigned state), const void *owner);

/* Dies if the table has no such edge. Traced as module "sm". */
void sm_go(struct sm *m, unsigned next);

static inline bool
sm_is(const struct sm *m, unsigned state)
{
	return m->state == state;
}

const char *sm_name(const struct sm *m);

#endif
