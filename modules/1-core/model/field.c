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

bool
message_has(const struct message *m, const void *decoded, const char *field)
{
	const struct message_head *head = decoded;
	size_t i = 0;

	while (i < m->field_count && strcmp(m->fields[i].name, field) != 0)
		i++;
	CHECK(i < m->field_count);
	return field_is_present(head, i);
}

const struct field *
message_find(const struct message *m, struct slice path)
{
	const struct field *found = NULL;

	while (m != NULL && path.len > 0) {
		struct slice name = slice_split(&path, '.');

		found = NULL;
		for (size_t i = 0; i < m->field_count; i++)
			if (slice_eq(slice_str(m->fields[i].name), name))
				found = &m->fields[i];
		m = found != NULL ? found->of : NULL;
	}
	return path.len == 0 ? found : NULL;
}

void
findings_fini(struct findings *f)
{
	faults_fini(&f->errors);
	faults_fini(&f->warnings);
	faults_fini(&f->inert);
}
