/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sm — only the edges of the table are taken.
 */
#include "base/base.h"
#include "death.h"
#include "unit.h"

enum door { DOOR_SHUT, DOOR_OPEN, DOOR_GONE };

static const struct sm_row door_rows[] = {
    [DOOR_SHUT] = {"shut", TO(DOOR_OPEN) | TO(DOOR_GONE)},
    [DOOR_OPEN] = {"open", TO(DOOR_SHUT)},
    [DOOR_GONE] = {"gone", 0},
};

static unsigned seen[4];
static size_t seen_count;

static void
remember(const void *owner, unsigned state)
{
	CHECK(owner == seen);
	seen[seen_count++] = state;
}

static struct sm
door(void)
{
	struct sm m;

	seen_count = 0;
	sm_init(&m, "door", 17, door_rows, ARRAY_LEN(door_rows), DOOR_SHUT,
	    remember, seen);
	return m;
}

static void
break_an_open_door(void)
{
	struct sm m = door();

	sm_go(&m, DOOR_OPEN);
	sm_go(&m, DOOR_GONE);
}

static void
leave_the_table(void)
{
	struct sm m = door();

	sm_go(&m, 40);
}

TEST(an_edge_of_the_table_is_taken_and_the_invariant_runs)
{
	struct sm m = door();

	EXPECT_TRUE(sm_is(&m, DOOR_SHUT));
	sm_go(&m, DOOR_OPEN);
	EXPECT_STR(sm_name(&m), "open");
	sm_go(&m, DOOR_SHUT);
	sm_go(&m, DOOR_GONE);
	EXPECT_EQ(seen_count, 4);
	EXPECT_EQ(seen[1], DOOR_OPEN);
	EXPECT_EQ(seen[3], DOOR_GONE);
}

TEST(any_other_edge_aborts)
{
	EXPECT_TRUE(dies(break_an_open_door));
	EXPECT_TRUE(dies(leave_the_table));
}
