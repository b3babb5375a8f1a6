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
	rows_add(b->box != NULL ? &b->box->routes : &b->scope->routes, r);
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
	if (!host_is_odd(domain))
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

struct slice
more_key(const void *of, struct slice domain, char out[MORE_KEY_MAX])
{
	return slice_join(
	    SLICES(slice_of(&of, sizeof(of)), domain), out, MORE_KEY_MAX);
}

/* --- looking up ---------------------------------------------------------- */

struct slice
view_split_authority(struct slice authority, uint16_t *out_port)
{
	size_t colon = slice_rfind(authority, ':');
	struct slice rest = slice_sub(authority, 0, colon);
	struct slice port = slice_sub(authority, colon + 1, authority.len);

	/* Else an IPv6 address without brackets. */
	if (colon < authority.len &&
	    (slice_ends(rest, S("]")) || slice_find(rest, ':') == rest.len) &&
	    addr_parse_port(port, out_port) == OK)
		return rest;
	*out_port = 0;
	return authority;
}

/* A patch may have one more, or one less. */
static const struct view_host *
find_exact_now(
    const struct view *v, const struct view_routes *r, struct slice domain)
{
	const struct view_host *h = view_host_now(v, find_exact(r, domain));
	char text[MORE_KEY_MAX];

	return h != NULL || v->more_hosts.count == 0
		   ? h
		   : map_get(&v->more_hosts, more_key(r, domain, text));
}

static const struct view_host *
find_any(const struct view *v, const struct view_routes *r)
{
	const struct view_host *h = view_host_now(v, r->any);
	char text[MORE_KEY_MAX];

	return h != NULL || v->more_hosts.count == 0
		   ? h
		   : map_get(&v->more_hosts, more_key(r, S("*"), text));
}

/* One of a service whose own name this is. */
static const struct view_host *
find_service_host(
    const struct view *v, const struct view_routes *r, struct slice name)
{
	const struct view_host *h = find_exact_now(v, r, name);

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

static bool
ends_as(struct slice host, struct slice pattern)
{
	struct slice suffix = slice_sub(pattern, 1, pattern.len);

	return host.len > suffix.len && slice_ends(host, suffix);
}

/* The longest that a patch has more of, if that is longer. */
static void
find_more_odd(const struct view *v, const struct view_routes *r,
    struct slice host, struct domain *out)
{
	for (size_t i = 0; i < v->more_odd.count; i++) {
		const struct more_host *h = v->more_odd.items[i];

		for (size_t j = 0; h->routes == r && j < h->domain_count; j++)
			if (host_is_odd(h->domains[j]) &&
			    h->domains[j].len > out->name.len &&
			    ends_as(host, h->domains[j]))
				*out =
				    (struct domain){h->domains[j], &h->row.row};
	}
}

/* The longest of now; no host: none. */
static struct domain
find_odd(const struct view *v, const struct view_routes *r, struct slice host)
{
	struct domain found = {.host = NULL};

	for (size_t i = 0; found.host == NULL && i < r->odd.count; i++) {
		const struct domain *d = r->odd.items[i];

		if (ends_as(host, d->name) && view_host_now(v, d->host) != NULL)
			found = *d;
	}
	find_more_odd(v, r, host, &found);
	return found;
}

/* By the map: "*.b.c", "*.c" for "a.b.c", unless an odd one is longer. */
static const struct view_host *
find_wildcard(const struct view *v, const struct view_routes *r,
    struct slice host, char *text)
{
	const struct domain odd = find_odd(v, r, host);

	for (size_t i = 1; i < host.len; i++) {
		struct slice pattern = slice_of(&text[i - 1], host.len - i + 1);
		const struct view_host *h;

		if (text[i] != '.')
			continue;
		if (odd.name.len > pattern.len)
			return odd.host;
		text[i - 1] = '*';
		h = find_exact_now(v, r, pattern);
		if (h != NULL)
			return h;
	}
	return odd.host;
}

/* The last dot belongs to services' names alone. */
static const struct view_host *
find_absolute(const struct view *v, const struct view_routes *r,
    struct slice host, char *text)
{
	const struct view_host *h = find_service_host(v, r, host);

	if (h == NULL)
		h = find_wildcard(v, r, host, text);
	return h != NULL && h->service != NULL ? h : NULL;
}

/* A service by another form of its name. */
static const struct view_host *
find_form(const struct view *v, const struct view_routes *r, struct slice host,
    char *text)
{
	if (!slice_ends(host, S(".")))
		return find_service_host(v, r, spell_out(v, r, text, host));
	host = in_domain(v, text, slice_sub(host, 0, host.len - 1));
	return find_absolute(v, r, host, text);
}

static const struct view_host *
find(const struct view *v, const struct view_routes *r, struct slice host)
{
	const struct view_host *h;
	char text[LOOKUP_MAX];

	if (host.len == 0 || host.len > NAME_HOST_MAX + 1)
		return find_any(v, r);
	for (size_t i = 0; i < host.len; i++)
		text[i] = host.ptr[i] >= 'A' && host.ptr[i] <= 'Z'
			      ? (char)(host.ptr[i] + ('a' - 'A'))
			      : host.ptr[i];
	host = slice_of(text, host.len);
	if (r->scope != NULL)
		host = in_domain(v, text, host);
	h = find_exact_now(v, r, host);
	if (h == NULL && r->scope != NULL)
		h = find_form(v, r, host, text);
	if (h == NULL && !slice_ends(host, S(".")))
		h = find_wildcard(v, r, host, text);
	return h != NULL ? h : find_any(v, r);
}

/* Only a port that somebody serves has a set. */
static const struct view_routes *
routes_for_port(const struct view_routes *r, uint16_t port)
{
	char text[SLICE_U64_MAX];

	if (!r->by_port || port == 0 || port == 80)
		return r;
	return map_get(&r->scope->routes_by_name, slice_from_u64(port, text));
}

const struct view_host *
view_find_domain(
    const struct view *v, const struct view_routes *r, struct slice authority)
{
	uint16_t port;
	struct slice host = view_split_authority(authority, &port);
	const struct view_routes *of = routes_for_port(r, port);

	return view_host_now(v, of != NULL ? find(v, of, host) : r->any);
}
