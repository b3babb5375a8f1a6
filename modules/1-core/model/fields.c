/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields — the tables of fields, walked as paths.
 */
#include <stdio.h>

#include "fields.h"

enum {
	NOT_IN_FORCE = FIELD_INERT | FIELD_GUARD,
	DEPTH_MAX = 16 /* messages in messages; a table that holds itself */
};

struct walk {
	struct field_place place;
	field_each_cb cb;
	void *arg;
	bool inert_only;
	size_t depth;
	char path[FIELD_PATH_MAX];
};

static void walk_message(struct walk *w, const struct message *m);

static void
tell(struct walk *w, const struct field *f, const struct field_word *word)
{
	w->place.field = f;
	w->place.word = word;
	w->place.path = w->path;
	w->cb(w->arg, &w->place);
}

/* Of what is not in force only what is worse than what is around it. */
static bool
is_news(const struct walk *w, uint32_t around)
{
	return !w->inert_only || (w->place.flags & ~around) != 0;
}

static void
walk_words(struct walk *w, const struct field *f)
{
	uint32_t around = w->place.flags;

	for (const struct field_word *word = f->words; word->word != NULL;
	     word++) {
		w->place.flags = around | (word->flags & NOT_IN_FORCE);
		if (is_news(w, around))
			tell(w, f, word);
	}
	w->place.flags = around;
}

static void
walk_field(struct walk *w, const struct field *f)
{
	uint32_t around = w->place.flags;
	size_t len = strlen(w->path);

	(void)snprintf(w->path + len, sizeof(w->path) - len, "%s%s",
	    len > 0 ? "." : "", f->name); /* the tables are ours, and short */
	w->place.flags = around | (f->flags & NOT_IN_FORCE);
	if (is_news(w, around))
		tell(w, f, NULL);
	if (f->words != NULL)
		walk_words(w, f);
	if (f->of != NULL)
		walk_message(w, f->of);
	w->path[len] = 0;
	w->place.flags = around;
}

static void
walk_message(struct walk *w, const struct message *m)
{
	if (w->depth == DEPTH_MAX)
		return;
	w->depth++;
	for (size_t i = 0; i < m->field_count; i++)
		walk_field(w, &m->fields[i]);
	w->depth--;
}

static void
walk_kind(
    const struct resource_kind *k, field_each_cb cb, void *arg, bool inert_only)
{
	struct walk w = {.cb = cb, .arg = arg, .inert_only = inert_only};

	w.place.kind = k;
	w.place.flags = k->flags & NOT_IN_FORCE;
	if (is_news(&w, 0))
		tell(&w, NULL, NULL);
	if (k->shape == RESOURCE_NESTED)
		(void)snprintf(w.path, sizeof(w.path), "spec");
	walk_message(&w, k->spec);
}

void
fields_each(const struct resource_kind *k, field_each_cb cb, void *arg)
{
	walk_kind(k, cb, arg, /* inert_only */ false);
}

void
fields_each_inert(const struct resource_kind *k, field_each_cb cb, void *arg)
{
	walk_kind(k, cb, arg, /* inert_only */ true);
}

/* --- one path ------------------------------------------------------------- */

static const struct field *
find_row(const struct message *m, struct slice name, struct nearest *near)
{
	nearest_init(near, name);
	for (size_t i = 0; m != NULL && i < m->field_count; i++) {
		if (slice_eq(name, slice_str(m->fields[i].name)))
			return &m->fields[i];
		nearest_offer(near, m->fields[i].name);
	}
	return NULL;
}

bool
fields_find(const struct resource_kind *k, struct slice path,
    struct field_place *out, struct nearest *near)
{
	const struct message *m = k->spec;
	struct field_place p = {.kind = k, .path = path.ptr};

	p.flags = k->flags & NOT_IN_FORCE;
	if (slice_eq(path, S("spec")))
		path = S("");
	if (k->shape == RESOURCE_NESTED && slice_starts(path, S("spec.")))
		path = slice_sub(path, 5, path.len);
	while (path.len > 0) {
		struct slice step = slice_split(&path, '.');

		p.field = find_row(m, slice_split(&step, '['), near);
		if (p.field == NULL)
			return false;
		p.flags |= p.field->flags & NOT_IN_FORCE;
		m = p.field->of;
	}
	*out = p;
	return true;
}

/* --- types ---------------------------------------------------------------- */

static void
one_type(const struct field *f, char *out, size_t len)
{
	static const char *const names[] = {
	    [FIELD_ANY] = "anything",
	    [FIELD_STRING] = "text",
	    [FIELD_BOOL] = "true or false",
	    [FIELD_INT] = "whole number",
	    [FIELD_NUMBER] = "number",
	    [FIELD_ENUM] = "word",
	    [FIELD_DURATION] = "duration",
	    [FIELD_TREE] = "map of anything",
	    [FIELD_INT_OR_STRING] = "whole number or text",
	    [FIELD_STRING_MAP] = "map of texts",
	    [FIELD_INT_MAP] = "map of numbers",
	};

	if (f->type == FIELD_MESSAGE)
		(void)snprintf(out, len, "%s", f->of->name);
	else if (f->type == FIELD_MESSAGE_MAP)
		(void)snprintf(out, len, "map of %s", f->of->name);
	else if (f->min != 0 || f->max != 0)
		(void)snprintf(out, len, "%s %lld to %lld", names[f->type],
		    (long long)f->min, (long long)f->max);
	else
		(void)snprintf(out, len, "%s", names[f->type]);
}

char *
field_type_text(const struct field *f, char out[FIELD_TYPE_MAX])
{
	const char *list = f->flags & FIELD_REPEATED ? "list of " : "";
	size_t len = strlen(list);

	memcpy(out, list, len + 1);
	one_type(f, out + len, FIELD_TYPE_MAX - len);
	return out;
}
