/* SPDX-License-Identifier: Apache-2.0 */
/*
 * viewpoints — from where calls are made in this mesh, each with a name.
 */
#ifndef MESHD_SERVER_VIEWPOINTS_H
#define MESHD_SERVER_VIEWPOINTS_H

#include "inside.h"

enum { VIEWPOINTS_MAX = 256 };

struct viewpoint {
	struct slice name; /* "web.default" */
	struct explain_place at;
};

struct viewpoints {
	struct viewpoint items[VIEWPOINTS_MAX];
	size_t count;
	size_t left_out;
	struct map by_key; /* of a place → its row */
	struct arena arena;
};

void viewpoints_init(struct viewpoints *v);
void viewpoints_fini(struct viewpoints *v);

/* One that is there already, under another name, stays. Copies the key. */
void viewpoints_add(
    struct viewpoints *v, struct slice name, const struct explain_place *at);

/* Of what members offer. */
void viewpoints_add_offers(struct viewpoints *v, const struct server *s);

/* Of programs that offer nothing, in the namespaces that agents tell. */
void viewpoints_add_programs(struct viewpoints *v, const struct server *s);

/* Of gateways that are connected. */
void viewpoints_add_routers(struct viewpoints *v, const struct server *s);

/* Of gateways, by what Gateways select; borrows from them. */
void viewpoints_add_gateways(
    struct viewpoints *v, const struct resource *const *all, size_t count);

#endif
