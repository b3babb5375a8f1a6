/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwks — checks of a JSON Web Key Set (RFC 7517) and of where one is fetched.
 *
 * Keys are looked at as far as RFC 7518 §6 says what each type has to hold;
 * whether a number is a good key is for those who use it.
 */
#include "jwks.h"
#include "validate.h"

enum { SCHEME_MAX = 32 };

static const struct key_type {
	const char *type;
	const char *needs[4]; /* ends with NULL */
} key_types[] = {
    {"RSA", {"n", "e"}},
    {"EC", {"crv", "x", "y"}},
    {"OKP", {"crv", "x"}}, /* RFC 8037 §2 */
    {"oct", {"k"}},
};

static const struct key_type *
find_type(struct slice type)
{
	for (size_t i = 0; i < ARRAY_LEN(key_types); i++)
		if (slice_eq(type, slice_str(key_types[i].type)))
			return &key_types[i];
	return NULL;
}

static void
check_jwk(struct check *c, const struct value *key, size_t index)
{
	struct slice type = value_get_string(key, S("kty"), S(""));
	const struct key_type *k = find_type(type);

	if (k == NULL) {
		check_error(c, ERR_INVALID,
		    "key %zu has the type \"%.*s\"; it may be RSA, EC, OKP or "
		    "oct",
		    index, SLICE_ARG(slice_sub(type, 0, SCHEME_MAX)));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(k->needs) && k->needs[i]; i++)
		if (value_get_string(key, slice_str(k->needs[i]), S("")).len ==
		    0)
			check_error(c, ERR_INVALID,
			    "key %zu of type %s has no \"%s\"", index, k->type,
			    k->needs[i]);
	if (value_get(key, S("d")) != NULL)
		check_warning(c,
		    "key %zu is a private key; only the public half belongs "
		    "here",
		    index);
}

void
check_jwks(struct check *c, const void *value)
{
	const struct slice *s = value;
	const struct value *set, *keys;
	struct fault why = {0};
	size_t n = 0;

	if (s->len == 0)
		return;
	CHECK(c->parse_json != NULL);
	if (c->parse_json(*s, c->arena, &set, &why) != OK) {
		check_error(c, ERR_INVALID, "is no JSON: %s", why.text);
		return;
	}
	keys = value_get(set, S("keys"));
	if (keys == NULL) { /* upstream takes a sole key as well */
		check_jwk(c, set, 0);
		return;
	}
	if (keys->type != VALUE_LIST)
		check_error(c, ERR_INVALID, "\"keys\" is no list");
	VALUE_EACH(keys, it)
	check_jwk(c, it, n++);
}

/* ":8080" or nothing; without brackets, so that a host's colons are gone. */
static bool
is_port_part(struct slice s)
{
	if (s.len == 0)
		return true;
	for (size_t i = 1; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return s.ptr[0] == ':';
}

void
check_jwks_uri(struct check *c, const void *value)
{
	struct slice rest = *(const struct slice *)value;
	struct slice scheme, host;
	size_t end;

	if (rest.len == 0)
		return;
	scheme = slice_sub(rest, 0, slice_find(rest, ':'));
	if (scheme.len == rest.len)
		scheme.len = 0;
	if (!slice_eq_nocase(scheme, S("http")) &&
	    !slice_eq_nocase(scheme, S("https"))) {
		check_error(c, ERR_INVALID,
		    "URI scheme \"%.*s\" is not supported; it is http or https",
		    SLICE_ARG(slice_sub(scheme, 0, SCHEME_MAX)));
		return;
	}
	rest = slice_sub(rest, scheme.len + 1, rest.len);
	if (!slice_starts(rest, S("//")))
		return;
	rest = slice_sub(rest, 2, rest.len);
	host = slice_sub(rest, 0, slice_find(rest, '/'));
	end = host.len > 0 && host.ptr[0] == '[' ? slice_rfind(host, ']') + 1
						 : slice_find(host, ':');
	if (!is_port_part(slice_sub(host, end, host.len)))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" has no valid port behind the host",
		    SLICE_ARG(slice_sub(host, 0, NAME_LABEL_MAX)));
}
