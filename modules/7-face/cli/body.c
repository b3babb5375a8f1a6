/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body — the JSON object that a command sends.
 */
#include "body.h"

enum { ARENA_BYTES = 512 << 20 }; /* of many documents */

void
body_init(struct body *b)
{
	arena_init(&b->arena, ARENA_BYTES);
	b->arena.secret = true; /* keys, tokens */
	b->map = value_new(&b->arena, VALUE_MAP);
}

void
body_fini(struct body *b)
{
	arena_fini(&b->arena);
}

void
body_set(struct body *b, const char *key, struct value *v)
{
	if (b->map != NULL && value_set(b->map, slice_str(key), v) != OK)
		b->map = NULL;
}

void
body_slice(struct body *b, const char *key, struct slice text)
{
	if (text.len > 0)
		body_set(b, key, value_new_string(&b->arena, text));
}

void
body_text(struct body *b, const char *key, const char *text)
{
	if (text != NULL)
		body_slice(b, key, slice_str(text));
}
