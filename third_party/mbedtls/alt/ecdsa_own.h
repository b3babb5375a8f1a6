/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ecdsa_own — mbedTLS's own ECDSA under other names, for the other curves.
 */
#ifndef MESHD_ECDSA_OWN_H
#define MESHD_ECDSA_OWN_H

#include "mbedtls/ecp.h"

int ecdsa_own_sign(mbedtls_ecp_group *grp, mbedtls_mpi *r, mbedtls_mpi *s,
    const mbedtls_mpi *d, const unsigned char *buf, size_t blen,
    int (*f_rng)(void *, unsigned char *, size_t), void *p_rng);
int ecdsa_own_verify(mbedtls_ecp_group *grp, const unsigned char *buf,
    size_t blen, const mbedtls_ecp_point *Q, const mbedtls_mpi *r,
    const mbedtls_mpi *s);

#endif
