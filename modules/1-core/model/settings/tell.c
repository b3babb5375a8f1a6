/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tell — the settings of a workload as a tree.
 */
#include "../view/tree.h"
#include "merge.h"

static const char *const side_names[] = {
    [SETTINGS_CLIENT] = "client",
    [SETTINGS_SERVER] = "server",
};

static void
put_provider(
    struct tree *t, struct value *map, const struct settings_provider *p)
{
	tree_put_text(t, map, "provider", p->name);
	if (p->name.len > 0 && !p->known)
		tree_put_text(t, map, "problem",
		    S("no extensionProvider of MeshConfig has this name"));
}

static struct value *
number(struct tree *t, double d)
{
	struct value *v = value_new(t->arena, VALUE_FLOAT);

	if (v != NULL)
		v->real = d;
	t->full = t->full || v == NULL;
	return v;
}

static struct value *
tracing(struct tree *t, const struct settings_tracing *s)
{
	struct value *map = tree_map(t);
	struct value *tags = tree_list(t);

	put_provider(t, map, &s->provider);
	tree_put_bool(t, map, "disabled", s->disabled);
	if (s->has_sampling)
		tree_put(
		    t, map, "randomSamplingPercentage", number(t, s->sampling));
	for (size_t i = 0; i < s->tag_count; i++)
		tree_add_text(t, tags, s->tags[i].key);
	tree_put(t, map, "customTags", tags);
	tree_put_bool(
	    t, map, "useRequestIdForTraceSampling", s->use_request_id);
	tree_put_bool(t, map, "enableIstioTags", s->istio_tags);
	tree_put_bool(t, map, "disableContextPropagation", s->no_propagation);
	return map;
}

static struct value *
logs(struct tree *t, const struct settings_log *items, size_t count)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < count; i++) {
		struct value *map = tree_map(t);

		put_provider(t, map, &items[i].provider);
		tree_put_bool(t, map, "disabled", items[i].disabled);
		tree_put_text(t, map, "filter", items[i].filter);
		tree_add(t, list, map);
	}
	return list;
}

static struct value *
metric(struct tree *t, const struct settings_metric *m)
{
	struct value *map = tree_map(t);
	struct value *tags = tree_list(t);

	tree_put_text(t, map, "metric", m->name);
	tree_put_bool(t, map, "disabled", m->disabled);
	for (size_t i = 0; i < m->tag_count; i++) {
		struct value *tag = tree_map(t);

		tree_put_text(t, tag, "name", m->tags[i].name);
		tree_put_bool(t, tag, "remove", m->tags[i].remove);
		tree_put_text(t, tag, "value", m->tags[i].value);
		tree_add(t, tags, tag);
	}
	tree_put(t, map, "tags", tags);
	return map;
}

static struct value *
metrics(struct tree *t, const struct settings_metrics *m)
{
	struct value *map = tree_map(t);

	put_provider(t, map, &m->provider);
	tree_put_text(t, map, "reportingInterval", m->interval);
	for (int side = 0; side < SETTINGS_SIDES; side++) {
		struct value *of = tree_map(t);
		struct value *list = tree_list(t);

		tree_put_bool(t, of, "disabled", m->side[side].disabled);
		for (size_t i = 0; i < m->side[side].count; i++)
			tree_add(t, list, metric(t, &m->side[side].items[i]));
		tree_put(t, of, "overrides", list);
		tree_put(t, map, side_names[side], of);
	}
	return map;
}

static struct value *
proxy(struct tree *t, const struct settings_proxy *p)
{
	struct value *map = tree_map(t);

	if (p->has_concurrency)
		tree_put_int(t, map, "concurrency", p->concurrency);
	tree_put(
	    t, map, "environmentVariables", tree_labels(t, &p->environment));
	tree_put_text(t, map, "imageType", p->image_type);
	return map;
}

static struct value *
extension(struct tree *t, const struct settings_extension *x)
{
	static const char *const phases[] = {
	    [EXTENSION_LAST] = "before the router",
	    [EXTENSION_AUTHN] = "AUTHN",
	    [EXTENSION_AUTHZ] = "AUTHZ",
	    [EXTENSION_STATS] = "STATS",
	};
	struct value *map = tree_map(t);

	tree_put_text(t, map, "kind", x->resource->key.kind);
	tree_put_text(t, map, "name", x->resource->key.name);
	tree_put_text(t, map, "phase", slice_str(phases[x->phase]));
	if (x->has_priority)
		tree_put_int(t, map, "priority", x->priority);
	tree_put_text(t, map, "origin", tree_origin(t, &x->origin));
	return map;
}

struct value *
view_settings_value(const struct view_settings *s, struct arena *arena)
{
	struct tree t = {.arena = arena};
	struct value *map = tree_map(&t);
	struct value *origins = tree_list(&t);
	struct value *traces = tree_map(&t);
	struct value *lines = tree_map(&t);
	struct value *counts = tree_list(&t);
	struct value *plugged = tree_list(&t);

	for (size_t i = 0; i < s->telemetry_count; i++)
		tree_add_text(&t, origins, tree_origin(&t, &s->telemetry[i]));
	for (int side = 0; side < SETTINGS_SIDES; side++) {
		const char *name = side_names[side];

		if (s->has_tracing)
			tree_put(
			    &t, traces, name, tracing(&t, &s->tracing[side]));
		tree_put(&t, lines, name,
		    logs(&t, s->logs[side], s->log_count[side]));
	}
	for (size_t i = 0; i < s->metric_count; i++)
		tree_add(&t, counts, metrics(&t, &s->metrics[i]));
	for (size_t i = 0; i < s->extension_count; i++)
		tree_add(&t, plugged, extension(&t, &s->extensions[i]));
	tree_put(&t, map, "telemetry", origins);
	tree_put(&t, map, "tracing", traces);
	tree_put(&t, map, "accessLogging", lines);
	tree_put(&t, map, "metrics", counts);
	tree_put(&t, map, "proxy", proxy(&t, &s->proxy));
	tree_put(&t, map, "extensions", plugged);
	return t.full ? NULL : map;
}
