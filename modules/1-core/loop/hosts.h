/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — the hosts file, hosts(5), as a table from name to addresses.
 *
 * Our own reader, since libc's comes with NSS and its shared objects. Names
 * compare without regard to case. "localhost" and what ends in it is loopback
 * even if the file does not say so (RFC 6761 §6.3).
 */
#ifndef MESHD_HOSTS_H
#define MESHD_HOSTS_H

#include "base/base.h"

enum {
	HOSTS_BYTES_MAX = 1 << 20, /* a larger file is not read */
	HOSTS_ADDRS_MAX = 8        /* of one name */
};

struct hosts {
	struct map names; /* lower case -> struct hosts_entry */
};

struct hosts_entry {
	size_t count;
	struct addr addrs[HOSTS_ADDRS_MAX]; /* in the file's order */
};

void hosts_init(struct hosts *h);
void hosts_fini(struct hosts *h);

/* Adds the file's lines; what is not an address and names is passed over. */
void hosts_parse(struct hosts *h, struct slice text);

/* Empties and reads `path`; a file that cannot be read is an empty one. */
void hosts_load(struct hosts *h, const char *path);

/* Up to `max` addresses of the family (ADDR_NONE: any); how many. */
size_t hosts_find(const struct hosts *h, struct slice name,
    enum addr_family family, struct addr *out, size_t max);

#endif
