/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owned — what a folder brought, written to the store and read again.
 */
#include "unit.h"

#include <stdio.h>

#include "owned.h"

static const struct slice keys[] = {{"g/K/n/b", 7}, {"/Service/n/a", 12}};

static void
write_keys(struct arena *a, size_t count, struct store_op *out)
{
	EXPECT_OK(owned_op(keys, count, a, out));
	EXPECT_EQ(out->type, STORE_PUT);
}

TEST(what_was_written_is_read_again)
{
	AUTO(arena_fini) struct arena a;
	AUTO(owned_fini) struct owned o;
	struct store_op op;

	arena_init(&a, 1 << 20);
	owned_init(&o);
	write_keys(&a, 2, &op);
	EXPECT_SLICE(op.row.setting.value, S("[\"/Service/n/a\",\"g/K/n/b\"]"));
	owned_take(&o, &op.row);
	EXPECT_TRUE(owned_has(&o, keys[0]));
	EXPECT_TRUE(owned_has(&o, keys[1]));
	EXPECT_FALSE(owned_has(&o, S("g/K/n/c")));
	write_keys(&a, 1, &op);
	owned_take(&o, &op.row);
	EXPECT_FALSE(owned_has(&o, keys[1]));
	op.row.deleted = true;
	owned_take(&o, &op.row);
	EXPECT_EQ(o.keys.count, 0);
}

TEST(other_rows_and_nonsense_own_nothing)
{
	AUTO(arena_fini) struct arena a;
	AUTO(owned_fini) struct owned o;
	struct store_op op;
	struct store_row other = {
	    .table = STORE_SETTINGS, .setting = {S("mesh/id"), S("[\"x\"]")}};

	arena_init(&a, 1 << 20);
	owned_init(&o);
	owned_take(&o, &other);
	EXPECT_EQ(o.keys.count, 0);
	write_keys(&a, 2, &op);
	op.row.setting.value = S("[1,{},\"k\"");
	owned_take(&o, &op.row);
	EXPECT_EQ(o.keys.count, 0);
	op.row.setting.value = S("[1,{},\"k\"]");
	owned_take(&o, &op.row);
	EXPECT_EQ(o.keys.count, 1);
}

TEST(too_many_are_said)
{
	enum { MANY = 20000 };
	AUTO(arena_fini) struct arena a;
	AUTO(mem_free) struct slice *many = mem_new_array(MANY, sizeof(*many));
	struct store_op op;

	arena_init(&a, 64 << 20);
	for (size_t i = 0; i < MANY; i++)
		many[i] = arena_printf(&a,
		    "networking.istio.io/VirtualService/some-namespace/%zu-"
		    "of-very-many",
		    i);
	EXPECT_ERR(owned_op(many, MANY, &a, &op), ERR_LIMIT);
}
