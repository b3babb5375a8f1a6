/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_routes — sets of routes: the virtual hosts that programs call on a port.
 *
 * A service on the port has one, and so have the other hosts of the
 * VirtualServices that rule over a service there; on port 80 those of all.
 */
#include "inside.h"

enum { WEB_PORT = 80 };

/* What a set is made of. */
struct making {
	struct view_routes *routes;
	const struct rows *hosts; /* struct host_row: who listens there */
	struct rows rulings;      /* struct ruling */
	uint16_t port;
	bool proxy;
	/* Hosts of the port → host_row; patterns that have one → anything. */
	struct map registry;
	struct map patterns;
};

/* --- which rules --------------------------------------------------------- */

static void
add_marked(struct egress *e, const struct rows *some, struct rows *out)
{
	for (size_t i = 0; i < some->count; i++) {
		struct ruling *r = some->items[i];

		if (r->mark == e->marks)
			continue;
		r->mark = e->marks;
		rows_add(out, r);
	}
}

static void
add_all(struct builder *b, struct making *m)
{
	for (size_t i = 0; i < b->egress->rulings.count; i++) {
		struct ruling *r = b->egress->rulings.items[i];

		if (has_http_rule(b, r->resource, m->port))
			rows_add(&m->rulings, r);
	}
}

static bool
takes_requests(const struct host_row *h)
{
	return h->row.protocol == VIEW_AUTO ||
	       view_protocol_is_http(h->row.protocol);
}

static void
find_rulings(struct builder *b, struct making *m)
{
	struct rows some = {0};

	if (m->port == WEB_PORT && !m->proxy) {
		add_all(b, m);
		return;
	}
	b->egress->marks++;
	for (size_t i = 0; i < m->hosts->count; i++) {
		const struct host_row *h = m->hosts->items[i];

		if (!takes_requests(h))
			continue;
		some.count = 0;
		add_rulings(b, h->row.host, m->port, &some);
		add_marked(b->egress, &some, &m->rulings);
	}
	rows_fini(&some);
	rulings_sort(&m->rulings);
}

/* --- hosts that are no service of the port ------------------------------- */

static void
register_hosts(struct making *m)
{
	for (size_t i = 0; i < m->hosts->count; i++) {
		struct host_row *h = m->hosts->items[i];

		(void)map_put(&m->registry, h->row.host, h); /* hosts differ */
	}
}

/* Only where a rule has a wildcard does it matter. */
static void
register_patterns(struct making *m)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern;

	for (size_t i = 0; i < m->hosts->count; i++) {
		struct host_row *h = m->hosts->items[i];

		for (size_t at = 0;
		     host_next_pattern(h->row.host, &at, text, &pattern);)
			(void)map_put(&m->patterns, pattern, h); /* any */
	}
}

/* Is there a service in it, or a wildcard that it lies in? */
static bool
has_part(struct making *m, struct slice pattern)
{
	char text[HOST_TEXT_MAX];
	struct slice wider;

	if (m->patterns.count == 0)
		register_patterns(m);
	if (map_get(&m->patterns, pattern) != NULL)
		return true;
	for (size_t at = 0; host_next_pattern(pattern, &at, text, &wider);)
		if (map_get(&m->registry, wider) != NULL)
			return true;
	return false;
}

static void
add_bare_host(struct builder *b, struct making *m, const struct ruling *r,
    struct slice host)
{
	struct host_row *h;

	if (map_get(&m->registry, host) != NULL ||
	    (slice_starts(host, S("*")) && has_part(m, host)) ||
	    find_exact(m->routes, host) != NULL)
		return;
	h = new_host(b,
	    take_printf(b, "%.*s:%u", SLICE_ARG(istio_host(b, host)),
		(unsigned)m->port),
	    host, m->port);
	if (h == NULL)
		return;
	h->row.protocol = VIEW_HTTP;
	h->is_quiet = true;
	compile_http(b, h, r->resource, NULL, NULL);
	(void)add_domain(b, m->routes, host, &h->row); /* was not there */
	rows_add(&m->routes->hosts, h);
}

static void
add_bare_hosts(struct builder *b, struct making *m)
{
	for (size_t i = 0; i < m->rulings.count; i++) {
		const struct ruling *r = m->rulings.items[i];
		const struct virtual_service *vs =
		    resource_virtual_service(r->resource);

		for (size_t j = 0; !b->full && j < vs->hosts.count; j++)
			add_bare_host(b, m, r,
			    canonical_host(
				b, vs->hosts.items[j], r->resource->key.ns));
	}
}

/* --- services ------------------------------------------------------------ */

size_t
host_forms(
    struct builder *b, const struct service_row *s, struct slice out[FORMS_MAX])
{
	struct slice host = s->row.host;
	struct slice end = take_join(b, SLICES(S(".svc."), b->v->domain));
	size_t n = 0, name = host.len - end.len;

	out[n++] = host;
	out[n++] = take_join(b, SLICES(host, S(".")));
	if (!slice_eq(host, s->row.istio)) {
		out[n++] = s->row.istio;
		out[n++] = take_join(b, SLICES(s->row.istio, S(".")));
	}
	if (!slice_ends(host, end))
		return n;
	out[n++] = slice_sub(host, 0, name);
	out[n++] = slice_sub(host, 0, name + strlen(".svc"));
	if (slice_eq(s->row.ns, b->scope->row.ns))
		out[n++] = slice_sub(host, 0, slice_find(host, '.'));
	return n;
}

/* Who was there first keeps a domain. */
static void
add_forms(struct builder *b, struct view_routes *r, const char *prefix,
    const struct service_row *of, const struct view_host *h)
{
	struct slice forms[FORMS_MAX];
	size_t n = host_forms(b, of, forms);

	for (size_t i = 0; i < n; i++)
		(void)add_domain(b, r,
		    take_join(b, SLICES(slice_str(prefix), forms[i])),
		    h); /* see above */
}

static void
add_addresses(
    struct builder *b, struct view_routes *r, const struct host_row *h)
{
	size_t n;
	const struct cidr *all = service_addresses(b, h->service, &n);
	char text[ADDR_TEXT_MAX];

	/* Of an entry with several upstream knows the last by name. */
	for (size_t i = is_entry(h->service) && n > 1 ? n - 1 : 0; i < n; i++)
		if (cidr_is_one(&all[i]))
			(void)add_domain(b, r,
			    take_printf(b,
				all[i].base.family == ADDR_V6 ? "[%s]" : "%s",
				addr_format_ip(&all[i].base, text)),
			    &h->row); /* who was there first keeps it */
}

static void
add_aliases(struct builder *b, struct view_routes *r, const struct host_row *h)
{
	const struct rows *all = aliases_of(b, h->row.host);

	for (size_t i = 0; all != NULL && i < all->count; i++)
		add_forms(b, r, "", all->items[i], &h->row);
}

/* Short forms of its own name are found without being written down. */
static void
add_service(struct builder *b, struct making *m, const struct host_row *h)
{
	const struct view_service *s = &h->service->row;

	if (!takes_requests(h) ||
	    (s->resolution == VIEW_ALIAS && h->owner == NULL))
		return;
	(void)add_domain(b, m->routes, h->row.host, &h->row); /* or an alias */
	rows_add(&m->routes->hosts, (void *)(uintptr_t)&h->row);
	add_addresses(b, m->routes, h);
	add_aliases(b, m->routes, h);
	if (s->resolution == VIEW_ORIGINAL && !is_entry(h->service))
		add_forms(b, m->routes, "*.", h->service, &h->row);
}

/* --- sets ---------------------------------------------------------------- */

static const struct view_routes *
make(struct builder *b, struct egress *e, struct slice name,
    const struct making *what)
{
	struct egress *before = b->egress;
	struct making m = *what;

	b->egress = e;
	map_init(&m.registry);
	map_init(&m.patterns);
	m.routes = add_routes(b, name);
	if (m.routes != NULL) {
		(void)map_put(&b->scope->routes_by_name, name,
		    m.routes); /* was not there */
		register_hosts(&m);
		find_rulings(b, &m);
		add_bare_hosts(b, &m);
		for (size_t i = 0; !b->full && i < m.hosts->count; i++)
			add_service(b, &m, m.hosts->items[i]);
		(void)add_domain(b, m.routes, S("*"),
		    b->scope->unknown_host); /* or a rule has it */
		seal_routes(m.routes);
	}
	map_fini(&m.registry, NULL);
	map_fini(&m.patterns, NULL);
	rows_fini(&m.rulings);
	b->egress = before;
	return m.routes;
}

static const struct rows *
hosts_on(const struct egress *e, uint16_t port)
{
	static const struct rows none;
	const struct called *c =
	    map_get(&e->called, slice_of(&port, sizeof(port)));

	return c != NULL ? &c->hosts : &none;
}

const struct view_routes *
routes_of_port(struct builder *b, uint16_t port)
{
	struct slice name = take_printf(b, "%u", (unsigned)port);
	const struct view_routes *r = map_get(&b->scope->routes_by_name, name);
	struct egress *e = egress_of_port(b->scope, port);

	if (r != NULL || e == NULL)
		return r;
	return make(b, e, name,
	    &(struct making){.hosts = hosts_on(e, port), .port = port});
}

/* Its own rows: no named listener calls them. */
static void
add_proxy_hosts(struct builder *b, struct egress *e, struct rows *out)
{
	for (size_t i = 0; i < e->services.count; i++) {
		struct service_row *s = e->services.items[i];
		const struct port_row *p = find_port(s, WEB_PORT);
		struct host_row *h;

		if (p == NULL)
			continue;
		h = new_host(b,
		    take_printf(
			b, "%.*s:%d", SLICE_ARG(s->row.istio), (int)WEB_PORT),
		    s->row.host, WEB_PORT);
		if (h == NULL)
			return;
		fill_host(b, h, s, p);
		rows_add(out, h);
	}
}

const struct view_routes *
routes_of_proxy(struct builder *b, struct egress *e, struct slice name)
{
	const struct view_routes *r = map_get(&b->scope->routes_by_name, name);
	struct egress *before = b->egress;
	struct rows hosts = {0};

	if (r != NULL)
		return r;
	b->egress = e;
	add_proxy_hosts(b, e, &hosts);
	b->egress = before;
	r = make(b, e, name,
	    &(struct making){.hosts = &hosts, .port = WEB_PORT, .proxy = true});
	rows_fini(&hosts);
	return r;
}

const struct view_routes *
routes_of_service(struct builder *b, const struct service_row *s, uint16_t port)
{
	struct slice name =
	    take_printf(b, "%.*s:%u", SLICE_ARG(s->row.istio), (unsigned)port);
	struct view_routes *r = map_get(&b->scope->routes_by_name, name);
	const struct view_routes *all = routes_of_port(b, port);
	const struct view_host *h;

	if (r != NULL)
		return r;
	r = add_routes(b, name);
	if (r == NULL)
		return NULL;
	(void)map_put(&b->scope->routes_by_name, name, r); /* was not there */
	h = all != NULL ? find_exact(all, s->row.host) : NULL;
	if (h != NULL)
		(void)add_domain(b, r, S("*"), h); /* was not there */
	seal_routes(r);
	return r;
}
