/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutations — whatever is done to a mesh, step by step, the view of each step
 * is the one that is made from nothing: resources of any kind come, go, are
 * replaced and change places, endpoints come and go, and the machine tells
 * something else of itself.
 */
#include <stdio.h>

#include "patched.h"
#include "random.h"
#include "unit.h"

enum {
	SEEDS = UNIT_SEEDS(2000),
	STEPS = 6,
	FIRST = 8,
	MOST = 16,
	SERVINGS = 4,
	MANY = 3
};

struct world {
	struct rng rng;
	uint64_t seed, revision;
	struct resource *items[MOST];
	size_t count;
	struct view_endpoint_input endpoints[SERVINGS][MANY];
	struct view_serving servings[SERVINGS];
	bool is_away[SERVINGS];
	uint64_t clock; /* of servings: see view_input */
	struct view_input in;
};

static bool
has_key(const struct world *w, const struct resource *r)
{
	for (size_t i = 0; i < w->count; i++)
		if (resource_key_eq(&w->items[i]->key, &r->key))
			return true;
	return false;
}

static struct resource *
fresh(struct world *w)
{
	struct resource *r = random_resource(&w->rng);

	r->file = S(""); /* then the revision is told */
	r->revision = ++w->revision;
	return r;
}

/* --- what may happen ------------------------------------------------------ */

static void
add(struct world *w)
{
	struct resource *r = fresh(w);

	w->in.resources_version++;
	if (w->count < MOST && !has_key(w, r))
		w->items[w->count++] = r;
	else
		resource_unref(&r);
}

static void
take_away(struct world *w)
{
	size_t n;

	if (w->count == 0)
		return;
	n = rng_below(&w->rng, w->count);
	w->in.resources_version++;
	resource_unref(&w->items[n]);
	w->items[n] = w->items[--w->count];
}

/* By one of the same key, which says something else. */
static void
replace(struct world *w)
{
	enum { TRIES = 2000 };
	size_t n;

	if (w->count == 0)
		return;
	n = rng_below(&w->rng, w->count);
	for (int i = 0; i < TRIES; i++) {
		struct resource *r = fresh(w);

		if (resource_key_eq(&r->key, &w->items[n]->key)) {
			w->in.resources_version++;
			resource_unref(&w->items[n]);
			w->items[n] = r;
			return;
		}
		resource_unref(&r);
	}
}

static void
change_places(struct world *w)
{
	size_t i = rng_below(&w->rng, MOST), j = rng_below(&w->rng, MOST);
	struct resource *r;

	if (i >= w->count || j >= w->count)
		return;
	w->in.resources_version++;
	r = w->items[i];
	w->items[i] = w->items[j];
	w->items[j] = r;
}

static void
serve(struct world *w)
{
	static const struct label labels[] = {
	    {{"version", 7}, {"v1", 2}}, {{"app", 3}, {"web", 3}}};
	static const uint16_t ports[] = {80, 8080, 3306};
	size_t n = rng_below(&w->rng, SERVINGS);
	struct view_serving *s = &w->servings[n];

	s->count = rng_below(&w->rng, MANY + 1);
	s->version = ++w->clock;
	for (size_t i = 0; i < s->count; i++)
		w->endpoints[n][i] =
		    (struct view_endpoint_input){.service = s->service,
			.service_ns = s->ns,
			.service_port = ports[rng_below(&w->rng, 3)],
			.addr = {ADDR_V4,
			    {10, 0, 0, (uint8_t)rng_below(&w->rng, 6)}, 8080},
			.node = S("n"),
			.workload = s->service,
			.ns = s->ns,
			.account = S("a"),
			.labels = {&labels[rng_below(&w->rng, 2)], 1},
			.weight = 1};
}

/* One that was away comes, or one goes. */
static void
list(struct world *w)
{
	size_t n = rng_below(&w->rng, SERVINGS);

	w->is_away[n] = !w->is_away[n];
	w->in.lists_version++;
}

static void
move(struct world *w)
{
	random_machine(&w->rng, &w->in);
	w->in.version++;
}

static void
expose(struct world *w)
{
	random_exposed(&w->rng, &w->in);
}

static void
mutate(struct world *w)
{
	static void (*const all[])(struct world *) = {add, take_away, replace,
	    replace, change_places, serve, serve, list, expose, move};

	all[rng_below(&w->rng, ARRAY_LEN(all))](w);
}

/* --- and what has to be so ------------------------------------------------ */

static void
world_init(struct world *w, uint64_t seed)
{
	static const struct slice names[] = {{"web", 3}, {"db", 2}};
	static const struct slice spaces[] = {{"shop", 4}, {"pay", 3}};

	*w = (struct world){.seed = seed};
	rng_init(&w->rng, seed);
	random_place(&w->rng, &w->in);
	random_machine(&w->rng, &w->in);
	w->in.knows_members = seed % 2 == 0;
	w->in.captures_dns = seed % 4 == 0;
	w->in.version = 1;
	for (size_t i = 0; i < SERVINGS; i++)
		w->servings[i] = (struct view_serving){.service = names[i % 2],
		    .ns = spaces[i / 2],
		    .endpoints = w->endpoints[i]};
	w->in.lists_version = w->in.resources_version = 1;
	w->in.names_version = 1; /* there are none */
	while (w->count < FIRST)
		add(w);
}

static void
world_fini(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		resource_unref(&w->items[i]);
}

static struct view *
compile(const struct world *w, const struct view *before)
{
	enum { LAST = 3 };
	struct view_serving servings[SERVINGS];
	size_t moved[SERVINGS];
	struct view_input in = w->in;
	struct view *v;

	in.servings = servings;
	for (size_t i = 0; i < SERVINGS; i++)
		if (!w->is_away[i])
			servings[in.serving_count++] = w->servings[i];
	in.moved = moved;
	in.moved_since = w->clock > LAST ? w->clock - LAST : 0;
	for (size_t i = 0; i < in.serving_count; i++)
		if (servings[i].version > in.moved_since)
			moved[in.moved_count++] = i;
	in.resources = (const struct resource *const *)w->items;
	in.resource_count = w->count;
	in.before = before;
	EXPECT_OK(view_compile(&in, &v, NULL));
	return v;
}

static void
expect_as_alone(const struct world *w, const struct view *v, size_t step)
{
	AUTO(view_unref) struct view *alone = compile(w, NULL);
	uint64_t wanted = view_fingerprint(alone);

	EXPECT_TRUE(wanted != 0); /* as is what does not fit */
	if (view_fingerprint(v) != wanted)
		printf(
		    "seed %llu, step %zu\n", (unsigned long long)w->seed, step);
	EXPECT_EQ(view_fingerprint(v), wanted);
}

TEST(any_mutations_step_by_step_are_all_at_once)
{
	size_t patches = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w;
		struct view *v;

		world_init(&w, seed);
		v = compile(&w, NULL);
		for (size_t i = 0; i < STEPS; i++) {
			struct view *before = v;

			mutate(&w);
			v = compile(&w, before);
			patches += is_patch(v, before);
			view_unref(&before);
			expect_as_alone(&w, v, i);
		}
		view_unref(&v);
		world_fini(&w);
	}
	printf("%zu of %d views are patches\n", patches, SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SEEDS);
}

/* Several things happen before the next view is made, as in a burst. */
TEST(mutations_between_two_views_are_all_at_once)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		AUTO(view_unref) struct view *before = NULL;
		AUTO(view_unref) struct view *v = NULL;
		struct world w;

		world_init(&w, seed);
		before = compile(&w, NULL);
		for (size_t i = 0; i < STEPS; i++)
			mutate(&w);
		v = compile(&w, before);
		expect_as_alone(&w, v, STEPS);
		world_fini(&w);
	}
}

/* One comes and goes again: what is left is the view of before. */
TEST(what_comes_and_goes_leaves_the_view_as_it_was)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w;
		struct view *views[3];
		size_t count;

		world_init(&w, seed);
		views[0] = compile(&w, NULL);
		count = w.count;
		while (w.count == count)
			add(&w);
		views[1] = compile(&w, views[0]);
		resource_unref(&w.items[--w.count]);
		w.in.resources_version++;
		views[2] = compile(&w, views[1]);
		if (view_fingerprint(views[2]) != view_fingerprint(views[0]))
			printf("seed %llu\n", (unsigned long long)seed);
		EXPECT_EQ(
		    view_fingerprint(views[2]), view_fingerprint(views[0]));
		for (size_t i = 0; i < ARRAY_LEN(views); i++)
			view_unref(&views[i]);
		world_fini(&w);
	}
}
