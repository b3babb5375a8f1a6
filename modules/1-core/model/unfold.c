/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unfold — one document of a file, as the documents that it means.
 *
 * Upstream has what holds for the whole mesh in plain documents, without
 * apiVersion and kind: here they become resources. What is made borrows from
 * what was read and has its lines.
 */
#include <stdio.h>

#include "layout.h"
#include "resource.h"

struct unfolding {
	struct arena *arena;
	resource_unfold_cb cb;
	void *arg;
};

static bool
has(const struct value *doc, struct slice member)
{
	return value_get(doc, member) != NULL;
}

/* --- making a document ---------------------------------------------------- */

static struct value *
text_at(const struct value *place, struct slice text, struct arena *a)
{
	struct value *v = value_new_string(a, text);

	if (v != NULL) {
		v->line = place->line;
		v->column = place->column;
	}
	return v;
}

static struct value *
map_at(const struct value *place, struct arena *a)
{
	struct value *v = value_new(a, VALUE_MAP);

	if (v != NULL) {
		v->line = place->line;
		v->column = place->column;
	}
	return v;
}

static enum err
make(const struct unfolding *u, const struct resource_kind *kind,
    struct slice name, const struct value *spec, const char *place)
{
	struct arena *a = u->arena;
	struct slice version =
	    arena_printf(a, "%s/%s", kind->group, kind->versions[0]);
	struct value *doc = map_at(spec, a), *metadata = map_at(spec, a);

	value_put(&metadata, S("name"), text_at(spec, name, a));
	value_put(&doc, S("apiVersion"), text_at(spec, version, a));
	value_put(&doc, S("kind"), text_at(spec, slice_str(kind->kind), a));
	value_put(&doc, S("metadata"), metadata);
	value_put(&doc, S("spec"), value_share(spec, a));
	if (version.ptr == NULL || doc == NULL || place == NULL)
		return ERR_LIMIT;
	return u->cb(u->arg, doc, place);
}

/* --- upstream's plain documents ------------------------------------------- */

static enum err
unfold_network(const struct unfolding *u, const struct value *network)
{
	struct slice place = arena_printf(
	    u->arena, "networks[\"%.*s\"]", SLICE_ARG(network->key));

	return make(u, &kind_network, network->key, network, place.ptr);
}

static enum err
unfold_networks(const struct unfolding *u, const struct value *networks)
{
	enum err e = OK;

	if (networks->type == VALUE_NULL)
		return OK;
	if (networks->type != VALUE_MAP) /* for the words about it */
		return make(
		    u, &kind_network, S("default"), networks, "networks");
	for (const struct value *it = networks->child; it != NULL && e == OK;
	     it = it->next)
		e = unfold_network(u, it);
	return e;
}

static bool
is_mesh_config(const struct value *doc)
{
	VALUE_EACH(doc, it)
	if (field_find(&mesh_config_message, it->key) != NULL)
		return true;
	return false;
}

static bool
is_plain(const struct value *doc)
{
	return doc->type == VALUE_MAP && !has(doc, S("apiVersion")) &&
	       !has(doc, S("kind"));
}

/* --- lists ---------------------------------------------------------------- */

static const struct value *
items_of(const struct value *doc)
{
	const struct value *items = value_get(doc, S("items"));

	if (!slice_ends(value_get_string(doc, S("kind"), S("")), S("List")) ||
	    items == NULL || items->type != VALUE_LIST)
		return NULL;
	return items;
}

enum err
resource_unfold(const struct value *doc, struct arena *arena,
    resource_unfold_cb cb, void *arg)
{
	const struct unfolding u = {arena, cb, arg};
	const struct value *items = items_of(doc);
	enum err e = OK;

	if (items != NULL) {
		for (const struct value *it = items->child;
		     it != NULL && e == OK; it = it->next)
			e = cb(arg, it, NULL);
		return e;
	}
	if (is_plain(doc) && doc->count == 0)
		return OK;
	if (is_plain(doc) && doc->count == 1 && has(doc, S("networks")))
		return unfold_networks(&u, doc->child);
	if (is_plain(doc) && is_mesh_config(doc))
		return make(&u, &kind_mesh_config, S("default"), doc, "");
	return cb(arg, doc, NULL);
}
