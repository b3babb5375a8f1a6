/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owners — which VirtualService owns a host, which DestinationRules a service.
 *
 * Inside the mesh one VirtualService decides about requests to a host's port,
 * the first that has a rule for the caller; the rest is reported. Of rules for
 * connections all are asked. DestinationRules of one host in one namespace are
 * merged.
 */
#include <stdlib.h>

#include "hosts.h"
#include "inside.h"

static void
report_conflict(struct builder *b, const struct resource *loser,
    const struct resource *winner, struct slice host)
{
	struct origin o = origin_of(loser, 0);
	char key[RESOURCE_KEY_MAX];

	add_problem(b, &o,
	    "its rules for %.*s are used only where %s, which comes first, has "
	    "none for the caller and the port",
	    SLICE_ARG(host), resource_key_format(&winner->key, key));
}

/* "*x.y" stands for hosts that end so; only "*.y" is looked for. */
static bool
is_unknown_pattern(
    struct builder *b, const struct resource *r, struct slice host)
{
	struct origin o = origin_of(r, 0);

	if (!slice_starts(host, S("*")) || host_is_pattern(host))
		return false;
	add_problem(b, &o,
	    "%.*s: a wildcard that is a part of a label is not in force yet",
	    SLICE_ARG(host));
	return true;
}

static struct host_owners *
owners_new(struct builder *b, struct slice host)
{
	struct host_owners *o = take(b, 1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->host = host;
	(void)map_put(&b->egress->owner_by_host, host, o); /* was not there */
	b->egress->wildcard_count += host_is_pattern(host);
	return o;
}

static void
own(struct builder *b, struct ruling *r, struct slice host)
{
	struct host_owners *o = map_get(&b->egress->owner_by_host, host);

	if (is_unknown_pattern(b, r->resource, host))
		return;
	if (o == NULL)
		o = owners_new(b, host);
	if (o == NULL ||
	    (o->all.count > 0 && o->all.items[o->all.count - 1] == r))
		return; /* the same host in two spellings */
	if (o->all.count > 0)
		report_conflict(b, r->resource,
		    ((const struct ruling *)o->all.items[0])->resource, host);
	rows_add(&o->all, r);
}

bool
is_inside(struct slice host, struct slice wildcard)
{
	struct slice suffix = slice_sub(wildcard, 1, wildcard.len);

	return host.len > suffix.len && slice_ends(host, suffix);
}

/* The longest pattern that has all of the host in it. */
static const struct host_owners *
wildcard_of(const struct egress *e, struct slice host)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern;
	size_t at = 0;

	if (e->wildcard_count == 0 ||
	    !host_next_pattern(host, &at, text, &pattern))
		return NULL; /* the first is the host itself */
	while (host_next_pattern(host, &at, text, &pattern)) {
		const struct host_owners *o =
		    map_get(&e->owner_by_host, pattern);

		if (o != NULL)
			return o;
	}
	return NULL;
}

/*
 * Upstream drops a VirtualService none of whose rules is for the caller and
 * the port, and asks the next of an exact host, but only the first of a
 * wildcard.
 */
void
add_rulings(
    struct builder *b, struct slice host, uint16_t port, struct rows *out)
{
	const struct host_owners *o = map_get(&b->egress->owner_by_host, host);
	size_t count =
	    o != NULL && !slice_starts(host, S("*")) ? o->all.count : 1;

	if (o == NULL)
		o = wildcard_of(b->egress, host);
	for (size_t i = 0; o != NULL && i < count; i++) {
		struct ruling *r = o->all.items[i];

		if (has_http_rule(b, r->resource, port))
			rows_add(out, r);
	}
}

const struct resource *
owner_of(struct builder *b, struct slice host, uint16_t port)
{
	struct rows all = {0};
	const struct resource *first = NULL;

	add_rulings(b, host, port, &all);
	if (all.count > 0)
		first = ((const struct ruling *)all.items[0])->resource;
	rows_fini(&all);
	return first;
}

/* --- of connections ------------------------------------------------------ */

static int
by_rank(const void *a, const void *b)
{
	const struct ruling *const *x = a;
	const struct ruling *const *y = b;

	return ((*x)->rank > (*y)->rank) - ((*x)->rank < (*y)->rank);
}

void
rulings_sort(struct rows *r)
{
	if (r->count > 0)
		qsort(r->items, r->count, sizeof(void *), by_rank);
}

static void
add_once(struct egress *e, const struct host_owners *o, struct rows *out)
{
	for (size_t i = 0; o != NULL && i < o->all.count; i++) {
		struct ruling *r = o->all.items[i];
		const struct virtual_service *vs =
		    resource_virtual_service(r->resource);

		if (r->mark == e->marks || vs->tcp.count + vs->tls.count == 0)
			continue;
		r->mark = e->marks;
		rows_add(out, r);
	}
}

/* Those that name a part of what a wildcard stands for. */
static void
add_parts(struct egress *e, struct slice pattern, struct rows *out)
{
	struct slice key;
	size_t at = 0;
	void *o;

	while (map_next(&e->owner_by_host, &at, &key, &o))
		if (is_inside(key, pattern))
			add_once(e, o, out);
}

void
find_tcp_rulings(struct builder *b, struct slice host, struct rows *out)
{
	struct egress *e = b->egress;
	char text[HOST_TEXT_MAX];
	struct slice pattern;

	e->marks++;
	for (size_t at = 0; host_next_pattern(host, &at, text, &pattern);)
		add_once(e, map_get(&e->owner_by_host, pattern), out);
	if (slice_starts(host, S("*")))
		add_parts(e, host, out);
	rulings_sort(out);
}

static int
rules_by_age(const void *a, const void *b)
{
	const struct rule_row *const *x = a;
	const struct rule_row *const *y = b;

	return resource_age_cmp((*x)->resource, (*y)->resource);
}

static void
report_policy(struct builder *b, const struct resource *r,
    const struct traffic_policy *p, uint32_t line)
{
	const struct load_balancer *lb = p != NULL ? p->load_balancer : NULL;
	struct origin o = origin_of(r, line);
	const struct inert_name rows[] = {
	    {"connectionPool", p != NULL && p->connection_pool != NULL},
	    {"outlierDetection", p != NULL && p->outlier_detection != NULL},
	    {"tls", p != NULL && p->tls != NULL},
	    {"portLevelSettings", p != NULL && p->port_level.count > 0},
	    {"tunnel", p != NULL && p->tunnel != NULL},
	    {"proxyProtocol", p != NULL && p->proxy_protocol != NULL},
	    {"retryBudget", p != NULL && p->retry_budget != NULL},
	    {"consistentHash", lb != NULL && lb->consistent_hash != NULL},
	    {"localityLbSetting", lb != NULL && lb->locality != NULL},
	    {"zoneAwareLbSetting", lb != NULL && lb->zone != NULL},
	    {"warmup", lb != NULL && lb->warmup != NULL},
	    {"PASSTHROUGH", lb != NULL && lb->simple == BALANCER_PASSTHROUGH},
	};
	struct slice names = inert_names(b, rows, ARRAY_LEN(rows));

	if (names.len > 0)
		add_problem(b, &o,
		    "goes on without what is not in force yet: %.*s",
		    SLICE_ARG(names));
}

static void
add_rule(struct builder *b, const struct resource *r)
{
	const struct destination_rule *rule = resource_destination_rule(r);
	struct rule_row *row = take(b, 1, sizeof(*row));
	struct origin o = origin_of(r, 0);

	if (row == NULL)
		return;
	report_policy(b, r, rule->traffic_policy, 0);
	for (size_t i = 0; i < rule->subsets.count; i++)
		report_policy(b, r, rule->subsets.items[i].traffic_policy,
		    rule->subsets.items[i].head.line);
	row->resource = r;
	row->host = canonical_host(b, rule->host, r->key.ns);
	rows_add(&b->rules, row);
	if (is_unknown_pattern(b, r, row->host))
		return;
	if (!slice_starts(row->host, S("*")) &&
	    find_service(b, row->host) == NULL)
		add_problem(b, &o, "there is no service %.*s here",
		    SLICE_ARG(row->host));
}

/* One that names gateways only says nothing to proxies inside the mesh. */
static void
add_virtual_service(struct builder *b, struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);
	struct origin o = origin_of(r, 0);

	if (!gateways_have_mesh(vs->gateways.items, vs->gateways.count))
		return;
	rows_add(&b->virtual_services, r);
	if (vs->tls.count > 0)
		add_problem(b, &o, "its tls rules are not in force yet");
}

void
collect_rules(struct builder *b)
{
	for (size_t i = 0; i < b->v->resources.count; i++) {
		struct resource *r = b->v->resources.items[i];

		if (r->kind == &kind_virtual_service)
			add_virtual_service(b, r);
		else if (r->kind == &kind_destination_rule)
			add_rule(b, r);
		else if (r->kind == &kind_sidecar)
			rows_add(&b->sidecars, r);
	}
	rows_sort_by_age(&b->virtual_services);
	rows_sort_by_age(&b->sidecars);
	if (b->rules.count > 0)
		qsort(b->rules.items, b->rules.count, sizeof(void *),
		    rules_by_age);
}

void
compile_owners(struct builder *b)
{
	const struct rows *all = &b->egress->rulings;

	for (size_t i = 0; i < all->count; i++) {
		struct ruling *r = all->items[i];
		const struct virtual_service *vs =
		    resource_virtual_service(r->resource);

		for (size_t j = 0; j < vs->hosts.count; j++)
			own(b, r,
			    canonical_host(
				b, vs->hosts.items[j], r->resource->key.ns));
	}
}

/* How well the rule's host fits: 0 not, longer is better, exact best. */
static size_t
fit(const struct rule_row *r, struct slice host)
{
	if (slice_eq(r->host, host))
		return SIZE_MAX;
	if (slice_eq(r->host, S("*")))
		return 1;
	return slice_starts(r->host, S("*.")) && is_inside(host, r->host)
		   ? r->host.len
		   : 0;
}

/* Of its own namespace a caller sees all. */
static bool
is_seen(const struct builder *b, const struct resource *r, struct slice ns)
{
	return slice_eq(r->key.ns, ns) &&
	       (slice_eq(ns, b->scope->row.ns) ||
		   is_exported(b, r, b->scope->row.ns));
}

static const struct labels *
callers_of(const struct resource *r)
{
	const struct destination_rule *d = resource_destination_rule(r);

	return d->workload_selector != NULL
		   ? &d->workload_selector->match_labels
		   : NULL;
}

/* Nobody's in particular, or of these. */
static bool
is_for(const struct resource *r, const struct labels *callers)
{
	const struct labels *l = callers_of(r);

	if (l == NULL || callers == NULL)
		return l == callers;
	return l->count == callers->count && labels_match(l, callers);
}

/* The callers that the first rule for the scope's is for; NULL: for anybody. */
static const struct labels *
choose_callers(const struct builder *b, const struct service_row *s)
{
	for (size_t i = 0; i < s->rules.count; i++) {
		const struct resource *r = s->rules.items[i];
		const struct labels *l = callers_of(r);

		if (l != NULL && slice_eq(r->key.ns, b->scope->row.ns) &&
		    labels_match(&b->scope->row.labels, l))
			return l;
	}
	return NULL;
}

/* A rule for some callers stands in the place of those for anybody. */
static void
keep_for_callers(struct builder *b, struct service_row *s)
{
	const struct labels *callers = choose_callers(b, s);
	size_t kept = 0;

	for (size_t i = 0; i < s->rules.count; i++)
		if (is_for(s->rules.items[i], callers))
			s->rules.items[kept++] = s->rules.items[i];
	s->rules.count = kept;
}

static bool
find_rules_in(struct builder *b, struct service_row *s, struct slice ns)
{
	size_t best = 0;

	for (size_t i = 0; i < b->rules.count; i++) {
		const struct rule_row *r = b->rules.items[i];
		size_t f =
		    is_seen(b, r->resource, ns) ? fit(r, s->row.host) : 0;

		if (f == 0 || f < best)
			continue;
		if (f > best)
			s->rules.count = 0;
		best = f;
		rows_add(&s->rules, (void *)(uintptr_t)r->resource);
	}
	return best > 0;
}

/* What differs in no rule may be one cluster for several scopes. */
static uint64_t
hash_rules(const struct service_row *s)
{
	uint64_t h = (uint64_t)(uintptr_t)s; /* another may have its name */

	for (size_t i = 0; i < s->rules.count; i++)
		h = h * 31 + (uint64_t)(uintptr_t)s->rules.items[i];
	return h;
}

static void
choose_rules(struct builder *b, struct service_row *s)
{
	const struct slice client = b->scope->row.ns;

	s->rules.count = 0;
	if (!slice_eq(client, b->v->root_ns) && find_rules_in(b, s, client))
		return;
	if (!find_rules_in(b, s, s->row.ns))
		(void)find_rules_in(b, s, b->v->root_ns); /* or none */
}

void
find_rules(struct builder *b, struct service_row *s)
{
	choose_rules(b, s);
	keep_for_callers(b, s);
	s->rules_hash = hash_rules(s);
}
