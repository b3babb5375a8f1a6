/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ecdsa_alt — ECDSA on P-256 by AWS-LC behind mbedTLS's SIGN and VERIFY hooks.
 */
#include "mbedtls/ecdsa.h"

#include "curve.h"
#include "ecdsa_own.h"
#include "mbedtls/platform_util.h"

int
mbedtls_ecdsa_sign(mbedtls_ecp_group *grp, mbedtls_mpi *r, mbedtls_mpi *s,
    const mbedtls_mpi *d, const unsigned char *buf, size_t blen,
    int (*f_rng)(void *, unsigned char *, size_t), void *p_rng)
{
	uint8_t key[CURVE_KEY_LEN], sig[CURVE_SIG_LEN];
	int ret;

	if (grp->id != MBEDTLS_ECP_DP_SECP256R1)
		return ecdsa_own_sign(grp, r, s, d, buf, blen, f_rng, p_rng);
	ret = mbedtls_mpi_write_binary(d, key, sizeof(key));
	if (ret == 0 && !curve_p256_sign(key, buf, blen, sig))
		ret = MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
	if (ret == 0)
		ret = mbedtls_mpi_read_binary(r, sig, CURVE_KEY_LEN);
	if (ret == 0)
		ret = mbedtls_mpi_read_binary(
		    s, sig + CURVE_KEY_LEN, CURVE_KEY_LEN);
	mbedtls_platform_zeroize(key, sizeof(key));
	return ret;
}

int
mbedtls_ecdsa_verify(mbedtls_ecp_group *grp, const unsigned char *buf,
    size_t blen, const mbedtls_ecp_point *Q, const mbedtls_mpi *r,
    const mbedtls_mpi *s)
{
	uint8_t point[CURVE_P256_POINT_LEN], sig[CURVE_SIG_LEN];
	size_t n;

	if (grp->id != MBEDTLS_ECP_DP_SECP256R1)
		return ecdsa_own_verify(grp, buf, blen, Q, r, s);
	if (mbedtls_ecp_point_write_binary(grp, Q, MBEDTLS_ECP_PF_UNCOMPRESSED,
		&n, point, sizeof(point)) != 0 ||
	    mbedtls_mpi_write_binary(r, sig, CURVE_KEY_LEN) != 0 ||
	    mbedtls_mpi_write_binary(s, sig + CURVE_KEY_LEN, CURVE_KEY_LEN) !=
		0 ||
	    n != sizeof(point) || !curve_p256_verify(point, buf, blen, sig))
		return MBEDTLS_ERR_ECP_VERIFY_FAILED;
	return 0;
}
