/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff — what is different between two documents, by the paths of fields.
 */
#include "codec/codec.h"
#include "unit.h"

#include "diff.h"

#include <stdio.h>

enum { ARENA_BYTES = 256 << 20 };

static const struct value *
parse(const char *json, struct arena *a)
{
	const struct value *v = NULL;

	EXPECT_OK(codec_json_parse(slice_str(json), a, &v, NULL));
	return v;
}

static void
add_json(struct buf *out, const struct value *v)
{
	if (v == NULL)
		EXPECT_OK(buf_add_slice(out, S("-")));
	else
		EXPECT_OK(codec_json_emit(v, out));
}

/* "path before after; …", and "path <n;" for what moved. */
static void
expect(const char *before, const char *after, const char *wanted)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf text = BUF(1 << 20);
	struct diff d;

	arena_init(&a, ARENA_BYTES);
	EXPECT_OK(diff_values(parse(before, &a), parse(after, &a), &a, &d));
	for (size_t i = 0; i < d.count; i++) {
		const struct difference *it = &d.items[i];

		EXPECT_OK(buf_printf(&text, "%s ", it->path));
		if (it->moved_from != DIFF_NO_INDEX) {
			EXPECT_OK(buf_printf(&text, "<%ld; ", it->moved_from));
			continue;
		}
		add_json(&text, it->before);
		EXPECT_OK(buf_add_byte(&text, ' '));
		add_json(&text, it->after);
		EXPECT_OK(buf_add_slice(&text, S("; ")));
	}
	EXPECT_SLICE(buf_slice(&text), slice_str(wanted));
}

TEST(the_same_has_no_difference)
{
	expect("{\"a\":[1,{\"b\":null}]}", "{\"a\":[1,{\"b\":null}]}", "");
	expect("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "");
}

TEST(a_field_is_changed_new_or_gone)
{
	expect("{\"spec\":{\"a\":1,\"b\":2}}",
	    "{\"spec\":{\"a\":3,\"c\":\"x\"}}",
	    "spec.a 1 3; spec.b 2 -; spec.c - \"x\"; ");
	expect("{\"a\":1}", "{\"a\":\"1\"}", "a 1 \"1\"; ");
	expect("{\"a\":{\"b\":1}}", "{\"a\":[1]}", "a {\"b\":1} [1]; ");
}

TEST(a_key_that_is_no_word_is_in_brackets)
{
	expect("{\"labels\":{}}", "{\"labels\":{\"a.b/c\":\"d\"}}",
	    "labels[\"a.b/c\"] - \"d\"; ");
}

TEST(what_is_inserted_is_one_difference)
{
	expect("[1,2,3]", "[0,1,2,3]", "[0] - 0; ");
	expect("[1,2,3]", "[1,3]", "[1] 2 -; ");
	expect("[1,2,3]", "[1,9,3]", "[1] 2 9; ");
	expect("[{\"a\":1},{\"a\":2}]", "[{\"a\":0},{\"a\":1},{\"a\":2}]",
	    "[0] - {\"a\":0}; ");
	expect("[]", "[1]", "[0] - 1; ");
	expect("[1]", "[]", "[0] 1 -; ");
}

TEST(items_with_names_are_told_apart_by_them)
{
	expect("[{\"name\":\"a\",\"w\":1},{\"name\":\"b\",\"w\":2}]",
	    "[{\"name\":\"c\"},{\"name\":\"a\",\"w\":1},"
	    "{\"name\":\"b\",\"w\":3}]",
	    "[0] - {\"name\":\"c\"}; [2].w 2 3; ");
	expect("[{\"number\":80},{\"number\":443}]", "[{\"number\":443}]",
	    "[0] {\"number\":80} -; ");
}

TEST(what_moves_is_told_as_that)
{
	expect("[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]",
	    "[{\"name\":\"c\",\"w\":1},{\"name\":\"a\"},{\"name\":\"b\"}]",
	    "[0] <2; [0].w - 1; ");
}

TEST(lists_in_lists_have_paths_too)
{
	expect("{\"spec\":{\"http\":[{\"route\":[{\"weight\":90},"
	       "{\"weight\":10}]}]}}",
	    "{\"spec\":{\"http\":[{\"route\":[{\"weight\":80},"
	    "{\"weight\":20}]}]}}",
	    "spec.http[0].route[0].weight 90 80; "
	    "spec.http[0].route[1].weight 10 20; ");
}

/* Too many for the table of runs: ends are matched, the rest by place. */
TEST(long_lists_are_compared_in_bounded_time)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf one = BUF(8 << 20), two = BUF(8 << 20);
	const struct value *before = NULL, *after = NULL;
	struct diff d;

	arena_init(&a, ARENA_BYTES);
	EXPECT_OK(buf_add_slice(&one, S("[-1")));
	EXPECT_OK(buf_add_slice(&two, S("[-2")));
	for (int i = 0; i < 100000; i++) {
		EXPECT_OK(buf_printf(&one, ",%d", i));
		EXPECT_OK(buf_printf(&two, ",%d", i == 70000 ? -3 : i));
	}
	EXPECT_OK(buf_add_byte(&one, ']'));
	EXPECT_OK(buf_add_byte(&two, ']'));
	EXPECT_OK(codec_json_parse(buf_slice(&one), &a, &before, NULL));
	EXPECT_OK(codec_json_parse(buf_slice(&two), &a, &after, NULL));
	EXPECT_OK(diff_values(before, after, &a, &d));
	EXPECT_EQ(d.count, 2);
	EXPECT_STR(d.items[0].path, "[0]");
	EXPECT_STR(d.items[1].path, "[70001]");
}

/* A document whose only value lies under so many long names. */
static const struct value *
deep(int value, struct arena *a)
{
	AUTO(buf_fini) struct buf text = BUF(1 << 16);
	const struct value *v = NULL;
	struct slice kept;

	for (int i = 0; i < 40; i++)
		EXPECT_OK(buf_add_slice(&text, S("{\"a-rather-long-name\":")));
	EXPECT_OK(buf_printf(&text, "%d", value));
	for (int i = 0; i < 40; i++)
		EXPECT_OK(buf_add_byte(&text, '}'));
	EXPECT_OK(arena_copy(a, buf_slice(&text), &kept));
	EXPECT_OK(codec_json_parse(kept, a, &v, NULL));
	return v;
}

TEST(a_path_that_is_too_long_is_cut)
{
	AUTO(arena_fini) struct arena a;
	struct diff d;

	arena_init(&a, ARENA_BYTES);
	EXPECT_OK(diff_values(deep(1, &a), deep(2, &a), &a, &d));
	EXPECT_EQ(d.count, 1);
	EXPECT_EQ(strlen(d.items[0].path), DIFF_PATH_MAX - 1);
}

TEST(a_full_arena_is_said)
{
	AUTO(arena_fini) struct arena a;
	AUTO(arena_fini) struct arena tiny;
	struct diff d;

	arena_init(&a, ARENA_BYTES);
	arena_init(&tiny, 8);
	EXPECT_ERR(diff_values(parse("{\"a\":1}", &a), parse("{\"a\":2}", &a),
		       &tiny, &d),
	    ERR_NO_MEMORY);
}
