/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curve — P-256 and X25519 by AWS-LC, as plain bytes.
 */
#include "curve.h"

#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdh.h>
#include <openssl/ecdsa.h>
#include <openssl/nid.h>

#define AUTO(release) __attribute__((cleanup(release)))

static void
drop_key(EC_KEY **k)
{
	EC_KEY_free(*k);
}

static void
drop_point(EC_POINT **p)
{
	EC_POINT_free(*p);
}

static void
drop_number(BIGNUM **n)
{
	BN_clear_free(*n);
}

static void
drop_sig(ECDSA_SIG **s)
{
	ECDSA_SIG_free(*s);
}

/* A new key object on P-256 without any key in it, or NULL. */
static EC_KEY *
blank_key(void)
{
	return EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
}

/* NULL if the number is not a private key of the curve. */
static EC_KEY *
private_key(const uint8_t *key)
{
	AUTO(drop_number) BIGNUM *d = BN_bin2bn(key, CURVE_KEY_LEN, NULL);
	EC_KEY *k = blank_key();

	if (d != NULL && k != NULL && EC_KEY_set_private_key(k, d))
		return k;
	EC_KEY_free(k);
	return NULL;
}

/* NULL if the bytes are not a point of the curve. */
static EC_POINT *
read_point(const uint8_t *point)
{
	const EC_GROUP *g = EC_group_p256();
	EC_POINT *p = EC_POINT_new(g);

	if (p != NULL &&
	    EC_POINT_oct2point(g, p, point, CURVE_P256_POINT_LEN, NULL))
		return p;
	EC_POINT_free(p);
	return NULL;
}

bool
curve_p256_keygen(uint8_t *out_key)
{
	AUTO(drop_key) EC_KEY *k = blank_key();

	return k != NULL && EC_KEY_generate_key(k) &&
	       BN_bn2bin_padded(
		   out_key, CURVE_KEY_LEN, EC_KEY_get0_private_key(k));
}

bool
curve_p256_public(const uint8_t *key, uint8_t *out_point)
{
	const EC_GROUP *g = EC_group_p256();
	AUTO(drop_number) BIGNUM *d = BN_bin2bn(key, CURVE_KEY_LEN, NULL);
	AUTO(drop_point) EC_POINT *p = EC_POINT_new(g);

	return d != NULL && p != NULL &&
	       EC_POINT_mul(g, p, d, NULL, NULL, NULL) &&
	       EC_POINT_point2oct(g, p, POINT_CONVERSION_UNCOMPRESSED,
		   out_point, CURVE_P256_POINT_LEN,
		   NULL) == CURVE_P256_POINT_LEN;
}

bool
curve_p256_shared(const uint8_t *key, const uint8_t *point, uint8_t *out_secret)
{
	AUTO(drop_key) EC_KEY *k = private_key(key);
	AUTO(drop_point) EC_POINT *p = read_point(point);

	return k != NULL && p != NULL &&
	       ECDH_compute_key(out_secret, CURVE_KEY_LEN, p, k,
		   /* kdf */ NULL) == CURVE_KEY_LEN;
}

bool
curve_p256_sign(
    const uint8_t *key, const uint8_t *hash, size_t hash_len, uint8_t *out_sig)
{
	AUTO(drop_key) EC_KEY *k = private_key(key);
	AUTO(drop_sig) ECDSA_SIG *sig = NULL;
	const BIGNUM *r, *s;

	if (k == NULL || (sig = ECDSA_do_sign(hash, hash_len, k)) == NULL)
		return false;
	ECDSA_SIG_get0(sig, &r, &s);
	return BN_bn2bin_padded(out_sig, CURVE_KEY_LEN, r) &&
	       BN_bn2bin_padded(out_sig + CURVE_KEY_LEN, CURVE_KEY_LEN, s);
}

/* NULL if there is no memory; r and s are not checked here. */
static ECDSA_SIG *
read_sig(const uint8_t *bytes)
{
	BIGNUM *r = BN_bin2bn(bytes, CURVE_KEY_LEN, NULL);
	BIGNUM *s = BN_bin2bn(bytes + CURVE_KEY_LEN, CURVE_KEY_LEN, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();

	if (r != NULL && s != NULL && sig != NULL &&
	    ECDSA_SIG_set0(sig, r, s)) /* takes both */
		return sig;
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return NULL;
}

bool
curve_p256_verify(const uint8_t *point, const uint8_t *hash, size_t hash_len,
    const uint8_t *sig)
{
	AUTO(drop_key) EC_KEY *k = blank_key();
	AUTO(drop_point) EC_POINT *p = read_point(point);
	AUTO(drop_sig) ECDSA_SIG *s = read_sig(sig);

	return k != NULL && p != NULL && s != NULL &&
	       EC_KEY_set_public_key(k, p) &&
	       ECDSA_do_verify(hash, hash_len, s, k) == 1;
}

bool
curve_x25519_keygen(uint8_t *out_key)
{
	uint8_t point[CURVE_KEY_LEN];

	X25519_keypair(point, out_key);
	/* PSA wants the bits as RFC 7748 §5 sets them. */
	out_key[0] &= 248;
	out_key[31] = (uint8_t)((out_key[31] & 127) | 64);
	return true;
}

void
curve_x25519_public(const uint8_t *key, uint8_t *out_point)
{
	X25519_public_from_private(out_point, key);
}

bool
curve_x25519_shared(
    const uint8_t *key, const uint8_t *point, uint8_t *out_secret)
{
	return X25519(out_secret, key, point) == 1;
}
