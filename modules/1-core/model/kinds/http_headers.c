/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_headers — what a route does to headers.
 */
#include "http_fields.h"

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

/* "%%" is a percent sign; anything else begins an operator of Envoy's. */
static void
check_header_value(struct check *c, struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (!is_value_byte(value.ptr[i])) {
			check_error(c, ERR_INVALID,
			    "holds a byte that no header may have");
			return;
		}
		if (value.ptr[i] != '%')
			continue;
		if (i + 1 < value.len && value.ptr[i + 1] == '%') {
			i++;
			continue;
		}
		if (slice_find(slice_sub(value, i + 1, value.len), '%') ==
		    value.len - i - 1)
			check_error(c, ERR_INVALID,
			    "has a single \"%%\"; write \"%%%%\" for one");
		else
			check_error(c, ERR_UNSUPPORTED,
			    "operators such as %%REQ(x)%% are not supported "
			    "yet");
		return;
	}
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
		check_error(c, ERR_INVALID, "\"%.*s\" is no name of a header",
		    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)));
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
	{.name = "set",                                                        \
	    .type = FIELD_STRING_MAP,                                          \
	    .offset = offsetof(struct header_operations, set),                 \
	    .check = entry_check,                                              \
	    .doc = "Headers that get this value, whatever they had."},         \
	    {.name = "add",                                                    \
		.type = FIELD_STRING_MAP,                                      \
		.offset = offsetof(struct header_operations, add),             \
		.check = entry_check,                                          \
		.doc = "Values that are added to headers."},                   \
	{                                                                      \
		.name = "remove", .type = FIELD_STRING,                        \
		.flags = FIELD_REPEATED,                                       \
		.offset = offsetof(struct header_operations, remove),          \
		.check = check_remove, .doc = "Headers that are taken out."    \
	}

static const struct field request_fields[] = {
    OPERATION_ROWS(check_request_entry),
};

static const struct field response_fields[] = {
    OPERATION_ROWS(check_response_entry),
};

static const struct message request_message = {
    .name = "HeaderOperations",
    .size = sizeof(struct header_operations),
    .fields = request_fields,
    .field_count = ARRAY_LEN(request_fields),
    .doc = "Changes to the request's headers.",
};

static const struct message response_message = {
    .name = "HeaderOperations",
    .size = sizeof(struct header_operations),
    .fields = response_fields,
    .field_count = ARRAY_LEN(response_fields),
    .doc = "Changes to the answer's headers.",
};

static const struct field headers_fields[] = {
    {.name = "request",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct headers_spec, request),
	.of = &request_message,
	.doc = "Before the request is sent on."},
    {.name = "response",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct headers_spec, response),
	.of = &response_message,
	.doc = "Before the answer is sent back."},
};

const struct message headers_message = {
    .name = "Headers",
    .size = sizeof(struct headers_spec),
    .fields = headers_fields,
    .field_count = ARRAY_LEN(headers_fields),
    .doc = "Changes to headers.",
};

static bool
names_authority(const struct labels *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (is_authority(l->items[i].key))
			return true;
	return false;
}

bool
headers_set_authority(const struct headers_spec *h)
{
	return h != NULL && h->request != NULL &&
	       (names_authority(&h->request->set) ||
		   names_authority(&h->request->add));
}
