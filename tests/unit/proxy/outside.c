/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside — names that the mesh does not know are asked for once in their TTL.
 */
#include "upstream/outside.h"
#include "nameserver.h"
#include "unit.h"
#include "worker.h"

#include <stdio.h>

enum { SECOND = 1000000, MANY = 300 };

struct asker {
	struct clock_fake time;
	struct clock clock;
	struct nameserver server;
	struct worker worker;
	struct outside outside;
	unsigned answers;
	enum err e;
};

static void
on_done(void *arg, enum err e)
{
	struct asker *a = arg;

	a->answers++;
	a->e = e;
}

static void
asker_open(struct asker *a)
{
	memset(a, 0, sizeof(*a));
	a->time.mono_us = 1;
	a->clock = clock_fake_as_clock(&a->time);
	a->worker.loop = loop_new(&a->clock);
	map_init(&a->worker.outside);
	nameserver_open(&a->server);
	loop_resolve_setup(
	    a->worker.loop, a->server.resolv_conf, a->server.hosts);
}

static void
asker_close(struct asker *a)
{
	outside_forget(&a->worker);
	nameserver_close(&a->server);
	loop_free(&a->worker.loop);
}

static void
begin(struct asker *a, const char *name)
{
	a->outside =
	    (struct outside){.worker = &a->worker, .done = on_done, .arg = a};
	EXPECT_TRUE(outside_find(&a->outside, slice_str(name), 80));
}

static void
expect_addr(struct asker *a, const char *name, const char *addr)
{
	uint64_t end = clock_mono_us(&clock_system) + 10 * SECOND;
	unsigned before = a->answers;
	char text[ADDR_TEXT_MAX];

	begin(a, name);
	EXPECT_EQ(a->answers, before);
	while (a->answers == before) {
		CHECK(clock_mono_us(&clock_system) < end);
		loop_turn(a->worker.loop, 10000);
	}
	EXPECT_EQ(a->outside.count, addr != NULL);
	if (addr != NULL)
		EXPECT_STR(addr_format(&a->outside.addrs[0], text), addr);
	else
		EXPECT_ERR(a->e, ERR_NOT_FOUND);
}

static void
pass(struct asker *a, uint64_t us)
{
	clock_fake_advance(&a->time, us);
	loop_turn(a->worker.loop, 0);
}

TEST(a_name_is_asked_for_again_when_its_answer_is_too_old)
{
	struct asker a;

	asker_open(&a);
	nameserver_add(&a.server, "far.test", "10.0.0.1", 30);
	expect_addr(&a, "far.test", "10.0.0.1:80");
	nameserver_clear(&a.server);
	nameserver_add(&a.server, "far.test", "10.0.0.2", 30);
	pass(&a, 29 * SECOND);
	expect_addr(&a, "far.test", "10.0.0.1:80");
	pass(&a, SECOND);
	expect_addr(&a, "far.test", "10.0.0.2:80");
	asker_close(&a);
}

TEST(what_may_not_be_kept_or_is_not_there_is_asked_for_each_time)
{
	struct asker a;

	asker_open(&a);
	nameserver_add(&a.server, "far.test", "10.0.0.1", 0);
	expect_addr(&a, "far.test", "10.0.0.1:80");
	expect_addr(&a, "none.test", NULL);
	nameserver_clear(&a.server);
	nameserver_add(&a.server, "far.test", "10.0.0.2", 0);
	nameserver_add(&a.server, "none.test", "10.0.0.3", 30);
	expect_addr(&a, "far.test", "10.0.0.2:80");
	expect_addr(&a, "none.test", "10.0.0.3:80");
	asker_close(&a);
}

TEST(no_more_names_are_kept_than_a_bound)
{
	struct asker a;
	char name[32];
	char addr[48];

	asker_open(&a);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(
		    name, sizeof(name), "127.0.%d.%d", i / 250, i % 250 + 1);
		(void)snprintf(addr, sizeof(addr), "%s:80", name);
		expect_addr(&a, name, addr);
	}
	/* All were forgotten at the 257th. */
	EXPECT_EQ(a.worker.outside.count, MANY - 256);
	asker_close(&a);
}

TEST(one_that_is_known_may_be_wanted_no_more)
{
	struct asker a;

	asker_open(&a);
	nameserver_add(&a.server, "far.test", "10.0.0.1", 30);
	expect_addr(&a, "far.test", "10.0.0.1:80");
	begin(&a, "far.test");
	outside_stop(&a.outside);
	pass(&a, 1);
	EXPECT_EQ(a.answers, 1);
	asker_close(&a);
}
