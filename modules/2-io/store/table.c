/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table — the store's tables as data: names and columns of each kind of row.
 */
#include "table.h"

#define COLUMN(member, field, type, flags)                                     \
	{                                                                      \
#field, type, flags, offsetof(struct store_row, member.field)  \
	}

static const struct column resource_columns[] = {
    COLUMN(resource, group, COLUMN_TEXT, COLUMN_KEY | COLUMN_OPTIONAL),
    COLUMN(resource, kind, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(resource, ns, COLUMN_TEXT, COLUMN_KEY | COLUMN_OPTIONAL),
    COLUMN(resource, name, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(resource, labels, COLUMN_TEXT, COLUMN_BODY),
    COLUMN(resource, body, COLUMN_TEXT, COLUMN_BODY),
};

static const struct column token_columns[] = {
    COLUMN(token, id, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(token, secret, COLUMN_BLOB, COLUMN_BODY),
    COLUMN(token, bounds, COLUMN_TEXT, COLUMN_BODY),
    COLUMN(token, note, COLUMN_TEXT, COLUMN_BODY),
    COLUMN(token, max_uses, COLUMN_INT, 0),
    COLUMN(token, expires_ms, COLUMN_INT, 0),
    COLUMN(token, uses, COLUMN_INT, COLUMN_OWN),
    COLUMN(token, revoked_ms, COLUMN_INT, COLUMN_OWN),
};

static const struct column token_use_columns[] = {
    COLUMN(token_use, token_id, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(token_use, key_hash, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(token_use, node, COLUMN_TEXT, 0),
};

static const struct column node_columns[] = {
    COLUMN(node, name, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(node, id, COLUMN_TEXT, COLUMN_EXCLUSIVE | COLUMN_INDEXED),
    COLUMN(node, key_hash, COLUMN_TEXT, COLUMN_INDEXED),
    COLUMN(node, gossip_key, COLUMN_TEXT, 0),
    COLUMN(node, grants, COLUMN_TEXT, COLUMN_BODY),
    COLUMN(node, serials, COLUMN_TEXT, COLUMN_BODY),
    COLUMN(node, token_id, COLUMN_TEXT, 0),
};

static const struct column cert_columns[] = {
    COLUMN(cert, serial, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(cert, identity, COLUMN_TEXT, COLUMN_INDEXED),
    COLUMN(cert, node, COLUMN_TEXT, COLUMN_INDEXED),
    COLUMN(cert, not_before_ms, COLUMN_INT, 0),
    COLUMN(cert, expires_ms, COLUMN_INT, COLUMN_INDEXED),
};

static const struct column revocation_columns[] = {
    COLUMN(revocation, what, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(revocation, reason, COLUMN_TEXT, COLUMN_BODY),
    COLUMN(revocation, since_ms, COLUMN_INT, 0),
    COLUMN(revocation, expires_ms, COLUMN_INT, 0),
};

static const struct column sealed_columns[] = {
    COLUMN(sealed, name, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(sealed, blob, COLUMN_BLOB, COLUMN_BODY),
    COLUMN(sealed, info, COLUMN_TEXT, COLUMN_BODY),
};

static const struct column setting_columns[] = {
    COLUMN(setting, name, COLUMN_TEXT, COLUMN_KEY),
    COLUMN(setting, value, COLUMN_TEXT, COLUMN_BODY),
};

#define TABLE(name, noun, columns)                                             \
	{                                                                      \
		name, noun, columns, ARRAY_LEN(columns)                        \
	}

/* The order of enum store_table is part of the file format. */
static const struct table tables[STORE_TABLE_COUNT] = {
    [STORE_RESOURCES] = TABLE("resources", "resource", resource_columns),
    [STORE_TOKENS] = TABLE("tokens", "token", token_columns),
    [STORE_TOKEN_USES] = TABLE("token_uses", "use of token", token_use_columns),
    [STORE_NODES] = TABLE("nodes", "node", node_columns),
    [STORE_CERTS] = TABLE("certs", "certificate", cert_columns),
    [STORE_REVOCATIONS] =
	TABLE("revocations", "revocation of", revocation_columns),
    [STORE_SEALED] = TABLE("sealed", "sealed object", sealed_columns),
    [STORE_SETTINGS] = TABLE("settings", "setting", setting_columns),
};

const struct table *
table_of(enum store_table t)
{
	CHECK((unsigned)t < STORE_TABLE_COUNT);
	return &tables[t];
}

const struct column *
table_column(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return &t->columns[i];
	return NULL;
}

struct slice *
column_text(const struct column *c, struct store_row *row)
{
	return (struct slice *)(void *)((char *)row + c->offset);
}

int64_t *
column_int(const struct column *c, struct store_row *row)
{
	return (int64_t *)(void *)((char *)row + c->offset);
}

struct slice
column_text_of(const struct column *c, const struct store_row *r)
{
	return *(
	    const struct slice *)(const void *)((const char *)r + c->offset);
}

int64_t
column_int_of(const struct column *c, const struct store_row *r)
{
	return *(const int64_t *)(const void *)((const char *)r + c->offset);
}

static bool
same_column(const struct column *c, const struct store_row *a,
    const struct store_row *b)
{
	if (c->type == COLUMN_INT)
		return column_int_of(c, a) == column_int_of(c, b);
	return slice_eq(column_text_of(c, a), column_text_of(c, b));
}

bool
table_same(const struct store_row *a, const struct store_row *b)
{
	const struct table *t = table_of(a->table);

	for (size_t i = 0; i < t->count; i++)
		if (!(t->columns[i].flags & COLUMN_OWN) &&
		    !same_column(&t->columns[i], a, b))
			return false;
	return a->table == b->table;
}

static enum err
copy_columns(struct arena *a, const struct store_row *from,
    struct store_row *to, unsigned only)
{
	const struct table *t = table_of(from->table);
	enum err e = OK;

	for (size_t i = 0; e == OK && i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if (only && !(c->flags & only))
			continue;
		if (c->type == COLUMN_INT)
			*column_int(c, to) = column_int_of(c, from);
		else
			e = arena_copy(
			    a, column_text_of(c, from), column_text(c, to));
	}
	return e;
}

enum err
table_copy(struct arena *a, const struct store_row *row, struct store_row *out)
{
	struct store_row copy = *row;
	enum err e = copy_columns(a, row, &copy, 0);

	if (e == OK)
		e = arena_copy(a, row->actor, &copy.actor);

	if (e == OK)
		*out = copy;
	return e;
}

enum err
table_copy_key(
    struct arena *a, const struct store_row *row, struct store_row *out)
{
	struct store_row copy = {.table = row->table};
	enum err e = copy_columns(a, row, &copy, COLUMN_KEY);

	if (e == OK)
		*out = copy;
	return e;
}

enum err
table_describe(const struct store_row *row, struct buf *out)
{
	const struct table *t = table_of(row->table);
	const struct store_resource *r = &row->resource;
	struct slice key = column_text_of(&t->columns[0], row);

	if (row->table != STORE_RESOURCES)
		return buf_printf(out, "%s %.*s", t->noun, SLICE_ARG(key));
	if (r->ns.len == 0)
		return buf_printf(
		    out, "%.*s %.*s", SLICE_ARG(r->kind), SLICE_ARG(r->name));
	return buf_printf(out, "%.*s %.*s/%.*s", SLICE_ARG(r->kind),
	    SLICE_ARG(r->ns), SLICE_ARG(r->name));
}
