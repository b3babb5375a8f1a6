/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curve — P-256 and X25519 by AWS-LC, as plain bytes.
 *
 * Private keys are 32 bytes; public ones 65 (uncompressed point) on P-256 and
 * 32 on X25519; signatures are r and s, 32 bytes each. Numbers of P-256 are
 * big endian. All return true on success, and refuse points off the curve.
 */
#ifndef MESHD_CURVE_H
#define MESHD_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CURVE_KEY_LEN = 32, CURVE_P256_POINT_LEN = 65, CURVE_SIG_LEN = 64 };

bool curve_p256_keygen(uint8_t *out_key);
bool curve_p256_public(const uint8_t *key, uint8_t *out_point);
bool curve_p256_shared(
    const uint8_t *key, const uint8_t *point, uint8_t *out_secret);
bool curve_p256_sign(
    const uint8_t *key, const uint8_t *hash, size_t hash_len, uint8_t *out_sig);
bool curve_p256_verify(const uint8_t *point, const uint8_t *hash,
    size_t hash_len, const uint8_t *sig);

bool curve_x25519_keygen(uint8_t *out_key);
void curve_x25519_public(const uint8_t *key, uint8_t *out_point);
/* False for a peer's point of small order (RFC 7748 §6.1). */
bool curve_x25519_shared(
    const uint8_t *key, const uint8_t *point, uint8_t *out_secret);

#endif
