/* SPDX-License-Identifier: Apache-2.0 */
/*
 * psa_driver — our driver of PSA, called by patches/1-psa-driver.patch.
 *
 * PSA_ERROR_NOT_SUPPORTED hands the operation on to mbedTLS's software.
 */
#ifndef MESHD_PSA_DRIVER_H
#define MESHD_PSA_DRIVER_H

#include "psa/crypto.h"

psa_status_t meshd_psa_sign_hash(const psa_key_attributes_t *attributes,
    const uint8_t *key, size_t key_len, psa_algorithm_t alg,
    const uint8_t *hash, size_t hash_len, uint8_t *sig, size_t sig_size,
    size_t *out_len);

psa_status_t meshd_psa_verify_hash(const psa_key_attributes_t *attributes,
    const uint8_t *key, size_t key_len, psa_algorithm_t alg,
    const uint8_t *hash, size_t hash_len, const uint8_t *sig, size_t sig_len);

psa_status_t meshd_psa_generate_key(const psa_key_attributes_t *attributes,
    uint8_t *key, size_t key_size, size_t *out_len);

psa_status_t meshd_psa_key_agreement(const psa_key_attributes_t *attributes,
    const uint8_t *key, size_t key_len, psa_algorithm_t alg,
    const uint8_t *peer, size_t peer_len, uint8_t *secret, size_t secret_size,
    size_t *out_len);

psa_status_t meshd_psa_export_public_key(const psa_key_attributes_t *attributes,
    const uint8_t *key, size_t key_len, uint8_t *out, size_t out_size,
    size_t *out_len);

#endif
