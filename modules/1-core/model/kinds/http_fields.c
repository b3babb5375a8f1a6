/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_fields — rules for requests: destinations, rewrites, retries, routes.
 */
#include "http_fields.h"
#include "retry_words.h"
#include "rows.h"

/* --- destinations --------------------------------------------------------- */

static const struct field http_destination_fields[] = {
    ROW_OF(http_destination, "destination", destination, destination_spec,
	.flags = FIELD_REQUIRED, .doc = "Where they go."),
    ROW(http_destination, "weight", weight, FIELD_INT, .min = 0,
	.max = INT32_MAX, .doc = "Its share, against the sum of the weights."),
    ROW_OF(http_destination, "headers", headers, headers_spec,
	.doc = "Changes to headers for this destination."),
};

static const struct message http_destination_message =
    MESSAGE(http_destination, "HTTPRouteDestination", http_destination_fields,
	.doc = "One destination and its share.");

/* --- rewrite -------------------------------------------------------------- */

static void
check_regex_rewrite(struct check *c, const void *message)
{
	const struct regex_rewrite *r = message;
	struct check match = check_member(c, "match");

	if (r->match.len == 0 || r->rewrite.len == 0)
		check_error(
		    c, ERR_INVALID, "has to hold both match and rewrite");
	else
		check_regex(&match, &r->match);
}

static const struct field regex_rewrite_fields[] = {
    ROW(regex_rewrite, "match", match, FIELD_STRING,
	.doc = "A regular expression (RE2); what it finds is replaced."),
    ROW(regex_rewrite, "rewrite", rewrite, FIELD_STRING,
	.doc = "What stands there then; \\1 is what the first group found."),
};

static const struct message regex_rewrite_message =
    MESSAGE(regex_rewrite, "RegexRewrite", regex_rewrite_fields,
	.check = check_regex_rewrite, .doc = "A replacement by an expression.");

static void
check_rewrite(struct check *c, const void *message)
{
	const struct http_rewrite *r = message;

	if (r->uri.len == 0 && r->authority.len == 0 && r->uri_regex == NULL)
		check_error(c, ERR_INVALID,
		    "has to hold a uri, a uriRegexRewrite or an authority");
	if (r->uri.len > 0 && r->uri_regex != NULL)
		check_error(c, ERR_INVALID,
		    "only one of uri and uriRegexRewrite may be given");
}

static const struct field http_rewrite_fields[] = {
    ROW(http_rewrite, "uri", uri, FIELD_STRING,
	.doc = "Replaces the prefix that matched, or the whole path."),
    ROW(http_rewrite, "authority", authority, FIELD_STRING,
	.doc = "Replaces the host that the request names."),
    ROW_OF(http_rewrite, "uriRegexRewrite", uri_regex, regex_rewrite,
	.doc = "Rewrites the path by an expression."),
};

static const struct message http_rewrite_message =
    MESSAGE(http_rewrite, "HTTPRewrite", http_rewrite_fields,
	.check = check_rewrite, .doc = "Changes to the request's target.");

/* --- retries -------------------------------------------------------------- */

/* Between commas, without spaces, as upstream takes them. */
static void
check_retry_on(struct check *c, const void *value)
{
	const struct slice *list = value;
	struct slice rest = *list;
	bool more = list->len > 0;

	while (more) {
		size_t comma = slice_find(rest, ',');
		struct slice word = slice_sub(rest, 0, comma);
		char hint[NEAREST_TEXT_MAX];
		struct nearest near;
		uint32_t on;
		uint16_t status;

		more = comma < rest.len;
		rest = slice_sub(rest, comma + 1, rest.len);
		if (retry_word_parse(word, &on, &status))
			continue;
		nearest_init(&near, word);
		retry_words_offer(&near);
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is neither a condition for a retry nor a "
		    "status%s",
		    SLICE_ARG(slice_sub(word, 0, NAME_LABEL_MAX)),
		    nearest_text(&near, hint));
	}
}

static void
check_retry(struct check *c, const void *message)
{
	const struct http_retry *r = message;

	if (r->attempts == 0 &&
	    (check_given(c, "perTryTimeout") || r->retry_on.len > 0 ||
		check_given(c, "retryRemoteLocalities")))
		check_error(c, ERR_INVALID,
		    "attempts is 0, so neither perTryTimeout, retryOn nor "
		    "retryRemoteLocalities may be given");
}

static const struct field http_retry_fields[] = {
    ROW(http_retry, "attempts", attempts, FIELD_INT, .min = 0, .max = INT32_MAX,
	.doc = "Further tries; 0 switches retries off."),
    ROW(http_retry, "perTryTimeout", per_try_timeout, FIELD_DURATION,
	.check = check_duration,
	.doc = "How long one try may take; the route's timeout if absent."),
    ROW(http_retry, "retryOn", retry_on, FIELD_STRING, .check = check_retry_on,
	.doc = "Conditions and statuses, with commas between them."),
    ROW(http_retry, "retryRemoteLocalities", remote_localities, FIELD_BOOL,
	.otherwise = "false", .flags = FIELD_INERT,
	.doc = "Whether endpoints of other places are tried too."),
    ROW(http_retry, "retryIgnorePreviousHosts", ignore_previous_hosts,
	FIELD_BOOL, .otherwise = "true",
	.doc = "Whether endpoints that failed are left out of further tries."),
    ROW(http_retry, "backoff", backoff, FIELD_DURATION, .check = check_duration,
	.otherwise = "25ms",
	.doc = "The wait before the first retry; it doubles each time."),
};

const struct message http_retry_message =
    MESSAGE(http_retry, "HTTPRetry", http_retry_fields, .check = check_retry,
	.doc = "What is tried again, and how often.");

/* --- copies --------------------------------------------------------------- */

static void
check_mirror_percent(struct check *c, const void *value)
{
	const int64_t *percent = value;

	if (*percent > 100)
		check_error(c, ERR_INVALID, "%lld is outside 0 to 100",
		    (long long)*percent);
	check_warning(c, "is deprecated; write mirrorPercentage");
}

/* --- routes --------------------------------------------------------------- */

static void
check_redirect_prefix(struct check *c, const struct http_route *r)
{
	struct check at = check_member(c, "redirect.prefixRewrite");

	if (r->redirect == NULL || r->redirect->prefix_rewrite.len == 0)
		return;
	for (size_t i = 0; i < r->match.count; i++) {
		const struct string_match *uri = r->match.items[i].uri;

		if (uri == NULL ||
		    message_has(&string_match_message, uri, "prefix"))
			continue;
		check_error(&at, ERR_INVALID,
		    "needs a prefix to rewrite, but match %zu has another "
		    "test of the uri",
		    i);
		return;
	}
}

static void
check_http_route(struct check *c, const void *message)
{
	const struct http_route *r = message;
	uint64_t sum = 0;

	for (size_t i = 0; i < r->route.count; i++)
		sum += (uint64_t)r->route.items[i].weight;
	check_weights(c, sum, r->route.count);
	check_redirect_prefix(c, r);
	check_authority_once(c, r);
}

static const struct field http_route_fields[] = {
    ROW(http_route, "name", name, FIELD_STRING, .doc = "Goes to the logs."),
    ROWS_OF(http_route, "match", match, http_match, 0,
	.doc = "Any of these; without one, every request."),
    ROWS_OF(http_route, "route", route, http_destination, 0,
	.doc = "Where requests go, by weight."),
    ROW_OF(http_route, "redirect", redirect, http_redirect,
	.doc = "Answers with another place."),
    ROW_OF(http_route, "directResponse", direct_response, http_direct_response,
	.doc = "Answers by itself."),
    ROW_OF(http_route, "delegate", delegate, delegate_spec,
	.doc = "Leaves the rule to another VirtualService."),
    ROW_OF(http_route, "rewrite", rewrite, http_rewrite,
	.doc = "Changes to the request's target."),
    ROW(http_route, "timeout", timeout, FIELD_DURATION, .check = check_duration,
	.doc = "How long a request may take with all its tries; none if "
	       "absent."),
    ROW_OF(http_route, "retries", retries, http_retry,
	.doc = "What is tried again; two tries on failed connections if "
	       "absent."),
    ROW_OF(http_route, "fault", fault, http_fault,
	.doc = "Delays or refuses some requests on purpose."),
    ROW_OF(http_route, "mirror", mirror, destination_spec,
	.doc = "Sends a copy of requests elsewhere."),
    ROWS_OF(http_route, "mirrors", mirrors, mirror_policy, 0,
	.doc = "Sends copies of requests elsewhere."),
    ROW(http_route, "mirrorPercent", mirror_percent, FIELD_INT, .min = 0,
	.max = UINT32_MAX, .check = check_mirror_percent,
	.doc = "The older form of mirrorPercentage."),
    ROW_OF(http_route, "mirrorPercentage", mirror_percentage, percent,
	.check = check_percent,
	.doc = "How many requests are copied to mirror; all if absent."),
    ROW_OF(http_route, "corsPolicy", cors_policy, cors_policy,
	.doc = "Which other origins a browser may call from."),
    ROW_OF(http_route, "headers", headers, headers_spec,
	.doc = "Changes to headers."),
};

const struct message http_route_message =
    MESSAGE(http_route, "HTTPRoute", http_route_fields,
	.check = check_http_route, .doc = "One rule for requests.");
