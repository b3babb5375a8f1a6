/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve — literals, the hosts file, and a name server made of a socket.
 */
#include "hosts.h"
#include "loop.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_AAAA = 28, RCODE_NXDOMAIN = 3 };

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

/* A name server that knows "both.test" and "four.test". */
struct server {
	int fd;
	struct loop_io io;
	int asked;
	bool mute;
	char resolv_conf[64];
	char hosts[64];
};

static void
answer_query(
    struct server *s, char *packet, ssize_t len, const struct sockaddr_in *to)
{
	static const char v4[] = "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\x0a\0\0\7";
	static const char v6[] = "\xc0\x0c\0\x1c\0\1\0\0\0\x0a\0\x10"
				 "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7";
	int type = packet[len - 3];
	bool both = packet[12] == 4 && (packet[13] | 0x20) == 'b';
	bool four = packet[12] == 4 && (packet[13] | 0x20) == 'f';
	size_t size = 0;

	packet[2] = (char)0x81;
	packet[3] = (char)(both || four ? 0 : RCODE_NXDOMAIN);
	if (type == TYPE_A && (both || four)) {
		size = sizeof(v4) - 1;
		memcpy(packet + len, v4, size);
	} else if (type == TYPE_AAAA && both) {
		size = sizeof(v6) - 1;
		memcpy(packet + len, v6, size);
	}
	packet[7] = (char)(size > 0);
	(void)!sendto(s->fd, packet, (size_t)len + size, 0,
	    (const struct sockaddr *)to, sizeof(*to));
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct server *s = arg;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	char packet[1024];
	ssize_t n;

	(void)writable;
	while (readable && (n = recvfrom(s->fd, packet, 512, MSG_DONTWAIT,
				(struct sockaddr *)&from, &from_len)) > 0) {
		s->asked++;
		if (!s->mute)
			answer_query(s, packet, n, &from);
	}
}

static void
write_file(char path[64], const char *text)
{
	int fd;

	memcpy(path, "/tmp/meshd-resolve-XXXXXX", 26);
	fd = mkstemp(path);
	EXPECT_TRUE(fd >= 0);
	EXPECT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
server_start(struct server *s, struct loop *l)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);
	char line[64];

	memset(s, 0, sizeof(*s));
	s->fd = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_EQ(bind(s->fd, (struct sockaddr *)&sin, len), 0);
	EXPECT_EQ(getsockname(s->fd, (struct sockaddr *)&sin, &len), 0);
	EXPECT_OK(loop_io_open(&s->io, l, s->fd, on_ready, s));
	snprintf(line, sizeof(line), "nameserver 127.0.0.1:%u\n",
	    ntohs(sin.sin_port));
	write_file(s->resolv_conf, line);
	write_file(s->hosts, "192.0.2.9 static.test\n");
	loop_resolve_setup(l, s->resolv_conf, s->hosts);
}

static void
server_stop(struct server *s)
{
	loop_io_close(&s->io);
	close(s->fd);
	unlink(s->resolv_conf);
	unlink(s->hosts);
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
	struct server s;
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
	server_stop(&s);
	loop_free(&l);
}

TEST(a_server_gives_both_families_and_the_smaller_ttl)
{
	struct loop *l = loop_new(NULL);
	struct server s;
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
	server_stop(&s);
	loop_free(&l);
}

TEST(a_name_that_nobody_has_is_not_found)
{
	struct loop *l = loop_new(NULL);
	struct server s;

	server_start(&s, l);
	EXPECT_ERR(look_up(l, S("none.example"), ADDR_NONE).e, ERR_NOT_FOUND);
	EXPECT_ERR(look_up(l, S("four.test"), ADDR_V6).e, ERR_NOT_FOUND);
	EXPECT_ERR(look_up(l, S("no name"), ADDR_V4).e, ERR_INVALID);
	EXPECT_ERR(look_up(l, S("a..b"), ADDR_V4).e, ERR_INVALID);
	EXPECT_ERR(look_up(l, S(""), ADDR_V4).e, ERR_INVALID);
	server_stop(&s);
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
	struct server s;
	struct answer a = {0};
	struct answer b = {0};
	struct loop_resolve *r;

	server_start(&s, l);
	s.mute = true;
	r = loop_resolve(l, S("both.test"), ADDR_NONE, on_answer, &a);
	EXPECT_TRUE(
	    loop_resolve(l, S("b.test"), ADDR_V4, on_answer, &b) != NULL);
	while (s.asked < 3)
		loop_turn(l, 1000000);
	loop_resolve_cancel(&r);
	EXPECT_TRUE(r == NULL);
	loop_settle(l);
	server_stop(&s);
	loop_free(&l);
	EXPECT_FALSE(a.came);
	EXPECT_FALSE(b.came);
}

TEST(a_mute_server_ends_in_a_time_out)
{
	struct clock_fake fake = {.mono_us = 1};
	struct clock clock = clock_fake_as_clock(&fake);
	struct loop *l = loop_new(&clock);
	struct server s;
	struct answer a = {0};

	server_start(&s, l);
	s.mute = true;
	EXPECT_TRUE(
	    loop_resolve(l, S("x.test"), ADDR_V4, on_answer, &a) != NULL);
	clock_fake_advance(&fake, 10000000);
	loop_turn(l, 0);
	EXPECT_FALSE(a.came);
	clock_fake_advance(&fake, 1000);
	loop_turn(l, 0);
	EXPECT_TRUE(a.came);
	EXPECT_ERR(a.e, ERR_TIMEOUT);
	server_stop(&s);
	loop_free(&l);
}

TEST(look_ups_are_bounded)
{
	struct loop *l = loop_new(NULL);
	struct server s;
	struct answer *a;
	size_t n = 0;

	a = mem_new_array(LOOP_RESOLVE_PENDING_MAX + 1, sizeof(*a));
	server_start(&s, l);
	s.mute = true;
	while (n <= LOOP_RESOLVE_PENDING_MAX &&
	       loop_resolve(l, S("x.test"), ADDR_V4, on_answer, &a[n]) != NULL)
		n++;
	EXPECT_EQ(n, LOOP_RESOLVE_PENDING_MAX);
	server_stop(&s);
	loop_free(&l);
	mem_free(&a);
}
