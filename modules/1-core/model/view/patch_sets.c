/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_sets — hosts that are called only because VirtualServices name them.
 *
 *	set of port 80        all hosts of all rules that requests there meet
 *	of another port, or   the same of rules that are for a service of the
 *	of a proxy            set
 *	of any port           what the scope imports nothing of
 *
 * Where none of a name is a service there, the first rule that is asked has a
 * virtual host of it. Which that is hangs on other rules that name it, and on
 * whether their other hosts are services: so it is asked for each name that a
 * rule has or had which moves, and for each that a service has or had which is
 * another.
 */
#include "patch.h"

/* --- who is on a set ------------------------------------------------------ */

static bool
is_place(struct patching *p, const struct view_routes *set,
    const struct service_row *s)
{
	struct builder *b = &p->b;
	struct arena *before = b->arena;
	bool is_it;

	if (set->by_port)
		return egress_has(b, set->egress, s) &&
		       find_port(s, WEB_PORT) != NULL;
	b->arena = &p->arena; /* nothing of it stays */
	is_it = has_host_place(b, s, set->egress, set->port);
	b->arena = before;
	return is_it;
}

/* By which its service is called there; NULL: none is. Of several with the host
 * it is not known which counts. */
static const struct port_row *
port_on(struct patching *p, const struct view_routes *set, struct slice host)
{
	const struct service_row *s = service_at(&p->b, host);

	if (s == NULL)
		return NULL;
	p->b.more_follows = p->b.more_follows || s->next != NULL;
	return is_place(p, set, s) ? find_port(s, set->port) : NULL;
}

static bool
takes_requests_on(
    struct patching *p, const struct view_routes *set, struct slice host)
{
	const struct port_row *on = port_on(p, set, host);

	return on != NULL && (on->protocol == VIEW_AUTO ||
				 view_protocol_is_http(on->protocol));
}

/* Do its hosts have virtual hosts on the set, whose egress is at hand? */
static bool
rules_on(
    struct patching *p, const struct view_routes *set, const struct resource *r)
{
	size_t count = resource_virtual_service(r)->hosts.count;

	if (!has_http_rule(&p->b, r, set->port))
		return false;
	if (set->port == WEB_PORT && !set->by_port)
		return true;
	for (size_t i = 0; i < count; i++) {
		struct slice host = host_at(&p->b, r, i);

		/* Any service that lies in a wildcard may be it. */
		p->b.more_follows =
		    p->b.more_follows || slice_starts(host, S("*"));
		if (takes_requests_on(p, set, host))
			return true;
	}
	return false;
}

/* --- who has a name ------------------------------------------------------- */

/* NULL: it is a service's there, or nobody's. */
static const struct resource *
owner_on(struct patching *p, const struct view_routes *set, struct slice host)
{
	const struct resource *owner = NULL;
	struct rows all = {0};

	p->b.egress = set->egress;
	if (port_on(p, set, host) != NULL)
		return NULL;
	find_rulings(p, host, &all);
	for (size_t i = 0; owner == NULL && i < all.count; i++)
		if (rules_on(p, set, all.items[i]))
			owner = all.items[i];
	rows_fini(&all);
	return owner;
}

/* Of any port: that of the first listener for which any decides, which is at
 * hand then. */
static const struct resource *
owner_of_any(struct patching *p, struct slice host)
{
	const struct rows *all = &p->b.scope->egresses;
	const struct resource *owner = NULL;

	if (find_import(&p->b, host) != NULL)
		return NULL;
	for (size_t i = 0; owner == NULL && i < all->count; i++) {
		p->b.egress = all->items[i];
		owner = owner_of_port(p, host, 0);
	}
	return owner;
}

/* That of the base; NULL: none. */
static const struct view_routes *
set_of(const struct builder *b, const struct host_row *h)
{
	const struct rows *all = &b->scope->sets;

	for (size_t i = 0; i < all->count; i++) {
		const struct view_routes *set = all->items[i];

		if (set->port == h->row.port && set->egress == h->egress &&
		    find_exact(set, h->row.host) == &h->row)
			return set;
	}
	return NULL;
}

static bool
is_in_doubt(const struct patching *p, struct slice host)
{
	return is_moved(p, host) || service_now_of(&p->b, host) != NULL;
}

bool
find_bare_owner(struct patching *p, const struct renewal *r,
    const struct host_row *h, const struct resource **out)
{
	const struct view_routes *set;

	*out = r->fresh;
	if (!is_in_doubt(p, h->row.host))
		return !r->moves;
	if (h->row.port == 0) {
		*out = owner_of_any(p, h->row.host);
		return *out != NULL || !is_named_listener_for(p, h->row.host);
	}
	set = set_of(&p->b, h);
	if (set == NULL)
		return false;
	*out = owner_on(p, set, h->row.host);
	return true;
}

/* --- those that come ------------------------------------------------------ */

static bool
put_on_set(struct patching *p, struct view_routes *set, struct slice host,
    const struct resource *r)
{
	struct builder *b = &p->b;
	struct more_host *h = take(b, 1, sizeof(*h));

	if (h == NULL)
		return false;
	fill_new_host(
	    b, &h->row, bare_host_name(b, host, set->port), host, set->port);
	fill_bare_host(b, &h->row, r);
	h->routes = set;
	h->domains = &h->row.row.host;
	h->domain_count = 1;
	put_more_host(p, h);
	return true;
}

/* What the base has is renewed with who has it there. */
static bool
add_on_set(struct patching *p, struct view_routes *set, struct slice host,
    const struct resource *r)
{
	const struct view_host *base = find_exact(set, host);

	if ((base != NULL && base->service == NULL) ||
	    !egress_obeys(&p->b, set->egress, r) || owner_on(p, set, host) != r)
		return true;
	return put_on_set(p, set, host, r);
}

static bool
add_of_any(struct patching *p, struct slice host, const struct resource *r)
{
	struct builder *b = &p->b;
	const struct host_row *base = map_get(&b->scope->hosts, host);
	struct more_host *h;

	if ((base != NULL && base->row.port == 0) || owner_of_any(p, host) != r)
		return true;
	h = take(b, 1, sizeof(*h));
	if (h == NULL || is_named_listener_for(p, host))
		return false;
	fill_new_host(b, &h->row, bare_host_name(b, host, 0), host, 0);
	h->row.row.protocol = VIEW_HTTP;
	compile_http(b, &h->row, r, NULL, NULL);
	put_more_host(p, h);
	return true;
}

static bool
add_host(struct patching *p, struct slice host, const struct resource *r)
{
	const struct rows *sets = &p->b.scope->sets;

	if (!is_in_doubt(p, host))
		return true;
	for (size_t i = 0; i < sets->count; i++)
		if (!add_on_set(p, sets->items[i], host, r))
			return false;
	return add_of_any(p, host, r);
}

bool
add_bare_hosts(struct patching *p, const struct resource *r)
{
	size_t count = resource_virtual_service(r)->hosts.count;

	for (size_t i = 0; i < p->base->scopes.count; i++) {
		p->b.scope = p->base->scopes.items[i];
		for (size_t j = 0; j < count; j++)
			if (!is_named_before(&p->b, r, j) &&
			    !add_host(p, host_at(&p->b, r, j), r))
				return false;
	}
	return true;
}

/* --- is anybody asked there ----------------------------------------------- */

static bool
leads_to_set(const struct view_routes *r, const struct view_routes *set)
{
	return r != NULL && (r == set || r->of == set);
}

static bool
is_listened_to(const struct rows *listeners, const struct view_routes *set)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct view_listener *l = listeners->items[i];

		for (size_t j = 0; j < l->chain_count; j++)
			if (leads_to_set(l->chains[j].routes, set))
				return true;
	}
	return false;
}

bool
is_dropped(const struct view *v, const struct view_host *h)
{
	for (size_t i = 0; i < v->renewal_count; i++) {
		const struct rows *some = &v->renewals[i].box->fewer_hosts;

		for (size_t j = 0; j < some->count; j++)
			if (some->items[j] == h)
				return true;
	}
	return false;
}

static bool
has_bare_hosts(const struct view *v, const struct view_routes *set)
{
	for (size_t i = 0; i < set->hosts.count; i++) {
		const struct view_host *h = set->hosts.items[i];

		if (h->service == NULL && !is_dropped(v, h))
			return true;
	}
	for (size_t i = 0; i < v->renewal_count; i++) {
		const struct rows *some = &v->renewals[i].box->more_hosts;

		for (size_t j = 0; j < some->count; j++) {
			const struct more_host *h = some->items[j];

			if (h->routes == set && h->row.service == NULL)
				return true;
		}
	}
	return false;
}

bool
keeps_sets(const struct patching *p)
{
	const struct box *front = p->b.v->front;

	for (size_t i = 0; front != NULL && i < front->outbound_count; i++) {
		const struct rows *listeners = &front->outbound[i].rows;
		const struct scope *s = p->base->scopes.items[i];

		for (size_t j = 0;
		     listeners->items != NULL && j < s->sets.count; j++)
			if (has_bare_hosts(p->b.v, s->sets.items[j]) &&
			    !is_listened_to(listeners, s->sets.items[j]))
				return false;
	}
	return true;
}

/* --- found by name -------------------------------------------------------- */

/* What a service has or had is listed with it. */
static void
list_one(struct patching *p, const struct host_row *h, struct host_row *as)
{
	char text[MORE_KEY_MAX];

	if (h->row.port == 0 && service_now_of(&p->b, h->row.host) == NULL)
		(void)map_put(&p->b.v->hosts_now,
		    more_key(scope_const(h->row.scope), h->row.host, text),
		    as); /* in place of what is there */
}

void
list_bare_hosts(struct patching *p)
{
	const struct view *v = p->b.v;

	for (size_t i = 0; i < v->renewal_count; i++) {
		const struct box *box = v->renewals[i].box;

		for (size_t j = 0; j < box->fewer_hosts.count; j++)
			list_one(p, box->fewer_hosts.items[j], &no_host);
		for (size_t j = 0; j < box->more_hosts.count; j++)
			list_one(p, box->more_hosts.items[j],
			    box->more_hosts.items[j]);
	}
}
