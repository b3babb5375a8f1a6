/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_strict — what must be refused, with its word, however it is torn.
 */
#include <stdio.h>

#include "transcript.h"
#include "unit.h"

static struct transcript seen;

struct smuggled {
	const char *bytes;
	const char *word;
};

static const char *
flaw_in(const char *text)
{
	const char *at = strstr(text, "flaw ");

	return at != NULL ? at + strlen("flaw ") : "none\n";
}

static void
expect_flaw(enum http1_side side, struct slice bytes, const char *word)
{
	char line[64];

	snprintf(line, sizeof(line), "%s\n", word);
	for (size_t piece = 1; piece <= bytes.len; piece++)
		EXPECT_STR(
		    flaw_in(transcript_of(&seen, side, bytes, piece)), line);
}

#define HOST "Host: h\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct smuggled requests[] = {
    {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"length_and_coding"},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
	"length_and_coding"},
    {POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
	"bad_content_length"},
    {POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
	"bad_content_length"},
    {POST "Content-Length: 1, 1\r\n\r\nx", "bad_content_length"},
    {POST "Content-Length: +1\r\n\r\nx", "bad_content_length"},
    {POST "Content-Length: -1\r\n\r\nx", "bad_content_length"},
    {POST "Content-Length: 0x1\r\n\r\nx", "bad_content_length"},
    {POST "Content-Length: 1 1\r\n\r\nx", "bad_content_length"},
    {POST "Content-Length: \r\n\r\n", "bad_content_length"},
    {POST "Content-Length: 99999999999999999999\r\n\r\n", "bad_content_length"},
    {POST "Content-Length : 1\r\n\r\nx", "space_before_colon"},
    {POST "X\t: 1\r\n\r\n", "space_before_colon"},
    {POST "Transfer-Encoding: gzip\r\n\r\n", "unknown_transfer_coding"},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"unknown_transfer_coding"},
    {POST "Transfer-Encoding: chunked, identity\r\n\r\n",
	"bad_transfer_coding"},
    {POST "Transfer-Encoding: xchunked\r\n\r\n", "unknown_transfer_coding"},
    {POST "Transfer-Encoding: chunked;x=y\r\n\r\n", "unknown_transfer_coding"},
    {POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
	"bad_transfer_coding"},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "0\r\n\r\n",
	"bad_transfer_coding"},
    {POST "Transfer-Encoding:\r\n\r\n", "bad_transfer_coding"},
    {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"bad_transfer_coding"},
    {POST "X: a\r\n b\r\n\r\n", "folded_field"},
    {POST "X: a\r\n\tb\r\n\r\n", "folded_field"},
    {"GET / HTTP/1.1\r\n Host: h\r\n\r\n", "folded_field"},
    {POST "X: a\n\r\n", "bare_line_end"},
    {"GET / HTTP/1.1\n" HOST "\r\n", "bare_line_end"},
    {"GET / HTTP/1.1\r\n" HOST "\n", "bare_line_end"},
    {POST "X: a\rb\r\n\r\n", "bare_line_end"},
    {POST "X\r: a\r\n\r\n", "bad_field_name"},
    {POST "X(y): a\r\n\r\n", "bad_field_name"},
    {POST ": a\r\n\r\n", "bad_field_name"},
    {POST "X y: a\r\n\r\n", "space_before_colon"},
    {POST "X: a\x01z\r\n\r\n", "bad_field_value"},
    {POST "X: a\x7fz\r\n\r\n", "bad_field_value"},
    {POST "no colon\r\n\r\n", "space_before_colon"},
    {POST "nocolon\r\n\r\n", "bad_field_name"},
    {"GET / HTTP/1.1\r\n\r\n", "missing_host"},
    {"GET / HTTP/1.0\r\n\r\n", "missing_host"},
    {"GET http://h/ HTTP/1.1\r\n\r\n", "missing_host"},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "two_hosts"},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "bad_host"},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "bad_host"},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "bad_host"},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "bad_host"},
    {"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", "bad_host"},
    {"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "host_mismatch"},
    {"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "bad_target"},
    {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "bad_target"},
    {"GET x HTTP/1.1\r\n" HOST "\r\n", "bad_target"},
    {"GET * HTTP/1.1\r\n" HOST "\r\n", "bad_target"},
    {"GET /a\x80 HTTP/1.1\r\n" HOST "\r\n", "bad_target"},
    {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", "bad_target"},
    {"CONNECT h HTTP/1.1\r\n" HOST "\r\n", "bad_target"},
    {"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nContent-Length: 1\r\n\r\n",
	"bad_content_length"},
    {"G\x01T / HTTP/1.1\r\n" HOST "\r\n", "bad_method"},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", "bad_version"},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", "bad_version"},
    {"GET / HTTP/0.9\r\n" HOST "\r\n", "bad_version"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad_version"},
    {"GET /\r\n\r\n", "bad_version"},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", "bad_start_line"},
    {"GET /\tHTTP/1.1\r\n" HOST "\r\n", "bad_target"},
    {" GET / HTTP/1.1\r\n" HOST "\r\n", "bad_method"},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", "bad_version"},
    {"GET / http/1.1\r\n" HOST "\r\n", "bad_start_line"},
    {"GET / x HTTP/1.1\r\n" HOST "\r\n", "bad_start_line"},
    {"get / HTTP/1.1\r\n" HOST "\r\n", "bad_method"},
    {"GET / HTTP/1.1\r" HOST "\r\n", "bare_line_end"},
    {POST "Transfer-Encoding: chunked, gzip\r\n\r\n", "bad_transfer_coding"},
    {POST "Content-Length: 1 \t2\r\n\r\nx", "bad_content_length"},
    {POST "Content-Length: 1\r\ncontent-length: 1\r\n\r\nx",
	"bad_content_length"},
    {POST "X\x80: a\r\n\r\n", "bad_field_name"},
    {POST "Expect: a miracle\r\n\r\n", "bad_expectation"},
    {CHUNKED "x\r\n\r\n", "bad_chunk"},
    {CHUNKED "-1\r\n", "bad_chunk"},
    {CHUNKED "0x1\r\na\r\n0\r\n\r\n", "bad_chunk"},
    {CHUNKED "1\na\r\n0\r\n\r\n", "bad_chunk"},
    {CHUNKED "1\r\nab\r\n0\r\n\r\n", "bad_chunk"},
    {CHUNKED "1 \r\na\r\n0\r\n\r\n", "bad_chunk"},
    {CHUNKED "1;\x01\r\na\r\n0\r\n\r\n", "bad_chunk"},
    {CHUNKED "1;a\nb\r\na\r\n0\r\n\r\n", "bad_chunk"},
    {CHUNKED "1;a=\"b\nc\"\r\na\r\n0\r\n\r\n", "bad_chunk"},
    {CHUNKED "fffffffffffffffff\r\n", "bad_chunk"},
    {CHUNKED "0\r\nContent-Length: 1\r\n\r\n", "bad_trailer"},
    {CHUNKED "0\r\nHost: x\r\n\r\n", "bad_trailer"},
    {CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_trailer"},
};

static const struct smuggled responses[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
     "\r\n",
	"length_and_coding"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	"bad_content_length"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	"unknown_transfer_coding"},
    {"HTTP/1.1 20 OK\r\n\r\n", "bad_status"},
    {"HTTP/1.1 2000 OK\r\n\r\n", "bad_status"},
    {"HTTP/1.1 099 OK\r\n\r\n", "bad_status"},
    {"HTTP/2.0 200 OK\r\n\r\n", "bad_version"},
    {"HTTP/1.1 200 OK\nX: y\r\n\r\n", "bare_line_end"},
    {"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "space_before_colon"},
    {"ICY 200 OK\r\n\r\n", "bad_start_line"},
    {"HTTP/1.1  200 OK\r\n\r\n", "bad_status"},
    {"HTTP/1.2 200 OK\r\n\r\n", "bad_version"},
    {"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", "bad_content_length"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1 1\r\n\r\nx", "bad_content_length"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
	"unknown_transfer_coding"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
	"unknown_transfer_coding"},
    {"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "folded_field"},
    {"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "bare_line_end"},
    {"HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n", "bare_line_end"},
    {"HTTP/1.1 200 OK\r\nX: a\x01\r\n\r\n", "bad_field_value"},
    {"HTTP/1.1 200 OK\r\nX(y): a\r\n\r\n", "bad_field_name"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
	"bad_chunk"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n",
	"bad_trailer"},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	"bad_transfer_coding"},
    {"HTTP/1.1 200 OK\r\nX\r\n\r\n", "bad_field_name"},
};

TEST(requests_that_two_parsers_read_differently_are_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		expect_flaw(HTTP1_REQUESTS, slice_str(requests[i].bytes),
		    requests[i].word);
}

TEST(responses_that_two_parsers_read_differently_are_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(responses); i++)
		expect_flaw(HTTP1_RESPONSES, slice_str(responses[i].bytes),
		    responses[i].word);
}

TEST(a_zero_byte_is_refused)
{
	expect_flaw(HTTP1_REQUESTS,
	    S("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"),
	    "bad_field_value");
	expect_flaw(HTTP1_REQUESTS,
	    S("GET / HTTP/1.1\r\nHost: h\r\nX\0: a\r\n\r\n"), "bad_field_name");
	expect_flaw(HTTP1_REQUESTS, S("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"),
	    "bad_target");
}

/* "GET / …" with one field whose value has n bytes. */
static struct slice
request_with(struct buf *b, size_t n)
{
	buf_reset(b);
	EXPECT_OK(buf_add_slice(b, S("GET / HTTP/1.1\r\nHost: h\r\nX: ")));
	for (size_t i = 0; i < n; i++)
		EXPECT_OK(buf_add_byte(b, 'a'));
	EXPECT_OK(buf_add_slice(b, S("\r\n\r\n")));
	return buf_slice(b);
}

TEST(a_head_past_the_limit_is_431)
{
	AUTO(buf_fini) struct buf b = BUF(1 << 20);
	struct slice bytes;

	for (size_t piece = 512; piece <= 128 << 10; piece *= 16) {
		bytes = request_with(&b, LIMIT_HEAD_BYTES);
		EXPECT_STR(
		    flaw_in(transcript_of(&seen, HTTP1_REQUESTS, bytes, piece)),
		    "head_too_large\n");
		bytes = request_with(&b, LIMIT_HEAD_BYTES - 100);
		EXPECT_STR(
		    flaw_in(transcript_of(&seen, HTTP1_REQUESTS, bytes, piece)),
		    "none\n");
	}
	EXPECT_EQ(http1_flaw_status(HTTP1_HEAD_TOO_LARGE), 431);
}

TEST(spaces_count_against_the_limit_too)
{
	AUTO(buf_fini) struct buf b = BUF(1 << 20);

	EXPECT_OK(buf_add_slice(&b, S("GET / HTTP/1.1\r\nHost: h\r\nX: ")));
	for (size_t i = 0; i < LIMIT_HEAD_BYTES; i++)
		EXPECT_OK(buf_add_byte(&b, ' '));
	EXPECT_STR(
	    flaw_in(transcript_of(&seen, HTTP1_REQUESTS, buf_slice(&b), 1000)),
	    "head_too_large\n");
}

static const char *
with_fields(struct buf *b, size_t n)
{
	buf_reset(b);
	EXPECT_OK(buf_add_slice(b, S("GET / HTTP/1.1\r\nHost: h\r\n")));
	for (size_t i = 1; i < n; i++)
		EXPECT_OK(buf_add_slice(b, S("x: y\r\n")));
	EXPECT_OK(buf_add_slice(b, S("\r\n")));
	return flaw_in(transcript_of(&seen, HTTP1_REQUESTS, buf_slice(b), 777));
}

TEST(too_many_fields_are_431)
{
	AUTO(buf_fini) struct buf b = BUF(1 << 20);

	EXPECT_STR(with_fields(&b, LIMIT_HEAD_FIELDS), "none\n");
	EXPECT_STR(with_fields(&b, LIMIT_HEAD_FIELDS + 1), "too_many_fields\n");
	EXPECT_EQ(http1_flaw_status(HTTP1_TOO_MANY_FIELDS), 431);
}

TEST(a_body_past_its_limit_is_413)
{
	static const char *const bodies[] = {
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		for (uint64_t limit = 4; limit <= 5; limit++) {
			transcript_init(&seen, HTTP1_REQUESTS);
			http1_parser_limit_body(seen.parser, limit);
			transcript_feed(&seen, slice_str(bodies[i]), 3);
			EXPECT_STR(flaw_in(seen.text),
			    limit == 4 ? "body_too_large\n" : "none\n");
			transcript_fini(&seen);
		}
	EXPECT_EQ(http1_flaw_status(HTTP1_BODY_TOO_LARGE), 413);
}

TEST(endless_chunk_extensions_are_refused)
{
	AUTO(buf_fini) struct buf b = BUF(1 << 20);

	EXPECT_OK(buf_add_slice(&b, S(CHUNKED)));
	for (size_t i = 0; i < 4000; i++)
		EXPECT_OK(buf_add_slice(&b, S("1;abcdefgh\r\na\r\n")));
	EXPECT_STR(
	    flaw_in(transcript_of(&seen, HTTP1_REQUESTS, buf_slice(&b), 4096)),
	    "bad_chunk\n");
}

TEST(endless_interim_responses_are_refused)
{
	AUTO(buf_fini) struct buf b = BUF(1 << 20);

	for (size_t i = 0; i < 100; i++)
		EXPECT_OK(
		    buf_add_slice(&b, S("HTTP/1.1 100 Continue\r\n\r\n")));
	EXPECT_STR(
	    flaw_in(transcript_of(&seen, HTTP1_RESPONSES, buf_slice(&b), 4096)),
	    "bad_status\n");
}
