/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge — sequences of answers, with a clock of the test's.
 */
#include "judge.h"

#include "unit.h"

enum { SECOND = 1000000 };

static const struct judge_rules rules = {
    .interval_us = 10 * SECOND, .healthy = 2, .unhealthy = 3};

/* '+' and '-', a second apart; what it is after each: 'h', 'u' or '?'. */
static void
expect_run(const char *answers, const char *states)
{
	struct judge j;

	judge_init(&j, HEALTH_UNKNOWN);
	for (size_t i = 0; answers[i] != '\0'; i++) {
		enum health_state before = j.state;
		bool is_new =
		    judge_take(&j, &rules, i * SECOND, answers[i] == '+');

		EXPECT_EQ("?hu"[j.state], states[i]);
		EXPECT_EQ(is_new, before != j.state);
	}
}

TEST(the_first_answer_decides_alone)
{
	expect_run("+", "h");
	expect_run("-", "u");
}

TEST(after_it_as_many_in_a_row_as_the_rules_say)
{
	expect_run("+--+---", "hhhhhhu");
	expect_run("-+-++", "uuuuh");
	expect_run("-----", "uuuuu");
}

/* One fall of a service that is asked once: up, and down by the first bad. */
static const struct judge_rules quick = {
    .interval_us = SECOND, .healthy = 1, .unhealthy = 1};

static void
fall(struct judge *j, uint64_t at_us)
{
	EXPECT_EQ(j->state, HEALTH_HEALTHY);
	EXPECT_TRUE(judge_take(j, &quick, at_us, false));
	EXPECT_EQ(j->state, HEALTH_UNHEALTHY);
}

static void
rise(struct judge *j, uint64_t at_us)
{
	EXPECT_TRUE(judge_take(j, &quick, at_us, true));
}

static void
fall_thrice(struct judge *j)
{
	judge_init(j, HEALTH_HEALTHY);
	fall(j, 0);
	rise(j, 1 * SECOND);
	fall(j, 2 * SECOND);
	rise(j, 3 * SECOND);
	fall(j, 4 * SECOND);
}

TEST(two_falls_are_forgiven_and_the_third_is_held)
{
	struct judge j;
	uint64_t held;

	fall_thrice(&j);
	held = judge_held_us(&j, 4 * SECOND);
	EXPECT_TRUE(held > 30 * SECOND && held <= 60 * SECOND);
	EXPECT_FALSE(judge_take(&j, &quick, 5 * SECOND, true));
	EXPECT_TRUE(j.held_well);
	EXPECT_EQ(j.state, HEALTH_UNHEALTHY);
	EXPECT_FALSE(judge_take(&j, &quick, 4 * SECOND + held - SECOND, true));
	rise(&j, 4 * SECOND + held + 1000);
	EXPECT_FALSE(j.held_well);
}

TEST(falls_that_are_far_apart_are_forgiven)
{
	struct judge j;

	judge_init(&j, HEALTH_HEALTHY);
	for (uint64_t at = 0; at < 3600; at += 60) {
		fall(&j, at * SECOND);
		rise(&j, (at + 1) * SECOND);
	}
}

TEST(a_fall_that_the_hold_hides_counts_and_a_minute_is_the_longest_hold)
{
	struct judge j;
	uint64_t before, now = 4 * SECOND;

	fall_thrice(&j);
	before = judge_held_us(&j, now);
	for (int i = 0; i < 20; i++) {
		EXPECT_FALSE(judge_take(&j, &quick, now, true));
		EXPECT_FALSE(judge_take(&j, &quick, now, false));
	}
	EXPECT_TRUE(judge_held_us(&j, now) > before);
	EXPECT_TRUE(judge_held_us(&j, now) <= 60 * SECOND + 1);
	/* What stays bad falls no deeper. */
	now += 30 * SECOND;
	before = judge_held_us(&j, now);
	EXPECT_FALSE(judge_take(&j, &quick, now, false));
	EXPECT_EQ(judge_held_us(&j, now), before);
}

TEST(new_rules_let_the_next_answer_decide_and_keep_the_state_till_then)
{
	struct judge j;

	judge_init(&j, HEALTH_HEALTHY);
	EXPECT_FALSE(judge_take(&j, &rules, 0, true));
	EXPECT_FALSE(judge_take(&j, &rules, SECOND, false));
	judge_renew(&j);
	EXPECT_EQ(j.state, HEALTH_HEALTHY);
	EXPECT_TRUE(judge_take(&j, &rules, 2 * SECOND, false));
}

TEST(the_first_question_comes_after_the_delay_and_not_all_at_once)
{
	struct judge_rules late = rules;
	struct judge j;
	struct rng rng;
	uint64_t least = UINT64_MAX, most = 0;

	late.delay_us = 5 * SECOND;
	rng_init(&rng, 1);
	judge_init(&j, HEALTH_UNKNOWN);
	for (int i = 0; i < 1000; i++) {
		uint64_t wait = judge_wait_us(&j, &late, 0, &rng);

		least = MIN(least, wait);
		most = MAX(most, wait);
	}
	EXPECT_TRUE(least >= 5 * SECOND && least < 5 * SECOND + 5000);
	EXPECT_TRUE(most < 5 * SECOND + JUDGE_FIRST_SPREAD_US);
	EXPECT_TRUE(most > 5 * SECOND + JUDGE_FIRST_SPREAD_US - 5000);
}

TEST(intervals_are_spread_by_a_tenth_either_way)
{
	struct judge j;
	struct rng rng;
	uint64_t sum = 0, least = UINT64_MAX, most = 0;

	rng_init(&rng, 2);
	judge_init(&j, HEALTH_UNKNOWN);
	EXPECT_TRUE(judge_take(&j, &rules, 0, true));
	for (int i = 0; i < 1000; i++) {
		uint64_t wait = judge_wait_us(&j, &rules, 0, &rng);

		least = MIN(least, wait);
		most = MAX(most, wait);
		sum += wait;
	}
	EXPECT_TRUE(least >= 9 * SECOND && least < 9 * SECOND + SECOND / 10);
	EXPECT_TRUE(most <= 11 * SECOND && most > 11 * SECOND - SECOND / 10);
	EXPECT_TRUE(sum / 1000 > 99 * SECOND / 10);
	EXPECT_TRUE(sum / 1000 < 101 * SECOND / 10);
}

TEST(until_it_was_well_once_it_is_asked_each_second)
{
	struct judge j;
	struct rng rng;

	rng_init(&rng, 3);
	judge_init(&j, HEALTH_UNKNOWN);
	EXPECT_TRUE(judge_take(&j, &rules, 0, false));
	EXPECT_EQ(judge_wait_us(&j, &rules, 0, &rng), HEALTH_EAGER_US);
	EXPECT_FALSE(judge_take(&j, &rules, SECOND, true));
	EXPECT_TRUE(judge_take(&j, &rules, 2 * SECOND, true));
	EXPECT_TRUE(judge_wait_us(&j, &rules, 0, &rng) >= 9 * SECOND);
}

TEST(who_is_held_is_asked_when_the_hold_ends)
{
	struct judge_rules slow = quick;
	struct judge j;
	struct rng rng;
	uint64_t held;

	slow.interval_us = 3600 * (uint64_t)SECOND;
	rng_init(&rng, 4);
	fall_thrice(&j);
	EXPECT_FALSE(judge_take(&j, &slow, 5 * SECOND, true));
	held = judge_held_us(&j, 5 * SECOND);
	EXPECT_EQ(judge_wait_us(&j, &slow, 5 * SECOND, &rng), held);
	rise(&j, 5 * SECOND + held);
}
