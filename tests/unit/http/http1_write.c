/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_write — heads, chunks and trailers, byte for byte.
 */
#include "http/http.h"
#include "unit.h"

static struct arena arena;
static struct http_head head;
static struct buf out;

static void
begin(void)
{
	arena_init(&arena, 1 << 20);
	buf_init(&out, 1 << 20);
	http_head_init(&head, &arena);
	head.method = S("GET");
	head.authority = S("web:80");
	head.path = S("/x?y");
}

static void
expect_written(struct slice bytes)
{
	buf_reset(&out);
	EXPECT_OK(http1_write_head(&head, &out));
	EXPECT_SLICE(buf_slice(&out), bytes);
}

static void
end(void)
{
	buf_fini(&out);
	arena_fini(&arena);
}

TEST(a_request_names_its_host_first)
{
	begin();
	EXPECT_OK(http_head_add(&head, S("Accept"), S("A")));
	expect_written(
	    S("GET /x?y HTTP/1.1\r\nhost: web:80\r\naccept: A\r\n\r\n"));
	end();
}

TEST(framing_comes_from_the_head_and_never_from_fields)
{
	begin();
	EXPECT_OK(http_head_add(&head, S("Content-Length"), S("99")));
	EXPECT_OK(http_head_add(&head, S("Transfer-Encoding"), S("gzip")));
	EXPECT_OK(http_head_add(&head, S("Connection"), S("close")));
	EXPECT_OK(http_head_add(&head, S("Upgrade"), S("x")));
	head.framing = HTTP_BODY_CHUNKED;
	expect_written(S("GET /x?y HTTP/1.1\r\nhost: web:80\r\n"
			 "transfer-encoding: chunked\r\n\r\n"));
	head.framing = HTTP_BODY_LENGTH;
	head.content_length = 7;
	expect_written(S("GET /x?y HTTP/1.1\r\nhost: web:80\r\n"
			 "content-length: 7\r\n\r\n"));
	end();
}

TEST(a_length_without_a_body_is_told)
{
	begin();
	head.status = 304;
	EXPECT_OK(http_head_add(&head, S("Content-Length"), S("99")));
	expect_written(
	    S("HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n"));
	end();
}

TEST(the_connection_field_is_what_the_head_says)
{
	begin();
	head.status = 200;
	head.reason = S("Fine");
	head.connection = HTTP_CONN_CLOSE;
	expect_written(S("HTTP/1.1 200 Fine\r\nconnection: close\r\n\r\n"));
	head.connection = HTTP_CONN_KEEP_ALIVE;
	expect_written(
	    S("HTTP/1.1 200 Fine\r\nconnection: keep-alive\r\n\r\n"));
	head.status = 101;
	head.connection = HTTP_CONN_UPGRADE;
	head.upgrade = S("websocket");
	expect_written(S("HTTP/1.1 101 Fine\r\nconnection: upgrade\r\n"
			 "upgrade: websocket\r\n\r\n"));
	end();
}

TEST(a_connect_asks_for_an_authority)
{
	begin();
	head.method = S("CONNECT");
	head.path = SLICE_NONE;
	expect_written(S("CONNECT web:80 HTTP/1.1\r\nhost: web:80\r\n\r\n"));
	end();
}

TEST(a_head_that_does_not_fit_changes_nothing)
{
	struct buf small = BUF(100);

	begin();
	EXPECT_OK(buf_add_slice(&small, S("kept")));
	EXPECT_ERR(http1_write_head(&head, &small), ERR_LIMIT);
	EXPECT_SLICE(buf_slice(&small), S("kept"));
	buf_fini(&small);
	end();
}

TEST(chunks_have_their_size_in_hexadecimal)
{
	char text[HTTP1_CHUNK_HEAD_MAX];

	EXPECT_SLICE(slice_of(text, http1_chunk_head(1, text)), S("1\r\n"));
	EXPECT_SLICE(
	    slice_of(text, http1_chunk_head(0xabc0, text)), S("abc0\r\n"));
	EXPECT_SLICE(slice_of(text, http1_chunk_head(UINT64_MAX, text)),
	    S("ffffffffffffffff\r\n"));
	begin();
	EXPECT_OK(http1_write_chunk(S("hello"), &out));
	EXPECT_OK(http1_write_chunk(S(""), &out));
	EXPECT_OK(http1_write_end(NULL, &out));
	EXPECT_SLICE(buf_slice(&out), S("5\r\nhello\r\n0\r\n\r\n"));
	end();
}

TEST(trailers_stand_behind_the_last_chunk)
{
	begin();
	EXPECT_OK(http_head_add(&head, S("Grpc-Status"), S("0")));
	EXPECT_OK(http_head_add(&head, S("Content-Length"), S("1")));
	head.framing = HTTP_BODY_CHUNKED;
	EXPECT_OK(http1_write_end(&head, &out));
	EXPECT_SLICE(buf_slice(&out), S("0\r\ngrpc-status: 0\r\n\r\n"));
	end();
}
