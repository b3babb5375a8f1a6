/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer — the wheel's timers in microseconds, on a loop.
 */
#include "inside.h"

void
timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg), void *arg)
{
	list_init(&t->link);
	t->due = 0;
	t->fn = fn;
	t->arg = arg;
	t->loop = l;
}

void
timer_set(struct timer *t, uint64_t delay_us)
{
	struct loop *l = t->loop;
	uint64_t room = UINT64_MAX - l->now_us - TIMER_TICK_US;
	uint64_t at = l->now_us + MIN(delay_us, room);

	wheel_set(&l->wheel, t, (at + TIMER_TICK_US - 1) / TIMER_TICK_US);
}

void
timer_clear(struct timer *t)
{
	if (timer_is_set(t))
		wheel_clear(&t->loop->wheel, t);
}

bool
timer_is_set(const struct timer *t)
{
	return t->link.next != NULL && t->link.next != &t->link;
}
