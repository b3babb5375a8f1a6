/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operators — what a value of a header, and a line of the access log, may name
 * between two "%".
 *
 * The names are Envoy's. Those in the table are made by the proxy (format.h);
 * others that upstream knows speak of what meshd does not have yet.
 */
#ifndef MESHD_OPERATORS_H
#define MESHD_OPERATORS_H

#include "base/base.h"

/* What stands in parentheses behind the name. */
enum operator_argument { ARGUMENT_NONE, ARGUMENT_MAY, ARGUMENT_MUST };

/*	X(id, name, enum operator_argument)	*/
#define OPERATOR_BOTH_TABLE(X)                                                 \
	X(OPERATOR_REQ, "REQ", ARGUMENT_MUST)                                  \
	X(OPERATOR_RESP, "RESP", ARGUMENT_MUST)                                \
	X(OPERATOR_TRAILER, "TRAILER", ARGUMENT_MUST)                          \
	X(OPERATOR_QUERY_PARAM, "QUERY_PARAM", ARGUMENT_MUST)                  \
	X(OPERATOR_PROTOCOL, "PROTOCOL", ARGUMENT_NONE)                        \
	X(OPERATOR_START_TIME, "START_TIME", ARGUMENT_MAY)                     \
	X(OPERATOR_DURATION, "DURATION", ARGUMENT_NONE)                        \
	X(OPERATOR_CODE, "RESPONSE_CODE", ARGUMENT_NONE)                       \
	X(OPERATOR_CODE_DETAILS, "RESPONSE_CODE_DETAILS", ARGUMENT_NONE)       \
	X(OPERATOR_FLAGS, "RESPONSE_FLAGS", ARGUMENT_NONE)                     \
	X(OPERATOR_RECEIVED, "BYTES_RECEIVED", ARGUMENT_NONE)                  \
	X(OPERATOR_SENT, "BYTES_SENT", ARGUMENT_NONE)                          \
	X(OPERATOR_ROUTE, "ROUTE_NAME", ARGUMENT_NONE)                         \
	X(OPERATOR_HOSTNAME, "HOSTNAME", ARGUMENT_NONE)                        \
	X(OPERATOR_CONNECTION, "CONNECTION_ID", ARGUMENT_NONE)                 \
	X(OPERATOR_STREAM, "STREAM_ID", ARGUMENT_NONE)                         \
	X(OPERATOR_SNI, "REQUESTED_SERVER_NAME", ARGUMENT_NONE)                \
	X(OPERATOR_CLUSTER, "UPSTREAM_CLUSTER", ARGUMENT_NONE)                 \
	X(OPERATOR_CLUSTER_RAW, "UPSTREAM_CLUSTER_RAW", ARGUMENT_NONE)         \
	X(OPERATOR_HOST, "UPSTREAM_HOST", ARGUMENT_NONE)                       \
	X(OPERATOR_ATTEMPTS, "UPSTREAM_REQUEST_ATTEMPT_COUNT", ARGUMENT_NONE)  \
	X(OPERATOR_UP, "UPSTREAM_REMOTE_ADDRESS", ARGUMENT_NONE)               \
	X(OPERATOR_UP_IP, "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",              \
	    ARGUMENT_NONE)                                                     \
	X(OPERATOR_UP_PORT, "UPSTREAM_REMOTE_PORT", ARGUMENT_NONE)             \
	X(OPERATOR_UP_LOCAL, "UPSTREAM_LOCAL_ADDRESS", ARGUMENT_NONE)          \
	X(OPERATOR_UP_LOCAL_IP, "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",         \
	    ARGUMENT_NONE)                                                     \
	X(OPERATOR_UP_LOCAL_PORT, "UPSTREAM_LOCAL_PORT", ARGUMENT_NONE)        \
	X(OPERATOR_LOCAL, "DOWNSTREAM_LOCAL_ADDRESS", ARGUMENT_NONE)           \
	X(OPERATOR_LOCAL_IP, "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",          \
	    ARGUMENT_NONE)                                                     \
	X(OPERATOR_LOCAL_PORT, "DOWNSTREAM_LOCAL_PORT", ARGUMENT_NONE)         \
	X(OPERATOR_REMOTE, "DOWNSTREAM_REMOTE_ADDRESS", ARGUMENT_NONE)         \
	X(OPERATOR_REMOTE_IP, "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",        \
	    ARGUMENT_NONE)                                                     \
	X(OPERATOR_REMOTE_PORT, "DOWNSTREAM_REMOTE_PORT", ARGUMENT_NONE)       \
	X(OPERATOR_DIRECT, "DOWNSTREAM_DIRECT_REMOTE_ADDRESS", ARGUMENT_NONE)  \
	X(OPERATOR_DIRECT_IP, "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", \
	    ARGUMENT_NONE)                                                     \
	X(OPERATOR_DIRECT_PORT, "DOWNSTREAM_DIRECT_REMOTE_PORT",               \
	    ARGUMENT_NONE)                                                     \
	X(OPERATOR_DIRECT_LOCAL, "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",            \
	    ARGUMENT_NONE)                                                     \
	X(OPERATOR_DIRECT_LOCAL_IP,                                            \
	    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", ARGUMENT_NONE)     \
	X(OPERATOR_PATH, "PATH", ARGUMENT_MAY)                                 \
	X(OPERATOR_FLAGS_LONG, "RESPONSE_FLAGS_LONG", ARGUMENT_NONE)           \
	X(OPERATOR_START_LOCAL, "START_TIME_LOCAL", ARGUMENT_MAY)              \
	X(OPERATOR_UP_NAME, "UPSTREAM_HOST_NAME", ARGUMENT_NONE)               \
	X(OPERATOR_UP_NAME_IP, "UPSTREAM_HOST_NAME_WITHOUT_PORT", ARGUMENT_NONE)

/* Of the log alone: known at the end, or of peers, whom no header may name
 * that stays as the client wrote it where there is none. */
#define OPERATOR_LOG_TABLE(X)                                                  \
	X(OPERATOR_GRPC, "GRPC_STATUS", ARGUMENT_MAY)                          \
	X(OPERATOR_GRPC_NUMBER, "GRPC_STATUS_NUMBER", ARGUMENT_NONE)           \
	X(OPERATOR_EMIT, "EMIT_TIME", ARGUMENT_MAY)                            \
	X(OPERATOR_EMIT_LOCAL, "EMIT_TIME_LOCAL", ARGUMENT_MAY)                \
	X(OPERATOR_REQUEST_TIME, "REQUEST_DURATION", ARGUMENT_NONE)            \
	X(OPERATOR_REQUEST_TX, "REQUEST_TX_DURATION", ARGUMENT_NONE)           \
	X(OPERATOR_RESPONSE_TIME, "RESPONSE_DURATION", ARGUMENT_NONE)          \
	X(OPERATOR_RESPONSE_TX, "RESPONSE_TX_DURATION", ARGUMENT_NONE)         \
	X(OPERATOR_COMMON_TIME, "COMMON_DURATION", ARGUMENT_MUST)              \
	X(OPERATOR_UP_PROTOCOL, "UPSTREAM_PROTOCOL", ARGUMENT_NONE)            \
	X(OPERATOR_UP_TRIED, "UPSTREAM_HOSTS_ATTEMPTED", ARGUMENT_NONE)        \
	X(OPERATOR_UP_REASON, "UPSTREAM_TRANSPORT_FAILURE_REASON",             \
	    ARGUMENT_NONE)                                                     \
	X(OPERATOR_TERMINATION, "CONNECTION_TERMINATION_DETAILS",              \
	    ARGUMENT_NONE)                                                     \
	X(OPERATOR_PEER_URI, "DOWNSTREAM_PEER_URI_SAN", ARGUMENT_NONE)         \
	X(OPERATOR_LOCAL_URI, "DOWNSTREAM_LOCAL_URI_SAN", ARGUMENT_NONE)       \
	X(OPERATOR_TLS, "DOWNSTREAM_TLS_VERSION", ARGUMENT_NONE)               \
	X(OPERATOR_LOG_TYPE, "ACCESS_LOG_TYPE", ARGUMENT_NONE)                 \
	X(OPERATOR_OWN_BODY, "LOCAL_REPLY_BODY", ARGUMENT_NONE)

#define OPERATOR_TABLE(X) OPERATOR_BOTH_TABLE(X) OPERATOR_LOG_TABLE(X)

enum operator_id {
	OPERATOR_NONE,    /* only text */
	OPERATOR_UNKNOWN, /* nothing that a proxy knows */
	OPERATOR_INERT,   /* known upstream, not made here, or not there */
#define X(id, name, argument) id,
	OPERATOR_TABLE(X)
#undef X
	    OPERATOR_COUNT
};

/* "REQ(x):9" is {OPERATOR_REQ, "x", 9}. */
struct operator_use {
	enum operator_id id;
	struct slice name;
	struct slice argument; /* between the parentheses, as written */
	size_t limit;          /* of the value, in bytes; 0: none */
};

/* Where an operator stands: upstream takes no limit behind parentheses in a
 * header, and refuses the value. */
enum operator_place { OPERATOR_IN_HEADER, OPERATOR_IN_LOG };

/* What stands between the signs. An argument or a limit that it may not have,
 * or one that it has to have, makes it unknown. */
struct operator_use operator_parse(
    struct slice written, enum operator_place place);

/*
 * Goes on behind the next operator; false if none is left. "%%" is a sign for
 * itself. *out_whole: it ends.
 */
bool operator_next(
    struct slice text, enum operator_place place, size_t *at, bool *out_whole);

/* Cuts the text before the next operator, and what stands between its signs,
 * off *rest. False if there is no whole one; *rest is the text behind all. */
bool operator_cut(struct slice *rest, enum operator_place place,
    struct slice *out_text, struct slice *out_operator);

/* Offers the names to a search for what was meant. */
void operators_offer(struct nearest *n);

#endif
