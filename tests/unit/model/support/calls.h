/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls — which listener, chain and virtual host a call meets.
 */
#ifndef MESHD_TEST_CALLS_H
#define MESHD_TEST_CALLS_H

#include "compiled.h"

/* What a program does: connect, and say something. */
struct call {
	const char *to;  /* "10.0.0.1:80" */
	const char *sni; /* NULL: it is no TLS */
	bool http;
	const char *host; /* of the request */
};

#define TCP(addr) ((struct call){.to = (addr)})
#define TLS(addr, name) ((struct call){.to = (addr), .sni = (name)})
#define HTTP(addr, name)                                                       \
	((struct call){.to = (addr), .http = true, .host = (name)})

/* The listener's name, or "none". */
struct slice call_listener(const struct compiled *c, const char *to);

/* The name of the routes that it meets, or the cluster of its bytes. */
struct slice call_target(const struct compiled *c, struct call call);

/* The virtual host that a request of it meets, or "none". */
struct slice call_host(const struct compiled *c, struct call call);

#endif
