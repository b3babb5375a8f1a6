/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passed — what a gateway passes on as bytes: by tcp rules, by the name that a
 * ClientHello says, or to the cluster that the name itself stands for.
 */
#include "doors.h"
#include "validate.h"

/* Upstream's words for TLS of the mesh in a ClientHello. */
static const struct slice mesh_alpns[] = {{"istio", 5},
    {"istio-peer-exchange", 19}, {"istio-http/1.0", 14}, {"istio-http/1.1", 14},
    {"istio-h2", 8}};

/* --- rules for connections ------------------------------------------------ */

/* What upstream looks at here: the port, and the Gateway. */
static bool
is_for(struct gateway_state *g, const struct served *s, int64_t port,
    const struct callers *c)
{
	bool yes;

	g->b->gateway = s->name;
	yes = is_for_callers(g->b, c);
	g->b->gateway = S("");
	return yes && (port == 0 || port == s->spec->port->number);
}

static const struct labels anybody = {NULL, 0};

static bool
takes_tcp(struct gateway_state *g, const struct served *s,
    const struct tcp_route *r, const struct resource *owner)
{
	for (size_t i = 0; i < r->match.count; i++) {
		const struct tcp_match *m = &r->match.items[i];
		const struct callers c = {&anybody, S(""), m->gateways.items,
		    m->gateways.count, owner->key.ns};

		if (is_for(g, s, m->port, &c))
			return true;
	}
	return r->match.count == 0;
}

static const struct tcp_route *
find_tcp_rule(
    struct gateway_state *g, const struct served *s, const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->tcp.count; i++)
		if (vs->tcp.items[i].route.count > 0 &&
		    takes_tcp(g, s, &vs->tcp.items[i], r))
			return &vs->tcp.items[i];
	return NULL;
}

static const struct view_tcp_route *
bytes_to(struct gateway_state *g, const struct served *s,
    const struct tcp_destination *specs, size_t count, const struct origin *o,
    const struct resource *owner)
{
	struct view_tcp_route *r = take(g->b, 1, sizeof(*r));
	struct builder *b = g->b;

	if (r == NULL)
		return NULL;
	b->owner = owner; /* what is told now is about its rules */
	compile_shares(
	    b, specs, count, owner, (uint16_t)s->spec->port->number, r);
	b->owner = NULL;
	for (size_t i = 0; b->patch == NULL && i < count; i++)
		note_gateway_lead(b, specs[i].destination, owner, owner);
	r->origin = *o;
	return r;
}

/* The first rule of the first VirtualService that has one takes all. */
static const struct view_tcp_route *
find_tcp(struct gateway_state *g, const struct served *s)
{
	const struct view_tcp_route *found = NULL;
	struct rows bound = {0};

	find_bound(&g->bindings, s, &bound);
	for (size_t i = 0; found == NULL && i < bound.count; i++) {
		const struct resource *r =
		    ((const struct bound *)bound.items[i])->resource;
		const struct tcp_route *spec = find_tcp_rule(g, s, r);
		struct origin o;

		if (spec == NULL)
			continue;
		o = origin_of(r, spec->head.line);
		found =
		    bytes_to(g, s, spec->route.items, spec->route.count, &o, r);
		if (g->b->full)
			break;
	}
	rows_fini(&bound);
	return found;
}

void
add_tcp_chain(struct gateway_state *g, struct door *d, const struct served *s)
{
	const struct view_tcp_route *r = find_tcp(g, s);
	struct origin o = served_origin(s);
	struct view_chain *c;

	if (r == NULL) {
		add_loss(g->b, &o,
		    "this server takes nothing: no VirtualService has a tcp "
		    "rule for it");
		return;
	}
	c = add_chain(g, d, &o);
	if (c == NULL)
		return;
	c->tcp = r;
	if (s->spec->tls == NULL)
		return;
	match_server(g->b, s, &c->match);
	end_tls(g->b, s, &c->tls);
}

/* --- TLS that is passed on ------------------------------------------------ */

/* The same name in two rules: the first has it. */
static bool
is_sni_taken(struct gateway_state *g, const struct served *s, uint16_t number,
    const struct tls_match *m, const struct resource *r)
{
	struct origin o = origin_of(r, m->head.line);
	struct builder *b = g->b;

	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < m->sni_hosts.count; i++) {
			struct slice key = take_printf(b, "%u %.*s",
			    (unsigned)number, SLICE_ARG(m->sni_hosts.items[i]));
			const struct slice *bind =
			    map_get(&g->bind_of_sni, key);

			if (pass > 0) {
				(void)map_put(&g->bind_of_sni, key,
				    (void *)(uintptr_t)&s->spec
					->bind); /* the last counts */
				continue;
			}
			if (bind == NULL || !slice_eq(*bind, s->spec->bind))
				continue;
			add_loss(b, &o,
			    "this match takes nothing: another, which comes "
			    "first, has the name %.*s on port %u",
			    SLICE_ARG(m->sni_hosts.items[i]), (unsigned)number);
			return true;
		}
	return false;
}

static void
match_snis(
    struct builder *b, const struct tls_match *m, struct view_chain_match *out)
{
	struct slice *names = take(b, m->sni_hosts.count, sizeof(*names));

	for (size_t i = 0; names != NULL && i < m->sni_hosts.count; i++)
		names[i] = take_lower(b, m->sni_hosts.items[i]);
	if (names != NULL)
		match_names(b, names, m->sni_hosts.count, out);
}

static void
add_tls_rule(struct gateway_state *g, struct door *d, const struct served *s,
    const struct tls_route *spec, const struct resource *r)
{
	for (size_t i = 0; i < spec->match.count; i++) {
		const struct tls_match *m = &spec->match.items[i];
		const struct callers callers = {&anybody, S(""),
		    m->gateways.items, m->gateways.count, r->key.ns};
		struct origin o = origin_of(r, m->head.line);
		struct view_chain *c;

		if (!is_for(g, s, m->port, &callers) ||
		    is_sni_taken(g, s, d->listener->addr.port, m, r))
			continue;
		c = add_chain(g, d, &o);
		if (c == NULL)
			return;
		match_snis(g->b, m, &c->match);
		c->tls.settings = s->spec->tls;
		c->tcp =
		    bytes_to(g, s, spec->route.items, spec->route.count, &o, r);
	}
}

void
add_tls_chains(struct gateway_state *g, struct door *d, const struct served *s)
{
	struct origin o = served_origin(s);
	size_t before = d->chains.count;
	struct rows bound = {0};

	find_bound(&g->bindings, s, &bound);
	for (size_t i = 0; !g->b->full && i < bound.count; i++) {
		const struct resource *r =
		    ((const struct bound *)bound.items[i])->resource;
		const struct virtual_service *vs = resource_virtual_service(r);

		for (size_t j = 0; j < vs->tls.count; j++)
			if (vs->tls.items[j].route.count > 0)
				add_tls_rule(g, d, s, &vs->tls.items[j], r);
	}
	rows_fini(&bound);
	if (d->chains.count == before)
		add_loss(g->b, &o,
		    "this server takes nothing: no VirtualService has a tls "
		    "rule for it");
}

/* --- the mesh of another network ------------------------------------------ */

static bool
is_outside(const struct service_row *s)
{
	const struct resource *r = s->resource;

	return r != NULL && r->kind == &kind_service_entry &&
	       ((const struct service_entry *)r->spec)->location ==
		   ENTRY_MESH_EXTERNAL;
}

/* Upstream compares what is written, "*.local", with its own domain. */
static bool
is_served(const struct served *s, const struct service_row *row)
{
	for (size_t i = 0; i < s->host_count; i++)
		if (host_is_inside(row->row.host, s->hosts[i].host) ||
		    host_is_inside(row->row.istio, s->hosts[i].host))
			return true;
	return false;
}

/* "outbound_.80_.v1_.web.shop.svc.cluster.local" names the cluster itself: its
 * endpoints get the bytes as they come. */
static void
add_auto_chain(struct gateway_state *g, struct door *d, const struct served *s,
    struct service_row *row, const struct port_row *p, struct slice subset)
{
	struct origin o = served_origin(s);
	struct view_tcp_route *r = take(g->b, 1, sizeof(*r));
	struct view_destination *to = take(g->b, 1, sizeof(*to));
	struct slice *sni = take(g->b, 1, sizeof(*sni));
	struct view_chain *c = add_chain(g, d, &o);

	if (r == NULL || to == NULL || sni == NULL || c == NULL)
		return;
	to->cluster = find_cluster(g->b, row, p, subset, &to->missing);
	to->name = take_printf(g->b, "outbound_.%u_.%.*s_.%.*s",
	    (unsigned)p->port, SLICE_ARG(subset), SLICE_ARG(row->row.istio));
	to->host = row->row.host;
	r->destinations = to;
	r->destination_count = 1;
	r->hashes_source = hashes_source(g->b, row, subset);
	r->origin = row->row.origin;
	*sni = take_lower(g->b, to->name);
	c->match = (struct view_chain_match){.snis = sni,
	    .sni_count = 1,
	    .alpns = mesh_alpns,
	    .alpn_count = ARRAY_LEN(mesh_alpns)};
	c->tls.settings = s->spec->tls;
	c->tcp = r;
	/* Whom the bytes are for asks who may call. */
	c->guard = NULL;
}

static bool
has_subset(
    const struct rows *sources, size_t rules, size_t subsets, struct slice name)
{
	for (size_t i = 0; i <= rules; i++) {
		const struct destination_rule *d =
		    resource_destination_rule(sources->items[i]);
		size_t n = i == rules ? subsets : d->subsets.count;

		for (size_t j = 0; j < n; j++)
			if (slice_eq(d->subsets.items[j].name, name))
				return true;
	}
	return false;
}

static void
add_auto_port(struct gateway_state *g, struct door *d, const struct served *s,
    struct service_row *row, const struct port_row *p)
{
	static const struct rows none = {NULL, 0, 0};
	const struct merged_rule *merged = rule_of(g->b, row);
	const struct rows *sources = merged != NULL ? &merged->sources : &none;

	add_auto_chain(g, d, s, row, p, S(""));
	for (size_t i = 0; i < sources->count; i++) {
		const struct destination_rule *rule =
		    resource_destination_rule(sources->items[i]);

		for (size_t j = 0; j < rule->subsets.count; j++) {
			struct slice name = rule->subsets.items[j].name;

			if (!has_subset(sources, i, j, name))
				add_auto_chain(g, d, s, row, p, name);
		}
	}
}

static void
add_auto_service(struct gateway_state *g, struct door *d,
    const struct served *s, struct service_row *row)
{
	if (is_outside(row) || find_service(g->b, row->row.host) != row ||
	    !is_served(s, row))
		return;
	for (size_t i = 0; i < row->port_count; i++)
		add_auto_port(g, d, s, row, &row->ports[i]);
}

/* --- in a patch ----------------------------------------------------------- */

/* For patches; they are the view's last word but for these. */
static void
keep_passed(struct builder *b, struct served *s, const struct door *d,
    size_t from, size_t *ends)
{
	struct passed *p = take(b, 1, sizeof(*p));
	size_t count = d->chains.count - from;

	if (p == NULL)
		return;
	p->chains = take(b, count, sizeof(*p->chains));
	if (p->chains == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		p->chains[i] = d->chains.items[from + i];
	p->of = d->listener;
	p->from = from;
	p->ends = ends;
	s->passed = p;
}

static void
add_all_auto(struct gateway_state *g, struct door *d, struct served *s)
{
	struct builder *b = g->b;
	size_t from = d->chains.count;
	size_t *ends = take(b, b->services.count, sizeof(*ends));

	for (size_t i = 0; !b->full && i < b->services.count; i++) {
		add_auto_service(g, d, s, b->services.items[i]);
		ends[i] = d->chains.count - from;
	}
	if (!b->full)
		keep_passed(b, s, d, from, ends);
}

/* Of one of the base, which may be as it was. */
static void
add_auto_again(
    struct gateway_state *g, struct door *d, const struct served *s, size_t at)
{
	struct service_row *row = g->b->services.items[at];
	const struct passed *p = s->passed;

	if (service_now_of(g->b, row->row.host) != NULL)
		return;
	if (p == NULL || row->ruled != NULL) {
		add_auto_service(g, d, s, row);
		return;
	}
	for (size_t i = at > 0 ? p->ends[at - 1] : 0; i < p->ends[at]; i++) {
		move_chain(&d->moves, p->of, p->from + i, d->chains.count);
		rows_add(&d->chains, (void *)(uintptr_t)p->chains[i]);
	}
}

static int
by_host(const void *a, const void *b)
{
	const struct service_row *const *x = a;
	const struct service_row *const *y = b;

	return slice_cmp((*x)->row.host, (*y)->row.host);
}

/* Those of a patch that are others than in its base, by host. */
static void
list_services_now(const struct builder *b, struct rows *out)
{
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(b->services_now, &i, &host, &value);) {
		struct service_row *s =
		    ((const struct service_now *)value)->fresh;

		if (s != NULL)
			rows_add(out, s);
	}
	rows_sort(out, by_host);
}

static void
add_auto_now(struct gateway_state *g, struct door *d, const struct served *s)
{
	struct builder *b = g->b;
	struct rows now = {0};
	size_t next = 0;

	list_services_now(b, &now);
	for (size_t i = 0; !b->full && i < b->services.count; i++) {
		while (next < now.count &&
		       by_host(&now.items[next], &b->services.items[i]) < 0)
			add_auto_service(g, d, s, now.items[next++]);
		add_auto_again(g, d, s, i);
	}
	while (!b->full && next < now.count)
		add_auto_service(g, d, s, now.items[next++]);
	rows_fini(&now);
}

void
add_auto_chains(struct gateway_state *g, struct door *d, const struct served *s)
{
	if (g->b->patch != NULL)
		add_auto_now(g, d, s);
	else
		add_all_auto(g, d, (struct served *)(uintptr_t)s); /* ours */
}
