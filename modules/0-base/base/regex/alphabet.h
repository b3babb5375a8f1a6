/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alphabet — the characters, in classes that a pattern cannot tell apart.
 */
#ifndef MESHD_ALPHABET_H
#define MESHD_ALPHABET_H

#include "program.h"

enum { ALPHABET_ASCII = 128 };

struct alphabet_range {
	uint32_t low; /* up to the next one's */
	uint32_t class;
};

struct alphabet {
	struct alphabet_range *ranges; /* sorted; the first begins at 0 */
	size_t range_count;
	size_t class_count;
	uint16_t ascii[ALPHABET_ASCII];
};

/*
 * Of all sets of the program; in `arena`, with `scratch` for what is not
 * needed later. False when one of them is full.
 */
bool alphabet_make(struct alphabet *a, const struct program *p,
    struct arena *arena, struct arena *scratch);

/* The class of a character; not of RUNE_NONE. */
size_t alphabet_class(const struct alphabet *a, uint32_t rune);

/* Calls fn(arg, class) for each class that the set has, perhaps again. */
void alphabet_each(const struct alphabet *a, const struct runes *set,
    void (*fn)(void *arg, size_t class), void *arg);

#endif
