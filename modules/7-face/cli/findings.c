/* SPDX-License-Identifier: Apache-2.0 */
/*
 * findings — what was found in configuration, for people.
 */
#include "findings.h"

static void
print_one(const struct fault *f, const char *level)
{
	char text[FAULT_TEXT_MAX + FAULT_FIELD_MAX + FAULT_FILE_MAX];

	fault_format(f, text, sizeof(text));
	(void)fprintf(stderr, "%s: %s\n", level, text);
}

static void
print_rest(size_t dropped, const char *level)
{
	if (dropped > 0)
		(void)fprintf(stderr, "%s: and %zu more\n", level, dropped);
}

static void
print_all(const struct faults *faults, const char *level)
{
	for (size_t i = 0; i < faults->count; i++)
		print_one(&faults->items[i], level);
	print_rest(faults->dropped, level);
}

void
findings_print(const struct findings *f)
{
	print_all(&f->errors, "error");
	findings_print_warnings(f);
}

void
findings_print_warnings(const struct findings *f)
{
	print_all(&f->warnings, "warning");
}

void
findings_print_inert(const struct findings *f, bool allowed)
{
	const struct faults *list = &f->inert;

	for (size_t i = 0; i < list->count; i++)
		print_one(&list->items[i],
		    finding_guards(&list->items[i]) && !allowed ? "error"
								: "warning");
	print_rest(list->dropped, "warning");
}

/* --- of an answer --- */

static struct slice
text_of(const struct value *v, struct slice key)
{
	return value_get_string(v, key, SLICE_NONE);
}

/* "file:line:" and the column, as far as they are there. */
static void
print_place(const struct value *finding, FILE *out)
{
	struct slice file = text_of(finding, S("file"));
	const struct value *line = value_get(finding, S("line"));
	const struct value *column = value_get(finding, S("column"));

	if (file.len > 0)
		(void)fprintf(out, "%.*s:", SLICE_ARG(file));
	if (line != NULL && line->type == VALUE_INT)
		(void)fprintf(out, "%lld:", (long long)line->integer);
	if (column != NULL && column->type == VALUE_INT && column->integer > 0)
		(void)fprintf(out, "%lld:", (long long)column->integer);
	if (file.len > 0)
		(void)fputc(' ', out);
}

static void
print_told(const struct value *finding, const char *level, FILE *out)
{
	struct slice field = text_of(finding, S("field"));
	struct slice id = text_of(finding, S("id"));
	bool is_harmless = slice_eq(id, S("MSH0001"));

	(void)fprintf(out, "%s: ", is_harmless ? "warning" : level);
	print_place(finding, out);
	(void)fprintf(out, "%.*s%s%.*s", SLICE_ARG(field),
	    field.len > 0 ? ": " : "",
	    SLICE_ARG(text_of(finding, S("message"))));
	if (id.len > 0)
		(void)fprintf(out, " [%.*s]", SLICE_ARG(id));
	(void)fputc('\n', out);
}

void
findings_print_list(const struct value *list, const char *level, FILE *out)
{
	VALUE_EACH(list, it)
	print_told(it, level, out);
}

void
findings_print_answer(const struct value *answer)
{
	findings_print_list(value_get(answer, S("errors")), "error", stderr);
	findings_print_list(value_get(answer, S("inert")), "error", stderr);
}

/* Its field may be written otherwise in a file: "items[1].spec.host". */
static bool
is_known(const struct findings *known, struct slice message)
{
	const struct faults *list = &known->warnings;

	for (size_t i = 0; i < list->count; i++)
		if (slice_eq(message, slice_str(list->items[i].text)))
			return true;
	return false;
}

void
findings_print_others(const struct value *answer, const struct findings *known)
{
	VALUE_EACH(value_get(answer, S("warnings")), it)
	if (known == NULL || !is_known(known, text_of(it, S("message"))))
		print_told(it, "warning", stderr);
}
