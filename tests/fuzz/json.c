/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json — any bytes; the canonical form of what is read is a fixed point.
 */
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf first = BUF(LIMIT_DOC_BYTES);
	AUTO(buf_fini) struct buf second = BUF(LIMIT_DOC_BYTES);
	const struct value *v, *w;
	struct fault why = {0};

	arena_init(&a, LIMIT_API_BODY * 4);
	if (codec_json_parse(slice_of(data, size), &a, &v, &why) != OK) {
		CHECK(why.code != OK);
		return 0;
	}
	if (codec_json_emit(v, &first) != OK)
		return 0;
	CHECK(codec_json_parse(buf_slice(&first), &a, &w, NULL) == OK);
	CHECK(codec_json_emit(w, &second) == OK);
	CHECK(slice_eq(buf_slice(&first), buf_slice(&second)));
	return 0;
}
