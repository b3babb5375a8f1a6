/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta — the delta stream's messages, by value and by byte.
 */
#include "codec/codec.h"
#include "unit.h"

enum { ARENA_MAX = 32 << 20, OUT_MAX = 1 << 20 };

TEST(a_request_comes_back_as_it_went)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	const struct slice names[] = {S("a"), S("b")};
	const struct codec_delta_version versions[] = {{S("a"), S("7")}};
	const struct codec_delta_refusal refusals[] = {
	    {S("b"), S("8"), S("spec.http is empty")}};
	struct codec_delta_request in = {.node_id = S("node-1"),
	    .type_url = S("type.googleapis.com/meshd.v1.Resource"),
	    .subscribe = names,
	    .subscribe_count = 2,
	    .unsubscribe = names,
	    .unsubscribe_count = 1,
	    .initial = versions,
	    .initial_count = 1,
	    .response_nonce = S("n1"),
	    .refused = true,
	    .error_code = 3,
	    .error_message = S("one is wrong"),
	    .refusals = refusals,
	    .refusal_count = 1};
	struct codec_delta_request m = {0};

	arena_init(&a, ARENA_MAX);
	EXPECT_OK(codec_delta_request_encode(&in, &out));
	EXPECT_OK(codec_delta_request_decode(buf_slice(&out), &a, &m));
	EXPECT_SLICE(m.node_id, in.node_id);
	EXPECT_SLICE(m.type_url, in.type_url);
	EXPECT_EQ(m.subscribe_count, 2);
	EXPECT_SLICE(m.subscribe[1], S("b"));
	EXPECT_EQ(m.unsubscribe_count, 1);
	EXPECT_SLICE(m.initial[0].version, S("7"));
	EXPECT_SLICE(m.response_nonce, S("n1"));
	EXPECT_TRUE(m.refused);
	EXPECT_EQ(m.error_code, 3);
	EXPECT_EQ(m.refusal_count, 1);
	EXPECT_SLICE(m.refusals[0].reason, refusals[0].reason);
}

TEST(a_response_comes_back_as_it_went)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	const struct slice gone[] = {S("old")};
	const struct codec_delta_resource resources[] = {
	    {S("x"), S("1"), S("t"), S("{\"a\":1}")},
	    {S("y"), S("2"), S(""), S("")}};
	struct codec_delta_response in = {.system_version = S("42"),
	    .type_url = S("t"),
	    .nonce = S("n"),
	    .resources = resources,
	    .resource_count = 2,
	    .removed = gone,
	    .removed_count = 1};
	struct codec_delta_response m = {0};

	arena_init(&a, ARENA_MAX);
	EXPECT_OK(codec_delta_response_encode(&in, &out));
	EXPECT_OK(codec_delta_response_decode(buf_slice(&out), &a, &m));
	EXPECT_SLICE(m.system_version, S("42"));
	EXPECT_EQ(m.resource_count, 2);
	EXPECT_SLICE(m.resources[0].body, S("{\"a\":1}"));
	EXPECT_EQ(m.resources[1].type_url.len, 0);
	EXPECT_SLICE(m.removed[0], S("old"));
}

/* Numbers and wire types as in envoy.service.discovery.v3. */
TEST(the_bytes_are_those_of_the_protocol)
{
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	const struct slice names[] = {S("r")};
	const struct codec_delta_version versions[] = {{S("k"), S("v")}};
	struct codec_delta_request in = {.node_id = S("n"),
	    .type_url = S("t"),
	    .subscribe = names,
	    .subscribe_count = 1,
	    .unsubscribe = names,
	    .unsubscribe_count = 1,
	    .initial = versions,
	    .initial_count = 1,
	    .response_nonce = S("c"),
	    .refused = true,
	    .error_code = 5};

	EXPECT_OK(codec_delta_request_encode(&in, &out));
	EXPECT_SLICE(
	    buf_slice(&out), S("\x0a\x03\x0a\x01n\x12\x01t\x1a\x01r\x22\x01r"
			       "\x2a\x06\x0a\x01k\x12\x01v\x32\x01"
			       "c\x3a\x02\x08\x05"));
}

TEST(unknown_fields_are_skipped)
{
	AUTO(arena_fini) struct arena a;
	struct codec_delta_response m = {0};

	arena_init(&a, ARENA_MAX);
	EXPECT_OK(codec_delta_response_decode(
	    S("\x22\x01t\x3a\x01z\x80\x01\x07"), &a, &m));
	EXPECT_SLICE(m.type_url, S("t"));
}

TEST(broken_bytes_leave_the_caller_untouched)
{
	AUTO(arena_fini) struct arena a;
	struct codec_delta_request m = {.error_code = 77};

	arena_init(&a, ARENA_MAX);
	EXPECT_ERR(
	    codec_delta_request_decode(S("\x0a\xff"), &a, &m), ERR_PARSE);
	EXPECT_EQ(m.error_code, 77);
}

TEST(a_small_arena_is_an_error_not_a_crash)
{
	AUTO(arena_fini) struct arena a;
	struct codec_delta_request m = {0};

	arena_init(&a, 64);
	EXPECT_TRUE(codec_delta_request_decode(
			S("\x1a\x01r\x1a\x01r\x1a\x01r"), &a, &m) != OK);
}
