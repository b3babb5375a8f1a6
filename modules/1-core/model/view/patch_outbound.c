/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_outbound — listeners that services have or had a part in which are
 * others than in the base.
 *
 * Mostly a listener is the base's, as its first service alone says what it is,
 * or it is of one service alone. Else all services are asked again for it.
 */
#include "outbound.h"

/* --- listeners that are in doubt ------------------------------------------ */

static const struct shared_listener *
find_shared(const struct builder *b, struct slice name)
{
	const struct rows *all = &b->scope->listeners[VIEW_OUTBOUND].rows;
	struct view_listener wanted = {.name = name};
	size_t at = rows_place(all, &wanted, compare_listeners);
	const struct view_listener *l = at < all->count ? all->items[at] : NULL;

	return l != NULL && slice_eq(l->name, name)
		   ? (const struct shared_listener *)(const void *)l
		   : NULL;
}

static struct doubt *
doubt_of(struct builder *b, struct doubts *all, struct slice name)
{
	struct doubt *d = map_get(&all->by_name, name);

	if (d != NULL || all->state == ANSWER)
		return d;
	d = take(b, 1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->name = take_copy(b, name);
	d->base = find_shared(b, name);
	(void)map_put(&all->by_name, d->name, d); /* was not there */
	rows_add(&all->all, d);
	return d;
}

/* Of the listeners of a Sidecar the first is asked first. */
static bool
comes_first(
    const struct builder *b, const struct doubt *d, const struct listening *l)
{
	const struct rows *all = &b->scope->egresses;
	size_t i = 0;

	if (d->base->egress == l->egress)
		return !is_asked_before(b, d->base->first, l->service);
	while (all->items[i] != d->base->egress && all->items[i] != l->egress)
		i++;
	return all->items[i] == l->egress;
}

bool
is_wanted(struct builder *b, struct making *m, const struct listening *l,
    struct slice name)
{
	struct doubt *d;

	if (m->doubts == NULL)
		return true;
	d = doubt_of(b, m->doubts, name);
	if (d == NULL || m->doubts->state == ANSWER)
		return d != NULL && !d->is_settled;
	if (m->doubts->state == ASK_OLD)
		return false;
	d->is_unlike = d->is_unlike || !is_simple(l);
	d->is_first = d->is_first || d->base == NULL || comes_first(b, d, l);
	return false;
}

/* --- making them again -----------------------------------------------------
 */

struct renewing {
	struct making m;
	struct doubts doubts;
	struct rows fresh; /* struct service_row, as they are asked */
};

static bool
is_renewed(const struct builder *b, const struct service_row *s)
{
	return service_now_of(b, s->row.host) != NULL || is_rewired(b, s);
}

static void
add_fresh(struct builder *b, struct renewing *r, struct service_row *s)
{
	size_t at = r->fresh.count;

	while (at > 0 && is_asked_before(b, s, r->fresh.items[at - 1]))
		at--;
	rows_insert(&r->fresh, at, s);
}

/* In each listener that has it. */
static void
listen_for(struct builder *b, struct renewing *r, struct service_row *s)
{
	const struct rows *all = &b->scope->egresses;

	for (size_t i = 0; i < all->count; i++) {
		b->egress = all->items[i];
		if (egress_has(b, b->egress, s))
			listen_in(b, &r->m, b->egress, s);
	}
}

static void
ask(struct builder *b, struct renewing *r, struct service_row *old,
    struct service_row *fresh)
{
	r->doubts.state = ASK_OLD;
	if (old != NULL)
		listen_for(b, r, old);
	r->doubts.state = ASK_FRESH;
	if (fresh == NULL)
		return;
	listen_for(b, r, fresh);
	add_fresh(b, r, fresh);
}

static void
ask_all(struct builder *b, struct renewing *r)
{
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(b->services_now, &i, &host, &value);) {
		const struct service_now *now = value;

		ask(b, r, now->old, now->fresh);
	}
	for (size_t i = 0; map_next(b->rewired, &i, &host, &value);)
		ask(b, r, value, value);
	r->doubts.state = ANSWER;
}

/* True if others than those that came have a word in it. */
static bool
settle(struct builder *b, struct doubt *d)
{
	const struct shared_listener *base = d->base;

	if (base == NULL)
		return false;
	if (d->is_forced)
		return true;
	d->is_settled = base->is_simple && !is_renewed(b, base->first) &&
			!d->is_unlike && !d->is_first;
	if (d->is_settled)
		return false;
	if (base->is_simple && !d->is_unlike && d->is_first)
		return false;
	return base->count > 1 || !is_renewed(b, base->first);
}

static bool
settle_all(struct builder *b, const struct doubts *all)
{
	bool others = false;

	for (size_t i = 0; i < all->all.count; i++)
		others = settle(b, all->all.items[i]) || others;
	return others;
}

static void
listen_for_next(struct builder *b, struct renewing *r, size_t *next)
{
	struct service_row *s = r->fresh.items[(*next)++];

	if (egress_has(b, b->egress, s))
		listen_in(b, &r->m, b->egress, s);
}

/* One of the base, behind those that came and are asked before it. */
static void
listen_for_other(
    struct builder *b, struct renewing *r, struct service_row *s, size_t *next)
{
	if (is_renewed(b, s))
		return;
	/* Of several with one host it is not known which of them counts. */
	b->more_follows = b->more_follows || s->next != NULL ||
			  map_get(&b->service_by_host, s->row.host) != s;
	while (*next < r->fresh.count &&
	       is_asked_before(b, r->fresh.items[*next], s))
		listen_for_next(b, r, next);
	listen_in(b, &r->m, b->egress, s);
}

/* Without a Sidecar it has all that is seen. */
static void
listen_for_others(struct builder *b, struct renewing *r, size_t *next)
{
	const struct rows *all = &b->services_by_age;

	if (b->egress->spec != NULL) {
		all = &b->egress->services;
		for (size_t i = 0; i < all->count; i++)
			listen_for_other(b, r, all->items[i], next);
		return;
	}
	for (int public = 0; public <= 1; public ++)
		for (size_t i = 0; i < all->count; i++)
			if (is_seen_service(b, all->items[i]) &&
			    is_for_all(b, all->items[i]) == (public == 1))
				listen_for_other(b, r, all->items[i], next);
}

static void
listen_again(struct builder *b, struct renewing *r, bool others)
{
	for (size_t i = 0; i < b->scope->egresses.count; i++) {
		size_t next = 0;

		b->egress = b->scope->egresses.items[i];
		if (others)
			listen_for_others(b, r, &next);
		while (next < r->fresh.count)
			listen_for_next(b, r, &next);
	}
}

static bool
is_any_open(const struct doubts *all)
{
	for (size_t i = 0; i < all->all.count; i++)
		if (!((const struct doubt *)all->all.items[i])->is_settled)
			return true;
	return false;
}

/* Those that are there no more, or not so. */
static void
leave_out(
    const struct doubts *all, const struct rows *base, struct listener_set *out)
{
	size_t kept = 0;

	copy_rows(&out->rows, base);
	for (size_t i = 0; i < all->all.count; i++) {
		const struct doubt *d = all->all.items[i];
		void *l = (void *)(uintptr_t)d->base;

		if (d->is_settled || l == NULL)
			continue;
		out->rows.items[rows_place(base, l, compare_listeners)] = NULL;
		hide_listener(out, &d->base->row);
	}
	for (size_t i = 0; i < out->rows.count; i++)
		if (out->rows.items[i] != NULL)
			out->rows.items[kept++] = out->rows.items[i];
	out->rows.count = kept;
}

static void
put_in(struct listener_set *out, struct rows *fresh)
{
	for (size_t i = 0; i < fresh->count; i++)
		rows_insert(&out->rows,
		    rows_place(&out->rows, fresh->items[i], compare_listeners),
		    fresh->items[i]);
}

static void
finish_again(struct builder *b, struct renewing *r, struct listener_set *out)
{
	struct listener_set fresh = {.by_addr = out->by_addr};

	b->outbound_now = &fresh;
	for (size_t i = 0; i < r->m.entries.count; i++)
		finish_entry(b, r->m.entries.items[i]);
	b->outbound_now = NULL;
	out->by_addr = fresh.by_addr;
	put_in(out, &fresh.rows);
	rows_fini(&fresh.rows);
}

static void
begin(struct builder *b, struct renewing *r)
{
	*r = (struct renewing){.m = {.doubts = &r->doubts}};
	map_init(&r->m.by_name);
	map_init(&r->doubts.by_name);
	ask_all(b, r);
}

static void
end(struct builder *b, struct renewing *r)
{
	b->egress = NULL;
	rows_fini(&r->fresh);
	rows_fini(&r->m.entries);
	rows_fini(&r->doubts.all);
	map_fini(&r->m.by_name, NULL);
	map_fini(&r->doubts.by_name, NULL);
}

bool
opens_hiding(struct builder *b)
{
	struct renewing r;
	bool any = false;

	if (b->scope->hiding.count == 0)
		return false;
	begin(b, &r);
	(void)settle_all(b, &r.doubts); /* it is asked again */
	for (size_t i = 0; i < r.doubts.all.count; i++) {
		const struct doubt *d = r.doubts.all.items[i];

		any = any ||
		      (d->base != NULL && d->base->hides && !d->is_settled);
	}
	end(b, &r);
	return any;
}

/* What is told of them goes with the base's. */
static void
force_hiding(struct builder *b, struct renewing *r)
{
	const struct rows *all = &b->scope->hiding;

	r->doubts.state = ASK_OLD;
	for (size_t i = 0; i < all->count; i++) {
		const struct shared_listener *l = all->items[i];
		struct doubt *d = doubt_of(b, &r->doubts, l->row.name);

		if (d != NULL)
			d->is_forced = true;
	}
	r->doubts.state = ANSWER;
}

void
renew_outbound(struct builder *b, struct listener_set *out)
{
	const struct rows *base = &b->scope->listeners[VIEW_OUTBOUND].rows;
	struct renewing r;

	begin(b, &r);
	if (b->box->tells_hidden)
		force_hiding(b, &r);
	listen_again(b, &r, settle_all(b, &r.doubts));
	if (is_any_open(&r.doubts)) {
		leave_out(&r.doubts, base, out);
		finish_again(b, &r, out);
	}
	end(b, &r);
}
