/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match — a pattern compiled, and texts matched with it.
 *
 * Reads the text once, from left to right, and keeps the set of states.
 */
#include "../regex.h"
#include "automaton.h"

enum { SCRATCH_MAX = 16 << 20 };

MUST_USE static enum err
compile(struct slice pattern, struct regex *r, struct fault *why)
{
	AUTO(arena_fini) struct arena scratch;
	struct syntax syntax = {0};
	struct program p;
	enum err e;

	arena_init(&scratch, SCRATCH_MAX);
	if ((e = syntax_parse(pattern, &scratch, &syntax, why)) != OK ||
	    (e = program_make(&syntax, &scratch, &p, why)) != OK ||
	    (e = automaton_make(&r->automaton, &p, &r->arena, &scratch, why)) !=
		OK)
		return e;
	r->groups = syntax.groups;
	r->program = (struct program){.count = p.count, .start = p.start};
	r->program.code =
	    arena_alloc_array(&r->arena, p.count, sizeof(*p.code));
	if (r->program.code == NULL)
		return fault_set(why, ERR_NO_MEMORY, "no memory for a pattern");
	memcpy(r->program.code, p.code, p.count * sizeof(*p.code));
	return OK;
}

enum err
regex_compile(struct slice pattern, struct regex **out, struct fault *why)
{
	AUTO(regex_unref) struct regex *r = NULL;
	enum err e;

	if (pattern.len > REGEX_PATTERN_MAX)
		return fault_set(why, ERR_LIMIT,
		    "the pattern is longer than %d bytes",
		    (int)REGEX_PATTERN_MAX);
	r = mem_new(sizeof(*r));
	atomic_init(&r->refs, 1);
	arena_init(&r->arena, REGEX_MEMORY_MAX);
	if ((e = compile(pattern, r, why)) != OK)
		return e;
	*out = TAKE(r);
	return OK;
}

struct regex *
regex_ref(const struct regex *r)
{
	struct regex *counted = (struct regex *)(uintptr_t)r;

	atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
	return counted;
}

void
regex_unref(struct regex **rp)
{
	struct regex *r = TAKE(*rp);

	if (r == NULL ||
	    atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
		return;
	arena_fini(&r->arena);
	mem_free(&r);
}

size_t
regex_bytes(const struct regex *r)
{
	return sizeof(*r) + r->arena.used;
}

size_t
regex_instructions(const struct regex *r)
{
	return r->program.count;
}

size_t
regex_groups(const struct regex *r)
{
	return r->groups;
}

/* Keeps of the states those that a character leads to; false if none is. */
static bool
keep(const struct automaton *a, size_t class, uint64_t *states)
{
	const uint64_t *mask = a->classes[class];
	uint64_t any = 0;

	for (size_t w = 0; w < a->words; w++)
		any |= states[w] &= mask[w];
	return any != 0;
}

/* The class of the character at text[*at], which it steps over. */
static bool
next_class(
    const struct automaton *a, struct slice text, size_t *at, size_t *out)
{
	uint32_t rune = (uint8_t)text.ptr[*at];

	if (rune < ALPHABET_ASCII) {
		*out = a->alphabet.ascii[rune];
		++*at;
		return true;
	}
	*at += rune_at(text, *at, &rune);
	if (rune == RUNE_NONE)
		return false;
	*out = alphabet_class(&a->alphabet, rune);
	return true;
}

bool
regex_match(const struct regex *r, struct slice text)
{
	const struct automaton *a = &r->automaton;
	uint64_t sets[2][STATE_WORDS_ROOM];
	uint64_t *now = sets[0] + 1, *then = sets[1] + 1, *swap;
	size_t bytes = a->words * sizeof(*now);
	size_t at = 0, class;

	memset(now, 0, bytes);
	state_set(now, 0);
	for (;;) {
		memset(then, 0, bytes);
		automaton_follow(
		    a, a->forward, automaton_have(a, text, at), now, then);
		if (at == text.len)
			return state_holds(then, a->states - 1);
		if (!next_class(a, text, &at, &class) || !keep(a, class, then))
			return false;
		swap = now;
		now = then;
		then = swap;
	}
}

bool
regex_search(const struct regex *r, struct slice text)
{
	const struct automaton *a = &r->automaton;
	uint64_t sets[2][STATE_WORDS_ROOM];
	uint64_t *now = sets[0] + 1, *then = sets[1] + 1, *swap;
	size_t bytes = a->words * sizeof(*now);
	size_t at = 0, class;

	memset(now, 0, bytes);
	for (;;) {
		state_set(now, 0); /* a match may begin anywhere */
		memset(then, 0, bytes);
		automaton_follow(
		    a, a->forward, automaton_have(a, text, at), now, then);
		if (state_holds(then, a->states - 1))
			return true;
		if (at == text.len)
			return false;
		if (next_class(a, text, &at, &class))
			(void)keep(a, class, then); /* none: it begins anew */
		else
			memset(then, 0, bytes);
		swap = now;
		now = then;
		then = swap;
	}
}
