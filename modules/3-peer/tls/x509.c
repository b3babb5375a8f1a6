/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x509 — small things that keys, requests and certificates have in common.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <mbedtls/asn1.h>
#include <mbedtls/base64.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509.h>
#include <psa/crypto.h>

#include "x509.h"

/* X(code, words): what people meet; the rest is named by its number */
#define WORDS_TABLE(X)                                                         \
	X(MBEDTLS_ERR_SSL_ALLOC_FAILED, "out of memory")                       \
	X(MBEDTLS_ERR_X509_ALLOC_FAILED, "out of memory")                      \
	X(MBEDTLS_ERR_PK_ALLOC_FAILED, "out of memory")                        \
	X(MBEDTLS_ERR_PEM_NO_HEADER_FOOTER_PRESENT, "it is not PEM")           \
	X(MBEDTLS_ERR_PEM_INVALID_DATA, "the PEM text is damaged")             \
	X(MBEDTLS_ERR_PEM_PASSWORD_REQUIRED, "it is encrypted")                \
	X(MBEDTLS_ERR_PK_PASSWORD_REQUIRED, "it is encrypted")                 \
	X(MBEDTLS_ERR_PK_KEY_INVALID_FORMAT, "it is not a private key")        \
	X(MBEDTLS_ERR_PK_UNKNOWN_PK_ALG, "the kind of key is not known")       \
	X(MBEDTLS_ERR_X509_INVALID_FORMAT, "it is not well formed")            \
	X(MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG,                                    \
	    "the signature algorithm is not supported")                        \
	X(MBEDTLS_ERR_X509_CERT_UNKNOWN_FORMAT, "it is not a certificate")     \
	X(MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL,                             \
	    "no application protocol (ALPN) in common")                        \
	X(MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE,                               \
	    "the client showed no certificate")                                \
	X(MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION,                                \
	    "the peer does not speak TLS 1.3")                                 \
	X(MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE,                                   \
	    "no cipher suite, group or signature scheme in common")            \
	X(MBEDTLS_ERR_SSL_INVALID_MAC, "a record was tampered with")           \
	X(MBEDTLS_ERR_SSL_INVALID_RECORD, "what came is no TLS record")        \
	X(MBEDTLS_ERR_SSL_DECODE_ERROR, "a message is malformed")              \
	X(MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER,                                   \
	    "a message has a value that is not allowed")                       \
	X(MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, "a message came out of turn")    \
	X(MBEDTLS_ERR_SSL_BAD_CERTIFICATE,                                     \
	    "the peer's certificate is not usable")                            \
	X(MBEDTLS_ERR_SSL_COUNTER_WRAPPING,                                    \
	    "the connection has sent all it may under one key")

const char *
x509_words(int code)
{
#define X(number, words)                                                       \
	if (code == (number))                                                  \
		return words;
	WORDS_TABLE(X)
#undef X
	/* A parser's code is a high part and a low one. */
	if (-code > 0xfff)
		return (-code & 0x7f) != 0
			   ? x509_words(-(-code & 0xff80))
			   : "the library gives no words for it";
	return "it is malformed";
}

enum err
x509_fault(struct fault *why, enum err otherwise, int code, const char *doing)
{
	if (code == MBEDTLS_ERR_X509_ALLOC_FAILED ||
	    code == MBEDTLS_ERR_PK_ALLOC_FAILED ||
	    code == MBEDTLS_ERR_SSL_ALLOC_FAILED)
		otherwise = ERR_NO_MEMORY;
	return fault_set(why, otherwise, "%s: %s (code -0x%04x)", doing,
	    x509_words(code), (unsigned)-code);
}

int
x509_random(void *unused, unsigned char *out, size_t len)
{
	(void)unused;
	crypto_random(out, len);
	return 0;
}

enum err
tls_init(void)
{
	/* TLS 1.3's key schedule goes through PSA. */
	return psa_crypto_init() == PSA_SUCCESS ? OK : ERR_INTERNAL;
}

bool
tls_pin_eq(const struct tls_pin *a, const struct tls_pin *b)
{
	return memcmp(a->bytes, b->bytes, TLS_PIN_LEN) == 0;
}

void
x509_pin(struct slice spki, struct tls_pin *out)
{
	crypto_sha256(spki, out->bytes);
}

bool
x509_curve_is_ours(const mbedtls_pk_context *pk)
{
	mbedtls_ecp_group_id curve;

	if (!mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA))
		return false;
	curve = mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*pk));
	return curve == MBEDTLS_ECP_DP_SECP256R1 ||
	       curve == MBEDTLS_ECP_DP_SECP384R1;
}

mbedtls_md_type_t
x509_hash_for(const mbedtls_pk_context *pk)
{
	return mbedtls_pk_get_bitlen(pk) > 256 ? MBEDTLS_MD_SHA384
					       : MBEDTLS_MD_SHA256;
}

static void
wipe_free(char **text)
{
	if (*text != NULL)
		secret_wipe(*text, strlen(*text));
	mem_free(text);
}

static enum err
unwrap_pem(
    struct slice text, const char *label, struct buf *out, struct fault *why)
{
	char head[64], foot[64];
	mbedtls_pem_context pem;
	size_t used, len = 0;
	const unsigned char *der;
	/* The library wants a zero at the end. */
	AUTO(wipe_free) char *copy = mem_strndup(text.ptr, text.len);
	int code;
	enum err e;

	snprintf(head, sizeof(head), "-----BEGIN %s-----", label);
	snprintf(foot, sizeof(foot), "-----END %s-----", label);
	mbedtls_pem_init(&pem);
	code = mbedtls_pem_read_buffer(
	    &pem, head, foot, (const unsigned char *)copy, NULL, 0, &used);
	if (code != 0) {
		mbedtls_pem_free(&pem);
		return x509_fault(why, ERR_PARSE, code, label);
	}
	der = mbedtls_pem_get_buffer(&pem, &len);
	e = buf_add(out, der, len);
	mbedtls_pem_free(&pem);
	return e;
}

enum err
x509_unwrap(
    struct slice text, const char *label, struct buf *out, struct fault *why)
{
	if (text.len > 0 && (uint8_t)text.ptr[0] == 0x30) /* a DER sequence */
		return buf_add_slice(out, text);
	return unwrap_pem(text, label, out, why);
}

enum { PEM_LINE = 64 }; /* RFC 7468 §2 */

enum err
x509_wrap(struct slice der, const char *label, struct buf *out)
{
	size_t len = (der.len + 2) / 3 * 4 + 1, used;
	AUTO(mem_free) char *text = mem_new(len);
	struct slice rest;

	if (mbedtls_base64_encode((unsigned char *)text, len, &used,
		(const unsigned char *)der.ptr, der.len) != 0)
		return ERR_INTERNAL;
	if (buf_printf(out, "-----BEGIN %s-----\n", label) != OK)
		return ERR_LIMIT;
	for (rest = slice_of(text, used); rest.len > 0;
	     rest = slice_sub(rest, PEM_LINE, rest.len)) {
		struct slice line = slice_sub(rest, 0, PEM_LINE);

		if (buf_printf(out, "%.*s\n", SLICE_ARG(line)) != OK)
			return ERR_LIMIT;
	}
	secret_wipe(text, len);
	return buf_printf(out, "-----END %s-----\n", label);
}

int64_t
x509_time_ms(const mbedtls_x509_time *t)
{
	struct tm tm = {.tm_year = t->year - 1900,
	    .tm_mon = t->mon - 1,
	    .tm_mday = t->day,
	    .tm_hour = t->hour,
	    .tm_min = t->min,
	    .tm_sec = t->sec};

	return (int64_t)timegm(&tm) * 1000;
}

static bool
is_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
			return false;
	return true;
}

enum err
x509_uris(const mbedtls_x509_sequence *sans,
    char out_first[NAME_SPIFFE_MAX + 1], unsigned *out_count)
{
	unsigned count = 0;

	out_first[0] = '\0';
	for (; sans != NULL && sans->buf.p != NULL; sans = sans->next) {
		struct slice uri = slice_of(sans->buf.p, sans->buf.len);

		/* RFC 5280 §4.2.1.6: [6] is a URI */
		if (sans->buf.tag !=
		    (MBEDTLS_ASN1_CONTEXT_SPECIFIC |
			MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER))
			continue;
		if (count++ > 0)
			continue;
		if (!is_printable(uri) ||
		    slice_to_cstr(uri, out_first, NAME_SPIFFE_MAX + 1) != OK)
			return ERR_LIMIT;
	}
	*out_count = count;
	return OK;
}

enum err
x509_common_name(const mbedtls_x509_name *subject, char out[TLS_NAME_MAX + 1])
{
	for (; subject != NULL; subject = subject->next) {
		struct slice name = slice_of(subject->val.p, subject->val.len);

		if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &subject->oid) != 0)
			continue;
		if (!is_printable(name))
			return ERR_INVALID;
		return slice_to_cstr(name, out, TLS_NAME_MAX + 1);
	}
	return ERR_NOT_FOUND;
}

enum err
x509_dn(struct slice common_name, char out[X509_DN_MAX], struct fault *why)
{
	size_t at = 0;

	if (common_name.len == 0 || common_name.len > TLS_NAME_MAX ||
	    !is_printable(common_name))
		return fault_set(why, ERR_INVALID,
		    "a common name has 1 to %d printable characters",
		    TLS_NAME_MAX);
	memcpy(out, "CN=", 3);
	at = 3;
	for (size_t i = 0; i < common_name.len; i++) {
		char c = common_name.ptr[i];

		if (strchr(",=+<>#;\\\"", c) != NULL ||
		    (c == ' ' && (i == 0 || i + 1 == common_name.len)))
			out[at++] = '\\';
		out[at++] = c;
	}
	out[at] = '\0';
	return OK;
}
