/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns — so many at a time, the others in the order in which they came.
 */
#include "turns.h"

void
turns_init(struct turns *t, size_t most)
{
	*t = (struct turns){.most = most};
	list_init(&t->waiting);
	list_init(&t->holding);
}

void
turns_wait(struct turns *t, struct turn *turn)
{
	turns_leave(t, turn);
	list_push_back(&t->waiting, &turn->link);
}

void
turns_leave(struct turns *t, struct turn *turn)
{
	list_remove(&turn->link);
	if (turn->holds)
		t->begun--;
	turn->holds = false;
}

void
turns_expire(struct turns *t, uint64_t before_us)
{
	struct turn *oldest;

	while ((oldest = LIST_FIRST(&t->holding, struct turn, link)) != NULL &&
	       oldest->since_us < before_us)
		turns_leave(t, oldest);
}

struct turn *
turns_next(struct turns *t, uint64_t now_us)
{
	struct turn *next = LIST_FIRST(&t->waiting, struct turn, link);

	if (next == NULL || t->begun == t->most)
		return NULL;
	list_remove(&next->link);
	list_push_back(&t->holding, &next->link);
	next->holds = true;
	next->since_us = now_us;
	t->begun++;
	return next;
}
