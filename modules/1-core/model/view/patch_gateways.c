/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_gateways — what a gateway listens to, where Gateways, VirtualServices
 * or services that these lead to are others than in the base.
 *
 *	VirtualServices ─► virtual hosts of sets that are as before
 *	       │                              (patch_virtual_hosts.c)
 *	       └─ tcp, tls ─► ports ◄─ Gateways
 *	                        └─► listeners, their chains, sets that are
 *others
 *
 * A port is made again as a whole, with all Gateways that have a part in it;
 * rules for requests that are as before are used again. All of it is in one
 * box, which is that of before while nothing in it would be another. There is
 * no patch where a port is AUTO_PASSTHROUGH and services or its own Gateways
 * are others, and where the first chain of all would be made or the last goes.
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

/* In any scope; false: it is for other machines. */
static bool
is_for_us(struct patching *p, const struct resource *r)
{
	for (size_t i = 0; is_door_kind(r) && i < p->b.gateways.count; i++) {
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

static bool
has_other_bytes(const struct patching *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if ((is_bound(r->old) && has_connections(r->old)) ||
		    (is_bound(r->fresh) && has_connections(r->fresh)))
			return true;
	}
	return false;
}

static bool
have_port_in_common(const struct resource *x, const struct resource *y)
{
	const struct gateway *g = x->spec, *h = y->spec;

	for (size_t i = 0; i < g->servers.count; i++)
		for (size_t j = 0; j < h->servers.count; j++)
			if (g->servers.items[i].port->number ==
			    h->servers.items[j].port->number)
				return true;
	return false;
}

/* Where services stand before a gateway, ports are not what they seem. */
static bool
may_meet(
    const struct patching *p, const struct serving *s, const struct resource *r)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *x = &p->items[i];

		if (is_door_kind(any_of(x)) &&
		    (s->targets.count > 0 || x->old == r ||
			(x->old != NULL && have_port_in_common(x->old, r)) ||
			(x->fresh != NULL && have_port_in_common(x->fresh, r))))
			return true;
	}
	return false;
}

static bool
names(const struct resource *r, const struct resource *door)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->gateways.count; i++) {
		struct slice ns, name;

		gateway_name_split(
		    vs->gateways.items[i], r->key.ns, &ns, &name);
		if (slice_eq(door->key.ns, ns) &&
		    slice_eq(door->key.name, name))
			return true;
	}
	return false;
}

/* One of its Gateways is another, or may share a port with one that is. */
static bool
names_other_door(const struct patching *p, const struct resource *r)
{
	for (size_t i = 0; i < p->b.gateways.count; i++) {
		const struct gateway_state *g = p->b.gateways.items[i];
		const struct rows *all = &g->serving.gateways;

		for (size_t j = 0; j < all->count; j++)
			if (names(r, all->items[j]) &&
			    may_meet(p, &g->serving, all->items[j]))
				return true;
	}
	return false;
}

/* What the base tells of a rule that stays may be so no more: others come
 * before it, or its Gateway is another. False: it is nobody's alone. */
static bool
renew_told(struct patching *p, bool doors, bool bytes)
{
	const struct view *base = p->base;

	for (size_t i = 0; i < base->problem_count; i++) {
		const struct resource *r = base->problem_owners[i];

		if (doors && r == NULL && base->problem_doors[i] == 0 &&
		    slice_eq(base->problems[i].origin.key.kind,
			slice_str(kind_virtual_service.kind)))
			return false;
		if (is_bound(r) &&
		    ((bytes && has_connections(r)) ||
			(doors && names_other_door(p, r))) &&
		    !renew_too(p, r))
			return false;
	}
	return true;
}

bool
passes_on_alone(const struct serving *s)
{
	for (size_t i = 0; i < s->ports.count; i++) {
		const struct served_port *p = s->ports.items[i];

		for (size_t j = 0; j < p->servers.count; j++) {
			const struct served *x = p->servers.items[j];

			if (x->spec->tls != NULL &&
			    x->spec->tls->mode == SERVER_TLS_AUTO_PASSTHROUGH)
				return true;
		}
	}
	return false;
}

bool
has_auto(const struct patching *p)
{
	for (size_t i = 0; i < p->b.gateways.count; i++) {
		const struct gateway_state *g = p->b.gateways.items[i];

		if (passes_on_alone(&g->serving))
			return true;
	}
	return false;
}

bool
find_doors(struct patching *p)
{
	bool doors;

	if (p->b.in->proxy != VIEW_ROUTER)
		return true;
	if (p->services.count + p->changed.count > 0 && has_auto(p))
		return false;
	doors = has_other_doors(p);
	return renew_told(p, doors, doors || has_other_bytes(p));
}

bool
leads_to_gateway(const struct patching *p, const struct service_row *s)
{
	const struct resource *r = s != NULL ? s->resource : NULL;
	const struct labels *selector = r != NULL && r->kind == &kind_service
					    ? &resource_service(r)->selector
					    : NULL;

	for (size_t i = 0; s != NULL && i < p->b.gateways.count; i++) {
		const struct gateway_state *g = p->b.gateways.items[i];

		if (selector != NULL && selector->count > 0 &&
		    slice_eq(s->row.ns, g->scope->row.ns) &&
		    labels_match(&g->scope->row.labels, selector))
			return true;
		for (size_t j = 0; j < g->serving.targets.count; j++)
			if (((const struct target *)g->serving.targets.items[j])
				->service == s)
				return true;
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
	return k == &kind_virtual_service || k == &kind_destination_rule ||
	       is_about_services(r);
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
		    is_for_us(p, r->old) || is_for_us(p, r->fresh))
			return true;
	}
	return false;
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
	     (!has_other_doors(p) || leaves_clusters_of_sets(p)) &&
	     fill_doors(p);
	v->doors->regex_bytes = v->regex_bytes - bytes;
	leave_box(p);
	return ok;
}
