/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcm — the AEAD hooks against vectors and against mbedTLS's own GCM.
 */
#include "gcm_own.h"
#include "unit.h"

#include <stdlib.h>

#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <psa/crypto.h>

enum { NONCE = 12, TAG = 16, AAD = 5, LEN_MAX = 3000 };

/* The GCM paper's test cases 1, 2, 13 and 14: all zeros. */
static void
seals_zeros(unsigned int bits, size_t len, const char *text, const char *tag)
{
	static const unsigned char zeros[32];
	unsigned char out[16] = {0}, made[TAG];
	mbedtls_gcm_context c;

	mbedtls_gcm_init(&c);
	EXPECT_EQ(
	    mbedtls_gcm_setkey(&c, MBEDTLS_CIPHER_ID_AES, zeros, bits), 0);
	EXPECT_EQ(c.kind, GCM_FAST);
	EXPECT_EQ(mbedtls_gcm_crypt_and_tag(&c, MBEDTLS_GCM_ENCRYPT, len, zeros,
		      NONCE, NULL, 0, zeros, out, TAG, made),
	    0);
	EXPECT_MEM(made, tag, TAG);
	EXPECT_MEM(out, text, len);
	mbedtls_gcm_free(&c);
}

TEST(aes_gcm_agrees_with_known_answers)
{
	seals_zeros(128, 0, "",
	    "\x58\xe2\xfc\xce\xfa\x7e\x30\x61\x36\x7f\x1d\x57\xa4\xe7\x45\x5a");
	seals_zeros(128, 16,
	    "\x03\x88\xda\xce\x60\xb6\xa3\x92\xf3\x28\xc2\xb9\x71\xb2\xfe\x78",
	    "\xab\x6e\x47\xd4\x2c\xec\x13\xbd\xf5\x3a\x67\xb2\x12\x57\xbd\xdf");
	seals_zeros(256, 0, "",
	    "\x53\x0f\x8a\xfb\xc7\x45\x36\xb9\xa9\x63\xb4\xf1\xc4\xcb\x73\x8b");
	seals_zeros(256, 16,
	    "\xce\xa7\x40\x3d\x4d\x60\x6b\x6e\x07\x4e\xc5\xd3\xba\xf3\x9d\x18",
	    "\xd0\xd1\xc8\xa7\x99\x99\x6b\xf0\x26\x5b\x98\xb5\xd4\x8a\xb9\x19");
}

/* One random message under both, and what has to be refused. */
struct message {
	unsigned char key[32], nonce[NONCE], aad[AAD];
	unsigned char plain[LEN_MAX], fast[LEN_MAX], own[LEN_MAX];
	unsigned char fast_tag[TAG], own_tag[TAG];
	size_t len;
};

static void
seal_by_both(struct message *m, mbedtls_gcm_context *c, unsigned int bits)
{
	void *own = calloc(1, gcm_own_size());

	EXPECT_TRUE(own != NULL);
	EXPECT_EQ(psa_generate_random(m->key, sizeof(m->key)), 0);
	EXPECT_EQ(psa_generate_random(m->nonce, sizeof(m->nonce)), 0);
	EXPECT_EQ(psa_generate_random(m->plain, sizeof(m->plain)), 0);
	EXPECT_EQ(
	    mbedtls_gcm_setkey(c, MBEDTLS_CIPHER_ID_AES, m->key, bits), 0);
	gcm_own_init(own);
	EXPECT_EQ(gcm_own_setkey(own, MBEDTLS_CIPHER_ID_AES, m->key, bits), 0);
	/* In place, as TLS records are. */
	memcpy(m->fast, m->plain, m->len);
	EXPECT_EQ(
	    mbedtls_gcm_crypt_and_tag(c, MBEDTLS_GCM_ENCRYPT, m->len, m->nonce,
		NONCE, m->aad, AAD, m->fast, m->fast, TAG, m->fast_tag),
	    0);
	EXPECT_EQ(
	    gcm_own_crypt_and_tag(own, MBEDTLS_GCM_ENCRYPT, m->len, m->nonce,
		NONCE, m->aad, AAD, m->plain, m->own, TAG, m->own_tag),
	    0);
	gcm_own_free(own);
	free(own);
}

TEST(both_seal_alike_and_a_changed_bit_is_refused)
{
	static struct message m;

	EXPECT_EQ(psa_crypto_init(), PSA_SUCCESS);
	for (m.len = 1; m.len < LEN_MAX; m.len = m.len * 2 + 3) {
		mbedtls_gcm_context c;

		mbedtls_gcm_init(&c);
		seal_by_both(&m, &c, m.len % 2 ? 128 : 256);
		EXPECT_MEM(m.fast, m.own, m.len);
		EXPECT_MEM(m.fast_tag, m.own_tag, TAG);
		m.fast_tag[m.len % TAG] ^= 1;
		EXPECT_EQ(mbedtls_gcm_auth_decrypt(&c, m.len, m.nonce, NONCE,
			      m.aad, AAD, m.fast_tag, TAG, m.fast, m.own),
		    MBEDTLS_ERR_GCM_AUTH_FAILED);
		EXPECT_EQ(mbedtls_gcm_auth_decrypt(&c, m.len, m.nonce, NONCE,
			      m.aad, AAD, m.own_tag, TAG, m.fast, m.fast),
		    0);
		EXPECT_MEM(m.fast, m.plain, m.len);
		mbedtls_gcm_free(&c);
	}
}

TEST(a_message_in_parts_falls_back_and_gives_the_same)
{
	static struct message m = {.len = 100};
	unsigned char out[LEN_MAX], tag[TAG];
	mbedtls_gcm_context c;
	size_t a, b, rest;

	EXPECT_EQ(psa_crypto_init(), PSA_SUCCESS);
	mbedtls_gcm_init(&c);
	seal_by_both(&m, &c, 256);
	EXPECT_EQ(
	    mbedtls_gcm_starts(&c, MBEDTLS_GCM_ENCRYPT, m.nonce, NONCE), 0);
	EXPECT_EQ(c.kind, GCM_OWN);
	EXPECT_EQ(mbedtls_gcm_update_ad(&c, m.aad, AAD), 0);
	EXPECT_EQ(mbedtls_gcm_update(&c, m.plain, 48, out, sizeof(out), &a), 0);
	EXPECT_EQ(mbedtls_gcm_update(
		      &c, m.plain + 48, 52, out + a, sizeof(out) - a, &b),
	    0);
	EXPECT_EQ(mbedtls_gcm_finish(
		      &c, out + a + b, sizeof(out) - a - b, &rest, tag, TAG),
	    0);
	EXPECT_EQ(a + b + rest, 100);
	EXPECT_MEM(out, m.fast, 100);
	EXPECT_MEM(tag, m.fast_tag, TAG);
	mbedtls_gcm_free(&c);
}

TEST(aes_192_stays_with_mbedtls)
{
	static const unsigned char zeros[24];
	mbedtls_gcm_context c;

	mbedtls_gcm_init(&c);
	EXPECT_EQ(mbedtls_gcm_setkey(&c, MBEDTLS_CIPHER_ID_AES, zeros, 192), 0);
	EXPECT_EQ(c.kind, GCM_OWN);
	mbedtls_gcm_free(&c);
}

TEST(a_gcm_context_without_a_key_refuses)
{
	unsigned char b[16] = {0}, tag[TAG];
	mbedtls_gcm_context c;

	mbedtls_gcm_init(&c);
	EXPECT_EQ(mbedtls_gcm_crypt_and_tag(&c, MBEDTLS_GCM_ENCRYPT, 16, b,
		      NONCE, NULL, 0, b, b, TAG, tag),
	    MBEDTLS_ERR_GCM_BAD_INPUT);
	mbedtls_gcm_free(&c);
}

/* RFC 8439 §2.8.2 */
TEST(chacha20_poly1305_agrees_with_rfc8439)
{
	static const unsigned char nonce[] =
	    "\x07\x00\x00\x00\x40\x41\x42\x43\x44\x45\x46\x47";
	static const unsigned char aad[] =
	    "\x50\x51\x52\x53\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7";
	static const unsigned char text[] =
	    "Ladies and Gentlemen of the class of '99: If I could offer you "
	    "only one tip for the future, sunscreen would be it.";
	static const unsigned char wanted[] =
	    "\x1a\xe1\x0b\x59\x4f\x09\xe2\x6a\x7e\x90\x2e\xcb\xd0\x60\x06\x91";
	unsigned char key[32], out[sizeof(text)], tag[TAG];
	mbedtls_chachapoly_context c;

	for (int i = 0; i < 32; i++)
		key[i] = (unsigned char)(0x80 + i);
	mbedtls_chachapoly_init(&c);
	EXPECT_EQ(mbedtls_chachapoly_setkey(&c, key), 0);
	EXPECT_EQ(mbedtls_chachapoly_encrypt_and_tag(
		      &c, sizeof(text) - 1, nonce, aad, 12, text, out, tag),
	    0);
	EXPECT_MEM(tag, wanted, TAG);
	EXPECT_EQ(mbedtls_chachapoly_auth_decrypt(
		      &c, sizeof(text) - 1, nonce, aad, 12, tag, out, out),
	    0);
	EXPECT_MEM(out, text, sizeof(text) - 1);
	tag[0] ^= 1;
	EXPECT_EQ(mbedtls_chachapoly_auth_decrypt(
		      &c, sizeof(text) - 1, nonce, aad, 12, tag, out, out),
	    MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED);
	mbedtls_chachapoly_free(&c);
}
