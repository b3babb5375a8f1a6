/* SPDX-License-Identifier: Apache-2.0 */
/*
 * domains — the virtual hosts of one set of routes, by a request's authority.
 */
#include <stdlib.h>

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
	r->view = b->v;
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
	if (r->odd.count > 0)
		qsort(
		    r->odd.items, r->odd.count, sizeof(void *), longest_first);
}

/* --- looking up ----------------------------------------------------------- */

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

const struct view_host *
view_find_domain(const struct view_routes *r, struct slice authority)
{
	const struct view_host *h;
	char lower[NAME_HOST_MAX + 2];
	struct slice host = without_port(authority);
	struct slice full;
	char text[HOST_KEY_MAX];

	if (host.len == 0 || host.len >= sizeof(lower))
		return r->any;
	for (size_t i = 0; i < host.len; i++)
		lower[i] = host.ptr[i] >= 'A' && host.ptr[i] <= 'Z'
			       ? (char)(host.ptr[i] + ('a' - 'A'))
			       : host.ptr[i];
	host.ptr = lower;
	h = map_get(&r->domains, host);
	if (h == NULL && r->scope != NULL &&
	    spell_host(r->view, r->scope, host, text, &full))
		h = map_get(&r->domains, full);
	if (h == NULL)
		h = find_wildcard(r, host, lower);
	return h != NULL ? h : r->any;
}
