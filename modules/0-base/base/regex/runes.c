/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runes — sets of characters, as ranges in an arena.
 */
#include <stdlib.h>

#include "runes.h"
#include "unicode.h"

enum { NAME_MAX_BYTES = 64, ROOM_FIRST = 4 };

void
runes_init(struct runes *s, struct arena *arena)
{
	*s = (struct runes){.arena = arena};
}

static bool
make_room(struct runes *s)
{
	size_t room = s->room > 0 ? s->room * 2 : ROOM_FIRST;
	struct rune_range *items;

	if (s->count < s->room)
		return true;
	items = arena_alloc_array(s->arena, room, sizeof(*items));
	if (items == NULL) {
		s->failed = true;
		return false;
	}
	if (s->count > 0)
		memcpy(items, s->items, s->count * sizeof(*items));
	s->items = items;
	s->room = room;
	return true;
}

void
runes_add(struct runes *s, uint32_t low, uint32_t high)
{
	if (make_room(s))
		s->items[s->count++] = (struct rune_range){low, high};
}

/* The first entry for `rune` or beyond. */
static size_t
fold_from(uint32_t rune)
{
	size_t low = 0, high = unicode_fold_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (unicode_folds[middle].rune < rune)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
runes_add_folded(struct runes *s, uint32_t low, uint32_t high)
{
	runes_add(s, low, high);
	for (size_t i = fold_from(low); i < unicode_fold_count; i++) {
		uint32_t rune = unicode_folds[i].rune;
		uint32_t other = unicode_folds[i].next;

		if (rune > high)
			return;
		while (other != rune) {
			if (other < low || other > high)
				runes_add(s, other, other);
			other = unicode_folds[fold_from(other)].next;
		}
	}
}

void
runes_add_set(struct runes *s, const struct runes *other)
{
	s->failed |= other->failed;
	for (size_t i = 0; i < other->count; i++)
		runes_add(s, other->items[i].low, other->items[i].high);
}

static int
by_low(const void *a, const void *b)
{
	const struct rune_range *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

void
runes_tidy(struct runes *s)
{
	size_t kept = 0;

	if (s->count < 2)
		return;
	qsort(s->items, s->count, sizeof(*s->items), by_low);
	for (size_t i = 1; i < s->count; i++) {
		struct rune_range r = s->items[i];

		if (r.low > s->items[kept].high + 1)
			s->items[++kept] = r;
		else if (r.high > s->items[kept].high)
			s->items[kept].high = r.high;
	}
	s->count = kept + 1;
}

void
runes_negate(struct runes *s)
{
	struct runes out;
	uint32_t next = 0;

	runes_init(&out, s->arena);
	out.failed = s->failed;
	for (size_t i = 0; i < s->count; i++) {
		if (s->items[i].low > next)
			runes_add(&out, next, s->items[i].low - 1);
		next = s->items[i].high + 1;
	}
	if (next <= RUNE_MAX)
		runes_add(&out, next, RUNE_MAX);
	*s = out;
}

bool
runes_eq(const struct runes *a, const struct runes *b)
{
	return slice_eq(slice_of(a->items, a->count * sizeof(*a->items)),
	    slice_of(b->items, b->count * sizeof(*b->items)));
}

/* "Lowercase_Letter" → "lowercaseletter"; empty if it is too long for any. */
static struct slice
canonical(struct slice name, char out[NAME_MAX_BYTES])
{
	size_t len = 0;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (c == ' ' || c == '_' || c == '-')
			continue;
		if (len == NAME_MAX_BYTES)
			return SLICE_NONE;
		out[len++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return slice_of(out, len);
}

static const struct unicode_name *
find_name(struct slice name)
{
	size_t low = 0, high = unicode_name_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct unicode_name *n = &unicode_names[middle];
		int order = slice_cmp(slice_str(n->name), name);

		if (order == 0)
			return n;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool
runes_add_named(struct runes *s, struct slice name, bool folded)
{
	char key[NAME_MAX_BYTES];
	const struct unicode_name *n = find_name(canonical(name, key));

	if (n == NULL)
		return false;
	for (size_t i = 0; i < n->count && !s->failed; i++) {
		const struct unicode_range *r = &unicode_ranges[n->first + i];

		if (folded)
			runes_add_folded(s, r->low, r->high);
		else
			runes_add(s, r->low, r->high);
	}
	return true;
}

/* --- UTF-8, RFC 3629 ------------------------------------------------------ */

static bool
is_continuation(struct slice text, size_t at)
{
	return at < text.len && ((uint8_t)text.ptr[at] & 0xC0) == 0x80;
}

size_t
rune_at(struct slice text, size_t at, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t lead = (uint8_t)text.ptr[at];
	size_t len = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
	uint32_t rune;

	*out = lead;
	if (lead < 0x80)
		return 1;
	*out = RUNE_NONE;
	if (lead < 0xC2 || lead > 0xF4)
		return 1;
	rune = lead & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (!is_continuation(text, at + i))
			return 1;
		rune = rune << 6 | ((uint8_t)text.ptr[at + i] & 0x3F);
	}
	if (rune < least[len] || rune > RUNE_MAX ||
	    (rune >= 0xD800 && rune <= 0xDFFF))
		return 1;
	*out = rune;
	return len;
}

size_t
rune_before(struct slice text, size_t at)
{
	uint32_t rune;

	for (size_t len = 1; len <= 4 && len <= at; len++)
		if (!is_continuation(text, at - len))
			return rune_at(text, at - len, &rune) == len ? len : 1;
	return 1;
}
