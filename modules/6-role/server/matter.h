/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matter — all that views of this mesh are made of, held together: the stored
 * configuration, maybe with documents on top, and what members offer.
 *
 * Gathered on the loop; may then be used on another thread.
 */
#ifndef MESHD_SERVER_MATTER_H
#define MESHD_SERVER_MATTER_H

#include "discovery/discovery.h"

#include "overlay.h"

struct matter {
	struct overlay overlay;
	const struct resource **all; /* references */
	struct discovery_catalog *catalog;
	struct discovery *discovery; /* whose output `in` borrows */
	struct arena arena;
	/*
	 * Whose view it is, before it is gathered. Unless somebody says so it
	 * is that of a machine of which nothing is known but where it stands.
	 */
	struct discovery_machine self;
	const struct interest *interest; /* what it has; NULL: all there is */
	struct view_input in;            /* of `self` */
};

void matter_init(struct matter *m, const struct server *s);
void matter_fini(struct matter *m);

/* `docs` may be NULL: none; `ns` is of those that name none. In words. */
MUST_USE enum err matter_gather(struct matter *m, const struct server *s,
    const struct explain_documents *docs, struct slice ns, struct fault *why);

/* The view of `self`, or from a place instead of its own. */
MUST_USE enum err matter_view(const struct matter *m,
    const struct explain_place *place, struct view **out, struct fault *why);

#endif
