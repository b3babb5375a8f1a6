/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places — what files make of the mesh, as proxies at several places see it.
 */
#ifndef MESHD_PLACES_H
#define MESHD_PLACES_H

#include "base/base.h"
#include "model/model.h"

#include "options.h"

struct places {
	struct resource **items;
	size_t count;
	size_t cap;
	struct map by_key; /* text of a key → struct resource, an item */
	struct map views;  /* a place, as text → struct view, a reference */
};

void places_init(struct places *p);
void places_fini(struct places *p);

/*
 * Reads a file, a folder or "-", before the first view; of several with one key
 * the last counts. Returns an exit status; mistakes are printed by then.
 */
int places_read(struct places *p, const char *path);

/* The same with each, in this order. */
int places_read_all(struct places *p, const struct option_values *paths);

/* The view from there, compiled once; borrowed, NULL with words. */
const struct view *places_view(
    struct places *p, const struct explain_place *place, struct fault *why);

#endif
