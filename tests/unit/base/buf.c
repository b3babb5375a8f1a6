/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf — growing to the limit, consuming, wire integers.
 */
#include "base/base.h"
#include "death.h"
#include "unit.h"

static void
consume_what_is_not_there(void)
{
	struct buf b = BUF(8);

	buf_consume(&b, 1);
}

TEST(an_unused_buf_is_empty)
{
	struct buf b = BUF(8);

	EXPECT_EQ(buf_len(&b), 0);
	EXPECT_EQ(buf_slice(&b).len, 0);
	EXPECT_OK(buf_add(&b, NULL, 0));
	buf_fini(&b);
}

TEST(growing_past_the_limit_changes_nothing)
{
	AUTO(buf_fini) struct buf b = BUF(4);

	EXPECT_OK(buf_add_slice(&b, S("abc")));
	EXPECT_ERR(buf_add_slice(&b, S("de")), ERR_LIMIT);
	EXPECT_SLICE(buf_slice(&b), S("abc"));
	EXPECT_OK(buf_add_byte(&b, 'd'));
	EXPECT_SLICE(buf_slice(&b), S("abcd"));
	EXPECT_ERR(buf_add(&b, "x", SIZE_MAX), ERR_LIMIT);
}

TEST(the_limit_counts_what_is_unread)
{
	AUTO(buf_fini) struct buf b = BUF(4);

	EXPECT_OK(buf_add_slice(&b, S("abcd")));
	buf_consume(&b, 3);
	EXPECT_OK(buf_add_slice(&b, S("efg")));
	EXPECT_SLICE(buf_slice(&b), S("defg"));
	EXPECT_ERR(buf_add_byte(&b, 'h'), ERR_LIMIT);
}

TEST(printing_fills_to_the_last_byte_of_the_limit)
{
	AUTO(buf_fini) struct buf b = BUF(6);

	EXPECT_OK(buf_printf(&b, "%s-%d", "ab", 123));
	EXPECT_SLICE(buf_slice(&b), S("ab-123"));
	EXPECT_ERR(buf_printf(&b, "%d", 4), ERR_LIMIT);
	EXPECT_OK(buf_printf(&b, "%s", ""));
}

TEST(bytes_come_out_as_they_went_in_through_many_sizes)
{
	AUTO(buf_fini) struct buf b = BUF(5000);
	AUTO(buf_fini) struct buf model = BUF(1 << 20);
	struct rng r;
	size_t read = 0;

	rng_init(&r, 1);
	for (int i = 0; i < 2000; i++) {
		size_t n = rng_below(&r, 700);
		char *to;

		if (buf_reserve(&b, n, &to) == OK) {
			for (size_t j = 0; j < n; j++)
				to[j] = (char)rng_u64(&r);
			if (buf_add(&model, to, n) != OK)
				break;
			buf_commit(&b, n);
		}
		EXPECT_SLICE(buf_slice(&b),
		    slice_sub(buf_slice(&model), read, SIZE_MAX));
		n = rng_below(&r, buf_len(&b) + 1);
		buf_consume(&b, n);
		read += n;
		EXPECT_TRUE(b.cap <= 5001);
	}
	EXPECT_TRUE(read > 100000);
}

TEST(a_failed_allocation_leaves_the_bytes)
{
	AUTO(buf_fini) struct buf b = BUF(1 << 20);
	char kilo[1024] = "";

	EXPECT_OK(buf_add_slice(&b, S("abc")));
	mem_fail_at(1);
	EXPECT_ERR(buf_add(&b, kilo, sizeof(kilo)), ERR_NO_MEMORY);
	EXPECT_SLICE(buf_slice(&b), S("abc"));
	EXPECT_OK(buf_add(&b, kilo, sizeof(kilo)));
}

/* What the allocator hands out next is what was given back last. */
static bool
is_left(size_t cap)
{
	AUTO(mem_free) char *again = mem_try(cap);

	return memmem(again, cap, "hushhush", 8) != NULL;
}

TEST(a_secret_leaves_nothing_in_memory_that_is_given_back)
{
	struct buf b = BUF_SECRET(1 << 20);
	char kilo[1024] = "";
	size_t cap;

	for (int i = 0; i < 50; i++)
		EXPECT_OK(buf_add_slice(&b, S("hush")));
	cap = b.cap;
	EXPECT_OK(buf_add(&b, kilo, sizeof(kilo)));
	EXPECT_FALSE(is_left(cap));
	EXPECT_TRUE(slice_starts(buf_slice(&b), S("hushhush")));
	cap = b.cap;
	buf_fini(&b);
	EXPECT_FALSE(is_left(cap));
	EXPECT_TRUE(b.secret);
}

TEST(consuming_more_than_there_is_aborts)
{
	EXPECT_TRUE(dies(consume_what_is_not_there));
}

TEST(integers_are_big_endian_both_ways)
{
	AUTO(buf_fini) struct buf b = BUF(64);
	struct reader r;

	EXPECT_OK(buf_add_byte(&b, 0xfe));
	EXPECT_OK(buf_add_u16(&b, 0x0102));
	EXPECT_OK(buf_add_u32(&b, 0xa1b2c3d4));
	EXPECT_OK(buf_add_u64(&b, UINT64_C(0x0102030405060708)));
	EXPECT_SLICE(buf_slice(&b),
	    S("\xfe\x01\x02\xa1\xb2\xc3\xd4\x01\x02\x03\x04\x05\x06\x07\x08"));
	r = READER(buf_slice(&b));
	EXPECT_EQ(reader_u8(&r), 0xfe);
	EXPECT_EQ(reader_u16(&r), 0x0102);
	EXPECT_EQ(reader_u32(&r), 0xa1b2c3d4);
	EXPECT_ERR(reader_done(&r), ERR_PARSE);
	EXPECT_EQ(reader_u64(&r), UINT64_C(0x0102030405060708));
	EXPECT_OK(reader_done(&r));
}

TEST(reading_past_the_end_fails_for_good)
{
	struct reader r = READER(S("abc"));

	EXPECT_SLICE(reader_bytes(&r, 1), S("a"));
	EXPECT_EQ(reader_u32(&r), 0);
	EXPECT_EQ(reader_u8(&r), 0);
	EXPECT_TRUE(r.failed);
	EXPECT_ERR(reader_done(&r), ERR_PARSE);
}
