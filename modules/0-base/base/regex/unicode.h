/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unicode — the tables behind \p{...} and (?i), written by unicode.py.
 */
#ifndef MESHD_UNICODE_H
#define MESHD_UNICODE_H

#include <stddef.h>
#include <stdint.h>

struct unicode_range {
	uint32_t low, high;
};

/* A category or script: lower case, without space, '_' and '-'. */
struct unicode_name {
	const char *name;
	uint16_t first, count; /* in unicode_ranges, sorted and apart */
};

/* The next rune that differs by case alone; following it comes round. */
struct unicode_fold {
	uint32_t rune, next;
};

extern const struct unicode_range unicode_ranges[];
extern const struct unicode_name unicode_names[]; /* sorted */
extern const struct unicode_fold unicode_folds[]; /* sorted */
extern const size_t unicode_name_count;
extern const size_t unicode_fold_count;

#endif
