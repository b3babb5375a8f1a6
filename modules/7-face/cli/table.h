/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table — rows for people: aligned columns, colours only on a terminal.
 */
#ifndef MESHD_TABLE_H
#define MESHD_TABLE_H

#include "base/base.h"

#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 16 };

struct table {
	size_t columns;
	size_t cells;
	size_t cap;
	char **cell; /* row by row, the head first */
};

/* `head` has `columns` names in capitals. */
void table_init(struct table *t, const char *const *head, size_t columns);
void table_fini(struct table *t);

/* Copies one cell; control characters become '?', empty becomes '-'. */
void table_cell(struct table *t, struct slice text);
void table_cellf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Text, number or yes/no; anything else and nothing is '-'. */
void table_value(struct table *t, const struct value *v);

/* Rows by their cells from left to right; numbers in names count as such. */
void table_sort(struct table *t);

/* Every row has to be complete. Columns with no cell but '-' are left out. */
void table_print(const struct table *t, FILE *out);

#endif
