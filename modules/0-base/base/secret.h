/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret — bytes that are wiped when released and never printed.
 */
#ifndef MESHD_SECRET_H
#define MESHD_SECRET_H

#include "slice.h"

struct secret {
	uint8_t *bytes; /* own allocation, kept out of core dumps */
	size_t len;
};

/* Zeroed room for `len` bytes. */
void secret_init(struct secret *s, size_t len);

/* Copies. */
void secret_set(struct secret *s, struct slice bytes);

/* Wipes and frees. */
void secret_fini(struct secret *s);

/* Takes no longer for a near miss than for a far one. */
bool secret_eq(const struct secret *s, struct slice other);

/* Overwrites in a way that the compiler keeps. */
void secret_wipe(void *p, size_t len);

#endif
