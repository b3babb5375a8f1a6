/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upgrade — WebSockets between HTTP/1.1 (RFC 6455) and HTTP/2 (RFC 8441).
 *
 * Inside, all of them are a GET with Upgrade that is answered by a 101. What
 * HTTP/1.1 has beyond that, a key and the proof that it was read, HTTP/2 has
 * not: where one side has it and the other has not, it is made here.
 */
#ifndef MESHD_UPGRADE_H
#define MESHD_UPGRADE_H

#include "http/request.h"

bool upgrade_is_websocket(const struct http_head *h);

/* Of a client of HTTP/2: what a service of HTTP/1.1 wants to see. */
MUST_USE enum err upgrade_ask(struct request *r);

/* The head of a 101, for this client. ERR_PROTOCOL: the service did not
 * understand what it was asked. */
MUST_USE enum err upgrade_answer(struct request *r, struct http_head *h);

#endif
