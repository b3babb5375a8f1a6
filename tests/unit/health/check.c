/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check — checks in one line: what they mean, and what is none.
 */
#include "scene.h"

#include "codec/codec.h"
#include "unit.h"

static void
expect(const char *line, const char *json)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(buf_fini) struct buf text = BUF(64 << 10);
	AUTO(resource_unref) struct resource *r = NULL;
	char again[HEALTH_REASON_MAX];
	struct fault why = {0};
	struct value *map;

	arena_init(&arena, 1 << 20);
	EXPECT_OK(health_check_parse(slice_str(line), &arena, &map, &why));
	EXPECT_OK(codec_json_emit(map, &text));
	EXPECT_SLICE(buf_slice(&text), slice_str(json));
	EXPECT_OK(buf_add_byte(&text, 0));
	r = policy(buf_slice(&text).ptr);
	EXPECT_SLICE(health_check_text(r->spec, again), slice_str(line));
}

TEST(each_way_can_be_said_in_a_line_and_is_shown_as_the_same)
{
	expect("http", "{\"http\":{}}");
	expect("http:8080", "{\"http\":{\"port\":8080}}");
	expect("https", "{\"http\":{\"scheme\":\"HTTPS\"}}");
	expect("https:8443/x",
	    "{\"http\":{\"path\":\"/x\",\"port\":8443,\"scheme\":\"HTTPS\"}}");
	expect("http/healthz?a=b", "{\"http\":{\"path\":\"/healthz?a=b\"}}");
	expect("http:81/a/b:c", "{\"http\":{\"path\":\"/a/b:c\",\"port\":81}}");
	expect("tcp", "{\"tcp\":{}}");
	expect("tcp:5432", "{\"tcp\":{\"port\":5432}}");
	expect("grpc", "{\"grpc\":{}}");
	expect("grpc/shop.v1.Orders",
	    "{\"grpc\":{\"service\":\"shop.v1.Orders\"}}");
	expect("grpc:9/a", "{\"grpc\":{\"port\":9,\"service\":\"a\"}}");
	expect("exec:/bin/true", "{\"exec\":{\"command\":[\"/bin/true\"]}}");
	expect("exec:a -b c", "{\"exec\":{\"command\":[\"a\",\"-b\",\"c\"]}}");
}

TEST(blanks_around_the_words_of_a_command_are_none_of_them)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct value *map;
	const struct value *words;

	arena_init(&arena, 1 << 20);
	EXPECT_OK(health_check_parse(
	    S("exec:  pg_isready   -q "), &arena, &map, NULL));
	words = value_get_path(map, S("exec.command"));
	EXPECT_EQ(words->count, 2);
	EXPECT_SLICE(words->child->string, S("pg_isready"));
}

TEST(what_is_no_check_says_what_would_be_one)
{
	static const struct {
		const char *line;
		const char *words;
	} wrong[] = {
	    {"", "http[:PORT][/PATH]"},
	    {"htp", "is none of"},
	    {"http8080", "is none of"},
	    {"http:", "is none of"},
	    {"http:x", "no port"},
	    {"http:0/", "no port"},
	    {"http:65536", "no port"},
	    {"tcp/path", "is none of"},
	    {"tcp:1:2", "no port"},
	    {"exec", "is none of"},
	    {"exec:", "say which command"},
	    {"exec:   ", "say which command"},
	    {"http/\xff", "text"},
	    {"exec:a\tb", "text"},
	    {"exec:a\nb", "text"},
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		AUTO(arena_fini) struct arena arena = {0};
		struct fault why = {0};
		struct value *map = NULL;

		arena_init(&arena, 1 << 20);
		EXPECT_ERR(health_check_parse(
			       slice_str(wrong[i].line), &arena, &map, &why),
		    ERR_INVALID);
		EXPECT_TRUE(map == NULL);
		EXPECT_TRUE(strstr(why.text, wrong[i].words) != NULL);
	}
}

TEST(a_line_and_its_words_have_a_bound)
{
	static char line[HEALTH_CHECK_MAX + 2] = "exec:";
	AUTO(arena_fini) struct arena arena = {0};
	struct value *map = NULL;

	arena_init(&arena, 1 << 20);
	memset(line + 5, 'a', sizeof(line) - 6);
	EXPECT_ERR(health_check_parse(slice_str(line), &arena, &map, NULL),
	    ERR_INVALID);
	line[HEALTH_CHECK_MAX] = '\0';
	EXPECT_OK(health_check_parse(slice_str(line), &arena, &map, NULL));
	for (size_t i = 6; i < HEALTH_CHECK_MAX; i += 2)
		line[i] = ' ';
	EXPECT_ERR(health_check_parse(slice_str(line), &arena, &map, NULL),
	    ERR_INVALID);
}
