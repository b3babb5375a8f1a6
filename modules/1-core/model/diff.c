/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff — what is different between two documents, by the paths of fields.
 *
 *	a list:  same beginning, same end ─► in between, the longest run of
 *	         items that are in both ─► what is left: moved by name, or
 *	         changed in its place, or new, or gone
 */
#include "diff.h"

#include <stdio.h>

/* Cells of the table for one list; beyond, items are paired by place. */
enum { CELLS_MAX = 1 << 18, DIFF_FIRST = 16 };

struct walk {
	struct arena *arena;
	struct difference *items; /* heap */
	size_t count;
	size_t cap;
	char path[DIFF_PATH_MAX];
	bool full;
};

static void walk_any(
    struct walk *w, const struct value *before, const struct value *after);

/* --- paths and results ---------------------------------------------------- */

static bool
is_plain(struct slice key)
{
	for (size_t i = 0; i < key.len; i++) {
		char c = key.ptr[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
		    !(c >= 'A' && c <= 'Z') && c != '_' && c != '-')
			return false;
	}
	return key.len > 0;
}

/* Returns where the path ended before, to cut it there again. */
static size_t
enter_member(struct walk *w, struct slice key)
{
	size_t len = strlen(w->path);

	/* What does not fit is cut. */
	(void)snprintf(w->path + len, sizeof(w->path) - len,
	    is_plain(key) ? "%s%.*s" : "%.0s[\"%.*s\"]", len > 0 ? "." : "",
	    SLICE_ARG(key));
	return len;
}

static size_t
enter_item(struct walk *w, size_t index)
{
	size_t len = strlen(w->path);

	/* What does not fit is cut. */
	(void)snprintf(w->path + len, sizeof(w->path) - len, "[%zu]", index);
	return len;
}

static void
leave(struct walk *w, size_t len)
{
	w->path[len] = '\0';
}

static void
add(struct walk *w, const struct value *before, const struct value *after,
    long moved_from)
{
	struct slice path;

	if (arena_copy(w->arena, slice_str(w->path), &path) != OK) {
		w->full = true;
		return;
	}
	if (w->count == w->cap) {
		size_t cap = MAX(w->cap * 2, DIFF_FIRST);

		w->items = mem_resize(w->items, w->cap, cap, sizeof(*w->items));
		w->cap = cap;
	}
	w->items[w->count++] =
	    (struct difference){path.ptr, before, after, moved_from};
}

/* --- maps ----------------------------------------------------------------- */

static void
walk_map(struct walk *w, const struct value *before, const struct value *after)
{
	VALUE_EACH(before, it)
	{
		size_t len = enter_member(w, it->key);

		walk_any(w, it, value_get(after, it->key));
		leave(w, len);
	}
	VALUE_EACH(after, it)
	{
		size_t len;

		if (value_get(before, it->key) != NULL)
			continue;
		len = enter_member(w, it->key);
		walk_any(w, NULL, it);
		leave(w, len);
	}
}

/* --- lists ---------------------------------------------------------------- */

enum { ALONE = -1 };

/* One side of what is between the same beginning and the same end. */
struct side {
	const struct value **items;
	long *other; /* the index of the other side's item, or ALONE */
	bool *moved; /* of what is paired: out of its turn */
	size_t count;
};

static void
side_init(struct side *s, const struct value *list)
{
	s->items = mem_new_array(MAX(list->count, 1), sizeof(*s->items));
	s->other = mem_new_array(MAX(list->count, 1), sizeof(*s->other));
	s->moved = mem_new_array(MAX(list->count, 1), sizeof(*s->moved));
	s->count = 0;
	VALUE_EACH(list, it)
	{
		s->other[s->count] = ALONE;
		s->items[s->count++] = it;
	}
}

static void
side_fini(struct side *s)
{
	mem_free(&s->items);
	mem_free(&s->other);
	mem_free(&s->moved);
}

/* What an item is called: its name, or its number; NULL if it has neither. */
static const struct value *
identity(const struct value *v)
{
	static const char *const members[] = {"name", "number"};

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct value *id = value_get(v, slice_str(members[i]));

		if (id != NULL &&
		    (id->type == VALUE_STRING || id->type == VALUE_INT))
			return id;
	}
	return NULL;
}

static bool
is_same(const struct value *a, const struct value *b)
{
	const struct value *x = identity(a);
	const struct value *y = identity(b);

	return x != NULL && y != NULL ? value_eq(x, y) : value_eq(a, b);
}

static void
pair(struct side *b, size_t i, struct side *a, size_t j)
{
	b->other[i] = (long)j;
	a->other[j] = (long)i;
}

/* What both lists begin with, then what both end with. */
static void
pair_ends(struct side *b, struct side *a, size_t *out_head, size_t *out_tail)
{
	size_t most = MIN(b->count, a->count);
	size_t head = 0, tail = 0;

	while (head < most && is_same(b->items[head], a->items[head])) {
		pair(b, head, a, head);
		head++;
	}
	while (head + tail < most && is_same(b->items[b->count - 1 - tail],
					 a->items[a->count - 1 - tail])) {
		pair(b, b->count - 1 - tail, a, a->count - 1 - tail);
		tail++;
	}
	*out_head = head;
	*out_tail = tail;
}

/* The longest common run of rows [head, n) and columns [head, m). */
static void
pair_run(struct side *b, size_t n, struct side *a, size_t m, size_t head)
{
	size_t rows = n - head, columns = m - head, width = columns + 1;
	AUTO(mem_free)
	uint32_t *best = mem_new_array((rows + 1) * width, sizeof(*best));

	for (size_t i = rows; i-- > 0;)
		for (size_t j = columns; j-- > 0;)
			best[i * width + j] =
			    is_same(b->items[head + i], a->items[head + j])
				? best[(i + 1) * width + j + 1] + 1
				: MAX(best[(i + 1) * width + j],
				      best[i * width + j + 1]);
	for (size_t i = 0, j = 0; i < rows && j < columns;) {
		if (is_same(b->items[head + i], a->items[head + j])) {
			pair(b, head + i, a, head + j);
			i++;
			j++;
		} else if (best[(i + 1) * width + j] >=
			   best[i * width + j + 1]) {
			i++;
		} else {
			j++;
		}
	}
}

/* What has kept its name but not its place. */
static void
pair_moved(struct side *b, struct side *a)
{
	for (size_t i = 0; i < b->count; i++) {
		if (b->other[i] != ALONE || identity(b->items[i]) == NULL)
			continue;
		for (size_t j = 0; j < a->count; j++)
			if (a->other[j] == ALONE &&
			    identity(a->items[j]) != NULL &&
			    is_same(b->items[i], a->items[j])) {
				pair(b, i, a, j);
				a->moved[j] = true;
				break;
			}
	}
}

/* What is left stands for what stood in its place. */
static void
pair_gaps(struct side *b, struct side *a)
{
	size_t i = 0, j = 0;

	while (i < b->count && j < a->count) {
		if (b->other[i] != ALONE && a->other[j] != ALONE) {
			i++;
			j++;
		} else if (b->other[i] != ALONE) {
			j++;
		} else if (a->other[j] != ALONE) {
			i++;
		} else {
			pair(b, i++, a, j++);
		}
	}
}

static void
pair_all(struct side *b, struct side *a)
{
	size_t head, tail, n, m;

	pair_ends(b, a, &head, &tail);
	n = b->count - tail;
	m = a->count - tail;
	if ((n - head + 1) * (m - head + 1) <= CELLS_MAX) {
		pair_run(b, n, a, m, head);
		pair_moved(b, a);
	}
	pair_gaps(b, a);
}

static void
tell_pair(struct walk *w, const struct side *b, const struct side *a, size_t j)
{
	size_t len = enter_item(w, j);

	if (a->moved[j])
		add(w, NULL, NULL, a->other[j]);
	walk_any(w, b->items[a->other[j]], a->items[j]);
	leave(w, len);
}

static void
walk_list(struct walk *w, const struct value *before, const struct value *after)
{
	AUTO(side_fini) struct side b;
	AUTO(side_fini) struct side a;

	side_init(&b, before);
	side_init(&a, after);
	pair_all(&b, &a);
	for (size_t i = 0; i < b.count; i++)
		if (b.other[i] == ALONE) {
			size_t len = enter_item(w, i);

			walk_any(w, b.items[i], NULL);
			leave(w, len);
		}
	for (size_t j = 0; j < a.count; j++) {
		size_t len;

		if (a.other[j] != ALONE) {
			tell_pair(w, &b, &a, j);
			continue;
		}
		len = enter_item(w, j);
		walk_any(w, NULL, a.items[j]);
		leave(w, len);
	}
}

/* --- anything ------------------------------------------------------------- */

static void
walk_any(struct walk *w, const struct value *before, const struct value *after)
{
	if (before == NULL || after == NULL || before->type != after->type)
		add(w, before, after, DIFF_NO_INDEX);
	else if (before->type == VALUE_MAP)
		walk_map(w, before, after);
	else if (before->type == VALUE_LIST)
		walk_list(w, before, after);
	else if (!value_eq(before, after))
		add(w, before, after, DIFF_NO_INDEX);
}

static enum err
finish(struct walk *w, struct diff *out)
{
	struct difference *kept =
	    arena_alloc_array(w->arena, w->count + 1, sizeof(*kept));

	if (kept == NULL || w->full)
		return ERR_NO_MEMORY;
	if (w->count > 0)
		memcpy(kept, w->items, w->count * sizeof(*kept));
	*out = (struct diff){kept, w->count};
	return OK;
}

enum err
diff_values(const struct value *before, const struct value *after,
    struct arena *a, struct diff *out)
{
	struct walk w = {.arena = a};
	enum err e;

	walk_any(&w, before, after);
	e = finish(&w, out);
	mem_free(&w.items);
	return e;
}

static void
put_copy(
    struct value **m, struct slice key, const struct value *v, struct arena *a)
{
	if (v != NULL)
		value_put(m, key, value_copy(v, a));
}

struct value *
diff_value(const struct diff *d, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);

	for (size_t i = 0; i < d->count; i++) {
		const struct difference *it = &d->items[i];
		struct value *m = value_new(a, VALUE_MAP);

		value_put_text(a, &m, S("path"), slice_str(it->path));
		put_copy(&m, S("before"), it->before, a);
		put_copy(&m, S("after"), it->after, a);
		if (it->moved_from != DIFF_NO_INDEX)
			value_put_int(a, &m, S("movedFrom"), it->moved_from);
		value_push(&list, m);
	}
	return list;
}
