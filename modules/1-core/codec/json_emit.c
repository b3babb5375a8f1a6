/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_emit — values to JSON: one canonical form, and one for people.
 *
 * Written here and not by jansson: its objects are a copy of the tree, and
 * its floats are never the shortest.
 */
#include <stdlib.h>

#include "codec.h"
#include "number.h"

#define TRY(call)                                                              \
	do {                                                                   \
		enum err try_e_ = (call);                                      \
		if (try_e_ != OK)                                              \
			return try_e_;                                         \
	} while (0)

struct writer {
	struct buf *out;
	bool pretty;
};

static enum err emit(
    const struct writer *w, const struct value *v, unsigned depth);

static enum err
emit_escaped(const struct writer *w, unsigned char c)
{
	static const char letters[] = {['\b'] = 'b',
	    ['\t'] = 't',
	    ['\n'] = 'n',
	    ['\f'] = 'f',
	    ['\r'] = 'r',
	    ['"'] = '"',
	    ['\\'] = '\\'};

	if (c < sizeof(letters) && letters[c] != '\0')
		return buf_printf(w->out, "\\%c", letters[c]);
	return buf_printf(w->out, "\\u%04x", c);
}

static enum err
emit_string(const struct writer *w, struct slice s)
{
	size_t from = 0;

	if (!slice_is_utf8(s))
		return ERR_INVALID;
	TRY(buf_add_byte(w->out, '"'));
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		TRY(buf_add_slice(w->out, slice_sub(s, from, i - from)));
		TRY(emit_escaped(w, c));
		from = i + 1;
	}
	TRY(buf_add_slice(w->out, slice_sub(s, from, s.len)));
	return buf_add_byte(w->out, '"');
}

static enum err
emit_float(const struct writer *w, double d)
{
	char text[NUMBER_TEXT_MAX];

	if (__builtin_isnan(d) || __builtin_isinf(d))
		return ERR_INVALID;
	return buf_add_slice(w->out, number_format(d, text));
}

static enum err
emit_break(const struct writer *w, unsigned depth)
{
	if (!w->pretty)
		return OK;
	TRY(buf_add_byte(w->out, '\n'));
	for (unsigned i = 0; i < depth; i++)
		TRY(buf_add_slice(w->out, S("  ")));
	return OK;
}

static int
by_key(const void *a, const void *b)
{
	const struct value *const *x = a;
	const struct value *const *y = b;

	return slice_cmp((*x)->key, (*y)->key);
}

/* The members in byte order, on the heap; NULL when there is no memory. */
static const struct value **
sorted(const struct value *map)
{
	const struct value **items =
	    mem_try(map->count * sizeof(struct value *));
	size_t n = 0;

	if (items == NULL)
		return NULL;
	VALUE_EACH(map, it)
	{
		items[n++] = it;
	}
	qsort(items, n, sizeof(*items), by_key);
	return items;
}

static enum err
emit_member(
    const struct writer *w, const struct value *v, unsigned depth, bool first)
{
	if (!first)
		TRY(buf_add_byte(w->out, ','));
	TRY(emit_break(w, depth));
	TRY(emit_string(w, v->key));
	TRY(buf_add_slice(w->out, w->pretty ? S(": ") : S(":")));
	return emit(w, v, depth);
}

static enum err
emit_sorted(const struct writer *w, const struct value *v, unsigned depth)
{
	AUTO(mem_free) const struct value **items = sorted(v);

	if (items == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < v->count; i++)
		TRY(emit_member(w, items[i], depth, i == 0));
	return OK;
}

static enum err
emit_map(const struct writer *w, const struct value *v, unsigned depth)
{
	if (v->count == 0)
		return buf_add_slice(w->out, S("{}"));
	TRY(buf_add_byte(w->out, '{'));
	if (w->pretty) {
		VALUE_EACH(v, it)
		{
			TRY(emit_member(w, it, depth + 1, it == v->child));
		}
	} else {
		TRY(emit_sorted(w, v, depth + 1));
	}
	TRY(emit_break(w, depth));
	return buf_add_byte(w->out, '}');
}

static enum err
emit_list(const struct writer *w, const struct value *v, unsigned depth)
{
	if (v->count == 0)
		return buf_add_slice(w->out, S("[]"));
	TRY(buf_add_byte(w->out, '['));
	VALUE_EACH(v, it)
	{
		if (it != v->child)
			TRY(buf_add_byte(w->out, ','));
		TRY(emit_break(w, depth + 1));
		TRY(emit(w, it, depth + 1));
	}
	TRY(emit_break(w, depth));
	return buf_add_byte(w->out, ']');
}

static enum err
emit(const struct writer *w, const struct value *v, unsigned depth)
{
	switch (v->type) {
	case VALUE_NULL:
		return buf_add_slice(w->out, S("null"));
	case VALUE_BOOL:
		return buf_add_slice(
		    w->out, v->boolean ? S("true") : S("false"));
	case VALUE_INT:
		return buf_printf(w->out, "%lld", (long long)v->integer);
	case VALUE_FLOAT:
		return emit_float(w, v->real);
	case VALUE_STRING:
		return emit_string(w, v->string);
	case VALUE_LIST:
		return emit_list(w, v, depth);
	case VALUE_MAP:
		return emit_map(w, v, depth);
	}
	return ERR_INTERNAL;
}

enum err
codec_json_emit(const struct value *v, struct buf *out)
{
	struct writer w = {.out = out, .pretty = false};

	return emit(&w, v, 0);
}

enum err
codec_json_emit_pretty(const struct value *v, struct buf *out)
{
	struct writer w = {.out = out, .pretty = true};

	TRY(emit(&w, v, 0));
	return buf_add_byte(out, '\n');
}
