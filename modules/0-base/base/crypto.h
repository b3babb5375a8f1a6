/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto — the primitives, in one corner; no other module calls a library.
 *
 * libsodium for gossip, vouchers, sealing and tokens. (What TLS uses lies
 * behind mbedTLS's hooks in third_party/.) crypto_init() comes first.
 */
#ifndef MESHD_CRYPTO_H
#define MESHD_CRYPTO_H

#include "secret.h"

enum {
	CRYPTO_SIPHASH_KEY_LEN = 16,
	CRYPTO_SHA256_LEN = 32,
	CRYPTO_HMAC_LEN = 32,
	CRYPTO_KEY_LEN = 32,
	CRYPTO_ED25519_PUBLIC_LEN = 32,
	CRYPTO_ED25519_SECRET_LEN = 64,
	CRYPTO_ED25519_SIGNATURE_LEN = 64,
	CRYPTO_AEAD_NONCE_LEN = 12, /* ChaCha20-Poly1305, RFC 8439 */
	CRYPTO_AEAD_TAG_LEN = 16,
	CRYPTO_SEAL_OVERHEAD = 24 + 16 /* XChaCha20-Poly1305 nonce and tag */
};

/* Once, before any other call; ERR_INTERNAL if the system has no entropy. */
MUST_USE enum err crypto_init(void);

void crypto_random(void *out, size_t len);

/* SipHash-2-4 (Aumasson and Bernstein 2012), for tables; needs no init. */
uint64_t crypto_siphash(
    const uint8_t key[CRYPTO_SIPHASH_KEY_LEN], struct slice in);

void crypto_sha256(struct slice in, uint8_t out[CRYPTO_SHA256_LEN]);
/* Of a whole file, from its beginning; blocks on the disk. */
MUST_USE enum err crypto_sha256_file(
    int fd, uint8_t out[CRYPTO_SHA256_LEN], struct fault *why);
void crypto_hmac_sha256(
    struct slice key, struct slice in, uint8_t out[CRYPTO_HMAC_LEN]);

/* A key from a key (HKDF-SHA-256, RFC 5869), bound to `info`. */
void crypto_derive(const uint8_t key[CRYPTO_KEY_LEN], struct slice info,
    uint8_t out[CRYPTO_KEY_LEN]);

void crypto_ed25519_new(uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN],
    uint8_t secret_key[CRYPTO_ED25519_SECRET_LEN]);

/* The key of this seed (RFC 8032 §5.1.5): for simulations and known answers. */
void crypto_ed25519_from_seed(const uint8_t seed[CRYPTO_KEY_LEN],
    uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN],
    uint8_t secret_key[CRYPTO_ED25519_SECRET_LEN]);

void crypto_ed25519_sign(struct slice message,
    const uint8_t secret_key[CRYPTO_ED25519_SECRET_LEN],
    uint8_t out[CRYPTO_ED25519_SIGNATURE_LEN]);
bool crypto_ed25519_verify(struct slice message,
    const uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN],
    const uint8_t signature[CRYPTO_ED25519_SIGNATURE_LEN]);

/* out has in.len + CRYPTO_AEAD_TAG_LEN bytes; a nonce is used once a key. */
void crypto_aead_encrypt(const uint8_t key[CRYPTO_KEY_LEN],
    const uint8_t nonce[CRYPTO_AEAD_NONCE_LEN], struct slice ad,
    struct slice in, uint8_t *out);

/*
 * out has in.len - CRYPTO_AEAD_TAG_LEN bytes; ERR_AUTH on any change, and then
 * out is wiped or untouched.
 */
MUST_USE enum err crypto_aead_decrypt(const uint8_t key[CRYPTO_KEY_LEN],
    const uint8_t nonce[CRYPTO_AEAD_NONCE_LEN], struct slice ad,
    struct slice in, uint8_t *out);

/* At rest: random nonce in front; out has in.len + CRYPTO_SEAL_OVERHEAD. */
void crypto_seal(const uint8_t key[CRYPTO_KEY_LEN], struct slice ad,
    struct slice in, uint8_t *out);
MUST_USE enum err crypto_unseal(const uint8_t key[CRYPTO_KEY_LEN],
    struct slice ad, struct slice in, uint8_t *out);

/*
 * Text forms: base64url without padding (RFC 4648 §5), and hex. Decoding takes
 * only what encoding would make; after ERR_PARSE out holds nothing of use.
 */
size_t crypto_base64url_len(size_t bytes); /* without a zero */
void crypto_base64url(struct slice in, char *out);
MUST_USE enum err crypto_base64url_decode(
    struct slice text, uint8_t *out, size_t out_cap, size_t *out_len);
/* With padding (RFC 4648 §4); no zero. */
#define CRYPTO_BASE64_LEN(bytes) (((bytes) + 2) / 3 * 4)
void crypto_base64(struct slice in, char *out);
/* The same, as PEM has it: line ends are passed over. */
MUST_USE enum err crypto_base64_decode(
    struct slice text, uint8_t *out, size_t out_cap, size_t *out_len);
void crypto_hex(struct slice in, char *out); /* 2 * in.len, no zero */
/* Text for all of `out`, no less and no more. */
MUST_USE enum err crypto_hex_decode(
    struct slice text, uint8_t *out, size_t out_len);

#endif
