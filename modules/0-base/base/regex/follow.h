/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow — a relation between states, in the form that is quick to apply.
 */
#ifndef MESHD_FOLLOW_H
#define MESHD_FOLLOW_H

#include "automaton.h"

/* Row after row: bit k of row i says that state k may follow state i. */
struct relation {
	size_t states, words;
	uint64_t *rows;
};

/* False when one of the arenas is full. *out_cost is in words of work. */
bool follow_make(struct follow *out, const struct relation *r,
    struct arena *arena, struct arena *scratch, size_t *out_cost);

#endif
