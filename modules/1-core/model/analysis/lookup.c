/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup — from texts to all the things that were put under them.
 */
#include <stdlib.h>

#include "lookup.h"

uint64_t
lookup_hash(const struct slice *texts, size_t count)
{
	uint64_t parts[2] = {0, 0};

	for (size_t i = 0; i < count; i++) {
		parts[1] = slice_hash(texts[i]);
		parts[0] = slice_hash(slice_of(parts, sizeof(parts)));
	}
	return parts[0];
}

void
lookup_put(struct lookup *l, uint64_t hash, const void *item)
{
	if (l->count == l->cap) {
		size_t cap = MAX(l->cap * 2, 64);

		l->rows = mem_resize(l->rows, l->cap, cap, sizeof(*l->rows));
		l->cap = cap;
	}
	l->rows[l->count] = (struct lookup_row){hash, l->count, item};
	l->count++;
}

static int
by_hash(const void *a, const void *b)
{
	const struct lookup_row *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void
lookup_sort(struct lookup *l)
{
	if (l->count > 0)
		qsort(l->rows, l->count, sizeof(*l->rows), by_hash);
}

/* The first row whose hash is not below. */
static size_t
lower_bound(const struct lookup *l, uint64_t hash)
{
	size_t from = 0, to = l->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (l->rows[middle].hash < hash)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct lookup_rows
lookup_get(const struct lookup *l, uint64_t hash)
{
	size_t first = lower_bound(l, hash), end = first;

	if (first == l->count)
		return (struct lookup_rows){NULL, 0};
	while (end < l->count && l->rows[end].hash == hash)
		end++;
	return (struct lookup_rows){l->rows + first, end - first};
}

void
lookup_fini(struct lookup *l)
{
	mem_free(&l->rows);
	*l = (struct lookup){0};
}
