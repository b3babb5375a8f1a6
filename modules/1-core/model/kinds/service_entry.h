/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_entry — ServiceEntry (networking.istio.io/v1).
 */
#ifndef MESHD_SERVICE_ENTRY_H
#define MESHD_SERVICE_ENTRY_H

#include "../field.h"
#include "selector.h"
#include "workload.h"

enum entry_location { ENTRY_MESH_EXTERNAL, ENTRY_MESH_INTERNAL };

/* How addresses of endpoints are found. */
enum entry_resolution {
	ENTRY_NONE, /* the one that the caller asked for */
	ENTRY_STATIC,
	ENTRY_DNS,
	ENTRY_DNS_ROUND_ROBIN,
	ENTRY_DYNAMIC_DNS
};

struct entry_port {
	struct message_head head;
	int64_t number;
	struct slice protocol; /* port_protocol_parse() */
	struct slice name;
	int64_t target_port; /* 0: the number */
};

struct service_entry {
	struct message_head head;
	LIST_OF(struct slice) hosts;
	LIST_OF(struct slice) addresses; /* IPs and networks */
	LIST_OF(struct entry_port) ports;
	int location;   /* enum entry_location */
	int resolution; /* enum entry_resolution */
	LIST_OF(struct workload_entry) endpoints;
	const struct workload_selector *workload_selector;
	LIST_OF(struct slice) export_to;
	LIST_OF(struct slice) subject_alt_names;
};

extern const struct message service_entry_message;

#endif
