/* SPDX-License-Identifier: Apache-2.0 */
/*
 * automaton — all states of a pattern at once, 64 in a machine word.
 *
 * Glushkov's automaton (1961): a state for each OP_RUNES, which holds when its
 * character was the last one read, one for the start (bit 0) and one for the
 * match (the last bit). What may follow a state is kept as shifts of the whole
 * set by a distance (the next character of a literal: 1; x*: 0) and, for the
 * rest, as jumps from some states to some others. Their sizes bound the work
 * of a step, whatever the text.
 */
#ifndef MESHD_AUTOMATON_H
#define MESHD_AUTOMATON_H

#include <stdatomic.h>

#include "../regex.h"
#include "alphabet.h"

enum {
	STATES_MAX = REGEX_INSTRUCTIONS_MAX + 1,
	STATE_WORD_BITS = 64,
	STATE_WORDS_MAX = (STATES_MAX + STATE_WORD_BITS - 1) / STATE_WORD_BITS,
	/* Of a set that automaton_follow() writes to; it begins at 1. */
	STATE_WORDS_ROOM = STATE_WORDS_MAX + 2
};

/* Up by `bits`, then by whole words, which may be fewer than none. */
struct shift {
	int words;
	unsigned bits;
	uint16_t word, count; /* of the mask's words */
	uint64_t *mask;       /* of the states that it moves */
};

/* If one of the states in `from` holds, those in `to` may follow. */
struct jump {
	uint16_t from_word, from_count;
	uint16_t to_word, to_count;
	uint64_t *from, *to;
};

/* What may follow where `need` holds. */
struct follow {
	uint8_t need;
	size_t shift_count, jump_count;
	struct shift *shifts;
	struct jump *jumps;
};

struct automaton {
	size_t states, words;
	struct alphabet alphabet;
	uint64_t **classes; /* the states that a class leads to */
	uint8_t needs;      /* all that is asked of a place */
	size_t follow_count;
	struct follow *forward;  /* from a state to what follows */
	struct follow *backward; /* and the other way round */
	uint16_t *state_of;      /* of an instruction; 0: none */
};

struct regex {
	atomic_uint refs;
	struct arena arena;
	struct program program;
	size_t groups;
	struct automaton automaton;
};

/* In `arena`, with `scratch` for the way there; ERR_LIMIT in words. */
MUST_USE enum err automaton_make(struct automaton *a, const struct program *p,
    struct arena *arena, struct arena *scratch, struct fault *why);

/*
 * Enters into `to` what may follow `from`, at a place where `have` holds.
 * `to` has a word of room before and one behind, which stay as they are.
 */
void automaton_follow(const struct automaton *a, const struct follow *follow,
    unsigned have, const uint64_t *from, uint64_t *to);

/* Which of the needs hold before text[at]. */
unsigned automaton_have(
    const struct automaton *a, struct slice text, size_t at);

static inline bool
state_holds(const uint64_t *states, size_t bit)
{
	return states[bit / STATE_WORD_BITS] >> (bit % STATE_WORD_BITS) & 1;
}

static inline void
state_set(uint64_t *states, size_t bit)
{
	states[bit / STATE_WORD_BITS] |= 1ull << (bit % STATE_WORD_BITS);
}

#endif
