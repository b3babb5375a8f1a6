/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_secret — the fields of Secret.
 *
 * No message holds any of the text. Whether certificate and key are any, and
 * belong together, says who has TLS at hand: the server.
 */
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

/* What a part has to look like, PEM (RFC 7468). */
static const struct {
	const char *name;
	const char *label; /* at the end of its first line */
	bool required;
} parts[] = {
    {"tls.crt", "CERTIFICATE-----", true},
    {"tls.key", "PRIVATE KEY-----", true},
    {"ca.crt", "CERTIFICATE-----", false},
    {"ca.crl", "X509 CRL-----", false},
};

/* --- the bytes of a part -------------------------------------------------- */

static size_t
part_max(struct slice name)
{
	return slice_eq(name, S("tls.key")) ? SECRET_KEY_MAX : SECRET_PART_MAX;
}

static enum err
decode(struct slice name, struct slice text, struct secret *out)
{
	AUTO(secret_fini) struct secret room = {0};
	size_t max = MIN(part_max(name), text.len), len;
	enum err e;

	secret_init(&room, max);
	e = crypto_base64_decode(text, room.bytes, max, &len);
	if (e == OK)
		secret_set(out, slice_of(room.bytes, len));
	return e;
}

bool
tls_secret_part(
    const struct tls_secret *s, struct slice name, struct secret *out)
{
	struct slice text = labels_get(&s->string_data, name);

	if (text.ptr != NULL) {
		secret_set(out, text);
		return true;
	}
	text = labels_get(&s->data, name);
	return text.ptr != NULL && decode(name, text, out) == OK;
}

/* --- checks --------------------------------------------------------------- */

static bool
is_part_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_alnum(name.ptr[i]) &&
		    strchr("-._", name.ptr[i]) == NULL)
			return false;
	return name.len > 0 && name.len <= NAME_HOST_MAX;
}

static bool
looks_like(struct slice pem, const char *label)
{
	while (pem.len > 0) {
		struct slice line = slice_split(&pem, '\n');

		if (slice_ends(line, S("\r")))
			line.len--;
		if (slice_starts(line, S("-----BEGIN ")) &&
		    slice_ends(line, slice_str(label)))
			return true;
	}
	return false;
}

static void
check_pem(struct check *c, struct slice name, struct slice bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!slice_eq(name, slice_str(parts[i].name)))
			continue;
		if (!looks_like(bytes, parts[i].label))
			check_error(c, ERR_INVALID,
			    "is no PEM: there is no line \"-----BEGIN … %s\"",
			    parts[i].label);
		return;
	}
	check_warning(c,
	    "is not used: the mesh knows tls.crt, tls.key, ca.crt and ca.crl");
}

static void
check_name(struct check *c, struct slice name)
{
	if (!is_part_name(name))
		check_error(c, ERR_INVALID,
		    "is no name of a part: letters, digits, '-', '_' and '.'");
}

static void
check_data(struct check *c, const void *label)
{
	const struct label *l = label;
	AUTO(secret_fini) struct secret bytes = {0};
	enum err e = decode(l->key, l->value, &bytes);

	check_name(c, l->key);
	if (e == ERR_LIMIT)
		check_error(c, e, "has more than %zu bytes", part_max(l->key));
	else if (e != OK)
		check_error(
		    c, e, "is no base64; text as it is belongs in stringData");
	else
		check_pem(c, l->key, slice_of(bytes.bytes, bytes.len));
}

static void
check_string(struct check *c, const void *label)
{
	const struct label *l = label;

	check_name(c, l->key);
	if (l->value.len > part_max(l->key))
		check_error(
		    c, ERR_LIMIT, "has more than %zu bytes", part_max(l->key));
	else
		check_pem(c, l->key, l->value);
}

static void
check_parts(struct check *c, const void *message)
{
	const struct tls_secret *s = message;
	struct check data = check_member(c, "data");

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct slice name = slice_str(parts[i].name);
		struct check at = check_entry(&data, name);

		if (parts[i].required &&
		    labels_get(&s->data, name).ptr == NULL &&
		    labels_get(&s->string_data, name).ptr == NULL)
			check_error(&at, ERR_INVALID, "is required");
	}
}

static const struct field tls_secret_fields[] = {
    ROW(tls_secret, "type", type, FIELD_STRING, .flags = FIELD_REQUIRED,
	.doc = "kubernetes.io/tls; a Secret of another type is skipped."),
    ROW(tls_secret, "data", data, FIELD_STRING_MAP, .flags = FIELD_SECRET,
	.check = check_data,
	.doc = "tls.crt and tls.key, perhaps ca.crt and ca.crl, each PEM in "
	       "base64."),
    ROW(tls_secret, "stringData", string_data, FIELD_STRING_MAP,
	.flags = FIELD_SECRET, .check = check_string,
	.doc = "The same as plain text; counts where both have a part."),
    FOREIGN("immutable", "Whether a cluster refuses changes."),
};

const struct message tls_secret_message =
    MESSAGE(tls_secret, "Secret", tls_secret_fields, .check = check_parts,
	.doc = "A certificate and its key; only an admin is shown them.");

const struct resource_kind kind_tls_secret = {
    .group = "",
    .kind = "Secret",
    .plural = "secrets",
    .alias = "sec",
    .versions = (const char *const[]){"v1", NULL},
    .spec = &tls_secret_message,
    .shape = RESOURCE_FLAT,
    .sealed = true,
    .flags = FIELD_INERT,
};
