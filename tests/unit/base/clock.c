/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock — the fake one moves when told, and time prints as RFC 3339.
 */
#include "base/base.h"
#include "unit.h"

static const char *
format(int64_t ms)
{
	static char text[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(ms, text);
	return text;
}

TEST(a_fake_clock_moves_both_times)
{
	struct clock_fake fake = {.mono_us = 400, .wall_ms = 1000};
	struct clock c = clock_fake_as_clock(&fake);

	EXPECT_EQ(clock_mono_us(&c), 400);
	clock_fake_advance(&fake, 2500);
	EXPECT_EQ(clock_mono_us(&c), 2900);
	EXPECT_EQ(clock_wall_ms(&c), 1002);
}

TEST(small_steps_of_a_fake_clock_add_up)
{
	struct clock_fake fake = {0, 0};

	for (int i = 0; i < 10; i++)
		clock_fake_advance(&fake, 300);
	EXPECT_EQ(fake.wall_ms, 3);
}

TEST(the_system_clock_goes_on)
{
	uint64_t before = clock_mono_us(&clock_system);

	EXPECT_TRUE(clock_mono_us(&clock_system) >= before);
	/* after 2020-01-01 */
	EXPECT_TRUE(clock_wall_ms(&clock_system) > INT64_C(1577836800000));
}

TEST(time_prints_in_utc_with_milliseconds)
{
	EXPECT_STR(format(0), "1970-01-01T00:00:00.000Z");
	EXPECT_STR(format(1767323045678), "2026-01-02T03:04:05.678Z");
	EXPECT_STR(format(951782400009), "2000-02-29T00:00:00.009Z");
	EXPECT_STR(format(-1), "1970-01-01T00:00:00.000Z");
	EXPECT_STR(format(INT64_MAX), "9999-12-31T23:59:59.999Z");
}
