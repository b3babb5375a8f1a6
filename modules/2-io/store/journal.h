/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal — the log of mutations, and how far back it goes.
 */
#ifndef MESHD_STORE_JOURNAL_H
#define MESHD_STORE_JOURNAL_H

#include "db.h"

/*
 * Adds the mutation with a line for people, then forgets the oldest ones
 * beyond STORE_LOG_MAX or STORE_LOG_BYTES, and their changes. The newest
 * always stays. A failure marks the transaction as failed.
 */
MUST_USE enum err journal_add(struct db *db, uint64_t index,
    const struct store_mutation *m, struct slice bytes, struct fault *why);

#endif
