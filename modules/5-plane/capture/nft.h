/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft — rules as messages to the kernel's nf_tables, and its answers. Pure.
 */
#ifndef MESHD_CAPTURE_NFT_H
#define MESHD_CAPTURE_NFT_H

#include "capture.h"
#include "netlink.h"

#define NFT_TABLE "meshd"
/*
 * It leads nobody anywhere, and is there as long as we are: with the last rule
 * of a machine that needs them, conntrack and NAT end, and so would connections
 * that were led to us.
 */
#define NFT_HOLDER "meshd-holds"

/* How long conntrack remembers what has ended; of CAPTURE_BRIEF_S. */
#define NFT_BRIEF "brief"

enum {
	NFT_BATCH_BYTES = 512 << 10,
	NFT_COMMENT = 0 /* what libnftnl calls NFTNL_UDATA_RULE_COMMENT */
};

/* What a batch does; sequence numbers go up by one a message from `seq`. */
struct nft_batch {
	const struct capture_rule *rules;
	size_t count;
	bool replaces; /* a table that is there, goes first */
	bool keeps;    /* … but for its rules: NFT_BRIEF stays, and chains */
	uint32_t chains; /* those that it has: 1 << enum capture_chain */
	bool loads;      /* the new one comes */
	bool holds;      /* … and NFT_HOLDER, which is not there yet */
	bool closed;     /* it stays when we end */
	bool has_brief;  /* NFT_BRIEF is of it; not every kernel knows such */
	uint32_t seq;
};

/* The whole transaction; `out` is empty before. ERR_LIMIT. */
MUST_USE enum err nft_batch_write(const struct nft_batch *b, struct buf *out);

/* The rule that a message of that number is about; NULL: none. */
const struct capture_rule *nft_batch_rule(
    const struct nft_batch *b, uint32_t seq);

/* The chains that the table has then. */
uint32_t nft_batch_chains(const struct nft_batch *b);

/* Is it NFT_BRIEF? */
bool nft_batch_is_brief(const struct nft_batch *b, uint32_t seq);

/* Questions: is the table there; which rules has it. */
MUST_USE enum err nft_ask_table(
    const char *name, uint32_t seq, struct buf *out);
MUST_USE enum err nft_ask_rules(uint32_t seq, struct buf *out);

/* The body of an answer to the latter. ERR_PARSE; ERR_NOT_FOUND: it is no rule
 * of a chain of ours. */
MUST_USE enum err nft_rule_read(struct slice body, struct capture_count *out);

/* Is it an answer with a rule? */
bool nft_is_rule(uint16_t type);

#endif
