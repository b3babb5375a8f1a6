/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set — services that are asked in turn: what is told of them, and what stays
 * when checks are replaced.
 */
#include "scene.h"

#include "unit.h"

#include <stdio.h>

struct watch {
	struct scene s;
	struct health_set *set;
	unsigned changes;
};

static void
on_change(void *arg)
{
	struct watch *w = arg;

	w->changes++;
}

static void
watch_open(struct watch *w)
{
	scene_open(&w->s, HTTP_PROTO_1);
	w->changes = 0;
	w->set = health_set_new(w->s.loop, on_change, w);
}

static void
watch_close(struct watch *w)
{
	health_set_free(&w->set);
	loop_settle(w->s.loop);
	scene_close(&w->s);
}

static void
replace(struct watch *w, const char *spec, bool serves)
{
	AUTO(resource_unref) struct resource *r = policy(spec);
	const struct health_wish wish = {.ns = S("shop"),
	    .name = S("web"),
	    .port = 80,
	    .target = w->s.addr,
	    .policy = r,
	    .serves = serves};

	health_set_replace(w->set, &wish, 1);
}

static struct health_report
report(const struct watch *w)
{
	struct health_report r;

	EXPECT_TRUE(health_set_find(w->set, S("shop"), S("web"), 80, &r));
	return r;
}

/* Time goes on until it was asked and has answered once more. */
static void
ask_again(struct watch *w)
{
	unsigned asked = w->s.asked;

	UNTIL(
	    &w->s, (clock_fake_advance(&w->s.time, 50000), w->s.asked > asked));
	for (int i = 0; i < 20; i++)
		loop_turn(w->s.loop, 1000); /* the answer */
}

static const char often[] =
    "{\"http\":{},\"interval\":\"10s\",\"unhealthyThreshold\":2}";

TEST(nobody_knows_how_it_is_until_the_first_answer)
{
	struct watch w;

	watch_open(&w);
	replace(&w, often, /* serves */ false);
	EXPECT_EQ(report(&w).state, HEALTH_UNKNOWN);
	EXPECT_SLICE(report(&w).reason, S("it has not been asked yet"));
	EXPECT_FALSE(health_set_find(
	    w.set, S("shop"), S("web"), 81, &(struct health_report){0}));
	EXPECT_EQ(w.changes, 0);
	ask_again(&w);
	EXPECT_EQ(report(&w).state, HEALTH_HEALTHY);
	EXPECT_SLICE(report(&w).reason, S("GET /: 200"));
	EXPECT_EQ(w.changes, 1);
	ask_again(&w);
	EXPECT_EQ(w.changes, 1); /* changes alone are told */
	watch_close(&w);
}

TEST(since_when_and_why_are_those_of_the_change)
{
	struct watch w;
	int64_t since;

	watch_open(&w);
	replace(&w, often, false);
	ask_again(&w);
	w.s.status = 503;
	ask_again(&w);
	EXPECT_EQ(report(&w).state, HEALTH_HEALTHY);
	ask_again(&w);
	EXPECT_EQ(report(&w).state, HEALTH_UNHEALTHY);
	EXPECT_SLICE(report(&w).reason, S("GET /: 503"));
	since = report(&w).since_ms;
	w.s.status = 500;
	ask_again(&w);
	EXPECT_SLICE(report(&w).reason, S("GET /: 503"));
	EXPECT_EQ(report(&w).since_ms, since);
	EXPECT_EQ(w.changes, 2);
	watch_close(&w);
}

TEST(the_same_check_again_changes_nothing)
{
	struct watch w;

	watch_open(&w);
	replace(&w, often, false);
	ask_again(&w);
	w.s.status = 503;
	ask_again(&w);
	replace(&w, often, false); /* another resource, of the same words */
	ask_again(&w);
	EXPECT_EQ(report(&w).state, HEALTH_UNHEALTHY); /* the second bad one */
	watch_close(&w);
}

TEST(another_check_keeps_the_state_until_its_first_answer)
{
	struct watch w;

	watch_open(&w);
	replace(&w, often, false);
	ask_again(&w);
	w.s.status = 503;
	replace(
	    &w, "{\"http\":{\"path\":\"/other\"},\"interval\":\"10s\"}", false);
	EXPECT_EQ(report(&w).state, HEALTH_HEALTHY);
	ask_again(&w);
	EXPECT_EQ(report(&w).state, HEALTH_UNHEALTHY); /* the first decides */
	EXPECT_SLICE(report(&w).reason, S("GET /other: 503"));
	watch_close(&w);
}

TEST(who_served_without_a_check_is_well_until_the_first_answer)
{
	struct watch w;

	watch_open(&w);
	replace(&w, often, /* serves */ true);
	EXPECT_EQ(report(&w).state, HEALTH_HEALTHY);
	w.s.status = 503;
	ask_again(&w);
	EXPECT_EQ(report(&w).state, HEALTH_UNHEALTHY);
	watch_close(&w);
}

TEST(who_is_wished_for_no_more_is_asked_no_more)
{
	AUTO(resource_unref) struct resource *r = policy(often);
	struct health_wish wishes[40];
	char names[40][8];
	struct health_report found;
	struct watch w;

	watch_open(&w);
	for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "s%zu", i);
		wishes[i] = (struct health_wish){.ns = S("shop"),
		    .name = slice_str(names[i]),
		    .port = 80,
		    .target = w.s.addr,
		    .policy = r};
	}
	health_set_replace(w.set, wishes, ARRAY_LEN(wishes));
	health_set_replace(w.set, wishes, 20);
	for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
		EXPECT_EQ(health_set_find(
			      w.set, S("shop"), wishes[i].name, 80, &found),
		    i < 20);
	/* All of them once: within the spread of the first question. */
	UNTIL(&w.s, (clock_fake_advance(&w.s.time, 1000), w.s.asked == 20));
	health_set_replace(w.set, NULL, 0);
	clock_fake_advance(&w.s.time, UINT64_C(100000000));
	for (int i = 0; i < 20; i++)
		loop_turn(w.s.loop, 1000);
	EXPECT_EQ(w.s.asked, 20);
	watch_close(&w);
}

TEST(it_may_end_while_somebody_is_asked)
{
	struct watch w;

	watch_open(&w);
	w.s.silent = true;
	replace(&w, often, false);
	ask_again(&w);
	health_set_replace(w.set, NULL, 0);
	http_exchange_respond(w.s.kept, 200, SLICE_NONE, SLICE_NONE);
	loop_settle(w.s.loop);
	EXPECT_EQ(w.changes, 0);
	watch_close(&w);
}
