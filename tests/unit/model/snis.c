/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snis — chains and virtual hosts found by name as a plain walk finds them.
 */
#include <stdio.h>

#include "unit.h"
#include "view/inside.h"

enum {
	SEEDS = UNIT_SEEDS(2000),
	CHAINS_MAX = 40,
	NAMES_MAX = 4,
	CONNECTIONS = 30
};

/* Few, so that they meet. */
static const struct slice patterns[] = {{"a.b.c", 5}, {"b.c", 3}, {"*.b.c", 5},
    {"*.c", 3}, {"x.a.b.c", 7}, {"*.a.b.c", 7}, {"c", 1}, {"*.d.c", 5},
    {"d.c", 3}, {"y.d.c", 5}};
static const struct slice names[] = {{"a.b.c", 5}, {"b.c", 3}, {"c", 1},
    {"x.b.c", 5}, {"x.a.b.c", 7}, {"y.x.a.b.c", 9}, {"d.c", 3}, {"y.d.c", 5},
    {".c", 2}, {"e", 1}, {"", 0}, {"bb.c", 4}};
static const struct slice alpns[] = {{"h2", 2}, {"http/1.1", 8}};

struct world {
	struct rng rng;
	struct view *v;
	struct builder b;
	struct view_listener l;
	struct view_chain chains[CHAINS_MAX];
	struct slice snis[CHAINS_MAX][NAMES_MAX];
};

static void
world_fini(struct world *w)
{
	view_unref(&w->v);
}

static void
world_init(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	rng_init(&w->rng, seed);
	EXPECT_OK(view_compile(&(struct view_input){0}, &w->v, NULL));
	w->b = (struct builder){
	    .v = w->v, .arena = &w->v->arena, .scope = w->v->scopes.items[0]};
}

static struct slice
any_of(struct world *w, const struct slice *items, size_t count)
{
	return items[rng_below(&w->rng, count)];
}

static void
fill(struct world *w, size_t i)
{
	struct view_chain_match *m = &w->chains[i].match;

	m->sni_count = rng_below(&w->rng, NAMES_MAX + 1);
	m->snis = w->snis[i];
	for (size_t j = 0; j < m->sni_count; j++)
		w->snis[i][j] = any_of(w, patterns, ARRAY_LEN(patterns));
	m->transport = (enum view_transport)rng_below(&w->rng, 3);
	m->alpns = &alpns[rng_below(&w->rng, ARRAY_LEN(alpns))];
	m->alpn_count = rng_below(&w->rng, 2);
}

static void
listen(struct world *w)
{
	w->l.chains = w->chains;
	w->l.chain_count = 8 + rng_below(&w->rng, CHAINS_MAX - 7);
	for (size_t i = 0; i < w->l.chain_count; i++)
		fill(w, i);
	w->l.snis = index_snis(&w->b, &w->l, NULL);
	EXPECT_TRUE(w->l.snis != NULL);
}

/* By the index and without it. */
static void
compare(struct world *w, const struct view_listener *l, uint64_t seed)
{
	struct view_listener plain = *l;

	plain.snis = NULL;
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct slice alpn = any_of(w, alpns, ARRAY_LEN(alpns));
		const struct view_connection c = {
		    .tls = rng_below(&w->rng, 2) == 0,
		    .sni = any_of(w, names, ARRAY_LEN(names)),
		    .alpns = &alpn,
		    .alpn_count = rng_below(&w->rng, 2)};
		const struct view_chain *wanted =
		    view_find_chain(NULL, &plain, &c);

		if (view_find_chain(NULL, l, &c) != wanted)
			(void)fprintf(
			    stderr, "seed %llu\n", (unsigned long long)seed);
		EXPECT_EQ(view_find_chain(NULL, l, &c), wanted);
	}
}

TEST(the_index_of_names_finds_what_a_walk_finds)
{
	static struct world w;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		world_init(&w, seed);
		listen(&w);
		compare(&w, &w.l, seed);
		world_fini(&w);
	}
}

/* Most chains of a listener, and some between them. */
static void
move(struct world *w, struct view_chain *chains, struct view_listener *out,
    struct chain_moves *moves)
{
	*out = w->l;
	out->chains = chains;
	out->chain_count = 0;
	for (size_t i = 0; i < w->l.chain_count; i++) {
		if (rng_below(&w->rng, 8) == 0)
			chains[out->chain_count++] =
			    w->chains[rng_below(&w->rng, w->l.chain_count)];
		if (rng_below(&w->rng, 8) == 0)
			continue;
		move_chain(moves, &w->l, i, out->chain_count);
		chains[out->chain_count++] = w->chains[i];
	}
}

TEST(the_index_of_what_moved_finds_what_a_walk_finds)
{
	static struct world w;
	size_t indexed = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct view_chain chains[2 * CHAINS_MAX];
		struct chain_moves moves = {.of = NULL};
		struct view_listener l;

		world_init(&w, seed);
		listen(&w);
		move(&w, chains, &l, &moves);
		l.snis = index_snis(&w.b, &l, &moves);
		indexed += l.snis != NULL;
		compare(&w, &l, seed);
		chain_moves_fini(&moves);
		world_fini(&w);
	}
	EXPECT_TRUE(indexed > SEEDS / 2);
}

TEST(few_chains_and_those_of_ports_and_networks_are_walked)
{
	static struct world w;
	struct cidr any = {0};

	world_init(&w, 1);
	listen(&w);
	w.l.chain_count = 7;
	EXPECT_EQ(index_snis(&w.b, &w.l, NULL), NULL);
	w.l.chain_count = 9;
	w.chains[8].match.port = 80;
	EXPECT_EQ(index_snis(&w.b, &w.l, NULL), NULL);
	w.chains[8].match.port = 0;
	w.chains[8].match.cidrs = &any;
	w.chains[8].match.cidr_count = 1;
	EXPECT_EQ(index_snis(&w.b, &w.l, NULL), NULL);
	world_fini(&w);
}

/* --- virtual hosts -------------------------------------------------------- */

static const struct slice domains[] = {{"*", 1}, {"a.b.c", 5}, {"*.b.c", 5},
    {"*.c", 3}, {"*b.c", 4}, {"*-b.c", 5}, {"*.a.b.c", 7}, {"*x.b.c", 6},
    {"c", 1}};
static const struct slice authorities[] = {{"a.b.c", 5}, {"x.b.c", 5},
    {"bb.c", 4}, {"b.c", 3}, {"a-b.c", 5}, {"y.a.b.c:80", 10}, {"xx.b.c", 6},
    {"C", 1}, {"d.C", 3}, {"e", 1}};

/* Exact, then the longest ending, then any. */
static const struct view_host *
walk(const struct view_host *hosts, const bool *there, struct slice authority)
{
	struct slice host = slice_split(&authority, ':');
	const struct view_host *best = there[0] ? &hosts[0] : NULL;
	size_t longest = 0;

	for (size_t i = 1; i < ARRAY_LEN(domains); i++) {
		struct slice end = slice_sub(domains[i], 1, domains[i].len);
		struct slice tail;

		if (there[i] && slice_eq_nocase(domains[i], host))
			return &hosts[i];
		if (!there[i] || !slice_starts(domains[i], S("*")) ||
		    host.len <= end.len || end.len <= longest)
			continue;
		tail = slice_sub(host, host.len - end.len, end.len);
		if (!slice_eq_nocase(tail, end))
			continue;
		longest = end.len;
		best = &hosts[i];
	}
	return best;
}

TEST(virtual_hosts_are_found_as_a_walk_finds_them)
{
	static const struct view_host hosts[ARRAY_LEN(domains)];
	static struct world w;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		bool there[ARRAY_LEN(domains)];
		struct view_routes *r;

		world_init(&w, seed);
		r = add_routes(&w.b, S("r"));
		r->scope = NULL;
		for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
			there[i] = rng_below(&w.rng, 2) == 0;
			if (there[i])
				EXPECT_TRUE(
				    add_domain(&w.b, r, domains[i], &hosts[i]));
		}
		seal_routes(r);
		for (size_t i = 0; i < ARRAY_LEN(authorities); i++)
			EXPECT_EQ(view_find_domain(w.v, r, authorities[i]),
			    walk(hosts, there, authorities[i]));
		world_fini(&w);
	}
}
