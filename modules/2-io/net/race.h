/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race — a connection to a peer of several addresses: the first that stands.
 *
 * RFC 8305: one attempt after another, each a little after the one before or
 * as soon as that failed, so that an address that swallows everything costs a
 * step and not the whole patience. Families take turns.
 */
#ifndef MESHD_NET_RACE_H
#define MESHD_NET_RACE_H

#include "net.h"

struct race; /* opaque */

/* The receiver takes fd; on failure it is -1. The race is gone by then. */
typedef void (*race_cb)(void *arg, enum err e, int fd);

/*
 * To spec->addr and spec->others; copies them. The call-back comes once, at a
 * turn's end, never before this returns: OK, else why the last attempt failed,
 * ERR_TIMEOUT after spec->timeout_us for all of them together.
 */
struct race *race_new(struct loop *loop, const struct net_connect_spec *spec,
    race_cb cb, void *arg);

/* No call comes after; *rp becomes NULL. Harmless without one. */
void race_cancel(struct race **rp);

#endif
