/* SPDX-License-Identifier: Apache-2.0 */
/*
 * found — what the analysis found, chosen and printed.
 */
#include "base/base.h"
#include "files/files.h"
#include "model/model.h"

#include "found.h"
#include "table.h"

enum { SHOWN_BYTES = 64 << 20 };

static struct slice
text_of(const struct value *v, struct slice key)
{
	return value_get_string(v, key, S(""));
}

/* --- choosing ------------------------------------------------------------- */

static enum analysis_level
level_of(const struct value *item)
{
	enum analysis_level level;

	if (analysis_level_parse(text_of(item, S("level")), &level) != OK)
		return ANALYSIS_ERROR; /* of a newer server */
	return level;
}

/* A server knows no files: they are found again by the key. */
static void
add_place(const struct map *docs, struct arena *a, struct value **item)
{
	struct resource_key k = {text_of(*item, S("group")),
	    text_of(*item, S("kind")), text_of(*item, S("namespace")),
	    text_of(*item, S("name"))};
	const struct files_doc *doc;

	if (*item == NULL || value_get(*item, S("file")) != NULL)
		return;
	doc = files_find(docs, &k);
	if (doc == NULL)
		return;
	value_put_text(a, item, S("file"), slice_str(doc->file));
	if (*item != NULL)
		value_put_int(a, item, S("line"),
		    value_line(doc->root, text_of(*item, S("field"))));
}

void
found_choose(const struct value *found, const struct found_wish *w,
    const struct files *f, struct arena *a, struct found_shown *out)
{
	static const struct files none = {0};
	struct map docs;

	*out = (struct found_shown){.items = value_new(a, VALUE_LIST)};
	files_index(f != NULL ? f : &none, w->default_ns, &docs);
	VALUE_EACH(found, it)
	{
		enum analysis_level level = level_of(it);
		struct slice ns = text_of(it, S("namespace"));
		struct value *item;

		if (w->ns.len > 0 && !slice_eq(ns, w->ns))
			continue;
		out->failed = out->failed || level >= w->failure;
		if (level < w->level)
			continue;
		out->counts[level]++;
		item = value_copy(it, a);
		add_place(&docs, a, &item);
		value_push(&out->items, item);
	}
	map_fini(&docs, NULL);
}

/* --- printing ------------------------------------------------------------- */

static void
print_place(const struct value *item, FILE *out)
{
	struct slice file = text_of(item, S("file"));
	struct slice field = text_of(item, S("field"));
	const struct value *line = value_get(item, S("line"));

	if (file.len == 0 && field.len == 0)
		return;
	(void)fputs(" (", out);
	if (file.len > 0)
		(void)fprintf(out, "%.*s", SLICE_ARG(file));
	if (file.len > 0 && line != NULL)
		(void)fprintf(out, ":%lld", (long long)line->integer);
	(void)fprintf(out, "%s%.*s)", file.len > 0 && field.len > 0 ? ", " : "",
	    SLICE_ARG(field));
}

void
found_print(const struct value *items, FILE *out)
{
	VALUE_EACH(items, it)
	{
		(void)fprintf(out, "%.*s %.*s %.*s/%.*s/%.*s",
		    SLICE_ARG(text_of(it, S("level"))),
		    SLICE_ARG(text_of(it, S("id"))),
		    SLICE_ARG(text_of(it, S("kind"))),
		    SLICE_ARG(text_of(it, S("namespace"))),
		    SLICE_ARG(text_of(it, S("name"))));
		print_place(it, out);
		(void)fprintf(
		    out, ": %.*s\n", SLICE_ARG(text_of(it, S("message"))));
	}
}

void
found_print_counts(const struct found_shown *s, FILE *out)
{
	static const char *const words[] = {
	    [ANALYSIS_INFO] = "remark",
	    [ANALYSIS_WARNING] = "warning",
	    [ANALYSIS_ERROR] = "error",
	};
	const char *between = "";

	for (int i = ANALYSIS_ERROR; i >= ANALYSIS_INFO; i--) {
		if (s->counts[i] == 0)
			continue;
		(void)fprintf(out, "%s%zu %s%s", between, s->counts[i],
		    words[i], s->counts[i] == 1 ? "" : "s");
		between = ", ";
	}
	(void)fputs(between[0] == '\0' ? "nothing found\n" : "\n", out);
}

void
found_tell(const struct value *found, const struct files *f, struct slice ns)
{
	AUTO(arena_fini) struct arena a;
	struct found_wish all = {.default_ns = ns};
	struct found_shown shown;

	arena_init(&a, SHOWN_BYTES);
	found_choose(found, &all, f, &a, &shown);
	found_print(shown.items, stderr);
}

/* --- the codes ------------------------------------------------------------ */

void
found_print_codes(void)
{
	static const char *const head[] = {"CODE", "LEVEL", "NAME", "MEANS"};
	AUTO(table_fini) struct table t;
	size_t count;
	const struct analysis_code *all = analysis_codes(&count);

	table_init(&t, head, ARRAY_LEN(head));
	for (size_t i = 0; i < count; i++) {
		table_cell(&t, slice_str(all[i].id));
		table_cell(&t, slice_str(analysis_level_name(all[i].level)));
		table_cell(&t, slice_str(all[i].title));
		table_cell(&t, slice_str(all[i].doc));
	}
	table_print(&t, stdout);
}

/* Who gives the code: the names of analyzers. */
static struct value *
givers(const char *id, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);
	size_t count;
	const struct analyzer *all = analyzers(&count);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < ANALYZER_CODES_MAX; j++)
			if (all[i].codes[j] != NULL &&
			    strcmp(all[i].codes[j], id) == 0)
				value_push_text(
				    a, &list, slice_str(all[i].name));
	return list;
}

struct value *
found_codes(struct arena *a)
{
	struct value *all = value_new(a, VALUE_MAP);
	struct value *items = value_new(a, VALUE_LIST);
	size_t count;
	const struct analysis_code *codes = analysis_codes(&count);

	for (size_t i = 0; i < count; i++) {
		struct value *m = value_new(a, VALUE_MAP);

		value_put_text(a, &m, S("id"), slice_str(codes[i].id));
		value_put_text(a, &m, S("title"), slice_str(codes[i].title));
		value_put_text(a, &m, S("level"),
		    slice_str(analysis_level_name(codes[i].level)));
		value_put_text(a, &m, S("means"), slice_str(codes[i].doc));
		value_put(&m, S("analyzers"), givers(codes[i].id, a));
		value_push(&items, m);
	}
	value_put(&all, S("items"), items);
	return all;
}
