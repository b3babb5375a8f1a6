/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_hosts — a view of before with VirtualServices for several hosts,
 * which are services or not, with all of a service at once, and with what is
 * said of services that are resolved by names, is the view that is made from
 * nothing.
 */
#include <stdio.h>

#include "patched.h"
#include "play.h"
#include "unit.h"
#include "walk.h"

/* --- at random ------------------------------------------------------------ */

TEST(rules_for_several_hosts_come_go_and_change)
{
	size_t patches =
	    walk_as(change_around_services, SERVICE_SEEDS, OF_HOSTS);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 3 * SERVICE_SEEDS);
}

TEST(rules_for_several_hosts_come_and_go_where_sidecars_hold)
{
	size_t patches =
	    walk_as(change_around_services, SERVICE_SEEDS, OF_HOSTS | SCOPED);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 3 * SERVICE_SEEDS);
}

/* As of one file that is applied, or removed. */
static void
change_several(struct world *w)
{
	size_t count = 2 + rng_below(&w->rng, 2);

	for (size_t i = 0; i < count; i++)
		if (rng_below(&w->rng, 3) == 0)
			world_come_or_go(w, rng_below(&w->rng, RULED));
		else
			come_or_go(w);
}

TEST(services_come_and_go_with_their_rules)
{
	size_t patches = walk_as(change_several, SERVICE_SEEDS, OF_HOSTS);

	patches += walk_as(change_several, SERVICE_SEEDS, OF_SERVICES);
	printf("%zu of %d views are patches\n", patches,
	    2 * SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 3 * SERVICE_SEEDS);
}

static void
change_around_names(struct world *w)
{
	switch (rng_below(&w->rng, 6)) {
	case 0:
		change_name(w);
		break;
	case 1:
		world_make_again(w, rng_below(&w->rng, RULED - 1));
		break;
	case 2:
		come_or_go(w);
		break;
	default:
		change_rule(w);
	}
}

TEST(rules_for_what_is_resolved_by_names_come_go_and_change)
{
	size_t patches =
	    walk_as(change_around_names, SERVICE_SEEDS, OF_RESOLVED);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 3 * SERVICE_SEEDS);
}
