/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields — what the codecs do to a head behind its public face.
 */
#ifndef MESHD_HTTP_FIELDS_H
#define MESHD_HTTP_FIELDS_H

#include "head.h"

/* Bits of http_head.lent: which of the head's slices are not in the arena. */
enum head_part {
	HEAD_METHOD = 1 << 0,
	HEAD_SCHEME = 1 << 1,
	HEAD_AUTHORITY = 1 << 2,
	HEAD_PATH = 1 << 3,
	HEAD_REASON = 1 << 4,
	HEAD_UPGRADE = 1 << 5
};

/* RFC 9110 §5.6.2: at least one byte, all of them tchar. */
bool http_is_token(struct slice s);

/* The same without capitals, as HTTP/2 has names (RFC 9113 §8.2.1). */
bool http_is_low_token(struct slice s);

/* RFC 9110 §5.5: no control byte but tab, no space at either end. */
bool http_is_value(struct slice s);

/* RFC 3986 §3.2 without userinfo: host, or [v6], and maybe a port. */
bool http_is_authority(struct slice s);

/* Bytes that a request's target may have, and at least one. */
bool http_is_target(struct slice s);

/* Content-Length, which is there, into the head; false: it is not one. */
bool http_read_length(struct http_head *h);

/*
 * Appends without looking at the bytes; `id` is the name's. ERR_LIMIT as
 * http_head_add().
 */
MUST_USE enum err http_head_add_raw(struct http_head *h, enum http_field_id id,
    struct slice name, struct slice value, bool lent);

/*
 * True for a field whose place is taken by what the head says itself
 * (framing, connection, upgrade, authority): it is not written.
 */
bool http_is_framing(const struct http_head *h, const struct http_field *f);

/* The lines of all others, names in lower case; nothing behind them. */
MUST_USE enum err http1_write_fields(
    const struct http_head *h, struct buf *out);

/* "a, b;q=1 ,c" → next item without spaces; false at the end. */
bool http_list_next(struct slice *rest, struct slice *out_item);

#endif
