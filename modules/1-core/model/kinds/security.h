/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security — PeerAuthentication, RequestAuthentication and AuthorizationPolicy
 * (security.istio.io/v1).
 */
#ifndef MESHD_SECURITY_H
#define MESHD_SECURITY_H

#include "../field.h"
#include "selector.h"

/* --- PeerAuthentication --------------------------------------------------- */

enum mutual_tls_mode {
	MUTUAL_TLS_UNSET, /* what the next wider policy says */
	MUTUAL_TLS_DISABLE,
	MUTUAL_TLS_PERMISSIVE,
	MUTUAL_TLS_STRICT
};

/* "STRICT", … */
const char *mutual_tls_mode_name(enum mutual_tls_mode m);

struct mutual_tls {
	struct message_head head;
	int mode; /* enum mutual_tls_mode */
};

struct peer_authentication {
	struct message_head head;
	const struct policy_selector *selector;
	const struct mutual_tls *mtls;
	/* Workload ports as text → struct mutual_tls. */
	LIST_OF(struct message_entry) port_level_mtls;
};

extern const struct message peer_authentication_message;

/* --- RequestAuthentication ------------------------------------------------ */

struct jwt_header {
	struct message_head head;
	struct slice name;
	struct slice prefix; /* "Bearer "; matches exactly */
};

struct claim_to_header {
	struct message_head head;
	struct slice header;
	struct slice claim; /* "a.b" is inside of a */
};

struct jwt_rule {
	struct message_head head;
	struct slice issuer;
	LIST_OF(struct slice) audiences;
	struct slice jwks_uri;
	struct slice jwks; /* JSON */
	LIST_OF(struct jwt_header) from_headers;
	LIST_OF(struct slice) from_params;
	LIST_OF(struct slice) from_cookies;
	struct slice output_payload_to_header;
	bool forward_original_token;
	LIST_OF(struct claim_to_header) output_claim_to_headers;
	uint64_t timeout; /* of fetching the keys */
	LIST_OF(struct slice) space_delimited_claims;
};

struct request_authentication {
	struct message_head head;
	struct policy_scope scope;
	LIST_OF(struct jwt_rule) jwt_rules;
};

extern const struct message request_authentication_message;

/* --- AuthorizationPolicy -------------------------------------------------- */

/* Who calls; all that is there has to hold, one of each list. */
struct authz_source {
	struct message_head head;
	LIST_OF(struct slice) principals;
	LIST_OF(struct slice) not_principals;
	LIST_OF(struct slice) request_principals;
	LIST_OF(struct slice) not_request_principals;
	LIST_OF(struct slice) namespaces;
	LIST_OF(struct slice) not_namespaces;
	LIST_OF(struct slice) service_accounts;
	LIST_OF(struct slice) not_service_accounts;
	LIST_OF(struct slice) trust_domains;
	LIST_OF(struct slice) not_trust_domains;
	LIST_OF(struct slice) ip_blocks;
	LIST_OF(struct slice) not_ip_blocks;
	LIST_OF(struct slice) remote_ip_blocks;
	LIST_OF(struct slice) not_remote_ip_blocks;
};

/* What is called. */
struct authz_operation {
	struct message_head head;
	LIST_OF(struct slice) hosts;
	LIST_OF(struct slice) not_hosts;
	LIST_OF(struct slice) ports;
	LIST_OF(struct slice) not_ports;
	LIST_OF(struct slice) methods;
	LIST_OF(struct slice) not_methods;
	LIST_OF(struct slice) paths;
	LIST_OF(struct slice) not_paths;
};

struct authz_from {
	struct message_head head;
	const struct authz_source *source;
};

struct authz_to {
	struct message_head head;
	const struct authz_operation *operation;
};

struct authz_condition {
	struct message_head head;
	struct slice key;
	LIST_OF(struct slice) values;
	LIST_OF(struct slice) not_values;
};

struct authz_rule {
	struct message_head head;
	LIST_OF(struct authz_from) from;
	LIST_OF(struct authz_to) to;
	LIST_OF(struct authz_condition) when;
};

struct authz_provider {
	struct message_head head;
	struct slice name;
};

enum authz_action { AUTHZ_ALLOW, AUTHZ_DENY, AUTHZ_AUDIT, AUTHZ_CUSTOM };

struct authorization_policy {
	struct message_head head;
	struct policy_scope scope;
	LIST_OF(struct authz_rule) rules; /* none: nothing ever matches */
	int action;                       /* enum authz_action */
	const struct authz_provider *provider;
};

extern const struct message authorization_policy_message;

#endif
