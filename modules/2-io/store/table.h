/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table — the store's tables as data: names and columns of each kind of row.
 *
 * The schema, the statements, the encoding of mutations and the content hash
 * all follow from these, so that a column is named once.
 */
#ifndef MESHD_STORE_TABLE_H
#define MESHD_STORE_TABLE_H

#include "store.h"

enum column_type { COLUMN_TEXT, COLUMN_BLOB, COLUMN_INT };

enum column_flag {
	COLUMN_KEY = 1 << 0,       /* names the row */
	COLUMN_OPTIONAL = 1 << 1,  /* a key that may be empty */
	COLUMN_OWN = 1 << 2,       /* kept by the store, ignored when put */
	COLUMN_INDEXED = 1 << 3,   /* asked for */
	COLUMN_EXCLUSIVE = 1 << 4, /* no two rows have the same, but empty */
	COLUMN_BODY = 1 << 5       /* may be as long as a resource */
};

struct column {
	const char *name;
	enum column_type type;
	unsigned flags;
	size_t offset; /* in struct store_row */
};

struct table {
	const char *name; /* "resources" */
	const char *noun; /* "resource" */
	const struct column *columns;
	size_t count;
};

/* Dies on a number that is no table. */
const struct table *table_of(enum store_table t);

/* The column of that name, or NULL. */
const struct column *table_column(const struct table *t, const char *name);

struct slice *column_text(const struct column *c, struct store_row *row);
int64_t *column_int(const struct column *c, struct store_row *row);
struct slice column_text_of(const struct column *c, const struct store_row *r);
int64_t column_int_of(const struct column *c, const struct store_row *r);

/* True if what a caller may put is the same in both. */
bool table_same(const struct store_row *a, const struct store_row *b);

/* Copies the row and its text into the arena; ERR_LIMIT when it is full. */
MUST_USE enum err table_copy(
    struct arena *a, const struct store_row *row, struct store_row *out);

/* The same for what names it; the rest of *out is zero. */
MUST_USE enum err table_copy_key(
    struct arena *a, const struct store_row *row, struct store_row *out);

/* "VirtualService default/reviews", "node vm1": for messages and the log. */
MUST_USE enum err table_describe(const struct store_row *row, struct buf *out);

#endif
