/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network — Network (meshd.dev/v1): one network of the mesh.
 *
 * The resource's name is the network's. Upstream writes all of them as one
 * plain document, MeshNetworks; resource_unfold() makes one of these of each.
 */
#ifndef MESHD_NETWORK_H
#define MESHD_NETWORK_H

#include "../field.h"

/* One of the two. */
struct network_endpoints {
	struct message_head head;
	struct slice from_cidr;
	struct slice from_registry;
};

/* One of the first two, and a port. */
struct network_gateway {
	struct message_head head;
	struct slice registry_service_name;
	struct slice address;
	int64_t port;
	struct slice locality; /* region/zone/subzone */
};

struct network {
	struct message_head head;
	LIST_OF(struct network_endpoints) endpoints;
	LIST_OF(struct network_gateway) gateways;
};

extern const struct message network_message;

#endif
