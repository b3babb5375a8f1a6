/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lb — shares, preference for the idle, and what failures do to a choice.
 */
#include "unit.h"

#include "lb/lb.h"

enum { HOSTS_MAX = 8, MANY = 40000 };

struct fixture {
	struct lb_host host[HOSTS_MAX];
	struct lb_slot slots[HOSTS_MAX];
	struct lb_set set;
	struct rng rng;
	unsigned hits[HOSTS_MAX + 1];
};

static void
setup(struct fixture *f, size_t count, const uint32_t *weights)
{
	*f = (struct fixture){0};
	rng_init(&f->rng, 7);
	for (size_t i = 0; i < count; i++) {
		f->host[i].weight = weights ? weights[i] : 1;
		f->slots[i].host = &f->host[i];
	}
	lb_set_init(&f->set, f->slots, count, &f->rng);
}

static void
pick_many(struct fixture *f, enum lb_policy policy, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		f->hits[lb_pick(&f->set, policy, /* now_us */ 1000, &f->rng)]++;
}

static bool
within(double value, double want, double share)
{
	return value > want * (1 - share) && value < want * (1 + share);
}

TEST(round_robin_with_equal_weights_is_exact)
{
	struct fixture f;

	setup(&f, 4, NULL);
	pick_many(&f, LB_ROUND_ROBIN, 400);
	for (size_t i = 0; i < 4; i++)
		EXPECT_EQ(f.hits[i], 100);
}

TEST(round_robin_follows_weights)
{
	struct fixture f;

	setup(&f, 3, (uint32_t[]){1, 3, 6});
	pick_many(&f, LB_ROUND_ROBIN, 1000);
	EXPECT_TRUE(within(f.hits[0], 100, 0.03));
	EXPECT_TRUE(within(f.hits[1], 300, 0.03));
	EXPECT_TRUE(within(f.hits[2], 600, 0.03));
}

TEST(random_follows_weights)
{
	struct fixture f;

	setup(&f, 3, (uint32_t[]){1, 3, 6});
	pick_many(&f, LB_RANDOM, MANY);
	EXPECT_TRUE(within(f.hits[0], MANY * 0.1, 0.08));
	EXPECT_TRUE(within(f.hits[2], MANY * 0.6, 0.08));
}

TEST(random_with_equal_weights_is_even)
{
	struct fixture f;

	setup(&f, 5, NULL);
	pick_many(&f, LB_RANDOM, MANY);
	for (size_t i = 0; i < 5; i++)
		EXPECT_TRUE(within(f.hits[i], MANY / 5.0, 0.05));
}

TEST(least_request_prefers_the_idle)
{
	struct fixture f;

	setup(&f, 2, NULL);
	f.host[0].active = 50;
	pick_many(&f, LB_LEAST_REQUEST, 1000);
	/* only when both throws hit the busy one: a quarter */
	EXPECT_TRUE(within(f.hits[0], 250, 0.2));
}

TEST(least_request_with_weights_follows_them_when_idle)
{
	struct fixture f;

	setup(&f, 2, (uint32_t[]){1, 9});
	pick_many(&f, LB_LEAST_REQUEST, 1000);
	EXPECT_TRUE(within(f.hits[1], 900, 0.03));
}

TEST(a_host_of_weight_zero_takes_nothing)
{
	struct fixture f;

	setup(&f, 2, (uint32_t[]){0, 1});
	pick_many(&f, LB_ROUND_ROBIN, 100);
	pick_many(&f, LB_RANDOM, 100);
	pick_many(&f, LB_LEAST_REQUEST, 100);
	EXPECT_EQ(f.hits[0], 0);
	EXPECT_EQ(f.hits[1], 300);
}

TEST(an_unhealthy_host_is_never_picked_even_alone)
{
	struct fixture f;

	setup(&f, 1, NULL);
	f.host[0].unhealthy = true;
	EXPECT_EQ(lb_pick(&f.set, LB_ROUND_ROBIN, 0, &f.rng), f.set.count);
	EXPECT_EQ(lb_pick(&f.set, LB_LEAST_REQUEST, 0, &f.rng), f.set.count);
}

TEST(no_hosts_means_no_pick)
{
	struct fixture f;

	setup(&f, 0, NULL);
	EXPECT_EQ(lb_pick(&f.set, LB_RANDOM, 0, &f.rng), 0);
}

TEST(a_failed_host_is_avoided_until_its_time_is_over)
{
	struct fixture f;

	setup(&f, 2, NULL);
	lb_host_failed(&f.host[0], /* now_us */ 0);
	pick_many(&f, LB_ROUND_ROBIN, 10);
	EXPECT_EQ(f.hits[0], 0);
	for (int i = 0; i < 2; i++)
		f.hits[lb_pick(&f.set, LB_ROUND_ROBIN,
		    LB_AVOID_FIRST_MS * 1000 + 1, &f.rng)]++;
	EXPECT_EQ(f.hits[0], 1);
}

TEST(one_request_finds_out_whether_a_failed_host_is_back)
{
	uint64_t over_us = LB_AVOID_FIRST_MS * UINT64_C(1000);

	for (enum lb_policy p = LB_LEAST_REQUEST; p <= LB_RANDOM; p++) {
		struct fixture f;

		setup(&f, 2, NULL);
		lb_host_failed(&f.host[0], /* now_us */ 0);
		for (int i = 0; i < 100; i++)
			f.hits[lb_pick(&f.set, p, over_us, &f.rng)]++;
		EXPECT_EQ(f.hits[0], 1);
		/* Nobody told what came of it: another may try. */
		for (int i = 0; i < 100; i++)
			f.hits[lb_pick(&f.set, p,
			    over_us + LB_TRIAL_MS * UINT64_C(1000), &f.rng)]++;
		EXPECT_EQ(f.hits[0], 2);
		lb_host_succeeded(&f.host[0]);
		for (int i = 0; i < 100; i++)
			f.hits[lb_pick(&f.set, p, over_us, &f.rng)]++;
		EXPECT_TRUE(f.hits[0] > 20);
	}
}

TEST(failures_in_a_row_double_the_time_up_to_the_cap)
{
	struct lb_host h = {.weight = 1};
	uint64_t now_us = 0;

	lb_host_failed(&h, now_us);
	now_us = h.avoid_until_us;
	lb_host_failed(&h, now_us);
	EXPECT_EQ(h.avoid_until_us - now_us, 2 * LB_AVOID_FIRST_MS * 1000);
	for (int i = 0; i < 40; i++) {
		now_us = h.avoid_until_us;
		lb_host_failed(&h, now_us);
	}
	EXPECT_EQ(h.avoid_until_us - now_us, (uint64_t)LB_AVOID_MAX_MS * 1000);
	lb_host_succeeded(&h);
	EXPECT_EQ(h.failures, 0);
	EXPECT_EQ(h.avoid_until_us, 0);
}

TEST(requests_that_fail_together_count_as_one_failure)
{
	struct lb_host h = {.weight = 1};

	for (int i = 0; i < 16; i++)
		lb_host_failed(&h, /* now_us */ 0);
	EXPECT_EQ(h.failures, 1);
	EXPECT_EQ(h.avoid_until_us, LB_AVOID_FIRST_MS * 1000);
}

TEST(suspicion_alone_never_empties_a_service)
{
	struct fixture f;

	setup(&f, 3, NULL);
	for (int i = 0; i < 3; i++)
		lb_host_failed(&f.host[i], 0);
	pick_many(&f, LB_ROUND_ROBIN, 300);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(f.hits[i], 100);
}

TEST(a_retry_goes_elsewhere_as_long_as_there_is_an_elsewhere)
{
	struct fixture f;

	setup(&f, 2, NULL);
	f.host[0].excluded = true;
	lb_host_failed(&f.host[1], 0);
	pick_many(&f, LB_LEAST_REQUEST, 50);
	EXPECT_EQ(f.hits[1], 50);
	f.host[1].excluded = true;
	EXPECT_NE(lb_pick(&f.set, LB_RANDOM, 0, &f.rng), f.set.count);
}

TEST(a_weighted_host_that_was_away_does_not_catch_up)
{
	struct fixture f;

	setup(&f, 2, (uint32_t[]){1, 2});
	f.host[0].unhealthy = true;
	pick_many(&f, LB_ROUND_ROBIN, 3000);
	f.host[0].unhealthy = false;
	f.hits[0] = f.hits[1] = 0;
	pick_many(&f, LB_ROUND_ROBIN, 300);
	EXPECT_TRUE(within(f.hits[0], 100, 0.05));
}
