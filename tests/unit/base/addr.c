/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr — text, the kernel's structures, prefixes.
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/base.h"
#include "unit.h"

static const char *
format(const struct addr *a)
{
	static char text[ADDR_TEXT_MAX];

	return addr_format(a, text);
}

static bool
contains(const char *prefix, const char *ip)
{
	struct cidr c;
	struct addr a;

	return cidr_parse(slice_str(prefix), &c) == OK &&
	       addr_parse_ip(slice_str(ip), &a) == OK && cidr_contains(&c, &a);
}

TEST(addresses_read_and_print)
{
	static const char *const rows[][2] = {
	    {"10.0.0.1:80", "10.0.0.1:80"},
	    {"[::1]:65535", "[::1]:65535"},
	    {"[2001:DB8:0:0:0:0:0:1]:1", "[2001:db8::1]:1"},
	    {"[::ffff:1.2.3.4]:5", "1.2.3.4:5"},
	};
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		EXPECT_OK(addr_parse(slice_str(rows[i][0]), &a));
		EXPECT_STR(format(&a), rows[i][1]);
	}
}

TEST(an_ip_has_no_port)
{
	struct addr a;

	EXPECT_OK(addr_parse_ip(S("[fe80::2]"), &a));
	EXPECT_STR(format(&a), "fe80::2");
	EXPECT_EQ(a.port, 0);
	EXPECT_OK(addr_parse_ip(S("0.0.0.0"), &a));
	EXPECT_TRUE(addr_is_any(&a));
	EXPECT_EQ(a.family, ADDR_V4);
}

TEST(an_address_of_a_link_or_of_many_is_none_of_one_machine)
{
	static const struct {
		const char *text;
		bool yes;
	} rows[] = {{"10.0.0.1", true}, {"2001:db8::1", true},
	    {"fd00::1", true}, {"0.0.0.0", false}, {"127.0.0.2", false},
	    {"169.254.0.1", false}, {"224.0.0.1", false},
	    {"255.255.255.255", false}, {"::", false}, {"::1", false},
	    {"fe80::1", false}, {"ff02::1", false}};
	struct addr a = {0};

	EXPECT_FALSE(addr_is_global_unicast(&a));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		EXPECT_OK(addr_parse_ip(slice_str(rows[i].text), &a));
		EXPECT_EQ(addr_is_global_unicast(&a), rows[i].yes);
	}
}

TEST(the_longest_address_fits)
{
	struct addr a;

	EXPECT_OK(addr_parse(
	    S("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"), &a));
	EXPECT_STR(
	    format(&a), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

TEST(what_is_no_address_is_refused)
{
	static const char *const bad[] = {"", ":80", "10.0.0.1",
	    "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:8o",
	    "::1:80", "[::1]", "[::1]80", "[10.0.0.1]:80", "[::1:80", "host:80",
	    "10.0.0:80", "010.0.0.1:80", "[fe80::1%eth0]:80", "[]:80", "[:80",
	    "256.0.0.1:1"};
	struct addr a = {.port = 7};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT_NE(addr_parse(slice_str(bad[i]), &a), OK);
	EXPECT_ERR(addr_parse_ip(S("1.2.3.4\0x"), &a), ERR_PARSE);
	EXPECT_ERR(addr_parse_ip(S("["), &a), ERR_PARSE);
	EXPECT_EQ(a.port, 7);
}

TEST(addresses_compare_by_value)
{
	struct addr a, b;

	EXPECT_OK(addr_parse(S("[::ffff:10.0.0.1]:80"), &a));
	EXPECT_OK(addr_parse(S("10.0.0.1:80"), &b));
	EXPECT_TRUE(addr_eq(&a, &b));
	b.port = 81;
	EXPECT_FALSE(addr_eq(&a, &b));
	EXPECT_TRUE(addr_ip_eq(&a, &b));
	EXPECT_TRUE(addr_cmp(&a, &b) < 0);
	EXPECT_OK(addr_parse(S("[::1]:1"), &b));
	EXPECT_TRUE(addr_cmp(&a, &b) < 0);
	EXPECT_TRUE(addr_is_loopback(&b));
	EXPECT_FALSE(addr_is_loopback(&a));
	EXPECT_FALSE(addr_is_any(&b));
}

TEST(the_kernel_and_back)
{
	static const char *const rows[] = {"127.0.0.1:15001", "[fd00::7]:9"};
	struct sockaddr_storage ss;
	struct addr a, b;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned len;

		EXPECT_OK(addr_parse(slice_str(rows[i]), &a));
		len = addr_to_sockaddr(&a, (struct sockaddr *)&ss);
		EXPECT_OK(addr_from_sockaddr((struct sockaddr *)&ss, len, &b));
		EXPECT_TRUE(addr_eq(&a, &b));
		EXPECT_ERR(
		    addr_from_sockaddr((struct sockaddr *)&ss, len - 1, &b),
		    ERR_UNSUPPORTED);
	}
	ss.ss_family = AF_UNIX;
	EXPECT_ERR(addr_from_sockaddr((struct sockaddr *)&ss, sizeof(ss), &b),
	    ERR_UNSUPPORTED);
	EXPECT_ERR(
	    addr_from_sockaddr((struct sockaddr *)&ss, 0, &b), ERR_PARSE);
}

TEST(prefixes_contain_what_they_should)
{
	EXPECT_TRUE(contains("10.0.0.0/8", "10.255.1.2"));
	EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
	EXPECT_TRUE(contains("10.1.2.3/8", "10.9.9.9"));
	EXPECT_TRUE(contains("192.168.4.0/22", "192.168.7.255"));
	EXPECT_FALSE(contains("192.168.4.0/22", "192.168.8.0"));
	EXPECT_TRUE(contains("0.0.0.0/0", "1.2.3.4"));
	EXPECT_FALSE(contains("::/0", "1.2.3.4"));
	EXPECT_TRUE(contains("1.2.3.4", "1.2.3.4"));
	EXPECT_FALSE(contains("1.2.3.4", "1.2.3.5"));
	EXPECT_TRUE(contains("fd00::/9", "fd7f::1"));
	EXPECT_FALSE(contains("fd00::/9", "fd80::1"));
	EXPECT_TRUE(contains("::ffff:10.0.0.0/104", "10.1.1.1"));
}

TEST(a_range_around_an_address_has_its_neighbours)
{
	struct addr a, b;
	struct cidr c;

	EXPECT_OK(addr_parse_ip(S("2001:db8::1:2"), &a));
	EXPECT_OK(addr_parse_ip(S("2001:db8::ffff:0:0:1"), &b));
	cidr_around(&a, 64, &c);
	EXPECT_TRUE(cidr_contains(&c, &a));
	EXPECT_TRUE(cidr_contains(&c, &b));
	EXPECT_OK(addr_parse_ip(S("2001:db8:0:1::1:2"), &b));
	EXPECT_FALSE(cidr_contains(&c, &b));
	cidr_around(&a, 128, &c);
	EXPECT_TRUE(cidr_contains(&c, &a));
}

TEST(what_is_no_prefix_is_refused)
{
	struct cidr c = {.bits = 7};

	EXPECT_ERR(cidr_parse(S("10.0.0.0/33"), &c), ERR_LIMIT);
	EXPECT_ERR(cidr_parse(S("::/129"), &c), ERR_LIMIT);
	EXPECT_ERR(cidr_parse(S("10.0.0.0/"), &c), ERR_PARSE);
	EXPECT_ERR(cidr_parse(S("10.0.0.0/8/8"), &c), ERR_PARSE);
	EXPECT_ERR(cidr_parse(S("/8"), &c), ERR_PARSE);
	EXPECT_ERR(cidr_parse(S("::ffff:10.0.0.0/64"), &c), ERR_INVALID);
	EXPECT_EQ(c.bits, 7);
}

TEST(a_prefix_is_written_without_the_bits_of_the_host)
{
	char text[ADDR_TEXT_MAX];
	struct cidr c;

	EXPECT_OK(cidr_parse(S("10.1.2.3/8"), &c));
	EXPECT_STR(cidr_format(&c, text), "10.0.0.0/8");
	EXPECT_OK(cidr_parse(S("fd00::1"), &c));
	EXPECT_STR(cidr_format(&c, text), "fd00::1/128");
}
