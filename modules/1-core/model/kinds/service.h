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
	struct slice cluster_ip; /* "None": headless */
	LIST_OF(struct slice) cluster_ips;
};

extern const struct message service_message;

/* Callers find the workloads' own addresses: it has none of its own. */
bool service_is_headless(const struct service_spec *s);

/* True if targetPort was written; it may name a port of the workload. */
bool service_port_has_target(const struct service_port *p);

/* What a machine offers, as far as a written Service looks at it. */
struct service_offer {
	struct slice name;
	struct slice ns;
	struct slice protocol;
	struct labels labels;
	uint16_t port;
};

/*
 * Of a workload of a WorkloadGroup: which port of services it is, as the
 * template's `ports` have it, and the group's name. A record has no other place
 * for them.
 */
#define OFFER_PORT_NAME "meshd.dev/port-name"
#define OFFER_GROUP "meshd.dev/group"

bool labels_name_port(const struct labels *l, struct slice port_name);

struct resource;

/* By its selector; without one, what was exposed under its own name. */
bool service_selects(const struct resource *r, const struct service_offer *o);

/*
 * Is the offer's port what this port, of TCP, leads to? What was exposed
 * under the Service's name may be addressed by the Service's own port,
 * whatever lies behind. A port's name is its protocol or its name; one that
 * the offer is said to be by its labels beats the target port.
 */
bool service_port_leads_to(const struct resource *r,
    const struct service_port *p, const struct service_offer *o);

#endif
