/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_check — whether a message is one (RFC 9113 §8): which fields it has, and
 * as many bytes as it says.
 *
 * nghttp2 could tell too, but each of its versions draws the line elsewhere,
 * and some end the connection, with the streams of others, where the RFC ends
 * the stream (§8.1.1).
 */
#include "h2_session.h"

enum {
	PARTS_OF_REQUEST = H2_METHOD | H2_SCHEME | H2_PATH,
	SWITCHING_PROTOCOLS = 101
};

/* --- each field as it comes --- */

void
h2_check_begin(struct http2_stream *s, bool trailers)
{
	s->seen = trailers ? H2_FIELDS | H2_TRAILERS : 0;
}

static bool
is_scheme(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
		bool other =
		    (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';

		if (!letter && (i == 0 || !other))
			return false;
	}
	return s.len > 0;
}

/* Without a user (§8.3.1). If it makes sense is asked later, and answered. */
static bool
is_authority_text(struct slice s)
{
	return http_is_target(s) && slice_find(s, '@') == s.len;
}

/* 101 is HTTP/1's (§8.6). */
static bool
read_status(struct slice s, uint16_t *out)
{
	uint64_t n;

	if (s.len != 3 || slice_to_u64(s, &n) != OK || n < 100 ||
	    n == SWITCHING_PROTOCOLS)
		return false;
	*out = (uint16_t)n;
	return true;
}

static enum h2_part
part_of(struct slice name)
{
	static const struct {
		struct slice name;
		enum h2_part part;
	} parts[] = {
	    {{":path", 5}, H2_PATH},
	    {{":method", 7}, H2_METHOD},
	    {{":scheme", 7}, H2_SCHEME},
	    {{":status", 7}, H2_STATUS},
	    {{":authority", 10}, H2_AUTHORITY},
	    {{":protocol", 9}, H2_PROTOCOL},
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (slice_eq(name, parts[i].name))
			return parts[i].part;
	return H2_NONE;
}

static bool
set_part(struct http_head *h, enum h2_part part, struct slice value)
{
	switch (part) {
	case H2_METHOD:
		h->method = value;
		return http_is_token(value);
	case H2_SCHEME:
		h->scheme = value;
		return is_scheme(value);
	case H2_AUTHORITY:
		h->authority = value;
		return is_authority_text(value);
	case H2_PATH:
		h->path = value;
		return http_is_target(value);
	case H2_PROTOCOL:
		h->upgrade = value;
		return http_is_token(value);
	case H2_STATUS:
		return read_status(value, &h->status);
	default:
		return false;
	}
}

bool
h2_check_part(struct http2_stream *s, struct slice name, struct slice value)
{
	enum h2_part part = part_of(name);

	if ((s->seen & (H2_FIELDS | (unsigned)part)) != 0 ||
	    (part == H2_STATUS) == s->conn->server ||
	    (part == H2_PROTOCOL && !s->conn->limits.takes_upgrades))
		return false;
	s->seen |= (uint16_t)part;
	return set_part(s->block, part, value);
}

bool
h2_check_field(struct http2_stream *s, enum http_field_id id, struct slice name,
    struct slice value)
{
	bool again = s->seen & H2_HOST;

	s->seen |= H2_FIELDS;
	if (!http_is_low_token(name) || !http_is_value(value))
		return false;
	switch (id) {
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_CONNECTION:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_UPGRADE:
		return false;
	case HTTP_TE:
		return slice_eq_nocase(value, S("trailers"));
	case HTTP_CONTENT_LENGTH:
		return !(s->seen & H2_TRAILERS);
	case HTTP_HOST:
		s->seen |= H2_HOST;
		return !again && is_authority_text(value);
	default:
		return true;
	}
}

/* --- the head as a whole --- */

/* True unless so many bytes are said to come, and cannot. */
static bool
expect(struct http2_stream *s, uint64_t bytes, bool end)
{
	s->counted = true;
	s->due = bytes;
	return !end || bytes == 0;
}

static bool
check_length(struct http2_stream *s, bool end)
{
	struct http_head *h = s->block;

	if (!http_head_has(h, HTTP_CONTENT_LENGTH))
		return true;
	return http_read_length(h) && expect(s, h->content_length, end);
}

/* §8.5: a CONNECT names a host and nothing else; RFC 8441 §4: unless it
 * switches to another protocol. */
bool
h2_check_request(struct http2_stream *s, bool end)
{
	const struct http_head *h = s->block;
	bool connect = http_head_is_method(h, S("CONNECT"));
	bool switches = s->seen & H2_PROTOCOL;
	bool named = s->seen & H2_AUTHORITY;
	bool star;

	if (connect && !switches)
		return named && !(s->seen & (H2_SCHEME | H2_PATH));
	if ((s->seen & PARTS_OF_REQUEST) != PARTS_OF_REQUEST ||
	    h->authority.len == 0 || (switches && !(connect && named)))
		return false;
	star =
	    http_head_is_method(h, S("OPTIONS")) && slice_eq(h->path, S("*"));
	return (h->path.ptr[0] == '/' || star) && check_length(s, end);
}

/* RFC 9110 §8.6: where no length may be, some send a zero. */
bool
h2_check_response(struct http2_stream *s, bool end)
{
	struct http_head *h = s->block;
	bool length = http_head_has(h, HTTP_CONTENT_LENGTH);

	if (!(s->seen & H2_STATUS))
		return false;
	if (h->status < 200)
		return !end && !length;
	if (length && !http_read_length(h))
		return false;
	if (s->asked == H2_ASKED_CONNECT && h->status < 300) {
		(void)http_head_remove_id(h, HTTP_CONTENT_LENGTH);
		return true;
	}
	if (h->status == 204) {
		(void)http_head_remove_id(h, HTTP_CONTENT_LENGTH);
		return h->content_length == 0 && expect(s, 0, end);
	}
	if (h->status == 304 || s->asked == H2_ASKED_HEAD)
		return expect(s, 0, end);
	return check_length(s, end);
}

/* --- the body --- */

/* An interim response is no head of one. */
static bool
is_begun(const struct http2_stream *s)
{
	return s->conn->server || s->got_head;
}

bool
h2_check_data(struct http2_stream *s, size_t len)
{
	if (!is_begun(s))
		return false;
	if (!s->counted)
		return true;
	if (len > s->due)
		return false;
	s->due -= len;
	return true;
}

bool
h2_check_end(const struct http2_stream *s)
{
	return is_begun(s) && (!s->counted || s->due == 0);
}
