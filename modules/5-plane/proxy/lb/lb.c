/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lb — which of a destination's endpoints takes the next request.
 *
 * A pick goes through up to three rounds, each with a weaker demand; the
 * first that finds a host ends it. Nearly always that is round one.
 */
#include "lb.h"

/* What a host must be in each round. */
enum demand { FRESH, UNTRIED, ALIVE, DEMANDS };

static bool
alive(const struct lb_host *h)
{
	return !h->unhealthy && h->weight > 0;
}

static bool
meets(const struct lb_host *h, enum demand d, uint64_t now_us)
{
	if (!alive(h))
		return false;
	if (d == ALIVE)
		return true;
	if (h->excluded)
		return false;
	return d == UNTRIED ||
	       (h->avoid_until_us <= now_us && h->trial_until_us <= now_us);
}

void
lb_set_init(
    struct lb_set *s, struct lb_slot *slots, size_t count, struct rng *rng)
{
	uint32_t first = 0;

	*s = (struct lb_set){.slots = slots, .count = count, .equal = true};
	for (size_t i = 0; i < count; i++) {
		uint32_t w = slots[i].host->weight;

		if (w == 0)
			continue;
		if (first == 0)
			first = w;
		s->equal = s->equal && w == first;
		slots[i].deadline = rng_unit(rng) / w;
	}
	if (count > 0)
		s->cursor = (size_t)rng_below(rng, count);
}

/* A uniform choice among those that meet the demand, by counting them. */
static size_t
uniform(const struct lb_set *s, enum demand d, uint64_t now_us, struct rng *rng)
{
	size_t found = s->count;
	size_t seen = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (!meets(s->slots[i].host, d, now_us))
			continue;
		if (rng_below(rng, ++seen) == 0)
			found = i;
	}
	return found;
}

/* A few blind throws hit at once when most hosts are well. */
static size_t
sample(const struct lb_set *s, enum demand d, uint64_t now_us, struct rng *rng)
{
	enum { THROWS = 4 };

	for (int t = 0; t < THROWS; t++) {
		size_t i = (size_t)rng_below(rng, s->count);

		if (meets(s->slots[i].host, d, now_us))
			return i;
	}
	return uniform(s, d, now_us, rng);
}

static size_t
next_in_turn(struct lb_set *s, enum demand d, uint64_t now_us)
{
	for (size_t n = 0; n < s->count; n++) {
		size_t i = s->cursor;

		s->cursor = i + 1 == s->count ? 0 : i + 1;
		if (meets(s->slots[i].host, d, now_us))
			return i;
	}
	return s->count;
}

/*
 * The host with the earliest deadline; it then waits 1/share. A host that
 * was away does not catch up: its deadline moves to the queue's first.
 */
static size_t
earliest(struct lb_set *s, enum demand d, uint64_t now_us, bool by_load)
{
	size_t found = s->count;
	const struct lb_host *h;
	double share;

	for (size_t i = 0; i < s->count; i++) {
		struct lb_slot *slot = &s->slots[i];

		if (!meets(slot->host, d, now_us))
			continue;
		if (slot->deadline < s->deadline)
			slot->deadline = s->deadline;
		if (found == s->count ||
		    slot->deadline < s->slots[found].deadline)
			found = i;
	}
	if (found == s->count)
		return found;
	h = s->slots[found].host;
	share = by_load ? (double)h->weight / (h->active + 1.0) : h->weight;
	s->deadline = s->slots[found].deadline;
	s->slots[found].deadline += 1.0 / share;
	return found;
}

static size_t
less_loaded_of_two(
    const struct lb_set *s, enum demand d, uint64_t now_us, struct rng *rng)
{
	size_t a = sample(s, d, now_us, rng);
	size_t b;

	if (a == s->count)
		return a;
	b = sample(s, d, now_us, rng);
	return s->slots[b].host->active < s->slots[a].host->active ? b : a;
}

/* In proportion to weight, in one pass. */
static size_t
weighted(
    const struct lb_set *s, enum demand d, uint64_t now_us, struct rng *rng)
{
	size_t found = s->count;
	uint64_t total = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (!meets(s->slots[i].host, d, now_us))
			continue;
		total += s->slots[i].host->weight;
		if (rng_below(rng, total) < s->slots[i].host->weight)
			found = i;
	}
	return found;
}

static size_t
pick_round(struct lb_set *s, enum lb_policy policy, enum demand d,
    uint64_t now_us, struct rng *rng)
{
	switch (policy) {
	case LB_ROUND_ROBIN:
		return s->equal ? next_in_turn(s, d, now_us)
				: earliest(s, d, now_us, /* by_load */ false);
	case LB_RANDOM:
		return s->equal ? sample(s, d, now_us, rng)
				: weighted(s, d, now_us, rng);
	case LB_LEAST_REQUEST:
		break;
	}
	return s->equal ? less_loaded_of_two(s, d, now_us, rng)
			: earliest(s, d, now_us, /* by_load */ true);
}

size_t
lb_pick(
    struct lb_set *s, enum lb_policy policy, uint64_t now_us, struct rng *rng)
{
	size_t i = s->count;

	if (s->count == 0)
		return 0;
	for (int d = FRESH; d < DEMANDS && i == s->count; d++)
		i = pick_round(s, policy, (enum demand)d, now_us, rng);
	if (i < s->count && s->slots[i].host->failures > 0)
		s->slots[i].host->trial_until_us =
		    now_us + LB_TRIAL_MS * UINT64_C(1000);
	return i;
}

void
lb_host_failed(struct lb_host *h, uint64_t now_us)
{
	uint64_t ms = LB_AVOID_FIRST_MS;

	if (now_us < h->avoid_until_us)
		return;
	for (uint32_t i = 0; i < h->failures && ms < LB_AVOID_MAX_MS; i++)
		ms *= 2;
	h->failures++;
	h->trial_until_us = 0;
	h->avoid_until_us = now_us + MIN(ms, LB_AVOID_MAX_MS) * 1000;
}

void
lb_host_succeeded(struct lb_host *h)
{
	h->failures = 0;
	h->avoid_until_us = 0;
	h->trial_until_us = 0;
}
