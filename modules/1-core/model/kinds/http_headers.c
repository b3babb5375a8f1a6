/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_headers — what a route does to headers.
 */
#include "http_fields.h"
#include "operators.h"
#include "rows.h"

static bool
is_authority(struct slice name)
{
	return slice_eq_nocase(name, S("host")) ||
	       slice_eq_nocase(name, S(":authority"));
}

static bool
is_value_byte(char c)
{
	return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

bool
header_value_is_computed(struct slice value)
{
	size_t at = 0;
	bool whole;

	return operator_next(value, OPERATOR_IN_HEADER, &at, &whole);
}

/* Upstream's proxy refuses all of its routes for such a value. */
static void
warn_unknown(struct check *c, struct slice name)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, name);
	operators_offer(&near);
	check_warning(c,
	    "%%%.*s%% is nothing that a proxy can put there, or it has an "
	    "argument that it may not have, or has none%s; the header is left "
	    "out",
	    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)),
	    nearest_text(&near, hint));
}

static void
check_operators(struct check *c, struct slice value)
{
	struct slice text, operator;

	while (operator_cut(&value, OPERATOR_IN_HEADER, &text, &operator)) {
		struct operator_use u =
		    operator_parse(operator, OPERATOR_IN_HEADER);

		if (u.id == OPERATOR_INERT)
			check_in_force(c, FIELD_INERT);
		else if (u.id == OPERATOR_UNKNOWN)
			warn_unknown(c, u.name);
	}
}

static void
check_header_value(struct check *c, struct slice value)
{
	size_t at = 0;
	bool whole;

	for (size_t i = 0; i < value.len; i++)
		if (!is_value_byte(value.ptr[i])) {
			check_error(c, ERR_INVALID,
			    "holds a byte that no header may have");
			return;
		}
	while (operator_next(value, OPERATOR_IN_HEADER, &at, &whole)) {
		if (whole)
			continue;
		check_error(c, ERR_INVALID,
		    "a \"%%\" begins an operator such as %%REQ(x)%% that "
		    "does not end; write \"%%%%\" for the sign alone");
		return;
	}
	check_operators(c, value);
}

static void
check_header_name(struct check *c, struct slice name)
{
	if (name.len == 0)
		check_error(c, ERR_INVALID, "a header has to have a name");
	else if (name.ptr[0] == ':' || is_authority(name))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" may not be changed here; only the request's "
		    "authority may be set",
		    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)));
	else if (!is_token(name))
		check_in_force(c, FIELD_INERT); /* left out: none can have it */
}

static void
check_remove(struct check *c, const void *value)
{
	const struct slice *name = value;

	check_header_name(c, *name);
}

/* Where the authority may be named as well as headers. */
static void
check_request_entry(struct check *c, const void *value)
{
	const struct label *l = value;

	if (!is_authority(l->key))
		check_header_name(c, l->key);
	check_header_value(c, l->value);
}

static void
check_response_entry(struct check *c, const void *value)
{
	const struct label *l = value;

	check_header_name(c, l->key);
	check_header_value(c, l->value);
}

#define OPERATION_ROWS(entry_check)                                            \
	ROW(header_operations, "set", set, FIELD_STRING_MAP,                   \
	    .check = entry_check,                                              \
	    .doc = "Headers that get this value, whatever they had."),         \
	    ROW(header_operations, "add", add, FIELD_STRING_MAP,               \
		.check = entry_check,                                          \
		.doc = "Values that are added to headers."),                   \
	    ROW(header_operations, "remove", remove, FIELD_STRING,             \
		.flags = FIELD_REPEATED, .check = check_remove,                \
		.doc = "Headers that are taken out.")

static const struct field request_fields[] = {
    OPERATION_ROWS(check_request_entry),
};

static const struct field response_fields[] = {
    OPERATION_ROWS(check_response_entry),
};

static const struct message request_message =
    MESSAGE(header_operations, "HeaderOperations", request_fields,
	.doc = "Changes to the request's headers.");

static const struct message response_message =
    MESSAGE(header_operations, "HeaderOperations", response_fields,
	.doc = "Changes to the answer's headers.");

static const struct field headers_fields[] = {
    ROW_OF(headers_spec, "request", request, request,
	.doc = "Before the request is sent on."),
    ROW_OF(headers_spec, "response", response, response,
	.doc = "Before the answer is sent back."),
};

const struct message headers_spec_message = MESSAGE(
    headers_spec, "Headers", headers_fields, .doc = "Changes to headers.");

static size_t
count_authority(const struct labels *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += is_authority(l->items[i].key) && l->items[i].value.len > 0;
	return n;
}

void
check_authority_once(struct check *c, const struct http_route *r)
{
	const struct header_operations *o =
	    r->headers != NULL ? r->headers->request : NULL;
	bool rewritten = r->rewrite != NULL && r->rewrite->authority.len > 0;
	size_t set =
	    o != NULL ? count_authority(&o->set) + count_authority(&o->add) : 0;
	struct check at = check_member(
	    c, rewritten ? "rewrite.authority" : "headers.request");

	if (set + rewritten > 1)
		check_error(&at, ERR_INVALID,
		    "the authority may be changed in one place only: by "
		    "rewrite, or by one header");
}
