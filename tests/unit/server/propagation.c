/* SPDX-License-Identifier: Apache-2.0 */
/*
 * propagation — when what was committed, and how long it took.
 */
#include "propagation.h"
#include "unit.h"

static struct commits commits;
static struct times times;

TEST(a_revision_is_as_old_as_the_commit_that_brought_it)
{
	commits = (struct commits){.count = 0};
	EXPECT_EQ(commits_time(&commits, 1), 0);
	commits_add(&commits, 3, 300);
	commits_add(&commits, 7, 700);
	commits_add(&commits, 7, 900); /* it is known */
	EXPECT_EQ(commits_time(&commits, 3), 300);
	EXPECT_EQ(commits_time(&commits, 4), 700); /* one of a group */
	EXPECT_EQ(commits_time(&commits, 7), 700);
	EXPECT_EQ(commits_time(&commits, 8), 0);
}

TEST(what_is_older_than_all_that_is_kept_is_as_old_as_the_oldest)
{
	commits = (struct commits){.count = 0};
	for (uint64_t n = 1; n <= 3 * COMMITS_KEPT; n++)
		commits_add(&commits, n, n * 10);
	EXPECT_EQ(commits_time(&commits, 1), (2 * COMMITS_KEPT + 1) * 10);
	EXPECT_EQ(
	    commits_time(&commits, 3 * COMMITS_KEPT), 3 * COMMITS_KEPT * 10);
	for (uint64_t n = 2 * COMMITS_KEPT + 1; n <= 3 * COMMITS_KEPT; n++)
		EXPECT_EQ(commits_time(&commits, n), n * 10);
}

TEST(times_are_summed_up_over_the_last_ones)
{
	struct times_summary s;

	times = (struct times){.count = 0};
	times_summarize(&times, &s);
	EXPECT_EQ(s.count, 0);
	EXPECT_EQ(s.p99_us, 0);
	for (uint64_t n = 0; n < TIMES_KEPT; n++)
		times_add(&times, 1000000); /* these are forgotten */
	for (uint64_t n = 1; n <= TIMES_KEPT; n++)
		times_add(&times, n);
	times_summarize(&times, &s);
	EXPECT_EQ(s.count, 2 * TIMES_KEPT);
	EXPECT_EQ(s.last_us, TIMES_KEPT);
	EXPECT_EQ(s.p50_us, TIMES_KEPT / 2 + 1);
	EXPECT_EQ(s.p99_us, TIMES_KEPT * 99 / 100 + 1);
}
