/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token — tokens of both kinds, as people paste them and HTTP carries them.
 *
 * The first byte chooses the kind, and: the text as it is, or as the inside of
 * a token whose length and checksum are right, so that the reader behind them
 * is reached.
 */
#include "ca/ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INSIDE_MAX = 1000, SUM = 4 };

static enum ca_token_kind kind;

static void
try_text(struct slice text)
{
	struct ca_token first, second;
	struct secret line = {NULL, 0};
	struct fault why = {0};

	if (ca_token_parse(text, kind, &first, &why) != OK) {
		CHECK(why.text[0] != '\0');
		return;
	}
	CHECK(ca_token_format(&first, &line, NULL) == OK);
	CHECK(ca_token_parse(
		  slice_of(line.bytes, line.len), kind, &second, NULL) == OK);
	CHECK(second.kind == kind);
	CHECK(second.server_count == first.server_count);
	CHECK(memcmp(first.secret, second.secret, CA_TOKEN_SECRET_LEN) == 0);
	secret_fini(&line);
}

static void
try_inside(struct slice inside)
{
	uint8_t all[2 + INSIDE_MAX + SUM], hash[CRYPTO_SHA256_LEN];
	char text[4 + 2 * sizeof(all)];
	size_t len = MIN(inside.len, (size_t)INSIDE_MAX);

	memcpy(text, kind == CA_TOKEN_JOIN ? "mj1." : "mo1.", 4);
	all[0] = (uint8_t)((len + SUM) >> 8);
	all[1] = (uint8_t)(len + SUM);
	memcpy(all + 2, inside.ptr, len);
	crypto_sha256(slice_of(all, 2 + len), hash);
	memcpy(all + 2 + len, hash, SUM);
	crypto_base64url(slice_of(all, 2 + len + SUM), text + 4);
	try_text(slice_of(text, 4 + crypto_base64url_len(2 + len + SUM)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CHECK(crypto_init() == OK);
	if (size == 0)
		return 0;
	kind = data[0] & 2 ? CA_TOKEN_OPERATOR : CA_TOKEN_JOIN;
	if (data[0] % 2 == 0)
		try_text(slice_of(data + 1, size - 1));
	else
		try_inside(slice_of(data + 1, size - 1));
	return 0;
}
