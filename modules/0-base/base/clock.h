/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock — the time, asked in one place only.
 *
 * Protocol code takes the time as an argument. What must ask has a struct
 * clock, so that a test can hand it another. Monotonic time counts from an
 * unspecified start; wall time is Unix time and may jump.
 */
#ifndef MESHD_CLOCK_H
#define MESHD_CLOCK_H

#include "attr.h"

struct clock {
	uint64_t (*mono_us)(void *arg);
	int64_t (*wall_ms)(void *arg);
	void *arg;
};

/* The machine's own clocks. */
extern const struct clock clock_system;

static inline uint64_t
clock_mono_us(const struct clock *c)
{
	return c->mono_us(c->arg);
}

static inline int64_t
clock_wall_ms(const struct clock *c)
{
	return c->wall_ms(c->arg);
}

/* A clock that moves when the test says so. */
struct clock_fake {
	uint64_t mono_us;
	int64_t wall_ms;
};

struct clock clock_fake_as_clock(struct clock_fake *f);

/* Moves both by `us`. */
void clock_fake_advance(struct clock_fake *f, uint64_t us);

enum { CLOCK_RFC3339_LEN = 25 }; /* "2026-01-02T03:04:05.678Z" and the zero */

/* UTC with milliseconds; times outside the years 1970-9999 are cut to them. */
void clock_format_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_LEN]);

#endif
