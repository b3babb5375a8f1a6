/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query — reading the database: rows, the log, a row's past, what changed.
 */
#include "query.h"
#include "wire.h"

static enum err
no_memory(struct fault *why)
{
	return fault_set(why, ERR_NO_MEMORY, "out of memory");
}

/* Room for as many rows as one answer has. */
static struct store_row *
new_rows(struct arena *a, size_t count)
{
	return arena_alloc_array(a, count, sizeof(struct store_row));
}

/* --- lists ---------------------------------------------------------------- */

static size_t
limit_of(const struct store_query *q)
{
	if (q->limit == 0 || q->limit > STORE_ROWS_MAX)
		return STORE_ROWS_MAX;
	return q->limit;
}

static enum err
list_sql(const struct store_query *q, struct buf *out)
{
	const struct table *t = table_of(q->table);
	enum err e = buf_add_slice(out, S("SELECT "));

	if (e == OK)
		e = db_select_list(t, out);
	if (e == OK)
		e = buf_printf(out, " FROM %s WHERE rid > ?", t->name);
	for (size_t i = 0; e == OK && i < STORE_WHERE_MAX; i++) {
		if (q->where[i].column == NULL)
			continue;
		CHECK(table_column(t, q->where[i].column) != NULL);
		e = buf_printf(out, " AND \"%s\" = ?", q->where[i].column);
	}
	if (e == OK)
		e = buf_printf(
		    out, " ORDER BY rid LIMIT %zu%c", limit_of(q) + 1, 0);
	return e;
}

static enum err
list_prepare(struct db *db, const struct store_query *q, sqlite3_stmt **out,
    struct fault *why)
{
	AUTO(buf_fini) struct buf sql = BUF(8192);
	enum err e = list_sql(q, &sql);
	int at = 1;

	if (e != OK)
		return no_memory(why);
	e = db_prepare(db, buf_slice(&sql).ptr, out, why);
	if (e != OK)
		return e;
	sqlite3_bind_int64(*out, at++, (int64_t)q->after);
	for (size_t i = 0; i < STORE_WHERE_MAX; i++)
		if (q->where[i].column != NULL)
			db_bind_text(*out, at++, q->where[i].equals);
	return OK;
}

/* Steps once more than there may be rows, to know whether any is left. */
static enum err
list_fill(struct db *db, const struct store_query *q, sqlite3_stmt *stmt,
    struct arena *a, struct store_row *rows, struct store_rows *out,
    struct fault *why)
{
	uint64_t last = 0;
	size_t n = 0;
	enum err e;

	while ((e = db_step(db, stmt, why)) == OK) {
		struct store_row row;

		if (n == limit_of(q) || a->used > QUERY_BYTES) {
			out->next = last;
			break;
		}
		db_row_load(stmt, 0, q->table, &row);
		if (table_copy(a, &row, &rows[n]) != OK)
			return no_memory(why);
		last = (uint64_t)sqlite3_column_int64(stmt, 0);
		n++;
	}
	out->rows = rows;
	out->count = n;
	return e == ERR_EOF ? OK : e;
}

enum err
query_list(struct db *db, const struct store_query *q, struct arena *a,
    struct store_rows *out, struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	struct store_row *rows = new_rows(a, limit_of(q));
	enum err e;

	if (rows == NULL)
		return no_memory(why);
	e = list_prepare(db, q, &stmt, why);
	return e == OK ? list_fill(db, q, stmt, a, rows, out, why) : e;
}

/* --- one row -------------------------------------------------------------- */

enum err
query_row(struct db *db, const struct store_row *which, struct arena *a,
    struct store_row *out, struct fault *why)
{
	AUTO(db_reset) sqlite3_stmt *stmt = NULL;
	struct store_row row;
	enum err e = db_row_stmt(db, which->table, DB_ROW_GET, &stmt, why);

	if (e != OK)
		return e;
	db_bind_row(stmt, 1, which, COLUMN_KEY);
	e = db_step(db, stmt, why);
	if (e != OK)
		return e == ERR_EOF ? ERR_NOT_FOUND : e;
	db_row_load(stmt, 0, which->table, &row);
	return table_copy(a, &row, out) == OK ? OK : no_memory(why);
}

enum err
query_not_found(const struct store_row *which, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(4 * STORE_NAME_MAX);
	/* Without room for the name the words are there all the same. */
	enum err e = table_describe(which, &text);

	return fault_set(why, ERR_NOT_FOUND, "%.*s does not exist",
	    e == OK ? (int)buf_len(&text) : 0, buf_slice(&text).ptr);
}

enum err
query_get(struct db *db, const struct store_row *which, struct arena *a,
    struct store_rows *out, struct fault *why)
{
	struct store_row *row = new_rows(a, 1);
	enum err e;

	if (row == NULL)
		return no_memory(why);
	e = query_row(db, which, a, row, why);
	if (e == ERR_NOT_FOUND)
		return query_not_found(which, why);
	out->rows = row;
	out->count = e == OK ? 1 : 0;
	return e;
}

/* --- the log -------------------------------------------------------------- */

static enum err
log_entry(sqlite3_stmt *stmt, struct arena *a, struct store_log_entry *out)
{
	enum err e;

	out->revision = (uint64_t)sqlite3_column_int64(stmt, 0);
	out->time_ms = sqlite3_column_int64(stmt, 1);
	e = arena_copy(a, db_text(stmt, 2), &out->actor);
	if (e == OK)
		e = arena_copy(a, db_text(stmt, 3), &out->request_id);
	return e == OK ? arena_copy(a, db_text(stmt, 4), &out->what) : e;
}

enum err
query_log(struct db *db, uint64_t before, size_t limit, struct arena *a,
    struct store_log *out, struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	struct store_log_entry *entries;
	size_t n = 0;
	enum err e;

	if (limit == 0 || limit > STORE_ROWS_MAX)
		limit = STORE_ROWS_MAX;
	entries = arena_alloc_array(a, limit, sizeof(*entries));
	if (entries == NULL)
		return no_memory(why);
	e = db_prepare(db,
	    "SELECT revision, time_ms, actor, request_id, what FROM log"
	    " WHERE revision < ? ORDER BY revision DESC LIMIT ?",
	    &stmt, why);
	if (e != OK)
		return e;
	sqlite3_bind_int64(stmt, 1, before == 0 ? INT64_MAX : (int64_t)before);
	sqlite3_bind_int64(stmt, 2, (int64_t)limit);
	while ((e = db_step(db, stmt, why)) == OK)
		if (log_entry(stmt, a, &entries[n++]) != OK)
			return no_memory(why);
	out->entries = entries;
	out->count = n;
	return e == ERR_EOF ? OK : e;
}

/* --- numbers -------------------------------------------------------------- */

enum err
query_number(struct db *db, const char *sql, uint64_t *out, struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	enum err e = db_prepare(db, sql, &stmt, why);

	if (e == OK)
		e = db_step(db, stmt, why);
	if (e == OK)
		*out = (uint64_t)sqlite3_column_int64(stmt, 0);
	return e;
}

enum err
query_forgotten(struct db *db, uint64_t *out, struct fault *why)
{
	return query_number(
	    db, "SELECT coalesce(min(revision) - 1, 0) FROM log", out, why);
}

/* --- what changed --------------------------------------------------------- */

struct query_position
query_position_at(uint64_t revision)
{
	return (struct query_position){.revision = revision, .seq = UINT32_MAX};
}

/* Must a watcher begin anew? */
static enum err
position_check(struct db *db, struct query_position *at, bool *out_reset,
    struct fault *why)
{
	bool first = !at->started;
	uint64_t floor = 0;
	enum err e;

	at->started = true;
	if (at->scanning)
		return OK;
	e = query_forgotten(db, &floor, why);
	if (e != OK)
		return e;
	if (!(first && at->revision == 0) && at->revision >= floor &&
	    at->revision <= db->revision)
		return OK;
	*at = query_position_at(db->revision);
	at->started = at->scanning = *out_reset = true;
	return OK;
}

/* Resources last: they are judged by what the mesh is. */
static enum store_table
scanned_table(const struct query_position *at)
{
	return (enum store_table)(
	    (STORE_RESOURCES + 1 + at->tables) % STORE_TABLE_COUNT);
}

/* One page of one table; the table behind it is next. */
static enum err
scan(struct db *db, struct query_position *at, struct arena *a,
    struct store_changes *out, struct fault *why)
{
	struct store_query q = {.table = scanned_table(at), .after = at->after};
	struct store_rows rows = {0};
	enum err e = query_list(db, &q, a, &rows, why);

	if (e != OK)
		return e;
	out->rows = rows.rows;
	out->count = rows.count;
	at->after = rows.next;
	if (rows.next == 0)
		at->tables++;
	at->scanning = at->tables < STORE_TABLE_COUNT;
	return OK;
}

/* Each key once, at its last change: what it became is in its table. */
static const char follow_sql[] =
    "SELECT revision, seq, \"table\", key FROM changes AS c"
    " WHERE (revision, seq) > (?1, ?2) AND NOT EXISTS ("
    "SELECT 1 FROM changes AS d WHERE d.\"table\" = c.\"table\""
    " AND d.key = c.key AND (d.revision, d.seq) > (c.revision, c.seq))"
    " ORDER BY revision, seq LIMIT ?3";

static enum err
changed_row(struct db *db, sqlite3_stmt *stmt, struct arena *a,
    struct store_row *out, struct fault *why)
{
	int table = sqlite3_column_int(stmt, 2);
	struct store_row key;
	enum err e;

	if (table < 0 || table >= STORE_TABLE_COUNT ||
	    wire_key_decode((enum store_table)table, db_text(stmt, 3), &key) !=
		OK)
		return fault_set(
		    why, ERR_CORRUPT, "%s: the change log", db->path);
	e = query_row(db, &key, a, out, why);
	if (e != ERR_NOT_FOUND)
		return e;
	key.deleted = true;
	key.revision = (uint64_t)sqlite3_column_int64(stmt, 0);
	if (table_copy_key(a, &key, out) != OK)
		return no_memory(why);
	out->deleted = true;
	out->revision = key.revision;
	return OK;
}

static enum err
follow_fill(struct db *db, sqlite3_stmt *stmt, struct query_position *at,
    struct arena *a, struct store_changes *out, struct fault *why)
{
	struct store_row *rows = new_rows(a, STORE_ROWS_MAX);
	struct query_position to = *at;
	size_t n = 0;
	enum err e = OK;

	if (rows == NULL)
		return no_memory(why);
	while (n < STORE_ROWS_MAX && a->used <= QUERY_BYTES) {
		e = db_step(db, stmt, why);
		if (e != OK)
			break;
		e = changed_row(db, stmt, a, &rows[n++], why);
		if (e != OK)
			return e;
		to.revision = (uint64_t)sqlite3_column_int64(stmt, 0);
		to.seq = (uint32_t)sqlite3_column_int64(stmt, 1);
	}
	if (e == ERR_EOF)
		to = query_position_at(db->revision);
	else if (e != OK)
		return e;
	to.started = true;
	*at = to;
	out->rows = rows;
	out->count = n;
	return OK;
}

static enum err
follow(struct db *db, struct query_position *at, struct arena *a,
    struct store_changes *out, struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	enum err e = db_prepare(db, follow_sql, &stmt, why);

	if (e != OK)
		return e;
	sqlite3_bind_int64(stmt, 1, (int64_t)at->revision);
	sqlite3_bind_int64(stmt, 2, at->seq);
	sqlite3_bind_int64(stmt, 3, STORE_ROWS_MAX);
	return follow_fill(db, stmt, at, a, out, why);
}

enum err
query_changes(struct db *db, struct query_position *at, struct arena *a,
    struct store_changes *out, struct fault *why)
{
	struct store_changes c = {0};
	struct query_position to = *at;
	enum err e = position_check(db, &to, &c.reset, why);

	if (e != OK)
		return e;
	/* While it scans there is no revision to go on from later. */
	if (to.scanning) {
		e = scan(db, &to, a, &c, why);
	} else {
		e = follow(db, &to, a, &c, why);
		c.current = to.revision == db->revision && to.seq == UINT32_MAX;
		c.revision = c.current ? to.revision : to.revision - 1;
	}
	if (e != OK)
		return e;
	*at = to;
	*out = c;
	return OK;
}

/* --- the content's hash --------------------------------------------------- */

/* Each row is hashed together with the hash of those before it. */
static enum err
hash_row(const struct store_row *row, uint8_t hash[CRYPTO_SHA256_LEN])
{
	AUTO(buf_fini) struct buf bytes = BUF(STORE_MUTATION_MAX);
	enum err e = buf_add(&bytes, hash, CRYPTO_SHA256_LEN);

	if (e == OK)
		e = wire_row_encode(row, &bytes);
	if (e == OK)
		crypto_sha256(buf_slice(&bytes), hash);
	return e;
}

static enum err
hash_table(struct db *db, enum store_table t, uint8_t hash[CRYPTO_SHA256_LEN],
    struct fault *why)
{
	AUTO(buf_fini) struct buf sql = BUF(8192);
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	const char *gap = " ORDER BY";
	enum err e = buf_add_slice(&sql, S("SELECT "));

	if (e == OK)
		e = db_select_list(table_of(t), &sql);
	if (e == OK)
		e = buf_printf(&sql, " FROM %s", table_of(t)->name);
	for (size_t i = 0; e == OK && i < table_of(t)->count; i++) {
		const struct column *c = &table_of(t)->columns[i];

		if (c->flags & COLUMN_KEY)
			e = buf_printf(&sql, "%s \"%s\"", gap, c->name);
		gap = ",";
	}
	if (e == OK)
		e = buf_add_byte(&sql, 0);
	if (e == OK)
		e = db_prepare(db, buf_slice(&sql).ptr, &stmt, why);
	while (e == OK && (e = db_step(db, stmt, why)) == OK) {
		struct store_row row;

		db_row_load(stmt, 0, t, &row);
		e = hash_row(&row, hash);
	}
	return e == ERR_EOF ? OK : e;
}

enum err
query_hash(struct db *db, uint8_t out[CRYPTO_SHA256_LEN], struct fault *why)
{
	uint8_t hash[CRYPTO_SHA256_LEN] = {0};
	enum err e = OK;

	for (int t = 0; e == OK && t < STORE_TABLE_COUNT; t++)
		e = hash_table(db, (enum store_table)t, hash, why);
	if (e == OK)
		memcpy(out, hash, sizeof(hash));
	return e;
}
