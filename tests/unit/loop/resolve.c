/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve — literals, the hosts file, and a name server made of a socket.
 */
#include "hosts.h"
#include "loop.h"
#include "nameserver.h"
#include "unit.h"

#include <stdio.h>

/* --- hosts --- */

TEST(hosts_lines_give_names_in_any_case)
{
	struct hosts h;
	struct addr a[4];
	char text[ADDR_TEXT_MAX];

	hosts_init(&h);
	hosts_parse(
	    &h, S("# comment\n10.0.0.1 Web web.example # more\n"
		  "fd00::1\tweb\n\nnonsense web\n fe80::1%lo ll\r\n10.0.0.2 "));
	EXPECT_EQ(hosts_find(&h, S("WEB"), ADDR_NONE, a, 4), 2);
	EXPECT_STR(addr_format_ip(&a[0], text), "10.0.0.1");
	EXPECT_EQ(hosts_find(&h, S("web"), ADDR_V6, a, 4), 1);
	EXPECT_STR(addr_format_ip(&a[0], text), "fd00::1");
	EXPECT_EQ(hosts_find(&h, S("web.example"), ADDR_V6, a, 4), 0);
	EXPECT_EQ(hosts_find(&h, S("ll"), ADDR_NONE, a, 4), 1);
	EXPECT_EQ(hosts_find(&h, S("nonsense"), ADDR_NONE, a, 4), 0);
	hosts_fini(&h);
}

TEST(localhost_is_loopback_even_without_a_line)
{
	struct hosts h;
	struct addr a[4];

	hosts_init(&h);
	EXPECT_EQ(hosts_find(&h, S("a.LocalHost"), ADDR_NONE, a, 4), 2);
	EXPECT_TRUE(addr_is_loopback(&a[0]));
	EXPECT_TRUE(addr_is_loopback(&a[1]));
	hosts_fini(&h);
}

/* --- look-ups --- */

struct answer {
	bool came;
	enum err e;
	size_t count;
	uint32_t ttl_s;
	struct addr addrs[LOOP_RESOLVE_ADDRS_MAX];
};

static void
on_answer(void *arg, enum err e, const struct addr *addrs, size_t count,
    uint32_t ttl_s)
{
	struct answer *a = arg;

	CHECK(!a->came);
	a->came = true;
	a->e = e;
	a->count = count;
	a->ttl_s = ttl_s;
	if (count > 0)
		memcpy(a->addrs, addrs, count * sizeof(addrs[0]));
}

/* Knows "both.test" and "four.test". */
static void
server_start(struct nameserver *s, struct loop *l)
{
	nameserver_open(s);
	nameserver_add(s, "both.test", "10.0.0.7", 30);
	nameserver_add(s, "both.test", "fd00::7", 10);
	nameserver_add(s, "four.test", "10.0.0.7", 30);
	loop_resolve_setup(l, s->resolv_conf, s->hosts);
}

static struct answer
look_up(struct loop *l, struct slice name, enum addr_family family)
{
	struct answer a = {0};

	EXPECT_TRUE(loop_resolve(l, name, family, on_answer, &a) != NULL);
	EXPECT_FALSE(a.came);
	while (!a.came)
		loop_turn(l, 1000000);
	return a;
}

TEST(a_literal_and_a_hosts_name_need_no_server)
{
	struct loop *l = loop_new(NULL);
	struct nameserver s;
	struct answer a;

	server_start(&s, l);
	a = look_up(l, S("192.0.2.1"), ADDR_NONE);
	EXPECT_OK(a.e);
	EXPECT_EQ(a.count, 1);
	EXPECT_EQ(a.ttl_s, LOOP_RESOLVE_TTL_STATIC);
	a = look_up(l, S("192.0.2.1"), ADDR_V6);
	EXPECT_ERR(a.e, ERR_NOT_FOUND);
	a = look_up(l, S("STATIC.test"), ADDR_NONE);
	EXPECT_OK(a.e);
	EXPECT_EQ(s.asked, 0);
	nameserver_close(&s);
	loop_free(&l);
}

TEST(a_server_gives_both_families_and_the_smaller_ttl)
{
	struct loop *l = loop_new(NULL);
	struct nameserver s;
	struct answer a;
	char text[ADDR_TEXT_MAX];

	server_start(&s, l);
	a = look_up(l, S("both.test"), ADDR_NONE);
	EXPECT_OK(a.e);
	EXPECT_EQ(a.count, 2);
	EXPECT_EQ(a.ttl_s, 10);
	EXPECT_STR(addr_format_ip(&a.addrs[0], text), "10.0.0.7");
	EXPECT_STR(addr_format_ip(&a.addrs[1], text), "fd00::7");
	a = look_up(l, S("four.test."), ADDR_V4);
	EXPECT_OK(a.e);
	EXPECT_EQ(a.ttl_s, 30);
	a = look_up(l, S("four.test"), ADDR_NONE);
	EXPECT_OK(a.e);
	EXPECT_EQ(a.count, 1);
	nameserver_close(&s);
	loop_free(&l);
}

TEST(a_name_that_nobody_has_is_not_found)
{
	struct loop *l = loop_new(NULL);
	struct nameserver s;

	server_start(&s, l);
	EXPECT_ERR(look_up(l, S("none.example"), ADDR_NONE).e, ERR_NOT_FOUND);
	EXPECT_ERR(look_up(l, S("four.test"), ADDR_V6).e, ERR_NOT_FOUND);
	EXPECT_ERR(look_up(l, S("no name"), ADDR_V4).e, ERR_INVALID);
	EXPECT_ERR(look_up(l, S("a..b"), ADDR_V4).e, ERR_INVALID);
	EXPECT_ERR(look_up(l, S(""), ADDR_V4).e, ERR_INVALID);
	nameserver_close(&s);
	loop_free(&l);
}

TEST(without_a_name_server_it_is_unreachable_at_once)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);

	loop_resolve_setup(l, "/nonexistent/resolv.conf", "/nonexistent/hosts");
	EXPECT_ERR(look_up(l, S("x.test"), ADDR_V4).e, ERR_UNREACHABLE);
}

TEST(a_cancelled_look_up_is_silent_and_so_is_one_that_the_end_meets)
{
	struct loop *l = loop_new(NULL);
	struct nameserver s;
	struct answer a = {0};
	struct answer b = {0};
	struct loop_resolve *r;

	server_start(&s, l);
	nameserver_set_mute(&s, true, 0);
	r = loop_resolve(l, S("both.test"), ADDR_NONE, on_answer, &a);
	EXPECT_TRUE(
	    loop_resolve(l, S("b.test"), ADDR_V4, on_answer, &b) != NULL);
	while (s.asked < 3)
		loop_turn(l, 1000000);
	loop_resolve_cancel(&r);
	EXPECT_TRUE(r == NULL);
	loop_settle(l);
	nameserver_close(&s);
	loop_free(&l);
	EXPECT_FALSE(a.came);
	EXPECT_FALSE(b.came);
}

TEST(a_mute_server_ends_in_a_time_out)
{
	struct clock_fake fake = {.mono_us = 1};
	struct clock clock = clock_fake_as_clock(&fake);
	struct loop *l = loop_new(&clock);
	struct nameserver s;
	struct answer a = {0};

	server_start(&s, l);
	nameserver_set_mute(&s, true, 0);
	EXPECT_TRUE(
	    loop_resolve(l, S("x.test"), ADDR_V4, on_answer, &a) != NULL);
	clock_fake_advance(&fake, 10000000);
	loop_turn(l, 0);
	EXPECT_FALSE(a.came);
	clock_fake_advance(&fake, 1000);
	loop_turn(l, 0);
	EXPECT_TRUE(a.came);
	EXPECT_ERR(a.e, ERR_TIMEOUT);
	nameserver_close(&s);
	loop_free(&l);
}

TEST(look_ups_are_bounded)
{
	struct loop *l = loop_new(NULL);
	struct nameserver s;
	struct answer *a;
	size_t n = 0;

	a = mem_new_array(LOOP_RESOLVE_PENDING_MAX + 1, sizeof(*a));
	server_start(&s, l);
	nameserver_set_mute(&s, true, 0);
	while (n <= LOOP_RESOLVE_PENDING_MAX &&
	       loop_resolve(l, S("x.test"), ADDR_V4, on_answer, &a[n]) != NULL)
		n++;
	EXPECT_EQ(n, LOOP_RESOLVE_PENDING_MAX);
	nameserver_close(&s);
	loop_free(&l);
	mem_free(&a);
}

/* --- what answers look like ----------------------------------------------- */

TEST(a_name_that_is_another_ones_has_its_addresses)
{
	struct loop *l = loop_new(NULL);
	struct nameserver s;
	struct answer a;
	char text[ADDR_TEXT_MAX];

	server_start(&s, l);
	nameserver_add(&s, "www.test", "alias.test", 300);
	nameserver_add(&s, "alias.test", "both.test", 300);
	a = look_up(l, S("www.test"), ADDR_V4);
	EXPECT_OK(a.e);
	EXPECT_EQ(a.count, 1);
	EXPECT_STR(addr_format_ip(&a.addrs[0], text), "10.0.0.7");
	EXPECT_EQ(a.ttl_s, 30);
	nameserver_add(&s, "lost.test", "nowhere.test", 300);
	EXPECT_ERR(look_up(l, S("lost.test"), ADDR_V4).e, ERR_NOT_FOUND);
	nameserver_close(&s);
	loop_free(&l);
}

/* The library asks by UDP, without EDNS: RFC 1035 §4.2.1 allows 512 bytes. */
TEST(an_answer_that_does_not_fit_is_of_no_use)
{
	struct loop *l = loop_new(NULL);
	struct nameserver s;
	struct answer a;
	char text[ADDR_TEXT_MAX];

	server_start(&s, l);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "10.0.1.%d", i);
		nameserver_add(&s, i < 12 ? "some.test" : "many.test", text, 5);
	}
	a = look_up(l, S("some.test"), ADDR_V4);
	EXPECT_OK(a.e);
	EXPECT_EQ(a.count, 12);
	EXPECT_ERR(look_up(l, S("many.test"), ADDR_V4).e, ERR_PROTOCOL);
	nameserver_close(&s);
	loop_free(&l);
}

TEST(a_server_that_fails_is_no_word_about_the_name)
{
	struct loop *l = loop_new(NULL);
	struct nameserver s;

	server_start(&s, l);
	nameserver_set_failure(&s, /* REFUSED */ 5);
	EXPECT_ERR(look_up(l, S("four.test"), ADDR_V4).e, ERR_UNREACHABLE);
	nameserver_close(&s);
	loop_free(&l);
}

/* Some never answer for IPv6. */
TEST(a_family_that_is_silent_holds_the_other_up_for_a_second)
{
	struct loop *l = loop_new(NULL);
	struct nameserver s;
	struct answer a;
	uint64_t began;

	server_start(&s, l);
	nameserver_set_mute(&s, false, NAMESERVER_V6);
	began = clock_mono_us(&clock_system);
	a = look_up(l, S("both.test"), ADDR_NONE);
	EXPECT_OK(a.e);
	EXPECT_EQ(a.count, 1);
	EXPECT_EQ(a.addrs[0].family, ADDR_V4);
	EXPECT_TRUE(clock_mono_us(&clock_system) - began < 5000000);
	nameserver_close(&s);
	loop_free(&l);
}
