/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns — so many at a time, and nobody is kept waiting by one that is slow.
 */
#include "turns.h"
#include "unit.h"

enum { COUNT = 5 };

static struct turns turns;
static struct turn all[COUNT];

/* Two may begin at a time; all wait. */
static void
begin(void)
{
	turns_init(&turns, 2);
	for (size_t i = 0; i < COUNT; i++) {
		all[i] = (struct turn){.holds = false};
		turns_wait(&turns, &all[i]);
	}
}

TEST(so_many_begin_in_the_order_in_which_they_came)
{
	begin();
	EXPECT_TRUE(turns_next(&turns, 1) == &all[0]);
	EXPECT_TRUE(turns_next(&turns, 1) == &all[1]);
	EXPECT_TRUE(turns_next(&turns, 1) == NULL);
	turns_leave(&turns, &all[1]);
	EXPECT_TRUE(turns_next(&turns, 2) == &all[2]);
	EXPECT_TRUE(turns_next(&turns, 2) == NULL);
}

TEST(who_goes_while_it_waits_takes_nobodys_turn)
{
	begin();
	turns_leave(&turns, &all[0]);
	turns_leave(&turns, &all[0]); /* harmless */
	EXPECT_TRUE(turns_next(&turns, 1) == &all[1]);
	EXPECT_TRUE(turns_next(&turns, 1) == &all[2]);
	EXPECT_TRUE(turns_next(&turns, 1) == NULL);
}

TEST(who_is_slow_counts_no_more_and_may_still_leave)
{
	begin();
	(void)turns_next(&turns, 10);
	(void)turns_next(&turns, 20);
	turns_expire(&turns, 20);
	EXPECT_TRUE(turns_next(&turns, 30) == &all[2]);
	EXPECT_TRUE(turns_next(&turns, 30) == NULL);
	turns_leave(&turns, &all[0]); /* it held none any more */
	EXPECT_TRUE(turns_next(&turns, 40) == NULL);
	turns_leave(&turns, &all[1]);
	EXPECT_TRUE(turns_next(&turns, 40) == &all[3]);
}
