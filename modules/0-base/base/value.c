/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value — building trees and finding what is in them.
 *
 * Small maps are searched in order. A map of many keys gets a table beside
 * it, so that a hostile document of a million keys costs a million steps and
 * not their square.
 */
#include "value.h"
#include "check.h"
#include "crypto.h"

enum { VALUE_INDEX_FROM = 16 }; /* children */

struct value_index {
	size_t cap; /* power of two, at most half full */
	struct value *slots[];
};

static const char *const type_names[] = {
    [VALUE_NULL] = "null",
    [VALUE_BOOL] = "boolean",
    [VALUE_INT] = "integer",
    [VALUE_FLOAT] = "number",
    [VALUE_STRING] = "string",
    [VALUE_LIST] = "list",
    [VALUE_MAP] = "map",
};

static void
index_put(struct value_index *index, struct value *item)
{
	size_t at = (size_t)slice_hash(item->key) & (index->cap - 1);

	while (index->slots[at] != NULL)
		at = (at + 1) & (index->cap - 1);
	index->slots[at] = item;
}

/* Room for one more key; the old table stays behind in the arena. */
static enum err
index_grow(struct value *map)
{
	struct value_index *index = map->map.index;
	size_t cap = (size_t)VALUE_INDEX_FROM * 4;

	if (map->count < VALUE_INDEX_FROM ||
	    (index != NULL && map->count < index->cap / 2))
		return OK;
	while (map->count >= cap / 2)
		cap *= 2;
	index = arena_alloc(
	    map->map.arena, sizeof(*index) + cap * sizeof(index->slots[0]));
	if (index == NULL)
		return ERR_NO_MEMORY;
	index->cap = cap;
	for (struct value *it = map->child; it != NULL; it = it->next)
		index_put(index, it);
	map->map.index = index;
	return OK;
}

static const struct value *
index_get(const struct value_index *index, struct slice key)
{
	size_t at = (size_t)slice_hash(key) & (index->cap - 1);

	for (; index->slots[at] != NULL; at = (at + 1) & (index->cap - 1))
		if (slice_eq(index->slots[at]->key, key))
			return index->slots[at];
	return NULL;
}

static void
add_child(struct value *parent, struct value *item)
{
	if (parent->last != NULL)
		parent->last->next = item;
	else
		parent->child = item;
	parent->last = item;
	parent->count++;
}

static bool
children_eq(const struct value *a, const struct value *b)
{
	const struct value *theirs = b->child;

	if (a->count != b->count)
		return false;
	VALUE_EACH(a, it)
	{
		if (a->type == VALUE_MAP)
			theirs = value_get(b, it->key);
		if (theirs == NULL || !value_eq(it, theirs))
			return false;
		theirs = theirs->next;
	}
	return true;
}

const char *
value_type_name(enum value_type t)
{
	CHECK((unsigned)t < ARRAY_LEN(type_names));
	return type_names[t];
}

const struct value *
value_get(const struct value *v, struct slice key)
{
	if (v == NULL || v->type != VALUE_MAP)
		return NULL;
	if (v->map.index != NULL)
		return index_get(v->map.index, key);
	VALUE_EACH(v, it)
	if (slice_eq(it->key, key))
		return it;
	return NULL;
}

const struct value *
value_get_path(const struct value *v, struct slice path)
{
	while (v != NULL && path.len > 0)
		v = value_get(v, slice_split(&path, '.'));
	return v;
}

static const struct value *
nth(const struct value *list, uint64_t n)
{
	VALUE_EACH(list, it)
	if (n-- == 0)
		return it;
	return NULL;
}

const struct value *
value_step(const struct value *v, struct slice *path,
    const struct value *(*get)(const struct value *v, struct slice key))
{
	struct slice step = slice_split(path, '.');
	struct slice name = slice_split(&step, '[');
	uint64_t index;

	v = get(v, name);
	if (step.len > 1 &&
	    slice_to_u64(slice_sub(step, 0, step.len - 1), &index) == OK)
		v = nth(v, index);
	return v;
}

uint32_t
value_line(const struct value *v, struct slice path)
{
	uint32_t line = v != NULL ? v->line : 0;

	while (v != NULL && path.len > 0) {
		v = value_step(v, &path, value_get);
		if (v != NULL && v->line > 0)
			line = v->line;
	}
	return line;
}

struct slice
value_get_string(
    const struct value *v, struct slice key, struct slice otherwise)
{
	const struct value *member = value_get(v, key);

	return member != NULL && member->type == VALUE_STRING ? member->string
							      : otherwise;
}

int64_t
value_get_int(const struct value *v, struct slice key, int64_t otherwise)
{
	const struct value *m = value_get(v, key);

	return m != NULL && m->type == VALUE_INT ? m->integer : otherwise;
}

struct value *
value_new(struct arena *a, enum value_type t)
{
	struct value *v = arena_alloc(a, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->type = t;
	if (t == VALUE_MAP)
		v->map.arena = a;
	return v;
}

struct value *
value_new_string(struct arena *a, struct slice s)
{
	struct value *v = value_new(a, VALUE_STRING);

	if (v != NULL)
		v->string = s;
	return v;
}

struct value *
value_new_int(struct arena *a, int64_t n)
{
	struct value *v = value_new(a, VALUE_INT);

	if (v != NULL)
		v->integer = n;
	return v;
}

struct value *
value_new_bool(struct arena *a, bool b)
{
	struct value *v = value_new(a, VALUE_BOOL);

	if (v != NULL)
		v->boolean = b;
	return v;
}

struct value *
value_share(const struct value *v, struct arena *a)
{
	struct value *copy = arena_alloc(a, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *v;
	copy->next = NULL;
	return copy;
}

enum err
value_append(struct value *list, struct value *item)
{
	CHECK(list->type == VALUE_LIST);
	if (item == NULL)
		return ERR_NO_MEMORY;
	add_child(list, item);
	return OK;
}

enum err
value_set(struct value *map, struct slice key, struct value *item)
{
	CHECK(map->type == VALUE_MAP);
	if (item == NULL)
		return ERR_NO_MEMORY;
	if (value_get(map, key) != NULL)
		return ERR_EXISTS;
	if (index_grow(map) != OK)
		return ERR_NO_MEMORY;
	item->key = key;
	add_child(map, item);
	if (map->map.index != NULL)
		index_put(map->map.index, item);
	return OK;
}

static void
push_lines(const struct value *v, struct arena *a, struct value **list)
{
	if (v->type == VALUE_MAP)
		value_push(list, value_new_int(a, v->line));
	if (v->type != VALUE_MAP && v->type != VALUE_LIST)
		return;
	VALUE_EACH(v, it)
	{
		push_lines(it, a, list);
	}
}

struct value *
value_lines(const struct value *v, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);

	push_lines(v, a, &list);
	return list;
}

/* The next of them is the next map's. */
static const struct value *
take_lines(struct value *v, const struct value *next)
{
	if (v->type == VALUE_MAP) {
		v->line = next != NULL && next->type == VALUE_INT &&
				  next->integer > 0 &&
				  next->integer <= UINT32_MAX
			      ? (uint32_t)next->integer
			      : 0;
		next = next != NULL ? next->next : NULL;
	}
	if (v->type == VALUE_MAP || v->type == VALUE_LIST)
		for (struct value *it = v->child; it != NULL; it = it->next)
			next = take_lines(it, next);
	return next;
}

void
value_set_lines(struct value *v, const struct value *lines)
{
	(void)take_lines(v, lines->child); /* what is left over is nobody's */
}

bool
value_eq(const struct value *a, const struct value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_INT:
		return a->integer == b->integer;
	case VALUE_FLOAT:
		return a->real == b->real;
	case VALUE_STRING:
		return slice_eq(a->string, b->string);
	case VALUE_LIST:
	case VALUE_MAP:
		return children_eq(a, b);
	}
	return false;
}

/* --- whole trees --- */

void
value_put(struct value **map, struct slice key, struct value *item)
{
	if (*map != NULL && (item == NULL || value_set(*map, key, item) != OK))
		*map = NULL;
}

void
value_push(struct value **list, struct value *item)
{
	if (*list != NULL && value_append(*list, item) != OK)
		*list = NULL;
}

static struct value *
copy_text(struct arena *a, struct slice text)
{
	struct slice kept;

	return arena_copy(a, text, &kept) == OK ? value_new_string(a, kept)
						: NULL;
}

void
value_put_text(
    struct arena *a, struct value **map, struct slice key, struct slice text)
{
	value_put(map, key, copy_text(a, text));
}

void
value_put_int(struct arena *a, struct value **map, struct slice key, int64_t n)
{
	value_put(map, key, value_new_int(a, n));
}

void
value_put_bool(struct arena *a, struct value **map, struct slice key, bool b)
{
	value_put(map, key, value_new_bool(a, b));
}

void
value_push_text(struct arena *a, struct value **list, struct slice text)
{
	value_push(list, copy_text(a, text));
}

void
value_put_bytes(
    struct arena *a, struct value **map, struct slice key, struct slice bytes)
{
	size_t len = crypto_base64url_len(bytes.len);
	char *text = arena_alloc(a, len + 1);

	if (text != NULL)
		crypto_base64url(bytes, text);
	value_put(map, key,
	    text != NULL ? value_new_string(a, slice_of(text, len)) : NULL);
}

static void
copy_children(const struct value *v, struct arena *a, struct value **copy)
{
	struct slice key;

	VALUE_EACH(v, it)
	{
		if (v->type == VALUE_LIST)
			value_push(copy, value_copy(it, a));
		else if (arena_copy(a, it->key, &key) == OK)
			value_put(copy, key, value_copy(it, a));
		else
			*copy = NULL;
	}
}

struct value *
value_copy(const struct value *v, struct arena *a)
{
	struct value *copy = value_new(a, v->type);

	if (copy == NULL)
		return NULL;
	copy->line = v->line;
	copy->column = v->column;
	switch (v->type) {
	case VALUE_BOOL:
		copy->boolean = v->boolean;
		break;
	case VALUE_INT:
		copy->integer = v->integer;
		break;
	case VALUE_FLOAT:
		copy->real = v->real;
		break;
	case VALUE_STRING:
		if (arena_copy(a, v->string, &copy->string) != OK)
			return NULL;
		break;
	case VALUE_LIST:
	case VALUE_MAP:
		copy_children(v, a, &copy);
		break;
	case VALUE_NULL:
		break;
	}
	return copy;
}
