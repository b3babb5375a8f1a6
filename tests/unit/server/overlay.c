/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay — what is stored, with some of it changed: places and ages.
 */
#include <stdio.h>

#include "codec/codec.h"
#include "overlay.h"
#include "unit.h"

enum { STORED = 3, FIRST_MS = 1000, NOW_MS = 9000 };

/* A server that has "a", "b" and "c" in its cache, each older than the next. */
struct rig {
	struct clock_fake time;
	struct clock clock;
	struct server server;
	struct overlay overlay;
};

static struct resource *
service(const char *name)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(findings_fini) struct findings found = {0};
	const struct resource_source source = {.ns = S("default")};
	const struct value *doc;
	struct resource *r = NULL;
	struct slice text;

	arena_init(&arena, 1 << 16);
	text = arena_printf(&arena,
	    "{\"apiVersion\": \"v1\", \"kind\": \"Service\", "
	    "\"metadata\": {\"name\": \"%s\"}, "
	    "\"spec\": {\"ports\": [{\"port\": 80}]}}",
	    name);
	EXPECT_OK(codec_json_parse(text, &arena, &doc, NULL));
	EXPECT_OK(resource_decode(doc, &source, &r, &found));
	EXPECT_TRUE(r != NULL);
	return r;
}

static void
rig_init(struct rig *t)
{
	static const char *const names[STORED] = {"a", "b", "c"};
	char text[CACHE_KEY_MAX];

	memset(t, 0, sizeof(*t));
	t->time.wall_ms = NOW_MS;
	t->clock = clock_fake_as_clock(&t->time);
	t->server.magic = SERVER_MAGIC;
	t->server.spec.clock = &t->clock;
	cache_init(&t->server.cache);
	overlay_init(&t->overlay);
	for (size_t i = 0; i < STORED; i++) {
		struct resource *r = service(names[i]);

		r->created_ms = FIRST_MS + (int64_t)i;
		(void)map_put(&t->server.cache.by_key,
		    cache_key_text(&r->key, text), r); /* was not there */
	}
}

static void
drop(void *value)
{
	struct resource *r = value;

	resource_unref(&r);
}

static void
rig_fini(struct rig *t)
{
	overlay_fini(&t->overlay);
	map_fini(&t->server.cache.by_key, drop);
	map_init(&t->server.cache.by_key);
	cache_fini(&t->server.cache);
}

static void
put(struct rig *t, const char *name)
{
	struct resource *r = service(name);

	overlay_put(&t->overlay, &t->server, &r->key, r);
}

static void
take_away(struct rig *t, const char *name)
{
	struct resource *r = service(name);

	overlay_put(&t->overlay, &t->server, &r->key, NULL);
	resource_unref(&r);
}

/* "a:1000 …", and an asterisk at what is the stored one itself. */
static void
expect_all(const struct rig *t, const char *wanted)
{
	size_t count;
	const struct resource **all =
	    overlay_all(&t->overlay, &t->server.cache, &count);
	AUTO(buf_fini) struct buf text = BUF(256);

	for (size_t i = 0; i < count; i++)
		EXPECT_OK(buf_printf(&text, "%s%.*s:%lld%s", i > 0 ? " " : "",
		    SLICE_ARG(all[i]->key.name), (long long)all[i]->created_ms,
		    all[i] == cache_find(&t->server.cache, &all[i]->key) ? "*"
									 : ""));
	EXPECT_SLICE(buf_slice(&text), slice_str(wanted));
	mem_free(&all);
}

TEST(without_anything_on_top_it_is_what_is_stored)
{
	struct rig t;

	rig_init(&t);
	expect_all(&t, "a:1000* b:1001* c:1002*");
	rig_fini(&t);
}

TEST(what_is_replaced_keeps_its_place_and_its_age)
{
	struct rig t;

	rig_init(&t);
	put(&t, "b");
	expect_all(&t, "a:1000* b:1001 c:1002*");
	rig_fini(&t);
}

TEST(what_is_new_comes_last_and_is_of_now)
{
	struct rig t;

	rig_init(&t);
	put(&t, "aa");
	expect_all(&t, "a:1000* b:1001* c:1002* aa:9000");
	rig_fini(&t);
}

TEST(what_is_gone_is_left_out_unless_it_comes_again)
{
	struct rig t;

	rig_init(&t);
	put(&t, "a");
	take_away(&t, "a");
	take_away(&t, "c");
	take_away(&t, "none");
	expect_all(&t, "b:1001*");
	put(&t, "c");
	expect_all(&t, "b:1001* c:1002");
	rig_fini(&t);
}

TEST(kinds_of_what_changes_are_known)
{
	char text[CACHE_KEY_MAX];
	const struct overlaid *it;
	struct resource *r = service("a");
	struct rig t;

	rig_init(&t);
	take_away(&t, "a");
	take_away(&t, "none");
	it = map_get(&t.overlay.by_key, cache_key_text(&r->key, text));
	EXPECT_TRUE(it->now == NULL && it->kind == &kind_service);
	resource_unref(&r);
	r = service("none");
	it = map_get(&t.overlay.by_key, cache_key_text(&r->key, text));
	EXPECT_TRUE(it->now == NULL && it->kind == NULL);
	resource_unref(&r);
	rig_fini(&t);
}
