/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc_wire — messages behind five bytes, and words behind percent signs.
 *
 * Pure. A message that came whole in one piece is handed on from where it
 * lies; only what is torn is copied.
 */
#include "grpc.h"

enum grpc_status
grpc_status_from_http(unsigned status)
{
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

void
grpc_reader_init(struct grpc_reader *r, size_t message_limit)
{
	buf_init(&r->buf, message_limit + GRPC_PREFIX_LEN);
	r->limit = message_limit;
}

void
grpc_reader_fini(struct grpc_reader *r)
{
	buf_fini(&r->buf);
}

/* How long the frame at the front is, prefix included; 0: not known yet. */
static enum err
frame_len(const struct grpc_reader *r, struct slice bytes, size_t *out)
{
	struct reader prefix = READER(bytes);
	uint8_t flag = reader_u8(&prefix);
	uint32_t len = reader_u32(&prefix);

	*out = 0;
	if (bytes.len > 0 && flag > 1)
		return ERR_PARSE;
	if (bytes.len > 0 && flag == 1)
		return ERR_UNSUPPORTED;
	if (prefix.failed)
		return OK;
	if (len > r->limit)
		return ERR_LIMIT;
	*out = GRPC_PREFIX_LEN + (size_t)len;
	return OK;
}

/* Moves what the torn frame lacks, as far as it is there. */
static enum err
fill(struct grpc_reader *r, struct slice *bytes, size_t want)
{
	size_t n = MIN(want - buf_len(&r->buf), bytes->len);
	enum err e = buf_add(&r->buf, bytes->ptr, n);

	if (e == OK)
		*bytes = slice_sub(*bytes, n, bytes->len);
	return e;
}

/* Goes on with a frame that began in an earlier feed. */
static enum err
feed_torn(struct grpc_reader *r, struct slice *bytes, bool *out_whole)
{
	size_t want = 0;
	enum err e = OK;

	*out_whole = false;
	if (buf_len(&r->buf) < GRPC_PREFIX_LEN)
		e = fill(r, bytes, GRPC_PREFIX_LEN);
	if (e == OK)
		e = frame_len(r, buf_slice(&r->buf), &want);
	if (e != OK || want == 0)
		return e;
	e = fill(r, bytes, want);
	*out_whole = buf_len(&r->buf) == want;
	return e;
}

static struct slice
without_prefix(struct slice frame)
{
	return slice_sub(frame, GRPC_PREFIX_LEN, frame.len);
}

/* Hands the torn frame on, which has become whole. */
static bool
hand_torn(struct grpc_reader *r, bool (*each)(void *, struct slice), void *arg)
{
	struct buf whole = r->buf; /* `each` may end the reader */
	bool more;

	buf_init(&r->buf, whole.limit);
	more = each(arg, without_prefix(buf_slice(&whole)));
	buf_fini(&whole);
	return more;
}

enum err
grpc_reader_feed(struct grpc_reader *r, struct slice bytes,
    bool (*each)(void *arg, struct slice message), void *arg)
{
	bool whole;
	size_t len;
	enum err e;

	while (bytes.len > 0) {
		if (buf_len(&r->buf) > 0) {
			e = feed_torn(r, &bytes, &whole);
			if (e != OK)
				return e;
			if (whole && !hand_torn(r, each, arg))
				return OK;
			continue;
		}
		e = frame_len(r, bytes, &len);
		if (e != OK)
			return e;
		if (len == 0 || len > bytes.len)
			return buf_add_slice(&r->buf, bytes);
		if (!each(arg, without_prefix(slice_sub(bytes, 0, len))))
			return OK;
		bytes = slice_sub(bytes, len, bytes.len);
	}
	return OK;
}

bool
grpc_reader_is_inside(const struct grpc_reader *r)
{
	return buf_len(&r->buf) > 0;
}

enum err
grpc_write(struct slice message, struct buf *out)
{
	char *at;
	enum err e;

	if (message.len > UINT32_MAX)
		return ERR_LIMIT;
	e = buf_reserve(out, GRPC_PREFIX_LEN + message.len, &at);
	if (e != OK)
		return e;
	at[0] = 0; /* not compressed */
	for (int i = 0; i < 4; i++)
		at[1 + i] = (char)(message.len >> (24 - 8 * i));
	if (message.len > 0)
		memcpy(at + GRPC_PREFIX_LEN, message.ptr, message.len);
	buf_commit(out, GRPC_PREFIX_LEN + message.len);
	return OK;
}

enum err
grpc_message_encode(struct slice text, struct buf *out)
{
	enum err e = OK;

	for (size_t i = 0; i < text.len && e == OK; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c >= ' ' && c < 0x7f && c != '%')
			e = buf_add_byte(out, c);
		else
			e = buf_printf(out, "%%%02X", c);
	}
	return e;
}

enum err
grpc_message_decode(struct slice text, struct arena *a, struct slice *out)
{
	char *mem = arena_alloc(a, text.len + 1);
	size_t n = 0;

	if (mem == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < text.len; i++) {
		int byte = slice_escaped(text, i);

		/* What is no escape stands for itself. */
		mem[n++] = byte >= 0 ? (char)byte : text.ptr[i];
		i += byte >= 0 ? 2 : 0;
	}
	*out = slice_of(mem, n);
	return OK;
}

/* --- fields of a call ------------------------------------------------------
 */

bool
grpc_read_type(struct slice content_type, struct grpc_type *out)
{
	static const struct {
		struct slice name;
		bool web;
		bool text;
	} types[] = {
	    {{"application/grpc", 16}, false, false},
	    {{"application/grpc-web", 20}, true, false},
	    {{"application/grpc-web-text", 25}, true, true},
	    {{"application/grpc-web-text-base64", 32}, true, true},
	};
	struct slice type = slice_trim(
	    slice_sub(content_type, 0, slice_find(content_type, ';')));
	size_t plus = slice_find(type, '+');
	struct slice name = slice_sub(type, 0, plus);

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!slice_eq_nocase(name, types[i].name))
			continue;
		*out = (struct grpc_type){.web = types[i].web,
		    .text = types[i].text,
		    .subtype = slice_sub(type, plus, type.len)};
		return true;
	}
	return false;
}

bool
grpc_is_content(const struct http_head *h)
{
	struct slice type;
	struct grpc_type t;

	return http_head_get_id(h, HTTP_CONTENT_TYPE, &type) &&
	       grpc_read_type(type, &t) && !t.web;
}

enum err
grpc_timeout_parse(struct slice text, uint64_t *out_us)
{
	enum { DIGITS_MAX = 8 };
	static const char units[] = "HMSmun";
	static const uint64_t ns[] = {UINT64_C(3600000000000),
	    UINT64_C(60000000000), UINT64_C(1000000000), 1000000, 1000, 1};
	size_t digits = text.len - 1;
	uint64_t n;
	const char *unit;

	if (text.len < 2 || digits > DIGITS_MAX ||
	    slice_to_u64(slice_sub(text, 0, digits), &n) != OK)
		return ERR_PARSE;
	unit = memchr(units, text.ptr[digits], strlen(units));
	if (unit == NULL)
		return ERR_PARSE;
	if (ns[unit - units] >= 1000)
		*out_us = n * (ns[unit - units] / 1000);
	else
		*out_us = n * ns[unit - units] / 1000;
	*out_us = MAX(*out_us, (uint64_t)1);
	return OK;
}
