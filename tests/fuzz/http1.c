/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1 — bytes of a client and of a server, whole and torn.
 *
 * The first byte chooses the side and the size of the pieces. However the
 * bytes are torn, the parser must see the same messages; and a head that it
 * accepted must be read back, as we write it, with the same framing.
 */
#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES_MAX = 64 };

/* What one parse saw, as numbers. */
struct sight {
	struct http1_parser *parser;
	uint64_t hash;
	uint64_t body;
	bool rewrite;
};

static void
mix(struct sight *s, struct slice bytes)
{
	s->hash = (s->hash ^ slice_hash_stable(bytes)) * 0x9e3779b97f4a7c15u;
	s->hash ^= bytes.len;
}

static void
mix_number(struct sight *s, uint64_t n)
{
	mix(s, slice_of(&n, sizeof(n)));
}

static void
mix_fields(struct sight *s, const struct http_head *h)
{
	mix_number(s, h->count);
	for (size_t i = 0; i < h->count; i++) {
		mix(s, h->fields[i].name);
		mix(s, h->fields[i].value);
	}
}

static void
mix_head(struct sight *s, const struct http_head *h)
{
	mix(s, h->method);
	mix(s, h->authority);
	mix(s, h->path);
	mix(s, h->upgrade);
	mix_number(s, h->status);
	mix_number(s, h->framing);
	mix_number(s, h->content_length);
	mix_fields(s, h);
}

static void
on_interim(void *arg, struct http_head *h)
{
	CHECK(h->status >= 100 && h->status < 200);
	mix_head(arg, h);
}

static void
on_body(void *arg, struct slice bytes)
{
	struct sight *s = arg;

	/* Pieces differ; their bytes in a row do not. */
	for (size_t i = 0; i < bytes.len; i++)
		s->body = s->body * 31 + (uint8_t)bytes.ptr[i] + 1;
}

static void
on_trailers(void *arg, struct http_head *h)
{
	mix_fields(arg, h);
}

static void
on_complete(void *arg)
{
	struct sight *s = arg;

	mix_number(s, s->body);
	s->body = 0;
}

static void
on_again(void *arg, struct http_head *h)
{
	struct http_head *out = arg;

	out->framing = h->framing;
	out->content_length = h->content_length;
	out->count = h->count;
}

/* What we write for this head reads as the same message. */
static void
check_written(const struct http_head *h)
{
	static const struct http1_events again = {.on_head = on_again};
	AUTO(buf_fini) struct buf b = BUF(4 * LIMIT_HEAD_BYTES);
	struct http_head seen = {.framing = 99};
	AUTO(http1_parser_free)
	struct http1_parser *p = http1_parser_new(
	    h->status == 0 ? HTTP1_REQUESTS : HTTP1_RESPONSES, &again, &seen);
	size_t used;
	enum err e;

	if (h->framing == HTTP_BODY_TUNNEL)
		return;
	CHECK(http1_write_head(h, &b) == OK);
	if (buf_len(&b) > LIMIT_HEAD_BYTES - 4096)
		return;
	e = http1_parser_feed(p, buf_slice(&b), &used);
	CHECK(e == OK || e == ERR_EOF);
	CHECK(used == buf_len(&b));
	CHECK(seen.framing == h->framing ||
	      (h->status != 0 && h->framing == HTTP_BODY_NONE));
	if (seen.framing == HTTP_BODY_LENGTH && h->framing == HTTP_BODY_LENGTH)
		CHECK(seen.content_length == h->content_length);
}

static void
on_head(void *arg, struct http_head *h)
{
	struct sight *s = arg;

	mix_head(s, h);
	CHECK((h->status >= 200 && h->status <= 999) || h->method.len > 0 ||
	      h->status == 101);
	CHECK(h->count <= LIMIT_HEAD_FIELDS);
	CHECK(h->bytes <= LIMIT_HEAD_BYTES);
	if (!s->rewrite)
		return;
	CHECK(http_head_keep(h) == OK);
	http_head_strip_hops(h);
	check_written(h);
}

static const struct http1_events events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_complete = on_complete,
};

/* All messages of the bytes; the hash of what was seen. */
static uint64_t
see(enum http1_side side, struct slice bytes, size_t piece)
{
	struct sight s = {.rewrite = false};
	enum err e = OK;
	size_t used;
	int messages = 0;

	s.parser = http1_parser_new(side, &events, &s);
	while (bytes.len > 0 && e == OK && messages < MESSAGES_MAX) {
		e = http1_parser_feed(
		    s.parser, slice_sub(bytes, 0, piece), &used);
		CHECK(used <= MIN(piece, bytes.len));
		bytes = slice_sub(bytes, used, bytes.len);
		if (e != ERR_EOF)
			continue;
		if (!http1_parser_keep_alive(s.parser))
			break;
		http1_parser_next(s.parser);
		messages++;
		e = OK;
	}
	mix_number(&s, e == ERR_PARSE);
	mix_number(
	    &s, e == ERR_PARSE || messages == MESSAGES_MAX ? 0 : bytes.len);
	mix_number(&s, s.body);
	http1_parser_free(&s.parser);
	return s.hash;
}

static void
rewrite(enum http1_side side, struct slice bytes)
{
	struct sight s = {.rewrite = true};
	size_t used;

	s.parser = http1_parser_new(side, &events, &s);
	if (http1_parser_feed(s.parser, bytes, &used) == OK &&
	    http1_parser_finish(s.parser) == OK)
		CHECK(http1_parser_is_idle(s.parser));
	http1_parser_free(&s.parser);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http1_side side;
	struct slice bytes;

	if (size < 2)
		return 0;
	side = data[0] & 1 ? HTTP1_RESPONSES : HTTP1_REQUESTS;
	bytes = slice_of(data + 1, size - 1);
	if (size < LIMIT_HEAD_BYTES / 2)
		CHECK(see(side, bytes, size) ==
		      see(side, bytes, 1 + (data[0] >> 1)));
	rewrite(side, bytes);
	return 0;
}
