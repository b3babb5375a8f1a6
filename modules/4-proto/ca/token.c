/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token — the one line that an operator carries to a new machine, or keeps.
 *
 *	"mj1." or "mo1.", and base64url of
 *	u16 length of all that follows
 *	u8 servers, each u8 length and text    u8 length and trust domain
 *	32 B pin of the root's key             8 B id    16 B secret
 *	4 B of SHA-256 over all before: a mistyped letter is found here
 */
#include <stdio.h>

#include "ca.h"

enum { CHECKSUM_LEN = 4, LENGTH_LEN = 2, TOKEN_BYTES_MAX = 3000 };

/* By kind. They differ in what the key of the secret is bound to as well. */
enum { PREFIX_LEN = 4, LABEL_MAX = 32 };
static const struct kind {
	const char *prefix;
	const char *label;
	const char *words; /* when one of the other kind was wanted */
} kinds[] = {
    [CA_TOKEN_JOIN] = {"mj1.", "meshd join token 1 ",
	"this is a token for joining; commands take one that begins with "
	"\"mo1.\", from: meshd token create --role ROLE"},
    [CA_TOKEN_OPERATOR] = {"mo1.", "meshd operator token 1 ",
	"this is an operator's token; a machine joins by one that begins with "
	"\"mj1.\", from: meshd token create"},
};

void
ca_token_fini(struct ca_token *t)
{
	secret_wipe(t, sizeof(*t));
}

/* --- writing --- */

static enum err
add_text(struct buf *b, const char *text)
{
	size_t len = strlen(text);
	enum err e = buf_add_byte(b, (uint8_t)len);

	return len > UINT8_MAX ? ERR_LIMIT
	       : e == OK       ? buf_add(b, text, len)
			       : e;
}

static enum err
add_body(struct buf *b, const struct ca_token *t)
{
	enum err e = buf_add_byte(b, (uint8_t)t->server_count);

	for (size_t i = 0; e == OK && i < t->server_count; i++)
		e = add_text(b, t->servers[i]);
	if (e == OK)
		e = add_text(b, t->trust_domain);
	if (e == OK)
		e = buf_add(b, t->root_pin.bytes, TLS_PIN_LEN);
	if (e == OK)
		e = buf_add(b, t->id, CA_TOKEN_ID_LEN);
	if (e == OK)
		e = buf_add(b, t->secret, CA_TOKEN_SECRET_LEN);
	return e;
}

static enum err
add_all(struct buf *all, const struct ca_token *t)
{
	AUTO(buf_fini) struct buf body = BUF_SECRET(TOKEN_BYTES_MAX);
	uint8_t hash[CRYPTO_SHA256_LEN];
	enum err e = add_body(&body, t);

	if (e == OK)
		e = buf_add_u16(all, (uint16_t)(buf_len(&body) + CHECKSUM_LEN));
	if (e == OK)
		e = buf_add_slice(all, buf_slice(&body));
	if (e == OK) {
		crypto_sha256(buf_slice(all), hash);
		e = buf_add(all, hash, CHECKSUM_LEN);
	}
	return e;
}

enum err
ca_token_format(const struct ca_token *t, struct secret *out, struct fault *why)
{
	AUTO(buf_fini) struct buf all = BUF_SECRET(TOKEN_BYTES_MAX);
	enum err e = OK;

	if (t->server_count == 0 || t->server_count > CA_TOKEN_SERVERS_MAX)
		e = fault_set(why, ERR_INVALID, "a token names 1 to %d servers",
		    CA_TOKEN_SERVERS_MAX);
	else if (add_all(&all, t) != OK)
		e = fault_set(why, ERR_LIMIT,
		    "the servers' names are too long for a token");
	if (e == OK) {
		secret_init(
		    out, PREFIX_LEN + crypto_base64url_len(buf_len(&all)));
		memcpy(out->bytes, kinds[t->kind].prefix, PREFIX_LEN);
		crypto_base64url(
		    buf_slice(&all), (char *)out->bytes + PREFIX_LEN);
	}
	return e;
}

/* --- reading --- */

static struct slice
trim(struct slice s)
{
	static const char white[] = " \t\r\n";

	while (s.len > 0 && memchr(white, s.ptr[0], 4) != NULL)
		s = slice_sub(s, 1, s.len);
	while (s.len > 0 && memchr(white, s.ptr[s.len - 1], 4) != NULL)
		s.len--;
	return s;
}

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static enum err
check_prefix(struct slice text, enum ca_token_kind kind, struct fault *why)
{
	const struct kind *other = &kinds[kind == CA_TOKEN_JOIN];
	struct slice prefix = slice_str(kinds[kind].prefix);
	struct slice rest = slice_sub(text, 2, text.len);
	struct slice number = slice_split(&rest, '.');
	uint64_t version;

	if (text.len == 0)
		return fault_set(why, ERR_PARSE, "the token is empty");
	if (slice_starts(text, prefix))
		return OK;
	if (slice_starts(text, slice_str(other->prefix)))
		return fault_set(why, ERR_INVALID, "%s", other->words);
	if (!slice_starts(text, slice_sub(prefix, 0, 2)) ||
	    slice_to_u64(number, &version) != OK)
		return fault_set(why, ERR_PARSE,
		    "this is no token: one begins with \"%s\"",
		    kinds[kind].prefix);
	return fault_set(why, ERR_UNSUPPORTED,
	    "the token is of version %llu, this program knows version 1: "
	    "install the release that the server has",
	    (unsigned long long)version);
}

/* The words name no part of the token: it is a secret. */
static enum err
check_letters(struct slice body, struct fault *why)
{
	for (size_t i = 0; i < body.len; i++) {
		char c = body.ptr[i];

		if (is_letter(c))
			continue;
		if (memchr(" \t\r\n", c, 4) != NULL)
			return fault_set(why, ERR_PARSE,
			    "the token has white space inside, at character "
			    "%zu: it was broken when it was copied",
			    PREFIX_LEN + i + 1);
		return fault_set(why, ERR_PARSE,
		    "character %zu of the token is none that a token has",
		    PREFIX_LEN + i + 1);
	}
	return OK;
}

static enum err
check_whole(struct slice all, struct fault *why)
{
	uint8_t hash[CRYPTO_SHA256_LEN];
	size_t wanted = LENGTH_LEN;

	if (all.len >= LENGTH_LEN)
		wanted +=
		    ((size_t)(uint8_t)all.ptr[0] << 8) + (uint8_t)all.ptr[1];
	if (all.len < LENGTH_LEN || all.len < wanted)
		return fault_set(why, ERR_PARSE,
		    "the token is cut short: copy it to its last character");
	if (all.len > wanted || wanted < LENGTH_LEN + CHECKSUM_LEN)
		return fault_set(
		    why, ERR_PARSE, "the token has something behind its end");
	crypto_sha256(slice_sub(all, 0, all.len - CHECKSUM_LEN), hash);
	if (memcmp(hash, all.ptr + all.len - CHECKSUM_LEN, CHECKSUM_LEN) != 0)
		return fault_set(why, ERR_PARSE,
		    "a character of the token is wrong (its checksum does not "
		    "match): copy it again");
	return OK;
}

static void
read_text(struct reader *r, char *out, size_t out_len)
{
	struct slice text = reader_bytes(r, reader_u8(r));

	if (text.len == 0 || memchr(text.ptr, '\0', text.len) != NULL ||
	    slice_to_cstr(text, out, out_len) != OK)
		r->failed = true;
}

static void
read_bytes(struct reader *r, void *out, size_t len)
{
	struct slice bytes = reader_bytes(r, len);

	if (bytes.len == len)
		memcpy(out, bytes.ptr, len);
}

static enum err
read_body(struct slice all, struct ca_token *out, struct fault *why)
{
	struct reader r = READER(
	    slice_sub(all, LENGTH_LEN, all.len - LENGTH_LEN - CHECKSUM_LEN));

	out->server_count = reader_u8(&r);
	if (out->server_count == 0 || out->server_count > CA_TOKEN_SERVERS_MAX)
		r.failed = true;
	for (size_t i = 0; !r.failed && i < out->server_count; i++)
		read_text(&r, out->servers[i], CA_TOKEN_SERVER_LEN);
	read_text(&r, out->trust_domain, sizeof(out->trust_domain));
	read_bytes(&r, out->root_pin.bytes, TLS_PIN_LEN);
	read_bytes(&r, out->id, CA_TOKEN_ID_LEN);
	read_bytes(&r, out->secret, CA_TOKEN_SECRET_LEN);
	if (reader_done(&r) != OK ||
	    name_check_trust_domain(slice_str(out->trust_domain), NULL) != OK)
		return fault_set(why, ERR_PARSE,
		    "the token is whole, but what it says makes no sense");
	return OK;
}

enum err
ca_token_parse(struct slice text, enum ca_token_kind kind, struct ca_token *out,
    struct fault *why)
{
	AUTO(secret_fini) struct secret room = {NULL, 0};
	AUTO(ca_token_fini) struct ca_token got = {.kind = kind};
	struct slice body, all;
	size_t len = 0;
	enum err e;

	text = trim(text);
	e = check_prefix(text, kind, why);
	if (e != OK)
		return e;
	body = slice_sub(text, PREFIX_LEN, text.len);
	e = check_letters(body, why);
	if (e != OK)
		return e;
	secret_init(&room, TOKEN_BYTES_MAX);
	e = crypto_base64url_decode(body, room.bytes, room.len, &len);
	if (e == ERR_LIMIT)
		return fault_set(why, ERR_LIMIT, "the token is too long");
	all = slice_of(room.bytes, len);
	e = e != OK
		? fault_set(why, ERR_PARSE,
		      "the token is cut short or a character of it is wrong")
		: check_whole(all, why);
	if (e == OK)
		e = read_body(all, &got, why);
	if (e == OK)
		*out = got;
	return e;
}

/* --- its parts --- */

char *
ca_token_id_format(
    const uint8_t id[CA_TOKEN_ID_LEN], char out[CA_TOKEN_ID_TEXT])
{
	crypto_hex(slice_of(id, CA_TOKEN_ID_LEN), out);
	out[CA_TOKEN_ID_TEXT - 1] = '\0';
	return out;
}

enum err
ca_token_id_parse(struct slice text, uint8_t out[CA_TOKEN_ID_LEN])
{
	uint8_t id[CA_TOKEN_ID_LEN];
	enum err e = crypto_hex_decode(text, id, sizeof(id));

	if (e == OK)
		memcpy(out, id, sizeof(id));
	return e;
}

void
ca_token_key(const struct ca_token *t, uint8_t out[CRYPTO_KEY_LEN])
{
	struct slice words = slice_str(kinds[t->kind].label);
	uint8_t label[LABEL_MAX];
	size_t at = words.len;

	/* The id is bound in, so that a secret is good for its token alone. */
	CHECK(at + CA_TOKEN_ID_LEN <= sizeof(label));
	memcpy(label, words.ptr, at);
	memcpy(label + at, t->id, CA_TOKEN_ID_LEN);
	crypto_hmac_sha256(slice_of(t->secret, CA_TOKEN_SECRET_LEN),
	    slice_of(label, at + CA_TOKEN_ID_LEN), out);
}

void
ca_join_proof(const uint8_t key[CRYPTO_KEY_LEN],
    const uint8_t csr_sha256[CRYPTO_SHA256_LEN],
    const uint8_t gossip_key[CRYPTO_ED25519_PUBLIC_LEN],
    uint8_t out[CRYPTO_HMAC_LEN])
{
	uint8_t message[CRYPTO_SHA256_LEN + CRYPTO_ED25519_PUBLIC_LEN];

	memcpy(message, csr_sha256, CRYPTO_SHA256_LEN);
	memcpy(
	    message + CRYPTO_SHA256_LEN, gossip_key, CRYPTO_ED25519_PUBLIC_LEN);
	crypto_hmac_sha256(slice_of(key, CRYPTO_KEY_LEN),
	    slice_of(message, sizeof(message)), out);
}
