/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode — from structs back to values, by the tables.
 *
 * What was not written is not there again; maps of strings are in byte order
 * and durations in the largest units that say them exactly.
 */
#include <math.h>
#include <stdlib.h>

#include "layout.h"

static int
by_key(const void *a, const void *b)
{
	const struct value *const *x = a;
	const struct value *const *y = b;

	return slice_cmp((*x)->key, (*y)->key);
}

/* Puts members into byte order; NULL when the arena is full. */
static struct value *
sort_members(struct value *map, struct arena *a)
{
	struct value *sorted = value_new(a, VALUE_MAP);
	struct value **items =
	    arena_alloc_array(a, map->count + 1, sizeof(*items));
	size_t n = 0;

	if (sorted == NULL || items == NULL)
		return NULL;
	for (struct value *it = map->child; it != NULL; it = it->next)
		items[n++] = it;
	qsort(items, n, sizeof(struct value *), by_key);
	for (size_t i = 0; i < n; i++) {
		items[i]->next = NULL;
		if (value_set(sorted, items[i]->key, items[i]) != OK)
			return NULL;
	}
	return sorted;
}

static struct value *
encode_duration(uint64_t us, struct arena *a)
{
	static const struct {
		uint64_t us;
		const char *unit;
	} units[] = {{UINT64_C(3600000000), "h"}, {60000000, "m"},
	    {1000000, "s"}, {1000, "ms"}, {1, "us"}};
	struct slice text = us == 0 ? S("0s") : S("");

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		uint64_t n = us / units[i].us;

		us %= units[i].us;
		if (n > 0)
			text = arena_printf(a, "%.*s%llu%s", SLICE_ARG(text),
			    (unsigned long long)n, units[i].unit);
	}
	return text.ptr != NULL ? value_new_string(a, text) : NULL;
}

static struct value *
encode_enum(const struct field *f, int n, struct arena *a)
{
	for (const struct field_word *w = f->words; w->word != NULL; w++)
		if (w->value == n)
			return value_new_string(a, slice_str(w->word));
	return value_new_int(a, n);
}

static struct value *
encode_string_map(const struct labels *l, struct arena *a)
{
	struct value *map = value_new(a, VALUE_MAP);

	for (size_t i = 0; map != NULL && i < l->count; i++)
		if (value_set(map, l->items[i].key,
			value_new_string(a, l->items[i].value)) != OK)
			return NULL;
	return map != NULL ? sort_members(map, a) : NULL;
}

static struct value *
encode_int_map(const struct any_list *l, struct arena *a)
{
	const struct int_entry *items = l->items;
	struct value *map = value_new(a, VALUE_MAP);

	for (size_t i = 0; i < l->count; i++)
		value_put(
		    &map, items[i].key, value_new_int(a, items[i].number));
	return map != NULL ? sort_members(map, a) : NULL;
}

static struct value *
encode_number(double n, struct arena *a)
{
	struct value *v = value_new(a, VALUE_FLOAT);

	if (n == floor(n) && fabs(n) < 9e15)
		return value_new_int(a, (int64_t)n);
	if (v != NULL)
		v->real = n;
	return v;
}

static struct value *
encode_message_map(
    const struct field *f, const struct any_list *l, struct arena *a)
{
	const struct message_entry *items = l->items;
	struct value *map = value_new(a, VALUE_MAP);

	for (size_t i = 0; map != NULL && i < l->count; i++)
		if (value_set(map, items[i].key,
			message_encode(f->of, items[i].message, a)) != OK)
			return NULL;
	return map != NULL ? sort_members(map, a) : NULL;
}

static struct value *
encode_int_or_string(const struct int_or_string *v, struct arena *a)
{
	return v->is_string ? value_new_string(a, v->text)
			    : value_new_int(a, v->number);
}

static struct value *
encode_one(const struct field *f, const void *at, struct arena *a)
{
	switch (f->type) {
	case FIELD_STRING:
		return value_new_string(a, *(const struct slice *)at);
	case FIELD_BOOL:
		return value_new_bool(a, *(const bool *)at);
	case FIELD_INT:
		return value_new_int(a, *(const int64_t *)at);
	case FIELD_NUMBER:
		return encode_number(*(const double *)at, a);
	case FIELD_ENUM:
		return encode_enum(f, *(const int *)at, a);
	case FIELD_DURATION:
		return encode_duration(*(const uint64_t *)at, a);
	case FIELD_INT_OR_STRING:
		return encode_int_or_string(at, a);
	case FIELD_STRING_MAP:
		return encode_string_map(at, a);
	case FIELD_TREE:
		return value_copy(*(const struct value *const *)at, a);
	case FIELD_INT_MAP:
		return encode_int_map(at, a);
	case FIELD_MESSAGE_MAP:
		return encode_message_map(f, at, a);
	default:
		return NULL;
	}
}

static struct value *
encode_list(const struct field *f, const struct any_list *l, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);
	const char *items = l->items;

	for (size_t i = 0; list != NULL && i < l->count; i++) {
		const void *at = items + i * field_item_size(f);
		struct value *item = f->type == FIELD_MESSAGE
					 ? message_encode(f->of, at, a)
					 : encode_one(f, at, a);

		if (value_append(list, item) != OK)
			return NULL;
	}
	return list;
}

static struct value *
encode_field(const struct field *f, const char *decoded, struct arena *a)
{
	const void *at = decoded + f->offset;

	if (f->flags & FIELD_REPEATED)
		return encode_list(f, at, a);
	if (f->type == FIELD_MESSAGE)
		return message_encode(f->of, *(const void *const *)at, a);
	return encode_one(f, at, a);
}

struct value *
message_encode(
    const struct message *m, const void *decoded, struct arena *arena)
{
	const struct message_head *head = decoded;
	struct value *map = value_new(arena, VALUE_MAP);

	if (map != NULL)
		map->line = head->line;
	for (size_t i = 0; map != NULL && i < m->field_count; i++) {
		const struct field *f = &m->fields[i];

		if (!field_is_present(head, i))
			continue;
		if (value_set(map, slice_str(f->name),
			encode_field(f, decoded, arena)) != OK)
			return NULL;
	}
	return map;
}
