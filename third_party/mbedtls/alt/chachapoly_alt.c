/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chachapoly_alt — ChaCha20-Poly1305 by AWS-LC, whole messages only.
 *
 * TLS never uses the multi-part calls; they answer "bad state".
 */
#include "mbedtls/chachapoly.h"

#include <string.h>

#include <openssl/aead.h>

#include "mbedtls/cipher.h"
#include "mbedtls/platform.h"

enum { KEY_LEN = 32, NONCE_LEN = 12, TAG_LEN = 16 };

void
mbedtls_chachapoly_init(mbedtls_chachapoly_context *ctx)
{
	ctx->impl = NULL;
}

void
mbedtls_chachapoly_free(mbedtls_chachapoly_context *ctx)
{
	if (ctx == NULL || ctx->impl == NULL)
		return;
	EVP_AEAD_CTX_cleanup(ctx->impl);
	mbedtls_free(ctx->impl);
	ctx->impl = NULL;
}

int
mbedtls_chachapoly_setkey(
    mbedtls_chachapoly_context *ctx, const unsigned char key[32])
{
	mbedtls_chachapoly_free(ctx);
	ctx->impl = mbedtls_calloc(1, sizeof(EVP_AEAD_CTX));
	if (ctx->impl == NULL)
		return MBEDTLS_ERR_CIPHER_ALLOC_FAILED;
	if (EVP_AEAD_CTX_init(ctx->impl, EVP_aead_chacha20_poly1305(), key,
		KEY_LEN, TAG_LEN, /* engine */ NULL))
		return 0;
	mbedtls_free(ctx->impl);
	ctx->impl = NULL;
	return MBEDTLS_ERR_CHACHAPOLY_BAD_STATE;
}

int
mbedtls_chachapoly_encrypt_and_tag(mbedtls_chachapoly_context *ctx,
    size_t length, const unsigned char nonce[12], const unsigned char *aad,
    size_t aad_len, const unsigned char *input, unsigned char *output,
    unsigned char tag[16])
{
	size_t n;

	if (ctx->impl == NULL ||
	    !EVP_AEAD_CTX_seal_scatter(ctx->impl, output, tag, &n, TAG_LEN,
		nonce, NONCE_LEN, input, length, NULL, 0, aad, aad_len))
		return MBEDTLS_ERR_CHACHAPOLY_BAD_STATE;
	return 0;
}

int
mbedtls_chachapoly_auth_decrypt(mbedtls_chachapoly_context *ctx, size_t length,
    const unsigned char nonce[12], const unsigned char *aad, size_t aad_len,
    const unsigned char tag[16], const unsigned char *input,
    unsigned char *output)
{
	if (ctx->impl == NULL)
		return MBEDTLS_ERR_CHACHAPOLY_BAD_STATE;
	return EVP_AEAD_CTX_open_gather(ctx->impl, output, nonce, NONCE_LEN,
		   input, length, tag, TAG_LEN, aad, aad_len)
		   ? 0
		   : MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED;
}

int
mbedtls_chachapoly_starts(mbedtls_chachapoly_context *ctx,
    const unsigned char nonce[12], mbedtls_chachapoly_mode_t mode)
{
	(void)ctx, (void)nonce, (void)mode;
	return MBEDTLS_ERR_CHACHAPOLY_BAD_STATE;
}

int
mbedtls_chachapoly_update_aad(
    mbedtls_chachapoly_context *ctx, const unsigned char *aad, size_t aad_len)
{
	(void)ctx, (void)aad, (void)aad_len;
	return MBEDTLS_ERR_CHACHAPOLY_BAD_STATE;
}

int
mbedtls_chachapoly_update(mbedtls_chachapoly_context *ctx, size_t len,
    const unsigned char *input, unsigned char *output)
{
	(void)ctx, (void)len, (void)input, (void)output;
	return MBEDTLS_ERR_CHACHAPOLY_BAD_STATE;
}

int
mbedtls_chachapoly_finish(
    mbedtls_chachapoly_context *ctx, unsigned char mac[16])
{
	(void)ctx, (void)mac;
	return MBEDTLS_ERR_CHACHAPOLY_BAD_STATE;
}
