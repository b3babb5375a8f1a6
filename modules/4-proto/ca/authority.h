/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authority — the inside of struct ca, for this module's own files.
 */
#ifndef MESHD_CA_AUTHORITY_H
#define MESHD_CA_AUTHORITY_H

#include <stdatomic.h>

#include "ca.h"

struct ca {
	atomic_uint refs;
	char trust_domain[NAME_TRUST_DOMAIN_MAX + 1];
	struct tls_chain *chain; /* intermediate first, root last */
	struct tls_chain *upper; /* the same without the root; as presented */
	struct tls_chain *root;
	struct tls_key *key;
	struct tls_pin root_pin;
	int64_t not_after_ms; /* the earliest end in the chain */
	uint8_t voucher_secret[CRYPTO_ED25519_SECRET_LEN];
};

#endif
