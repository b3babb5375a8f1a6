/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek — a client, until it has said who it is and what it wants: of a gateway,
 * or where rules go by names of TLS.
 *
 * Its first bytes are read and kept. A PROXY header, which is taken off, says
 * who the client is; without one the connection is closed. A ClientHello names
 * a server, anything else is no TLS. Then the connection is the listener's to
 * hand over.
 */
#ifndef MESHD_PEEK_H
#define MESHD_PEEK_H

#include "outbound/listeners.h"
#include "worker.h"

enum {
	/* For the client to say all of it; as Envoy's listener filters have
	 * it. */
	PEEK_US = 15 * 1000000,
	PEEK_SILENCE_US = 50000,
	/* All that may have come by then: the last read may bring more. */
	PEEK_BYTES_MAX = 2 * TLS_HELLO_BYTES_MAX + LOOP_SCRATCH_LEN
};

/* What is to be read, in this order. */
enum peek_for {
	PEEK_HEADER = 1 << 0,
	PEEK_HELLO = 1 << 1,
	/* Whoever says nothing for PEEK_SILENCE_US is taken for one without a
	 * hello: its server may be the first to speak. */
	PEEK_SILENCE = 1 << 2
};

/* Takes the stream, which is open; `first` came already. `what`: enum peek_for,
 * not 0. */
void peek_accept(struct worker *w, struct listener *l, struct stream *stream,
    unsigned what, struct slice first);

#endif
