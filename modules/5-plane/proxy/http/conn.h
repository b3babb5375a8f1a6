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

/* Takes the stream, which is open. `first` came already; borrowed. */
void conn_accept(struct worker *w, struct listener *l, struct stream *stream,
    struct slice first);

#endif
