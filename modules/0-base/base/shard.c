/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard — pages of cells; only the shard's own thread writes them.
 *
 * The last shard belongs to all threads without one of their own, which add
 * by read-modify-write. Pages appear when first counted in.
 */
#include <stdatomic.h>
#include <string.h>

#include "check.h"
#include "metric.h"
#include "shard.h"

enum {
	PAGE_CELLS = 1024,
	PAGES_MAX = 4096, /* 4 Mi cells in a shard */
	SHARD_SHARED = METRIC_SHARDS_MAX - 1,
	CACHE_LINE = 64
};

struct page {
	char before[CACHE_LINE]; /* no neighbour of the heap shares a line */
	_Atomic uint64_t cells[PAGE_CELLS];
	char behind[CACHE_LINE];
};

struct shard {
	_Atomic(struct page *) pages[PAGES_MAX];
};

/* 2 MiB of addresses, of which only what is used becomes memory. */
static struct shard shards[METRIC_SHARDS_MAX];
static _Atomic unsigned shards_taken;
static _Thread_local struct shard *my_shard; /* NULL: the shared one */
static size_t cells_used;

static struct page *
page_new(struct shard *s, size_t number)
{
	struct page *page = mem_new(sizeof(*page)), *there = NULL;

	/* In the shared shard another thread may have been quicker. */
	if (atomic_compare_exchange_strong(&s->pages[number], &there, page))
		return page;
	mem_free(&page);
	return there;
}

static _Atomic uint64_t *
cell_of(struct shard *s, size_t cell)
{
	size_t number = cell / PAGE_CELLS;
	struct page *page =
	    atomic_load_explicit(&s->pages[number], memory_order_acquire);

	if (UNLIKELY(page == NULL))
		page = page_new(s, number);
	return &page->cells[cell % PAGE_CELLS];
}

/* The cell in the next shard that counted there; NULL after the last. */
static _Atomic uint64_t *
next_shard(size_t cell, size_t *cursor)
{
	while (*cursor < METRIC_SHARDS_MAX) {
		struct page *page = atomic_load_explicit(
		    &shards[(*cursor)++].pages[cell / PAGE_CELLS],
		    memory_order_acquire);

		if (page != NULL)
			return &page->cells[cell % PAGE_CELLS];
	}
	return NULL;
}

static double
to_double(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

static uint64_t
to_bits(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return bits;
}

void
shard_cell_add(size_t cell, uint64_t n)
{
	struct shard *mine = my_shard;
	_Atomic uint64_t *at;

	if (UNLIKELY(mine == NULL)) {
		at = cell_of(&shards[SHARD_SHARED], cell);
		atomic_fetch_add_explicit(at, n, memory_order_relaxed);
		return;
	}
	at = cell_of(mine, cell);
	atomic_store_explicit(at,
	    atomic_load_explicit(at, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

void
shard_cell_add_double(size_t cell, double v)
{
	/* In a shard of its own the loop below runs once. */
	_Atomic uint64_t *at =
	    cell_of(my_shard != NULL ? my_shard : &shards[SHARD_SHARED], cell);
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(at, &old,
	    to_bits(to_double(old) + v), memory_order_relaxed,
	    memory_order_relaxed))
		continue;
}

uint64_t
shard_cell_sum(size_t cell)
{
	_Atomic uint64_t *at;
	uint64_t sum = 0;

	for (size_t i = 0; (at = next_shard(cell, &i)) != NULL;)
		sum += atomic_load_explicit(at, memory_order_relaxed);
	return sum;
}

double
shard_cell_sum_double(size_t cell)
{
	_Atomic uint64_t *at;
	double sum = 0;

	for (size_t i = 0; (at = next_shard(cell, &i)) != NULL;)
		sum +=
		    to_double(atomic_load_explicit(at, memory_order_relaxed));
	return sum;
}

void
shard_cells_clear(size_t first, size_t count)
{
	_Atomic uint64_t *at;

	for (size_t cell = first; cell < first + count; cell++)
		for (size_t i = 0; (at = next_shard(cell, &i)) != NULL;)
			atomic_store_explicit(at, 0, memory_order_relaxed);
}

bool
shard_take(size_t count, size_t *out_first)
{
	if (count > (size_t)PAGES_MAX * PAGE_CELLS - cells_used)
		return false;
	*out_first = cells_used;
	cells_used += count;
	return true;
}

void
shard_fini(void)
{
	for (size_t i = 0; i < METRIC_SHARDS_MAX; i++)
		for (size_t j = 0; j * PAGE_CELLS < cells_used; j++) {
			struct page *page =
			    atomic_exchange(&shards[i].pages[j], NULL);

			mem_free(&page);
		}
	cells_used = 0;
}

void
metric_thread_init(void)
{
	unsigned n;

	if (my_shard != NULL)
		return;
	n = atomic_fetch_add(&shards_taken, 1);
	if (n < SHARD_SHARED)
		my_shard = &shards[n];
}
