/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine — which addresses this machine has.
 */
#include "net/net.h"

#include "unit.h"

TEST(addresses_of_the_machine_can_be_announced)
{
	struct addr addrs[16];
	size_t n = net_machine_addrs(addrs, ARRAY_LEN(addrs));

	EXPECT_TRUE(n <= ARRAY_LEN(addrs));
	for (size_t i = 0; i < n; i++) {
		EXPECT_TRUE(addrs[i].family != ADDR_NONE);
		EXPECT_EQ(addrs[i].port, 0);
		EXPECT_FALSE(addr_is_loopback(&addrs[i]));
		EXPECT_FALSE(addr_is_any(&addrs[i]));
	}
}

TEST(no_more_addresses_than_there_is_room_for)
{
	struct addr one = {0};

	EXPECT_EQ(net_machine_addrs(&one, 0), 0);
	EXPECT_EQ(one.family, ADDR_NONE);
	EXPECT_TRUE(net_machine_addrs(&one, 1) <= 1);
}

TEST(all_addresses_are_ipv6_where_there_is_any)
{
	struct addr a = net_any_addr(80);

	EXPECT_TRUE(a.family == ADDR_V6 || a.family == ADDR_V4);
	EXPECT_TRUE(addr_is_any(&a));
	EXPECT_EQ(a.port, 80);
}
