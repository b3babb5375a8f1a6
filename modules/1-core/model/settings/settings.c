/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings — the order of the steps, and what they share.
 */
#include <stdlib.h>

#include "merge.h"

void *
merging_take(struct merging *m, size_t count, size_t size)
{
	void *p = arena_alloc_array(m->arena, count + 1, size);

	m->full = m->full || p == NULL;
	return p;
}

/* Upstream has these without being told. */
static bool
is_built_in(struct slice name)
{
	return slice_eq_nocase(name, S("prometheus")) ||
	       slice_eq_nocase(name, S("stackdriver")) ||
	       slice_eq_nocase(name, S("envoy"));
}

struct settings_provider
merging_provider(const struct merging *m, struct slice name)
{
	struct settings_provider p = {name, is_built_in(name)};

	for (size_t i = 0; i < m->v->mesh->providers.count; i++)
		if (slice_eq_nocase(m->v->mesh->providers.items[i].name, name))
			p.known = true;
	return p;
}

struct names
merging_names(struct merging *m, const struct telemetry_provider *items,
    size_t count, struct names otherwise)
{
	struct slice *names;

	if (count == 0)
		return otherwise;
	names = merging_take(m, count, sizeof(*names));
	for (size_t i = 0; names != NULL && i < count; i++)
		names[i] = items[i].name;
	return (struct names){names, names != NULL ? count : 0};
}

bool
is_for_side(int mode, enum settings_side side)
{
	if (mode == TELEMETRY_CLIENT_AND_SERVER)
		return true;
	return (mode == TELEMETRY_CLIENT) == (side == SETTINGS_CLIENT);
}

static int
by_age(const void *a, const void *b)
{
	const struct resource *const *x = a, *const *y = b;

	return resource_age_cmp(*x, *y);
}

void
merging_list(struct merging *m, const struct resource_kind *kind,
    struct slice ns, struct rows *out)
{
	const struct rows *all = &m->v->resources;
	size_t first = out->count;

	for (size_t i = first_resource(m->v, kind, ns); i < all->count; i++) {
		struct resource *r = all->items[i];

		if (r->kind != kind || !slice_eq(r->key.ns, ns))
			break;
		rows_add(out, r);
	}
	if (out->count > first)
		qsort(out->items + first, out->count - first, sizeof(void *),
		    by_age);
}

/* --- which Telemetry holds ------------------------------------------------ */

static bool
is_wide(const struct policy_scope *s)
{
	return (s->selector == NULL || s->selector->match_labels.count == 0) &&
	       s->target_refs.count == 0 && s->target_ref == NULL;
}

static const struct policy_scope *
scope_of(const struct resource *r)
{
	return &((const struct telemetry_spec *)r->spec)->scope;
}

/* The oldest that is for all of the namespace. */
static void
add_wide(struct merging *m, struct slice ns)
{
	struct rows all = {0};

	merging_list(m, &kind_telemetry, ns, &all);
	for (size_t i = 0; i < all.count; i++)
		if (is_wide(scope_of(all.items[i]))) {
			rows_add(&m->telemetry, all.items[i]);
			break;
		}
	rows_fini(&all);
}

static void
find_telemetry(struct merging *m)
{
	struct rows own = {0};
	struct origin *origins;

	add_wide(m, m->v->root_ns);
	if (!slice_eq(m->workload.ns, m->v->root_ns))
		add_wide(m, m->workload.ns);
	merging_list(m, &kind_telemetry, m->workload.ns, &own);
	for (size_t i = 0; i < own.count; i++)
		if (!is_wide(scope_of(own.items[i])) &&
		    is_policy_for(
			own.items[i], scope_of(own.items[i]), &m->workload))
			rows_add(&m->telemetry, own.items[i]);
	rows_fini(&own);
	origins = merging_take(m, m->telemetry.count, sizeof(*origins));
	for (size_t i = 0; origins != NULL && i < m->telemetry.count; i++)
		origins[i] = origin_of(m->telemetry.items[i], 0);
	m->out->telemetry = origins;
	m->out->telemetry_count = origins != NULL ? m->telemetry.count : 0;
}

const struct view_settings *
view_settings_of(const struct view *v, struct slice ns,
    const struct labels *labels, struct arena *arena)
{
	struct merging m = {.v = v, .workload = {ns, *labels}, .arena = arena};

	m.out = merging_take(&m, 1, sizeof(*m.out));
	if (m.out == NULL)
		return NULL;
	find_telemetry(&m);
	merge_tracing(&m);
	merge_logs(&m);
	merge_metrics(&m);
	merge_proxy(&m);
	merge_extensions(&m);
	rows_fini(&m.telemetry);
	return m.full ? NULL : m.out;
}
