/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcm_alt — the GCM context of mbedTLS's hook: ours, or mbedTLS's own.
 */
#ifndef MESHD_GCM_ALT_H
#define MESHD_GCM_ALT_H

#include <stddef.h>

enum gcm_kind {
	GCM_NONE,
	GCM_FAST, /* impl is an EVP_AEAD_CTX: whole messages only */
	GCM_OWN   /* impl is mbedTLS's own context: everything else */
};

/* mbedTLS names the type; it is the one typedef that we cannot leave out. */
typedef struct mbedtls_gcm_context {
	void *impl; /* heap */
	enum gcm_kind kind;
} mbedtls_gcm_context;

/*
 * Seals `in` with one more byte behind it, as TLS 1.3's records need it, into
 * `out`, which gets len + 1 bytes and a tag of 16 and must not overlap. The
 * nonce has 12 bytes. Not 0: this context cannot, nothing has happened.
 */
int mbedtls_gcm_seal_tail(mbedtls_gcm_context *ctx, const unsigned char *nonce,
    const unsigned char *add, size_t add_len, const unsigned char *in,
    size_t len, unsigned char tail, unsigned char *out);

#endif
