/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel — set, clear and advance; see wheel.h for the shape.
 */
#include "wheel.h"

/* The level of the highest digit in which the two ticks differ. */
static unsigned
level_of(uint64_t now, uint64_t due)
{
	uint64_t differs = (now ^ due) | (WHEEL_SLOTS - 1);

	return (63 - (unsigned)__builtin_clzll(differs)) / WHEEL_BITS;
}

static unsigned
digit(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
}

/* The first tick of a slot, given that all higher digits are those of now. */
static uint64_t
slot_start(uint64_t now, unsigned level, unsigned slot)
{
	unsigned shift = level * WHEEL_BITS;
	uint64_t span = (uint64_t)WHEEL_SLOTS << shift;

	/* The top level's span is 2^66, which wraps to 0: no higher digit. */
	return (now & ~(span - 1)) | ((uint64_t)slot << shift);
}

static void
insert(struct wheel *w, struct timer *t)
{
	unsigned level = level_of(w->now, t->due);
	unsigned slot = digit(t->due, level);

	list_push_back(&w->slots[level][slot], &t->link);
	w->occupied[level] |= UINT64_C(1) << slot;
}

/* The last timer of a slot is about to leave it. */
static void
note_empty(struct wheel *w, const struct list *head)
{
	uintptr_t first = (uintptr_t)&w->slots[0][0];
	uintptr_t at = (uintptr_t)head;
	size_t index;

	if (at < first || at >= first + sizeof(w->slots))
		return; /* it is on a list of due timers */
	index = (at - first) / sizeof(struct list);
	w->occupied[index / WHEEL_SLOTS] &=
	    ~(UINT64_C(1) << (index % WHEEL_SLOTS));
}

/* Empties a slot: what is due at `w->now` goes out, the rest further down. */
static void
spread(struct wheel *w, unsigned level, unsigned slot, struct list *out_due)
{
	struct list *head = &w->slots[level][slot];

	w->occupied[level] &= ~(UINT64_C(1) << slot);
	LIST_EACH (head, it) {
		struct timer *t = CONTAINER(it, struct timer, link);

		list_remove(it);
		if (t->due <= w->now)
			list_push_back(out_due, it);
		else
			insert(w, t);
	}
}

static bool
first_slot(const struct wheel *w, unsigned *out_level, unsigned *out_slot)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		if (w->occupied[level] == 0)
			continue;
		*out_level = level;
		*out_slot = (unsigned)__builtin_ctzll(w->occupied[level]);
		return true;
	}
	return false;
}

void
wheel_init(struct wheel *w, uint64_t now)
{
	w->now = now;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		w->occupied[level] = 0;
		for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&w->slots[level][slot]);
	}
}

void
wheel_set(struct wheel *w, struct timer *t, uint64_t due)
{
	wheel_clear(w, t);
	t->due = due > w->now ? due : w->now + 1;
	insert(w, t);
}

void
wheel_clear(struct wheel *w, struct timer *t)
{
	if (!timer_is_set(t))
		return;
	if (t->link.next == t->link.prev)
		note_empty(w, t->link.next);
	list_remove(&t->link);
}

uint64_t
wheel_next(const struct wheel *w)
{
	unsigned level;
	unsigned slot;

	if (!first_slot(w, &level, &slot))
		return WHEEL_NEVER;
	return slot_start(w->now, level, slot);
}

void
wheel_advance(struct wheel *w, uint64_t now, struct list *out_due)
{
	unsigned level;
	unsigned slot;

	while (first_slot(w, &level, &slot)) {
		uint64_t start = slot_start(w->now, level, slot);

		if (start > now)
			break;
		w->now = start;
		spread(w, level, slot, out_due);
	}
	if (now > w->now)
		w->now = now;
}
