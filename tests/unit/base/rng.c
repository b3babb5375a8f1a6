/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng — the published sequences, and bounds.
 */
#include "base/base.h"
#include "death.h"
#include "unit.h"

static void
ask_below_nothing(void)
{
	struct rng r;

	rng_init(&r, 1);
	CHECK(rng_below(&r, 0) == 0);
}

TEST(seeding_is_splitmix64)
{
	struct rng r;

	rng_init(&r, 1234567);
	EXPECT_EQ(r.s[0], UINT64_C(6457827717110365317));
	EXPECT_EQ(r.s[1], UINT64_C(3203168211198807973));
	EXPECT_EQ(r.s[2], UINT64_C(9817491932198370423));
	EXPECT_EQ(r.s[3], UINT64_C(4593380528125082431));
}

TEST(the_sequence_is_that_of_xoshiro256_starstar)
{
	struct rng r = {{1, 2, 3, 4}};

	EXPECT_EQ(rng_u64(&r), 11520);
	EXPECT_EQ(rng_u64(&r), 0);
	EXPECT_EQ(rng_u64(&r), 1509978240);
	EXPECT_EQ(rng_u64(&r), UINT64_C(1215971899390074240));
}

TEST(draws_below_a_bound_are_even)
{
	unsigned seen[6] = {0};
	struct rng r;

	rng_init(&r, 5);
	for (int i = 0; i < 60000; i++)
		seen[rng_below(&r, 6)]++;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		EXPECT_TRUE(seen[i] > 9500 && seen[i] < 10500);
	EXPECT_EQ(rng_below(&r, 1), 0);
	EXPECT_TRUE(dies(ask_below_nothing));
}

TEST(the_unit_interval_is_open_above)
{
	double least = 1, most = 0;
	struct rng r;

	rng_init(&r, 6);
	for (int i = 0; i < 10000; i++) {
		double d = rng_unit(&r);

		least = MIN(least, d);
		most = MAX(most, d);
	}
	EXPECT_TRUE(least >= 0 && least < 0.01);
	EXPECT_TRUE(most < 1 && most > 0.99);
}

TEST(two_random_seeds_differ)
{
	struct rng a, b;

	EXPECT_OK(crypto_init());
	rng_init_random(&a);
	rng_init_random(&b);
	EXPECT_NE(rng_u64(&a), rng_u64(&b));
}
