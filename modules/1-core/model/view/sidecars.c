/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidecars — which Sidecar narrows what the scope at hand calls and takes.
 *
 * Of its namespace, one whose selector fits before one for all, the oldest
 * first; else the one for all of the mesh, in the root namespace.
 */
#include "inside.h"

static const struct sidecar *
spec_of(const struct resource *r)
{
	return r->spec;
}

void
collect_sidecars(struct builder *b)
{
	struct rows all = {0};

	rows_of_kind(b, &kind_sidecar, &all);
	for (size_t i = 0; i < all.count; i++)
		if (spec_of(all.items[i])->workload_selector != NULL)
			rows_add(&b->sidecars, all.items[i]);
	for (size_t i = 0; i < all.count; i++)
		if (spec_of(all.items[i])->workload_selector == NULL)
			rows_add(&b->sidecars, all.items[i]);
	rows_fini(&all);
}

static bool
selects(const struct resource *r, const struct labels *labels)
{
	const struct workload_selector *s = spec_of(r)->workload_selector;

	return s == NULL || labels_match(labels, &s->labels);
}

static bool
is_of_scope(const struct scope *s, const struct resource *r)
{
	return slice_eq(r->key.ns, s->row.ns) && selects(r, &s->row.labels);
}

static bool
may_hold(const struct view *v, const struct scope *s, const struct resource *r)
{
	bool is_wide = spec_of(r)->workload_selector == NULL;

	return (is_wide && slice_eq(r->key.ns, v->root_ns)) ||
	       is_of_scope(s, r);
}

/* Of two that may hold in the scope. */
static bool
is_sidecar_before(
    const struct scope *s, const struct resource *x, const struct resource *y)
{
	bool own_x = is_of_scope(s, x), own_y = is_of_scope(s, y);
	bool selecting_x = spec_of(x)->workload_selector != NULL;
	bool selecting_y = spec_of(y)->workload_selector != NULL;

	if (own_x != own_y)
		return own_x;
	return selecting_x != selecting_y ? selecting_x
					  : resource_age_cmp(x, y) < 0;
}

bool
sidecar_would_hold(
    const struct view *v, const struct scope *s, const struct resource *r)
{
	return may_hold(v, s, r) && (s->sidecar == NULL || s->sidecar == r ||
					is_sidecar_before(s, r, s->sidecar));
}

static const struct resource *
find(const struct builder *b, const struct view_scope *of)
{
	const struct resource *mesh = NULL;

	for (size_t i = 0; i < b->sidecars.count; i++) {
		const struct resource *r = b->sidecars.items[i];

		if (slice_eq(r->key.ns, of->ns) && selects(r, &of->labels))
			return r;
		if (mesh == NULL && slice_eq(r->key.ns, b->v->root_ns) &&
		    spec_of(r)->workload_selector == NULL)
			mesh = r;
	}
	return mesh;
}

const struct resource *
sidecar_of(struct builder *b)
{
	struct scope *s = b->scope;

	if (b->in->proxy == VIEW_ROUTER)
		return NULL; /* a gateway sees all */
	if (!s->sidecar_known) {
		s->sidecar = find(b, &s->row);
		s->sidecar_known = true;
	}
	return s->sidecar;
}
