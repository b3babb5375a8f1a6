/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek — a gateway's client, until it has said what it wants.
 *
 * Its first bytes are read and kept: a ClientHello names a server, anything
 * else is no TLS. Then the connection is the listener's to hand over.
 */
#ifndef MESHD_PEEK_H
#define MESHD_PEEK_H

#include "outbound/listeners.h"
#include "worker.h"

enum {
	/* For the client to say it; as Envoy's listener filters have it. */
	PEEK_US = 15 * 1000000,
	/* All that may have come by then: the last read may bring more. */
	PEEK_BYTES_MAX = 2 * TLS_HELLO_BYTES_MAX + LOOP_SCRATCH_LEN
};

/* Takes the stream, which is open. */
void peek_accept(struct worker *w, struct listener *l, struct stream *stream);

#endif
