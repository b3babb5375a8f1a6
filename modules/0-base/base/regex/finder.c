/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finder — where matches lie in a text, and their groups.
 */
#include "finder.h"

enum {
	BLOCK_BYTES = 256,
	BLOCK_ROOM = BLOCK_BYTES + 4, /* its first character may stick out */
	MEMORY_MAX = 8 << 20
};

/* What a walk at one place has yet to try, or to take back. */
struct trial {
	uint16_t pc;
	bool restore; /* slots[pc] was `old` */
	size_t old;
};

/* --- from the end to the start -------------------------------------------- */

/*
 * From the states that reach a match after the character at `at` to those
 * that do before it; *enter gets what may be entered there.
 */
static void
step_back(const struct finder *f, size_t at, uint64_t *alive, uint64_t *enter)
{
	const struct automaton *a = &f->r->automaton;
	size_t bytes = a->words * sizeof(*alive);
	uint32_t rune = RUNE_NONE;

	memset(enter, 0, bytes);
	if (at < f->text.len)
		(void)rune_at(f->text, at, &rune); /* its length is known */
	if (rune != RUNE_NONE) {
		const uint64_t *class =
		    a->classes[alphabet_class(&a->alphabet, rune)];

		for (size_t w = 0; w < a->words; w++)
			enter[w] = alive[w] & class[w];
	}
	state_set(enter, a->states - 1);
	memset(alive, 0, bytes);
	automaton_follow(
	    a, a->backward, automaton_have(a, f->text, at), enter, alive);
	enter[0] |= alive[0] & 1;
}

static size_t
end_of_block(const struct finder *f, size_t block)
{
	return block > 0 ? f->begins[block - 1] : f->text.len;
}

/* Finds where blocks begin, and what is alive there. */
static void
run_back(struct finder *f)
{
	size_t words = f->r->automaton.words;
	uint64_t room[STATE_WORDS_ROOM] = {0}, enter[STATE_WORDS_MAX];
	uint64_t *alive = room + 1;
	size_t at = f->text.len, end = at;

	step_back(f, at, alive, enter);
	while (at > 0) {
		if (end - at >= BLOCK_BYTES) {
			memcpy(f->alive + f->block_count * words, alive,
			    words * sizeof(*alive));
			f->begins[f->block_count++] = at;
			end = at;
		}
		at -= rune_before(f->text, at);
		step_back(f, at, alive, enter);
	}
	f->begins[f->block_count++] = 0;
}

/* Makes the block the one that `open` is of. */
static void
load(struct finder *f, size_t block)
{
	size_t words = f->r->automaton.words;
	size_t at = end_of_block(f, block), begin = f->begins[block];
	uint64_t room[STATE_WORDS_ROOM] = {0};
	uint64_t *alive = room + 1;

	memset(f->open, 0, BLOCK_ROOM * words * sizeof(*f->open));
	f->block = block;
	if (block == 0)
		step_back(f, at, alive, f->open + (at - begin) * words);
	else
		memcpy(alive, f->alive + (block - 1) * words,
		    words * sizeof(*alive));
	while (at > begin) {
		at -= rune_before(f->text, at);
		step_back(f, at, alive, f->open + (at - begin) * words);
	}
}

/* What may be entered before text[at]. */
static const uint64_t *
open_at(struct finder *f, size_t at)
{
	size_t block = f->block;

	if (at < f->begins[block])
		block = f->block_count - 1;
	while (block > 0 && at >= f->begins[block - 1])
		block--;
	if (block != f->block)
		load(f, block);
	return f->open + (at - f->begins[block]) * f->r->automaton.words;
}

/* --- the walk ------------------------------------------------------------- */

static void
push(struct finder *f, size_t *count, size_t pc)
{
	f->trials[(*count)++] = (struct trial){.pc = (uint16_t)pc};
}

static void
save(struct finder *f, size_t *count, const struct instruction *i, size_t at)
{
	f->trials[(*count)++] =
	    (struct trial){i->arg, /* restore */ true, f->slots[i->arg]};
	f->slots[i->arg] = at;
	push(f, count, i->next);
}

/*
 * From `pc` to the first OP_RUNES that may be entered at this place, or to
 * OP_MATCH. There is one: the way so far was chosen because it leads there.
 */
static size_t
choose(struct finder *f, size_t pc, size_t at)
{
	const struct automaton *a = &f->r->automaton;
	const uint64_t *open = open_at(f, at);
	unsigned have = automaton_have(a, f->text, at);
	size_t count = 0;

	f->choice++;
	push(f, &count, pc);
	for (;;) {
		const struct instruction *i;
		struct trial next;

		CHECK(count > 0);
		next = f->trials[--count];
		if (next.restore) {
			f->slots[next.pc] = next.old;
			continue;
		}
		if (f->seen[next.pc] == f->choice)
			continue;
		f->seen[next.pc] = f->choice;
		i = &f->r->program.code[next.pc];
		switch ((enum op)i->op) {
		case OP_RUNES:
			if (state_holds(open, a->state_of[next.pc]))
				return next.pc;
			break;
		case OP_MATCH:
			return next.pc;
		case OP_SPLIT:
			push(f, &count, i->other);
			push(f, &count, i->next);
			break;
		case OP_SAVE:
			save(f, &count, i, at);
			break;
		case OP_NEED:
			if (!(i->arg & ~have))
				push(f, &count, i->next);
			break;
		}
	}
}

static void
walk(struct finder *f, size_t at)
{
	const struct instruction *code = f->r->program.code;
	size_t pc = f->r->program.start;
	uint32_t rune;

	for (size_t i = 0; i < f->slot_count; i++)
		f->slots[i] = SIZE_MAX;
	f->slots[0] = at;
	for (;;) {
		pc = choose(f, pc, at);
		if (code[pc].op == OP_MATCH)
			break;
		pc = code[pc].next;
		at += rune_at(f->text, at, &rune);
	}
	f->slots[1] = at;
}

bool
finder_next(struct finder *f, size_t from)
{
	uint32_t rune;

	while (from <= f->text.len) {
		if (open_at(f, from)[0] & 1) {
			walk(f, from);
			return true;
		}
		from += from < f->text.len ? rune_at(f->text, from, &rune) : 1;
	}
	return false;
}

enum err
finder_init(struct finder *f, const struct regex *r, struct slice text)
{
	size_t blocks = text.len / BLOCK_BYTES + 1;
	size_t words = r->automaton.words, code = r->program.count;
	struct arena *a = &f->arena;

	*f = (struct finder){
	    .r = r, .text = text, .slot_count = (r->groups + 1) * 2};
	arena_init(a, MEMORY_MAX);
	if (text.len > REGEX_SEARCH_TEXT_MAX)
		return ERR_LIMIT;
	f->begins = arena_alloc_array(a, blocks, sizeof(*f->begins));
	f->alive = arena_alloc_array(a, blocks * words, sizeof(*f->alive));
	f->open = arena_alloc_array(a, BLOCK_ROOM * words, sizeof(*f->open));
	f->slots = arena_alloc_array(a, f->slot_count, sizeof(*f->slots));
	f->seen = arena_alloc_array(a, code, sizeof(*f->seen));
	f->trials = arena_alloc_array(a, code * 2 + 1, sizeof(*f->trials));
	if (f->begins == NULL || f->alive == NULL || f->open == NULL ||
	    f->slots == NULL || f->seen == NULL || f->trials == NULL) {
		finder_fini(f);
		return ERR_NO_MEMORY;
	}
	run_back(f);
	load(f, f->block_count - 1);
	return OK;
}

void
finder_fini(struct finder *f)
{
	arena_fini(&f->arena);
}

struct slice
finder_group(const struct finder *f, size_t n)
{
	size_t begin, end;

	if (n * 2 + 1 >= f->slot_count || f->slots[n * 2] == SIZE_MAX ||
	    f->slots[n * 2 + 1] == SIZE_MAX)
		return SLICE_NONE;
	begin = f->slots[n * 2];
	end = f->slots[n * 2 + 1];
	return slice_of(f->text.ptr + begin, end - begin);
}
