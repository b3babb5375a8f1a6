/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — a mutation as bytes: what the log keeps and other servers would get.
 */
#include "wire.h"

enum { WIRE_VERSION = 1 };

static bool
has_control(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

static enum err
check_name(const char *what, struct slice s, struct fault *why)
{
	if (s.len > STORE_NAME_MAX)
		return fault_set(why, ERR_LIMIT, "%s is longer than %d bytes",
		    what, STORE_NAME_MAX);
	if (!slice_is_utf8(s) || has_control(s))
		return fault_set(
		    why, ERR_INVALID, "%s is not printable UTF-8 text", what);
	return OK;
}

static enum err
check_column(
    const struct column *c, const struct store_row *row, struct fault *why)
{
	struct slice s;

	if (c->type == COLUMN_INT)
		return OK;
	s = column_text_of(c, row);
	if (c->flags & COLUMN_KEY && !(c->flags & COLUMN_OPTIONAL) &&
	    s.len == 0)
		return fault_set(why, ERR_INVALID, "%s is empty", c->name);
	if (!(c->flags & COLUMN_BODY))
		return check_name(c->name, s, why);
	if (s.len > LIMIT_RESOURCE_BYTES)
		return fault_set(why, ERR_LIMIT, "%s is longer than %d bytes",
		    c->name, LIMIT_RESOURCE_BYTES);
	if (c->type == COLUMN_TEXT && !slice_is_utf8(s))
		return fault_set(why, ERR_INVALID, "%s is not UTF-8", c->name);
	return OK;
}

static enum err
check_table(const struct store_op *op, struct fault *why)
{
	static const unsigned allowed[] = {
	    [STORE_PUT] = ~(1u << STORE_TOKEN_USES),
	    [STORE_DELETE] = ~(1u << STORE_TOKEN_USES),
	    [STORE_CONSUME_TOKEN] = 1u << STORE_TOKEN_USES,
	    [STORE_REVOKE_TOKEN] = 1u << STORE_TOKENS,
	    [STORE_SWEEP] = ~0u,
	};

	if ((unsigned)op->type >= ARRAY_LEN(allowed) ||
	    (unsigned)op->row.table >= STORE_TABLE_COUNT ||
	    !(allowed[op->type] >> op->row.table & 1))
		return fault_set(why, ERR_INVALID,
		    "operation %d does not exist for table %d", op->type,
		    op->row.table);
	return OK;
}

static enum err
check_op(const struct store_op *op, struct fault *why)
{
	const struct table *t;
	enum err e = check_table(op, why);

	if (e != OK || op->type == STORE_SWEEP)
		return e;
	t = table_of(op->row.table);
	for (size_t i = 0; e == OK && i < t->count; i++)
		if (op->type == STORE_PUT || (t->columns[i].flags & COLUMN_KEY))
			e = check_column(&t->columns[i], &op->row, why);
	return e == OK ? OK : fault_prefix(why, e, "%s: ", t->noun);
}

enum err
wire_check(const struct store_mutation *m, size_t *out_op, struct fault *why)
{
	enum err e = check_name("actor", m->actor, why);

	if (e == OK)
		e = check_name("request id", m->request_id, why);
	if (e != OK)
		return e;
	if (m->op_count == 0)
		return fault_set(why, ERR_INVALID, "there is nothing to do");
	if (m->op_count > STORE_OPS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "more than %d operations at once", STORE_OPS_MAX);
	for (size_t i = 0; i < m->op_count; i++) {
		e = check_op(&m->ops[i], why);
		if (e != OK) {
			*out_op = i;
			return e;
		}
	}
	return OK;
}

static enum err
add_text(struct buf *out, struct slice s)
{
	enum err e = buf_add_u32(out, (uint32_t)s.len);

	return e == OK ? buf_add_slice(out, s) : e;
}

static enum err
add_row(
    struct buf *out, const struct store_row *row, unsigned only, unsigned not )
{
	const struct table *t = table_of(row->table);
	enum err e = OK;

	for (size_t i = 0; e == OK && i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if ((only && !(c->flags & only)) || (c->flags & not ))
			continue;
		if (c->type == COLUMN_INT)
			e = buf_add_u64(out, (uint64_t)column_int_of(c, row));
		else
			e = add_text(out, column_text_of(c, row));
	}
	return e;
}

static enum err
add_op(struct buf *out, const struct store_op *op)
{
	enum err e = buf_add_byte(out, (uint8_t)op->type);

	if (e == OK)
		e = buf_add_byte(out, (uint8_t)op->row.table);
	if (e == OK)
		e = buf_add_u64(out, (uint64_t)op->expected);
	if (e == OK)
		e = buf_add_u64(out, (uint64_t)op->keep_ms);
	return e == OK ? add_row(out, &op->row, 0, COLUMN_OWN) : e;
}

enum err
wire_encode(const struct store_mutation *m, struct buf *out)
{
	enum err e = buf_add_byte(out, WIRE_VERSION);

	if (e == OK)
		e = add_text(out, m->actor);
	if (e == OK)
		e = add_text(out, m->request_id);
	if (e == OK)
		e = buf_add_u64(out, (uint64_t)m->time_ms);
	if (e == OK)
		e = buf_add_u32(out, (uint32_t)m->op_count);
	for (size_t i = 0; e == OK && i < m->op_count; i++)
		e = add_op(out, &m->ops[i]);
	return e;
}

static struct slice
read_text(struct reader *r)
{
	return reader_bytes(r, reader_u32(r));
}

static void
read_row(struct reader *r, struct store_row *row, unsigned only, unsigned not )
{
	const struct table *t = table_of(row->table);

	for (size_t i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if ((only && !(c->flags & only)) || (c->flags & not ))
			continue;
		if (c->type == COLUMN_INT)
			*column_int(c, row) = (int64_t)reader_u64(r);
		else
			*column_text(c, row) = read_text(r);
	}
}

static enum err
read_op(struct reader *r, struct store_op *op)
{
	uint8_t type = reader_u8(r);
	uint8_t table = reader_u8(r);

	op->expected = (int64_t)reader_u64(r);
	op->keep_ms = (int64_t)reader_u64(r);
	if (r->failed || type > STORE_SWEEP || table >= STORE_TABLE_COUNT)
		return ERR_CORRUPT;
	op->type = type;
	op->row.table = table;
	read_row(r, &op->row, 0, COLUMN_OWN);
	return OK;
}

enum err
wire_decode(struct slice bytes, struct arena *a, struct store_mutation *out)
{
	struct reader r = READER(bytes);
	uint8_t version = reader_u8(&r);
	struct slice actor = read_text(&r);
	struct slice request_id = read_text(&r);
	int64_t time_ms = (int64_t)reader_u64(&r);
	size_t count = reader_u32(&r);
	struct store_op *ops;

	if (r.failed || version != WIRE_VERSION || count > STORE_OPS_MAX)
		return ERR_CORRUPT;
	ops = arena_alloc_array(a, count, sizeof(*ops));
	if (ops == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		if (read_op(&r, &ops[i]) != OK)
			return ERR_CORRUPT;
	if (reader_done(&r) != OK)
		return ERR_CORRUPT;
	*out = (struct store_mutation){actor, request_id, time_ms, ops, count};
	return OK;
}

enum err
wire_row_encode(const struct store_row *row, struct buf *out)
{
	enum err e = buf_add_byte(out, (uint8_t)row->table);

	if (e == OK)
		e = buf_add_u64(out, row->revision);
	if (e == OK)
		e = buf_add_u64(out, (uint64_t)row->created_ms);
	if (e == OK)
		e = buf_add_u64(out, (uint64_t)row->updated_ms);
	return e == OK ? add_row(out, row, 0, 0) : e;
}

enum err
wire_row_decode(struct slice bytes, struct store_row *out)
{
	struct reader r = READER(bytes);
	uint8_t table = reader_u8(&r);
	struct store_row row = {.revision = reader_u64(&r)};

	row.created_ms = (int64_t)reader_u64(&r);
	row.updated_ms = (int64_t)reader_u64(&r);
	if (r.failed || table >= STORE_TABLE_COUNT)
		return ERR_CORRUPT;
	row.table = table;
	read_row(&r, &row, 0, 0);
	if (reader_done(&r) != OK)
		return ERR_CORRUPT;
	*out = row;
	return OK;
}

enum err
wire_key_encode(const struct store_row *row, struct buf *out)
{
	return add_row(out, row, COLUMN_KEY, 0);
}

enum err
wire_key_decode(
    enum store_table table, struct slice bytes, struct store_row *out)
{
	struct reader r = READER(bytes);
	struct store_row row = {.table = table};

	read_row(&r, &row, COLUMN_KEY, 0);
	if (reader_done(&r) != OK)
		return ERR_CORRUPT;
	*out = row;
	return OK;
}
