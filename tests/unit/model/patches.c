/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches — whatever changes, the view that is made of the one before is the
 * view that is made from nothing.
 *
 * What is about one kind of thing is in the patches_… beside this file.
 */

#include "unit.h"
#include "walk.h"

static void
change_any(struct world *w)
{
	static void (*const all[])(struct world *) = {change_rule, come_or_go,
	    change_serving, change_list, change_told, change_name, change_own};

	all[rng_below(&w->rng, ARRAY_LEN(all))](w);
}

TEST(all_step_by_step_is_all_at_once)
{
	walk_as(change_any, SEEDS, OF_ANY, 2 * SEEDS);
}
