/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths — the one spelling of a path that rules are asked about.
 */
#include "compiled.h"
#include "documents.h"
#include "unit.h"

struct pair {
	const char *came;
	const char *is;
};

static void
compile(struct compiled *c, const char *how)
{
	AUTO(buf_fini) struct buf yaml = BUF(1024);

	EXPECT_OK(buf_printf(&yaml,
	    MESH("pathNormalization: {normalization: %s}") "%c", how, 0));
	compiled_init(c, buf_slice(&yaml).ptr);
}

static void
expect_paths(const char *how, const struct pair *pairs, size_t count)
{
	AUTO(compiled_fini) struct compiled c;

	compile(&c, how);
	for (size_t i = 0; i < count; i++) {
		struct slice out;

		EXPECT_OK(view_normalize_path(
		    c.v, slice_str(pairs[i].came), &c.arena, &out));
		EXPECT_SLICE(out, slice_str(pairs[i].is));
		/* A second time there is nothing to do. */
		EXPECT_OK(view_normalize_path(c.v, out, &c.arena, &out));
		EXPECT_SLICE(out, slice_str(pairs[i].is));
	}
}

TEST(a_path_may_stay_as_it_came_but_for_its_fragment)
{
	static const struct pair pairs[] = {{"/", "/"}, {"/app#foo", "/app"},
	    {"/app/../admin", "/app/../admin"},
	    {"/app/%2E./x?q=%41#f", "/app/%2E./x?q=%41"}, {"/a\\b", "/a\\b"},
	    {"/app//", "/app//"}, {"/%00", "/%00"}};

	expect_paths("NONE", pairs, ARRAY_LEN(pairs));
}

TEST(dot_segments_go_and_unreserved_escapes_are_undone)
{
	static const struct pair pairs[] = {{"/app/../admin", "/admin"},
	    {"/xyz%30..//abc", "/xyz0..//abc"}, {"/app/%2E./admin", "/admin"},
	    {"/app\\admin", "/app/admin"}, {"/app/%2f", "/app/%2f"},
	    {"/app/\\/\\/\\admin", "/app//////admin"},
	    {"/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc",
		"/%5Capp%2f%5c%2F..%2fadmin%5c/abc"},
	    {"/app//../admin", "/app/admin"}, {"/app//../../admin", "/admin"},
	    {"/a/.", "/a/"}, {"/a/..", "/"}, {"/..", "/"}, {"/a/b/../..", "/"},
	    {"/...", "/..."}, {"/a%", "/a%"}, {"/a%zz", "/a%zz"}, {"*", "*"},
	    {"/x?y=/../z", "/x?y=/../z"}, {"/./x#/../y?z", "/x"}};

	expect_paths("BASE", pairs, ARRAY_LEN(pairs));
	expect_paths("DEFAULT", pairs, ARRAY_LEN(pairs));
}

TEST(what_no_path_may_have_is_escaped)
{
	static const struct pair pairs[] = {
	    {"/a b\"<>`{|}^", "/a%20b%22%3C%3E%60%7B%7C%7D%5E"},
	    {"/\x01\x7f\xc3\xa4", "/%01%7F%C3%A4"}, {"/[a]", "/[a]"},
	    {"/{x?{", "/%7Bx?{"}};

	expect_paths("BASE", pairs, ARRAY_LEN(pairs));
}

/* An escape that came about only here would be undone by the next who reads
 * it: what was judged would not be what is served. */
TEST(no_new_escape_comes_about)
{
	static const struct pair pairs[] = {{"/%%32e%%32e/x", "/%252e%252e/x"},
	    {"/%%32%65", "/%252e"}, {"/%2%45", "/%252E"}, {"/%%300", "/%2500"},
	    {"/%%61z", "/%az"}, {"/%%61", "/%a"}};

	expect_paths("BASE", pairs, ARRAY_LEN(pairs));
}

TEST(runs_of_slashes_become_one)
{
	static const struct pair pairs[] = {{"/app//", "/app/"},
	    {"/app/%2f", "/app/%2f"}, {"/xyz%30..//abc", "/xyz0../abc"},
	    {"/app/\\/\\/\\admin", "/app/admin"}, {"//", "/"},
	    {"/a//b?c=//d", "/a/b?c=//d"}};

	expect_paths("MERGE_SLASHES", pairs, ARRAY_LEN(pairs));
}

TEST(escaped_slashes_are_slashes)
{
	static const struct pair pairs[] = {{"/app/%2f", "/app/"},
	    {"/%2Fapp%5cadmin%5Cabc", "/app/admin/abc"},
	    {"/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc", "/app/admin/abc"},
	    {"/%c0%2fadmin", "/%c0/admin"}, {"/%252e%252e/x", "/%252e%252e/x"}};

	expect_paths("DECODE_AND_MERGE_SLASHES", pairs, ARRAY_LEN(pairs));
}

TEST(a_zero_is_in_no_path)
{
	AUTO(compiled_fini) struct compiled c;
	struct slice out = S("before");

	compile(&c, "BASE");
	EXPECT_ERR(
	    view_normalize_path(c.v, S("/a%00b"), &c.arena, &out), ERR_INVALID);
	EXPECT_SLICE(out, S("before"));
	EXPECT_OK(view_normalize_path(c.v, S("/a?%00"), &c.arena, &out));
	EXPECT_SLICE(out, S("/a?%00"));
}

TEST(a_path_with_nothing_to_change_costs_no_memory)
{
	AUTO(compiled_fini) struct compiled c;
	AUTO(arena_fini) struct arena none;
	struct slice path = S("/api/v1.2/users/x~y?a=/../b"), out;

	compile(&c, "MERGE_SLASHES");
	arena_init(&none, 1);
	EXPECT_OK(view_normalize_path(c.v, path, &none, &out));
	EXPECT_TRUE(out.ptr == path.ptr && out.len == path.len);
	EXPECT_ERR(
	    view_normalize_path(c.v, S("/a/../b"), &none, &out), ERR_LIMIT);
}

TEST(explain_asks_about_the_one_spelling)
{
	AUTO(compiled_fini) struct compiled c;
	struct explain_request r = {
	    .host = S("web.shop"), .path = S("/x/../api?q")};
	const struct value *told;

	compiled_init(
	    &c, SERVICE("web", HTTP80) ROUTE("r",
		    "hosts: [web], http: [{name: api, match: [{uri: {exact: "
		    "/api}}], directResponse: {status: 418}}]"));
	told = model_explain(c.v, &r, &c.arena);
	EXPECT_SLICE(value_get(told, S("routeMatched"))->string, S("api"));
	EXPECT_SLICE(
	    value_get_path(told, S("request.path"))->string, S("/api?q"));
	r.path = S("/%00");
	told = model_explain(c.v, &r, &c.arena);
	EXPECT_EQ(value_get_path(told, S("outcome.status"))->integer, 400);
}
