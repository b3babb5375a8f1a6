/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_fields — matches, retries, rewrites and routes of requests.
 */
#include <stdio.h>

#include "http_fields.h"
#include "retry_words.h"
#include "rows.h"

/* --- matches -------------------------------------------------------------- */

enum { ONEOF_STRING_MATCH = 1 };

static const struct field string_match_fields[] = {
    {.name = "exact",
	.type = FIELD_STRING,
	.oneof = ONEOF_STRING_MATCH,
	.offset = offsetof(struct string_match, exact),
	.doc = "The whole text."},
    {.name = "prefix",
	.type = FIELD_STRING,
	.oneof = ONEOF_STRING_MATCH,
	.offset = offsetof(struct string_match, prefix),
	.doc = "How the text begins."},
    {.name = "regex",
	.type = FIELD_ANY,
	.flags = FIELD_UNBUILT,
	.oneof = ONEOF_STRING_MATCH,
	.doc = "A regular expression (RE2) for the whole text."},
};

const struct message string_match_message = {
    .name = "StringMatch",
    .size = sizeof(struct string_match),
    .fields = string_match_fields,
    .field_count = ARRAY_LEN(string_match_fields),
    .doc = "A test of one text; empty, it only has to be there.",
};

static bool
has_empty_prefix(const struct string_match *m)
{
	return message_has(&string_match_message, m, "prefix") &&
	       m->prefix.len == 0;
}

/* An empty prefix matches anything; only for paths is that a habit. */
static void
check_prefix(struct check *c, const void *message)
{
	const struct string_match *m = message;

	if (has_empty_prefix(m)) {
		struct check at = check_member(c, "prefix");

		check_error(&at, ERR_INVALID, "may not be empty");
	}
}

static void
check_header_match(struct check *c, const void *value)
{
	static const char *const pseudo[] = {
	    ":method", ":scheme", ":authority", ":path"};
	static const char *const shadowed[] = {
	    "uri", "scheme", "method", "authority"};
	const struct message_entry *e = value;

	check_prefix(c, e->message);
	for (size_t i = 0; i < ARRAY_LEN(shadowed); i++)
		if (slice_eq(e->key, slice_str(shadowed[i])))
			check_warning(c,
			    "a header match of this name is not looked at; "
			    "use the match's own field %s",
			    shadowed[i]);
	if (slice_starts(e->key, S("@request.auth"))) {
		check_error(c, ERR_UNSUPPORTED,
		    "matching on claims of a token is not supported yet");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(pseudo); i++)
		if (slice_eq(e->key, slice_str(pseudo[i])))
			return;
	if (!is_token(e->key))
		check_error(c, ERR_INVALID, "\"%.*s\" is no name of a header",
		    SLICE_ARG(slice_sub(e->key, 0, NAME_LABEL_MAX)));
}

#define STRING_MATCH_ROW(field_name, member, test, words)                      \
	{                                                                      \
		.name = field_name, .type = FIELD_MESSAGE,                     \
		.offset = offsetof(struct http_match, member),                 \
		.of = &string_match_message, .check = test, .doc = words       \
	}

static const struct field http_match_fields[] = {
    {.name = "name",
	.type = FIELD_STRING,
	.offset = offsetof(struct http_match, name),
	.doc = "Goes to the logs behind the route's name."},
    STRING_MATCH_ROW("uri", uri, NULL, "The path, without the query."),
    STRING_MATCH_ROW("scheme", scheme, check_prefix, "http or https."),
    STRING_MATCH_ROW("method", method, check_prefix, "GET, POST …"),
    STRING_MATCH_ROW("authority", authority, check_prefix,
	"The host that the request names."),
    {.name = "headers",
	.type = FIELD_MESSAGE_MAP,
	.offset = offsetof(struct http_match, headers),
	.of = &string_match_message,
	.check = check_header_match,
	.doc = "Headers by name; `{}` is satisfied by any value."},
    {.name = "port",
	.type = FIELD_INT,
	.offset = offsetof(struct http_match, port),
	.min = 1,
	.max = 65535,
	.doc = "The service's port that was called."},
    UNBUILT("withoutHeaders", "Headers that must not match."),
    UNBUILT("queryParams", "Parameters of the query."),
    UNBUILT("sourceLabels", "Labels of the calling workload."),
    UNBUILT("sourceNamespace", "Namespace of the calling workload."),
    UNBUILT("gateways", "Gateways that the match is for."),
    UNBUILT("ignoreUriCase", "Compares the path without regard to case."),
    UNBUILT("statPrefix", "A name for statistics."),
};

static const struct message http_match_message = {
    .name = "HTTPMatchRequest",
    .size = sizeof(struct http_match),
    .fields = http_match_fields,
    .field_count = ARRAY_LEN(http_match_fields),
    .doc = "Which requests a rule is for; all of its tests have to hold.",
};

/* --- destinations --------------------------------------------------------- */

static const struct field http_destination_fields[] = {
    {.name = "destination",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct http_destination, destination),
	.of = &destination_message,
	.doc = "Where they go."},
    {.name = "weight",
	.type = FIELD_INT,
	.offset = offsetof(struct http_destination, weight),
	.min = 0,
	.max = INT32_MAX,
	.doc = "Its share, against the sum of the weights."},
    {.name = "headers",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct http_destination, headers),
	.of = &headers_message,
	.doc = "Changes to headers for this destination."},
};

static const struct message http_destination_message = {
    .name = "HTTPRouteDestination",
    .size = sizeof(struct http_destination),
    .fields = http_destination_fields,
    .field_count = ARRAY_LEN(http_destination_fields),
    .doc = "One destination and its share.",
};

/* --- rewrite and retries -------------------------------------------------- */

static void
check_rewrite(struct check *c, const void *message)
{
	const struct http_rewrite *r = message;

	if (r->uri.len == 0 && r->authority.len == 0 &&
	    !check_given(c, "uriRegexRewrite"))
		check_error(
		    c, ERR_INVALID, "has to hold a uri or an authority");
}

static const struct field rewrite_fields[] = {
    {.name = "uri",
	.type = FIELD_STRING,
	.offset = offsetof(struct http_rewrite, uri),
	.doc = "Replaces the prefix that matched, or the whole path."},
    {.name = "authority",
	.type = FIELD_STRING,
	.offset = offsetof(struct http_rewrite, authority),
	.doc = "Replaces the host that the request names."},
    UNBUILT("uriRegexRewrite", "Rewrites the path by an expression."),
};

static const struct message rewrite_message = {
    .name = "HTTPRewrite",
    .size = sizeof(struct http_rewrite),
    .fields = rewrite_fields,
    .field_count = ARRAY_LEN(rewrite_fields),
    .check = check_rewrite,
    .doc = "Changes to the request's target.",
};

static void
check_retry_on(struct check *c, const void *value)
{
	const struct slice *list = value;
	struct slice rest = *list;

	while (rest.len > 0) {
		struct slice word = slice_trim(slice_split(&rest, ','));
		char hint[NEAREST_TEXT_MAX];
		struct nearest near;
		uint32_t on;
		uint16_t status;

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
	    (check_given(c, "perTryTimeout") || check_given(c, "retryOn")))
		check_error(c, ERR_INVALID,
		    "attempts is 0, so neither perTryTimeout nor retryOn may "
		    "be given");
}

static const struct field retry_fields[] = {
    {.name = "attempts",
	.type = FIELD_INT,
	.offset = offsetof(struct http_retry, attempts),
	.min = 0,
	.max = INT32_MAX,
	.doc = "Further tries; 0 switches retries off."},
    {.name = "perTryTimeout",
	.type = FIELD_DURATION,
	.offset = offsetof(struct http_retry, per_try_timeout),
	.check = check_duration,
	.doc = "How long one try may take; the route's timeout if absent."},
    {.name = "retryOn",
	.type = FIELD_STRING,
	.offset = offsetof(struct http_retry, retry_on),
	.check = check_retry_on,
	.doc = "Conditions and statuses, with commas between them."},
    UNBUILT("retryRemoteLocalities", "Tries endpoints elsewhere too."),
    UNBUILT("retryIgnorePreviousHosts", "Whether tried endpoints may be "
					"tried again."),
    UNBUILT("backoff", "How long to wait before a try."),
};

static const struct message retry_message = {
    .name = "HTTPRetry",
    .size = sizeof(struct http_retry),
    .fields = retry_fields,
    .field_count = ARRAY_LEN(retry_fields),
    .check = check_retry,
    .doc = "What is tried again, and how often.",
};

/* --- routes --------------------------------------------------------------- */

/* Actions that are not built were reported by their rows. */
static void
check_action(struct check *c, const struct http_route *r)
{
	static const char *const others[] = {
	    "redirect", "directResponse", "delegate"};

	if (r->route.count > 0 || check_given(c, "route"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (check_given(c, others[i]))
			return;
	check_error(c, ERR_INVALID,
	    "has no route: nothing says where "
	    "requests go");
}

static void
check_authority_once(struct check *c, const struct http_route *r)
{
	struct check at = check_member(c, "rewrite.authority");
	bool twice = headers_set_authority(r->headers);

	for (size_t i = 0; i < r->route.count && !twice; i++)
		twice = headers_set_authority(r->route.items[i].headers);
	if (r->rewrite != NULL && r->rewrite->authority.len > 0 && twice)
		check_error(&at, ERR_INVALID,
		    "the authority is set by headers too; only one of them "
		    "may");
}

static void
check_http_route(struct check *c, const void *message)
{
	const struct http_route *r = message;
	uint64_t sum = 0;

	for (size_t i = 0; i < r->route.count; i++)
		sum += (uint64_t)r->route.items[i].weight;
	check_action(c, r);
	check_weights(c, sum, r->route.count);
	check_authority_once(c, r);
}

static const struct field http_route_fields[] = {
    {.name = "name",
	.type = FIELD_STRING,
	.offset = offsetof(struct http_route, name),
	.doc = "Goes to the logs."},
    {.name = "match",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct http_route, match),
	.of = &http_match_message,
	.doc = "Any of these; without one, every request."},
    {.name = "route",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct http_route, route),
	.of = &http_destination_message,
	.doc = "Where requests go, by weight."},
    {.name = "rewrite",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct http_route, rewrite),
	.of = &rewrite_message,
	.doc = "Changes to the request's target."},
    {.name = "timeout",
	.type = FIELD_DURATION,
	.offset = offsetof(struct http_route, timeout),
	.check = check_duration,
	.doc = "How long a request may take with all its tries; none if "
	       "absent."},
    {.name = "retries",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct http_route, retries),
	.of = &retry_message,
	.doc = "What is tried again; two tries on failed connections if "
	       "absent."},
    {.name = "headers",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct http_route, headers),
	.of = &headers_message,
	.doc = "Changes to headers."},
    UNBUILT("redirect", "Answers with another place."),
    UNBUILT("directResponse", "Answers by itself."),
    UNBUILT("delegate", "Leaves the rule to another VirtualService."),
    UNBUILT("fault", "Delays or refuses some requests on purpose."),
    UNBUILT("mirror", "Sends a copy of requests elsewhere."),
    UNBUILT("mirrors", "Sends copies of requests elsewhere."),
    UNBUILT("mirrorPercent", "How many are copied, in its old form."),
    UNBUILT("mirrorPercentage", "How many are copied."),
    UNBUILT("corsPolicy", "Which other origins a browser may call from."),
};

const struct message http_route_message = {
    .name = "HTTPRoute",
    .size = sizeof(struct http_route),
    .fields = http_route_fields,
    .field_count = ARRAY_LEN(http_route_fields),
    .check = check_http_route,
    .doc = "One rule for requests.",
};
