/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello — what the ends of a tunnel say of themselves in the heads of CONNECT.
 *
 * `baggage` names the workload as ztunnel does, `forwarded` (RFC 7239) the
 * program behind the proxy. Words for reports: who the peer is says its
 * certificate, and nothing here is asked for a decision.
 */
#ifndef MESHD_HELLO_H
#define MESHD_HELLO_H

#include "http/http.h"
#include "model/model.h"

enum { HELLO_BYTES = 4096 };

/* Adds what is known of the party. Texts lie in the head's arena. */
void hello_say(struct http_head *h, const struct flow_party *p);

/* Adds where the bytes come from (may be NULL) and which host is meant. */
void hello_forward(
    struct http_head *h, const struct addr *client, struct slice host);

/* Fills the party with what the peer said; borrows from the head. */
void hello_hear(const struct http_head *h, struct flow_party *p);

/* The address in `forwarded`, as it stands there; empty if there is none. */
struct slice hello_client(const struct http_head *h);

#endif
