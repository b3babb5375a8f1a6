/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source — the resources of each type, and the streams that want them.
 */
#include "source.h"

/* There may be very many, of which few are looked at; the name is the map's. */
struct source_item {
	size_t version_len;
	size_t body_len;
	char text[]; /* the version, the body */
};

static struct source_item *
item_new(const struct xds_resource *r)
{
	struct source_item *item =
	    mem_new(sizeof(*item) + r->version.len + r->body.len);

	item->version_len = r->version.len;
	item->body_len = r->body.len;
	memcpy(item->text, r->version.ptr, r->version.len);
	if (r->body.len > 0)
		memcpy(item->text + r->version.len, r->body.ptr, r->body.len);
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

bool
source_item(const struct xds_source *s, size_t type, struct slice name,
    struct xds_resource *out)
{
	const struct source_item *item = map_get(&s->types[type].items, name);

	if (item == NULL)
		return false;
	*out = (struct xds_resource){.type_url = slice_str(s->types[type].url),
	    .name = name,
	    .version = slice_of(item->text, item->version_len),
	    .body = slice_of(item->text + item->version_len, item->body_len)};
	return true;
}

bool
source_next_name(const struct xds_source *s, size_t type, size_t *cursor,
    struct slice *out_name)
{
	void *value;

	return map_next(&s->types[type].items, cursor, out_name, &value);
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
	item = item_new(r);
	old = map_put(&s->types[type].items, r->name, item);
	mem_free(&old);
	tell_streams(s, type, r->name);
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
	mem_free(&item);
	tell_streams(s, type, name);
}

bool
xds_source_get(const struct xds_source *s, struct slice type_url,
    struct slice name, struct xds_resource *out)
{
	size_t type = source_type_find(s, type_url);

	return type < s->type_count && source_item(s, type, name, out);
}

void
xds_source_flush(struct xds_source *s)
{
	LIST_EACH (&s->streams, it)
		server_stream_flush(it);
}
