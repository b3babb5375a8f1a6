/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages — a long array, of which successive views have most in common.
 *
 *	before  ─► [ 0 ][ 1 ][ 2 ][ 3 ]
 *	             ▲    ▲         ▲
 *	now     ─► [ ┘ ][ ┘ ][ 2'][ ┘ ]   one item of the third is another
 *
 * It is a list of pages of items. Who shares one has the same pages, each of
 * which is copied when anything in it is to be another, so that a view costs
 * what is another in it, and not what the mesh is. Pages are counted: any
 * thread may be the last to hold one.
 */
#ifndef MESHD_VIEW_PAGES_H
#define MESHD_VIEW_PAGES_H

#include <stdatomic.h>

#include "base/base.h"

enum { PAGE_ITEMS = 128 };

struct page {
	atomic_uint refs;
	uint64_t items[]; /* PAGE_ITEMS of them, zeroed at first */
};

/* What is held: one more holds what a copied item has; an item is given up. */
struct page_type {
	size_t size; /* of an item */
	void (*hold)(void *item);
	void (*drop)(void *item);
};

struct pages {
	const struct page_type *type;
	struct page **pages;
	size_t page_count;
	size_t count; /* of items */
};

/* So many items, all zero. */
void pages_init(struct pages *p, const struct page_type *type, size_t count);

/* As `from` is. */
void pages_share(struct pages *out, const struct pages *from);
void pages_fini(struct pages *p);

/* To be written, by who made `p` and before others read it; zero if it is
 * behind the last. */
void *pages_own(struct pages *p, size_t i);

static inline const void *
pages_at(const struct pages *p, size_t i)
{
	return (const char *)p->pages[i / PAGE_ITEMS]->items +
	       i % PAGE_ITEMS * p->type->size;
}

/* --- of pointers, which are not held -------------------------------------- */

void slots_init(struct pages *p, void *const *items, size_t count);
void slots_put(struct pages *p, size_t i, void *item);

static inline void *
slots_at(const struct pages *p, size_t i)
{
	return ((void *const *)(const void *)p->pages[i / PAGE_ITEMS]
		    ->items)[i % PAGE_ITEMS];
}

#endif
