/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc_web — how browsers speak gRPC, as far as it is different.
 *
 * They see no trailers, so these come as the last message of the body, and
 * some cannot read bytes as they come, so these may be base64 (gRPC's
 * PROTOCOL-WEB.md). Which of both it is says grpc_read_type(). Pure.
 */
#ifndef MESHD_HTTP_GRPC_WEB_H
#define MESHD_HTTP_GRPC_WEB_H

#include "head.h"

/*
 * Base64 that comes in pieces: the end of any four digits may be padded, as
 * whoever sends it pads where a flush is due.
 */
struct grpc_web_text {
	char kept[4]; /* digits of an unfinished four */
	uint8_t count;
};

/* Appends the bytes of all digits that are there, three of four at most.
 * ERR_PARSE: it is no base64. */
MUST_USE enum err grpc_web_decode(
    struct grpc_web_text *t, struct slice text, struct buf *out);

/* True if some digits still wait for others. */
static inline bool
grpc_web_is_inside(const struct grpc_web_text *t)
{
	return t->count > 0;
}

/* Appends the bytes as base64, padded at their end. */
MUST_USE enum err grpc_web_encode(struct slice bytes, struct buf *out);

/* Appends the message that stands for trailers; names in lower case. */
enum { GRPC_WEB_TRAILERS_MAX = LIMIT_HEAD_BYTES + 1024 };
MUST_USE enum err grpc_web_write_trailers(
    const struct http_head *trailers, struct buf *out);

#endif
