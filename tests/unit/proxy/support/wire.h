/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — blocking sockets for both ends of a test: clients and small servers.
 *
 * A server answers every connection on a thread of its own, by a function
 * that reads and writes like a script. Nothing waits longer than WIRE_WAIT_MS.
 */
#ifndef MESHD_TEST_WIRE_H
#define MESHD_TEST_WIRE_H

#include "base/base.h"

#include <stdatomic.h>

enum { WIRE_WAIT_MS = 10000, WIRE_HEAD_MAX = 64 << 10, WIRE_HELLO_MAX = 512 };

/* One end of a connection. */
struct wire {
	int fd;
	struct buf in; /* read and not taken */
};

struct wire wire_dial(const struct addr *to);
struct wire wire_try(const struct addr *to); /* fd -1: it was refused */
struct wire wire_of(int fd);
void wire_close(struct wire *w);

/* False once the other end is gone. */
bool wire_send(struct wire *w, struct slice bytes);
bool wire_say(struct wire *w, const char *text);

/* Our end is over; we still read. */
void wire_shut(struct wire *w);

/* A reset instead of an end. */
void wire_reset(struct wire *w);

/*
 * The next n bytes (false: fewer came), or all up to and with `mark`; they
 * stay valid until the next call.
 */
bool wire_take(struct wire *w, size_t n, struct slice *out);
bool wire_until(struct wire *w, const char *mark, struct slice *out);

/* At least a byte, and all that came; false: the other end is gone. */
bool wire_some(struct wire *w, struct slice *out);

/* True when the other end has ended or reset and nothing is left. */
bool wire_is_over(struct wire *w);

/* A ClientHello that wants this host, in `out`. */
struct slice wire_hello(const char *host, uint8_t out[WIRE_HELLO_MAX]);

/* A response, with the framing taken off. */
struct reply {
	int status;
	char head[WIRE_HEAD_MAX]; /* start line and fields */
	struct buf body;
	char trailers[1024];
	bool whole; /* the body came to its own end */
};

/* `method` decides whether there is a body. 1xx are not skipped. */
void reply_read(struct wire *w, const char *method, struct reply *out);
void reply_fini(struct reply *r);

/* True if the head has this line, in any case ("content-length: 3"). */
bool head_has(const char *head, const char *line);

/* --- servers --- */

struct server;

/* One connection, the n-th (from 0). Returns when it is done with it. */
typedef void (*server_fn)(struct server *s, struct wire *w, unsigned n);

struct server {
	struct addr addr;
	const char *text; /* for the script */
	atomic_uint connections;
	atomic_uint requests; /* the script's to count */
	struct server_inside *inside;
};

/* On loopback of the family; listens when it returns. */
void server_open(
    struct server *s, enum addr_family family, server_fn fn, const char *text);

/* Takes no more connections: the port is refused from now on. */
void server_refuse(struct server *s);

/* Ends all connections and waits for their threads. */
void server_close(struct server *s);

/* A port that nobody listens on. */
struct addr closed_port(enum addr_family family);

/*
 * Reads a request's head and counts it; false at the end. Its text, "GET /x
 * HTTP/1.1…", stays valid until the next read.
 */
bool server_head(struct server *s, struct wire *w, struct slice *out);

/* Answers everything with 200 and "ok\n", or with its text if that is set. */
void serve_ok(struct server *s, struct wire *w, unsigned n);

/* Answers 200 with the request's head and body as the body. */
void serve_echo(struct server *s, struct wire *w, unsigned n);

/* Reads a whole body as the head says; trailers are thrown away, or not. */
bool server_body(struct wire *w, struct slice head, struct buf *out);
bool server_message(
    struct wire *w, struct slice head, struct buf *out, char trailers[1024]);

#endif
