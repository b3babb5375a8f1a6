/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statement — prepared statements, and SQLite's failures as ours.
 */
#include <errno.h>

#include "db.h"
#include "schema.h"

void
db_finalize(sqlite3_stmt **stmt)
{
	/* The result repeats that of the last step, which was looked at. */
	(void)sqlite3_finalize(*stmt);
	*stmt = NULL;
}

void
db_reset(sqlite3_stmt **stmt)
{
	/* As above. */
	if (*stmt != NULL)
		(void)sqlite3_reset(*stmt);
}

/* --- failures ------------------------------------------------------------- */

static enum err
err_of_io(int system_errno)
{
	if (system_errno == ENOSPC || system_errno == EDQUOT)
		return ERR_NO_SPACE;
	if (system_errno == EACCES || system_errno == EPERM ||
	    system_errno == EROFS)
		return ERR_PERMISSION;
	return ERR_IO;
}

static enum err
err_of_code(sqlite3 *sql, int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return ERR_NO_SPACE;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_NOMEM:
		return ERR_NO_MEMORY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return ERR_PERMISSION;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return code == SQLITE_IOERR_NOMEM
			   ? ERR_NO_MEMORY
			   : err_of_io(sqlite3_system_errno(sql));
	default:
		return ERR_INTERNAL;
	}
}

bool
db_is_fsync_failure(int code)
{
	return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}

enum err
db_fault(struct db *db, int code, const char *doing, struct fault *why)
{
	enum err e = err_of_code(db->sql, code);

	db->failed = true;
	db->shaken = db->shaken || e == ERR_IO;
	if (db_is_fsync_failure(code)) {
		db->frozen = true;
		return fault_set(why, ERR_IO,
		    "%s could not be flushed to the disk; whether what was "
		    "being written is there will be known after a restart",
		    db->path);
	}
	switch (e) {
	case ERR_NO_SPACE:
		return fault_set(why, e,
		    "no space is left on the disk of %s; make room, then try "
		    "again",
		    db->path);
	case ERR_BUSY:
		return fault_set(
		    why, e, "%s is in use by another server", db->path);
	case ERR_PERMISSION:
		return fault_set(why, e,
		    "no permission for %s %s, or for its "
		    "directory",
		    doing, db->path);
	case ERR_CORRUPT:
		if (db->shaken)
			return fault_set(why, ERR_IO,
			    "%s is not read any more as it was, since its disk "
			    "failed: %s; mend the disk, then start the server "
			    "again",
			    db->path, sqlite3_errmsg(db->sql));
		return fault_set(why, e, "%s is damaged: %s; restore a backup",
		    db->path, sqlite3_errmsg(db->sql));
	default:
		return fault_set(why, e, "%s %s failed: %s", doing, db->path,
		    sqlite3_errmsg(db->sql));
	}
}

/* --- statements ----------------------------------------------------------- */

enum err
db_prepare(
    struct db *db, const char *text, sqlite3_stmt **out, struct fault *why)
{
	int code = sqlite3_prepare_v3(
	    db->sql, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	return code == SQLITE_OK ? OK : db_fault(db, code, "reading", why);
}

static enum err
prepare_row_stmt(struct db *db, enum store_table t, enum db_row_stmt which,
    struct fault *why)
{
	AUTO(buf_fini) struct buf sql = BUF(SCHEMA_SQL_MAX);
	enum err e = schema_row_sql(t, which, &sql);

	if (e == OK)
		e = buf_add_byte(&sql, 0);
	if (e == OK)
		return db_prepare(
		    db, buf_slice(&sql).ptr, &db->rows[t][which], why);
	db->failed = true;
	return fault_set(why, e, "%s", err_text(e));
}

enum err
db_row_stmt(struct db *db, enum store_table t, enum db_row_stmt which,
    sqlite3_stmt **out, struct fault *why)
{
	enum err e = OK;

	if (db->rows[t][which] == NULL)
		e = prepare_row_stmt(db, t, which, why);
	if (e == OK)
		*out = db->rows[t][which];
	return e;
}

enum err
db_stmt(
    struct db *db, enum db_stmt which, sqlite3_stmt **out, struct fault *why)
{
	enum err e = OK;

	if (db->stmts[which] == NULL)
		e = db_prepare(db, schema_sql(which), &db->stmts[which], why);
	if (e == OK)
		*out = db->stmts[which];
	return e;
}

enum err
db_step(struct db *db, sqlite3_stmt *stmt, struct fault *why)
{
	int code = sqlite3_step(stmt);

	if (code == SQLITE_ROW)
		return OK;
	if (code == SQLITE_DONE)
		return ERR_EOF;
	return db_fault(db, code, "using", why);
}

enum err
db_run(struct db *db, sqlite3_stmt *stmt, struct fault *why)
{
	enum err e = db_step(db, stmt, why);

	db_reset(&stmt);
	return e == ERR_EOF ? OK : e;
}

struct slice
db_text(sqlite3_stmt *stmt, int column)
{
	const void *p = sqlite3_column_blob(stmt, column);

	return slice_of(p, (size_t)sqlite3_column_bytes(stmt, column));
}

void
db_row_load(sqlite3_stmt *stmt, int column, enum store_table table,
    struct store_row *out)
{
	const struct table *t = table_of(table);
	struct store_row row = {.table = table};

	column++; /* the rid */
	row.revision = (uint64_t)sqlite3_column_int64(stmt, column++);
	row.created_ms = sqlite3_column_int64(stmt, column++);
	row.updated_ms = sqlite3_column_int64(stmt, column++);
	for (size_t i = 0; i < t->count; i++, column++) {
		const struct column *c = &t->columns[i];

		if (c->type == COLUMN_INT)
			*column_int(c, &row) =
			    sqlite3_column_int64(stmt, column);
		else
			*column_text(c, &row) = db_text(stmt, column);
	}
	*out = row;
}

/*
 * Binding fails only for a wrong number, which is our mistake; static text is
 * not copied, so there is no memory to lack.
 */
void
db_bind_text(sqlite3_stmt *stmt, int at, struct slice s)
{
	int code = sqlite3_bind_text64(stmt, at, s.len > 0 ? s.ptr : "", s.len,
	    SQLITE_STATIC, SQLITE_UTF8);

	CHECK(code == SQLITE_OK);
}

void
db_bind_blob(sqlite3_stmt *stmt, int at, struct slice s)
{
	int code = sqlite3_bind_blob64(
	    stmt, at, s.len > 0 ? s.ptr : "", s.len, SQLITE_STATIC);

	CHECK(code == SQLITE_OK);
}

int
db_bind_row(
    sqlite3_stmt *stmt, int at, const struct store_row *row, unsigned only)
{
	const struct table *t = table_of(row->table);

	for (size_t i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if (only && !(c->flags & only))
			continue;
		if (c->type == COLUMN_TEXT)
			db_bind_text(stmt, at, column_text_of(c, row));
		else if (c->type == COLUMN_BLOB)
			db_bind_blob(stmt, at, column_text_of(c, row));
		else
			CHECK(sqlite3_bind_int64(stmt, at,
				  column_int_of(c, row)) == SQLITE_OK);
		at++;
	}
	return at;
}
