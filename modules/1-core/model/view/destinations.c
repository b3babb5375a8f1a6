/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destinations — from what a route names to a cluster, or to why there is none.
 */
#include "inside.h"

/* The one that is named, else the only one, else the one that was called. */
static const struct port_row *
choose_port(const struct service_row *s, const struct destination_spec *spec,
    uint16_t called)
{
	if (spec->port != NULL)
		return find_port(s, (uint16_t)spec->port->number);
	return s->port_count == 1 ? &s->ports[0] : find_port(s, called);
}

static struct slice
no_port(struct builder *b, const struct service_row *s,
    const struct destination_spec *spec)
{
	if (spec->port != NULL)
		return take_printf(b, "%.*s has no port %lld",
		    SLICE_ARG(s->row.host), (long long)spec->port->number);
	return take_printf(b,
	    "%.*s has several ports and the destination names none",
	    SLICE_ARG(s->row.host));
}

/* "reviews.default.svc.cluster.local", whatever the mesh's own domain is. */
static struct slice
istio_host(struct builder *b, struct slice host)
{
	struct slice domain = b->v->domain;
	struct slice rest = slice_sub(host, 0, host.len - domain.len);

	if (host.len > domain.len && slice_ends(host, domain) &&
	    slice_ends(rest, S(".svc.")))
		return take_printf(b, "%.*scluster.local", SLICE_ARG(rest));
	return host;
}

/* Also of a cluster that is not there: upstream names it all the same. */
static struct slice
name_cluster(struct builder *b, const struct destination_spec *spec,
    struct slice host, unsigned port)
{
	return take_printf(b, "outbound|%u|%.*s|%.*s", port,
	    SLICE_ARG(spec->subset), SLICE_ARG(istio_host(b, host)));
}

struct service_row *
find_destination_service(struct builder *b, const struct destination_spec *spec,
    const struct resource *owner)
{
	return find_service(b, canonical_host(b, spec->host, owner->key.ns));
}

void
compile_destination(struct builder *b, const struct destination_spec *spec,
    const struct resource *owner, uint16_t called_port,
    struct view_destination *out)
{
	struct slice host = canonical_host(b, spec->host, owner->key.ns);
	struct service_row *s = find_destination_service(b, spec, owner);
	const struct port_row *p =
	    s != NULL ? choose_port(s, spec, called_port) : NULL;
	struct origin o = origin_of(owner, spec->head.line);

	out->host = spec->host;
	if (s == NULL)
		out->missing =
		    take_printf(b, "there is no service %.*s", SLICE_ARG(host));
	else if (p == NULL)
		out->missing = no_port(b, s, spec);
	else
		out->cluster =
		    find_cluster(b, s, p, spec->subset, &out->missing);
	if (out->cluster != NULL) {
		out->name = out->cluster->name;
		return;
	}
	out->name = name_cluster(b, spec, s != NULL ? s->row.istio : host,
	    spec->port != NULL ? (unsigned)spec->port->number
	    : p != NULL        ? p->port
			       : called_port);
	out->flag = FLOW_NO_CLUSTER;
	add_problem(b, &o, "%.*s", SLICE_ARG(out->missing));
}
