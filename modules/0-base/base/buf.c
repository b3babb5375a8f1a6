/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf — growing, printing, and the numbers of wire formats.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "check.h"
#include "secret.h"

enum { BUF_FIRST = 256 };

/* Moves what is unread to the front of the block. */
static void
compact(struct buf *b)
{
	if (b->start == 0)
		return;
	CHECK(b->mem != NULL);
	memmove(b->mem, b->mem + b->start, buf_len(b));
	b->end -= b->start;
	b->start = 0;
}

/* Moving to a larger block leaves nothing in the old one. */
static char *
resize_secret(const struct buf *b, size_t cap)
{
	char *mem = mem_try(cap);

	if (mem == NULL)
		return NULL;
	if (b->mem != NULL) {
		memcpy(mem, b->mem, b->end);
		secret_wipe(b->mem, b->cap);
		free(b->mem);
	}
	return mem;
}

static enum err
grow(struct buf *b, size_t needed)
{
	size_t doubled = b->cap <= SIZE_MAX / 2 ? b->cap * 2 : SIZE_MAX;
	size_t cap = MAX(MAX(doubled, (size_t)BUF_FIRST), needed);
	char *mem;

	/* A limit of few bytes needs no more than these. */
	if (cap > b->limit)
		cap = MAX(b->limit, needed);
	compact(b);
	mem = b->secret ? resize_secret(b, cap) : mem_try_resize(b->mem, cap);
	if (mem == NULL)
		return ERR_NO_MEMORY;
	b->mem = mem;
	b->cap = cap;
	return OK;
}

/* Room for n bytes that count and `spare` behind them that do not. */
static enum err
make_room(struct buf *b, size_t n, size_t spare)
{
	size_t needed;

	if (buf_len(b) > b->limit || n > b->limit - buf_len(b))
		return ERR_LIMIT;
	if (__builtin_add_overflow(buf_len(b) + n, spare, &needed))
		return ERR_LIMIT;
	if (b->mem != NULL && needed <= b->cap - b->start)
		return OK;
	/* Moving costs the unread bytes; below half full it pays. */
	if (b->mem != NULL && needed <= b->cap &&
	    (needed <= b->cap / 2 || b->cap >= b->limit)) {
		compact(b);
		return OK;
	}
	return grow(b, needed);
}

void
buf_init(struct buf *b, size_t limit)
{
	*b = BUF(limit);
}

void
buf_fini(struct buf *b)
{
	if (b->secret && b->mem != NULL)
		secret_wipe(b->mem, b->cap);
	mem_free(&b->mem);
	*b = (struct buf){.limit = b->limit, .secret = b->secret};
}

void
buf_reset(struct buf *b)
{
	b->start = b->end = 0;
}

enum err
buf_reserve(struct buf *b, size_t n, char **out_ptr)
{
	enum err e = make_room(b, n, 0);

	if (e == OK)
		*out_ptr = b->mem + b->end;
	return e;
}

void
buf_commit(struct buf *b, size_t n)
{
	CHECK(n <= b->cap - b->end);
	b->end += n;
}

void
buf_consume(struct buf *b, size_t n)
{
	CHECK(n <= buf_len(b));
	b->start += n;
	if (b->start == b->end)
		buf_reset(b);
}

enum err
buf_add(struct buf *b, const void *bytes, size_t n)
{
	char *to;
	enum err e = buf_reserve(b, n, &to);

	if (e != OK || n == 0)
		return e;
	memcpy(to, bytes, n);
	b->end += n;
	return OK;
}

enum err
buf_add_slice(struct buf *b, struct slice s)
{
	return buf_add(b, s.ptr, s.len);
}

enum err
buf_add_byte(struct buf *b, uint8_t byte)
{
	return buf_add(b, &byte, 1);
}

enum err
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int len;
	enum err e;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return ERR_INVALID;
	if ((e = make_room(b, (size_t)len, /* the zero */ 1)) != OK)
		return e;
	va_start(args, fmt);
	len = vsnprintf(b->mem + b->end, (size_t)len + 1, fmt, args);
	va_end(args);
	CHECK(len >= 0);
	b->end += (size_t)len;
	return OK;
}

static enum err
add_big_endian(struct buf *b, uint64_t v, size_t bytes)
{
	uint8_t wire[8];

	for (size_t i = 0; i < bytes; i++)
		wire[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	return buf_add(b, wire, bytes);
}

enum err
buf_add_u16(struct buf *b, uint16_t v)
{
	return add_big_endian(b, v, sizeof(v));
}

enum err
buf_add_u32(struct buf *b, uint32_t v)
{
	return add_big_endian(b, v, sizeof(v));
}

enum err
buf_add_u64(struct buf *b, uint64_t v)
{
	return add_big_endian(b, v, sizeof(v));
}

static uint64_t
read_big_endian(struct reader *r, size_t bytes)
{
	struct slice s = reader_bytes(r, bytes);
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++)
		v = v << 8 | (uint8_t)s.ptr[i];
	return v;
}

uint8_t
reader_u8(struct reader *r)
{
	return (uint8_t)read_big_endian(r, 1);
}

uint16_t
reader_u16(struct reader *r)
{
	return (uint16_t)read_big_endian(r, 2);
}

uint32_t
reader_u32(struct reader *r)
{
	return (uint32_t)read_big_endian(r, 4);
}

uint64_t
reader_u64(struct reader *r)
{
	return read_big_endian(r, 8);
}

struct slice
reader_bytes(struct reader *r, size_t n)
{
	struct slice s;

	if (r->failed || n > r->rest.len) {
		r->failed = true;
		return SLICE_NONE;
	}
	s = slice_sub(r->rest, 0, n);
	r->rest = slice_sub(r->rest, n, r->rest.len);
	return s;
}

enum err
reader_done(const struct reader *r)
{
	return r->failed || r->rest.len > 0 ? ERR_PARSE : OK;
}
