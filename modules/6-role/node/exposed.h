/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposed — what the files that keep what this machine offers have in common.
 *
 *	exposed.c         the list, and what of it is announced
 *	exposed_legal.c   what may be in it
 *	exposed_file.c    how it is on the disk
 */
#ifndef MESHD_NODE_EXPOSED_H
#define MESHD_NODE_EXPOSED_H

#include "inside.h"

struct service {
	struct node_expose what; /* complete; text in the arena */
	struct arena arena;
	struct resource *check; /* a HealthCheckPolicy of its own, or NULL */
	uint64_t since;         /* the first view with it; 0: none yet */
};

struct exposed {
	struct service *items[NODE_EXPOSED_MAX]; /* by namespace, name, port */
	size_t count;
	uint64_t version; /* another one where services are */
};

/* In words that say what would be right. */
MUST_USE enum err exposed_legal_label(
    const char *what, struct slice s, struct fault *why);
MUST_USE enum err exposed_legal(const struct node_expose *e, struct fault *why);
/* What was left out, filled in. */
struct node_expose exposed_complete(const struct node_expose *e);

/* Copies it; one of its name and port is replaced. It is legal and complete. */
MUST_USE enum err exposed_put(
    struct exposed *x, const struct node_expose *e, struct fault *why);

/* From the file, as far as it can be read; the rest is told. */
void exposed_load(struct node *n);

#endif
