/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng — chance that a test can repeat (xoshiro256**, Blackman and Vigna 2018).
 *
 * For balancing, jitter and simulation. Never for secrets: crypto_random().
 */
#ifndef MESHD_RNG_H
#define MESHD_RNG_H

#include "attr.h"

struct rng {
	uint64_t s[4];
};

/* The same seed gives the same sequence on every machine (splitmix64). */
void rng_init(struct rng *r, uint64_t seed);

/* Seeds from the system. */
void rng_init_random(struct rng *r);

uint64_t rng_u64(struct rng *r);

/* Uniform in [0, bound) without bias; bound > 0. */
uint64_t rng_below(struct rng *r, uint64_t bound);

/* Uniform in [0, 1). */
double rng_unit(struct rng *r);

#endif
