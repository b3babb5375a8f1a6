/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret — copies, compares, and is gone when released.
 */
#include "base/base.h"
#include "unit.h"

TEST(a_secret_is_a_copy_that_compares)
{
	struct secret s;
	char text[] = "hunter2";

	secret_set(&s, slice_str(text));
	text[0] = 'x';
	EXPECT_TRUE(secret_eq(&s, S("hunter2")));
	EXPECT_FALSE(secret_eq(&s, S("hunter3")));
	EXPECT_FALSE(secret_eq(&s, S("hunter")));
	secret_fini(&s);
	EXPECT_TRUE(s.bytes == NULL);
	EXPECT_EQ(s.len, 0);
	secret_fini(&s);
}

TEST(a_fresh_secret_is_zero)
{
	struct secret s;
	char zero[33] = "";

	secret_init(&s, sizeof(zero));
	EXPECT_MEM(s.bytes, zero, sizeof(zero));
	secret_fini(&s);
	secret_init(&s, 0);
	EXPECT_TRUE(secret_eq(&s, S("")));
	secret_fini(&s);
}

TEST(wiping_leaves_zeroes)
{
	char text[8] = "abcdefg", zero[8] = "";

	secret_wipe(text, sizeof(text));
	EXPECT_MEM(text, zero, sizeof(zero));
}
