/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world — a mesh made at random, of which one thing after another changes.
 */
#ifndef MESHD_TEST_WORLD_H
#define MESHD_TEST_WORLD_H

#include "model/model.h"

enum {
	OTHERS = 7,
	RULED = 3,  /* the first, of services: see random_again() */
	SCOPES = 3, /* the last of the others, see random_scoping() */
	OWN = 3,    /* behind these, see random_own() */
	RULES = 5,  /* the last, see random_again() */
	RESOURCES = OTHERS + OWN + RULES,
	SERVINGS = 9,
	NAMES = 8,
	MOST = 4
};

/* What may meet anything, VirtualServices that meet Gateways, WorkloadEntries
 * that meet Services, Services that meet all of these and rules, rules for
 * connections that meet Services, VirtualServices that meet each other,
 * Services that come to VirtualServices for them, Gateways that meet all of it,
 * PeerAuthentications that meet endpoints with tunnels, a MeshConfig, Networks
 * that meet endpoints of these, Services that stand before Gateways, services
 * that are called at their endpoints, VirtualServices for several hosts that
 * meet Services, DestinationRules that meet services resolved by names. */
enum kind_of_world {
	OF_ANY,
	OF_GATEWAYS,
	OF_WORKLOADS,
	OF_SERVICES,
	OF_CONNECTIONS,
	OF_DELEGATES,
	OF_NAMES,
	OF_GATES,
	OF_PEERS,
	OF_MESH,
	OF_NETWORKS,
	OF_FRONTS,
	OF_HEADLESS,
	OF_HOSTS,
	OF_RESOLVED,
	SCOPED = 64 /* beside one of these: Sidecars hold for most callers */
};

struct world {
	struct rng rng;
	uint64_t seed, revision;
	enum kind_of_world kind;
	bool is_scoped;
	uint64_t heads[RESOURCES];         /* of what is made again */
	struct resource *items[RESOURCES]; /* NULL: it is away */
	size_t count;
	struct view_endpoint_input endpoints[SERVINGS][MOST];
	struct view_serving servings[SERVINGS];
	bool is_away[SERVINGS];
	uint64_t lists;
	/* Numbers of what changed last: see view_input. */
	uint64_t clock, resources_version, names_version;
	struct view_service_input told[SERVINGS];
	bool is_untold[SERVINGS];
	struct addr leads[NAMES][MOST];
	struct view_name_input names[NAMES];
	char name_texts[NAMES][64];
	struct addr own;
	struct view_input in;
};

/* Of a service that tells of itself, for connections. */
extern const struct view_port_input world_port;

void world_init(struct world *w, uint64_t seed, enum kind_of_world kind);
void world_fini(struct world *w);

/* The view of what is there; `before` may be NULL. */
struct view *world_compile(
    const struct world *w, const struct view *before, uint64_t version);

/* Those that the view needs, of some of which nothing is known at first. */
void world_find_names(struct world *w);

/* A serving is another than before. */
void world_touch_serving(struct world *w, size_t n);

/* Something else of one of them. */
void world_fill_serving(struct world *w, size_t n);
void world_fill_told(struct world *w, size_t n);
void world_fill_name(struct world *w, size_t n);

/* A resource says something else; or it comes if it was away, or goes. */
void world_make_again(struct world *w, size_t n);
void world_come_or_go(struct world *w, size_t n);

#endif
