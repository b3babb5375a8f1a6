/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror — copies of requests, sent elsewhere; nobody waits for an answer.
 *
 * A copy is sent when all of the request has come and a turn after it, over
 * connections of its own. Whatever becomes of it, the request does not notice.
 */
#ifndef MESHD_MIRROR_H
#define MESHD_MIRROR_H

#include "http/request.h"

enum {
	MIRROR_BODY_BYTES = 1 << 20, /* what is longer is not copied */
	MIRRORS_BYTES = 32 << 20,    /* bodies that a worker holds for copies */
	MIRRORS_MAX = 1024,          /* copies of a worker under way */
	MIRROR_TIME_US = 60 * 1000000 /* for an answer, if the rule has none */
};

/* The request's body, as it comes; nothing for a request without copies. */
void mirror_body(struct request *r, struct slice bytes);

/* All of it came. */
void mirror_complete(struct request *r);

/* Ends what is under way. */
void mirrors_cut(struct worker *w);

#endif
