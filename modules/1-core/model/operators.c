/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operators — the names between two "%".
 */
#include "operators.h"

static const struct {
	const char *name;
	enum operator_argument argument;
} rows[OPERATOR_COUNT] = {
#define X(id, name, argument) [id] = {name, argument},
    OPERATOR_TABLE(X)
#undef X
};

/* They tell of peers' certificates, of filters and metadata that are not here,
 * of the end of a request, or of what is no business of a service. */
static const char *const inert[] = {"ACCESS_LOG_TYPE", "BYTES_RETRANSMITTED",
    "CEL", "CLUSTER_METADATA", "COALESCE", "COMMON_DURATION",
    "CONNECTION_TERMINATION_DETAILS", "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_HANDSHAKE_DURATION", "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "DOWNSTREAM_LOCAL_DNS_SAN", "DOWNSTREAM_LOCAL_EMAIL_SAN",
    "DOWNSTREAM_LOCAL_IP_SAN", "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_LOCAL_URI_SAN", "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CERT_V_END", "DOWNSTREAM_PEER_CERT_V_START",
    "DOWNSTREAM_PEER_DNS_SAN", "DOWNSTREAM_PEER_EMAIL_SAN",
    "DOWNSTREAM_PEER_FINGERPRINT_1", "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_IP_SAN", "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_SERIAL", "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_URI_SAN", "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_SESSION_ID", "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON", "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT", "DYNAMIC_METADATA", "EMIT_TIME",
    "ENVIRONMENT", "FILTER_CHAIN_NAME", "FILTER_STATE", "GRPC_STATUS",
    "GRPC_STATUS_NUMBER", "LOCAL_REPLY_BODY", "METADATA",
    "PACKETS_RETRANSMITTED", "PATH", "PER_REQUEST_STATE", "REQUEST_DURATION",
    "REQUEST_HEADER", "REQUEST_HEADERS_BYTES", "REQUEST_TX_DURATION",
    "RESPONSE_DURATION", "RESPONSE_FLAGS_LONG", "RESPONSE_HEADER",
    "RESPONSE_HEADERS_BYTES", "RESPONSE_TRAILERS_BYTES", "RESPONSE_TX_DURATION",
    "ROUNDTRIP_DURATION", "START_TIME_LOCAL", "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT", "TRACE_ID", "UNIQUE_ID", "UPSTREAM_CONNECTION_ID",
    "UPSTREAM_CONNECTION_POOL_READY_DURATION", "UPSTREAM_DETECTED_CLOSE_TYPE",
    "UPSTREAM_FILTER_STATE", "UPSTREAM_HEADER_BYTES_RECEIVED",
    "UPSTREAM_HEADER_BYTES_SENT", "UPSTREAM_HOSTS_ATTEMPTED",
    "UPSTREAM_HOST_NAME", "UPSTREAM_HOST_NAME_WITHOUT_PORT",
    "UPSTREAM_LOCAL_CLOSE_REASON", "UPSTREAM_METADATA", "UPSTREAM_PEER_CERT",
    "UPSTREAM_PEER_ISSUER", "UPSTREAM_PEER_SUBJECT", "UPSTREAM_PEER_URI_SAN",
    "UPSTREAM_PROTOCOL", "UPSTREAM_TLS_CIPHER", "UPSTREAM_TLS_SESSION_ID",
    "UPSTREAM_TLS_VERSION", "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "UPSTREAM_WIRE_BYTES_RECEIVED", "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME"};

static bool
is_inert(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(inert); i++)
		if (slice_eq(name, slice_str(inert[i])))
			return true;
	return false;
}

static enum operator_id
find(const struct operator_use *u, bool has_argument)
{
	for (int i = OPERATOR_INERT + 1; i < OPERATOR_COUNT; i++) {
		if (!slice_eq(u->name, slice_str(rows[i].name)))
			continue;
		if (has_argument ? rows[i].argument == ARGUMENT_NONE
				 : rows[i].argument == ARGUMENT_MUST)
			return OPERATOR_UNKNOWN;
		return (enum operator_id)i;
	}
	return is_inert(u->name) ? OPERATOR_INERT : OPERATOR_UNKNOWN;
}

struct operator_use
operator_parse(struct slice written)
{
	size_t open = slice_find(written, '(');
	size_t close = slice_rfind(written, ')');
	struct operator_use u = {.name = slice_sub(written, 0, open)};

	if (open < written.len && close < written.len && close > open)
		u.argument = slice_sub(written, open + 1, close - open - 1);
	u.id = find(&u, u.argument.len > 0);
	return u;
}

void
operators_offer(struct nearest *n)
{
	for (int i = OPERATOR_INERT + 1; i < OPERATOR_COUNT; i++)
		nearest_offer(n, rows[i].name);
}
