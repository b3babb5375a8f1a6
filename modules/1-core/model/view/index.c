/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index — the look-up in an index of rules.
 */
#include "index.h"

/* What is left of one bucket. */
struct cursor {
	const uint32_t *at;
	const uint32_t *end;
};

struct search {
	const struct route_index *x;
	struct cursor cursors[INDEX_CURSORS_MAX];
	size_t count;
	bool overflows;
};

/* --- the buckets that a request meets ------------------------------------- */

static void
add_cursor(struct search *s, uint32_t first, uint32_t count)
{
	const uint32_t *at = s->x->places + first;

	if (s->count == INDEX_CURSORS_MAX)
		s->overflows = true;
	else
		s->cursors[s->count++] = (struct cursor){at, at + count};
}

static void
add_bucket(struct search *s, uint32_t hash)
{
	const struct route_index *x = s->x;

	for (uint32_t i = hash & x->slot_mask; x->slots[i].count > 0;
	     i = (i + 1) & x->slot_mask)
		if (x->slots[i].hash == hash) {
			add_cursor(s, x->slots[i].first, x->slots[i].count);
			return;
		}
}

static bool
has_prefix_of(const struct route_index *x, size_t len)
{
	return (x->prefix_lengths[len / 64] >> (len % 64)) & 1;
}

/* One way along the path meets its prefixes and then itself. */
static void
add_path(struct search *s, struct slice path)
{
	const struct route_index *x = s->x;
	bool whole = path.len <= x->longest_exact;
	size_t end = whole ? path.len : MIN(path.len, x->longest_prefix);
	uint64_t h = index_hash_begin();

	for (size_t i = 0; i < end; i++) {
		h = index_hash_byte(h, path.ptr[i]);
		if (i < x->longest_prefix && has_prefix_of(x, i + 1))
			add_bucket(s, index_hash_end(h, INDEX_PREFIX_PATH));
	}
	if (whole)
		add_bucket(s, index_hash_end(h, INDEX_EXACT_PATH));
}

static void
add_subjects(struct search *s, const struct http_attrs *attrs)
{
	for (size_t i = 0; i < s->x->subject_count; i++) {
		const struct index_subject *subject = &s->x->subjects[i];
		struct slice value;

		if (condition_actual(subject->of, attrs, &value))
			add_bucket(s, index_hash_value(subject->seed, value));
	}
}

/* --- in their order ------------------------------------------------------- */

/* The cursor that stands first; NULL when all are at their end. */
static struct cursor *
next(struct search *s)
{
	struct cursor *first = NULL;

	for (size_t i = 0; i < s->count; i++) {
		struct cursor *c = &s->cursors[i];

		if (c->at < c->end && (first == NULL || *c->at < *first->at))
			first = c;
	}
	return first;
}

static bool
takes(const struct index_entry *e, const struct http_attrs *attrs)
{
	struct view_step unused;

	return e->match == NULL ||
	       first_failure(e->match, attrs, &unused) == NULL;
}

bool
index_find(const struct view_host *host, const struct http_attrs *attrs,
    struct view_http_choice *out)
{
	struct search s;
	struct cursor *c;

	s.x = host->index;
	s.count = 0;
	s.overflows = false;
	add_cursor(&s, s.x->loose_first, s.x->loose_count);
	add_path(&s, without_query(attrs->path));
	add_subjects(&s, attrs);
	if (s.overflows)
		return false;
	while ((c = next(&s)) != NULL) {
		const struct index_entry *e = &s.x->entries[*c->at++];

		if (!takes(e, attrs))
			continue;
		*out = (struct view_http_choice){e->route, e->match};
		return true;
	}
	*out = (struct view_http_choice){NULL, NULL};
	return true;
}
