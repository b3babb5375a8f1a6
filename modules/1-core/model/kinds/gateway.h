/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway — Gateway (networking.istio.io/v1).
 */
#ifndef MESHD_GATEWAY_H
#define MESHD_GATEWAY_H

#include "../field.h"
#include "server_tls.h"

struct gateway_port {
	struct message_head head;
	int64_t number;
	struct slice protocol; /* port_protocol_parse() */
	struct slice name;
	int64_t target_port; /* refused */
};

struct gateway_server {
	struct message_head head;
	const struct gateway_port *port;
	struct slice bind;           /* an IP, or unix:///path */
	LIST_OF(struct slice) hosts; /* "ns/host" */
	const struct server_tls *tls;
	struct slice default_endpoint;
	struct slice name;
};

struct gateway {
	struct message_head head;
	LIST_OF(struct gateway_server) servers;
	struct labels selector; /* of gateways in any namespace */
};

extern const struct message gateway_message;

#endif
