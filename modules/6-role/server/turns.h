/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns — so many at a time, the others in the order in which they came.
 *
 * Who holds a turn too long stops counting, so that one that is slow keeps
 * nobody waiting for good. Pure: time is an argument.
 */
#ifndef MESHD_TURNS_H
#define MESHD_TURNS_H

#include "base/base.h"

struct turns {
	size_t most; /* at a time */
	size_t begun;
	struct list waiting;
	struct list holding; /* the oldest first */
};

/* In the object that waits; zeroed it is in no list. */
struct turn {
	struct list link;
	bool holds;
	uint64_t since_us;
};

void turns_init(struct turns *t, size_t most);

/* It waits from now on; turns_next() says when it may begin. */
void turns_wait(struct turns *t, struct turn *turn);

/* It is done, or has gone; harmless for one that does neither. */
void turns_leave(struct turns *t, struct turn *turn);

/* Those that began before that time count no more. */
void turns_expire(struct turns *t, uint64_t before_us);

/* The next that may begin now, and holds its turn; or NULL. */
struct turn *turns_next(struct turns *t, uint64_t now_us);

#endif
