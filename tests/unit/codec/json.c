/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json — one canonical form, and strictness on the way in.
 */
#include "codec/codec.h"
#include "unit.h"

enum { ARENA_MAX = 16 << 20, OUT_MAX = 1 << 20 };

static void
expect_canonical(const char *text, const char *wanted)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	const struct value *v = NULL;

	arena_init(&a, ARENA_MAX);
	EXPECT_OK(codec_json_parse(slice_str(text), &a, &v, NULL));
	EXPECT_OK(codec_json_emit(v, &out));
	EXPECT_SLICE(buf_slice(&out), slice_str(wanted));
}

static void
expect_refusal(const char *text, enum err code, unsigned line)
{
	AUTO(arena_fini) struct arena a;
	const struct value *v = NULL;
	struct fault why = {0};

	arena_init(&a, ARENA_MAX);
	EXPECT_ERR(codec_json_parse(slice_str(text), &a, &v, &why), code);
	EXPECT_TRUE(v == NULL);
	EXPECT_EQ(why.line, line);
	EXPECT_TRUE(why.text[0] != '\0');
}

TEST(the_canonical_form_sorts_keys_and_has_no_space)
{
	expect_canonical("{ \"b\" : [1, 2.50, true , null], \"a\":{} }",
	    "{\"a\":{},\"b\":[1,2.5,true,null]}");
	expect_canonical(
	    "{\"a\":1,\"B\":2,\"ab\":[]}", "{\"B\":2,\"a\":1,\"ab\":[]}");
}

TEST(numbers_keep_their_kind_and_are_short)
{
	expect_canonical("[0.1, 1.0, 1e300, -9223372036854775808]",
	    "[0.1,1.0,1e+300,-9223372036854775808]");
}

TEST(only_what_must_be_is_escaped)
{
	expect_canonical(
	    "\"\\u00e9\\/\\n\\u0001\\\"\"", "\"\xc3\xa9/\\n\\u0001\\\"\"");
}

TEST(what_is_no_json_is_refused_with_its_line)
{
	expect_refusal("{\"a\": 1,\n\"a\": 2}", ERR_PARSE, 2);
	expect_refusal("{\n\"a\": }", ERR_PARSE, 2);
	expect_refusal("[1] 2", ERR_PARSE, 1);
	expect_refusal("", ERR_PARSE, 1);
	expect_refusal("[99999999999999999999]", ERR_LIMIT, 1);
	expect_refusal("[\"\xff\"]", ERR_PARSE, 1);
	expect_refusal("[\"\\u0000\"]", ERR_PARSE, 1);
}

TEST(depth_is_bounded)
{
	char text[LIMIT_DOC_DEPTH + 2];

	memset(text, '[', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	expect_refusal(text, ERR_LIMIT, 1);
}

TEST(the_form_for_people_keeps_order_and_indents)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	const struct value *v = NULL;

	arena_init(&a, ARENA_MAX);
	EXPECT_OK(codec_json_parse(S("{\"b\":[1],\"a\":{}}"), &a, &v, NULL));
	EXPECT_OK(codec_json_emit_pretty(v, &out));
	EXPECT_SLICE(
	    buf_slice(&out), S("{\n  \"b\": [\n    1\n  ],\n  \"a\": {}\n}\n"));
}

TEST(a_float_that_json_cannot_say_is_an_error)
{
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	struct value v = {.type = VALUE_FLOAT, .real = __builtin_inf()};

	EXPECT_ERR(codec_json_emit(&v, &out), ERR_INVALID);
}

TEST(a_full_buffer_is_an_error)
{
	AUTO(buf_fini) struct buf out = BUF(4);
	struct value v = {.type = VALUE_STRING, .string = S("long text")};

	EXPECT_ERR(codec_json_emit(&v, &out), ERR_LIMIT);
}
