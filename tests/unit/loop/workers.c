/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers — threads that start, are told and end together; and the job pool.
 */
#include "loop.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { COUNT = 3 };

struct counts {
	atomic_int started;
	atomic_int stopped;
	atomic_int each;
	atomic_int posted;
	atomic_int worked;
	int done;
	struct loop *control;
	struct workers *workers;
};

static void
on_start(struct loop *l, unsigned index, void *arg)
{
	struct counts *c = arg;

	(void)l;
	(void)index;
	atomic_fetch_add(&c->started, 1);
}

static void
on_stop(struct loop *l, unsigned index, void *arg)
{
	struct counts *c = arg;

	(void)l;
	(void)index;
	atomic_fetch_add(&c->stopped, 1);
}

static struct workers *
start(struct counts *c)
{
	struct workers_spec spec = {
	    .count = COUNT, .on_start = on_start, .on_stop = on_stop, .arg = c};

	return workers_new(&spec);
}

static void
each(struct loop *l, unsigned index, void *arg)
{
	struct counts *c = arg;

	CHECK(loop_is_current(l));
	CHECK(workers_loop(c->workers, index) == l);
	atomic_fetch_add(&c->each, 1);
}

static void
done(void *arg)
{
	struct counts *c = arg;

	c->done++;
	loop_stop(c->control);
}

TEST(done_comes_when_every_worker_has_done_it)
{
	AUTO(loop_free) struct loop *control = loop_new(NULL);
	struct counts c = {.control = control};

	c.workers = start(&c);
	EXPECT_EQ(atomic_load(&c.started), COUNT);
	for (int round = 1; round <= 20; round++) {
		workers_each(c.workers, each, control, done, &c);
		loop_run(control);
		EXPECT_EQ(c.done, round);
		EXPECT_EQ(atomic_load(&c.each), round * COUNT);
	}
	workers_free(&c.workers);
	EXPECT_EQ(atomic_load(&c.stopped), COUNT);
}

static void
pass_on(void *arg)
{
	struct counts *c = arg;
	unsigned next = (unsigned)atomic_fetch_add(&c->posted, 1);

	if (next < 50)
		workers_post(c->workers, next % COUNT, pass_on, c);
}

TEST(a_chain_of_posts_survives_the_stop)
{
	struct counts c = {0};

	c.workers = start(&c);
	workers_post(c.workers, 0, pass_on, &c);
	workers_free(&c.workers);
	EXPECT_EQ(atomic_load(&c.posted), 51);
}

static void
work(void *arg)
{
	struct counts *c = arg;

	CHECK(loop_current() == NULL);
	atomic_fetch_add(&c->worked, 1);
}

static void
worked(void *arg)
{
	struct counts *c = arg;

	if (++c->done == 10)
		loop_stop(c->control);
}

TEST(jobs_work_elsewhere_and_report_on_their_loop)
{
	AUTO(loop_free) struct loop *control = loop_new(NULL);
	struct counts c = {.control = control};
	struct jobs *j = jobs_new(2, 100);

	for (int i = 0; i < 10; i++)
		EXPECT_OK(jobs_submit(j, control, work, worked, &c));
	loop_run(control);
	EXPECT_EQ(atomic_load(&c.worked), 10);
	jobs_free(&j);
}

TEST(the_end_of_the_pool_finishes_what_was_submitted)
{
	AUTO(loop_free) struct loop *control = loop_new(NULL);
	struct counts c = {.control = control};
	struct jobs *j = jobs_new(1, 100);

	for (int i = 0; i < 9; i++)
		EXPECT_OK(jobs_submit(j, control, work, worked, &c));
	jobs_free(&j);
	EXPECT_EQ(atomic_load(&c.worked), 9);
	loop_settle(control);
	EXPECT_EQ(c.done, 9);
}

struct gate {
	pthread_mutex_t lock;
	struct counts c;
};

static void
wait_at_gate(void *arg)
{
	struct gate *g = arg;

	atomic_fetch_add(&g->c.worked, 1);
	pthread_mutex_lock(&g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void
nothing(void *arg)
{
	(void)arg;
}

TEST(a_full_queue_is_busy)
{
	AUTO(loop_free) struct loop *control = loop_new(NULL);
	struct gate g = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct jobs *j = jobs_new(1, 2);

	pthread_mutex_lock(&g.lock);
	EXPECT_OK(jobs_submit(j, control, wait_at_gate, nothing, &g));
	while (atomic_load(&g.c.worked) == 0)
		sched_yield();
	EXPECT_OK(jobs_submit(j, control, wait_at_gate, nothing, &g));
	EXPECT_OK(jobs_submit(j, control, wait_at_gate, nothing, &g));
	EXPECT_ERR(
	    jobs_submit(j, control, wait_at_gate, nothing, &g), ERR_BUSY);
	pthread_mutex_unlock(&g.lock);
	jobs_free(&j);
}
