/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs — who is told of requests: tracing and the access log.
 */
#include <stdlib.h>

#include "merge.h"

/* --- tracing -------------------------------------------------------------- */

static bool
says(const struct telemetry_tracing *t, const char *field)
{
	return message_has(&telemetry_tracing_message, t, field);
}

static void
add_tracing(struct merging *m, const struct telemetry_tracing *t,
    struct settings_tracing *out)
{
	if (t->providers.count > 0)
		out->provider = merging_provider(m, t->providers.items[0].name);
	if (says(t, "disableSpanReporting"))
		out->disabled = t->disable_span_reporting;
	if (says(t, "customTags")) {
		out->tags = t->custom_tags.items;
		out->tag_count = t->custom_tags.count;
	}
	if (says(t, "randomSamplingPercentage")) {
		out->has_sampling = true;
		out->sampling = t->random_sampling_percentage;
	}
	if (says(t, "useRequestIdForTraceSampling"))
		out->use_request_id = t->use_request_id_for_trace_sampling;
	if (says(t, "enableIstioTags"))
		out->istio_tags = t->enable_istio_tags;
	if (says(t, "disableContextPropagation"))
		out->no_propagation = t->disable_context_propagation;
}

static void
trace_side(struct merging *m, enum settings_side side)
{
	const struct default_providers *d = m->v->mesh->default_providers;
	struct settings_tracing *out = &m->out->tracing[side];

	*out = (struct settings_tracing){
	    .use_request_id = true, .istio_tags = true};
	if (d != NULL && d->tracing.count > 0) {
		out->provider = merging_provider(m, d->tracing.items[0]);
		m->out->has_tracing = true;
	}
	for (size_t i = 0; i < m->telemetry.count; i++) {
		const struct resource *r = m->telemetry.items[i];
		const struct telemetry_spec *spec = r->spec;

		for (size_t j = 0; j < spec->tracing.count; j++) {
			const struct telemetry_tracing *t =
			    &spec->tracing.items[j];

			m->out->has_tracing = true;
			if (t->match == NULL ||
			    is_for_side(t->match->mode, side))
				add_tracing(m, t, out);
		}
	}
	out->disabled = out->disabled || !out->provider.known;
}

void
merge_tracing(struct merging *m)
{
	trace_side(m, SETTINGS_CLIENT);
	trace_side(m, SETTINGS_SERVER);
}

/* --- the access log ------------------------------------------------------- */

struct logging {
	struct merging *m;
	enum settings_side side;
	struct names in_scope;
	struct rows found; /* struct settings_log */
};

static bool
is_for(const struct logging *l, const struct telemetry_logging *t)
{
	return t->match == NULL || is_for_side(t->match->mode, l->side);
}

static struct settings_log *
log_of(struct logging *l, struct slice provider)
{
	struct settings_log *log;

	for (size_t i = 0; i < l->found.count; i++) {
		log = l->found.items[i];
		if (slice_eq(log->provider.name, provider))
			return log;
	}
	log = merging_take(l->m, 1, sizeof(*log));
	if (log == NULL)
		return NULL;
	log->provider = merging_provider(l->m, provider);
	rows_add(&l->found, log);
	return log;
}

/* All that one Telemetry names for the side; nothing: as before. */
static void
scope_by(struct logging *l, const struct telemetry_spec *spec)
{
	struct slice *names;
	size_t n = 0;

	for (size_t i = 0; i < spec->access_logging.count; i++)
		n += spec->access_logging.items[i].providers.count;
	names = merging_take(l->m, n, sizeof(*names));
	n = 0;
	for (size_t i = 0; names != NULL && i < spec->access_logging.count;
	     i++) {
		const struct telemetry_logging *t =
		    &spec->access_logging.items[i];

		for (size_t j = 0; is_for(l, t) && j < t->providers.count; j++)
			names[n++] = t->providers.items[j].name;
	}
	if (n > 0)
		l->in_scope = (struct names){names, n};
}

/* The last that names the provider says which lines it gets. */
static struct slice
filter_of(const struct logging *l, struct slice provider)
{
	struct slice filter = S("");

	for (size_t i = 0; i < l->m->telemetry.count; i++) {
		const struct resource *r = l->m->telemetry.items[i];
		const struct telemetry_spec *spec = r->spec;

		for (size_t j = 0; j < spec->access_logging.count; j++) {
			const struct telemetry_logging *t =
			    &spec->access_logging.items[j];

			for (size_t k = 0;
			     is_for(l, t) && k < t->providers.count; k++)
				if (slice_eq(
					t->providers.items[k].name, provider))
					filter = t->filter != NULL
						     ? t->filter->expression
						     : S("");
		}
	}
	return filter;
}

static void
add_logging(struct logging *l, const struct telemetry_logging *t,
    const struct names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		struct settings_log *log;

		if (!slice_is_among(names->items[i], l->in_scope.items,
			l->in_scope.count) ||
		    !is_for(l, t))
			continue;
		log = log_of(l, names->items[i]);
		if (log == NULL)
			return;
		log->disabled = t->disabled;
		log->filter =
		    t->disabled ? S("") : filter_of(l, names->items[i]);
	}
}

static int
by_provider(const void *a, const void *b)
{
	const struct settings_log *x = a, *y = b;

	return slice_cmp(x->provider.name, y->provider.name);
}

static void
keep_logs(struct logging *l)
{
	size_t n = l->found.count;
	struct settings_log *items = merging_take(l->m, n, sizeof(*items));

	for (size_t i = 0; items != NULL && i < n; i++)
		items[i] = *(const struct settings_log *)l->found.items[i];
	if (items != NULL && n > 0)
		qsort(items, n, sizeof(*items), by_provider);
	l->m->out->logs[l->side] = items;
	l->m->out->log_count[l->side] = items != NULL ? n : 0;
	rows_fini(&l->found);
}

static void
log_side(struct merging *m, enum settings_side side, struct names defaults)
{
	struct logging l = {.m = m, .side = side, .in_scope = defaults};
	struct names names = defaults;
	bool said = false;

	for (size_t i = 0; i < m->telemetry.count; i++)
		scope_by(
		    &l, ((const struct resource *)m->telemetry.items[i])->spec);
	for (size_t i = 0; i < m->telemetry.count; i++) {
		const struct resource *r = m->telemetry.items[i];
		const struct telemetry_spec *spec = r->spec;

		for (size_t j = 0; j < spec->access_logging.count; j++) {
			const struct telemetry_logging *t =
			    &spec->access_logging.items[j];

			said = true;
			names = merging_names(
			    m, t->providers.items, t->providers.count, names);
			add_logging(&l, t, &names);
		}
	}
	for (size_t i = 0; !said && i < defaults.count; i++)
		(void)log_of(&l, defaults.items[i]);
	m->out->has_logs = m->out->has_logs || said || defaults.count > 0;
	keep_logs(&l);
}

void
merge_logs(struct merging *m)
{
	const struct default_providers *d = m->v->mesh->default_providers;
	struct names defaults = {NULL, 0};

	if (d != NULL)
		defaults = (struct names){
		    d->access_logging.items, d->access_logging.count};
	log_side(m, SETTINGS_CLIENT, defaults);
	log_side(m, SETTINGS_SERVER, defaults);
}
