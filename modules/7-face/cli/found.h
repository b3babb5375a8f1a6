/* SPDX-License-Identifier: Apache-2.0 */
/*
 * found — what the analysis found, chosen and printed.
 *
 * Works on lists as analysis_value() makes them and as the server answers.
 */
#ifndef MESHD_FOUND_H
#define MESHD_FOUND_H

#include "base/base.h"
#include "model/model.h"

#include <stdio.h>

struct files;

struct found_wish {
	enum analysis_level level;   /* the least that is shown */
	enum analysis_level failure; /* the least that is a failure */
	struct slice ns;             /* empty: all */
	struct slice default_ns;     /* of documents that name none */
};

struct found_shown {
	struct value *items;               /* NULL: no room */
	size_t counts[ANALYSIS_ERROR + 1]; /* by level */
	bool failed; /* something was as bad as that, shown or not */
};

/*
 * What is wished for; findings of documents in `f` (NULL: there are none) get
 * their file and line.
 * The items lie in `a` and borrow from `found`.
 */
void found_choose(const struct value *found, const struct found_wish *w,
    const struct files *f, struct arena *a, struct found_shown *out);

/* One a line: "error IST0101 Kind/ns/name (file:line, field): message". */
void found_print(const struct value *items, FILE *out);
/* "2 errors, 1 warning", or that nothing was found. */
void found_print_counts(const struct found_shown *s, FILE *out);

/* All of an answer's to stderr, found again in `f` (key, then place). */
void found_tell(
    const struct value *found, const struct files *f, struct slice ns);

/* The codes there are, for people, and as {"items": […]}; NULL: no room. */
void found_print_codes(void);
struct value *found_codes(struct arena *a);

#endif
