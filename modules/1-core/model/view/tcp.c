/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp — the rules for connections of one host.
 *
 * Where no rule takes a port, the connection goes to the service itself.
 */
#include "inside.h"

static struct callers
callers_of(const struct tcp_match *m)
{
	return (struct callers){&m->source_labels, m->source_namespace,
	    m->gateways.items, m->gateways.count};
}

/* Why nothing is taken by it, or nothing if it is looked at as a whole. */
static struct slice
why_never(
    struct builder *b, const struct tcp_match *m, const struct resource *owner)
{
	const struct inert_name rows[] = {
	    {"destinationSubnets", m->destination_subnets.count > 0},
	};
	struct slice names = inert_names(b, rows, ARRAY_LEN(rows));
	struct origin o = origin_of(owner, m->head.line);
	const struct callers callers = callers_of(m);
	struct slice why = why_not_callers(b, &callers);

	return why.len > 0 ? why : inert_match(b, names, &o);
}

static void
compile_ports(struct builder *b, const struct tcp_route *spec,
    const struct resource *owner, struct view_tcp_route *out)
{
	uint16_t *ports = take(b, spec->match.count, sizeof(*ports));
	struct slice never = S("");
	bool any_port = spec->match.count == 0;
	size_t n = 0;

	for (size_t i = 0; ports != NULL && i < spec->match.count; i++) {
		struct slice why = why_never(b, &spec->match.items[i], owner);

		any_port = any_port ||
			   (why.len == 0 && spec->match.items[i].port == 0);
		if (why.len > 0)
			never = why;
		else
			ports[n++] = (uint16_t)spec->match.items[i].port;
	}
	out->ports = ports;
	out->port_count = any_port ? 0 : n;
	if (!any_port && n == 0)
		out->never = never;
}

static void
compile_route(struct builder *b, const struct tcp_route *spec,
    const struct resource *owner, uint16_t port, struct view_tcp_route *out)
{
	struct view_destination *items =
	    take(b, spec->route.count, sizeof(*items));

	if (items == NULL)
		return;
	compile_ports(b, spec, owner, out);
	for (size_t i = 0; i < spec->route.count; i++) {
		const struct tcp_destination *d = &spec->route.items[i];

		compile_destination(b, d->destination, owner, port, &items[i]);
		items[i].weight = (uint32_t)d->weight;
		out->weight_total += items[i].weight;
	}
	out->destinations = items;
	out->destination_count = spec->route.count;
	out->origin = origin_of(owner, spec->head.line);
}

static void
default_route(struct builder *b, struct service_row *s,
    const struct port_row *p, struct view_tcp_route *out)
{
	struct view_destination *d = take(b, 1, sizeof(*d));

	if (d == NULL)
		return;
	d->cluster = find_cluster(b, s, p, S(""), &d->missing);
	if (d->cluster != NULL)
		d->name = d->cluster->name;
	d->host = s->row.host;
	out->destinations = d;
	out->destination_count = 1;
	out->origin = s->row.origin;
}

void
compile_tcp(struct builder *b, struct view_host *h,
    const struct resource *owner, struct service_row *s,
    const struct port_row *p)
{
	const struct virtual_service *vs =
	    owner != NULL ? resource_virtual_service(owner) : NULL;
	size_t rules = vs != NULL ? vs->tcp.count : 0;
	struct view_tcp_route *routes = take(b, rules + 1, sizeof(*routes));

	if (routes == NULL)
		return;
	for (size_t i = 0; i < rules; i++)
		compile_route(b, &vs->tcp.items[i], owner, h->port, &routes[i]);
	default_route(b, s, p, &routes[rules]);
	for (size_t i = 0; i <= rules; i++)
		routes[i].index = i;
	if (rules > 0)
		h->origin = origin_of(owner, 0);
	h->tcp = routes;
	h->tcp_count = rules + 1;
}

static bool
may_match(const struct builder *b, const struct tcp_match *m, uint16_t port)
{
	const struct callers callers = callers_of(m);

	return is_for_callers(b, &callers) && (m->port == 0 || m->port == port);
}

bool
has_tcp_rule(struct builder *b, const struct resource *r, uint16_t port)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->tcp.count; i++) {
		const struct tcp_route *spec = &vs->tcp.items[i];

		if (spec->match.count == 0)
			return true;
		for (size_t j = 0; j < spec->match.count; j++)
			if (may_match(b, &spec->match.items[j], port))
				return true;
	}
	return false;
}
