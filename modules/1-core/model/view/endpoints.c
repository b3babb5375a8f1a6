/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoints — who serves which port, in an order that never changes.
 *
 * They come from records, from what a ServiceEntry lists, and from the
 * workloads that a selector chooses (workloads.c); what is written by a name
 * is where that leads (resolved.c).
 */
#include <stdio.h>

#include "inside.h"
#include "kinds/security.h"

/* --- one row -------------------------------------------------------------- */

const struct flow_party *
view_endpoint_party(const struct view_endpoint *e)
{
	static const struct flow_party nothing;

	return e->party != NULL ? e->party : &nothing;
}

char *
view_endpoint_address(
    const struct view_endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
	if (e->name.len == 0 || e->addr.family != ADDR_NONE)
		return addr_format(&e->addr, out);
	return view_endpoint_written(e, out);
}

char *
view_endpoint_written(
    const struct view_endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
	if (e->name.len == 0)
		return addr_format(&e->addr, out);
	if (e->addr.port == 0)
		(void)snprintf(
		    out, ENDPOINT_TEXT_MAX, "%.*s", SLICE_ARG(e->name));
	else
		(void)snprintf(out, ENDPOINT_TEXT_MAX, "%.*s:%u",
		    SLICE_ARG(e->name), (unsigned)e->addr.port);
	return out;
}

uint64_t
endpoint_id(const struct view_endpoint *e)
{
	const struct addr *a = &e->addr;
	const char port[] = {(char)(a->port >> 8), (char)a->port};
	char text[ENDPOINT_TEXT_MAX + NAME_HOST_MAX];

	/* Networks are short names. */
	return slice_hash_stable(
	    slice_join(SLICES(e->network, S("|"), e->name, S("|"),
			   slice_of(a->bytes, sizeof(a->bytes)),
			   slice_of(port, sizeof(port))),
		text, sizeof(text)));
}

static bool
is_expected(const struct view_service *s, struct slice account)
{
	return s->account_count == 0 ||
	       slice_is_among(account, s->accounts, s->account_count);
}

static struct slice
why_not_health(struct builder *b, const struct view_endpoint_input *in)
{
	static const char *const words[] = {
	    [VIEW_HEALTHY] = "",
	    [VIEW_UNHEALTHY] = "its owner says that it is unhealthy",
	    [VIEW_DRAINING] = "it takes no new traffic",
	    [VIEW_DOWN] = "its node is down",
	};

	return in->reason.len > 0 ? take_copy(b, in->reason)
				  : slice_str(words[in->health]);
}

/* Whether it may get traffic, and if not, why. */
static void
judge(struct builder *b, const struct view_service *s,
    const struct found_endpoint *f, struct view_endpoint *e)
{
	const struct view_endpoint_input *in = &f->in;

	if (!is_expected(s, in->account))
		e->reason = take_printf(b,
		    "account %.*s is none that the Service's annotation %s "
		    "names",
		    SLICE_ARG(in->account), "meshd.dev/accounts");
	else if (in->health != VIEW_HEALTHY)
		e->reason = why_not_health(b, in);
	else if (in->weight == 0)
		e->reason = S("its weight is 0");
	else if (f->name.len > 0 && in->addr.port == 0)
		e->reason = S("not in force yet: a unix socket");
	else if (f->why_not.len > 0)
		e->reason = f->why_not;
	else if (in->addr.family == ADDR_NONE)
		e->reason = S(NO_ADDRESS);
	else if (in->tunnel.family != ADDR_NONE && in->account.len == 0)
		e->reason = S("a tunnel, and no serviceAccount that is to be "
			      "expected there");
	e->usable = e->reason.len == 0;
}

/* Does it say the same in reports? Texts that are shared are the same ones. */
static bool
is_party_alike(const struct view_endpoint *x, const struct view_endpoint *y)
{
	return x->workload.ptr == y->workload.ptr && x->ns.ptr == y->ns.ptr &&
	       x->identity.ptr == y->identity.ptr &&
	       x->network.ptr == y->network.ptr &&
	       x->labels.items == y->labels.items;
}

static const struct flow_party *
party_of(struct builder *b, const struct view_service *s,
    const struct view_endpoint *e, const struct view_endpoint *before)
{
	struct flow_party *p;

	if (before->party != NULL && is_party_alike(e, before))
		return before->party;
	p = take(b, 1, sizeof(*p));
	if (p == NULL)
		return NULL;
	*p = (struct flow_party){.service = s->host,
	    .service_name = s->name,
	    .service_ns = s->ns,
	    .workload = e->workload,
	    .ns = e->ns,
	    .identity = e->identity,
	    .cluster = e->network};
	flow_party_label(p, &e->labels);
	flow_party_seal(p);
	return p;
}

/* As its workload is asked; plain text where a policy turns it off. */
static bool
is_mutual(
    struct builder *b, const struct found_endpoint *f, const struct addr *addr)
{
	return f->mutual && mutual_tls_of(b, f->in.ns, &f->in.labels,
				addr->port) != MUTUAL_TLS_DISABLE;
}

/* The text of the one before if it is the same: mostly it is. */
static struct slice
share(struct builder *b, struct slice s, struct slice before)
{
	return slice_eq(s, before) ? before : take_copy(b, s);
}

static bool
has_labels(const struct view_endpoint *e, const struct labels *l)
{
	if (l->count != e->labels.count)
		return false;
	for (size_t i = 0; i < l->count; i++)
		if (!slice_eq(l->items[i].key, e->labels.items[i].key) ||
		    !slice_eq(l->items[i].value, e->labels.items[i].value))
			return false;
	return true;
}

static struct labels
share_labels(
    struct builder *b, const struct labels *l, const struct view_endpoint *like)
{
	struct label *items;

	if (has_labels(like, l))
		return like->labels;
	if (l->count != like->labels.count)
		return take_labels(b, l);
	items = take(b, l->count, sizeof(*items));
	for (size_t i = 0; items != NULL && i < l->count; i++) {
		const struct label *old = &like->labels.items[i];

		items[i].key = share(b, l->items[i].key, old->key);
		items[i].value = share(b, l->items[i].value, old->value);
	}
	return (struct labels){items, items != NULL ? l->count : 0};
}

/* One of the last of the port, with the same labels if there is one: mostly
 * all of it is the same. */
static const struct view_endpoint *
like_in(const struct port_row *p, const struct labels *l)
{
	enum { LAST = 4 };
	static const struct view_endpoint none;
	size_t n = p->endpoints.count;
	const struct view_endpoint *last =
	    n > 0 ? p->endpoints.items[n - 1] : &none;

	for (size_t i = 0; i < LAST && i < n; i++) {
		const struct view_endpoint *e = p->endpoints.items[n - 1 - i];

		if (has_labels(e, l))
			return e;
	}
	return last;
}

/* Who it is, with the texts of one before it of the same port. */
static void
identify(struct builder *b, const struct view_endpoint_input *in,
    const struct view_endpoint *before, struct view_endpoint *e)
{
	e->node = share(b, in->node, before->node);
	e->workload = share(b, in->workload, before->workload);
	e->ns = share(b, in->ns, before->ns);
	e->account = share(b, in->account, before->account);
	e->identity = slice_eq(in->ns, before->ns) &&
			      slice_eq(in->account, before->account)
			  ? before->identity
			  : identity_of(b, in->ns, in->account);
	e->labels = share_labels(b, &in->labels, before);
}

static void
add_other_tunnel(struct builder *b, const struct addr *other,
    const struct view_endpoint *before, struct view_endpoint *e)
{
	struct addr *copy;

	if (other->family == ADDR_NONE)
		return;
	e->other_count = 1;
	e->others = before->others;
	if (before->other_count == 1 && addr_eq(before->others, other))
		return;
	copy = take(b, 1, sizeof(*copy));
	if (copy != NULL)
		*copy = *other;
	e->others = copy;
	e->other_count = copy != NULL;
}

/* Where it floats it is the same one wherever its name leads. */
static void
locate(struct builder *b, const struct found_endpoint *f,
    const struct view_endpoint *before, struct view_endpoint *e)
{
	const struct view_endpoint_input *in = &f->in;

	e->name = share(b, f->name, before->name);
	e->tunnel = in->tunnel;
	e->network =
	    share(b, network_of(b, in->network, &in->labels, &in->addr),
		before->network);
	e->addr = f->floats ? (struct addr){.port = in->addr.port} : in->addr;
	e->id = endpoint_id(e);
	e->addr = in->addr;
	e->others = f->others;
	e->other_count = f->other_count;
	e->floats = f->floats;
	e->is_awaited = f->is_awaited;
	e->is_further = f->is_further;
	add_other_tunnel(b, &in->other_tunnel, before, e);
}

void
add_endpoint_row(struct builder *b, const struct service_row *s,
    struct port_row *p, const struct found_endpoint *f)
{
	const struct view_endpoint_input *in = &f->in;
	const struct view_endpoint *before = like_in(p, &in->labels);
	struct view_endpoint *e = arena_alloc(b->arena, sizeof(*e));

	b->full = b->full || e == NULL;
	if (e == NULL)
		return;
	locate(b, f, before, e);
	identify(b, in, before, e);
	e->party = party_of(b, &s->row, e, before);
	e->locality = in->locality.len > 0
			  ? share(b, in->locality, before->locality)
			  : locality_of(b, in->locality, &in->labels);
	e->weight = in->weight;
	e->mutual = is_mutual(b, f, &in->addr);
	e->health = in->health;
	judge(b, &s->row, f, e);
	p->is_scattered |= !slice_eq(e->ns, s->row.ns);
	rows_add(&p->endpoints, e);
}

void
add_endpoint(struct builder *b, struct service_row *s, struct port_row *p,
    const struct found_endpoint *f)
{
	if (f->name.len > 0 && f->in.addr.port != 0)
		add_by_name(b, s, p, f);
	else
		add_endpoint_row(b, s, p, f);
}

/* --- of records ----------------------------------------------------------- */

static int
by_socket(
    const struct view_endpoint_input *x, const struct view_endpoint_input *y)
{
	int n = slice_cmp(x->service_ns, y->service_ns);

	if (n == 0)
		n = slice_cmp(x->service, y->service);
	if (n == 0)
		n = (int)x->service_port - (int)y->service_port;
	if (n == 0)
		n = slice_cmp(x->network, y->network);
	return n != 0 ? n : addr_cmp(&x->addr, &y->addr);
}

static int
by_socket_and_node(const void *a, const void *b)
{
	const struct view_endpoint_input *const *x = a;
	const struct view_endpoint_input *const *y = b;
	int n = by_socket(*x, *y);

	return n != 0 ? n : slice_cmp((*x)->node, (*y)->node);
}

struct slice
recorded_host(const struct builder *b, struct slice ns, struct slice name,
    char text[HOST_TEXT_MAX])
{
	return slice_join(SLICES(name, S("."), ns, S(".svc."), b->v->domain),
	    text, HOST_TEXT_MAX);
}

struct service_row *
service_of(const struct builder *b, struct slice ns, struct slice name)
{
	char text[HOST_TEXT_MAX];

	return service_at(b, recorded_host(b, ns, name, text));
}

/* Discovery hands over only what it matched. */
static void
add_told(struct builder *b, struct service_row *s,
    const struct view_endpoint_input *in)
{
	const struct found_endpoint f = {
	    .in = *in, .mutual = in->tunnel.family != ADDR_NONE};
	struct port_row *p = find_port(s, in->service_port);

	if (p != NULL)
		add_endpoint(b, s, p, &f);
}

/* Each socket once, whoever else tells of it. */
static void
sort_told(const struct view_endpoint_input *all, size_t count, struct rows *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		rows_add(out, (void *)(uintptr_t)&all[i]);
	rows_sort(out, by_socket_and_node);
	for (size_t i = 0; i < out->count; i++)
		if (kept == 0 ||
		    by_socket(out->items[kept - 1], out->items[i]) != 0)
			out->items[kept++] = out->items[i];
	out->count = kept;
}

static void
add_recorded(struct builder *b)
{
	const struct view_endpoint_input *before = NULL;
	struct service_row *s = NULL;
	struct rows sorted = {0};

	sort_told(b->in->endpoints, b->in->endpoint_count, &sorted);
	for (size_t i = 0; i < sorted.count && !b->full; i++) {
		const struct view_endpoint_input *in = sorted.items[i];

		if (before == NULL || !slice_eq(before->service, in->service) ||
		    !slice_eq(before->service_ns, in->service_ns))
			s = service_of(b, in->service_ns, in->service);
		before = in;
		if (s != NULL)
			add_told(b, s, in);
	}
	rows_fini(&sorted);
}

void
add_serving(
    struct builder *b, struct service_row *s, const struct view_serving *from)
{
	struct rows sorted = {0};

	sort_told(from->endpoints, from->count, &sorted);
	for (size_t i = 0; i < sorted.count && !b->full; i++)
		add_told(b, s, sorted.items[i]);
	rows_fini(&sorted);
}

static void
add_servings(struct builder *b)
{
	for (size_t i = 0; i < b->in->serving_count && !b->full; i++) {
		const struct view_serving *from = &b->in->servings[i];
		struct service_row *s = service_of(b, from->ns, from->service);

		if (s == NULL) {
			rows_add(&b->unclaimed, (void *)(uintptr_t)(i + 1));
			continue;
		}
		s->serving = i + 1;
		add_serving(b, s, from);
	}
}

/* --- of ServiceEntries ---------------------------------------------------- */

static const struct entry_port *
entry_port_of(const struct service_entry *e, uint16_t number)
{
	size_t i = 0;

	while (e->ports.items[i].number != number) /* one has it */
		i++;
	return &e->ports.items[i];
}

/* Names, without endpoints, stand for themselves. */
static void
add_own_name(struct builder *b, struct service_row *s, struct port_row *p,
    const struct entry_port *port)
{
	struct found_endpoint f = {
	    .in = {.ns = s->row.ns, .weight = 1}, .name = s->row.istio};

	f.in.workload = s->resource->key.name;
	f.in.addr.port = (uint16_t)(port->target_port != 0 ? port->target_port
							   : port->number);
	add_endpoint(b, s, p, &f);
}

static void
add_listed(struct builder *b, struct service_row *s, struct port_row *p)
{
	const struct service_entry *e = s->resource->spec;
	const struct entry_port *port = entry_port_of(e, p->port);

	if (e->endpoints.count == 0 && is_resolved(s))
		add_own_name(b, s, p, port);
	for (size_t i = 0; !b->full && i < e->endpoints.count; i++) {
		const struct workload_entry *w = &e->endpoints.items[i];
		const struct workload here = {
		    .spec = w, .labels = w->labels, .name = w->address};
		struct found_endpoint f;

		f = workload_at(&here, s->row.ns, port->name,
		    port->target_port != 0 ? port->target_port : port->number);
		add_endpoint(b, s, p, &f);
	}
}

static int
by_address(const void *a, const void *b)
{
	const struct view_endpoint *const *x = a, *const *y = b;
	int n = slice_cmp((*x)->network, (*y)->network);

	if (n == 0)
		n = slice_cmp((*x)->name, (*y)->name);
	return n != 0 ? n : addr_cmp(&(*x)->addr, &(*y)->addr);
}

/* Of those at one address any, but always the same one. */
static int
by_all(const void *a, const void *b)
{
	const struct view_endpoint *const *x = a, *const *y = b;
	int n = by_address(a, b);

	if (n == 0)
		n = ((*x)->tunnel.family == ADDR_NONE) -
		    ((*y)->tunnel.family == ADDR_NONE);
	if (n == 0)
		n = slice_cmp((*x)->node, (*y)->node);
	if (n == 0)
		n = slice_cmp((*x)->workload, (*y)->workload);
	return n != 0 ? n
		      : ((*x)->weight > (*y)->weight) -
			    ((*x)->weight < (*y)->weight);
}

/* Several records, or several WorkloadEntries, may be of one socket. */
static void
sort_once(struct rows *all)
{
	size_t kept = 0;

	if (all->count == 0)
		return;
	rows_sort(all, by_all);
	for (size_t i = 0; i < all->count; i++)
		if (kept == 0 ||
		    by_address(&all->items[kept - 1], &all->items[i]) != 0)
			all->items[kept++] = all->items[i];
	all->count = kept;
}

void
add_written_endpoints(struct builder *b, struct service_row *s)
{
	const struct service_entry *e = s->resource->spec;
	bool is_entry = s->resource->kind == &kind_service_entry;
	bool selects = is_entry && e->workload_selector != NULL;

	for (size_t i = 0; i < s->port_count && !b->full; i++) {
		struct port_row *p = &s->ports[i];
		size_t before = p->endpoints.count;

		if (selects)
			add_selected_by_entry(
			    b, s, p, entry_port_of(e, p->port));
		else if (is_entry)
			add_listed(b, s, p);
		else
			add_selected_by_service(b, s, p);
		if (p->endpoints.count > before)
			sort_once(&p->endpoints);
	}
}

/* So that what hangs on one is made anew alone: where its names lead, or what
 * is written. */
static void
number_unserved(struct builder *b)
{
	for (size_t i = 0; i < b->services.count; i++) {
		struct service_row *s = b->services.items[i];

		if (s->serving != 0)
			continue;
		rows_add(&b->unserved, s);
		s->serving = b->served_count + b->unserved.count;
	}
}

void
compile_endpoints(struct builder *b)
{
	collect_networks(b);
	index_workloads(b);
	add_recorded(b);
	add_servings(b);
	for (size_t i = 0; i < b->services.count && !b->full; i++) {
		struct service_row *s = b->services.items[i];

		if (s->resource != NULL)
			add_written_endpoints(b, s);
	}
	number_unserved(b);
	keep_names(b);
	find_gateways(b);
}
