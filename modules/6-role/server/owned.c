/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owned — which resources the folder of configuration brought.
 */
#include "codec/codec.h"

#include "owned.h"

#include <stdlib.h>

#define NAME "config-dir/resources"

enum { TREE_BYTES = 64 << 20 };

void
owned_init(struct owned *o)
{
	map_init(&o->keys);
}

void
owned_fini(struct owned *o)
{
	map_fini(&o->keys, NULL);
}

static void
read_keys(struct owned *o, struct slice text)
{
	AUTO(arena_fini) struct arena a;
	const struct value *list = NULL;

	arena_init(&a, TREE_BYTES);
	/* Written below; what it is not owns nothing. */
	if (codec_json_parse(text, &a, &list, NULL) != OK)
		return;
	VALUE_EACH(list, it)
	if (it->type == VALUE_STRING)
		(void)map_put(&o->keys, it->string, o); /* only the mark */
}

void
owned_take(struct owned *o, const struct store_row *row)
{
	if (row->table != STORE_SETTINGS ||
	    !slice_eq(row->setting.name, S(NAME)))
		return;
	owned_fini(o);
	owned_init(o);
	if (!row->deleted)
		read_keys(o, row->setting.value);
}

bool
owned_has(const struct owned *o, struct slice key)
{
	return map_get(&o->keys, key) != NULL;
}

static int
by_text(const void *a, const void *b)
{
	const struct slice *x = a;
	const struct slice *y = b;

	return slice_cmp(*x, *y);
}

/* In byte order, so that the same keys are the same text. */
static struct value *
sorted_list(const struct slice *keys, size_t count, struct arena *a)
{
	AUTO(mem_free)
	struct slice *sorted = mem_new_array(MAX(count, 1), sizeof(*sorted));
	struct value *list = value_new(a, VALUE_LIST);

	for (size_t i = 0; i < count; i++)
		sorted[i] = keys[i];
	qsort(sorted, count, sizeof(*sorted), by_text);
	for (size_t i = 0; i < count; i++)
		value_push_text(a, &list, sorted[i]);
	return list;
}

enum err
owned_op(const struct slice *keys, size_t count, struct arena *a,
    struct store_op *out)
{
	AUTO(buf_fini) struct buf text = BUF(LIMIT_RESOURCE_BYTES);
	struct value *list = sorted_list(keys, count, a);
	enum err e = list == NULL ? ERR_LIMIT : codec_json_emit(list, &text);

	*out = (struct store_op){.type = STORE_PUT,
	    .expected = STORE_EXPECT_ANY,
	    .row = {.table = STORE_SETTINGS, .setting.name = S(NAME)}};
	return e == OK
		   ? arena_copy(a, buf_slice(&text), &out->row.setting.value)
		   : e;
}
