/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inert — what of the stored configuration is not in force.
 *
 * By resource, as decoding it said, in as few bytes as that takes: a mesh may
 * have very many.
 */
#ifndef MESHD_INERT_H
#define MESHD_INERT_H

#include "model/model.h"
#include "server.h"

struct inert {
	struct map notes; /* text of the key → struct inert_note */
	struct server_inert_count all;
	struct server_inert_count guards; /* of them */
};

void inert_init(struct inert *i);
void inert_fini(struct inert *i);

/* In place of what was said of the resource before; NULL takes that away. */
void inert_put(struct inert *i, struct slice key, const struct findings *found);

/* As server_each_inert(). */
void inert_each(const struct inert *i,
    bool (*each)(void *arg, const struct server_inert *row), void *arg);

#endif
