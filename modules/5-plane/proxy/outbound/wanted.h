/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wanted — hosts that programs call by name, on one worker.
 *
 * An agent knows of the mesh what it needs. Whom a client of the HTTP proxy
 * names is not known beforehand, so the owner of the proxy is asked to know
 * it, and asked again while the host is called. The first call waits.
 */
#ifndef MESHD_WANTED_H
#define MESHD_WANTED_H

#include "worker.h"

enum {
	WANTED_HOSTS_MAX = 1024,
	WANTED_AGAIN_US = 60 * 1000000 /* until the owner is told again */
};

struct wanted; /* opaque */

/* Part of the object that waits. */
struct wanted_waiter {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

struct wanted *wanted_new(struct worker *w);
void wanted_free(struct wanted **xp);

/*
 * The host is called now. True: what the view says of it is all that there is.
 * False: more may come; see wanted_wait().
 */
bool wanted_call(struct wanted *x, struct slice host);

/* After false: fn(arg) once, when the answer is there, in a turn of its own. */
void wanted_wait(struct wanted *x, struct slice host, struct wanted_waiter *v);

/* Nothing is heard of it; also if it does not wait. */
void wanted_leave(struct wanted_waiter *v);

/* No question is open. */
bool wanted_is_quiet(const struct wanted *x);

#endif
