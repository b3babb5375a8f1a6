/* SPDX-License-Identifier: Apache-2.0 */
/*
 * targets — services in front of a gateway, whose ports need not be its own.
 *
 * A Gateway speaks of the port that clients call. Where a Service leads from
 * there to another of the machine, the gateway listens at that one.
 */
#include "servers.h"

static const struct slice service_annotation = {
    "internal.istio.io/gateway-service", 33};
static const struct slice untranslated_label = {
    "experimental.istio.io/disable-gateway-port-translation", 54};

static void
add_target(struct builder *b, struct rows *to, const struct target *what)
{
	struct target *t = take(b, 1, sizeof(*t));

	if (t == NULL)
		return;
	*t = *what;
	rows_add(to, t);
}

/* Where a name leads is no part of what is written. */
bool
is_endpoint_here(const struct builder *b, const struct view_endpoint *e)
{
	return e->name.len == 0 && is_own_address(b, &e->addr);
}

bool
is_served_here(const struct builder *b, const struct service_row *s)
{
	for (size_t i = 0; i < s->port_count; i++)
		for (size_t j = 0; j < s->ports[i].endpoints.count; j++)
			if (is_endpoint_here(b, s->ports[i].endpoints.items[j]))
				return true;
	return false;
}

/* What is at an address of this machine may be somebody else's, but for its
 * labels. */
static void
add_endpoint_targets(
    struct builder *b, const struct service_row *s, struct rows *to)
{
	const struct labels *own = &b->scope->row.labels;

	for (size_t i = 0; i < s->port_count; i++) {
		const struct port_row *p = &s->ports[i];

		for (size_t j = 0; j < p->endpoints.count; j++) {
			const struct view_endpoint *e = p->endpoints.items[j];
			const struct target t = {s, p->port, e->addr.port,
			    e->labels.count > 0 &&
				labels_match(own, &e->labels),
			    /* by_endpoint */ true};

			if (is_endpoint_here(b, e))
				add_target(b, to, &t);
		}
	}
}

bool
selects_gateway(const struct builder *b, const struct service_row *s)
{
	const struct labels *selector;

	if (s->resource == NULL || s->resource->kind != &kind_service ||
	    !slice_eq(s->row.ns, b->scope->row.ns))
		return false;
	selector = &resource_service(s->resource)->selector;
	return selector->count > 0 &&
	       labels_match(&b->scope->row.labels, selector);
}

static void
add_selected_targets(
    struct builder *b, const struct service_row *s, struct rows *to)
{
	const struct service_spec *spec = resource_service(s->resource);

	for (size_t i = 0; i < spec->ports.count; i++) {
		const struct service_port *p = &spec->ports.items[i];
		bool moved = service_port_has_target(p);
		struct target t = {
		    .service = s, .port = (uint16_t)p->port, .by_labels = true};

		if (p->protocol != SERVICE_TCP ||
		    (moved && p->target_port.is_string))
			continue;
		t.arrives = (uint16_t)(moved ? p->target_port.number : p->port);
		add_target(b, to, &t);
	}
}

static int
by_age(const void *a, const void *b)
{
	const struct target *const *x = a;
	const struct target *const *y = b;
	const struct resource *r = (*x)->service->resource;
	const struct resource *s = (*y)->service->resource;
	int64_t m = r != NULL ? r->created_ms : 0;
	int64_t n = s != NULL ? s->created_ms : 0;

	if (m != n)
		return m < n ? -1 : 1;
	if ((*x)->service != (*y)->service)
		return slice_cmp(
		    (*x)->service->row.istio, (*y)->service->row.istio);
	if ((*x)->port != (*y)->port)
		return (*x)->port < (*y)->port ? -1 : 1;
	return ((*x)->arrives > (*y)->arrives) -
	       ((*x)->arrives < (*y)->arrives);
}

void
find_targets(struct builder *b, struct rows *out)
{
	for (size_t i = 0; i < b->services.count; i++) {
		const struct service_row *s = b->services.items[i];

		if (!slice_eq(s->row.ns, b->scope->row.ns))
			continue;
		if (selects_gateway(b, s))
			add_selected_targets(b, s, out);
		add_endpoint_targets(b, s, out);
	}
	rows_sort(out, by_age);
}

void
find_targets_now(struct builder *b, const struct rows *base, struct rows *out)
{
	struct slice host;
	void *value;

	for (size_t i = 0; i < base->count; i++) {
		const struct target *t = base->items[i];

		if (service_now_of(b, t->service->row.host) == NULL)
			rows_add(out, base->items[i]);
	}
	for (size_t i = 0; map_next(b->services_now, &i, &host, &value);) {
		const struct service_now *now = value;

		if (now->fresh != NULL && selects_gateway(b, now->fresh))
			add_selected_targets(b, now->fresh, out);
	}
	rows_sort(out, by_age);
}

/* --- what a Gateway means ------------------------------------------------- */

static struct slice
services_of(const struct resource *r)
{
	return labels_get(&r->annotations, service_annotation);
}

bool
names_services(const struct resource *r)
{
	return services_of(r).len > 0;
}

/* "a.ns.svc.cluster.local,b.com", of the Gateway's own namespace. */
bool
is_named_by(const struct target *t, const struct resource *r)
{
	const struct view_service *s = &t->service->row;
	struct slice list = services_of(r);

	if (!slice_eq(s->ns, r->key.ns))
		return false;
	while (list.len > 0) {
		struct slice host = slice_trim(slice_split(&list, ','));

		if (slice_eq(host, s->istio) || slice_eq(host, s->host))
			return true;
	}
	return false;
}

bool
leads_to(const struct target *t, const struct resource *r, int64_t number)
{
	const struct resource *of = t->service->resource;

	if (t->port != number)
		return false;
	if (names_services(r))
		return is_named_by(t, r);
	return t->by_labels &&
	       (of == NULL ||
		   labels_get(&of->labels, untranslated_label).ptr == NULL);
}
