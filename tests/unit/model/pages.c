/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages — long arrays, of which successive ones have most in common.
 */
#include "view/pages.h"

#include "unit.h"

enum { COUNT = 3 * PAGE_ITEMS + 5 };

static void
slots_of_numbers(struct pages *p, int *numbers)
{
	void *items[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		items[i] = &numbers[i];
	slots_init(p, items, COUNT);
}

TEST(slots_are_what_was_put_there)
{
	static int numbers[COUNT];
	struct pages p;

	slots_of_numbers(&p, numbers);
	EXPECT_EQ(p.count, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		EXPECT_TRUE(slots_at(&p, i) == &numbers[i]);
	slots_put(&p, COUNT + PAGE_ITEMS, &numbers[0]);
	EXPECT_EQ(p.count, COUNT + PAGE_ITEMS + 1);
	EXPECT_TRUE(slots_at(&p, COUNT) == NULL);
	EXPECT_TRUE(slots_at(&p, COUNT + PAGE_ITEMS) == &numbers[0]);
	pages_fini(&p);
}

TEST(who_shares_sees_nothing_of_what_is_put_later)
{
	static int numbers[COUNT];
	struct pages old, now;

	slots_of_numbers(&old, numbers);
	pages_share(&now, &old);
	slots_put(&now, 1, &numbers[2]);
	slots_put(&now, COUNT, &numbers[0]); /* behind the last of a page */
	EXPECT_TRUE(slots_at(&old, 1) == &numbers[1]);
	EXPECT_TRUE(slots_at(&now, 1) == &numbers[2]);
	EXPECT_EQ(old.count, COUNT);
	EXPECT_EQ(now.count, COUNT + 1);
	/* All but what is another is one. */
	EXPECT_TRUE(old.pages[0] != now.pages[0]);
	EXPECT_TRUE(old.pages[1] == now.pages[1]);
	EXPECT_TRUE(old.pages[3] != now.pages[3]);
	pages_fini(&old);
	EXPECT_TRUE(slots_at(&now, PAGE_ITEMS) == &numbers[PAGE_ITEMS]);
	pages_fini(&now);
}

TEST(what_is_as_before_needs_no_page)
{
	static int numbers[COUNT];
	struct pages old, now;

	slots_of_numbers(&old, numbers);
	pages_share(&now, &old);
	slots_put(&now, 1, &numbers[1]);
	EXPECT_TRUE(old.pages[0] == now.pages[0]);
	pages_fini(&now);
	pages_fini(&old);
}

/* --- items that hold something -------------------------------------------- */

static void
hold(void *item)
{
	int **held = item;

	if (*held != NULL)
		(**held)++;
}

static void
drop(void *item)
{
	int **held = item;

	if (*held != NULL)
		(**held)--;
	*held = NULL;
}

TEST(what_items_hold_is_held_by_each_page)
{
	static const struct page_type type = {
	    .size = sizeof(int *), .hold = hold, .drop = drop};
	struct pages old, now;
	int held = 1;

	pages_init(&old, &type, COUNT);
	*(int **)pages_own(&old, 7) = &held;
	pages_share(&now, &old);
	EXPECT_EQ(held, 1);
	(void)pages_own(&now, 8); /* for the page */
	EXPECT_EQ(held, 2);
	EXPECT_TRUE(*(int *const *)pages_at(&now, 7) == &held);
	pages_fini(&old);
	EXPECT_EQ(held, 1);
	(void)pages_own(&now, 9); /* alone */
	EXPECT_EQ(held, 1);
	pages_fini(&now);
	EXPECT_EQ(held, 0);
}
