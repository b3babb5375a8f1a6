/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge — thresholds, the penalty of who flaps, and when to ask again.
 */
#include "judge.h"

#include <math.h>

static const char *const names[] = {
    [HEALTH_UNKNOWN] = "unknown",
    [HEALTH_HEALTHY] = "healthy",
    [HEALTH_UNHEALTHY] = "unhealthy",
};

const char *
health_state_name(enum health_state s)
{
	return names[s];
}

void
judge_init(struct judge *j, enum health_state state)
{
	*j = (struct judge){.state = state};
}

void
judge_renew(struct judge *j)
{
	j->good = j->bad = 0;
	j->decided = j->was_well = j->held_well = false;
}

/* --- the penalty ---------------------------------------------------------- */

static double
penalty_at(const struct judge *j, uint64_t now_us)
{
	double halves =
	    (double)(now_us - j->penalty_us) / (double)JUDGE_HALF_US;

	return j->penalty * exp2(-halves);
}

static void
add_fall(struct judge *j, uint64_t now_us)
{
	j->penalty =
	    MIN(penalty_at(j, now_us) + JUDGE_FALL, (double)JUDGE_PENALTY_MAX);
	j->penalty_us = now_us;
	j->held_well = false;
}

/* It was above the limit at its last fall, and is not yet free again. */
uint64_t
judge_held_us(const struct judge *j, uint64_t now_us)
{
	double now = penalty_at(j, now_us);

	if (j->penalty < JUDGE_HOLD || now < JUDGE_FREE)
		return 0;
	return (uint64_t)(log2(now / JUDGE_FREE) * JUDGE_HALF_US) + 1;
}

/* --- answers -------------------------------------------------------------- */

static bool
go(struct judge *j, enum health_state to)
{
	bool is_new = j->state != to;

	j->state = to;
	return is_new;
}

static bool
take_good(struct judge *j, const struct judge_rules *r, uint64_t now_us)
{
	j->bad = 0;
	j->good++;
	if (j->state == HEALTH_HEALTHY) {
		j->was_well = true;
		return false;
	}
	if (j->decided && j->good < r->healthy)
		return false;
	j->was_well = true;
	j->held_well = judge_held_us(j, now_us) > 0;
	return !j->held_well && go(j, HEALTH_HEALTHY);
}

static bool
take_bad(struct judge *j, const struct judge_rules *r, uint64_t now_us)
{
	bool was_up = j->state == HEALTH_HEALTHY || j->held_well;

	j->good = 0;
	j->bad++;
	if (j->decided && j->bad < r->unhealthy)
		return false;
	if (was_up)
		add_fall(j, now_us);
	return go(j, HEALTH_UNHEALTHY);
}

bool
judge_take(
    struct judge *j, const struct judge_rules *r, uint64_t now_us, bool is_good)
{
	bool is_new =
	    is_good ? take_good(j, r, now_us) : take_bad(j, r, now_us);

	j->decided = true;
	return is_new;
}

/* --- when ----------------------------------------------------------------- */

/* So that many checks of one moment do not beat together. */
static uint64_t
spread(uint64_t us, struct rng *rng)
{
	uint64_t part = us / JUDGE_SPREAD;

	return us - part + rng_below(rng, 2 * part + 1);
}

uint64_t
judge_wait_us(const struct judge *j, const struct judge_rules *r,
    uint64_t now_us, struct rng *rng)
{
	uint64_t wait, held = judge_held_us(j, now_us);

	if (!j->decided)
		return r->delay_us + rng_below(rng, JUDGE_FIRST_SPREAD_US);
	wait = spread(r->interval_us, rng);
	if (!j->was_well)
		wait = MIN(wait, HEALTH_EAGER_US);
	/* Once it is free, nobody has to wait for it any longer. */
	return j->held_well && held > 0 ? MIN(wait, held) : wait;
}
