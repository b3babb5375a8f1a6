/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edges — where this machine meets the mesh: named listeners, exposed ports.
 */
#include <stdlib.h>

#include "inside.h"

/* An account of this machine, or the machine. */
static struct view_caller
caller_of(struct builder *b, struct slice ns, struct slice account,
    const struct labels *labels)
{
	struct slice uri = account.len > 0 ? identity_of(b, ns, account)
					   : take_copy(b, b->in->identity);
	struct flow_party p = {
	    .identity = uri, .cluster = take_copy(b, b->in->network)};
	struct identity id;

	if (name_identity_parse(uri, &id, NULL) == OK) {
		p.workload = id.account;
		p.ns = id.ns;
	}
	flow_party_label(&p, labels);
	flow_party_seal(&p);
	return (struct view_caller){uri, p};
}

static bool
is_shown(const struct builder *b, const struct service_row *s, struct slice ns)
{
	for (; s != NULL; s = s->next)
		if (s->resource == NULL || is_exported(b, s->resource, ns))
			return true;
	return false;
}

/* Why its clients cannot call it; a port is 0 if it is any. */
static struct slice
why_missing(struct builder *b, const struct view_upstream *u, struct slice host,
    uint16_t port)
{
	const struct service_row *s = find_service(b, host);
	const struct resource *sidecar = scope_const(u->scope)->sidecar;
	bool other_port = view_find_host(b->v, u->scope, host, 0) != NULL;

	if (s == NULL && !other_port)
		return take_printf(
		    b, "there is no service %.*s (yet)", SLICE_ARG(host));
	if (s == NULL || (port != 0 && find_port(s, port) == NULL))
		return take_printf(
		    b, "%.*s has no port %u", SLICE_ARG(host), (unsigned)port);
	if (!is_shown(b, s, u->ns))
		return take_printf(b,
		    "%.*s is not exported to namespace %.*s, where this "
		    "upstream's clients call from",
		    SLICE_ARG(host), SLICE_ARG(u->ns));
	if (sidecar == NULL)
		return take_printf(b, "%.*s cannot be called on port %u",
		    SLICE_ARG(host), (unsigned)port);
	return take_printf(b,
	    "Sidecar/%.*s/%.*s, which holds for this upstream's clients, does "
	    "not let them call %.*s",
	    SLICE_ARG(sidecar->key.ns), SLICE_ARG(sidecar->key.name),
	    SLICE_ARG(host));
}

/* Where it says so on status pages; a connection to it is told the same. */
static void
report_missing(struct builder *b, const struct view_upstream *u)
{
	struct origin o = {
	    .words = take_printf(b, "upstream %.*s", SLICE_ARG(u->name))};

	add_problem(b, &o, "%.*s", SLICE_ARG(u->missing));
}

static void
add_upstream(struct builder *b, const struct view_upstream_input *in,
    struct view_upstream *out)
{
	const struct scope *scope = scope_of_upstream(b, in);
	struct slice ns, host;

	if (scope == NULL)
		return;
	ns = scope->row.ns;
	host = canonical_host(b, in->host, ns);
	out->scope = &scope->row;
	out->name = take_copy(b, in->name);
	out->listen = in->listen;
	out->ns = ns;
	out->account = take_copy(b, in->account);
	out->caller = caller_of(b, ns, in->account, &(struct labels){0});
	out->host = view_find_host(b->v, out->scope, host, in->port);
	if (out->host == NULL)
		out->missing = why_missing(b, out, host, in->port);
	if (out->host == NULL)
		report_missing(b, out);
	(void)map_put(&b->v->upstream_by_name, out->name,
	    out); /* of two with one name the later is found */
}

static void
compile_self(struct builder *b)
{
	const struct scope *own = b->v->scopes.items[0];

	b->v->self =
	    caller_of(b, own->row.ns, b->in->account, &own->row.labels);
}

static int
upstreams_by_name(const void *a, const void *b)
{
	const struct view_upstream_input *const *x = a;
	const struct view_upstream_input *const *y = b;
	int n = slice_cmp((*x)->name, (*y)->name);

	return n != 0 ? n : addr_cmp(&(*x)->listen, &(*y)->listen);
}

static void
compile_upstreams(struct builder *b)
{
	struct rows sorted = {0};
	size_t n = b->in->upstream_count;

	for (size_t i = 0; i < n; i++)
		rows_add(&sorted, (void *)(uintptr_t)&b->in->upstreams[i]);
	rows_sort(&sorted, upstreams_by_name);
	b->v->upstreams = take(b, n, sizeof(*b->v->upstreams));
	for (size_t i = 0; i < n && !b->full; i++)
		add_upstream(b, sorted.items[i], &b->v->upstreams[i]);
	b->v->upstream_count = b->full ? 0 : n;
	rows_fini(&sorted);
}

static int
exposed_by_port(const void *a, const void *b)
{
	const struct view_exposed *x = a, *y = b;
	int n = (int)x->addr.port - (int)y->addr.port;

	/* An address of its own before any address. */
	if (n == 0)
		n = addr_is_any(&x->addr) - addr_is_any(&y->addr);
	if (n == 0)
		n = addr_cmp(&x->addr, &y->addr);
	return n != 0 ? n : slice_cmp(x->host, y->host);
}

/* The same that callers make of its record (endpoints.c). */
static struct flow_party
party_of(struct builder *b, const struct view_exposed *e)
{
	struct flow_party p = {.service = e->host,
	    .service_name = e->service,
	    .service_ns = e->ns,
	    .workload = e->service,
	    .ns = e->ns,
	    .identity = e->identity,
	    .cluster = take_copy(b, b->in->network)};

	flow_party_label(&p, &e->labels);
	flow_party_seal(&p);
	return p;
}

static void
add_exposed(struct builder *b, const struct view_exposed_input *in,
    struct view_exposed *out)
{
	out->service = take_copy(b, in->service);
	out->ns = take_copy(b, in->ns);
	out->host = take_printf(b, "%.*s.%.*s.svc.%.*s", SLICE_ARG(in->service),
	    SLICE_ARG(in->ns), SLICE_ARG(b->v->domain));
	out->port = in->port;
	out->protocol = protocol_of_record(in->protocol, S(""));
	out->addr = in->addr;
	out->target = in->target;
	out->account = take_copy(b, in->account);
	out->identity = identity_of(b, in->ns, in->account);
	out->labels = take_labels(b, &in->labels);
	out->party = party_of(b, out);
	out->cluster = take_printf(b, "inbound|%u||", (unsigned)in->port);
}

static void
keep_addrs(struct builder *b)
{
	size_t n = b->in->addr_count;

	b->v->addrs = take(b, n, sizeof(*b->v->addrs));
	b->v->addr_count = b->v->addrs != NULL ? n : 0;
	for (size_t i = 0; i < b->v->addr_count; i++)
		b->v->addrs[i] = b->in->addrs[i];
}

void
compile_exposed(struct builder *b)
{
	size_t n = b->in->exposed_count;

	b->v->exposed = take(b, n, sizeof(*b->v->exposed));
	for (size_t i = 0; i < n && !b->full; i++)
		add_exposed(b, &b->in->exposed[i], &b->v->exposed[i]);
	b->v->exposed_count = b->full ? 0 : n;
	if (b->v->exposed_count > 0)
		qsort(
		    b->v->exposed, n, sizeof(*b->v->exposed), exposed_by_port);
}

static uint64_t
hash_slices(const struct slice *all, size_t count)
{
	uint64_t h = 1;

	for (size_t i = 0; i < count; i++)
		h = hash_with(h, slice_hash_stable(all[i]));
	return h;
}

static uint64_t
exposed_hash(const struct view_exposed_input *e)
{
	char at[ADDR_TEXT_MAX], target[ADDR_TEXT_MAX];
	uint64_t h = hash_slices(SLICES(e->service, e->ns, e->protocol,
	    e->account, slice_str(addr_format(&e->addr, at)),
	    slice_str(addr_format(&e->target, target))));

	h = hash_with(h, e->port);
	for (size_t i = 0; i < e->labels.count; i++)
		h = hash_with(h, hash_slices(SLICES(e->labels.items[i].key,
				     e->labels.items[i].value)));
	return h;
}

uint64_t
exposed_version_of(const struct view_input *in)
{
	uint64_t sum = in->exposed_count;

	for (size_t i = 0; i < in->exposed_count; i++)
		sum += exposed_hash(&in->exposed[i]);
	return sum;
}

void
compile_edges(struct builder *b)
{
	compile_self(b);
	compile_upstreams(b);
	keep_addrs(b);
	compile_exposed(b);
}
