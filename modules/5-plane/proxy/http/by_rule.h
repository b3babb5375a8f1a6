/* SPDX-License-Identifier: Apache-2.0 */
/*
 * by_rule — answers that a rule says: a redirect, or a response of its own.
 */
#ifndef MESHD_BY_RULE_H
#define MESHD_BY_RULE_H

#include "http/request.h"

/* The request's rule has one of both. The request may be over behind it. */
void by_rule_answer(struct request *r);

/*
 * Answers with these fields, which lie in the request's arena, and the body,
 * which lives as long as the view; how it is framed is decided here. The
 * request may be over behind it.
 */
void by_rule_send(struct request *r, struct http_head *h, struct slice body);

/* The same request, at https: 301, whatever the rules say. */
void by_rule_to_https(struct request *r);

/* The client has room again for what is left of the body, if any is. */
void by_rule_go_on(struct request *r);

#endif
