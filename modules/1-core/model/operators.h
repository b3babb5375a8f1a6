/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operators — what a value of a header may name between two "%".
 *
 * The names are Envoy's. Those in the table are made by the proxy; others that
 * upstream knows speak of what meshd does not have yet.
 */
#ifndef MESHD_OPERATORS_H
#define MESHD_OPERATORS_H

#include "base/base.h"

/* What stands in parentheses behind the name. */
enum operator_argument { ARGUMENT_NONE, ARGUMENT_MAY, ARGUMENT_MUST };

/*	X(id, name, enum operator_argument)	*/
#define OPERATOR_TABLE(X)                                                      \
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
	X(OPERATOR_DIRECT_PORT, "DOWNSTREAM_DIRECT_REMOTE_PORT", ARGUMENT_NONE)

enum operator_id {
	OPERATOR_NONE,    /* only text */
	OPERATOR_UNKNOWN, /* nothing that a proxy knows */
	OPERATOR_INERT,   /* known upstream, not made here yet */
#define X(id, name, argument) id,
	OPERATOR_TABLE(X)
#undef X
	    OPERATOR_COUNT
};

/* "REQ(x)" is {OPERATOR_REQ, "x"}. */
struct operator_use {
	enum operator_id id;
	struct slice name;
	struct slice argument; /* between the parentheses, as written */
};

/* What stands between the signs. An argument that may not be there, or has
 * to be, makes it unknown. */
struct operator_use operator_parse(struct slice written);

/* Offers the names to a search for what was meant. */
void operators_offer(struct nearest *n);

#endif
