/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db — the database file: one connection, opened with care.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LOG_MODULE "store"
#include "db.h"
#include "schema.h"

enum {
	BUSY_WAIT_MS = 250, /* a server that is just going away */
	HEADER_LEN = 100    /* SQLite's file format, §1.3 */
};

/* --- opening -------------------------------------------------------------- */

static enum err
exec(struct db *db, const char *text, struct fault *why)
{
	int code = sqlite3_exec(db->sql, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? OK : db_fault(db, code, "opening", why);
}

/* The first column of the first row, as a number or as text. */
static enum err
ask(struct db *db, const char *text, int64_t *out_number, struct buf *out_text,
    struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	enum err e = db_prepare(db, text, &stmt, why);

	if (e == OK)
		e = db_step(db, stmt, why);
	if (e == ERR_EOF)
		return fault_set(why, ERR_CORRUPT,
		    "%s is damaged: \"%s\" has no answer", db->path, text);
	if (e != OK)
		return e;
	if (out_number != NULL)
		*out_number = sqlite3_column_int64(stmt, 0);
	if (out_text != NULL)
		e = buf_add_slice(out_text, db_text(stmt, 0));
	return e == OK ? OK : fault_set(why, e, "%s", err_text(e));
}

/*
 * Looks at the file before SQLite does anything with it, through SQLite's own
 * descriptor (closing another one would drop the lock: POSIX). A file of zero
 * bytes is new.
 */
static enum err
inspect(struct db *db, bool *out_new, struct fault *why)
{
	unsigned char h[HEADER_LEN] = {0};
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	int code = sqlite3_file_control(
	    db->sql, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (code == SQLITE_OK)
		code = file->pMethods->xFileSize(file, &size);
	if (code == SQLITE_OK && size >= HEADER_LEN)
		code = file->pMethods->xRead(file, h, sizeof(h), 0);
	if (code != SQLITE_OK)
		return db_fault(db, code, "reading", why);
	*out_new = size == 0;
	if (size == 0 ||
	    (memcmp(h, "SQLite format 3", 16) == 0 &&
		(h[68] << 24 | h[69] << 16 | h[70] << 8 | h[71]) == DB_APP_ID))
		return OK;
	return fault_set(why, ERR_INVALID,
	    "%s is not a store of meshd; it is left as it is", db->path);
}

/*
 * True as well for a file whose making was cut short: SQLite has undone it by
 * now, and nothing is left inside.
 */
static enum err
is_empty(struct db *db, bool *out, struct fault *why)
{
	int64_t things = 0;
	enum err e =
	    ask(db, "SELECT count(*) FROM sqlite_master", &things, NULL, why);

	*out = things == 0;
	return e;
}

static enum err
check_schema(struct db *db, struct fault *why)
{
	int64_t version = 0;
	enum err e = ask(db, "PRAGMA user_version", &version, NULL, why);

	if (e != OK)
		return e;
	if (version > DB_SCHEMA)
		return fault_set(why, ERR_UNSUPPORTED,
		    "%s was made by a newer meshd (schema %lld, this one "
		    "knows %d); run the newer one",
		    db->path, (long long)version, DB_SCHEMA);
	if (version < 1)
		return fault_set(why, ERR_CORRUPT,
		    "%s is damaged: it has no schema version", db->path);
	return version < DB_SCHEMA ? schema_migrate(db, version, why) : OK;
}

/* SQLite's code if a page could not be looked at at all, else SQLITE_OK. */
static int
reading_failed(struct buf *report)
{
	static const char mark[] = "error code=";
	const char *at;

	if (buf_add_byte(report, 0) != OK || report->mem == NULL)
		return SQLITE_NOMEM;
	at = strstr(report->mem + report->start, mark);
	return at != NULL ? (int)strtol(at + strlen(mark), NULL, 10)
			  : SQLITE_OK;
}

static enum err
check_integrity(struct db *db, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(64 << 10);
	enum err e = ask(db, "PRAGMA quick_check(1)", NULL, &text, why);
	int code;

	if (e != OK || slice_eq(buf_slice(&text), S("ok")))
		return e;
	code = reading_failed(&text);
	if (code != SQLITE_OK)
		return db_fault(db, code, "reading", why);
	for (char *c = text.mem + text.start; c < text.mem + text.end; c++)
		if (*c == '\n')
			*c = ' '; /* a fault is one line */
	return fault_set(why, ERR_CORRUPT,
	    "%s is damaged: %.*s; restore a backup", db->path,
	    SLICE_ARG(buf_slice(&text)));
}

static enum err
check_key(struct db *db, const uint8_t check[CRYPTO_KEY_LEN], struct fault *why)
{
	AUTO(buf_fini) struct buf there = BUF(LIMIT_RESOURCE_BYTES);
	enum err e = ask(db, "SELECT value FROM meta WHERE name = 'key_check'",
	    NULL, &there, why);

	if (e != OK ||
	    slice_eq(buf_slice(&there), slice_of(check, CRYPTO_KEY_LEN)))
		return e;
	return fault_set(why, ERR_AUTH,
	    "%s was made under another sealing key; use the key file that "
	    "was beside it",
	    db->path);
}

static int
on_wal(void *arg, sqlite3 *sql UNUSED, const char *name UNUSED, int pages)
{
	struct db *db = arg;

	db->wal_pages = pages;
	return SQLITE_OK;
}

/* Settles what must be said before the first transaction. */
static enum err
set_up(struct db *db, const uint8_t check[CRYPTO_KEY_LEN], struct fault *why)
{
	bool is_new = false;
	AUTO(buf_fini) struct buf mode = BUF(4096);
	enum err e = exec(db,
	    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL;"
	    "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;"
	    "PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = "
	    "67108864;",
	    why);

	if (e == OK)
		e = is_empty(db, &is_new, why);
	if (e == OK && is_new)
		e = schema_create(db, check, why);
	if (e == OK)
		e = check_schema(db, why);
	if (e == OK)
		e = ask(db, "PRAGMA journal_mode = WAL", NULL, &mode, why);
	if (e == OK && !slice_eq(buf_slice(&mode), S("wal")))
		return fault_set(why, ERR_UNSUPPORTED,
		    "%s lies on a file system that cannot do write-ahead "
		    "logging",
		    db->path);
	/* Takes the lock for good. */
	if (e == OK)
		e = exec(db, "BEGIN IMMEDIATE; COMMIT", why);
	return e;
}

static enum err
check_content(
    struct db *db, const uint8_t check[CRYPTO_KEY_LEN], struct fault *why)
{
	int64_t revision = 0;
	enum err e = check_integrity(db, why);

	if (e == OK)
		e = check_key(db, check, why);
	if (e == OK)
		e = ask(db, "SELECT coalesce(max(revision), 0) FROM log",
		    &revision, NULL, why);
	if (e != OK)
		return e;
	db->revision = (uint64_t)revision;
	db->failed = false;
	/* After a commit is answered, not inside it: see db_checkpoint(). */
	(void)sqlite3_wal_hook(db->sql, on_wal, db);
	return OK;
}

static enum err
open_file(struct db *db, const char *vfs, struct fault *why)
{
	int code = sqlite3_open_v2(db->path, &db->sql,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_EXRESCODE,
	    vfs);

	if (db->sql == NULL)
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	if (code != SQLITE_OK)
		return db_fault(db, code, "opening", why);
	if (sqlite3_db_readonly(db->sql, "main") == 1)
		return fault_set(why, ERR_PERMISSION,
		    "no permission for writing to %s", db->path);
	(void)sqlite3_busy_timeout(db->sql, BUSY_WAIT_MS); /* cannot fail */
	return OK;
}

enum err
db_open(struct db *db, const char *path, const uint8_t key[CRYPTO_KEY_LEN],
    const char *vfs, struct fault *why)
{
	uint8_t check[CRYPTO_KEY_LEN];
	bool is_new = false;
	enum err e;

	*db = (struct db){.path = mem_strndup(path, strlen(path))};
	crypto_derive(key, S("meshd store: which key is it"), check);
	e = open_file(db, vfs, why);
	if (e == OK)
		e = inspect(db, &is_new, why);
	/* Before anything is in it; the WAL takes over the mode. */
	if (e == OK && is_new && chmod(path, S_IRUSR | S_IWUSR) != 0)
		e = fault_set(why, err_from_errno(errno),
		    "the mode of %s cannot be set", path);
	if (e == OK)
		e = set_up(db, check, why);
	if (e == OK)
		e = check_content(db, check, why);
	if (e != OK)
		db_close(db);
	return e;
}

void
db_close(struct db *db)
{
	for (int t = 0; t < STORE_TABLE_COUNT; t++)
		for (int i = 0; i < DB_ROW_STMTS; i++)
			db_finalize(&db->rows[t][i]);
	for (int i = 0; i < DB_STMTS; i++)
		db_finalize(&db->stmts[i]);
	/* What a failed fsync left is for the next start to judge. */
	if (db->frozen)
		(void)sqlite3_db_config(db->sql,
		    SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, /* on */ 1, NULL);
	CHECK(sqlite3_close(db->sql) == SQLITE_OK);
	mem_free(&db->path);
	*db = (struct db){0};
}

/* --- transactions --------------------------------------------------------- */

static enum err
transact(struct db *db, const char *text, struct fault *why)
{
	int code = sqlite3_exec(db->sql, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? OK : db_fault(db, code, "writing to", why);
}

enum err
db_begin(struct db *db, struct fault *why)
{
	if (db->frozen)
		return fault_set(why, ERR_IO,
		    "%s could not be flushed to the disk before; nothing is "
		    "written until the server restarts",
		    db->path);
	db->failed = false;
	return transact(db, "BEGIN IMMEDIATE", why);
}

enum err
db_commit(struct db *db, struct fault *why)
{
	CHECK(!db->failed);
	return transact(db, "COMMIT", why);
}

void
db_rollback(struct db *db, uint64_t revision)
{
	/* SQLite may have done so already; there is nothing else to do. */
	if (!sqlite3_get_autocommit(db->sql))
		(void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	db->revision = revision;
	db->failed = false;
}

void
db_checkpoint(struct db *db)
{
	int code;

	if (db->frozen || db->wal_pages < DB_CHECKPOINT_PAGES)
		return;
	db->wal_pages = 0;
	code = sqlite3_wal_checkpoint_v2(
	    db->sql, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	if (db_is_fsync_failure(code))
		db->frozen = true;
	if (code != SQLITE_OK)
		log_debug(
		    "checkpoint failed", "file=%s code=%d", db->path, code);
}
