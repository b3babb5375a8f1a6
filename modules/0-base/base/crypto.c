/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto — libsodium behind our own names.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "crypto.h"

enum {
	NONCE_LEN = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG_LEN = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	/* Text is made in pieces that end on a whole group: 3 bytes, 4 chars */
	TEXT_PIECE = 48,
	FILE_PIECE = 16 << 10,
	BASE64_VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING
};

_Static_assert(CRYPTO_SEAL_OVERHEAD == NONCE_LEN + TAG_LEN, "seal overhead");
_Static_assert(
    CRYPTO_AEAD_NONCE_LEN == crypto_aead_chacha20poly1305_ietf_NPUBBYTES,
    "nonce");
_Static_assert(CRYPTO_ED25519_SECRET_LEN == crypto_sign_SECRETKEYBYTES, "key");
_Static_assert(CRYPTO_SIPHASH_KEY_LEN == crypto_shorthash_KEYBYTES, "siphash");

static const uint8_t *
bytes_of(struct slice s)
{
	return (const uint8_t *)s.ptr;
}

/* HMAC over two parts, as HKDF wants it. */
static void
hmac2(struct slice key, struct slice a, struct slice b,
    uint8_t out[CRYPTO_HMAC_LEN])
{
	crypto_auth_hmacsha256_state state;

	/* libsodium's hashes return 0 always. */
	(void)crypto_auth_hmacsha256_init(&state, bytes_of(key), key.len);
	(void)crypto_auth_hmacsha256_update(&state, bytes_of(a), a.len);
	(void)crypto_auth_hmacsha256_update(&state, bytes_of(b), b.len);
	(void)crypto_auth_hmacsha256_final(&state, out);
	secret_wipe(&state, sizeof(state));
}

enum err
crypto_init(void)
{
	return sodium_init() < 0 ? ERR_INTERNAL : OK;
}

void
crypto_random(void *out, size_t len)
{
	randombytes_buf(out, len);
}

uint64_t
crypto_siphash(const uint8_t key[CRYPTO_SIPHASH_KEY_LEN], struct slice in)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t hash;

	(void)crypto_shorthash(out, bytes_of(in), in.len, key); /* always 0 */
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

void
crypto_sha256(struct slice in, uint8_t out[CRYPTO_SHA256_LEN])
{
	(void)crypto_hash_sha256(out, bytes_of(in), in.len); /* always 0 */
}

enum err
crypto_sha256_file(int fd, uint8_t out[CRYPTO_SHA256_LEN], struct fault *why)
{
	crypto_hash_sha256_state state;
	uint8_t piece[FILE_PIECE];
	off_t at = 0;
	ssize_t n;

	(void)crypto_hash_sha256_init(&state); /* these return 0 always */
	while ((n = pread(fd, piece, sizeof(piece), at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_set(why, err_from_errno(errno),
			    "cannot read it: %s", strerror(errno));
		(void)crypto_hash_sha256_update(&state, piece, (size_t)n);
		at += n;
	}
	(void)crypto_hash_sha256_final(&state, out);
	return OK;
}

void
crypto_hmac_sha256(
    struct slice key, struct slice in, uint8_t out[CRYPTO_HMAC_LEN])
{
	hmac2(key, in, SLICE_NONE, out);
}

void
crypto_derive(const uint8_t key[CRYPTO_KEY_LEN], struct slice info,
    uint8_t out[CRYPTO_KEY_LEN])
{
	static const uint8_t no_salt[CRYPTO_HMAC_LEN];
	uint8_t prk[CRYPTO_HMAC_LEN];

	/* RFC 5869 §2.2 and §2.3; one block is all that is needed. */
	hmac2(slice_of(no_salt, sizeof(no_salt)), slice_of(key, CRYPTO_KEY_LEN),
	    SLICE_NONE, prk);
	hmac2(slice_of(prk, sizeof(prk)), info, S("\x01"), out);
	secret_wipe(prk, sizeof(prk));
}

void
crypto_ed25519_new(uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN],
    uint8_t secret_key[CRYPTO_ED25519_SECRET_LEN])
{
	CHECK(crypto_sign_keypair(public_key, secret_key) == 0);
}

void
crypto_ed25519_from_seed(const uint8_t seed[CRYPTO_KEY_LEN],
    uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN],
    uint8_t secret_key[CRYPTO_ED25519_SECRET_LEN])
{
	CHECK(crypto_sign_seed_keypair(public_key, secret_key, seed) == 0);
}

void
crypto_ed25519_sign(struct slice message,
    const uint8_t secret_key[CRYPTO_ED25519_SECRET_LEN],
    uint8_t out[CRYPTO_ED25519_SIGNATURE_LEN])
{
	CHECK(crypto_sign_detached(
		  out, NULL, bytes_of(message), message.len, secret_key) == 0);
}

bool
crypto_ed25519_verify(struct slice message,
    const uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN],
    const uint8_t signature[CRYPTO_ED25519_SIGNATURE_LEN])
{
	return crypto_sign_verify_detached(
		   signature, bytes_of(message), message.len, public_key) == 0;
}

void
crypto_aead_encrypt(const uint8_t key[CRYPTO_KEY_LEN],
    const uint8_t nonce[CRYPTO_AEAD_NONCE_LEN], struct slice ad,
    struct slice in, uint8_t *out)
{
	CHECK(crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, bytes_of(in),
		  in.len, bytes_of(ad), ad.len, NULL, nonce, key) == 0);
}

enum err
crypto_aead_decrypt(const uint8_t key[CRYPTO_KEY_LEN],
    const uint8_t nonce[CRYPTO_AEAD_NONCE_LEN], struct slice ad,
    struct slice in, uint8_t *out)
{
	return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL,
		   bytes_of(in), in.len, bytes_of(ad), ad.len, nonce, key) == 0
		   ? OK
		   : ERR_AUTH;
}

void
crypto_seal(const uint8_t key[CRYPTO_KEY_LEN], struct slice ad, struct slice in,
    uint8_t *out)
{
	crypto_random(out, NONCE_LEN);
	CHECK(crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_LEN, NULL,
		  bytes_of(in), in.len, bytes_of(ad), ad.len, NULL, out,
		  key) == 0);
}

enum err
crypto_unseal(const uint8_t key[CRYPTO_KEY_LEN], struct slice ad,
    struct slice in, uint8_t *out)
{
	const uint8_t *nonce = bytes_of(in);

	if (in.len < CRYPTO_SEAL_OVERHEAD)
		return ERR_AUTH;
	return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL,
		   nonce + NONCE_LEN, in.len - NONCE_LEN, bytes_of(ad), ad.len,
		   nonce, key) == 0
		   ? OK
		   : ERR_AUTH;
}

/* Only the last piece is padded, if the variant pads. */
static void
to_base64(struct slice in, int variant, char *out)
{
	char text[sodium_base64_ENCODED_LEN(
	    TEXT_PIECE, sodium_base64_VARIANT_ORIGINAL)];

	while (in.len > 0) {
		struct slice piece = slice_sub(in, 0, TEXT_PIECE);
		size_t len;

		CHECK(sodium_bin2base64(text, sizeof(text), bytes_of(piece),
			  piece.len, variant) == text);
		len = strlen(text);
		out = (char *)memcpy(out, text, len) + len;
		in = slice_sub(in, piece.len, in.len);
	}
	secret_wipe(text, sizeof(text));
}

void
crypto_base64(struct slice in, char *out)
{
	to_base64(in, sodium_base64_VARIANT_ORIGINAL, out);
}

size_t
crypto_base64url_len(size_t bytes)
{
	return bytes / 3 * 4 + (bytes % 3 > 0 ? bytes % 3 + 1 : 0);
}

void
crypto_base64url(struct slice in, char *out)
{
	to_base64(in, BASE64_VARIANT, out);
}

/*
 * Without a branch on a byte: the text may be a secret. libsodium 1.0.18 takes
 * some bytes from 0x80 on for digits, and passes over zeros as it does over the
 * line ends that it is told of.
 */
static bool
is_ascii(struct slice s)
{
	uint8_t all = 0, zeros = 0;

	for (size_t i = 0; i < s.len; i++) {
		all |= (uint8_t)s.ptr[i];
		zeros |= s.ptr[i] == 0;
	}
	return all < 0x80 && zeros == 0;
}

enum err
crypto_base64url_decode(
    struct slice text, uint8_t *out, size_t out_cap, size_t *out_len)
{
	size_t len = text.len / 4 * 3 + text.len % 4 * 3 / 4;

	if (text.len % 4 == 1 || !is_ascii(text))
		return ERR_PARSE;
	if (len > out_cap)
		return ERR_LIMIT;
	if (text.len > 0 && sodium_base642bin(out, out_cap, text.ptr, text.len,
				NULL, &len, NULL, BASE64_VARIANT) != 0)
		return ERR_PARSE;
	*out_len = len;
	return OK;
}

enum err
crypto_base64_decode(
    struct slice text, uint8_t *out, size_t out_cap, size_t *out_len)
{
	size_t len = 0, digits = 0;

	if (!is_ascii(text))
		return ERR_PARSE;
	for (size_t i = 0; i < text.len; i++)
		digits += text.ptr[i] != '\r' && text.ptr[i] != '\n' &&
			  text.ptr[i] != '=';
	if (digits / 4 * 3 + digits % 4 * 3 / 4 > out_cap)
		return ERR_LIMIT;
	if (text.len > 0 &&
	    sodium_base642bin(out, out_cap, text.ptr, text.len, "\r\n", &len,
		NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return ERR_PARSE;
	*out_len = len;
	return OK;
}

void
crypto_hex(struct slice in, char *out)
{
	char text[TEXT_PIECE * 2 + 1];

	while (in.len > 0) {
		struct slice piece = slice_sub(in, 0, TEXT_PIECE);

		CHECK(sodium_bin2hex(text, sizeof(text), bytes_of(piece),
			  piece.len) == text);
		out = (char *)memcpy(out, text, piece.len * 2) + piece.len * 2;
		in = slice_sub(in, piece.len, in.len);
	}
	secret_wipe(text, sizeof(text));
}

enum err
crypto_hex_decode(struct slice text, uint8_t *out, size_t out_len)
{
	if (text.len / 2 != out_len || text.len % 2 != 0)
		return ERR_PARSE;
	for (size_t i = 0; i < text.len; i++) {
		int digit = slice_hex_digit(text.ptr[i]);

		if (digit < 0 || (text.ptr[i] >= 'A' && text.ptr[i] <= 'F'))
			return ERR_PARSE;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | digit);
	}
	return OK;
}
