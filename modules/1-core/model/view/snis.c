/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snis — the chains of a listener by the name that a ClientHello says.
 *
 * A gateway may have thousands of chains that differ in nothing else. Exact
 * names and endings are sorted, so that a connection looks at those only that
 * the order of chains.c would leave it with.
 */
#include <stdlib.h>

#include "inside.h"

/* Below that a walk is as good. */
enum { CHAINS_MIN = 8 };

/* Chains with one pattern, in their order. */
struct group {
	bool ending; /* ".shop.com" of "*.shop.com"; else a name */
	struct slice text;
	const uint32_t *chains;
	size_t count;
};

struct view_snis {
	const struct group *groups; /* names first, each kind in byte order */
	size_t count;
	struct group rest; /* chains for any name, and for none */
};

/* --- making it ------------------------------------------------------------ */

struct pair {
	bool ending;
	struct slice text;
	uint32_t chain;
};

static int
compare(bool ending, struct slice text, bool other, struct slice other_text)
{
	if (ending != other)
		return ending ? 1 : -1;
	return slice_cmp(text, other_text);
}

static int
by_text(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int n = compare(x->ending, x->text, y->ending, y->text);

	return n != 0 ? n : (x->chain > y->chain) - (x->chain < y->chain);
}

static struct pair
pair_of(struct slice pattern, uint32_t chain)
{
	bool ending = slice_starts(pattern, S("*."));

	return (struct pair){ending,
	    ending ? slice_sub(pattern, 1, pattern.len) : pattern, chain};
}

/* Only names tell the chains apart before anything that comes after names. */
static bool
is_by_name(const struct view_listener *l)
{
	for (size_t i = 0; i < l->chain_count; i++)
		if (l->chains[i].match.port != 0 ||
		    l->chains[i].match.cidr_count > 0)
			return false;
	return l->chain_count >= CHAINS_MIN;
}

static size_t
count_names(const struct view_listener *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->chain_count; i++)
		n += l->chains[i].match.sni_count;
	return n;
}

static void
fill_rest(struct builder *b, const struct view_listener *l, struct group *out)
{
	uint32_t *chains = take(b, l->chain_count, sizeof(*chains));

	out->chains = chains;
	for (size_t i = 0; chains != NULL && i < l->chain_count; i++)
		if (l->chains[i].match.sni_count == 0)
			chains[out->count++] = (uint32_t)i;
}

static size_t
fill_pairs(const struct view_listener *l, struct pair *out)
{
	size_t n = 0;

	for (size_t i = 0; i < l->chain_count; i++) {
		const struct view_chain_match *m = &l->chains[i].match;

		for (size_t j = 0; j < m->sni_count; j++)
			out[n++] = pair_of(m->snis[j], (uint32_t)i);
	}
	return n;
}

/* A chain that has a name twice is there once. */
static size_t
fill_groups(const struct pair *pairs, size_t count, struct group *groups,
    uint32_t *chains)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct pair *p = &pairs[i];
		struct group *last = n > 0 ? &groups[n - 1] : NULL;

		if (last == NULL || compare(last->ending, last->text, p->ending,
					p->text) != 0) {
			groups[n++] =
			    (struct group){p->ending, p->text, &chains[i], 1};
			chains[i] = p->chain;
		} else if (last->chains[last->count - 1] != p->chain) {
			chains[last->chains - chains + last->count++] =
			    p->chain;
		}
	}
	return n;
}

const struct view_snis *
index_snis(struct builder *b, const struct view_listener *l)
{
	size_t count = count_names(l);
	struct view_snis *s;
	struct group *groups;
	uint32_t *chains;
	struct pair *pairs;

	if (!is_by_name(l))
		return NULL;
	s = take(b, 1, sizeof(*s));
	groups = take(b, count, sizeof(*groups));
	chains = take(b, count, sizeof(*chains));
	if (s == NULL || groups == NULL || chains == NULL)
		return NULL;
	pairs = mem_new_array(count + 1, sizeof(*pairs));
	(void)fill_pairs(l, pairs); /* `count` of them */
	qsort(pairs, count, sizeof(*pairs), by_text);
	s->groups = groups;
	s->count = fill_groups(pairs, count, groups, chains);
	fill_rest(b, l, &s->rest);
	mem_free(&pairs);
	return s;
}

/* --- looking up ----------------------------------------------------------- */

static const struct group *
find(const struct view_snis *s, bool ending, struct slice text)
{
	size_t from = 0, to = s->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		const struct group *g = &s->groups[mid];
		int n = compare(ending, text, g->ending, g->text);

		if (n == 0)
			return g;
		if (n < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return NULL;
}

const uint32_t *
find_by_sni(const struct view_snis *s, struct slice sni, size_t *out_count)
{
	const struct group *g =
	    sni.len > 0 ? find(s, /* ending */ false, sni) : NULL;

	for (size_t i = 1; g == NULL && i < sni.len; i++)
		if (sni.ptr[i] == '.')
			g = find(
			    s, /* ending */ true, slice_sub(sni, i, sni.len));
	if (g == NULL)
		g = &s->rest;
	*out_count = g->count;
	return g->chains;
}
