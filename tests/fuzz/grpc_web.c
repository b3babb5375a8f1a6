/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc_web — base64 that is torn in pieces the first byte chooses, and the
 * types and trailers that the bytes would be.
 */
#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 16 };

static enum err
decode(struct slice text, size_t piece, struct buf *out, bool *out_inside)
{
	struct grpc_web_text t = {0};
	enum err e = OK;

	while (text.len > 0 && e == OK) {
		e = grpc_web_decode(&t, slice_sub(text, 0, piece), out);
		text = slice_sub(text, piece, text.len);
		CHECK(t.count < sizeof(t.kept));
	}
	*out_inside = grpc_web_is_inside(&t);
	return e;
}

/* It says the same in pieces and as a whole. */
static void
decode_both(struct slice text, size_t piece)
{
	AUTO(buf_fini) struct buf whole = BUF(2 * BYTES_MAX);
	AUTO(buf_fini) struct buf torn = BUF(2 * BYTES_MAX);
	bool inside_whole, inside_torn;
	enum err e = decode(text, text.len + 1, &whole, &inside_whole);

	CHECK(decode(text, piece, &torn, &inside_torn) == e);
	if (e != OK)
		return;
	CHECK(inside_whole == inside_torn);
	CHECK(slice_eq(buf_slice(&whole), buf_slice(&torn)));
	CHECK(buf_len(&whole) <= text.len);
}

static void
round_trip(struct slice bytes, size_t piece)
{
	AUTO(buf_fini) struct buf text = BUF(2 * BYTES_MAX);
	AUTO(buf_fini) struct buf back = BUF(2 * BYTES_MAX);
	bool inside;

	for (struct slice rest = bytes; rest.len > 0;
	     rest = slice_sub(rest, piece, rest.len))
		if (grpc_web_encode(slice_sub(rest, 0, piece), &text) != OK)
			return; /* many small pieces */
	CHECK(decode(buf_slice(&text), 7, &back, &inside) == OK && !inside);
	CHECK(slice_eq(buf_slice(&back), bytes));
}

/* Each line of the input is the value of a field. */
static void
trailers(struct slice lines)
{
	AUTO(arena_fini) struct arena a = {0};
	AUTO(buf_fini) struct buf out = BUF(GRPC_WEB_TRAILERS_MAX);
	struct http_head h;
	struct reader r;

	arena_init(&a, 1 << 20);
	http_head_init(&h, &a);
	while (lines.len > 0)
		if (http_head_add(&h, S("X-F"), slice_split(&lines, '\n')) !=
		    OK)
			break;
	CHECK(grpc_web_write_trailers(&h, &out) == OK);
	r = READER(buf_slice(&out));
	CHECK(reader_u8(&r) == 0x80);
	CHECK(reader_u32(&r) == buf_len(&out) - 5);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes;
	struct grpc_type t;

	if (size < 2 || size > BYTES_MAX)
		return 0;
	bytes = slice_of(data + 1, size - 1);
	decode_both(bytes, 1 + data[0]);
	round_trip(bytes, 1 + data[0]);
	trailers(bytes);
	if (grpc_read_type(bytes, &t))
		CHECK(t.subtype.len < bytes.len);
	return 0;
}
