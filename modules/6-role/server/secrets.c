/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets — Secrets at rest, and whether they hold what they say.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "tls/tls.h"

#include "cache.h"
#include "secrets.h"

#include <stdarg.h>
#include <stdio.h>

/* --- at rest -------------------------------------------------------------- */

static const struct slice head = {"{\"sealed\":\"", 11};
static const struct slice tail = {"\"}", 2};

enum { BLOB_MAX = LIMIT_RESOURCE_BYTES + CRYPTO_SEAL_OVERHEAD };

enum err
secrets_seal(const struct store *store, const struct resource_key *key,
    struct slice body, struct buf *out)
{
	AUTO(buf_fini) struct buf blob = BUF(BLOB_MAX);
	char name[CACHE_KEY_MAX];
	char *room;
	size_t len;
	enum err e = store_seal(store, cache_key_text(key, name), body, &blob);

	len = crypto_base64url_len(buf_slice(&blob).len);
	if (e == OK)
		e = buf_add_slice(out, head);
	if (e == OK)
		e = buf_reserve(out, len, &room);
	if (e != OK)
		return e;
	crypto_base64url(buf_slice(&blob), room);
	buf_commit(out, len);
	return buf_add_slice(out, tail);
}

bool
secrets_are_in(const struct store_resource *row)
{
	return slice_starts(row->body, head) && slice_ends(row->body, tail);
}

static enum err
unseal(const struct store *store, const struct store_resource *row,
    struct secret *out, struct fault *why)
{
	const struct resource_key key = {
	    row->group, row->kind, row->ns, row->name};
	AUTO(secret_fini) struct secret blob = {0};
	char name[CACHE_KEY_MAX];
	struct slice text = slice_sub(row->body, head.len, row->body.len);
	size_t len = 0;
	enum err e;

	text.len -= tail.len;
	secret_init(&blob, text.len);
	e = crypto_base64url_decode(text, blob.bytes, blob.len, &len);
	if (e == OK)
		e = store_unseal(store, cache_key_text(&key, name),
		    slice_of(blob.bytes, len), out);
	if (e != OK)
		return fault_set(why, ERR_AUTH,
		    "its secret was not sealed here, or is damaged");
	return OK;
}

enum err
secrets_body(const struct store *store, const struct store_resource *row,
    struct secret *opened, struct slice *out, struct fault *why)
{
	enum err e;

	*out = row->body;
	if (!secrets_are_in(row))
		return OK;
	e = unseal(store, row, opened, why);
	*out = slice_of(opened->bytes, opened->len);
	return e;
}

/* --- what they hold ------------------------------------------------------- */

/* A part that is being looked at. */
struct look {
	const struct tls_secret *secret;
	struct findings *found;
	bool wrong;
};

static void PRINTF_LIKE(4, 5)
    say(struct look *l, const char *part, enum err code, const char *fmt, ...)
{
	bool plain =
	    labels_get(&l->secret->string_data, slice_str(part)).ptr != NULL;
	struct fault why = {0};
	char text[FAULT_TEXT_MAX], field[FAULT_FIELD_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* may be cut */
	va_end(ap);
	(void)fault_set(&why, code, "%s", text); /* the code is in it */
	(void)snprintf(field, sizeof(field), "%s[\"%s\"]",
	    plain ? "stringData" : "data", part);
	fault_in(&why, field);
	l->wrong = l->wrong || code != OK;
	faults_add(code != OK ? &l->found->errors : &l->found->warnings, &why);
}

/* NULL, and it was said, if it is none. */
static struct tls_chain *
read_chain(struct look *l, const char *part)
{
	AUTO(secret_fini) struct secret pem = {0};
	struct tls_chain *chain = NULL;
	struct fault why = {0};

	if (!tls_secret_part(l->secret, slice_str(part), &pem))
		return NULL;
	if (tls_chain_parse(slice_of(pem.bytes, pem.len), &chain, &why) != OK)
		say(l, part, ERR_INVALID, "%s", why.text);
	return chain;
}

static void
look_at_life(struct look *l, const struct tls_cert_info *info, int64_t now_ms)
{
	static const int64_t soon_ms = INT64_C(30) * 24 * 3600 * 1000;
	char when[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(info->not_before_ms > now_ms ? info->not_before_ms
							  : info->not_after_ms,
	    when);
	if (info->not_before_ms > now_ms)
		say(l, "tls.crt", OK, "is not valid before %s", when);
	else if (info->not_after_ms <= now_ms)
		say(l, "tls.crt", OK, "expired at %s", when);
	else if (info->not_after_ms - now_ms < soon_ms)
		say(l, "tls.crt", OK, "expires soon, at %s", when);
}

/* An RSA key may be kept, but no stream of ours can use it. */
static void
look_at_key(struct look *l, const struct tls_chain *chain)
{
	AUTO(secret_fini) struct secret pem = {0};
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	struct fault why = {0};
	struct slice text;
	enum err e;

	if (!tls_secret_part(l->secret, S("tls.key"), &pem))
		return;
	text = slice_of(pem.bytes, pem.len);
	e = chain != NULL ? tls_key_fits(text, chain, &why) : OK;
	if (e == OK)
		e = tls_key_parse(text, &key, &why);
	if (e != OK)
		say(l, "tls.key", e == ERR_UNSUPPORTED ? OK : ERR_INVALID, "%s",
		    why.text);
}

enum err
secrets_check(
    const struct tls_secret *s, int64_t now_ms, struct findings *found)
{
	struct look l = {.secret = s, .found = found};
	AUTO(tls_chain_unref)
	struct tls_chain *chain = read_chain(&l, "tls.crt");
	AUTO(tls_chain_unref) struct tls_chain *ca = read_chain(&l, "ca.crt");
	struct tls_cert_info info;

	(void)ca; /* that it is one is all that was asked */
	if (chain != NULL) {
		tls_cert_inspect(chain, 0, &info);
		look_at_life(&l, &info, now_ms);
	}
	look_at_key(&l, chain);
	return l.wrong ? ERR_INVALID : OK;
}
