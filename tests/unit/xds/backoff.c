/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff — which server, and how soon.
 */
#include "unit.h"

#include "xds.h"

TEST(the_first_try_is_at_once_and_servers_take_turns)
{
	struct xds_backoff b;
	uint64_t delay;
	size_t first;

	xds_backoff_init(&b, 3, 1);
	first = xds_backoff_next(&b, &delay);
	EXPECT_EQ(delay, 0);
	EXPECT_EQ(xds_backoff_next(&b, &delay), (first + 1) % 3);
	EXPECT_TRUE(delay > 0);
	EXPECT_EQ(xds_backoff_next(&b, &delay), (first + 2) % 3);
	EXPECT_EQ(xds_backoff_next(&b, &delay), first);
}

TEST(the_wait_grows_to_ten_seconds_and_not_beyond)
{
	struct xds_backoff b;
	uint64_t most = 0;
	uint64_t delay;

	xds_backoff_init(&b, 1, 2);
	for (int i = 0; i < 1000; i++) {
		xds_backoff_next(&b, &delay);
		EXPECT_TRUE(delay <= XDS_BACKOFF_MAX_MS);
		most = MAX(most, delay);
	}
	EXPECT_TRUE(most > XDS_BACKOFF_MAX_MS / 2);
}

TEST(a_refusal_waits_up_to_five_minutes_and_other_failures_do_not)
{
	struct xds_backoff b;
	uint64_t most = 0;
	uint64_t delay;

	xds_backoff_init(&b, 2, 4);
	xds_backoff_refused(&b);
	xds_backoff_next(&b, &delay);
	EXPECT_EQ(delay, 0); /* the very first is */
	xds_backoff_refused(&b);
	xds_backoff_next(&b, &delay);
	EXPECT_TRUE(delay <= XDS_BACKOFF_MIN_MS); /* it may be over soon */
	for (int i = 0; i < 1000; i++) {
		xds_backoff_refused(&b);
		xds_backoff_next(&b, &delay);
		EXPECT_TRUE(delay <= XDS_BACKOFF_REFUSED_MAX_MS);
		most = MAX(most, delay);
	}
	EXPECT_TRUE(most > XDS_BACKOFF_REFUSED_MAX_MS / 2);
	xds_backoff_next(&b, &delay);
	EXPECT_TRUE(delay <= XDS_BACKOFF_MAX_MS);
}

TEST(success_makes_the_next_wait_short_but_never_none)
{
	struct xds_backoff b;
	uint64_t delay;

	xds_backoff_init(&b, 1, 3);
	for (int i = 0; i < 50; i++)
		xds_backoff_next(&b, &delay);
	xds_backoff_success(&b);
	xds_backoff_next(&b, &delay);
	EXPECT_TRUE(delay > 0 && delay <= XDS_BACKOFF_MIN_MS);
}

TEST(agents_that_lose_a_server_together_come_back_scattered)
{
	uint64_t sum = 0;
	uint64_t delay;

	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct xds_backoff b;

		xds_backoff_init(&b, 2, seed);
		xds_backoff_next(&b, &delay);
		xds_backoff_next(&b, &delay);
		sum += delay;
	}
	EXPECT_TRUE(sum / 1000 > 40 && sum / 1000 < 60);
}
