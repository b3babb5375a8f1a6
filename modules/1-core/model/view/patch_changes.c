/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_changes — which resources are others than those of the base.
 *
 * The lists are walked side by side: what is the same is the same pointer, and
 * where it is not, both meet again a few steps on. What only changed places
 * falls out of what is left then.
 */
#include <stdlib.h>

#include "patch.h"

enum { ODD_MAX = 4 * RENEWALS_MAX };

/* What only one of the lists has, as far as the walk saw. */
struct odd {
	const struct resource *gone[ODD_MAX], *come[ODD_MAX];
	size_t gone_count, come_count;
};

struct walk {
	struct resource *const *was;
	const struct resource *const *is;
	size_t was_count, is_count;
};

/* How many of each to leave out until they meet; false: too many. */
static bool
find_meeting(const struct walk *w, size_t *out_was, size_t *out_is)
{
	for (size_t n = 1; n <= RENEWALS_MAX; n++) {
		bool was = n < w->was_count, is = n < w->is_count;

		*out_was = *out_is = n;
		if (was && is && w->was[n] == w->is[n])
			return true;
		*out_is = 0;
		if (was && w->is_count > 0 && w->was[n] == w->is[0])
			return true;
		*out_is = n;
		*out_was = 0;
		if (is && w->was_count > 0 && w->was[0] == w->is[n])
			return true;
	}
	*out_was = w->was_count;
	*out_is = w->is_count;
	return *out_was <= RENEWALS_MAX && *out_is <= RENEWALS_MAX;
}

static bool
leave_out(struct walk *w, size_t was, size_t is, struct odd *o)
{
	if (o->gone_count + was > ODD_MAX || o->come_count + is > ODD_MAX)
		return false;
	for (size_t i = 0; i < was; i++)
		o->gone[o->gone_count++] = w->was[i];
	for (size_t i = 0; i < is; i++)
		o->come[o->come_count++] = w->is[i];
	w->was += was;
	w->was_count -= was;
	w->is += is;
	w->is_count -= is;
	return true;
}

/* False: too much. */
static bool
find_odd(const struct patching *p, struct odd *o)
{
	struct walk w = {p->base->inputs, p->in->resources,
	    p->base->input_count, p->in->resource_count};
	size_t was, is;

	for (;;) {
		while (
		    w.was_count > 0 && w.is_count > 0 && w.was[0] == w.is[0]) {
			w.was++;
			w.is++;
			w.was_count--;
			w.is_count--;
		}
		if (w.was_count + w.is_count == 0)
			return true;
		if (!find_meeting(&w, &was, &is) || !leave_out(&w, was, is, o))
			return false;
	}
}

/* What has another place now. */
static void
drop_moved(struct odd *o)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->gone_count; i++) {
		size_t j = 0;

		while (j < o->come_count && o->come[j] != o->gone[i])
			j++;
		if (j < o->come_count)
			o->come[j] = o->come[--o->come_count];
		else
			o->gone[kept++] = o->gone[i];
	}
	o->gone_count = kept;
}

bool
host_is_within(struct slice host, struct slice pattern)
{
	return slice_starts(pattern, S("*"))
		   ? slice_ends(host, slice_sub(pattern, 1, pattern.len))
		   : slice_eq(host, pattern);
}

/* --- what became what ----------------------------------------------------- */

const struct resource *
any_of(const struct renewal *r)
{
	return r->old != NULL ? r->old : r->fresh;
}

const struct resource_kind *
kind_of(const struct renewal *r)
{
	return any_of(r)->kind;
}

bool
add_change(struct patching *p, const struct resource *old,
    const struct resource *fresh)
{
	if (p->count == RENEWALS_MAX)
		return false;
	p->items[p->count++] = (struct renewal){.old = old, .fresh = fresh};
	return true;
}

int
compare_resources(const void *a, const void *b)
{
	const struct resource *const *x = a;
	const struct resource *const *y = b;

	return resource_key_cmp(&(*x)->key, &(*y)->key);
}

static bool
is_in_base(const struct view *base, const struct resource *r)
{
	const struct rows *all = &base->resources;

	return all->count > 0 && bsearch(&r, all->items, all->count,
				     sizeof(void *), compare_resources) != NULL;
}

/* False: there is another of its key, of which the newer counts. */
static bool
pair_up(struct patching *p, const struct resource *fresh)
{
	for (size_t i = 0; i < p->count; i++) {
		struct renewal *r = &p->items[i];

		if (!resource_key_eq(&any_of(r)->key, &fresh->key))
			continue;
		if (r->fresh != NULL)
			return false;
		r->fresh = fresh;
		return true;
	}
	return !is_in_base(p->base, fresh) && add_change(p, NULL, fresh);
}

static bool
has_same_resources(const struct patching *p)
{
	return p->in->resources_version != 0 &&
	       p->in->resources_version == p->before->resources_version;
}

/* Those that the view before had; records are not among resources. */
static bool
keep_changes(struct patching *p)
{
	for (size_t i = 0; i < p->before->renewal_count; i++) {
		const struct renewal *r = &p->before->renewals[i];

		if (r->old != r->fresh && kind_of(r) != &kind_record &&
		    !add_change(p, r->old, r->fresh))
			return false;
	}
	return true;
}

bool
find_changes(struct patching *p)
{
	struct odd o = {.gone_count = 0};

	if (has_same_resources(p))
		return keep_changes(p);
	if (!find_odd(p, &o))
		return false;
	drop_moved(&o);
	for (size_t i = 0; i < o.gone_count; i++)
		if (!is_patched(p->base, o.gone[i]) ||
		    !add_change(p, o.gone[i], NULL))
			return false;
	for (size_t i = 0; i < o.come_count; i++)
		if (!is_patched(p->base, o.come[i]) || !pair_up(p, o.come[i]))
			return false;
	/* Of two with one key the newer counts, whichever that is now. */
	return p->count == 0 ||
	       p->base->input_count == p->base->resources.count;
}

bool
renew_too(struct patching *p, const struct resource *r)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].old == r)
			return true;
	return add_change(p, r, r);
}

bool
has_same_names(const struct patching *p)
{
	return p->in->names_version != 0 &&
	       p->in->names_version == p->before->names_version;
}

/* --- beside the view before ----------------------------------------------- */

const struct renewal *
renewal_before(const struct patching *p, const struct renewal *r)
{
	for (size_t i = 0; i < p->before->renewal_count; i++) {
		const struct renewal *x = &p->before->renewals[i];

		if (x->old == r->old && x->fresh == r->fresh)
			return x;
	}
	return NULL;
}

bool
is_still_there(const struct patching *p, const struct renewal *r)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].old == r->old && p->items[i].fresh == r->fresh)
			return true;
	return false;
}

bool
has_any_of(const struct patching *p, const struct resource_kind *kind)
{
	for (size_t i = 0; i < p->count; i++)
		if (kind_of(&p->items[i]) == kind)
			return true;
	return false;
}

static void
add_both(const struct renewal *r, struct rows *out)
{
	if (r->old != NULL)
		rows_add(out, (void *)(uintptr_t)r->old);
	if (r->fresh != NULL)
		rows_add(out, (void *)(uintptr_t)r->fresh);
}

void
list_moved(const struct patching *p, const struct resource_kind *kind,
    struct rows *out)
{
	const struct view *before = p->before;

	for (size_t i = 0; i < p->count; i++)
		if (kind_of(&p->items[i]) == kind &&
		    renewal_before(p, &p->items[i]) == NULL)
			add_both(&p->items[i], out);
	for (size_t i = 0; i < before->renewal_count; i++)
		if (kind_of(&before->renewals[i]) == kind &&
		    !is_still_there(p, &before->renewals[i]))
			add_both(&before->renewals[i], out);
}

/* Do names of services that are others than in the base? */
static bool
leads_as_before(const struct patching *p)
{
	for (size_t i = 0; i < p->before->renewal_count; i++) {
		const struct box *box = p->before->renewals[i].box;

		if (box->services.count > 0 &&
		    box->names_version != names_of_box(p->in, box))
			return false;
	}
	return true;
}

bool
is_all_the_same(const struct patching *p)
{
	const struct view *before = p->before;

	for (size_t i = 0; i < p->count; i++)
		if (renewal_before(p, &p->items[i]) == NULL)
			return false;
	for (size_t i = 0; i < before->renewal_count; i++)
		if (before->renewals[i].old != before->renewals[i].fresh &&
		    !is_still_there(p, &before->renewals[i]))
			return false;
	if (!has_same_lists(p) ||
	    exposed_version_of(p->in) != before->exposed_version)
		return false;
	return !has_other_servings(p) &&
	       (has_same_names(p) || leads_as_before(p));
}

bool
moves_anew(const struct patching *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *x = renewal_before(p, &p->items[i]);

		if (p->items[i].moves && (x == NULL || !x->moves))
			return true;
	}
	for (size_t i = 0; i < p->before->renewal_count; i++)
		if (p->before->renewals[i].moves &&
		    !is_still_there(p, &p->before->renewals[i]))
			return true;
	return false;
}
