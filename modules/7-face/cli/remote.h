/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote — the way to a server elsewhere, by an operator's token.
 */
#ifndef MESHD_REMOTE_H
#define MESHD_REMOTE_H

#include "base/base.h"
#include "ca/ca.h"
#include "loop/loop.h"
#include "node/node.h"

/* Zeroed before; remote_fini() after. */
struct remote {
	struct loop *loop;
	struct ca_token token;
	struct secret field; /* "Bearer <token>" */
	struct tls_config *tls;
	struct link *link;
	size_t next;         /* of the token's servers */
	struct slice server; /* that is asked */
	struct fault why;
	/* Once: takes `conn`, over which HTTP/1.1 is spoken, or NULL and why.
	 */
	void (*done)(void *arg, struct stream *conn, const struct fault *why);
	void *arg;
};

/* Reads the token. ERR_PARSE, ERR_INVALID in words. */
MUST_USE enum err remote_init(
    struct remote *r, struct slice token, struct fault *why);
void remote_fini(struct remote *r);

/* Tries the token's servers one by one. */
void remote_dial(struct remote *r);

#endif
