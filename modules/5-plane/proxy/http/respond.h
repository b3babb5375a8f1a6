/* SPDX-License-Identifier: Apache-2.0 */
/*
 * respond — the service's answer, through the filters, to the client.
 *
 * While a filter waits, what came is held: the head as a copy, and the bytes
 * that were read already. Nothing more is read, unless the filter collects.
 */
#ifndef MESHD_RESPOND_H
#define MESHD_RESPOND_H

#include "http/request.h"

/* The head of an answer that nobody wants retried; lent for the call. */
void respond_begin(struct request *r, struct http_head *h);
void respond_body(struct request *r, struct slice bytes);
void respond_trailers(struct request *r, const struct http_head *t);

/* The answer is over; the request, too, unless a filter still waits. */
void respond_end(struct request *r);

/* After the head of a 101: other bytes from now on, `rest` among them. */
void respond_upgrade(struct request *r, struct slice rest);

/* A filter that waited is done: on to the next, then to the client. */
void respond_continue(struct request *r);

#endif
