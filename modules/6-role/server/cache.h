/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache — the stored resources, decoded and at hand.
 *
 * Fed by the store's changes; the store stays the truth. A row that no longer
 * decodes is left out and counted, so that one bad row stops nobody.
 */
#ifndef MESHD_CACHE_H
#define MESHD_CACHE_H

#include "model/model.h"
#include "store/store.h"

#include "inert.h"

enum { CACHE_KEY_MAX = 2 * RESOURCE_KEY_MAX };

struct cache {
	struct map by_key; /* text of the key → struct resource */
	struct map bad;    /* text of the key → itself */
	struct map sealed; /* text of the key → its sealed body, zero-ended */
	const struct store *store;
	const char *trust_domain; /* the mesh's; empty while it is not known */
	struct inert inert;
	uint64_t revision;
	bool current; /* all that the store had has come */
	/*
	 * Hears of what was and what is now, either may be NULL, while both
	 * are there; not of a reset, when nothing is any more.
	 */
	void (*changed)(void *arg, const struct resource *before,
	    const struct resource *now);
	void *changed_arg;
};

/*
 * `store` opens what is sealed, by `trust_domain` what is foreign is told; set
 * once they are there, borrowed. `changed` may be set.
 */
void cache_init(struct cache *c);
void cache_fini(struct cache *c);

void cache_take(struct cache *c, const struct store_changes *changes);

/*
 * "group/kind/namespace/name": the same in the cache and on the stream. Empty
 * for one that is longer than that of any resource.
 */
struct slice cache_key_text(
    const struct resource_key *k, char out[CACHE_KEY_MAX]);

/* NULL if absent. Borrowed until the next change. */
const struct resource *cache_find(
    const struct cache *c, const struct resource_key *key);

/* As it is stored, if it is sealed; SLICE_NONE. Borrowed as above. */
struct slice cache_sealed(
    const struct cache *c, const struct resource_key *key);

/* Also one that is no longer understood. */
bool cache_has(const struct cache *c, const struct resource_key *key);

/*
 * Those that `keep` is true for (NULL: all), by group, kind, namespace, name,
 * in a new array of the caller's (mem_free), each borrowed.
 */
const struct resource **cache_sorted(const struct cache *c,
    bool (*keep)(const void *arg, const struct resource *r), const void *arg,
    size_t *out_count);

#endif
