/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge — from answers to a state.
 *
 *	UNKNOWN --first answer--> HEALTHY <--good answers in a row--> UNHEALTHY
 *
 * The first answer decides; after it as many in a row as the rules say. Who
 * falls again and again is held down as routes are that flap (RFC 2439): each
 * fall adds JUDGE_FALL to a penalty that halves every JUDGE_HALF_US. Above
 * JUDGE_HOLD, which is the third fall within half a minute, the way back is
 * shut until the penalty is below JUDGE_FREE, a minute at most. A fall that
 * the hold hides counts as well.
 * Pure: time and chance are arguments.
 */
#ifndef MESHD_HEALTH_JUDGE_H
#define MESHD_HEALTH_JUDGE_H

#include "health.h"

enum {
	JUDGE_FALL = 1000,
	JUDGE_HOLD = 2200,
	JUDGE_FREE = 1000,
	JUDGE_PENALTY_MAX = 4000, /* two halves above JUDGE_FREE: a minute */
	JUDGE_HALF_US = 30 * 1000000,
	JUDGE_SPREAD = 10, /* a tenth of the interval, either way */
	JUDGE_FIRST_SPREAD_US = 50000
};

struct judge_rules {
	uint64_t interval_us;
	uint64_t delay_us; /* before the first */
	unsigned healthy;  /* answers in a row */
	unsigned unhealthy;
};

struct judge {
	enum health_state state;
	unsigned good; /* in a row */
	unsigned bad;
	bool decided;   /* the first answer was there */
	bool was_well;  /* since these rules hold */
	bool held_well; /* would be healthy, but for the hold */
	double penalty; /* at penalty_us */
	uint64_t penalty_us;
};

/* Begins with the state of before, which the first answer replaces. */
void judge_init(struct judge *j, enum health_state state);

/* New rules: the next answer decides; what was held against it stays. */
void judge_renew(struct judge *j);

/* One answer. True if the state is another. */
bool judge_take(struct judge *j, const struct judge_rules *r, uint64_t now_us,
    bool is_good);

/* How long it is held yet; 0: it is not. */
uint64_t judge_held_us(const struct judge *j, uint64_t now_us);

/* From now to the next question. */
uint64_t judge_wait_us(const struct judge *j, const struct judge_rules *r,
    uint64_t now_us, struct rng *rng);

#endif
