/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link — from "host:port" to an open TLS stream to one of the mesh's servers,
 * for agents and for the command line.
 */
#ifndef MESHD_NODE_LINK_H
#define MESHD_NODE_LINK_H

#include "loop/loop.h"
#include "net/net.h"
#include "tls/tls.h"

enum { LINK_CONNECT_US = 5000000 };

struct link;

struct link_spec {
	struct loop *loop;
	struct tls_config *config;     /* its ALPN says what is spoken */
	struct slice server;           /* "host:port", copied */
	struct tls_identity *identity; /* NULL: anonymous */
	struct tls_trust *trust;       /* or a pin */
	const struct tls_pin *root_pin;
	struct slice trust_domain;
	/*
	 * Once, unless cancelled; the link is gone after it. Takes `open`,
	 * which must get its events at once; or NULL and why, in words.
	 */
	void (*done)(void *arg, struct stream *open, enum err e,
	    const struct fault *why);
	void *arg;
};

/*
 * Tries the addresses of the name one by one. Only a peer of
 * spiffe://<trust domain>/ns/meshd-servers/sa/… will do.
 */
struct link *link_dial(const struct link_spec *spec);

/* done will not come; *lp becomes NULL; accepts NULL inside. */
void link_cancel(struct link **lp);

#endif
