/* SPDX-License-Identifier: Apache-2.0 */
/*
 * propagation — how long changes take from the commit to being in force.
 *
 * What was committed when, for the last changes; and the times that one agent
 * took, for its last ones. Pure.
 */
#ifndef MESHD_PROPAGATION_H
#define MESHD_PROPAGATION_H

#include "base/base.h"

enum { COMMITS_KEPT = 1024, TIMES_KEPT = 128 };

/* A ring of the last commits, by revision. */
struct commits {
	struct commit {
		uint64_t revision;
		uint64_t at_us;
	} items[COMMITS_KEPT];
	size_t count; /* ever */
};

/* Revisions ascend; one that does not is forgotten. */
void commits_add(struct commits *c, uint64_t revision, uint64_t at_us);

/*
 * When the commit that brought this revision was; the oldest that is known for
 * an older one; 0: it is not known yet, or nothing is.
 */
uint64_t commits_time(const struct commits *c, uint64_t revision);

/* The times of one agent's last changes. */
struct times {
	uint32_t us[TIMES_KEPT];
	size_t count; /* ever */
};

void times_add(struct times *t, uint64_t us);

struct times_summary {
	size_t count; /* ever */
	uint64_t last_us;
	uint64_t p50_us; /* of those that are kept */
	uint64_t p99_us;
};

void times_summarize(const struct times *t, struct times_summary *out);

#endif
