/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch — the view of before with a few other rows.
 *
 *	base ──┬── listeners, routes, upstreams ◄── all that names a cluster
 *	       │                                 or a host
 *	       │                     ▲ slot
 *	patch ─┴── clusters, hosts, guards, problems of now
 *	             │
 *	             └ those that are newer: clusters in a box for each
 *	               service, what policies say in one, listeners of services
 *	               that are others in one, all of gateways in one, the rest
 *	               in one for each resource
 *
 * Who serves changes by the second, what is written by the day. Where nothing
 * but endpoints is new, or VirtualServices, DestinationRules, WorkloadEntries,
 * Services, ServiceEntries and policies come, go and say something else, rows
 * that hang on them are made anew, and all else is shared. What only others
 *make of it is renewed with them: the rules of all that name a host about which
 *another may decide now, and of all that name a subset of a service that has
 *other ones. A cluster that comes takes a slot behind those of the base; one
 *that goes leaves its slot empty. So do virtual hosts of gateways, and those
 *that are there only because rules name them. Everything is put against the
 *base, so that patches never lie on patches; when the boxes hold much, or more
 *follows from a change than its box says, there is none, and the view is
 *made from nothing: where services meddle with each other, and where all rows
 *of the mesh are made of what is another.
 */
#include <stddef.h>

#include "patch.h"

enum { BOXES_FREE = 1 << 20 /* bytes that are never too much */ };

void
box_unref(struct box **bp)
{
	struct box *box = *bp;

	*bp = NULL;
	if (box == NULL ||
	    atomic_fetch_sub_explicit(&box->refs, 1, memory_order_acq_rel) > 1)
		return;
	rows_fini(&box->hosts);
	rows_fini(&box->more_hosts);
	rows_fini(&box->fewer_hosts);
	rows_fini(&box->clusters);
	rows_fini(&box->problems);
	rows_fini(&box->resources);
	rows_fini(&box->guards);
	for (size_t i = 0; i < box->services.count; i++)
		service_fini(box->services.items[i]);
	rows_fini(&box->services);
	rows_fini(&box->their_clusters);
	rows_fini(&box->fewer_clusters);
	for (size_t i = 0; i < box->routes.count; i++)
		routes_fini(box->routes.items[i]);
	rows_fini(&box->routes);
	for (size_t i = 0; i < box->outbound_count; i++)
		listeners_fini(&box->outbound[i]);
	mem_free(&box->outbound);
	map_fini(&box->doors_anew, NULL);
	listeners_fini(&box->inbound);
	map_fini(&box->regexes, regex_drop);
	arena_fini(&box->arena);
	resource_unref(&box->resource);
	resource_unref(&box->was);
	mem_free(&box);
}

struct box *
box_ref(struct box *box)
{
	if (box != NULL)
		atomic_fetch_add_explicit(&box->refs, 1, memory_order_relaxed);
	return box;
}

struct box *
open_box(struct builder *b)
{
	struct box *box = mem_new(sizeof(*box));

	atomic_init(&box->refs, 1);
	arena_init(&box->arena, VIEW_BYTES_MAX);
	map_init(&box->regexes);
	map_init(&box->doors_anew);
	listeners_init(&box->inbound);
	b->box = box;
	b->arena = &box->arena;
	return box;
}

void
enter_box(struct patching *p, struct box *box)
{
	p->b.box = box;
	p->b.arena = &box->arena;
}

void
leave_box(struct patching *p)
{
	struct builder *b = &p->b;

	for (size_t i = 0; i < b->problems.count; i++)
		rows_add(&b->box->problems, b->problems.items[i]);
	rows_fini(&b->problems);
	b->box = NULL;
	b->arena = &p->arena;
}

static const struct view *
base_of(const struct view *v)
{
	return v->base != NULL ? v->base : v;
}

/* --- what is another one -------------------------------------------------- */

static bool
is_like_before(const struct view_input *in)
{
	const struct view *v = in->before;
	const struct builder *b;

	if (v == NULL || in->version == 0 || v->version != in->version)
		return false;
	b = base_of(v)->made_by;
	return b != NULL && b->is_plain;
}

static bool
is_policy(const struct renewal *r)
{
	return kind_of(r) == &kind_destination_rule;
}

static bool
is_rule(const struct renewal *r)
{
	return kind_of(r) == &kind_virtual_service;
}

bool
is_moving(const struct patching *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].moves && is_rule(&p->items[i]))
			return true;
	return false;
}

/* Of rules that are others than in the view before: is any of such a kind? */
static bool
has_other(const struct patching *p, bool (*is_such)(const struct renewal *r))
{
	for (size_t i = 0; i < p->count; i++)
		if (is_such(&p->items[i]) &&
		    renewal_before(p, &p->items[i]) == NULL)
			return true;
	for (size_t i = 0; i < p->before->renewal_count; i++)
		if (is_such(&p->before->renewals[i]) &&
		    !is_still_there(p, &p->before->renewals[i]))
			return true;
	return false;
}

bool
has_other_rules(const struct patching *p)
{
	return has_other(p, is_rule) || has_other(p, is_policy);
}

/* Are clusters of subsets, to which rules lead, other rows than before? */
static bool
makes_subsets(const struct patching *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].moves && is_policy(&p->items[i]) &&
		    !keeps_policies(p, i))
			return true;
	return false;
}

/* --- resources ------------------------------------------------------------ */

bool
is_done(const struct builder *b)
{
	return !b->full && !b->more_follows;
}

/* What was told goes with what it is about. */
static bool
close_box(struct builder *b)
{
	b->box->problems = b->problems;
	b->problems = (struct rows){0};
	return is_done(b);
}

static bool
patch_resource(struct patching *p, size_t item, struct box **out)
{
	struct builder *b = &p->b;
	struct view *v = b->v;
	size_t bytes = v->regex_bytes;
	const struct renewal *r = &p->items[item];
	bool ok = true;

	*out = open_box(b);
	if (r->fresh != NULL)
		b->box->resource = resource_ref(r->fresh);
	if (is_policy(r))
		ok = patch_policies(p, item);
	else if (is_rule(r))
		ok = patch_rules(p, item);
	b->box->regex_bytes = v->regex_bytes - bytes;
	return close_box(b) && ok;
}

/* That of before, if nothing in it would be another. */
static struct box *
box_of(struct patching *p, size_t item)
{
	const struct renewal *r = &p->items[item];
	const struct renewal *x = renewal_before(p, r);

	if (x == NULL || (is_rule(r) && (p->rules_anew || p->anew[item])) ||
	    (is_policy(r) && !keeps_policies(p, item)))
		return NULL;
	return x->box;
}

void
give_back(struct patching *p, const struct box *box)
{
	const struct pages *base = &p->base->clusters;
	const struct rows *lists[] = {
	    &box->their_clusters, &box->fewer_clusters};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t j = 0; j < lists[i]->count; j++) {
			const struct view_cluster *c = lists[i]->items[j];

			slots_put(&p->b.v->clusters, c->slot,
			    c->slot < base->count ? slots_at(base, c->slot)
						  : NULL);
		}
}

/* Of what only the view before has, the slots are free. */
static void
free_slots(struct patching *p)
{
	const struct view *before = p->before;

	for (size_t i = 0; i < before->renewal_count; i++) {
		const struct box *box = before->renewals[i].box;
		bool kept = false;

		for (size_t j = 0; j < p->count; j++)
			kept = kept || p->b.v->renewals[j].box == box;
		for (size_t j = 0; !kept && j < box->clusters.count; j++) {
			const struct view_cluster *c = box->clusters.items[j];

			slots_put(&p->b.v->clusters, c->slot, NULL);
		}
		if (!kept)
			give_back(p, box);
	}
}

static void
keep_boxes(struct patching *p)
{
	struct view *v = p->b.v;

	v->renewals =
	    mem_new_array(MAX(p->count, (size_t)1), sizeof(*v->renewals));
	v->renewal_count = p->count;
	for (size_t i = 0; i < p->count; i++) {
		v->renewals[i] = p->items[i];
		if (p->items[i].box != NULL)
			p->items[i].box = NULL; /* the view has it now */
		else
			v->renewals[i].box = box_ref(box_of(p, i));
		if (v->renewals[i].box != NULL)
			v->regex_bytes += v->renewals[i].box->regex_bytes;
	}
}

/* Those that are made anew. */
static bool
each_service(struct patching *p, bool (*fill)(struct patching *p, size_t item))
{
	for (size_t i = 0; i < p->count; i++)
		if (is_about_services(&p->items[i]) && p->anew[i] &&
		    !fill(p, i))
			return false;
	return true;
}

/* Rules for requests lead to clusters, of which DestinationRules make some. */
static bool
patch_resources(struct patching *p)
{
	struct view *v = p->b.v;

	keep_boxes(p);
	free_slots(p);
	if (!each_service(p, fill_clusters))
		return false;
	if (p->count > 0)
		begin_hosts(p);
	for (int policies = 1; policies >= 0; policies--)
		for (size_t i = 0; i < p->count; i++)
			if (v->renewals[i].box == NULL &&
			    is_policy(&p->items[i]) == (policies == 1) &&
			    !patch_resource(p, i, &v->renewals[i].box))
				return false;
	return each_service(p, fill_hosts);
}

static bool
patch_own(struct patching *p)
{
	struct view *v = p->b.v;
	bool ok = true;

	if (is_here_as_before(p) && is_own_as_before(p)) {
		v->own = box_ref(p->before->own);
		if (v->own == NULL)
			return true;
	} else {
		if (p->before->own != NULL)
			give_back(p, p->before->own);
		if (!has_own(p) && !p->is_here)
			return true;
		v->own = open_box(&p->b);
		fill_own(p);
		ok = close_box(&p->b);
	}
	use_own(v);
	return ok;
}

/* --- the view ------------------------------------------------------------- */

/* So that what nobody sees any more does not become most of it. */
static bool
is_small(const struct view *v, const struct view *base)
{
	size_t used = v->box_bytes;

	for (size_t i = 0; i < v->renewal_count; i++)
		used += v->renewals[i].box->arena.used;
	if (v->own != NULL)
		used += v->own->arena.used;
	if (v->front != NULL)
		used += v->front->arena.used;
	if (v->doors != NULL)
		used += v->doors->arena.used;
	return used <= BOXES_FREE + base->arena.used / 2;
}

static struct view *
copy_of(const struct view *before)
{
	static const size_t counted = offsetof(struct view, version);
	const struct view *base = base_of(before);
	struct view *v = mem_new(sizeof(*v));

	/* But for the count, which others change meanwhile. */
	memcpy((char *)v + counted, (const char *)base + counted,
	    sizeof(*v) - counted);
	v->magic = base->magic;
	v->arena = (struct arena){0}; /* the base's: nothing goes there */
	atomic_init(&v->refs, 1);
	v->base = view_ref(base);
	pages_share(&v->clusters, &before->clusters);
	pages_share(&v->hosts, &base->hosts);
	map_init(&v->more_hosts);
	map_init(&v->hosts_now);
	share_servings(v, before);
	return v;
}

/* False: there is no patch. */
static bool
patch_all(struct patching *p)
{
	list_workloads(p);
	find_peers(p);
	if (!is_mesh_alike(p) || !find_networks(p) || !find_servings(p) ||
	    !find_headless(p) || !find_delegated(p) || !find_services(p) ||
	    !find_here(p) || !find_ruled(p) || !find_moved(p))
		return false;
	p->rules_anew = moves_anew(p) || makes_subsets(p) || shifts_anew(p) ||
			(is_moving(p) && has_other(p, is_rule));
	if (!find_rewired(p) || !decide_services(p))
		return false;
	keep_doors(p);
	if (!patch_resources(p) || !patch_front(p) || !keeps_sets(p))
		return false;
	list_bare_hosts(p);
	return patch_gateways(p) && patch_own(p) && patch_servings(p) &&
	       put_lists(p) && is_small(p->b.v, p->base);
}

static struct view *
patch(struct patching *p)
{
	struct view *v = copy_of(p->before);

	v->generation = p->in->generation;
	v->lists_version = p->in->lists_version;
	v->resources_version = p->in->resources_version;
	v->names_version = p->in->names_version;
	p->b.patch = p;
	p->b.services_now = &p->services;
	p->b.v = v;
	p->b.kept.exposed = p->in->exposed;
	p->b.kept.exposed_count = p->in->exposed_count;
	p->b.kept.names = p->in->names;
	p->b.kept.name_count = p->in->name_count;
	p->b.kept.parse_yaml = p->in->parse_yaml;
	p->b.in = &p->b.kept;
	map_init(&p->b.http_rules); /* those of the base stay */
	map_init(&p->moved);
	map_init(&p->services);
	map_init(&p->rewired);
	if (!patch_all(p))
		view_unref(&v);
	rows_fini(&p->b.problems);
	rows_fini(&p->b.gone_workloads);
	rows_fini(&p->b.come_workloads);
	map_fini(&p->b.http_rules, http_rules_drop);
	map_fini(&p->moved, NULL);
	forget_ruled(p);
	forget_services(p);
	forget_peers(p);
	forget_networks(p);
	return v;
}

struct view *
view_patch(const struct view_input *in)
{
	struct patching p = {.in = in, .before = in->before};
	struct view *v = NULL;

	if (!is_like_before(in))
		return NULL;
	p.base = base_of(in->before);
	arena_init(&p.arena, VIEW_BYTES_MAX);
	p.b = *p.base->made_by;
	p.b.arena = &p.arena;
	if (find_changes(&p) && find_records(&p))
		v = is_all_the_same(&p) ? view_ref(in->before) : patch(&p);
	forget_records(&p);
	arena_fini(&p.arena);
	return v;
}

/* All but the lists of a patch is its base's. */
void
patch_drop(struct view *v)
{
	struct view *base = (struct view *)(uintptr_t)v->base;

	pages_fini(&v->clusters);
	mem_free(&v->listed_clusters.items);
	pages_fini(&v->hosts);
	mem_free(&v->listed_hosts.items);
	map_fini(&v->more_hosts, NULL);
	rows_fini(&v->more_odd);
	map_fini(&v->hosts_now, NULL);
	if (v->problems != base->problems)
		mem_free(&v->problems);
	servings_fini(v);
	for (size_t i = 0; i < v->renewal_count; i++)
		box_unref(&v->renewals[i].box);
	box_unref(&v->own);
	box_unref(&v->front);
	box_unref(&v->doors);
	mem_free(&v->renewals);
	v->magic = 0;
	mem_free(&v);
	view_unref(&base);
}
