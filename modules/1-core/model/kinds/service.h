/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service — the decoded spec of the core Service.
 */
#ifndef MESHD_SERVICE_H
#define MESHD_SERVICE_H

#include "../field.h"

enum service_protocol { SERVICE_TCP, SERVICE_UDP, SERVICE_SCTP };

enum service_type {
	SERVICE_CLUSTER_IP,
	SERVICE_NODE_PORT,
	SERVICE_LOAD_BALANCER,
	SERVICE_EXTERNAL_NAME
};

struct service_port {
	struct message_head head;
	struct slice name;
	int protocol; /* enum service_protocol; only TCP is carried */
	struct slice app_protocol;
	int64_t port;
	struct int_or_string target_port; /* present only if it was written */
};

struct service_spec {
	struct message_head head;
	struct labels selector;
	LIST_OF(struct service_port) ports;
	int type;                   /* enum service_type */
	struct slice external_name; /* with EXTERNAL_NAME */
	bool publish_not_ready;
};

extern const struct message service_message;

/* True if targetPort was written; it may name a port of the workload. */
bool service_port_has_target(const struct service_port *p);

#endif
