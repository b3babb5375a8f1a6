/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_conn — a client's HTTP/2 connection: each stream of it is a client.
 */
#ifndef MESHD_H2_CONN_H
#define MESHD_H2_CONN_H

#include "http/client.h"

/* RFC 9113 §3.4: what a client of HTTP/2 begins with, and nobody else. */
#define H2_CONN_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Takes the stream, which is open; `first` came already, the preface at least,
 * and is borrowed. */
void h2_conn_accept(struct worker *w, struct listener *l, struct stream *stream,
    struct slice first);

#endif
