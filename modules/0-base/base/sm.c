/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sm — checks an edge, traces it, takes it, runs the invariant.
 */
#include <inttypes.h>
#include <stdio.h>

#define LOG_MODULE "sm"
#include "check.h"
#include "log.h"
#include "sm.h"

enum { SM_STATES_MAX = 64 }; /* the bits of sm_row.next */

static void
no_such_edge(const struct sm *m, unsigned next)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%s %" PRIu64 " may go %s -> %s",
	    m->what, m->id, sm_name(m),
	    next < m->count ? m->rows[next].name : "nowhere"); /* may be cut */
	check_failed(text, __FILE__, __LINE__, __func__);
}

void
sm_init(struct sm *m, const char *what, uint64_t id, const struct sm_row *rows,
    unsigned count, unsigned first,
    void (*invariant)(const void *owner, unsigned state), const void *owner)
{
	CHECK(count <= SM_STATES_MAX && first < count);
	*m = (struct sm){rows, count, first, what, id, invariant, owner};
	if (invariant != NULL)
		invariant(owner, first);
}

void
sm_go(struct sm *m, unsigned next)
{
	if (UNLIKELY(next >= m->count || !(m->rows[m->state].next & TO(next))))
		no_such_edge(m, next);
	log_trace("state changed", "machine=%s id=%" PRIu64 " from=%s to=%s",
	    m->what, m->id, sm_name(m), m->rows[next].name);
	m->state = next;
	if (m->invariant != NULL)
		m->invariant(m->owner, next);
}

const char *
sm_name(const struct sm *m)
{
	return m->rows[m->state].name;
}
