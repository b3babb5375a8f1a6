/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree — rows of a view as values, for admin and for explain.
 *
 * A tree that does not fit remembers that, so only its end is checked.
 */
#ifndef MESHD_TREE_H
#define MESHD_TREE_H

#include "view.h"

struct tree {
	struct arena *arena;
	bool full; /* sticky */
};

struct value *tree_map(struct tree *t);
struct value *tree_list(struct tree *t);

/* Adds to a map; what is NULL or empty is left out. */
void tree_put(
    struct tree *t, struct value *map, const char *key, struct value *v);
void tree_put_text(
    struct tree *t, struct value *map, const char *key, struct slice text);
void tree_put_int(
    struct tree *t, struct value *map, const char *key, int64_t n);
void tree_put_bool(struct tree *t, struct value *map, const char *key, bool b);
void tree_add(struct tree *t, struct value *list, struct value *v);
void tree_add_text(struct tree *t, struct value *list, struct slice text);

/* Text made for the tree; empty when it is full. */
struct slice tree_printf(struct tree *t, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

struct slice tree_origin(struct tree *t, const struct origin *o);
struct slice tree_addr(struct tree *t, const struct addr *a);
struct slice tree_duration(struct tree *t, uint64_t us);
struct value *tree_labels(struct tree *t, const struct labels *l);

/* "path prefix /api", "header end-user exact jason". */
struct slice tree_condition(struct tree *t, const struct view_condition *c);

struct value *tree_endpoint(struct tree *t, const struct view_endpoint *e);
struct value *tree_cluster(struct tree *t, const struct view_cluster *c);

/* Its cluster by name, or why there is none; weight and percent. */
struct value *tree_destination(
    struct tree *t, const struct view_destination *d, uint32_t weight_total);

struct value *tree_retry(struct tree *t, const struct view_retry *r);
struct value *tree_headers(struct tree *t, const struct view_headers *h);

const char *tree_balancer(enum balancer b);

/* The rules of policies by stage, and of tokens (access/dump.c). */
struct value *tree_access(struct tree *t, const struct view_access *a);
struct value *tree_authn(struct tree *t, const struct view_authn *a);

#endif
