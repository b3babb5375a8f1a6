/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue — any bytes as the last known catalogue on an agent's disk.
 *
 * The first byte chooses: as they are, or with a sum that fits, so that what
 * lies behind it is reached too. What is read is written and read as the
 * same; what is refused leaves nothing behind.
 */
#include "discovery/discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
count(const struct discovery_catalog *c)
{
	const struct discovery_record *r;
	size_t n = 0;

	for (size_t i = 0; (r = discovery_catalog_next(c, &i)) != NULL; n++)
		CHECK(r->service_count == 0 || r->offers != NULL);
	return n;
}

static void
read_again(const struct discovery_catalog *c)
{
	AUTO(discovery_catalog_free)
	struct discovery_catalog *again = discovery_catalog_new();
	AUTO(buf_fini) struct buf first = BUF(DISCOVERY_FILE_MAX);
	AUTO(buf_fini) struct buf second = BUF(DISCOVERY_FILE_MAX);

	CHECK(discovery_catalog_encode(c, &first) == OK);
	CHECK(discovery_catalog_decode(again, buf_slice(&first), NULL) == OK);
	CHECK(discovery_catalog_encode(again, &second) == OK);
	CHECK(slice_eq(buf_slice(&first), buf_slice(&second)));
}

static void
compile(const struct discovery_catalog *c)
{
	AUTO(discovery_free) struct discovery *d = discovery_new();
	struct discovery_input in = {.catalog = c,
	    .now_s = 1700000000,
	    .node = S("self"),
	    .network = S("default"),
	    .families = DISCOVERY_V4 | DISCOVERY_V6};
	struct discovery_output out;

	CHECK(discovery_update(d, &in, &out) == OK);
	for (size_t i = 0; i < out.serving_count; i++)
		for (size_t j = 0; j < out.servings[i].count; j++)
			CHECK(out.servings[i].endpoints[j].addr.port != 0);
}

static void
decode(struct slice bytes)
{
	AUTO(discovery_catalog_free)
	struct discovery_catalog *c = discovery_catalog_new();
	struct fault why = {0};

	if (discovery_catalog_decode(c, bytes, &why) != OK) {
		CHECK(why.text[0] != '\0');
		CHECK(count(c) == 0);
		return;
	}
	(void)count(c); /* looks at each */
	read_again(c);
	compile(c);
}

static void
decode_summed(struct slice body)
{
	AUTO(buf_fini) struct buf file = BUF(body.len + CRYPTO_SHA256_LEN);
	uint8_t sum[CRYPTO_SHA256_LEN];

	crypto_sha256(body, sum);
	CHECK(buf_add_slice(&file, body) == OK);
	CHECK(buf_add(&file, sum, sizeof(sum)) == OK);
	decode(buf_slice(&file));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest;

	if (size == 0)
		return 0;
	rest = slice_of(data + 1, size - 1);
	if (data[0] & 1)
		decode_summed(rest);
	else
		decode(rest);
	return 0;
}
