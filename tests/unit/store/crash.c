/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash — a server that is killed at any instant loses nothing it confirmed.
 *
 * A child writes and says through a pipe what was acknowledged; it is killed
 * after a random time, and what it said must be in the file.
 */
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"

enum { ROUNDS = 60, KEYS = 40, AT_ONCE = 8, LIFE_MAX_US = 60000 };

static struct rig r;

struct writer {
	uint64_t next;
	int pipe;
};

static void put_next(struct writer *w);

struct write_job {
	struct writer *writer;
	uint64_t number;
};

static void
on_result(const struct store_result *result, void *arg)
{
	struct write_job *job = arg;

	CHECK(result->err == OK);
	CHECK(write(job->writer->pipe, &job->number, sizeof(job->number)) ==
	      sizeof(job->number));
	put_next(job->writer);
	free(job);
}

/* Number n goes to key n % KEYS; a later number replaces an earlier one. */
static void
put_next(struct writer *w)
{
	struct write_job *job = malloc(sizeof(*job));
	char name[32];
	char body[32];
	struct store_op op = {.type = STORE_PUT, .expected = STORE_EXPECT_ANY};
	struct store_mutation m = {
	    .actor = S("writer"), .ops = &op, .op_count = 1};

	CHECK(job != NULL);
	*job = (struct write_job){w, w->next++};
	snprintf(name, sizeof(name), "k%d", (int)(job->number % KEYS));
	snprintf(body, sizeof(body), "%llu", (unsigned long long)job->number);
	op.row = rig_resource(name, body);
	store_propose(r.store, &m, on_result, job);
}

static void
write_until_killed(int pipe_end, uint64_t from)
{
	struct writer w = {from, pipe_end};

	r.loop = loop_new(NULL);
	CHECK(rig_open(&r) == OK);
	for (int i = 0; i < AT_ONCE; i++)
		put_next(&w);
	loop_run(r.loop);
	_exit(0);
}

/* Reads acknowledged numbers until the writer's end is closed. */
static uint64_t
read_acks(int fd, uint64_t acked[KEYS])
{
	uint64_t n;
	uint64_t count = 0;

	while (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n)) {
		acked[n % KEYS] = MAX(acked[n % KEYS], n);
		count++;
	}
	return count;
}

static void
check_file(const uint64_t acked[KEYS])
{
	struct store_query q = {.table = STORE_RESOURCES};
	uint64_t there[KEYS] = {0};

	r.loop = loop_new(NULL);
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_list(&r, &q));
	for (size_t i = 0; i < r.count; i++) {
		uint64_t n;

		EXPECT_OK(slice_to_u64(r.rows[i].resource.body, &n));
		there[n % KEYS] = n;
	}
	for (size_t i = 0; i < KEYS; i++)
		EXPECT_TRUE(there[i] >= acked[i]);
	rig_close(&r);
	loop_free(&r.loop);
}

static uint64_t
one_round(struct rng *rng, uint64_t from, uint64_t acked[KEYS])
{
	uint64_t count;
	int ends[2];
	pid_t pid;

	EXPECT_EQ(pipe(ends), 0);
	pid = fork();
	EXPECT_TRUE(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		write_until_killed(ends[1], from);
	}
	close(ends[1]);
	/* Not a wait for something: the instant of the crash. */
	poll(NULL, 0, (int)(rng_below(rng, LIFE_MAX_US) / 1000));
	EXPECT_EQ(kill(pid, SIGKILL), 0);
	count = read_acks(ends[0], acked);
	close(ends[0]);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
	check_file(acked);
	return count;
}

TEST(what_was_acknowledged_survives_a_kill_at_any_instant)
{
	uint64_t acked[KEYS] = {0};
	uint64_t total = 0;
	struct rng rng;

	rig_init(&r);
	loop_free(&r.loop);
	rng_init_random(&rng);
	for (int i = 0; i < ROUNDS; i++)
		total += one_round(&rng, 1 + (uint64_t)i * 1000000, acked);
	printf("%llu writes were acknowledged in %d lives\n",
	    (unsigned long long)total, ROUNDS);
	EXPECT_TRUE(total > 0);
	r.loop = loop_new(NULL);
	rig_fini(&r);
}
