/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notice — tells that something in a folder may have changed.
 *
 * By inotify on the folder and on the one it lies in, so that its coming,
 * going and being replaced are seen as well. It tells too much rather than too
 * little: who is told looks for himself.
 */
#ifndef MESHD_NOTICE_H
#define MESHD_NOTICE_H

#include "loop/loop.h"

struct notice; /* opaque */

/* Copies the path. Never NULL; watches from notice_renew() on. */
struct notice *notice_open(
    struct loop *l, const char *path, void (*on_change)(void *arg), void *arg);

/* No call comes after. Leaves NULL; accepts NULL inside. */
void notice_close(struct notice **np);

/* Watches what is at the path now; harmless if that is the same. */
void notice_renew(struct notice *n);

/* Nothing would be told of the folder. */
bool notice_is_blind(const struct notice *n);

#endif
