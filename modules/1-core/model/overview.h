/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overview — a view as tables for people, each row with where it comes from.
 */
#ifndef MESHD_OVERVIEW_H
#define MESHD_OVERVIEW_H

#include "view.h"

/*
 * A list of maps of texts, in the order of the view. By `table`:
 *	listeners  direction, caller, name, chain, takes, tls, peers, to,
 *origin: named ones, what is exposed, and of captured connections routes
 *caller, host, rule, asks, to, origin clusters   name, balancer, endpoints,
 *usable, origin endpoints  cluster, address, node, identity, locality, weight,
 *state policies   workload, action, policy, asks, origin: of access and tokens
 * A caller is the place of calls, "shop app=web"; peers whether plain text is
 * taken, and who says so. NULL: there is no such table, or the arena is full.
 */
struct value *view_overview(
    const struct view *v, struct slice table, struct arena *arena);

bool view_has_overview(struct slice table);

#endif
