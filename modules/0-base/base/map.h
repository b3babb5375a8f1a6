/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map — from bytes to a pointer, by a hash that peers cannot predict.
 *
 * Open addressing, robin hood. Keys are copied in; values belong to the
 * caller. Order of iteration is unspecified but stable without changes.
 */
#ifndef MESHD_MAP_H
#define MESHD_MAP_H

#include "slice.h"

struct map_entry;

struct map {
	struct map_entry *entries;
	size_t count;
	size_t cap; /* power of two, or 0 */
};

void map_init(struct map *m);

/* Frees keys and table; `drop`, if any, is called with each value. */
void map_fini(struct map *m, void (*drop)(void *value));

/* NULL if absent. */
void *map_get(const struct map *m, struct slice key);

/* Sets; returns the value that was there before or NULL. value != NULL. */
void *map_put(struct map *m, struct slice key, void *value);

/* Removes; returns the value that was there or NULL. */
void *map_remove(struct map *m, struct slice key);

/* for (size_t i = 0; map_next(m, &i, &key, &value);) … no changes inside. */
bool map_next(const struct map *m, size_t *cursor, struct slice *out_key,
    void **out_value);

#endif
