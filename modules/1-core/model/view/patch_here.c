/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_here — what is served on this machine, if that is another than in the
 * base: what is exposed, or where the services are that lead here.
 *
 * Few are: all that calls from the mesh meet here is made anew in the box of
 * what is this machine's own (patch_own.c), clusters, guards and listeners. Who
 * leads here is found among the services that did in the base, those that have
 * endpoints at its addresses by records, and those that are others. A gateway's
 * own are a part of what it listens to: there a view is made from nothing.
 */
#include <stdlib.h>

#include "inbound.h"
#include "patch.h"

static bool
is_gateway(const struct patching *p)
{
	return p->b.in->proxy == VIEW_ROUTER;
}

/* --- is it another -------------------------------------------------------- */

static void
find_serving_here(struct patching *p, size_t slot)
{
	struct view *v = p->b.v;
	const struct view_serving *from = serving_at(p, slot);
	uint64_t now = from != NULL ? served_here(v, from) : 0;
	const struct serving_state *s = pages_at(&v->servings, slot);

	if (s->here_now == now)
		return;
	p->moves_here = true;
	v->moved_here -= s->here_now != s->here;
	v->moved_here += now != s->here;
	own_serving(v, slot)->here_now = now;
}

/* Of each serving that is another, where it is served here now. */
static void
find_servings_here(struct patching *p)
{
	struct view *v = p->b.v;
	size_t count = v->servings.count;
	bool *due = mem_new_array(MAX(count, (size_t)1), sizeof(*due));

	mark_other_servings(p, due);
	for (size_t i = next_due(p, due, 0); i < count;
	     i = next_due(p, due, i + 1))
		find_serving_here(p, i);
	mem_free(&due);
	p->is_here |= v->moved_here > 0;
}

/* Who calls as an account has the labels of what is exposed as that. */
static bool
has_callers_by_account(const struct patching *p)
{
	for (size_t i = 0; i < p->in->upstream_count; i++)
		if (p->in->upstreams[i].account.len > 0)
			return true;
	return false;
}

static void
find_changed_here(struct patching *p)
{
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(&p->services, &i, &host, &value);) {
		const struct service_now *now = value;

		p->is_here |= now->old != NULL && now->old->leads_here;
	}
	p->moves_here |= p->changed.count > 0;
}

bool
find_here(struct patching *p)
{
	struct view *v = p->b.v;
	uint64_t before = p->before->exposed_version;
	bool is_exposed;

	v->exposed_version = exposed_version_of(p->in);
	is_exposed = v->exposed_version != p->base->exposed_version;
	p->is_here |= is_exposed;
	p->moves_here |= v->exposed_version != before;
	find_servings_here(p);
	find_changed_here(p);
	return !p->is_here ||
	       (!is_gateway(p) && !(is_exposed && has_callers_by_account(p)));
}

/* --- after their endpoints are known -------------------------------------- */

/* Rows of services that are others: of one that was made for this view, what
 * is served here names one that nobody has any more. */
static void
find_rows_here(struct patching *p)
{
	const struct view *v = p->b.v;

	for (size_t i = 0; i < v->renewal_count; i++) {
		const struct rows *some = &v->renewals[i].box->services;

		for (size_t j = 0; j < some->count; j++) {
			const struct service_row *s = some->items[j];

			p->is_here |= s->leads_here;
			p->moves_here |= s->leads_here && p->anew[i];
		}
	}
}

/* Programs here are called as their services' DestinationRules say. */
static bool
has_moved_policy(const struct patching *p)
{
	struct rows moved = {0};
	bool any;

	list_moved(p, &kind_destination_rule, &moved);
	any = moved.count > 0;
	rows_fini(&moved);
	return any;
}

bool
is_here_as_before(struct patching *p)
{
	const struct box *own = p->before->own;
	bool was = own != NULL && own->is_here;

	find_rows_here(p);
	return was == p->is_here &&
	       (!was || (!p->moves_here && !has_moved_policy(p)));
}

/* --- who leads here ------------------------------------------------------- */

static void
collect_now(struct builder *b, struct service_row *s, struct rows *out)
{
	struct patching *p = b->patch;
	struct arena *arena = b->arena;
	struct service_row copy = *s;
	const struct view_serving *from =
	    is_recorded(b, s) ? serving_at(p, s->serving - 1) : NULL;

	b->arena = &p->arena;
	if (read_again(b, s, from, &copy)) {
		b->arena = arena;
		collect_leads(b, s, copy.ports, out);
		for (size_t i = 0; i < s->port_count; i++)
			rows_fini(&copy.ports[i].endpoints);
	}
	b->arena = arena;
}

static void
collect_unless_changed(
    struct builder *b, struct service_row *s, struct rows *out)
{
	if (s != NULL && !is_changed_service(b, s))
		collect_now(b, s, out);
}

void
collect_leads_now(struct builder *b, struct rows *out)
{
	const struct view *v = b->v;
	struct slice host;
	void *value;

	for (size_t i = 0; i < b->here.count && !b->full; i++)
		collect_unless_changed(b, b->here.items[i], out);
	for (size_t i = 0; i < v->servings.count && !b->full; i++) {
		const struct serving_state *s = pages_at(&v->servings, i);

		if (s->here_now != 0)
			collect_unless_changed(
			    b, service_of(b, s->ns, s->service), out);
	}
	for (size_t i = 0; map_next(b->services_now, &i, &host, &value);) {
		const struct service_now *now = value;

		if (now->fresh != NULL && !b->full)
			collect_now(b, now->fresh, out);
	}
}

/* --- clusters ------------------------------------------------------------- */

static bool
has_cluster_named(const struct rows *all, struct slice name)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct view_cluster *c = all->items[i];

		if (slice_eq(c->name, name))
			return true;
	}
	return false;
}

static void
place(struct patching *p, struct box *box)
{
	struct pages *all = &p->b.v->clusters;

	for (size_t i = 0; i < box->their_clusters.count; i++) {
		struct view_cluster *c = box->their_clusters.items[i];
		const struct view_cluster *like =
		    map_get(&p->base->cluster_by_name, c->name);

		c->slot = like != NULL ? like->slot
				       : free_slot(all, &p->base->clusters,
					     &p->next_cluster);
		slots_put(all, c->slot, c);
	}
}

/* The first of the base that does not come before it. */
static size_t
first_named(const struct pages *all, struct slice name)
{
	size_t low = 0, high = all->count;

	while (low < high) {
		size_t at = low + (high - low) / 2;
		const struct view_cluster *c = slots_at(all, at);

		if (slice_cmp(c->name, name) < 0)
			low = at + 1;
		else
			high = at;
	}
	return low;
}

/* The base's, by name: they stand side by side. */
static void
drop(struct patching *p, struct box *box)
{
	static const struct slice begin = {"inbound|", 8};
	const struct pages *all = &p->base->clusters;

	for (size_t i = first_named(all, begin); i < all->count; i++) {
		struct view_cluster *c = slots_at(all, i);

		if (!slice_starts(c->name, begin))
			return;
		if (has_cluster_named(&box->their_clusters, c->name))
			continue;
		rows_add(&box->fewer_clusters, c);
		slots_put(&p->b.v->clusters, c->slot, NULL);
	}
}

/* --- the box -------------------------------------------------------------- */

void
fill_here(struct patching *p)
{
	struct builder *b = &p->b;
	struct view *v = b->v;
	struct rows obeyed = b->obeyed;

	b->obeyed = (struct rows){0}; /* the base's are not ours */
	map_init(&b->policies);
	b->box->is_here = true;
	listeners_init(&v->inbound);
	b->scope = p->base->scopes.items[0];
	compile_inbound(b);
	b->box->inbound = v->inbound;
	b->scope = NULL;
	compile_exposed(b);
	compile_access(b);
	b->box->exposed = v->exposed;
	b->box->exposed_count = v->exposed_count;
	place(p, b->box);
	drop(p, b->box);
	map_fini(&b->policies, NULL);
	rows_fini(&b->obeyed);
	b->obeyed = obeyed;
}

bool
tells_here(const struct view *v, uint32_t door)
{
	return door == DOOR_HERE && v->own != NULL && v->own->is_here;
}
