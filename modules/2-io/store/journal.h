/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal — the log of mutations, and how far back it goes.
 */
#ifndef MESHD_STORE_JOURNAL_H
#define MESHD_STORE_JOURNAL_H

#include "db.h"

/* A mutation that was applied. */
struct journal_entry {
	uint64_t index;
	const struct store_mutation *m;
	const enum store_outcome *outcomes; /* of its operations */
	struct slice bytes;                 /* the mutation, encoded */
	size_t image_bytes; /* of what it replaced, in the changes */
};

/*
 * Adds it with a line for people, then forgets the oldest ones beyond
 * STORE_LOG_MAX or STORE_LOG_BYTES, and their changes. The newest always
 * stays. A failure marks the transaction as failed.
 */
MUST_USE enum err journal_add(
    struct db *db, const struct journal_entry *entry, struct fault *why);

#endif
