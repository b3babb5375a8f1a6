/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache — answers of others, kept as they came for as long as they say.
 *
 * The key has all that an answer may hang on: name, type, class, RD, CD, AD,
 * whether EDNS is spoken, and DO. What is for one asker alone (options of
 * EDNS, a cut answer) is never kept. Pure: time is an argument.
 */
#ifndef MESHD_RESOLVER_CACHE_H
#define MESHD_RESOLVER_CACHE_H

#include "dns/dns.h"

enum {
	CACHE_BYTES_MAX = 1 << 20,
	CACHE_MESSAGE_MAX = 8192,
	CACHE_TTLS_MAX = 128, /* records of one answer */
	CACHE_TTL_MAX_S = 86400,
	CACHE_ABSENCE_MAX_S = 3600 /* RFC 2308 §5: one to three hours */
};

struct dns_cache; /* opaque */

struct dns_cache *dns_cache_new(size_t bytes_max);
void dns_cache_free(struct dns_cache **cp);

/*
 * The answer to this question, in `out`, its TTLs as old as it is. False: there
 * is none, or it has more than `limit` bytes.
 */
bool dns_cache_find(struct dns_cache *c, const struct dns_question *q,
    uint64_t now_us, char *out, size_t limit, struct slice *out_answer);

/* What was answered to that question; kept if it may be. */
void dns_cache_keep(struct dns_cache *c, const struct dns_question *q,
    struct slice answer, uint64_t now_us);

void dns_cache_flush(struct dns_cache *c);

size_t dns_cache_count(const struct dns_cache *c);
size_t dns_cache_bytes(const struct dns_cache *c);

#endif
