/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff — what is different between two documents, by the paths of fields.
 *
 * Pure. Maps are compared by key. Items of lists are told apart by their name
 * (or number), else by being equal, so that an insertion is one difference and
 * not all that stands behind it.
 */
#ifndef MESHD_DIFF_H
#define MESHD_DIFF_H

#include "base/base.h"

enum {
	DIFF_PATH_MAX = 512, /* a longer one is cut */
	DIFF_NO_INDEX = -1
};

struct difference {
	/* "spec.http[0].timeout", metadata.labels["a.b/c"]; of what is new
	 * where that is, of what is gone where that was. */
	const char *path;
	const struct value *before; /* NULL: it is new */
	const struct value *after;  /* NULL: it is gone */
	/* An item of a list that stood there; else DIFF_NO_INDEX. Then both
	 * values are NULL: what changed inside of it comes on its own. */
	long moved_from;
};

struct diff {
	const struct difference *items; /* in the arena */
	size_t count;
};

/* Values are borrowed from both trees. ERR_NO_MEMORY: the arena is full. */
MUST_USE enum err diff_values(const struct value *before,
    const struct value *after, struct arena *a, struct diff *out);

/* As a list for programs: {"path", "before", "after", "movedFrom"}. */
struct value *diff_value(const struct diff *d, struct arena *a);

#endif
