/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_gateways — virtual hosts of gateways that come and go.
 *
 * A VirtualService that comes or goes, or has other hosts, brings its own
 * virtual hosts to the sets of routes of its Gateways, or takes them away.
 * There is no patch where anybody else has a part of one of them, where hosts
 * are wildcards, which others may lie in, and where a set would be left without
 * any or had none.
 */
#include "patch.h"
#include "servers.h"

bool
is_for_gateways(const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	return vs->hosts.count > 0 &&
	       !gateways_have_mesh(vs->gateways.items, vs->gateways.count);
}

/* --- what goes ------------------------------------------------------------ */

static bool
has_wildcard(const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->hosts.count; i++)
		if (slice_starts(vs->hosts.items[i], S("*")))
			return true;
	return false;
}

/* Such a host is there without anybody's rules, too. */
static bool
redirects_host(
    struct builder *b, const struct served *s, const struct resource *r)
{
	size_t count = resource_virtual_service(r)->hosts.count;

	for (size_t i = 0; served_redirects(s) && i < s->host_count; i++)
		for (size_t j = 0; j < count; j++)
			if (slice_eq(s->hosts[i].host, host_at(b, r, j)))
				return true;
	return false;
}

static bool
leaves_redirect(struct builder *b, const struct resource *r)
{
	for (size_t i = 0; i < b->gateway_sets.count; i++) {
		const struct gateway_set *set = b->gateway_sets.items[i];

		for (size_t j = 0; j < set->server_count; j++)
			if (redirects_host(b, set->servers[j], r))
				return true;
	}
	return false;
}

bool
drop_gateway_hosts(
    struct builder *b, const struct rows *parts, const struct resource *r)
{
	if (parts->count > 0 && (has_wildcard(r) || leaves_redirect(b, r)))
		return false;
	for (size_t i = 0; i < parts->count; i++) {
		const struct gateway_part *p = parts->items[i];

		if (p->is_mixed || !lead_to_kept(p->rows, p->count))
			return false;
		for (struct gateway_host *h = p->hosts; h != NULL; h = h->next)
			rows_add(&b->box->fewer_hosts, h);
	}
	return true;
}

/* --- what comes ----------------------------------------------------------- */

/* The hosts of one VirtualService in one set. */
struct arrival {
	struct patching *p;
	const struct gateway_set *set;
	const struct bound *of;
	const struct served *first; /* NULL: none */
	struct rows drafts;         /* struct gateway_draft */
};

static bool
is_bound_to(const struct resource *r, const struct served *s)
{
	const struct virtual_service *vs = resource_virtual_service(r);
	const struct resource_key *gateway = &s->gateway->key;

	for (size_t i = 0; i < vs->gateways.count; i++) {
		struct slice ns, name;

		gateway_name_split(
		    vs->gateways.items[i], r->key.ns, &ns, &name);
		if (slice_eq(ns, gateway->ns) && slice_eq(name, gateway->name))
			return true;
	}
	return false;
}

/* Both make the same of it. */
static bool
serves_alike(const struct served *x, const struct served *y)
{
	return x->gateway == y->gateway && x->protocol == y->protocol &&
	       x->spec->port->number == y->spec->port->number &&
	       (x->spec->tls != NULL) == (y->spec->tls != NULL) &&
	       served_redirects(x) == served_redirects(y);
}

static bool
is_drafted(const struct arrival *a, struct slice host)
{
	for (size_t i = 0; i < a->drafts.count; i++) {
		const struct gateway_draft *x = a->drafts.items[i];

		if (slice_eq(x->host, host))
			return true;
	}
	return false;
}

/* False: it is more than a host of its own. */
static bool
add_host(struct arrival *a, const struct served *s, struct slice host)
{
	struct builder *b = &a->p->b;
	struct gateway_draft *x;

	if (a->first == NULL)
		a->first = s;
	if (slice_starts(host, S("*")) || !serves_alike(s, a->first))
		return false;
	if (is_drafted(a, host))
		return true;
	x = take(b, 1, sizeof(*x));
	if (x == NULL)
		return false;
	gateway_draft_init(b, s, host, x);
	x->needs_tls = served_redirects(s);
	x->origin = origin_of(a->of->resource, 0);
	rows_add(&a->drafts, x);
	return true;
}

static bool
add_hosts(struct arrival *a, const struct served *s)
{
	struct slice host;

	for (size_t i = 0; i < s->host_count; i++)
		for (size_t j = 0; j < a->of->host_count; j++)
			if (served_meets(
				&s->hosts[i], a->of, a->of->hosts[j], &host) &&
			    !add_host(a, s, host))
				return false;
	return true;
}

static bool
is_among_more(
    const struct box *box, const struct view_routes *r, struct slice domain)
{
	for (size_t i = 0; i < box->more_hosts.count; i++) {
		const struct more_host *h = box->more_hosts.items[i];

		if (h->routes == r &&
		    slice_is_among(domain, h->domains, h->domain_count))
			return true;
	}
	return false;
}

static bool
goes(const struct box *box, const struct view_host *h)
{
	for (size_t i = 0; i < box->fewer_hosts.count; i++)
		if (box->fewer_hosts.items[i] == h)
			return true;
	return false;
}

/* Nobody else has it; what was the VirtualService's own goes in this box. */
static bool
is_free(const struct arrival *a, struct slice domain)
{
	const struct view *v = a->p->b.v;
	const struct view_routes *r = a->set->routes;
	const struct view_host *h = find_exact(r, domain);

	for (size_t i = 0; i < v->renewal_count; i++)
		if (v->renewals[i].box != NULL &&
		    is_among_more(v->renewals[i].box, r, domain))
			return false;
	return h == NULL || goes(a->p->b.box, h);
}

/* As people and dashboards spell them. */
static bool
add_domains(struct arrival *a, struct more_host *h)
{
	struct slice *domains =
	    take(&a->p->b, a->drafts.count * 2, sizeof(*domains));

	for (size_t i = 0; domains != NULL && i < a->drafts.count; i++) {
		const struct gateway_draft *x = a->drafts.items[i];

		if (!is_free(a, x->host) || !is_free(a, x->shown))
			return false;
		domains[h->domain_count++] = x->host;
		if (!slice_eq(x->host, x->shown))
			domains[h->domain_count++] = x->shown;
	}
	h->domains = domains;
	return domains != NULL;
}

/* All of them are one row, which the most specific names. */
static bool
add_row(struct arrival *a, struct gateway_part *part)
{
	struct builder *b = &a->p->b;
	struct more_host *h = take(b, 1, sizeof(*h));
	struct gateway_draft x;
	void *parts[] = {part};

	if (h == NULL || !add_domains(a, h))
		return false;
	rows_sort(&a->drafts, compare_gateway_drafts);
	x = *(const struct gateway_draft *)a->drafts.items[0];
	x.parts = (struct rows){parts, 1, 1};
	fill_gateway_host(b, &x, &h->row.row);
	h->routes = a->set->routes;
	put_more_host(a->p, h);
	return true;
}

static bool
arrive(struct arrival *a)
{
	struct builder *b = &a->p->b;
	const struct resource *r = a->of->resource;
	struct gateway_part *part;
	bool ok = true;

	b->scope = a->set->scope;
	if (sight_of(b, r, b->scope->row.ns) == SIGHT_NONE)
		return true;
	for (size_t i = 0; ok && i < a->set->server_count; i++)
		if (is_bound_to(r, a->set->servers[i]))
			ok = add_hosts(a, a->set->servers[i]);
	if (!ok || a->first == NULL)
		return ok;
	b->gateway = a->first->name;
	part = gateway_part_of(b, a->first, r);
	ok = part != NULL &&
	     (part->count == 0 || (!a->set->is_blackhole && add_row(a, part)));
	b->gateway = S("");
	return ok;
}

bool
add_gateway_hosts(struct patching *p, const struct resource *r)
{
	struct builder *b = &p->b;
	size_t count = resource_virtual_service(r)->hosts.count;
	struct slice *hosts = take(b, count, sizeof(*hosts));
	const struct bound of = {r, hosts, count, 0};
	bool ok = hosts != NULL;

	for (size_t i = 0; ok && i < count; i++)
		hosts[i] = host_at(b, r, i);
	for (size_t i = 0; ok && i < b->gateway_sets.count; i++) {
		struct arrival a = {
		    .p = p, .set = b->gateway_sets.items[i], .of = &of};

		ok = arrive(&a);
		rows_fini(&a.drafts);
	}
	return ok;
}

/* --- what is left --------------------------------------------------------- */

/* At a gateway all that goes is of gateways. */
static size_t
count_fewer(const struct box *box, const struct view_routes *r)
{
	size_t n = 0;

	for (size_t i = 0; i < box->fewer_hosts.count; i++) {
		const struct gateway_host *h = box->fewer_hosts.items[i];

		n += h->routes == r;
	}
	return n;
}

static size_t
count_more(const struct box *box, const struct view_routes *r)
{
	size_t n = 0;

	for (size_t i = 0; i < box->more_hosts.count; i++) {
		const struct more_host *h = box->more_hosts.items[i];

		n += h->routes == r;
	}
	return n;
}

bool
leave_gateways_open(const struct patching *p)
{
	const struct view *v = p->b.v;

	for (size_t i = 0; i < p->b.gateway_sets.count; i++) {
		const struct gateway_set *set = p->b.gateway_sets.items[i];
		size_t more = 0, fewer = 0;

		for (size_t j = 0; j < v->renewal_count; j++) {
			more += count_more(v->renewals[j].box, set->routes);
			fewer += count_fewer(v->renewals[j].box, set->routes);
		}
		if (set->routes->hosts.count + more <= fewer)
			return false;
	}
	return true;
}
