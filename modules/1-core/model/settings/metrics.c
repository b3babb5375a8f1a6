/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics — which metrics a workload gives, to whom, with which tags.
 *
 * A change to all metrics is one to each. What is left out altogether stays
 * so until a later change names anything of that provider and side.
 */
#include <stdlib.h>

#include "merge.h"

static const char *const metric_names[] = {
    [TELEMETRY_ALL_METRICS] = NULL,
    [TELEMETRY_REQUEST_COUNT] = "REQUEST_COUNT",
    [TELEMETRY_REQUEST_DURATION] = "REQUEST_DURATION",
    [TELEMETRY_REQUEST_SIZE] = "REQUEST_SIZE",
    [TELEMETRY_RESPONSE_SIZE] = "RESPONSE_SIZE",
    [TELEMETRY_TCP_OPENED_CONNECTIONS] = "TCP_OPENED_CONNECTIONS",
    [TELEMETRY_TCP_CLOSED_CONNECTIONS] = "TCP_CLOSED_CONNECTIONS",
    [TELEMETRY_TCP_SENT_BYTES] = "TCP_SENT_BYTES",
    [TELEMETRY_TCP_RECEIVED_BYTES] = "TCP_RECEIVED_BYTES",
    [TELEMETRY_GRPC_REQUEST_MESSAGES] = "GRPC_REQUEST_MESSAGES",
    [TELEMETRY_GRPC_RESPONSE_MESSAGES] = "GRPC_RESPONSE_MESSAGES",
};

/* One metric, while changes come in. */
struct metric {
	struct settings_metric row;
	struct rows tags; /* struct settings_tag */
};

struct provider {
	struct settings_metrics row;
	struct rows metrics[SETTINGS_SIDES]; /* struct metric */
};

static struct provider *
provider_of(struct merging *m, struct rows *all, struct slice name)
{
	struct provider *p;

	for (size_t i = 0; i < all->count; i++) {
		p = all->items[i];
		if (slice_eq(p->row.provider.name, name))
			return p;
	}
	p = merging_take(m, 1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->row.provider = merging_provider(m, name);
	rows_add(all, p);
	return p;
}

static struct metric *
metric_of(struct merging *m, struct rows *all, struct slice name)
{
	struct metric *x;

	for (size_t i = 0; i < all->count; i++) {
		x = all->items[i];
		if (slice_eq(x->row.name, name))
			return x;
	}
	x = merging_take(m, 1, sizeof(*x));
	if (x == NULL)
		return NULL;
	x->row.name = name;
	rows_add(all, x);
	return x;
}

static void
put_tag(struct merging *m, struct metric *x, const struct message_entry *e)
{
	const struct telemetry_tag_override *o = e->message;
	struct settings_tag *tag = NULL;

	for (size_t i = 0; tag == NULL && i < x->tags.count; i++) {
		struct settings_tag *t = x->tags.items[i];

		tag = slice_eq(t->name, e->key) ? t : NULL;
	}
	if (tag == NULL) {
		tag = merging_take(m, 1, sizeof(*tag));
		if (tag == NULL)
			return;
		rows_add(&x->tags, tag);
	}
	tag->name = e->key;
	tag->remove = o->operation == TELEMETRY_REMOVE;
	tag->value = tag->remove ? S("") : o->value;
}

static void
change_metric(struct merging *m, struct rows *all, struct slice name,
    const struct telemetry_override *o)
{
	struct metric *x = metric_of(m, all, name);

	if (x == NULL)
		return;
	if (message_has(&telemetry_override_message, o, "disabled"))
		x->row.disabled = o->disabled;
	for (size_t i = 0; i < o->tag_overrides.count; i++)
		put_tag(m, x, &o->tag_overrides.items[i]);
}

/* Empty: all of them. */
static struct slice
name_of(const struct telemetry_metric_match *match)
{
	if (match == NULL)
		return S("");
	return match->custom_metric.len > 0
		   ? match->custom_metric
		   : slice_str(metric_names[match->metric]);
}

static void
change_side(struct merging *m, struct provider *p, enum settings_side side,
    const struct telemetry_override *o)
{
	struct slice name = name_of(o->match);
	struct rows *all = &p->metrics[side];

	p->row.side[side].disabled = name.len == 0 && o->disabled;
	if (p->row.side[side].disabled)
		return;
	if (name.len > 0) {
		change_metric(m, all, name, o);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(metric_names); i++)
		if (metric_names[i] != NULL)
			change_metric(m, all, slice_str(metric_names[i]), o);
}

static void
change_provider(
    struct merging *m, struct provider *p, const struct telemetry_metrics *t)
{
	if (message_has(&telemetry_metrics_message, t, "reportingInterval"))
		p->row.interval = t->reporting_interval;
	for (size_t i = 0; i < t->overrides.count; i++) {
		const struct telemetry_override *o = &t->overrides.items[i];
		int mode = o->match != NULL ? o->match->mode
					    : TELEMETRY_CLIENT_AND_SERVER;

		for (int side = 0; side < SETTINGS_SIDES; side++)
			if (is_for_side(mode, side))
				change_side(m, p, side, o);
	}
}

/* --- keeping -------------------------------------------------------------- */

static int
tags_by_name(const void *a, const void *b)
{
	const struct settings_tag *x = a, *y = b;

	return slice_cmp(x->name, y->name);
}

static int
metrics_by_name(const void *a, const void *b)
{
	const struct settings_metric *x = a, *y = b;

	return slice_cmp(x->name, y->name);
}

static int
by_provider(const void *a, const void *b)
{
	const struct settings_metrics *x = a, *y = b;

	return slice_cmp(x->provider.name, y->provider.name);
}

static void
keep_tags(struct merging *m, struct metric *x)
{
	struct settings_tag *tags =
	    merging_take(m, x->tags.count, sizeof(*tags));

	for (size_t i = 0; tags != NULL && i < x->tags.count; i++)
		tags[i] = *(const struct settings_tag *)x->tags.items[i];
	if (tags != NULL && x->tags.count > 0)
		qsort(tags, x->tags.count, sizeof(*tags), tags_by_name);
	x->row.tags = tags;
	x->row.tag_count = tags != NULL ? x->tags.count : 0;
	rows_fini(&x->tags);
}

/* Of a side that is left out altogether nothing else is said. */
static void
keep_side(struct merging *m, struct provider *p, enum settings_side side)
{
	struct rows *all = &p->metrics[side];
	size_t n = p->row.side[side].disabled ? 0 : all->count;
	struct settings_metric *items = merging_take(m, n, sizeof(*items));

	for (size_t i = 0; i < all->count; i++)
		keep_tags(m, all->items[i]);
	for (size_t i = 0; items != NULL && i < n; i++)
		items[i] = ((const struct metric *)all->items[i])->row;
	if (items != NULL && n > 0)
		qsort(items, n, sizeof(*items), metrics_by_name);
	p->row.side[side].items = items;
	p->row.side[side].count = items != NULL ? n : 0;
	rows_fini(all);
}

static void
keep_providers(struct merging *m, struct rows *all)
{
	struct settings_metrics *items =
	    merging_take(m, all->count, sizeof(*items));

	for (size_t i = 0; i < all->count; i++) {
		struct provider *p = all->items[i];

		for (int side = 0; side < SETTINGS_SIDES; side++)
			keep_side(m, p, side);
		if (items != NULL)
			items[i] = p->row;
	}
	if (items != NULL && all->count > 0)
		qsort(items, all->count, sizeof(*items), by_provider);
	m->out->metrics = items;
	m->out->metric_count = items != NULL ? all->count : 0;
	rows_fini(all);
}

/* --- all of it ------------------------------------------------------------ */

typedef void (*on_metrics)(
    void *arg, struct merging *m, const struct telemetry_metrics *t);

static void
each_metrics(struct merging *m, on_metrics cb, void *arg)
{
	for (size_t i = 0; i < m->telemetry.count; i++) {
		const struct resource *r = m->telemetry.items[i];
		const struct telemetry_spec *spec = r->spec;

		for (size_t j = 0; j < spec->metrics.count; j++)
			cb(arg, m, &spec->metrics.items[j]);
	}
}

struct naming {
	struct names names;    /* of the entry at hand, else of one before */
	struct names in_scope; /* of the last that names any */
	struct rows providers; /* struct provider */
	size_t entries;
};

static void
scope_by(void *arg, struct merging *m, const struct telemetry_metrics *t)
{
	struct naming *n = arg;

	n->entries++;
	n->in_scope = merging_names(
	    m, t->providers.items, t->providers.count, n->in_scope);
}

static void
add_metrics(void *arg, struct merging *m, const struct telemetry_metrics *t)
{
	struct naming *n = arg;

	n->names =
	    merging_names(m, t->providers.items, t->providers.count, n->names);
	for (size_t i = 0; i < n->names.count; i++) {
		struct provider *p;

		if (!slice_is_among(n->names.items[i], n->in_scope.items,
			n->in_scope.count))
			continue;
		p = provider_of(m, &n->providers, n->names.items[i]);
		if (p != NULL)
			change_provider(m, p, t);
	}
}

void
merge_metrics(struct merging *m)
{
	static const struct slice prometheus[] = {{"prometheus", 10}};
	const struct default_providers *d = m->v->mesh->default_providers;
	struct naming n = {.names = {prometheus, 1}};

	if (d != NULL && d->metrics.count > 0)
		n.names = (struct names){d->metrics.items, d->metrics.count};
	n.in_scope = n.names;
	each_metrics(m, scope_by, &n);
	for (size_t i = 0; n.entries == 0 && i < n.names.count; i++)
		(void)provider_of(m, &n.providers, n.names.items[i]);
	each_metrics(m, add_metrics, &n);
	keep_providers(m, &n.providers);
}
