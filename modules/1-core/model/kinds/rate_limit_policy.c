/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate_limit_policy — the fields of RateLimitPolicy.
 */
#include "http_fields.h"
#include "kinds.h"
#include "resource.h"
#include "rows.h"

enum {
	LIMITS_MAX = 64, /* each name is compared with each */
	KEY_MAX = 8,
	MATCH_MAX = 64,
	STATUS_MIN = 400,
	STATUS_MAX = 599
};

/* --- what is told apart --------------------------------------------------- */

static void
check_header(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (!is_token(*s))
		check_error(c, ERR_INVALID, "\"%.*s\" is no name of a header",
		    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)));
}

static void
check_key(struct check *c, const void *message)
{
	if (!message_has(&rate_limit_key_message, message, "header") &&
	    !message_has(&rate_limit_key_message, message, "claim") &&
	    !message_has(&rate_limit_key_message, message, "attribute"))
		check_error(c, ERR_INVALID,
		    "has to name a header, a claim or an attribute");
}

enum { ONEOF_KEY = 1 };

static const struct field_word attribute_words[] = {
    {"IDENTITY", RATE_LIMIT_IDENTITY, 0},
    {"NAMESPACE", RATE_LIMIT_NAMESPACE, 0},
    {"ADDRESS", RATE_LIMIT_ADDRESS, 0},
    {"SERVICE", RATE_LIMIT_SERVICE, 0},
    {"ROUTE", RATE_LIMIT_ROUTE, 0},
    {"METHOD", RATE_LIMIT_METHOD, 0},
    {NULL, 0, 0},
};

static const struct field key_fields[] = {
    ROW(rate_limit_key, "header", header, FIELD_STRING, .oneof = ONEOF_KEY,
	.check = check_header,
	.doc = "The value of this header; requests without it share one "
	       "count."),
    ROW(rate_limit_key, "claim", claim, FIELD_STRING, .oneof = ONEOF_KEY,
	.flags = FIELD_NON_EMPTY,
	.doc = "A claim of the verified token, such as sub; a.b is inside of "
	       "a."),
    ROW(rate_limit_key, "attribute", attribute, FIELD_ENUM, .oneof = ONEOF_KEY,
	.words = attribute_words,
	.doc = "The caller's IDENTITY, NAMESPACE or ADDRESS, or the SERVICE, "
	       "ROUTE or METHOD that is called."),
};

const struct message rate_limit_key_message =
    MESSAGE(rate_limit_key, "RateLimitKey", key_fields, .check = check_key,
	.doc = "What requests are told apart by.");

/* --- which requests ------------------------------------------------------- */

static void
check_header_match(struct check *c, const void *value)
{
	const struct message_entry *e = value;

	check_header(c, &e->key);
	check_text_match(c, e->message);
}

static void
check_namespace(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (!is_dns_label(*s))
		check_error(c, ERR_INVALID, "\"%.*s\" is no namespace",
		    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)));
}

static const struct field match_fields[] = {
    ROW_OF(rate_limit_match, "route", route, string_match,
	.check = check_text_match, .doc = "Name of the rule that was met."),
    ROW_OF(rate_limit_match, "uri", uri, string_match,
	.check = check_text_match, .doc = "The path, without the query."),
    ROW_OF(rate_limit_match, "method", method, string_match,
	.check = check_text_match, .doc = "GET, POST …"),
    ROW_OF(rate_limit_match, "authority", authority, string_match,
	.check = check_text_match, .doc = "The host that the request names."),
    ROW(rate_limit_match, "headers", headers, FIELD_MESSAGE_MAP,
	.of = &string_match_message, .check = check_header_match,
	.doc = "Headers by name; `{}` is satisfied by any value."),
    ROW(rate_limit_match, "principals", principals, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Callers, any of these, as td/ns/NAMESPACE/sa/ACCOUNT; `*` at "
	       "one end."),
    ROW(rate_limit_match, "namespaces", namespaces, FIELD_STRING,
	.flags = FIELD_REPEATED, .check = check_namespace,
	.doc = "Namespaces of callers, any of these."),
};

static const struct message rate_limit_match_message =
    MESSAGE(rate_limit_match, "RateLimitMatch", match_fields,
	.doc = "Which requests are counted; all of its tests have to hold.");

/* --- limits --------------------------------------------------------------- */

static const struct field_word scope_words[] = {
    {"LOCAL", RATE_LIMIT_LOCAL, 0},
    {"MESH", RATE_LIMIT_MESH, 0},
    {NULL, 0, 0},
};

static void
check_per(struct check *c, const void *us)
{
	static const uint64_t day_us = UINT64_C(86400000000);

	check_duration(c, us);
	if (*(const uint64_t *)us > day_us)
		check_error(c, ERR_INVALID, "has to be at most 24h");
}

static void
check_limit(struct check *c, const void *message)
{
	const struct rate_limit *l = message;
	struct check at = check_member(c, "burst");

	if (l->burst > 0 && l->burst < l->requests)
		check_error(&at, ERR_INVALID,
		    "%lld is less than the requests, so that they could never "
		    "all pass; it is what may pass at once",
		    (long long)l->burst);
}

static const struct field limit_fields[] = {
    ROW(rate_limit, "name", name, FIELD_STRING, .flags = FIELD_REQUIRED,
	.check = check_dns_label,
	.doc = "Names the limit to logs, metrics and the caller who is "
	       "refused."),
    ROW(rate_limit, "scope", scope, FIELD_ENUM, .words = scope_words,
	.otherwise = "LOCAL",
	.doc = "LOCAL counts at each proxy by itself, MESH over all of them."),
    ROW(rate_limit, "requests", requests, FIELD_INT, .flags = FIELD_REQUIRED,
	.min = 1, .max = INT32_MAX,
	.doc = "Requests that may pass in the time."),
    ROW(rate_limit, "per", per, FIELD_DURATION, .check = check_per,
	.otherwise = "1s", .doc = "The time, up to 24h."),
    ROW(rate_limit, "burst", burst, FIELD_INT, .min = 1, .max = INT32_MAX,
	.doc = "Requests that may pass at once; as many as `requests` if "
	       "absent."),
    ROWS_OF(rate_limit, "key", key, rate_limit_key, 0, .most = KEY_MAX,
	.doc = "What is counted apart; all requests together if absent."),
    ROWS_OF(rate_limit, "match", match, rate_limit_match, 0, .most = MATCH_MAX,
	.doc = "Requests that are counted, by any of these; all if absent."),
    ROW(rate_limit, "status", status, FIELD_INT, .min = STATUS_MIN,
	.max = STATUS_MAX, .otherwise = "429",
	.doc = "Status of the answer to those that may not pass."),
    ROW(rate_limit, "dryRun", dry_run, FIELD_BOOL, .otherwise = "false",
	.doc = "Counts and tells, but lets all pass."),
};

static const struct message rate_limit_message =
    MESSAGE(rate_limit, "RateLimit", limit_fields, .check = check_limit,
	.doc = "How many requests may pass.");

static void
check_policy(struct check *c, const void *message)
{
	const struct rate_limit_policy *p = message;

	check_policy_scope(c, &p->scope);
	for (size_t j = 0; j < p->limits.count && j < LIMITS_MAX; j++)
		for (size_t i = 0; i < j; i++) {
			struct check at =
			    check_member(c, "limits[%zu].name", j);
			struct slice name = p->limits.items[j].name;

			if (name.len == 0 ||
			    !slice_eq(p->limits.items[i].name, name))
				continue;
			check_error(&at, ERR_INVALID,
			    "the limit \"%.*s\" is there twice",
			    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)));
			break;
		}
}

static const struct field policy_fields[] = {
    POLICY_SCOPE_ROWS(rate_limit_policy),
    ROWS_OF(rate_limit_policy, "limits", limits, rate_limit, FIELD_REQUIRED,
	.most = LIMITS_MAX,
	.doc = "Limits; a request has to pass all that count it."),
};

const struct message rate_limit_policy_message = MESSAGE(rate_limit_policy,
    "RateLimitPolicy", policy_fields, .check = check_policy,
    .doc = "How many requests workloads take, by whom and for what.");

const struct resource_kind kind_rate_limit_policy = {
    .group = "meshd.dev",
    .kind = "RateLimitPolicy",
    .plural = "ratelimitpolicies",
    .alias = "rl",
    .versions = (const char *const[]){"v1", NULL},
    .spec = &rate_limit_policy_message,
    .flags = FIELD_GUARD,
};
