/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entries — services that a ServiceEntry writes down.
 */
#include "inside.h"
#include "kinds/protocols.h"

static const enum view_resolution resolutions[] = {
    [ENTRY_NONE] = VIEW_ORIGINAL,
    [ENTRY_STATIC] = VIEW_LISTED,
    [ENTRY_DNS] = VIEW_DNS,
    [ENTRY_DNS_ROUND_ROBIN] = VIEW_DNS_FIRST,
    [ENTRY_DYNAMIC_DNS] = VIEW_DNS_DYNAMIC,
};

/* Those that are no address were reported when the entry was decoded. */
static void
read_addresses(
    struct builder *b, struct view_service *s, const struct service_entry *e)
{
	struct cidr *all = take(b, e->addresses.count, sizeof(*all));

	for (size_t i = 0; all != NULL && i < e->addresses.count; i++)
		if (cidr_parse(e->addresses.items[i], &all[s->address_count]) ==
		    OK)
			s->address_count++;
	s->addresses = all;
}

static void
read_ports(struct service_row *s, const struct service_entry *e)
{
	for (size_t i = 0; i < e->ports.count; i++) {
		const struct entry_port *p = &e->ports.items[i];

		if (port_protocol_parse(p->protocol) != PORT_UDP)
			add_port(s, (uint16_t)p->number,
			    protocol_of(p->protocol, /* name */ S("")));
	}
}

static void
add_host(struct builder *b, const struct resource *r, struct slice host)
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
	s->row.resolution = resolutions[e->resolution];
	s->row.external = e->location == ENTRY_MESH_EXTERNAL;
	s->row.alt_names = e->subject_alt_names.items;
	s->row.alt_name_count = e->subject_alt_names.count;
	s->resource = r;
	read_addresses(b, &s->row, e);
	s->ports = take(b, e->ports.count, sizeof(*s->ports));
	if (b->full)
		return;
	read_ports(s, e);
	chain_service(b, s);
}

/* Its row is there, and gets no calls. */
static void
report_sockets(struct builder *b, const struct resource *r)
{
	const struct service_entry *e = r->spec;

	for (size_t i = 0; i < e->endpoints.count; i++) {
		const struct workload_entry *w = &e->endpoints.items[i];
		struct origin o = origin_of(r, w->head.line);

		if (workload_is_unix(w))
			add_problem(b, &o,
			    "not in force yet: an endpoint that is no IP "
			    "address, %.*s",
			    SLICE_ARG(w->address));
	}
}

void
add_entry(struct builder *b, const struct resource *r)
{
	const struct service_entry *e = r->spec;
	struct origin o = origin_of(r, 0);

	if (e->resolution == ENTRY_NONE || e->resolution == ENTRY_DYNAMIC_DNS)
		add_problem(b, &o,
		    "not in force yet: resolution %s; no endpoint of it is "
		    "called",
		    e->resolution == ENTRY_NONE ? "NONE" : "DYNAMIC_DNS");
	report_sockets(b, r);
	for (size_t i = 0; i < e->hosts.count; i++)
		add_host(b, r, e->hosts.items[i]);
}

/* The older of two has the host. */
void
compile_entries(struct builder *b)
{
	struct rows entries = {0};

	for (size_t i = 0; i < b->v->resources.count; i++) {
		struct resource *r = b->v->resources.items[i];

		if (r->kind == &kind_service_entry)
			rows_add(&entries, r);
	}
	rows_sort_by_age(&entries);
	for (size_t i = 0; i < entries.count; i++)
		add_entry(b, entries.items[i]);
	rows_fini(&entries);
}
