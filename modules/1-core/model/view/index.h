/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index — which of very many rules may take a request, without asking all.
 *
 *	path ──rolling hash──► buckets ─┐
 *	headers, method … ──► buckets ──┼─► the first in order that holds
 *	rules without a key ────────────┘
 *
 * Each match of each rule lies in one bucket, under one of its own exact or
 * prefix tests: the one that it shares with the fewest others. What lies there
 * is only a candidate, and all of its tests are made again; so keys need not
 * be kept, hashes may collide, and case and long prefixes may be levelled.
 */
#ifndef MESHD_VIEW_INDEX_H
#define MESHD_VIEW_INDEX_H

#include "conditions.h"

enum {
	INDEX_PREFIX_MAX = 255, /* bytes of a prefix that count */
	INDEX_SUBJECTS_MAX = 8, /* headers and the like that are looked at */
	INDEX_CURSORS_MAX = 32, /* buckets that one request may meet */
	INDEX_ROUTES_MIN = 8    /* fewer are walked */
};

/* A match of a rule, by its place in their order. */
struct index_entry {
	const struct view_http_route *route;
	const struct view_match *match; /* NULL: the rule has none */
};

/* What else than the path is looked at. */
struct index_subject {
	const struct view_condition *of; /* the first test of it */
	uint64_t seed;
};

/* The places that have one hash; count 0: nothing lies here. */
struct index_slot {
	uint32_t hash;
	uint32_t first; /* in `places` */
	uint32_t count;
};

struct route_index {
	const struct index_entry *entries;
	const struct index_slot *slots;
	uint32_t slot_mask; /* their count, a power of two, less one */
	const uint32_t *places;
	uint32_t loose_first; /* those without a key, in `places` */
	uint32_t loose_count;
	struct index_subject subjects[INDEX_SUBJECTS_MAX];
	size_t subject_count;
	uint64_t prefix_lengths[(INDEX_PREFIX_MAX + 1) / 64]; /* bits */
	size_t longest_prefix;
	size_t longest_exact;
};

/* --- hashes, of which the halves are one -------------------------------- */

enum index_kind { INDEX_EXACT_PATH = 1, INDEX_PREFIX_PATH, INDEX_VALUE };

/* FNV-1a's, byte by byte: all prefixes of a path on one way along it. */
static inline uint64_t
index_hash_begin(void)
{
	return UINT64_C(0xcbf29ce484222325);
}

static inline uint64_t
index_hash_byte(uint64_t h, char byte)
{
	uint8_t b = (uint8_t)byte;

	b = b >= 'A' && b <= 'Z' ? b + ('a' - 'A') : b; /* case is levelled */
	return (h ^ b) * UINT64_C(0x100000001b3);
}

static inline uint32_t
index_hash_end(uint64_t h, enum index_kind kind)
{
	h = (h ^ (uint64_t)kind) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 32);
}

static inline uint64_t
index_hash_more(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		h = index_hash_byte(h, s.ptr[i]);
	return h;
}

/* Of a header's value, say; the seed keeps apart what is tested. */
static inline uint32_t
index_hash_value(uint64_t seed, struct slice value)
{
	return index_hash_end(index_hash_more(seed, value), INDEX_VALUE);
}

#endif
