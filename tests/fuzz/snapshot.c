/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot — any bytes as an agent's snapshot file.
 *
 * The first byte chooses: as they are, or with a head and a sum that fit, so
 * that what lies behind the checksum is reached too.
 */
#include "xds/xds.h"

static void
restore(void *arg, const struct xds_resource *r)
{
	struct xds_client *c = arg;
	/* What is beyond the limits is refused, and that is fine. */
	enum err e = xds_client_restore(c, r);

	CHECK(e == OK || e == ERR_LIMIT);
}

static void
ignore_request(void *arg UNUSED, const struct codec_delta_request *m UNUSED)
{
}

static void
ignore_update(void *arg UNUSED, struct xds_update *u)
{
	xds_update_settle(&u);
}

static const struct xds_client_ops ops = {ignore_request, ignore_update};

static void
decode(struct slice bytes)
{
	AUTO(xds_client_free)
	struct xds_client *c = xds_client_new(&ops, NULL, S("n"), S("c"));
	AUTO(buf_fini) struct buf again = BUF(XDS_SNAPSHOT_MAX);
	struct fault why;

	if (xds_snapshot_decode(bytes, restore, c, &why) == OK)
		CHECK(xds_snapshot_encode(c, &again) == OK);
}

static void
decode_framed(struct slice body)
{
	AUTO(buf_fini) struct buf file = BUF(body.len + 128);
	uint8_t sum[CRYPTO_SHA256_LEN];

	CHECK(buf_add_slice(&file, S("meshdxds")) == OK);
	CHECK(buf_add_u32(&file, 1) == OK);
	CHECK(buf_add_u64(&file, body.len) == OK);
	CHECK(buf_add_slice(&file, body) == OK);
	crypto_sha256(buf_slice(&file), sum);
	CHECK(buf_add(&file, sum, sizeof(sum)) == OK);
	decode(buf_slice(&file));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] & 1)
		decode_framed(slice_of(data + 1, len - 1));
	else
		decode(slice_of(data + 1, len - 1));
	return 0;
}
