/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate — chains and keys, as files and peers bring them.
 *
 * What was parsed is written as PEM, parsed again, and is the same.
 */
#include "tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_chain(struct slice text)
{
	AUTO(tls_chain_unref) struct tls_chain *first = NULL;
	AUTO(tls_chain_unref) struct tls_chain *second = NULL;
	AUTO(tls_trust_unref) struct tls_trust *none = NULL;
	AUTO(buf_fini) struct buf pem = BUF(4 * TLS_CHAIN_BYTES_MAX);
	struct tls_cert_info info;

	if (tls_chain_parse(text, &first, NULL) != OK)
		return;
	CHECK(tls_chain_pem(first, &pem) == OK);
	if (buf_len(&pem) > TLS_CHAIN_BYTES_MAX)
		return;
	CHECK(tls_chain_parse(buf_slice(&pem), &second, NULL) == OK);
	CHECK(tls_chain_count(first) == tls_chain_count(second));
	CHECK(tls_trust_new(NULL, 0, 0, &none, NULL) == OK);
	CHECK(tls_chain_verify(first, none, 0, NULL, NULL) != OK);
	for (size_t i = 0; i < tls_chain_count(first); i++) {
		tls_cert_inspect(first, i, &info);
		CHECK(slice_eq(
		    tls_chain_der(first, i), tls_chain_der(second, i)));
	}
}

static void
try_key(struct slice text)
{
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	struct secret pem = {NULL, 0};

	if (tls_key_parse(text, &key, NULL) != OK)
		return;
	CHECK(tls_key_pem(key, &pem) == OK);
	secret_fini(&pem);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready)
		CHECK(crypto_init() == OK && tls_init() == OK);
	ready = true;
	try_chain(slice_of(data, size));
	try_key(slice_of(data, size));
	return 0;
}
