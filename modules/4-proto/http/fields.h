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

/* RFC 9110 §5.5: no control byte but tab, no space at either end. */
bool http_is_value(struct slice s);

/* RFC 3986 §3.2 without userinfo: host, or [v6], and maybe a port. */
bool http_is_authority(struct slice s);

/* Appends without looking at the bytes; ERR_LIMIT as http_head_add(). */
MUST_USE enum err http_head_add_raw(
    struct http_head *h, struct slice name, struct slice value, bool lent);

/*
 * True for a field whose place is taken by what the head says itself
 * (framing, connection, upgrade, authority): it is not written.
 */
bool http_is_framing(const struct http_head *h, const struct http_field *f);

/* "a, b;q=1 ,c" → next item without spaces; false at the end. */
bool http_list_next(struct slice *rest, struct slice *out_item);

#endif
