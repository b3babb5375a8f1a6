/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter — the ordered table of what a request goes through on its way.
 *
 * A filter looks at a head and says go on, wait, collect, or that it answered
 * by request_answer(). Requests go through the table from its beginning,
 * answers from its end. Whoever waits calls request_continue() later, on the
 * same worker; meanwhile that direction is not read any further than what is
 * at hand. What sends the request is not a filter.
 */
#ifndef MESHD_FILTER_H
#define MESHD_FILTER_H

#include "http/request.h"

enum filter_verdict {
	FILTER_GO_ON,
	FILTER_WAIT,
	/*
	 * Wants the body as well: asked again when all of it is held, or
	 * LIMIT_STREAM_BUFFER of it. Not when that is so already, see
	 * request_has_body() and request_has_response(); the bytes are in
	 * r->held and r->response_held.
	 */
	FILTER_COLLECT,
	FILTER_ANSWERED
};

/* Any function may be NULL. */
struct filter {
	const char *name;
	enum filter_verdict (*on_request)(struct request *r);
	/* The head of a service's answer; may change it. */
	enum filter_verdict (*on_response)(
	    struct request *r, struct http_head *h);
	/* The request is over, however it ended: forget it. */
	void (*on_end)(struct request *r);
};

extern const struct filter filter_edge;
extern const struct filter filter_proxied; /* proxied.c */
extern const struct filter filter_hygiene;
extern const struct filter filter_route;
extern const struct filter filter_grpc_web; /* web.c */
extern const struct filter filter_cors;     /* cors.c */
extern const struct filter filter_delay;    /* fault.c */
extern const struct filter filter_abort;    /* fault.c */
extern const struct filter filter_target;
extern const struct filter filter_headers; /* headers.c */
extern const struct filter filter_mirror;  /* mirror.c */

/* The table, in a file of its own: a test may bring another. */
extern const struct filter *const filters[];
extern const size_t filter_count;

/* What one level of a rule changes; `h` is the request's head or an answer's.
 */
MUST_USE enum err filter_apply_headers(
    struct request *r, const struct view_headers *ops, struct http_head *h);

/*
 * What is done to an answer of our own as to a service's, as far as the
 * request got before it was answered.
 */
MUST_USE enum err filter_dress(struct request *r, struct http_head *h);

/* A browser's origin may see it; nothing if none may (cors.c). */
MUST_USE enum err cors_allow(const struct request *r, struct http_head *h);

/* All of a body is held, or as much as is ever collected. */
bool request_has_body(const struct request *r);
bool request_has_response(const struct request *r);

#endif
