/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health — what a service answers that is asked by grpc.health.v1: frames of
 * gRPC with a message in each.
 */
#include "codec/codec.h"
#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
on_message(void *arg, struct slice message)
{
	int32_t status = 0;
	enum err e = codec_health_response_decode(message, &status);

	(void)arg;
	CHECK(e == OK || (e == ERR_PARSE && status == 0));
	return true;
}

/* Of a name that is as long as the bytes are: what was written is read. */
static void
ask(struct slice name)
{
	AUTO(buf_fini) struct buf out = BUF(64 << 10);
	enum err e = codec_health_request_encode(name, &out);

	CHECK(e == OK ? buf_len(&out) >= name.len : e == ERR_LIMIT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = slice_of(data, size);
	struct grpc_reader reader;
	enum err e;

	grpc_reader_init(&reader, 64 << 10);
	e = grpc_reader_feed(&reader, bytes, on_message, NULL);
	CHECK(e == OK || e == ERR_PARSE || e == ERR_LIMIT ||
	      e == ERR_UNSUPPORTED);
	grpc_reader_fini(&reader);
	(void)on_message(NULL, bytes);
	ask(bytes);
	return 0;
}
