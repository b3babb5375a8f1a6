/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workloads — who there is to be selected, and which Services select whom.
 */
#include "inside.h"

/* Of a label in both the first one counts. */
static struct labels
joined(struct analysis *a, const struct labels *x, const struct labels *y)
{
	struct label *items = arena_alloc_array(
	    &a->arena, x->count + y->count + 1, sizeof(*items));
	size_t n = 0;

	if (items == NULL || y->count == 0)
		return *x;
	for (size_t i = 0; i < x->count; i++)
		items[n++] = x->items[i];
	for (size_t i = 0; i < y->count; i++)
		if (labels_get(x, y->items[i].key).ptr == NULL)
			items[n++] = y->items[i];
	return (struct labels){items, n};
}

void
facts_add_workload_entry(struct analysis *a, const struct item *it)
{
	const struct workload_entry *w = it->r->spec;

	*FACTS_PUSH(&a->facts.workloads) = (struct workload){.ns = it->key.ns,
	    .name = it->key.name,
	    .labels = joined(a, &w->labels, &it->r->labels),
	    .item = it,
	    .flags = WORKLOAD_IN_MESH | WORKLOAD_HEALTHY};
}

/* The machines that join a group have its labels. */
void
facts_add_workload_group(struct analysis *a, const struct item *it)
{
	const struct workload_group *g = it->r->spec;
	struct labels labels = {NULL, 0};

	if (g->metadata != NULL)
		labels = g->metadata->labels;
	if (labels.count == 0 && g->workload != NULL)
		labels = g->workload->labels;
	*FACTS_PUSH(&a->facts.workloads) = (struct workload){.ns = it->key.ns,
	    .name = it->key.name,
	    .labels = labels,
	    .item = it,
	    .flags = WORKLOAD_IN_MESH | WORKLOAD_HEALTHY};
}

static void
add_living(struct analysis *a, const struct analysis_workload *w)
{
	*FACTS_PUSH(&a->facts.workloads) = (struct workload){.ns = w->ns,
	    .name = w->node,
	    .labels = w->labels,
	    .living = w,
	    .flags = WORKLOAD_IN_MESH | WORKLOAD_LIVING |
		     (w->healthy && !w->gone ? WORKLOAD_HEALTHY : 0u)};
}

static void
add_usual_gateway(struct analysis *a, struct slice name)
{
	struct label *label = arena_alloc(&a->arena, sizeof(*label));

	if (label == NULL)
		return;
	*label = (struct label){S("istio"), name};
	*FACTS_PUSH(&a->facts.workloads) = (struct workload){.ns = a->root_ns,
	    .name = name,
	    .labels = {label, 1},
	    .flags = WORKLOAD_IN_MESH | WORKLOAD_HEALTHY | WORKLOAD_USUAL};
}

/* Endpoints that a ServiceEntry lists are those of its hosts only. */
static bool
knows_workloads(const struct analysis *a)
{
	const struct facts *f = &a->facts;

	for (size_t i = 0; i < f->workloads.count; i++)
		if (!(f->workloads.items[i].flags & WORKLOAD_INLINE))
			return true;
	return a->in->flags & ANALYSIS_LIVING;
}

void
facts_add_living_workloads(struct analysis *a)
{
	for (size_t i = 0; i < a->in->workload_count; i++)
		add_living(a, &a->in->workloads[i]);
	a->facts.workloads_known = knows_workloads(a);
	if (!(a->in->flags & ANALYSIS_USUAL_GATEWAYS))
		return;
	add_usual_gateway(a, S("ingressgateway"));
	add_usual_gateway(a, S("egressgateway"));
}

static void
index_workloads(struct analysis *a)
{
	struct facts *f = &a->facts;

	for (size_t i = 0; i < f->workloads.count; i++) {
		const struct workload *w = &f->workloads.items[i];

		lookup_put(&f->workload_of_ns, LOOKUP_HASH(w->ns), w);
		lookup_put(&f->workload_of_ns, LOOKUP_HASH(S("")), w);
		if (w->living != NULL)
			lookup_put(&f->living_of_service,
			    LOOKUP_HASH(w->ns, w->living->name), w);
		for (size_t j = 0; j < w->labels.count; j++) {
			struct label l = w->labels.items[j];

			lookup_put(&f->workload_of_label,
			    LOOKUP_HASH(l.key, l.value), w);
			lookup_put(&f->workload_of_ns_label,
			    LOOKUP_HASH(w->ns, l.key, l.value), w);
		}
	}
	lookup_sort(&f->workload_of_ns);
	lookup_sort(&f->workload_of_label);
	lookup_sort(&f->workload_of_ns_label);
	lookup_sort(&f->living_of_service);
}

static struct lookup_rows
rows_of_label(const struct facts *f, struct slice ns, const struct label *l)
{
	return ns.len > 0 ? lookup_get(&f->workload_of_ns_label,
				LOOKUP_HASH(ns, l->key, l->value))
			  : lookup_get(&f->workload_of_label,
				LOOKUP_HASH(l->key, l->value));
}

/* Those that have the label that the fewest have; without labels all. */
static struct lookup_rows
candidates(const struct facts *f, struct slice ns, const struct labels *labels)
{
	struct lookup_rows best;

	if (labels->count == 0)
		return lookup_get(&f->workload_of_ns, LOOKUP_HASH(ns));
	best = rows_of_label(f, ns, &labels->items[0]);
	for (size_t i = 1; i < labels->count; i++) {
		struct lookup_rows rows =
		    rows_of_label(f, ns, &labels->items[i]);

		if (rows.count < best.count)
			best = rows;
	}
	return best;
}

void
workloads_select(const struct analysis *a, struct slice ns,
    const struct labels *labels,
    bool (*each)(void *arg, const struct workload *w), void *arg)
{
	struct lookup_rows rows = candidates(&a->facts, ns, labels);

	for (size_t i = 0; i < MIN(rows.count, SELECTED_MAX); i++) {
		const struct workload *w = rows.rows[i].item;

		if ((ns.len == 0 || slice_eq(w->ns, ns)) &&
		    labels_match(&w->labels, labels) && !each(arg, w))
			return;
	}
}

struct wanted {
	unsigned flags;
	const struct workload *found;
};

static bool
take_first(void *arg, const struct workload *w)
{
	struct wanted *x = arg;

	if ((w->flags & x->flags) != x->flags)
		return true;
	x->found = w;
	return false;
}

const struct workload *
workload_find(const struct analysis *a, struct slice ns,
    const struct labels *labels, unsigned flags)
{
	struct wanted x = {flags, NULL};

	workloads_select(a, ns, labels, take_first, &x);
	return x.found;
}

/* --- Services by what they select ----------------------------------------- */

static void
index_services(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_service);

	for (size_t i = 0; i < all.count; i++) {
		const struct item *it = all.items[i];
		const struct service_spec *s = it->r->spec;

		if (s->selector.count > 0)
			lookup_put(&a->facts.service_of_label,
			    LOOKUP_HASH(it->key.ns, s->selector.items[0].key,
				s->selector.items[0].value),
			    it);
		else
			lookup_put(&a->facts.service_of_label,
			    LOOKUP_HASH(it->key.ns), it);
	}
	lookup_sort(&a->facts.service_of_label);
}

void
facts_index_workloads(struct analysis *a)
{
	index_workloads(a);
	index_services(a);
}

/* What was put under one pair, or under the namespace alone. */
static void
each_service(struct lookup_rows rows, struct slice ns,
    const struct labels *labels,
    void (*each)(void *arg, const struct item *service), void *arg)
{
	for (size_t i = 0; i < MIN(rows.count, SELECTED_MAX); i++) {
		const struct item *it = rows.rows[i].item;
		const struct service_spec *s = it->r->spec;

		if (slice_eq(it->key.ns, ns) &&
		    labels_match(labels, &s->selector))
			each(arg, it);
	}
}

void
services_selecting(const struct analysis *a, struct slice ns,
    const struct labels *labels,
    void (*each)(void *arg, const struct item *service), void *arg)
{
	const struct lookup *l = &a->facts.service_of_label;

	each_service(lookup_get(l, LOOKUP_HASH(ns)), ns, labels, each, arg);
	for (size_t i = 0; i < labels->count; i++)
		each_service(lookup_get(l, LOOKUP_HASH(ns, labels->items[i].key,
					       labels->items[i].value)),
		    ns, labels, each, arg);
}
