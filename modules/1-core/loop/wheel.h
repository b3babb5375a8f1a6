/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel — a hierarchical timing wheel (Varghese and Lauck 1987, scheme 7).
 *
 * Level n has 64 slots of 64^n ticks each; a timer lies at the level of the
 * highest base-64 digit in which its due tick differs from now. So each level
 * holds only slots ahead of now, the lowest level that is not empty holds the
 * next timer, and a timer moves down at most once a level. Eleven levels cover
 * every 64-bit tick: nothing wraps and nothing is clamped.
 *
 * Pure: the time is an argument, and nothing here calls a timer's function.
 */
#ifndef MESHD_WHEEL_H
#define MESHD_WHEEL_H

#include "loop.h"

enum { WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS, WHEEL_LEVELS = 11 };

#define WHEEL_NEVER UINT64_MAX

struct wheel {
	uint64_t now; /* tick; no timer in the slots is due at it or before */
	uint64_t occupied[WHEEL_LEVELS]; /* a bit a slot */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, uint64_t now);

/* Sets or moves; a due tick that is not ahead becomes the next one. */
void wheel_set(struct wheel *w, struct timer *t, uint64_t due);

/* Also takes a timer off the list that wheel_advance() filled. */
void wheel_clear(struct wheel *w, struct timer *t);

/*
 * The tick by which wheel_advance() must be called again: the next timer's, or
 * an earlier one at which a slot is spread. WHEEL_NEVER when empty.
 */
uint64_t wheel_next(const struct wheel *w);

/* Moves on to `now`; appends the timers that are due, the earliest first. */
void wheel_advance(struct wheel *w, uint64_t now, struct list *out_due);

#endif
