/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcm_alt — AES-GCM by AWS-LC behind mbedTLS's MBEDTLS_GCM_ALT.
 *
 * setkey chooses: AES-128 and AES-256 go to AWS-LC, which seals and opens
 * whole messages; a multi-part call on such a key turns its context into one
 * of mbedTLS's own, for which the key is kept beside the schedule.
 */
#include "mbedtls/gcm.h"

#include <string.h>

#include <openssl/aead.h>

#include "gcm_own.h"
#include "mbedtls/error.h"
#include "mbedtls/platform.h"
#include "mbedtls/platform_util.h"

enum { NONCE_LEN = 12, TAG_LEN = 16, KEY_MAX = 32 };

struct fast {
	EVP_AEAD_CTX aead;
	unsigned char key[KEY_MAX];
	unsigned int keybits;
};

void
mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
}

void
mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
	if (ctx == NULL || ctx->impl == NULL)
		return;
	if (ctx->kind == GCM_FAST) {
		struct fast *f = ctx->impl;

		EVP_AEAD_CTX_cleanup(&f->aead);
		mbedtls_platform_zeroize(f, sizeof(*f));
	} else {
		gcm_own_free(ctx->impl);
	}
	mbedtls_free(ctx->impl);
	mbedtls_gcm_init(ctx);
}

static int
set_fast(mbedtls_gcm_context *ctx, const unsigned char *key, unsigned int bits)
{
	const EVP_AEAD *aead =
	    bits == 256 ? EVP_aead_aes_256_gcm() : EVP_aead_aes_128_gcm();
	struct fast *f = mbedtls_calloc(1, sizeof(*f));

	if (f == NULL)
		return MBEDTLS_ERR_CIPHER_ALLOC_FAILED;
	if (!EVP_AEAD_CTX_init(
		&f->aead, aead, key, bits / 8, TAG_LEN, /* engine */ NULL)) {
		mbedtls_free(f);
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	}
	memcpy(f->key, key, bits / 8);
	f->keybits = bits;
	ctx->impl = f;
	ctx->kind = GCM_FAST;
	return 0;
}

static int
set_own(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher,
    const unsigned char *key, unsigned int bits)
{
	ctx->impl = mbedtls_calloc(1, gcm_own_size());
	if (ctx->impl == NULL)
		return MBEDTLS_ERR_CIPHER_ALLOC_FAILED;
	ctx->kind = GCM_OWN;
	gcm_own_init(ctx->impl);
	return gcm_own_setkey(ctx->impl, cipher, key, bits);
}

int
mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher,
    const unsigned char *key, unsigned int keybits)
{
	mbedtls_gcm_free(ctx);
	if (cipher == MBEDTLS_CIPHER_ID_AES &&
	    (keybits == 128 || keybits == 256))
		return set_fast(ctx, key, keybits);
	return set_own(ctx, cipher, key, keybits);
}

/* Makes the context one of mbedTLS's own, with the same key. */
static int
become_own(mbedtls_gcm_context *ctx)
{
	mbedtls_gcm_context own;
	const struct fast *f = ctx->impl;
	int ret;

	if (ctx->kind == GCM_OWN)
		return 0;
	if (ctx->kind != GCM_FAST)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	mbedtls_gcm_init(&own);
	ret = set_own(&own, MBEDTLS_CIPHER_ID_AES, f->key, f->keybits);
	if (ret != 0) {
		mbedtls_gcm_free(&own);
		return ret;
	}
	mbedtls_gcm_free(ctx);
	*ctx = own;
	return 0;
}

static int
is_whole(const mbedtls_gcm_context *ctx, size_t iv_len, size_t tag_len)
{
	return ctx->kind == GCM_FAST && iv_len == NONCE_LEN &&
	       tag_len == TAG_LEN;
}

int
mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add,
    size_t add_len, const unsigned char *input, unsigned char *output,
    size_t tag_len, unsigned char *tag)
{
	struct fast *f = ctx->impl;
	size_t n;
	int ret;

	if (mode == MBEDTLS_GCM_ENCRYPT && is_whole(ctx, iv_len, tag_len))
		return EVP_AEAD_CTX_seal_scatter(&f->aead, output, tag, &n,
			   tag_len, iv, iv_len, input, length, NULL, 0, add,
			   add_len)
			   ? 0
			   : MBEDTLS_ERR_GCM_BAD_INPUT;
	ret = become_own(ctx);
	return ret != 0
		   ? ret
		   : gcm_own_crypt_and_tag(ctx->impl, mode, length, iv, iv_len,
			 add, add_len, input, output, tag_len, tag);
}

int
mbedtls_gcm_seal_tail(mbedtls_gcm_context *ctx, const unsigned char *nonce,
    const unsigned char *add, size_t add_len, const unsigned char *in,
    size_t len, unsigned char tail, unsigned char *out)
{
	struct fast *f = ctx->impl;
	size_t n;

	if (ctx->kind == GCM_FAST &&
	    EVP_AEAD_CTX_seal_scatter(&f->aead, out, out + len, &n, 1 + TAG_LEN,
		nonce, NONCE_LEN, in, len, &tail, 1, add, add_len))
		return 0;
	return MBEDTLS_ERR_GCM_BAD_INPUT;
}

int
mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length,
    const unsigned char *iv, size_t iv_len, const unsigned char *add,
    size_t add_len, const unsigned char *tag, size_t tag_len,
    const unsigned char *input, unsigned char *output)
{
	struct fast *f = ctx->impl;
	int ret;

	if (is_whole(ctx, iv_len, tag_len))
		return EVP_AEAD_CTX_open_gather(&f->aead, output, iv, iv_len,
			   input, length, tag, tag_len, add, add_len)
			   ? 0
			   : MBEDTLS_ERR_GCM_AUTH_FAILED;
	ret = become_own(ctx);
	return ret != 0 ? ret
			: gcm_own_auth_decrypt(ctx->impl, length, iv, iv_len,
			      add, add_len, tag, tag_len, input, output);
}

int
mbedtls_gcm_starts(
    mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
	int ret = become_own(ctx);

	return ret != 0 ? ret : gcm_own_starts(ctx->impl, mode, iv, iv_len);
}

/* The rest follows starts, so the context is mbedTLS's own by then. */
int
mbedtls_gcm_update_ad(
    mbedtls_gcm_context *ctx, const unsigned char *add, size_t add_len)
{
	if (ctx->kind != GCM_OWN)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	return gcm_own_update_ad(ctx->impl, add, add_len);
}

int
mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input,
    size_t input_length, unsigned char *output, size_t output_size,
    size_t *output_length)
{
	if (ctx->kind != GCM_OWN)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	return gcm_own_update(
	    ctx->impl, input, input_length, output, output_size, output_length);
}

int
mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output,
    size_t output_size, size_t *output_length, unsigned char *tag,
    size_t tag_len)
{
	if (ctx->kind != GCM_OWN)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	return gcm_own_finish(
	    ctx->impl, output, output_size, output_length, tag, tag_len);
}
