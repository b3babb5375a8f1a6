/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destinations — from what a route names to a cluster, or to why there is none.
 */
#include "inside.h"

/* What is meant by it. */
struct target {
	struct slice host;           /* or what it stands for */
	struct service_row *service; /* NULL: nobody has the host */
	const struct port_row *row;  /* NULL: it has no such port */
	uint16_t port;
};

/*
 * At a gateway one of the VirtualService's own namespace says which port is
 * meant; the cluster is that of the service which has the host there.
 */
static struct service_row *
find_own(const struct builder *b, struct slice host)
{
	struct service_row *s =
	    b->rules_ns.len > 0 ? service_at(b, host) : NULL;

	while (s != NULL &&
	       (!slice_eq(s->row.ns, b->rules_ns) || !is_seen_service(b, s)))
		s = s->next;
	return s;
}

/*
 * The port that is named, else the one that was called. Upstream lets a
 * service with one port have its way only where no port was called, and at
 * gateways.
 */
static uint16_t
choose_port(const struct builder *b, const struct destination_spec *spec,
    uint16_t called, const struct port_row *only)
{
	if (spec->port != NULL)
		return (uint16_t)spec->port->number;
	if (only != NULL && (called == 0 || b->in->proxy == VIEW_ROUTER))
		return only->port;
	return called;
}

/* Rules of requests know services by the port that is called, if one is. */
static bool
is_known(const struct builder *b, const struct service_row *s)
{
	return b->known_by == 0 || find_port(s, b->known_by) != NULL;
}

/* Another name leads to what it stands for, whatever port is meant there. */
static const struct import_port *
follow_alias(const struct builder *b, const struct service_row *s,
    uint16_t port, struct slice *host)
{
	enum { HOPS_MAX = 16 };

	if (s != NULL && !is_known(b, s))
		return find_import_port(b, *host, port);
	for (int hops = 0;
	     s != NULL && hops < HOPS_MAX && s->row.resolution == VIEW_ALIAS;
	     hops++) {
		const struct import *i = find_import(b, s->row.alias);

		*host = s->row.alias;
		s = i != NULL ? i->service : NULL;
	}
	return find_import_port(b, *host, port);
}

static struct target
find_imported(const struct builder *b, struct slice host,
    const struct destination_spec *spec, uint16_t called)
{
	const struct import *i = find_import(b, host);
	const struct import_port *p = i != NULL ? i->ports : NULL;
	const struct port_row *only =
	    p != NULL && p->next == NULL ? p->port : NULL;
	struct target t = {.host = host,
	    .service = i != NULL ? i->service : NULL,
	    .port = choose_port(b, spec, called, only)};

	p = follow_alias(b, t.service, t.port, &t.host);
	if (p == NULL)
		return t;
	t.service = p->service;
	t.row = p->port;
	return t;
}

static struct target
find_target(const struct builder *b, struct slice host,
    const struct destination_spec *spec, uint16_t called)
{
	struct service_row *own = find_own(b, host);
	const struct import_port *p;
	struct target t = {.host = host, .service = own};

	if (own == NULL)
		return find_imported(b, host, spec, called);
	t.port = choose_port(
	    b, spec, called, own->port_count == 1 ? &own->ports[0] : NULL);
	p = follow_alias(b, own, t.port, &t.host);
	if (p == NULL)
		return t;
	t.service = p->service;
	t.row = p->port;
	return t;
}

/* Nowhere in the mesh, or only not for who calls from here. */
static struct slice
no_service(struct builder *b, struct slice host)
{
	if (service_at(b, host) == NULL)
		return take_printf(
		    b, "there is no service %.*s", SLICE_ARG(host));
	return take_printf(b,
	    "%.*s is not seen from here: it is not exported here, or a "
	    "Sidecar leaves it out",
	    SLICE_ARG(host));
}

static struct slice
other_counts(struct builder *b, const struct service_row *s, uint16_t port)
{
	return take_printf(b,
	    "of the services that have the host %.*s the one that counts here "
	    "has no port %u",
	    SLICE_ARG(s->row.host), (unsigned)port);
}

const struct view_cluster *
find_own_cluster(struct builder *b, struct service_row *s,
    const struct port_row *p, struct slice *missing)
{
	const struct import_port *of =
	    find_import_port(b, s->row.host, p->port);

	if (of != NULL)
		return find_cluster(b, of->service, of->port, S(""), missing);
	*missing = other_counts(b, s, p->port);
	return NULL;
}

void
compile_own(struct builder *b, struct service_row *s, const struct port_row *p,
    uint16_t port, struct view_destination *out)
{
	out->host = s->row.host;
	if (p != NULL)
		out->cluster = find_own_cluster(b, s, p, &out->missing);
	if (out->cluster != NULL) {
		out->name = out->cluster->name;
		return;
	}
	out->name = take_printf(
	    b, "outbound|%u||%.*s", (unsigned)port, SLICE_ARG(s->row.istio));
	out->flag = FLOW_NO_CLUSTER;
	if (out->missing.len > 0)
		add_problem(b, &s->row.origin, "%.*s", SLICE_ARG(out->missing));
	else
		out->missing = take_printf(b, "%.*s has no port %u",
		    SLICE_ARG(out->host), (unsigned)port);
}

static struct slice
no_port(struct builder *b, const struct target *t,
    const struct destination_spec *spec)
{
	if (t->port == 0)
		return take_printf(b,
		    "%.*s has several ports and the destination names none",
		    SLICE_ARG(t->service->row.host));
	if (find_port(t->service, t->port) != NULL)
		return other_counts(b, t->service, t->port);
	return take_printf(b, "%.*s has no port %u%s",
	    SLICE_ARG(t->service->row.host), (unsigned)t->port,
	    spec->port == NULL
		? ", the one that is called, and the destination "
		  "names none"
		: "");
}

/* Also of a cluster that is not there: upstream names it all the same. */
static struct slice
name_cluster(struct builder *b, const struct destination_spec *spec,
    struct slice host, uint16_t port)
{
	return take_printf(b, "outbound|%u|%.*s|%.*s", (unsigned)port,
	    SLICE_ARG(spec->subset), SLICE_ARG(istio_host(b, host)));
}

struct service_row *
find_destination_service(struct builder *b, const struct destination_spec *spec,
    const struct resource *owner)
{
	struct slice host = canonical_host(b, spec->host, owner->key.ns);

	return find_target(b, host, spec, /* called */ 0).service;
}

/* What becomes of it hangs on DestinationRules of the service. */
static void
name_subset(struct builder *b, struct service_row *s)
{
	struct named_by *n;

	s->is_split = s->is_split || b->owner == NULL;
	if (b->owner == NULL || b->box != NULL ||
	    (s->namings != NULL && s->namings->by == b->owner))
		return;
	n = take(b, 1, sizeof(*n));
	if (n == NULL)
		return;
	*n = (struct named_by){b->owner, s->namings};
	s->namings = n;
}

void
compile_destination(struct builder *b, const struct destination_spec *spec,
    const struct resource *owner, uint16_t called_port,
    struct view_destination *out)
{
	struct slice host = canonical_host(b, spec->host, owner->key.ns);
	struct target t = find_target(b, host, spec, called_port);
	struct origin o = origin_of(owner, spec->head.line);

	out->host = spec->host;
	if (t.service == NULL)
		out->missing = no_service(b, host);
	else if (t.row == NULL)
		out->missing = no_port(b, &t, spec);
	else {
		if (spec->subset.len > 0)
			name_subset(b, t.service);
		out->cluster = find_cluster(
		    b, t.service, t.row, spec->subset, &out->missing);
	}
	if (out->cluster != NULL) {
		out->name = out->cluster->name;
		return;
	}
	out->name = name_cluster(b, spec, t.host, t.port);
	out->flag = FLOW_NO_CLUSTER;
	add_problem(b, &o, "%.*s", SLICE_ARG(out->missing));
}
