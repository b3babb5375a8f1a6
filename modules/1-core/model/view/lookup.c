/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup — what a request meets: asked by the proxy and by explain alike.
 *
 * No allocation and no lock here; a view never changes.
 */
#include "inside.h"

/* --- by name -------------------------------------------------------------- */

const struct view_upstream *
view_find_upstream(const struct view *v, struct slice name)
{
	return map_get(&v->upstream_by_name, name);
}

const struct view_cluster *
view_cluster_now(const struct view *v, const struct view_cluster *c)
{
	return slots_at(&v->clusters, c->slot);
}

const struct view_host *
view_host_now(const struct view *v, const struct view_host *h)
{
	return h != NULL && h->slot > 0 ? slots_at(&v->hosts, h->slot - 1) : h;
}

/* Few, if any. */
static const struct view_cluster *
find_later(const struct view *v, struct slice name)
{
	size_t i =
	    v->base != NULL ? v->base->clusters.count : v->clusters.count;

	for (; i < v->clusters.count; i++) {
		const struct view_cluster *c = slots_at(&v->clusters, i);

		if (c != NULL && slice_eq(c->name, name))
			return c;
	}
	return NULL;
}

const struct view_cluster *
view_find_cluster(const struct view *v, struct slice name)
{
	const struct view_cluster *c = map_get(&v->cluster_by_name, name);

	return c != NULL ? view_cluster_now(v, c) : find_later(v, name);
}

/* Callers of some scopes are given one of their own, under the same name. */
const struct view_cluster *
view_find_like(const struct view *v, const struct view_cluster *c)
{
	const struct view_cluster *found = view_find_cluster(v, c->name);

	if (found == NULL || found->id == c->id)
		return found;
	for (size_t i = 0; i < v->clusters.count; i++) {
		found = slots_at(&v->clusters, i);
		if (found != NULL && found->id == c->id)
			return found;
	}
	return NULL;
}

struct host_row no_host;

const struct host_row *
host_row_now(const struct view *v, const struct scope *s, struct slice host)
{
	char text[MORE_KEY_MAX];
	const struct host_row *h =
	    v->hosts_now.count > 0
		? map_get(&v->hosts_now, more_key(s, host, text))
		: NULL;

	if (h == NULL)
		return map_get(&s->hosts, host);
	return h != &no_host ? h : NULL;
}

/* Two labels are taken for a service's name and namespace. */
static bool
spell_full(const struct view *v, const struct scope *of, struct slice host,
    char text[HOST_KEY_MAX], struct slice *out)
{
	if (host.len == 0 || host.len > NAME_HOST_MAX + 1)
		return false;
	*out = host_spell(host, of->row.ns, v->domain, text);
	return out->len > 0;
}

/*
 * A name that a request says, as hosts of the view spell it; false if it is
 * none. Two labels are a service's only if there is one. Lies in `text`.
 */
static bool
spell_host(const struct view *v, const struct scope *of, struct slice host,
    char text[HOST_KEY_MAX], struct slice *out)
{
	char written[HOST_KEY_MAX];
	struct slice s;

	if (!spell_full(v, of, host, text, out))
		return false;
	s = host_spell_written(host, of->row.ns, v->domain, written);
	if (!host_may_be_outside(s) || (host_row_now(v, of, s) == NULL &&
					   host_row_now(v, of, *out) != NULL))
		return true;
	memcpy(text, s.ptr, s.len); /* shorter than HOST_KEY_MAX */
	*out = slice_of(text, s.len);
	return true;
}

static const struct view_host *
find_wildcard(const struct scope *s, struct slice host, uint16_t port)
{
	for (size_t i = 0; i < s->wildcards.count; i++) {
		const struct view_host *w = s->wildcards.items[i];
		struct slice suffix = slice_sub(w->host, 1, w->host.len);

		if (host.len > suffix.len && slice_ends(host, suffix) &&
		    (port == 0 || w->port == 0 || w->port == port))
			return w;
	}
	return NULL;
}

static const struct view_host *
find_host(const struct view *v, const struct scope *s, struct slice host,
    uint16_t port)
{
	char text[HOST_KEY_MAX];
	const struct host_row *h = host_row_now(v, s, host);
	struct slice name;

	if (h == NULL) { /* it is not written as hosts are spelled */
		if (!spell_host(v, s, host, text, &name))
			return NULL;
		h = host_row_now(v, s, name);
		if (h == NULL)
			return find_wildcard(s, name, port);
	}
	if (port == 0)
		return &h->row;
	while (h != NULL && h->row.port != 0 && h->row.port != port)
		h = h->next;
	return h != NULL ? &h->row : NULL;
}

const struct view_host *
view_find_host(const struct view *v, const struct view_scope *of,
    struct slice host, uint16_t port)
{
	const struct scope *s =
	    of != NULL ? scope_const(of) : v->scopes.items[0];

	return view_host_now(v, find_host(v, s, host, port));
}

const struct view_host *
view_host_port(const struct view *v, const struct view_scope *of,
    const struct view_host *h, size_t index)
{
	const struct scope *s =
	    of != NULL ? scope_const(of) : v->scopes.items[0];
	const struct host_row *row = host_row_now(v, s, h->host);

	for (; row != NULL && index > 0; index--)
		row = row->next;
	return row != NULL ? view_host_now(v, &row->row) : NULL;
}

const struct view_cluster *
view_port_cluster(const struct view *v, const struct view_host *port)
{
	char number[SLICE_U64_MAX], text[HOST_KEY_MAX + SLICE_U64_MAX + 16];

	if (port->service == NULL)
		return NULL;
	return view_find_cluster(
	    v, slice_join(
		   SLICES(S("outbound|"), slice_from_u64(port->port, number),
		       S("||"), port->service->istio),
		   text, sizeof(text)));
}

/* Hosts of services are those of scopes, in the view and in its patches. */
struct slice
view_port_name(const struct view_host *port)
{
	const struct service_row *s =
	    port->service != NULL ? ((const struct host_row *)port)->service
				  : NULL;
	const struct service_spec *spec;

	if (s == NULL || s->resource == NULL ||
	    s->resource->kind != &kind_service)
		return S("");
	spec = resource_service(s->resource);
	for (size_t i = 0; i < spec->ports.count; i++)
		if (spec->ports.items[i].port == port->port)
			return spec->ports.items[i].name;
	return S("");
}

struct slice
view_domain(const struct view *v)
{
	return v->domain;
}

uint64_t
view_generation(const struct view *v)
{
	return v->generation;
}

/* Ports are few; those with an address of their own come first. */
const struct view_exposed *
view_find_exposed(const struct view *v, const struct addr *target)
{
	for (size_t i = 0; i < v->exposed_count; i++) {
		const struct view_exposed *e = &v->exposed[i];

		if (e->addr.port > target->port)
			break;
		if (e->addr.port == target->port &&
		    (addr_is_any(&e->addr) || addr_ip_eq(&e->addr, target)))
			return e;
	}
	return NULL;
}

/* The one identity of what is at the address, or anywhere (NULL). False: there
 * is nothing. */
static bool
find_identity(const struct view *v, const struct addr *at, struct slice *out)
{
	const struct view_exposed *first = NULL;

	*out = SLICE_NONE;
	for (size_t i = 0; i < v->exposed_count; i++) {
		const struct view_exposed *e = &v->exposed[i];

		if (at != NULL && !addr_is_any(&e->addr) &&
		    !addr_ip_eq(&e->addr, at))
			continue;
		if (first == NULL)
			first = e;
		else if (!slice_eq(first->identity, e->identity))
			return true;
	}
	if (first != NULL)
		*out = first->identity;
	return first != NULL;
}

struct slice
view_identity_at(const struct view *v, const struct addr *at)
{
	struct slice found;

	if (!find_identity(v, at, &found))
		(void)find_identity(v, NULL, &found); /* none, then */
	return found;
}

const struct view_exposed *
view_find_exposed_host(const struct view *v, struct slice host, uint16_t port)
{
	char text[HOST_KEY_MAX];
	struct slice name;

	if (!spell_full(v, v->scopes.items[0], host, text, &name))
		return NULL;
	for (size_t i = 0; i < v->exposed_count; i++)
		if (v->exposed[i].port == port &&
		    slice_eq(v->exposed[i].host, name))
			return &v->exposed[i];
	return NULL;
}

bool
view_is_announced(const struct view *v, const struct addr *a)
{
	for (size_t i = 0; i < v->addr_count; i++)
		if (addr_ip_eq(&v->addrs[i], a))
			return true;
	return false;
}

const struct addr *
view_announced(const struct view *v, size_t *out_count)
{
	*out_count = v->addr_count;
	return v->addrs;
}
