/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db — the database file: one connection, opened with care.
 *
 * Synchronous, for the store's thread only. The journal is a WAL, so that a
 * commit is one append and one fsync; synchronous is FULL, because there is no
 * replicated log underneath that could bring back what the disk forgot. The
 * file is locked for as long as it is open, which keeps a second server out.
 */
#ifndef MESHD_STORE_DB_H
#define MESHD_STORE_DB_H

#include "table.h"

#include <sqlite3.h>

enum {
	DB_SCHEMA = 2,             /* what this meshd writes and reads */
	DB_APP_ID = 0x6d736864,    /* "mshd", at offset 68 of the file */
	DB_CHECKPOINT_PAGES = 1000 /* of the WAL */
};

enum db_row_stmt { DB_ROW_GET, DB_ROW_PUT, DB_ROW_DELETE, DB_ROW_STMTS };

enum db_stmt {
	DB_LOG_ADD,
	DB_LOG_FIND,
	DB_LOG_COUNT,
	DB_LOG_ENTRIES,
	DB_LOG_OLDEST,
	DB_LOG_WHO,
	DB_LOG_TRIM,
	DB_IMAGE_BYTES,
	DB_CHANGE_ADD,
	DB_CHANGE_LAST,
	DB_CHANGE_TRIM,
	DB_SAVEPOINT,
	DB_ROLLBACK_TO,
	DB_RELEASE,
	DB_STMTS
};

struct db {
	sqlite3 *sql;
	char *path;
	uint64_t revision; /* of the last mutation that changed something */
	bool failed;       /* the transaction cannot go on */
	bool shaken;       /* the disk failed: what it says now may be wrong */
	bool frozen;       /* an fsync failed: no write any more */
	int wal_pages;
	sqlite3_stmt *rows[STORE_TABLE_COUNT][DB_ROW_STMTS];
	sqlite3_stmt *stmts[DB_STMTS];
};

/*
 * Opens, or makes, locks and checks. `vfs` may be NULL. On failure there is
 * nothing to close; the words name the file.
 */
MUST_USE enum err db_open(struct db *db, const char *path,
    const uint8_t key[CRYPTO_KEY_LEN], const char *vfs, struct fault *why);

/* Harmless for one that is zeroed or was not opened. */
void db_close(struct db *db);

/* A group of mutations: committed together, fsynced when commit returns OK. */
MUST_USE enum err db_begin(struct db *db, struct fault *why);
MUST_USE enum err db_commit(struct db *db, struct fault *why);

/* To where db_begin found it; `revision` is the one from then. */
void db_rollback(struct db *db, uint64_t revision);

/* Moves a long WAL into the file. Its failure loses nothing. */
void db_checkpoint(struct db *db);

/*
 * Turns SQLite's last failure into ours, with words, and marks the transaction
 * as failed. `doing` is "writing to".
 */
enum err db_fault(
    struct db *db, int code, const char *doing, struct fault *why);

/* After this nothing is known of what the disk has. */
bool db_is_fsync_failure(int code);

/* A prepared statement that the db keeps; reset it after use. */
MUST_USE enum err db_row_stmt(struct db *db, enum store_table t,
    enum db_row_stmt which, sqlite3_stmt **out, struct fault *why);
MUST_USE enum err db_stmt(
    struct db *db, enum db_stmt which, sqlite3_stmt **out, struct fault *why);

/* One that the caller finalizes. */
MUST_USE enum err db_prepare(
    struct db *db, const char *text, sqlite3_stmt **out, struct fault *why);

/* Runs a statement that gives no rows, then resets it. */
MUST_USE enum err db_run(struct db *db, sqlite3_stmt *stmt, struct fault *why);

/* OK with a row at hand, ERR_EOF without one. The caller resets. */
MUST_USE enum err db_step(struct db *db, sqlite3_stmt *stmt, struct fault *why);

/* "rid, revision, created_ms, updated_ms" and the table's columns. */
MUST_USE enum err db_select_list(const struct table *t, struct buf *out);

/* Text and blobs are borrowed until the statement moves. NULL is empty. */
struct slice db_text(sqlite3_stmt *stmt, int column);

/* Reads what db_select_list() chose, from `column` on. */
void db_row_load(
    sqlite3_stmt *stmt, int column, enum store_table t, struct store_row *out);

/* Binds text that lives until the statement is reset. */
void db_bind_text(sqlite3_stmt *stmt, int at, struct slice s);
void db_bind_blob(sqlite3_stmt *stmt, int at, struct slice s);

/* Binds the columns that have `only` set (0: all), from `at` on. */
int db_bind_row(
    sqlite3_stmt *stmt, int at, const struct store_row *row, unsigned only);

/* For AUTO(). */
void db_finalize(sqlite3_stmt **stmt);
void db_reset(sqlite3_stmt **stmt);

#endif
