/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng — xoshiro256** by Blackman and Vigna, seeded by splitmix64.
 *
 * Scrambled Linear Pseudorandom Number Generators, 2018; public domain.
 */
#include "rng.h"
#include "check.h"
#include "crypto.h"

static uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static uint64_t
splitmix(uint64_t *state)
{
	return hash_u64(*state += UINT64_C(0x9e3779b97f4a7c15));
}

void
rng_init(struct rng *r, uint64_t seed)
{
	for (size_t i = 0; i < ARRAY_LEN(r->s); i++)
		r->s[i] = splitmix(&seed);
}

void
rng_init_random(struct rng *r)
{
	uint64_t seed;

	crypto_random(&seed, sizeof(seed));
	rng_init(r, seed);
}

uint64_t
rng_u64(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t
rng_below(struct rng *r, uint64_t bound)
{
	uint64_t reject, x;

	CHECK(bound > 0);
	/* The 2^64 mod bound smallest draws would favour small results. */
	reject = (0 - bound) % bound;
	do {
		x = rng_u64(r);
	} while (x < reject);
	return x % bound;
}

double
rng_unit(struct rng *r)
{
	/* A double holds 53 bits. */
	return (double)(rng_u64(r) >> 11) * 0x1.0p-53;
}
