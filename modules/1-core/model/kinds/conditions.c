/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conditions — what the `when` of an AuthorizationPolicy may name.
 */
#include "conditions.h"
#include "addresses.h"
#include "kinds.h"
#include "rows.h"
#include "validate.h"

enum {
	KEY_MAPPED = 1 << 0,     /* "request.headers[name]" */
	KEY_NOT_CUSTOM = 1 << 1, /* a provider is not told it */
	KEY_GONE = 1 << 2        /* upstream refuses it by name */
};

static const struct key {
	const char *name;
	unsigned flags;
	field_check_cb check; /* each value; NULL: any text */
} keys[] = {
    {"request.headers", KEY_MAPPED, NULL},
    {"source.ip", 0, check_ip_or_subnet},
    {"remote.ip", 0, check_ip_or_subnet},
    {"source.namespace", KEY_NOT_CUSTOM, NULL},
    {"source.serviceAccount", KEY_NOT_CUSTOM, NULL},
    {"source.trustDomain", KEY_NOT_CUSTOM, NULL},
    {"source.principal", KEY_NOT_CUSTOM, NULL},
    {"request.auth.principal", KEY_NOT_CUSTOM, NULL},
    {"request.auth.audiences", KEY_NOT_CUSTOM, NULL},
    {"request.auth.presenter", KEY_NOT_CUSTOM, NULL},
    {"request.auth.claims", KEY_MAPPED | KEY_NOT_CUSTOM, NULL},
    {"destination.ip", 0, check_ip_or_subnet},
    {"destination.port", 0, check_port_text},
    {"connection.sni", 0, NULL},
    {"destination.name", KEY_GONE, NULL},
    {"destination.user", KEY_GONE, NULL},
    {"destination.namespace", KEY_GONE, NULL},
    {"destination.labels", KEY_MAPPED | KEY_GONE, NULL},
    {"experimental.envoy.filters.", KEY_MAPPED, NULL},
};

static const struct key *
find_key(struct slice text)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct slice name = slice_str(keys[i].name);

		if (keys[i].flags & KEY_MAPPED ? slice_starts(text, name)
					       : slice_eq(text, name))
			return &keys[i];
	}
	return NULL;
}

static void
unknown_key(struct check *c, struct slice text)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, text);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!(keys[i].flags & KEY_GONE))
			nearest_offer(&near, keys[i].name);
	check_error(c, ERR_INVALID, "there is no attribute \"%.*s\"%s",
	    SLICE_ARG(slice_sub(text, 0, NAME_LABEL_MAX)),
	    nearest_text(&near, hint));
}

/* "…[name]", with something inside of the brackets. */
static bool
is_mapped(struct slice text)
{
	size_t open = slice_find(text, '[');

	return text.len > 0 && text.ptr[text.len - 1] == ']' &&
	       open + 2 < text.len;
}

static const struct key *
check_key(struct check *c, struct slice text)
{
	const struct key *k = find_key(text);

	if (text.len == 0)
		check_error(c, ERR_INVALID, "must not be empty");
	else if (k == NULL)
		unknown_key(c, text);
	else if (k->flags & KEY_GONE)
		check_error(c, ERR_INVALID,
		    "%s is no attribute of a call any more; select workloads "
		    "by the policy's selector",
		    k->name);
	else if ((k->flags & KEY_MAPPED) && !is_mapped(text))
		check_error(c, ERR_INVALID,
		    "has to name an entry in brackets: %s[name]", k->name);
	else
		return k;
	return NULL;
}

static void
check_values(struct check *c, const char *member, const struct key *k,
    const struct slice *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct check at = check_member(c, "%s[%zu]", member, i);

		if (values[i].len == 0)
			check_error(&at, ERR_INVALID, "is empty");
		else if (k != NULL && k->check != NULL)
			k->check(&at, &values[i]);
	}
}

static void
check_condition(struct check *c, const void *message)
{
	const struct authz_condition *w = message;
	struct check at = check_member(c, "key");
	const struct key *k = check_key(&at, w->key);

	if (w->values.count == 0 && w->not_values.count == 0)
		check_error(c, ERR_INVALID,
		    "at least one of values and notValues has to be there");
	check_values(c, "values", k, w->values.items, w->values.count);
	check_values(
	    c, "notValues", k, w->not_values.items, w->not_values.count);
}

static const struct field condition_fields[] = {
    ROW(authz_condition, "key", key, FIELD_STRING,
	.doc = "An attribute of the call, as source.ip or "
	       "request.headers[name]."),
    ROW(authz_condition, "values", values, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "What it may be, any of these."),
    ROW(authz_condition, "notValues", not_values, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "What it must not be."),
};

const struct message authz_condition_message =
    MESSAGE(authz_condition, "Condition", condition_fields,
	.check = check_condition, .doc = "A condition on an attribute.");

void
check_custom_key(struct check *c, struct slice key)
{
	const struct key *k = find_key(key);

	if (k != NULL && (k->flags & KEY_NOT_CUSTOM))
		check_error(c, ERR_INVALID,
		    "a provider is not told %s, so CUSTOM may not use it",
		    k->name);
}

bool
is_bool_text(struct slice s)
{
	static const char *const words[] = {"1", "t", "T", "true", "TRUE",
	    "True", "0", "f", "F", "false", "FALSE", "False"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_eq(s, slice_str(words[i])))
			return true;
	return false;
}
