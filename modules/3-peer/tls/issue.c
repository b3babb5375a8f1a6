/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issue — certificates, signed.
 *
 * The profile is RFC 5280 and the SPIFFE X509-SVID's: key usage critical, a
 * CA by basic constraints, both extended key usages on leaves. Key
 * identifiers are SHA-256 cut to 160 bits (RFC 7093 §2, method 1).
 */
#include <stdio.h>
#include <time.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>

#include "x509.h"

enum { KEY_ID_LEN = 20, CERT_DER_MAX = 8 << 10 };

struct draft {
	mbedtls_x509write_cert w;
	mbedtls_pk_context subject;
	mbedtls_x509_san_list sans[TLS_SANS_MAX];
	size_t san_count;
};

static void
draft_fini(struct draft *d)
{
	mbedtls_x509write_crt_free(&d->w);
	mbedtls_pk_free(&d->subject);
}

/* --- the times --- */

static enum err
time_text(int64_t ms, char out[16])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (ms < 0 || gmtime_r(&s, &tm) == NULL || tm.tm_year > 9999 - 1900)
		return ERR_INVALID;
	return strftime(out, 16, "%Y%m%d%H%M%S", &tm) == 14 ? OK : ERR_INVALID;
}

static enum err
set_validity(struct draft *d, const struct tls_cert_spec *spec,
    const struct tls_issuer *issuer, struct fault *why)
{
	int64_t end = spec->not_after_ms;
	char from[16], to[16];

	if (issuer->chain != NULL) {
		const mbedtls_x509_crt *by = x509_at(issuer->chain, 0);

		end = MIN(end, x509_time_ms(&by->valid_to));
	}
	if (end <= spec->not_before_ms)
		return fault_set(why, ERR_INVALID,
		    "the certificate would end before it begins; the issuer's "
		    "own may have expired");
	if (time_text(spec->not_before_ms, from) != OK ||
	    time_text(end, to) != OK ||
	    mbedtls_x509write_crt_set_validity(&d->w, from, to) != 0)
		return fault_set(
		    why, ERR_INVALID, "a certificate cannot carry these times");
	return OK;
}

/* --- the names --- */

static enum err
add_san(struct draft *d, int type, struct slice bytes, struct fault *why)
{
	mbedtls_x509_san_list *san;

	if (d->san_count == TLS_SANS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a certificate has at most %d alternative names",
		    TLS_SANS_MAX);
	san = &d->sans[d->san_count];
	san->node.type = type;
	san->node.san.unstructured_name.p =
	    (unsigned char *)(uintptr_t)bytes.ptr;
	san->node.san.unstructured_name.len = bytes.len;
	san->next = NULL;
	if (d->san_count > 0)
		d->sans[d->san_count - 1].next = san;
	d->san_count++;
	return OK;
}

static enum err
add_server_names(
    struct draft *d, const struct tls_cert_spec *spec, struct fault *why)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < spec->dns_count; i++) {
		struct slice name = spec->dns_names[i];

		e = name_check_subdomain(name, why);
		if (e == OK)
			e = add_san(d, MBEDTLS_X509_SAN_DNS_NAME, name, why);
	}
	for (size_t i = 0; e == OK && i < spec->ip_count; i++) {
		const struct addr *ip = &spec->ips[i];

		e = add_san(d, MBEDTLS_X509_SAN_IP_ADDRESS,
		    slice_of(ip->bytes, ip->family == ADDR_V4 ? 4 : 16), why);
	}
	return e;
}

static enum err
set_names(struct draft *d, const struct tls_cert_spec *spec,
    const struct tls_issuer *issuer, struct fault *why)
{
	char dn[X509_DN_MAX];
	enum err e = x509_dn(spec->common_name, dn, why);

	if (e != OK)
		return e;
	if (mbedtls_x509write_crt_set_subject_name(&d->w, dn) != 0 ||
	    (issuer->chain == NULL &&
		mbedtls_x509write_crt_set_issuer_name(&d->w, dn) != 0))
		return fault_set(why, ERR_INVALID,
		    "a certificate cannot carry the name %.*s",
		    SLICE_ARG(spec->common_name));
	if (spec->uri.len > NAME_SPIFFE_MAX)
		return fault_set(why, ERR_LIMIT,
		    "an identity has at most %d characters", NAME_SPIFFE_MAX);
	if (spec->uri.len > 0)
		e = add_san(d, MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER,
		    spec->uri, why);
	if (e == OK)
		e = add_server_names(d, spec, why);
	if (e == OK && d->san_count > 0 &&
	    mbedtls_x509write_crt_set_subject_alternative_name(
		&d->w, d->sans) != 0)
		e = fault_set(why, ERR_INVALID,
		    "a certificate cannot carry these alternative names");
	return e;
}

/* The issuer's subject as it stands, byte for byte (RFC 5280 §4.1.2.4). */
static int
copy_issuer_name(mbedtls_x509write_cert *w, const mbedtls_x509_crt *by)
{
	const mbedtls_x509_name *n;
	mbedtls_asn1_named_data **list = &w->MBEDTLS_PRIVATE(issuer);

	/* The library writes its list back to front, and adds at the front. */
	for (n = &by->subject; n != NULL; n = n->next) {
		mbedtls_asn1_named_data *item =
		    mbedtls_asn1_store_named_data(list, (const char *)n->oid.p,
			n->oid.len, n->val.p, n->val.len);

		if (item == NULL)
			return -1;
		item->val.tag = n->val.tag;
	}
	return 0;
}

/* --- the extensions --- */

static void
key_id(struct slice spki, uint8_t out[KEY_ID_LEN])
{
	uint8_t hash[CRYPTO_SHA256_LEN];

	crypto_sha256(spki, hash);
	memcpy(out, hash, KEY_ID_LEN);
}

/* Both are short: every length fits one byte (X.690 §8.1.3.4). */
static int
set_key_ids(struct draft *d, struct slice subject, struct slice issuer)
{
	uint8_t ski[2 + KEY_ID_LEN] = {MBEDTLS_ASN1_OCTET_STRING, KEY_ID_LEN};
	uint8_t aki[4 + 64] = {MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE,
	    (uint8_t)(2 + issuer.len), MBEDTLS_ASN1_CONTEXT_SPECIFIC,
	    (uint8_t)issuer.len};
	int code;

	memcpy(ski + 2, subject.ptr, KEY_ID_LEN);
	memcpy(aki + 4, issuer.ptr, issuer.len);
	code = mbedtls_x509write_crt_set_extension(&d->w,
	    MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER,
	    MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER),
	    /* critical */ 0, ski, sizeof(ski));
	if (code != 0)
		return code;
	return mbedtls_x509write_crt_set_extension(&d->w,
	    MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER,
	    MBEDTLS_OID_SIZE(MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER),
	    /* critical */ 0, aki, 4 + issuer.len);
}

static int
link_keys(struct draft *d, struct slice spki, const struct tls_issuer *issuer)
{
	uint8_t own[KEY_ID_LEN], theirs[KEY_ID_LEN];
	struct slice by = slice_of(theirs, KEY_ID_LEN);

	key_id(spki, own);
	key_id(tls_key_spki(issuer->key), theirs);
	if (issuer->chain != NULL) {
		const mbedtls_x509_crt *crt = x509_at(issuer->chain, 0);

		/* What the issuer calls itself, where it does. */
		if (crt->subject_key_id.len > 0 &&
		    crt->subject_key_id.len <= 64)
			by = slice_of(
			    crt->subject_key_id.p, crt->subject_key_id.len);
	}
	return set_key_ids(d, slice_of(own, KEY_ID_LEN), by);
}

static int
set_usages(struct draft *d, const struct tls_cert_spec *spec)
{
	/* Both, because every peer of ours is client and server. */
	mbedtls_asn1_sequence client = {
	    .buf = {MBEDTLS_ASN1_OID, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH),
		(unsigned char *)(uintptr_t)MBEDTLS_OID_CLIENT_AUTH}};
	mbedtls_asn1_sequence server = {
	    .buf = {MBEDTLS_ASN1_OID, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH),
		(unsigned char *)(uintptr_t)MBEDTLS_OID_SERVER_AUTH},
	    .next = &client};
	int code = mbedtls_x509write_crt_set_key_usage(&d->w,
	    spec->is_ca
		? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
		: MBEDTLS_X509_KU_DIGITAL_SIGNATURE);

	if (code == 0)
		code = mbedtls_x509write_crt_set_basic_constraints(
		    &d->w, spec->is_ca, spec->is_ca ? spec->path_len : -1);
	if (code == 0 && !spec->is_ca)
		code = mbedtls_x509write_crt_set_ext_key_usage(&d->w, &server);
	return code;
}

/* --- all of it --- */

static enum err
check_issuer(
    const struct tls_issuer *issuer, struct slice spki, struct fault *why)
{
	struct tls_cert_info by;
	struct tls_pin pin;

	if (issuer->chain == NULL)
		return slice_eq(spki, tls_key_spki(issuer->key))
			   ? OK
			   : fault_set(why, ERR_INVALID,
				 "a root certificate is for the key that signs "
				 "it");
	tls_cert_inspect(issuer->chain, 0, &by);
	tls_key_pin(issuer->key, &pin);
	if (!by.is_ca)
		return fault_set(why, ERR_INVALID,
		    "the issuer %s is not a certificate authority", by.subject);
	if (!tls_pin_eq(&by.pin, &pin))
		return fault_set(why, ERR_INVALID,
		    "the key is not that of the issuer %s", by.subject);
	return OK;
}

static enum err
fill(struct draft *d, const struct tls_cert_spec *spec, struct slice spki,
    const struct tls_issuer *issuer, struct fault *why)
{
	uint8_t serial[TLS_SERIAL_LEN];
	int code;
	enum err e = set_validity(d, spec, issuer, why);

	if (e == OK)
		e = set_names(d, spec, issuer, why);
	if (e != OK)
		return e;
	memcpy(serial, spec->serial, sizeof(serial));
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and never short */
	code = mbedtls_pk_parse_public_key(
	    &d->subject, (const unsigned char *)spki.ptr, spki.len);
	if (code != 0)
		return x509_fault(why, ERR_INVALID, code, "the public key");
	if (!x509_curve_is_ours(&d->subject))
		return fault_set(why, ERR_UNSUPPORTED,
		    "only keys on P-256 and P-384 are supported");
	if (issuer->chain != NULL)
		code = copy_issuer_name(&d->w, x509_at(issuer->chain, 0));
	if (code == 0)
		code = mbedtls_x509write_crt_set_serial_raw(
		    &d->w, serial, sizeof(serial));
	if (code == 0)
		code = set_usages(d, spec);
	if (code == 0)
		code = link_keys(d, spki, issuer);
	return code == 0 ? OK
			 : x509_fault(why, ERR_INVALID, code,
			       "a certificate cannot carry this");
}

static enum err
sign(struct draft *d, const struct tls_issuer *issuer, struct tls_chain **out,
    struct fault *why)
{
	AUTO(tls_chain_unref) struct tls_chain *c = x509_chain_new();
	uint8_t room[CERT_DER_MAX];
	int len;
	enum err e;

	mbedtls_x509write_crt_set_version(&d->w, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(
	    &d->w, x509_hash_for(&issuer->key->pk));
	mbedtls_x509write_crt_set_subject_key(&d->w, &d->subject);
	mbedtls_x509write_crt_set_issuer_key(
	    &d->w, (mbedtls_pk_context *)(uintptr_t)&issuer->key->pk);
	len = mbedtls_x509write_crt_der(
	    &d->w, room, sizeof(room), x509_random, NULL);
	if (len <= 0)
		return x509_fault(
		    why, ERR_INTERNAL, len, "cannot sign the certificate");
	e = x509_append(
	    c, slice_of(room + sizeof(room) - len, (size_t)len), why);
	if (e == OK)
		*out = TAKE(c);
	return e;
}

enum err
tls_cert_issue(const struct tls_cert_spec *spec, struct slice spki,
    const struct tls_issuer *issuer, struct tls_chain **out, struct fault *why)
{
	AUTO(draft_fini) struct draft d = {.san_count = 0};
	enum err e = check_issuer(issuer, spki, why);

	mbedtls_x509write_crt_init(&d.w);
	mbedtls_pk_init(&d.subject);
	if (e == OK)
		e = fill(&d, spec, spki, issuer, why);
	if (e == OK)
		e = sign(&d, issuer, out, why);
	return e;
}
