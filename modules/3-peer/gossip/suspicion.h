/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suspicion — how long a silent member is given before it is called dead.
 *
 * The more members doubt it too, the shorter the wait (Lifeguard, Dadgar et
 * al. 2018, §IV.B). With n members, s = 4 and a probe a second:
 *
 *	min = s * max(1, log10 n) s     max = 6 * min     k = s - 2
 *	wait = max - (max - min) * ln(doubters + 1) / ln(k + 1), at least min
 *
 * where the first doubter does not count. With n - 2 < k nobody could doubt
 * it too, and min is all it gets. Pure: time is an argument.
 */
#ifndef MESHD_GOSSIP_SUSPICION_H
#define MESHD_GOSSIP_SUSPICION_H

#include "gossip.h"

enum { SUSPICION_DOUBTERS = 2 }; /* k */

struct suspicion {
	uint64_t since_ms;
	uint64_t due_ms; /* dead then */
	uint32_t min_ms;
	uint32_t max_ms;
	struct gossip_id doubters[1 + SUSPICION_DOUBTERS];
	uint8_t count;  /* doubters known, the first one included */
	uint8_t needed; /* k, or 0 */
};

/* Begins; `members` are those not dead, the suspect included. */
void suspicion_begin(struct suspicion *s, const struct gossip_id *doubter,
    size_t members, uint64_t now_ms);

/* One more doubts. True if that was news: a doubter counts once, k at most. */
bool suspicion_confirm(struct suspicion *s, const struct gossip_id *doubter);

/* We could not hear for so long: that time does not count. */
void suspicion_extend(struct suspicion *s, uint64_t ms);

#endif
