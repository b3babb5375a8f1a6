/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy — a decoded message once more, in an arena of its own.
 */
#ifndef MESHD_COPY_H
#define MESHD_COPY_H

#include "field.h"

/* All of it, also what is wrong or a default; NULL when the arena is full. */
const void *message_copy(
    const struct message *m, const void *decoded, struct arena *arena);

/*
 * In place of what the value points at, a copy of that. False when the arena
 * is full: some of it is the old then.
 */
MUST_USE bool copy_text(struct slice *s, struct arena *arena);
MUST_USE bool copy_labels(struct labels *l, struct arena *arena);

#endif
