/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ecdsa_own — mbedTLS's ecdsa.c, compiled once more with its functions renamed.
 *
 * The SIGN and VERIFY hooks replace all curves at once; this keeps P-384.
 */
#include "mbedtls/build_info.h"

#undef MBEDTLS_ECDSA_SIGN_ALT
#undef MBEDTLS_ECDSA_VERIFY_ALT
#define mbedtls_ecdsa_sign ecdsa_own_sign
#define mbedtls_ecdsa_verify ecdsa_own_verify
#define mbedtls_ecdsa_can_do ecdsa_own_can_do
#define mbedtls_ecdsa_sign_restartable ecdsa_own_sign_restartable
#define mbedtls_ecdsa_verify_restartable ecdsa_own_verify_restartable
#define mbedtls_ecdsa_write_signature ecdsa_own_write_signature
#define mbedtls_ecdsa_write_signature_restartable ecdsa_own_write_restartable
#define mbedtls_ecdsa_read_signature ecdsa_own_read_signature
#define mbedtls_ecdsa_read_signature_restartable ecdsa_own_read_restartable
#define mbedtls_ecdsa_genkey ecdsa_own_genkey
#define mbedtls_ecdsa_from_keypair ecdsa_own_from_keypair
#define mbedtls_ecdsa_init ecdsa_own_init
#define mbedtls_ecdsa_free ecdsa_own_free
#include "ecdsa.c"
