/* SPDX-License-Identifier: Apache-2.0 */
/*
 * office — an authority with its root, made for a test.
 */
#ifndef MESHD_TEST_CA_OFFICE_H
#define MESHD_TEST_CA_OFFICE_H

#include "ca/ca.h"

#define NOW_MS INT64_C(1790000000000)
#define DOMAIN S("mesh.internal")

struct office {
	struct tls_key *root_key;
	struct tls_key *key;
	struct tls_chain *root;
	struct tls_chain *chain;
	struct ca *ca;
	struct tls_trust *trust;
	uint8_t voucher_public[CRYPTO_ED25519_PUBLIC_LEN];
};

void office_init(struct office *o);
void office_fini(struct office *o);

#endif
