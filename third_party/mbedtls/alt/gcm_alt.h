/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcm_alt — the GCM context of mbedTLS's hook: ours, or mbedTLS's own.
 */
#ifndef MESHD_GCM_ALT_H
#define MESHD_GCM_ALT_H

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

#endif
