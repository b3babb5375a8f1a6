/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask — one question to one service, and its answer in words.
 */
#ifndef MESHD_HEALTH_ASK_H
#define MESHD_HEALTH_ASK_H

#include "health.h"

struct ask; /* opaque */

struct ask_spec {
	struct loop *loop;
	const struct health_check_policy *policy; /* borrowed until the end */
	struct addr target;
	/* Once unless cancelled, never from inside; the ask is gone then. */
	void (*done)(void *arg, bool is_good, const char *reason);
	void *arg;
};

struct ask *ask_open(const struct ask_spec *spec);

/* done() will not come; *ap becomes NULL. */
void ask_cancel(struct ask **ap);

/* "1s", "0.25s" */
enum { ASK_TIME_MAX = 32 };
const char *ask_time(uint64_t us, char out[ASK_TIME_MAX]);

#endif
