/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust — the inside of struct tls_trust, for this module's own files.
 */
#ifndef MESHD_TLS_TRUST_H
#define MESHD_TLS_TRUST_H

#include "x509.h"

struct trust_domain {
	char *name;
	struct tls_chain *roots;
};

struct tls_trust {
	atomic_uint refs;
	uint64_t epoch;
	struct trust_domain *domains;
	size_t count;
};

#endif
