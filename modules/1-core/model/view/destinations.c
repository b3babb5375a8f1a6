/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destinations — from what a route names to a cluster, or to why there is none.
 */
#include "inside.h"

/*
 * The one that is named, else the one that was called. Upstream lets a service
 * with one port have its way only where no port was called, and at gateways.
 */
static uint16_t
choose_port(const struct builder *b, const struct import *i,
    const struct destination_spec *spec, uint16_t called)
{
	bool lenient = called == 0 || b->in->proxy == VIEW_ROUTER;

	if (spec->port != NULL)
		return (uint16_t)spec->port->number;
	if (lenient && i != NULL && i->ports != NULL && i->ports->next == NULL)
		return i->ports->port->port;
	return called;
}

static struct slice
no_port(struct builder *b, const struct import *i,
    const struct destination_spec *spec, uint16_t port)
{
	if (port == 0)
		return take_printf(b,
		    "%.*s has several ports and the destination names none",
		    SLICE_ARG(i->service->row.host));
	return take_printf(b, "%.*s has no port %u%s",
	    SLICE_ARG(i->service->row.host), (unsigned)port,
	    spec->port == NULL
		? ", the one that is called, and the destination "
		  "names none"
		: "");
}

/* What the cluster would be called. */
static struct slice
missing_name(struct builder *b, const struct destination_spec *spec,
    struct slice host, uint16_t port)
{
	return take_printf(b, "outbound|%u|%.*s|%.*s", (unsigned)port,
	    SLICE_ARG(spec->subset), SLICE_ARG(istio_host(b, host)));
}

/* Another name leads to what it stands for. */
static const struct import_port *
follow_alias(
    const struct builder *b, const struct import_port *p, struct slice *host)
{
	enum { HOPS_MAX = 16 };

	for (int hops = 0; p != NULL && hops < HOPS_MAX &&
			   p->service->row.resolution == VIEW_ALIAS;
	     hops++) {
		*host = p->service->row.alias;
		p = find_import_port(b, *host, p->port->port);
	}
	return p;
}

void
compile_destination(struct builder *b, const struct destination_spec *spec,
    const struct resource *owner, uint16_t called_port,
    struct view_destination *out)
{
	struct slice host = canonical_host(b, spec->host, owner->key.ns);
	const struct import *i = find_import(b, host);
	uint16_t port = choose_port(b, i, spec, called_port);
	const struct import_port *p =
	    follow_alias(b, find_import_port(b, host, port), &host);
	struct origin o = origin_of(owner, spec->head.line);

	out->host = spec->host;
	if (i == NULL)
		out->missing =
		    take_printf(b, "there is no service %.*s", SLICE_ARG(host));
	else if (p == NULL)
		out->missing = no_port(b, i, spec, port);
	else
		out->cluster = find_cluster(
		    b, p->service, p->port, spec->subset, &out->missing);
	if (out->cluster != NULL) {
		out->name = out->cluster->name;
		return;
	}
	out->name = missing_name(b, spec, host, port);
	out->flag = FLOW_NO_CLUSTER;
	add_problem(b, &o, "%.*s", SLICE_ARG(out->missing));
}
