/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_own — what is said of this machine's own workloads.
 *
 * Policies of access and of tokens are rows that chains name, and
 * PeerAuthentication says which chains there are. Few workloads are on a
 * machine: where one of these is another, all of it is made anew in one box.
 * What clusters make of a PeerAuthentication is another file's: patch_peers.c.
 *
 * Resources without rows of their own are only found among those of the view,
 * where somebody asks for them (../settings), so that these are the ones of
 * now; some kinds are nothing to some proxies.
 */
#include "patch.h"

/* Their rows are those of others. */
static bool
is_about_others(const struct resource_kind *k)
{
	return k == &kind_virtual_service || k == &kind_destination_rule ||
	       k == &kind_workload_entry || k == &kind_service ||
	       k == &kind_service_entry || k == &kind_record;
}

static bool
is_about_own(const struct renewal *r)
{
	return !is_about_others(kind_of(r));
}

/* --- which kinds ---------------------------------------------------------- */

/* Does it hold for callers here? If one that does goes there is no patch. */
static bool
is_sidecar_of_any(const struct view *base, const struct resource *r)
{
	for (size_t i = 0; i < base->scopes.count; i++)
		if (sidecar_would_hold(base, base->scopes.items[i], r))
			return true;
	return false;
}

bool
is_patched(const struct view *base, const struct resource *r)
{
	static const struct resource_kind *const always[] = {
	    &kind_virtual_service, &kind_destination_rule,
	    &kind_authorization_policy, &kind_request_authentication,
	    &kind_peer_authentication, &kind_telemetry, &kind_wasm_plugin,
	    &kind_traffic_extension, &kind_proxy_config, &kind_tls_secret,
	    &kind_rate_limit_policy, &kind_health_check_policy,
	    &kind_mesh_config, &kind_network, &kind_workload_group};
	bool is_gateway = base->made_by->in->proxy == VIEW_ROUTER;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (r->kind == always[i])
			return true;
	if (r->kind == &kind_workload_entry)
		return is_patched_workload(base, r);
	if (r->kind == &kind_sidecar)
		return is_gateway || !is_sidecar_of_any(base, r);
	return r->kind == &kind_gateway || r->kind == &kind_service ||
	       r->kind == &kind_service_entry;
}

/* --- the resources of now ------------------------------------------------- */

static void
take_out(struct rows *all, size_t at)
{
	all->count--;
	memmove(&all->items[at], &all->items[at + 1],
	    (all->count - at) * sizeof(void *));
}

static void
put_resource(struct rows *all, const struct renewal *r)
{
	void *any = (void *)(uintptr_t)any_of(r);
	size_t at = rows_place(all, any, compare_resources);

	if (r->old == NULL)
		rows_insert(all, at, any);
	else if (r->fresh == NULL)
		take_out(all, at);
	else
		all->items[at] = (void *)(uintptr_t)r->fresh;
}

void
list_resources(const struct patching *p, struct rows *out)
{
	copy_rows(out, &p->base->resources);
	for (size_t i = 0; i < p->count; i++)
		if (is_about_own(&p->items[i]))
			put_resource(out, &p->items[i]);
}

/* --- PeerAuthentication --------------------------------------------------- */

static bool
has_other_peers(const struct view *v)
{
	for (size_t i = 0; i < v->renewal_count; i++)
		if (kind_of(&v->renewals[i]) == &kind_peer_authentication)
			return true;
	return false;
}

/* Who may come in. They are found already, but for what is wrong with them. */
static void
renew_listeners(struct patching *p)
{
	struct builder *b = &p->b;
	struct map by_ns = b->peers_by_ns, by_label = b->peers_by_label;
	bool peers = has_other_peers(b->v);

	if (peers) {
		map_init(&b->peers_by_ns);
		map_init(&b->peers_by_label);
		collect_peers(b);
	}
	if (p->is_here) {
		fill_here(p);
	} else {
		renew_guards(b, &p->base->guards);
		listeners_init(&b->v->inbound);
		compile_inbound_listeners(b);
		b->box->inbound = b->v->inbound;
	}
	if (!peers)
		return;
	peers_fini(b);
	b->peers_by_ns = by_ns;
	b->peers_by_label = by_label;
}

/* --- the box -------------------------------------------------------------- */

bool
has_own(const struct patching *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (is_about_own(&p->items[i]))
			return true;
	return false;
}

bool
is_own_as_before(const struct patching *p)
{
	const struct view *before = p->before;

	for (size_t i = 0; i < p->count; i++)
		if (is_about_own(&p->items[i]) &&
		    renewal_before(p, &p->items[i]) == NULL)
			return false;
	for (size_t i = 0; i < before->renewal_count; i++)
		if (is_about_own(&before->renewals[i]) &&
		    !is_still_there(p, &before->renewals[i]))
			return false;
	return true;
}

void
fill_own(struct patching *p)
{
	struct builder *b = &p->b;
	struct view *v = b->v;

	list_resources(p, &b->box->resources);
	v->resources = b->box->resources;
	if (has_other_mesh(v->renewals, v->renewal_count))
		b->mesh = find_mesh(&v->resources, b->arena);
	if (b->mesh == NULL) {
		b->full = true;
		return;
	}
	b->box->mesh = b->mesh;
	v->guards = (struct rows){0};
	if (has_other_peers(v) || p->is_here)
		renew_listeners(p);
	else
		renew_guards(b, &p->base->guards);
	b->box->guards = v->guards;
	b->scope = NULL;
	b->mesh = p->base->mesh;
}

void
use_own(struct view *v)
{
	const struct box *own = v->own;

	v->resources = own->resources;
	v->guards = own->guards;
	v->mesh = own->mesh;
	v->normalization = normalization_of(v->mesh);
	if (has_other_peers(v) || own->is_here)
		v->inbound = own->inbound;
	if (!own->is_here)
		return;
	v->exposed = own->exposed;
	v->exposed_count = own->exposed_count;
}

static bool
is_of_kind(const struct origin *o, const struct resource_kind *kind)
{
	return slice_eq(o->key.kind, slice_str(kind->kind)) &&
	       slice_eq(o->key.group, slice_str(kind->group));
}

bool
tells_own(const struct view *v, const struct view_problem *problem)
{
	const struct origin *o = &problem->origin;

	if (v->own == NULL)
		return false;
	return is_of_kind(o, &kind_authorization_policy) ||
	       is_of_kind(o, &kind_request_authentication) ||
	       (is_of_kind(o, &kind_peer_authentication) && has_other_peers(v));
}
