/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alphabet — the characters, in classes that a pattern cannot tell apart.
 *
 * It begins as one class of all. Each set splits the classes of which it has
 * some but not all.
 */
#include "alphabet.h"

/* All of Unicode's categories and scripts together have half as many. */
enum { RANGES_MAX = 16 << 10 };

struct split {
	bool in, out;    /* the set has some of the class; it lacks some */
	uint32_t inside; /* the number of what it has */
};

/* The partition while it is refined. */
struct partition {
	struct alphabet_range *now, *then; /* they take turns */
	struct split *splits;              /* by class */
	size_t count, then_count, room;
	size_t classes;
};

/* --- a set, walked along -------------------------------------------------- */

struct cursor {
	const struct runes *set;
	size_t at;
};

/* True if the set has `low`, which never falls; *until is where that ends. */
static bool
holds(struct cursor *c, uint32_t low, uint32_t *until)
{
	const struct rune_range *r;

	while (c->at < c->set->count && c->set->items[c->at].high < low)
		c->at++;
	*until = RUNE_MAX + 1;
	if (c->at == c->set->count)
		return false;
	r = &c->set->items[c->at];
	*until = low < r->low ? r->low : r->high + 1;
	return low >= r->low;
}

/* A stretch of characters of one class, all in the set or none. */
typedef void (*piece_cb)(void *arg, uint32_t low, uint32_t class, bool in);

static void
each_piece(const struct alphabet_range *ranges, size_t count,
    const struct runes *set, piece_cb fn, void *arg)
{
	struct cursor c = {set, 0};

	for (size_t i = 0; i < count; i++) {
		uint32_t end = i + 1 < count ? ranges[i + 1].low : RUNE_MAX + 1;
		uint32_t until;

		for (uint32_t at = ranges[i].low; at < end; at = until) {
			bool in = holds(&c, at, &until);

			until = MIN(until, end);
			fn(arg, at, ranges[i].class, in);
		}
	}
}

/* --- refinement ----------------------------------------------------------- */

static void
look(void *arg, uint32_t low, uint32_t class, bool in)
{
	struct partition *p = arg;

	(void)low;
	p->splits[class].in |= in;
	p->splits[class].out |= !in;
}

/* Neighbours of one class are one range. */
static void
emit(void *arg, uint32_t low, uint32_t class, bool in)
{
	struct partition *p = arg;

	if (in)
		class = p->splits[class].inside;
	if (p->then_count > 0 && p->then[p->then_count - 1].class == class)
		return;
	if (p->then_count < p->room)
		p->then[p->then_count] = (struct alphabet_range){low, class};
	p->then_count++;
}

static bool
refine(struct partition *p, const struct runes *set)
{
	size_t classes = p->classes;
	struct alphabet_range *old = p->now;

	memset(p->splits, 0, classes * sizeof(*p->splits));
	each_piece(p->now, p->count, set, look, p);
	for (uint32_t i = 0; i < classes; i++) {
		struct split *s = &p->splits[i];

		s->inside = s->in && s->out ? (uint32_t)p->classes++ : i;
	}
	p->then_count = 0;
	each_piece(p->now, p->count, set, emit, p);
	if (p->then_count > p->room)
		return false;
	p->now = p->then;
	p->then = old;
	p->count = p->then_count;
	return true;
}

bool
alphabet_make(struct alphabet *a, const struct program *p, struct arena *arena,
    struct arena *scratch)
{
	struct partition part = {.count = 1, .room = 1, .classes = 1};

	for (size_t i = 0; i < p->set_count; i++)
		part.room += p->sets[i]->count * 2;
	part.room = MIN(part.room, RANGES_MAX);
	part.now = arena_alloc_array(scratch, part.room, sizeof(*part.now));
	part.then = arena_alloc_array(scratch, part.room, sizeof(*part.then));
	/* A class has a range, and before the cut there may be twice as many.
	 */
	part.splits =
	    arena_alloc_array(scratch, part.room * 2, sizeof(*part.splits));
	if (part.now == NULL || part.then == NULL || part.splits == NULL)
		return false;
	for (size_t i = 0; i < p->set_count; i++)
		if (!refine(&part, p->sets[i]))
			return false;
	*a = (struct alphabet){
	    .range_count = part.count, .class_count = part.classes};
	a->ranges = arena_alloc_array(arena, part.count, sizeof(*a->ranges));
	if (a->ranges == NULL)
		return false;
	memcpy(a->ranges, part.now, part.count * sizeof(*a->ranges));
	for (uint32_t i = 0; i < ALPHABET_ASCII; i++)
		a->ascii[i] = (uint16_t)alphabet_class(a, i);
	return true;
}

size_t
alphabet_class(const struct alphabet *a, uint32_t rune)
{
	size_t low = 0, high = a->range_count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (a->ranges[middle].low <= rune)
			low = middle;
		else
			high = middle;
	}
	return a->ranges[low].class;
}

/* --- which classes a set has ---------------------------------------------- */

struct visit {
	void (*fn)(void *arg, size_t class);
	void *arg;
};

static void
visit(void *arg, uint32_t low, uint32_t class, bool in)
{
	struct visit *v = arg;

	(void)low;
	if (in)
		v->fn(v->arg, class);
}

void
alphabet_each(const struct alphabet *a, const struct runes *set,
    void (*fn)(void *arg, size_t class), void *arg)
{
	struct visit v = {fn, arg};

	each_piece(a->ranges, a->range_count, set, visit, &v);
}
