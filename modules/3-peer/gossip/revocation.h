/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation — the set of gossip.h from inside.
 */
#ifndef MESHD_GOSSIP_REVOCATION_H
#define MESHD_GOSSIP_REVOCATION_H

#include "record.h"

struct revoked {
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	size_t len;
	uint64_t hash;
	struct gossip_revocation says; /* borrows from `bytes` */
	/* The machine's: */
	uint32_t seen; /* == core.mark: the other side has it */
	uint32_t told;
	bool is_news; /* still to be told on */
};

struct gossip_revoked {
	struct revoked **items;
	size_t count;
	size_t cap;
	struct map by_hash;
	size_t news;
	uint64_t hash; /* of all: two members have to agree on it */
};

/* NULL if it is not here. */
struct revoked *revoked_find(const struct gossip_revoked *set, uint64_t hash);

/* gossip_revoked_add() with a way to check signatures. Lends what is new. */
MUST_USE enum err revoked_add_with(struct gossip_revoked *set,
    struct slice bytes, const struct gossip_trust *trust, int64_t now_s,
    record_verify_fn check, struct revoked **out);

void revoked_sweep(struct gossip_revoked *set, int64_t now_s);

#endif
