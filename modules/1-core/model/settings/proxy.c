/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy — how the proxy of a workload is run, and what is plugged into it.
 */
#include <stdlib.h>

#include "merge.h"

/* --- ProxyConfig ---------------------------------------------------------- */

/* What is narrower wins; of the environment, name by name. */
static void
put_environment(
    struct merging *m, const struct labels *more, struct labels *env)
{
	size_t room = env->count + more->count;
	struct label *items = merging_take(m, room, sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; items != NULL && i < env->count; i++)
		if (labels_get(more, env->items[i].key).ptr == NULL)
			items[n++] = env->items[i];
	for (size_t i = 0; items != NULL && i < more->count; i++)
		items[n++] = more->items[i];
	*env = (struct labels){items, n};
}

static void
put_config(struct merging *m, const struct proxy_config *c)
{
	struct settings_proxy *out = &m->out->proxy;

	if (message_has(&proxy_config_message, c, "concurrency")) {
		out->has_concurrency = true;
		out->concurrency = c->concurrency;
	}
	if (c->image != NULL && c->image->image_type.len > 0)
		out->image_type = c->image->image_type;
	put_environment(m, &c->environment_variables, &out->environment);
}

static void
put_defaults(struct merging *m)
{
	const struct mesh_proxy *d = m->v->mesh->default_config;
	struct settings_proxy *out = &m->out->proxy;

	if (d == NULL)
		return;
	if (message_has(&mesh_proxy_message, d, "concurrency")) {
		out->has_concurrency = true;
		out->concurrency = d->concurrency;
	}
	if (d->image != NULL)
		out->image_type = d->image->image_type;
	put_environment(m, &d->metadata, &out->environment);
}

/* The oldest that is for all of the namespace, or for the workload. */
static void
put_oldest(struct merging *m, struct slice ns, bool wide)
{
	struct rows all = {0};
	const struct proxy_config *found = NULL;

	merging_list(m, &kind_proxy_config, ns, &all);
	for (size_t i = 0; found == NULL && i < all.count; i++) {
		const struct resource *r = all.items[i];
		const struct proxy_config *c = r->spec;
		bool for_all = c->selector == NULL;
		bool names = !for_all && c->selector->match_labels.count > 0;

		if (wide ? for_all
			 : names && labels_match(&m->workload.labels,
					&c->selector->match_labels))
			found = c;
	}
	if (found != NULL)
		put_config(m, found);
	rows_fini(&all);
}

static int
by_key(const void *a, const void *b)
{
	const struct label *x = a, *y = b;

	return slice_cmp(x->key, y->key);
}

void
merge_proxy(struct merging *m)
{
	struct labels *env = &m->out->proxy.environment;

	put_defaults(m);
	put_oldest(m, m->v->root_ns, /* wide */ true);
	if (!slice_eq(m->workload.ns, m->v->root_ns))
		put_oldest(m, m->workload.ns, /* wide */ true);
	put_oldest(m, m->workload.ns, /* wide */ false);
	if (env->count > 0)
		qsort((void *)(uintptr_t)env->items, env->count,
		    sizeof(*env->items), by_key); /* ours */
}

/* --- extensions ----------------------------------------------------------- */

static struct settings_extension
extension_of(const struct resource *r)
{
	struct settings_extension x = {
	    .resource = r, .origin = origin_of(r, 0)};

	if (r->kind == &kind_wasm_plugin) {
		const struct wasm_plugin *p = r->spec;

		x.phase = p->phase;
		x.priority = p->priority;
		x.has_priority =
		    message_has(&wasm_plugin_message, p, "priority");
	} else {
		const struct traffic_extension *p = r->spec;

		x.phase = p->phase;
		x.priority = p->priority;
		x.has_priority =
		    message_has(&traffic_extension_message, p, "priority");
	}
	return x;
}

static const struct policy_scope *
scope_of(const struct resource *r)
{
	if (r->kind == &kind_wasm_plugin)
		return &((const struct wasm_plugin *)r->spec)->scope;
	return &((const struct traffic_extension *)r->spec)->scope;
}

/* Both kinds of one namespace together, the oldest first. */
static void
add_extensions(struct merging *m, struct slice ns, struct rows *out)
{
	struct rows wasm = {0}, traffic = {0};
	size_t i = 0, j = 0;

	merging_list(m, &kind_wasm_plugin, ns, &wasm);
	merging_list(m, &kind_traffic_extension, ns, &traffic);
	while (i < wasm.count || j < traffic.count) {
		bool first = j == traffic.count ||
			     (i < wasm.count && resource_age_cmp(wasm.items[i],
						    traffic.items[j]) <= 0);
		struct resource *r =
		    first ? wasm.items[i++] : traffic.items[j++];

		if (is_policy_for(r, scope_of(r), &m->workload))
			rows_add(out, r);
	}
	rows_fini(&wasm);
	rows_fini(&traffic);
}

/* Before that group of filters; those of no phase come last. */
static int
rank_of(int phase)
{
	return phase == EXTENSION_LAST ? EXTENSION_STATS + 1 : phase;
}

static bool
comes_before(
    const struct settings_extension *a, const struct settings_extension *b)
{
	if (rank_of(a->phase) != rank_of(b->phase))
		return rank_of(a->phase) < rank_of(b->phase);
	if (a->has_priority != b->has_priority)
		return a->has_priority;
	return a->has_priority && a->priority > b->priority;
}

void
merge_extensions(struct merging *m)
{
	struct rows found = {0};
	struct settings_extension *items;
	size_t n = 0;

	add_extensions(m, m->workload.ns, &found);
	if (!slice_eq(m->workload.ns, m->v->root_ns))
		add_extensions(m, m->v->root_ns, &found);
	items = merging_take(m, found.count, sizeof(*items));
	for (; items != NULL && n < found.count; n++) {
		struct settings_extension x = extension_of(found.items[n]);
		size_t at = n;

		for (; at > 0 && comes_before(&x, &items[at - 1]); at--)
			items[at] = items[at - 1];
		items[at] = x;
	}
	m->out->extensions = items;
	m->out->extension_count = n;
	rows_fini(&found);
}
