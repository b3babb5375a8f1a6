/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table — rows for people: aligned columns, colours only on a terminal.
 */
#include "table.h"

#include <stdarg.h>
#include <unistd.h>

enum { CELL_MAX = 1024, GAP = 2 };

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
		text = S("-");
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

size_t
table_width(const char *text)
{
	size_t n = 0;

	for (; *text != 0; text++)
		n += ((uint8_t)*text & 0xc0) != 0x80;
	return n;
}

static void
print_row(const struct table *t, size_t row, const size_t *width, bool bold,
    FILE *out)
{
	if (bold)
		(void)fputs("\033[1m", out);
	for (size_t c = 0; c < t->columns; c++) {
		const char *text = t->cell[row * t->columns + c];
		bool last = c + 1 == t->columns;
		size_t pad = last ? 0 : width[c] - table_width(text) + GAP;

		(void)fprintf(out, "%s%*s", text, (int)pad, "");
	}
	(void)fputs(bold ? "\033[0m\n" : "\n", out);
}

void
table_print(const struct table *t, FILE *out)
{
	size_t width[TABLE_COLUMNS_MAX] = {0};
	size_t rows = t->cells / t->columns;
	bool bold = isatty(fileno(out)) == 1;

	CHECK(t->cells % t->columns == 0);
	for (size_t i = 0; i < t->cells; i++) {
		size_t w = table_width(t->cell[i]);

		if (w > width[i % t->columns])
			width[i % t->columns] = w;
	}
	for (size_t r = 0; r < rows; r++)
		print_row(t, r, width, bold && r == 0, out);
}
