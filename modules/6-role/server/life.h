/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life — the order in which the parts come up, are kept up, and go.
 */
#ifndef MESHD_SERVER_LIFE_H
#define MESHD_SERVER_LIFE_H

#include "inside.h"

/* A change of the store; the first that is whole starts the rest. */
void life_take(struct server *s, const struct store_changes *c);

/* Closes everything in order; then on_closed, and the server is gone. */
void life_end(struct server *s);

#endif
