/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop — the order of a turn, time by a fake clock, calls from elsewhere.
 */
#include "loop.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* What was called, as letters. */
struct trace {
	char text[64];
	size_t len;
};

struct step {
	struct trace *trace;
	char letter;
	struct loop *loop;
	struct loop_later later;
	struct loop_later *arranges;
	struct timer timer;
};

static void
note(void *arg)
{
	struct step *s = arg;

	s->trace->text[s->trace->len++] = s->letter;
	if (s->arranges != NULL)
		loop_later(s->loop, s->arranges);
}

static void
step_init(struct step *s, struct trace *t, struct loop *l, char letter)
{
	*s = (struct step){.trace = t, .letter = letter, .loop = l};
	loop_later_init(&s->later, note, s);
	timer_init(&s->timer, l, note, s);
}

TEST(a_turn_runs_posts_laters_flushes_and_hooks_in_this_order)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	struct trace t = {0};
	struct step later, flush, post, hook;
	struct loop_hook h = {0};

	step_init(&later, &t, l, 'l');
	step_init(&flush, &t, l, 'f');
	step_init(&post, &t, l, 'p');
	step_init(&hook, &t, l, 'h');
	loop_hook_add(l, &h, note, &hook);
	loop_later_flush(l, &flush.later);
	loop_later(l, &later.later);
	loop_later(l, &later.later);
	loop_post(l, note, &post);
	loop_turn(l, 0);
	EXPECT_STR(t.text, "plfh");
	loop_hook_remove(&h);
	loop_turn(l, 0);
	EXPECT_STR(t.text, "plfh");
}

TEST(an_end_hook_is_called_by_the_end_unless_it_was_removed)
{
	struct loop *l = loop_new(NULL);
	struct trace t = {0};
	struct step first, second, never;
	struct loop_hook a = {0}, b = {0}, c = {0};

	step_init(&first, &t, l, 'a');
	step_init(&second, &t, l, 'b');
	step_init(&never, &t, l, 'c');
	loop_hook_add_end(l, &a, note, &first);
	loop_hook_add_end(l, &c, note, &never);
	loop_hook_add_end(l, &b, note, &second);
	loop_turn(l, 0);
	EXPECT_STR(t.text, "");
	loop_hook_remove(&c);
	loop_free(&l);
	EXPECT_STR(t.text, "ab");
}

TEST(what_a_later_arranges_comes_in_the_next_turn_which_does_not_wait)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	struct trace t = {0};
	struct step a, b;

	step_init(&a, &t, l, 'a');
	step_init(&b, &t, l, 'b');
	a.arranges = &b.later;
	loop_later(l, &a.later);
	loop_turn(l, 0);
	EXPECT_STR(t.text, "a");
	loop_turn(l, UINT64_MAX);
	EXPECT_STR(t.text, "ab");
}

TEST(a_cancelled_later_does_not_run)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	struct trace t = {0};
	struct step a;

	step_init(&a, &t, l, 'a');
	loop_later(l, &a.later);
	EXPECT_TRUE(loop_later_is_set(&a.later));
	loop_later_cancel(&a.later);
	EXPECT_FALSE(loop_later_is_set(&a.later));
	loop_settle(l);
	EXPECT_STR(t.text, "");
}

TEST(timers_follow_the_loops_clock)
{
	struct clock_fake fake = {.mono_us = 5000};
	struct clock clock = clock_fake_as_clock(&fake);
	AUTO(loop_free) struct loop *l = loop_new(&clock);
	struct trace t = {0};
	struct step a, b;

	step_init(&a, &t, l, 'a');
	step_init(&b, &t, l, 'b');
	timer_set(&a.timer, 2000000);
	timer_set(&b.timer, 1500);
	clock_fake_advance(&fake, 1499);
	loop_turn(l, 0);
	EXPECT_STR(t.text, "");
	clock_fake_advance(&fake, 501);
	loop_turn(l, 0);
	EXPECT_STR(t.text, "b");
	EXPECT_EQ(loop_now_us(l), 7000);
	timer_set(&b.timer, 10);
	timer_clear(&b.timer);
	clock_fake_advance(&fake, 2000000);
	loop_turn(l, 0);
	EXPECT_STR(t.text, "ba");
}

TEST(a_timer_may_be_as_long_as_a_number_can_say)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	struct trace t = {0};
	struct step a;

	step_init(&a, &t, l, 'a');
	timer_set(&a.timer, UINT64_MAX);
	loop_turn(l, 1000);
	EXPECT_TRUE(timer_is_set(&a.timer));
	timer_clear(&a.timer);
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

TEST(the_machines_clock_rings_a_timer_in_a_run)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	struct timer t;
	uint64_t before = clock_mono_us(&clock_system);

	timer_init(&t, l, stop, l);
	timer_set(&t, 3000);
	loop_run(l);
	EXPECT_TRUE(clock_mono_us(&clock_system) - before >= 3000);
	EXPECT_TRUE(loop_current() == NULL);
}

static void *
post_from_thread(void *arg)
{
	loop_post(arg, stop, arg);
	return NULL;
}

TEST(a_post_from_another_thread_wakes_the_loop)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	pthread_t thread;

	EXPECT_EQ(pthread_create(&thread, NULL, post_from_thread, l), 0);
	loop_run(l);
	EXPECT_EQ(pthread_join(thread, NULL), 0);
}

TEST(what_is_posted_when_the_loop_ends_is_run)
{
	struct loop *l = loop_new(NULL);
	struct trace t = {0};
	struct step a;

	step_init(&a, &t, l, 'a');
	loop_post(l, note, &a);
	loop_free(&l);
	EXPECT_STR(t.text, "a");
	EXPECT_TRUE(l == NULL);
}

TEST(a_signal_calls_its_owner)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	struct loop_signal s = {0};

	EXPECT_OK(loop_signal_open(&s, l, SIGUSR1, stop, l));
	EXPECT_EQ(raise(SIGUSR1), 0);
	loop_run(l);
	loop_signal_close(&s);
}

struct edges {
	int readable;
	int writable;
};

static void
on_edge(void *arg, bool readable, bool writable)
{
	struct edges *e = arg;

	e->readable += readable;
	e->writable += writable;
}

TEST(a_descriptor_is_told_once_for_each_edge)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	struct edges e = {0};
	struct loop_io io = {0};
	int fds[2];

	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	EXPECT_OK(loop_io_open(&io, l, fds[0], on_edge, &e));
	loop_turn(l, 0);
	EXPECT_EQ(e.writable, 1);
	EXPECT_EQ(e.readable, 0);
	EXPECT_EQ(write(fds[1], "x", 1), 1);
	loop_turn(l, 0);
	loop_turn(l, 0);
	EXPECT_EQ(e.readable, 1);
	EXPECT_FALSE(io.ended);
	close(fds[1]);
	loop_turn(l, 0);
	EXPECT_TRUE(io.ended);
	loop_io_close(&io);
	loop_io_close(&io);
	close(fds[0]);
}

TEST(nested_scratch_is_different_memory)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	char *a = loop_scratch_lend(l);
	char *b = loop_scratch_lend(l);

	EXPECT_TRUE(a != b);
	memset(a, 1, LOOP_SCRATCH_LEN);
	memset(b, 2, LOOP_SCRATCH_LEN);
	EXPECT_EQ(a[LOOP_SCRATCH_LEN - 1], 1);
	loop_scratch_return(l, b);
	EXPECT_TRUE(loop_scratch_lend(l) == b);
	loop_scratch_return(l, b);
	loop_scratch_return(l, a);
}
