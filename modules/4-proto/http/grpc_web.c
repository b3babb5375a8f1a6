/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc_web — base64 in pieces, and trailers in a body; see grpc_web.h.
 */
#include "grpc_web.h"

#include "fields.h"

enum { GROUP = 4, TRAILERS_FLAG = 0x80 };

/* --- base64 --------------------------------------------------------------- */

/* Whole groups, of which only the last may be padded. */
static enum err
decode_run(struct slice run, struct buf *out)
{
	size_t cap = run.len / GROUP * 3, len;
	char *at;
	enum err e = buf_reserve(out, cap, &at);

	if (e == OK)
		e = crypto_base64_decode(run, (uint8_t *)at, cap, &len);
	if (e == OK)
		buf_commit(out, len);
	return e;
}

/* Whole groups; each that is padded ends a run. */
static enum err
decode_groups(struct slice text, struct buf *out)
{
	enum err e = OK;

	while (text.len > 0 && e == OK) {
		size_t padding = slice_find(text, '=');
		struct slice run =
		    slice_sub(text, 0, (padding / GROUP + 1) * GROUP);

		e = decode_run(run, out);
		text = slice_sub(text, run.len, text.len);
	}
	return e;
}

/* Takes what the torn group lacks. */
static struct slice
fill(struct grpc_web_text *t, struct slice text)
{
	size_t n = MIN((size_t)GROUP - t->count, text.len);

	memcpy(t->kept + t->count, text.ptr, n);
	t->count = (uint8_t)(t->count + n);
	return slice_sub(text, n, text.len);
}

/* PEM's decoder passes over line ends, which would move the groups. */
static bool
has_lines(struct slice text)
{
	return slice_find(text, '\r') < text.len ||
	       slice_find(text, '\n') < text.len;
}

enum err
grpc_web_decode(struct grpc_web_text *t, struct slice text, struct buf *out)
{
	struct slice whole;
	enum err e = OK;

	if (has_lines(text))
		return ERR_PARSE;
	if (t->count > 0 && text.len > 0)
		text = fill(t, text);
	if (t->count == GROUP) {
		e = decode_groups(slice_of(t->kept, GROUP), out);
		t->count = 0;
	}
	whole = slice_sub(text, 0, text.len / GROUP * GROUP);
	if (e == OK)
		e = decode_groups(whole, out);
	if (e == OK && whole.len < text.len)
		fill(t, slice_sub(text, whole.len, text.len));
	return e;
}

enum err
grpc_web_encode(struct slice bytes, struct buf *out)
{
	size_t len = CRYPTO_BASE64_LEN(bytes.len);
	char *at;
	enum err e = buf_reserve(out, len, &at);

	if (e != OK)
		return e;
	crypto_base64(bytes, at);
	buf_commit(out, len);
	return OK;
}

/* --- trailers ------------------------------------------------------------- */

enum err
grpc_web_write_trailers(const struct http_head *trailers, struct buf *out)
{
	static const char prefix[5] = {(char)TRAILERS_FLAG};
	size_t from = buf_len(out), len;
	enum err e = buf_add(out, prefix, sizeof(prefix));
	char *at;

	if (e == OK)
		e = http1_write_fields(trailers, out);
	if (e != OK)
		return e;
	at = out->mem + out->start + from + 1;
	len = buf_len(out) - from - sizeof(prefix);
	for (unsigned i = 0; i < 4; i++)
		at[i] = (char)(len >> (24 - 8 * i));
	return OK;
}
