/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_policies — DestinationRules that come, go, or say something else.
 *
 * What is said of their hosts is merged anew, and looked up in every scope:
 * where that is another rule than before, the clusters of the service are made
 * anew. If it has other subsets now, clusters come and go, and the rules for
 * requests that name subsets of it are compiled again. By what a hash balances
 * is a part of routes, and a client that says itself where to call is one of
 * listeners, so where that is another, a view is made from nothing.
 */
#include "patch.h"

enum { RULED_MAX = 1000 };

static bool
is_rule(const struct resource *r)
{
	return r != NULL && r->kind == &kind_destination_rule;
}

/* --- is it about clusters alone ------------------------------------------- */

static bool
is_of_clusters(const struct load_balancer *l)
{
	return l == NULL || l->simple != BALANCER_PASSTHROUGH;
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
is_rule_of_clusters(const struct merged_rule *m)
{
	for (size_t i = 0; m != NULL && i < m->sources.count; i++) {
		const struct destination_rule *d =
		    resource_destination_rule(m->sources.items[i]);

		for (size_t j = 0; j < d->subsets.count; j++)
			if (!is_policy_of_clusters(
				d->subsets.items[j].traffic_policy))
				return false;
		if (!is_policy_of_clusters(d->traffic_policy))
			return false;
	}
	return true;
}

/* --- is a service ruled by another ---------------------------------------- */

/* What a service obeys in the base is asked as if there were no patch. */
static const struct merged_rule *
look_up(struct patching *p, struct service_row *s, bool now,
    const struct merged_rule *(*look)(
	const struct builder *b, struct service_row *s))
{
	const struct merged_rule *m;

	p->b.rules_now = now ? p->rules : NULL;
	m = look(&p->b, s);
	p->b.rules_now = p->rules;
	return m;
}

static const struct merged_rule *
of_servers(const struct builder *b, struct service_row *s)
{
	return rule_of_servers(b, s);
}

static bool
is_obeyed(const struct builder *b, const struct service_row *s)
{
	for (size_t i = 0; i < b->obeyed.count; i++)
		if (b->obeyed.items[i] == s)
			return true;
	return false;
}

/* False: scopes that had one in common have two now, or the other way round. */
static bool
add_pair(struct ruled *r, const struct merged_rule *old,
    const struct merged_rule *now)
{
	for (size_t i = 0; i < r->pair_count; i++) {
		const struct rule_pair *x = &r->pairs[i];

		if (x->old == old || x->now == now)
			return x->old == old && x->now == now;
	}
	r->pairs[r->pair_count++] = (struct rule_pair){old, now};
	return true;
}

/* Where it has names to be resolved, also: is each one of any in both? */
static bool
has_subsets(const struct service_row *s, const struct merged_rule *m,
    const struct merged_rule *of)
{
	const struct resource *from;

	for (size_t i = 0; of != NULL && i < of->sources.count; i++) {
		const struct destination_rule *d =
		    resource_destination_rule(of->sources.items[i]);

		for (size_t j = 0; j < d->subsets.count; j++) {
			struct slice name = d->subsets.items[j].name;
			const struct subset_spec *x, *y;

			x = find_subset(m, name, &from);
			y = find_subset(of, name, &from);
			if (x == NULL ||
			    has_names_of(s, x) != has_names_of(s, y))
				return false;
		}
	}
	return true;
}

/* In every scope; false: more follows. */
static bool
fill_pairs(struct patching *p, struct ruled *r)
{
	bool other = false, obeyed = is_obeyed(&p->b, r->service);

	r->same_subsets = true;
	for (size_t i = 0; i < p->base->scopes.count; i++) {
		const struct merged_rule *old, *now;

		p->b.scope = p->base->scopes.items[i];
		old = look_up(p, r->service, false, rule_of);
		now = look_up(p, r->service, true, rule_of);
		if (!add_pair(r, old, now) || !is_rule_of_clusters(old) ||
		    !is_rule_of_clusters(now) || !balance_alike(old, now))
			return false;
		r->same_subsets = r->same_subsets &&
				  has_subsets(r->service, old, now) &&
				  has_subsets(r->service, now, old);
		other = other || old != now;
		if (obeyed && look_up(p, r->service, false, of_servers) !=
				  look_up(p, r->service, true, of_servers))
			p->is_here = true; /* programs are called so, too */
	}
	if (!other)
		r->pair_count = 0;
	return true;
}

static struct ruled *
ruled_of(struct patching *p, struct service_row *s)
{
	struct ruled *r;

	for (size_t i = 0; i < p->ruled.count; i++) {
		r = p->ruled.items[i];
		if (r->service == s)
			return r;
	}
	r = take(&p->b, 1, sizeof(*r));
	if (r == NULL || p->ruled.count == RULED_MAX)
		return NULL;
	r->service = s;
	r->pairs = take(&p->b, p->base->scopes.count, sizeof(*r->pairs));
	rows_add(&p->ruled, r);
	return r->pairs != NULL && fill_pairs(p, r) ? r : NULL;
}

/* --- which services may be ------------------------------------------------ */

static bool
add_ruled(struct patching *p, struct service_row *s, bool is_due)
{
	struct ruled *r = ruled_of(p, s);

	if (r != NULL)
		r->is_due = r->is_due || is_due;
	return r != NULL;
}

/* All that rules of the host may be for; false: more follows. */
static bool
add_all_ruled(struct patching *p, struct slice host, bool is_due)
{
	struct service_row *s = map_get(&p->b.service_by_host, host);

	for (; s != NULL; s = s->next)
		if (!is_changed_service(&p->b, s) && !add_ruled(p, s, is_due))
			return false;
	for (size_t i = 0;
	     slice_starts(host, S("*")) && i < p->b.services.count; i++) {
		s = p->b.services.items[i];
		if (host_is_within(s->row.host, host) &&
		    !is_changed_service(&p->b, s) && !add_ruled(p, s, is_due))
			return false;
	}
	return true;
}

static struct slice
host_of(struct patching *p, const struct resource *r)
{
	return is_rule(r) ? host_of_rule(&p->b, r) : S("");
}

/* False: there is one that no index of now would lead to. */
static bool
name_hosts(struct patching *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct slice old = host_of(p, p->items[i].old);
		struct slice fresh = host_of(p, p->items[i].fresh);

		if ((host_is_odd(old) || host_is_odd(fresh)) &&
		    !slice_eq(old, fresh))
			return false;
		p->hosts[i].old = old;
		p->hosts[i].fresh = fresh;
	}
	return true;
}

/* What it says of a service now differs from what was said before only if
 * one of its rules does. */
static bool
find_all_ruled(struct patching *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];
		bool is_due = renewal_before(p, r) == NULL;

		/* Its box has rows of what is another service now, or was. */
		p->anew[i] = p->anew[i] || names_changed(p, p->hosts[i].old) ||
			     names_changed(p, p->hosts[i].fresh);
		is_due = is_due || p->anew[i];
		if (!add_all_ruled(p, p->hosts[i].old, is_due) ||
		    !add_all_ruled(p, p->hosts[i].fresh, is_due))
			return false;
	}
	for (size_t i = 0; i < p->before->renewal_count; i++) {
		const struct renewal *r = &p->before->renewals[i];

		if (!is_still_there(p, r) &&
		    (!add_all_ruled(p, host_of(p, r->old), true) ||
			!add_all_ruled(p, host_of(p, r->fresh), true)))
			return false;
	}
	return true;
}

/* --- what follows --------------------------------------------------------- */

/* Those who name its subsets. */
static bool
renew_namings(struct patching *p, const struct ruled *r)
{
	if (r->pair_count > 1 || r->service->is_split)
		return false;
	for (const struct named_by *n = r->service->namings; n != NULL;
	     n = n->next)
		if (!renew_too(p, n->by))
			return false;
	return true;
}

static bool
names(const struct patching *p, size_t item, const struct service_row *s)
{
	return host_is_within(s->row.host, p->hosts[item].old) ||
	       host_is_within(s->row.host, p->hosts[item].fresh);
}

/* Other subsets of any service that it names. */
static bool
moves_subsets(const struct patching *p, size_t item)
{
	for (size_t i = 0; i < p->ruled.count; i++) {
		const struct ruled *x = p->ruled.items[i];

		if (!x->same_subsets && names(p, item, x->service))
			return true;
	}
	return false;
}

/* Is any service that it names due, or all of them? */
static bool
names_due(const struct patching *p, size_t item)
{
	for (size_t i = 0; i < p->ruled.count; i++) {
		const struct ruled *x = p->ruled.items[i];

		if (x->is_due && names(p, item, x->service))
			return true;
	}
	return false;
}

static bool
make_due(struct patching *p, size_t item)
{
	bool any = false;

	for (size_t i = 0; i < p->ruled.count; i++) {
		struct ruled *x = p->ruled.items[i];

		if (x->is_due || !names(p, item, x->service))
			continue;
		x->is_due = any = true;
	}
	return any;
}

/* The box of a rule has rows of all that it names, or is another. */
static void
spread_due(struct patching *p, size_t count)
{
	bool any = true;

	while (any) {
		any = false;
		for (size_t i = 0; i < count; i++)
			any = (names_due(p, i) && make_due(p, i)) || any;
	}
}

bool
find_ruled(struct patching *p)
{
	size_t count = p->count;

	index_rules_again(&p->b, p->items, count, p->rules);
	p->b.rules_now = p->rules;
	if (p->b.full || !name_hosts(p) || !find_all_ruled(p))
		return false;
	spread_due(p, count);
	for (size_t i = 0; i < p->ruled.count; i++) {
		struct ruled *r = p->ruled.items[i];

		if (!r->same_subsets && !renew_namings(p, r))
			return false;
		r->service->ruled = r->pair_count > 0 ? r : NULL;
	}
	for (size_t i = 0; i < count; i++)
		p->items[i].moves = moves_subsets(p, i);
	return true;
}

void
forget_ruled(struct patching *p)
{
	for (size_t i = 0; i < p->ruled.count; i++) {
		const struct ruled *r = p->ruled.items[i];

		r->service->ruled = NULL;
	}
	rows_fini(&p->ruled);
	rule_indexes_fini(p->rules);
}

/* --- clusters that come --------------------------------------------------- */

static bool
add_subset(struct patching *p, const struct ruled *r, struct slice subset)
{
	struct service_row *s = r->service;
	const struct merged_rule *m = r->pairs[0].now;
	const struct resource *from;

	if (!has_names_of(s, find_subset(m, subset, &from)))
		return true; /* as it is where a view is made */
	for (size_t i = 0; i < s->port_count; i++) {
		struct cluster_row *row;

		if (has_cluster(&p->b, s, &s->ports[i], subset))
			continue;
		row = add_later(&p->b, s, &s->ports[i], m, subset);
		if (row == NULL)
			return false;
		row->row.slot = free_slot(
		    &p->b.v->clusters, &p->base->clusters, &p->next_cluster);
		slots_put(&p->b.v->clusters, row->row.slot, &row->row);
		rows_add(&p->b.box->clusters, row);
	}
	return true;
}

/* A scope that has the service has all of its subsets. */
static bool
find_home(struct patching *p, const struct service_row *s)
{
	for (size_t i = 0; i < p->base->scopes.count; i++) {
		p->b.scope = p->base->scopes.items[i];
		if (find_service(&p->b, s->row.host) == s)
			return true;
	}
	return false;
}

static bool
add_subsets(struct patching *p, struct ruled *r)
{
	const struct merged_rule *m = r->pairs[0].now;

	r->is_filled = true;
	/* Nobody calls it, or it is another's name; or none of its names was
	 * in a subset. */
	if (!has_clusters(r->service))
		return !is_resolved(r->service) || !find_home(p, r->service);
	if (!find_home(p, r->service))
		return false;
	for (size_t i = 0; m != NULL && i < m->sources.count; i++) {
		const struct destination_rule *d =
		    resource_destination_rule(m->sources.items[i]);

		for (size_t j = 0; j < d->subsets.count; j++)
			if (!add_subset(p, r, d->subsets.items[j].name))
				return false;
	}
	return true;
}

bool
patch_policies(struct patching *p, size_t item)
{
	const struct renewal *r = &p->items[item];
	struct builder *b = &p->b;
	bool ok = r->old == NULL || !is_told_of(p, r->old);

	map_init(&b->policies); /* those of the base stay */
	for (size_t i = 0; ok && i < p->ruled.count; i++) {
		struct ruled *x = p->ruled.items[i];

		if (!x->same_subsets && !x->is_filled &&
		    names(p, item, x->service))
			ok = add_subsets(p, x);
	}
	map_fini(&b->policies, NULL);
	b->scope = NULL;
	if (ok && r->fresh != NULL)
		report_rule(b, r->fresh);
	return ok;
}

bool
keeps_policies(const struct patching *p, size_t item)
{
	return !p->anew[item] && !names_due(p, item);
}

const struct merged_rule *
rule_now(const struct service_row *s, const struct merged_rule *old)
{
	const struct ruled *r = s->ruled;

	for (size_t i = 0; r != NULL && i < r->pair_count; i++)
		if (r->pairs[i].old == old)
			return r->pairs[i].now;
	return old;
}
