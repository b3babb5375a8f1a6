/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json — building answers as trees; what does not fit turns the tree to NULL.
 */
#include "inside.h"

struct value *
json_map(struct arena *a)
{
	return value_new(a, VALUE_MAP);
}

struct value *
json_list(struct arena *a)
{
	return value_new(a, VALUE_LIST);
}

void
json_put(struct value **m, struct slice key, struct value *v)
{
	if (*m != NULL && (v == NULL || value_set(*m, key, v) != OK))
		*m = NULL;
}

void
json_push(struct value **list, struct value *v)
{
	if (*list != NULL && value_append(*list, v) != OK)
		*list = NULL;
}

void
json_text(
    struct arena *a, struct value **m, struct slice key, struct slice text)
{
	struct slice kept;

	if (arena_copy(a, text, &kept) != OK) {
		*m = NULL;
		return;
	}
	slice_mend_utf8((char *)(uintptr_t)kept.ptr, kept.len); /* ours */
	json_put(m, key, value_new_string(a, kept));
}

void
json_number(struct arena *a, struct value **m, struct slice key, int64_t n)
{
	json_put(m, key, value_new_int(a, n));
}

void
json_bool(struct arena *a, struct value **m, struct slice key, bool b)
{
	json_put(m, key, value_new_bool(a, b));
}
