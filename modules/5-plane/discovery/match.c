/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match — which workload stands behind which port of which service.
 *
 * A written Service picks workloads of its namespace by its selector, or, if
 * it has none, those that were exposed under its name. A name that nobody
 * wrote a Service for is what its records say; where they contradict each
 * other, the oldest one is right.
 */
#include <stdlib.h>

#include "inside.h"

/* A service that is known from records only, while it grows. */
struct told {
	struct slice name;
	struct slice ns;
	struct slice origin;
	struct pile ports; /* struct view_port_input */
};

struct matcher {
	struct compiler *c;
	struct map written; /* "ns/name" → const struct resource */
	struct map told;    /* "ns/name" → struct told */
	const struct resource **services;
	size_t service_count;
};

/* An endpoint with whose it is, until the list is sorted. */
struct row {
	struct view_endpoint_input e;
	const struct workload *w;
};

static struct slice
name_of(struct compiler *c, struct slice ns, struct slice name)
{
	return arena_printf(
	    c->arena, "%.*s/%.*s", SLICE_ARG(ns), SLICE_ARG(name));
}

static void
add_endpoint(struct compiler *c, const struct workload *w, struct slice name,
    uint16_t port)
{
	struct row *r;

	if (c->endpoints.count >= DISCOVERY_ENDPOINTS_MAX) {
		c->err = ERR_LIMIT;
		return;
	}
	r = pile_add(c, &c->endpoints, sizeof(*r));
	if (r == NULL)
		return;
	r->w = w;
	r->e = (struct view_endpoint_input){.service = name,
	    .service_ns = w->ns,
	    .service_port = port,
	    .addr = w->addr,
	    .tunnel = w->tunnel,
	    .network = w->network,
	    .node = w->node,
	    .workload = w->name,
	    .ns = w->ns,
	    .account = w->account,
	    .labels = w->labels,
	    .locality = w->locality,
	    .weight = w->weight,
	    .health = w->health,
	    .reason = w->reason};
}

/* --- written Services ----------------------------------------------------- */

static struct service_offer
offer_of(const struct workload *w)
{
	return (struct service_offer){
	    w->name, w->ns, w->protocol, w->labels, w->port};
}

static bool
match_written(
    struct compiler *c, const struct resource *r, const struct workload *w)
{
	const struct service_spec *s = resource_service(r);
	struct service_offer o = offer_of(w);
	bool matched = false;

	if (!service_selects(r, &o))
		return false;
	for (size_t i = 0; i < s->ports.count; i++) {
		const struct service_port *p = &s->ports.items[i];

		if (!service_port_leads_to(r, p, &o))
			continue;
		add_endpoint(c, w, r->key.name, (uint16_t)p->port);
		matched = true;
	}
	return matched;
}

static void
report_unmatched(
    struct compiler *c, const struct resource *r, const struct workload *w)
{
	struct service_offer o = offer_of(w);

	report(c,
	    "node %.*s offers %.*s.%.*s:%u, but the written Service of that "
	    "name %s",
	    SLICE_ARG(w->node), SLICE_ARG(w->name), SLICE_ARG(w->ns),
	    (unsigned)w->port,
	    service_selects(r, &o) ? "has no port that leads there"
				   : "does not select its labels");
}

/* --- services of records alone -------------------------------------------- */

static struct told *
told_of(struct matcher *m, const struct workload *w, struct slice key)
{
	struct told *t = map_get(&m->told, key);

	if (t != NULL)
		return t;
	t = arena_alloc(m->c->arena, sizeof(*t));
	if (t == NULL) {
		m->c->err = ERR_NO_MEMORY;
		return NULL;
	}
	t->name = w->name;
	t->ns = w->ns;
	t->origin = arena_printf(
	    m->c->arena, "record of node %.*s", SLICE_ARG(w->node));
	(void)map_put(&m->told, key, t); /* it was not there */
	return t;
}

static const struct view_port_input *
port_of(struct compiler *c, struct told *t, const struct workload *w)
{
	struct view_port_input *ports = t->ports.items;

	for (size_t i = 0; i < t->ports.count; i++)
		if (ports[i].port == w->port)
			return &ports[i];
	ports = pile_add(c, &t->ports, sizeof(*ports));
	if (ports != NULL)
		*ports = (struct view_port_input){.port = w->port,
		    .name = w->protocol,
		    .protocol = w->protocol};
	return ports;
}

/* Workloads come oldest first, so what is there already is right. */
static void
match_told(struct matcher *m, const struct workload *w, struct slice key)
{
	struct told *t = told_of(m, w, key);
	const struct view_port_input *p =
	    t != NULL ? port_of(m->c, t, w) : NULL;

	if (p == NULL)
		return;
	if (slice_eq_nocase(p->protocol, w->protocol)) {
		add_endpoint(m->c, w, w->name, w->port);
		return;
	}
	report(m->c,
	    "node %.*s offers %.*s.%.*s:%u as %.*s, which is not used: the "
	    "older %.*s says %.*s",
	    SLICE_ARG(w->node), SLICE_ARG(w->name), SLICE_ARG(w->ns),
	    (unsigned)w->port, SLICE_ARG(w->protocol), SLICE_ARG(t->origin),
	    SLICE_ARG(p->protocol));
}

/* --- all of it ------------------------------------------------------------ */

static void
match_one(struct matcher *m, const struct workload *w)
{
	struct slice key = name_of(m->c, w->ns, w->name);
	const struct resource *written = map_get(&m->written, key);
	bool by_its_own = false;

	for (size_t i = 0; i < m->service_count; i++)
		if (match_written(m->c, m->services[i], w))
			by_its_own |= m->services[i] == written;
	if (written == NULL)
		match_told(m, w, key);
	else if (!by_its_own)
		report_unmatched(m->c, written, w);
}

static void
index_services(struct matcher *m)
{
	const struct discovery_input *in = m->c->in;

	m->services = arena_alloc_array(
	    m->c->arena, MAX(in->resource_count, 1), sizeof(*m->services));
	if (m->services == NULL) {
		m->c->err = ERR_NO_MEMORY;
		return;
	}
	for (size_t i = 0; i < in->resource_count; i++) {
		const struct resource *r = in->resources[i];

		if (r->kind != &kind_service)
			continue;
		m->services[m->service_count++] = r;
		(void)map_put(&m->written,
		    name_of(m->c, r->key.ns, r->key.name),
		    (void *)(uintptr_t)r); /* keys are unique */
	}
}

static int
row_key_cmp(const struct row *a, const struct row *b)
{
	int n = slice_cmp(a->e.service_ns, b->e.service_ns);

	if (n == 0)
		n = slice_cmp(a->e.service, b->e.service);
	if (n == 0)
		n = (int)a->e.service_port - (int)b->e.service_port;
	if (n == 0)
		n = slice_cmp(a->e.network, b->e.network);
	return n != 0 ? n : addr_cmp(&a->e.addr, &b->e.addr);
}

static int
row_cmp(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;
	int n = row_key_cmp(a, b);

	return n != 0 ? n : workload_age_cmp(a->w, b->w);
}

/* Sorts, and leaves one of those that claim the same address. */
static void
settle_endpoints(struct compiler *c)
{
	struct row *rows = c->endpoints.items;
	size_t kept = 0;

	if (c->endpoints.count == 0)
		return;
	qsort(rows, c->endpoints.count, sizeof(*rows), row_cmp);
	for (size_t i = 0; i < c->endpoints.count; i++) {
		const struct row *last = kept > 0 ? &rows[kept - 1] : NULL;
		char addr[ADDR_TEXT_MAX];

		if (last == NULL || row_key_cmp(last, &rows[i]) != 0) {
			rows[kept++] = rows[i];
			continue;
		}
		if (!gossip_id_eq(&last->w->id, &rows[i].w->id) &&
		    !rows[i].w->gone)
			report(c,
			    "nodes %.*s and %.*s both claim %s; the "
			    "first, being older, is used",
			    SLICE_ARG(last->e.node), SLICE_ARG(rows[i].e.node),
			    addr_format(&rows[i].e.addr, addr));
	}
	c->endpoints.count = kept;
}

static int
service_cmp(const void *pa, const void *pb)
{
	const struct view_service_input *a = pa, *b = pb;
	int n = slice_cmp(a->ns, b->ns);

	return n != 0 ? n : slice_cmp(a->name, b->name);
}

static int
port_cmp(const void *pa, const void *pb)
{
	const struct view_port_input *a = pa, *b = pb;

	return (int)a->port - (int)b->port;
}

static void
settle_services(struct matcher *m)
{
	struct compiler *c = m->c;
	struct slice key;
	void *value;

	for (size_t i = 0; map_next(&m->told, &i, &key, &value);) {
		struct told *t = value;
		struct view_service_input *s =
		    pile_add(c, &c->services, sizeof(*s));

		if (s == NULL)
			return;
		if (t->ports.count > 0)
			qsort(t->ports.items, t->ports.count,
			    sizeof(struct view_port_input), port_cmp);
		*s = (struct view_service_input){.name = t->name,
		    .ns = t->ns,
		    .ports = t->ports.items,
		    .port_count = t->ports.count,
		    .origin = t->origin};
	}
	if (c->services.count > 0)
		qsort(c->services.items, c->services.count,
		    sizeof(struct view_service_input), service_cmp);
}

/* The rows without whose they are, in place: a row is the larger one. */
static void
strip_endpoints(struct compiler *c)
{
	struct row *rows = c->endpoints.items;
	struct view_endpoint_input *out = arena_alloc_array(
	    c->arena, MAX(c->endpoints.count, 1), sizeof(*out));

	if (out == NULL) {
		c->err = ERR_NO_MEMORY;
		return;
	}
	for (size_t i = 0; i < c->endpoints.count; i++)
		out[i] = rows[i].e;
	c->endpoints.items = out;
}

void
match_workloads(struct compiler *c)
{
	struct matcher m = {.c = c};
	const struct workload *w = c->workloads.items;

	map_init(&m.written);
	map_init(&m.told);
	index_services(&m);
	for (size_t i = 0; i < c->workloads.count && c->err == OK; i++)
		match_one(&m, &w[i]);
	settle_endpoints(c);
	settle_services(&m);
	strip_endpoints(c);
	map_fini(&m.written, NULL);
	map_fini(&m.told, NULL);
}
