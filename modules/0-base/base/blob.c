/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob — bytes that several hold and nobody changes, counted.
 */
#include <stdatomic.h>

#include "base.h"

/* The bytes lie behind it. */
struct blob {
	atomic_uint refs;
	uint32_t len;
};

struct blob *
blob_new(struct slice bytes)
{
	struct blob *b =
	    bytes.len <= UINT32_MAX ? mem_try(sizeof(*b) + bytes.len) : NULL;

	if (b == NULL)
		return NULL;
	atomic_init(&b->refs, 1);
	b->len = (uint32_t)bytes.len;
	if (bytes.len > 0)
		memcpy(b + 1, bytes.ptr, bytes.len);
	return b;
}

struct blob *
blob_ref(struct blob *b)
{
	if (b != NULL)
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void
blob_unref(struct blob **bp)
{
	struct blob *b = *bp;

	*bp = NULL;
	if (b != NULL &&
	    atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		mem_free(&b);
}

struct slice
blob_bytes(const struct blob *b)
{
	return b != NULL ? slice_of((const char *)(b + 1), b->len) : SLICE_NONE;
}
