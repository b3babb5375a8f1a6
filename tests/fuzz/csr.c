/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csr — certificate requests, as anybody may send them to a server.
 *
 * What passes is signed by its own key and has bounded, plain text.
 */
#include "tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct tls_csr csr;
	struct fault why = {0};

	if (!ready)
		CHECK(crypto_init() == OK && tls_init() == OK);
	ready = true;
	memset(&csr, 0x5a, sizeof(csr));
	if (tls_csr_parse(slice_of(data, size), &csr, &why) != OK) {
		CHECK(why.text[0] != '\0');
		CHECK(csr.common_name[0] == 0x5a && csr.spki[0] == 0x5a);
		return 0;
	}
	CHECK(strlen(csr.common_name) <= TLS_NAME_MAX);
	CHECK(strlen(csr.uri) <= NAME_SPIFFE_MAX);
	CHECK(csr.spki_len > 0 && csr.spki_len <= TLS_SPKI_MAX);
	return 0;
}
