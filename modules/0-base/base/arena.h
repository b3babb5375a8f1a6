/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena — memory that is given back all at once.
 *
 * One per connection, one per request, one per parsed document. Born with a
 * limit; a peer that asks for more gets ERR_LIMIT. Foreign handles register a
 * drop hook and are released with it.
 */
#ifndef MESHD_ARENA_H
#define MESHD_ARENA_H

#include "slice.h"

struct arena_block;
struct arena_hook;

struct arena {
	struct arena_block *blocks; /* newest first */
	struct arena_hook *hooks;   /* run newest first */
	size_t used;                /* bytes handed out */
	size_t limit;               /* bytes */
	bool secret;                /* wiped before it is given back */
};

/* `limit` in bytes; no memory is taken before the first use. */
void arena_init(struct arena *a, size_t limit);

/*
 * Room for so many bytes in one piece, each thing rounded up as `used` counts
 * it, for who knows what will come; nothing is handed out yet.
 */
MUST_USE enum err arena_reserve(struct arena *a, size_t size);

/* Runs the hooks and frees everything; the arena may be used again. */
void arena_reset(struct arena *a);

/* The same, for good. */
void arena_fini(struct arena *a);

/*
 * Zeroed, aligned for pointers and uint64_t; NULL when the limit or the memory
 * is gone.
 */
void *arena_alloc(struct arena *a, size_t size) MUST_USE;
void *arena_alloc_array(struct arena *a, size_t count, size_t size) MUST_USE;

/*
 * Copies the bytes, with a zero behind them that the slice does not count;
 * ERR_LIMIT or ERR_NO_MEMORY.
 */
MUST_USE enum err arena_copy(
    struct arena *a, struct slice s, struct slice *out);

/* The parts in one; SLICE_NONE when it is full. Zero-ended as above. */
struct slice arena_join(
    struct arena *a, const struct slice *parts, size_t count);

/* printf into the arena; SLICE_NONE when it is full. Zero-ended as above. */
struct slice arena_printf(struct arena *a, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* drop(arg) runs when the arena is reset; an error leaves it uncalled. */
MUST_USE enum err arena_on_reset(
    struct arena *a, void (*drop)(void *), void *arg);

#endif
