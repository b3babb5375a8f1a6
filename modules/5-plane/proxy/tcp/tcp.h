/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp — a client's connection whose bytes are nobody's business.
 *
 * The listener's service decides by its TCP routes; the client is not read
 * until an endpoint is connected, unless what it speaks is still to be found
 * out. An endpoint that does not answer is left for another. A call to a
 * service that is not known waits for it, and so does one to a name of which
 * nobody knows yet where it leads.
 */
#ifndef MESHD_TCP_H
#define MESHD_TCP_H

#include "outbound/listeners.h"
#include "worker.h"

/*
 * Takes the stream, which is open and paused with STREAM_PAUSE_NOT_READY.
 * `first` came already; borrowed, as `seen` is.
 */
void tcp_accept(struct worker *w, struct listener *l, struct stream *stream,
    const struct view_connection *seen, struct slice first);

#endif
