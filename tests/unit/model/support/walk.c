/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk — worlds that change one step at a time: the view of each is held
 * against one that is made from nothing.
 */
#include "walk.h"

#include <stdio.h>

#include "patched.h"
#include "random.h"

void
change_serving(struct world *w)
{
	size_t n = rng_below(&w->rng, SERVINGS);
	struct view_serving *s = &w->servings[n];

	if (rng_below(&w->rng, 3) > 0) {
		world_fill_serving(w, n);
		return;
	}
	/* Where they are they stay. */
	world_touch_serving(w, n);
	for (size_t i = 0; i < s->count; i++)
		w->endpoints[n][i].health =
		    (enum view_health)rng_below(&w->rng, 4);
}

void
change_list(struct world *w)
{
	size_t n = rng_below(&w->rng, SERVINGS);

	w->is_away[n] = !w->is_away[n];
	w->lists++;
	if (rng_below(&w->rng, 2) == 0)
		change_serving(w);
}

void
change_told(struct world *w)
{
	size_t n = rng_below(&w->rng, SERVINGS);

	w->lists++;
	if (!w->is_untold[n] && rng_below(&w->rng, 2) == 0) {
		world_fill_told(w, n);
		return;
	}
	w->is_untold[n] = !w->is_untold[n];
	w->is_away[n] = w->is_untold[n];
}

void
change_exposed(struct world *w)
{
	random_exposed(&w->rng, &w->in);
}

void
change_name(struct world *w)
{
	if (w->in.name_count > 0)
		world_fill_name(w, rng_below(&w->rng, w->in.name_count));
	else
		change_serving(w);
}

void
change_rule(struct world *w)
{
	world_make_again(w, RESOURCES - 1 - rng_below(&w->rng, RULES));
}

void
come_or_go(struct world *w)
{
	world_come_or_go(w, RESOURCES - 1 - rng_below(&w->rng, RULES));
}

void
change_own(struct world *w)
{
	size_t n = OTHERS + rng_below(&w->rng, OWN);

	if (rng_below(&w->rng, 2) == 0)
		world_make_again(w, n);
	else
		world_come_or_go(w, n);
}

void
change_workload(struct world *w)
{
	if (rng_below(&w->rng, 3) == 0)
		change_serving(w);
	else
		change_own(w);
}

void
change_service(struct world *w)
{
	if (rng_below(&w->rng, 3) == 0)
		come_or_go(w);
	else
		change_rule(w);
}

void
change_around_services(struct world *w)
{
	size_t n = rng_below(&w->rng, RULED);

	switch (rng_below(&w->rng, 9)) {
	case 0:
		world_make_again(w, n);
		break;
	case 1:
		world_come_or_go(w, n);
		break;
	case 2:
		change_workload(w);
		break;
	case 3:
		change_name(w);
		break;
	case 4:
		change_list(w);
		break;
	case 5:
		change_told(w);
		break;
	default:
		change_service(w);
	}
}

static size_t
compare(const struct world *w, const struct view *before, const struct view *v)
{
	AUTO(view_unref) struct view *alone = world_compile(w, NULL, 0);

	if (view_fingerprint(v) != view_fingerprint(alone))
		printf("seed %llu\n", (unsigned long long)w->seed);
	return compare_views(before, v, alone);
}

void
walk_as(void (*change)(struct world *w), uint64_t seeds,
    enum kind_of_world kind, size_t least)
{
	size_t patches = 0, effects = 0;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct view *v;
		struct world w;

		world_init(&w, seed, kind);
		world_find_names(&w);
		v = world_compile(&w, NULL, 1);
		for (size_t i = 0; i < STEPS; i++) {
			struct view *before = v;

			change(&w);
			v = world_compile(&w, before, 1);
			patches += is_patch(v, before);
			effects += compare(&w, before, v);
			view_unref(&before);
		}
		view_unref(&v);
		world_fini(&w);
	}
	printf(
	    "%zu of %zu views are patches\n", patches, (size_t)seeds * STEPS);
	EXPECT_TRUE(patches > least);
	EXPECT_TRUE(effects > seeds / 2); /* of endpoints there are few */
}
