/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocols — the words for what a port speaks, whatever their case.
 */
#ifndef MESHD_PROTOCOLS_H
#define MESHD_PROTOCOLS_H

#include "../field.h"

enum port_protocol {
	PORT_UNSET, /* no word: it is found out */
	PORT_HTTP,
	PORT_HTTP_PROXY,
	PORT_HTTP2,
	PORT_GRPC,
	PORT_GRPC_WEB,
	PORT_HTTPS,
	PORT_TLS,
	PORT_TCP,
	PORT_UDP,
	PORT_MONGO,
	PORT_REDIS,
	PORT_MYSQL,
	PORT_UNKNOWN
};

enum port_protocol port_protocol_parse(struct slice word);

bool port_protocol_is_http(enum port_protocol p);
bool port_protocol_is_tls(enum port_protocol p); /* opaque, by server name */

/* For rows of struct slice; an empty one is right. */
void check_port_protocol(struct check *c, const void *value);

#endif
