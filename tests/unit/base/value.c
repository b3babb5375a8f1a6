/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value — trees are built, searched and compared.
 */
#include <stdio.h>

#include "base/base.h"
#include "unit.h"

static struct arena arena;

static struct value *
numbered_map(size_t keys, bool backwards)
{
	struct value *map = value_new(&arena, VALUE_MAP);

	for (size_t i = 0; i < keys; i++) {
		size_t n = backwards ? keys - 1 - i : i;

		CHECK(value_set(map, arena_printf(&arena, "k%zu", n),
			  value_new_int(&arena, (int64_t)n)) == OK);
	}
	return map;
}

TEST(a_member_is_found_by_key_and_by_path)
{
	struct value *root, *meta;

	arena_init(&arena, 1 << 20);
	root = value_new(&arena, VALUE_MAP);
	meta = value_new(&arena, VALUE_MAP);
	EXPECT_OK(value_set(root, S("metadata"), meta));
	EXPECT_OK(value_set(meta, S("name"), value_new_string(&arena, S("x"))));
	EXPECT_TRUE(value_get(root, S("metadata")) == meta);
	EXPECT_SLICE(value_get_path(root, S("metadata.name"))->string, S("x"));
	EXPECT_TRUE(value_get_path(root, S("metadata.name.y")) == NULL);
	EXPECT_TRUE(value_get(NULL, S("a")) == NULL);
	EXPECT_SLICE(value_get_string(meta, S("name"), S("-")), S("x"));
	EXPECT_SLICE(value_get_string(root, S("metadata"), S("-")), S("-"));
	arena_fini(&arena);
}

TEST(a_key_stands_once_in_small_and_large_maps)
{
	for (size_t keys = 1; keys < 200; keys++) {
		struct value *map;
		size_t n = 0;

		arena_init(&arena, 1 << 20);
		map = numbered_map(keys, false);
		EXPECT_EQ(map->count, keys);
		EXPECT_ERR(value_set(map, S("k0"), value_new_int(&arena, 0)),
		    ERR_EXISTS);
		EXPECT_TRUE(value_get(map, S("absent")) == NULL);
		VALUE_EACH(map, it)
		{
			EXPECT_EQ(it->integer, n++); /* the order of adding */
			EXPECT_TRUE(value_get(map, it->key) == it);
		}
		EXPECT_EQ(n, keys);
		arena_fini(&arena);
	}
}

TEST(maps_are_equal_in_any_order_and_lists_are_not)
{
	struct value *ab, *ba;

	arena_init(&arena, 1 << 20);
	EXPECT_TRUE(value_eq(numbered_map(50, false), numbered_map(50, true)));
	EXPECT_FALSE(
	    value_eq(numbered_map(50, false), numbered_map(51, false)));
	ab = value_new(&arena, VALUE_LIST);
	ba = value_new(&arena, VALUE_LIST);
	EXPECT_OK(value_append(ab, value_new_bool(&arena, true)));
	EXPECT_OK(value_append(ab, value_new_bool(&arena, false)));
	EXPECT_OK(value_append(ba, value_new_bool(&arena, false)));
	EXPECT_OK(value_append(ba, value_new_bool(&arena, true)));
	EXPECT_TRUE(value_eq(ab, ab));
	EXPECT_FALSE(value_eq(ab, ba));
	EXPECT_FALSE(value_eq(ab, value_new(&arena, VALUE_NULL)));
	arena_fini(&arena);
}

TEST(a_full_arena_is_an_error_and_not_a_hole)
{
	struct value *list;

	arena_init(&arena, sizeof(struct value) + 16);
	list = value_new(&arena, VALUE_LIST);
	EXPECT_ERR(value_append(list, value_new_int(&arena, 1)), ERR_NO_MEMORY);
	EXPECT_EQ(list->count, 0);
	arena_fini(&arena);
}

TEST(types_have_names)
{
	EXPECT_STR(value_type_name(VALUE_NULL), "null");
	EXPECT_STR(value_type_name(VALUE_MAP), "map");
}

TEST(a_tree_is_put_together_without_a_look_at_each_step)
{
	AUTO(arena_fini) struct arena a;
	struct value *m, *list;

	arena_init(&a, 4096);
	m = value_new(&a, VALUE_MAP);
	list = value_new(&a, VALUE_LIST);
	value_push_text(&a, &list, S("one"));
	value_put_text(&a, &m, S("t"), S("text"));
	value_put_int(&a, &m, S("n"), -7);
	value_put_bool(&a, &m, S("b"), true);
	value_put_bytes(&a, &m, S("bytes"), S("\xfb\xff"));
	value_put(&m, S("list"), list);
	EXPECT_TRUE(m != NULL);
	EXPECT_EQ(m->count, 5);
	EXPECT_SLICE(value_get_string(m, S("bytes"), SLICE_NONE), S("-_8"));
	EXPECT_EQ(value_get(m, S("n"))->integer, -7);
	EXPECT_SLICE(value_get(m, S("list"))->child->string, S("one"));
}

TEST(a_tree_that_does_not_fit_becomes_none)
{
	AUTO(arena_fini) struct arena a;
	struct value *m;

	arena_init(&a, 256);
	m = value_new(&a, VALUE_MAP);
	for (int i = 0; i < 64; i++)
		value_put_bytes(&a, &m, S("again"), S("0123456789"));
	EXPECT_TRUE(m == NULL);
	value_put_int(&a, &m, S("more"), 1);
	EXPECT_TRUE(m == NULL);
}

/* {a: {}, list: [{}]} with lines from `first` on. */
static struct value *
lined(struct arena *a, uint32_t first)
{
	struct value *m = value_new(a, VALUE_MAP), *list, *at;

	m->line = first;
	at = value_new(a, VALUE_MAP);
	at->line = first > 0 ? first + 1 : 0;
	value_put(&m, S("a"), at);
	list = value_new(a, VALUE_LIST);
	at = value_new(a, VALUE_MAP);
	at->line = first > 0 ? first + 2 : 0;
	value_push(&list, at);
	value_put(&m, S("list"), list);
	value_put_int(a, &m, S("n"), 5);
	return m;
}

TEST(lines_of_maps_can_go_beside_a_tree)
{
	AUTO(arena_fini) struct arena a;
	struct value *from, *to, *lines;

	arena_init(&a, 1 << 16);
	from = lined(&a, 7);
	to = lined(&a, 0);
	lines = value_lines(from, &a);
	EXPECT_EQ(lines->count, 3);
	value_set_lines(to, lines);
	EXPECT_EQ(to->line, 7);
	EXPECT_EQ(value_line(to, S("a")), 8);
	EXPECT_EQ(value_line(to, S("list[0]")), 9);
	/* Too few of them, and what is none. */
	lines = value_new(&a, VALUE_LIST);
	value_push(&lines, value_new_int(&a, 3));
	value_push(&lines, value_new_int(&a, -1));
	value_set_lines(to, lines);
	EXPECT_EQ(to->line, 3);
	EXPECT_EQ(value_get(to, S("a"))->line, 0);
	EXPECT_EQ(value_get(to, S("list"))->child->line, 0);
}
