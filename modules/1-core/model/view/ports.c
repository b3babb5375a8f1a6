/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports — which ports of this machine are called by the mesh, and as what.
 */
#include <stdlib.h>

#include "inbound.h"

static struct callee
place_of(const struct builder *b)
{
	return (struct callee){b->scope->row.ns, &b->scope->row.labels};
}

/* --- of a Sidecar --------------------------------------------------------- */

static void
add_ingress(struct builder *b, const struct resource *sidecar,
    const struct sidecar_ingress *i, struct rows *out)
{
	struct inbound_port *p = take(b, 1, sizeof(*p));

	if (p == NULL || i->port == NULL)
		return;
	p->port = p->service_port = (uint16_t)i->port->number;
	p->protocol = protocol_of(i->port->protocol, S(""));
	p->host = take_printf(b, "%.*s.%.*s", SLICE_ARG(sidecar->key.name),
	    SLICE_ARG(sidecar->key.ns));
	p->ingress = i;
	p->callee = place_of(b);
	p->origin = origin_of(sidecar, i->head.line);
	rows_add(out, p);
}

static void
collect_ingress(struct builder *b, const struct resource *r, struct rows *out)
{
	const struct sidecar *s = r->spec;

	for (size_t i = 0; i < s->ingress.count; i++)
		add_ingress(b, r, &s->ingress.items[i], out);
}

/* --- of services ---------------------------------------------------------- */

/* A service's port that leads to one of this machine. */
struct lead {
	struct service_row *service;
	const struct port_row *from;
	uint16_t port;
	struct callee to;
};

static void
add_lead(struct builder *b, const struct lead *l, struct rows *out)
{
	struct inbound_port *p = take(b, 1, sizeof(*p));

	if (p == NULL)
		return;
	p->port = l->port;
	p->service_port = l->from->port;
	p->protocol = l->from->protocol;
	p->host = l->service->row.istio;
	p->service = l->service;
	p->callee = l->to;
	p->origin = l->service->row.origin;
	rows_add(out, p);
}

static struct callee
exposed_as(const struct view_exposed_input *e)
{
	return (struct callee){
	    e->ns.len > 0 ? e->ns : S("default"), &e->labels};
}

static struct callee
callee_at(const struct builder *b, uint16_t port)
{
	for (size_t i = 0; i < b->in->exposed_count; i++)
		if (b->in->exposed[i].addr.port == port)
			return exposed_as(&b->in->exposed[i]);
	return place_of(b);
}

/* By its endpoints; it leads to workloads of its own namespace only. */
static void
collect_endpoints(struct builder *b, struct service_row *s,
    const struct port_row *ports, struct rows *out)
{
	struct lead l = {.service = s};

	for (size_t i = 0; i < s->port_count; i++) {
		l.from = &s->ports[i];
		for (size_t j = 0; j < ports[i].endpoints.count; j++) {
			const struct view_endpoint *e =
			    ports[i].endpoints.items[j];

			if (!is_endpoint_here(b, e))
				continue;
			l.port = e->addr.port;
			l.to = callee_at(b, l.port);
			if (slice_eq(s->row.ns, l.to.ns))
				add_lead(b, &l, out);
		}
	}
}

static uint16_t
target_of(const struct service_port *p)
{
	if (!service_port_has_target(p))
		return (uint16_t)p->port;
	/* Only the workload knows what a name of its stands for. */
	return p->target_port.is_string ? 0 : (uint16_t)p->target_port.number;
}

/* By its selector, where nobody announced the workload (explain of files). */
static void
collect_selected(struct builder *b, struct service_row *s, struct rows *out)
{
	struct lead l = {.service = s, .to = place_of(b)};
	const struct service_spec *spec;

	if (s->resource == NULL || s->resource->kind != &kind_service ||
	    !slice_eq(s->row.ns, l.to.ns))
		return;
	spec = resource_service(s->resource);
	if (spec->selector.count == 0 ||
	    !labels_match(l.to.labels, &spec->selector))
		return;
	for (size_t i = 0; i < spec->ports.count; i++) {
		l.port = target_of(&spec->ports.items[i]);
		l.from = find_port(s, (uint16_t)spec->ports.items[i].port);
		if (l.port != 0 && l.from != NULL)
			add_lead(b, &l, out);
	}
}

/* --- of what is exposed --------------------------------------------------- */

static void
add_exposed(
    struct builder *b, const struct view_exposed_input *e, struct rows *out)
{
	struct inbound_port *p = take(b, 1, sizeof(*p));

	if (p == NULL)
		return;
	p->port = e->addr.port;
	p->service_port = e->port;
	p->protocol = protocol_of(e->protocol, S(""));
	p->host = take_printf(b, "%.*s.%.*s.svc.cluster.local",
	    SLICE_ARG(e->service), SLICE_ARG(exposed_as(e).ns));
	p->callee = exposed_as(e);
	p->origin.words = S("exposed here");
	rows_add(out, p);
}

/* --- one for each port ---------------------------------------------------- */

static int64_t
age_of(const struct inbound_port *p)
{
	return p->service != NULL && p->service->resource != NULL
		   ? p->service->resource->created_ms
		   : 0;
}

/* As the service lists them. */
static int
by_place(const struct inbound_port *x, const struct inbound_port *y)
{
	const struct port_row *p, *q;

	if (x->service == NULL || x->service != y->service)
		return (int)x->service_port - (int)y->service_port;
	p = find_port(x->service, x->service_port);
	q = find_port(y->service, y->service_port);
	return (p > q) - (p < q);
}

/* What nobody wrote a service for comes behind. */
static int
older_first(const struct inbound_port *x, const struct inbound_port *y)
{
	int n = (x->service == NULL) - (y->service == NULL);

	if (n == 0)
		n = (age_of(x) > age_of(y)) - (age_of(x) < age_of(y));
	if (n == 0)
		n = slice_cmp(x->host, y->host);
	if (n == 0)
		n = by_place(x, y);
	/* Of one Sidecar, in the order in which they are written. */
	return n != 0 ? n
		      : (x->ingress > y->ingress) - (x->ingress < y->ingress);
}

static int
by_port(const void *a, const void *b)
{
	const struct inbound_port *const *x = a;
	const struct inbound_port *const *y = b;
	int n = (int)(*x)->port - (int)(*y)->port;

	return n != 0 ? n : older_first(*x, *y);
}

static void
report(struct builder *b, const struct inbound_port *p,
    const struct inbound_port *first)
{
	if (slice_eq(p->host, first->host) || p->protocol == first->protocol)
		return;
	add_loss(b, &p->origin,
	    "its calls at port %u of this machine are taken as %s and not as "
	    "%s, as %.*s is older and says so",
	    (unsigned)p->port, view_protocol_name(first->protocol),
	    view_protocol_name(p->protocol), SLICE_ARG(first->host));
}

/* What captured connections come to themselves cannot be called. */
static bool
is_reserved(const struct builder *b, const struct inbound_port *p)
{
	return p->ingress == NULL &&
	       (p->port == b->mesh->proxy_listen_port ||
		   p->port == b->mesh->proxy_inbound_listen_port);
}

static void
keep(struct builder *b, struct inbound_port *p, struct rows *out)
{
	const struct inbound_port *last =
	    out->count > 0 ? out->items[out->count - 1] : NULL;

	if (last != NULL && last->port == p->port)
		report(b, p, last);
	else if (is_reserved(b, p))
		add_loss(b, &p->origin,
		    "port %u of this machine is the mesh's own, and leads to "
		    "no service",
		    (unsigned)p->port);
	else
		rows_add(out, p);
}

void
collect_leads(struct builder *b, struct service_row *s,
    const struct port_row *ports, struct rows *out)
{
	collect_endpoints(b, s, ports, out);
	collect_selected(b, s, out);
}

static void
collect_all_leads(struct builder *b, struct rows *out)
{
	for (size_t i = 0; i < b->services.count && !b->full; i++) {
		struct service_row *s = b->services.items[i];
		size_t before = out->count;

		collect_leads(b, s, s->ports, out);
		s->leads_here = out->count > before;
		if (s->leads_here || is_served_here(b, s))
			rows_add(&b->here, s);
	}
}

static void
collect_services(struct builder *b, struct rows *out)
{
	if (b->box == NULL)
		collect_all_leads(b, out);
	else
		collect_leads_now(b, out);
	for (size_t i = 0; i < b->in->exposed_count && !b->full; i++)
		add_exposed(b, &b->in->exposed[i], out);
}

/* What holds for callers of a service holds at an ingress of its port, too. */
static void
give_services(struct builder *b, struct rows *ingress)
{
	struct rows leads = {0};
	size_t n = 0;

	collect_services(b, &leads);
	rows_sort(&leads, by_port);
	for (size_t i = 0; i < ingress->count; i++) {
		struct inbound_port *p = ingress->items[i];
		const struct inbound_port *lead = NULL;

		for (; n < leads.count; n++) {
			lead = leads.items[n];
			if (lead->port >= p->port)
				break;
		}
		if (n < leads.count && lead->port == p->port)
			p->service = lead->service;
	}
	rows_fini(&leads);
}

bool
leads_here(struct builder *b, struct service_row *s)
{
	struct rows all = {0};

	b->scope = b->v->scopes.items[0];
	collect_leads(b, s, s->ports, &all);
	s->leads_here = all.count > 0;
	rows_fini(&all);
	return s->leads_here;
}

void
collect_inbound_ports(struct builder *b, struct rows *out)
{
	const struct resource *r = sidecar_of(b);
	const struct sidecar *s = r != NULL ? r->spec : NULL;
	bool has_ingress = s != NULL && s->ingress.count > 0;
	struct rows all = {0};

	if (has_ingress)
		collect_ingress(b, r, &all);
	else
		collect_services(b, &all);
	rows_sort(&all, by_port);
	for (size_t i = 0; i < all.count; i++)
		keep(b, all.items[i], out);
	rows_fini(&all);
	if (has_ingress)
		give_services(b, out);
}
