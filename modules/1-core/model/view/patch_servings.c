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

/* Of one that another is to take the place of. */
static void
drop_box(struct view *v, struct serving_state *s)
{
	if (s->box != NULL)
		v->box_bytes -= s->box->arena.used;
	box_unref(&s->box);
}

static bool
is_state_of(const struct serving_state *s, const struct view_serving *from)
{
	return s->service.len > 0 && slice_eq(s->service, from->service) &&
	       slice_eq(s->ns, from->ns);
}

static const struct serving_state *
state_of(const struct view *v, size_t slot)
{
	return pages_at(&v->servings, slot);
}

/* Where each change has a number of its own, that tells one by itself. */
static bool
is_at(const struct patching *p, size_t slot, const struct view_serving *from)
{
	const struct serving_state *s = state_of(p->b.v, slot);

	return (p->in->moved_since != 0 && s->service.len > 0 &&
		   s->version == from->version) ||
	       is_state_of(s, from);
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
	size_t i = p->base->servings.count;

	if (s != NULL && s->serving > 0 &&
	    is_state_of(state_of(v, s->serving - 1), from))
		return s->serving - 1;
	while (i < v->servings.count && !is_state_of(state_of(v, i), from))
		i++;
	return i;
}

/* It may be one more. */
static size_t
free_state(const struct patching *p)
{
	const struct view *v = p->b.v;
	size_t i = p->base->servings.count;

	while (i < v->servings.count && state_of(v, i)->text != NULL)
		i++;
	return i;
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
	*own_serving(p->b.v, *out) = (struct serving_state){.version = GONE,
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

	places_unref(&v->places);
	v->places =
	    places_new(v->servings.count + RENEWALS_MAX, in->serving_count);
	for (size_t i = 0; i < in->serving_count; i++, slot++) {
		const struct view_serving *from = &in->servings[i];

		if (slot >= v->servings.count || !is_at(p, slot, from))
			slot = find_slot(p, from);
		if (slot >= v->servings.count &&
		    (++come > RENEWALS_MAX || !add_state(p, from, &slot)))
			return false;
		place_serving(v->places, i, slot);
	}
	return true;
}

bool
has_same_lists(const struct patching *p)
{
	return p->in->lists_version != 0 &&
	       p->in->lists_version == p->before->lists_version;
}

/* Else any may be another. */
static bool
knows_moved(const struct patching *p)
{
	return has_same_lists(p) && p->in->moved_since != 0 &&
	       p->in->moved_since <= p->before->newest;
}

bool
find_servings(struct patching *p)
{
	const struct view_input *in = p->in;
	struct view *v = p->b.v;

	v->newest = p->before->newest;
	for (size_t i = 0; knows_moved(p) && i < in->moved_count; i++)
		v->newest = MAX(v->newest, in->servings[in->moved[i]].version);
	if (!knows_moved(p))
		v->newest = newest_serving(in);
	return has_same_lists(p) || find_all(p);
}

const struct view_serving *
serving_at(const struct patching *p, size_t slot)
{
	uint32_t at = p->b.v->places->of_slots[slot];

	return at > 0 ? &p->in->servings[at - 1] : NULL;
}

static bool
is_unserved(const struct builder *b, size_t slot)
{
	return slot >= b->served_count &&
	       slot - b->served_count < b->unserved.count;
}

/* By where the view says that it is. */
static uint64_t
version_in(const struct patching *p, const struct view *v, size_t slot)
{
	const struct builder *b = p->base->made_by;
	uint32_t at = v->places->of_slots[slot];

	if (is_unserved(b, slot))
		return names_version(
		    p->in, b->unserved.items[slot - b->served_count]);
	return at > 0 ? p->in->servings[at - 1].version : GONE;
}

uint64_t
version_now(const struct patching *p, size_t slot)
{
	return version_in(p, p->b.v, slot);
}

void
forget_serving(struct patching *p, size_t slot)
{
	struct serving_state *s = own_serving(p->b.v, slot);

	drop_box(p->b.v, s);
	if (s->version != version_now(p, slot))
		note_offers(p, slot);
	s->version = version_now(p, slot);
}

/* --- which are others ----------------------------------------------------- */

static bool
note_other(
    const struct patching *p, const struct view *of, size_t slot, bool *due)
{
	bool is_other = state_of(of, slot)->version != version_in(p, of, slot);

	if (is_other && due != NULL)
		due[slot] = true;
	return is_other;
}

/* Beside those that the view has, which lists the same as the input; `due`, by
 * slot, may be NULL. */
static bool
note_others(const struct patching *p, const struct view *of, bool *due)
{
	const struct view_input *in = p->in;
	const struct builder *b = p->base->made_by;
	bool any = false;

	for (size_t i = 0; knows_moved(p) && i < in->moved_count; i++)
		any = note_other(p, of, of->places->slots[in->moved[i]], due) ||
		      any;
	for (size_t i = 0; !knows_moved(p) && i < of->servings.count; i++)
		if (!is_unserved(b, i))
			any = note_other(p, of, i, due) || any;
	for (size_t i = 0; !has_same_names(p) && i < b->unserved.count; i++)
		any = note_other(p, of, b->served_count + i, due) || any;
	return any;
}

bool
has_other_servings(const struct patching *p)
{
	return note_others(p, p->before, NULL);
}

void
mark_other_servings(const struct patching *p, bool *due)
{
	(void)note_others(p, p->b.v, due); /* or there are none */
}

bool
is_served_otherwise(const struct patching *p, const struct view *of,
    const struct service_row *s)
{
	size_t slot = s->serving - 1;

	return s->serving > 0 &&
	       state_of(of, slot)->version != version_now(p, slot);
}

size_t
next_due(const struct patching *p, const bool *due, size_t slot)
{
	size_t count = p->b.v->servings.count;
	const bool *found =
	    slot < count ? memchr(&due[slot], true, count - slot) : NULL;

	return found != NULL ? (size_t)(found - due) : count;
}

/* --- endpoints ------------------------------------------------------------ */

/* False: more follows from it. */
static bool
patch_into(struct builder *b, struct service_row *s,
    const struct view_serving *from, size_t slot)
{
	struct serving_state *state;
	bool ok;

	if (s->is_gateway)
		return false;
	state = own_serving(b->v, slot);
	drop_box(b->v, state);
	state->box = open_box(b);
	ok = patch_service(b, s, from) && b->problems.count == 0 && is_done(b);
	b->v->box_bytes += state->box->arena.used;
	return ok;
}

/* Nobody may know such a service; of one that is not among those that records
 * tell of it would become one, or the other way round. */
static bool
patch_serving(struct patching *p, size_t slot)
{
	struct builder *b = &p->b;
	const struct serving_state *state = state_of(b->v, slot);
	const struct view_serving *from = serving_at(p, slot);
	struct service_row *s = service_of(b, state->ns, state->service);
	bool same = state->version == version_now(p, slot);

	/* What a gateway listens to is made of where they are, and of labels:
	 * of where they are find_here() knows. */
	if (!same && b->in->proxy == VIEW_ROUTER && state->here_now != 0)
		return false;
	if (s == NULL)
		return true;
	if (s->serving != slot + 1 || (from == NULL && is_entry(s)))
		return false;
	return patch_into(b, s, from, slot);
}

static bool
patch_unserved(struct patching *p, size_t slot)
{
	struct builder *b = &p->b;
	struct service_row *s = b->unserved.items[slot - b->served_count];

	/* Of another one its own box has all. */
	return is_changed_service(b, s) || patch_into(b, s, NULL, slot);
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

/* False: too many. */
static bool
mark_due(struct patching *p, bool *due)
{
	mark_other_servings(p, due);
	mark_selecting(p, due);
	for (size_t i = 0; i < p->ruled.count; i++) {
		const struct ruled *r = p->ruled.items[i];

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

	for (size_t i = next_due(p, due, 0); i < v->servings.count;
	     i = next_due(p, due, i + 1)) {
		if (is_unserved(&p->b, i) ? !patch_unserved(p, i)
					  : !patch_serving(p, i))
			return false;
		own_serving(v, i)->version = version_now(p, i);
	}
	return true;
}

/* What came and went, and no service is called by. */
static void
free_states(struct patching *p)
{
	struct view *v = p->b.v;

	for (size_t i = p->base->servings.count; i < v->servings.count; i++) {
		const struct serving_state *s = state_of(v, i);
		struct serving_state *own;

		if (s->text == NULL || serving_at(p, i) != NULL ||
		    service_of(&p->b, s->ns, s->service) != NULL)
			continue;
		own = own_serving(v, i);
		drop_box(v, own);
		blob_unref(&own->text);
		*own = (struct serving_state){.version = GONE};
	}
}

bool
patch_servings(struct patching *p)
{
	bool *due =
	    mem_new_array(MAX(p->b.v->servings.count, (size_t)1), sizeof(*due));
	bool ok = mark_due(p, due) && patch_all(p, due);

	mem_free(&due);
	free_states(p);
	return ok;
}
