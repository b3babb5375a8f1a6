/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider_authz — services that say whether a request may pass.
 */
#include "provider_fields.h"

static const struct field authz_body_fields[] = {
    ROW(authz_body, "maxRequestBytes", max_request_bytes, FIELD_INT, .min = 0,
	.max = UINT32_MAX, .doc = "Most bytes of the body that are sent."),
    ROW(authz_body, "allowPartialMessage", allow_partial, FIELD_BOOL,
	.otherwise = "false",
	.doc = "Sends the beginning of a longer body; else it is answered "
	       "413."),
    ROW(authz_body, "packAsBytes", pack_as_bytes, FIELD_BOOL,
	.otherwise = "false", .doc = "Sends it as bytes and not as text."),
};

static const struct message authz_body_message =
    MESSAGE(authz_body, "EnvoyExternalAuthorizationRequestBody",
	authz_body_fields, .doc = "How much of the body is sent.");

static void
check_status(struct check *c, struct slice status)
{
	struct check at = check_member(c, "statusOnError");
	uint64_t n;

	if (status.len > 0 &&
	    (slice_to_u64(status, &n) != OK || n < 100 || n > 599))
		check_warning(&at,
		    "invalid statusOnError value \"%.*s\": it is a status such "
		    "as \"403\"",
		    SLICE_ARG(slice_sub(status, 0, NAME_LABEL_MAX)));
}

static void
check_authz(struct check *c, const void *message)
{
	const struct ext_authz *p = message;
	struct check prefix = check_member(c, "pathPrefix");

	check_provider_service(c, &p->service);
	check_status(c, p->status_on_error);
	if (p->path_prefix.len > 0 && p->path_prefix.ptr[0] != '/')
		check_warning(&prefix, "pathPrefix should begin with `/`");
}

/* What both ways have. */
#define AUTHZ_ROWS                                                             \
	PROVIDER_SERVICE_ROWS(ext_authz),                                      \
	    ROW(ext_authz, "timeout", timeout, FIELD_DURATION,                 \
		.otherwise = "600s",                                           \
		.doc = "How long its answer may take; then it failed."),       \
	    ROW(ext_authz, "failOpen", fail_open, FIELD_BOOL,                  \
		.otherwise = "false",                                          \
		.doc = "Lets requests pass when it fails."),                   \
	    ROW(ext_authz, "clearRouteCache", clear_route_cache, FIELD_BOOL,   \
		.otherwise = "false",                                          \
		.doc = "Looks for the route again after its changes."),        \
	    ROW(ext_authz, "statusOnError", status_on_error, FIELD_STRING,     \
		.otherwise = "403",                                            \
		.doc = "Status of the answer when it fails."),                 \
	    ROW_OF(ext_authz, "includeRequestBodyInCheck", body, authz_body,   \
		.doc = "How much of the body is sent; none if absent.")

#define HEADERS_ROW(field_name, member, words)                                 \
	ROW(ext_authz, field_name, member, FIELD_STRING,                       \
	    .flags = FIELD_REPEATED, .doc = words)

static const struct field authz_http_fields[] = {
    AUTHZ_ROWS,
    ROW(ext_authz, "pathPrefix", path_prefix, FIELD_STRING,
	.doc = "Put before the path of what is asked."),
    HEADERS_ROW("includeHeadersInCheck", headers_in_check,
	"The older form of includeRequestHeadersInCheck."),
    HEADERS_ROW("includeRequestHeadersInCheck", request_headers_in_check,
	"Headers of the request that it is shown; prefix* and *suffix too."),
    ROW(ext_authz, "includeAdditionalHeadersInCheck",
	additional_headers_in_check, FIELD_STRING_MAP,
	.doc = "Headers that it is sent besides."),
    HEADERS_ROW("headersToUpstreamOnAllow", to_upstream_on_allow,
	"Headers of its answer that the request is given."),
    HEADERS_ROW("headersToDownstreamOnDeny", to_downstream_on_deny,
	"Headers of its refusal that the caller is given."),
    HEADERS_ROW("headersToDownstreamOnAllow", to_downstream_on_allow,
	"Headers of its answer that the caller is given."),
};

const struct message authz_http_message = MESSAGE(ext_authz,
    "EnvoyExternalAuthorizationHttpProvider", authz_http_fields,
    .check = check_authz, .doc = "Asks by HTTP; 200 lets pass.");

static const struct field authz_grpc_fields[] = {
    AUTHZ_ROWS,
};

const struct message authz_grpc_message = MESSAGE(ext_authz,
    "EnvoyExternalAuthorizationGrpcProvider", authz_grpc_fields,
    .check = check_authz, .doc = "Asks by gRPC (envoy.service.auth.v3).");
