/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk — worlds that change one step at a time: the view of each is held
 * against one that is made from nothing, and what it does to calls beside the
 * one before is told in the same words.
 */
#ifndef MESHD_TEST_WALK_H
#define MESHD_TEST_WALK_H

#include "unit.h"
#include "world.h"

enum {
	SEEDS = UNIT_SEEDS(2000), /* of all that may change */
	FEW_SEEDS = UNIT_SEEDS(200),
	SERVICE_SEEDS = UNIT_SEEDS(240),
	STEPS = 6
};

/* More than so many of the views have to be patches; many say something else
 * about calls than the one before. */
void walk_as(void (*change)(struct world *w), uint64_t seeds,
    enum kind_of_world kind, size_t least);

/* Endpoints of a service, or only their health. */
void change_serving(struct world *w);

/* Endpoints that were away come, or some go. */
void change_list(struct world *w);

/* As a machine exposes a service, or no more, or in another way. */
void change_told(struct world *w);

/* What this machine exposes. */
void change_exposed(struct world *w);

/* What a name leads to. */
void change_name(struct world *w);

/* One of the rules, which are what the kind of world says, says something
 * else; one that was away comes, or one goes; or any of this. */
void change_rule(struct world *w);
void come_or_go(struct world *w);
void change_service(struct world *w);

/* One of the own says something else, comes or goes. */
void change_own(struct world *w);

/* And endpoints, which services have beside these. */
void change_workload(struct world *w);

/* And what is said of them beside that. */
void change_around_services(struct world *w);

#endif
