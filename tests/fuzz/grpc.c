/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc — message framing, torn in pieces that the first byte chooses.
 */
#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 1000 };

struct sight {
	uint64_t hash;
	size_t count;
};

static bool
each(void *arg, struct slice message)
{
	struct sight *s = arg;

	CHECK(message.len <= MESSAGE_MAX);
	s->hash = s->hash * 31 + slice_hash_stable(message) + message.len;
	s->count++;
	return true;
}

static enum err
see(struct slice bytes, size_t piece, struct sight *s)
{
	struct grpc_reader r;
	enum err e = OK;

	grpc_reader_init(&r, MESSAGE_MAX);
	while (bytes.len > 0 && e == OK) {
		e = grpc_reader_feed(&r, slice_sub(bytes, 0, piece), each, s);
		bytes = slice_sub(bytes, piece, bytes.len);
	}
	CHECK(buf_len(&r.buf) <= MESSAGE_MAX + GRPC_PREFIX_LEN);
	grpc_reader_fini(&r);
	return e;
}

static void
words(struct slice text)
{
	AUTO(buf_fini) struct buf b = BUF(1 << 20);
	AUTO(arena_fini) struct arena a = {0};
	struct slice back;

	arena_init(&a, 1 << 20);
	CHECK(grpc_message_encode(text, &b) == OK);
	CHECK(grpc_message_decode(buf_slice(&b), &a, &back) == OK);
	CHECK(slice_eq(back, text));
	CHECK(grpc_message_decode(text, &a, &back) == OK);
	CHECK(back.len <= text.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sight whole = {0};
	struct sight torn = {0};
	struct slice bytes;

	if (size < 2 || size > 1 << 16)
		return 0;
	bytes = slice_of(data + 1, size - 1);
	CHECK(see(bytes, size, &whole) == see(bytes, 1 + data[0], &torn));
	CHECK(whole.count == torn.count && whole.hash == torn.hash);
	words(bytes);
	return 0;
}
