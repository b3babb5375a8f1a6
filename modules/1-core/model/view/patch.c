/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch — the view of before with other endpoints.
 *
 *	base ──┬── routes, hosts, listeners, clusters ◄── all that names a
 *cluster │                             ▲ slot patch ─┴── clusters of now
 *──────────┘ those of services that changed, in a box for each of these
 *
 * Who serves changes by the second, what is written by the day. Where nothing
 * but endpoints is new, rows of the services that changed are made anew, and
 * all else is shared. Some endpoints say more than where to send to: those at
 * this machine make ports of it, those of a service without an address are
 * called by theirs. Then there is no patch, and the view is made from nothing.
 */
#include "inside.h"

void
box_unref(struct box **bp)
{
	struct box *box = *bp;

	*bp = NULL;
	if (box == NULL ||
	    atomic_fetch_sub_explicit(&box->refs, 1, memory_order_acq_rel) > 1)
		return;
	arena_fini(&box->arena);
	mem_free(&box);
}

static struct box *
box_new(void)
{
	struct box *box = mem_new(sizeof(*box));

	atomic_init(&box->refs, 1);
	arena_init(&box->arena, VIEW_BYTES_MAX);
	return box;
}

static struct box *
box_ref(struct box *box)
{
	if (box != NULL)
		atomic_fetch_add_explicit(&box->refs, 1, memory_order_relaxed);
	return box;
}

/* --- may it be ------------------------------------------------------------ */

static const struct view *
base_of(const struct view *v)
{
	return v->base != NULL ? v->base : v;
}

static bool
is_like_before(const struct view_input *in)
{
	const struct view *v = in->before;

	return v != NULL && in->version != 0 && v->version == in->version &&
	       v->serving_count == in->serving_count &&
	       base_of(v)->made_by != NULL && base_of(v)->made_by->is_plain;
}

/* Several of one host may be called at each other's endpoints. */
static bool
is_simple(const struct builder *b, const struct service_row *s)
{
	const struct service_row *first =
	    map_get(&b->service_by_host, s->row.host);

	if (first->next != NULL)
		return false;
	for (size_t i = 0; i < s->port_count; i++)
		for (const struct cluster_row *c = s->ports[i].clusters;
		     c != NULL; c = c->next)
			if (c->needs_all)
				return false;
	return s->row.resolution == VIEW_LISTED &&
	       (s->resource == NULL || s->resource->kind == &kind_service);
}

bool
is_served_here(const struct view *v, const struct view_serving *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (view_is_announced(v, &from->endpoints[i].addr))
			return true;
	return false;
}

/* --- one service ---------------------------------------------------------- */

/* Its ports, with the endpoints of now. */
static bool
read_ports(struct builder *b, struct service_row *s, struct port_row **out)
{
	*out = take(b, s->port_count, sizeof(**out));
	for (size_t i = 0; *out != NULL && i < s->port_count; i++) {
		(*out)[i].port = s->ports[i].port;
		(*out)[i].protocol = s->ports[i].protocol;
	}
	return *out != NULL;
}

static void
renew_cluster(struct builder *b, const struct cluster_row *old,
    const struct service_row *s, const struct port_row *fresh)
{
	struct cluster_row *row = take(b, 1, sizeof(*row));

	if (row == NULL)
		return;
	*row = *old;
	row->row.endpoints = NULL;
	row->row.localities = NULL;
	row->row.endpoint_count = row->row.usable_count = 0;
	row->row.locality_count = 0;
	b->scope = old->scope;
	choose_endpoints(b, row, &s->row, fresh);
	b->v->clusters.items[row->row.slot] = &row->row;
}

/* Into a box of its own. */
static void
renew(struct builder *b, struct service_row *s, const struct view_serving *from)
{
	struct service_row fresh = *s;

	if (!read_ports(b, s, &fresh.ports))
		return;
	add_serving(b, &fresh, from);
	if (fresh.resource != NULL)
		add_written_endpoints(b, &fresh);
	for (size_t i = 0; i < s->port_count; i++) {
		for (const struct cluster_row *c = s->ports[i].clusters;
		     c != NULL; c = c->next)
			renew_cluster(b, c, s, &fresh.ports[i]);
		rows_fini(&fresh.ports[i].endpoints);
	}
}

/* False: more follows from it. */
static bool
patch_serving(
    struct builder *b, const struct view_serving *from, struct box **out)
{
	struct service_row *s = service_of(b, from->ns, from->service);
	struct box *box;

	if (is_served_here(b->v, from))
		return false;
	if (s == NULL)
		return true; /* nobody knows such a service */
	if (!is_simple(b, s))
		return false;
	box = box_new();
	b->arena = &box->arena;
	renew(b, s, from);
	box_unref(out);
	*out = box;
	return !b->full && b->problems.count == 0;
}

/* --- the view ------------------------------------------------------------- */

static struct view *
copy_of(const struct view *before)
{
	struct view *v = mem_new(sizeof(*v));
	size_t n = before->serving_count;

	*v = *before;
	atomic_init(&v->refs, 1);
	v->base = view_ref(base_of(before));
	v->clusters.items = mem_new_array(
	    MAX(before->clusters.count, (size_t)1), sizeof(void *));
	v->clusters.cap = v->clusters.count;
	memcpy(v->clusters.items, before->clusters.items,
	    before->clusters.count * sizeof(void *));
	v->boxes = mem_new_array(MAX(n, (size_t)1), sizeof(struct box *));
	v->servings = mem_new_array(MAX(n, (size_t)1), sizeof(*v->servings));
	memcpy(v->servings, before->servings, n * sizeof(*v->servings));
	for (size_t i = 0; before->boxes != NULL && i < n; i++)
		v->boxes[i] = box_ref(before->boxes[i]);
	return v;
}

static bool
patch_all(struct builder *b, const struct view_input *in)
{
	for (size_t i = 0; i < in->serving_count; i++) {
		struct serving_state *s = &b->v->servings[i];

		if (s->version == in->servings[i].version)
			continue;
		if (s->is_here ||
		    !patch_serving(b, &in->servings[i], &b->v->boxes[i]))
			return false;
		s->version = in->servings[i].version;
	}
	return true;
}

static bool
is_all_the_same(const struct view_input *in)
{
	for (size_t i = 0; i < in->serving_count; i++)
		if (in->before->servings[i].version != in->servings[i].version)
			return false;
	return true;
}

struct view *
view_patch(const struct view_input *in)
{
	struct builder b;
	struct view *v;

	if (!is_like_before(in))
		return NULL;
	if (is_all_the_same(in))
		return view_ref(in->before);
	v = copy_of(in->before);
	v->generation = in->generation;
	b = *base_of(in->before)->made_by;
	b.v = v;
	if (!patch_all(&b, in))
		view_unref(&v);
	rows_fini(&b.problems);
	return v;
}
