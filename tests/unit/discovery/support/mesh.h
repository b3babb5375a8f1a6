/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — members with records, and Services, for tests of discovery.
 */
#ifndef MESHD_TEST_MESH_H
#define MESHD_TEST_MESH_H

#include "discovery/discovery.h"

enum { MESH_RESOURCES_MAX = 16 };

struct mesh {
	struct arena arena;
	struct discovery_catalog *catalog;
	struct discovery *discovery;
	const struct resource *resources[MESH_RESOURCES_MAX];
	size_t resource_count;
	struct discovery_input in; /* ready to compile */
	struct discovery_output out;
};

/* This machine is "here", 10.0.0.1, network default; it is 1000 o'clock. */
void mesh_init(struct mesh *m);
void mesh_fini(struct mesh *m);

struct mesh_node {
	const char *name;
	const char *id;    /* the first byte of its id; NULL: the name's */
	const char *addrs; /* "10.0.0.2,fd00::2" */
	uint32_t issued_s;
	uint8_t status;
	uint8_t health;
	bool name_lost;
	uint64_t unhealthy;
	const struct gossip_service *services;
	size_t count;
};

/* Puts the node's record; true if it was news. */
bool mesh_put(struct mesh *m, const struct mesh_node *node);

/* One service "name" of namespace default with label app=name. */
struct gossip_service mesh_service(
    const char *name, uint16_t port, const char *protocol);

/* One YAML document. */
void mesh_apply(struct mesh *m, const char *yaml);

void mesh_compile(struct mesh *m);

/* "web.default:80 10.0.0.2:8080 healthy" a line, for comparing; in the arena.
 */
const char *mesh_text(struct mesh *m);

#endif
