/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_message — one HTTP/1 message while it is read, and what must be so.
 */
#ifndef MESHD_H1_MESSAGE_H
#define MESHD_H1_MESSAGE_H

#include "fields.h"
#include "http1.h"

/* Lies in the parser's arena, from the first byte until next. */
struct h1_message {
	struct http_head head;
	struct http_head trailers;
	struct slice target; /* of a request, as it was sent */
	struct slice host;
	struct slice name; /* of the field whose value comes next */
	struct slice span; /* text under way, in the bytes of this feed */
	struct buf part;   /* the same once it came in pieces */
	bool target_lent;
	bool host_lent;
	bool name_lent;
	uint8_t hosts;        /* Host fields seen, up to 2 */
	uint16_t fields;      /* seen, Host and trailers too */
	uint16_t head_fields; /* of them, before the body */
	uint32_t ext_bytes;   /* of chunk extensions */
	uint64_t head_bytes;  /* fed before the head was complete */
	uint64_t body_bytes;
};

/* Where in a message llhttp found something that it did not like. */
struct h1_place {
	struct slice read; /* of this feed, before the place */
	struct slice rest; /* of this feed, from there */
	char last;         /* byte of the feed before */
	bool behind_colon; /* in the line that the feed before ended in */
	bool in_body;      /* or in the trailers */
	const struct http_head *head; /* as far as it is read */
};

enum http1_flaw h1_flaw_of(int llhttp_error, const struct h1_place *place);

/* Whether the line that `read` ends in has a colon, or had one already. */
bool h1_is_behind_colon(bool already, struct slice read);

/* Fills in target, authority, framing and the like; or says what is wrong. */
MUST_USE enum http1_flaw h1_check_request(struct h1_message *m);

/* The same for a response to `method`. */
MUST_USE enum http1_flaw h1_check_response(
    struct h1_message *m, struct slice method);

/* True if the field may come behind the body (RFC 9110 §6.5.1). */
bool h1_is_trailer_allowed(enum http_field_id id);

#endif
