/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta — any bytes as a message of the delta stream, in both directions.
 */
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf out = BUF(LIMIT_GRPC_MESSAGE * 2);
	struct codec_delta_request request;
	struct codec_delta_response response;
	struct slice bytes = slice_of(data, size);

	arena_init(&a, LIMIT_API_BODY);
	if (codec_delta_request_decode(bytes, &a, &request) == OK) {
		CHECK(codec_delta_request_encode(&request, &out) == OK);
		CHECK(codec_delta_request_decode(
			  buf_slice(&out), &a, &request) == OK);
	}
	arena_reset(&a);
	buf_reset(&out);
	if (codec_delta_response_decode(bytes, &a, &response) == OK) {
		CHECK(codec_delta_response_encode(&response, &out) == OK);
		CHECK(codec_delta_response_decode(
			  buf_slice(&out), &a, &response) == OK);
	}
	return 0;
}
