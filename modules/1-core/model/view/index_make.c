/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index_make — the making of an index of rules.
 *
 * Each test that could be a key is counted first; then each match takes the
 * one that it shares with the fewest others. Paths come before all else where
 * they are good enough, as they cost one look at the request altogether.
 */
#include <stdlib.h>

#include "index.h"

enum { FEW = 4 /* in a bucket: good enough */ };

/* A match, and where it comes to lie. */
struct draft {
	uint32_t hash;
	uint32_t place;
};

/* How many have a key, by its hash: open addressing. */
struct counts {
	struct draft *items; /* place: how many */
	uint32_t mask;
};

/* One test that could be a key. */
struct key {
	uint32_t hash;
	const struct view_condition *of; /* NULL: none */
	bool is_path;
	size_t prefix; /* its length; 0: none */
	size_t exact;
};

struct making {
	struct route_index *x;
	struct index_entry *entries;
	size_t entry_count;
	size_t condition_count;
	struct counts counts;
	struct draft *drafts; /* those with a key */
	size_t draft_count;
	uint32_t *loose;
	size_t loose_count;
};

/* --- keys ----------------------------------------------------------------- */

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '/' || c == '-' || c == '_';
}

/* With what everything begins that an expression matches, as far as it is
 * plain to see. */
static struct slice
start_of(struct slice pattern)
{
	size_t n = 0;

	if (slice_find(pattern, '|') < pattern.len)
		return S("");
	if (slice_starts(pattern, S("^")))
		pattern = slice_sub(pattern, 1, pattern.len);
	while (n < pattern.len && is_plain(pattern.ptr[n]))
		n++;
	if (n > 0 && n < pattern.len && strchr("*+?{", pattern.ptr[n]) != NULL)
		n--; /* the last one may be missing */
	return slice_sub(pattern, 0, n);
}

static struct key
prefix_key(const struct view_condition *c, struct slice value)
{
	struct slice start = slice_sub(value, 0, INDEX_PREFIX_MAX);
	uint64_t h = index_hash_more(index_hash_begin(), start);

	return (struct key){.hash = index_hash_end(h, INDEX_PREFIX_PATH),
	    .of = start.len > 0 ? c : NULL,
	    .is_path = true,
	    .prefix = start.len};
}

static struct key
exact_path_key(const struct view_condition *c)
{
	uint64_t h = index_hash_more(index_hash_begin(), c->value);

	return (struct key){.hash = index_hash_end(h, INDEX_EXACT_PATH),
	    .of = c,
	    .is_path = true,
	    .exact = c->value.len};
}

static uint64_t
seed_of(const struct view_condition *c)
{
	return index_hash_more(
	    index_hash_begin() + (uint64_t)c->subject, c->name);
}

static struct key
value_key(const struct view_condition *c)
{
	return (struct key){
	    .hash = index_hash_value(seed_of(c), c->value), .of = c};
}

static bool
same_subject(const struct view_condition *x, const struct view_condition *y)
{
	return x->subject == y->subject && slice_eq(x->name, y->name);
}

/* Its place among the subjects; their count if it has none yet. */
static size_t
find_subject(const struct route_index *x, const struct view_condition *c)
{
	size_t i = 0;

	while (i < x->subject_count && !same_subject(x->subjects[i].of, c))
		i++;
	return i;
}

static struct key
key_of(const struct view_condition *c)
{
	static const struct key none = {0};

	if (c->negated || c->test == VIEW_PRESENT ||
	    c->subject == VIEW_ON_PORT || c->subject == VIEW_NEVER)
		return none;
	if (c->subject != VIEW_ON_PATH)
		return c->test == VIEW_EXACT ? value_key(c) : none;
	if (c->test == VIEW_EXACT)
		return exact_path_key(c);
	return prefix_key(
	    c, c->test == VIEW_PREFIX ? c->value : start_of(c->value));
}

/* --- how many have it ----------------------------------------------------- */

static uint32_t
power_of_two(size_t least)
{
	uint32_t n = 16;

	while (n < least)
		n *= 2;
	return n;
}

static uint32_t *
count_of(struct counts *t, uint32_t hash)
{
	uint32_t i = hash & t->mask;

	while (t->items[i].place > 0 && t->items[i].hash != hash)
		i = (i + 1) & t->mask;
	t->items[i].hash = hash;
	return &t->items[i].place;
}

static void
count_keys(struct making *m)
{
	uint32_t size = power_of_two(2 * m->condition_count + 1);

	m->counts = (struct counts){
	    mem_new_array(size, sizeof(*m->counts.items)), size - 1};
	for (size_t i = 0; i < m->entry_count; i++) {
		const struct view_match *match = m->entries[i].match;

		for (size_t j = 0; match != NULL && j < match->count; j++) {
			struct key k = key_of(&match->conditions[j]);

			if (k.of != NULL)
				(*count_of(&m->counts, k.hash))++;
		}
	}
}

/* --- the one that each takes ---------------------------------------------- */

static uint32_t
cost(struct making *m, const struct key *k)
{
	uint32_t n = *count_of(&m->counts, k->hash);

	return k->is_path && n <= FEW ? 0 : n;
}

/* A subject that is new needs room. */
static bool
is_possible(const struct route_index *x, const struct key *k)
{
	return k->of != NULL &&
	       (k->is_path || find_subject(x, k->of) < INDEX_SUBJECTS_MAX);
}

static struct key
choose(struct making *m, const struct view_match *match)
{
	struct key best = {0};

	for (size_t i = 0; match != NULL && i < match->count; i++) {
		struct key k = key_of(&match->conditions[i]);

		if (is_possible(m->x, &k) &&
		    (best.of == NULL || cost(m, &k) < cost(m, &best)))
			best = k;
	}
	return best;
}

static void
note(struct route_index *x, const struct key *k)
{
	if (k->prefix > 0)
		x->prefix_lengths[k->prefix / 64] |= UINT64_C(1)
						     << (k->prefix % 64);
	x->longest_prefix = MAX(x->longest_prefix, k->prefix);
	x->longest_exact = MAX(x->longest_exact, k->exact);
	if (!k->is_path && find_subject(x, k->of) == x->subject_count)
		x->subjects[x->subject_count++] =
		    (struct index_subject){k->of, seed_of(k->of)};
}

static bool
is_never(const struct view_match *match)
{
	for (size_t i = 0; match != NULL && i < match->count; i++)
		if (match->conditions[i].subject == VIEW_NEVER)
			return true;
	return false;
}

static void
place_all(struct making *m)
{
	for (size_t i = 0; i < m->entry_count; i++) {
		struct key k = choose(m, m->entries[i].match);

		if (is_never(m->entries[i].match))
			continue;
		if (k.of == NULL) {
			m->loose[m->loose_count++] = (uint32_t)i;
			continue;
		}
		note(m->x, &k);
		m->drafts[m->draft_count++] =
		    (struct draft){k.hash, (uint32_t)i};
	}
}

/* --- buckets -------------------------------------------------------------- */

static int
by_hash(const void *a, const void *b)
{
	const struct draft *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static struct index_slot *
free_slot(struct index_slot *slots, uint32_t mask, uint32_t hash)
{
	uint32_t i = hash & mask;

	while (slots[i].count > 0)
		i = (i + 1) & mask;
	return &slots[i];
}

/* What has one hash lies together, in order; the loose ones behind. */
static void
fill(struct builder *b, struct making *m)
{
	uint32_t size = power_of_two(2 * m->draft_count + 1);
	struct index_slot *slots = take(b, size, sizeof(*slots));
	uint32_t *places =
	    take(b, m->draft_count + m->loose_count, sizeof(*places));
	struct index_slot *slot = NULL;

	if (slots == NULL || places == NULL)
		return;
	if (m->draft_count > 0)
		qsort(m->drafts, m->draft_count, sizeof(*m->drafts), by_hash);
	for (size_t i = 0; i < m->draft_count; i++) {
		const struct draft *d = &m->drafts[i];

		if (slot == NULL || slot->hash != d->hash) {
			slot = free_slot(slots, size - 1, d->hash);
			*slot = (struct index_slot){d->hash, (uint32_t)i, 0};
		}
		slot->count++;
		places[i] = d->place;
	}
	for (size_t i = 0; i < m->loose_count; i++)
		places[m->draft_count + i] = m->loose[i];
	m->x->slots = slots;
	m->x->slot_mask = size - 1;
	m->x->places = places;
	m->x->loose_first = (uint32_t)m->draft_count;
	m->x->loose_count = (uint32_t)m->loose_count;
	m->x->entries = m->entries;
}

/* --- the whole ------------------------------------------------------------ */

static size_t
count_entries(const struct view_host *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->http_count; i++)
		n += MAX(h->http[i].match_count, 1);
	return n;
}

static void
add_entries(struct making *m, const struct view_http_route *r)
{
	if (r->match_count == 0)
		m->entries[m->entry_count++] = (struct index_entry){r, NULL};
	for (size_t i = 0; i < r->match_count; i++) {
		m->entries[m->entry_count++] =
		    (struct index_entry){r, &r->matches[i]};
		m->condition_count += r->matches[i].count;
	}
}

void
index_routes(struct builder *b, struct view_host *h)
{
	size_t count = count_entries(h);
	struct making m = {0};

	if (count < INDEX_ROUTES_MIN)
		return;
	m.x = take(b, 1, sizeof(*m.x));
	m.entries = take(b, count, sizeof(*m.entries));
	if (m.x == NULL || m.entries == NULL)
		return;
	m.drafts = mem_new_array(count, sizeof(*m.drafts));
	m.loose = mem_new_array(count, sizeof(*m.loose));
	for (size_t i = 0; i < h->http_count; i++)
		add_entries(&m, &h->http[i]);
	count_keys(&m);
	place_all(&m);
	fill(b, &m);
	mem_free(&m.counts.items);
	mem_free(&m.drafts);
	mem_free(&m.loose);
	if (!b->full)
		h->index = m.x;
}
