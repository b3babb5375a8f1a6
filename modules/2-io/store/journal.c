/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal — the log of mutations, and how far back it goes.
 *
 * How many bytes it has is kept in the file, so that forgetting depends on the
 * content alone, as everything that applying a mutation does.
 */
#include "journal.h"
#include "table.h"

enum { WHAT_MAX = 400 }; /* bytes of a line; then only a number follows */

static enum err
describe_op(
    const struct store_op *op, enum store_outcome outcome, struct buf *out)
{
	const char *verb = store_outcome_name(outcome);
	enum err e;

	if (op->type == STORE_SWEEP)
		return buf_add_slice(out, S("forgot what has expired"));
	if (op->type == STORE_CONSUME_TOKEN)
		verb = "recorded";
	else if (op->type == STORE_REVOKE_TOKEN)
		verb = "revoked";
	e = buf_printf(out, "%s ", verb);
	return e == OK ? table_describe(&op->row, out) : e;
}

/* As much as fits: the log line is for eyes, the mutation lies beside it. */
static enum err
describe(const struct journal_entry *entry, struct buf *out)
{
	size_t left = 0;
	enum err e = OK;

	if (entry->m->op_count == 0)
		return buf_add_slice(out, S("restored from a backup"));
	for (size_t i = 0; e == OK && i < entry->m->op_count; i++) {
		if (entry->outcomes[i] == STORE_UNCHANGED)
			continue;
		if (buf_len(out) > WHAT_MAX) {
			left++;
			continue;
		}
		if (buf_len(out) > 0)
			e = buf_add_slice(out, S("; "));
		if (e == OK)
			e = describe_op(
			    &entry->m->ops[i], entry->outcomes[i], out);
	}
	return e == OK && left > 0 ? buf_printf(out, "; and %zu more", left)
				   : e;
}

static enum err
add_entry(struct db *db, const struct journal_entry *entry, struct fault *why)
{
	AUTO(buf_fini) struct buf what = BUF(WHAT_MAX + 8 * STORE_NAME_MAX);
	sqlite3_stmt *stmt = NULL;
	enum err e = db_stmt(db, DB_LOG_ADD, &stmt, why);

	if (e != OK)
		return e;
	if (describe(entry, &what) != OK) {
		db->failed = true;
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	}
	sqlite3_bind_int64(stmt, 1, (int64_t)entry->index);
	sqlite3_bind_int64(stmt, 2, entry->m->time_ms);
	db_bind_text(stmt, 3, entry->m->actor);
	db_bind_text(stmt, 4, entry->m->request_id);
	db_bind_text(stmt, 5, buf_slice(&what));
	db_bind_blob(stmt, 6, entry->bytes);
	return db_run(db, stmt, why);
}

/* Adds to a number that the file keeps; gives the new one. */
static enum err
count(struct db *db, enum db_stmt which, int64_t more, int64_t *out_total,
    struct fault *why)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	enum err e = db_stmt(db, which, &stmt, why);

	if (e != OK)
		return e;
	sqlite3_bind_int64(stmt, 1, more);
	e = db_step(db, stmt, why);
	if (e == OK)
		*out_total = sqlite3_column_int64(stmt, 0);
	/* A second step ends the statement, and with it the change. */
	while (e == OK)
		e = db_step(db, stmt, why);
	return e == ERR_EOF ? OK : e;
}

struct totals {
	int64_t entries;
	int64_t bytes; /* of mutations, and of what they replaced */
};

static enum err
add_totals(struct db *db, int64_t entries, int64_t bytes, struct totals *out,
    struct fault *why)
{
	enum err e = count(db, DB_LOG_ENTRIES, entries, &out->entries, why);

	return e == OK ? count(db, DB_LOG_COUNT, bytes, &out->bytes, why) : e;
}

struct oldest {
	uint64_t revision;
	int64_t bytes; /* of the mutation */
};

/* There is one: the newest was just added. */
static enum err
find_oldest(struct db *db, struct oldest *out, struct fault *why)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	enum err e = db_stmt(db, DB_LOG_OLDEST, &stmt, why);

	if (e == OK)
		e = db_step(db, stmt, why);
	if (e != OK)
		return e;
	out->revision = (uint64_t)sqlite3_column_int64(stmt, 0);
	out->bytes = sqlite3_column_int64(stmt, 1);
	return OK;
}

/* The bytes of what was replaced up to the revision. */
static enum err
image_bytes(struct db *db, uint64_t revision, int64_t *out, struct fault *why)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	enum err e = db_stmt(db, DB_IMAGE_BYTES, &stmt, why);

	if (e != OK)
		return e;
	sqlite3_bind_int64(stmt, 1, (int64_t)revision);
	e = db_step(db, stmt, why);
	if (e == OK)
		*out = sqlite3_column_int64(stmt, 0);
	return e;
}

static enum err
forget(struct db *db, enum db_stmt which, uint64_t revision, struct fault *why)
{
	sqlite3_stmt *stmt = NULL;
	enum err e = db_stmt(db, which, &stmt, why);

	if (e != OK)
		return e;
	sqlite3_bind_int64(stmt, 1, (int64_t)revision);
	return db_run(db, stmt, why);
}

static enum err
forget_oldest(struct db *db, const struct oldest *o, struct totals *totals,
    struct fault *why)
{
	int64_t images = 0;
	enum err e = image_bytes(db, o->revision, &images, why);

	if (e == OK)
		e = forget(db, DB_LOG_TRIM, o->revision, why);
	if (e == OK)
		e = forget(db, DB_CHANGE_TRIM, o->revision, why);
	return e == OK ? add_totals(db, -1, -o->bytes - images, totals, why)
		       : e;
}

enum err
journal_add(struct db *db, const struct journal_entry *entry, struct fault *why)
{
	struct totals totals = {0};
	enum err e = add_entry(db, entry, why);

	if (e == OK)
		e = add_totals(db, 1,
		    (int64_t)(entry->bytes.len + entry->image_bytes), &totals,
		    why);
	while (e == OK && (totals.entries > STORE_LOG_MAX ||
			      totals.bytes > STORE_LOG_BYTES)) {
		struct oldest o;

		e = find_oldest(db, &o, why);
		if (e != OK || o.revision == entry->index)
			break;
		e = forget_oldest(db, &o, &totals, why);
	}
	return e;
}
