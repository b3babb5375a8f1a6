/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_header — the PROXY protocol: each field, and each place to be cut.
 */
#include "proxy_header.h"
#include "unit.h"

#include <stdio.h>

enum { BYTES_MAX = 512 };

static const char text[] = "PROXY TCP4 192.0.2.1 198.51.100.9 40000 443\r\n";

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* From the byte of version and command on. */
#define BINARY(rest) slice_of(SIGNATURE rest, sizeof(SIGNATURE rest) - 1)

#define V4_ENDS "\xc0\0\2\1\xc6\x33\x64\x09\x9c\x40\1\xbb"

static enum err
read_all(struct slice bytes, struct proxy_header *out, struct slice *out_why)
{
	*out_why = SLICE_NONE;
	return proxy_header_read(bytes, out, out_why);
}

static void
expect_ends(
    const struct proxy_header *h, const char *source, const char *destination)
{
	char mem[ADDR_TEXT_MAX];

	EXPECT_TRUE(h->is_for_another);
	EXPECT_STR(addr_format(&h->source, mem), source);
	EXPECT_STR(addr_format(&h->destination, mem), destination);
}

static void
expect_refused(struct slice bytes, enum err e, const char *words)
{
	struct proxy_header h = {.len = 7};
	struct slice why;

	EXPECT_ERR(read_all(bytes, &h, &why), e);
	EXPECT_TRUE(memmem(why.ptr, why.len, words, strlen(words)) != NULL);
	EXPECT_EQ(h.len, 7); /* untouched */
}

/* Cut anywhere it is only begun; what comes behind it is another's. */
static void
expect_whole(struct slice all, const char *source, const char *destination)
{
	char more[BYTES_MAX + 1];
	struct proxy_header h;
	struct slice why;

	for (size_t n = 0; n < all.len; n++)
		EXPECT_ERR(read_all(slice_sub(all, 0, n), &h, &why), ERR_AGAIN);
	CHECK(all.len < sizeof(more));
	memcpy(more, all.ptr, all.len);
	more[all.len] = 'G';
	EXPECT_OK(read_all(slice_of(more, all.len + 1), &h, &why));
	EXPECT_EQ(h.len, all.len);
	if (source == NULL)
		EXPECT_FALSE(h.is_for_another);
	else
		expect_ends(&h, source, destination);
}

/* --- version 1 ------------------------------------------------------------ */

TEST(a_line_names_both_ends)
{
	expect_whole(slice_str(text), "192.0.2.1:40000", "198.51.100.9:443");
	expect_whole(S("PROXY TCP6 2001:db8::1 ::2 65535 1\r\n"),
	    "[2001:db8::1]:65535", "[::2]:1");
	expect_whole(S("PROXY TCP6 ::ffff:192.0.2.1 ::2 0 443\r\n"),
	    "192.0.2.1", "[::2]:443");
}

TEST(the_longest_line_fits)
{
	expect_whole(S("PROXY TCP6 "
		       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe "
		       "65535 65535\r\n"),
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535");
}

TEST(unknown_ends_are_those_of_the_connection)
{
	expect_whole(S("PROXY UNKNOWN\r\n"), NULL, NULL);
	expect_whole(S("PROXY UNKNOWN ffff::1 a b c\r\n"), NULL, NULL);
}

TEST(a_line_that_never_ends_is_refused_after_107_bytes)
{
	char mem[200];
	struct proxy_header h;
	struct slice why;

	(void)snprintf(mem, sizeof(mem), "PROXY UNKNOWN %0180d", 0);
	EXPECT_ERR(read_all(slice_of(mem, 106), &h, &why), ERR_AGAIN);
	expect_refused(slice_of(mem, 107), ERR_LIMIT, "longer than 107");
	memcpy(&mem[105], "\r\n", 2);
	EXPECT_OK(read_all(slice_of(mem, 200), &h, &why));
	EXPECT_EQ(h.len, 107);
}

TEST(a_line_with_a_field_that_is_none_is_refused)
{
	static const char *const lines[] = {"TCP4 192.0.2.1 192.0.2.2 1",
	    "TCP4 192.0.2.1 192.0.2.2 1 2 3", "TCP4 192.0.2.1  192.0.2.2 1 2",
	    "TCP4 192.0.2.1 192.0.2.2 1 2 ", "TCP4 192.0.2.256 192.0.2.2 1 2",
	    "TCP4 192.0.2.1 web 1 2", "TCP4 ::1 ::2 1 2",
	    "TCP4 ::ffff:1.2.3.4 1.2.3.4 1 2", "TCP6 192.0.2.1 192.0.2.2 1 2",
	    "TCP6 [::1] ::2 1 2", "TCP4 192.0.2.1 192.0.2.2 65536 2",
	    "TCP4 192.0.2.1 192.0.2.2 -1 2", "TCP4 192.0.2.1 192.0.2.2 01 2",
	    "TCP4 192.0.2.1 192.0.2.2 1 0x2", "TCP4 192.0.2.1 192.0.2.2 1 ",
	    "TCP4 192.0.2.1 192.0.2.2  2", "TCP4"};
	char mem[BYTES_MAX];

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		(void)snprintf(mem, sizeof(mem), "PROXY %s\r\n", lines[i]);
		expect_refused(slice_str(mem), ERR_PARSE, "addresses or ports");
	}
}

TEST(a_line_of_another_family_or_end_is_refused)
{
	expect_refused(
	    S("PROXY UDP4 1.2.3.4 1.2.3.5 1 2\r\n"), ERR_PARSE, "family");
	expect_refused(
	    S("PROXY tcp4 1.2.3.4 1.2.3.5 1 2\r\n"), ERR_PARSE, "family");
	expect_refused(S("PROXY UNKNOWNS\r\n"), ERR_PARSE, "family");
	expect_refused(S("PROXY \r\n"), ERR_PARSE, "family");
	expect_refused(S("PROXY UNKNOWN\n"), ERR_PARSE, "CR LF");
	expect_refused(S("PROXY \n"), ERR_PARSE, "CR LF");
	expect_refused(S("PROXY UNKNOWN\r\r\n"), ERR_PARSE, "family");
}

/* --- version 2 ------------------------------------------------------------ */

TEST(bytes_name_both_ends)
{
	expect_whole(BINARY("\x21\x11\0\x0c" V4_ENDS), "192.0.2.1:40000",
	    "198.51.100.9:443");
	expect_whole(BINARY("\x21\x12\0\x0c" V4_ENDS), "192.0.2.1:40000",
	    "198.51.100.9:443");
	expect_whole(BINARY("\x21\x21\0\x24"
			    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
			    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
			    "\xff\xff\0\1"),
	    "[2001:db8::1]:65535", "192.0.2.1:1");
}

TEST(a_local_connection_is_between_the_ends_that_it_has)
{
	expect_whole(BINARY("\x20\0\0\0"), NULL, NULL);
	expect_whole(BINARY("\x20\x11\0\x0c" V4_ENDS), NULL, NULL);
	expect_whole(BINARY("\x20\xff\0\3abc"), NULL, NULL); /* ignored */
	expect_whole(BINARY("\x21\0\0\0"), NULL, NULL);
	expect_whole(BINARY("\x21\0\0\3abc"), NULL, NULL);
}

TEST(sockets_with_a_path_have_no_addresses_for_us)
{
	char mem[BYTES_MAX] = SIGNATURE;
	struct slice all = slice_of(mem, 16 + 216);

	memcpy(&mem[12], "\x21\x31\0\xd8", 4);
	expect_whole(all, NULL, NULL);
	mem[15] = '\xd7';
	expect_refused(
	    slice_sub(all, 0, all.len - 1), ERR_PARSE, "shorter than its");
}

TEST(bytes_with_a_number_that_nobody_knows_are_refused)
{
	static const unsigned char families[] = {
	    1, 0x10, 0x13, 0x20, 0x23, 0x30, 0x33, 0x41, 0xff};
	char mem[16] = SIGNATURE;
	struct slice all = slice_of(mem, sizeof(mem));

	for (unsigned i = 0; i < 256; i++) {
		mem[12] = (char)i;
		if (i != 0x20 && i != 0x21)
			expect_refused(all, ERR_PARSE, "version or a command");
	}
	mem[12] = 0x21;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		mem[13] = (char)families[i];
		expect_refused(all, ERR_PARSE, "family");
	}
}

TEST(bytes_that_are_too_few_for_their_addresses_are_refused)
{
	expect_refused(BINARY("\x21\x11\0\x0b\1\2\3\4\5\6\7\x08\x09\x0a\x0b"),
	    ERR_PARSE, "shorter than its addresses");
	expect_refused(BINARY("\x21\x11\0\0"), ERR_PARSE, "shorter than its");
	expect_refused(
	    BINARY("\x21\x21\0\x0c" V4_ENDS), ERR_PARSE, "shorter than its");
}

TEST(a_header_that_would_be_too_long_is_refused_at_once)
{
	expect_refused(BINARY("\x21\x11\x3f\xf1"), ERR_LIMIT, "16 KiB");
	expect_refused(BINARY("\x21\x11\xff\xff"), ERR_LIMIT, "16 KiB");
	expect_refused(BINARY("\x20\0\xff\xff"), ERR_LIMIT, "16 KiB");
}

TEST(the_longest_header_is_read)
{
	static char mem[PROXY_HEADER_BYTES_MAX] = SIGNATURE;
	struct slice all = slice_of(mem, sizeof(mem)), why;
	struct proxy_header h;

	/* One TLV fills it. */
	memcpy(&mem[12], "\x21\x11\x3f\xf0" V4_ENDS "\xea\x3f\xe1", 19);
	EXPECT_ERR(
	    read_all(slice_sub(all, 0, all.len - 1), &h, &why), ERR_AGAIN);
	EXPECT_OK(read_all(all, &h, &why));
	EXPECT_EQ(h.len, PROXY_HEADER_BYTES_MAX);
	expect_ends(&h, "192.0.2.1:40000", "198.51.100.9:443");
}

TEST(tlvs_are_passed_by_and_end_where_the_header_does)
{
	expect_whole(
	    BINARY("\x21\x11\0\x19" V4_ENDS "\1\0\2h2\4\0\0\xea\0\2ab"),
	    "192.0.2.1:40000", "198.51.100.9:443");
	expect_refused(BINARY("\x21\x11\0\x0d" V4_ENDS "\1"), ERR_PARSE, "TLV");
	expect_refused(
	    BINARY("\x21\x11\0\x0e" V4_ENDS "\1\0"), ERR_PARSE, "TLV");
	expect_refused(
	    BINARY("\x21\x11\0\x10" V4_ENDS "\1\0\2h"), ERR_PARSE, "TLV");
}

/* The sums of these were made by another program. */
TEST(a_checksum_has_to_be_right_and_the_only_one)
{
	expect_whole(BINARY("\x21\x11\0\x13" V4_ENDS "\3\0\4\x90\xd0\x7d\x28"),
	    "192.0.2.1:40000", "198.51.100.9:443");
	expect_whole(
	    BINARY("\x21\x11\0\x18" V4_ENDS "\3\0\4\x1b\xa6\xdf\x80\1\0\2h2"),
	    "192.0.2.1:40000", "198.51.100.9:443");
	expect_refused(
	    BINARY("\x21\x11\0\x13" V4_ENDS "\3\0\4\x90\xd0\x7d\x29"),
	    ERR_PARSE, "checksum");
	expect_refused(BINARY("\x21\x11\0\x12" V4_ENDS "\3\0\3\x90\xd0\x7d"),
	    ERR_PARSE, "checksum");
	expect_refused(BINARY("\x21\x11\0\x1a" V4_ENDS
			      "\3\0\4\x90\xd0\x7d\x28\3\0\4\x90\xd0\x7d\x28"),
	    ERR_PARSE, "checksum");
}

/* --- neither of them ------------------------------------------------------ */

TEST(other_first_bytes_are_refused_with_the_first_that_differs)
{
	const char *const other[] = {"GET / HTTP/1.1\r\n", "P ", "PROXY\r\n",
	    "PROXYTCP4", "\r\n\r\n\n", "\x16\3\1", " PROXY ", "\r\n\r\n\r"};

	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		expect_refused(
		    slice_str(other[i]), ERR_PARSE, "did not begin with");
}

/* --- writing -------------------------------------------------------------- */

static void
expect_written(unsigned version, const char *source, const char *destination,
    struct slice wanted)
{
	char mem[PROXY_HEADER_SENT_MAX];
	struct addr from = {0}, to = {0};
	struct slice got;

	EXPECT_OK(addr_parse(slice_str(source), &from));
	EXPECT_OK(addr_parse(slice_str(destination), &to));
	got = proxy_header_write(version, &from, &to, mem);
	EXPECT_SLICE(got, wanted);
	expect_whole(got, source, destination);
}

TEST(what_is_written_is_read_again)
{
	expect_written(
	    1, "192.0.2.1:40000", "198.51.100.9:443", slice_str(text));
	expect_written(2, "192.0.2.1:40000", "198.51.100.9:443",
	    BINARY("\x21\x11\0\x0c" V4_ENDS));
	expect_written(1, "[2001:db8::1]:1", "[::2]:2",
	    S("PROXY TCP6 2001:db8::1 ::2 1 2\r\n"));
	expect_written(2, "[2001:db8::1]:1", "[::2]:2",
	    BINARY("\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\1\0\2"));
}

TEST(two_families_are_told_as_ipv6)
{
	expect_written(1, "192.0.2.1:1", "[::2]:2",
	    S("PROXY TCP6 ::ffff:192.0.2.1 ::2 1 2\r\n"));
	expect_written(2, "[::2]:2", "192.0.2.1:1",
	    BINARY("\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
		   "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\0\2\0\1"));
}

TEST(without_addresses_nothing_is_known)
{
	static const struct addr none = {0};
	char mem[PROXY_HEADER_SENT_MAX];

	EXPECT_SLICE(
	    proxy_header_write(1, &none, &none, mem), S("PROXY UNKNOWN\r\n"));
	EXPECT_SLICE(
	    proxy_header_write(2, &none, &none, mem), BINARY("\x20\0\0\0"));
}
