/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chains — why a listener's chains do not take a connection.
 */
#ifndef MESHD_CHAINS_H
#define MESHD_CHAINS_H

#include "listener.h"
#include "tree.h"

/* What a connection had to be, and is not. */
struct slice chains_misfit(struct tree *t, enum view_misfit misfit,
    const struct view_chain_match *m, const struct view_connection *c);

/*
 * A list of {name, origin, why}, at most 50: of all chains, or if one took it
 * (`taken`) of those that could not have. Of a listener of any port those of
 * other ports are left out.
 */
struct value *chains_tell(struct tree *t, const struct view_listener *l,
    const struct view_chain *taken, const struct view_connection *c);

#endif
