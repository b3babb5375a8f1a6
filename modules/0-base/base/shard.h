/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard — the numbers under the metrics, one set of them a thread.
 *
 * A cell is 64 bits and has the same number in every shard:
 *
 *	cell ---> shards[thread].pages[cell / PAGE]->cells[cell % PAGE]
 *
 * Adding and summing take no lock and may meet. Private to base.
 */
#ifndef MESHD_SHARD_H
#define MESHD_SHARD_H

#include "attr.h"

/*
 * Hands out `count` cells in a row, all zero; false when there are no more.
 * The caller holds the lock of the metrics, here and in shard_fini().
 */
bool shard_take(size_t count, size_t *out_first);

/* Adds in this thread's shard; a difference is a wrapped number. */
void shard_cell_add(size_t cell, uint64_t n);

/* The same for a cell that holds a double's bits. */
void shard_cell_add_double(size_t cell, double v);

/* Over all shards. */
uint64_t shard_cell_sum(size_t cell);
double shard_cell_sum_double(size_t cell);

/* Zero in all shards; nobody adds to these cells meanwhile. */
void shard_cells_clear(size_t first, size_t count);

/* Frees all pages and takes all cells back; nobody counts meanwhile. */
void shard_fini(void);

#endif
