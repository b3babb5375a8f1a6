/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field — looking things up in the tables and in what was decoded by them.
 */
#include "layout.h"

struct slice
labels_get(const struct labels *l, struct slice key)
{
	for (size_t i = 0; i < l->count; i++)
		if (slice_eq(l->items[i].key, key))
			return l->items[i].value;
	return SLICE_NONE;
}

bool
labels_match(const struct labels *l, const struct labels *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		struct slice value = labels_get(l, wanted->items[i].key);

		if (value.ptr == NULL ||
		    !slice_eq(value, wanted->items[i].value))
			return false;
	}
	return true;
}

/* "5xx" is a word of its own, where the 1 of "http1" ends one. */
static bool
begins_with_digit(struct slice word)
{
	return word.len > 1 && word.ptr[0] >= '0' && word.ptr[0] <= '9' &&
	       word.ptr[1] >= 'a' && word.ptr[1] <= 'z';
}

/* "mirror_percent" is mirrorPercent: what a proto file calls it. */
static bool
is_proto_name(const char *field, struct slice name)
{
	size_t at = 0;

	for (size_t i = 0; i < name.len; i++) {
		bool up = name.ptr[i] == '_' && i + 1 < name.len;
		char byte = name.ptr[i += up];

		if (byte == '_' || (up && byte >= 'A' && byte <= 'Z'))
			return false;
		if (!up && begins_with_digit(slice_sub(name, i, name.len)))
			return false;
		if (up && byte >= 'a' && byte <= 'z')
			byte = (char)(byte - ('a' - 'A'));
		if (field[at++] != byte)
			return false;
	}
	return field[at] == '\0';
}

const struct field *
field_find(const struct message *m, struct slice name)
{
	for (size_t i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];

		if (slice_eq(slice_str(f->name), name) ||
		    (!(f->flags & FIELD_ONE_NAME) &&
			is_proto_name(f->name, name)))
			return f;
	}
	return NULL;
}

const struct value *
field_get(const struct value *v, struct slice name)
{
	const struct value *found = value_get(v, name);
	char text[FAULT_FIELD_MAX];

	if (found != NULL || v == NULL || v->type != VALUE_MAP ||
	    slice_to_cstr(name, text, sizeof(text)) != OK)
		return found;
	VALUE_EACH(v, it)
	if (is_proto_name(text, it->key))
		return it;
	return NULL;
}

static size_t
row_of(const struct message *m, const char *field)
{
	size_t i = 0;

	while (i < m->field_count && strcmp(m->fields[i].name, field) != 0)
		i++;
	CHECK(i < m->field_count);
	return i;
}

bool
message_has(const struct message *m, const void *decoded, const char *field)
{
	return field_is_present(decoded, row_of(m, field));
}

void
message_mark(const struct message *m, void *decoded, const char *field)
{
	struct message_head *head = decoded;
	size_t i = row_of(m, field);

	head->present[i / 64] |= UINT64_C(1) << (i % 64);
}

void
findings_fini(struct findings *f)
{
	faults_fini(&f->errors);
	faults_fini(&f->warnings);
	faults_fini(&f->inert);
}

bool
finding_guards(const struct fault *why)
{
	return why->code != OK;
}

void
findings_add_inert(struct findings *f, const struct fault *why)
{
	struct faults *list = &f->inert;

	f->guards += finding_guards(why);
	if (list->count == FAULTS_MAX && finding_guards(why))
		for (size_t i = list->count; i-- > 0;)
			if (!finding_guards(&list->items[i])) {
				list->items[i] = *why;
				list->dropped++;
				return;
			}
	faults_add(list, why);
}

static struct value *
fault_value(const struct fault *f, struct arena *a)
{
	struct value *m = value_new(a, VALUE_MAP);

	value_put_text(a, &m, S("code"), slice_str(err_name(f->code)));
	if (f->id != NULL)
		value_put_text(a, &m, S("id"), slice_str(f->id));
	if (f->file[0] != 0)
		value_put_text(a, &m, S("file"), slice_str(f->file));
	if (f->line > 0) {
		value_put_int(a, &m, S("line"), f->line);
		value_put_int(a, &m, S("column"), f->column);
	}
	value_put_text(a, &m, S("field"), slice_str(f->field));
	value_put_text(a, &m, S("message"), slice_str(f->text));
	return m;
}

struct value *
faults_value(const struct faults *f, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);

	for (size_t i = 0; i < f->count; i++)
		value_push(&list, fault_value(&f->items[i], a));
	return list;
}
