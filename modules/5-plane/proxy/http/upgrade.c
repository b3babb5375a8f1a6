/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upgrade — WebSockets between HTTP/1.1 and HTTP/2; see upgrade.h.
 */
#include "http/upgrade.h"

#include "tls/tls.h"

enum {
	NONCE_LEN = 16,
	KEY_LEN = CRYPTO_BASE64_LEN(NONCE_LEN),
	ACCEPT_LEN = CRYPTO_BASE64_LEN(TLS_SHA1_LEN),
	KEY_MAX = 64
};

static const struct slice key_name = {"sec-websocket-key", 17};
static const struct slice accept_name = {"sec-websocket-accept", 20};

bool
upgrade_is_websocket(const struct http_head *h)
{
	return slice_eq_nocase(h->upgrade, S("websocket"));
}

/* RFC 6455 §4.2.2: the key and a text that nobody else would add. */
static enum err
accept_of(struct request *r, struct slice key, struct slice *out)
{
	char text[KEY_MAX + 36];
	uint8_t digest[TLS_SHA1_LEN];
	char accept[ACCEPT_LEN];

	if (key.len > KEY_MAX)
		return ERR_INVALID;
	tls_sha1(
	    slice_join(SLICES(key, S("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")),
		text, sizeof(text)),
	    digest);
	crypto_base64(slice_of(digest, sizeof(digest)), accept);
	return arena_copy(&r->arena, slice_of(accept, sizeof(accept)), out);
}

enum err
upgrade_ask(struct request *r)
{
	uint8_t nonce[NONCE_LEN];
	char key[KEY_LEN];
	struct slice kept;
	enum err e;

	if (r->head->version != HTTP_V2 || !upgrade_is_websocket(r->head))
		return OK;
	for (size_t i = 0; i < NONCE_LEN; i++)
		nonce[i] = (uint8_t)rng_u64(&r->worker->rng);
	crypto_base64(slice_of(nonce, sizeof(nonce)), key);
	e = arena_copy(&r->arena, slice_of(key, sizeof(key)), &kept);
	return e == OK ? http_head_set(r->head, key_name, kept) : e;
}

enum err
upgrade_answer(struct request *r, struct http_head *h)
{
	struct slice key, accept, expected;
	bool has = http_head_get(h, accept_name, &accept);
	enum err e;

	if (!upgrade_is_websocket(r->head) ||
	    !http_head_get(r->head, key_name, &key))
		return OK;
	e = accept_of(r, key, &expected);
	if (e != OK)
		return e;
	if (has && !slice_eq(slice_trim(accept), expected))
		return ERR_PROTOCOL;
	/* A client of HTTP/1.1 looks for it; one of HTTP/2 does not. */
	if (r->head->version == HTTP_V2)
		return http_head_remove(h, accept_name) > 0 ? OK : e;
	return has ? OK : http_head_set(h, accept_name, expected);
}
