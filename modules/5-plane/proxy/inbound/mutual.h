/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutual — mutual TLS of the mesh at a port that is captured: of those who
 * speak it without a tunnel, as Envoy does.
 */
#ifndef MESHD_MUTUAL_H
#define MESHD_MUTUAL_H

#include "outbound/listeners.h"
#include "worker.h"

/* Takes the stream, whose client began with `first` (borrowed), a ClientHello.
 * Then it is the listener's to hand over, as of who its peer is. */
void mutual_accept(struct worker *w, struct listener *l, struct stream *stream,
    struct slice first);

#endif
