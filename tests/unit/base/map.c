/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map — against a plain array, and through growth and removal.
 */
#include <stdio.h>

#include "base/base.h"
#include "unit.h"

enum { KEYS = 500 };

static int values[KEYS];
static int dropped;

static struct slice
key_of(size_t n)
{
	static char text[24];

	return slice_of(text, (size_t)snprintf(text, sizeof(text), "k%zu", n));
}

static void
count_drop(void *value UNUSED)
{
	dropped++;
}

TEST(an_empty_map_has_nothing)
{
	struct map m;
	struct slice key;
	void *value;
	size_t i = 0;

	map_init(&m);
	EXPECT_TRUE(map_get(&m, S("a")) == NULL);
	EXPECT_TRUE(map_remove(&m, S("a")) == NULL);
	EXPECT_FALSE(map_next(&m, &i, &key, &value));
	map_fini(&m, NULL);
}

TEST(putting_twice_gives_the_old_value_back)
{
	struct map m;

	map_init(&m);
	EXPECT_TRUE(map_put(&m, S(""), &values[0]) == NULL);
	EXPECT_TRUE(map_put(&m, S(""), &values[1]) == &values[0]);
	EXPECT_EQ(m.count, 1);
	EXPECT_TRUE(map_get(&m, SLICE_NONE) == &values[1]);
	EXPECT_TRUE(map_remove(&m, S("")) == &values[1]);
	EXPECT_EQ(m.count, 0);
	map_fini(&m, NULL);
}

TEST(keys_are_copied)
{
	char text[] = "abc";
	struct map m;

	map_init(&m);
	(void)map_put(&m, slice_str(text), &values[0]);
	text[0] = 'x';
	EXPECT_TRUE(map_get(&m, S("abc")) == &values[0]);
	map_fini(&m, NULL);
}

static void
expect_same(const struct map *m, void *const model[KEYS])
{
	size_t count = 0, seen = 0, i = 0;
	struct slice key;
	void *value;

	for (size_t n = 0; n < KEYS; n++) {
		EXPECT_TRUE(map_get(m, key_of(n)) == model[n]);
		count += model[n] != NULL;
	}
	while (map_next(m, &i, &key, &value)) {
		EXPECT_TRUE(map_get(m, key) == value);
		seen++;
	}
	EXPECT_EQ(m->count, count);
	EXPECT_EQ(seen, count);
}

TEST(a_map_holds_what_an_array_would)
{
	void *model[KEYS] = {NULL};
	struct map m;
	struct rng r;

	rng_init(&r, 42);
	map_init(&m);
	for (int i = 0; i < 20000; i++) {
		size_t n = rng_below(&r, KEYS);
		void *old = model[n];
		bool put = rng_below(&r, 100) < (i < 10000 ? 60 : 40);

		model[n] = put ? &values[rng_below(&r, KEYS)] : NULL;
		EXPECT_TRUE((put ? map_put(&m, key_of(n), model[n])
				 : map_remove(&m, key_of(n))) == old);
		if (i % 1000 == 0)
			expect_same(&m, model);
	}
	expect_same(&m, model);
	map_fini(&m, NULL);
}

TEST(fini_drops_each_value)
{
	struct map m;

	map_init(&m);
	dropped = 0;
	for (size_t n = 0; n < 100; n++)
		(void)map_put(&m, key_of(n), &values[n]);
	map_fini(&m, count_drop);
	EXPECT_EQ(dropped, 100);
	EXPECT_EQ(m.count, 0);
}
