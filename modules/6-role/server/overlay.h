/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay — what is stored, as it would be with some documents on top.
 */
#ifndef MESHD_SERVER_OVERLAY_H
#define MESHD_SERVER_OVERLAY_H

#include "inside.h"

struct overlay {
	struct resource **items; /* references; of a key just one */
	size_t count;
	struct map by_key; /* text of the key → struct resource, an item */
	struct arena arena;
};

void overlay_init(struct overlay *o);
void overlay_fini(struct overlay *o);

/*
 * Decodes the documents (NULL: none); of several with one key the last counts.
 * ERR_INVALID, ERR_LIMIT, in words.
 */
MUST_USE enum err overlay_read(struct overlay *o, const struct server *s,
    const struct explain_documents *docs, struct slice ns, struct fault *why);

/*
 * All that is stored, but for what the overlay has of the same key, and the
 * overlay, in a new array of the caller's (mem_free), each borrowed.
 */
const struct resource **overlay_all(
    const struct overlay *o, const struct cache *c, size_t *out_count);

#endif
