/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcm_own — mbedTLS's own GCM under other names, beside the hook.
 *
 * The contexts are opaque; gcm_own_size() says how much memory one takes. The
 * functions are those of mbedtls/gcm.h.
 */
#ifndef MESHD_GCM_OWN_H
#define MESHD_GCM_OWN_H

#include <stddef.h>

#include "mbedtls/cipher.h"

size_t gcm_own_size(void);
void gcm_own_init(void *ctx);
void gcm_own_free(void *ctx);
int gcm_own_setkey(void *ctx, mbedtls_cipher_id_t cipher,
    const unsigned char *key, unsigned int keybits);
int gcm_own_starts(void *ctx, int mode, const unsigned char *iv, size_t iv_len);
int gcm_own_update_ad(void *ctx, const unsigned char *ad, size_t ad_len);
int gcm_own_update(void *ctx, const unsigned char *in, size_t in_len,
    unsigned char *out, size_t out_size, size_t *out_len);
int gcm_own_finish(void *ctx, unsigned char *out, size_t out_size,
    size_t *out_len, unsigned char *tag, size_t tag_len);
int gcm_own_crypt_and_tag(void *ctx, int mode, size_t len,
    const unsigned char *iv, size_t iv_len, const unsigned char *ad,
    size_t ad_len, const unsigned char *in, unsigned char *out, size_t tag_len,
    unsigned char *tag);
int gcm_own_auth_decrypt(void *ctx, size_t len, const unsigned char *iv,
    size_t iv_len, const unsigned char *ad, size_t ad_len,
    const unsigned char *tag, size_t tag_len, const unsigned char *in,
    unsigned char *out);

#endif
