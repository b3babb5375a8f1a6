/* SPDX-License-Identifier: Apache-2.0 */
/*
 * propagation — how long changes take from the commit to being in force.
 */
#include "propagation.h"

#include <stdlib.h>

static const struct commit *
nth(const struct commits *c, size_t n)
{
	return &c->items[n % COMMITS_KEPT];
}

void
commits_add(struct commits *c, uint64_t revision, uint64_t at_us)
{
	if (c->count > 0 && nth(c, c->count - 1)->revision >= revision)
		return;
	c->items[c->count++ % COMMITS_KEPT] = (struct commit){revision, at_us};
}

uint64_t
commits_time(const struct commits *c, uint64_t revision)
{
	size_t low = c->count > COMMITS_KEPT ? c->count - COMMITS_KEPT : 0;
	size_t high = c->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (nth(c, mid)->revision < revision)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->count ? nth(c, low)->at_us : 0;
}

void
times_add(struct times *t, uint64_t us)
{
	t->us[t->count++ % TIMES_KEPT] =
	    (uint32_t)MIN(us, (uint64_t)UINT32_MAX);
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void
times_summarize(const struct times *t, struct times_summary *out)
{
	uint32_t sorted[TIMES_KEPT];
	size_t n = MIN(t->count, (size_t)TIMES_KEPT);

	*out = (struct times_summary){.count = t->count};
	if (n == 0)
		return;
	memcpy(sorted, t->us, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_size);
	out->last_us = t->us[(t->count - 1) % TIMES_KEPT];
	out->p50_us = sorted[n / 2];
	out->p99_us = sorted[n * 99 / 100];
}
