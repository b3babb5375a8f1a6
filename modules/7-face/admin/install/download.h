/* SPDX-License-Identifier: Apache-2.0 */
/*
 * download — a file to a client, a piece at a time, as fast as it takes them.
 *
 *	reading --done--> writing --taken--> reading … --end of file--> over
 *	                     `--slow: waits for drained--'
 *
 * A piece is read by a job and lies in memory once. So many at a time, and of
 * one address; one that stands still, or takes too long, ends.
 */
#ifndef MESHD_ADMIN_DOWNLOAD_H
#define MESHD_ADMIN_DOWNLOAD_H

#include "http/http.h"
#include "loop/loop.h"

enum { DOWNLOADS_MAX = 16, DOWNLOADS_PER_ADDR = 4, DOWNLOAD_PIECE = 64 << 10 };
#define DOWNLOAD_STALL_US UINT64_C(30000000)
#define DOWNLOAD_WHOLE_US UINT64_C(1200000000)

struct downloads;

struct downloads *downloads_new(struct loop *loop);

/* Ends all of them. */
void downloads_free(struct downloads **dp);

/* ERR_BUSY: too many, or too many of that address. */
MUST_USE enum err downloads_may(
    const struct downloads *d, const struct addr *from);

/* Answers with the file; takes both. After downloads_may(). */
void downloads_start(struct downloads *d, struct http_exchange *x, int fd,
    const struct addr *from);

/* The thread that reads, for other slow work of the installer. */
struct jobs *downloads_jobs(struct downloads *d);

#endif
