/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump — which policies hold for a workload, as a tree.
 */
#include "../view/tree.h"
#include "parts.h"

/* Each rule by its origin; those of connections are the same. */
static struct value *
stage(struct tree *t, const struct access_set *s)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < s->count; i++)
		tree_add_text(t, list, tree_origin(t, &s->rules[i]->origin));
	return list;
}

struct value *
tree_access(struct tree *t, const struct view_access *a)
{
	struct value *map = tree_map(t);

	if (a == NULL)
		return map;
	if (a->provider != NULL) {
		tree_put_text(t, map, "provider", a->provider->name);
		tree_put_text(t, map, "problem", a->provider->bad);
	}
	for (int s = 0; s < ACCESS_STAGES; s++)
		tree_put(t, map, access_stage_name(s), stage(t, &a->http[s]));
	return map;
}

struct value *
tree_authn(struct tree *t, const struct view_authn *a)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; a != NULL && i < a->count; i++) {
		struct value *map = tree_map(t);

		tree_put_text(t, map, "issuer", a->rules[i].issuer);
		tree_put_text(
		    t, map, "origin", tree_origin(t, &a->rules[i].origin));
		tree_add(t, list, map);
	}
	return list;
}
