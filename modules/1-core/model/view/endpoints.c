/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoints — who serves which port, in an order that never changes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

static int
compare(const void *a, const void *b)
{
	const struct view_endpoint_input *const *px = a;
	const struct view_endpoint_input *const *py = b;
	const struct view_endpoint_input *x = *px, *y = *py;
	int n = slice_cmp(x->service_ns, y->service_ns);

	if (n == 0)
		n = slice_cmp(x->service, y->service);
	if (n == 0)
		n = (int)x->service_port - (int)y->service_port;
	if (n == 0)
		n = slice_cmp(x->network, y->network);
	if (n == 0)
		n = addr_cmp(&x->addr, &y->addr);
	return n != 0 ? n : slice_cmp(x->node, y->node);
}

static uint64_t
endpoint_id(const struct view_endpoint_input *e)
{
	char addr[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + NAME_HOST_MAX];

	(void)snprintf(text, sizeof(text), "%.*s|%s", SLICE_ARG(e->network),
	    addr_format(&e->addr, addr)); /* networks are short names */
	return slice_hash_stable(slice_str(text));
}

static bool
is_expected(const struct view_service *s, struct slice account)
{
	for (size_t i = 0; i < s->account_count; i++)
		if (slice_eq(s->accounts[i], account))
			return true;
	return s->account_count == 0;
}

/* Whether it may get traffic, and if not, why. */
static void
judge(struct builder *b, const struct view_service *s,
    const struct view_endpoint_input *in, struct view_endpoint *e)
{
	static const char *const words[] = {
	    [VIEW_HEALTHY] = "",
	    [VIEW_UNHEALTHY] = "its owner says that it is unhealthy",
	    [VIEW_DRAINING] = "it takes no new traffic",
	    [VIEW_DOWN] = "its node is down",
	};

	if (!is_expected(s, in->account))
		e->reason = take_printf(b,
		    "account %.*s is none that the Service's annotation %s "
		    "names",
		    SLICE_ARG(in->account), "meshd.dev/accounts");
	else if (in->health != VIEW_HEALTHY)
		e->reason = in->reason.len > 0 ? take_copy(b, in->reason)
					       : slice_str(words[in->health]);
	else if (in->weight == 0)
		e->reason = S("its weight is 0");
	e->usable = e->reason.len == 0;
}

static struct flow_party
party_of(const struct view_service *s, const struct view_endpoint *e)
{
	struct flow_party p = {.service = s->host,
	    .service_name = s->name,
	    .service_ns = s->ns,
	    .workload = e->workload,
	    .ns = e->ns,
	    .identity = e->identity,
	    .cluster = e->network};

	flow_party_label(&p, &e->labels);
	flow_party_seal(&p);
	return p;
}

static void
fill(struct builder *b, const struct view_service *s,
    const struct view_endpoint_input *in, struct view_endpoint *e)
{
	e->id = endpoint_id(in);
	e->addr = in->addr;
	e->tunnel = in->tunnel;
	e->network = take_copy(b, in->network);
	e->node = take_copy(b, in->node);
	e->workload = take_copy(b, in->workload);
	e->identity = identity_of(b, in->ns, in->account);
	e->ns = take_copy(b, in->ns);
	e->account = take_copy(b, in->account);
	e->labels = take_labels(b, &in->labels);
	e->party = party_of(s, e);
	e->locality = take_copy(b, in->locality);
	e->weight = in->weight;
	e->health = in->health;
	judge(b, s, in, e);
}

static void
add(struct builder *b, const struct view_endpoint_input *in, size_t *count)
{
	struct slice host =
	    take_printf(b, "%.*s.%.*s.svc.%.*s", SLICE_ARG(in->service),
		SLICE_ARG(in->service_ns), SLICE_ARG(b->v->domain));
	struct service_row *s = find_service(b, host);
	struct port_row *p = s ? find_port(s, in->service_port) : NULL;

	if (p == NULL)
		return; /* discovery hands over only what it matched */
	if (p->endpoint_count == 0)
		p->first_endpoint = *count;
	else if (b->endpoints[*count - 1].id == endpoint_id(in))
		return; /* told twice */
	fill(b, &s->row, in, &b->endpoints[*count]);
	p->endpoint_count++;
	(*count)++;
}

/* --- those of ServiceEntries -----------------------------------------------
 */

static uint16_t
port_of(const struct workload_entry *w, const struct entry_port *p)
{
	for (size_t i = 0; i < w->ports.count; i++)
		if (slice_eq(w->ports.items[i].key, p->name))
			return (uint16_t)w->ports.items[i].number;
	return (uint16_t)(p->target_port != 0 ? p->target_port : p->number);
}

/* False, and it is told, if it is none that can be called yet. */
static bool
read_entry_endpoint(struct builder *b, const struct service_row *s,
    const struct workload_entry *w, const struct entry_port *p,
    struct view_endpoint_input *out)
{
	struct origin o = origin_of(s->resource, w->head.line);

	*out = (struct view_endpoint_input){.workload = w->address,
	    .ns = s->row.ns,
	    .labels = w->labels,
	    .locality = w->locality,
	    .network = w->network,
	    .weight = w->weight > 0 ? (uint32_t)w->weight : 1};
	if (addr_parse_ip(w->address, &out->addr) == OK) {
		out->addr.port = port_of(w, p);
		return true;
	}
	add_problem(b, &o,
	    "not in force yet: an endpoint that is no IP address, %.*s",
	    SLICE_ARG(w->address));
	return false;
}

static const struct entry_port *
entry_port_of(const struct service_entry *e, uint16_t number)
{
	size_t i = 0;

	while (e->ports.items[i].number != number) /* one has it */
		i++;
	return &e->ports.items[i];
}

static int
by_address(const void *a, const void *b)
{
	const struct view_endpoint *x = a, *y = b;
	int n = slice_cmp(x->network, y->network);

	return n != 0 ? n : addr_cmp(&x->addr, &y->addr);
}

static void
add_entry_endpoints(struct builder *b, struct service_row *s, size_t *count)
{
	const struct service_entry *e = s->resource->spec;

	for (size_t i = 0; i < s->port_count; i++) {
		struct port_row *p = &s->ports[i];

		p->first_endpoint = *count;
		for (size_t j = 0; !b->full && j < e->endpoints.count; j++) {
			struct view_endpoint_input in;

			if (read_entry_endpoint(b, s, &e->endpoints.items[j],
				entry_port_of(e, p->port), &in))
				fill(
				    b, &s->row, &in, &b->endpoints[(*count)++]);
		}
		p->endpoint_count = *count - p->first_endpoint;
		if (p->endpoint_count > 0)
			qsort(&b->endpoints[p->first_endpoint],
			    p->endpoint_count, sizeof(*b->endpoints),
			    by_address);
	}
}

static bool
lists_endpoints(const struct service_row *s)
{
	const struct service_entry *e;

	if (s->resource == NULL || s->resource->kind != &kind_service_entry)
		return false;
	e = s->resource->spec;
	return e->resolution == ENTRY_STATIC && e->workload_selector == NULL;
}

static size_t
count_entry_endpoints(const struct builder *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->services.count; i++) {
		const struct service_row *s = b->services.items[i];
		const struct service_entry *e;

		if (!lists_endpoints(s))
			continue;
		e = s->resource->spec;
		n += s->port_count * e->endpoints.count;
	}
	return n;
}

void
compile_endpoints(struct builder *b)
{
	struct rows sorted = {0};
	size_t count = 0;

	b->endpoints = take(b, b->in->endpoint_count + count_entry_endpoints(b),
	    sizeof(*b->endpoints));
	for (size_t i = 0; i < b->in->endpoint_count; i++)
		rows_add(&sorted, (void *)(uintptr_t)&b->in->endpoints[i]);
	if (sorted.count > 0)
		qsort(sorted.items, sorted.count, sizeof(void *), compare);
	for (size_t i = 0; i < sorted.count && !b->full; i++)
		add(b, sorted.items[i], &count);
	for (size_t i = 0; i < b->services.count && !b->full; i++)
		if (lists_endpoints(b->services.items[i]))
			add_entry_endpoints(b, b->services.items[i], &count);
	rows_fini(&sorted);
}
