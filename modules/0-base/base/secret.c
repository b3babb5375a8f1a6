/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret — libsodium's guarded memory: locked, out of core dumps, wiped.
 */
#include <sodium.h>

#include "check.h"
#include "crypto.h"
#include "secret.h"

void
secret_init(struct secret *s, size_t len)
{
	*s = (struct secret){NULL, 0};
	if (len == 0)
		return;
	/* The guards have a canary that is chosen at init; it may be ours. */
	CHECK(crypto_init() == OK);
	s->bytes = sodium_malloc(len);
	CHECK(s->bytes != NULL);
	memset(s->bytes, 0, len);
	s->len = len;
}

void
secret_set(struct secret *s, struct slice bytes)
{
	secret_init(s, bytes.len);
	if (bytes.len > 0)
		memcpy(s->bytes, bytes.ptr, bytes.len);
}

void
secret_fini(struct secret *s)
{
	sodium_free(s->bytes); /* wipes */
	*s = (struct secret){NULL, 0};
}

bool
secret_eq(const struct secret *s, struct slice other)
{
	if (s->len != other.len)
		return false;
	return s->len == 0 || sodium_memcmp(s->bytes, other.ptr, s->len) == 0;
}

void
secret_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}
