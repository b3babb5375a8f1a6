/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sha1 — for protocols that name it and do not rely on it.
 */
#include <mbedtls/sha1.h>

#include "tls.h"

void
tls_sha1(struct slice in, uint8_t out[TLS_SHA1_LEN])
{
	int rv = mbedtls_sha1((const unsigned char *)in.ptr, in.len, out);

	CHECK(rv == 0); /* nothing of it can fail */
}
