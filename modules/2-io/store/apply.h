/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply — one mutation on the database: the state machine itself.
 *
 * Deterministic: the outcome depends on the content, the index and the
 * mutation alone. Inside a transaction that the caller began.
 */
#ifndef MESHD_STORE_APPLY_H
#define MESHD_STORE_APPLY_H

#include "db.h"

struct apply_result {
	uint64_t revision; /* of the mutation, or the last if no change */
	size_t failed_op;
	enum store_outcome *outcomes; /* m->op_count of them, the caller's */
};

/*
 * `bytes` is the encoded mutation, for the log. An index that is not above
 * db->revision was applied before: OK, and nothing happens. A refusal undoes
 * this mutation alone; if db->failed is set afterwards, the whole transaction
 * is lost.
 */
MUST_USE enum err apply(struct db *db, uint64_t index,
    const struct store_mutation *m, struct slice bytes,
    struct apply_result *out, struct fault *why);

#endif
