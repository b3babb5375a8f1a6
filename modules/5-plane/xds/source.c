/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source — the resources of each type, and the streams that want them.
 */
#include "source.h"

struct source_item {
	struct xds_resource r; /* its text lies behind */
	char text[];
};

static struct slice
append(char **at, struct slice s)
{
	struct slice copy = slice_of(*at, s.len);

	if (s.len > 0)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return copy;
}

static struct source_item *
item_new(struct slice type_url, const struct xds_resource *r)
{
	struct source_item *item =
	    mem_new(sizeof(*item) + r->name.len + r->version.len + r->body.len);
	char *at = item->text;

	item->r.type_url = type_url;
	item->r.name = append(&at, r->name);
	item->r.version = append(&at, r->version);
	item->r.body = append(&at, r->body);
	item->r.owner = r->owner;
	return item;
}

static void
item_drop(void *value)
{
	struct source_item *item = value;

	mem_free(&item);
}

struct xds_source *
xds_source_new(void)
{
	struct xds_source *s = mem_new(sizeof(*s));

	list_init(&s->streams);
	return s;
}

void
xds_source_free(struct xds_source **sp)
{
	struct xds_source *s = TAKE(*sp);

	if (s == NULL)
		return;
	CHECK(list_empty(&s->streams));
	for (size_t i = 0; i < s->type_count; i++) {
		map_fini(&s->types[i].items, item_drop);
		mem_free(&s->types[i].url);
	}
	mem_free(&s);
}

size_t
source_type_find(const struct xds_source *s, struct slice type_url)
{
	size_t i = 0;

	while (i < s->type_count &&
	       !slice_eq(slice_str(s->types[i].url), type_url))
		i++;
	return i;
}

void
xds_source_add_type(struct xds_source *s, struct slice type_url)
{
	if (source_type_find(s, type_url) < s->type_count)
		return;
	CHECK(s->type_count < XDS_TYPES_MAX);
	s->types[s->type_count++].url = mem_strndup(type_url.ptr, type_url.len);
}

const struct xds_resource *
source_item(const struct xds_source *s, size_t type, struct slice name)
{
	const struct source_item *item = map_get(&s->types[type].items, name);

	return item != NULL ? &item->r : NULL;
}

const struct xds_resource *
source_next(const struct xds_source *s, size_t type, size_t *cursor)
{
	struct slice name;
	void *value;

	if (!map_next(&s->types[type].items, cursor, &name, &value))
		return NULL;
	return &((const struct source_item *)value)->r;
}

static void
tell_streams(struct xds_source *s, size_t type, struct slice name)
{
	LIST_EACH (&s->streams, it)
		server_stream_changed(it, type, name);
}

enum err
xds_source_put(struct xds_source *s, const struct xds_resource *r)
{
	size_t type = source_type_find(s, r->type_url);
	struct source_item *item;
	struct source_item *old;

	if (type == s->type_count)
		return ERR_NOT_FOUND;
	if (r->name.len > XDS_NAME_MAX || r->version.len > XDS_VERSION_MAX)
		return ERR_LIMIT;
	CHECK(r->name.len > 0 && r->version.len > 0);
	item = item_new(slice_str(s->types[type].url), r);
	old = map_put(&s->types[type].items, item->r.name, item);
	mem_free(&old);
	tell_streams(s, type, item->r.name);
	return OK;
}

void
xds_source_remove(
    struct xds_source *s, struct slice type_url, struct slice name)
{
	size_t type = source_type_find(s, type_url);
	struct source_item *item;

	if (type == s->type_count)
		return;
	item = map_remove(&s->types[type].items, name);
	if (item == NULL)
		return;
	/* `name` may lie in the item. */
	tell_streams(s, type, name);
	mem_free(&item);
}

const struct xds_resource *
xds_source_get(
    const struct xds_source *s, struct slice type_url, struct slice name)
{
	size_t type = source_type_find(s, type_url);

	return type < s->type_count ? source_item(s, type, name) : NULL;
}

void
xds_source_flush(struct xds_source *s)
{
	LIST_EACH (&s->streams, it)
		server_stream_flush(it);
}
