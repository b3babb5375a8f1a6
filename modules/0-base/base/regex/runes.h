/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runes — sets of characters, as ranges in an arena.
 */
#ifndef MESHD_RUNES_H
#define MESHD_RUNES_H

#include "../arena.h"
#include "../check.h"

enum { RUNE_MAX = 0x10FFFF, RUNE_NONE = 0x7FFFFFFF };

struct rune_range {
	uint32_t low, high;
};

struct runes {
	struct arena *arena;
	struct rune_range *items;
	size_t count;
	size_t room;
	bool failed; /* the arena was full: sticky */
};

void runes_init(struct runes *s, struct arena *arena);
void runes_add(struct runes *s, uint32_t low, uint32_t high);

/* The same, with all that differs by case alone (simple folding). */
void runes_add_folded(struct runes *s, uint32_t low, uint32_t high);

void runes_add_set(struct runes *s, const struct runes *other);

/* Sorted, without overlaps and neighbours; to be called before the next two. */
void runes_tidy(struct runes *s);
void runes_negate(struct runes *s);
bool runes_eq(const struct runes *a, const struct runes *b);

/*
 * A category or script by its name, as in \p{Greek}; case, spaces, '_' and
 * '-' do not count. False if there is none.
 */
bool runes_add_named(struct runes *s, struct slice name, bool folded);

/*
 * The character at text[at] and how many bytes it has; RUNE_NONE and 1 for a
 * byte that is not UTF-8.
 */
size_t rune_at(struct slice text, size_t at, uint32_t *out);

/* The length of the one that ends before text[at]. */
size_t rune_before(struct slice text, size_t at);

#endif
