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
extern const struct filter filter_hygiene;
extern const struct filter filter_route;
extern const struct filter filter_headers;

/* The table, in a file of its own: a test may bring another. */
extern const struct filter *const filters[];
extern const size_t filter_count;

/* What a rule changes; not what would be computed. */
MUST_USE enum err filter_apply_headers(
    const struct view_headers *ops, struct http_head *h);

/* All of a body is held, or as much as is ever collected. */
bool request_has_body(const struct request *r);
bool request_has_response(const struct request *r);

#endif
