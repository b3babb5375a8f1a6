/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket — system calls that make sockets, and the words when they fail.
 *
 * Synchronous and for any thread; what is asynchronous is built on it.
 */
#ifndef MESHD_NET_SOCKET_H
#define MESHD_NET_SOCKET_H

#include "net.h"

/*
 * Bound, and listening unless a datagram socket; non-blocking. The first of
 * several with NET_REUSEPORT binds alone, so that it fails if another process
 * has the port, even one that would share it.
 */
MUST_USE enum err socket_make(const struct net_socket_spec *spec, bool first,
    int *out_fd, struct fault *why);

/* For connect(): options set, bound to the source if there is one. ERR_AGAIN:
 * it is transparent, and there is none now. */
MUST_USE enum err socket_make_client(
    const struct net_connect_spec *spec, int *out_fd);

/* Begins; an errno, EINPROGRESS as a rule, or 0 for one that stands. */
MUST_USE int socket_connect(int fd, const struct net_connect_spec *spec);

/* Its pending error, an errno or 0: how a connect() ended. */
MUST_USE int socket_error(int fd);

/* True if the descriptor is what the spec asks for; else words. */
MUST_USE enum err socket_check(
    int fd, const struct net_socket_spec *spec, struct fault *why);

/* ERR_LIMIT for a path that does not fit; *out_len for bind and connect. */
struct sockaddr_un;
MUST_USE enum err socket_unix_addr(
    struct slice path, struct sockaddr_un *out, unsigned *out_len);

/* getsockname and getpeername; ADDR_NONE if it has no IP address. */
struct addr socket_local(int fd);
struct addr socket_peer(int fd);

#endif
