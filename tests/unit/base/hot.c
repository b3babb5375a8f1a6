/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot — blocks that wait for the next of their size.
 */
#include <pthread.h>

#include "base/base.h"
#include "unit.h"

TEST(what_comes_back_is_zeroed)
{
	for (size_t size = 1; size < 4000; size += 13) {
		char *p = hot_new(size);

		memset(p, 0xa5, size);
		hot_free(&p, size);
		EXPECT_TRUE(p == NULL);
		p = hot_new(size);
		for (size_t i = 0; i < size; i++)
			CHECK(p[i] == 0);
		hot_free(&p, size);
	}
}

TEST(freeing_nothing_is_allowed)
{
	char *p = NULL;

	hot_free(&p, 100);
	EXPECT_TRUE(p == NULL);
}

TEST(a_fallible_one_fails_when_it_is_told_to)
{
	char *p = hot_try(100);

	EXPECT_TRUE(p != NULL);
	hot_free(&p, 100);
	mem_fail_at(1); /* though one lies at hand */
	EXPECT_TRUE(hot_try(100) == NULL);
	p = hot_try(100);
	EXPECT_TRUE(p != NULL);
	hot_free(&p, 100);
}

enum { MANY = 3000, SIZE = 1000 };

/* More than what is kept, given back by another thread, which ends. */
static void *
free_all(void *arg)
{
	char **blocks = arg;

	for (int i = 0; i < MANY; i++)
		hot_free(&blocks[i], SIZE);
	return NULL;
}

TEST(another_thread_may_give_them_back)
{
	char **blocks = mem_new_array(MANY, sizeof(*blocks));
	pthread_t thread;

	for (int i = 0; i < MANY; i++)
		blocks[i] = hot_new(SIZE);
	CHECK(pthread_create(&thread, NULL, free_all, blocks) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	EXPECT_TRUE(blocks[0] == NULL && blocks[MANY - 1] == NULL);
	mem_free(&blocks);
}

/* How many of so many come from malloc. */
static uint64_t
take_many(void)
{
	char **blocks = mem_new_array(MANY, sizeof(*blocks));
	uint64_t before = mem_count(), made;

	for (int i = 0; i < MANY; i++)
		blocks[i] = hot_new(SIZE);
	made = mem_count() - before;
	(void)free_all(blocks);
	mem_free(&blocks);
	return made;
}

static void *
free_and_take(void *arg)
{
	uint64_t *made = mem_new(sizeof(*made));

	(void)free_all(arg);
	*made = take_many();
	return made;
}

TEST(nothing_waits_for_a_thread_that_only_gives_back)
{
	char **blocks = mem_new_array(MANY, sizeof(*blocks));
	uint64_t *made;
	void *result;
	pthread_t thread;

	for (int i = 0; i < MANY; i++)
		blocks[i] = hot_new(SIZE);
	CHECK(pthread_create(&thread, NULL, free_and_take, blocks) == 0);
	CHECK(pthread_join(thread, &result) == 0);
	made = result;
	EXPECT_TRUE(*made >= MANY);
	mem_free(&made);
	mem_free(&blocks);
}

TEST(what_waits_can_be_given_back)
{
	(void)take_many();
	mem_give_back();
	EXPECT_TRUE(take_many() >= MANY);
}
