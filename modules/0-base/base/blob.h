/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob — bytes that several hold and nobody changes, counted.
 *
 * For what would else lie in memory once for each who keeps it. Any thread
 * may hold one and let it go.
 */
#ifndef MESHD_BLOB_H
#define MESHD_BLOB_H

#include "slice.h"

struct blob;

/* Copies. NULL when the memory is gone: a peer may have chosen the size. */
struct blob *blob_new(struct slice bytes);

/* NULL is none, and stays it. */
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob **bp);

/* Borrowed as long as it is held; nothing of NULL. */
struct slice blob_bytes(const struct blob *b);

#endif
