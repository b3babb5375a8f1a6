/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names — where the names lead that endpoints of this machine's view have.
 *
 * Each is looked up as soon as a view needs it, and again when its answer is
 * too old. What is known goes into the next view; a name server that fails
 * takes nothing back.
 */
#ifndef MESHD_NODE_NAMES_H
#define MESHD_NODE_NAMES_H

#include "loop/loop.h"
#include "model/model.h"

enum {
	NAMES_ASKED_MAX = 64,     /* look-ups at a time */
	NAMES_AGAIN_US = 1000000, /* after the first failure; then later */
	NAMES_REFRESH_MIN_US = 1000000
};

struct names; /* opaque */

struct names_spec {
	struct loop *loop;
	/* What can be called from here; ADDR_NONE: both. Asked each time. */
	enum addr_family (*family)(void);
	/* A name leads elsewhere, or it is known now that it leads nowhere. */
	void (*on_change)(void *arg);
	void *arg;
};

struct names *names_new(const struct names_spec *spec);
void names_free(struct names **np);

/*
 * Exactly these are needed from now on, by name; those that were needed before
 * keep what is known of them. `refresh_us`: see view_name_refresh_us().
 */
void names_follow(struct names *n, const struct view_name *needed, size_t count,
    uint64_t refresh_us);

/* All that is known, for a view; it lies in the arena, but for addresses and
 * words, which are good until the next turn. NULL: the arena is full. */
const struct view_name_input *names_inputs(
    const struct names *n, struct arena *arena, size_t *out_count);

/* Another number where anything of that is another; never 0. */
uint64_t names_state(const struct names *n);

/* Those that failed are looked up now. */
void names_retry(struct names *n);

/* Those whose last look-up failed, and why. */
void names_each_failure(const struct names *n,
    void (*each)(void *arg, struct slice name, struct slice words), void *arg);

#endif
