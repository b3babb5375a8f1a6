/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services — which services there are, and their ports.
 *
 * A written Service wins over a ServiceEntry (entries.c) of its host, and both
 * over what records say under the same name.
 */
#include "inside.h"

static const struct slice accounts_annotation = {"meshd.dev/accounts", 18};

bool
is_entry(const struct service_row *s)
{
	return s->resource != NULL && s->resource->kind == &kind_service_entry;
}

bool
is_seen_service(const struct builder *b, const struct service_row *s)
{
	return s->resource == NULL ||
	       is_exported(b, s->resource, b->scope->row.ns);
}

const struct service_now *
service_now_of(const struct builder *b, struct slice host)
{
	return b->services_now != NULL ? map_get(b->services_now, host) : NULL;
}

struct service_row *
service_at(const struct builder *b, struct slice host)
{
	const struct service_now *now = service_now_of(b, host);

	return now != NULL ? now->fresh : map_get(&b->service_by_host, host);
}

struct service_row *
find_service(const struct builder *b, struct slice host)
{
	const struct import *i;

	if (b->scope == NULL)
		return service_at(b, host);
	i = find_import(b, host);
	return i != NULL ? i->service : NULL;
}

struct port_row *
find_port(const struct service_row *s, uint16_t port)
{
	for (size_t i = 0; i < s->port_count; i++)
		if (s->ports[i].port == port)
			return &s->ports[i];
	return NULL;
}

bool
is_recorded(const struct builder *b, const struct service_row *s)
{
	return s->serving > 0 &&
	       (s->serving <= b->served_count ||
		   s->serving > b->served_count + b->unserved.count);
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

void
chain_service(struct builder *b, struct service_row *s)
{
	struct service_row *last = map_get(&b->service_by_host, s->row.host);

	if (b->box != NULL) {
		rows_add(&b->box->services, s);
		return;
	}
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
	s->row.host =
	    take_join(b, SLICES(name, S("."), ns, S(".svc."), b->v->domain));
	s->row.istio =
	    take_join(b, SLICES(name, S("."), ns, S(".svc.cluster.local")));
	s->ports = take(b, port_count, sizeof(*s->ports));
	if (b->full)
		return NULL;
	chain_service(b, s);
	return s;
}

void
add_port(struct service_row *s, uint16_t port, enum view_protocol protocol)
{
	if (find_port(s, port) == NULL)
		s->ports[s->port_count++] =
		    (struct port_row){.port = port, .protocol = protocol};
}

static void
read_addresses(
    struct builder *b, struct view_service *s, const struct service_spec *spec)
{
	struct cidr *all = take(b, spec->cluster_ips.count + 1, sizeof(*all));

	s->addresses = all;
	if (all == NULL)
		return;
	for (size_t i = 0; i < spec->cluster_ips.count; i++)
		if (cidr_parse(spec->cluster_ips.items[i],
			&all[s->address_count]) == OK)
			s->address_count++;
	if (s->address_count == 0 &&
	    cidr_parse(spec->cluster_ip, &all[0]) == OK)
		s->address_count = 1;
}

/* What sets it apart from one that has endpoints and an address. */
static void
read_kind(
    struct builder *b, struct view_service *s, const struct service_spec *spec)
{
	if (spec->type == SERVICE_EXTERNAL_NAME) {
		s->resolution = VIEW_ALIAS;
		s->alias = written_host(b, spec->external_name, s->ns);
		add_problem(b, &s->origin,
		    "not in force yet: type ExternalName; no endpoints");
	} else if (service_is_headless(spec)) {
		s->resolution = VIEW_ORIGINAL;
	} else {
		read_addresses(b, s, spec);
	}
}

/* By its name, as upstream has it, though it is written down as TCP. */
static bool
says_udp(struct builder *b, const struct service_row *s,
    const struct service_port *p)
{
	struct slice word = p->app_protocol.len > 0 ? p->app_protocol : p->name;

	if (!slice_eq_nocase(
		slice_sub(word, 0, slice_find(word, '-')), S("udp")))
		return false;
	add_loss(b, &s->row.origin,
	    "port %u is left out, since \"%.*s\" says that it speaks UDP; "
	    "another name or an appProtocol says something else",
	    (unsigned)p->port, SLICE_ARG(word));
	return true;
}

void
add_written_service(struct builder *b, const struct resource *r)
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
	read_kind(b, &s->row, spec);
	for (size_t i = 0; i < spec->ports.count; i++) {
		const struct service_port *p = &spec->ports.items[i];

		if (p->protocol == SERVICE_TCP && !says_udp(b, s, p))
			add_port(s, (uint16_t)p->port,
			    protocol_of_port(
				(uint16_t)p->port, p->app_protocol, p->name));
	}
	if (accounts.len > 0)
		read_accounts(b, &s->row, accounts);
}

/* --- records ---------------------------------------------------------------
 */

static struct slice
implied_host(struct builder *b, const struct view_service_input *in)
{
	return take_join(
	    b, SLICES(in->name, S("."), in->ns, S(".svc."), b->v->domain));
}

void
add_record(struct builder *b, const struct view_service_input *in)
{
	struct service_row *s =
	    add_service(b, in->name, in->ns, in->port_count);

	if (s == NULL)
		return;
	/* Of one machine there may be several: the name sets them apart. */
	s->row.origin.words = take_copy(b, in->origin);
	s->row.origin.key.ns = s->row.ns;
	s->row.origin.key.name = s->row.name;
	for (size_t i = 0; i < in->port_count; i++)
		add_port(s, in->ports[i].port,
		    protocol_of_record(
			in->ports[i].protocol, in->ports[i].name));
}

static void
add_implied(struct builder *b, const struct view_service_input *in)
{
	struct slice host = implied_host(b, in);
	struct service_row *s = find_service(b, host);

	if (s != NULL)
		(void)map_put(&b->overridden, host, s); /* only the mark */
	else
		add_record(b, in);
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

/* Records have no age; what is written was there before them. */
static int64_t
age_of(const struct service_row *s)
{
	return s->resource != NULL ? s->resource->created_ms : INT64_MAX;
}

/* As upstream asks them: by age, then name, then namespace. */
int
compare_service_ages(const void *a, const void *b)
{
	const struct service_row *const *x = a;
	const struct service_row *const *y = b;
	int64_t of_x = age_of(*x), of_y = age_of(*y);
	int n = (of_x > of_y) - (of_x < of_y);

	if (n == 0)
		n = slice_cmp((*x)->row.name, (*y)->row.name);
	if (n == 0)
		n = slice_cmp((*x)->row.ns, (*y)->row.ns);
	return n != 0 ? n : by_host(a, b);
}

void
compile_services(struct builder *b)
{
	struct rows implied = {0};

	for (size_t i = 0; i < b->v->resources.count; i++) {
		const struct resource *r = b->v->resources.items[i];

		if (r->kind == &kind_service)
			add_written_service(b, r);
	}
	compile_entries(b);
	for (size_t i = 0; i < b->in->service_count; i++)
		rows_add(&implied, (void *)(uintptr_t)&b->in->services[i]);
	rows_sort(&implied, by_name);
	for (size_t i = 0; i < implied.count; i++)
		add_implied(b, implied.items[i]);
	rows_fini(&implied);
	give_addresses(b); /* while the older ones come first */
	rows_sort(&b->services, by_host);
	for (size_t i = 0; i < b->services.count; i++)
		rows_add(&b->services_by_age, b->services.items[i]);
	rows_sort(&b->services_by_age, compare_service_ages);
}
