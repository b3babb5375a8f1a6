/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidecar — Sidecar (networking.istio.io/v1).
 */
#ifndef MESHD_SIDECAR_H
#define MESHD_SIDECAR_H

#include "../field.h"
#include "selector.h"
#include "server_tls.h"
#include "traffic_policy.h"
#include "virtual_service.h"

enum capture_mode { CAPTURE_DEFAULT, CAPTURE_IPTABLES, CAPTURE_NONE };

struct sidecar_port {
	struct message_head head;
	int64_t number;
	struct slice protocol;
	struct slice name;
	int64_t target_port; /* refused */
};

struct sidecar_ingress {
	struct message_head head;
	const struct sidecar_port *port;
	struct slice bind;
	int capture_mode; /* enum capture_mode */
	struct slice default_endpoint;
	const struct server_tls *tls;
	const struct connection_pool *connection_pool;
};

struct sidecar_egress {
	struct message_head head;
	const struct sidecar_port *port;
	struct slice bind;
	int capture_mode;
	LIST_OF(struct slice) hosts; /* "ns/host" */
};

/* Absent, the mesh's own is meant, whatever the zero of the mode says. */
enum outbound_mode { OUTBOUND_REGISTRY_ONLY, OUTBOUND_ALLOW_ANY };

struct outbound_policy {
	struct message_head head;
	int mode; /* enum outbound_mode */
	const struct destination_spec *egress_proxy;
};

struct sidecar {
	struct message_head head;
	const struct workload_selector *workload_selector;
	LIST_OF(struct sidecar_ingress) ingress;
	LIST_OF(struct sidecar_egress) egress;
	const struct connection_pool *inbound_connection_pool;
	const struct outbound_policy *outbound_traffic_policy;
};

extern const struct message sidecar_message;

#endif
