/* SPDX-License-Identifier: Apache-2.0 */
/*
 * servings — what a view knows of the servings that it was made of, for the
 * patches that follow; see patch_servings.c.
 */
#include "patch.h"

/* --- slots ---------------------------------------------------------------- */

static void
hold_state(void *item)
{
	const struct serving_state *s = item;

	(void)box_ref(s->box);   /* the copy has it */
	(void)blob_ref(s->text); /* likewise */
}

static void
drop_state(void *item)
{
	struct serving_state *s = item;

	box_unref(&s->box);
	blob_unref(&s->text);
}

static const struct page_type states = {
    .size = sizeof(struct serving_state),
    .hold = hold_state,
    .drop = drop_state,
};

struct serving_state *
own_serving(struct view *v, size_t slot)
{
	return pages_own(&v->servings, slot);
}

/* --- places --------------------------------------------------------------- */

struct places *
places_new(size_t slots, size_t servings)
{
	struct places *p = mem_new(sizeof(*p));

	atomic_init(&p->refs, 1);
	p->of_slots =
	    mem_new_array(MAX(slots, (size_t)1), sizeof(*p->of_slots));
	p->slots = mem_new_array(MAX(servings, (size_t)1), sizeof(*p->slots));
	return p;
}

void
place_serving(struct places *p, size_t place, size_t slot)
{
	p->of_slots[slot] = (uint32_t)(place + 1);
	p->slots[place] = (uint32_t)slot;
}

static struct places *
places_ref(struct places *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void
places_unref(struct places **pp)
{
	struct places *p = *pp;

	*pp = NULL;
	if (p == NULL ||
	    atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) > 1)
		return;
	mem_free(&p->of_slots);
	mem_free(&p->slots);
	mem_free(&p);
}

/* --- of a view ------------------------------------------------------------ */

uint64_t
newest_serving(const struct view_input *in)
{
	uint64_t newest = 0;

	for (size_t i = 0; in->moved_since != 0 && i < in->serving_count; i++)
		newest = MAX(newest, in->servings[i].version);
	return newest;
}

void
keep_servings(struct builder *b)
{
	const struct view_input *in = b->in;
	struct view *v = b->v;
	size_t n = in->serving_count;

	v->newest = newest_serving(in);
	v->places = places_new(n + b->unserved.count, n);
	pages_init(&v->servings, &states, n + b->unserved.count);
	for (size_t i = 0; i < n; i++) {
		const struct view_serving *from = &in->servings[i];
		uint64_t here = served_here(v, from);

		place_serving(v->places, i, i);
		*own_serving(v, i) =
		    (struct serving_state){.version = from->version,
			.ns = take_copy(b, from->ns),
			.service = take_copy(b, from->service),
			.here = here,
			.here_now = here,
			.offered = offered_to(b, from)};
	}
	for (size_t i = 0; i < b->unserved.count; i++)
		own_serving(v, n + i)->version =
		    names_version(in, b->unserved.items[i]);
}

void
share_servings(struct view *v, const struct view *before)
{
	pages_share(&v->servings, &before->servings);
	v->places = places_ref(before->places);
	v->box_bytes = before->box_bytes;
	v->moved_here = before->moved_here;
}

void
servings_fini(struct view *v)
{
	pages_fini(&v->servings);
	places_unref(&v->places);
}
