/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threads — what several threads count, log and hash at once is right.
 *
 * Its worth is in the run under the thread sanitizer.
 */
#define LOG_MODULE "threads"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "unit.h"

enum { ROUNDS = 2000, LINES = 100 };

static const char *const label_names[] = {"who"};
static const double bounds[] = {1, 10};
static struct metric_family *counted, *took;

struct job {
	pthread_t thread;
	bool own_shard;
};

static void *
count_and_log(void *arg)
{
	const struct job *job = arg;
	struct slice who = S("all");
	struct metric_series *s = metric_series_get(counted, &who);
	struct metric_series *h = metric_series_get(took, NULL);

	if (job->own_shard)
		metric_thread_init();
	for (int i = 0; i < ROUNDS; i++) {
		metric_add(s, 1);
		metric_observe(h, i % 20);
		if (i % (ROUNDS / LINES) == 0)
			log_warn("counted", "i=%d hash=%d", i,
			    (int)(slice_hash(who) & 1));
	}
	metric_series_release(s);
	return NULL;
}

static void
run(struct job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		CHECK(pthread_create(
			  &jobs[i].thread, NULL, count_and_log, &jobs[i]) == 0);
	for (int i = 0; i < 20; i++) {
		AUTO(buf_fini) struct buf out = BUF(1 << 16);

		EXPECT_OK(metrics_render(&out));
		EXPECT_OK(log_set_level(
		    S("threads"), i % 2 != 0 ? LOG_WARN : LOG_DEBUG));
	}
	for (size_t i = 0; i < count; i++)
		CHECK(pthread_join(jobs[i].thread, NULL) == 0);
}

static size_t
count_lines(int fd)
{
	static char text[1 << 20];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	struct slice rest = slice_of(text, n > 0 ? (size_t)n : 0);
	size_t lines = 0;

	while (rest.len > 0) {
		struct slice line = slice_split(&rest, '\n');

		/* Whole: one time at its head, one hash at its tail. */
		EXPECT_EQ(line.ptr[23], 'Z');
		EXPECT_SLICE(slice_sub(line, line.len - 7, 6), S(" hash="));
		EXPECT_EQ(slice_rfind(line, 'Z'), 23);
		lines++;
	}
	return lines;
}

TEST(threads_with_and_without_a_shard_lose_no_count_and_no_line)
{
	struct job jobs[] = {{0, true}, {0, true}, {0, false}, {0, false}};
	struct slice who = S("all");
	int fd = memfd_create("log", MFD_CLOEXEC);

	EXPECT_TRUE(fd >= 0);
	/* A file in memory has no lock on its position, but on its end. */
	EXPECT_EQ(fcntl(fd, F_SETFL, O_APPEND), 0);
	log_setup(fd, LOG_TEXT);
	counted = metric_family_new("counted_total", "Counted.", METRIC_COUNTER,
	    label_names, 1, NULL, 0);
	took = metric_family_new(
	    "took", "Took.", METRIC_HISTOGRAM, NULL, 0, bounds, 2);
	run(jobs, ARRAY_LEN(jobs));
	EXPECT_EQ(metric_value(metric_series_get(counted, &who)),
	    ARRAY_LEN(jobs) * ROUNDS);
	EXPECT_EQ(metric_value(metric_series_get(took, NULL)),
	    ARRAY_LEN(jobs) * ROUNDS);
	EXPECT_EQ(count_lines(fd), ARRAY_LEN(jobs) * LINES);
	EXPECT_EQ(close(fd), 0);
	metrics_fini();
}
