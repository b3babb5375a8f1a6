/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clusters — endpoints that share a port, a subset and a policy.
 *
 * Names are Istio's, under svc.cluster.local whatever the mesh's own domain
 * is: dashboards and searches that people have know them like that.
 */
#include <inttypes.h>

#include "inside.h"

const struct subset_spec *
find_subset(const struct service_row *s, struct slice name,
    const struct resource **out_rule)
{
	for (size_t i = 0; i < s->rules.count; i++) {
		const struct resource *r = s->rules.items[i];
		const struct destination_rule *d = resource_destination_rule(r);

		for (size_t j = 0; j < d->subsets.count; j++)
			if (slice_eq(d->subsets.items[j].name, name)) {
				*out_rule = r;
				return &d->subsets.items[j];
			}
	}
	return NULL;
}

const struct traffic_policy *
find_policy(const struct service_row *s, const struct resource **out_rule)
{
	for (size_t i = 0; i < s->rules.count; i++) {
		const struct resource *r = s->rules.items[i];
		const struct destination_rule *d = resource_destination_rule(r);

		if (d->traffic_policy == NULL)
			continue;
		*out_rule = r;
		return d->traffic_policy;
	}
	return NULL;
}

static enum balancer
balancer_of(const struct traffic_policy *p, enum balancer otherwise)
{
	if (p == NULL || p->load_balancer == NULL)
		return otherwise;
	switch (p->load_balancer->simple) {
	case BALANCER_ROUND_ROBIN:
	case BALANCER_RANDOM:
		return (enum balancer)p->load_balancer->simple;
	default: /* unspecified, and the old name */
		return BALANCER_LEAST_REQUEST;
	}
}

static struct slice
cluster_name(struct builder *b, const struct service_row *s,
    const struct port_row *p, struct slice subset)
{
	return take_printf(b, "outbound|%u|%.*s|%.*s", (unsigned)p->port,
	    SLICE_ARG(subset), SLICE_ARG(s->row.istio));
}

static void
select_endpoints(struct builder *b, const struct port_row *p,
    const struct labels *wanted, struct view_cluster *c)
{
	const struct view_endpoint **items =
	    take(b, p->endpoint_count, sizeof(*items));

	for (size_t i = 0; items != NULL && i < p->endpoint_count; i++) {
		const struct view_endpoint *e =
		    &b->endpoints[p->first_endpoint + i];

		if (!labels_match(&e->labels, wanted))
			continue;
		items[c->endpoint_count++] = e;
		c->usable_count += e->usable;
	}
	c->endpoints = items;
}

static struct view_cluster *
make(struct builder *b, const struct service_row *s, const struct port_row *p,
    const struct subset_spec *subset, const struct resource *rule,
    struct slice name)
{
	static const struct labels everything = {NULL, 0};
	struct view_cluster *c = take(b, 1, sizeof(*c));
	const struct resource *from = NULL;
	enum balancer own =
	    balancer_of(find_policy(s, &from), BALANCER_LEAST_REQUEST);

	if (c == NULL)
		return NULL;
	c->id = slice_hash_stable(name);
	if (map_get(&b->v->cluster_by_name, name) != NULL)
		c->id ^=
		    b->scope->hash; /* other rules hold for these callers */
	c->name = name;
	c->service = &s->row;
	c->port = p->port;
	c->subset = subset != NULL ? subset->name : S("");
	c->protocol = p->protocol;
	c->balancer = balancer_of(subset ? subset->traffic_policy : NULL, own);
	if (subset != NULL)
		c->origin = origin_of(rule, subset->head.line);
	else if (from != NULL)
		c->origin = origin_of(from, 0);
	select_endpoints(b, p, subset ? &subset->labels : &everything, c);
	if (b->full)
		return NULL;
	if (map_get(&b->v->cluster_by_name, name) == NULL)
		(void)map_put(&b->v->cluster_by_name, name, c); /* see above */
	(void)map_put(&b->v->cluster_by_name, slice_of(&c->id, sizeof(c->id)),
	    c); /* was not there */
	rows_add(&b->v->clusters, c);
	return c;
}

/* Scopes in which the same rules hold have a cluster in common. */
static struct slice
key_of(struct builder *b, const struct service_row *s, struct slice name)
{
	return take_printf(b, "%.*s|%" PRIx64, SLICE_ARG(name), s->rules_hash);
}

const struct view_cluster *
find_cluster(struct builder *b, struct service_row *s, const struct port_row *p,
    struct slice subset, struct slice *missing)
{
	struct slice name = cluster_name(b, s, p, subset);
	struct slice key = key_of(b, s, name);
	struct view_cluster *c = map_get(&b->cluster_by_key, key);
	const struct subset_spec *spec = NULL;
	const struct resource *rule = NULL;

	if (c != NULL)
		return c;
	if (subset.len > 0) {
		spec = find_subset(s, subset, &rule);
		if (spec == NULL) {
			*missing = take_printf(b,
			    "no DestinationRule gives %.*s a subset %.*s",
			    SLICE_ARG(s->row.host), SLICE_ARG(subset));
			return NULL;
		}
	}
	c = make(b, s, p, spec, rule, name);
	if (c != NULL)
		(void)map_put(&b->cluster_by_key, key, c); /* was not there */
	return c;
}
