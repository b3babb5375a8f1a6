/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate_limit_policy — RateLimitPolicy (meshd.dev/v1): how many requests may
 * pass, counted at each proxy or over the whole mesh.
 */
#ifndef MESHD_RATE_LIMIT_POLICY_H
#define MESHD_RATE_LIMIT_POLICY_H

#include "../field.h"
#include "selector.h"

struct string_match;

enum rate_limit_scope { RATE_LIMIT_LOCAL, RATE_LIMIT_MESH };

enum rate_limit_attribute {
	RATE_LIMIT_IDENTITY,  /* the caller's, ns/NAMESPACE/sa/ACCOUNT */
	RATE_LIMIT_NAMESPACE, /* of the caller's identity */
	RATE_LIMIT_ADDRESS,   /* of the client */
	RATE_LIMIT_SERVICE,   /* that is called */
	RATE_LIMIT_ROUTE,     /* the name of the rule that was met */
	RATE_LIMIT_METHOD
};

/* One of the three: what requests are told apart by. */
struct rate_limit_key {
	struct message_head head;
	struct slice header;
	struct slice claim; /* "a.b" is inside of a */
	int attribute;      /* enum rate_limit_attribute */
};

/* All that is there has to hold. */
struct rate_limit_match {
	struct message_head head;
	const struct string_match *route;
	const struct string_match *uri;
	const struct string_match *method;
	const struct string_match *authority;
	LIST_OF(struct message_entry) headers; /* → string_match */
	LIST_OF(struct slice) principals;      /* any of them */
	LIST_OF(struct slice) namespaces;      /* any of them */
};

struct rate_limit {
	struct message_head head;
	struct slice name;
	int scope; /* enum rate_limit_scope */
	int64_t requests;
	uint64_t per;
	int64_t burst; /* absent: as many as requests */
	LIST_OF(struct rate_limit_key) key;
	LIST_OF(struct rate_limit_match) match; /* any of them */
	int64_t status;
	bool dry_run;
};

struct rate_limit_policy {
	struct message_head head;
	struct policy_scope scope;
	LIST_OF(struct rate_limit) limits;
};

extern const struct message rate_limit_key_message;
extern const struct message rate_limit_policy_message;

#endif
