/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call — one request to an API and its answer, for the CLI and for joining.
 *
 * Over a connection of its own (HTTP/1.1 or HTTP/2) or as a stream of a
 * session that is open already. The answer's body is collected up to a bound
 * or handed on in pieces.
 */
#ifndef MESHD_HTTP_CALL_H
#define MESHD_HTTP_CALL_H

#include "server.h"

struct http_call;

struct http_result {
	enum err err;      /* OK: status and body are valid */
	unsigned status;   /* whatever came of the rest; 0: no head came */
	struct slice body; /* empty if on_data took it */
	const struct http_head *head; /* NULL unless err is OK */
	const char *what; /* what was going on when it failed; static */
};

struct http_call_spec {
	struct loop *loop;
	struct stream *conn;   /* taken; closed with the call; or NULL */
	enum http_proto proto; /* for conn */
	struct http2 *session; /* borrowed, if conn is NULL */
	struct slice method;
	struct slice authority;
	struct slice path; /* with query */
	/* Further fields, and the scheme if it is not https; may be NULL. */
	const struct http_head *extra;
	struct slice content_type; /* if there is a body */
	struct slice body;
	uint64_t timeout_us; /* for the whole call; 0 is 30 s */
	uint64_t silence_us; /* with on_data: between pieces; 0 is no limit,
			      * and timeout_us ends with the head */
	size_t body_limit;   /* 0 is LIMIT_API_BODY */
	bool secret;         /* both bodies are wiped */
	/* Pieces of a body whose status is 2xx; lent. NULL: collect. */
	void (*on_data)(void *arg, struct slice bytes);
	/* Exactly once unless cancelled; the call is gone after it. */
	void (*on_done)(void *arg, const struct http_result *r);
	void *arg;
};

/* Copies every text. on_done is never called from inside. */
struct http_call *http_call_open(const struct http_call_spec *spec);

/*
 * on_done will not come; *cp becomes NULL; accepts NULL inside. What it holds
 * is released at the end of the turn. Not after on_done.
 */
void http_call_cancel(struct http_call **cp);

#endif
