/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nearest — the known word that a misspelt one was likely meant to be.
 */
#ifndef MESHD_NEAREST_H
#define MESHD_NEAREST_H

#include "slice.h"

/* Feed it words, then ask: the best is NULL if none comes near. */
struct nearest {
	struct slice wrong;
	const char *best;
	unsigned distance;
};

void nearest_init(struct nearest *n, struct slice wrong);
void nearest_offer(struct nearest *n, const char *word);

/* ; did you mean "x"? — or nothing. Returns `out`. */
enum { NEAREST_TEXT_MAX = 128 };
const char *nearest_text(const struct nearest *n, char out[NEAREST_TEXT_MAX]);

#endif
