/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn — a client's HTTP/1.1 connection, one request after the other.
 *
 * It reads, splits into requests and writes; what a request means is the
 * request's business. Between requests it holds no buffer.
 */
#ifndef MESHD_CONN_H
#define MESHD_CONN_H

#include "http/client.h"

enum {
	CONN_IDLE_US = 3600 * INT64_C(1000000), /* without a request */
	CONN_HEAD_US = 60 * 1000000             /* for a head to be whole */
};

/* Takes the stream, which is open. `first` came already; borrowed. */
void conn_accept(struct worker *w, struct listener *l, struct stream *stream,
    struct slice first);

#endif
