/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory — arrays that grow, and the arena of a view that is being made.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

void
rows_add(struct rows *r, void *item)
{
	if (r->count == r->cap) {
		size_t cap = r->cap > 0 ? r->cap * 2 : 2; /* mostly one */

		r->items = mem_resize(r->items, r->cap, cap, sizeof(*r->items));
		r->cap = cap;
	}
	r->items[r->count++] = item;
}

void
rows_fini(struct rows *r)
{
	mem_free(&r->items);
	r->count = r->cap = 0;
}

void
copy_rows(struct rows *out, const struct rows *from)
{
	*out = (struct rows){
	    mem_new_array(MAX(from->count, (size_t)1), sizeof(void *)),
	    from->count, from->count};
	if (from->count > 0)
		memcpy(out->items, from->items, from->count * sizeof(void *));
}

void
rows_insert(struct rows *all, size_t at, void *item)
{
	rows_add(all, NULL);
	memmove(&all->items[at + 1], &all->items[at],
	    (all->count - 1 - at) * sizeof(void *));
	all->items[at] = item;
}

size_t
rows_place(const struct rows *all, void *item,
    int (*cmp)(const void *a, const void *b))
{
	size_t low = 0, high = all->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (cmp(&all->items[mid], &item) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void
rows_drop(void *value)
{
	rows_fini(value);
}

void
rows_add_under(
    struct builder *b, struct map *index, struct slice key, void *item)
{
	struct rows *all = map_get(index, key);

	if (all == NULL) {
		all = take(b, 1, sizeof(*all));
		if (all == NULL)
			return;
		(void)map_put(index, key, all); /* was not there */
	}
	rows_add(all, item);
}

void
rows_sort(struct rows *r, int (*cmp)(const void *, const void *))
{
	if (r->count > 0)
		qsort(r->items, r->count, sizeof(void *), cmp);
}

static int
by_age(const void *a, const void *b)
{
	const struct resource *const *x = a;
	const struct resource *const *y = b;

	return resource_age_cmp(*x, *y);
}

void
rows_sort_by_age(struct rows *r)
{
	rows_sort(r, by_age);
}

void
rows_of_kind(
    const struct builder *b, const struct resource_kind *kind, struct rows *out)
{
	const struct rows *all = &b->v->resources;

	for (size_t i = first_resource(b->v, kind, S("")); i < all->count;
	     i++) {
		struct resource *r = all->items[i];

		if (r->kind != kind)
			break;
		rows_add(out, r);
	}
	rows_sort_by_age(out);
}

void *
take(struct builder *b, size_t count, size_t size)
{
	void *p = arena_alloc_array(b->arena, count, size);

	b->full = b->full || p == NULL;
	return p;
}

struct slice
take_copy(struct builder *b, struct slice s)
{
	struct slice copy = S("");

	if (s.len > 0 && arena_copy(b->arena, s, &copy) != OK)
		b->full = true;
	return copy;
}

struct labels
take_labels(struct builder *b, const struct labels *l)
{
	struct label *items = take(b, l->count, sizeof(*items));

	for (size_t i = 0; items != NULL && i < l->count; i++) {
		items[i].key = take_copy(b, l->items[i].key);
		items[i].value = take_copy(b, l->items[i].value);
	}
	return (struct labels){items, items != NULL ? l->count : 0};
}

struct slice
take_lower(struct builder *b, struct slice s)
{
	struct slice copy = take_copy(b, s);
	char *p = (char *)(uintptr_t)copy.ptr; /* ours */

	for (size_t i = 0; i < copy.len; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] + ('a' - 'A'));
	return copy;
}

struct slice
take_join(struct builder *b, const struct slice *parts, size_t count)
{
	struct slice s = arena_join(b->arena, parts, count);

	b->full = b->full || s.ptr == NULL;
	return s;
}

struct slice
take_printf(struct builder *b, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* may be cut */
	va_end(ap);
	return take_copy(b, slice_str(text));
}

struct slice
inert_names(struct builder *b, const struct inert_name *rows, size_t count)
{
	struct slice all = S("");

	for (size_t i = 0; i < count; i++)
		if (rows[i].there)
			all = take_printf(b, "%.*s%s%s", SLICE_ARG(all),
			    all.len > 0 ? ", " : "", rows[i].name);
	return all;
}

/* What was told already: of another scope, or another port. */
static struct problem_row *
find_told(const struct builder *b, const struct origin *o, struct slice text)
{
	for (size_t i = 0; i < b->problems.count; i++) {
		struct problem_row *p = b->problems.items[i];

		if (p->row.origin.line == o->line &&
		    slice_eq(p->row.text, text) &&
		    resource_key_eq(&p->row.origin.key, &o->key))
			return p;
	}
	return NULL;
}

static struct problem_row *
new_problem(
    struct builder *b, const struct view_problem *problem, struct slice text)
{
	struct problem_row *p;

	if (b->problems.count == PROBLEMS_MAX)
		return NULL;
	p = take(b, 1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->row = *problem;
	p->row.text = take_copy(b, text);
	rows_add(&b->problems, p);
	return p;
}

/* Who tells it twice does so mostly one time after the other. */
static void
add_teller(struct builder *b, struct problem_row *p)
{
	struct teller *last = p->tellers, *t;

	if (last != NULL && last->owner == b->owner && last->door == b->door)
		return;
	t = take(b, 1, sizeof(*t));
	if (t == NULL)
		return;
	*t = (struct teller){b->owner, b->door, last};
	p->tellers = t;
}

static void
put_problem(
    struct builder *b, const struct view_problem *problem, const char *text)
{
	struct slice words = slice_str(text);
	struct problem_row *p = find_told(b, &problem->origin, words);

	b->told++;
	if (p == NULL)
		p = new_problem(b, problem, words);
	if (p != NULL)
		add_teller(b, p);
}

void
add_problem(struct builder *b, const struct origin *o, const char *fmt, ...)
{
	const struct view_problem p = {.origin = *o};
	char text[FAULT_TEXT_MAX];
	va_list ap;

	if (b->is_quiet)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* may be cut */
	va_end(ap);
	put_problem(b, &p, text);
}

void
add_loss(struct builder *b, const struct origin *o, const char *fmt, ...)
{
	const struct view_problem p = {.origin = *o, .lost = true};
	char text[FAULT_TEXT_MAX];
	va_list ap;

	if (b->is_quiet)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* may be cut */
	va_end(ap);
	put_problem(b, &p, text);
}
