/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csr — requests for a certificate: made by agents, read by servers.
 *
 * What comes in was written by somebody who is not trusted yet.
 */
#include <mbedtls/asn1.h>
#include <mbedtls/x509_csr.h>

#include "x509.h"

/* --- making --- */

static int
write_csr(mbedtls_x509write_csr *w, const struct tls_key *k, const char *dn,
    const mbedtls_x509_san_list *sans, uint8_t *room, size_t len)
{
	int code;

	/* The library's type is not const, but it only signs with it. */
	mbedtls_x509write_csr_set_key(
	    w, (mbedtls_pk_context *)(uintptr_t)&k->pk);
	mbedtls_x509write_csr_set_md_alg(w, x509_hash_for(&k->pk));
	code = mbedtls_x509write_csr_set_subject_name(w, dn);
	if (code == 0 && sans != NULL)
		code =
		    mbedtls_x509write_csr_set_subject_alternative_name(w, sans);
	if (code != 0)
		return code;
	return mbedtls_x509write_csr_der(w, room, len, x509_random, NULL);
}

enum err
tls_csr_make(const struct tls_key *k, struct slice common_name,
    struct slice uri, struct buf *out)
{
	mbedtls_x509_san_list san = {
	    .node.type = MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER,
	    .node.san.unstructured_name = {
		.p = (unsigned char *)(uintptr_t)uri.ptr, .len = uri.len}};
	char dn[X509_DN_MAX];
	uint8_t room[TLS_CSR_BYTES_MAX];
	mbedtls_x509write_csr w;
	int len;
	enum err e = x509_dn(common_name, dn, NULL);

	if (e != OK || uri.len > NAME_SPIFFE_MAX)
		return ERR_INVALID;
	mbedtls_x509write_csr_init(&w);
	len =
	    write_csr(&w, k, dn, uri.len > 0 ? &san : NULL, room, sizeof(room));
	mbedtls_x509write_csr_free(&w);
	if (len <= 0)
		return ERR_INTERNAL;
	return x509_wrap(slice_of(room + sizeof(room) - len, (size_t)len),
	    "CERTIFICATE REQUEST", out);
}

/* --- reading --- */

/* The request is signed with the key that it asks for (RFC 2986 §3). */
static enum err
check_signature(mbedtls_x509_csr *csr, struct fault *why)
{
	mbedtls_md_type_t md = csr->MBEDTLS_PRIVATE(sig_md);
	const mbedtls_x509_buf *sig = &csr->MBEDTLS_PRIVATE(sig);
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(md);
	uint8_t hash[MBEDTLS_MD_MAX_SIZE];

	if (info == NULL || csr->MBEDTLS_PRIVATE(sig_pk) != MBEDTLS_PK_ECDSA ||
	    (md != MBEDTLS_MD_SHA256 && md != MBEDTLS_MD_SHA384))
		return fault_set(why, ERR_UNSUPPORTED,
		    "a request is signed by ECDSA with SHA-256 or SHA-384");
	if (mbedtls_md(info, csr->cri.p, csr->cri.len, hash) != 0)
		return fault_set(why, ERR_INTERNAL, "cannot hash the request");
	if (mbedtls_pk_verify(&csr->pk, md, hash, mbedtls_md_get_size(info),
		sig->p, sig->len) != 0)
		return fault_set(why, ERR_AUTH,
		    "the request was not signed with its own key");
	return OK;
}

static enum err
take_key(const mbedtls_x509_csr *csr, struct tls_csr *out, struct fault *why)
{
	uint8_t room[TLS_SPKI_MAX];
	int len;

	if (!x509_curve_is_ours(&csr->pk))
		return fault_set(why, ERR_UNSUPPORTED,
		    "only keys on P-256 and P-384 are supported");
	len = mbedtls_pk_write_pubkey_der(&csr->pk, room, sizeof(room));
	if (len <= 0)
		return fault_set(why, ERR_PARSE, "the key cannot be encoded");
	out->spki_len = (size_t)len;
	memcpy(out->spki, room + sizeof(room) - len, out->spki_len);
	x509_pin(slice_of(out->spki, out->spki_len), &out->pin);
	return OK;
}

static enum err
take_names(const mbedtls_x509_csr *csr, struct tls_csr *out, struct fault *why)
{
	unsigned uris;
	enum err e = x509_common_name(&csr->subject, out->common_name);

	if (e != OK && e != ERR_NOT_FOUND)
		return fault_set(why, ERR_INVALID,
		    "the common name is longer than %d characters or not plain "
		    "text",
		    TLS_NAME_MAX);
	if (x509_uris(&csr->subject_alt_names, out->uri, &uris) != OK)
		return fault_set(why, ERR_LIMIT,
		    "the URI is longer than %d characters or not plain text",
		    NAME_SPIFFE_MAX);
	if (uris > 1)
		return fault_set(why, ERR_INVALID,
		    "a request names one URI, this one names %u", uris);
	return OK;
}

static enum err
read_csr(mbedtls_x509_csr *csr, struct slice der, struct tls_csr *out,
    struct fault *why)
{
	int code = mbedtls_x509_csr_parse_der(
	    csr, (const unsigned char *)der.ptr, der.len);
	enum err e;

	if (code != 0)
		return x509_fault(
		    why, ERR_PARSE, code, "this is no certificate request");
	e = take_key(csr, out, why);
	if (e == OK)
		e = take_names(csr, out, why);
	if (e == OK)
		e = check_signature(csr, why);
	/* What the library took as the request, without a tail. */
	crypto_sha256(slice_of(csr->raw.p, csr->raw.len), out->sha256);
	return e;
}

enum err
tls_csr_parse(struct slice text, struct tls_csr *out, struct fault *why)
{
	AUTO(buf_fini) struct buf der = BUF(TLS_CSR_BYTES_MAX);
	mbedtls_x509_csr csr;
	struct tls_csr got = {0};
	enum err e;

	if (text.len > TLS_CSR_BYTES_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a request has at most %d bytes", TLS_CSR_BYTES_MAX);
	e = x509_unwrap(text, "CERTIFICATE REQUEST", &der, why);
	if (e != OK)
		return e;
	mbedtls_x509_csr_init(&csr);
	e = read_csr(&csr, buf_slice(&der), &got, why);
	mbedtls_x509_csr_free(&csr);
	if (e == OK)
		*out = got;
	return e;
}
