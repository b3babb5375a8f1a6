/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside — the way to a host that the mesh does not know: by its name, to the
 * addresses that it has, one after the other. A worker asks for a name again
 * when the answer may be kept no longer.
 */
#ifndef MESHD_OUTSIDE_H
#define MESHD_OUTSIDE_H

#include "snapshot.h"

enum { OUTSIDE_ADDRS_MAX = 8 };

/* Zeroed it is at rest. */
struct outside {
	struct worker *worker;
	/* Once, after outside_find(). */
	void (*done)(void *arg, enum err e);
	void *arg;
	struct loop_resolve *looking;
	struct loop_later later; /* it is known already */
	struct slice host;
	uint16_t port;
	struct addr addrs[OUTSIDE_ADDRS_MAX];
	size_t count;
	size_t tried;
	struct view_endpoint endpoint; /* the last that was picked */
};

/* The upper three are set; keeps the host until then. False: too many are
 * looked for. */
bool outside_find(struct outside *o, struct slice host, uint16_t port);

/* No name, but that address; nothing is looked for. */
void outside_be(struct outside *o, struct worker *w, const struct addr *a);

/* As bound_pick(): the next of its addresses; lives until the next pick. NULL:
 * it has none. */
const struct view_endpoint *outside_pick(
    struct outside *o, struct host **out_host);

/* Nothing is heard of it any more; also at rest. */
void outside_stop(struct outside *o);

/* What the worker knows of where names lead. */
void outside_forget(struct worker *w);

#endif
