/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check — broken promises end the process; allocations fail when told to.
 */
#include "base/base.h"
#include "death.h"
#include "unit.h"

enum { THING_MAGIC = 0x7e57 };

struct thing {
	uint32_t magic;
};

static void
break_a_promise(void)
{
	CHECK(1 + 1 == 3);
}

static void
pass_another_object(void)
{
	struct thing other = {0xbad}, *t;
	void *arg = &other;

	OBJ(t, arg, THING_MAGIC);
	CHECK(t != NULL);
}

static void
ask_for_too_much(void)
{
	CHECK(mem_new_array(SIZE_MAX / 2, 4) == NULL);
}

static void
shrink(void)
{
	CHECK(mem_resize(NULL, 2, 1, 1) == NULL);
}

TEST(a_failed_check_aborts)
{
	EXPECT_TRUE(dies(break_a_promise));
}

TEST(an_object_of_another_kind_aborts)
{
	struct thing mine = {THING_MAGIC}, *t;
	void *arg = &mine;

	OBJ(t, arg, THING_MAGIC);
	EXPECT_TRUE(t == &mine);
	EXPECT_TRUE(dies(pass_another_object));
}

TEST(running_out_of_memory_for_small_things_aborts)
{
	EXPECT_TRUE(dies(ask_for_too_much));
	EXPECT_TRUE(dies(shrink));
}

TEST(new_memory_is_zero_and_freeing_leaves_null)
{
	int *numbers = mem_new_array(3, sizeof(*numbers));

	EXPECT_EQ(numbers[0] | numbers[1] | numbers[2], 0);
	numbers[2] = 7;
	numbers = mem_resize(numbers, 3, 5, sizeof(*numbers));
	EXPECT_EQ(numbers[2], 7);
	EXPECT_EQ(numbers[3] | numbers[4], 0);
	mem_free(&numbers);
	EXPECT_TRUE(numbers == NULL);
	mem_free(&numbers);
}

TEST(a_copy_of_text_ends_in_zero)
{
	AUTO(mem_free) char *copy = mem_strndup("abc", 2);
	AUTO(mem_free) char *empty = mem_strndup(NULL, 0);

	EXPECT_STR(copy, "ab");
	EXPECT_STR(empty, "");
}

TEST(the_nth_fallible_allocation_fails_once)
{
	void *a, *b, *c;

	mem_fail_at(2);
	a = mem_try(1);
	b = mem_try(1);
	c = mem_try(1);
	EXPECT_TRUE(a != NULL && b == NULL && c != NULL);
	mem_fail_at(1);
	EXPECT_TRUE(mem_try_resize(c, 8) == NULL);
	mem_fail_at(1);
	mem_fail_at(0);
	c = mem_try_resize(c, 8);
	EXPECT_TRUE(c != NULL);
	mem_free(&a);
	mem_free(&c);
}

TEST(allocations_are_counted_by_their_thread)
{
	uint64_t before = mem_count();
	AUTO(mem_free) char *a = mem_new(1);
	AUTO(mem_free) char *b = mem_strndup("x", 1);
	AUTO(mem_free) char *c = mem_try(1);

	EXPECT_EQ(mem_count(), before + 3);
}

static void *
handed_over(void)
{
	AUTO(mem_free) void *p = mem_new(4);

	return TAKE(p);
}

TEST(what_is_taken_is_not_freed)
{
	AUTO(mem_free) unsigned char *p = handed_over();

	EXPECT_EQ(p[3], 0);
}
