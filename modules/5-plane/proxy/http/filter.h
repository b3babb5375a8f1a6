/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter — the ordered table of what a request goes through on its way.
 *
 * A filter looks at a head and says go on, wait, or that it answered. While
 * one waits the client is not read any further than what is held, and it goes
 * on with request_continue() on the same worker. The last row is the route's
 * work; what sends the request is not a filter.
 */
#ifndef MESHD_FILTER_H
#define MESHD_FILTER_H

#include "http/request.h"

enum filter_verdict { FILTER_GO_ON, FILTER_WAIT, FILTER_ANSWERED };

struct filter {
	const char *name;
	enum filter_verdict (*on_request)(struct request *r); /* or NULL */
	/* The head of a service's answer; may change it. Or NULL. */
	enum err (*on_response)(struct request *r, struct http_head *h);
};

extern const struct filter filters[];
extern const size_t filter_count;

#endif
