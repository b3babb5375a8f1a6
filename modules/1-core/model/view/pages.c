/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages — arrays that successive views have in common, copied where they
 * differ.
 */
#include "pages.h"

static size_t
page_bytes(const struct page_type *type)
{
	return sizeof(struct page) + PAGE_ITEMS * type->size;
}

static struct page *
page_new(const struct page_type *type)
{
	struct page *page = mem_new(page_bytes(type));

	atomic_init(&page->refs, 1);
	return page;
}

static void *
item_of(struct page *page, const struct page_type *type, size_t i)
{
	return (char *)page->items + i * type->size;
}

static void
page_unref(struct page **pp, const struct page_type *type)
{
	struct page *page = *pp;

	*pp = NULL;
	if (page == NULL ||
	    atomic_fetch_sub_explicit(&page->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; type->drop != NULL && i < PAGE_ITEMS; i++)
		type->drop(item_of(page, type, i));
	mem_free(&page);
}

static struct page *
page_copy(const struct page *from, const struct page_type *type)
{
	struct page *page = page_new(type);

	memcpy(page->items, from->items, PAGE_ITEMS * type->size);
	for (size_t i = 0; type->hold != NULL && i < PAGE_ITEMS; i++)
		type->hold(item_of(page, type, i));
	return page;
}

/* Pages for so many items. */
static void
grow(struct pages *p, size_t count)
{
	size_t wanted = (count + PAGE_ITEMS - 1) / PAGE_ITEMS;

	p->count = MAX(p->count, count);
	if (wanted <= p->page_count)
		return;
	p->pages =
	    mem_resize(p->pages, p->page_count, wanted, sizeof(struct page *));
	while (p->page_count < wanted)
		p->pages[p->page_count++] = page_new(p->type);
}

void
pages_init(struct pages *p, const struct page_type *type, size_t count)
{
	*p = (struct pages){.type = type};
	grow(p, count);
}

void
pages_share(struct pages *out, const struct pages *from)
{
	*out = *from;
	out->pages = mem_new_array(
	    MAX(from->page_count, (size_t)1), sizeof(struct page *));
	for (size_t i = 0; i < from->page_count; i++) {
		out->pages[i] = from->pages[i];
		atomic_fetch_add_explicit(
		    &out->pages[i]->refs, 1, memory_order_relaxed);
	}
}

void
pages_fini(struct pages *p)
{
	for (size_t i = 0; i < p->page_count; i++)
		page_unref(&p->pages[i], p->type);
	mem_free(&p->pages);
	p->page_count = p->count = 0;
}

void *
pages_own(struct pages *p, size_t i)
{
	struct page **page;

	grow(p, i + 1);
	page = &p->pages[i / PAGE_ITEMS];
	/* Alone, nobody else can come to have it meanwhile. */
	if (atomic_load_explicit(&(*page)->refs, memory_order_acquire) > 1) {
		struct page *copy = page_copy(*page, p->type);

		page_unref(page, p->type);
		*page = copy;
	}
	return item_of(*page, p->type, i % PAGE_ITEMS);
}

/* --- of pointers ---------------------------------------------------------- */

static const struct page_type slots = {.size = sizeof(void *)};

void
slots_init(struct pages *p, void *const *items, size_t count)
{
	pages_init(p, &slots, count);
	for (size_t i = 0; i < count; i += PAGE_ITEMS)
		memcpy(p->pages[i / PAGE_ITEMS]->items, &items[i],
		    MIN(count - i, (size_t)PAGE_ITEMS) * sizeof(void *));
}

void
slots_put(struct pages *p, size_t i, void *item)
{
	if (i >= p->count || slots_at(p, i) != item)
		*(void **)pages_own(p, i) = item;
}
