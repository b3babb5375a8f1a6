/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world — a view of YAML and members, and what is decided in it.
 */
#ifndef MESHD_TEST_WORLD_H
#define MESHD_TEST_WORLD_H

#include "decide.h"

enum { WORLD_RESOURCES = 32, WORLD_MEMBERS = 128, WORLD_TEXT = 8192 };

struct world {
	struct resource *resources[WORLD_RESOURCES];
	size_t resource_count;
	struct view_endpoint_input members[WORLD_MEMBERS];
	size_t member_count;
	struct view_service_input services[WORLD_MEMBERS];
	struct view_port_input ports[WORLD_MEMBERS];
	size_t service_count;
	enum view_proxy proxy;
	struct view *v;
	struct decided d;
	char text[WORLD_TEXT];
};

void world_init(struct world *w, const char *yaml);
/* "db" of "shop" at 10.0.0.1:80, on the node; a service that only records tell
 * of, unless the YAML has it. */
void world_member(
    struct world *w, const char *service, const char *node, const char *addr);
/* After the members; the machine itself is at 10.0.0.9 and fd00::9. */
void world_compile(struct world *w);
void world_fini(struct world *w);

/* The member of before is not well. */
void world_last_is_sick(struct world *w);

/*
 * What is decided about "db.shop A", as text: "A 10.0.0.1, A 10.0.0.2",
 * "SRV 80 node.db.shop.svc.mesh.internal", "NODATA", "NXDOMAIN", "OUTSIDE",
 * "REFUSED"; additional rows after "+".
 */
const char *world_asks(struct world *w, const char *name, uint16_t type);

#endif
