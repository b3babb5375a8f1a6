/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names — what is known of names, and when they are asked for again; with a
 * name server on loopback and a clock of the test's.
 */
#include "names.h"

#include "nameserver.h"
#include "unit.h"

#include <stdio.h>

enum { SECOND = 1000000, MINUTE = 60 * SECOND };

struct scene {
	struct clock_fake time;
	struct clock clock;
	struct loop *loop;
	struct nameserver server;
	struct names *names;
	unsigned changes;
	struct arena arena;
};

static enum addr_family
both_families(void)
{
	return ADDR_NONE;
}

static enum addr_family
old_family(void)
{
	return ADDR_V4;
}

static void
on_change(void *arg)
{
	struct scene *s = arg;

	s->changes++;
}

static void
scene_open(struct scene *s, enum addr_family (*family)(void))
{
	memset(s, 0, sizeof(*s));
	s->time.mono_us = 1;
	s->clock = clock_fake_as_clock(&s->time);
	s->loop = loop_new(&s->clock);
	nameserver_open(&s->server);
	loop_resolve_setup(s->loop, s->server.resolv_conf, s->server.hosts);
	s->names = names_new(&(struct names_spec){.loop = s->loop,
	    .family = family,
	    .on_change = on_change,
	    .arg = s});
	arena_init(&s->arena, 1 << 20);
}

static void
scene_close(struct scene *s)
{
	names_free(&s->names);
	nameserver_close(&s->server);
	loop_free(&s->loop);
	arena_fini(&s->arena);
	metrics_fini();
}

static void
follow(struct scene *s, const char *name, bool in_order)
{
	const struct view_name needed = {slice_str(name), in_order};

	names_follow(s->names, &needed, name != NULL, MINUTE);
}

/* Turns until that many changes were told, or the test has waited enough. */
static void
until_changes(struct scene *s, unsigned n)
{
	uint64_t end = clock_mono_us(&clock_system) + 10 * SECOND;

	while (s->changes < n) {
		CHECK(clock_mono_us(&clock_system) < end);
		loop_turn(s->loop, 10000);
	}
	EXPECT_EQ(s->changes, n);
}

/* Until the server was asked that often, and has been heard. */
static void
until_asked(struct scene *s, unsigned n)
{
	uint64_t end = clock_mono_us(&clock_system) + 10 * SECOND;

	while (s->server.asked < n) {
		CHECK(clock_mono_us(&clock_system) < end);
		loop_turn(s->loop, 10000);
	}
	for (int i = 0; i < 20; i++)
		loop_turn(s->loop, 2000);
	EXPECT_EQ(s->server.asked, n);
}

static void
pass(struct scene *s, uint64_t us)
{
	clock_fake_advance(&s->time, us);
	loop_turn(s->loop, 0);
}

static struct view_name_input
only(struct scene *s)
{
	size_t count;
	const struct view_name_input *all =
	    names_inputs(s->names, &s->arena, &count);

	EXPECT_EQ(count, 1);
	return all[0];
}

static bool
leads_to(struct scene *s, size_t n, const char *ip)
{
	struct view_name_input is = only(s);
	char text[ADDR_TEXT_MAX];

	return n < is.count &&
	       strcmp(addr_format_ip(&is.addrs[n], text), ip) == 0;
}

static void
note_failure(void *arg, struct slice name, struct slice words)
{
	char *out = arg;

	(void)snprintf(
	    out, 512, "%.*s: %.*s", SLICE_ARG(name), SLICE_ARG(words));
}

TEST(nothing_is_known_until_the_first_answer)
{
	struct scene s;

	scene_open(&s, both_families);
	nameserver_add(&s.server, "db.test", "10.0.0.1", 30);
	follow(&s, "db.test", false);
	EXPECT_EQ(only(&s).count, 0);
	EXPECT_EQ(only(&s).reason.len, 0);
	EXPECT_EQ(only(&s).version, 0);
	until_changes(&s, 1);
	EXPECT_TRUE(leads_to(&s, 0, "10.0.0.1"));
	EXPECT_TRUE(only(&s).version > 0);
	scene_close(&s);
}

TEST(an_answer_is_good_for_as_long_as_it_says)
{
	struct scene s;

	scene_open(&s, old_family);
	nameserver_add(&s.server, "db.test", "10.0.0.1", 30);
	follow(&s, "db.test", false);
	until_changes(&s, 1);
	nameserver_clear(&s.server);
	nameserver_add(&s.server, "db.test", "10.0.0.2", 30);
	pass(&s, 29 * SECOND);
	until_asked(&s, 1);
	pass(&s, 1100000);
	until_changes(&s, 2);
	EXPECT_TRUE(leads_to(&s, 0, "10.0.0.2"));
	scene_close(&s);
}

TEST(one_that_says_0_is_good_for_the_meshs_rate)
{
	struct scene s;

	scene_open(&s, old_family);
	nameserver_add(&s.server, "db.test", "10.0.0.1", 0);
	follow(&s, "db.test", false);
	until_changes(&s, 1);
	pass(&s, 59 * SECOND);
	until_asked(&s, 1);
	pass(&s, 1100000);
	until_asked(&s, 2);
	EXPECT_EQ(s.changes, 1);
	scene_close(&s);
}

/* Servers turn the order of records round. */
TEST(another_order_is_news_only_where_it_matters)
{
	for (int in_order = 0; in_order < 2; in_order++) {
		struct scene s;

		scene_open(&s, old_family);
		nameserver_add(&s.server, "db.test", "10.0.0.2", 5);
		nameserver_add(&s.server, "db.test", "10.0.0.1", 5);
		follow(&s, "db.test", in_order);
		until_changes(&s, 1);
		EXPECT_TRUE(
		    leads_to(&s, 0, in_order ? "10.0.0.2" : "10.0.0.1"));
		nameserver_clear(&s.server);
		nameserver_add(&s.server, "db.test", "10.0.0.1", 5);
		nameserver_add(&s.server, "db.test", "10.0.0.2", 5);
		pass(&s, 5100000);
		until_asked(&s, 2);
		EXPECT_EQ(s.changes, 1 + (unsigned)in_order);
		EXPECT_TRUE(leads_to(&s, 0, "10.0.0.1"));
		scene_close(&s);
	}
}

TEST(a_server_that_fails_takes_nothing_back_and_is_asked_again_soon)
{
	struct scene s;
	char words[512] = "";

	scene_open(&s, old_family);
	nameserver_add(&s.server, "db.test", "10.0.0.1", 5);
	follow(&s, "db.test", false);
	until_changes(&s, 1);
	nameserver_set_failure(&s.server, /* REFUSED */ 5);
	pass(&s, 5100000);
	until_asked(&s, 2);
	EXPECT_EQ(s.changes, 1);
	EXPECT_TRUE(leads_to(&s, 0, "10.0.0.1"));
	names_each_failure(s.names, note_failure, words);
	EXPECT_STR(words,
	    "db.test: its name is not resolved: no name server answers; see "
	    "/etc/resolv.conf; calls go to the addresses of before");
	nameserver_set_failure(&s.server, 0);
	pass(&s, 1100000);
	until_asked(&s, 3);
	words[0] = '\0';
	names_each_failure(s.names, note_failure, words);
	EXPECT_STR(words, "");
	scene_close(&s);
}

/* Upstream's: the word of the servers that there is none counts, but a name
 * that floats keeps what it had. */
TEST(a_name_that_is_gone_is_gone_unless_it_floats)
{
	for (int floats = 0; floats < 2; floats++) {
		struct scene s;

		scene_open(&s, old_family);
		nameserver_add(&s.server, "db.test", "10.0.0.1", 5);
		follow(&s, "db.test", floats);
		until_changes(&s, 1);
		nameserver_clear(&s.server);
		pass(&s, 5100000);
		until_asked(&s, 2);
		EXPECT_EQ(only(&s).count, (size_t)floats);
		EXPECT_EQ(s.changes, floats ? 1U : 2U);
		EXPECT_EQ(only(&s).reason.len == 0, floats);
		scene_close(&s);
	}
}

TEST(one_that_is_not_there_is_asked_for_less_and_less)
{
	struct scene s;
	unsigned asked;

	scene_open(&s, old_family);
	follow(&s, "none.test", false);
	until_changes(&s, 1);
	EXPECT_TRUE(only(&s).reason.len > 0);
	for (int i = 0; i < 120; i++) { /* two minutes */
		pass(&s, SECOND);
		for (int j = 0; j < 3; j++)
			loop_turn(s.loop, 1000);
	}
	asked = s.server.asked;
	EXPECT_TRUE(asked >= 6);
	EXPECT_TRUE(asked <= 20);
	nameserver_add(&s.server, "none.test", "10.0.0.1", 5);
	names_retry(s.names); /* somebody has seen to it */
	until_changes(&s, 2);
	EXPECT_EQ(only(&s).count, 1);
	scene_close(&s);
}

TEST(a_machine_of_one_family_asks_for_no_other)
{
	struct scene s;

	scene_open(&s, old_family);
	nameserver_add(&s.server, "db.test", "fd00::1", 5);
	follow(&s, "db.test", false);
	until_changes(&s, 1);
	EXPECT_EQ(only(&s).count, 0);
	EXPECT_SLICE(only(&s).reason,
	    S("there is no such name, or it has no address of the family that "
	      "this machine has"));
	scene_close(&s);
}

TEST(what_is_needed_no_more_is_not_asked_for)
{
	struct scene s;
	size_t count;

	scene_open(&s, old_family);
	nameserver_add(&s.server, "db.test", "10.0.0.1", 1);
	follow(&s, "db.test", false);
	until_changes(&s, 1);
	follow(&s, NULL, false);
	(void)names_inputs(s.names, &s.arena, &count);
	EXPECT_EQ(count, 0);
	pass(&s, MINUTE);
	until_asked(&s, 1);
	nameserver_set_mute(&s.server, true, 0);
	follow(&s, "db.test", false); /* and gone while it is asked for */
	follow(&s, NULL, false);
	scene_close(&s);
}

TEST(many_names_are_asked_for_a_few_at_a_time)
{
	enum { MANY = 1000 };
	struct scene s;
	char(*texts)[32] = mem_new_array(MANY, sizeof(*texts));
	struct view_name *needed = mem_new_array(MANY, sizeof(*needed));

	scene_open(&s, old_family);
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "n%04zu.test", i);
		needed[i].name = slice_str(texts[i]);
	}
	names_follow(s.names, needed, MANY, MINUTE);
	until_changes(&s, MANY);
	EXPECT_EQ(s.server.asked, MANY);
	scene_close(&s);
	mem_free(&needed);
	mem_free(&texts);
}
