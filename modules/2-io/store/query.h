/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query — reading the database: rows, the log, a row's past, what changed.
 *
 * For the store's thread, between transactions. Answers lie in the caller's
 * arena and are cut at QUERY_BYTES, so that no answer is larger than that and
 * one row.
 */
#ifndef MESHD_STORE_QUERY_H
#define MESHD_STORE_QUERY_H

#include "db.h"

enum {
	QUERY_BYTES = 8 << 20,
	QUERY_ARENA = 64 << 20 /* with the largest row */
};

MUST_USE enum err query_list(struct db *db, const struct store_query *q,
    struct arena *a, struct store_rows *out, struct fault *why);

MUST_USE enum err query_get(struct db *db, const struct store_row *which,
    struct arena *a, struct store_rows *out, struct fault *why);

/* One row, ERR_NOT_FOUND without words; and those. */
MUST_USE enum err query_row(struct db *db, const struct store_row *which,
    struct arena *a, struct store_row *out, struct fault *why);
enum err query_not_found(const struct store_row *which, struct fault *why);

/* The first column of the first row, of which there is one. */
MUST_USE enum err query_number(
    struct db *db, const char *sql, uint64_t *out, struct fault *why);

/* The revisions that the log no longer has are at most *out. */
MUST_USE enum err query_forgotten(
    struct db *db, uint64_t *out, struct fault *why);

/* --- past.c --- */

MUST_USE enum err query_history(struct db *db, const struct store_row *which,
    struct arena *a, struct store_rows *out, struct fault *why);

/* `which` is NULL for all. */
MUST_USE enum err query_as_of(struct db *db, uint64_t revision,
    const struct store_row *which, struct arena *a, struct store_rows *out,
    struct fault *why);

/* --- */

MUST_USE enum err query_log(struct db *db, uint64_t before, size_t limit,
    struct arena *a, struct store_log *out, struct fault *why);

/* Where a watcher stands: scanning all tables, or following the changes. */
struct query_position {
	bool started;
	bool scanning;
	unsigned tables;   /* scanning: so many are done, the next is */
	uint64_t after;    /* behind this rid */
	uint64_t revision; /* following: behind this change */
	uint32_t seq;
};

/* Seen everything up to `revision`. */
struct query_position query_position_at(uint64_t revision);

/*
 * The next changes behind *at, which moves. `current` in `out` says that
 * nothing is left. A position that the log has forgotten begins a scan.
 */
MUST_USE enum err query_changes(struct db *db, struct query_position *at,
    struct arena *a, struct store_changes *out, struct fault *why);

MUST_USE enum err query_hash(
    struct db *db, uint8_t out[CRYPTO_SHA256_LEN], struct fault *why);

#endif
