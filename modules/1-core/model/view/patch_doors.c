/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_doors — ports of a gateway on which Gateways, or rules for connections,
 * are others than in the base.
 *
 * All Gateways are merged again where one is another, and ports that come out
 * as they were stay. One that does not is made again with all that share it:
 * its listeners, their chains, and sets of routes that have other servers.
 */
#include "doors.h"
#include "patch.h"

/* --- ports ---------------------------------------------------------------- */

/* One scope's while it is made again. */
struct remaking {
	struct patching *p;
	const struct gateway_state *base;
	struct gateway_state now;
	bool has_others;  /* Gateways */
	struct rows sets; /* struct gateway_set, of the base and as before */
};

static bool
is_anew(const struct box *box, uint16_t number)
{
	return box->all_doors_anew ||
	       map_get(&box->doors_anew, slice_of(&number, sizeof(number))) !=
		   NULL;
}

static void
mark(struct remaking *m, uint16_t number)
{
	struct box *box = m->p->b.box;

	(void)map_put(&box->doors_anew, slice_of(&number, sizeof(number)),
	    box); /* only the mark */
}

static bool
are_servers_alike(const struct rows *x, const struct rows *y)
{
	if (x->count != y->count)
		return false;
	for (size_t i = 0; i < x->count; i++)
		if (((const struct served *)x->items[i])->spec !=
		    ((const struct served *)y->items[i])->spec)
			return false;
	return true;
}

static bool
are_ports_alike(const struct served_port *x, const struct served_port *y)
{
	return slice_eq(x->protocol, y->protocol) &&
	       slice_eq(x->bind, y->bind) && slice_eq(x->routes, y->routes) &&
	       are_servers_alike(&x->servers, &y->servers);
}

/* The next of a number, from there on; NULL: none. */
static const struct served_port *
next_port(const struct serving *s, uint16_t number, size_t *at)
{
	while (*at < s->ports.count) {
		const struct served_port *p = s->ports.items[(*at)++];

		if (p->number == number)
			return p;
	}
	return NULL;
}

static bool
is_number_alike(
    const struct serving *x, const struct serving *y, uint16_t number)
{
	size_t of_x = 0, of_y = 0;

	for (;;) {
		const struct served_port *p = next_port(x, number, &of_x);
		const struct served_port *q = next_port(y, number, &of_y);

		if (p == NULL || q == NULL)
			return p == q;
		if (!are_ports_alike(p, q))
			return false;
	}
}

static void
mark_others(
    struct remaking *m, const struct serving *x, const struct serving *y)
{
	for (size_t i = 0; i < x->ports.count; i++) {
		uint16_t number =
		    ((const struct served_port *)x->ports.items[i])->number;

		if (!is_anew(m->p->b.box, number) &&
		    !is_number_alike(x, y, number))
			mark(m, number);
	}
}

static bool
takes_bytes(const struct served *s)
{
	return !served_is_http(s);
}

static bool
has_bytes_of(const struct remaking *m, const struct served *s)
{
	const struct patching *p = m->p;

	for (size_t i = 0; takes_bytes(s) && i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if ((is_bound(r->old) && has_connections(r->old) &&
			is_bound_to(r->old, s)) ||
		    (is_bound(r->fresh) && has_connections(r->fresh) &&
			is_bound_to(r->fresh, s)))
			return true;
	}
	return false;
}

/* Where rules for connections are others. */
static void
mark_bytes(struct remaking *m)
{
	const struct serving *s = &m->now.serving;

	for (size_t i = 0; i < s->ports.count; i++) {
		const struct served_port *p = s->ports.items[i];

		for (size_t j = 0; j < p->servers.count; j++)
			if (has_bytes_of(m, p->servers.items[j]))
				mark(m, p->number);
	}
}

/* --- the Gateways of now -------------------------------------------------- */

static void
find_doors_now(struct remaking *m, struct rows *out)
{
	struct patching *p = m->p;
	const struct rows *all = &m->base->serving.gateways;

	for (size_t i = 0; i < all->count; i++) {
		size_t j = 0;

		while (j < p->count && p->items[j].old != all->items[i])
			j++;
		if (j == p->count)
			rows_add(out, all->items[i]);
	}
	for (size_t i = 0; i < p->count; i++) {
		const struct resource *r = p->items[i].fresh;

		if (is_door_kind(r) &&
		    is_gateway_for(&p->b, &m->base->serving.targets, r))
			rows_add(out, (void *)(uintptr_t)r);
	}
	rows_sort_by_age(out);
}

static void
remaking_init(
    struct remaking *m, struct patching *p, const struct gateway_state *base)
{
	struct rows gateways = {0};

	*m = (struct remaking){.p = p, .base = base, .now = *base};
	m->now.b = &p->b;
	m->now.door_rows = (struct rows){0};
	doors_init(&m->now);
	p->b.scope = base->scope;
	m->has_others = has_other_doors(p);
	p->b.scope = base->scope;
	p->b.box->shares_anew = m->has_others;
	if (m->has_others) {
		serving_init(&m->now.serving);
		find_doors_now(m, &gateways);
		merge_servers_again(
		    &p->b, &base->serving, &gateways, &m->now.serving);
	}
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (is_bound(r->old))
			rows_add(
			    &m->now.bindings.gone, (void *)(uintptr_t)r->old);
		if (is_bound(r->fresh))
			bind_later(&p->b, &m->now.bindings, r->fresh);
	}
}

static void
remaking_fini(struct remaking *m)
{
	doors_fini(&m->now);
	rows_fini(&m->now.bindings.gone);
	rows_fini(&m->now.bindings.come);
	rows_fini(&m->sets);
	if (m->has_others)
		serving_fini(&m->now.serving);
}

/* --- listeners ------------------------------------------------------------ */

static bool
leads_to_kept(const struct view_tcp_route *r)
{
	for (size_t i = 0; r != NULL && i < r->destination_count; i++)
		if (!is_kept_cluster(r->destinations[i].cluster))
			return false;
	return true;
}

/* False: a cluster would be gone with it. */
static bool
hide(struct listener_set *out, const struct view_listener *l)
{
	hide_listener(out, l);
	for (size_t i = 0; i < l->chain_count; i++)
		if (!leads_to_kept(l->chains[i].tcp))
			return false;
	return true;
}

static bool
keep_rest(struct remaking *m, struct listener_set *out)
{
	const struct rows *all = &m->base->scope->listeners[VIEW_GATEWAY].rows;
	bool ok = true;

	copy_rows(&out->rows, all); /* there is a list, though maybe empty */
	out->rows.count = 0;
	for (size_t i = 0; ok && i < all->count; i++) {
		struct view_listener *l = all->items[i];

		if (is_anew(m->p->b.box, l->addr.port))
			ok = hide(out, l);
		else
			rows_add(&out->rows, l);
	}
	return ok;
}

static void
make_again(struct remaking *m, struct listener_set *out)
{
	struct builder *b = &m->p->b;
	const struct serving *s = &m->now.serving;
	struct listener_set fresh;

	listeners_init(&fresh);
	b->outbound_now = &fresh;
	for (size_t i = 0; !b->full && i < s->ports.count; i++) {
		const struct served_port *p = s->ports.items[i];

		if (is_anew(b->box, p->number))
			open_port_at(&m->now, p);
	}
	close_doors(&m->now);
	b->outbound_now = NULL;
	for (size_t i = 0; i < fresh.rows.count; i++) {
		show_listener(out, fresh.rows.items[i]);
		rows_add(&out->rows, fresh.rows.items[i]);
	}
	listeners_sort(out);
	listeners_fini(&fresh);
}

static bool
has_any_anew(const struct remaking *m)
{
	const struct rows *all = &m->now.serving.ports;

	for (size_t i = 0; i < all->count; i++)
		if (is_anew(m->p->b.box,
			((const struct served_port *)all->items[i])->number))
			return true;
	return false;
}

static bool
listen_again(struct remaking *m)
{
	struct listener_set *out =
	    &m->p->b.box->outbound[m->base->scope->place];

	/* Else there is nobody yet whom policies are about, see guard_of(). */
	if (m->base->scope->listeners[VIEW_GATEWAY].rows.count == 0)
		return !has_any_anew(m);
	for (size_t i = 0; i < m->sets.count; i++) {
		const struct gateway_set *s = m->sets.items[i];

		(void)map_put(&m->now.routes, s->routes->name,
		    (void *)(uintptr_t)s->routes); /* names differ */
	}
	if (!keep_rest(m, out))
		return false;
	make_again(m, out);
	return out->rows.count > 0; /* nor may the last of them go */
}

/* --- sets of routes ------------------------------------------------------- */

/* Those that are as before are patched; of the others nothing is left. */
static bool
renew_sets(struct remaking *m)
{
	struct patching *p = m->p;
	bool ok = true;

	for (size_t i = 0; ok && i < p->b.gateway_sets.count; i++) {
		struct gateway_set *s = p->b.gateway_sets.items[i];
		const struct rows *was, *is;

		if (s->scope != m->base->scope)
			continue;
		was = map_get(&m->base->serving.sets, s->routes->name);
		is = map_get(&m->now.serving.sets, s->routes->name);
		if (is == NULL || !are_servers_alike(was, is)) {
			drop_gateway_set(p, s);
			continue;
		}
		rows_add(&m->sets, s);
		ok = patch_gateway_set(p, s, &m->now.bindings);
	}
	return ok;
}

/* --- all of it ------------------------------------------------------------ */

/* What several ports tell goes with all of them. */
static bool
is_told_by_several(const struct view *base)
{
	for (size_t i = 0; i < base->problem_count; i++)
		if (base->problem_doors[i] == DOORS_ALL)
			return true;
	return false;
}

static bool
fill_all(struct patching *p, struct remaking *all, size_t count)
{
	struct box *box = p->b.box;
	bool anew;

	for (size_t i = 0; i < count; i++) {
		mark_others(
		    &all[i], &all[i].base->serving, &all[i].now.serving);
		mark_others(
		    &all[i], &all[i].now.serving, &all[i].base->serving);
		mark_bytes(&all[i]);
	}
	anew = box->doors_anew.count > 0;
	box->all_doors_anew = anew && is_told_by_several(p->base);
	if (anew && has_auto(p))
		return false;
	for (size_t i = 0; i < count; i++) {
		p->b.scope = all[i].base->scope;
		if (!renew_sets(&all[i]))
			return false;
		p->b.scope = all[i].base->scope;
		if (anew && (passes_on_alone(&all[i].now.serving) ||
				!listen_again(&all[i])))
			return false;
	}
	return true;
}

bool
fill_doors(struct patching *p)
{
	struct box *box = p->b.box;
	size_t count = p->b.gateways.count, scopes = p->base->scopes.count;
	struct remaking *all = mem_new_array(count + 1, sizeof(*all));
	bool ok;

	box->outbound = mem_new_array(scopes, sizeof(*box->outbound));
	box->outbound_count = scopes;
	for (size_t i = 0; i < scopes; i++)
		listeners_init(&box->outbound[i]);
	for (size_t i = 0; i < count; i++)
		remaking_init(&all[i], p, p->b.gateways.items[i]);
	ok = fill_all(p, all, count);
	for (size_t i = 0; i < count; i++)
		remaking_fini(&all[i]);
	mem_free(&all);
	p->b.scope = NULL;
	return ok && is_done(&p->b);
}

bool
tells_doors(const struct view *v, uint32_t door)
{
	const struct box *box = v->doors;

	if (door == 0 || box == NULL)
		return false;
	if (door == DOORS_SHARED)
		return box->shares_anew;
	return door == DOORS_ALL ? box->all_doors_anew
				 : is_anew(box, (uint16_t)(door - 1));
}
