/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suspicion — the waits of Lifeguard's table.
 */
#include "suspicion.h"

#include "unit.h"

static const struct gossip_id a = {{1}}, b = {{2}}, c = {{3}}, d = {{4}};

static uint64_t
wait_of(size_t members, unsigned doubters)
{
	const struct gossip_id *more[] = {&b, &c, &d};
	struct suspicion s;

	suspicion_begin(&s, &a, members, 1000);
	for (unsigned i = 0; i < doubters; i++)
		(void)suspicion_confirm(&s, more[i]);
	return (s.due_ms - s.since_ms + 500) / 1000;
}

TEST(alone_the_longest_and_with_two_more_doubters_the_shortest_wait)
{
	EXPECT_EQ(wait_of(100, 0), 48);
	EXPECT_EQ(wait_of(100, 2), 8);
	EXPECT_EQ(wait_of(1000, 0), 72);
	EXPECT_EQ(wait_of(1000, 2), 12);
	EXPECT_EQ(wait_of(10000, 2), 16);
	/* 48 - 40 * ln 2 / ln 3 */
	EXPECT_EQ(wait_of(100, 1), 23);
	EXPECT_EQ(wait_of(100, 3), 8);
}

TEST(where_nobody_else_could_doubt_the_wait_is_short_at_once)
{
	EXPECT_EQ(wait_of(2, 0), 4);
	EXPECT_EQ(wait_of(3, 0), 4);
	EXPECT_EQ(wait_of(4, 0), 24);
}

TEST(a_doubter_counts_once)
{
	struct suspicion s;

	suspicion_begin(&s, &a, 100, 0);
	EXPECT_FALSE(suspicion_confirm(&s, &a));
	EXPECT_TRUE(suspicion_confirm(&s, &b));
	EXPECT_FALSE(suspicion_confirm(&s, &b));
	EXPECT_TRUE(suspicion_confirm(&s, &c));
	EXPECT_FALSE(suspicion_confirm(&s, &d));
}

TEST(time_that_we_slept_does_not_count)
{
	struct suspicion s;

	suspicion_begin(&s, &a, 2, 1000);
	EXPECT_EQ(s.due_ms, 5000);
	suspicion_extend(&s, 700);
	EXPECT_EQ(s.due_ms, 5700);
}
