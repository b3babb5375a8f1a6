/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch — the view of before with a few other rows.
 *
 *	base ──┬── listeners, routes, upstreams ◄── all that names a cluster
 *	       │                                 or a host
 *	       │                     ▲ slot
 *	patch ─┴── clusters, hosts, problems of now
 *	             │
 *	             └ those that are newer: clusters in a box for each
 *	               service, the rest in one for each resource
 *
 * Who serves changes by the second, what is written by the day. Where nothing
 * but endpoints is new, or what a VirtualService or a DestinationRule says
 * about the hosts that it had before, rows that hang on them are made anew, and
 * all else is shared.
 * Everything is put against the base, so that patches never lie on patches;
 * when the boxes hold much, or more follows from a change than its box says,
 * there is no patch, and the view is made from nothing.
 */
#include <stddef.h>

#include "inside.h"

enum {
	RENEWALS_MAX = 64,
	BOXES_FREE = 1 << 20 /* bytes that are never too much */
};

static void
box_unref(struct box **bp)
{
	struct box *box = *bp;

	*bp = NULL;
	if (box == NULL ||
	    atomic_fetch_sub_explicit(&box->refs, 1, memory_order_acq_rel) > 1)
		return;
	rows_fini(&box->hosts);
	rows_fini(&box->problems);
	map_fini(&box->regexes, regex_drop);
	arena_fini(&box->arena);
	resource_unref(&box->resource);
	mem_free(&box);
}

static struct box *
box_ref(struct box *box)
{
	if (box != NULL)
		atomic_fetch_add_explicit(&box->refs, 1, memory_order_relaxed);
	return box;
}

/* What is made goes there from now on. */
static struct box *
open_box(struct builder *b)
{
	struct box *box = mem_new(sizeof(*box));

	atomic_init(&box->refs, 1);
	arena_init(&box->arena, VIEW_BYTES_MAX);
	map_init(&box->regexes);
	b->box = box;
	b->arena = &box->arena;
	return box;
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

	return v != NULL && in->version != 0 && v->version == in->version &&
	       v->serving_count == in->serving_count &&
	       base_of(v)->input_count == in->resource_count &&
	       base_of(v)->made_by != NULL && base_of(v)->made_by->is_plain;
}

/* Which of the resources are others than the base's. */
struct changes {
	size_t at[RENEWALS_MAX];
	size_t count;
};

/* False: too many, or one that is no other form of the same. */
static bool
find_changes(
    const struct view *base, const struct view_input *in, struct changes *out)
{
	for (size_t i = 0; i < in->resource_count; i++) {
		const struct resource *old = base->inputs[i];

		if (in->resources[i] == old)
			continue;
		if (out->count == RENEWALS_MAX ||
		    (old->kind != &kind_virtual_service &&
			old->kind != &kind_destination_rule) ||
		    !resource_key_eq(&old->key, &in->resources[i]->key))
			return false;
		out->at[out->count++] = i;
	}
	/* Of two with one key the newer counts, whichever that is now. */
	return out->count == 0 || base->input_count == base->resources.count;
}

/* That of before, if it is of just this resource. */
static struct box *
box_of(const struct view *before, size_t at, const struct resource *r)
{
	for (size_t i = 0; i < before->renewal_count; i++)
		if (before->renewals[i].at == at &&
		    before->renewals[i].box->resource == r)
			return before->renewals[i].box;
	return NULL;
}

static bool
is_all_the_same(const struct view_input *in, const struct changes *changes)
{
	const struct view *before = in->before;

	if (before->renewal_count != changes->count)
		return false;
	for (size_t i = 0; i < changes->count; i++)
		if (box_of(before, changes->at[i],
			in->resources[changes->at[i]]) == NULL)
			return false;
	for (size_t i = 0; i < in->serving_count; i++)
		if (before->servings[i].version != in->servings[i].version)
			return false;
	return true;
}

/* --- what follows from it ------------------------------------------------- */

static bool
is_done(const struct builder *b)
{
	return !b->full && !b->more_follows;
}

/* False: more follows from it. */
static bool
patch_serving(
    struct builder *b, const struct view_serving *from, struct box **out)
{
	struct service_row *s = service_of(b, from->ns, from->service);

	if (is_served_here(b->v, from))
		return false;
	if (s == NULL)
		return true; /* nobody knows such a service */
	box_unref(out);
	*out = open_box(b);
	return patch_service(b, s, from) && b->problems.count == 0 &&
	       is_done(b);
}

static bool
patch_servings(struct builder *b, const struct view_input *in, const bool *due)
{
	for (size_t i = 0; i < in->serving_count; i++) {
		struct serving_state *s = &b->v->servings[i];
		bool is_due = due != NULL && due[i];

		if (s->version == in->servings[i].version && !is_due)
			continue;
		if (s->is_here ||
		    !patch_serving(b, &in->servings[i], &b->v->boxes[i]))
			return false;
		s->version = in->servings[i].version;
	}
	return true;
}

static bool
patch_resource(struct builder *b, const struct view *base, size_t at,
    const struct resource *fresh, struct box **out)
{
	struct view *v = b->v;
	struct box *box = open_box(b);
	size_t bytes = v->regex_bytes;
	const struct resource *old = base->inputs[at];
	bool ok;

	*out = box;
	box->resource = resource_ref(fresh);
	map_init(&b->http_rules); /* those of the base stay */
	ok = fresh->kind == &kind_virtual_service
		 ? patch_rules(b, base, old, fresh)
		 : patch_policies(b, base, old, fresh);
	ok = ok && is_done(b);
	map_fini(&b->http_rules, http_rules_drop);
	box->problems = b->problems;
	b->problems = (struct rows){0};
	box->regex_bytes = v->regex_bytes - bytes;
	return ok;
}

static bool
patch_resources(struct builder *b, const struct view *base,
    const struct view_input *in, const struct changes *changes)
{
	struct view *v = b->v;

	for (size_t i = 0; i < changes->count; i++) {
		struct renewal *r = &v->renewals[i];
		const struct resource *fresh = in->resources[changes->at[i]];

		r->at = changes->at[i];
		r->box = box_ref(box_of(in->before, r->at, fresh));
		v->renewal_count = i + 1;
		if (r->box != NULL)
			v->regex_bytes += r->box->regex_bytes;
		else if (!patch_resource(b, base, r->at, fresh, &r->box))
			return false;
	}
	return true;
}

/* --- services whose rules are others than in the view before -------------- */

static void
add_moved(struct rows *out, const struct view *base, size_t at)
{
	if (base->inputs[at]->kind == &kind_destination_rule)
		rows_add(out, base->inputs[at]);
}

static bool
has_change(const struct changes *changes, size_t at)
{
	for (size_t i = 0; i < changes->count; i++)
		if (changes->at[i] == at)
			return true;
	return false;
}

/* DestinationRules of the base that are neither as before nor were as now. */
static void
find_moved(const struct view *base, const struct view_input *in,
    const struct changes *changes, struct rows *out)
{
	const struct view *before = in->before;

	for (size_t i = 0; i < changes->count; i++)
		if (box_of(before, changes->at[i],
			in->resources[changes->at[i]]) == NULL)
			add_moved(out, base, changes->at[i]);
	for (size_t i = 0; i < before->renewal_count; i++)
		if (!has_change(changes, before->renewals[i].at))
			add_moved(out, base, before->renewals[i].at);
}

static bool
is_moved(const struct rows *moved, const struct merged_rule *m)
{
	for (size_t i = 0; m != NULL && i < m->sources.count; i++)
		for (size_t j = 0; j < moved->count; j++)
			if (m->sources.items[i] == moved->items[j])
				return true;
	return false;
}

static bool
is_service_moved(const struct rows *moved, const struct service_row *s)
{
	for (size_t i = 0; i < s->port_count; i++)
		for (const struct cluster_row *c = s->ports[i].clusters;
		     c != NULL; c = c->next)
			if (is_moved(moved, c->rule))
				return true;
	return false;
}

/* False: there is one that nobody serves, so it has no box. */
static bool
mark_moved(const struct builder *b, const struct rows *moved, bool *due)
{
	for (size_t i = 0; i < b->services.count; i++) {
		const struct service_row *s = b->services.items[i];

		if (!is_service_moved(moved, s))
			continue;
		if (s->serving == 0)
			return false;
		due[s->serving - 1] = true;
	}
	return true;
}

static bool
patch_services(struct builder *b, const struct view *base,
    const struct view_input *in, const struct changes *changes)
{
	struct rows moved = {0};
	bool *due = NULL, ok = true;

	find_moved(base, in, changes, &moved);
	if (moved.count > 0) {
		due = mem_new_array(
		    MAX(in->serving_count, (size_t)1), sizeof(*due));
		ok = mark_moved(b, &moved, due);
	}
	ok = ok && patch_servings(b, in, due);
	mem_free(&due);
	rows_fini(&moved);
	return ok;
}

/* --- the lists ------------------------------------------------------------ */

static void
copy_rows(struct rows *out, const struct rows *from)
{
	*out = (struct rows){
	    mem_new_array(MAX(from->count, (size_t)1), sizeof(void *)),
	    from->count, from->count};
	if (from->count > 0)
		memcpy(out->items, from->items, from->count * sizeof(void *));
}

static void
put_hosts(struct view *v, const struct view *base)
{
	copy_rows(&v->hosts, &base->hosts);
	for (size_t i = 0; i < v->renewal_count; i++) {
		const struct rows *some = &v->renewals[i].box->hosts;

		for (size_t j = 0; j < some->count; j++) {
			struct view_host *h = some->items[j];

			v->hosts.items[h->slot - 1] = h;
		}
	}
}

static bool
is_renewed(
    const struct view *v, const struct view *base, const struct resource *r)
{
	for (size_t i = 0; i < v->renewal_count; i++)
		if (base->inputs[v->renewals[i].at] == r)
			return true;
	return false;
}

/* False: there may be others, which nobody wrote down. */
static bool
put_problems(struct view *v, const struct view *base)
{
	struct rows all = {0};

	for (size_t i = 0; i < base->problem_count; i++)
		if (!is_renewed(v, base, base->problem_owners[i]))
			rows_add(&all, &base->problems[i]);
	for (size_t i = 0; i < v->renewal_count; i++) {
		const struct rows *some = &v->renewals[i].box->problems;

		for (size_t j = 0; j < some->count; j++)
			rows_add(&all, some->items[j]);
	}
	rows_sort(&all, compare_problems);
	v->problems =
	    mem_new_array(MAX(all.count, (size_t)1), sizeof(*v->problems));
	v->problem_count = all.count;
	for (size_t i = 0; i < all.count; i++)
		v->problems[i] = *(const struct view_problem *)all.items[i];
	rows_fini(&all);
	return base->problem_count < PROBLEMS_MAX &&
	       v->problem_count < PROBLEMS_MAX;
}

/* So that what nobody sees any more does not become most of it. */
static bool
is_small(const struct view *v, const struct view *base)
{
	size_t used = 0;

	for (size_t i = 0; i < v->serving_count; i++)
		if (v->boxes[i] != NULL)
			used += v->boxes[i]->arena.used;
	for (size_t i = 0; i < v->renewal_count; i++)
		used += v->renewals[i].box->arena.used;
	return used <= BOXES_FREE + base->arena.used / 2;
}

/* --- the view ------------------------------------------------------------- */

static struct view *
copy_of(const struct view *before, size_t changes)
{
	static const size_t counted = offsetof(struct view, version);
	const struct view *base = base_of(before);
	struct view *v = mem_new(sizeof(*v));
	size_t n = before->serving_count;

	/* But for the count, which others change meanwhile. */
	memcpy((char *)v + counted, (const char *)base + counted,
	    sizeof(*v) - counted);
	v->magic = base->magic;
	atomic_init(&v->refs, 1);
	v->base = view_ref(base);
	copy_rows(&v->clusters, &before->clusters);
	v->boxes = mem_new_array(MAX(n, (size_t)1), sizeof(struct box *));
	v->servings = mem_new_array(MAX(n, (size_t)1), sizeof(*v->servings));
	memcpy(v->servings, before->servings, n * sizeof(*v->servings));
	for (size_t i = 0; before->boxes != NULL && i < n; i++)
		v->boxes[i] = box_ref(before->boxes[i]);
	if (changes > 0)
		v->renewals = mem_new_array(changes, sizeof(*v->renewals));
	return v;
}

static bool
patch_all(struct builder *b, const struct view *base,
    const struct view_input *in, const struct changes *changes)
{
	return patch_resources(b, base, in, changes) &&
	       patch_services(b, base, in, changes) &&
	       (changes->count == 0 || put_problems(b->v, base)) &&
	       is_small(b->v, base);
}

struct view *
view_patch(const struct view_input *in)
{
	struct changes changes = {.count = 0};
	const struct view *base;
	struct builder b;
	struct view *v;

	if (!is_like_before(in))
		return NULL;
	base = base_of(in->before);
	if (!find_changes(base, in, &changes))
		return NULL;
	if (is_all_the_same(in, &changes))
		return view_ref(in->before);
	v = copy_of(in->before, changes.count);
	v->generation = in->generation;
	b = *base->made_by;
	b.v = v;
	if (!patch_all(&b, base, in, &changes))
		view_unref(&v);
	else if (changes.count > 0)
		put_hosts(v, base);
	rows_fini(&b.problems);
	return v;
}

/* All but the lists of a patch is its base's. */
void
patch_drop(struct view *v)
{
	struct view *base = (struct view *)(uintptr_t)v->base;

	rows_fini(&v->clusters);
	if (v->hosts.items != base->hosts.items)
		rows_fini(&v->hosts);
	if (v->problems != base->problems)
		mem_free(&v->problems);
	for (size_t i = 0; i < v->serving_count; i++)
		box_unref(&v->boxes[i]);
	for (size_t i = 0; i < v->renewal_count; i++)
		box_unref(&v->renewals[i].box);
	mem_free(&v->boxes);
	mem_free(&v->renewals);
	mem_free(&v->servings);
	v->magic = 0;
	mem_free(&v);
	view_unref(&base);
}
