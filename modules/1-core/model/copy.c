/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy — a decoded message once more, in an arena of its own.
 *
 * By the tables: the bytes of a struct are copied, then everything that its
 * rows point at, whether it was in the document or not.
 */
#include "copy.h"
#include "layout.h"

static bool own_message(const struct message *m, void *at, struct arena *a);

bool
copy_text(struct slice *s, struct arena *a)
{
	if (s->len > 0)
		return arena_copy(a, *s, s) == OK;
	*s = s->ptr != NULL ? S("") : SLICE_NONE;
	return true;
}

/* The items themselves; what they point at is still the old. */
static bool
own_items(const void *list_items, size_t count, size_t size, struct arena *a,
    void **out)
{
	*out = NULL;
	if (count == 0)
		return true;
	*out = arena_alloc_array(a, count, size);
	if (*out == NULL)
		return false;
	memcpy(*out, list_items, count * size);
	return true;
}

bool
copy_labels(struct labels *l, struct arena *a)
{
	void *items;
	struct label *own;

	if (!own_items(l->items, l->count, sizeof(*own), a, &items))
		return false;
	l->items = own = items;
	for (size_t i = 0; i < l->count; i++)
		if (!copy_text(&own[i].key, a) || !copy_text(&own[i].value, a))
			return false;
	return true;
}

static bool
own_tree(const struct value **v, struct arena *a)
{
	if (*v == NULL)
		return true;
	*v = value_copy(*v, a);
	return *v != NULL;
}

static bool
own_pointed(const struct message *m, const void **p, struct arena *a)
{
	if (*p == NULL)
		return true;
	*p = message_copy(m, *p, a);
	return *p != NULL;
}

static bool
own_int_map(struct any_list *l, struct arena *a)
{
	void *items;
	struct int_entry *own;

	if (!own_items(l->items, l->count, sizeof(*own), a, &items))
		return false;
	l->items = own = items;
	for (size_t i = 0; i < l->count; i++)
		if (!copy_text(&own[i].key, a))
			return false;
	return true;
}

static bool
own_message_map(const struct message *m, struct any_list *l, struct arena *a)
{
	void *items;
	struct message_entry *own;

	if (!own_items(l->items, l->count, sizeof(*own), a, &items))
		return false;
	l->items = own = items;
	for (size_t i = 0; i < l->count; i++)
		if (!copy_text(&own[i].key, a) ||
		    !own_pointed(m, &own[i].message, a))
			return false;
	return true;
}

static bool
own_one(const struct field *f, void *at, struct arena *a)
{
	switch (f->type) {
	case FIELD_STRING:
		return copy_text(at, a);
	case FIELD_INT_OR_STRING:
		return copy_text(&((struct int_or_string *)at)->text, a);
	case FIELD_TREE:
		return own_tree(at, a);
	case FIELD_MESSAGE:
		return own_pointed(f->of, at, a);
	case FIELD_STRING_MAP:
		return copy_labels(at, a);
	case FIELD_INT_MAP:
		return own_int_map(at, a);
	case FIELD_MESSAGE_MAP:
		return own_message_map(f->of, at, a);
	default:
		return true; /* numbers, and what is not kept at all */
	}
}

static bool
own_list(const struct field *f, struct any_list *l, struct arena *a)
{
	size_t size = field_item_size(f);
	void *items;

	if (!own_items(l->items, l->count, size, a, &items))
		return false;
	l->items = items;
	for (size_t i = 0; i < l->count; i++) {
		void *item = (char *)items + i * size;

		/* In a list messages lie one behind the other. */
		if (!(f->type == FIELD_MESSAGE ? own_message(f->of, item, a)
					       : own_one(f, item, a)))
			return false;
	}
	return true;
}

static bool
own_message(const struct message *m, void *at, struct arena *a)
{
	for (size_t i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		void *value = (char *)at + f->offset;

		if (!(f->flags & FIELD_REPEATED ? own_list(f, value, a)
						: own_one(f, value, a)))
			return false;
	}
	return true;
}

const void *
message_copy(const struct message *m, const void *decoded, struct arena *a)
{
	void *copy = arena_alloc(a, m->size);

	if (copy == NULL)
		return NULL;
	memcpy(copy, decoded, m->size);
	return own_message(m, copy, a) ? copy : NULL;
}
