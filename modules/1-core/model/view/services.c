/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services — which services there are, and their ports.
 *
 * A written Service wins over a ServiceEntry of its host, and both over what
 * records say under the same name.
 */
#include <stdlib.h>

#include "inside.h"

static const struct slice accounts_annotation = {"meshd.dev/accounts", 18};

bool
is_seen_service(const struct builder *b, const struct service_row *s)
{
	const struct resource *r = s->resource;
	const struct service_entry *e;

	if (b->scope == NULL || r == NULL || r->kind != &kind_service_entry)
		return true;
	e = r->spec;
	return is_exported(
	    r, b->scope->row.ns, e->export_to.items, e->export_to.count);
}

/* That of the caller's namespace first, then in the order of the chain. */
struct service_row *
find_service(const struct builder *b, struct slice host)
{
	struct service_row *first = map_get(&b->service_by_host, host);
	struct service_row *seen = NULL;

	for (struct service_row *s = first; s != NULL; s = s->next) {
		if (!is_seen_service(b, s))
			continue;
		if (b->scope == NULL || slice_eq(s->row.ns, b->scope->row.ns))
			return s;
		if (seen == NULL)
			seen = s;
	}
	return seen;
}

struct port_row *
find_port(const struct service_row *s, uint16_t port)
{
	for (size_t i = 0; i < s->port_count; i++)
		if (s->ports[i].port == port)
			return &s->ports[i];
	return NULL;
}

/* "a, b" → the accounts that may serve it. */
static void
read_accounts(struct builder *b, struct view_service *s, struct slice text)
{
	struct slice *items;
	size_t commas = 0;

	for (size_t i = 0; i < text.len; i++)
		commas += text.ptr[i] == ',';
	items = take(b, commas + 1, sizeof(*items));
	while (items != NULL && text.len > 0) {
		struct slice a = slice_trim(slice_split(&text, ','));

		if (a.len > 0)
			items[s->account_count++] = a;
	}
	s->accounts = items;
}

/* Behind those that have the host already. */
static void
chain(struct builder *b, struct service_row *s)
{
	struct service_row *last = map_get(&b->service_by_host, s->row.host);

	rows_add(&b->services, s);
	if (last == NULL) {
		(void)map_put(
		    &b->service_by_host, s->row.host, s); /* was not there */
		return;
	}
	while (last->next != NULL)
		last = last->next;
	last->next = s;
}

static struct service_row *
add_service(
    struct builder *b, struct slice name, struct slice ns, size_t port_count)
{
	struct service_row *s = take(b, 1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->row.name = take_copy(b, name);
	s->row.ns = take_copy(b, ns);
	s->row.host = take_printf(b, "%.*s.%.*s.svc.%.*s", SLICE_ARG(name),
	    SLICE_ARG(ns), SLICE_ARG(b->v->domain));
	s->row.istio = take_printf(
	    b, "%.*s.%.*s.svc.cluster.local", SLICE_ARG(name), SLICE_ARG(ns));
	s->ports = take(b, port_count, sizeof(*s->ports));
	if (b->full)
		return NULL;
	chain(b, s);
	return s;
}

static void
add_port(struct service_row *s, uint16_t port, enum view_protocol protocol)
{
	if (find_port(s, port) == NULL)
		s->ports[s->port_count++] =
		    (struct port_row){.port = port, .protocol = protocol};
}

static void
add_written(struct builder *b, const struct resource *r)
{
	const struct service_spec *spec = resource_service(r);
	struct service_row *s =
	    add_service(b, r->key.name, r->key.ns, spec->ports.count);
	struct slice accounts =
	    labels_get(&r->annotations, accounts_annotation);

	if (s == NULL)
		return;
	s->resource = r;
	s->row.origin = origin_of(r, 0);
	if (spec->type == SERVICE_EXTERNAL_NAME)
		add_problem(b, &s->row.origin,
		    "not in force yet: type ExternalName; no endpoints");
	for (size_t i = 0; i < spec->ports.count; i++) {
		const struct service_port *p = &spec->ports.items[i];

		if (p->protocol == SERVICE_TCP)
			add_port(s, (uint16_t)p->port,
			    protocol_of(p->app_protocol, p->name));
	}
	if (accounts.len > 0)
		read_accounts(b, &s->row, accounts);
}

/* --- ServiceEntries --------------------------------------------------------
 */

static void
add_entry_host(struct builder *b, const struct resource *r, struct slice host)
{
	const struct service_entry *e = r->spec;
	struct service_row *s = take(b, 1, sizeof(*s));

	if (s == NULL)
		return;
	s->row.istio = take_lower(b, host);
	s->row.name = s->row.istio;
	s->row.ns = r->key.ns;
	s->row.host = written_host(b, host, r->key.ns);
	s->row.origin = origin_of(r, 0);
	s->resource = r;
	s->ports = take(b, e->ports.count, sizeof(*s->ports));
	if (b->full)
		return;
	for (size_t i = 0; i < e->ports.count; i++) {
		const struct entry_port *p = &e->ports.items[i];

		add_port(
		    s, (uint16_t)p->number, protocol_of(p->protocol, p->name));
	}
	chain(b, s);
}

static void
add_entry(struct builder *b, const struct resource *r)
{
	const struct service_entry *e = r->spec;
	struct origin o = origin_of(r, 0);
	const struct inert_name rows[] = {
	    {"a resolution that is not STATIC", e->resolution != ENTRY_STATIC},
	    {"workloadSelector", e->workload_selector != NULL},
	};
	struct slice names = inert_names(b, rows, ARRAY_LEN(rows));

	if (names.len > 0)
		add_problem(b, &o, "not in force yet: %.*s; no endpoints",
		    SLICE_ARG(names));
	for (size_t i = 0; i < e->hosts.count; i++)
		add_entry_host(b, r, e->hosts.items[i]);
}

static int
by_age(const void *a, const void *b)
{
	const struct resource *const *x = a;
	const struct resource *const *y = b;

	return resource_age_cmp(*x, *y);
}

/* The older of two has the host. */
static void
add_entries(struct builder *b)
{
	struct rows entries = {0};

	for (size_t i = 0; i < b->v->resources.count; i++) {
		struct resource *r = b->v->resources.items[i];

		if (r->kind == &kind_service_entry)
			rows_add(&entries, r);
	}
	if (entries.count > 0)
		qsort(entries.items, entries.count, sizeof(void *), by_age);
	for (size_t i = 0; i < entries.count; i++)
		add_entry(b, entries.items[i]);
	rows_fini(&entries);
}

/* --- records ---------------------------------------------------------------
 */

static struct slice
implied_host(struct builder *b, const struct view_service_input *in)
{
	return take_printf(b, "%.*s.%.*s.svc.%.*s", SLICE_ARG(in->name),
	    SLICE_ARG(in->ns), SLICE_ARG(b->v->domain));
}

static void
add_implied(struct builder *b, const struct view_service_input *in)
{
	struct service_row *s = find_service(b, implied_host(b, in));

	if (s != NULL)
		return;
	s = add_service(b, in->name, in->ns, in->port_count);
	if (s == NULL)
		return;
	s->row.origin.words = take_copy(b, in->origin);
	for (size_t i = 0; i < in->port_count; i++)
		add_port(s, in->ports[i].port,
		    protocol_of(in->ports[i].protocol, in->ports[i].name));
}

static int
by_name(const void *a, const void *b)
{
	const struct view_service_input *const *x = a;
	const struct view_service_input *const *y = b;
	int n = slice_cmp((*x)->ns, (*y)->ns);

	if (n == 0)
		n = slice_cmp((*x)->name, (*y)->name);
	return n != 0 ? n : slice_cmp((*x)->origin, (*y)->origin);
}

static int
by_host(const void *a, const void *b)
{
	const struct service_row *const *x = a;
	const struct service_row *const *y = b;

	int n = slice_cmp((*x)->row.host, (*y)->row.host);

	if (n == 0)
		n = slice_cmp((*x)->row.ns, (*y)->row.ns);
	if (n == 0 && (*x)->resource != NULL && (*y)->resource != NULL)
		n = resource_key_cmp(
		    &(*x)->resource->key, &(*y)->resource->key);
	return n;
}

void
compile_services(struct builder *b)
{
	struct rows implied = {0};

	for (size_t i = 0; i < b->v->resources.count; i++) {
		const struct resource *r = b->v->resources.items[i];

		if (r->kind == &kind_service)
			add_written(b, r);
	}
	add_entries(b);
	for (size_t i = 0; i < b->in->service_count; i++)
		rows_add(&implied, (void *)(uintptr_t)&b->in->services[i]);
	if (implied.count > 0)
		qsort(implied.items, implied.count, sizeof(void *), by_name);
	for (size_t i = 0; i < implied.count; i++)
		add_implied(b, implied.items[i]);
	rows_fini(&implied);
	if (b->services.count > 0)
		qsort(b->services.items, b->services.count, sizeof(void *),
		    by_host);
}
