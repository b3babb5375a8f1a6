/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_gateways — what a gateway listens to, where Gateways, VirtualServices
 * or services that these lead to are others than in the base.
 *
 *	VirtualServices ─► virtual hosts of sets that are as before
 *	       │                              (patch_virtual_hosts.c)
 *	       └─ tcp, tls ─► ports ◄─ Gateways, Services, WorkloadGroup
 *	                        └─► listeners, their chains, other sets
 *
 * A port is made again as a whole, with all Gateways that have a part in it;
 * rules for requests that are as before are used again. All of it is in one
 * box, which is that of before while nothing in it would be another. Services
 * that stand before the gateway say which ports these are, its WorkloadGroup
 * what comes first on them; and where one is AUTO_PASSTHROUGH it has a chain
 * for each cluster of a service.
 */
#include "doors.h"
#include "patch.h"

bool
is_for_gateways(const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	return vs->hosts.count > 0 &&
	       !gateways_have_mesh(vs->gateways.items, vs->gateways.count);
}

/* --- what is another ------------------------------------------------------ */

static bool
is_rule(const struct resource *r)
{
	return r != NULL && r->kind == &kind_virtual_service;
}

/* A VirtualService that Gateways may have. */
bool
is_bound(const struct resource *r)
{
	return is_rule(r) && resource_virtual_service(r)->gateways.count > 0 &&
	       !is_delegate(r);
}

bool
is_door_kind(const struct resource *r)
{
	return r != NULL && r->kind == &kind_gateway;
}

/* In any scope; false: it is for other machines. Of one that names services
 * these say it, which may be others. */
static bool
is_for_us(struct patching *p, const struct resource *r)
{
	if (!is_door_kind(r) || names_services(r))
		return is_door_kind(r);
	for (size_t i = 0; i < p->b.gateways.count; i++) {
		const struct gateway_state *g = p->b.gateways.items[i];

		p->b.scope = g->scope;
		if (is_gateway_for(&p->b, &g->serving.targets, r))
			return true;
	}
	return false;
}

bool
has_other_doors(struct patching *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (is_for_us(p, p->items[i].old) ||
		    is_for_us(p, p->items[i].fresh))
			return true;
	return false;
}

bool
merges_anew(struct patching *p)
{
	return has_other_doors(p) || has_other_targets(p);
}

/* --- clusters that have chains -------------------------------------------- */

bool
passes_on_alone(const struct served_port *p)
{
	for (size_t i = 0; i < p->servers.count; i++) {
		const struct served *x = p->servers.items[i];

		if (x->spec->tls != NULL &&
		    x->spec->tls->mode == SERVER_TLS_AUTO_PASSTHROUGH)
			return true;
	}
	return false;
}

static bool
has_auto(const struct patching *p)
{
	for (size_t i = 0; i < p->b.gateways.count; i++) {
		const struct gateway_state *g = p->b.gateways.items[i];

		for (size_t j = 0; j < g->serving.ports.count; j++)
			if (passes_on_alone(g->serving.ports.items[j]))
				return true;
	}
	return false;
}

bool
has_other_clusters(const struct patching *p)
{
	for (size_t i = 0; i < p->ruled.count; i++) {
		const struct ruled *r = p->ruled.items[i];

		if (!r->same_subsets)
			return true;
	}
	return p->services.count > 0;
}

static bool
passes_on_others(const struct patching *p)
{
	return has_other_clusters(p) && has_auto(p);
}

/* --- services in front -----------------------------------------------------
 */

/* By where its endpoints are, which a patch does not ask. */
static bool
is_served_target(const struct gateway_state *g, const struct service_row *s)
{
	for (size_t i = 0; i < g->serving.targets.count; i++) {
		const struct target *t = g->serving.targets.items[i];

		if (t->service == s && t->by_endpoint)
			return true;
	}
	return false;
}

bool
is_served_at_gateway(const struct patching *p, const struct service_row *s)
{
	for (size_t i = 0; s != NULL && i < p->b.gateways.count; i++)
		if (is_served_target(p->b.gateways.items[i], s))
			return true;
	return false;
}

/* Does it lead to the gateway, by its labels? */
static bool
is_target(struct patching *p, const struct gateway_state *g,
    const struct service_row *s)
{
	p->b.scope = g->scope;
	return s != NULL && selects_gateway(&p->b, s);
}

bool
has_other_targets(struct patching *p)
{
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(&p->services, &i, &host, &value);) {
		const struct service_now *now = value;

		for (size_t j = 0; j < p->b.gateways.count; j++) {
			const struct gateway_state *g = p->b.gateways.items[j];

			if (is_target(p, g, now->old) ||
			    is_target(p, g, now->fresh))
				return true;
		}
	}
	return false;
}

const struct http_rules *
rules_of_base(const struct patching *p, const struct resource *r)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].old == r)
			return NULL;
	return map_get(&p->base->made_by->http_rules, slice_of(&r, sizeof(r)));
}

/* --- is it as before ------------------------------------------------------ */

/* Chains and routes hang on it. */
static bool
is_of_doors(struct patching *p, const struct renewal *r)
{
	const struct resource_kind *k = kind_of(r);

	if (k == &kind_gateway)
		return is_for_us(p, r->old) || is_for_us(p, r->fresh);
	return k == &kind_workload_group || k == &kind_virtual_service ||
	       k == &kind_destination_rule || is_about_services(r);
}

static bool
are_as_before(struct patching *p)
{
	const struct view *before = p->before;

	if (p->rules_anew || p->changed.count > 0)
		return false;
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (is_of_doors(p, r) &&
		    (p->anew[i] || renewal_before(p, r) == NULL ||
			(kind_of(r) == &kind_destination_rule &&
			    !keeps_policies(p, i))))
			return false;
	}
	for (size_t i = 0; i < before->renewal_count; i++)
		if (is_of_doors(p, &before->renewals[i]) &&
		    !is_still_there(p, &before->renewals[i]))
			return false;
	return true;
}

void
keep_doors(struct patching *p)
{
	p->keeps_doors = p->b.in->proxy == VIEW_ROUTER && are_as_before(p);
	if (p->keeps_doors)
		p->b.v->doors = box_ref(p->before->doors);
}

/* --- the box -------------------------------------------------------------- */

static bool
lead_parts_to_kept(const struct rows *parts)
{
	for (size_t i = 0; i < parts->count; i++) {
		const struct gateway_part *x = parts->items[i];

		if (!lead_to_kept(x->rows, x->count))
			return false;
	}
	return true;
}

/* What rules led to is there without them. */
static bool
leaves_clusters(const struct patching *p)
{
	const struct map *all = &p->base->made_by->http_rules;

	for (size_t i = 0; i < p->count; i++) {
		const struct resource *r = p->items[i].old;
		const struct http_rules *rules =
		    is_bound(r) ? map_get(all, slice_of(&r, sizeof(r))) : NULL;

		if (rules != NULL && !lead_parts_to_kept(&rules->parts))
			return false;
	}
	return true;
}

static bool
leaves_clusters_of_sets(const struct patching *p)
{
	const struct map *all = &p->base->made_by->http_rules;
	struct slice key;
	void *rules;

	for (size_t i = 0; map_next(all, &i, &key, &rules);)
		if (!lead_parts_to_kept(
			&((const struct http_rules *)rules)->parts))
			return false;
	return true;
}

static bool
concerns_doors(struct patching *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (is_bound(r->old) || is_bound(r->fresh) ||
		    is_for_us(p, r->old) || is_for_us(p, r->fresh) ||
		    kind_of(r) == &kind_workload_group)
			return true;
	}
	return has_other_targets(p) || passes_on_others(p);
}

bool
patch_gateways(struct patching *p)
{
	struct view *v = p->b.v;
	size_t bytes = v->regex_bytes;
	bool ok;

	if (p->b.in->proxy != VIEW_ROUTER || p->keeps_doors) {
		if (v->doors != NULL)
			v->regex_bytes += v->doors->regex_bytes;
		return true;
	}
	if (!concerns_doors(p))
		return true;
	v->doors = open_box(&p->b);
	ok = leaves_clusters(p) &&
	     (!merges_anew(p) || leaves_clusters_of_sets(p)) && fill_doors(p);
	v->doors->regex_bytes = v->regex_bytes - bytes;
	leave_box(p);
	return ok;
}
