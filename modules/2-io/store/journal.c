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
describe_op(const struct store_op *op, struct buf *out)
{
	static const char *const verbs[] = {
	    [STORE_PUT] = "put",
	    [STORE_DELETE] = "delete",
	    [STORE_CONSUME_TOKEN] = "record",
	    [STORE_REVOKE_TOKEN] = "revoke",
	};
	enum err e;

	if (op->type == STORE_SWEEP)
		return buf_add_slice(out, S("forget what has expired"));
	e = buf_printf(out, "%s ", verbs[op->type]);
	return e == OK ? table_describe(&op->row, out) : e;
}

/* As much as fits: the log line is for eyes, the mutation lies beside it. */
static enum err
describe(const struct store_mutation *m, struct buf *out)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < m->op_count; i++) {
		if (buf_len(out) > WHAT_MAX)
			return buf_printf(
			    out, "; and %zu more", m->op_count - i);
		if (i > 0)
			e = buf_add_slice(out, S("; "));
		if (e == OK)
			e = describe_op(&m->ops[i], out);
	}
	return e;
}

static enum err
add_entry(struct db *db, uint64_t index, const struct store_mutation *m,
    struct slice bytes, struct fault *why)
{
	AUTO(buf_fini) struct buf what = BUF(WHAT_MAX + 8 * STORE_NAME_MAX);
	sqlite3_stmt *stmt = NULL;
	enum err e = db_stmt(db, DB_LOG_ADD, &stmt, why);

	if (e != OK)
		return e;
	if (describe(m, &what) != OK) {
		db->failed = true;
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	}
	sqlite3_bind_int64(stmt, 1, (int64_t)index);
	sqlite3_bind_int64(stmt, 2, m->time_ms);
	db_bind_text(stmt, 3, m->actor);
	db_bind_text(stmt, 4, m->request_id);
	db_bind_text(stmt, 5, buf_slice(&what));
	db_bind_blob(stmt, 6, bytes);
	return db_run(db, stmt, why);
}

/* Adds to the number of bytes; gives the new one. */
static enum err
count_bytes(struct db *db, int64_t more, int64_t *out_total, struct fault *why)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	enum err e = db_stmt(db, DB_LOG_COUNT, &stmt, why);

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

struct oldest {
	uint64_t revision;
	int64_t bytes;
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
forget_oldest(
    struct db *db, const struct oldest *o, int64_t *total, struct fault *why)
{
	enum err e = forget(db, DB_LOG_TRIM, o->revision, why);

	if (e == OK)
		e = forget(db, DB_CHANGE_TRIM, o->revision, why);
	return e == OK ? count_bytes(db, -o->bytes, total, why) : e;
}

enum err
journal_add(struct db *db, uint64_t index, const struct store_mutation *m,
    struct slice bytes, struct fault *why)
{
	int64_t total = 0;
	enum err e = add_entry(db, index, m, bytes, why);

	if (e == OK)
		e = count_bytes(db, (int64_t)bytes.len, &total, why);
	while (e == OK) {
		struct oldest o;

		e = find_oldest(db, &o, why);
		if (e != OK || o.revision == index ||
		    (o.revision + STORE_LOG_MAX > index &&
			total <= STORE_LOG_BYTES))
			break;
		e = forget_oldest(db, &o, &total, why);
	}
	return e;
}
