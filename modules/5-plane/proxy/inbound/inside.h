/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — what the files of this folder know of each other.
 */
#ifndef MESHD_PROXY_INBOUND_INSIDE_H
#define MESHD_PROXY_INBOUND_INSIDE_H

#include "inbound/inbound.h"

struct inbound {
	struct worker *worker;
	struct net_listener *net; /* NULL once closed */
	bool stopping;
	struct tls_config *tls;
	struct list sessions;
	size_t count;
	uint64_t told_us; /* that there are too many */
};

struct session {
	uint32_t magic;
	struct inbound *inbound;
	struct list link;
	struct http2 *http2;
	struct addr peer; /* the socket is gone when its end is told */
	struct addr local;
};

/* Until the next layer takes a stream, in the same call. */
extern const struct stream_events inbound_nobody;

/* NULL before its handshake is done. */
const struct tls_peer *session_peer(const struct session *s);

/* What is known of the caller. Borrows from the session and the head. */
void session_record(
    const struct session *s, const struct http_head *h, struct flow_record *f);

/* Reports what was refused; the answer is the caller's. `why` is lent. */
void session_tell_refusal(struct session *s, unsigned status,
    struct flow_record *f, enum flow_flag flag, struct slice why);

/* A request: a tunnel to a service, or an answer that says why not. */
void session_on_connect(
    struct session *s, struct http2_stream *h2, struct http_head *h);

#endif
