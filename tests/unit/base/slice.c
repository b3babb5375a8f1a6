/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice — comparing, cutting, numbers, durations, hashes, UTF-8.
 */
#include "base/base.h"
#include "unit.h"

#include <ctype.h>

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

TEST(a_prefix_sorts_first)
{
	EXPECT_EQ(sign(slice_cmp(S("a"), S("ab"))), -1);
	EXPECT_EQ(sign(slice_cmp(S("b"), S("ab"))), 1);
	EXPECT_EQ(sign(slice_cmp(S("\xff"), S("a"))), 1);
	EXPECT_EQ(slice_cmp(SLICE_NONE, S("")), 0);
}

TEST(case_matters_only_when_asked)
{
	EXPECT_TRUE(slice_eq_nocase(S("Host-1"), S("hOST-1")));
	EXPECT_FALSE(slice_eq(S("a"), S("A")));
	EXPECT_FALSE(slice_eq_nocase(S("[a"), S("{a")));
	EXPECT_FALSE(slice_eq_nocase(S("a"), S("ab")));
}

/* Every byte against every other, in each place of texts of any length. */
TEST(only_the_case_of_letters_is_passed_over)
{
	enum { LONGEST = 18, BYTES = 256 };
	char a[LONGEST], b[LONGEST];

	memset(a, '-', sizeof(a));
	memset(b, '-', sizeof(b));
	for (unsigned n = 0; n < LONGEST * BYTES * BYTES; n++) {
		size_t at = n / (BYTES * BYTES);
		unsigned x = n / BYTES % BYTES, y = n % BYTES;
		bool same = x == y || (x < 0x80 && y < 0x80 &&
					  isalpha((int)x) && (x ^ y) == 0x20);

		a[at] = (char)x;
		b[at] = (char)y;
		for (size_t len = at + 1; len <= LONGEST; len += 4)
			CHECK(slice_eq_nocase(
				  slice_of(a, len), slice_of(b, len)) == same);
		a[at] = b[at] = '-';
	}
}

TEST(starts_and_ends_are_found)
{
	EXPECT_TRUE(slice_starts(S("abc"), S("ab")));
	EXPECT_TRUE(slice_starts(S("abc"), S("")));
	EXPECT_FALSE(slice_starts(S("a"), S("ab")));
	EXPECT_TRUE(slice_ends(S("abc"), S("bc")));
	EXPECT_FALSE(slice_ends(S("c"), S("bc")));
	EXPECT_FALSE(slice_ends(SLICE_NONE, S("c")));
}

TEST(a_part_is_cut_to_what_is_there)
{
	EXPECT_SLICE(slice_sub(S("abc"), 1, 1), S("b"));
	EXPECT_SLICE(slice_sub(S("abc"), 1, SIZE_MAX), S("bc"));
	EXPECT_SLICE(slice_sub(S("abc"), 9, 1), S(""));
	EXPECT_EQ(slice_sub(SLICE_NONE, 1, 1).len, 0);
}

TEST(trim_takes_blanks_at_both_ends)
{
	EXPECT_SLICE(slice_trim(S(" \ta b\t ")), S("a b"));
	EXPECT_SLICE(slice_trim(S(" \t ")), S(""));
	EXPECT_SLICE(slice_trim(S("\n")), S("\n"));
}

TEST(a_byte_that_is_not_there_is_at_the_length)
{
	EXPECT_EQ(slice_find(S("a:b:c"), ':'), 1);
	EXPECT_EQ(slice_rfind(S("a:b:c"), ':'), 3);
	EXPECT_EQ(slice_find(S("abc"), ':'), 3);
	EXPECT_EQ(slice_rfind(SLICE_NONE, ':'), 0);
}

TEST(split_gives_all_parts_and_then_nothing)
{
	struct slice rest = S("a..b");

	EXPECT_SLICE(slice_split(&rest, '.'), S("a"));
	EXPECT_SLICE(slice_split(&rest, '.'), S(""));
	EXPECT_SLICE(slice_split(&rest, '.'), S("b"));
	EXPECT_EQ(rest.len, 0);
	EXPECT_SLICE(slice_split(&rest, '.'), S(""));
}

TEST(numbers_are_digits_and_nothing_else)
{
	uint64_t n = 7;

	EXPECT_OK(slice_to_u64(S("18446744073709551615"), &n));
	EXPECT_EQ(n, UINT64_MAX);
	EXPECT_ERR(slice_to_u64(S("18446744073709551616"), &n), ERR_LIMIT);
	EXPECT_ERR(slice_to_u64(S("99999999999999999999999x"), &n), ERR_PARSE);
	EXPECT_ERR(slice_to_u64(S(""), &n), ERR_PARSE);
	EXPECT_ERR(slice_to_u64(S("-1"), &n), ERR_PARSE);
	EXPECT_ERR(slice_to_u64(S("+1"), &n), ERR_PARSE);
	EXPECT_ERR(slice_to_u64(S(" 1"), &n), ERR_PARSE);
	EXPECT_EQ(n, UINT64_MAX);
}

TEST(signed_numbers_reach_both_ends)
{
	int64_t n = 7;

	EXPECT_OK(slice_to_i64(S("-9223372036854775808"), &n));
	EXPECT_EQ(n, INT64_MIN);
	EXPECT_OK(slice_to_i64(S("9223372036854775807"), &n));
	EXPECT_EQ(n, INT64_MAX);
	EXPECT_ERR(slice_to_i64(S("9223372036854775808"), &n), ERR_LIMIT);
	EXPECT_ERR(slice_to_i64(S("-9223372036854775809"), &n), ERR_LIMIT);
	EXPECT_ERR(slice_to_i64(S("-"), &n), ERR_PARSE);
	EXPECT_ERR(slice_to_i64(S("--1"), &n), ERR_PARSE);
	EXPECT_EQ(n, INT64_MAX);
}

TEST(durations_read_as_in_go)
{
	static const struct {
		const char *text;
		uint64_t us;
	} rows[] = {
	    {"0", 0},
	    {"5s", 5000000},
	    {"0.25s", 250000},
	    {"1h2m", 3720000000},
	    {"10ms", 10000},
	    {"1.5h", 5400000000},
	    {"999ns", 0},
	    {"1999ns", 1},
	    {"3us", 3},
	    {"3\xc2\xb5s", 3},
	    {"3\xce\xbcs", 3},
	    {".5s", 500000},
	    {"1.s", 1000000},
	    {"1m1m", 120000000},
	    {"0.1s", 100000},
	    {"0.3ms", 300},
	    {"100.000001s", 100000001},
	};
	uint64_t us;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		EXPECT_OK(slice_to_duration_us(slice_str(rows[i].text), &us));
		EXPECT_EQ(us, rows[i].us);
	}
}

TEST(what_is_no_duration_leaves_the_result_alone)
{
	static const char *const bad[] = {"", "5", "s", "-5s", "+5s", "5 s",
	    ".s", "5d", "1h2", "1.2.3s", "5S", "0.0"};
	uint64_t us = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT_ERR(
		    slice_to_duration_us(slice_str(bad[i]), &us), ERR_PARSE);
	EXPECT_ERR(slice_to_duration_us(S("2562048h"), &us), ERR_LIMIT);
	EXPECT_ERR(
	    slice_to_duration_us(S("99999999999999999999s"), &us), ERR_LIMIT);
	EXPECT_ERR(
	    slice_to_duration_us(S("9223372036s9223372036s"), &us), ERR_LIMIT);
	EXPECT_EQ(us, 7);
	EXPECT_OK(slice_to_duration_us(S("2562047h"), &us));
}

TEST(a_fixed_array_gets_all_or_nothing)
{
	char out[4] = "x";

	EXPECT_ERR(slice_to_cstr(S("abcd"), out, sizeof(out)), ERR_LIMIT);
	EXPECT_ERR(slice_to_cstr(S("a\0b"), out, sizeof(out)), ERR_PARSE);
	EXPECT_STR(out, "x");
	EXPECT_OK(slice_to_cstr(S("abc"), out, sizeof(out)));
	EXPECT_STR(out, "abc");
	EXPECT_OK(slice_to_cstr(SLICE_NONE, out, sizeof(out)));
	EXPECT_STR(out, "");
}

TEST(hexadecimal_digits_are_of_either_case)
{
	EXPECT_EQ(slice_hex_digit('0'), 0);
	EXPECT_EQ(slice_hex_digit('9'), 9);
	EXPECT_EQ(slice_hex_digit('a'), 10);
	EXPECT_EQ(slice_hex_digit('F'), 15);
	for (const char *c = "/:@G`g\x19\xe6"; *c != '\0'; c++)
		EXPECT_EQ(slice_hex_digit(*c), -1);
}

TEST(an_escape_is_a_percent_sign_and_two_digits)
{
	EXPECT_EQ(slice_escaped(S("a%4fb"), 1), 0x4F);
	EXPECT_EQ(slice_escaped(S("%Ff"), 0), 0xFF);
	EXPECT_EQ(slice_escaped(S("%00"), 0), 0);
	EXPECT_EQ(slice_escaped(S("x41"), 0), -1);
	EXPECT_EQ(slice_escaped(S("%4"), 0), -1);
	EXPECT_EQ(slice_escaped(S("%4g"), 0), -1);
	EXPECT_EQ(slice_escaped(S("%%41"), 0), -1);
	EXPECT_EQ(slice_escaped(S("%41"), 3), -1);
}

TEST(the_stable_hash_is_fnv_1a)
{
	EXPECT_EQ(slice_hash_stable(S("")), UINT64_C(0xcbf29ce484222325));
	EXPECT_EQ(slice_hash_stable(S("a")), UINT64_C(0xaf63dc4c8601ec8c));
	EXPECT_EQ(slice_hash_stable(S("foobar")), UINT64_C(0x85944171f73967e8));
}

TEST(what_is_added_up_differs_where_a_part_does)
{
	static const char *const parts[] = {"2", "3", "4", "5"};
	uint64_t fnv[ARRAY_LEN(parts)];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		fnv[i] = slice_hash_stable(slice_str(parts[i]));
	EXPECT_EQ(fnv[0] + fnv[3], fnv[1] + fnv[2]);
	EXPECT_NE(hash_u64(fnv[0]) + hash_u64(fnv[3]),
	    hash_u64(fnv[1]) + hash_u64(fnv[2]));
	EXPECT_NE(hash_with(hash_with(1, 2), 3), hash_with(hash_with(1, 3), 2));
	EXPECT_NE(
	    hash_with(hash_with(1, 2), 33), hash_with(hash_with(1, 3), 2));
}

TEST(parts_become_one_text_or_none)
{
	char out[8], number[SLICE_U64_MAX];

	EXPECT_SLICE(slice_join(SLICES(S("web"), S("."), S("shop")), out, 8),
	    S("web.shop"));
	EXPECT_SLICE(slice_join(SLICES(S("web"), S("."), S("shops")), out, 8),
	    S("")); /* a byte too much */
	EXPECT_SLICE(slice_join(SLICES(SLICE_NONE, S("a")), out, 8), S("a"));
	EXPECT_SLICE(slice_join(NULL, 0, out, 8), S(""));
	EXPECT_SLICE(slice_from_u64(0, number), S("0"));
	EXPECT_SLICE(
	    slice_from_u64(UINT64_MAX, number), S("18446744073709551615"));
}

TEST(the_table_hash_is_the_same_within_a_process)
{
	EXPECT_EQ(slice_hash(S("abc")), slice_hash(S("abc")));
	EXPECT_NE(slice_hash(S("abc")), slice_hash(S("abd")));
}

TEST(utf8_is_taken_at_its_word)
{
	EXPECT_TRUE(slice_is_utf8(SLICE_NONE));
	EXPECT_TRUE(slice_is_utf8(S("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
	EXPECT_TRUE(slice_is_utf8(S("\xf4\x8f\xbf\xbf\xed\x9f\xbf")));
	EXPECT_FALSE(slice_is_utf8(S("\xc0\x80")));         /* overlong */
	EXPECT_FALSE(slice_is_utf8(S("\xe0\x9f\xbf")));     /* overlong */
	EXPECT_FALSE(slice_is_utf8(S("\xf0\x8f\xbf\xbf"))); /* overlong */
	EXPECT_FALSE(slice_is_utf8(S("\xed\xa0\x80")));     /* surrogate */
	EXPECT_FALSE(slice_is_utf8(S("\xf4\x90\x80\x80"))); /* too high */
	EXPECT_FALSE(slice_is_utf8(S("\xe2\x82")));         /* cut */
	EXPECT_FALSE(slice_is_utf8(S("\x80")));
	EXPECT_FALSE(slice_is_utf8(S("\xe2\x82z")));
}
