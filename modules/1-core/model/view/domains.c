/* SPDX-License-Identifier: Apache-2.0 */
/*
 * domains — the virtual hosts of one set of routes, by a request's authority.
 *
 * A service is called by any form of its name; only the full one is written
 * down, and the others are spelled out when somebody asks. Hosts that are no
 * service answer to what they are called, and to nothing else.
 */
#include "inside.h"

struct slice
view_routes_name(const struct view_routes *r)
{
	return r->name;
}

const struct view_host *const *
view_routes_hosts(const struct view_routes *r, size_t *out_count)
{
	*out_count = r->hosts.count;
	return (const struct view_host *const *)r->hosts.items;
}

struct view_routes *
add_routes(struct builder *b, struct slice name)
{
	struct view_routes *r = take(b, 1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->scope = b->scope;
	r->name = name;
	map_init(&r->domains);
	rows_add(&b->scope->routes, r);
	return r;
}

void
routes_fini(struct view_routes *r)
{
	map_fini(&r->domains, NULL);
	rows_fini(&r->odd);
	rows_fini(&r->hosts);
}

const struct view_host *
find_exact(const struct view_routes *r, struct slice domain)
{
	return map_get(&r->domains, domain);
}

bool
add_domain(struct builder *b, struct view_routes *r, struct slice domain,
    const struct view_host *host)
{
	struct domain *d;

	if (slice_eq(domain, S("*"))) {
		if (r->any != NULL)
			return false;
		r->any = host;
		return true;
	}
	if (map_get(&r->domains, domain) != NULL)
		return false;
	(void)map_put(
	    &r->domains, domain, (void *)(uintptr_t)host); /* was not there */
	if (!slice_starts(domain, S("*")) || host_is_pattern(domain))
		return true;
	d = take(b, 1, sizeof(*d));
	if (d == NULL)
		return false;
	*d = (struct domain){domain, host};
	rows_add(&r->odd, d);
	return true;
}

static int
longest_first(const void *a, const void *b)
{
	const struct domain *const *x = a;
	const struct domain *const *y = b;

	if ((*x)->name.len != (*y)->name.len)
		return (*x)->name.len > (*y)->name.len ? -1 : 1;
	return slice_cmp((*x)->name, (*y)->name);
}

void
seal_routes(struct view_routes *r)
{
	rows_sort(&r->odd, longest_first);
}

/* --- looking up ---------------------------------------------------------- */

/* "shop.com:8080" without its port; "[::1]:80" without that, too. */
static struct slice
without_port(struct slice authority)
{
	struct slice rest;
	struct slice port;
	uint16_t number;

	for (size_t i = authority.len; i > 0; i--)
		if (authority.ptr[i - 1] == ':') {
			rest = slice_sub(authority, 0, i - 1);
			port = slice_sub(authority, i, authority.len);
			if (slice_ends(rest, S("]")) ||
			    slice_find(rest, ':') == rest.len)
				return addr_parse_port(port, &number) == OK
					   ? rest
					   : authority;
			return authority; /* an IPv6 address without brackets */
		}
	return authority;
}

/* One of a service whose own name this is. */
static const struct view_host *
find_service_host(const struct view_routes *r, struct slice name)
{
	const struct view_host *h = map_get(&r->domains, name);

	return h != NULL && h->service != NULL &&
		       slice_eq(h->service->host, name)
		   ? h
		   : NULL;
}

/* `text` has the host at its start, and room for twice as much. */
static struct slice
put(char *text, size_t at, struct slice more)
{
	memcpy(text + at, more.ptr, more.len);
	return slice_of(text, at + more.len);
}

enum { LOOKUP_MAX = 3 * (NAME_HOST_MAX + 2) };

/* "….svc.cluster.local" is the mesh's own domain, whatever it is called. */
static struct slice
in_domain(const struct view *v, char *text, struct slice host)
{
	static const struct slice upstream = {"cluster.local", 13};

	if (slice_ends(host, S(".svc.cluster.local")) &&
	    v->domain.len <= NAME_HOST_MAX)
		return put(text, host.len - upstream.len, v->domain);
	return host;
}

/* "reviews", "reviews.ns", "reviews.ns.svc" in full; empty: none of them. */
static struct slice
spell_out(const struct view *v, const struct view_routes *r, char *text,
    struct slice host)
{
	struct slice ns = r->scope->row.ns, domain = v->domain;
	size_t dot = slice_find(host, '.'), at = host.len;
	struct slice rest =
	    dot < host.len ? slice_sub(host, dot + 1, host.len) : S("");

	if (host.len + ns.len + domain.len + sizeof("..svc.") > LOOKUP_MAX)
		return S("");
	if (dot == host.len) {
		at = put(text, at, S(".")).len;
		at = put(text, at, ns).len;
		at = put(text, at, S(".svc")).len;
	} else if (slice_find(rest, '.') == rest.len) {
		at = put(text, at, S(".svc")).len;
	} else if (slice_find(rest, '.') + strlen(".svc") != rest.len ||
		   !slice_ends(rest, S(".svc"))) {
		return S("");
	}
	at = put(text, at, S(".")).len;
	return put(text, at, domain);
}

static const struct domain *
find_odd(const struct view_routes *r, struct slice host)
{
	for (size_t i = 0; i < r->odd.count; i++) {
		const struct domain *d = r->odd.items[i];
		struct slice suffix = slice_sub(d->name, 1, d->name.len);

		if (host.len > suffix.len && slice_ends(host, suffix))
			return d;
	}
	return NULL;
}

/* By the map: "*.b.c", "*.c" for "a.b.c", unless an odd one is longer. */
static const struct view_host *
find_wildcard(const struct view_routes *r, struct slice host, char *text)
{
	const struct domain *odd = find_odd(r, host);

	for (size_t i = 1; i < host.len; i++) {
		struct slice pattern = slice_of(&text[i - 1], host.len - i + 1);
		const struct view_host *h;

		if (text[i] != '.')
			continue;
		if (odd != NULL && odd->name.len > pattern.len)
			return odd->host;
		text[i - 1] = '*';
		h = map_get(&r->domains, pattern);
		if (h != NULL)
			return h;
	}
	return odd != NULL ? odd->host : NULL;
}

/* The last dot belongs to services' names alone. */
static const struct view_host *
find_absolute(const struct view_routes *r, struct slice host, char *text)
{
	const struct view_host *h = find_service_host(r, host);

	if (h == NULL)
		h = find_wildcard(r, host, text);
	return h != NULL && h->service != NULL ? h : NULL;
}

/* A service by another form of its name. */
static const struct view_host *
find_form(const struct view *v, const struct view_routes *r, struct slice host,
    char *text)
{
	if (!slice_ends(host, S(".")))
		return find_service_host(r, spell_out(v, r, text, host));
	host = in_domain(v, text, slice_sub(host, 0, host.len - 1));
	return find_absolute(r, host, text);
}

static const struct view_host *
find(const struct view *v, const struct view_routes *r, struct slice host)
{
	const struct view_host *h;
	char text[LOOKUP_MAX];

	if (host.len == 0 || host.len > NAME_HOST_MAX + 1)
		return r->any;
	for (size_t i = 0; i < host.len; i++)
		text[i] = host.ptr[i] >= 'A' && host.ptr[i] <= 'Z'
			      ? (char)(host.ptr[i] + ('a' - 'A'))
			      : host.ptr[i];
	host = slice_of(text, host.len);
	if (r->scope != NULL)
		host = in_domain(v, text, host);
	h = map_get(&r->domains, host);
	if (h == NULL && r->scope != NULL)
		h = find_form(v, r, host, text);
	if (h == NULL && !slice_ends(host, S(".")))
		h = find_wildcard(r, host, text);
	return h != NULL ? h : r->any;
}

const struct view_host *
view_find_domain(
    const struct view *v, const struct view_routes *r, struct slice authority)
{
	return view_host_now(v, find(v, r, without_port(authority)));
}
