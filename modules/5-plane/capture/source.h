/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source — what it takes that programs see the address of who calls: sockets
 * that may bear it, and a way back for what is answered to it.
 */
#ifndef MESHD_CAPTURE_SOURCE_H
#define MESHD_CAPTURE_SOURCE_H

#include "kernel.h"

enum { SOURCE_FAMILIES = 2 }; /* IPv4, IPv6 */

/*
 * A table of routes of its own, by which everything is here, and the rules that
 * lead to it what bears CAPTURE_BACK_MARK or comes from loopback. A machine
 * that knows no IPv6 needs none of it; else in words. What there is already is
 * as good.
 */
MUST_USE enum err source_add_routes(struct kernel *k, struct fault *why);

/* Also those of a helper before us, known by their protocol. */
void source_remove_routes(struct kernel *k);

/* Sends as many as there is room for, over the end of the pair for that
 * family (0: IPv4); false: it has to be left. */
bool source_feed(int fd, int family);

#endif
