/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop — the turn: wait, descriptors, timers, posts, laters, flushes, hooks.
 *
 * Each library base is used by one thread only, so it runs without locks; what
 * comes from other threads goes through our own queue and an eventfd. Only
 * evdns' random numbers are shared, and for those the library gets pthreads.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "inside.h"

/* Longer than any process lives, and far from overflow. */
#define LONGEST_WAIT_US (UINT64_C(1) << 52)

static _Thread_local struct loop *current;
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void
library_start(void)
{
	CHECK(evthread_use_pthreads() == 0);
}

static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	CHECK(config != NULL);
	CHECK(event_config_require_features(
		  config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0);
	CHECK(event_config_set_flag(config,
		  EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0);
	base = event_base_new_with_config(config);
	CHECK(base != NULL);
	event_config_free(config);
	return base;
}

static void
on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	(void)fd;
	(void)what;
	loop_begin(l);
	l->alarm_us = UINT64_MAX;
}

static void
on_wake(void *arg, bool readable, bool writable)
{
	struct loop *l = arg;
	uint64_t count;

	(void)writable;
	if (readable)
		/* Its only news is that there is some: run_posted() looks. */
		(void)!read(l->wake_fd, &count, sizeof(count));
}

static void
wake_up(struct loop *l)
{
	uint64_t one = 1;

	/* A full counter wakes as well, so the result says nothing. */
	(void)!write(l->wake_fd, &one, sizeof(one));
}

static bool
run_posted(struct loop *l)
{
	struct loop_posted *p;

	pthread_mutex_lock(&l->lock);
	p = l->posted;
	l->posted = NULL;
	l->posted_tail = &l->posted;
	pthread_mutex_unlock(&l->lock);
	if (p == NULL)
		return false;
	while (p != NULL) {
		struct loop_posted *next = p->next;

		p->fn(p->arg);
		free(p);
		p = next;
	}
	return true;
}

static void
run_timers(struct loop *l)
{
	struct list due;
	struct timer *t;

	list_init(&due);
	wheel_advance(&l->wheel, l->now_us / TIMER_TICK_US, &due);
	while ((t = LIST_FIRST(&due, struct timer, link)) != NULL) {
		list_remove(&t->link);
		t->fn(t->arg);
	}
}

/* Those that are arranged meanwhile stay for the next turn. */
static void
run_laters(struct loop *l)
{
	struct list batch;
	struct loop_later *d;

	if (list_empty(&l->laters))
		return;
	batch = l->laters;
	batch.next->prev = batch.prev->next = &batch;
	list_init(&l->laters);
	while ((d = LIST_FIRST(&batch, struct loop_later, link)) != NULL) {
		list_remove(&d->link);
		d->fn(d->arg);
	}
}

static void
run_flushes(struct loop *l)
{
	struct loop_later *d;

	while ((d = LIST_FIRST(&l->flushes, struct loop_later, link)) != NULL) {
		list_remove(&d->link);
		d->fn(d->arg);
	}
}

static void
run_hooks(struct loop *l)
{
	LIST_EACH (&l->hooks, it) {
		struct loop_hook *h = CONTAINER(it, struct loop_hook, link);

		h->fn(h->arg);
	}
}

/* When the wheel wants to be moved on, as a time; UINT64_MAX is never. */
static uint64_t
wheel_wants_us(const struct loop *l)
{
	uint64_t next = wheel_next(&l->wheel);

	if (next > UINT64_MAX / TIMER_TICK_US)
		return UINT64_MAX;
	return next * TIMER_TICK_US;
}

/*
 * The alarm is moved only to ring earlier. One that rings too early costs a
 * turn; moving it each time that an idle timer is set anew would cost more.
 */
static void
set_alarm(struct loop *l, uint64_t wait_us)
{
	uint64_t at = wheel_wants_us(l);
	struct timeval tv;

	if (wait_us < LONGEST_WAIT_US)
		at = MIN(at, l->now_us + wait_us);
	if (at >= l->alarm_us || at >= l->now_us + LONGEST_WAIT_US)
		return;
	l->alarm_us = at;
	at = at > l->now_us ? at - l->now_us : 0;
	tv.tv_sec = (time_t)(at / 1000000);
	tv.tv_usec = (suseconds_t)(at % 1000000);
	CHECK(event_add(l->alarm, &tv) == 0);
}

static bool
has_laters(const struct loop *l)
{
	return !list_empty(&l->laters) || !list_empty(&l->flushes);
}

static bool
has_posted(struct loop *l)
{
	bool any;

	pthread_mutex_lock(&l->lock);
	any = l->posted != NULL;
	pthread_mutex_unlock(&l->lock);
	return any;
}

static void
wait_and_dispatch(struct loop *l, uint64_t wait_us)
{
	int flags = EVLOOP_ONCE;

	/* What is posted has rung the eventfd: no need to look for it here. */
	if (wait_us == 0 || has_laters(l))
		flags |= EVLOOP_NONBLOCK;
	else
		set_alarm(l, wait_us);
	l->fresh = false;
	CHECK(event_base_loop(l->base, flags) >= 0);
	loop_begin(l);
}

static void
turn(struct loop *l, uint64_t wait_us)
{
	wait_and_dispatch(l, wait_us);
	run_timers(l);
	(void)run_posted(l); /* whether there was any matters to nobody here */
	run_laters(l);
	run_flushes(l);
	run_hooks(l);
}

bool
loop_has_work(struct loop *l)
{
	return has_laters(l) || has_posted(l);
}

void
loop_begin(struct loop *l)
{
	if (!l->fresh)
		loop_now_refresh(l);
}

struct loop *
loop_new(const struct clock *clock)
{
	struct loop *l = mem_new(sizeof(*l));

	CHECK(pthread_once(&library_once, library_start) == 0);
	l->clock = clock != NULL ? *clock : clock_system;
	loop_now_refresh(l);
	wheel_init(&l->wheel, l->now_us / TIMER_TICK_US);
	list_init(&l->laters);
	list_init(&l->flushes);
	list_init(&l->hooks);
	list_init(&l->end_hooks);
	CHECK(pthread_mutex_init(&l->lock, NULL) == 0);
	l->posted_tail = &l->posted;
	l->base = base_new();
	l->alarm = evtimer_new(l->base, on_alarm, l);
	CHECK(l->alarm != NULL);
	l->alarm_us = UINT64_MAX;
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(l->wake_fd >= 0);
	CHECK(loop_io_open(&l->wake, l, l->wake_fd, on_wake, l) == OK);
	return l;
}

/* What one closes may leave another behind. */
static void
run_end_hooks(struct loop *l)
{
	struct loop_hook *h;

	while (
	    (h = LIST_FIRST(&l->end_hooks, struct loop_hook, link)) != NULL) {
		loop_hook_remove(h);
		h->fn(h->arg);
		loop_settle(l);
	}
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (l == NULL)
		return;
	loop_settle(l);
	run_end_hooks(l);
	resolver_free(&l->resolver);
	loop_io_close(&l->wake);
	close(l->wake_fd);
	event_free(l->alarm);
	event_base_free(l->base);
	pthread_mutex_destroy(&l->lock);
	for (size_t i = 0; i < ARRAY_LEN(l->scratch); i++)
		free(l->scratch[i]);
	free(l);
	*lp = NULL;
}

void
loop_run(struct loop *l)
{
	struct loop *outer = current;

	CHECK(outer == NULL);
	current = l;
	loop_now_refresh(l);
	while (!atomic_load_explicit(&l->stop, memory_order_acquire))
		turn(l, UINT64_MAX);
	atomic_store_explicit(&l->stop, false, memory_order_relaxed);
	current = NULL;
}

void
loop_turn(struct loop *l, uint64_t wait_us)
{
	struct loop *outer = current;

	current = l;
	loop_now_refresh(l);
	turn(l, wait_us);
	current = outer;
}

void
loop_settle(struct loop *l)
{
	while (loop_has_work(l))
		loop_turn(l, 0);
}

void
loop_stop(struct loop *l)
{
	atomic_store_explicit(&l->stop, true, memory_order_release);
	wake_up(l);
}

uint64_t
loop_now_us(const struct loop *l)
{
	return l->now_us;
}

void
loop_now_refresh(struct loop *l)
{
	l->now_us = clock_mono_us(&l->clock);
	l->fresh = true;
}

const struct clock *
loop_clock(const struct loop *l)
{
	return &l->clock;
}

bool
loop_is_current(const struct loop *l)
{
	return current == l;
}

struct loop *
loop_current(void)
{
	return current;
}

void
loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct loop_posted *p = mem_new(sizeof(*p));
	bool first;

	p->fn = fn;
	p->arg = arg;
	pthread_mutex_lock(&l->lock);
	first = l->posted == NULL;
	*l->posted_tail = p;
	l->posted_tail = &p->next;
	pthread_mutex_unlock(&l->lock);
	if (first)
		wake_up(l);
}

void
loop_later_init(struct loop_later *d, void (*fn)(void *arg), void *arg)
{
	list_init(&d->link);
	d->fn = fn;
	d->arg = arg;
}

void
loop_later(struct loop *l, struct loop_later *d)
{
	CHECK(d->fn != NULL);
	if (!loop_later_is_set(d))
		list_push_back(&l->laters, &d->link);
}

void
loop_later_flush(struct loop *l, struct loop_later *d)
{
	CHECK(d->fn != NULL);
	if (!loop_later_is_set(d))
		list_push_back(&l->flushes, &d->link);
}

void
loop_later_cancel(struct loop_later *d)
{
	list_remove(&d->link);
}

bool
loop_later_is_set(const struct loop_later *d)
{
	return d->link.next != NULL && d->link.next != &d->link;
}

static void
add_hook(struct list *to, struct loop_hook *h, void (*fn)(void *arg), void *arg)
{
	h->fn = fn;
	h->arg = arg;
	list_push_back(to, &h->link);
}

void
loop_hook_add(
    struct loop *l, struct loop_hook *h, void (*fn)(void *arg), void *arg)
{
	add_hook(&l->hooks, h, fn, arg);
}

void
loop_hook_add_end(
    struct loop *l, struct loop_hook *h, void (*fn)(void *arg), void *arg)
{
	add_hook(&l->end_hooks, h, fn, arg);
}

void
loop_hook_remove(struct loop_hook *h)
{
	list_remove(&h->link);
}

char *
loop_scratch_lend(struct loop *l)
{
	char **mem;

	CHECK(l->scratch_depth < LOOP_SCRATCH_DEPTH);
	mem = &l->scratch[l->scratch_depth++];
	if (*mem == NULL)
		*mem = mem_new(LOOP_SCRATCH_LEN);
	return *mem;
}

void
loop_scratch_return(struct loop *l, char *mem)
{
	CHECK(l->scratch_depth > 0);
	CHECK(l->scratch[l->scratch_depth - 1] == mem);
	l->scratch_depth--;
}
