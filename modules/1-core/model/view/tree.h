/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree — rows of a view as values, for admin and for explain.
 *
 * A tree that does not fit remembers that, so only its end is checked.
 */
#ifndef MESHD_TREE_H
#define MESHD_TREE_H

#include "authn.h"

struct scope; /* inside.h */

struct tree {
	struct arena *arena;
	bool full; /* sticky */
};

struct value *tree_map(struct tree *t);
struct value *tree_list(struct tree *t);

/* Adds to a map; what is NULL or empty is left out. */
void tree_put(
    struct tree *t, struct value *map, const char *key, struct value *v);
/* The same, and what is empty stands there. */
void tree_put_any(
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

/* "path begins with /api". */
struct slice tree_condition(struct tree *t, const struct view_condition *c);

/* "path begins with /api and …, or …"; empty: the rule takes all. */
struct slice tree_asked(struct tree *t, const struct view_http_route *r);

/* Text that grows by what is put behind it. */
struct slice tree_joined(
    struct tree *t, struct slice text, const char *between, struct slice more);

struct value *tree_host(struct tree *t, const struct view_host *h);
struct value *tree_tcp_route(struct tree *t, const struct view_tcp_route *r);

/* The listeners of a scope, by their direction, and its sets of routes. */
struct value *tree_place(
    struct tree *t, const struct view *v, const struct view_scope *of);

/* cluster_tree.c: with priority and locality's weight, where those differ. */
struct value *tree_endpoints(struct tree *t, const struct view_cluster *c);
struct value *tree_cluster(struct tree *t, const struct view_cluster *c);

/* How it is called, without its endpoints, into a map. */
void tree_put_cluster(
    struct tree *t, struct value *map, const struct view_cluster *c);

/* "mutual TLS where the endpoint wants it". */
const char *tree_security(enum view_security s);

/* All of it that is not as it is by default, in DestinationRule's words. */
struct value *tree_policy(struct tree *t, const struct view_cluster_policy *p);

/* Upstream's word for how an endpoint is chosen; what it may be asked for. */
const char *tree_chooser(const struct view_cluster *c);
struct value *tree_limits(struct tree *t, const struct view_limits *l);

/* As upstream's recorded answers have it: type, lb, connectTimeout, limits,
 * outlier, tls, socketMatches, endpoints (cluster_facts.c). */
struct value *tree_cluster_facts(struct tree *t, const struct view_cluster *c);

/* Its cluster by name, or why there is none; weight and percent. */
struct value *tree_destination(
    struct tree *t, const struct view_destination *d, uint32_t weight_total);

/* {add [{name, op "set" or "append", value}], remove []} (tree_action.c) */
struct value *tree_headers(struct tree *t, const struct view_headers *h);

/* What a rule, or a chain, does: `action` of explain.h (tree_action.c). */
struct value *tree_http_action(struct tree *t, const struct view_http_route *r);
/* What of it the proxy does not do yet, and goes on without. */
struct value *tree_http_inert(struct tree *t, const struct view_http_route *r);
struct value *tree_tcp_action(struct tree *t, const struct view_tcp_route *r);

const char *tree_balancer(enum balancer b);

/* "source.principal is one of a, b"; all that a rule asks (access/dump.c). */
struct slice tree_access_condition(
    struct tree *t, const struct access_condition *c);
struct slice tree_access_rule(struct tree *t, const struct access_rule *r);

/* The rules of policies by stage, and of tokens (access/dump.c). */
struct value *tree_access(struct tree *t, const struct view_access *a);
struct value *tree_authn(struct tree *t, const struct view_authn *a);

#endif
