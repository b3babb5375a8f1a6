/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache — the stored resources, decoded and at hand.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"
#include "store/store.h"

#include "cache.h"
#include "secrets.h"

#include <stdio.h>
#include <stdlib.h>

enum { DECODE_BYTES = 16 * LIMIT_RESOURCE_BYTES };

void
cache_init(struct cache *c)
{
	*c = (struct cache){0};
	map_init(&c->by_key);
	map_init(&c->bad);
	map_init(&c->sealed);
	inert_init(&c->inert);
}

static void
drop_resource(void *value)
{
	struct resource *r = value;

	resource_unref(&r);
}

static void
drop_text(void *value)
{
	mem_free(&value);
}

void
cache_fini(struct cache *c)
{
	map_fini(&c->sealed, drop_text);
	map_fini(&c->by_key, drop_resource);
	map_fini(&c->bad, NULL);
	inert_fini(&c->inert);
}

struct slice
cache_key_text(const struct resource_key *k, char out[CACHE_KEY_MAX])
{
	int n = snprintf(out, CACHE_KEY_MAX, "%.*s/%.*s/%.*s/%.*s",
	    SLICE_ARG(k->group), SLICE_ARG(k->kind), SLICE_ARG(k->ns),
	    SLICE_ARG(k->name));

	/* Whoever asks may name what no resource can be called. */
	return n > 0 && n < CACHE_KEY_MAX ? slice_of(out, (size_t)n) : S("");
}

static enum err
decode(const struct cache *c, const struct store_row *row,
    struct resource **out, struct findings *found, struct fault *why)
{
	AUTO(arena_fini) struct arena arena;
	AUTO(secret_fini) struct secret opened = {0};
	struct slice body;
	struct resource_source source = {.parse_json = codec_json_parse,
	    .trust_domain = slice_str(c->trust_domain),
	    .revision = row->revision,
	    .created_ms = row->created_ms};
	const struct value *doc;
	enum err e;

	arena_init(&arena, DECODE_BYTES);
	arena.secret = secrets_are_in(&row->resource);
	e = secrets_body(c->store, &row->resource, &opened, &body, why);
	if (e == OK)
		e = codec_json_parse(body, &arena, &doc, why);
	if (e != OK)
		return e;
	e = resource_decode(doc, &source, out, found);
	if (e != OK && found->errors.count > 0 && why != NULL)
		*why = found->errors.items[0];
	if (e == OK && *out == NULL)
		return ERR_UNSUPPORTED;
	return e;
}

static void
set(struct cache *c, struct slice key, struct resource *r)
{
	struct resource *old = r == NULL ? map_remove(&c->by_key, key)
					 : map_put(&c->by_key, key, r);

	if (c->changed != NULL)
		c->changed(c->changed_arg, old, r);
	resource_unref(&old);
}

static char *
copy_text(struct slice s)
{
	char *copy = mem_new(s.len + 1);

	memcpy(copy, s.ptr, s.len);
	return copy;
}

static void
keep_sealed(struct cache *c, struct slice key, const struct store_row *row)
{
	bool keeps = !row->deleted && secrets_are_in(&row->resource);

	drop_text(keeps
		      ? map_put(&c->sealed, key, copy_text(row->resource.body))
		      : map_remove(&c->sealed, key));
}

static void
take_row(struct cache *c, const struct store_row *row)
{
	struct resource_key key = {row->resource.group, row->resource.kind,
	    row->resource.ns, row->resource.name};
	AUTO(findings_fini) struct findings found = {0};
	char text[CACHE_KEY_MAX];
	struct slice k = cache_key_text(&key, text);
	struct resource *r = NULL;
	struct fault why = {0};

	keep_sealed(c, k, row);
	(void)map_remove(&c->bad, k); /* only the mark */
	inert_put(&c->inert, k, NULL);
	if (row->deleted) {
		set(c, k, NULL);
		return;
	}
	if (decode(c, row, &r, &found, &why) == OK) {
		inert_put(&c->inert, k, &found);
		set(c, k, r);
		return;
	}
	log_warn("stored resource is not understood", "key=%.*s why=\"%s\"",
	    SLICE_ARG(k), why.text);
	(void)map_put(&c->bad, k, c); /* only the mark */
	set(c, k, NULL);
}

void
cache_take(struct cache *c, const struct store_changes *changes)
{
	if (changes->err != OK)
		return;
	if (changes->reset) {
		struct cache was = *c;

		cache_fini(c);
		cache_init(c);
		c->store = was.store;
		c->trust_domain = was.trust_domain;
		c->changed = was.changed;
		c->changed_arg = was.changed_arg;
	}
	for (size_t i = 0; i < changes->count; i++)
		if (changes->rows[i].table == STORE_RESOURCES)
			take_row(c, &changes->rows[i]);
	if (changes->revision > 0)
		c->revision = changes->revision;
	c->current = c->current || changes->current;
}

const struct resource *
cache_find(const struct cache *c, const struct resource_key *key)
{
	char text[CACHE_KEY_MAX];

	return map_get(&c->by_key, cache_key_text(key, text));
}

struct slice
cache_sealed(const struct cache *c, const struct resource_key *key)
{
	char text[CACHE_KEY_MAX];
	const char *body = map_get(&c->sealed, cache_key_text(key, text));

	return body != NULL ? slice_str(body) : SLICE_NONE;
}

bool
cache_has(const struct cache *c, const struct resource_key *key)
{
	char text[CACHE_KEY_MAX];

	return cache_find(c, key) != NULL ||
	       map_get(&c->bad, cache_key_text(key, text)) != NULL;
}

static int
by_key(const void *a, const void *b)
{
	const struct resource *const *x = a;
	const struct resource *const *y = b;

	return resource_key_cmp(&(*x)->key, &(*y)->key);
}

const struct resource **
cache_sorted(const struct cache *c,
    bool (*keep)(const void *arg, const struct resource *r), const void *arg,
    size_t *out_count)
{
	const struct resource **all =
	    mem_new_array(MAX(c->by_key.count, 1), sizeof(*all));
	struct slice key;
	void *value;
	size_t n = 0;

	for (size_t i = 0; map_next(&c->by_key, &i, &key, &value);)
		if (keep == NULL || keep(arg, value))
			all[n++] = value;
	qsort(all, n, sizeof(*all), by_key);
	*out_count = n;
	return all;
}
