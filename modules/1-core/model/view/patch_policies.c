/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_policies — a DestinationRule that says something else about its host.
 *
 * Which services and subsets it is for has to be the same; then clusters of
 * these services are made anew, and nothing else. Balancing by a hash is a
 * part of routes, and a client that says itself where to call is one of
 * listeners, so a rule with either makes a view from nothing.
 */
#include "inside.h"

/* --- is it about the same ------------------------------------------------- */

static bool
is_same_subsets(
    const struct destination_rule *x, const struct destination_rule *y)
{
	if (x->subsets.count != y->subsets.count)
		return false;
	for (size_t i = 0; i < x->subsets.count; i++)
		if (!slice_eq(
			x->subsets.items[i].name, y->subsets.items[i].name))
			return false;
	return true;
}

static bool
is_same_selector(
    const struct policy_selector *x, const struct policy_selector *y)
{
	if (x == NULL || y == NULL)
		return x == y;
	return x->match_labels.count == y->match_labels.count &&
	       labels_match(&x->match_labels, &y->match_labels);
}

static bool
is_like(const struct resource *old, const struct resource *fresh)
{
	const struct destination_rule *x = resource_destination_rule(old);
	const struct destination_rule *y = resource_destination_rule(fresh);

	return old->created_ms == fresh->created_ms &&
	       slice_eq(x->host, y->host) && is_same_subsets(x, y) &&
	       slice_lists_eq(x->export_to.items, x->export_to.count,
		   y->export_to.items, y->export_to.count) &&
	       is_same_selector(x->workload_selector, y->workload_selector);
}

/* --- is it about clusters alone ------------------------------------------- */

static bool
is_of_clusters(const struct load_balancer *l)
{
	return l == NULL || (l->consistent_hash == NULL &&
				l->simple != BALANCER_PASSTHROUGH);
}

static bool
is_policy_of_clusters(const struct traffic_policy *p)
{
	if (p == NULL)
		return true;
	for (size_t i = 0; i < p->port_level.count; i++)
		if (!is_of_clusters(p->port_level.items[i].load_balancer))
			return false;
	return is_of_clusters(p->load_balancer);
}

static bool
is_rule_of_clusters(const struct resource *r)
{
	const struct destination_rule *d = resource_destination_rule(r);

	for (size_t i = 0; i < d->subsets.count; i++)
		if (!is_policy_of_clusters(d->subsets.items[i].traffic_policy))
			return false;
	return is_policy_of_clusters(d->traffic_policy);
}

static bool
is_of_servers(const struct builder *b, const struct resource *r)
{
	for (size_t i = 0; i < b->rules_of_servers.count; i++)
		if (b->rules_of_servers.items[i] == r)
			return true;
	return false;
}

bool
patch_policies(struct builder *b, const struct view *base,
    const struct resource *old, const struct resource *fresh)
{
	if (!is_like(old, fresh) || !is_rule_of_clusters(old) ||
	    !is_rule_of_clusters(fresh) || is_of_servers(b, old) ||
	    is_told_of(base, old))
		return false;
	b->scope = NULL;
	report_rule(b, fresh);
	return true;
}

/* --- the rule of now ------------------------------------------------------ */

static const struct resource *
resource_now(const struct view *v, const struct resource *r)
{
	for (size_t i = 0; i < v->renewal_count; i++)
		if (v->base->inputs[v->renewals[i].at] == r)
			return v->renewals[i].box->resource;
	return r;
}

const struct merged_rule *
rule_now(struct builder *b, const struct merged_rule *m)
{
	struct merged_rule *now;
	bool same = true;

	for (size_t i = 0; m != NULL && i < m->sources.count; i++)
		same = same && resource_now(b->v, m->sources.items[i]) ==
				   m->sources.items[i];
	if (same)
		return m;
	now = take(b, 1, sizeof(*now));
	if (now == NULL)
		return NULL;
	*now = *m;
	now->sources.items =
	    take(b, m->sources.count, sizeof(*now->sources.items));
	for (size_t i = 0; now->sources.items != NULL && i < m->sources.count;
	     i++)
		now->sources.items[i] =
		    (void *)(uintptr_t)resource_now(b->v, m->sources.items[i]);
	return now->sources.items != NULL ? now : NULL;
}
