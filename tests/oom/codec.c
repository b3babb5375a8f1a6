/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec — parsers and writers that run out of memory say so, and leave their
 * caller's storage alone. (YAML's parser: unit/codec/yaml.)
 */
#include "codec/codec.h"

#include "memory.h"
#include "unit.h"

enum { ARENA_MAX = 1 << 20 };

static const char json[] =
    "{\"a\":[1,2.5,null,true,\"text \\u00e9\"],\"b\":{\"c\":{}}}";

static void
read_json(struct memory_walk *w)
{
	AUTO(arena_fini) struct arena a;
	const struct value *v = NULL;
	struct fault why = {0};
	enum err e;

	arena_init(&a, ARENA_MAX);
	memory_fail(w);
	e = codec_json_parse(slice_str(json), &a, &v, &why);
	memory_heal(w);
	memory_expect(w, e);
	EXPECT_EQ(v != NULL, e == OK);
	EXPECT_EQ(why.text[0] != '\0', e != OK);
}

TEST(json_is_read_or_refused)
{
	memory_walk_all(read_json);
}

static void
write_with(struct memory_walk *w,
    enum err (*emit)(const struct value *v, struct buf *out))
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf out = BUF(ARENA_MAX);
	const struct value *v;
	enum err e;

	arena_init(&a, ARENA_MAX);
	EXPECT_ERR(codec_json_parse(slice_str(json), &a, &v, NULL), OK);
	memory_fail(w);
	e = emit(v, &out);
	memory_heal(w);
	memory_expect(w, e);
}

static void
write_json(struct memory_walk *w)
{
	write_with(w, codec_json_emit);
}

static void
write_pretty(struct memory_walk *w)
{
	write_with(w, codec_json_emit_pretty);
}

static void
write_yaml(struct memory_walk *w)
{
	write_with(w, codec_yaml_emit);
}

TEST(trees_are_written_or_not)
{
	memory_walk_all(write_json);
	memory_walk_all(write_pretty);
	memory_walk_all(write_yaml);
}

static void
read_ini(struct memory_walk *w)
{
	AUTO(arena_fini) struct arena a;
	AUTO(faults_fini) struct faults faults = {0};
	struct codec_ini ini = {0};
	enum err e;

	arena_init(&a, ARENA_MAX);
	memory_fail(w);
	e = codec_ini_parse(S("[agent]\nname = web\nupstream = a=1,\n  b=2\n"),
	    "meshd.conf", &a, &ini, &faults);
	memory_heal(w);
	memory_expect(w, e);
	EXPECT_EQ(faults.count > 0, e != OK);
}

TEST(meshd_conf_is_read_whole_or_refused)
{
	memory_walk_all(read_ini);
}

/* --- the delta stream ----------------------------------------------------- */

static const struct codec_delta_resource resources[] = {
    {S("a"), S("1"), S("t"), S("body")}, {S("b"), S("2"), S("t"), S("")}};
static const struct slice names[] = {S("c"), S("d")};

static const struct codec_delta_response response = {.system_version = S("7"),
    .type_url = S("t"),
    .nonce = S("n"),
    .resources = resources,
    .resource_count = ARRAY_LEN(resources),
    .removed = names,
    .removed_count = ARRAY_LEN(names)};

static void
write_response(struct memory_walk *w)
{
	AUTO(buf_fini) struct buf out = BUF(ARENA_MAX);
	enum err e;

	memory_fail(w);
	e = codec_delta_response_encode(&response, &out);
	memory_heal(w);
	memory_expect(w, e);
}

static void
read_response(struct memory_walk *w)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf bytes = BUF(ARENA_MAX);
	struct codec_delta_response m = {0};
	enum err e;

	arena_init(&a, ARENA_MAX);
	EXPECT_ERR(codec_delta_response_encode(&response, &bytes), OK);
	memory_fail(w);
	e = codec_delta_response_decode(buf_slice(&bytes), &a, &m);
	memory_heal(w);
	memory_expect(w, e);
	EXPECT_EQ(m.resource_count, e == OK ? ARRAY_LEN(resources) : 0);
}

TEST(a_response_of_the_stream_is_written_and_read_or_not)
{
	memory_walk_all(write_response);
	memory_walk_all(read_response);
}

static const struct codec_delta_version held[] = {{S("a"), S("1")}};
static const struct codec_delta_refusal refusals[] = {
    {S("b"), S("2"), S("no such field")}};

static const struct codec_delta_request request = {.node_id = S("n"),
    .type_url = S("t"),
    .subscribe = names,
    .subscribe_count = ARRAY_LEN(names),
    .initial = held,
    .initial_count = ARRAY_LEN(held),
    .response_nonce = S("1"),
    .refused = true,
    .error_code = 3,
    .error_message = S("no"),
    .refusals = refusals,
    .refusal_count = ARRAY_LEN(refusals)};

static void
write_request(struct memory_walk *w)
{
	AUTO(buf_fini) struct buf out = BUF(ARENA_MAX);
	enum err e;

	memory_fail(w);
	e = codec_delta_request_encode(&request, &out);
	memory_heal(w);
	memory_expect(w, e);
}

static void
read_request(struct memory_walk *w)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf bytes = BUF(ARENA_MAX);
	struct codec_delta_request m = {0};
	enum err e;

	arena_init(&a, ARENA_MAX);
	EXPECT_ERR(codec_delta_request_encode(&request, &bytes), OK);
	memory_fail(w);
	e = codec_delta_request_decode(buf_slice(&bytes), &a, &m);
	memory_heal(w);
	memory_expect(w, e);
	EXPECT_EQ(m.subscribe_count, e == OK ? ARRAY_LEN(names) : 0);
}

TEST(a_request_of_the_stream_is_written_and_read_or_not)
{
	memory_walk_all(write_request);
	memory_walk_all(read_request);
}
