/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match — which workload stands behind which port of one service.
 *
 * A written Service picks workloads of its namespace by its selector, or, if
 * it has none, those that were exposed under its name. A name that nobody
 * wrote a Service for is what its records say; where they contradict each
 * other, the oldest one is right.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

enum { REPORT_MAX = 1024, FIRST = 8 };

/* An endpoint with whose it is, until the list is settled. */
struct row {
	struct view_endpoint_input e;
	const struct workload *w;
};

/* One service while it is made. */
struct making {
	struct discovery *d;
	struct serving *s;
	struct row *rows;
	size_t row_count;
	size_t row_cap;
	struct view_port_input *ports;
	size_t port_count;
	size_t port_cap;
	size_t conflict_cap;
};

static void
is_full(struct making *m)
{
	if (m->d->err == OK)
		m->d->err = ERR_NO_MEMORY;
}

static void report(struct making *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
report(struct making *m, const char *fmt, ...)
{
	struct serving *s = m->s;
	char text[REPORT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* cut if too long */
	va_end(args);
	if (s->conflict_count == m->conflict_cap) {
		size_t cap = MAX(FIRST, m->conflict_cap * 2);
		struct slice *all =
		    arena_alloc_array(&s->arena, cap, sizeof(*all));

		if (all == NULL) {
			is_full(m);
			return;
		}
		if (s->conflict_count > 0)
			memcpy(all, s->conflicts,
			    s->conflict_count * sizeof(*all));
		s->conflicts = all;
		m->conflict_cap = cap;
	}
	if (arena_copy(&s->arena, slice_str(text),
		&s->conflicts[s->conflict_count]) == OK)
		s->conflict_count++;
	else
		is_full(m);
}

static void
add_endpoint(struct making *m, const struct workload *w, uint16_t port)
{
	if (m->row_count == m->row_cap) {
		size_t cap = MAX(FIRST, m->row_cap * 2);

		m->rows =
		    mem_resize(m->rows, m->row_cap, cap, sizeof(*m->rows));
		m->row_cap = cap;
	}
	m->rows[m->row_count++] = (struct row){.w = w,
	    .e = {.service = m->s->name,
		.service_ns = m->s->ns,
		.service_port = port,
		.addr = w->addr,
		.tunnel = w->tunnel,
		.other_tunnel = w->other,
		.network = w->network,
		.node = w->node,
		.workload = w->name,
		.ns = w->ns,
		.account = w->account,
		.labels = w->labels,
		.locality = w->locality,
		.weight = w->weight,
		.health = w->health,
		.reason = w->reason}};
}

/* --- written Services ----------------------------------------------------- */

static bool
match_written(struct making *m, const struct workload *w, bool add)
{
	const struct resource *r = m->s->written;
	const struct service_spec *s = resource_service(r);
	struct service_offer o = workload_offer(w);
	bool matched = false;

	if (!service_selects(r, &o))
		return false;
	for (size_t i = 0; i < s->ports.count; i++) {
		const struct service_port *p = &s->ports.items[i];

		if (!service_port_leads_to(r, p, &o))
			continue;
		if (add)
			add_endpoint(m, w, (uint16_t)p->port);
		matched = true;
	}
	return matched;
}

static void
report_unmatched(struct making *m, const struct workload *w)
{
	struct service_offer o = workload_offer(w);

	report(m,
	    "node %.*s offers %.*s.%.*s:%u, but the written Service of that "
	    "name %s",
	    SLICE_ARG(w->node), SLICE_ARG(w->name), SLICE_ARG(w->ns),
	    (unsigned)w->port,
	    service_selects(m->s->written, &o) ? "has no port that leads there"
					       : "does not select its labels");
}

static void
make_written(struct making *m)
{
	const struct crowd *c = candidates_of(m->d, m->s);
	const struct crowd *named = named_as(m->d, m->s);

	for (size_t i = 0; c != NULL && i < c->count; i++)
		(void)match_written(m, c->items[i], /* add */ true);
	for (size_t i = 0; named != NULL && i < named->count; i++)
		if (!match_written(m, named->items[i], /* add */ false))
			report_unmatched(m, named->items[i]);
}

/* --- services of records alone -------------------------------------------- */

static const struct view_port_input *
port_of(struct making *m, const struct workload *w)
{
	for (size_t i = 0; i < m->port_count; i++)
		if (m->ports[i].port == w->port)
			return &m->ports[i];
	if (m->port_count == m->port_cap) {
		size_t cap = MAX(FIRST, m->port_cap * 2);

		m->ports =
		    mem_resize(m->ports, m->port_cap, cap, sizeof(*m->ports));
		m->port_cap = cap;
	}
	m->ports[m->port_count] = (struct view_port_input){
	    .port = w->port, .name = w->protocol, .protocol = w->protocol};
	return &m->ports[m->port_count++];
}

/* Workloads come oldest first, so what is there already is right. */
static void
match_told(struct making *m, const struct workload *w)
{
	const struct view_port_input *p = port_of(m, w);

	if (slice_eq_nocase(p->protocol, w->protocol)) {
		add_endpoint(m, w, w->port);
		return;
	}
	report(m,
	    "node %.*s offers %.*s.%.*s:%u as %.*s, which is not used: the "
	    "older %.*s says %.*s",
	    SLICE_ARG(w->node), SLICE_ARG(w->name), SLICE_ARG(w->ns),
	    (unsigned)w->port, SLICE_ARG(w->protocol),
	    SLICE_ARG(m->s->service.origin), SLICE_ARG(p->protocol));
}

static int
by_age(const void *a, const void *b)
{
	const struct workload *const *x = a;
	const struct workload *const *y = b;

	return workload_age_cmp(*x, *y);
}

static int
port_cmp(const void *pa, const void *pb)
{
	const struct view_port_input *a = pa, *b = pb;

	return (int)a->port - (int)b->port;
}

static void
keep_ports(struct making *m)
{
	struct view_service_input *to = &m->s->service;
	struct view_port_input *ports = arena_alloc_array(
	    &m->s->arena, MAX(m->port_count, 1), sizeof(*ports));

	if (ports == NULL) {
		is_full(m);
		return;
	}
	if (m->port_count > 0) {
		qsort(m->ports, m->port_count, sizeof(*ports), port_cmp);
		memcpy(ports, m->ports, m->port_count * sizeof(*ports));
	}
	to->ports = ports;
	to->port_count = m->port_count;
}

static void
make_told(struct making *m, struct crowd *c)
{
	const struct workload *oldest;

	qsort(c->items, c->count, sizeof(void *), by_age);
	oldest = c->items[0];
	m->s->is_told = true;
	m->s->service = (struct view_service_input){.name = m->s->name,
	    .ns = m->s->ns,
	    .origin = arena_printf(
		&m->s->arena, "record of node %.*s", SLICE_ARG(oldest->node))};
	if (m->s->service.origin.len == 0)
		is_full(m);
	for (size_t i = 0; i < c->count; i++)
		match_told(m, c->items[i]);
	keep_ports(m);
}

/* --- endpoints ------------------------------------------------------------ */

static int
row_key_cmp(const struct row *a, const struct row *b)
{
	int n = (int)a->e.service_port - (int)b->e.service_port;

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

static void
report_twice(struct making *m, const struct row *used, const struct row *other)
{
	char addr[ADDR_TEXT_MAX];

	if (gossip_id_eq(&used->w->id, &other->w->id) || other->w->gone)
		return;
	report(m,
	    "nodes %.*s and %.*s both claim %s; the first, being older, is "
	    "used",
	    SLICE_ARG(used->e.node), SLICE_ARG(other->e.node),
	    addr_format(&other->e.addr, addr));
}

/* Sorts, and leaves one of those that claim the same address. */
static void
settle_endpoints(struct making *m)
{
	struct view_endpoint_input *out =
	    arena_alloc_array(&m->s->arena, MAX(m->row_count, 1), sizeof(*out));
	const struct row *used = NULL;

	if (out == NULL) {
		is_full(m);
		return;
	}
	if (m->row_count > 0)
		qsort(m->rows, m->row_count, sizeof(*m->rows), row_cmp);
	for (size_t i = 0; i < m->row_count; i++) {
		const struct row *r = &m->rows[i];

		if (used != NULL && row_key_cmp(used, r) == 0) {
			report_twice(m, used, r);
			continue;
		}
		used = r;
		out[m->s->endpoint_count++] = r->e;
	}
	m->s->endpoints = out;
}

bool
serving_make(struct discovery *d, struct serving *s)
{
	struct making m = {.d = d, .s = s};
	struct crowd *named = named_as(d, s);

	arena_reset(&s->arena);
	s->endpoints = NULL;
	s->conflicts = NULL;
	s->endpoint_count = s->conflict_count = 0;
	s->is_told = false;
	if (s->written != NULL)
		make_written(&m);
	else if (named != NULL)
		make_told(&m, named);
	else
		return false;
	settle_endpoints(&m);
	mem_free(&m.rows);
	mem_free(&m.ports);
	return true;
}
