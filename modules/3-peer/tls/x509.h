/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x509 — what the files of this module share about keys and certificates.
 *
 * Here the library's types show; outside this folder they do not.
 */
#ifndef MESHD_TLS_X509_H
#define MESHD_TLS_X509_H

#include <stdatomic.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "tls.h"

struct tls_key {
	atomic_uint refs;
	mbedtls_pk_context pk;
	uint8_t spki[TLS_SPKI_MAX];
	size_t spki_len;
};

struct tls_chain {
	atomic_uint refs;
	size_t count;
	mbedtls_x509_crt first; /* the others hang on its `next` */
};

struct tls_identity {
	atomic_uint refs;
	struct tls_chain *chain;
	struct tls_key *key;
	struct tls_cert_info info;
};

/* The shape of the library's call-back for random bytes. */
int x509_random(void *unused, unsigned char *out, size_t len);

/* Puts "doing: words (code)" into why; ERR_NO_MEMORY or `otherwise`. */
enum err x509_fault(
    struct fault *why, enum err otherwise, int code, const char *doing);

/* Words for a code of the library; never NULL. */
const char *x509_words(int code);

/* True for P-256 and P-384. */
bool x509_curve_is_ours(const mbedtls_pk_context *pk);

/* The hash that fits the key's curve. */
mbedtls_md_type_t x509_hash_for(const mbedtls_pk_context *pk);

/* DER out of PEM of that label, or the bytes as they are; `out` is appended. */
MUST_USE enum err x509_unwrap(
    struct slice text, const char *label, struct buf *out, struct fault *why);

/* Appends PEM. */
MUST_USE enum err x509_wrap(
    struct slice der, const char *label, struct buf *out);

/* The index-th certificate; NULL behind the last. */
mbedtls_x509_crt *x509_at(const struct tls_chain *c, size_t index);

/* An empty chain of one reference; x509_append() adds. */
struct tls_chain *x509_chain_new(void);
MUST_USE enum err x509_append(
    struct tls_chain *c, struct slice der, struct fault *why);

/* Unix time in ms of a certificate's time. */
int64_t x509_time_ms(const mbedtls_x509_time *t);

/* Fills `out` from one certificate. */
void x509_inspect(const mbedtls_x509_crt *crt, struct tls_cert_info *out);

/* SHA-256 of a DER SubjectPublicKeyInfo. */
void x509_pin(struct slice spki, struct tls_pin *out);

/*
 * The URI SANs of a list: the first is copied with a zero (ERR_LIMIT if it is
 * too long or has bytes outside printable ASCII), all are counted.
 */
MUST_USE enum err x509_uris(const mbedtls_x509_sequence *sans,
    char out_first[NAME_SPIFFE_MAX + 1], unsigned *out_count);

/* The common name of a subject; ERR_NOT_FOUND, ERR_LIMIT, ERR_INVALID. */
MUST_USE enum err x509_common_name(
    const mbedtls_x509_name *subject, char out[TLS_NAME_MAX + 1]);

/* "CN=…" with RFC 4514's escapes; ERR_INVALID for what a name may not be. */
enum { X509_DN_MAX = 3 + 2 * TLS_NAME_MAX + 1 };
MUST_USE enum err x509_dn(
    struct slice common_name, char out[X509_DN_MAX], struct fault *why);

#endif
