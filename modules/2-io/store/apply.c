/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply — one mutation on the database: the state machine itself.
 *
 * No clock, no chance, no environment in here: what depends on them came with
 * the mutation. A put that would change nothing leaves the row's revision, so
 * that applying a file twice wakes nobody.
 */
#include <inttypes.h>
#include <stdio.h>

#include "apply.h"
#include "journal.h"
#include "wire.h"

/* Bytes of an actor in words; of a row as it was. */
enum {
	WHO_MAX = 128,
	IMAGE_MAX = 2 * LIMIT_RESOURCE_BYTES + 8 * STORE_NAME_MAX
};

/* One mutation while it is applied. */
struct job {
	struct db *db;
	uint64_t index;
	const struct store_mutation *m;
	uint32_t changes;   /* noted so far */
	size_t image_bytes; /* of what they replaced */
	bool changed;
	struct fault *why;
};

static enum err
refuse_row(struct job *j, enum err code, const struct store_row *row,
    const char *words)
{
	AUTO(buf_fini) struct buf text = BUF(4 * STORE_NAME_MAX);
	/* With no room for the name the words are there all the same. */
	enum err e = table_describe(row, &text);

	return fault_set(j->why, code, "%.*s %s",
	    e == OK ? (int)buf_len(&text) : 0, buf_slice(&text).ptr, words);
}

/* The buffers here are large enough: what fails is the memory. */
static enum err
out_of_memory(struct job *j)
{
	j->db->failed = true;
	return fault_set(j->why, ERR_NO_MEMORY, "out of memory");
}

/* OK with the row in *out (borrowed from *stmt), ERR_NOT_FOUND. */
static enum err
find(struct job *j, const struct store_row *key, sqlite3_stmt **stmt,
    struct store_row *out)
{
	enum err e = db_row_stmt(j->db, key->table, DB_ROW_GET, stmt, j->why);

	if (e != OK)
		return e;
	db_bind_row(*stmt, 1, key, COLUMN_KEY);
	e = db_step(j->db, *stmt, j->why);
	if (e == OK)
		db_row_load(*stmt, 0, key->table, out);
	return e == ERR_EOF ? ERR_NOT_FOUND : e;
}

/* What a resource was, so that it can be brought back; else empty. */
static enum err
keep_image(struct job *j, const struct store_row *there, struct buf *out)
{
	if (there == NULL || there->table != STORE_RESOURCES)
		return OK;
	return wire_row_encode(there, out) == OK ? OK : out_of_memory(j);
}

/* Remembers that the mutation touches the row, and what it was. */
static enum err
note(struct job *j, const struct store_row *row, const struct store_row *there)
{
	AUTO(buf_fini) struct buf key = BUF(LIMIT_RESOURCE_BYTES);
	AUTO(buf_fini) struct buf image = BUF(IMAGE_MAX);
	sqlite3_stmt *stmt = NULL;
	enum err e = keep_image(j, there, &image);

	if (e == OK)
		e = db_stmt(j->db, DB_CHANGE_ADD, &stmt, j->why);
	if (e != OK)
		return e;
	if (wire_key_encode(row, &key) != OK)
		return out_of_memory(j);
	sqlite3_bind_int64(stmt, 1, (int64_t)j->index);
	sqlite3_bind_int64(stmt, 2, j->changes++);
	sqlite3_bind_int64(stmt, 3, row->table);
	db_bind_blob(stmt, 4, buf_slice(&key));
	sqlite3_bind_null(stmt, 5);
	if (buf_len(&image) > 0)
		db_bind_blob(stmt, 5, buf_slice(&image));
	j->image_bytes += buf_len(&image);
	j->changed = true;
	return db_run(j->db, stmt, j->why);
}

/*
 * Writes all columns over what is there, if anything is (else NULL);
 * `created_ms` counts only for a row that is new.
 */
static enum err
write_row(
    struct job *j, const struct store_row *row, const struct store_row *there)
{
	sqlite3_stmt *stmt = NULL;
	enum err e = note(j, row, there);

	if (e == OK)
		e = db_row_stmt(j->db, row->table, DB_ROW_PUT, &stmt, j->why);
	if (e != OK)
		return e;
	sqlite3_bind_int64(stmt, 1, (int64_t)j->index);
	sqlite3_bind_int64(stmt, 2, j->m->time_ms);
	sqlite3_bind_int64(stmt, 3, j->m->time_ms);
	db_bind_row(stmt, 4, row, 0);
	return db_run(j->db, stmt, j->why);
}

static enum err
delete_row(
    struct job *j, const struct store_row *row, const struct store_row *there)
{
	sqlite3_stmt *stmt = NULL;
	enum err e = note(j, row, there);

	if (e == OK)
		e = db_row_stmt(
		    j->db, row->table, DB_ROW_DELETE, &stmt, j->why);
	if (e != OK)
		return e;
	db_bind_row(stmt, 1, row, COLUMN_KEY);
	return db_run(j->db, stmt, j->why);
}

/* --- two writers that collide --------------------------------------------- */

/* "by uid 0 at 2026-01-02T03:04:05Z", as far as the log still says so. */
static enum err
who_wrote(struct job *j, uint64_t revision, char out[2 * WHO_MAX])
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	char when[CLOCK_RFC3339_LEN];
	struct slice who;
	enum err e = db_stmt(j->db, DB_LOG_WHO, &stmt, j->why);

	if (e != OK)
		return e;
	sqlite3_bind_int64(stmt, 1, (int64_t)revision);
	e = db_step(j->db, stmt, j->why);
	(void)snprintf(out, 2 * WHO_MAX, "by someone else");
	if (e != OK)
		return e == ERR_EOF ? OK : e;
	who = slice_sub(db_text(stmt, 0), 0, WHO_MAX);
	clock_format_rfc3339(sqlite3_column_int64(stmt, 1), when);
	(void)snprintf(out, 2 * WHO_MAX, "by %.*s at %s", SLICE_ARG(who), when);
	return OK;
}

/* The revision that last touched the row, whatever it did; 0: unknown. */
static enum err
last_change(struct job *j, const struct store_row *row, uint64_t *out)
{
	AUTO(buf_fini) struct buf key = BUF(LIMIT_RESOURCE_BYTES);
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	enum err e = db_stmt(j->db, DB_CHANGE_LAST, &stmt, j->why);

	if (e == OK && wire_key_encode(row, &key) != OK)
		return out_of_memory(j);
	if (e != OK)
		return e;
	sqlite3_bind_int64(stmt, 1, row->table);
	db_bind_blob(stmt, 2, buf_slice(&key));
	e = db_step(j->db, stmt, j->why);
	if (e == OK)
		*out = (uint64_t)sqlite3_column_int64(stmt, 0);
	return e;
}

static enum err
refuse_gone(struct job *j, const struct store_op *op)
{
	uint64_t revision = 0;
	char who[2 * WHO_MAX];
	char words[4 * WHO_MAX];
	enum err e = last_change(j, &op->row, &revision);

	if (e == OK)
		e = who_wrote(j, revision, who);
	if (e != OK)
		return e;
	if (revision == 0)
		(void)snprintf(words, sizeof(words),
		    "does not exist, so that it cannot have revision %" PRId64,
		    op->expected);
	else
		(void)snprintf(words, sizeof(words), "was deleted %s", who);
	return refuse_row(j, ERR_CONFLICT, &op->row, words);
}

static enum err
refuse_changed(
    struct job *j, const struct store_op *op, const struct store_row *there)
{
	char who[2 * WHO_MAX];
	char words[4 * WHO_MAX];
	enum err e = who_wrote(j, there->revision, who);

	if (e != OK)
		return e;
	(void)snprintf(words, sizeof(words),
	    "was changed %s: it has revision %" PRIu64 " by now, not %" PRId64,
	    who, there->revision, op->expected);
	return refuse_row(j, ERR_CONFLICT, &op->row, words);
}

/* `there` is NULL when there is no such row. */
static enum err
check_expected(
    struct job *j, const struct store_op *op, const struct store_row *there)
{
	if (op->expected == STORE_EXPECT_ANY)
		return OK;
	if (op->expected == STORE_EXPECT_ABSENT)
		return there == NULL ? OK
				     : refuse_row(j, ERR_CONFLICT, &op->row,
					   "exists already");
	if (there != NULL && there->revision == (uint64_t)op->expected)
		return OK;
	return there == NULL ? refuse_gone(j, op)
			     : refuse_changed(j, op, there);
}

/* No two rows share what is marked so: two machines are not one node. */
static enum err
check_exclusive(struct job *j, const struct store_row *row)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	struct store_row other;
	enum err e;

	if (row->table != STORE_NODES || row->node.id.len == 0)
		return OK;
	e = db_prepare(j->db,
	    "SELECT name FROM nodes WHERE id = ? AND name != ?"
	    " AND id != ''",
	    &stmt, j->why);
	if (e != OK)
		return e;
	db_bind_text(stmt, 1, row->node.id);
	db_bind_text(stmt, 2, row->node.name);
	e = db_step(j->db, stmt, j->why);
	if (e != OK)
		return e == ERR_EOF ? OK : e;
	other = *row;
	other.node.name = db_text(stmt, 0);
	return refuse_row(j, ERR_EXISTS, &other, "has this id already");
}

static void
keep_own_columns(struct store_row *row, const struct store_row *there)
{
	const struct table *t = table_of(row->table);

	for (size_t i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if (c->flags & COLUMN_OWN)
			*column_int(c, row) =
			    there != NULL ? column_int_of(c, there) : 0;
	}
}

static enum err
put(struct job *j, const struct store_op *op, enum store_outcome *out)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	struct store_row there;
	struct store_row row = op->row;
	enum err e = find(j, &row, &stmt, &there);
	bool is_new = e == ERR_NOT_FOUND;

	if (e != OK && !is_new)
		return e;
	if (!is_new && row.table == STORE_CERTS)
		return refuse_row(j, ERR_EXISTS, &row, "was issued before");
	e = check_expected(j, op, is_new ? NULL : &there);
	if (e == OK)
		e = check_exclusive(j, &row);
	if (e != OK)
		return e;
	if (!is_new && table_same(&row, &there)) {
		*out = STORE_UNCHANGED;
		return OK;
	}
	keep_own_columns(&row, is_new ? NULL : &there);
	*out = is_new ? STORE_CREATED : STORE_UPDATED;
	return write_row(j, &row, is_new ? NULL : &there);
}

static enum err delete (
    struct job *j, const struct store_op *op, enum store_outcome *out) {
	AUTO(db_reset) sqlite3_stmt *stmt = NULL; struct store_row there;
	enum err e = find(j, &op->row, &stmt, &there);
	bool is_absent = e == ERR_NOT_FOUND;

	if (e != OK && !is_absent) return e;
	e = check_expected(j, op, is_absent ? NULL : &there);
	if (e != OK) return e;
	if (is_absent) return refuse_row(
	    j, ERR_NOT_FOUND, &op->row, "does not exist");
	*out = STORE_DELETED;
	return delete_row(j, &op->row, &there);
}

/* May this token let in one more key at this time? */
static enum err
check_token(struct job *j, const struct store_row *token, bool used_before)
{
	const struct store_token *t = &token->token;

	if (t->revoked_ms != 0)
		return refuse_row(j, ERR_DENIED, token, "was revoked");
	if (j->m->time_ms >= t->expires_ms)
		return refuse_row(j, ERR_EXPIRED, token, "has expired");
	if (!used_before && t->uses >= t->max_uses)
		return refuse_row(j, ERR_LIMIT, token,
		    t->max_uses == 1 ? "was used by another key"
				     : "has no use left");
	return OK;
}

static enum err
use_token(struct job *j, const struct store_row *use, struct store_row *token)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	struct store_row before;
	enum err e = find(j, use, &stmt, &before);
	bool is_new = e == ERR_NOT_FOUND;

	if (e != OK && !is_new)
		return e;
	e = check_token(j, token, !is_new);
	if (e == OK && is_new) {
		token->token.uses++;
		e = write_row(j, token, NULL);
	}
	if (e == OK && (is_new || !table_same(use, &before)))
		e = write_row(j, use, NULL);
	return e;
}

static enum err
consume(struct job *j, const struct store_op *op, enum store_outcome *out)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	struct store_row token;
	struct store_row key = {
	    .table = STORE_TOKENS, .token.id = op->row.token_use.token_id};
	uint32_t before = j->changes;
	enum err e = find(j, &key, &stmt, &token);

	if (e == ERR_NOT_FOUND)
		return refuse_row(j, e, &key, "does not exist");
	if (e == OK)
		e = use_token(j, &op->row, &token);
	*out = j->changes == before ? STORE_UNCHANGED : STORE_UPDATED;
	return e;
}

static enum err
revoke_token(struct job *j, const struct store_op *op, enum store_outcome *out)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	struct store_row token;
	enum err e = find(j, &op->row, &stmt, &token);

	if (e == ERR_NOT_FOUND)
		return refuse_row(j, e, &op->row, "does not exist");
	if (e != OK)
		return e;
	*out = STORE_UNCHANGED;
	if (token.token.revoked_ms != 0)
		return OK;
	*out = STORE_UPDATED;
	token.token.revoked_ms = j->m->time_ms;
	return write_row(j, &token, NULL);
}

/* --- forgetting what has expired ------------------------------------------ */

static const struct sweep {
	enum store_table table;
	const char *where; /* ?1 is the time */
} sweeps[] = {
    {STORE_CERTS, "expires_ms < ?1"},
    {STORE_REVOCATIONS, "expires_ms < ?1"},
    /* Uses first: they are found through their token. */
    {STORE_TOKEN_USES,
	"token_id IN (SELECT id FROM tokens WHERE expires_ms < ?1)"},
    {STORE_TOKENS, "expires_ms < ?1"},
};

/*
 * The rows are collected before the first is deleted: a statement that walks a
 * table while rows vanish from it may or may not see the next one.
 */
static enum err
collect(struct job *j, const struct sweep *s, int64_t before_ms,
    struct arena *a, struct store_row **out, size_t *out_count)
{
	AUTO(buf_fini) struct buf sql = BUF(4096);
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	struct store_row *rows;
	size_t count = 0;
	enum err e = buf_add_slice(&sql, S("SELECT "));

	rows = arena_alloc_array(a, STORE_OPS_MAX, sizeof(*rows));
	if (e == OK)
		e = db_select_list(table_of(s->table), &sql);
	if (e == OK)
		e = buf_printf(&sql, " FROM %s WHERE %s ORDER BY %s LIMIT %d%c",
		    table_of(s->table)->name, s->where,
		    table_of(s->table)->columns[0].name, STORE_OPS_MAX, 0);
	if (rows == NULL || e != OK)
		return out_of_memory(j);
	e = db_prepare(j->db, buf_slice(&sql).ptr, &stmt, j->why);
	if (e == OK)
		sqlite3_bind_int64(stmt, 1, before_ms);
	while (e == OK && (e = db_step(j->db, stmt, j->why)) == OK) {
		db_row_load(stmt, 0, s->table, &rows[count]);
		e = table_copy_key(a, &rows[count], &rows[count]);
		if (e != OK)
			return out_of_memory(j);
		count++;
	}
	*out = rows;
	*out_count = count;
	return e == ERR_EOF ? OK : e;
}

static enum err
sweep_table(struct job *j, const struct sweep *s, int64_t before_ms)
{
	AUTO(arena_fini) struct arena a;
	struct store_row *rows = NULL;
	size_t count = 0;
	enum err e;

	arena_init(&a, STORE_MUTATION_MAX);
	e = collect(j, s, before_ms, &a, &rows, &count);
	for (size_t i = 0; e == OK && i < count; i++)
		e = delete_row(j, &rows[i], NULL);
	return e;
}

static enum err
sweep(struct job *j, const struct store_op *op, enum store_outcome *out)
{
	uint32_t before = j->changes;
	enum err e = OK;

	for (size_t i = 0; e == OK && i < ARRAY_LEN(sweeps); i++)
		e = sweep_table(j, &sweeps[i], j->m->time_ms - op->keep_ms);
	*out = j->changes == before ? STORE_UNCHANGED : STORE_DELETED;
	return e;
}

/* --- the whole mutation --------------------------------------------------- */

static enum err
apply_op(struct job *j, const struct store_op *op, enum store_outcome *out)
{
	static enum err (*const run[])(
	    struct job *, const struct store_op *, enum store_outcome *) = {
	    [STORE_PUT] = put,
	    [STORE_DELETE] = delete,
	    [STORE_CONSUME_TOKEN] = consume,
	    [STORE_REVOKE_TOKEN] = revoke_token,
	    [STORE_SWEEP] = sweep,
	};

	return run[op->type](j, op, out);
}

static enum err
apply_ops(struct job *j, struct apply_result *out)
{
	for (size_t i = 0; i < j->m->op_count; i++) {
		enum err e = apply_op(j, &j->m->ops[i], &out->outcomes[i]);

		if (e != OK) {
			out->failed_op = i;
			return e;
		}
	}
	return OK;
}

static enum err
run_stmt(struct job *j, enum db_stmt which)
{
	sqlite3_stmt *stmt = NULL;
	enum err e = db_stmt(j->db, which, &stmt, j->why);

	return e == OK ? db_run(j->db, stmt, j->why) : e;
}

/* OK and *out_revision if a mutation with this id is in the log. */
static enum err
find_request(struct job *j, uint64_t *out_revision)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	enum err e;

	if (j->m->request_id.len == 0)
		return ERR_NOT_FOUND;
	e = db_stmt(j->db, DB_LOG_FIND, &stmt, j->why);
	if (e != OK)
		return e;
	db_bind_text(stmt, 1, j->m->request_id);
	e = db_step(j->db, stmt, j->why);
	if (e == OK)
		*out_revision = (uint64_t)sqlite3_column_int64(stmt, 0);
	return e == ERR_EOF ? ERR_NOT_FOUND : e;
}

/* What one mutation did is undone without its neighbours in the group. */
static enum err
undo(struct job *j, enum err e)
{
	struct fault lost;
	struct job quiet = *j;

	quiet.why = &lost;
	if (j->db->failed)
		return e;
	if (run_stmt(&quiet, DB_ROLLBACK_TO) != OK ||
	    run_stmt(&quiet, DB_RELEASE) != OK)
		return fault_set(j->why, lost.code, "%s", lost.text);
	return e;
}

static enum err
apply_new(struct job *j, struct slice bytes, struct apply_result *out)
{
	enum err e = run_stmt(j, DB_SAVEPOINT);

	if (e != OK)
		return e;
	e = apply_ops(j, out);
	if (e == OK && j->changed)
		e = journal_add(j->db,
		    &(struct journal_entry){
			j->index, j->m, out->outcomes, bytes, j->image_bytes},
		    j->why);
	if (e != OK)
		return undo(j, e);
	if (j->changed)
		j->db->revision = j->index;
	out->revision = j->db->revision;
	return run_stmt(j, DB_RELEASE);
}

enum err
apply(struct db *db, uint64_t index, const struct store_mutation *m,
    struct slice bytes, struct apply_result *out, struct fault *why)
{
	struct job j = {.db = db, .index = index, .m = m, .why = why};
	struct fault unused;
	enum err e;

	if (j.why == NULL)
		j.why = &unused;
	for (size_t i = 0; i < m->op_count; i++)
		out->outcomes[i] = STORE_UNCHANGED;
	out->failed_op = 0;
	out->revision = db->revision;
	if (index <= db->revision)
		return OK;
	e = find_request(&j, &out->revision);
	return e == ERR_NOT_FOUND ? apply_new(&j, bytes, out) : e;
}
