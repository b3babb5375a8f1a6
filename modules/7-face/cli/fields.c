/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields — explain-field: what a field of configuration means; and what is
 * not in force, for `version --fields`.
 */
#include "base/base.h"
#include "model/model.h"

#include "command.h"
#include "fields.h"
#include "output.h"

#include <stdio.h>

enum { ANSWER_BYTES = 64 << 20, NAME_COLUMN = 30 };

static const char *
force_text(uint32_t flags)
{
	if (flags & FIELD_GUARD)
		return "not yet (MSH0002): apply refuses it";
	if (flags & FIELD_INERT)
		return "not yet (MSH0001): nothing acts on it";
	return "yes";
}

/* --- as JSON -------------------------------------------------------------- */

static void
put_bounds(struct arena *a, struct value **m, const struct field *f)
{
	if (f->min != 0 || f->max != 0) {
		value_put_int(a, m, S("min"), f->min);
		value_put_int(a, m, S("max"), f->max);
	}
	if (f->most > 0)
		value_put_int(a, m, S("most"), f->most);
	if (f->longest > 0)
		value_put_int(a, m, S("longest"), f->longest);
	if (f->oneof > 0)
		value_put_int(a, m, S("oneof"), f->oneof);
	if (f->otherwise != NULL)
		value_put_text(a, m, S("default"), slice_str(f->otherwise));
}

static struct value *
words_value(const struct field *f, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);

	for (const struct field_word *w = f->words; w->word != NULL; w++)
		value_push_text(a, &list, slice_str(w->word));
	return list;
}

static void
put_field(struct arena *a, struct value **m, const struct field *f)
{
	char type[FIELD_TYPE_MAX];

	value_put_text(a, m, S("type"), slice_str(field_type_text(f, type)));
	value_put_bool(a, m, S("list"), f->flags & FIELD_REPEATED);
	value_put_bool(a, m, S("required"), f->flags & FIELD_REQUIRED);
	value_put_bool(a, m, S("deprecated"), f->flags & FIELD_DEPRECATED);
	put_bounds(a, m, f);
	if (f->words != NULL)
		value_put(m, S("words"), words_value(f, a));
	value_put_text(a, m, S("doc"), slice_str(f->doc));
}

static struct value *
place_value(const struct field_place *p, struct arena *a)
{
	struct value *m = value_new(a, VALUE_MAP);

	value_put_text(a, &m, S("kind"), slice_str(p->kind->kind));
	value_put_text(a, &m, S("group"), slice_str(p->kind->group));
	value_put_text(a, &m, S("path"), slice_str(p->path));
	if (p->field != NULL)
		put_field(a, &m, p->field);
	else
		value_put_text(a, &m, S("doc"), slice_str(p->kind->spec->doc));
	if (p->word != NULL)
		value_put_text(a, &m, S("word"), slice_str(p->word->word));
	value_put_bool(
	    a, &m, S("inForce"), !(p->flags & (FIELD_INERT | FIELD_GUARD)));
	if (p->flags & (FIELD_INERT | FIELD_GUARD))
		value_put_text(a, &m, S("id"),
		    p->flags & FIELD_GUARD ? S("MSH0002") : S("MSH0001"));
	return m;
}

struct collected {
	struct arena arena;
	struct value *items;
	bool words; /* the words of a row as rows of their own */
};

static void
collected_fini(struct collected *c)
{
	arena_fini(&c->arena);
}

static void
collect(void *arg, const struct field_place *p)
{
	struct collected *c = arg;

	if (p->word == NULL || c->words)
		value_push(&c->items, place_value(p, &c->arena));
}

static int
print_collected(struct collected *c, enum output how)
{
	struct value *all = value_new(&c->arena, VALUE_MAP);
	struct fault why = {0};

	value_put(&all, S("items"), c->items);
	if (all == NULL)
		return command_fail(CLI_EXIT_FAILED, "the answer is too large");
	if (output_value(how, all, &why) != OK)
		return cli_fault(&why);
	return CLI_EXIT_OK;
}

static int
print_all_kinds(enum output how, bool words,
    void (*walk)(const struct resource_kind *, field_each_cb, void *))
{
	AUTO(collected_fini) struct collected c = {.words = words};
	size_t count;
	const struct resource_kind *const *kinds = resource_kinds(&count);

	arena_init(&c.arena, ANSWER_BYTES);
	c.items = value_new(&c.arena, VALUE_LIST);
	for (size_t i = 0; i < count; i++)
		walk(kinds[i], collect, &c);
	return print_collected(&c, how);
}

/* --- for people ----------------------------------------------------------- */

/* `said`: of what holds them it was said already. */
static void
print_rows(const struct message *m, uint32_t said)
{
	(void)printf("\nFIELDS:\n");
	for (size_t i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		char type[FIELD_TYPE_MAX];
		uint32_t flags = said != 0 ? 0 : f->flags;

		(void)printf("  %-*s %s%s%s\n      %s\n", NAME_COLUMN, f->name,
		    field_type_text(f, type),
		    f->flags & FIELD_REQUIRED ? ", required" : "",
		    flags & (FIELD_INERT | FIELD_GUARD) ? ", not in force yet"
							: "",
		    f->doc);
	}
}

static void
print_words(const struct field *f)
{
	(void)printf("WORDS:    ");
	for (const struct field_word *w = f->words; w->word != NULL; w++)
		(void)printf("%s%s%s", w == f->words ? "" : ", ", w->word,
		    w->flags & (FIELD_INERT | FIELD_GUARD)
			? " (not in force yet)"
			: "");
	(void)printf("\n");
}

static void
print_versions(const struct resource_kind *k)
{
	(void)printf("KIND:     %s of %s (", k->kind,
	    k->group[0] != 0 ? k->group : "core");
	for (size_t i = 0; k->versions[i] != NULL; i++)
		(void)printf("%s%s", i > 0 ? ", " : "", k->versions[i]);
	(void)printf(")\n");
}

static void
print_field(const struct field_place *p, struct slice path)
{
	const struct field *f = p->field;
	char type[FIELD_TYPE_MAX];
	bool nested = p->kind->shape == RESOURCE_NESTED &&
		      !slice_starts(path, S("spec."));

	(void)printf("FIELD:    %s%.*s\nTYPE:     %s%s%s\n",
	    nested ? "spec." : "", SLICE_ARG(path), field_type_text(f, type),
	    f->flags & FIELD_REQUIRED ? ", required" : "",
	    f->flags & FIELD_DEPRECATED ? ", deprecated" : "");
	if (f->most > 0)
		(void)printf("AT MOST:  %u\n", f->most);
	if (f->longest > 0)
		(void)printf("LENGTH:   at most %u bytes\n", f->longest);
	if (f->words != NULL)
		print_words(f);
	if (f->otherwise != NULL)
		(void)printf("DEFAULT:  %s\n", f->otherwise);
}

static int
print_place(const struct field_place *p, struct slice path)
{
	const struct message *m =
	    p->field != NULL ? p->field->of : p->kind->spec;

	print_versions(p->kind);
	if (p->field != NULL)
		print_field(p, path);
	(void)printf("IN FORCE: %s\n\n  %s\n", force_text(p->flags),
	    p->field != NULL ? p->field->doc : p->kind->spec->doc);
	if (m != NULL)
		print_rows(m, p->flags);
	return CLI_EXIT_OK;
}

static int
unknown_kind(struct slice word)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;
	size_t count;
	const struct resource_kind *const *kinds = resource_kinds(&count);

	nearest_init(&near, word);
	for (size_t i = 0; i < count; i++)
		nearest_offer(&near, kinds[i]->kind);
	return command_fail(CLI_EXIT_USAGE, "there is no kind \"%.*s\"%s",
	    SLICE_ARG(word), nearest_text(&near, hint));
}

static int
explain_field(struct options *o)
{
	struct slice path, word;
	const struct resource_kind *k;
	struct field_place place;
	struct fault why = {0};
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;
	enum output how;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return cli_fault(&why);
	if (o->arg_count == 0 && how != OUTPUT_TABLE)
		return print_all_kinds(how, /* words */ false, fields_each);
	if (o->arg_count != 1)
		return command_fail(CLI_EXIT_USAGE,
		    "name one field, as in: meshd explain-field "
		    "VirtualService.spec.http.retries");
	path = slice_str(o->args[0]);
	word = slice_split(&path, '.');
	k = resource_kind_find(word);
	if (k == NULL)
		return unknown_kind(word);
	if (!fields_find(k, path, &place, &near))
		return command_fail(CLI_EXIT_USAGE,
		    "%s has no field \"%.*s\" there%s", k->kind,
		    SLICE_ARG(near.wrong), nearest_text(&near, hint));
	if (how == OUTPUT_TABLE)
		return print_place(&place, path);
	{
		AUTO(collected_fini) struct collected c = {0};

		arena_init(&c.arena, ANSWER_BYTES);
		c.items = value_new(&c.arena, VALUE_LIST);
		collect(&c, &place);
		return print_collected(&c, how);
	}
}

static const struct option_row explain_field_rows[] = {
    OPTION_OUTPUT,
};

const struct command command_explain_field = {
    .name = "explain-field",
    .args = "KIND[.FIELD...]",
    .summary = "say what a field of configuration means",
    .rows = explain_field_rows,
    .row_count = ARRAY_LEN(explain_field_rows),
    .run = explain_field,
};

/* --- what is not in force ------------------------------------------------- */

static void
print_inert(void *arg, const struct field_place *p)
{
	(void)arg; /* nothing is counted */
	(void)printf("%s %s%s%s%s%s\n",
	    p->flags & FIELD_GUARD ? "MSH0002" : "MSH0001", p->kind->kind,
	    p->path[0] != 0 ? "." : "", p->path, p->word != NULL ? "=" : "",
	    p->word != NULL ? p->word->word : "");
}

int
fields_print_inert(enum output how)
{
	size_t count;
	const struct resource_kind *const *kinds = resource_kinds(&count);

	if (how != OUTPUT_TABLE)
		return print_all_kinds(
		    how, /* words */ true, fields_each_inert);
	for (size_t i = 0; i < count; i++)
		fields_each_inert(kinds[i], print_inert, NULL);
	return CLI_EXIT_OK;
}
