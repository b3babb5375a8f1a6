/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound — tunnels that come in (HBONE), on one worker.
 *
 * Mutual TLS first: who the peer is. Then HTTP/2, in which each CONNECT names
 * an address; only what this machine exposes is ever connected to.
 */
#ifndef MESHD_INBOUND_H
#define MESHD_INBOUND_H

#include "worker.h"

enum { INBOUND_CONNECT_MS = 5000 /* to the local service */ };

/* Begins to listen at the proxy's hbone address. */
struct inbound *inbound_new(struct worker *w);
void inbound_free(struct inbound **ip);

/* Takes no more sessions; GOAWAY to those that are there. */
void inbound_drain(struct inbound *in);

/* Ends all sessions at once; or those whose peer the worker's credentials
 * revoke. */
void inbound_cut(struct inbound *in);
void inbound_cut_revoked(struct inbound *in);

/* True when no session is left and the listener is closed. */
bool inbound_is_empty(const struct inbound *in);

#endif
