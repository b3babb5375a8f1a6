/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owned — which resources the folder of configuration brought.
 *
 * A setting of the store, written with the mutation that makes it so: nothing
 * is added to the resources themselves, and it outlives restarts and moves
 * with a backup.
 */
#ifndef MESHD_OWNED_H
#define MESHD_OWNED_H

#include "base/base.h"
#include "store/store.h"

struct owned {
	struct map keys; /* cache_key_text() of each → its mark */
};

void owned_init(struct owned *o);
void owned_fini(struct owned *o);

/* A row of the store that may be it; others are ignored. */
void owned_take(struct owned *o, const struct store_row *row);

bool owned_has(const struct owned *o, struct slice key);

/*
 * The operation that makes it these keys, in any order, as texts; what it
 * holds lies in the arena. ERR_LIMIT if they are too many.
 */
MUST_USE enum err owned_op(const struct slice *keys, size_t count,
    struct arena *a, struct store_op *out);

#endif
