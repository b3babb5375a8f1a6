/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify — whether a chain is good and its leaf the peer that is wanted.
 */
#ifndef MESHD_TLS_VERIFY_H
#define MESHD_TLS_VERIFY_H

#include "trust.h"

/* Whom we expect; borrowed by a verification, kept by a stream. */
struct expected {
	char *trust_domain; /* of every peer */
	char **uris;        /* none: anybody of the domain */
	size_t count;
};

struct verify {
	/* What is asked. */
	int64_t now_ms;
	const struct expected *expected;
	const struct tls_pin *root_pin; /* NULL: roots come from trust */
	tls_check_cb check;             /* may be NULL */
	void *check_arg;
	bool must_stop; /* a bad chain is an error even where none is fine */
	/* What came of it. */
	bool began;
	bool good;
	uint32_t flags;         /* of all certificates so far */
	struct tls_peer *peer;  /* when good; the caller's */
	struct tls_chain *root; /* when pinned and good; the caller's */
	struct fault why;
};

void verify_fini(struct verify *v);

/* The library's call-back: root first, leaf (depth 0) last. arg is verify. */
int verify_one(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags);

/*
 * A peer that was good once: its dates, whether it is expected, and the last
 * word on it, as verify_one() asks them.
 */
MUST_USE enum err verify_known(
    const struct verify *v, const struct tls_peer *p, struct fault *why);

/*
 * ERR_INVALID in words, if the identities are malformed or of several trust
 * domains. With no identities, trust_domain is needed.
 */
MUST_USE enum err expected_init(struct expected *x, const struct slice *uris,
    size_t count, struct slice trust_domain, struct fault *why);
void expected_fini(struct expected *x);

#endif
