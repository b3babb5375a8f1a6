/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — a mutation as bytes: what the log keeps and other servers would get.
 *
 * Big-endian; text is a u32 length and its bytes. First a version byte; then
 * actor, request id, time, the number of operations; each operation is its
 * type, its table, what it expects and the columns that a caller may put.
 */
#ifndef MESHD_STORE_WIRE_H
#define MESHD_STORE_WIRE_H

#include "table.h"

/*
 * What may be proposed at all: sizes, names, UTF-8, sense. ERR_INVALID or
 * ERR_LIMIT; `out_op` is the operation that is wrong.
 */
MUST_USE enum err wire_check(
    const struct store_mutation *m, size_t *out_op, struct fault *why);

MUST_USE enum err wire_encode(const struct store_mutation *m, struct buf *out);

/* Text borrows from `bytes`, operations lie in the arena. ERR_CORRUPT. */
MUST_USE enum err wire_decode(
    struct slice bytes, struct arena *a, struct store_mutation *out);

/* All columns of a row and when it changed: for the hash, and as it was. */
MUST_USE enum err wire_row_encode(const struct store_row *row, struct buf *out);

/*
 * The same back: text borrows from `bytes`, the rest of *out is zero.
 * ERR_CORRUPT.
 */
MUST_USE enum err wire_row_decode(struct slice bytes, struct store_row *out);

/* The key of a row alone, as the change log has it. */
MUST_USE enum err wire_key_encode(const struct store_row *row, struct buf *out);

/* `out` gets the table and the key, all else is zero. ERR_CORRUPT. */
MUST_USE enum err wire_key_decode(
    enum store_table table, struct slice bytes, struct store_row *out);

#endif
