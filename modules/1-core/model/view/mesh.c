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

size_t
first_resource(
    const struct view *v, const struct resource_kind *kind, struct slice ns)
{
	size_t low = 0, high = v->resources.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct resource *r = v->resources.items[mid];
		int n = by_kind(r, kind);

		if (n == 0)
			n = slice_cmp(r->key.ns, ns);
		if (n < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct mesh_config *
find_mesh(struct view *v)
{
	size_t i = first_resource(v, &kind_mesh_config, S(""));
	const struct resource *r =
	    i < v->resources.count ? v->resources.items[i] : NULL;
	const struct value *nothing;
	struct findings found = {0};
	const struct mesh_config *m = NULL;

	if (r != NULL && r->kind == &kind_mesh_config)
		return r->spec;
	nothing = value_new(&v->arena, VALUE_MAP);
	if (nothing != NULL)
		m = message_decode(&mesh_config_message, nothing, NULL, "spec",
		    &v->arena, &found);
	findings_fini(&found);
	return m;
}
