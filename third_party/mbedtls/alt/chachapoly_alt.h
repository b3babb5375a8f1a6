/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chachapoly_alt — the ChaCha20-Poly1305 context of mbedTLS's hook.
 */
#ifndef MESHD_CHACHAPOLY_ALT_H
#define MESHD_CHACHAPOLY_ALT_H

typedef struct mbedtls_chachapoly_context {
	void *impl; /* EVP_AEAD_CTX on the heap, or NULL before a key is set */
} mbedtls_chachapoly_context;

#endif
