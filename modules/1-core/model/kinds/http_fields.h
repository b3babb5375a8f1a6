/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_fields — the tables that the files of VirtualService share.
 */
#ifndef MESHD_HTTP_FIELDS_H
#define MESHD_HTTP_FIELDS_H

#include "validate.h"
#include "virtual_service.h"

/* In http_actions.c, in the order of their rows in a route. */
extern const struct message http_redirect_message;
extern const struct message http_direct_response_message;
extern const struct message delegate_spec_message;
extern const struct message http_fault_message;
extern const struct message mirror_policy_message;
extern const struct message cors_policy_message;
extern const struct message percent_message;

/* "UNAVAILABLE" is 14. False if there is no such status of gRPC. */
bool grpc_status_parse(struct slice word, uint8_t *out);

/* 0 to 100. */
void check_percent(struct check *c, const void *percent);

/* In http_headers.c. */
extern const struct message headers_spec_message;

/* In l4_fields.c. */
extern const struct message tcp_route_message;
extern const struct message tcp_match_message;
extern const struct message tls_route_message;
extern const struct message tls_match_message;

/* In destination.c. */
extern const struct message destination_spec_message;

/* Several destinations need a weight among them. */
void check_weights(struct check *c, uint64_t sum, size_t count);

/* Rewrite and headers may not both change the authority (http_headers.c). */
void check_authority_once(struct check *c, const struct http_route *r);

/* A text that may not be found everywhere: no empty prefix. */
void check_text_match(struct check *c, const void *string_match);

/* A name of a header as upstream tests it, which lets commas pass. */
bool is_header_like(struct slice name);

/* "@request.auth.claims.x", "@request.auth.claims[x]". */
bool is_claim_name(struct slice header);

/* "mesh", "namespace/name"; a name with dots is the older form. */
struct gateway_list {
	const struct slice *items;
	size_t count;
};

enum gateway_rules { GATEWAYS_WARN = 1 << 0 }; /* of the older form */

/* `c` is the message that holds them. */
void check_gateways(
    struct check *c, const struct gateway_list *list, unsigned rules);

/* Rules and matches that no traffic reaches; warnings (reachability.c). */
void check_reachability(struct check *c, const struct virtual_service *vs);

#endif
