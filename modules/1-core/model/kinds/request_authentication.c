/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_authentication — the fields of RequestAuthentication.
 */
#include "jwks.h"
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

/* --- where a token is, and where claims go -------------------------------- */

static const struct field jwt_header_fields[] = {
    ROW(jwt_header, "name", name, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY,
	.doc = "Name of the header."),
    ROW(jwt_header, "prefix", prefix, FIELD_STRING,
	.doc = "What stands before the token, with its space: `Bearer `."),
};

static const struct message jwt_header_message = MESSAGE(jwt_header,
    "JWTHeader", jwt_header_fields, .doc = "A header that carries a token.");

static void
check_claim_header(struct check *c, const void *value)
{
	const struct slice *name = value;

	for (size_t i = 0; i < name->len; i++)
		if (!is_alnum(name->ptr[i]) && name->ptr[i] != '-' &&
		    name->ptr[i] != '_') {
			check_error(c, ERR_INVALID,
			    "is no name of a header: letters, digits, '-' "
			    "and '_'");
			return;
		}
}

static const struct field claim_to_header_fields[] = {
    ROW(claim_to_header, "header", header, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY, .check = check_claim_header,
	.doc = "Header that is set; what the client sent under it is gone."),
    ROW(claim_to_header, "claim", claim, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY,
	.doc = "Claim of the token: text, number or boolean; `a.b` is inside "
	       "of `a`."),
};

static const struct message claim_to_header_message =
    MESSAGE(claim_to_header, "ClaimToHeader", claim_to_header_fields,
	.doc = "A claim that the service is told.");

/* --- rules ---------------------------------------------------------------- */

static void
check_not_empty(struct check *c, const void *value)
{
	if (((const struct slice *)value)->len == 0)
		check_error(c, ERR_INVALID, "may not be empty");
}

static void
check_jwt_rule(struct check *c, const void *message)
{
	const struct jwt_rule *r = message;

	if (r->issuer.len == 0 && r->jwks_uri.len == 0)
		check_error(c, ERR_INVALID,
		    "has to name an issuer, or a jwksUri to get keys from");
}

static const struct field jwt_rule_fields[] = {
    ROW(jwt_rule, "issuer", issuer, FIELD_STRING,
	.doc = "Issuer of the tokens, as their `iss` says it."),
    ROW(jwt_rule, "audiences", audiences, FIELD_STRING, .flags = FIELD_REPEATED,
	.check = check_not_empty,
	.doc = "Audiences of which a token has to name one; none: any."),
    ROW(jwt_rule, "jwksUri", jwks_uri, FIELD_STRING, .longest = 2048,
	.check = check_jwks_uri,
	.doc = "Where the public keys are; absent: the issuer's discovery "
	       "document says it."),
    ROW(jwt_rule, "jwks", jwks, FIELD_STRING, .check = check_jwks,
	.doc = "The public keys themselves, as a JSON Web Key Set."),
    ROWS_OF(jwt_rule, "fromHeaders", from_headers, jwt_header, 0,
	.doc = "Headers where a token may be; by default `Authorization`."),
    ROW(jwt_rule, "fromParams", from_params, FIELD_STRING,
	.flags = FIELD_REPEATED, .check = check_not_empty,
	.doc = "Parameters of the query where a token may be; by default "
	       "`access_token`."),
    ROW(jwt_rule, "fromCookies", from_cookies, FIELD_STRING,
	.flags = FIELD_REPEATED, .check = check_not_empty,
	.doc = "Cookies where a token may be."),
    ROW(jwt_rule, "outputPayloadToHeader", output_payload_to_header,
	FIELD_STRING,
	.doc = "Header that carries the token's payload to the service."),
    ROW(jwt_rule, "forwardOriginalToken", forward_original_token, FIELD_BOOL,
	.otherwise = "false",
	.doc = "Whether the service is sent the token, too."),
    ROWS_OF(jwt_rule, "outputClaimToHeaders", output_claim_to_headers,
	claim_to_header, 0, .doc = "Claims that the service is told."),
    ROW(jwt_rule, "timeout", timeout, FIELD_DURATION, .check = check_duration,
	.otherwise = "5s", .doc = "How long fetching the keys may take."),
    ROW(jwt_rule, "spaceDelimitedClaims", space_delimited_claims, FIELD_STRING,
	.flags = FIELD_REPEATED, .most = 64, .check = check_not_empty,
	.doc = "Claims that are lists written with spaces, besides `scope` "
	       "and `permission`."),
};

static const struct message jwt_rule_message = MESSAGE(jwt_rule, "JWTRule",
    jwt_rule_fields, .check = check_jwt_rule, .doc = "One issuer's tokens.");

static void
check_request_authentication(struct check *c, const void *message)
{
	const struct request_authentication *r = message;

	check_policy_scope(c, &r->scope);
}

static const struct field request_authentication_fields[] = {
    POLICY_SCOPE_ROWS(request_authentication),
    ROWS_OF(request_authentication, "jwtRules", jwt_rules, jwt_rule, 0,
	.most = 4096,
	.doc = "Tokens that are taken; one that is none of these is refused, "
	       "a request without a token is not."),
};

const struct message request_authentication_message =
    MESSAGE(request_authentication, "RequestAuthentication",
	request_authentication_fields, .check = check_request_authentication,
	.doc = "Which tokens of end users are taken.");

const struct resource_kind kind_request_authentication = {
    .group = "security.istio.io",
    .kind = "RequestAuthentication",
    .plural = "requestauthentications",
    .alias = "ra",
    .versions = (const char *const[]){"v1", "v1beta1", NULL},
    .spec = &request_authentication_message,
    .flags = FIELD_GUARD,
};
