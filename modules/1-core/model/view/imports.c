/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imports — what a scope knows of the mesh: the services and VirtualServices
 * of its listeners, as its Sidecar names them.
 *
 * What a rule names as a destination is a destination, whatever is imported.
 */
#include "kinds/protocols.h"
#include "wish.h"

/* --- aliases ------------------------------------------------------------- */

/* Of an alias of an alias the last; one that comes back to itself has none. */
static struct slice
target_of(const struct builder *b, const struct service_row *s)
{
	enum { HOPS_MAX = 16 };
	struct slice host = s->row.alias;

	for (int hops = 0; hops < HOPS_MAX; hops++) {
		const struct service_row *t =
		    map_get(&b->service_by_host, host);

		if (t == NULL || t->row.resolution != VIEW_ALIAS)
			return host;
		host = t->row.alias;
	}
	return S("");
}

static void
add_alias(struct builder *b, struct egress *e, struct service_row *s)
{
	struct slice host = target_of(b, s);

	if (host.len > 0)
		rows_add_under(b, &e->aliases, host, s);
}

const struct rows *
aliases_of(const struct builder *b, struct slice host)
{
	return map_get(&b->egress->aliases, host);
}

/* --- services ------------------------------------------------------------ */

/* Whose of several with one host count. */
struct choice {
	struct slice ns;
	bool entry;
};

bool
is_for_all(const struct builder *b, const struct service_row *s)
{
	return s->resource == NULL ||
	       sight_of(b, s->resource, b->scope->row.ns) == SIGHT_PUBLIC;
}

bool
is_asked_before(const struct builder *b, const struct service_row *x,
    const struct service_row *y)
{
	bool one = is_for_all(b, x), other = is_for_all(b, y);

	return one != other ? other : compare_service_ages(&x, &y) < 0;
}

/* With nothing but exact names upstream looks up one of a namespace. */
static bool
is_first_of_host(const struct builder *b, const struct service_row *s)
{
	const struct service_row *first =
	    map_get(&b->service_by_host, s->row.host);

	while (!slice_eq(first->row.ns, s->row.ns))
		first = first->next;
	return first == s;
}

uint16_t
egress_port(const struct egress *e)
{
	return e->spec != NULL && e->spec->port != NULL
		   ? (uint16_t)e->spec->port->number
		   : 0;
}

bool
is_egress_of_rest(const struct egress *e)
{
	return e->spec == NULL || e->spec->port == NULL;
}

/* The only port of its services that a listener takes; 0: all. */
uint16_t
taken_port(const struct egress *e)
{
	bool proxy =
	    e->spec != NULL && e->spec->port != NULL &&
	    port_protocol_parse(e->spec->port->protocol) == PORT_HTTP_PROXY;

	return proxy ? 0 : egress_port(e);
}

/* Of services of a patch none has another's host. */
bool
egress_has(const struct builder *b, const struct egress *e,
    const struct service_row *s)
{
	uint16_t port = taken_port(e);

	if (!is_seen_service(b, s) || e->wish == NULL)
		return is_seen_service(b, s);
	return wish_has_service(e->wish, s->row.ns, s->row.host) &&
	       (port == 0 || find_port(s, port) != NULL) &&
	       (!e->wish->all_exact || b->patch != NULL ||
		   is_first_of_host(b, s));
}

/* One namespace has a host: the scope's, else one with a Service, else the
 * first that was met. */
static void
choose(struct builder *b, struct map *choices, const struct service_row *s)
{
	struct choice *c = map_get(choices, s->row.host);
	bool own = slice_eq(s->row.ns, b->scope->row.ns);

	if (c == NULL) {
		c = take(b, 1, sizeof(*c));
		if (c == NULL)
			return;
		(void)map_put(choices, s->row.host, c); /* was not there */
	} else if (!own && (!c->entry || is_entry(s) ||
			       slice_eq(c->ns, b->scope->row.ns))) {
		return;
	}
	*c = (struct choice){s->row.ns, is_entry(s)};
}

static void
select_services(struct builder *b, struct egress *e)
{
	struct rows met = {0};
	struct map choices;

	map_init(&choices);
	for (int public = 0; public <= 1; public ++)
		for (size_t i = 0; i < b->services_by_age.count; i++) {
			struct service_row *s = b->services_by_age.items[i];

			if (is_for_all(b, s) != (public == 1) ||
			    !egress_has(b, e, s))
				continue;
			rows_add(&met, s);
			if (b->in->proxy == VIEW_ROUTER)
				continue; /* the first that was met */
			if (map_get(&b->service_by_host, s->row.host) != s ||
			    s->next != NULL)
				choose(b, &choices, s);
		}
	for (size_t i = 0; i < met.count; i++) {
		struct service_row *s = met.items[i];
		const struct choice *c = map_get(&choices, s->row.host);

		if (c != NULL && !slice_eq(c->ns, s->row.ns))
			continue;
		rows_add(&e->services, s);
		if (s->row.resolution == VIEW_ALIAS)
			add_alias(b, e, s);
	}
	rows_fini(&met);
	map_fini(&choices, NULL);
}

/* --- VirtualServices ----------------------------------------------------- */

static bool
is_rule_wanted(
    struct builder *b, const struct wish *wish, const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	if (wish == NULL)
		return vs->hosts.count > 0; /* else it is a delegate */
	for (size_t i = 0; i < vs->hosts.count; i++) {
		struct slice host =
		    canonical_host(b, vs->hosts.items[i], r->key.ns);

		if (wish_has_rule(wish, r->key.ns, host))
			return true;
	}
	return false;
}

bool
egress_obeys(
    struct builder *b, const struct egress *e, const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	return gateways_have_mesh(vs->gateways.items, vs->gateways.count) &&
	       sight_of(b, r, b->scope->row.ns) != SIGHT_NONE &&
	       is_rule_wanted(b, e->wish, r);
}

static void
select_rules(struct builder *b, struct egress *e)
{
	for (size_t i = 0; i < b->scope->virtual_services.count; i++) {
		const struct resource *r = b->scope->virtual_services.items[i];
		struct ruling *ruling;

		if (!is_rule_wanted(b, e->wish, r))
			continue;
		ruling = take(b, 1, sizeof(*ruling));
		if (ruling == NULL)
			return;
		*ruling = (struct ruling){r, e->rulings.count, 0};
		rows_add(&e->rulings, ruling);
	}
}

static void
see_virtual_services(struct builder *b)
{
	const struct slice ns = b->scope->row.ns;

	for (int sight = SIGHT_PRIVATE; sight < SIGHT_NONE; sight++)
		for (size_t i = 0; i < b->virtual_services.count; i++) {
			void *r = b->virtual_services.items[i];

			if (sight_of(b, r, ns) == (enum sight)sight)
				rows_add(&b->scope->virtual_services, r);
		}
}

/* --- destinations -------------------------------------------------------- */

/* Of a service that is another one now. */
static const struct import *
import_now(const struct builder *b, const struct service_row *s)
{
	return s != NULL && s->imports != NULL ? s->imports[b->scope->place]
					       : NULL;
}

const struct import *
find_import(const struct builder *b, struct slice host)
{
	const struct service_now *now = service_now_of(b, host);

	return now != NULL ? import_now(b, now->fresh)
			   : map_get(&b->scope->imports, host);
}

static const struct import_port *
port_of_import(const struct import *i, uint16_t port)
{
	const struct import_port *p = i->ports;

	while (p != NULL && p->port->port != port)
		p = p->next;
	return p;
}

const struct import_port *
find_import_port(const struct builder *b, struct slice host, uint16_t port)
{
	const struct import *i = find_import(b, host);

	return i != NULL ? port_of_import(i, port) : NULL;
}

static struct labels
selected_by(const struct service_entry *e)
{
	return e->workload_selector != NULL ? e->workload_selector->labels
					    : (struct labels){0};
}

static bool
is_same_map(const struct labels *a, const struct labels *b)
{
	return labels_match(a, b) && labels_match(b, a);
}

/* Two entries of one host are one service if they are for the same. */
static bool
is_for_the_same(const struct resource *one, const struct resource *two)
{
	const struct service_entry *a = one->spec, *b = two->spec;
	struct labels of_a = selected_by(a), of_b = selected_by(b);

	return is_same_map(&one->labels, &two->labels) &&
	       is_same_map(&of_a, &of_b) &&
	       exports_cover(a->export_to.items, a->export_to.count,
		   b->export_to.items, b->export_to.count) &&
	       exports_cover(b->export_to.items, b->export_to.count,
		   a->export_to.items, a->export_to.count);
}

/* Its ports are those of a service that is there. */
static bool
can_merge(const struct service_row *there, const struct service_row *s)
{
	if (is_entry(there) != is_entry(s) ||
	    there->row.resolution != s->row.resolution ||
	    !slice_eq(there->row.ns, s->row.ns))
		return false;
	return there == s || !is_entry(s) ||
	       is_for_the_same(there->resource, s->resource);
}

/* A Service takes a host from an entry; else the first keeps it. */
static struct import *
import_for(struct builder *b, struct service_row *s)
{
	struct import *i = map_get(&b->scope->imports, s->row.host);

	if (i == NULL) {
		i = take(b, 1, sizeof(*i));
		if (i == NULL)
			return NULL;
		*i = (struct import){s, NULL, b->owner != NULL};
		(void)map_put(
		    &b->scope->imports, s->row.host, i); /* was not there */
		return i;
	}
	if (is_entry(i->service) && !is_entry(s))
		*i = (struct import){s, NULL, b->owner != NULL};
	return can_merge(i->service, s) ? i : NULL;
}

/* Of one port, or of all (0). */
static void
add_ports(
    struct builder *b, struct import *i, struct service_row *s, uint16_t port)
{
	struct import_port **end = i != NULL ? &i->ports : NULL;

	while (end != NULL && *end != NULL)
		end = &(*end)->next;
	for (size_t j = 0; end != NULL && j < s->port_count; j++) {
		struct port_row *p = &s->ports[j];

		if ((port != 0 && p->port != port) ||
		    port_of_import(i, p->port) != NULL)
			continue;
		*end = take(b, 1, sizeof(**end));
		if (*end == NULL)
			return;
		(*end)->service = s;
		(*end)->port = p;
		end = &(*end)->next;
		i->is_ruled = i->is_ruled || b->owner != NULL;
	}
}

static void
import_ports(struct builder *b, struct service_row *s, uint16_t port)
{
	add_ports(b, import_for(b, s), s, port);
}

static struct import *
import_here(struct builder *b, struct service_row *s)
{
	struct import *i = NULL;

	for (size_t j = 0; j < b->scope->egresses.count; j++) {
		const struct egress *e = b->scope->egresses.items[j];

		if (!egress_has(b, e, s))
			continue;
		if (i == NULL)
			i = take(b, 1, sizeof(*i));
		if (i == NULL)
			return NULL;
		i->service = s;
		add_ports(b, i, s, taken_port(e));
	}
	return i;
}

void
import_later(struct builder *b, struct service_row *s)
{
	struct scope *before = b->scope;
	const struct rows *all = &b->v->scopes;

	s->imports = take(b, all->count, sizeof(struct import *));
	for (size_t i = 0; s->imports != NULL && i < all->count; i++) {
		b->scope = all->items[i];
		s->imports[i] = import_here(b, s);
	}
	b->scope = before;
}

/* In the scope's namespace, seen or not, else a Service, else the oldest that
 * is seen. A gateway's namespace is one of many. */
static struct service_row *
find_destination(const struct builder *b, struct slice host)
{
	struct service_row *best = NULL;

	for (struct service_row *s = map_get(&b->service_by_host, host);
	     s != NULL; s = s->next) {
		if (slice_eq(s->row.ns, b->scope->row.ns) &&
		    b->in->proxy != VIEW_ROUTER)
			return s;
		if (best == NULL && is_seen_service(b, s))
			best = s;
	}
	return best;
}

/* Those that have the host are found by it already. */
static bool
has_ruling(const struct builder *b, struct slice host)
{
	const struct host_owners *o = map_get(&b->egress->owner_by_host, host);

	for (size_t i = 0; o != NULL && i < o->all.count; i++)
		if (((const struct ruling *)o->all.items[i])->resource ==
		    b->owner)
			return true;
	return false;
}

/* What becomes of its rules hangs on the service. */
static void
note_leading(struct builder *b, struct slice host)
{
	const struct rows *all = map_get(&b->led_to, host);
	void *owner = (void *)(uintptr_t)b->owner;

	if (!has_ruling(b, host) &&
	    (all == NULL || all->items[all->count - 1] != owner))
		rows_add_under(b, &b->led_to, host, owner);
}

/* Upstream looks at nothing else of the matches here. */
static bool
is_for_namespace(const struct builder *b, const struct http_route *r)
{
	bool fits = true;

	for (size_t i = 0; i < r->match.count; i++) {
		struct slice ns = r->match.items[i].source_namespace;

		if (slice_eq(ns, b->scope->row.ns))
			return true;
		fits = fits && ns.len == 0;
	}
	return fits;
}

static void
import_destination(struct builder *b, const struct destination_spec *d,
    const struct resource *owner, const struct http_rule *rule, void *arg)
{
	struct slice host = canonical_host(b, d->host, owner->key.ns);
	struct service_row *s = find_destination(b, host);
	uint16_t only = taken_port(b->egress);

	(void)arg;
	note_leading(b, host);
	if (s == NULL || (rule != NULL && !is_for_namespace(b, rule->spec)) ||
	    (only != 0 && find_port(s, only) == NULL))
		return;
	if (only == 0 && d->port != NULL)
		only = (uint16_t)d->port->number;
	if (only == 0 || find_port(s, only) != NULL)
		import_ports(b, s, only);
}

static void
import_rules(struct builder *b, const struct resource *r)
{
	each_lead(b, http_rules_of(b, r), r, import_destination, NULL);
}

/* --- the whole ----------------------------------------------------------- */

static void
add_egress(struct builder *b, const struct sidecar_egress *spec)
{
	struct egress *e = take(b, 1, sizeof(*e));

	if (e == NULL)
		return;
	e->spec = spec;
	if (spec != NULL)
		e->wish = wish_new(b, spec);
	map_init(&e->owner_by_host);
	map_init(&e->called);
	map_init(&e->aliases);
	e->place = b->scope->egresses.count;
	rows_add(&b->scope->egresses, e);
	b->egress = e;
	select_rules(b, e);
	select_services(b, e);
	compile_owners(b);
	for (size_t i = 0; i < e->services.count; i++)
		import_ports(b, e->services.items[i], taken_port(e));
	for (size_t i = 0; i < e->rulings.count; i++) {
		const struct ruling *r = e->rulings.items[i];

		b->owner = r->resource;
		import_rules(b, r->resource);
	}
	b->owner = NULL;
}

struct egress *
egress_of_port(const struct scope *s, uint16_t port)
{
	for (size_t i = 0; i < s->egresses.count; i++) {
		struct egress *e = s->egresses.items[i];

		if (is_egress_of_rest(e) ||
		    (port != 0 && egress_port(e) == port))
			return e;
	}
	return NULL;
}

void
compile_imports(struct builder *b)
{
	const struct resource *r = sidecar_of(b);
	const struct sidecar *s = r != NULL ? r->spec : NULL;

	see_virtual_services(b);
	for (size_t i = 0; s != NULL && !b->full && i < s->egress.count; i++)
		add_egress(b, &s->egress.items[i]);
	if (s == NULL || s->egress.count == 0)
		add_egress(b, NULL);
	b->egress = NULL;
}
