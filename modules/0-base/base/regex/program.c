/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program — a pattern as instructions.
 *
 * Written from the end: who writes a node knows what comes behind it, so no
 * jump has to be filled in later.
 */
#include "program.h"
#include "../regex.h"

/* Where it goes wrong, all that is written after is of no use. */
struct writer {
	struct program *p;
	size_t room; /* of instructions, and so of sets */
	enum err err;
};

static uint16_t
add(struct writer *w, enum op op, unsigned arg, uint16_t next, uint16_t other)
{
	if (w->p->count == w->room) {
		w->err = ERR_LIMIT;
		return 0;
	}
	w->p->code[w->p->count] =
	    (struct instruction){(uint8_t)op, (uint16_t)arg, next, other};
	return (uint16_t)w->p->count++;
}

/* Its number among the sets. */
static unsigned
intern(struct writer *w, const struct runes *set)
{
	size_t i = 0;

	while (i < w->p->set_count && w->p->sets[i] != set &&
	       !runes_eq(w->p->sets[i], set))
		i++;
	if (set->failed)
		w->err = ERR_NO_MEMORY;
	else if (i == w->p->set_count)
		w->p->sets[w->p->set_count++] = set;
	return (unsigned)i;
}

static uint16_t write_node(
    struct writer *w, const struct node *n, uint16_t next);

static uint16_t
split(struct writer *w, bool lazy, uint16_t first, uint16_t second)
{
	return lazy ? add(w, OP_SPLIT, 0, second, first)
		    : add(w, OP_SPLIT, 0, first, second);
}

/* One or more times; the way back goes through a choice behind the body. */
static uint16_t
write_plus(struct writer *w, const struct node *n, uint16_t next)
{
	uint16_t again = split(w, n->lazy, 0, next);
	uint16_t body = write_node(w, n->child, again);

	*(n->lazy ? &w->p->code[again].other : &w->p->code[again].next) = body;
	return body;
}

/*
 * Any number of times. A body that may match nothing is taken once if at all,
 * so that its groups are set as Perl sets them.
 */
static uint16_t
write_star(struct writer *w, const struct node *n, uint16_t next)
{
	uint16_t again, body;

	if (n->child->nullable)
		return split(w, n->lazy, write_plus(w, n, next), next);
	again = split(w, n->lazy, 0, next);
	body = write_node(w, n->child, again);
	*(n->lazy ? &w->p->code[again].other : &w->p->code[again].next) = body;
	return again;
}

/* x{2,4} is xx(x(x)?)? */
static uint16_t
write_repeat(struct writer *w, const struct node *n, uint16_t next)
{
	uint16_t at = next;
	int needed = n->least;

	if (n->most == REPEAT_ENDLESS && needed == 0)
		return write_star(w, n, next);
	if (n->most == REPEAT_ENDLESS) {
		at = write_plus(w, n, next);
		needed--;
	}
	for (int i = n->least; i < n->most && w->err == OK; i++)
		at = split(w, n->lazy, write_node(w, n->child, at), next);
	for (int i = 0; i < needed && w->err == OK; i++)
		at = write_node(w, n->child, at);
	return at;
}

/* As a balanced tree, so that the last of many is not far away. */
static uint16_t
write_choice(
    struct writer *w, const struct node *first, size_t count, uint16_t next)
{
	const struct node *middle = first;
	uint16_t a, b;

	if (count == 1)
		return write_node(w, first, next);
	for (size_t i = 0; i < count / 2; i++)
		middle = middle->next;
	b = write_choice(w, middle, count - count / 2, next);
	a = write_choice(w, first, count / 2, next);
	return add(w, OP_SPLIT, 0, a, b);
}

static size_t
children(const struct node *n)
{
	size_t count = 0;

	for (const struct node *c = n->child; c != NULL; c = c->next)
		count++;
	return count;
}

/* Writes the node so that `next` comes behind it; where it begins. */
static uint16_t
write_node(struct writer *w, const struct node *n, uint16_t next)
{
	uint16_t at = next;
	unsigned slot = (unsigned)n->group * 2;

	if (w->err != OK)
		return 0;
	switch (n->type) {
	case NODE_EMPTY:
		break;
	case NODE_RUNES:
		return add(w, OP_RUNES, intern(w, &n->runes), next, 0);
	case NODE_NEED:
		return add(w, OP_NEED, n->need, next, 0);
	case NODE_GROUP:
		at = add(w, OP_SAVE, slot + 1, next, 0);
		at = write_node(w, n->child, at);
		return add(w, OP_SAVE, slot, at, 0);
	case NODE_CONCAT:
		for (const struct node *c = n->last; c; c = c->previous)
			at = write_node(w, c, at);
		break;
	case NODE_CHOICE:
		return write_choice(w, n->child, children(n), next);
	case NODE_REPEAT:
		return write_repeat(w, n, next);
	}
	return at;
}

enum err
program_make(const struct syntax *syntax, struct arena *arena,
    struct program *out, struct fault *why)
{
	struct program p = {0};
	struct writer w = {&p, REGEX_INSTRUCTIONS_MAX, OK};

	p.code = arena_alloc_array(arena, w.room, sizeof(*p.code));
	p.sets = arena_alloc_array(arena, w.room, sizeof(*p.sets));
	if (p.code == NULL || p.sets == NULL)
		return fault_set(
		    why, ERR_NO_MEMORY, "no memory for the pattern");
	(void)add(&w, OP_MATCH, 0, 0, 0); /* there is room: number 0 */
	p.start = write_node(&w, syntax->root, 0);
	if (w.err == ERR_NO_MEMORY)
		return fault_set(
		    why, w.err, "the pattern needs too much memory");
	if (w.err != OK)
		return fault_set(why, w.err,
		    "the pattern needs more than %d instructions; write it "
		    "with fewer or smaller repetitions",
		    (int)REGEX_INSTRUCTIONS_MAX);
	*out = p;
	return OK;
}
