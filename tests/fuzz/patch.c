/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch — differences of bodies, from a server that may be anybody's.
 *
 * The first byte is how long the former body is; the rest is a patch of it,
 * whose sum is put right, and another body.
 */
#include <stdint.h>
#include <string.h>

#include "xds/patch.h"

enum { OUT_MAX = 1 << 16, SUM_LEN = 8 };

static void
apply(struct slice base, struct slice steps)
{
	AUTO(buf_fini) struct buf patch = BUF(OUT_MAX);
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	uint8_t sum[CRYPTO_SHA256_LEN];

	crypto_sha256(base, sum);
	if (buf_add(&patch, sum, SUM_LEN) == OK &&
	    buf_add_slice(&patch, steps) == OK &&
	    patch_apply(base, buf_slice(&patch), &out) == OK)
		CHECK(buf_len(&out) <= OUT_MAX);
}

static void
make(struct slice from, struct slice to)
{
	AUTO(buf_fini) struct buf patch = BUF(OUT_MAX);
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);

	if (to.len > OUT_MAX || patch_make(from, to, &patch) != OK)
		return;
	CHECK(patch_apply(from, buf_slice(&patch), &out) == OK);
	CHECK(slice_eq(buf_slice(&out), to));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice all, base;

	if (len == 0)
		return 0;
	all = slice_of(data + 1, len - 1);
	base = slice_sub(all, 0, data[0]);
	all = slice_sub(all, base.len, all.len);
	apply(base, all);
	make(base, all);
	make(all, base);
	return 0;
}
