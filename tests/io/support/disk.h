/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk — system calls on files that fail when the test says so.
 *
 * The program's own open(), read(), write() and so on stand before libc's.
 * Between disk_fail() and disk_heal() one of them fails once, or the disk is
 * full from there on. SQLite has a disk of its own: unit/store/faults.
 */
#ifndef MESHD_TEST_DISK_H
#define MESHD_TEST_DISK_H

#include "base/base.h"

enum disk_call {
	DISK_OPEN,
	DISK_READ,
	DISK_WRITE,
	DISK_CHMOD,
	DISK_SYNC,
	DISK_RENAME,
	DISK_CALLS
};

/* "write", for messages. */
const char *disk_call_name(enum disk_call call);

/* The n-th such call from now on fails with `errnum`, once. */
void disk_fail(enum disk_call call, uint64_t n, int errnum);

/* All is well again. True if a call has failed since. */
bool disk_heal(void);

/* write() takes at most this many bytes at a time; 0: all of them. */
void disk_write_short(size_t most);

/* A folder of its own below /tmp; freed with all that is in it. */
struct folder {
	char path[64];
};

void folder_make(struct folder *f);
void folder_remove(struct folder *f);

/* How many names the folder has, "." and ".." apart. */
size_t folder_count(const struct folder *f);

/* "<folder>/<name>", in static storage of eight turns. */
const char *folder_file(const struct folder *f, const char *name);

/*
 * What one attempt does, with a disk that may fail. `failed` comes back true
 * if it was hit.
 */
struct disk_walk {
	enum disk_call call;
	uint64_t n;
	int errnum;
};

typedef void (*disk_try_cb)(const struct disk_walk *w, bool *out_hit);

/*
 * Every call of every kind fails once, with "input/output error" and with "no
 * space left": `try` is called until its n-th call is not reached any more.
 */
void disk_walk_all(disk_try_cb try);

#endif
