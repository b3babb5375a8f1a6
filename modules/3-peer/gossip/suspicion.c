/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suspicion — the timer; see suspicion.h.
 */
#include <math.h>

#include "suspicion.h"

enum { MULTIPLE = 4, MAX_MULTIPLE = 6, PROBE_MS = 1000 };

static void
set_due(struct suspicion *s)
{
	double wait = s->min_ms;

	if (s->needed > 0) {
		double range = s->max_ms - s->min_ms;

		wait = s->max_ms -
		       range * log((double)s->count) / log(s->needed + 1.0);
	}
	s->due_ms = s->since_ms + (uint64_t)MAX(wait, (double)s->min_ms);
}

void
suspicion_begin(struct suspicion *s, const struct gossip_id *doubter,
    size_t members, uint64_t now_ms)
{
	double scale = log10(MAX((double)members, 1.0));

	*s = (struct suspicion){.since_ms = now_ms, .count = 1};
	s->min_ms = (uint32_t)(MULTIPLE * PROBE_MS * MAX(scale, 1.0));
	s->max_ms = MAX_MULTIPLE * s->min_ms;
	s->needed = members < SUSPICION_DOUBTERS + 2 ? 0 : SUSPICION_DOUBTERS;
	s->doubters[0] = *doubter;
	set_due(s);
}

bool
suspicion_confirm(struct suspicion *s, const struct gossip_id *doubter)
{
	if (s->count > s->needed)
		return false;
	for (size_t i = 0; i < s->count; i++)
		if (gossip_id_eq(&s->doubters[i], doubter))
			return false;
	s->doubters[s->count++] = *doubter;
	set_due(s);
	return true;
}

void
suspicion_extend(struct suspicion *s, uint64_t ms)
{
	s->since_ms += ms;
	s->due_ms += ms;
}
