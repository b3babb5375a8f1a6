/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups — what a WorkloadGroup makes of a machine, as services that it offers.
 *
 * Pure: a resource and a wish in, services out.
 */
#ifndef MESHD_GROUPS_H
#define MESHD_GROUPS_H

#include "node.h"

enum { GROUP_ORIGIN_MAX = 2 * NODE_TEXT_MAX };

/* Where such a service comes from: "WorkloadGroup/shop/reviews". */
struct slice group_origin(
    const struct node_group *g, char out[GROUP_ORIGIN_MAX]);

/* What is not of the group: who asks for it, and where it is. */
struct group_place {
	const struct node_group *wish;
	struct slice network;
	const struct addr *addrs; /* of this machine */
	size_t addr_count;
};

/*
 * A service for each port of the template, and of the wish, whose target wins;
 * in the arena, or the resource's. The template's labels, those of the group's
 * metadata and the wish's, each over those before. ERR_INVALID in words:
 * there is no port, the group is for another network, or its probe would ask
 * another machine.
 */
MUST_USE enum err group_services(const struct resource *group,
    const struct group_place *at, struct arena *arena,
    const struct node_expose **out, size_t *out_count, struct fault *why);

/* The locality of its template; maybe empty. */
struct slice group_locality(const struct resource *group);

#endif
