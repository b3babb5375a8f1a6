/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists — all hosts and clusters of a view, one after the other.
 *
 * Those of a view that is made from nothing are in order by their slots. A
 * patch has them in common with it, and a few more that lie in between.
 */
#include "inside.h"

void
give_slots(struct builder *b)
{
	struct view *v = b->v;

	rows_sort(&b->hosts, compare_hosts);
	for (size_t i = 0; i < b->hosts.count; i++)
		((struct view_host *)b->hosts.items[i])->slot = i + 1;
	rows_sort(&b->clusters, compare_clusters);
	for (size_t i = 0; i < b->clusters.count; i++)
		((struct view_cluster *)b->clusters.items[i])->slot = i;
	slots_init(&v->hosts, b->hosts.items, b->hosts.count);
	slots_init(&v->clusters, b->clusters.items, b->clusters.count);
	rows_fini(&b->hosts);
	rows_fini(&b->clusters);
}

/* How many of them come before the place among all. */
static size_t
count_before(const struct more_rows *more, size_t at)
{
	size_t low = 0, high = more->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (more->items[mid].at < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* `slots` are those of the base, then others. */
static const void *
next_row(const struct pages *slots, size_t of_base,
    const struct more_rows *more, size_t *at)
{
	while (*at < of_base + more->count) {
		size_t i = (*at)++, n = count_before(more, i);
		const void *row = n < more->count && more->items[n].at == i
				      ? more->items[n].row
				      : slots_at(slots, i - n);

		if (row != NULL)
			return row;
	}
	return NULL;
}

const struct view_host *
view_next_host(const struct view *v, size_t *at)
{
	const struct view *base = v->base != NULL ? v->base : v;

	return next_row(&v->hosts, base->hosts.count, &v->listed_hosts, at);
}

const struct view_cluster *
view_next_cluster(const struct view *v, size_t *at)
{
	const struct view *base = v->base != NULL ? v->base : v;

	return next_row(
	    &v->clusters, base->clusters.count, &v->listed_clusters, at);
}
