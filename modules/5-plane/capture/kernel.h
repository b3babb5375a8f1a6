/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel — the helper's talk with the kernel: the table, and routes.
 *
 * Blocks, as whatever the helper does; the kernel answers at once.
 */
#ifndef MESHD_CAPTURE_KERNEL_H
#define MESHD_CAPTURE_KERNEL_H

#include "capture.h"
#include "netlink.h"

/* The protocol of routes, and rules of routing: by it they are known for ours.
 */
enum {
	KERNEL_OURS = 109,
	KERNEL_ANSWER_BYTES = 64 << 10,
	KERNEL_WATCHES = 2 /* tables, rules of routing */
};

struct kernel {
	int nft; /* the table is this socket's, and goes with it */
	int route;
	uint32_t seq;
	struct capture_rule *rules;
	bool holds;        /* NFT_HOLDER is there */
	bool has_no_brief; /* the kernel knows no such thing as NFT_BRIEF */
	bool keeps_source; /* what is loaded is CAPTURE_SOURCE */
	bool is_loaded;
	bool is_closed;            /* … to stay */
	uint32_t chains;           /* … with these */
	struct capture_wish *wish; /* that is loaded, if it is */
	/* Readable when anybody has changed what it is of; -1: nobody looks. */
	int watches[KERNEL_WATCHES];
};

/* Changes nothing yet. */
MUST_USE enum err kernel_open(struct kernel *k, struct fault *why);

/* Routes that lead to the proxy go: of one before us, or our own at the end.
 * Whoever calls addresses of services is refused until they are captured again,
 * or kernel_unload(). */
void kernel_tidy(struct kernel *k);

/* The table stays if it was loaded to stay. */
void kernel_close(struct kernel *k);

/* What is there is replaced, or stays as it was. */
MUST_USE enum err kernel_load(
    struct kernel *k, const struct capture_wish *w, struct fault *why);

/* Nothing is captured until the next agent does: as by kernel_tidy(). */
MUST_USE enum err kernel_rest(struct kernel *k, struct fault *why);

/* No table and no route is left. */
MUST_USE enum err kernel_unload(struct kernel *k, struct fault *why);

/* Returns how many; *out_loaded: whether there is a table at all. */
MUST_USE enum err kernel_read(struct kernel *k,
    struct capture_count out[CAPTURE_RULES_MAX], size_t *out_count,
    bool *out_loaded, struct fault *why);

/*
 * Somebody may have changed something: what of ours is gone comes again. A
 * table with an owner nobody else takes away; one that is to stay goes with
 * `nft flush ruleset`, and rules of routing with a network manager's start.
 */
void kernel_look_again(struct kernel *k);

/* One request of routing, and its answer, which lies in `mem`. ERR_IO. */
MUST_USE enum err kernel_ask(struct kernel *k, const struct buf *ask, char *mem,
    struct netlink_message *out);
/* The same where the answer is an errno; 0 is yes. */
int kernel_talk(struct kernel *k, const struct buf *ask);

#endif
