/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcm_own — mbedTLS's gcm.c, compiled once more with its functions renamed.
 *
 * The fast path takes AES-128 and AES-256 on whole messages. This one keeps
 * the rest alive: other keys, other nonce and tag lengths, multi-part use.
 */
#include "mbedtls/build_info.h"

#undef MBEDTLS_GCM_ALT
#define mbedtls_gcm_context gcm_own_context
#define mbedtls_gcm_init gcm_own_ctx_init
#define mbedtls_gcm_free gcm_own_ctx_free
#define mbedtls_gcm_setkey gcm_own_ctx_setkey
#define mbedtls_gcm_starts gcm_own_ctx_starts
#define mbedtls_gcm_update_ad gcm_own_ctx_update_ad
#define mbedtls_gcm_update gcm_own_ctx_update
#define mbedtls_gcm_finish gcm_own_ctx_finish
#define mbedtls_gcm_crypt_and_tag gcm_own_ctx_crypt_and_tag
#define mbedtls_gcm_auth_decrypt gcm_own_ctx_auth_decrypt
#include "gcm.c"

#include "gcm_own.h"

size_t
gcm_own_size(void)
{
	return sizeof(struct gcm_own_context);
}

void
gcm_own_init(void *ctx)
{
	gcm_own_ctx_init(ctx);
}

void
gcm_own_free(void *ctx)
{
	gcm_own_ctx_free(ctx);
}

int
gcm_own_setkey(void *ctx, mbedtls_cipher_id_t cipher, const unsigned char *key,
    unsigned int keybits)
{
	return gcm_own_ctx_setkey(ctx, cipher, key, keybits);
}

int
gcm_own_starts(void *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
	return gcm_own_ctx_starts(ctx, mode, iv, iv_len);
}

int
gcm_own_update_ad(void *ctx, const unsigned char *ad, size_t ad_len)
{
	return gcm_own_ctx_update_ad(ctx, ad, ad_len);
}

int
gcm_own_update(void *ctx, const unsigned char *in, size_t in_len,
    unsigned char *out, size_t out_size, size_t *out_len)
{
	return gcm_own_ctx_update(ctx, in, in_len, out, out_size, out_len);
}

int
gcm_own_finish(void *ctx, unsigned char *out, size_t out_size, size_t *out_len,
    unsigned char *tag, size_t tag_len)
{
	return gcm_own_ctx_finish(ctx, out, out_size, out_len, tag, tag_len);
}

int
gcm_own_crypt_and_tag(void *ctx, int mode, size_t len, const unsigned char *iv,
    size_t iv_len, const unsigned char *ad, size_t ad_len,
    const unsigned char *in, unsigned char *out, size_t tag_len,
    unsigned char *tag)
{
	return gcm_own_ctx_crypt_and_tag(
	    ctx, mode, len, iv, iv_len, ad, ad_len, in, out, tag_len, tag);
}

int
gcm_own_auth_decrypt(void *ctx, size_t len, const unsigned char *iv,
    size_t iv_len, const unsigned char *ad, size_t ad_len,
    const unsigned char *tag, size_t tag_len, const unsigned char *in,
    unsigned char *out)
{
	return gcm_own_ctx_auth_decrypt(
	    ctx, len, iv, iv_len, ad, ad_len, tag, tag_len, in, out);
}
