/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_hashes — by what two rules keep the requests of one client together.
 *
 * The key is looked for in the request, so it is a part of routes (hashing.c),
 * and all else of the rules is one of clusters.
 */
#include "patch.h"

static bool
is_same_cookie(const struct hash_cookie *a, const struct hash_cookie *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (!slice_eq(a->name, b->name) || !slice_eq(a->path, b->path) ||
	    a->ttl != b->ttl || a->attributes.count != b->attributes.count ||
	    message_has(&hash_cookie_message, a, "ttl") !=
		message_has(&hash_cookie_message, b, "ttl"))
		return false;
	for (size_t i = 0; i < a->attributes.count; i++)
		if (!slice_eq(a->attributes.items[i].name,
			b->attributes.items[i].name) ||
		    !slice_eq(a->attributes.items[i].value,
			b->attributes.items[i].value))
			return false;
	return true;
}

static bool
is_same_hash(const struct load_balancer *x, const struct load_balancer *y)
{
	const struct consistent_hash *a, *b;

	if (x == NULL || y == NULL)
		return x == y; /* of a subset it hides that of all */
	a = x->consistent_hash;
	b = y->consistent_hash;
	if (a == NULL || b == NULL)
		return a == b;
	return slice_eq(a->http_header_name, b->http_header_name) &&
	       slice_eq(a->http_query_parameter_name,
		   b->http_query_parameter_name) &&
	       a->use_source_ip == b->use_source_ip &&
	       is_same_cookie(a->http_cookie, b->http_cookie);
}

static bool
has_same_hashes(const struct traffic_policy *a, const struct traffic_policy *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (!is_same_hash(a->load_balancer, b->load_balancer) ||
	    a->port_level.count != b->port_level.count)
		return false;
	for (size_t i = 0; i < a->port_level.count; i++) {
		const struct port_policy *x = &a->port_level.items[i];
		const struct port_policy *y = &b->port_level.items[i];

		if (x->port == NULL || y->port == NULL ||
		    x->port->number != y->port->number ||
		    !is_same_hash(x->load_balancer, y->load_balancer))
			return false;
	}
	return true;
}

static bool
has_hash(const struct traffic_policy *p)
{
	if (p == NULL)
		return false;
	for (size_t i = 0; i < p->port_level.count; i++) {
		const struct load_balancer *l =
		    p->port_level.items[i].load_balancer;

		if (l != NULL && l->consistent_hash != NULL)
			return true;
	}
	return p->load_balancer != NULL &&
	       p->load_balancer->consistent_hash != NULL;
}

static bool
hashes(const struct merged_rule *m)
{
	for (size_t i = 0; m != NULL && i < m->sources.count; i++) {
		const struct destination_rule *d =
		    resource_destination_rule(m->sources.items[i]);

		for (size_t j = 0; j < d->subsets.count; j++)
			if (has_hash(d->subsets.items[j].traffic_policy))
				return true;
		if (has_hash(d->traffic_policy))
			return true;
	}
	return false;
}

/* Each subset of `a` has what it has in `b`. */
static bool
has_subsets_like(const struct merged_rule *a, const struct merged_rule *b)
{
	const struct resource *from;

	for (size_t i = 0; a != NULL && i < a->sources.count; i++) {
		const struct destination_rule *d =
		    resource_destination_rule(a->sources.items[i]);

		for (size_t j = 0; j < d->subsets.count; j++) {
			struct slice name = d->subsets.items[j].name;
			const struct subset_spec *x, *y;

			x = find_subset(a, name, &from);
			y = find_subset(b, name, &from);
			if (y == NULL || !has_same_hashes(x->traffic_policy,
					     y->traffic_policy))
				return false;
		}
	}
	return true;
}

bool
balance_alike(const struct merged_rule *old, const struct merged_rule *now)
{
	const struct resource *from;

	if (old == now || (!hashes(old) && !hashes(now)))
		return true;
	return has_same_hashes(
		   find_policy(old, &from), find_policy(now, &from)) &&
	       has_subsets_like(old, now) && has_subsets_like(now, old);
}
