/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay — what is stored, as it would be with some documents on top, or
 * without some of it.
 */
#include "overlay.h"

#include "codec/codec.h"

enum { DOCUMENT_BYTES = 64 << 20 };

void
overlay_init(struct overlay *o)
{
	map_init(&o->by_key);
}

static void
drop(void *value)
{
	struct overlaid *it = value;

	if (it != NULL)
		resource_unref(&it->now);
	mem_free(&it);
}

void
overlay_fini(struct overlay *o)
{
	map_fini(&o->by_key, drop);
}

void
overlay_put(struct overlay *o, const struct server *s,
    const struct resource_key *key, struct resource *r)
{
	const struct resource *old = cache_find(&s->cache, key);
	struct overlaid *it = mem_new(sizeof(*it));
	char text[CACHE_KEY_MAX];

	it->now = r;
	if (r != NULL)
		r->created_ms =
		    old != NULL ? old->created_ms : server_now_ms(s);
	if (r != NULL || old != NULL)
		it->kind = r != NULL ? r->kind : old->kind;
	drop(map_put(&o->by_key, cache_key_text(key, text), it));
}

static enum err
decode(struct overlay *o, const struct server *s, const struct value *doc,
    const char *file, struct slice ns, struct fault *why)
{
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse,
	    .file = file,
	    .ns = ns,
	    .trust_domain = slice_str(s->mesh.trust_domain)};
	struct resource *r = NULL;
	enum err e = resource_decode(doc, &source, &r, &found);

	if (e != OK && found.errors.count > 0)
		return fault_set(why, e, "%s", found.errors.items[0].text);
	if (e != OK)
		return fault_set(why, e, "a document has mistakes");
	if (r != NULL)
		overlay_put(o, s, &r->key, r);
	return OK;
}

/* With the lines of the file that it is written in. */
static enum err
decode_of_file(struct overlay *o, const struct server *s,
    const struct value *doc, const struct value *place, struct slice ns,
    struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct value *lines = value_get(place, S("lines"));
	struct value *copy;
	struct slice file;

	arena_init(&arena, DOCUMENT_BYTES);
	copy = value_copy(doc, &arena);
	if (copy == NULL ||
	    arena_copy(
		&arena, value_get_string(place, S("file"), S("")), &file) != OK)
		return fault_set(why, ERR_LIMIT, "a document is too large");
	if (lines != NULL && lines->type == VALUE_LIST)
		value_set_lines(copy, lines);
	return decode(o, s, copy, file.ptr, ns, why);
}

enum err
overlay_read(struct overlay *o, const struct server *s,
    const struct explain_documents *docs, struct slice ns, struct fault *why)
{
	const struct value *place =
	    docs != NULL && docs->places != NULL ? docs->places->child : NULL;
	enum err e = OK;

	if (docs == NULL || docs->list == NULL)
		return OK;
	if (docs->list->count > SERVER_APPLY_MAX)
		return fault_set(why, ERR_LIMIT,
		    "%zu documents at once; %d is the most", docs->list->count,
		    SERVER_APPLY_MAX);
	VALUE_EACH(docs->list, it)
	{
		if (e == OK && place != NULL)
			e = decode_of_file(o, s, it, place, ns, why);
		else if (e == OK)
			e = decode(o, s, it, /* file */ NULL, ns, why);
		place = place != NULL ? place->next : NULL;
	}
	return e;
}

const struct resource **
overlay_all(const struct overlay *o, const struct cache *c, size_t *out_count)
{
	size_t count, n = 0;
	const struct resource **all = cache_sorted(c, NULL, NULL, &count);
	char text[CACHE_KEY_MAX];
	struct slice key;
	void *value;

	all = mem_resize(all, count, count + o->by_key.count + 1, sizeof(*all));
	for (size_t i = 0; i < count; i++) {
		const struct overlaid *it =
		    map_get(&o->by_key, cache_key_text(&all[i]->key, text));

		if (it == NULL)
			all[n++] = all[i];
		else if (it->now != NULL)
			all[n++] = it->now;
	}
	for (size_t i = 0; map_next(&o->by_key, &i, &key, &value);) {
		const struct overlaid *it = value;

		if (it->now != NULL && map_get(&c->by_key, key) == NULL)
			all[n++] = it->now;
	}
	*out_count = n;
	return all;
}
