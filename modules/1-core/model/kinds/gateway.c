/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway — the fields of Gateway.
 */
#include "addresses.h"
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "scoped_host.h"
#include "validate.h"

/* --- ports ---------------------------------------------------------------- */

static void
check_port_protocol_of_gateway(struct check *c, const void *value)
{
	enum port_protocol p =
	    port_protocol_parse(*(const struct slice *)value);

	if (p == PORT_UNSET)
		check_error(c, ERR_INVALID,
		    "invalid protocol: it is HTTP, HTTPS, HTTP2, GRPC, "
		    "GRPC-WEB, MONGO, REDIS, MYSQL, TCP or TLS");
	else
		check_port_protocol(c, value);
}

static const struct field port_fields[] = {
    ROW(gateway_port, "number", number, FIELD_INT, .min = 0, .max = UINT32_MAX,
	.doc = "Where the gateway listens; 0 with a unix socket only."),
    ROW(gateway_port, "protocol", protocol, FIELD_STRING,
	.flags = FIELD_REQUIRED, .check = check_port_protocol_of_gateway,
	.doc = "What is spoken: HTTP, HTTPS, HTTP2, GRPC, TCP, TLS …"),
    ROW(gateway_port, "name", name, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY,
	.doc = "Names the port; unique in the Gateway."),
    ROW(gateway_port, "targetPort", target_port, FIELD_INT, .min = 0,
	.max = UINT32_MAX, .doc = "Refused: it means nothing at a gateway."),
};

static void
check_gateway_port(struct check *c, const void *message)
{
	const struct gateway_port *p = message;
	struct check at = check_member(c, "targetPort");

	if (p->target_port != 0)
		check_error(
		    &at, ERR_INVALID, "targetPort has no impact on Gateways");
}

static const struct message gateway_port_message = MESSAGE(gateway_port, "Port",
    port_fields, .check = check_gateway_port, .doc = "One port.");

/* --- servers -------------------------------------------------------------- */

static void
check_bind(struct check *c, const struct gateway_server *s)
{
	struct check at = check_member(c, "bind");
	struct check number = check_member(c, "port.number");
	bool is_unix = slice_starts(s->bind, S("unix://"));

	if (is_unix)
		check_in_force(&at, FIELD_INERT);
	if (is_unix && !slice_starts(s->bind, S("unix:///")) &&
	    !slice_starts(s->bind, S("unix://@")))
		check_error(&at, ERR_INVALID,
		    "has to be an absolute path behind unix://, or @ and a "
		    "name");
	else if (!is_unix && s->bind.len > 0)
		check_ip(&at, &s->bind);
	if (s->port == NULL)
		return;
	if (is_unix && s->port->number != 0)
		check_error(&number, ERR_INVALID,
		    "port number must be 0 for unix domain socket");
	if (!is_unix && (s->port->number < 1 || s->port->number > UINT16_MAX))
		check_error(&number, ERR_INVALID,
		    "port number %lld must be in the range 1..65535",
		    (long long)s->port->number);
}

static void
check_redirect(
    struct check *c, const struct server_tls *tls, enum port_protocol p)
{
	struct check at = check_member(c, "tls.httpsRedirect");

	if (tls != NULL && tls->https_redirect && !port_protocol_is_http(p))
		check_warning(&at,
		    "tls.httpsRedirect should only be used with http servers");
}

static void
check_server(struct check *c, const void *message)
{
	const struct gateway_server *s = message;
	enum port_protocol p = s->port != NULL
				   ? port_protocol_parse(s->port->protocol)
				   : PORT_UNKNOWN;

	for (size_t i = 0; i < s->hosts.count; i++) {
		struct check at = check_member(c, "hosts[%zu]", i);

		check_scoped_host(
		    &at, s->hosts.items[i], SCOPE_OPTIONAL | SCOPE_ADDRESSES);
	}
	check_bind(c, s);
	check_server_tls_of_port(c, s->tls, p);
	check_redirect(c, s->tls, p);
}

static const struct field server_fields[] = {
    ROW_OF(gateway_server, "port", port, gateway_port, .flags = FIELD_REQUIRED,
	.doc = "Where it listens, and what is spoken."),
    ROW(gateway_server, "bind", bind, FIELD_STRING,
	.doc = "Address that it listens on; every one if absent."),
    ROW(gateway_server, "hosts", hosts, FIELD_STRING,
	.flags = FIELD_REPEATED | FIELD_REQUIRED,
	.doc = "Hosts that it serves, as NAMESPACE/HOST of the routes that "
	       "may attach; `*` for any."),
    ROW_OF(gateway_server, "tls", tls, server_tls, .doc = "How it is secured."),
    ROW(gateway_server, "defaultEndpoint", default_endpoint, FIELD_STRING,
	.flags = FIELD_INERT, .doc = "Not used; upstream never did."),
    ROW(gateway_server, "name", name, FIELD_STRING, .flags = FIELD_INERT,
	.doc = "Names the server in statistics."),
};

static const struct message gateway_server_message =
    MESSAGE(gateway_server, "Server", server_fields, .check = check_server,
	.doc = "One thing that the gateway serves.");

static void
check_gateway(struct check *c, const void *message)
{
	const struct gateway *g = message;

	for (size_t j = 0; j < g->servers.count; j++)
		for (size_t i = 0; i < j; i++) {
			const struct gateway_port *a = g->servers.items[i].port;
			const struct gateway_port *b = g->servers.items[j].port;
			struct check at =
			    check_member(c, "servers[%zu].port.name", j);

			if (a == NULL || b == NULL || b->name.len == 0 ||
			    !slice_eq(a->name, b->name))
				continue;
			check_error(&at, ERR_INVALID,
			    "port names in servers must be unique: duplicate "
			    "name %.*s",
			    SLICE_ARG(slice_sub(b->name, 0, NAME_LABEL_MAX)));
			break;
		}
}

static const struct field gateway_fields[] = {
    ROWS_OF(gateway, "servers", servers, gateway_server, FIELD_REQUIRED,
	.doc = "What it serves."),
    ROW(gateway, "selector", selector, FIELD_STRING_MAP,
	.doc = "Labels of the gateways that serve it, in any namespace; none: "
	       "all of them."),
};

const struct message gateway_message =
    MESSAGE(gateway, "Gateway", gateway_fields, .check = check_gateway,
	.doc = "What the mesh's gateways take from outside.");

const struct resource_kind kind_gateway = {
    .group = "networking.istio.io",
    .kind = "Gateway",
    .plural = "gateways",
    .alias = "gw",
    .versions = (const char *const[]){"v1", "v1beta1", "v1alpha3", NULL},
    .spec = &gateway_message,
};
