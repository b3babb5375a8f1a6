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

/* --- exec.c --------------------------------------------------------------- */

/*
 * A command without a shell: in a process group of its own, in "/", with
 * nothing open but its output, and no environment but PATH. What is left of
 * its group when it ends, or at the timeout, is killed; it is reaped in any
 * case, also after a cancel.
 */
struct exec; /* opaque */

struct exec_spec {
	struct loop *loop;
	const struct slice *words;
	size_t word_count;
	uint64_t timeout_us;
	void (*done)(
	    void *arg, bool is_good, const char *reason); /* as above */
	void *arg;
};

struct exec *exec_open(const struct exec_spec *spec);
void exec_cancel(struct exec **xp);

/* "1s", "0.25s" */
enum { ASK_TIME_MAX = 32 };
const char *ask_time(uint64_t us, char out[ASK_TIME_MAX]);

#endif
