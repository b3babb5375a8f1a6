/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localities — which endpoints are preferred, by where they and we are.
 *
 * `distribute` says how much of the calls from here goes where. Otherwise,
 * where failures are noticed, what is nearer comes first: the same place, zone,
 * region; then what `failover` names; or by labels, as `failoverPriority` says.
 * Upstream's rules; zones that balance themselves are its third way.
 */
#include <stdlib.h>

#include "inside.h"

struct place {
	struct slice region, zone, subzone;
};

static struct place
place_of(struct slice text)
{
	struct place p;

	p.region = slice_split(&text, '/');
	p.zone = slice_split(&text, '/');
	p.subzone = text;
	return p;
}

struct slice
locality_of(struct builder *b, struct slice given, const struct labels *labels)
{
	struct slice label = labels_get(labels, S("istio-locality"));
	struct slice copy;

	if (given.len > 0 || label.len == 0)
		return take_copy(b, given);
	copy = take_copy(b, label);
	if (slice_find(label, '/') < label.len)
		return copy;
	for (size_t i = 0; i < copy.len; i++) {
		char *c = (char *)(uintptr_t)&copy.ptr[i]; /* ours */

		if (*c == '.')
			*c = '/';
	}
	return copy;
}

/* --- groups --------------------------------------------------------------- */

/* An endpoint and the priority that it has so far. */
struct ranked {
	struct view_endpoint *e;
	uint32_t priority;
};

/* All of a cluster while they are arranged, by locality. */
struct arrangement {
	struct builder *b;
	struct ranked *items;
	size_t count;
	struct place own;
};

/* What a locality has instead of the sum of its endpoints' weights. */
struct share {
	bool written;
	uint32_t weight;
};

static int
by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int n = (x->priority > y->priority) - (x->priority < y->priority);

	if (n == 0)
		n = slice_cmp(x->e->locality, y->e->locality);
	if (n == 0)
		n = slice_cmp(x->e->network, y->e->network);
	if (n == 0)
		n = slice_cmp(x->e->name, y->e->name);
	return n != 0 ? n : addr_cmp(&x->e->addr, &y->e->addr);
}

/* From 0 without gaps; the items are sorted by it. */
static void
close_gaps(struct arrangement *a)
{
	uint32_t before = 0, now = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (i == 0)
			before = a->items[0].priority;
		now += a->items[i].priority != before;
		before = a->items[i].priority;
		a->items[i].priority = now;
	}
}

/* --- by labels ------------------------------------------------------------ */

/* What upstream's registries add to the labels of workloads. */
static struct slice
label_of(const struct labels *labels, struct slice key, const struct place *p,
    struct slice network, struct slice node)
{
	struct slice v = labels_get(labels, key);

	if (v.len > 0)
		return v;
	if (slice_eq(key, S("topology.kubernetes.io/region")))
		return p->region;
	if (slice_eq(key, S("topology.kubernetes.io/zone")))
		return p->zone;
	if (slice_eq(key, S("topology.istio.io/subzone")))
		return p->subzone;
	if (slice_eq(key, S("topology.istio.io/network")))
		return network;
	return slice_eq(key, S("kubernetes.io/hostname")) ? node : v;
}

/*
 * How early the endpoint stops being like us: 0 if it is in all. One that
 * only lies in another network, where that is asked first, comes after all
 * that lie in ours.
 */
static uint32_t
label_rank(const struct arrangement *a, const struct view_endpoint *e,
    const struct slice *keys, size_t count)
{
	const struct view_scope *of = &a->b->scope->row;
	struct place there = place_of(e->locality);
	uint32_t away = 0;

	for (size_t i = 0; i < count; i++) {
		struct slice wanted = keys[i];
		struct slice key = slice_split(&wanted, '=');
		struct slice own = wanted;

		if (key.len == keys[i].len)
			own = label_of(&of->labels, key, &a->own,
			    a->b->in->network, S(""));
		if (slice_eq(own,
			label_of(&e->labels, key, &there, e->network, e->node)))
			continue;
		if (i > 0 || !slice_eq(keys[0], S("topology.istio.io/network")))
			return (uint32_t)(count - i) + away;
		away = (uint32_t)count;
	}
	return away;
}

static void
rank_by_labels(struct arrangement *a, const struct slice *keys, size_t count)
{
	if (a->b->scope->row.labels.count == 0)
		return;
	for (size_t i = 0; i < a->count; i++)
		a->items[i].priority =
		    label_rank(a, a->items[i].e, keys, count);
	qsort(a->items, a->count, sizeof(*a->items), by_rank);
	close_gaps(a);
}

/* --- by distance ---------------------------------------------------------- */

struct failover {
	const struct locality_failover *items;
	size_t count;
};

/* The region that takes over for ours; NULL: none is named. */
static const struct locality_failover *
takes_over(const struct arrangement *a, const struct failover *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (slice_eq(f->items[i].from, a->own.region))
			return &f->items[i];
	return NULL;
}

static uint32_t
distance(const struct arrangement *a, const struct view_endpoint *e,
    const struct failover *f)
{
	enum { SAME, SAME_ZONE, SAME_REGION, NAMED, OTHER };
	struct place there = place_of(e->locality);
	const struct locality_failover *next = takes_over(a, f);

	if (!slice_eq(there.region, a->own.region))
		return next == NULL || slice_eq(next->to, there.region) ? NAMED
									: OTHER;
	if (!slice_eq(there.zone, a->own.zone))
		return SAME_REGION;
	return slice_eq(there.subzone, a->own.subzone) ? SAME : SAME_ZONE;
}

/* All of a region are alike: its zones balance among themselves. */
static uint32_t
region_distance(const struct arrangement *a, const struct view_endpoint *e,
    const struct failover *f)
{
	struct place there = place_of(e->locality);
	const struct locality_failover *next = takes_over(a, f);

	if (slice_eq(there.region, a->own.region))
		return 0;
	return next != NULL && slice_eq(next->to, there.region) ? 1 : 2;
}

static void
rank_by_distance(struct arrangement *a, const struct failover *f,
    uint32_t (*of)(const struct arrangement *, const struct view_endpoint *,
	const struct failover *))
{
	enum { DISTANCES = 5 };

	for (size_t i = 0; i < a->count; i++)
		a->items[i].priority =
		    a->items[i].priority * DISTANCES + of(a, a->items[i].e, f);
	qsort(a->items, a->count, sizeof(*a->items), by_rank);
	close_gaps(a);
}

static void
rank(struct arrangement *a, const struct view_balancing *how, bool fails_over)
{
	const struct zone_balancer *z = how->zone;
	const struct locality_balancer *l = how->locality;
	const struct failover by_zone =
	    z ? (struct failover){z->failover.items, z->failover.count}
	      : (struct failover){NULL, 0};
	const struct failover by_place =
	    l ? (struct failover){l->failover.items, l->failover.count}
	      : (struct failover){NULL, 0};

	if (z != NULL && z->enabled) {
		if (z->failover_priority.count > 0)
			rank_by_labels(a, z->failover_priority.items,
			    z->failover_priority.count);
		rank_by_distance(a, &by_zone, region_distance);
	}
	if (l == NULL || !fails_over || l->distribute.count > 0)
		return;
	if (l->failover_priority.count > 0)
		rank_by_labels(
		    a, l->failover_priority.items, l->failover_priority.count);
	if (l->failover_priority.count == 0 || l->failover.count > 0)
		rank_by_distance(a, &by_place, distance);
}

/* --- by shares ------------------------------------------------------------ */

static bool
is_part(struct slice rule, struct slice is, bool may_be_empty)
{
	return slice_eq(rule, S("*")) || slice_eq(rule, is) ||
	       (may_be_empty && rule.len == 0);
}

/* "region/zone/subzone", with "*" or nothing for any. */
static bool
covers(struct slice rule, const struct place *p)
{
	struct place r = place_of(rule);

	return is_part(r.region, p->region, false) &&
	       is_part(r.zone, p->zone, true) &&
	       is_part(r.subzone, p->subzone, true);
}

static const struct locality_share *
find_share(const struct arrangement *a, const struct locality_balancer *l)
{
	for (size_t i = 0; l != NULL && i < l->distribute.count; i++)
		if (covers(l->distribute.items[i].from, &a->own))
			return &l->distribute.items[i];
	return NULL;
}

/* The localities that one entry names share its percent by their weights. */
static void
share_out(const struct view_cluster *c, struct view_locality *all,
    struct share *shares, const struct int_entry *to)
{
	uint64_t total = 0;

	for (size_t i = 0; i < c->locality_count; i++) {
		struct place p = place_of(all[i].name);

		if (!shares[i].written && covers(to->key, &p))
			total += all[i].weight;
	}
	for (size_t i = 0; total > 0 && i < c->locality_count; i++) {
		struct place p = place_of(all[i].name);
		uint64_t part = (uint64_t)all[i].weight * (uint64_t)to->number;

		if (shares[i].written || !covers(to->key, &p))
			continue;
		shares[i].written = true;
		shares[i].weight = (uint32_t)((part + total - 1) / total);
	}
}

/* Without a share there are no calls, so it is left out. */
static void
keep_shared(struct view_cluster *c, struct view_locality *all,
    const struct share *shares, const struct view_endpoint **items)
{
	size_t kept = 0, endpoints = 0;

	for (size_t i = 0; i < c->locality_count; i++) {
		struct view_locality l = all[i];

		if (!shares[i].written)
			continue;
		for (size_t j = 0; j < l.count; j++)
			items[endpoints + j] = items[l.first + j];
		l.first = endpoints;
		if (shares[i].weight > 0)
			l.weight = shares[i].weight;
		endpoints += l.count;
		all[kept++] = l;
	}
	c->locality_count = kept;
	c->endpoint_count = endpoints;
}

static void
distribute(struct builder *b, struct view_cluster *c,
    const struct locality_share *share, struct view_locality *all,
    const struct view_endpoint **items)
{
	struct share *shares = take(b, c->locality_count, sizeof(*shares));

	if (shares == NULL)
		return;
	for (size_t i = 0; i < share->to.count; i++)
		share_out(c, all, shares, &share->to.items[i]);
	keep_shared(c, all, shares, items);
}

/* --- the whole ------------------------------------------------------------ */

static size_t
count_groups(const struct arrangement *a)
{
	size_t n = a->count > 0;

	for (size_t i = 1; i < a->count; i++)
		n += a->items[i].priority != a->items[i - 1].priority ||
		     !slice_eq(
			 a->items[i].e->locality, a->items[i - 1].e->locality);
	return n;
}

static void
add_to_group(struct view_cluster *c, struct view_locality *all,
    const struct ranked *r, size_t at)
{
	struct view_locality *l = &all[c->locality_count];

	if (l->count > 0 &&
	    (l->priority != r->priority || !slice_eq(l->name, r->e->locality)))
		l = &all[++c->locality_count];
	if (l->count == 0) {
		l->name = r->e->locality;
		l->priority = r->priority;
		l->first = at;
	}
	l->count++;
	if (!r->e->is_further)
		l->weight += MIN(r->e->weight, UINT32_MAX - l->weight);
}

static void
write_rows(struct arrangement *a, struct view_cluster *c)
{
	const struct view_endpoint **items =
	    take(a->b, a->count, sizeof(*items));
	struct view_locality *all = take(a->b, count_groups(a), sizeof(*all));
	const struct locality_share *share;

	if (a->b->full)
		return;
	for (size_t i = 0; i < a->count; i++) {
		items[i] = a->items[i].e;
		add_to_group(c, all, &a->items[i], i);
	}
	c->locality_count += a->count > 0;
	c->endpoint_count = a->count;
	c->endpoints = items;
	c->localities = all;
	share = find_share(a, c->policy->balancing.locality);
	if (share != NULL)
		distribute(a->b, c, share, all, items);
	for (size_t i = 0; i < c->endpoint_count; i++) {
		c->usable_count += items[i]->usable;
		c->awaited_count += items[i]->is_awaited;
	}
}

/* Upstream asks whether anything of it is written. */
static bool
goes_by_locality(const struct locality_balancer *l, bool fails_over)
{
	return l != NULL &&
	       (l->distribute.count > 0 ||
		   (fails_over && (l->failover.count > 0 ||
				      l->failover_priority.count > 0)));
}

bool
arranges_by_labels(const struct view_cluster_policy *p, bool fails_over)
{
	const struct view_balancing *how = &p->balancing;

	if (how->zone != NULL)
		return how->zone->enabled &&
		       how->zone->failover_priority.count > 0;
	return how->locality != NULL && fails_over &&
	       how->locality->failover_priority.count > 0;
}

void
arrange_endpoints(struct builder *b, struct view_cluster *c,
    struct rows *endpoints, bool fails_over)
{
	struct arrangement a = {.b = b,
	    .items = mem_new_array(
		MAX(endpoints->count, (size_t)1), sizeof(struct ranked)),
	    .count = endpoints->count,
	    .own = place_of(b->locality)};

	for (size_t i = 0; i < a.count; i++)
		a.items[i].e = endpoints->items[i];
	if (a.count > 1)
		qsort(a.items, a.count, sizeof(*a.items), by_rank);
	if (a.count > 0)
		rank(&a, &c->policy->balancing, fails_over);
	write_rows(&a, c);
	c->by_locality =
	    goes_by_locality(c->policy->balancing.locality, fails_over);
	mem_free(&a.items);
}
