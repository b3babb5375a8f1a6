/* SPDX-License-Identifier: Apache-2.0 */
/*
 * properties — what holds of every view, tried with meshes made at random.
 */
#include "random.h"

#include <stdio.h>

#include "codec/codec.h"
#include "unit.h"

enum {
	SEEDS = UNIT_SEEDS(2000),
	RESOURCES = 14,
	TEXT_MAX = 64 << 10,
	ARENA_MAX = 1 << 20
};

struct world {
	struct rng rng;
	struct resource *items[RESOURCES];
	size_t count;
	struct view_input in;
};

static bool
has_key(const struct world *w, const struct resource *r)
{
	for (size_t i = 0; i < w->count; i++)
		if (resource_key_eq(&w->items[i]->key, &r->key))
			return true;
	return false;
}

static void
world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){0};
	rng_init(&w->rng, seed);
	random_place(&w->rng, &w->in);
	random_machine(&w->rng, &w->in);
	while (w->count < RESOURCES) {
		struct resource *r = random_resource(&w->rng);

		if (has_key(w, r))
			resource_unref(&r);
		else
			w->items[w->count++] = r;
	}
}

static void
world_fini(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		resource_unref(&w->items[i]);
}

static void
shuffle(struct world *w)
{
	for (size_t i = w->count - 1; i > 0; i--) {
		size_t j = rng_below(&w->rng, i + 1);
		struct resource *r = w->items[i];

		w->items[i] = w->items[j];
		w->items[j] = r;
	}
}

/* Of the first `count`; `before` may be NULL. */
static struct view *
compile(const struct world *w, size_t count, const struct view *before)
{
	struct view_input in = w->in;
	struct view *v;

	in.resources = (const struct resource *const *)w->items;
	in.resource_count = count;
	in.before = before;
	EXPECT_OK(view_compile(&in, &v, NULL));
	return v;
}

static void
expect_same(const struct view *v, uint64_t fingerprint, uint64_t seed)
{
	EXPECT_TRUE(fingerprint != 0); /* as is what does not fit */
	if (view_fingerprint(v) != fingerprint)
		printf("seed %llu\n", (unsigned long long)seed);
	EXPECT_EQ(view_fingerprint(v), fingerprint);
}

/* What is not made, or is never valid, the others try in vain. */
TEST(resources_of_every_kind_of_a_view_are_made)
{
	static const char *const kinds[] = {"Service", "ServiceEntry",
	    "WorkloadEntry", "VirtualService", "DestinationRule", "Sidecar",
	    "Gateway", "PeerAuthentication", "AuthorizationPolicy",
	    "RequestAuthentication", "MeshConfig", "Telemetry"};
	size_t made[ARRAY_LEN(kinds)] = {0};
	struct rng rng;

	rng_init(&rng, 1);
	for (size_t i = 0; i < SEEDS; i++) {
		struct resource *r = random_resource(&rng);

		for (size_t j = 0; j < ARRAY_LEN(kinds); j++)
			made[j] += slice_eq(r->key.kind, slice_str(kinds[j]));
		resource_unref(&r);
	}
	for (size_t j = 0; j < ARRAY_LEN(kinds); j++)
		EXPECT_TRUE(made[j] > SEEDS / 100);
}

TEST(the_order_of_resources_never_matters)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		AUTO(view_unref) struct view *v = NULL;
		AUTO(view_unref) struct view *again = NULL;
		struct world w;

		world_init(&w, seed);
		v = compile(&w, w.count, NULL);
		shuffle(&w);
		again = compile(&w, w.count, NULL);
		expect_same(again, view_fingerprint(v), seed);
		world_fini(&w);
	}
}

TEST(what_was_added_and_removed_leaves_no_trace)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		AUTO(view_unref) struct view *v = NULL;
		AUTO(view_unref) struct view *more = NULL;
		AUTO(view_unref) struct view *again = NULL;
		struct world w;
		size_t some;

		world_init(&w, seed);
		some = rng_below(&w.rng, w.count);
		v = compile(&w, some, NULL);
		more = compile(&w, w.count, v);
		again = compile(&w, some, more);
		expect_same(again, view_fingerprint(v), seed);
		world_fini(&w);
	}
}

/* What is compiled on top of another view is what is compiled alone. */
TEST(a_view_does_not_depend_on_the_one_before)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		AUTO(view_unref) struct view *before = NULL;
		AUTO(view_unref) struct view *v = NULL;
		AUTO(view_unref) struct view *alone = NULL;
		struct world w;

		world_init(&w, seed);
		before = compile(&w, rng_below(&w.rng, w.count), NULL);
		shuffle(&w);
		v = compile(&w, w.count, before);
		alone = compile(&w, w.count, NULL);
		expect_same(v, view_fingerprint(alone), seed);
		world_fini(&w);
	}
}

/* As a server stores it and an agent is sent it, and read again. */
static struct resource *
read_back(const struct resource *r)
{
	AUTO(arena_fini) struct arena arena;
	AUTO(buf_fini) struct buf text = BUF(TEXT_MAX);
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	const struct value *doc;
	struct resource *again = NULL;

	arena_init(&arena, ARENA_MAX);
	EXPECT_OK(codec_json_emit(
	    resource_encode(r, RESOURCE_WITH_STATE, &arena), &text));
	EXPECT_OK(codec_json_parse(buf_slice(&text), &arena, &doc, NULL));
	EXPECT_OK(resource_decode(doc, &source, &again, &found));
	return again;
}

TEST(what_is_stored_and_read_back_is_the_same_view)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		AUTO(view_unref) struct view *v = NULL;
		AUTO(view_unref) struct view *again = NULL;
		struct world w;

		world_init(&w, seed);
		for (size_t i = 0; i < w.count; i++) {
			w.items[i]->file = S(""); /* what is stored has none */
			w.items[i]->revision = i + 1;
		}
		v = compile(&w, w.count, NULL);
		for (size_t i = 0; i < w.count; i++) {
			struct resource *before = w.items[i];

			w.items[i] = read_back(before);
			resource_unref(&before);
		}
		again = compile(&w, w.count, NULL);
		expect_same(again, view_fingerprint(v), seed);
		world_fini(&w);
	}
}
