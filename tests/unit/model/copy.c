/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy — a copy says the same as its original, and outlives it.
 */
#include "copy.h"
#include "codec/codec.h"
#include "unit.h"

enum { BYTES = 1 << 20 };

struct leaf {
	struct message_head head;
	struct slice name;
};

/* A field of every type. */
struct tree {
	struct message_head head;
	struct slice text;
	struct slice other; /* has a default */
	bool flag;
	int64_t number;
	uint64_t wait;
	const struct value *plain;
	struct int_or_string either;
	const struct leaf *leaf;
	struct labels labels;
	LIST_OF(struct int_entry) numbers;
	LIST_OF(struct message_entry) named;
	LIST_OF(struct slice) texts;
	LIST_OF(struct leaf) leaves;
	LIST_OF(struct slice) none;
};

static const struct field leaf_fields[] = {
    {.name = "name",
	.type = FIELD_STRING,
	.offset = offsetof(struct leaf, name),
	.doc = "A name."},
};

static const struct message leaf_message = {
    .name = "Leaf",
    .size = sizeof(struct leaf),
    .fields = leaf_fields,
    .field_count = ARRAY_LEN(leaf_fields),
    .doc = "A leaf.",
};

#define ROW(member, field_type, ...)                                           \
	{                                                                      \
		.name = #member, .type = field_type,                           \
		.offset = offsetof(struct tree, member), .doc = "A row.",      \
		__VA_ARGS__                                                    \
	}

static const struct field tree_fields[] = {
    ROW(text, FIELD_STRING),
    ROW(other, FIELD_STRING, .otherwise = "ash"),
    ROW(flag, FIELD_BOOL),
    ROW(number, FIELD_INT),
    ROW(wait, FIELD_DURATION),
    ROW(plain, FIELD_TREE),
    ROW(either, FIELD_INT_OR_STRING),
    ROW(leaf, FIELD_MESSAGE, .of = &leaf_message),
    ROW(labels, FIELD_STRING_MAP),
    ROW(numbers, FIELD_INT_MAP),
    ROW(named, FIELD_MESSAGE_MAP, .of = &leaf_message),
    ROW(texts, FIELD_STRING, .flags = FIELD_REPEATED),
    ROW(leaves, FIELD_MESSAGE, .flags = FIELD_REPEATED, .of = &leaf_message),
    ROW(none, FIELD_STRING, .flags = FIELD_REPEATED),
};

static const struct message tree_message = {
    .name = "Tree",
    .size = sizeof(struct tree),
    .fields = tree_fields,
    .field_count = ARRAY_LEN(tree_fields),
    .doc = "A tree.",
};

/* As it is written again: in byte order. */
static const char document[] =
    "{\"either\":\"http\",\"flag\":true,\"labels\":{\"k\":\"v\",\"l\":\"\"},"
    "\"leaf\":{\"name\":\"one\"},\"leaves\":[{\"name\":\"three\"},{}],"
    "\"named\":{\"m\":{\"name\":\"two\"}},\"number\":7,\"numbers\":{\"n\":3},"
    "\"plain\":{\"a\":{\"b\":[1,\"c\"]}},\"text\":\"oak\","
    "\"texts\":[\"x\",\"y\"],\"wait\":\"5s\"}";

static const struct tree *
decode(const char *json, struct arena *a)
{
	AUTO(findings_fini) struct findings found = {0};
	const struct value *v;
	const struct tree *t;

	arena_init(a, BYTES);
	EXPECT_OK(codec_json_parse(slice_str(json), a, &v, NULL));
	t = message_decode(&tree_message, v, "x", "spec", a, &found);
	EXPECT_EQ(found.errors.count, 0);
	return t;
}

static void
expect_says(const struct tree *t, const char *json)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf text = BUF(BYTES);

	arena_init(&a, BYTES);
	EXPECT_OK(codec_json_emit(message_encode(&tree_message, t, &a), &text));
	EXPECT_SLICE(buf_slice(&text), slice_str(json));
}

TEST(a_copy_outlives_what_it_was_made_of)
{
	AUTO(arena_fini) struct arena from;
	AUTO(arena_fini) struct arena to;
	const struct tree *t;

	arena_init(&to, BYTES);
	t = message_copy(&tree_message, decode(document, &from), &to);
	arena_reset(&from);
	EXPECT_TRUE(t != NULL);
	expect_says(t, document);
	EXPECT_SLICE(t->other, S("ash"));
	EXPECT_EQ(t->none.count, 0);
}

TEST(what_was_not_written_is_copied_as_nothing)
{
	AUTO(arena_fini) struct arena from;
	AUTO(arena_fini) struct arena to;
	const struct tree *t;

	arena_init(&to, BYTES);
	t = message_copy(&tree_message, decode("{}", &from), &to);
	arena_reset(&from);
	expect_says(t, "{}");
	EXPECT_TRUE(t->leaf == NULL);
	EXPECT_TRUE(t->text.ptr == NULL);
}

TEST(a_copy_fits_into_what_a_copy_took_and_into_no_less)
{
	AUTO(arena_fini) struct arena from;
	AUTO(arena_fini) struct arena sizes;
	AUTO(arena_fini) struct arena to;
	const struct tree *t = decode(document, &from);

	arena_init(&sizes, BYTES);
	EXPECT_TRUE(message_copy(&tree_message, t, &sizes) != NULL);
	for (size_t limit = 0; limit < sizes.used; limit++) {
		arena_init(&to, limit);
		EXPECT_TRUE(message_copy(&tree_message, t, &to) == NULL);
		arena_fini(&to);
	}
	arena_init(&to, sizes.used);
	EXPECT_TRUE(message_copy(&tree_message, t, &to) != NULL);
}
