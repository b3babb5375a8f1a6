/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema — makes the tables of an empty file, and writes SQL from table.h.
 *
 * Names come from our own tables only and are quoted all the same: "group" is
 * a word of SQL. Values are always bound.
 */
#include <stdio.h>

#include "schema.h"

/*
 * changes: which rows a mutation touched, so that watchers can go on from any
 * revision that the log still has; and what a resource was before, so that it
 * can be brought back (NULL: it was not there). log: the mutations themselves.
 * meta: images_since is the revision from which on `before` was kept.
 */
static const char fixed_tables[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "INSERT INTO meta (name, value) VALUES ('log_bytes', 0),"
    " ('log_entries', 0), ('images_since', 0);"
    "CREATE TABLE log (revision INTEGER PRIMARY KEY,"
    " time_ms INTEGER NOT NULL, actor TEXT NOT NULL,"
    " request_id TEXT NOT NULL, what TEXT NOT NULL,"
    " mutation BLOB NOT NULL);"
    "CREATE INDEX log_by_request ON log (request_id)"
    " WHERE request_id != '';"
    "CREATE TABLE changes (revision INTEGER, seq INTEGER,"
    " \"table\" INTEGER NOT NULL, key BLOB NOT NULL, before BLOB,"
    " PRIMARY KEY (revision, seq)) WITHOUT ROWID;"
    "CREATE INDEX changes_by_key ON changes (\"table\", key, revision);";

/* From each schema to the next. */
static const char *const steps[DB_SCHEMA] = {
    [1] = "ALTER TABLE changes ADD COLUMN before BLOB;"
	  "INSERT INTO meta (name, value) SELECT 'log_entries', count(*)"
	  " FROM log;"
	  "INSERT INTO meta (name, value) SELECT 'images_since',"
	  " coalesce(max(revision), 0) FROM log;",
};

static const char *const fixed_sql[DB_STMTS] = {
    [DB_LOG_ADD] = "INSERT INTO log (revision, time_ms, actor, request_id,"
		   " what, mutation) VALUES (?, ?, ?, ?, ?, ?)",
    [DB_LOG_FIND] = "SELECT revision FROM log WHERE request_id = ?"
		    " AND request_id != ''",
    [DB_LOG_COUNT] = "UPDATE meta SET value = value + ?"
		     " WHERE name = 'log_bytes' RETURNING value",
    [DB_LOG_ENTRIES] = "UPDATE meta SET value = value + ?"
		       " WHERE name = 'log_entries' RETURNING value",
    [DB_LOG_WHO] = "SELECT actor, time_ms FROM log WHERE revision = ?",
    [DB_IMAGE_BYTES] = "SELECT coalesce(sum(length(before)), 0)"
		       " FROM changes WHERE revision <= ?",
    [DB_CHANGE_LAST] = "SELECT max(revision) FROM changes"
		       " WHERE \"table\" = ? AND key = ?",
    [DB_LOG_OLDEST] = "SELECT revision, length(mutation) FROM log"
		      " ORDER BY revision LIMIT 1",
    [DB_LOG_TRIM] = "DELETE FROM log WHERE revision <= ?",
    [DB_CHANGE_ADD] = "INSERT INTO changes (revision, seq, \"table\", key,"
		      " before) VALUES (?, ?, ?, ?, ?)",
    [DB_CHANGE_TRIM] = "DELETE FROM changes WHERE revision <= ?",
    [DB_SAVEPOINT] = "SAVEPOINT mutation",
    [DB_ROLLBACK_TO] = "ROLLBACK TO mutation",
    [DB_RELEASE] = "RELEASE mutation",
};

const char *
schema_sql(enum db_stmt which)
{
	CHECK((unsigned)which < DB_STMTS);
	return fixed_sql[which];
}

static const char *
type_name(const struct column *c)
{
	static const char *const names[] = {
	    [COLUMN_TEXT] = "TEXT",
	    [COLUMN_BLOB] = "BLOB",
	    [COLUMN_INT] = "INTEGER",
	};

	return names[c->type];
}

/* Adds `"name"` of each column with the flag (0: all), with text around. */
static enum err
add_names(struct buf *out, const struct table *t, unsigned flag,
    const char *before, const char *between, const char *after)
{
	const char *gap = "";
	enum err e = OK;

	for (size_t i = 0; e == OK && i < t->count; i++) {
		if (flag && !(t->columns[i].flags & flag))
			continue;
		e = buf_printf(out, "%s%s\"%s\"%s", gap, before,
		    t->columns[i].name, after);
		gap = between;
	}
	return e;
}

static enum err
add_index(struct buf *out, const struct table *t, const struct column *c)
{
	return buf_printf(out, "CREATE %s INDEX %s_by_%s ON %s (\"%s\")%s%s%s;",
	    c->flags & COLUMN_EXCLUSIVE ? "UNIQUE" : "", t->name, c->name,
	    t->name, c->name, c->flags & COLUMN_EXCLUSIVE ? " WHERE " : "",
	    c->flags & COLUMN_EXCLUSIVE ? c->name : "",
	    c->flags & COLUMN_EXCLUSIVE ? " != ''" : "");
}

static enum err
add_table(struct buf *out, const struct table *t)
{
	enum err e = buf_printf(out,
	    "CREATE TABLE %s (rid INTEGER PRIMARY KEY,"
	    " revision INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
	    " updated_ms INTEGER NOT NULL",
	    t->name);

	for (size_t i = 0; e == OK && i < t->count; i++)
		e = buf_printf(out, ", \"%s\" %s NOT NULL", t->columns[i].name,
		    type_name(&t->columns[i]));
	if (e == OK)
		e = buf_add_slice(out, S(", UNIQUE ("));
	if (e == OK)
		e = add_names(out, t, COLUMN_KEY, "", ", ", "");
	if (e == OK)
		e = buf_printf(out,
		    ")); CREATE INDEX %s_by_revision ON %s (revision);",
		    t->name, t->name);
	for (size_t i = 0; e == OK && i < t->count; i++)
		if (t->columns[i].flags & COLUMN_INDEXED)
			e = add_index(out, t, &t->columns[i]);
	return e;
}

enum err
db_select_list(const struct table *t, struct buf *out)
{
	enum err e =
	    buf_add_slice(out, S("rid, revision, created_ms, updated_ms"));

	return e == OK ? add_names(out, t, 0, ", ", "", "") : e;
}

static enum err
add_get(const struct table *t, struct buf *out)
{
	enum err e = buf_add_slice(out, S("SELECT "));

	if (e == OK)
		e = db_select_list(t, out);
	if (e == OK)
		e = buf_printf(out, " FROM %s WHERE ", t->name);
	return e == OK ? add_names(out, t, COLUMN_KEY, "", " AND ", " = ?") : e;
}

/* The key's columns come first in every table, so ?N counts from them on. */
static enum err
add_put(const struct table *t, struct buf *out)
{
	enum err e = buf_printf(
	    out, "INSERT INTO %s (revision, created_ms, updated_ms", t->name);

	if (e == OK)
		e = add_names(out, t, 0, ", ", "", "");
	if (e == OK)
		e = buf_add_slice(out, S(") VALUES (?, ?, ?"));
	for (size_t i = 0; e == OK && i < t->count; i++)
		e = buf_add_slice(out, S(", ?"));
	if (e == OK)
		e = buf_add_slice(out, S(") ON CONFLICT ("));
	if (e == OK)
		e = add_names(out, t, COLUMN_KEY, "", ", ", "");
	if (e == OK)
		e = buf_add_slice(
		    out, S(") DO UPDATE SET revision = excluded.revision,"
			   " updated_ms = excluded.updated_ms"));
	for (size_t i = 0; e == OK && i < t->count; i++)
		if (!(t->columns[i].flags & COLUMN_KEY))
			e = buf_printf(out, ", \"%s\" = excluded.\"%s\"",
			    t->columns[i].name, t->columns[i].name);
	return e;
}

enum err
schema_row_sql(enum store_table table, enum db_row_stmt which, struct buf *out)
{
	const struct table *t = table_of(table);
	enum err e;

	if (which == DB_ROW_GET)
		return add_get(t, out);
	if (which == DB_ROW_PUT)
		return add_put(t, out);
	e = buf_printf(out, "DELETE FROM %s WHERE ", t->name);
	return e == OK ? add_names(out, t, COLUMN_KEY, "", " AND ", " = ?") : e;
}

static enum err
run_text(struct db *db, const char *text, struct fault *why)
{
	int code = sqlite3_exec(db->sql, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? OK : db_fault(db, code, "creating", why);
}

static enum err
create_tables(struct db *db, struct fault *why)
{
	enum err e = run_text(db, fixed_tables, why);

	for (int i = 0; e == OK && i < STORE_TABLE_COUNT; i++) {
		AUTO(buf_fini) struct buf sql = BUF(SCHEMA_SQL_MAX);

		e = add_table(&sql, table_of((enum store_table)i));
		if (e == OK)
			e = buf_add_byte(&sql, 0);
		if (e != OK)
			return fault_set(why, e, "%s", err_text(e));
		e = run_text(db, buf_slice(&sql).ptr, why);
	}
	return e;
}

static enum err
put_key_check(
    struct db *db, const uint8_t check[CRYPTO_KEY_LEN], struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	enum err e = db_prepare(db,
	    "INSERT INTO meta (name, value) VALUES ('key_check', ?)", &stmt,
	    why);

	if (e != OK)
		return e;
	db_bind_blob(stmt, 1, slice_of(check, CRYPTO_KEY_LEN));
	return db_run(db, stmt, why);
}

enum err
schema_create(
    struct db *db, const uint8_t key_check[CRYPTO_KEY_LEN], struct fault *why)
{
	char begin[128];
	enum err e;

	snprintf(begin, sizeof(begin),
	    "BEGIN EXCLUSIVE; PRAGMA application_id = %d;"
	    " PRAGMA user_version = %d;",
	    DB_APP_ID, DB_SCHEMA);
	e = run_text(db, begin, why);
	if (e == OK)
		e = create_tables(db, why);
	if (e == OK)
		e = put_key_check(db, key_check, why);
	return e == OK ? run_text(db, "COMMIT", why) : e;
}

enum err
schema_migrate(struct db *db, int64_t from, struct fault *why)
{
	char text[64];
	enum err e = run_text(db, "BEGIN EXCLUSIVE", why);

	for (int64_t v = from; e == OK && v < DB_SCHEMA; v++)
		e = run_text(db, steps[v], why);
	snprintf(
	    text, sizeof(text), "PRAGMA user_version = %d; COMMIT", DB_SCHEMA);
	return e == OK ? run_text(db, text, why) : e;
}
