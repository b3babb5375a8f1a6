/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay — what is stored, as it would be with some documents on top.
 */
#include "overlay.h"

#include "codec/codec.h"

enum { KEYS_BYTES = 64 << 20 };

void
overlay_init(struct overlay *o)
{
	*o = (struct overlay){0};
	map_init(&o->by_key);
	arena_init(&o->arena, KEYS_BYTES);
}

void
overlay_fini(struct overlay *o)
{
	map_fini(&o->by_key, NULL);
	for (size_t i = 0; i < o->count; i++)
		resource_unref(&o->items[i]);
	mem_free(&o->items);
	arena_fini(&o->arena);
}

static enum err
add(struct overlay *o, struct resource *r, struct fault *why)
{
	char text[CACHE_KEY_MAX];
	struct slice key;

	o->items[o->count++] = r;
	if (arena_copy(&o->arena, cache_key_text(&r->key, text), &key) != OK)
		return fault_set(
		    why, ERR_LIMIT, "the names of the documents are too long");
	(void)map_put(&o->by_key, key, r); /* the last one counts */
	return OK;
}

static enum err
decode(struct overlay *o, const struct server *s, const struct value *doc,
    struct slice ns, struct fault *why)
{
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse,
	    .ns = ns,
	    .trust_domain = slice_str(s->mesh.trust_domain)};
	struct resource *r = NULL;
	enum err e = resource_decode(doc, &source, &r, &found);

	if (e != OK && found.errors.count > 0)
		return fault_set(why, e, "%s", found.errors.items[0].text);
	if (e != OK)
		return fault_set(why, e, "a document has mistakes");
	return r != NULL ? add(o, r, why) : OK;
}

enum err
overlay_read(struct overlay *o, const struct server *s,
    const struct value *docs, struct slice ns, struct fault *why)
{
	enum err e = OK;

	if (docs == NULL)
		return OK;
	if (docs->count > SERVER_APPLY_MAX)
		return fault_set(why, ERR_LIMIT,
		    "%zu documents at once; %d is the most", docs->count,
		    SERVER_APPLY_MAX);
	o->items = mem_new_array(MAX(docs->count, 1), sizeof(*o->items));
	VALUE_EACH(docs, it)
	{
		if (e == OK)
			e = decode(o, s, it, ns, why);
	}
	return e;
}

static bool
is_left(const void *arg, const struct resource *r)
{
	const struct overlay *o = arg;
	char text[CACHE_KEY_MAX];

	return map_get(&o->by_key, cache_key_text(&r->key, text)) == NULL;
}

const struct resource **
overlay_all(const struct overlay *o, const struct cache *c, size_t *out_count)
{
	size_t count;
	const struct resource **all = cache_sorted(c, is_left, o, &count);
	struct slice key;
	void *value;

	all = mem_resize(all, count, count + o->by_key.count + 1, sizeof(*all));
	for (size_t i = 0; map_next(&o->by_key, &i, &key, &value);)
		all[count++] = value;
	*out_count = count;
	return all;
}
