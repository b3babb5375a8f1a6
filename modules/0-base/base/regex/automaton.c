/* SPDX-License-Identifier: Apache-2.0 */
/*
 * automaton — all states of a pattern at once, 64 in a machine word.
 */
#include "automaton.h"
#include "follow.h"

enum {
	NEEDS_MAX = NEED_ALL + 1,
	WORK_MAX = 1 << 18 /* instructions looked at while it is made */
};

/* The relations while they are found, one for each need. */
struct maker {
	const struct program *p;
	struct automaton *a;
	struct arena *scratch;
	struct relation by_need[NEEDS_MAX];
	uint64_t *seen; /* by instruction: with which needs */
	uint32_t *stack;
	size_t stack_count;
	size_t work;
	bool failed; /* the arena is full */
};

static void
number_states(struct automaton *a, const struct program *p)
{
	a->states = 1;
	/* What is written from the end is read from the start. */
	for (size_t i = p->count; i-- > 0;)
		if (p->code[i].op == OP_RUNES || p->code[i].op == OP_MATCH)
			a->state_of[i] = (uint16_t)a->states++;
	a->words = (a->states + STATE_WORD_BITS - 1) / STATE_WORD_BITS;
}

static void
relate(struct maker *m, unsigned need, size_t from, size_t to)
{
	struct relation *r = &m->by_need[need];

	if (r->rows == NULL) {
		*r = (struct relation){m->a->states, m->a->words, NULL};
		r->rows = arena_alloc_array(
		    m->scratch, r->states * r->words, sizeof(uint64_t));
		m->a->follow_count++;
	}
	if (r->rows == NULL)
		m->failed = true;
	else
		state_set(r->rows + from * r->words, to);
}

static void
push(struct maker *m, size_t pc, unsigned need)
{
	/* A place is or is not at the edge of a word. */
	if ((need & NEED_WORD_EDGE && need & NEED_NO_EDGE) ||
	    m->seen[pc] >> need & 1)
		return;
	m->seen[pc] |= 1ull << need;
	m->stack[m->stack_count++] = (uint32_t)(pc * NEEDS_MAX + need);
}

/* Relates `from` to all states that can be reached without a character. */
static void
reach(struct maker *m, size_t from, size_t pc)
{
	memset(m->seen, 0, m->p->count * sizeof(*m->seen));
	push(m, pc, 0);
	while (m->stack_count > 0 && !m->failed && m->work < WORK_MAX) {
		uint32_t top = m->stack[--m->stack_count];
		unsigned need = top % NEEDS_MAX;
		const struct instruction *i = &m->p->code[top / NEEDS_MAX];

		m->work++;
		switch ((enum op)i->op) {
		case OP_RUNES:
		case OP_MATCH:
			relate(m, need, from, m->a->state_of[top / NEEDS_MAX]);
			break;
		case OP_SPLIT:
			push(m, i->other, need);
			push(m, i->next, need);
			break;
		case OP_SAVE:
			push(m, i->next, need);
			break;
		case OP_NEED:
			push(m, i->next, need | i->arg);
			break;
		}
	}
}

static bool
find_relations(struct maker *m)
{
	size_t needs = 1;

	for (size_t i = 0; i < m->p->count; i++)
		if (m->p->code[i].op == OP_NEED)
			m->a->needs |= (uint8_t)m->p->code[i].arg;
	needs <<= __builtin_popcount(m->a->needs);
	m->seen = arena_alloc_array(m->scratch, m->p->count, sizeof(*m->seen));
	m->stack = arena_alloc_array(
	    m->scratch, m->p->count * needs, sizeof(*m->stack));
	if (m->seen == NULL || m->stack == NULL)
		return false;
	m->a->follow_count = 0;
	reach(m, 0, m->p->start);
	for (size_t i = 0; i < m->p->count; i++)
		if (m->p->code[i].op == OP_RUNES)
			reach(m, m->a->state_of[i], m->p->code[i].next);
	return !m->failed;
}

static bool
turn_round(
    const struct relation *r, struct relation *out, struct arena *scratch)
{
	*out = *r;
	out->rows =
	    arena_alloc_array(scratch, r->states * r->words, sizeof(uint64_t));
	if (out->rows == NULL)
		return false;
	for (size_t i = 0; i < r->states; i++)
		for (size_t w = 0; w < r->words; w++) {
			uint64_t rest = r->rows[i * r->words + w];

			for (; rest != 0; rest &= rest - 1)
				state_set(
				    out->rows +
					(w * STATE_WORD_BITS +
					    (size_t)__builtin_ctzll(rest)) *
					    r->words,
				    i);
		}
	return true;
}

/* What a step costs is added up, as far as it is not too much. */
static bool
write_follows(
    struct maker *m, struct arena *arena, size_t *forward, size_t *backward)
{
	struct automaton *a = m->a;
	size_t at = 0, cost = 0;

	a->forward =
	    arena_alloc_array(arena, a->follow_count, sizeof(*a->forward));
	a->backward =
	    arena_alloc_array(arena, a->follow_count, sizeof(*a->backward));
	if (a->forward == NULL || a->backward == NULL)
		return false;
	for (unsigned need = 0; need < NEEDS_MAX; need++) {
		struct relation *r = &m->by_need[need], back;

		if (r->rows == NULL ||
		    MAX(*forward, *backward) > REGEX_STEP_MAX)
			continue;
		a->forward[at].need = a->backward[at].need = (uint8_t)need;
		if (!follow_make(
			&a->forward[at], r, arena, m->scratch, &cost) ||
		    !turn_round(r, &back, m->scratch))
			return false;
		*forward = cost > REGEX_STEP_MAX ? cost : *forward + cost;
		if (!follow_make(
			&a->backward[at], &back, arena, m->scratch, &cost))
			return false;
		*backward = cost > REGEX_STEP_MAX ? cost : *backward + cost;
		at++;
	}
	return true;
}

/* --- classes of characters ------------------------------------------------ */

struct entry {
	struct automaton *a;
	const uint64_t *states; /* that a set leads to */
};

static void
enter(void *arg, size_t class)
{
	struct entry *e = arg;

	for (size_t w = 0; w < e->a->words; w++)
		e->a->classes[class][w] |= e->states[w];
}

static bool
write_classes(struct automaton *a, const struct program *p, struct arena *arena)
{
	uint64_t *all;

	a->classes = arena_alloc_array(
	    arena, a->alphabet.class_count, sizeof(*a->classes));
	all = arena_alloc_array(
	    arena, a->alphabet.class_count * a->words, sizeof(*all));
	if (a->classes == NULL || all == NULL)
		return false;
	for (size_t i = 0; i < a->alphabet.class_count; i++)
		a->classes[i] = all + i * a->words;
	for (size_t set = 0; set < p->set_count; set++) {
		uint64_t states[STATE_WORDS_MAX] = {0};
		struct entry e = {a, states};

		for (size_t i = 0; i < p->count; i++)
			if (p->code[i].op == OP_RUNES && p->code[i].arg == set)
				state_set(states, a->state_of[i]);
		alphabet_each(&a->alphabet, p->sets[set], enter, &e);
	}
	return true;
}

enum err
automaton_make(struct automaton *a, const struct program *p,
    struct arena *arena, struct arena *scratch, struct fault *why)
{
	struct maker m = {.p = p, .a = a, .scratch = scratch};
	size_t forward = 0, backward = 0;

	a->state_of = arena_alloc_array(arena, p->count, sizeof(uint16_t));
	if (a->state_of == NULL)
		return fault_set(why, ERR_NO_MEMORY, "no memory for a pattern");
	number_states(a, p);
	if (!alphabet_make(&a->alphabet, p, arena, scratch) ||
	    !write_classes(a, p, arena) || !find_relations(&m) ||
	    (m.work < WORK_MAX &&
		!write_follows(&m, arena, &forward, &backward)))
		return fault_set(
		    why, ERR_LIMIT, "the pattern needs too much memory");
	if (m.work == WORK_MAX || MAX(forward, backward) > REGEX_STEP_MAX)
		return fault_set(why, ERR_LIMIT,
		    "the pattern leaves too many ways open at once; write it "
		    "with fewer parts in a row that may be absent");
	return OK;
}

/* --- a step --------------------------------------------------------------- */

/* What goes beyond the last state or before the first is nothing. */
static inline void
move(const struct shift *s, const uint64_t *from, uint64_t *to)
{
	from += s->word;
	to += (ptrdiff_t)s->word + s->words;
	if (s->bits == 0) {
		for (size_t i = 0; i < s->count; i++)
			to[i] |= from[i] & s->mask[i];
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		uint64_t moved = from[i] & s->mask[i];

		to[i] |= moved << s->bits;
		to[i + 1] |= moved >> (STATE_WORD_BITS - s->bits);
	}
}

static inline void
leap(const struct jump *j, const uint64_t *from, uint64_t *to)
{
	uint64_t found = 0;

	for (size_t i = 0; i < j->from_count; i++)
		found |= from[j->from_word + i] & j->from[i];
	if (found == 0)
		return;
	for (size_t i = 0; i < j->to_count; i++)
		to[j->to_word + i] |= j->to[i];
}

void
automaton_follow(const struct automaton *a, const struct follow *follow,
    unsigned have, const uint64_t *from, uint64_t *to)
{
	for (size_t i = 0; i < a->follow_count; i++) {
		const struct follow *f = &follow[i];

		if (f->need & ~have)
			continue;
		for (size_t k = 0; k < f->shift_count; k++)
			move(&f->shifts[k], from, to);
		for (size_t k = 0; k < f->jump_count; k++)
			leap(&f->jumps[k], from, to);
	}
}

static bool
is_word(struct slice text, size_t at)
{
	char c = at < text.len ? text.ptr[at] : ' ';

	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

unsigned
automaton_have(const struct automaton *a, struct slice text, size_t at)
{
	bool begin = at == 0, end = at == text.len;
	bool edge;
	unsigned have = 0;

	if (a->needs == 0)
		return 0;
	edge = (!begin && is_word(text, at - 1)) != is_word(text, at);
	if (begin)
		have |= NEED_TEXT_BEGIN;
	if (end)
		have |= NEED_TEXT_END;
	if (begin || text.ptr[at - 1] == '\n')
		have |= NEED_LINE_BEGIN;
	if (end || text.ptr[at] == '\n')
		have |= NEED_LINE_END;
	return have | (edge ? NEED_WORD_EDGE : NEED_NO_EDGE);
}
