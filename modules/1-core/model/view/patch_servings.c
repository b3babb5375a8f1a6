/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_servings — which services records tell of now, and the clusters of
 * those that have other endpoints.
 *
 *	slot:   0 …         of the base    …   behind them
 *	     servings    unserved services   servings that came
 *
 * Rows name a serving by its slot, which is found by name where the input lists
 * others than that of the view before. A serving that is gone leaves its slot
 * to itself while a service is called by its name: that has no endpoints.
 */
#include "patch.h"

/* The version of one that is not there. */
#define GONE UINT64_MAX

/* --- slots ---------------------------------------------------------------- */

static struct serving_state
copy_state(const struct serving_state *s)
{
	struct serving_state copy = *s;

	copy.text = blob_ref(s->text);
	return copy;
}

void
copy_servings(struct view *v, const struct view *before)
{
	size_t n = before->serving_count;

	v->serving_count = n;
	v->lists_version = before->lists_version;
	v->boxes = mem_new_array(MAX(n, (size_t)1), sizeof(struct box *));
	v->servings = mem_new_array(MAX(n, (size_t)1), sizeof(*v->servings));
	for (size_t i = 0; i < n; i++)
		v->servings[i] = copy_state(&before->servings[i]);
	for (size_t i = 0; before->boxes != NULL && i < n; i++)
		v->boxes[i] = box_ref(before->boxes[i]);
}

void
drop_servings(struct view *v)
{
	for (size_t i = 0; i < v->serving_count; i++) {
		box_unref(&v->boxes[i]);
		blob_unref(&v->servings[i].text);
	}
	mem_free(&v->boxes);
	mem_free(&v->servings);
}

static bool
is_state_of(const struct serving_state *s, const struct view_serving *from)
{
	return s->service.len > 0 && slice_eq(s->service, from->service) &&
	       slice_eq(s->ns, from->ns);
}

/* The base's by the row that is named so, else one of the few behind them; none
 * is the count. */
static size_t
find_slot(const struct patching *p, const struct view_serving *from)
{
	const struct view *v = p->b.v;
	char text[HOST_TEXT_MAX];
	const struct service_row *s = map_get(&p->b.service_by_host,
	    recorded_host(&p->b, from->ns, from->service, text));
	size_t i = p->base->serving_count;

	if (s != NULL && s->serving > 0 &&
	    is_state_of(&v->servings[s->serving - 1], from))
		return s->serving - 1;
	while (i < v->serving_count && !is_state_of(&v->servings[i], from))
		i++;
	return i;
}

static size_t
free_state(struct patching *p)
{
	struct view *v = p->b.v;
	size_t i = p->base->serving_count, n = v->serving_count;

	while (i < n && v->servings[i].text != NULL)
		i++;
	if (i < n)
		return i;
	v->servings = mem_resize(v->servings, n, n + 1, sizeof(*v->servings));
	v->boxes = mem_resize(v->boxes, n, n + 1, sizeof(struct box *));
	v->boxes[n] = NULL;
	v->serving_count++;
	return n;
}

static bool
add_state(struct patching *p, const struct view_serving *from, size_t *out)
{
	char text[HOST_TEXT_MAX];
	struct blob *copy = blob_new(
	    slice_join(SLICES(from->ns, from->service), text, sizeof(text)));
	struct slice both = blob_bytes(copy);

	if (copy == NULL || both.len != from->ns.len + from->service.len)
		return false;
	*out = free_state(p);
	p->b.v->servings[*out] = (struct serving_state){.version = GONE,
	    .ns = slice_sub(both, 0, from->ns.len),
	    .service = slice_sub(both, from->ns.len, SIZE_MAX),
	    .text = copy};
	return true;
}

/* Mostly they are in the order of the base: one is where the last was, and the
 * next behind it. */
static bool
find_all(struct patching *p)
{
	const struct view_input *in = p->in;
	struct view *v = p->b.v;
	size_t slot = 0, come = 0;

	for (size_t i = 0; i < v->serving_count; i++)
		v->servings[i].at = 0;
	for (size_t i = 0; i < in->serving_count; i++, slot++) {
		const struct view_serving *from = &in->servings[i];

		if (slot >= v->serving_count ||
		    !is_state_of(&v->servings[slot], from))
			slot = find_slot(p, from);
		if (slot >= v->serving_count &&
		    (++come > RENEWALS_MAX || !add_state(p, from, &slot)))
			return false;
		v->servings[slot].at = (uint32_t)(i + 1);
	}
	return true;
}

bool
find_servings(struct patching *p)
{
	struct view *v = p->b.v;

	v->lists_version = p->in->lists_version;
	return has_same_lists(p) || find_all(p);
}

bool
has_same_lists(const struct patching *p)
{
	return p->in->lists_version != 0 &&
	       p->in->lists_version == p->before->lists_version;
}

const struct view_serving *
serving_at(const struct patching *p, size_t slot)
{
	const struct serving_state *s = &p->b.v->servings[slot];

	return s->at > 0 ? &p->in->servings[s->at - 1] : NULL;
}

static bool
is_unserved(const struct builder *b, size_t slot)
{
	return slot >= b->served_count &&
	       slot - b->served_count < b->unserved.count;
}

uint64_t
version_now(
    const struct patching *p, const struct serving_state *all, size_t slot)
{
	const struct builder *b = p->base->made_by;

	if (is_unserved(b, slot))
		return names_version(
		    p->in, b->unserved.items[slot - b->served_count]);
	return all[slot].at > 0 ? p->in->servings[all[slot].at - 1].version
				: GONE;
}

/* --- endpoints ------------------------------------------------------------ */

/* False: more follows from it. */
static bool
patch_into(struct builder *b, struct service_row *s,
    const struct view_serving *from, struct box **out)
{
	if (s->is_gateway)
		return false;
	box_unref(out);
	*out = open_box(b);
	return patch_service(b, s, from) && b->problems.count == 0 &&
	       is_done(b);
}

/* Nobody may know such a service; of one that is not among those that records
 * tell of it would become one, or the other way round. */
static bool
patch_serving(struct patching *p, size_t slot)
{
	struct builder *b = &p->b;
	const struct serving_state *state = &b->v->servings[slot];
	const struct view_serving *from = serving_at(p, slot);
	struct service_row *s = service_of(b, state->ns, state->service);
	bool same = state->version == version_now(p, b->v->servings, slot);

	/* What a gateway listens to is made of where they are, and of labels:
	 * of where they are find_here() knows. */
	if (!same && b->in->proxy == VIEW_ROUTER && state->here_now != 0)
		return false;
	if (s == NULL)
		return true;
	if (s->serving != slot + 1 || (from == NULL && is_entry(s)))
		return false;
	return patch_into(b, s, from, &b->v->boxes[slot]);
}

static bool
patch_unserved(struct patching *p, size_t slot)
{
	struct builder *b = &p->b;
	struct service_row *s = b->unserved.items[slot - b->served_count];

	/* Of another one its own box has all. */
	return is_changed_service(b, s) ||
	       patch_into(b, s, NULL, &b->v->boxes[slot]);
}

/* Rows of the base again, whose endpoints may be others. */
static void
mark_given_back(struct patching *p, bool *due)
{
	for (size_t i = 0; i < p->changed.count; i++) {
		const struct service_row *s = map_get(&p->b.service_by_host,
		    *(const struct slice *)p->changed.items[i]);

		if (s != NULL && !is_changed_service(&p->b, s) &&
		    has_clusters(s))
			due[s->serving - 1] = true;
	}
}

/* False: there is one of names, which may gain or lose a cluster, or too many.
 */
static bool
mark_due(struct patching *p, bool *due)
{
	mark_selecting(p, due);
	for (size_t i = 0; i < p->ruled.count; i++) {
		const struct ruled *r = p->ruled.items[i];

		if (r->is_due && is_resolved(r->service))
			return false;
		if (!r->is_due || !has_clusters(r->service))
			continue;
		due[r->service->serving - 1] = true;
		reset_service(p, r->service);
	}
	mark_given_back(p, due);
	return mark_disarmed(p, due) && mark_in_networks(p, due);
}

static bool
patch_all(struct patching *p, const bool *due)
{
	struct view *v = p->b.v;

	for (size_t i = 0; i < v->serving_count; i++) {
		uint64_t version = version_now(p, v->servings, i);

		if (v->servings[i].version == version && !due[i])
			continue;
		if (is_unserved(&p->b, i) ? !patch_unserved(p, i)
					  : !patch_serving(p, i))
			return false;
		v->servings[i].version = version;
	}
	return true;
}

/* What came and went, and no service is called by. */
static void
free_states(struct patching *p)
{
	struct view *v = p->b.v;

	for (size_t i = p->base->serving_count; i < v->serving_count; i++) {
		struct serving_state *s = &v->servings[i];

		if (s->text == NULL || s->at > 0 ||
		    service_of(&p->b, s->ns, s->service) != NULL)
			continue;
		box_unref(&v->boxes[i]);
		blob_unref(&s->text);
		*s = (struct serving_state){.version = GONE};
	}
}

bool
patch_servings(struct patching *p)
{
	bool *due =
	    mem_new_array(MAX(p->b.v->serving_count, (size_t)1), sizeof(*due));
	bool ok = mark_due(p, due) && patch_all(p, due);

	mem_free(&due);
	free_states(p);
	return ok;
}
