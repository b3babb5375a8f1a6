/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — frames are kept as they came; HPACK is nghttp2's, for reading only.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "unit.h"
#include "wire.h"

enum { WIRE_BYTES_MAX = 64 << 20, FRAME_HEAD = 9, TURNS = 40 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	struct wire *w = arg;

	(void)s;
	EXPECT_OK(buf_add_slice(&w->in, bytes));
}

static void
on_eof(struct stream *s, void *arg)
{
	struct wire *w = arg;

	(void)s;
	w->eof = true;
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct wire *w = arg;

	(void)s;
	(void)why;
	w->closed = true;
	w->far = NULL;
}

static const struct stream_events far_events = {
    .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

void
wire_init(struct wire *w)
{
	struct net_pair_spec spec = {.capacity = 1 << 20};

	memset(w, 0, sizeof(*w));
	w->fake.mono_us = 1000000;
	w->clock = clock_fake_as_clock(&w->fake);
	w->loop = loop_new(&w->clock);
	net_pair_new(w->loop, &spec, &w->near, &w->far);
	stream_set_events(w->far, &far_events, w);
	buf_init(&w->in, WIRE_BYTES_MAX);
	w->frames = mem_new_array(WIRE_FRAMES_MAX, sizeof(*w->frames));
	EXPECT_EQ(nghttp2_hd_inflate_new(&w->inflater), 0);
}

void
wire_fini(struct wire *w)
{
	if (w->far != NULL)
		stream_close(w->far, OK);
	wire_wait(w, UINT64_C(60000000)); /* lingering ends */
	buf_fini(&w->in);
	mem_free(&w->frames);
	nghttp2_hd_inflate_del(w->inflater);
	loop_free(&w->loop);
}

void
wire_settle(struct wire *w)
{
	for (int i = 0; i < TURNS; i++)
		loop_turn(w->loop, 0);
}

void
wire_wait(struct wire *w, uint64_t us)
{
	for (uint64_t step; us > 0; us -= step) {
		step = MIN(us, UINT64_C(1000000));
		clock_fake_advance(&w->fake, step);
		wire_settle(w);
	}
}

void
wire_send(struct wire *w, struct slice bytes)
{
	enum err e = w->kept != NULL ? buf_add_slice(w->kept, bytes)
				     : stream_write(w->far, bytes);

	EXPECT_TRUE(e == OK || e == ERR_AGAIN);
}

void
wire_send_frame(struct wire *w, enum wire_type type, uint8_t flags,
    uint32_t stream, struct slice payload)
{
	AUTO(buf_fini) struct buf b = BUF(WIRE_BYTES_MAX);

	EXPECT_OK(buf_add_byte(&b, (uint8_t)(payload.len >> 16)));
	EXPECT_OK(buf_add_u16(&b, (uint16_t)payload.len));
	EXPECT_OK(buf_add_byte(&b, (uint8_t)type));
	EXPECT_OK(buf_add_byte(&b, flags));
	EXPECT_OK(buf_add_u32(&b, stream));
	EXPECT_OK(buf_add_slice(&b, payload));
	wire_send(w, buf_slice(&b));
}

void
wire_greet(struct wire *w)
{
	wire_send(w, slice_of(preface, sizeof(preface) - 1));
	wire_send_frame(w, WIRE_SETTINGS, 0, 0, SLICE_NONE);
}

/* A string literal without Huffman coding (RFC 7541 §5.2). */
static void
add_literal(struct buf *b, struct slice s)
{
	EXPECT_TRUE(s.len < 127 + 128);
	if (s.len < 127) {
		EXPECT_OK(buf_add_byte(b, (uint8_t)s.len));
	} else {
		EXPECT_OK(buf_add_byte(b, 127));
		EXPECT_OK(buf_add_byte(b, (uint8_t)(s.len - 127)));
	}
	EXPECT_OK(buf_add_slice(b, s));
}

void
wire_send_head(
    struct wire *w, uint32_t stream, uint8_t flags, const char *lines)
{
	AUTO(buf_fini) struct buf b = BUF(WIRE_BYTES_MAX);
	struct slice rest = slice_str(lines);

	while (rest.len > 0) {
		struct slice line = slice_split(&rest, '\n');
		size_t colon =
		    slice_find(slice_sub(line, 1, line.len), ':') + 1;

		EXPECT_OK(buf_add_byte(&b, 0));
		add_literal(&b, slice_sub(line, 0, colon));
		add_literal(&b, slice_sub(line, colon + 2, line.len));
	}
	wire_send_frame(
	    w, WIRE_HEADERS, flags | WIRE_END_HEADERS, stream, buf_slice(&b));
}

void
wire_skip_preface(struct wire *w)
{
	wire_settle(w);
	EXPECT_TRUE(buf_len(&w->in) >= sizeof(preface) - 1);
	EXPECT_MEM(buf_slice(&w->in).ptr, preface, sizeof(preface) - 1);
	w->looked_at = sizeof(preface) - 1;
}

static void
read_head(struct wire *w, struct wire_frame *f)
{
	const uint8_t *at = (const uint8_t *)f->payload.ptr;
	size_t left = f->payload.len;
	size_t n = 0;
	int flags = 0;

	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		nghttp2_nv nv;
		ssize_t used = nghttp2_hd_inflate_hd2(
		    w->inflater, &nv, &flags, at, left, /* final */ 1);

		EXPECT_TRUE(used >= 0);
		at += used;
		left -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			n += (size_t)snprintf(f->text + n, WIRE_TEXT_MAX - n,
			    "%.*s: %.*s\n", (int)nv.namelen,
			    (const char *)nv.name, (int)nv.valuelen,
			    (const char *)nv.value);
	}
	EXPECT_EQ(nghttp2_hd_inflate_end_headers(w->inflater), 0);
}

/* Cuts what came into frames. */
static void
look(struct wire *w)
{
	struct slice all = buf_slice(&w->in);

	while (all.len - w->looked_at >= FRAME_HEAD) {
		struct reader r = READER(slice_sub(all, w->looked_at, all.len));
		size_t len = (size_t)reader_u8(&r) << 16;
		struct wire_frame *f = &w->frames[w->count];

		len |= reader_u16(&r);
		f->type = reader_u8(&r);
		f->flags = reader_u8(&r);
		f->stream = reader_u32(&r);
		if (r.rest.len < len)
			return;
		EXPECT_TRUE(w->count < WIRE_FRAMES_MAX - 1);
		f->payload = slice_sub(r.rest, 0, len);
		w->looked_at += FRAME_HEAD + len;
		w->count++;
		if (f->type == WIRE_HEADERS)
			read_head(w, f);
	}
}

/* The buffer moves as it grows: payloads are found again. */
static void
rebase(struct wire *w, const char *before)
{
	const char *now = buf_slice(&w->in).ptr;

	for (size_t i = 0; before != NULL && i < w->count; i++)
		w->frames[i].payload.ptr =
		    now + (w->frames[i].payload.ptr - before);
}

static void
settle_and_look(struct wire *w)
{
	const char *before = buf_slice(&w->in).ptr;

	wire_settle(w);
	rebase(w, before);
	look(w);
}

static size_t
find(struct wire *w, enum wire_type type)
{
	size_t i = w->next;

	settle_and_look(w);
	while (i < w->count && w->frames[i].type != type)
		i++;
	return i;
}

const struct wire_frame *
wire_expect(struct wire *w, enum wire_type type)
{
	size_t i = find(w, type);

	EXPECT_TRUE(i < w->count);
	w->next = i + 1;
	return &w->frames[i];
}

bool
wire_has(struct wire *w, enum wire_type type)
{
	return find(w, type) < w->count;
}

size_t
wire_data_bytes(struct wire *w, uint32_t stream)
{
	size_t bytes = 0;

	settle_and_look(w);
	for (size_t i = 0; i < w->count; i++)
		if (w->frames[i].type == WIRE_DATA &&
		    w->frames[i].stream == stream)
			bytes += w->frames[i].payload.len;
	return bytes;
}

uint32_t
wire_u32(struct slice payload)
{
	struct reader r = READER(payload);

	return reader_u32(&r);
}
