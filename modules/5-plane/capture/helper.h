/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper — what the two ends of the pair say to each other.
 *
 * A request is one datagram of just this size; the answer to it is one that
 * ends behind the last of its counts. Both ends are the same program.
 */
#ifndef MESHD_CAPTURE_HELPER_H
#define MESHD_CAPTURE_HELPER_H

#include "capture.h"

enum helper_verb { HELPER_ON, HELPER_OFF, HELPER_REST, HELPER_READ };

struct helper_request {
	uint32_t verb; /* enum helper_verb */
	struct capture_wish wish;
};

struct helper_reply {
	uint32_t e; /* enum err */
	uint32_t loaded;
	uint32_t count;
	char why[FAULT_TEXT_MAX];
	struct capture_count counts[CAPTURE_RULES_MAX];
};

/* How many bytes of it are sent. */
static inline size_t
helper_reply_len(const struct helper_reply *r)
{
	return offsetof(struct helper_reply, counts) +
	       r->count * sizeof(r->counts[0]);
}

#endif
