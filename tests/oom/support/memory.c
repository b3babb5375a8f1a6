/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory — allocations that fail when the test says so.
 */
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "unit.h"

enum { WALK_MAX = 20000 };

void
memory_fail(struct memory_walk *w)
{
	mem_fail_at(w->n);
}

/*
 * In a walk the first n that is not reached is just one too many: then it is
 * the next allocation that fails.
 */
void
memory_heal(struct memory_walk *w)
{
	void *next = mem_try(1);

	w->hit = next != NULL;
	free(next);
	mem_fail_at(0);
}

void
memory_walk_all(void (*try)(struct memory_walk *w))
{
	struct memory_walk w = {.hit = true};

	EXPECT_ERR(crypto_init(), OK);
	while (w.hit && w.n < WALK_MAX) {
		w.n++;
		w.hit = false;
		try(&w);
	}
	EXPECT_FALSE(w.hit);
	EXPECT_TRUE(w.n > 1);
	printf(
	    "each of %llu allocations failed\n", (unsigned long long)w.n - 1);
}

void
memory_expect(const struct memory_walk *w, enum err e)
{
	if (w->hit)
		EXPECT_TRUE(e == ERR_NO_MEMORY || e == ERR_LIMIT);
	else
		EXPECT_ERR(e, OK);
}
