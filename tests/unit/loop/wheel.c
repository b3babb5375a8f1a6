/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel — every timer comes once, in order, at its tick.
 */
#include "wheel.h"
#include "unit.h"

enum { MILLION = 1000000 };

static uint64_t
advance_and_count(struct wheel *w, uint64_t to)
{
	struct list due;
	uint64_t n = 0;

	list_init(&due);
	wheel_advance(w, to, &due);
	LIST_EACH (&due, it) {
		struct timer *t = CONTAINER(it, struct timer, link);

		EXPECT_TRUE(t->due <= to);
		list_remove(it);
		n++;
	}
	return n;
}

TEST(a_timer_comes_at_its_tick_and_not_before)
{
	static const uint64_t spans[] = {1, 63, 64, 65, 4095, 4096, 4097,
	    262144, 1u << 30, UINT64_C(1) << 40, UINT64_C(1) << 60};

	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		struct wheel w;
		struct timer t = {0};

		wheel_init(&w, 12345);
		wheel_set(&w, &t, 12345 + spans[i]);
		EXPECT_EQ(advance_and_count(&w, 12345 + spans[i] - 1), 0);
		EXPECT_TRUE(timer_is_set(&t));
		EXPECT_EQ(advance_and_count(&w, 12345 + spans[i]), 1);
		EXPECT_FALSE(timer_is_set(&t));
		EXPECT_EQ(wheel_next(&w), WHEEL_NEVER);
	}
}

TEST(a_due_tick_in_the_past_becomes_the_next)
{
	struct wheel w;
	struct timer t = {0};

	wheel_init(&w, 1000);
	wheel_set(&w, &t, 5);
	EXPECT_EQ(t.due, 1001);
	EXPECT_EQ(wheel_next(&w), 1001);
}

TEST(the_last_tick_of_all_can_be_reached)
{
	struct wheel w;
	struct timer t = {0};

	wheel_init(&w, 0);
	wheel_set(&w, &t, UINT64_MAX - 1);
	EXPECT_EQ(advance_and_count(&w, UINT64_MAX - 2), 0);
	EXPECT_EQ(advance_and_count(&w, UINT64_MAX - 1), 1);
}

TEST(a_cleared_timer_never_comes_and_the_wheel_sleeps)
{
	struct wheel w;
	struct timer a = {0};
	struct timer b = {0};

	wheel_init(&w, 0);
	wheel_set(&w, &a, 100);
	wheel_set(&w, &b, 100);
	wheel_clear(&w, &a);
	EXPECT_NE(wheel_next(&w), WHEEL_NEVER);
	wheel_clear(&w, &b);
	EXPECT_EQ(wheel_next(&w), WHEEL_NEVER);
	wheel_clear(&w, &b);
	EXPECT_EQ(advance_and_count(&w, 1000), 0);
}

TEST(a_timer_that_is_due_can_still_be_cleared)
{
	struct wheel w;
	struct timer a = {0};
	struct timer b = {0};
	struct list due;

	wheel_init(&w, 0);
	wheel_set(&w, &a, 3);
	wheel_set(&w, &b, 4);
	list_init(&due);
	wheel_advance(&w, 10, &due);
	wheel_clear(&w, &b);
	EXPECT_TRUE(LIST_FIRST(&due, struct timer, link) == &a);
	list_remove(&a.link);
	EXPECT_TRUE(list_empty(&due));
}

TEST(next_is_never_later_than_the_first_timer)
{
	struct wheel w;
	struct rng r;
	struct timer t[64] = {0};
	uint64_t now = 777;

	rng_init(&r, 1);
	wheel_init(&w, now);
	for (int round = 0; round < 2000; round++) {
		struct timer *one = &t[rng_below(&r, ARRAY_LEN(t))];
		uint64_t first = WHEEL_NEVER;

		wheel_set(&w, one, now + 1 + rng_below(&r, 100000));
		for (size_t i = 0; i < ARRAY_LEN(t); i++)
			if (timer_is_set(&t[i]))
				first = MIN(first, t[i].due);
		EXPECT_TRUE(wheel_next(&w) <= first);
		EXPECT_TRUE(wheel_next(&w) > now);
		now = wheel_next(&w);
		(void)advance_and_count(&w, now);
	}
}

TEST(a_million_timers_come_once_each_and_in_order)
{
	struct timer *t = mem_new_array(MILLION, sizeof(*t));
	struct wheel *w = mem_new(sizeof(*w));
	struct list due;
	struct rng r;
	uint64_t now = 0;
	uint64_t last = 0;
	size_t came = 0;
	size_t cleared = 0;

	rng_init(&r, 42);
	wheel_init(w, now);
	for (size_t i = 0; i < MILLION; i++)
		wheel_set(w, &t[i], 1 + rng_below(&r, 3600000));
	for (size_t i = 0; i < MILLION; i += 2)
		wheel_set(w, &t[i], 1 + rng_below(&r, 60000));
	for (size_t i = 0; i < MILLION; i += 5, cleared++)
		wheel_clear(w, &t[i]);
	while ((now = wheel_next(w)) != WHEEL_NEVER) {
		list_init(&due);
		wheel_advance(w, now, &due);
		LIST_EACH (&due, it) {
			struct timer *one = CONTAINER(it, struct timer, link);

			EXPECT_TRUE(one->due >= last);
			EXPECT_EQ(one->due, now);
			last = one->due;
			list_remove(it);
			came++;
		}
	}
	EXPECT_EQ(came + cleared, MILLION);
	mem_free(&w);
	mem_free(&t);
}
