/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state — the state directory while a mesh is made or restored in it.
 */
#ifndef MESHD_STATE_H
#define MESHD_STATE_H

#include "base/base.h"

/* With mode 0700; one that is there stays as it is, if it will do. */
MUST_USE enum err state_make(
    const char *dir, bool *out_made, struct fault *why);

/* ERR_EXISTS, in words: it holds a mesh, or is an agent's; it holds anything at
 * all. */
MUST_USE enum err state_check_new(const char *dir, struct fault *why);
MUST_USE enum err state_check_empty(const char *dir, struct fault *why);

/*
 * What was made there belongs to the folder's owner from now on: root makes a
 * mesh for the user that runs its server.
 */
MUST_USE enum err state_give(const char *dir, struct fault *why);

/*
 * Takes a mesh away again, and the folder if it was `made`. What cannot be
 * removed does no harm but to the next attempt, which says so.
 */
void state_remove(const char *dir, bool made);

#endif
