/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — what the mesh as a whole was told.
 */
#include "../kinds/mesh_config.h"
#include "inside.h"

static int
by_kind(const struct resource *r, const struct resource_kind *kind)
{
	int n = slice_cmp(r->key.group, slice_str(kind->group));

	return n != 0 ? n : slice_cmp(r->key.kind, slice_str(kind->kind));
}

/* How many come before it. */
static size_t
place_of(const struct rows *all, const struct resource_kind *kind,
    struct slice ns, struct slice name)
{
	size_t low = 0, high = all->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct resource *r = all->items[mid];
		int n = by_kind(r, kind);

		if (n == 0)
			n = slice_cmp(r->key.ns, ns);
		if (n == 0)
			n = slice_cmp(r->key.name, name);
		if (n < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t
first_resource(
    const struct view *v, const struct resource_kind *kind, struct slice ns)
{
	return place_of(&v->resources, kind, ns, S(""));
}

const struct resource *
find_resource(const struct view *v, const struct resource_kind *kind,
    struct slice ns, struct slice name)
{
	size_t at = place_of(&v->resources, kind, ns, name);
	const struct resource *r =
	    at < v->resources.count ? v->resources.items[at] : NULL;

	return r != NULL && r->kind == kind && slice_eq(r->key.ns, ns) &&
		       slice_eq(r->key.name, name)
		   ? r
		   : NULL;
}

const struct mesh_config *
find_mesh(const struct rows *resources, struct arena *arena)
{
	size_t i = place_of(resources, &kind_mesh_config, S(""), S(""));
	const struct resource *r =
	    i < resources->count ? resources->items[i] : NULL;
	const struct value *nothing;
	struct findings found = {0};
	const struct mesh_config *m = NULL;

	if (r != NULL && r->kind == &kind_mesh_config)
		return r->spec;
	nothing = value_new(arena, VALUE_MAP);
	if (nothing != NULL)
		m = message_decode(
		    &mesh_config_message, nothing, NULL, "spec", arena, &found);
	findings_fini(&found);
	return m;
}

struct view_log
view_access_log(const struct view *v)
{
	return (struct view_log){.format = v->mesh->access_log_format,
	    .json = v->mesh->access_log_encoding == LOG_ENCODING_JSON};
}
