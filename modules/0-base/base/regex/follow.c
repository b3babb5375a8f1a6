/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow — a relation between states, in the form that is quick to apply.
 *
 * Rows that many states share, as those of the last letters of "(to|be|or)*",
 * become one jump each. Of the others, distances that many pairs have become
 * shifts: how many, is found by trying. What is left becomes jumps too.
 */
#include "follow.h"

enum {
	SHARED_MIN = 4, /* rows */
	/* More would cost more than REGEX_STEP_MAX. */
	PAIRS_MAX = REGEX_STEP_MAX * STATE_WORD_BITS,
	/* What a shift or a jump costs beside its words. */
	EACH_COST = 2
};

/* A way to cut the relation into shifts and jumps. */
struct plan {
	const struct relation *r;
	uint32_t *pairs;   /* by distance + states; without the shared rows */
	uint32_t least;    /* a distance with so many pairs is a shift; 0 and */
			   /* 1, which are x* and literals, are one anyway */
	uint64_t *rests;   /* the relation without the shifts */
	uint16_t *leaders; /* the first row with the same rest, by row */
	uint16_t *lasts;   /* the last one, by leader */
	bool *shared;      /* by row: is a jump as a whole */
	size_t cost;
};

static const uint64_t *
row(const struct relation *r, const uint64_t *rows, size_t i)
{
	return rows + i * r->words;
}

static size_t
next_state(const struct relation *r, const uint64_t *states, size_t from)
{
	for (size_t w = from / STATE_WORD_BITS; w < r->words; w++) {
		uint64_t rest = states[w];

		if (w == from / STATE_WORD_BITS)
			rest &= ~0ull << (from % STATE_WORD_BITS);
		if (rest != 0)
			return w * STATE_WORD_BITS +
			       (size_t)__builtin_ctzll(rest);
	}
	return r->states;
}

/* The words that are not zero: their first and how many. */
static size_t
span(size_t words, const uint64_t *states, size_t *first)
{
	size_t low = 0, high = words;

	while (low < high && states[low] == 0)
		low++;
	while (high > low && states[high - 1] == 0)
		high--;
	*first = low;
	return high - low;
}

/* --- rows that are the same ----------------------------------------------- */

static size_t
hash(const struct relation *r, const uint64_t *states)
{
	uint64_t h = 0;

	for (size_t i = 0; i < r->words; i++)
		h = (h ^ states[i]) * 0x9E3779B97F4A7C15ull;
	return (size_t)(h >> 40);
}

/* Finds for each row of the rests the first and the last that are the same. */
static void
find_leaders(struct plan *p)
{
	enum { BUCKETS = 4096, NONE = UINT16_MAX };
	uint16_t buckets[BUCKETS];
	size_t bytes = p->r->words * sizeof(uint64_t);

	memset(buckets, 0xFF, sizeof(buckets));
	for (size_t i = 0; i < p->r->states; i++) {
		const uint64_t *rest = row(p->r, p->rests, i);
		size_t b = hash(p->r, rest) % BUCKETS;

		while (
		    buckets[b] != NONE &&
		    memcmp(row(p->r, p->rests, buckets[b]), rest, bytes) != 0)
			b = (b + 1) % BUCKETS;
		if (buckets[b] == NONE)
			buckets[b] = (uint16_t)i;
		p->leaders[i] = buckets[b];
		p->lasts[buckets[b]] = (uint16_t)i;
	}
}

static void
copy_rows(struct plan *p)
{
	memcpy(p->rests, p->r->rows,
	    p->r->states * p->r->words * sizeof(uint64_t));
}

/* Marks the rows that many states have. */
static bool
find_shared(struct plan *p, struct arena *scratch)
{
	uint16_t *count =
	    arena_alloc_array(scratch, p->r->states, sizeof(*count));

	if (count == NULL)
		return false;
	copy_rows(p);
	find_leaders(p);
	for (size_t i = 0; i < p->r->states; i++)
		count[p->leaders[i]]++;
	for (size_t i = 0; i < p->r->states; i++)
		p->shared[i] = count[p->leaders[i]] >= SHARED_MIN;
	return true;
}

/* --- what a way costs ----------------------------------------------------- */

/* False if there are too many to be worth a try. */
static bool
count_pairs(struct plan *p)
{
	const struct relation *r = p->r;
	size_t total = 0;

	for (size_t i = 0; i < r->states && total <= PAIRS_MAX; i++) {
		const uint64_t *all = row(r, r->rows, i);
		size_t k = p->shared[i] ? r->states : next_state(r, all, 0);

		for (; k < r->states; k = next_state(r, all, k + 1)) {
			p->pairs[k - i + r->states]++;
			total++;
		}
	}
	return total <= PAIRS_MAX;
}

static bool
is_shift(const struct plan *p, size_t distance)
{
	uint32_t pairs = p->pairs[distance];

	return pairs >= p->least ||
	       (pairs > 0 &&
		   (distance == p->r->states || distance == p->r->states + 1));
}

static void
take_shifts(struct plan *p)
{
	const struct relation *r = p->r;

	copy_rows(p);
	for (size_t i = 0; i < r->states; i++) {
		const uint64_t *all = row(r, r->rows, i);
		uint64_t *rest = p->rests + i * r->words;
		size_t k = p->shared[i] ? r->states : next_state(r, all, 0);

		for (; k < r->states; k = next_state(r, all, k + 1))
			if (is_shift(p, k - i + r->states))
				rest[k / STATE_WORD_BITS] &=
				    ~(1ull << (k % STATE_WORD_BITS));
	}
}

/* The words of the sources of the jump that row i leads. */
static size_t
sources(const struct plan *p, size_t i, size_t *first)
{
	*first = i / STATE_WORD_BITS;
	return p->lasts[i] / STATE_WORD_BITS - *first + 1;
}

static bool
leads(const struct plan *p, size_t i)
{
	size_t first;

	return p->leaders[i] == i &&
	       span(p->r->words, row(p->r, p->rests, i), &first) > 0;
}

static void
try(struct plan *p, uint32_t least)
{
	const struct relation *r = p->r;
	size_t first;

	p->least = least;
	take_shifts(p);
	find_leaders(p);
	p->cost = 0;
	for (size_t d = 0; d < 2 * r->states; d++)
		p->cost += is_shift(p, d) ? r->words + EACH_COST : 0;
	for (size_t i = 0; i < r->states; i++)
		if (leads(p, i))
			p->cost += sources(p, i, &first) + EACH_COST +
				   span(r->words, row(r, p->rests, i), &first);
}

/* --- what was chosen, written down ---------------------------------------- */

static bool
write_shift(
    struct shift *s, const struct plan *p, size_t distance, struct arena *arena)
{
	const struct relation *r = p->r;
	uint64_t mask[STATE_WORDS_MAX] = {0};
	size_t first;

	for (size_t i = 0; i < r->states; i++) {
		size_t k = i + distance - r->states;

		if (!p->shared[i] && k < r->states &&
		    state_holds(row(r, r->rows, i), k))
			state_set(mask, i);
	}
	s->bits = (unsigned)((distance - r->states) % STATE_WORD_BITS);
	s->words =
	    ((int)distance - (int)r->states - (int)s->bits) / STATE_WORD_BITS;
	s->count = (uint16_t)span(r->words, mask, &first);
	s->word = (uint16_t)first;
	s->mask = arena_alloc_array(arena, s->count, sizeof(*s->mask));
	if (s->mask == NULL)
		return false;
	memcpy(s->mask, mask + first, s->count * sizeof(*s->mask));
	return true;
}

static bool
write_shifts(struct follow *out, const struct plan *p, struct arena *arena)
{
	size_t distances = 2 * p->r->states;

	for (size_t d = 0; d < distances; d++)
		out->shift_count += is_shift(p, d);
	out->shifts =
	    arena_alloc_array(arena, out->shift_count, sizeof(*out->shifts));
	if (out->shifts == NULL)
		return false;
	out->shift_count = 0;
	for (size_t d = 0; d < distances; d++)
		if (is_shift(p, d) &&
		    !write_shift(&out->shifts[out->shift_count++], p, d, arena))
			return false;
	return true;
}

static bool
write_jump(
    struct jump *j, const struct plan *p, size_t leader, struct arena *arena)
{
	const struct relation *r = p->r;
	const uint64_t *rest = row(r, p->rests, leader);
	size_t from, to;

	j->from_count = (uint16_t)sources(p, leader, &from);
	j->to_count = (uint16_t)span(r->words, rest, &to);
	j->from_word = (uint16_t)from;
	j->to_word = (uint16_t)to;
	j->from = arena_alloc_array(arena, j->from_count, sizeof(uint64_t));
	j->to = arena_alloc_array(arena, j->to_count, sizeof(uint64_t));
	if (j->from == NULL || j->to == NULL)
		return false;
	for (size_t i = leader; i <= p->lasts[leader]; i++)
		if (p->leaders[i] == leader)
			state_set(j->from, i - from * STATE_WORD_BITS);
	memcpy(j->to, rest + to, j->to_count * sizeof(uint64_t));
	return true;
}

static bool
write_jumps(struct follow *out, const struct plan *p, struct arena *arena)
{
	for (size_t i = 0; i < p->r->states; i++)
		out->jump_count += leads(p, i);
	out->jumps =
	    arena_alloc_array(arena, out->jump_count, sizeof(*out->jumps));
	if (out->jumps == NULL)
		return false;
	out->jump_count = 0;
	for (size_t i = 0; i < p->r->states; i++)
		if (leads(p, i) &&
		    !write_jump(&out->jumps[out->jump_count++], p, i, arena))
			return false;
	return true;
}

static bool
plan_init(struct plan *p, const struct relation *r, struct arena *scratch)
{
	*p = (struct plan){.r = r};
	p->pairs = arena_alloc_array(scratch, 2 * r->states, sizeof(*p->pairs));
	p->rests =
	    arena_alloc_array(scratch, r->states * r->words, sizeof(uint64_t));
	p->leaders = arena_alloc_array(scratch, r->states, sizeof(*p->leaders));
	p->lasts = arena_alloc_array(scratch, r->states, sizeof(*p->lasts));
	p->shared = arena_alloc_array(scratch, r->states, sizeof(*p->shared));
	return p->pairs != NULL && p->rests != NULL && p->leaders != NULL &&
	       p->lasts != NULL && p->shared != NULL && find_shared(p, scratch);
}

bool
follow_make(struct follow *out, const struct relation *r, struct arena *arena,
    struct arena *scratch, size_t *out_cost)
{
	static const uint32_t leasts[] = {2, 4, 16, 64, UINT32_MAX};
	struct plan p;
	uint32_t best = 0;

	if (!plan_init(&p, r, scratch))
		return false;
	*out_cost = SIZE_MAX;
	if (!count_pairs(&p))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(leasts); i++) {
		try(&p, leasts[i]);
		if (p.cost >= *out_cost)
			continue;
		*out_cost = p.cost;
		best = leasts[i];
	}
	try(&p, best);
	return p.cost > REGEX_STEP_MAX ||
	       (write_shifts(out, &p, arena) && write_jumps(out, &p, arena));
}
