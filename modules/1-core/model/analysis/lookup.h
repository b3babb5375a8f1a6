/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup — from texts to all the things that were put under them.
 *
 * Filled, sorted once, then asked. Only a hash of the texts is kept: who asks
 * compares them again. SipHash under a random key, so that nobody can make
 * many of them meet.
 */
#ifndef MESHD_ANALYSIS_LOOKUP_H
#define MESHD_ANALYSIS_LOOKUP_H

#include "base/base.h"

struct lookup_row {
	uint64_t hash;
	uint64_t order; /* as they were put: rows of one hash keep it */
	const void *item;
};

struct lookup {
	struct lookup_row *rows;
	size_t count;
	size_t cap;
};

/* Of several texts; none of them may be left out. */
uint64_t lookup_hash(const struct slice *texts, size_t count);
#define LOOKUP_HASH(...)                                                       \
	lookup_hash((const struct slice[]){__VA_ARGS__},                       \
	    sizeof((const struct slice[]){__VA_ARGS__}) /                      \
		sizeof(struct slice))

void lookup_put(struct lookup *l, uint64_t hash, const void *item);

/* After the last put, before the first get. */
void lookup_sort(struct lookup *l);

/* What was put under this hash, in that order. */
struct lookup_rows {
	const struct lookup_row *rows;
	size_t count;
};
struct lookup_rows lookup_get(const struct lookup *l, uint64_t hash);

void lookup_fini(struct lookup *l);

#endif
