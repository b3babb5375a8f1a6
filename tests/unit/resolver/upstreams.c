/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstreams — the first that lives is asked; the dead are remembered.
 */
#include "upstreams.h"

#include "unit.h"

enum { SECOND = 1000000 };

static const struct addr three[] = {{ADDR_V4, {192, 0, 2, 1}, 53},
    {ADDR_V4, {192, 0, 2, 2}, 53}, {ADDR_V4, {192, 0, 2, 3}, 53}};

TEST(the_first_is_asked_then_the_next)
{
	struct upstreams u = {0};

	upstreams_set(&u, three, 3);
	EXPECT_EQ(upstreams_next(&u, 0, 0), 0);
	EXPECT_EQ(upstreams_next(&u, 1, 0), 1);
	EXPECT_EQ(upstreams_next(&u, 3, 0), 2);
	EXPECT_EQ(upstreams_next(&u, 7, 0), -1);
	upstreams_set(&u, three, 0);
	EXPECT_EQ(upstreams_next(&u, 0, 0), -1);
}

TEST(the_dead_are_passed_over_longer_each_time)
{
	struct upstreams u = {0};
	uint64_t now = SECOND;

	upstreams_set(&u, three, 2);
	upstreams_failed(&u, &three[0], now);
	EXPECT_EQ(upstreams_next(&u, 0, now + SECOND), 1);
	EXPECT_EQ(upstreams_next(&u, 0, now + 2 * SECOND), 0);
	/* One tries it, others do not wait for that. */
	EXPECT_EQ(upstreams_next(&u, 0, now + 2 * SECOND), 1);
	upstreams_failed(&u, &three[0], now);
	EXPECT_EQ(upstreams_next(&u, 0, now + 3 * SECOND), 1);
	EXPECT_EQ(upstreams_next(&u, 0, now + 4 * SECOND), 0);
	for (int i = 0; i < 40; i++)
		upstreams_failed(&u, &three[0], now);
	EXPECT_EQ(upstreams_next(&u, 0, now + 59 * SECOND), 1);
	EXPECT_EQ(upstreams_next(&u, 0, now + 60 * SECOND), 0);
	upstreams_answered(&u, &three[0]);
	EXPECT_EQ(upstreams_next(&u, 0, now), 0);
	EXPECT_EQ(upstreams_next(&u, 0, now), 0);
}

TEST(where_all_are_dead_all_are_tried)
{
	struct upstreams u = {0};

	upstreams_set(&u, three, 2);
	upstreams_failed(&u, &three[0], 2);
	upstreams_failed(&u, &three[1], 1);
	EXPECT_EQ(upstreams_next(&u, 0, 3), 1);
	EXPECT_EQ(upstreams_next(&u, 2, 3), 0);
	EXPECT_EQ(upstreams_next(&u, 3, 3), -1);
}

TEST(who_asks_us_is_not_asked)
{
	struct upstreams u = {0};

	upstreams_set(&u, three, 2);
	EXPECT_TRUE(upstreams_loops(&u, &three[0]));
	EXPECT_FALSE(upstreams_loops(&u, &three[0]));
	EXPECT_FALSE(upstreams_loops(&u, &three[2]));
	EXPECT_EQ(upstreams_next(&u, 0, 0), 1);
	EXPECT_EQ(upstreams_next(&u, 2, 0), -1);
}

TEST(who_stays_is_remembered)
{
	struct upstreams u = {0};

	upstreams_set(&u, three, 2);
	upstreams_failed(&u, &three[1], SECOND);
	upstreams_set(&u, three + 1, 2);
	EXPECT_EQ(u.count, 2);
	EXPECT_EQ(upstreams_next(&u, 0, SECOND), 1);
	upstreams_set(&u, (struct addr[]){three[0], three[0]}, 2);
	EXPECT_EQ(u.count, 1);
}

TEST(a_resolv_conf_is_read)
{
	struct addr out[4];
	char text[ADDR_TEXT_MAX];

	EXPECT_EQ(resolv_conf_read(
		      S("# nameserver 9.9.9.9\nsearch a b\n"
			" nameserver\t192.0.2.1 \nnameserver 2001:db8::1\n"
			"nameserver fe80::1%eth0\nnameserver x\n"
			"options edns0\nnameservers 1.1.1.1"),
		      out, ARRAY_LEN(out)),
	    2);
	EXPECT_STR(addr_format(&out[0], text), "192.0.2.1:53");
	EXPECT_STR(addr_format(&out[1], text), "[2001:db8::1]:53");
	EXPECT_EQ(resolv_conf_read(S(""), out, ARRAY_LEN(out)), 0);
	EXPECT_EQ(resolv_conf_read(
		      S("nameserver 1.1.1.1\nnameserver 2.2.2.2"), out, 1),
	    1);
}
