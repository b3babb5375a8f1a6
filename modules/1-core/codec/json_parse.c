/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_parse — JSON text to values, through jansson.
 */
#include <jansson.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "codec.h"

struct converter {
	struct arena *arena;
	size_t nodes;
};

static struct value *convert(
    struct converter *c, const json_t *j, unsigned depth);

/* The library copies each text, and any of them may be a key. */
static void
wipe_and_free(void *p)
{
	if (p == NULL)
		return;
	secret_wipe(p, malloc_usable_size(p));
	free(p);
}

static void
wipe_what_is_freed(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}

static void
json_drop(json_t **jp)
{
	json_decref(*jp);
}

static struct value *
convert_string(struct converter *c, const json_t *j)
{
	struct slice text =
	    slice_of(json_string_value(j), json_string_length(j));

	if (arena_copy(c->arena, text, &text) != OK)
		return NULL;
	return value_new_string(c->arena, text);
}

static struct value *
convert_list(struct converter *c, const json_t *j, unsigned depth)
{
	struct value *list = value_new(c->arena, VALUE_LIST);

	for (size_t i = 0; list != NULL && i < json_array_size(j); i++) {
		struct value *item =
		    convert(c, json_array_get(j, i), depth + 1);

		if (value_append(list, item) != OK)
			return NULL;
	}
	return list;
}

static struct value *
convert_map(struct converter *c, json_t *j, unsigned depth)
{
	struct value *map = value_new(c->arena, VALUE_MAP);
	void *it;

	for (it = json_object_iter(j); map != NULL && it != NULL;
	     it = json_object_iter_next(j, it)) {
		struct slice key = slice_of(
		    json_object_iter_key(it), json_object_iter_key_len(it));
		struct value *item =
		    convert(c, json_object_iter_value(it), depth + 1);

		if (item == NULL || arena_copy(c->arena, key, &key) != OK ||
		    value_set(map, key, item) != OK)
			return NULL;
	}
	return map;
}

static struct value *
convert_real(struct converter *c, const json_t *j)
{
	struct value *v = value_new(c->arena, VALUE_FLOAT);

	if (v != NULL)
		v->real = json_real_value(j);
	return v;
}

/* NULL: the arena is full, or there are too many nodes. */
static struct value *
convert(struct converter *c, const json_t *j, unsigned depth)
{
	if (++c->nodes > LIMIT_DOC_NODES)
		return NULL;
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return convert_map(c, (json_t *)(uintptr_t)j, depth);
	case JSON_ARRAY:
		return convert_list(c, j, depth);
	case JSON_STRING:
		return convert_string(c, j);
	case JSON_INTEGER:
		return value_new_int(c->arena, json_integer_value(j));
	case JSON_REAL:
		return convert_real(c, j);
	case JSON_NULL:
		return value_new(c->arena, VALUE_NULL);
	default:
		return value_new_bool(c->arena, json_is_true(j));
	}
}

/*
 * Before anything is allocated: how deep the brackets go, and how many values
 * there are at most, since each costs many times its text.
 */
static enum err
check_shape(struct slice text, struct fault *why)
{
	unsigned depth = 0;
	size_t nodes = 1;
	bool quoted = false;
	uint32_t line = 1;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		line += c == '\n';
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{'))
			depth++;
		else if (!quoted && (c == ']' || c == '}') && depth > 0)
			depth--;
		nodes += !quoted && (c == ',' || c == '[' || c == '{');
		if (nodes > LIMIT_DOC_NODES)
			return fault_set(why, ERR_LIMIT, "more than %d values",
			    LIMIT_DOC_NODES);
		if (depth > LIMIT_DOC_DEPTH) {
			(void)fault_set(why, ERR_LIMIT,
			    "nested more than %d deep", (int)LIMIT_DOC_DEPTH);
			fault_at(why, NULL, line, 0);
			return ERR_LIMIT;
		}
	}
	return OK;
}

static enum err
refuse(const json_error_t *e, struct fault *why)
{
	enum err code = ERR_PARSE;

	if (json_error_code(e) == json_error_numeric_overflow)
		code = ERR_LIMIT;
	else if (json_error_code(e) == json_error_out_of_memory)
		code = ERR_NO_MEMORY;
	(void)fault_set(why, code, "%s", e->text);
	fault_at(why, NULL, e->line > 0 ? (uint32_t)e->line : 0,
	    e->column > 0 ? (uint32_t)e->column : 0);
	return code;
}

enum err
codec_json_parse(struct slice text, struct arena *arena,
    const struct value **out, struct fault *why)
{
	AUTO(json_drop) json_t *j = NULL;
	struct converter c = {.arena = arena};
	struct value *root;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	json_error_t e;
	enum err shape;

	if (text.len > LIMIT_API_BODY)
		return fault_set(why, ERR_LIMIT,
		    "the text has %zu bytes; at most %d are allowed", text.len,
		    (int)LIMIT_API_BODY);
	(void)pthread_once(&once, wipe_what_is_freed); /* it cannot fail */
	shape = check_shape(text, why);
	if (shape != OK)
		return shape;
	j = json_loadb(text.len > 0 ? text.ptr : "", text.len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (j == NULL)
		return refuse(&e, why);
	root = convert(&c, j, 1);
	if (root == NULL)
		return fault_set(why, ERR_LIMIT,
		    "the text asks for more memory than it may have");
	*out = root;
	return OK;
}
