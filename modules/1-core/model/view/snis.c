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
	struct sni name;
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
	struct sni name;
	uint32_t chain;
};

static int
compare(const struct sni *x, const struct sni *y)
{
	if (x->ending != y->ending)
		return x->ending ? 1 : -1;
	return slice_cmp(x->text, y->text);
}

static int
by_text(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int n = compare(&x->name, &y->name);

	return n != 0 ? n : (x->chain > y->chain) - (x->chain < y->chain);
}

static struct pair
pair_of(struct slice pattern, uint32_t chain)
{
	bool ending = slice_starts(pattern, S("*."));

	return (struct pair){
	    {ending, ending ? slice_sub(pattern, 1, pattern.len) : pattern},
	    chain};
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
fill_pairs(
    const struct view_listener *l, size_t from, size_t to, struct pair *out)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
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

		if (last == NULL || compare(&last->name, &p->name) != 0) {
			groups[n++] = (struct group){p->name, &chains[i], 1};
			chains[i] = p->chain;
		} else if (last->chains[last->count - 1] != p->chain) {
			chains[last->chains - chains + last->count++] =
			    p->chain;
		}
	}
	return n;
}

static struct view_snis *
snis_new(struct builder *b, const struct view_listener *l, size_t groups,
    size_t chains, struct group **out_groups, uint32_t **out_chains)
{
	struct view_snis *s = take(b, 1, sizeof(*s));

	*out_groups = take(b, groups, sizeof(**out_groups));
	*out_chains = take(b, chains, sizeof(**out_chains));
	if (s == NULL || *out_groups == NULL || *out_chains == NULL)
		return NULL;
	s->groups = *out_groups;
	fill_rest(b, l, &s->rest);
	return s;
}

static const struct view_snis *
index_all(struct builder *b, const struct view_listener *l)
{
	size_t count = count_names(l);
	struct group *groups;
	uint32_t *chains;
	struct view_snis *s = snis_new(b, l, count, count, &groups, &chains);
	struct pair *pairs;

	if (s == NULL)
		return NULL;
	pairs = mem_new_array(count + 1, sizeof(*pairs));
	(void)fill_pairs(l, 0, l->chain_count, pairs); /* `count` of them */
	qsort(pairs, count, sizeof(*pairs), by_text);
	s->count = fill_groups(pairs, count, groups, chains);
	mem_free(&pairs);
	return s;
}

/* --- of another that is there already ------------------------------------- */

void
move_chain(struct chain_moves *m, const struct view_listener *of, size_t from,
    size_t to)
{
	struct chain_move *last = m->count > 0 ? &m->items[m->count - 1] : NULL;

	m->of = of;
	if (last != NULL && last->from + last->count == from &&
	    last->to + last->count == to) {
		last->count++;
		return;
	}
	if (m->items == NULL || m->count == m->cap) {
		size_t cap = m->cap > 0 ? m->cap * 2 : 8;

		m->items = mem_resize(m->items, m->cap, cap, sizeof(*m->items));
		m->cap = cap;
	}
	m->items[m->count++] = (struct chain_move){from, to, 1};
}

void
chain_moves_fini(struct chain_moves *m)
{
	mem_free(&m->items);
	m->count = m->cap = 0;
}

/* False: it is there no more. */
static bool
find_moved(const struct chain_moves *m, uint32_t chain, uint32_t *out)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->items[mid].from + m->items[mid].count <= chain)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == m->count || m->items[low].from > chain)
		return false;
	*out = (uint32_t)(m->items[low].to + chain - m->items[low].from);
	return true;
}

/* Of those that did not move. */
static size_t
fill_other_pairs(const struct view_listener *l, const struct chain_moves *m,
    struct pair *out)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < m->count; i++) {
		n += fill_pairs(l, at, m->items[i].to, &out[n]);
		at = m->items[i].to + m->items[i].count;
	}
	return n + fill_pairs(l, at, l->chain_count, &out[n]);
}

static size_t
add_in_order(uint32_t *chains, size_t count, uint32_t chain)
{
	size_t at = count;

	while (at > 0 && chains[at - 1] > chain)
		at--;
	if (at > 0 && chains[at - 1] == chain)
		return count;
	memmove(&chains[at + 1], &chains[at], (count - at) * sizeof(*chains));
	chains[at] = chain;
	return count + 1;
}

/* Both are in order. */
static size_t
merge_groups(const struct chain_moves *m, const struct pair *pairs,
    size_t count, struct group *groups, uint32_t *chains)
{
	const struct view_snis *of = m->of->snis;
	size_t n = 0, i = 0, j = 0;

	while (i < of->count || j < count) {
		const struct group *g = i < of->count ? &of->groups[i] : NULL;
		struct group *to = &groups[n];
		uint32_t chain;
		int order = g == NULL    ? 1
			    : j == count ? -1
					 : compare(&g->name, &pairs[j].name);

		*to = (struct group){
		    order > 0 ? pairs[j].name : g->name, chains, 0};
		for (size_t k = 0; order <= 0 && k < g->count; k++)
			if (find_moved(m, g->chains[k], &chain))
				to->count =
				    add_in_order(chains, to->count, chain);
		i += order <= 0;
		for (; j < count && compare(&pairs[j].name, &to->name) == 0;
		     j++)
			to->count =
			    add_in_order(chains, to->count, pairs[j].chain);
		chains += to->count;
		n += to->count > 0;
	}
	return n;
}

static const struct view_snis *
index_again(struct builder *b, const struct view_listener *l,
    const struct chain_moves *m)
{
	size_t count = count_names(l);
	struct group *groups;
	uint32_t *chains;
	struct view_snis *s =
	    snis_new(b, l, m->of->snis->count + count, count, &groups, &chains);
	struct pair *pairs;
	size_t others;

	if (s == NULL)
		return NULL;
	pairs = mem_new_array(count + 1, sizeof(*pairs));
	others = fill_other_pairs(l, m, pairs);
	qsort(pairs, others, sizeof(*pairs), by_text);
	s->count = merge_groups(m, pairs, others, groups, chains);
	mem_free(&pairs);
	return s;
}

const struct view_snis *
index_snis(struct builder *b, const struct view_listener *l,
    const struct chain_moves *moves)
{
	if (!is_by_name(l))
		return NULL;
	return moves != NULL && moves->of != NULL && moves->of->snis != NULL
		   ? index_again(b, l, moves)
		   : index_all(b, l);
}

/* --- looking up ----------------------------------------------------------- */

static const struct group *
find(const struct view_snis *s, bool ending, struct slice text)
{
	const struct sni name = {ending, text};
	size_t from = 0, to = s->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		const struct group *g = &s->groups[mid];
		int n = compare(&name, &g->name);

		if (n == 0)
			return g;
		if (n < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return NULL;
}

bool
next_shared_sni(const struct view_snis *s, size_t *at, struct sni *out,
    const uint32_t **out_chains, size_t *out_count)
{
	const struct group *g = NULL;

	while (*at <= s->count && (g == NULL || g->count < 2)) {
		g = *at < s->count ? &s->groups[*at] : &s->rest;
		(*at)++;
	}
	if (g == NULL || g->count < 2)
		return false;
	*out = g != &s->rest ? g->name : (struct sni){.text = S("*")};
	*out_chains = g->chains;
	*out_count = g->count;
	return true;
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
