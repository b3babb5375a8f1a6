/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_write — heads, chunks and trailers as bytes.
 *
 * The room is measured once and reserved once; then it is copying. What
 * frames the message never comes from the fields, so that a field that
 * someone set cannot contradict the body.
 */
#include "fields.h"
#include "http1.h"

enum {
	LINE_EXTRA = 4,   /* ": " and CR LF */
	FRAME_EXTRA = 256 /* start line's own words, framing, connection */
};

static char *
put(char *at, struct slice s)
{
	if (s.len > 0)
		memcpy(at, s.ptr, s.len);
	return at + s.len;
}

static char *
put_lower(char *at, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		at[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return at + s.len;
}

static char *
put_field(char *at, struct slice name, struct slice value)
{
	at = put_lower(at, name);
	at = put(at, S(": "));
	at = put(at, value);
	return put(at, S("\r\n"));
}

static char *
put_number(char *at, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return put(at, slice_of(digits + i, sizeof(digits) - i));
}

static size_t
measure(const struct http_head *h)
{
	return h->method.len + h->path.len + 2 * h->authority.len +
	       h->reason.len + h->upgrade.len + h->bytes +
	       (size_t)h->count * LINE_EXTRA + FRAME_EXTRA;
}

static char *
put_request_line(char *at, const struct http_head *h)
{
	at = put(at, h->method);
	at = put(at, S(" "));
	at = put(at, h->path.len > 0 ? h->path : h->authority);
	at = put(at, S(" HTTP/1.1\r\nhost: "));
	at = put(at, h->authority);
	return put(at, S("\r\n"));
}

static char *
put_status_line(char *at, const struct http_head *h)
{
	at = put(at, S("HTTP/1.1 "));
	at = put_number(at, h->status);
	at = put(at, S(" "));
	at = put(
	    at, h->reason.len > 0 ? h->reason : http_status_text(h->status));
	return put(at, S("\r\n"));
}

static char *
put_framing(char *at, const struct http_head *h)
{
	if (h->framing == HTTP_BODY_CHUNKED)
		return put(at, S("transfer-encoding: chunked\r\n"));
	if (h->framing != HTTP_BODY_LENGTH)
		return at;
	at = put(at, S("content-length: "));
	at = put_number(at, h->content_length);
	return put(at, S("\r\n"));
}

static char *
put_connection(char *at, const struct http_head *h)
{
	switch ((enum http_connection)h->connection) {
	case HTTP_CONN_CLOSE:
		return put(at, S("connection: close\r\n"));
	case HTTP_CONN_KEEP_ALIVE:
		return put(at, S("connection: keep-alive\r\n"));
	case HTTP_CONN_UPGRADE:
		at = put(at, S("connection: upgrade\r\n"));
		return put_field(at, S("upgrade"), h->upgrade);
	case HTTP_CONN_DEFAULT:
		break;
	}
	return at;
}

static char *
put_fields(char *at, const struct http_head *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (!http_is_framing(h, &h->fields[i]))
			at = put_field(
			    at, h->fields[i].name, h->fields[i].value);
	return at;
}

enum err
http1_write_head(const struct http_head *h, struct buf *out)
{
	char *start;
	char *at;
	enum err e = buf_reserve(out, measure(h), &start);

	if (e != OK)
		return e;
	at = h->status == 0 ? put_request_line(start, h)
			    : put_status_line(start, h);
	at = put_fields(at, h);
	at = put_framing(at, h);
	at = put_connection(at, h);
	at = put(at, S("\r\n"));
	CHECK((size_t)(at - start) <= measure(h));
	buf_commit(out, (size_t)(at - start));
	return OK;
}

size_t
http1_chunk_head(uint64_t n, char out[HTTP1_CHUNK_HEAD_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t digits = 1;

	for (uint64_t rest = n >> 4; rest > 0; rest >>= 4)
		digits++;
	for (size_t i = digits; i > 0; i--, n >>= 4)
		out[i - 1] = hex[n & 15];
	memcpy(out + digits, "\r\n", 2);
	return digits + 2;
}

enum err
http1_write_chunk(struct slice bytes, struct buf *out)
{
	char head[HTTP1_CHUNK_HEAD_MAX];
	size_t head_len = http1_chunk_head(bytes.len, head);
	char *at;
	enum err e;

	if (bytes.len == 0)
		return OK;
	e = buf_reserve(out, head_len + bytes.len + 2, &at);
	if (e != OK)
		return e;
	at = put(at, slice_of(head, head_len));
	at = put(at, bytes);
	(void)put(at, S("\r\n")); /* where it ends is known */
	buf_commit(out, head_len + bytes.len + 2);
	return OK;
}

enum err
http1_write_fields(const struct http_head *h, struct buf *out)
{
	char *start;
	enum err e = buf_reserve(out, measure(h), &start);

	if (e == OK)
		buf_commit(out, (size_t)(put_fields(start, h) - start));
	return e;
}

enum err
http1_write_end(const struct http_head *trailers, struct buf *out)
{
	char *start;
	char *at;
	size_t room = sizeof("0\r\n\r\n");
	enum err e;

	if (trailers != NULL)
		room += measure(trailers);
	e = buf_reserve(out, room, &start);
	if (e != OK)
		return e;
	at = put(start, S("0\r\n"));
	if (trailers != NULL)
		at = put_fields(at, trailers);
	at = put(at, S("\r\n"));
	buf_commit(out, (size_t)(at - start));
	return OK;
}

struct slice
http1_continue(void)
{
	return S("HTTP/1.1 100 Continue\r\n\r\n");
}
