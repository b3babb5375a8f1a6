/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocols — the words for what a port speaks, whatever their case.
 */
#include "protocols.h"
#include "validate.h"

static const char *const words[] = {
    [PORT_UNSET] = "",
    [PORT_HTTP] = "HTTP",
    [PORT_HTTP_PROXY] = "HTTP_PROXY",
    [PORT_HTTP2] = "HTTP2",
    [PORT_GRPC] = "GRPC",
    [PORT_GRPC_WEB] = "GRPC-WEB",
    [PORT_HTTPS] = "HTTPS",
    [PORT_TLS] = "TLS",
    [PORT_TCP] = "TCP",
    [PORT_UDP] = "UDP",
    [PORT_MONGO] = "MONGO",
    [PORT_REDIS] = "REDIS",
    [PORT_MYSQL] = "MYSQL",
};

enum port_protocol
port_protocol_parse(struct slice word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_eq_nocase(word, slice_str(words[i])))
			return (enum port_protocol)i;
	return PORT_UNKNOWN;
}

bool
port_protocol_is_http(enum port_protocol p)
{
	return p >= PORT_HTTP && p <= PORT_GRPC_WEB;
}

bool
port_protocol_is_tls(enum port_protocol p)
{
	return p == PORT_HTTPS || p == PORT_TLS;
}

void
check_port_protocol(struct check *c, const void *value)
{
	const struct slice *s = value;
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	if (port_protocol_parse(*s) != PORT_UNKNOWN)
		return;
	nearest_init(&near, *s);
	for (size_t i = 1; i < ARRAY_LEN(words); i++)
		nearest_offer(&near, words[i]);
	check_error(c, ERR_INVALID, "unsupported protocol: \"%.*s\"%s",
	    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)),
	    nearest_text(&near, hint));
}
