/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — what a loop is made of, for the files of this folder only.
 */
#ifndef MESHD_LOOP_INSIDE_H
#define MESHD_LOOP_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "loop.h"
#include "wheel.h"

struct event_base;
struct resolver;

/* One call from another thread. */
struct loop_posted {
	struct loop_posted *next;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct event *alarm; /* wakes for the wheel; does nothing else */
	struct clock clock;
	uint64_t now_us;
	uint64_t alarm_us; /* when the alarm is set for; UINT64_MAX is never */
	bool fresh;        /* now_us was asked in this turn */

	struct wheel wheel;
	struct list laters;
	struct list flushes;
	struct list hooks;
	struct list end_hooks;

	int wake_fd;
	struct loop_io wake;
	atomic_bool stop;
	pthread_mutex_t lock; /* of the two below */
	struct loop_posted *posted;
	struct loop_posted **posted_tail;

	char *scratch[LOOP_SCRATCH_DEPTH];
	unsigned scratch_depth;

	struct resolver *resolver; /* NULL until the first look-up */
};

/* Every call-back from the library begins with it: one clock call a turn. */
void loop_begin(struct loop *l);

/* True if something is posted or arranged. */
bool loop_has_work(struct loop *l);

/* The resolver goes with its loop. Accepts NULL inside. */
void resolver_free(struct resolver **rp);

#endif
