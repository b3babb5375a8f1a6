/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_match — which requests a rule is for.
 */
#include "http_fields.h"
#include "rows.h"

/* --- tests of one text ---------------------------------------------------- */

enum { ONEOF_STRING_MATCH = 1 };

static const struct field string_match_fields[] = {
    ROW(string_match, "exact", exact, FIELD_STRING, .oneof = ONEOF_STRING_MATCH,
	.doc = "The whole text."),
    ROW(string_match, "prefix", prefix, FIELD_STRING,
	.oneof = ONEOF_STRING_MATCH, .doc = "How the text begins."),
    ROW(string_match, "regex", regex, FIELD_STRING, .oneof = ONEOF_STRING_MATCH,
	.doc = "A regular expression (RE2) for the whole text."),
};

const struct message string_match_message =
    MESSAGE(string_match, "StringMatch", string_match_fields,
	.doc = "A test of one text; empty, it only has to be there.");

static void
check_regex_of(struct check *c, const struct string_match *m)
{
	struct check at = check_member(c, "regex");

	if (message_has(&string_match_message, m, "regex"))
		check_regex(&at, &m->regex);
}

/* An empty prefix matches anything; only for paths is that a habit. */
static void
check_path_match(struct check *c, const void *string_match)
{
	check_regex_of(c, string_match);
}

void
check_text_match(struct check *c, const void *string_match)
{
	const struct string_match *m = string_match;
	struct check at = check_member(c, "prefix");

	if (message_has(&string_match_message, m, "prefix") &&
	    m->prefix.len == 0)
		check_error(&at, ERR_INVALID, "may not be empty");
	check_regex_of(c, m);
}

/* --- maps of them --------------------------------------------------------- */

bool
is_claim_name(struct slice header)
{
	static const struct slice prefix = {"@request.auth.claims", 20};
	struct slice rest = slice_sub(header, prefix.len, header.len);

	if (!slice_eq_nocase(slice_sub(header, 0, prefix.len), prefix))
		return false;
	return rest.len > 1 &&
	       (rest.ptr[0] == '.' || (rest.len > 2 && rest.ptr[0] == '[' &&
					  slice_ends(rest, S("]"))));
}

bool
is_header_like(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] != ',' && !is_token(slice_sub(name, i, 1)))
			return false;
	return name.len > 0;
}

static void
check_header_name(struct check *c, struct slice name)
{
	static const char *const pseudo[] = {
	    ":method", ":scheme", ":authority", ":path", ":status"};

	for (size_t i = 0; i < ARRAY_LEN(pseudo); i++)
		if (slice_eq(name, slice_str(pseudo[i])))
			return;
	if (is_claim_name(name))
		check_in_force(c, FIELD_INERT);
	else if (!is_header_like(name))
		check_error(c, ERR_INVALID, "\"%.*s\" is no name of a header",
		    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)));
}

static void
check_header_match(struct check *c, const void *value)
{
	const struct message_entry *e = value;

	check_header_name(c, e->key);
	check_text_match(c, e->message);
}

/* Here "*" is no expression: the header has to be absent. */
static void
check_without_header(struct check *c, const void *value)
{
	const struct message_entry *e = value;
	const struct string_match *m = e->message;

	check_header_name(c, e->key);
	if (!slice_eq(m->regex, S("*")))
		check_text_match(c, m);
}

static void
check_query_param(struct check *c, const void *value)
{
	const struct message_entry *e = value;

	check_text_match(c, e->message);
}

/* --- the match ------------------------------------------------------------ */

static void
check_source_namespace(struct check *c, const void *value)
{
	const struct slice *ns = value;

	if (ns->len > 0 && !is_dns_label(*ns))
		check_error(c, ERR_INVALID, "\"%.*s\" is no namespace",
		    SLICE_ARG(slice_sub(*ns, 0, NAME_LABEL_MAX)));
}

static void
check_http_match(struct check *c, const void *message)
{
	const struct http_match *m = message;
	const struct gateway_list list = {m->gateways.items, m->gateways.count};

	check_gateways(c, &list, 0);
}

static const struct field http_match_fields[] = {
    ROW(http_match, "name", name, FIELD_STRING,
	.doc = "Goes to the logs behind the route's name."),
    ROW_OF(http_match, "uri", uri, string_match, .check = check_path_match,
	.doc = "The path, without the query."),
    ROW_OF(http_match, "scheme", scheme, string_match,
	.check = check_text_match, .doc = "http or https."),
    ROW_OF(http_match, "method", method, string_match,
	.check = check_text_match, .doc = "GET, POST …"),
    ROW_OF(http_match, "authority", authority, string_match,
	.check = check_text_match, .doc = "The host that the request names."),
    ROW(http_match, "headers", headers, FIELD_MESSAGE_MAP,
	.of = &string_match_message, .check = check_header_match,
	.doc = "Headers by name; `{}` is satisfied by any value."),
    ROW(http_match, "withoutHeaders", without_headers, FIELD_MESSAGE_MAP,
	.of = &string_match_message, .check = check_without_header,
	.doc = "Headers that must not match; `{}` must not be there."),
    ROW(http_match, "queryParams", query_params, FIELD_MESSAGE_MAP,
	.of = &string_match_message, .check = check_query_param,
	.doc = "Parameters of the query by name, as they were sent."),
    ROW(http_match, "port", port, FIELD_INT, .min = 0, .max = 65535,
	.doc = "The service's port that was called; 0 for any."),
    ROW(http_match, "ignoreUriCase", ignore_uri_case, FIELD_BOOL,
	.otherwise = "false",
	.doc = "Compares the path without regard to case; not an expression."),
    ROW(http_match, "sourceLabels", source_labels, FIELD_STRING_MAP,
	.check = check_wanted_label,
	.doc = "Labels that the calling workload has."),
    ROW(http_match, "sourceNamespace", source_namespace, FIELD_STRING,
	.check = check_source_namespace,
	.doc = "Namespace of the calling workload."),
    ROW(http_match, "gateways", gateways, FIELD_STRING, .flags = FIELD_REPEATED,
	.doc = "Gateways that the match is for, instead of the resource's."),
    ROW(http_match, "statPrefix", stat_prefix, FIELD_STRING,
	.flags = FIELD_INERT, .doc = "A name for statistics of the route."),
};

const struct message http_match_message = MESSAGE(http_match,
    "HTTPMatchRequest", http_match_fields, .check = check_http_match,
    .doc = "Which requests a rule is for; all of its tests have to hold.");
