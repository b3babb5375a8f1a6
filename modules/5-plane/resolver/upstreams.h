/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstreams — who is asked for what the mesh does not know.
 *
 * In the order in which they are written; one that does not answer is passed
 * over for a while, longer each time, until one question tries it again. Where
 * all are dead all are tried. Pure: time is an argument.
 */
#ifndef MESHD_RESOLVER_UPSTREAMS_H
#define MESHD_RESOLVER_UPSTREAMS_H

#include "base/base.h"

enum {
	UPSTREAMS_MAX = 8,
	UPSTREAM_PORT = 53,
	UPSTREAM_DEAD_US = 2 * 1000000,      /* after the first failure */
	UPSTREAM_DEAD_MAX_US = 60 * 1000000, /* doubled up to this */
	RESOLV_CONF_BYTES = 64 << 10
};

struct upstream {
	struct addr addr;
	uint32_t failures; /* in a row */
	uint64_t dead_until_us;
	bool loops; /* what it is asked comes back to us */
};

struct upstreams {
	struct upstream all[UPSTREAMS_MAX];
	size_t count;
};

/* What is known of those that stay is kept. */
void upstreams_set(struct upstreams *u, const struct addr *addrs, size_t count);

/*
 * The next one for a question that has tried those of `tried`, a set of bits;
 * -1: there is none left.
 */
int upstreams_next(struct upstreams *u, uint32_t tried, uint64_t now_us);

void upstreams_failed(
    struct upstreams *u, const struct addr *a, uint64_t now_us);
void upstreams_answered(struct upstreams *u, const struct addr *a);

/* True if that is news. */
bool upstreams_loops(struct upstreams *u, const struct addr *a);

/* The name servers of a resolv.conf(5); returns how many, `cap` at most. */
size_t resolv_conf_read(struct slice text, struct addr *out, size_t cap);

#endif
