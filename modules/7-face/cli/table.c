/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table — rows for people: aligned columns, colours only on a terminal.
 */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CELL_MAX = 1024, GAP = 2 };

static const char nothing[] = "-";

void
table_init(struct table *t, const char *const *head, size_t columns)
{
	CHECK(columns > 0 && columns <= TABLE_COLUMNS_MAX);
	*t = (struct table){.columns = columns};
	for (size_t i = 0; i < columns; i++)
		table_cell(t, slice_str(head[i]));
}

void
table_fini(struct table *t)
{
	for (size_t i = 0; i < t->cells; i++)
		mem_free(&t->cell[i]);
	mem_free(&t->cell);
	*t = (struct table){0};
}

static void
grow(struct table *t)
{
	size_t cap = t->cap == 0 ? 64 : t->cap * 2;

	t->cell = mem_resize(t->cell, t->cap, cap, sizeof(*t->cell));
	t->cap = cap;
}

void
table_cell(struct table *t, struct slice text)
{
	char *copy;

	if (text.len == 0)
		text = slice_str(nothing);
	if (t->cells == t->cap)
		grow(t);
	copy = mem_strndup(text.ptr, MIN(text.len, CELL_MAX));
	for (char *c = copy; *c != 0; c++)
		if ((uint8_t)*c < 0x20 || *c == 0x7f)
			*c = '?';
	t->cell[t->cells++] = copy;
}

void
table_cellf(struct table *t, const char *fmt, ...)
{
	char text[CELL_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_cell(t, slice_str(text));
}

void
table_value(struct table *t, const struct value *v)
{
	if (v != NULL && v->type == VALUE_STRING)
		table_cell(t, v->string);
	else if (v != NULL && v->type == VALUE_INT)
		table_cellf(t, "%lld", (long long)v->integer);
	else if (v != NULL && v->type == VALUE_BOOL)
		table_cell(t, v->boolean ? S("yes") : S("no"));
	else
		table_cell(t, SLICE_NONE);
}

/* Columns that a UTF-8 text takes, one a code point. */
static size_t
table_width(const char *text)
{
	size_t n = 0;

	for (; *text != 0; text++)
		n += ((uint8_t)*text & 0xc0) != 0x80;
	return n;
}

static int
row_cmp(const void *pa, const void *pb, void *arg)
{
	char *const *a = pa, *const *b = pb;
	const struct table *t = arg;
	int n = 0;

	for (size_t c = 0; n == 0 && c < t->columns; c++)
		n = strverscmp(a[c], b[c]);
	return n;
}

void
table_sort(struct table *t)
{
	if (t->cells > t->columns)
		qsort_r(t->cell + t->columns, t->cells / t->columns - 1,
		    t->columns * sizeof(*t->cell), row_cmp, t);
}

/* False: none of its rows has anything to say. */
static bool
is_shown(const struct table *t, size_t column)
{
	size_t rows = t->cells / t->columns;

	for (size_t r = 1; r < rows; r++)
		if (strcmp(t->cell[r * t->columns + column], nothing) != 0)
			return true;
	return rows == 1;
}

/* A column that is 0 wide is left out. */
static void
print_row(const struct table *t, size_t row, const size_t *width, bool bold,
    FILE *out)
{
	size_t pad = 0; /* of the column before; the last one gets none */

	if (bold)
		(void)fputs("\033[1m", out);
	for (size_t c = 0; c < t->columns; c++) {
		const char *text = t->cell[row * t->columns + c];

		if (width[c] == 0)
			continue;
		(void)fprintf(out, "%*s%s", (int)pad, "", text);
		pad = width[c] - table_width(text) + GAP;
	}
	(void)fputs(bold ? "\033[0m\n" : "\n", out);
}

static void
measure(const struct table *t, size_t width[TABLE_COLUMNS_MAX])
{
	for (size_t i = 0; i < t->cells; i++) {
		size_t w = table_width(t->cell[i]);

		if (w > width[i % t->columns])
			width[i % t->columns] = w;
	}
	for (size_t c = 0; c < t->columns; c++)
		if (!is_shown(t, c))
			width[c] = 0;
}

void
table_print(const struct table *t, FILE *out)
{
	size_t width[TABLE_COLUMNS_MAX] = {0};
	size_t rows = t->cells / t->columns;
	bool bold = isatty(fileno(out)) == 1;

	CHECK(t->cells % t->columns == 0);
	measure(t, width);
	for (size_t r = 0; r < rows; r++)
		print_row(t, r, width, bold && r == 0, out);
}
