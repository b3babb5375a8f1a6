/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past — what resources were: the change log has each as it was before a
 * change, so that the versions of one, and all as of a revision, follow.
 */
#include <inttypes.h>

#include "query.h"
#include "wire.h"

static enum err
no_memory(struct fault *why)
{
	return fault_set(why, ERR_NO_MEMORY, "out of memory");
}

/* What it was before a change is known from here on. */
static enum err
images_since(struct db *db, uint64_t *out, struct fault *why)
{
	return query_number(
	    db, "SELECT value FROM meta WHERE name = 'images_since'", out, why);
}

static const char history_sql[] =
    "SELECT changes.revision, changes.before, log.time_ms, log.actor"
    " FROM changes JOIN log ON log.revision = changes.revision"
    " WHERE changes.\"table\" = ? AND changes.key = ? AND"
    " changes.revision > ? ORDER BY changes.revision DESC, changes.seq DESC";

/* As it was before a change; `key` if it was not there. */
static enum err
image_load(struct db *db, sqlite3_stmt *stmt, int column,
    const struct store_row *key, struct arena *a, struct store_row *out,
    struct fault *why)
{
	struct store_row row = *key;
	enum err e = OK;

	row.deleted = sqlite3_column_type(stmt, column) == SQLITE_NULL;
	if (!row.deleted)
		e = wire_row_decode(db_text(stmt, column), &row);
	if (e != OK)
		return fault_set(
		    why, ERR_CORRUPT, "%s: the change log", db->path);
	e = row.deleted ? table_copy_key(a, &row, out)
			: table_copy(a, &row, out);
	out->deleted = row.deleted;
	return e == OK ? OK : no_memory(why);
}

static enum store_outcome
outcome_of(bool was_there, bool is_there)
{
	if (!is_there)
		return STORE_DELETED;
	return was_there ? STORE_UPDATED : STORE_CREATED;
}

/*
 * The newest version is what is there now; each change tells what was before
 * it. Of several changes by one mutation the last word counts.
 */
static enum err
history_fill(struct db *db, sqlite3_stmt *stmt, struct store_row *now,
    struct arena *a, struct store_rows *out, struct fault *why)
{
	struct store_row *rows =
	    arena_alloc_array(a, STORE_HISTORY_MAX, sizeof(*rows));
	size_t n = 0;
	enum err e = OK;

	if (rows == NULL)
		return no_memory(why);
	while (a->used <= QUERY_BYTES && (e = db_step(db, stmt, why)) == OK) {
		uint64_t revision = (uint64_t)sqlite3_column_int64(stmt, 0);
		struct store_row before;
		struct store_row *row;

		if (n > 0 && rows[n - 1].revision == revision)
			row = &rows[n - 1];
		else if (n == STORE_HISTORY_MAX)
			break;
		else
			*(row = &rows[n++]) = *now;
		e = image_load(db, stmt, 1, now, a, &before, why);
		if (e == OK)
			e = arena_copy(a, db_text(stmt, 3), &row->actor);
		if (e != OK)
			return e == ERR_CORRUPT ? e : no_memory(why);
		row->revision = revision;
		row->updated_ms = sqlite3_column_int64(stmt, 2);
		row->outcome = outcome_of(!before.deleted, !row->deleted);
		*now = before;
	}
	out->rows = rows;
	out->count = n;
	return e == ERR_EOF ? OK : e;
}

/* A statement on the changes of one key, or of all if `which` is NULL. */
static enum err
prepare_on_key(struct db *db, const char *sql, const struct store_row *which,
    uint64_t revision, sqlite3_stmt **out, struct fault *why)
{
	AUTO(buf_fini) struct buf key = BUF(4 * STORE_NAME_MAX);
	enum err e = db_prepare(db, sql, out, why);

	if (e == OK && which != NULL)
		e = wire_key_encode(which, &key);
	if (e != OK)
		return e == ERR_LIMIT
			   ? fault_set(why, e, "a name is longer than any is")
			   : e;
	sqlite3_bind_int64(*out, 1, STORE_RESOURCES);
	if (which != NULL)
		CHECK(sqlite3_bind_blob64(*out, 2, buf_slice(&key).ptr,
			  buf_len(&key), SQLITE_TRANSIENT) == SQLITE_OK);
	sqlite3_bind_int64(*out, 3, (int64_t)revision);
	return OK;
}

enum err
query_history(struct db *db, const struct store_row *which, struct arena *a,
    struct store_rows *out, struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	struct store_row now;
	uint64_t since = 0;
	enum err e = images_since(db, &since, why);

	CHECK(which->table == STORE_RESOURCES);
	if (e == OK)
		e = query_row(db, which, a, &now, why);
	if (e == ERR_NOT_FOUND) {
		now = *which;
		now.deleted = true;
		e = OK;
	}
	if (e == OK)
		e = prepare_on_key(db, history_sql, which, since, &stmt, why);
	if (e == OK)
		e = history_fill(db, stmt, &now, a, out, why);
	if (e == OK && out->count == 0)
		return query_not_found(which, why);
	return e;
}

/* --- everything as it was --------------------------------------------------
 */

/* The first change after the revision tells what was before it. */
static const char as_of_sql[] =
    "SELECT key, before FROM changes AS c WHERE \"table\" = ?1"
    " AND (?2 IS NULL OR key = ?2) AND revision > ?3 AND NOT EXISTS ("
    "SELECT 1 FROM changes AS d WHERE d.\"table\" = c.\"table\""
    " AND d.key = c.key AND d.revision > ?3"
    " AND (d.revision, d.seq) < (c.revision, c.seq))"
    " ORDER BY revision, seq";

static enum err
check_reach(struct db *db, uint64_t revision, struct fault *why)
{
	uint64_t floor = 0, since = 0;
	enum err e = query_forgotten(db, &floor, why);

	if (e == OK)
		e = images_since(db, &since, why);
	if (e != OK)
		return e;
	floor = MAX(floor, since);
	if (revision > db->revision)
		return fault_set(why, ERR_INVALID,
		    "there is no revision %" PRIu64 " yet; the newest is "
		    "%" PRIu64,
		    revision, db->revision);
	if (revision < floor)
		return fault_set(why, ERR_NOT_FOUND,
		    "what was at revision %" PRIu64 " is forgotten; the log "
		    "reaches back to revision %" PRIu64,
		    revision, floor);
	return OK;
}

static enum err
as_of_fill(struct db *db, sqlite3_stmt *stmt, struct arena *a,
    struct store_rows *out, struct fault *why)
{
	struct store_row *rows =
	    arena_alloc_array(a, STORE_OPS_MAX, sizeof(*rows));
	size_t n = 0;
	enum err e;

	if (rows == NULL)
		return no_memory(why);
	while ((e = db_step(db, stmt, why)) == OK) {
		struct store_row key;

		if (n == STORE_OPS_MAX || a->used > STORE_MUTATION_MAX)
			return fault_set(why, ERR_LIMIT,
			    "more has changed since than one mutation may "
			    "bring back");
		if (wire_key_decode(STORE_RESOURCES, db_text(stmt, 0), &key) !=
		    OK)
			return fault_set(
			    why, ERR_CORRUPT, "%s: the change log", db->path);
		e = image_load(db, stmt, 1, &key, a, &rows[n++], why);
		if (e != OK)
			return e;
	}
	out->rows = rows;
	out->count = n;
	return e == ERR_EOF ? OK : e;
}

enum err
query_as_of(struct db *db, uint64_t revision, const struct store_row *which,
    struct arena *a, struct store_rows *out, struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	enum err e = check_reach(db, revision, why);

	if (e == OK)
		e = prepare_on_key(db, as_of_sql, which, revision, &stmt, why);
	return e == OK ? as_of_fill(db, stmt, a, out, why) : e;
}
