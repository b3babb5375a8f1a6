/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http — a message that there is no memory for is refused alone.
 */
#include "http/http.h"

#include "memory.h"
#include "unit.h"

enum { PIECE = 7 };

static const char message[] =
    "POST /a?b=c HTTP/1.1\r\nHost: web\r\nContent-Type: text/plain\r\n"
    "X-Long: 0123456789012345678901234567890123456789\r\n"
    "Transfer-Encoding: chunked\r\nTrailer: x\r\n\r\n"
    "5\r\nhello\r\n0\r\nX: y\r\n\r\n";

struct seen {
	unsigned heads;
	unsigned ends;
	bool written;
};

static void
on_head(void *arg, struct http_head *h)
{
	struct seen *seen = arg;
	AUTO(buf_fini) struct buf out = BUF(LIMIT_HEAD_BYTES);

	seen->heads++;
	seen->written = http_head_keep(h) == OK &&
			http_head_set_id(h, HTTP_X_REQUEST_ID, S("1")) == OK &&
			http1_write_head(h, &out) == OK;
}

static void
on_complete(void *arg)
{
	struct seen *seen = arg;

	seen->ends++;
}

static const struct http1_events events = {
    .on_head = on_head, .on_complete = on_complete};

/* Torn, so that the parser has to keep what it was fed. */
static enum err
feed(struct http1_parser *p)
{
	struct slice rest = slice_str(message);
	enum err e = OK;

	while (rest.len > 0 && e == OK) {
		size_t used = 0;

		e = http1_parser_feed(p, slice_sub(rest, 0, PIECE), &used);
		rest = slice_sub(rest, used, rest.len);
	}
	return e;
}

static void
parse(struct memory_walk *w)
{
	struct seen seen = {0};
	AUTO(http1_parser_free)
	struct http1_parser *p =
	    http1_parser_new(HTTP1_REQUESTS, &events, &seen);
	enum err e;

	memory_fail(w);
	e = feed(p);
	memory_heal(w);
	/* ERR_EOF: the message is whole. */
	EXPECT_TRUE(w->hit || (e == ERR_EOF && seen.written));
	EXPECT_TRUE(e == ERR_EOF || e == ERR_PARSE || e == ERR_NO_MEMORY);
	EXPECT_TRUE(seen.ends == (e == ERR_EOF));
	EXPECT_TRUE(seen.heads <= 1);
}

TEST(a_message_is_seen_whole_or_refused)
{
	memory_walk_all(parse);
}

static bool
take_message(void *arg, struct slice bytes)
{
	unsigned *count = arg;

	EXPECT_SLICE(bytes, S("hello"));
	++*count;
	return true;
}

static void
read_grpc(struct memory_walk *w)
{
	struct slice rest = S("\0\0\0\0\5hello\0\0\0\0\5hello");
	struct grpc_reader r;
	unsigned count = 0;
	enum err e = OK;

	grpc_reader_init(&r, 100);
	memory_fail(w);
	for (; rest.len > 0 && e == OK; rest = slice_sub(rest, 3, rest.len))
		e = grpc_reader_feed(
		    &r, slice_sub(rest, 0, 3), take_message, &count);
	memory_heal(w);
	memory_expect(w, e);
	EXPECT_TRUE(w->hit || count == 2);
	grpc_reader_fini(&r);
}

TEST(grpc_messages_are_cut_whole_or_the_call_ends)
{
	memory_walk_all(read_grpc);
}
