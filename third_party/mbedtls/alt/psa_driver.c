/* SPDX-License-Identifier: Apache-2.0 */
/*
 * psa_driver — P-256 and X25519 of PSA by AWS-LC.
 */
#include "psa_driver.h"

#include "curve.h"

static bool
is_curve(const psa_key_attributes_t *a, psa_ecc_family_t family, size_t bits)
{
	psa_key_type_t type = psa_get_key_type(a);

	return PSA_KEY_TYPE_IS_ECC(type) && psa_get_key_bits(a) == bits &&
	       PSA_KEY_TYPE_ECC_GET_FAMILY(type) == family;
}

static bool
is_p256(const psa_key_attributes_t *a)
{
	return is_curve(a, PSA_ECC_FAMILY_SECP_R1, 256);
}

static bool
is_x25519(const psa_key_attributes_t *a)
{
	return is_curve(a, PSA_ECC_FAMILY_MONTGOMERY, 255);
}

static bool
is_pair(const psa_key_attributes_t *a)
{
	return PSA_KEY_TYPE_IS_KEY_PAIR(psa_get_key_type(a));
}

psa_status_t
meshd_psa_sign_hash(const psa_key_attributes_t *attributes, const uint8_t *key,
    size_t key_len, psa_algorithm_t alg, const uint8_t *hash, size_t hash_len,
    uint8_t *sig, size_t sig_size, size_t *out_len)
{
	if (!is_p256(attributes) || !is_pair(attributes) ||
	    !PSA_ALG_IS_RANDOMIZED_ECDSA(alg) || key_len != CURVE_KEY_LEN)
		return PSA_ERROR_NOT_SUPPORTED;
	if (sig_size < CURVE_SIG_LEN)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (!curve_p256_sign(key, hash, hash_len, sig))
		return PSA_ERROR_GENERIC_ERROR;
	*out_len = CURVE_SIG_LEN;
	return PSA_SUCCESS;
}

psa_status_t
meshd_psa_verify_hash(const psa_key_attributes_t *attributes,
    const uint8_t *key, size_t key_len, psa_algorithm_t alg,
    const uint8_t *hash, size_t hash_len, const uint8_t *sig, size_t sig_len)
{
	if (!is_p256(attributes) || is_pair(attributes) ||
	    !PSA_ALG_IS_ECDSA(alg) || key_len != CURVE_P256_POINT_LEN)
		return PSA_ERROR_NOT_SUPPORTED;
	if (sig_len != CURVE_SIG_LEN ||
	    !curve_p256_verify(key, hash, hash_len, sig))
		return PSA_ERROR_INVALID_SIGNATURE;
	return PSA_SUCCESS;
}

psa_status_t
meshd_psa_generate_key(const psa_key_attributes_t *attributes, uint8_t *key,
    size_t key_size, size_t *out_len)
{
	bool is_good;

	if (!is_p256(attributes) && !is_x25519(attributes))
		return PSA_ERROR_NOT_SUPPORTED;
	if (key_size < CURVE_KEY_LEN)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	is_good = is_p256(attributes) ? curve_p256_keygen(key)
				      : curve_x25519_keygen(key);
	if (!is_good)
		return PSA_ERROR_GENERIC_ERROR;
	*out_len = CURVE_KEY_LEN;
	return PSA_SUCCESS;
}

psa_status_t
meshd_psa_key_agreement(const psa_key_attributes_t *attributes,
    const uint8_t *key, size_t key_len, psa_algorithm_t alg,
    const uint8_t *peer, size_t peer_len, uint8_t *secret, size_t secret_size,
    size_t *out_len)
{
	bool is_good;

	if (!PSA_ALG_IS_ECDH(alg) || key_len != CURVE_KEY_LEN ||
	    (!is_p256(attributes) && !is_x25519(attributes)))
		return PSA_ERROR_NOT_SUPPORTED;
	if (secret_size < CURVE_KEY_LEN)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (is_p256(attributes))
		is_good = peer_len == CURVE_P256_POINT_LEN &&
			  curve_p256_shared(key, peer, secret);
	else
		is_good = peer_len == CURVE_KEY_LEN &&
			  curve_x25519_shared(key, peer, secret);
	if (!is_good)
		return PSA_ERROR_INVALID_ARGUMENT;
	*out_len = CURVE_KEY_LEN;
	return PSA_SUCCESS;
}

psa_status_t
meshd_psa_export_public_key(const psa_key_attributes_t *attributes,
    const uint8_t *key, size_t key_len, uint8_t *out, size_t out_size,
    size_t *out_len)
{
	size_t need =
	    is_p256(attributes) ? CURVE_P256_POINT_LEN : CURVE_KEY_LEN;

	if (!is_pair(attributes) || key_len != CURVE_KEY_LEN ||
	    (!is_p256(attributes) && !is_x25519(attributes)))
		return PSA_ERROR_NOT_SUPPORTED;
	if (out_size < need)
		return PSA_ERROR_BUFFER_TOO_SMALL;
	if (is_x25519(attributes))
		curve_x25519_public(key, out);
	else if (!curve_p256_public(key, out))
		return PSA_ERROR_GENERIC_ERROR;
	*out_len = need;
	return PSA_SUCCESS;
}
