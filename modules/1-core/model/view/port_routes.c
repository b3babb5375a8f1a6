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

bool
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

struct slice
bare_host_name(struct builder *b, struct slice host, uint16_t port)
{
	struct slice name = istio_host(b, host);

	return port == 0
		   ? take_printf(b, "%.*s:*", SLICE_ARG(name))
		   : take_printf(b, "%.*s:%u", SLICE_ARG(name), (unsigned)port);
}

void
fill_bare_host(
    struct builder *b, struct host_row *h, const struct resource *owner)
{
	h->row.protocol = VIEW_HTTP;
	h->is_quiet = true;
	compile_http(b, h, owner, NULL, NULL);
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
	h = new_host(b, bare_host_name(b, host, m->port), host, m->port);
	if (h == NULL)
		return;
	fill_bare_host(b, h, r->resource);
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

/* Who was there first keeps a domain, which is told it. */
static void
claim(struct builder *b, struct view_routes *r, struct slice domain,
    const struct host_row *h)
{
	struct host_row *holder;

	if (add_domain(b, r, domain, &h->row))
		return;
	holder = (struct host_row *)(uintptr_t)find_exact(r, domain);
	if (holder != NULL && holder != h)
		holder->is_contested = true;
}

static void
add_forms(struct builder *b, struct view_routes *r, const char *prefix,
    const struct service_row *of, const struct host_row *h)
{
	struct slice forms[FORMS_MAX];
	size_t n = host_forms(b, of, forms);

	for (size_t i = 0; i < n; i++)
		claim(
		    b, r, take_join(b, SLICES(slice_str(prefix), forms[i])), h);
}

/* Its machines have names below its own. */
static bool
is_headless(const struct service_row *s)
{
	return s->row.resolution == VIEW_ORIGINAL && !is_entry(s);
}

/* The addresses by which it is called; as many as may be are in the arena. */
static size_t
address_domains(struct builder *b, const struct host_row *h, struct slice **out)
{
	size_t n, count = 0;
	const struct cidr *all = service_addresses(b, h->service, &n);
	char text[ADDR_TEXT_MAX];

	*out = take(b, n, sizeof(**out));
	/* Of an entry with several upstream knows the last by name. */
	for (size_t i = is_entry(h->service) && n > 1 ? n - 1 : 0;
	     *out != NULL && i < n; i++)
		if (cidr_is_one(&all[i]))
			(*out)[count++] = take_printf(b,
			    all[i].base.family == ADDR_V6 ? "[%s]" : "%s",
			    addr_format_ip(&all[i].base, text));
	return count;
}

size_t
more_domains(struct builder *b, const struct host_row *h, struct slice **out)
{
	struct slice *addresses, forms[FORMS_MAX];
	size_t n = address_domains(b, h, &addresses), count = 0;

	if (is_headless(h->service))
		count = host_forms(b, h->service, forms);
	*out = take(b, n + count, sizeof(**out));
	for (size_t i = 0; *out != NULL && i < n; i++)
		(*out)[i] = addresses[i];
	for (size_t i = 0; *out != NULL && i < count; i++)
		(*out)[n + i] = take_join(b, SLICES(S("*."), forms[i]));
	return *out != NULL ? n + count : 0;
}

static void
add_addresses(
    struct builder *b, struct view_routes *r, const struct host_row *h)
{
	struct slice *all;
	size_t n = address_domains(b, h, &all);

	for (size_t i = 0; i < n; i++)
		claim(b, r, all[i], h);
}

static void
add_aliases(struct builder *b, struct view_routes *r, const struct host_row *h)
{
	const struct rows *all = aliases_of(b, h->row.host);

	for (size_t i = 0; all != NULL && i < all->count; i++)
		add_forms(b, r, "", all->items[i], h);
}

/* Short forms of its own name are found without being written down. */
static void
add_service(struct builder *b, struct making *m, const struct host_row *h)
{
	const struct view_service *s = &h->service->row;

	if (!takes_requests(h) ||
	    (s->resolution == VIEW_ALIAS && h->owner == NULL))
		return;
	claim(b, m->routes, h->row.host, h); /* maybe an alias has it */
	rows_add(&m->routes->hosts, (void *)(uintptr_t)&h->row);
	add_addresses(b, m->routes, h);
	add_aliases(b, m->routes, h);
	if (is_headless(h->service))
		add_forms(b, m->routes, "*.", h->service, h);
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
		m.routes->by_port = m.proxy;
		m.routes->egress = e;
		m.routes->port = m.port;
		rows_add(&b->scope->sets, m.routes);
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

static bool
has_routes(const struct scope *s, uint16_t port)
{
	char text[SLICE_U64_MAX];

	return map_get(&s->routes_by_name, slice_from_u64(port, text)) != NULL;
}

static bool
has_any_requests(const struct rows *hosts)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (takes_requests(hosts->items[i]))
			return true;
	return false;
}

bool
has_hosts_aside(const struct scope *s)
{
	for (size_t i = 0; i < s->egresses.count; i++) {
		const struct egress *e = s->egresses.items[i];
		struct slice key;
		void *value;

		for (size_t at = 0; map_next(&e->called, &at, &key, &value);) {
			const struct called *c = value;
			const struct host_row *h = c->hosts.items[0];

			if (!has_routes(s, h->row.port) &&
			    has_any_requests(&c->hosts))
				return true;
		}
	}
	return false;
}

/* --- for a patch ---------------------------------------------------------- */

/* Made in the box at hand. */
static struct view_routes *
find_made(const struct builder *b, struct slice name)
{
	for (size_t i = 0; i < b->box->routes.count; i++) {
		struct view_routes *r = b->box->routes.items[i];

		if (r->scope == b->scope && slice_eq(r->name, name))
			return r;
	}
	return NULL;
}

static const struct host_row *
host_of_service(
    const struct builder *b, const struct service_row *s, uint16_t port)
{
	const struct host_row *h = s->hosts;

	while (h != NULL &&
	       (h->row.scope != &b->scope->row || h->row.port != port))
		h = h->next_of_service;
	return h;
}

/* Whoever has a domain already, it is not clear who was there first. */
static void
add_alone(struct builder *b, struct view_routes *r, const struct host_row *h)
{
	struct slice *all;
	size_t n = more_domains(b, h, &all);

	if (!add_domain(b, r, h->row.host, &h->row))
		b->more_follows = true;
	for (size_t i = 0; i < n; i++)
		if (!add_domain(b, r, all[i], &h->row))
			b->more_follows = true;
	rows_add(&r->hosts, (void *)(uintptr_t)&h->row);
}

/* The base has no service on the port: those that came. */
static const struct view_routes *
routes_now(struct builder *b, struct slice name, uint16_t port)
{
	struct view_routes *r = find_made(b, name);
	struct slice host;
	void *value;

	if (r != NULL)
		return r;
	b->more_follows = b->more_follows || b->scope->has_hosts_aside;
	r = add_routes(b, name);
	for (size_t i = 0;
	     r != NULL && map_next(b->services_now, &i, &host, &value);) {
		const struct service_now *now = value;
		const struct host_row *h =
		    now->fresh != NULL ? host_of_service(b, now->fresh, port)
				       : NULL;

		if (h == NULL || !takes_requests(h) ||
		    h->egress != egress_of_port(b->scope, port))
			continue;
		/* The others would be there as well. */
		b->more_follows =
		    b->more_follows || !is_named_alone(b->patch, host);
		add_alone(b, r, h);
	}
	/* Of a Sidecar's listener that has no service there, but rules. */
	if (r != NULL && port == WEB_PORT && r->hosts.count == 0)
		b->more_follows = true;
	if (r != NULL)
		(void)add_domain(
		    b, r, S("*"), b->scope->unknown_host); /* was not there */
	return r;
}

static const struct view_routes *
routes_of_service_now(
    struct builder *b, const struct service_row *s, uint16_t port)
{
	struct slice name = service_host_name(b, s, port);
	struct view_routes *r = find_made(b, name);
	const struct host_row *h = host_of_service(b, s, port);

	if (r != NULL)
		return r;
	r = add_routes(b, name);
	if (r == NULL)
		return NULL;
	r->of = routes_of_port(b, port);
	if (h != NULL)
		(void)add_domain(b, r, S("*"), &h->row); /* was not there */
	return r;
}

/* --- one for each port ---------------------------------------------------- */

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
	if (b->box != NULL)
		return routes_now(b, name, port);
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
		fill_host(b, h, s, p, owner_of(b, s->row.host, p->port));
		rows_add(out, h);
	}
}

const struct view_routes *
routes_of_proxy(struct builder *b, struct egress *e, struct slice name)
{
	const struct view_routes *r = map_get(&b->scope->routes_by_name, name);
	struct egress *before = b->egress;
	struct rows hosts = {0};

	if (b->box != NULL) { /* its virtual hosts are rows of its own */
		b->more_follows = true;
		return NULL;
	}
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
	struct slice name = service_host_name(b, s, port);
	struct view_routes *r = map_get(&b->scope->routes_by_name, name);
	const struct view_routes *all;
	const struct view_host *h;

	if (service_now_of(b, s->row.host) != NULL)
		return routes_of_service_now(b, s, port);
	if (r == NULL && b->box != NULL)
		r = find_made(b, name); /* nobody had it in the base */
	if (r != NULL)
		return r;
	all = routes_of_port(b, port);
	r = add_routes(b, name);
	if (r == NULL)
		return NULL;
	if (b->box == NULL)
		(void)map_put(&b->scope->routes_by_name, name, r); /* new */
	r->of = all;
	h = all != NULL ? find_exact(all, s->row.host) : NULL;
	if (h != NULL)
		(void)add_domain(b, r, S("*"), h); /* was not there */
	seal_routes(r);
	return r;
}
