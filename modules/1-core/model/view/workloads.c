/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workloads — what a selector chooses: WorkloadEntries, and what machines of
 * the mesh offer.
 *
 * Both are found by one of their labels, so that many selectors over many
 * workloads cost no more than what they choose.
 */
#include "inside.h"

#define TLS_MODE "security.istio.io/tlsMode"
#define TUNNEL "networking.istio.io/tunnel"

/* --- one workload on one port --------------------------------------------- */

static uint16_t
named_port(const struct workload_entry *w, struct slice name)
{
	for (size_t i = 0; i < w->ports.count; i++)
		if (slice_eq(w->ports.items[i].key, name))
			return (uint16_t)w->ports.items[i].number;
	return 0;
}

/* What the label says, else whether it has an account to prove. */
static bool
wants_mutual(const struct workload *w)
{
	struct slice mode = labels_get(&w->labels, S(TLS_MODE));

	return mode.ptr != NULL ? slice_eq(mode, S("istio"))
				: w->spec->service_account.len > 0;
}

/* It takes HBONE by a proxy of its own, as a ztunnel's workloads do. */
static bool
has_tunnel(const struct workload *w)
{
	return slice_eq(labels_get(&w->labels, S(TUNNEL)), S("http"));
}

struct found_endpoint
workload_at(const struct workload *w, struct slice ns, struct slice port_name,
    int64_t port)
{
	const struct workload_entry *spec = w->spec;
	struct found_endpoint f = {
	    .in = {.workload = w->name,
		.ns = ns,
		.labels = w->labels,
		.locality = spec->locality,
		.network = spec->network,
		.weight = spec->weight > 0 ? (uint32_t)spec->weight : 1},
	    .mutual = wants_mutual(w)};
	uint16_t own = named_port(spec, port_name);

	if (workload_is_unix(spec)) {
		f.name = workload_unix_path(spec);
		return f;
	}
	if (addr_parse_ip(spec->address, &f.in.addr) != OK)
		f.name = spec->address;
	f.in.addr.port = own != 0 ? own : (uint16_t)port;
	if (f.name.len == 0 && has_tunnel(w)) {
		f.in.tunnel = f.in.addr;
		f.in.tunnel.port = VIEW_TUNNEL_PORT;
		f.in.account = spec->service_account;
	}
	return f;
}

/* --- the index ------------------------------------------------------------ */

static void
add_under_labels(struct builder *b, struct map *index, struct slice ns,
    const struct labels *labels, void *what)
{
	char text[LABEL_KEY_BYTES];

	rows_add_under(b, index, label_key(ns, NULL, text), what);
	for (size_t i = 0; i < labels->count; i++)
		rows_add_under(
		    b, index, label_key(ns, &labels->items[i], text), what);
}

/* Those that may fit: of the first label, or of the namespace. */
static const struct rows *
candidates(
    const struct map *index, struct slice ns, const struct labels *wanted)
{
	static const struct rows none = {0};
	char text[LABEL_KEY_BYTES];
	const struct rows *all = map_get(index,
	    label_key(ns, wanted->count > 0 ? wanted->items : NULL, text));

	return all != NULL ? all : &none;
}

/* Those of the document's metadata win over its spec's, as upstream has it. */
static struct labels
labels_of(
    struct builder *b, const struct resource *r, const struct workload_entry *w)
{
	struct label *all =
	    take(b, r->labels.count + w->labels.count, sizeof(*all));
	size_t n = r->labels.count;

	if (all == NULL)
		return (struct labels){NULL, 0};
	for (size_t i = 0; i < n; i++)
		all[i] = r->labels.items[i];
	for (size_t i = 0; i < w->labels.count; i++)
		if (labels_get(&r->labels, w->labels.items[i].key).ptr == NULL)
			all[n++] = w->labels.items[i];
	return (struct labels){all, n};
}

struct workload *
workload_new(struct builder *b, const struct resource *r)
{
	struct workload *w = take(b, 1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->resource = r;
	w->spec = r->spec;
	w->name = r->key.name;
	w->labels = labels_of(b, r, w->spec);
	return w;
}

static void
add_workload(struct builder *b, const struct resource *r)
{
	struct workload *w = workload_new(b, r);

	if (w != NULL)
		add_under_labels(b, &b->workloads, r->key.ns, &w->labels, w);
}

/* What it asks of workloads; NULL: it chooses none. */
static const struct labels *
selector_of_entry(const struct service_row *s)
{
	const struct service_entry *e;

	if (!is_entry(s))
		return NULL;
	e = s->resource->spec;
	return e->workload_selector != NULL ? &e->workload_selector->labels
					    : NULL;
}

bool
is_selecting_entry(const struct service_row *s)
{
	return selector_of_entry(s) != NULL;
}

/* Those that choose among what machines offer. */
static void
collect_selecting(struct builder *b)
{
	for (size_t i = 0; i < b->services.count; i++)
		if (is_selecting_entry(b->services.items[i]))
			rows_add(&b->selecting, b->services.items[i]);
}

static struct slice
ns_of(const struct view_endpoint_input *in)
{
	return in->ns.len > 0 ? in->ns : in->service_ns;
}

static void
offer(struct builder *b, const struct view_endpoint_input *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_under_labels(b, &b->offers, ns_of(&all[i]), &all[i].labels,
		    (void *)(uintptr_t)&all[i]);
}

void
index_workloads(struct builder *b)
{
	map_init(&b->workloads);
	map_init(&b->offers);
	for (size_t i = 0; i < b->v->resources.count; i++) {
		const struct resource *r = b->v->resources.items[i];

		if (r->kind == &kind_workload_entry)
			add_workload(b, r);
	}
	collect_selecting(b);
	if (b->selecting.count == 0)
		return;
	offer(b, b->in->endpoints, b->in->endpoint_count);
	for (size_t i = 0; i < b->in->serving_count; i++)
		offer(
		    b, b->in->servings[i].endpoints, b->in->servings[i].count);
}

void
workloads_fini(struct builder *b)
{
	map_fini(&b->workloads, rows_drop);
	map_fini(&b->offers, rows_drop);
	rows_fini(&b->selecting);
}

/* --- choosing ------------------------------------------------------------- */

/* By its selector; of none an entry chooses all, and a Service nothing. */
bool
selects_workload(const struct service_row *s, const struct workload *w)
{
	const struct labels *selector = selector_of_entry(s);

	if (s->resource != NULL && s->resource->kind == &kind_service)
		selector = &resource_service(s->resource)->selector;
	return selector != NULL &&
	       (selector->count > 0 || is_selecting_entry(s)) &&
	       slice_eq(w->resource->key.ns, s->row.ns) &&
	       labels_match(&w->labels, selector);
}

bool
selects_offer(const struct service_row *s, const struct view_endpoint_input *in)
{
	return slice_eq(ns_of(in), s->row.ns) &&
	       labels_match(&in->labels, selector_of_entry(s));
}

/* A tunnel leads only to what its machine offers, by the port it announces. */
void
add_offer(struct builder *b, struct service_row *s, struct port_row *p,
    const struct entry_port *port, const struct view_endpoint_input *in)
{
	int64_t number =
	    port->target_port != 0 ? port->target_port : port->number;
	const struct found_endpoint f = {
	    .in = *in, .mutual = in->tunnel.family != ADDR_NONE};

	if ((in->addr.port == (uint16_t)number ||
		labels_name_port(&in->labels, port->name)) &&
	    selects_offer(s, in))
		add_endpoint(b, s, p, &f);
}

static void
add_offers(struct builder *b, struct service_row *s, struct port_row *p,
    const struct entry_port *port)
{
	const struct service_entry *e = s->resource->spec;
	const struct rows *all =
	    candidates(&b->offers, s->row.ns, &e->workload_selector->labels);

	for (size_t i = 0; i < all->count && !b->full; i++)
		add_offer(b, s, p, port, all->items[i]);
}

static bool
is_gone(const struct builder *b, const struct workload *w)
{
	for (size_t i = 0; i < b->gone_workloads.count; i++)
		if (b->gone_workloads.items[i] == w->resource)
			return true;
	return false;
}

static void
choose_for_entry(struct builder *b, struct service_row *s, struct port_row *p,
    const struct entry_port *port, const struct workload *w)
{
	int64_t number =
	    port->target_port != 0 ? port->target_port : port->number;
	struct found_endpoint f = workload_at(w, s->row.ns, port->name, number);

	if (!is_gone(b, w) && selects_workload(s, w) &&
	    (f.name.len == 0 || is_resolved(s)))
		add_endpoint(b, s, p, &f);
}

void
add_selected_by_entry(struct builder *b, struct service_row *s,
    struct port_row *p, const struct entry_port *port)
{
	const struct service_entry *e = s->resource->spec;
	const struct rows *all =
	    candidates(&b->workloads, s->row.ns, &e->workload_selector->labels);

	for (size_t i = 0; i < all->count && !b->full; i++)
		choose_for_entry(b, s, p, port, all->items[i]);
	for (size_t i = 0; i < b->come_workloads.count && !b->full; i++)
		choose_for_entry(b, s, p, port, b->come_workloads.items[i]);
	if (b->patch != NULL)
		add_offers_now(b, s, p, port);
	else
		add_offers(b, s, p, port);
}

static const struct service_port *
service_port_of(const struct service_spec *spec, uint16_t number)
{
	size_t i = 0;

	while (spec->ports.items[i].port != number ||
	       spec->ports.items[i].protocol != SERVICE_TCP) /* one is it */
		i++;
	return &spec->ports.items[i];
}

/* The workload's name for the service's port, else for its targetPort. */
static struct found_endpoint
behind_service(const struct workload *w, const struct service_row *s,
    const struct service_port *port)
{
	bool written = service_port_has_target(port);
	bool by_name = written && port->target_port.is_string;
	int64_t number =
	    written && !by_name ? port->target_port.number : port->port;
	uint16_t target =
	    by_name ? named_port(w->spec, port->target_port.text) : 0;

	return workload_at(
	    w, s->row.ns, port->name, target != 0 ? target : number);
}

static void
choose(struct builder *b, struct service_row *s, struct port_row *p,
    const struct workload *w)
{
	const struct service_spec *spec = resource_service(s->resource);
	struct found_endpoint f;

	if (is_gone(b, w) || !selects_workload(s, w))
		return;
	f = behind_service(w, s, service_port_of(spec, p->port));
	if (f.name.len == 0)
		add_endpoint(b, s, p, &f);
}

/* Its records are discovery's to match; WorkloadEntries nobody else sees. */
void
add_selected_by_service(
    struct builder *b, struct service_row *s, struct port_row *p)
{
	const struct service_spec *spec = resource_service(s->resource);
	const struct rows *all;

	if (spec->selector.count == 0)
		return;
	all = candidates(&b->workloads, s->row.ns, &spec->selector);
	for (size_t i = 0; i < all->count && !b->full; i++)
		choose(b, s, p, all->items[i]);
	for (size_t i = 0; i < b->come_workloads.count && !b->full; i++)
		choose(b, s, p, b->come_workloads.items[i]);
}
