/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena — limits, alignment, hooks.
 */
#include <stdalign.h>

#include "base/base.h"
#include "unit.h"

static char trail[8];
static char letters[] = "123x";

static void
note(void *arg)
{
	const char *letter = arg;

	trail[strlen(trail)] = *letter;
}

TEST(memory_is_zero_and_aligned)
{
	AUTO(arena_fini) struct arena a;

	arena_init(&a, 1 << 20);
	for (size_t size = 0; size < 3000; size += 7) {
		char *p = arena_alloc(&a, size);

		EXPECT_TRUE(p != NULL);
		EXPECT_EQ((uintptr_t)p % alignof(uint64_t), 0);
		for (size_t i = 0; i < size; i++)
			EXPECT_EQ(p[i], 0);
		memset(p, 0xa5, size);
	}
}

TEST(the_limit_holds_and_what_fits_still_fits)
{
	AUTO(arena_fini) struct arena a;
	struct slice s = S("old");

	arena_init(&a, 256);
	EXPECT_TRUE(arena_alloc(&a, 257) == NULL);
	EXPECT_TRUE(arena_alloc(&a, SIZE_MAX) == NULL);
	EXPECT_TRUE(arena_alloc_array(&a, SIZE_MAX / 2, 3) == NULL);
	EXPECT_TRUE(arena_alloc(&a, 240) != NULL);
	EXPECT_ERR(arena_copy(&a, S("sixteen bytes ..."), &s), ERR_LIMIT);
	EXPECT_SLICE(s, S("old"));
	EXPECT_OK(arena_copy(&a, S("fifteen bytes ."), &s));
	EXPECT_EQ(a.used, a.limit);
	EXPECT_ERR(arena_on_reset(&a, note, letters + 3), ERR_LIMIT);
}

TEST(a_reset_arena_starts_anew)
{
	AUTO(arena_fini) struct arena a;

	arena_init(&a, 1024);
	EXPECT_TRUE(arena_alloc(&a, 1024) != NULL);
	EXPECT_TRUE(arena_alloc(&a, 1) == NULL);
	arena_reset(&a);
	EXPECT_EQ(a.used, 0);
	EXPECT_TRUE(arena_alloc(&a, 1024) != NULL);
}

TEST(what_was_reserved_takes_no_more_memory)
{
	AUTO(arena_fini) struct arena a;

	arena_init(&a, 4096);
	EXPECT_OK(arena_reserve(&a, 2048));
	EXPECT_EQ(a.used, 0);
	mem_fail_at(1); /* whoever asks for memory gets none */
	for (int i = 0; i < 128; i++)
		EXPECT_TRUE(arena_alloc(&a, 16) != NULL);
	EXPECT_TRUE(arena_alloc(&a, 16) == NULL);
	EXPECT_TRUE(arena_alloc(&a, 16) != NULL);
	EXPECT_ERR(arena_reserve(&a, 2048), ERR_LIMIT);
}

TEST(copies_and_prints_end_in_a_zero)
{
	AUTO(arena_fini) struct arena a;
	struct slice s;

	arena_init(&a, 4096);
	EXPECT_OK(arena_copy(&a, S("a\0b"), &s));
	EXPECT_SLICE(s, S("a\0b"));
	EXPECT_EQ(s.ptr[s.len], 0);
	EXPECT_OK(arena_copy(&a, SLICE_NONE, &s));
	EXPECT_STR(s.ptr, "");
	EXPECT_SLICE(arena_join(&a, SLICES(S("n"), S("="), S("5"))), S("n=5"));
	s = arena_printf(&a, "%s=%d", "n", 5);
	EXPECT_SLICE(s, S("n=5"));
	EXPECT_STR(s.ptr, "n=5");
	EXPECT_TRUE(arena_printf(&a, "%5000d", 1).ptr == NULL);
}

TEST(hooks_run_newest_first_and_once)
{
	struct arena a;

	trail[0] = '\0';
	arena_init(&a, 1024);
	EXPECT_OK(arena_on_reset(&a, note, letters + 0));
	EXPECT_OK(arena_on_reset(&a, note, letters + 1));
	arena_reset(&a);
	EXPECT_STR(trail, "21");
	EXPECT_OK(arena_on_reset(&a, note, letters + 2));
	arena_fini(&a);
	arena_fini(&a);
	EXPECT_STR(trail, "213");
}

TEST(a_failed_allocation_is_told_from_a_full_arena)
{
	AUTO(arena_fini) struct arena a;
	struct slice s;

	arena_init(&a, 1024);
	mem_fail_at(1);
	EXPECT_ERR(arena_copy(&a, S("x"), &s), ERR_NO_MEMORY);
	EXPECT_OK(arena_copy(&a, S("x"), &s));
}
