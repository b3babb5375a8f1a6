/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_arrivals — the rows of services that are others than in the base: their
 * clusters, and their virtual hosts.
 *
 * What is like a row of the base takes its slot, so that all that names that
 * one leads to it; what is left of the base's has none any more. A virtual host
 * that has other domains than before is another one.
 */
#include "patch.h"

/* --- the services --------------------------------------------------------- */

static const struct service_row *
old_of(const struct builder *b, const struct service_row *s)
{
	const struct service_now *now = service_now_of(b, s->row.host);

	return now != NULL ? now->old : NULL;
}

static void
finish_row(struct builder *b, struct service_row *s)
{
	const struct service_row *old =
	    map_get(&b->service_by_host, s->row.host);

	b->more_follows = b->more_follows || !give_address_later(b, old, s);
	import_later(b, s);
}

struct box *
make_services(struct patching *p, size_t item)
{
	struct builder *b = &p->b;
	const struct resource *r = p->items[item].fresh;
	const struct resource *old = p->items[item].old;
	struct box *box = open_box(b);

	if (old != NULL && old->kind == &kind_record)
		box->was = resource_ref(old);
	if (r != NULL) {
		box->resource = resource_ref(r);
		if (r->kind == &kind_record)
			add_record_again(b, r);
		else if (r->kind == &kind_service)
			add_written_service(b, r);
		else
			add_entry(b, r);
	}
	for (size_t i = 0; i < box->services.count; i++)
		finish_row(b, box->services.items[i]);
	leave_box(p);
	return box;
}

/* --- their endpoints ------------------------------------------------------ */

/* "name.ns.svc.domain" */
static bool
is_of_host(
    const struct builder *b, const struct view_serving *from, struct slice host)
{
	char text[HOST_TEXT_MAX];

	return host.len == from->service.len + from->ns.len + b->v->domain.len +
			       strlen("..svc.") &&
	       slice_starts(host, from->service) &&
	       slice_eq(host, recorded_host(b, from->ns, from->service, text));
}

static bool
is_served_at(const struct patching *p, size_t slot, struct slice host)
{
	const struct view_serving *from = serving_at(p, slot);

	return from != NULL && is_of_host(&p->b, from, host);
}

/* Its slot among the servings, from 1; 0: records do not tell of it. */
static size_t
serving_of(const struct patching *p, const struct service_row *s)
{
	const struct builder *b = &p->b;
	const struct service_row *old = old_of(b, s);

	if (old != NULL && is_recorded(b, old))
		return old->serving;
	for (size_t i = 0; i < b->unclaimed.count; i++) {
		size_t slot = (uintptr_t)b->unclaimed.items[i] - 1;

		if (is_served_at(p, slot, s->row.host))
			return slot + 1;
	}
	for (size_t i = p->base->servings.count; i < b->v->servings.count; i++)
		if (is_served_at(p, i, s->row.host))
			return i + 1;
	return 0;
}

static bool
serve(struct patching *p, struct service_row *s)
{
	struct builder *b = &p->b;
	const struct view_serving *from;

	s->serving = serving_of(p, s);
	from = s->serving > 0 ? serving_at(p, s->serving - 1) : NULL;
	if (from != NULL) {
		if (b->in->proxy == VIEW_ROUTER && served_here(b->v, from) != 0)
			return false;
		add_serving(b, s, from);
	}
	if (s->resource != NULL)
		add_written_endpoints(b, s);
	if (s->serving > 0)
		forget_serving(p, s->serving - 1);
	if (s->names != NULL && s->serving != 0)
		return false;
	if (b->in->proxy == VIEW_ROUTER)
		return !is_served_here(b, s);
	(void)leads_here(b, s); /* then it says so */
	return true;
}

/* --- their clusters ------------------------------------------------------- */

static void
make_clusters(struct patching *p, struct service_row *s)
{
	struct slice missing; /* told by its routes */

	for (size_t i = 0; i < p->base->scopes.count; i++) {
		struct host_place *all;
		size_t n;

		p->b.scope = p->base->scopes.items[i];
		n = host_places(&p->b, s, &all);
		for (size_t j = 0; j < n; j++)
			(void)find_own_cluster(&p->b, s, all[j].port, &missing);
		compile_subsets_of(&p->b, s);
	}
}

/* The base's of the same id; NULL: it has none. */
static const struct cluster_row *
like_in_base(const struct service_row *old, const struct view_cluster *c)
{
	for (size_t i = 0; old != NULL && i < old->port_count; i++)
		for (const struct cluster_row *x = old->ports[i].clusters;
		     x != NULL; x = x->next)
			if (x->row.id == c->id)
				return x;
	return NULL;
}

static void
place_clusters(struct patching *p, const struct box *box)
{
	struct pages *all = &p->b.v->clusters;

	for (size_t i = 0; i < box->their_clusters.count; i++) {
		struct cluster_row *c = box->their_clusters.items[i];
		const struct cluster_row *like =
		    like_in_base(old_of(&p->b, service_of_cluster(c)), &c->row);

		c->row.slot = like != NULL ? like->row.slot
					   : free_slot(all, &p->base->clusters,
						 &p->next_cluster);
		slots_put(all, c->row.slot, &c->row);
	}
}

static bool
is_taken(const struct rows *all, const struct cluster_row *old)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct cluster_row *c = all->items[i];

		if (c->row.slot == old->row.slot)
			return true;
	}
	return false;
}

/* What the base has more of. */
static void
drop_clusters(
    struct patching *p, struct box *box, const struct service_row *old)
{
	for (size_t i = 0; i < old->port_count; i++)
		for (struct cluster_row *c = old->ports[i].clusters; c != NULL;
		     c = c->next) {
			if (is_taken(&box->their_clusters, c))
				continue;
			rows_add(&box->fewer_clusters, c);
			slots_put(&p->b.v->clusters, c->row.slot, NULL);
		}
}

static void
drop_old(struct patching *p, size_t item)
{
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(&p->services, &i, &host, &value);) {
		const struct service_now *now = value;

		if (now->item != item || now->old == NULL)
			continue;
		drop_clusters(p, p->b.box, now->old);
		if (now->old->serving > 0)
			forget_serving(p, now->old->serving - 1);
	}
}

bool
fill_clusters(struct patching *p, size_t item)
{
	struct builder *b = &p->b;
	struct box *box = p->b.v->renewals[item].box;
	bool ok = true;

	enter_box(p, box);
	map_init(&b->policies); /* those of the base stay */
	map_init(&b->names);
	for (size_t i = 0; ok && i < box->services.count; i++) {
		struct service_row *s = box->services.items[i];

		b->arriving = s;
		ok = serve(p, s);
		if (ok)
			make_clusters(p, s);
		service_trim(s);
	}
	b->arriving = NULL;
	place_clusters(p, box);
	drop_old(p, item);
	box->names_version = names_of_box(p->in, box);
	map_fini(&b->policies, NULL);
	map_fini(&b->names, NULL);
	leave_box(p);
	return ok && !b->full && !b->more_follows;
}

/* --- their virtual hosts -------------------------------------------------- */

static struct host_row *
like_host(const struct service_row *old, const struct host_row *h)
{
	struct host_row *x = old != NULL ? old->hosts : NULL;

	while (x != NULL &&
	       (x->row.scope != h->row.scope || x->row.port != h->row.port ||
		   x->egress != h->egress))
		x = x->next_of_service;
	return x;
}

/* Else the port's virtual hosts are another listener's. */
static bool
is_of_its_port(const struct host_row *h)
{
	return egress_of_port(scope_const(h->row.scope), h->row.port) ==
	       h->egress;
}

/* Where the base has a set of routes for it; NULL: it has none. */
static const struct view_routes *
routes_in_base(struct builder *b, const struct host_row *h)
{
	char port[SLICE_U64_MAX];

	return takes_requests(h) ? map_get(&b->scope->routes_by_name,
				       slice_from_u64(h->row.port, port))
				 : NULL;
}

/* Its own name, and the rest. */
static size_t
domains_of(struct builder *b, const struct host_row *h, struct slice **out)
{
	struct slice *more;
	size_t n = more_domains(b, h, &more);

	*out = take(b, n + 1, sizeof(**out));
	if (*out == NULL)
		return 0;
	(*out)[0] = h->row.host;
	for (size_t i = 0; i < n; i++)
		(*out)[i + 1] = more[i];
	return n + 1;
}

/* Another has one of them, which may be its now. */
static void
check_domains(struct builder *b, const struct host_row *old,
    const struct slice *domains, size_t count)
{
	const struct view_routes *r = routes_in_base(b, old);

	for (size_t i = 0; r != NULL && i < count; i++)
		if (find_exact(r, domains[i]) != &old->row)
			b->more_follows = true;
}

static bool
has_same_domains(
    struct builder *b, const struct host_row *old, const struct host_row *h)
{
	struct slice *of_old, *of_h;
	size_t n = domains_of(b, old, &of_old), m = domains_of(b, h, &of_h);

	check_domains(b, old, of_old, n);
	return takes_requests(old) == takes_requests(h) &&
	       slice_lists_eq(of_old, n, of_h, m);
}

static void
come_anew(struct patching *p, struct more_host *h)
{
	struct slice *domains;

	h->routes = routes_in_base(&p->b, &h->row);
	if (h->routes != NULL) {
		h->domain_count = domains_of(&p->b, &h->row, &domains);
		h->domains = domains;
	}
	put_more_host(p, h);
}

/* False: a named listener leads to the base's. */
static bool
make_host(struct patching *p, struct service_row *s, const struct port_row *of)
{
	struct builder *b = &p->b;
	struct more_host *h = take(b, 1, sizeof(*h));
	const struct host_row *old;

	if (h == NULL)
		return false;
	fill_new_host(b, &h->row, service_host_name(b, s, of->port),
	    s->row.host, of->port);
	fill_host(b, &h->row, s, of, owner_of_port(p, s->row.host, of->port));
	b->more_follows = b->more_follows ||
			  (takes_requests(&h->row) && !is_of_its_port(&h->row));
	old = like_host(old_of(b, s), &h->row);
	if (old == NULL || !has_same_domains(b, old, &h->row)) {
		come_anew(p, h);
		return !is_named_listener_for(p, s->row.host);
	}
	h->row.row.slot = old->row.slot;
	rows_add(&b->box->hosts, h);
	return true;
}

/* The last port first: each is followed by the next one of its scope. */
static bool
make_hosts(struct patching *p, struct service_row *s)
{
	for (size_t i = 0; i < p->base->scopes.count; i++) {
		struct host_row *next = NULL;
		struct host_place *all;
		size_t n;

		p->b.scope = p->base->scopes.items[i];
		n = host_places(&p->b, s, &all);
		for (size_t j = n; j > 0; j--) {
			p->b.egress = all[j - 1].egress;
			if (!make_host(p, s, all[j - 1].port))
				return false;
			s->hosts->next = next;
			next = s->hosts;
		}
	}
	return true;
}

static bool
is_replaced(const struct box *box, const struct view_host *old)
{
	for (size_t i = 0; i < box->hosts.count; i++) {
		const struct view_host *h = box->hosts.items[i];

		if (h->slot == old->slot)
			return true;
	}
	return false;
}

/* False: another service may have its domains now. */
static bool
drop_hosts(struct box *box, const struct service_row *old)
{
	for (struct host_row *h = old->hosts; h != NULL;
	     h = h->next_of_service) {
		if (h->is_contested)
			return false;
		if (!is_replaced(box, &h->row))
			rows_add(&box->fewer_hosts, h);
	}
	return true;
}

static bool
drop_old_hosts(struct patching *p, struct box *box, size_t item)
{
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(&p->services, &i, &host, &value);) {
		const struct service_now *now = value;

		if (now->item == item && now->old != NULL &&
		    (frees_address(&p->b, now->old) ||
			!drop_hosts(box, now->old)))
			return false;
	}
	return true;
}

bool
fill_hosts(struct patching *p, size_t item)
{
	struct builder *b = &p->b;
	struct box *box = b->v->renewals[item].box;
	bool ok = true;

	enter_box(p, box);
	for (size_t i = 0; ok && i < box->services.count; i++)
		ok = make_hosts(p, box->services.items[i]);
	ok = ok && drop_old_hosts(p, box, item);
	leave_box(p);
	b->scope = NULL;
	b->egress = NULL;
	return ok && !b->full && !b->more_follows;
}

/* --- found by name -------------------------------------------------------- */

static const struct host_row *
first_host(const struct service_row *s, const struct scope *of)
{
	const struct host_row *h = s != NULL ? s->hosts : NULL;

	while (h != NULL && h->row.scope != &of->row)
		h = h->next_of_service;
	return h; /* the last one that was made */
}

/* Rules alone know it: it is the base's still, or in the box of one of them. */
static const struct host_row *
bare_host(const struct view *v, const struct scope *s, struct slice host)
{
	const struct host_row *base = map_get(&s->hosts, host);

	if (base != NULL && base->row.port == 0 && !is_dropped(v, &base->row))
		return base;

	for (size_t i = 0; i < v->renewal_count; i++) {
		const struct rows *some = &v->renewals[i].box->more_hosts;

		for (size_t j = 0; j < some->count; j++) {
			const struct host_row *h = some->items[j];

			if (h->row.port == 0 && h->row.scope == &s->row &&
			    slice_eq(h->row.host, host))
				return h;
		}
	}
	return NULL;
}

/* Of each scope, for who looks for a host there. */
void
list_hosts_now(struct patching *p)
{
	struct view *v = p->b.v;
	char text[MORE_KEY_MAX];
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(&p->services, &i, &host, &value);) {
		const struct service_now *now = value;

		for (size_t j = 0; j < p->base->scopes.count; j++) {
			const struct scope *s = p->base->scopes.items[j];
			const struct host_row *h = first_host(now->fresh, s);

			if (h == NULL)
				h = bare_host(v, s, host);

			(void)map_put(&v->hosts_now, more_key(s, host, text),
			    h != NULL ? (void *)(uintptr_t)h
				      : &no_host); /* hosts differ */
		}
	}
}
