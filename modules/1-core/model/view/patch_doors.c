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
	bool merges;      /* other Gateways, or Services in front of them */
	struct rows sets; /* struct gateway_set, of the base and as before */
};

static bool
has_mark(const struct box *box, uint32_t mark)
{
	return map_get(&box->doors_anew, slice_of(&mark, sizeof(mark))) != NULL;
}

static bool
is_anew(const struct box *box, uint16_t number)
{
	return has_mark(box, door_mark(number));
}

static void
put_mark(struct patching *p, uint32_t mark)
{
	struct box *box = p->b.box;

	(void)map_put(&box->doors_anew, slice_of(&mark, sizeof(mark)),
	    box); /* only the mark */
}

static void
mark(struct remaking *m, uint16_t number)
{
	put_mark(m->p, door_mark(number));
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

/* Where a cluster may be another that has a chain. */
static void
mark_passed(struct remaking *m, const struct serving *s)
{
	for (size_t i = 0; i < s->ports.count; i++) {
		const struct served_port *p = s->ports.items[i];

		if (passes_on_alone(p))
			mark(m, p->number);
	}
}

static void
mark_all(struct remaking *m, const struct serving *s)
{
	for (size_t i = 0; i < s->ports.count; i++)
		mark(
		    m, ((const struct served_port *)s->ports.items[i])->number);
}

/* --- the Gateways of now -------------------------------------------------- */

static bool
is_renewed(const struct patching *p, const struct resource *r)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].old == r)
			return true;
	return false;
}

static void
add_door(struct remaking *m, struct resource *r)
{
	struct serving *s = &m->now.serving;

	if (is_gateway_for(&m->p->b, &s->targets, r))
		rows_add(&s->gateways, r);
}

static void
find_doors_now(struct remaking *m)
{
	struct patching *p = m->p;
	const struct rows *all = &p->base->resources;

	for (size_t i = first_resource(p->base, &kind_gateway, S(""));
	     i < all->count && is_door_kind(all->items[i]); i++)
		if (!is_renewed(p, all->items[i]))
			add_door(m, all->items[i]);
	for (size_t i = 0; i < p->count; i++) {
		const struct resource *r = p->items[i].fresh;

		if (is_door_kind(r))
			add_door(m, (struct resource *)(uintptr_t)r);
	}
}

static void
merge_now(struct remaking *m)
{
	struct builder *b = &m->p->b;

	put_mark(m->p, DOORS_SHARED);
	serving_init(&m->now.serving);
	find_targets_now(b, &m->base->serving.targets, &m->now.serving.targets);
	find_doors_now(m);
	merge_servers_again(b, &m->now.serving);
}

/* What stands before it may be another. */
static void
look_before(struct remaking *m)
{
	struct patching *p = m->p;
	const struct rows base = p->b.v->resources;
	struct rows now;

	if (!has_any_of(p, &kind_workload_group))
		return;
	put_mark(p, GROUP_MARK);
	list_resources(p, &now);
	p->b.v->resources = now;
	m->now.is_behind = stands_behind_proxy(&p->b);
	p->b.v->resources = base;
	rows_fini(&now);
}

static void
remaking_init(
    struct remaking *m, struct patching *p, const struct gateway_state *base)
{
	*m = (struct remaking){.p = p, .base = base, .now = *base};
	m->now.b = &p->b;
	m->now.door_rows = (struct rows){0};
	doors_init(&m->now);
	m->merges = merges_anew(p);
	p->b.scope = base->scope;
	if (m->merges)
		merge_now(m);
	look_before(m);
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (is_bound(r->old))
			rows_add(
			    &m->now.bindings.gone, (void *)(uintptr_t)r->old);
		if (is_bound(r->fresh))
			bind_later(&p->b, &m->now.bindings, r->fresh);
	}
	bindings_rank(&m->now.bindings);
}

static void
remaking_fini(struct remaking *m)
{
	doors_fini(&m->now);
	rows_fini(&m->now.bindings.gone);
	rows_fini(&m->now.bindings.come);
	rows_fini(&m->sets);
	if (m->merges)
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

/* Its clusters are all services' own. */
static bool
passes_by_itself(const struct server_tls *t)
{
	return t != NULL && t->mode == SERVER_TLS_AUTO_PASSTHROUGH;
}

/* False: a cluster would be gone with it. */
static bool
hide(struct listener_set *out, const struct view_listener *l)
{
	hide_listener(out, l);
	for (size_t i = 0; i < l->chain_count; i++)
		if (!passes_by_itself(l->chains[i].tls.settings) &&
		    !leads_to_kept(l->chains[i].tcp))
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
listen_again(struct remaking *m)
{
	struct listener_set *out =
	    &m->p->b.box->outbound[m->base->scope->place];

	for (size_t i = 0; i < m->sets.count; i++) {
		const struct gateway_set *s = m->sets.items[i];

		(void)map_put(&m->now.routes, s->routes->name,
		    (void *)(uintptr_t)s->routes); /* names differ */
	}
	if (!keep_rest(m, out))
		return false;
	make_again(m, out);
	return true;
}

/* --- sets of routes ------------------------------------------------------- */

static bool
has_same_hosts(const struct served *x, const struct served *y)
{
	if (x->host_count != y->host_count)
		return false;
	for (size_t i = 0; i < x->host_count; i++)
		if (!slice_eq(x->hosts[i].ns, y->hosts[i].ns) ||
		    !slice_eq(x->hosts[i].host, y->hosts[i].host))
			return false;
	return true;
}

/* All that rows are made of, where no row is of the server itself. */
static bool
serves_alike(const struct served *x, const struct served *y)
{
	return slice_eq(x->name, y->name) && x->protocol == y->protocol &&
	       x->spec->port->number == y->spec->port->number &&
	       (x->spec->tls != NULL) == (y->spec->tls != NULL) &&
	       !served_redirects(x) && !served_redirects(y) &&
	       has_same_hosts(x, y);
}

/* A Gateway that says something else may say the same of a set. */
static bool
is_set_alike(const struct gateway_set *set, const struct rows *now)
{
	if (now == NULL || set->server_count != now->count)
		return false;
	for (size_t i = 0; i < now->count; i++) {
		const struct served *x = set->servers[i], *y = now->items[i];

		if (x->spec != y->spec &&
		    (set->nobody != NULL || !serves_alike(x, y)))
			return false;
	}
	return true;
}

/* Those that are as before are patched; of the others nothing is left. */
static bool
renew_sets(struct remaking *m)
{
	struct patching *p = m->p;
	bool ok = true;

	for (size_t i = 0; ok && i < p->b.gateway_sets.count; i++) {
		struct gateway_set *s = p->b.gateway_sets.items[i];
		const struct rows *now;

		if (s->scope != m->base->scope)
			continue;
		now = map_get(&m->now.serving.sets, s->routes->name);
		if (!is_set_alike(s, now)) {
			drop_gateway_set(p, s);
			put_mark(p, s->mark);
			continue;
		}
		rows_add(&m->sets, s);
		ok = patch_gateway_set(p, s, now, &m->now.bindings);
	}
	return ok;
}

/* --- all of it ------------------------------------------------------------ */

/* Which ports are others. */
static void
mark_ports(struct remaking *m)
{
	const struct serving *was = &m->base->serving;
	const struct serving *is = &m->now.serving;

	mark_others(m, was, is);
	mark_others(m, is, was);
	mark_bytes(m);
	if (has_other_clusters(m->p))
		mark_passed(m, is);
	if (m->now.is_behind != m->base->is_behind) {
		mark_all(m, was);
		mark_all(m, is);
	}
}

static bool
has_port_anew(const struct remaking *m, const struct serving *s)
{
	for (size_t i = 0; i < s->ports.count; i++)
		if (is_anew(m->p->b.box,
			((const struct served_port *)s->ports.items[i])
			    ->number))
			return true;
	return false;
}

static bool
fill_all(struct patching *p, struct remaking *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mark_ports(&all[i]);
	for (size_t i = 0; i < count; i++) {
		struct remaking *m = &all[i];

		p->b.scope = m->base->scope;
		if (!renew_sets(m))
			return false;
		p->b.scope = m->base->scope;
		if ((has_port_anew(m, &m->base->serving) ||
			has_port_anew(m, &m->now.serving)) &&
		    !listen_again(m))
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
	return door != 0 && v->doors != NULL && has_mark(v->doors, door);
}
