/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_headers — MeshConfig's defaultConfig.proxyHeaders and gatewayTopology.
 */
#include "mesh_proxy.h"
#include "rows.h"

static const struct field_word forward_cert_words[] = {
    {"UNDEFINED", FORWARD_CERT_UNDEFINED, 0},
    {"SANITIZE", FORWARD_CERT_SANITIZE, 0},
    {"FORWARD_ONLY", FORWARD_CERT_ONLY, 0},
    {"APPEND_FORWARD", FORWARD_CERT_APPEND, 0},
    {"SANITIZE_SET", FORWARD_CERT_SANITIZE_SET, 0},
    {"ALWAYS_FORWARD_ONLY", FORWARD_CERT_ALWAYS, 0},
    {NULL, 0, 0},
};

/* --- what stands before gateways ------------------------------------------ */

static const struct message proxy_protocol_message =
    EMPTY_MESSAGE("ProxyProtocolConfiguration",
	.doc = "The PROXY protocol; it has no settings.");

static const struct field topology_fields[] = {
    ROW(gateway_topology, "numTrustedProxies", num_trusted_proxies, FIELD_INT,
	.min = 0, .max = UINT32_MAX, .otherwise = "0", .flags = FIELD_INERT,
	.doc = "Proxies before the gateway whose X-Forwarded-For is "
	       "believed."),
    ROW(gateway_topology, "forwardClientCertDetails", forward_client_cert,
	FIELD_ENUM, .words = forward_cert_words, .otherwise = "UNDEFINED",
	.flags = FIELD_INERT,
	.doc = "What becomes of X-Forwarded-Client-Cert at a gateway."),
    ROW_OF(gateway_topology, "proxyProtocol", proxy_protocol, proxy_protocol,
	.doc = "Connections to a gateway begin with a header of the PROXY "
	       "protocol, version 1 or 2; others are closed."),
};

const struct message gateway_topology_message = MESSAGE(gateway_topology,
    "Topology", topology_fields, .doc = "What stands before the gateways.");

/* --- headers that proxies make -------------------------------------------- */

static const struct field disable_fields[] = {
    ROW(header_switch, "disabled", disabled, FIELD_BOOL, .otherwise = "false",
	.doc = "Leaves it out."),
};

static const struct field enable_fields[] = {
    ROW(header_switch, "enabled", enabled, FIELD_BOOL, .otherwise = "false",
	.doc = "Adds it."),
};

static const struct message request_id_message = MESSAGE(header_switch,
    "RequestId", disable_fields, .doc = "X-Request-Id, of each request.");
static const struct message attempt_count_message =
    MESSAGE(header_switch, "AttemptCount", disable_fields,
	.doc = "X-Envoy-Attempt-Count, how often it was tried.");
static const struct message debug_headers_message =
    MESSAGE(header_switch, "EnvoyDebugHeaders", disable_fields,
	.doc = "The X-Envoy headers that say what was done.");
static const struct message forwarded_host_message =
    MESSAGE(header_switch, "XForwardedHost", enable_fields,
	.doc = "X-Forwarded-Host, what the client asked for.");
static const struct message forwarded_port_message =
    MESSAGE(header_switch, "XForwardedPort", enable_fields,
	.doc = "X-Forwarded-Port, where the client asked.");

static const struct field server_header_fields[] = {
    ROW(server_header, "disabled", disabled, FIELD_BOOL, .otherwise = "false",
	.doc = "Passes on what the service says."),
    ROW(server_header, "value", value, FIELD_STRING, .otherwise = "istio-envoy",
	.doc = "What answers say instead."),
};

static const struct message server_header_message = MESSAGE(server_header,
    "Server", server_header_fields, .doc = "The header Server of answers.");

static const struct field_word exchange_words[] = {
    {"UNDEFINED", METADATA_EXCHANGE_ALWAYS, 0},
    {"IN_MESH", METADATA_EXCHANGE_IN_MESH, 0},
    {NULL, 0, 0},
};

static const struct field exchange_fields[] = {
    ROW(exchange_headers, "mode", mode, FIELD_ENUM, .words = exchange_words,
	.otherwise = "UNDEFINED",
	.doc = "IN_MESH leaves them out of requests that leave the mesh."),
};

static const struct message exchange_headers_message =
    MESSAGE(exchange_headers, "MetadataExchangeHeaders", exchange_fields,
	.doc = "Headers by which proxies tell each other who they are.");

static const struct field cert_details_fields[] = {
    ROW(client_cert_details, "subject", subject, FIELD_BOOL,
	.otherwise = "true", .doc = "The certificate's subject."),
    ROW(client_cert_details, "cert", cert, FIELD_BOOL, .otherwise = "false",
	.doc = "The certificate itself."),
    ROW(client_cert_details, "chain", chain, FIELD_BOOL, .otherwise = "false",
	.doc = "The whole chain."),
    ROW(client_cert_details, "dns", dns, FIELD_BOOL, .otherwise = "true",
	.doc = "Its names."),
    ROW(client_cert_details, "uri", uri, FIELD_BOOL, .otherwise = "true",
	.doc = "Its identity."),
};

static const struct message cert_details_message =
    MESSAGE(client_cert_details, "SetCurrentClientCertDetails",
	cert_details_fields, .doc = "What the header tells of the client.");

static const struct field proxy_headers_fields[] = {
    ROW(proxy_headers, "forwardedClientCert", forwarded_client_cert, FIELD_ENUM,
	.words = forward_cert_words, .otherwise = "APPEND_FORWARD",
	.doc = "What becomes of X-Forwarded-Client-Cert at a workload."),
    ROW_OF(proxy_headers, "setCurrentClientCertDetails", cert_details,
	cert_details, .doc = "What that header tells of the client."),
    ROW_OF(proxy_headers, "requestId", request_id, request_id,
	.doc = "X-Request-Id."),
    ROW_OF(proxy_headers, "server", server, server_header,
	.doc = "The header Server of answers."),
    ROW_OF(proxy_headers, "attemptCount", attempt_count, attempt_count,
	.doc = "X-Envoy-Attempt-Count."),
    ROW_OF(proxy_headers, "envoyDebugHeaders", debug_headers, debug_headers,
	.doc = "The X-Envoy headers that say what was done."),
    ROW_OF(proxy_headers, "metadataExchangeHeaders", metadata_exchange,
	exchange_headers, .doc = "How proxies tell each other who they are."),
    ROW(proxy_headers, "preserveHttp1HeaderCase", preserve_case, FIELD_BOOL,
	.otherwise = "false", .doc = "Keeps capitals in names of headers."),
    ROW_OF(proxy_headers, "xForwardedHost", x_forwarded_host, forwarded_host,
	.doc = "X-Forwarded-Host."),
    ROW_OF(proxy_headers, "xForwardedPort", x_forwarded_port, forwarded_port,
	.doc = "X-Forwarded-Port."),
};

const struct message proxy_headers_message = MESSAGE(proxy_headers,
    "ProxyHeaders", proxy_headers_fields, .doc = "Headers that proxies make.");
