/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sha_alt — SHA-2's block functions and randomness by AWS-LC.
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include <string.h>

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"
#include "mbedtls/sha512.h"
#include "psa/crypto.h"

int
mbedtls_internal_sha256_process(
    mbedtls_sha256_context *ctx, const unsigned char data[64])
{
	SHA256_TransformBlocks(ctx->state, data, /* blocks */ 1);
	return 0;
}

int
mbedtls_internal_sha512_process(
    mbedtls_sha512_context *ctx, const unsigned char data[128])
{
	SHA512_CTX c;

	memcpy(c.h, ctx->state, sizeof(c.h));
	SHA512_Transform(&c, data);
	memcpy(ctx->state, c.h, sizeof(c.h));
	mbedtls_platform_zeroize(&c, sizeof(c));
	return 0;
}

/* AWS-LC keeps a generator per thread: no lock that all workers share. */
psa_status_t
mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
    uint8_t *output, size_t output_size, size_t *output_length)
{
	(void)context;
	if (RAND_bytes(output, output_size) != 1)
		return PSA_ERROR_INSUFFICIENT_ENTROPY;
	*output_length = output_size;
	return PSA_SUCCESS;
}
