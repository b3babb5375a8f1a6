/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc_web — types of content, base64 torn at every digit, trailers as bytes.
 */
#include "http/http.h"
#include "unit.h"

#include <string.h>

/* --- types --- */

TEST(a_type_says_which_form_and_which_messages)
{
	static const struct {
		const char *type;
		bool web;
		bool text;
		const char *subtype;
	} rows[] = {
	    {"application/grpc", false, false, ""},
	    {"application/grpc+proto", false, false, "+proto"},
	    {"application/grpc;charset=utf-8", false, false, ""},
	    {"application/grpc-web", true, false, ""},
	    {"Application/gRPC-Web+JSON", true, false, "+JSON"},
	    {"application/grpc-web-text", true, true, ""},
	    {"application/grpc-web-text+proto ; a=b", true, true, "+proto"},
	    {" application/grpc-web-text-base64", true, true, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct grpc_type t;

		EXPECT_TRUE(grpc_read_type(slice_str(rows[i].type), &t));
		EXPECT_EQ(t.web, rows[i].web);
		EXPECT_EQ(t.text, rows[i].text);
		EXPECT_SLICE(t.subtype, slice_str(rows[i].subtype));
	}
}

TEST(what_is_no_grpc_is_none)
{
	static const char *const other[] = {"", "+proto", "application/grpcweb",
	    "application/grpc-", "application/grpc-web-", "application/json",
	    "application/grpc-web-texts", "text/plain; application/grpc"};
	struct grpc_type t = {.text = true};

	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		EXPECT_FALSE(grpc_read_type(slice_str(other[i]), &t));
	EXPECT_TRUE(t.text);
}

/* --- base64 --- */

static enum err
decode(struct slice text, size_t piece, struct buf *out, bool *out_inside)
{
	struct grpc_web_text t = {0};
	enum err e = OK;

	buf_reset(out);
	while (text.len > 0 && e == OK) {
		e = grpc_web_decode(&t, slice_sub(text, 0, piece), out);
		text = slice_sub(text, piece, text.len);
	}
	*out_inside = grpc_web_is_inside(&t);
	return e;
}

TEST(text_may_be_padded_anywhere_and_torn_everywhere)
{
	AUTO(buf_fini) struct buf out = BUF(100);
	const struct slice text = S("aGVsbG8=IA==d29ybGQhIQ==");
	bool inside;

	for (size_t piece = 1; piece <= text.len; piece++) {
		EXPECT_OK(decode(text, piece, &out, &inside));
		EXPECT_SLICE(buf_slice(&out), S("hello world!!"));
		EXPECT_FALSE(inside);
	}
}

TEST(all_that_can_be_known_is_handed_on_at_once)
{
	AUTO(buf_fini) struct buf out = BUF(100);
	bool inside;

	EXPECT_OK(decode(S("aGVsbG8"), 7, &out, &inside));
	EXPECT_SLICE(buf_slice(&out), S("hel"));
	EXPECT_TRUE(inside);
}

TEST(what_is_no_base64_is_refused_wherever_it_is_torn)
{
	static const char *const bad[] = {"aGV\n", "aGVs\r\n\r\n", "aG=V",
	    "====", "a===", "=aGV", "aGV-", "aGV s", "aGVsbGV?",
	    "aR==", "\xc3\xa9=="};
	AUTO(buf_fini) struct buf out = BUF(100);
	bool inside;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t piece = 1; piece <= strlen(bad[i]); piece++)
			EXPECT_ERR(
			    decode(slice_str(bad[i]), piece, &out, &inside),
			    ERR_PARSE);
}

TEST(bytes_come_back_from_text)
{
	AUTO(buf_fini) struct buf text = BUF(1 << 10);
	AUTO(buf_fini) struct buf back = BUF(1 << 10);
	uint8_t bytes[256];
	bool inside;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		buf_reset(&text);
		EXPECT_OK(grpc_web_encode(slice_of(bytes, n), &text));
		EXPECT_EQ(buf_len(&text) % 4, 0);
		EXPECT_OK(decode(buf_slice(&text), 5, &back, &inside));
		EXPECT_SLICE(buf_slice(&back), slice_of(bytes, n));
	}
}

/* --- trailers --- */

TEST(trailers_are_a_message_of_lines)
{
	AUTO(arena_fini) struct arena a = {0};
	AUTO(buf_fini) struct buf out = BUF(GRPC_WEB_TRAILERS_MAX);
	struct http_head h;

	arena_init(&a, 1 << 16);
	http_head_init(&h, &a);
	EXPECT_OK(buf_add_slice(&out, S("before")));
	EXPECT_OK(grpc_web_write_trailers(&h, &out));
	EXPECT_SLICE(buf_slice(&out), S("before\x80\0\0\0\0"));
	EXPECT_OK(http_head_add(&h, S("grpc-status"), S("5")));
	EXPECT_OK(http_head_add(&h, S("X-Sum"), S("a b")));
	buf_reset(&out);
	EXPECT_OK(grpc_web_write_trailers(&h, &out));
	EXPECT_SLICE(buf_slice(&out),
	    S("\x80\0\0\0\x1cgrpc-status: 5\r\nx-sum: a b\r\n"));
}
