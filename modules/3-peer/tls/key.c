/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key — private keys: made, read, written, wiped.
 */
#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>

#include "x509.h"

enum { DER_MAX = 512 }; /* of a key on P-384, with room */

static struct tls_key *
key_new(void)
{
	struct tls_key *k = mem_new(sizeof(*k));

	atomic_init(&k->refs, 1);
	mbedtls_pk_init(&k->pk);
	return k;
}

/* Keeps the public half as bytes: it is asked for often. */
static enum err
note_public(struct tls_key *k)
{
	/* The library writes from the end of the room. */
	int len = mbedtls_pk_write_pubkey_der(&k->pk, k->spki, sizeof(k->spki));

	if (len <= 0)
		return ERR_INTERNAL;
	k->spki_len = (size_t)len;
	memmove(k->spki, k->spki + sizeof(k->spki) - k->spki_len, k->spki_len);
	return OK;
}

struct tls_key *
tls_key_new(void)
{
	struct tls_key *k = key_new();

	CHECK(mbedtls_pk_setup(
		  &k->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
	CHECK(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1,
		  mbedtls_pk_ec(k->pk), x509_random, NULL) == 0);
	CHECK(note_public(k) == OK);
	return k;
}

struct tls_key *
tls_key_ref(struct tls_key *k)
{
	atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
	return k;
}

void
tls_key_unref(struct tls_key **kp)
{
	struct tls_key *k = TAKE(*kp);

	if (k == NULL ||
	    atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) > 1)
		return;
	mbedtls_pk_free(&k->pk); /* wipes */
	mem_free(&k);
}

static enum err
check_key(struct tls_key *k, struct fault *why)
{
	if (!x509_curve_is_ours(&k->pk))
		return fault_set(why, ERR_UNSUPPORTED,
		    "only keys on P-256 and P-384 are supported");
	/* The point of a file may belong to another secret number. */
	if (mbedtls_pk_check_pair(&k->pk, &k->pk, x509_random, NULL) != 0)
		return fault_set(why, ERR_INVALID,
		    "the private and the public half do not match");
	return note_public(k);
}

static enum err
read_key(struct slice text, mbedtls_pk_context *pk, struct fault *why)
{
	AUTO(secret_fini) struct secret copy = {NULL, 0};
	int code;

	if (text.len == 0 || text.len > TLS_KEY_BYTES_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a private key has 1 to %d bytes", TLS_KEY_BYTES_MAX);
	/* PEM is told from DER by the zero behind it. */
	secret_init(&copy, text.len + 1);
	memcpy(copy.bytes, text.ptr, text.len);
	code = mbedtls_pk_parse_key(pk, copy.bytes,
	    (uint8_t)text.ptr[0] == 0x30 ? text.len : text.len + 1, NULL, 0,
	    x509_random, NULL);
	return code == 0 ? OK
			 : x509_fault(why, ERR_PARSE, code,
			       "this is no usable private key");
}

enum err
tls_key_parse(struct slice text, struct tls_key **out, struct fault *why)
{
	AUTO(tls_key_unref) struct tls_key *k = key_new();
	enum err e = read_key(text, &k->pk, why);

	if (e == OK)
		e = check_key(k, why);
	if (e == OK)
		*out = TAKE(k);
	return e;
}

enum err
tls_key_fits(struct slice text, const struct tls_chain *c, struct fault *why)
{
	mbedtls_pk_context pk;
	enum err e;

	mbedtls_pk_init(&pk);
	e = read_key(text, &pk, why);
	if (e == OK && mbedtls_pk_check_pair(
			   &x509_at(c, 0)->pk, &pk, x509_random, NULL) != 0)
		e = fault_set(why, ERR_INVALID,
		    "is not the key of the first certificate");
	mbedtls_pk_free(&pk); /* wipes */
	return e;
}

/*
 * PrivateKeyInfo (RFC 5958 §2) around the ECPrivateKey (RFC 5915) that lies
 * at the end of `room` already. Returns the new length, or < 0.
 */
static int
wrap_pkcs8(const struct tls_key *k, uint8_t *room, uint8_t **p, int inner)
{
	const char *oid;
	size_t oid_len, len = (size_t)inner;
	int ret; /* the library's macros want this name */

	if (mbedtls_oid_get_oid_by_ec_grp(
		mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(k->pk)), &oid,
		&oid_len) != 0)
		return -1;
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(p, room, len));
	MBEDTLS_ASN1_CHK_ADD(
	    len, mbedtls_asn1_write_tag(p, room, MBEDTLS_ASN1_OCTET_STRING));
	ret = mbedtls_asn1_write_oid(p, room, oid, oid_len);
	if (ret < 0)
		return ret;
	MBEDTLS_ASN1_CHK_ADD(
	    len, mbedtls_asn1_write_algorithm_identifier_ext(p, room,
		     MBEDTLS_OID_EC_ALG_UNRESTRICTED,
		     MBEDTLS_OID_SIZE(MBEDTLS_OID_EC_ALG_UNRESTRICTED),
		     (size_t)ret, /* has_par */ 1));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_int(p, room, 0));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(p, room, len));
	MBEDTLS_ASN1_CHK_ADD(
	    len, mbedtls_asn1_write_tag(p, room,
		     MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
	return (int)len;
}

static enum err
write_der(const struct tls_key *k, uint8_t room[DER_MAX], struct slice *out)
{
	uint8_t *p;
	int len = mbedtls_pk_write_key_der(&k->pk, room, DER_MAX);

	if (len <= 0)
		return ERR_INTERNAL;
	p = room + DER_MAX - len;
	len = wrap_pkcs8(k, room, &p, len);
	if (len <= 0)
		return ERR_INTERNAL;
	*out = slice_of(p, (size_t)len);
	return OK;
}

enum err
tls_key_der(const struct tls_key *k, struct secret *out)
{
	uint8_t room[DER_MAX];
	struct slice der;
	enum err e = write_der(k, room, &der);

	if (e == OK)
		secret_set(out, der);
	secret_wipe(room, sizeof(room));
	return e;
}

enum err
tls_key_pem(const struct tls_key *k, struct secret *out)
{
	AUTO(secret_fini) struct secret der = {NULL, 0};
	AUTO(buf_fini) struct buf text = BUF_SECRET(4 * DER_MAX);
	enum err e = tls_key_der(k, &der);

	if (e == OK)
		e = x509_wrap(
		    slice_of(der.bytes, der.len), "PRIVATE KEY", &text);
	if (e == OK)
		secret_set(out, buf_slice(&text));
	return e;
}

struct slice
tls_key_spki(const struct tls_key *k)
{
	return slice_of(k->spki, k->spki_len);
}

enum err
tls_key_public_pem(const struct tls_key *k, struct buf *out)
{
	return x509_wrap(tls_key_spki(k), "PUBLIC KEY", out);
}

enum err
tls_key_sign(const struct tls_key *k, struct slice text,
    uint8_t out[TLS_SIGNATURE_MAX], size_t *out_len)
{
	mbedtls_md_type_t md = x509_hash_for(&k->pk);
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(md);
	uint8_t hash[MBEDTLS_MD_MAX_SIZE];

	/* The library does not change the key, but says that it might. */
	if (info == NULL ||
	    mbedtls_md(info, (const uint8_t *)text.ptr, text.len, hash) != 0 ||
	    mbedtls_pk_sign((mbedtls_pk_context *)(uintptr_t)&k->pk, md, hash,
		mbedtls_md_get_size(info), out, TLS_SIGNATURE_MAX, out_len,
		x509_random, NULL) != 0)
		return ERR_INTERNAL;
	return OK;
}

void
tls_key_pin(const struct tls_key *k, struct tls_pin *out)
{
	x509_pin(tls_key_spki(k), out);
}

enum err
tls_key_save(const struct tls_key *k, const char *path, struct fault *why)
{
	AUTO(secret_fini) struct secret pem = {NULL, 0};

	if (tls_key_pem(k, &pem) != OK)
		return fault_set(why, ERR_INTERNAL, "cannot encode the key");
	return file_replace(
	    path, slice_of(pem.bytes, pem.len), /* mode */ 0600, why);
}

enum err
tls_key_load(const char *path, struct tls_key **out, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF_SECRET(TLS_KEY_BYTES_MAX);
	enum err e = file_read_private(path, &text, why);

	if (e == OK) {
		e = tls_key_parse(buf_slice(&text), out, why);
		if (e != OK)
			(void)fault_prefix(why, e, "%s: ", path);
	}
	return e;
}
