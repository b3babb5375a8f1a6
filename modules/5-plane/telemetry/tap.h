/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap — flows as they happen, for somebody who looks.
 *
 *	worker: match ─► story ─► what waits ─ end of the turn ─► the loop that
 *	asked. What is on its way is bounded; beyond it lines are lost, counted.
 */
#ifndef MESHD_TAP_H
#define MESHD_TAP_H

#include "telemetry.h"

/* Of one writer; all zero is none. */
struct tapped {
	struct telemetry_tap *tap;
	struct buf lines;
	size_t count;
};

void tapped_note(struct tapped *t, const struct flow_record *r);

/* Sends what waits, at the end of the turn. */
void tapped_flush(struct tapped *t);

#endif
