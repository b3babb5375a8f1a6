/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe — two streams joined, bytes both ways, until both have ended.
 *
 * For TCP, for what follows an upgrade, and for inbound tunnels. Half close
 * is kept; a slow reader stops its writer; there is no idle limit. A pipe
 * holds neither a view nor a byte of its own.
 */
#ifndef MESHD_PIPE_H
#define MESHD_PIPE_H

#include "net/net.h"

enum pipe_side { PIPE_DOWN, PIPE_UP }; /* the client's, the service's */

struct pipe;

/*
 * Once and last, at the end of a turn. `why` is OK if both ended in order,
 * else the first failure; `side` is where it happened.
 */
typedef void (*pipe_done_cb)(
    void *arg, struct pipe *p, enum err why, enum pipe_side side);

/*
 * Takes both streams, which are open or opening, and their events. What
 * `down` has paused with STREAM_PAUSE_NOT_READY is resumed.
 */
struct pipe *pipe_new(
    struct stream *down, struct stream *up, pipe_done_cb done, void *arg);

/* Cuts both sides: policy said so, or the process ends. done follows. */
void pipe_cut(struct pipe *p, enum err why);

/* Bytes from the client to the service (PIPE_DOWN), and back (PIPE_UP). */
uint64_t pipe_bytes(const struct pipe *p, enum pipe_side from);

#endif
