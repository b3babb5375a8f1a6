/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay — what is stored, as it would be with some documents on top, or
 * without some of it.
 */
#ifndef MESHD_SERVER_OVERLAY_H
#define MESHD_SERVER_OVERLAY_H

#include "inside.h"

struct overlay {
	struct map by_key; /* text of the key → struct overlaid */
};

/* What is to be there in place of what is stored. */
struct overlaid {
	struct resource *now;             /* a reference; NULL: nothing */
	const struct resource_kind *kind; /* NULL: nothing is stored either */
};

void overlay_init(struct overlay *o);
void overlay_fini(struct overlay *o);

/*
 * Takes `r`, which nobody else looks at: it becomes as old as the store would
 * make it. NULL: what has the key is gone. The last one counts.
 */
void overlay_put(struct overlay *o, const struct server *s,
    const struct resource_key *key, struct resource *r);

/*
 * Decodes the documents (NULL: none); of several with one key the last counts.
 * ERR_INVALID, ERR_LIMIT, in words.
 */
MUST_USE enum err overlay_read(struct overlay *o, const struct server *s,
    const struct explain_documents *docs, struct slice ns, struct fault *why);

/*
 * All that is stored, by key, what the overlay has in the place of that with
 * its key, and then what is new, in a new array of the caller's (mem_free),
 * each borrowed.
 */
const struct resource **overlay_all(
    const struct overlay *o, const struct cache *c, size_t *out_count);

#endif
