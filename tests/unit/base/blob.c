/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob — held by several, gone with the last.
 */
#include "base/base.h"
#include "unit.h"

TEST(bytes_are_copied_once_and_stay_while_somebody_holds_them)
{
	char text[] = "bytes";
	struct blob *a = blob_new(slice_str(text)), *b = blob_ref(a);

	text[0] = 'x';
	EXPECT_TRUE(blob_bytes(a).ptr == blob_bytes(b).ptr);
	blob_unref(&a);
	EXPECT_TRUE(a == NULL);
	EXPECT_SLICE(blob_bytes(b), S("bytes"));
	blob_unref(&b);
}

TEST(none_stays_none)
{
	struct blob *none = blob_ref(NULL);

	EXPECT_TRUE(none == NULL);
	blob_unref(&none);
	EXPECT_EQ(blob_bytes(NULL).len, 0);
}

TEST(nothing_is_something)
{
	struct blob *b = blob_new(S(""));

	EXPECT_TRUE(b != NULL);
	EXPECT_EQ(blob_bytes(b).len, 0);
	blob_unref(&b);
}
