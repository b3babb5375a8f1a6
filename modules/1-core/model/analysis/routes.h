/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes — where the routes of a VirtualService lead, one by one.
 */
#ifndef MESHD_ANALYSIS_ROUTES_H
#define MESHD_ANALYSIS_ROUTES_H

#include "inside.h"

/* `d` may be NULL: the route forgot it. `mirror`: of copies. */
typedef void (*destination_cb)(void *arg, const struct destination_spec *d,
    const struct place *p, bool mirror);

/* Of tcp, tls and http, then of the mirrors, as upstream goes. */
void each_destination(const struct item *it, destination_cb each, void *arg);

/* True if the VirtualService is bound to the proxies inside the mesh. */
bool route_is_in_mesh(const struct virtual_service *vs);

#endif
