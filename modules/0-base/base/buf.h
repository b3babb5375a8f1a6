/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf — growing bytes with a limit, read at the front, written at the back.
 *
 * One contiguous block. Consuming moves an offset; space is regained when it
 * runs out. Growing past the limit is ERR_LIMIT and changes nothing.
 */
#ifndef MESHD_BUF_H
#define MESHD_BUF_H

#include "slice.h"

struct buf {
	char *mem;
	size_t start; /* first unread byte */
	size_t end;   /* behind the last byte */
	size_t cap;
	size_t limit; /* most bytes that may be unread at once */
	bool secret;  /* no memory is given back before it is wiped */
};

#define BUF(limit_bytes) ((struct buf){.limit = (limit_bytes)})
#define BUF_SECRET(limit_bytes)                                                \
	((struct buf){.limit = (limit_bytes), .secret = true})

void buf_init(struct buf *b, size_t limit);

/* Frees the memory; the buf is empty and keeps limit and secrecy. */
void buf_fini(struct buf *b);

/* Empty, memory kept. */
void buf_reset(struct buf *b);

static inline size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline struct slice
buf_slice(const struct buf *b)
{
	if (b->mem == NULL)
		return SLICE_NONE;
	return slice_of(b->mem + b->start, buf_len(b));
}

/* Room for at least n more bytes; *out_ptr is where they go. */
MUST_USE enum err buf_reserve(struct buf *b, size_t n, char **out_ptr);

/* n of the reserved bytes have been written. */
void buf_commit(struct buf *b, size_t n);

/* n bytes at the front were read. */
void buf_consume(struct buf *b, size_t n);

MUST_USE enum err buf_add(struct buf *b, const void *bytes, size_t n);
MUST_USE enum err buf_add_slice(struct buf *b, struct slice s);
MUST_USE enum err buf_add_byte(struct buf *b, uint8_t byte);
MUST_USE enum err buf_printf(struct buf *b, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* Big-endian integers, for wire formats. */
MUST_USE enum err buf_add_u16(struct buf *b, uint16_t v);
MUST_USE enum err buf_add_u32(struct buf *b, uint32_t v);
MUST_USE enum err buf_add_u64(struct buf *b, uint64_t v);

/* A cursor over received bytes: past the end every read says ERR_PARSE. */
struct reader {
	struct slice rest;
	bool failed; /* sticky: check once at the end */
};

#define READER(s) ((struct reader){(s), false})

uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
struct slice reader_bytes(struct reader *r, size_t n);

/* OK if nothing failed and nothing is left, else ERR_PARSE. */
MUST_USE enum err reader_done(const struct reader *r);

#endif
