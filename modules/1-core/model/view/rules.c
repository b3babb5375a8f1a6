/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules — which DestinationRule holds for a service, in the caller's eyes.
 *
 * The caller's own namespace is asked first, then the service's, then the
 * root's; the first that knows a rule for the host decides, with the one whose
 * host fits best. How rules of one host are merged, and that one with a
 * workloadSelector stands in the place of those for anybody, is upstream's, in
 * its order: with a selector first, then the older.
 */
#include "inside.h"

/* Rules of a host like "*x.com", which ends within a label. */
struct odd_rules {
	struct slice ns;
	struct slice suffix;
	struct rows *all; /* struct merged_rule */
};

/* --- merging -------------------------------------------------------------- */

/* One rule on its way into an index. */
struct incoming {
	const struct resource *r;
	const struct destination_rule *spec;
	struct slice host;
	const struct slice *export_to;
	size_t export_count;
	const struct labels *callers;
};

static bool
is_same_export(const struct incoming *in, const struct merged_rule *m)
{
	return exports_cover(in->export_to, in->export_count, m->export_to,
		   m->export_count) &&
	       exports_cover(m->export_to, m->export_count, in->export_to,
		   in->export_count);
}

static bool
is_same_callers(const struct labels *a, const struct labels *b)
{
	return a->count == b->count && labels_match(a, b);
}

/*
 * Adds to one that is there already, if they go together. True if the rule
 * does not have to stand for itself as well.
 */
static bool
merge(const struct incoming *in, struct merged_rule *m)
{
	bool same = is_same_export(in, m);
	bool wider = m->export_count > 0 &&
		     exports_cover(in->export_to, in->export_count,
			 m->export_to, m->export_count);
	bool both = in->callers != NULL && m->callers != NULL;
	bool neither = in->callers == NULL && m->callers == NULL;

	if (!same && !wider)
		return false;
	if (both && !is_same_callers(in->callers, m->callers))
		return false;
	rows_add(&m->sources, (void *)(uintptr_t)in->r);
	return same || both || neither;
}

static struct slice
key_of(struct builder *b, struct slice ns, struct slice host)
{
	return take_join(b, SLICES(ns, S("/"), host));
}

static int
longest_first(const void *a, const void *b)
{
	const struct odd_rules *const *x = a;
	const struct odd_rules *const *y = b;

	if ((*x)->suffix.len != (*y)->suffix.len)
		return (*x)->suffix.len > (*y)->suffix.len ? -1 : 1;
	return slice_cmp((*x)->suffix, (*y)->suffix);
}

static struct rows *
rows_of(struct builder *b, struct rule_index *index, const struct incoming *in)
{
	struct slice key = key_of(b, in->r->key.ns, in->host);
	struct rows *all = map_get(&index->by_host, key);
	struct odd_rules *odd;

	if (all != NULL)
		return all;
	all = take(b, 1, sizeof(*all));
	odd = take(b, 1, sizeof(*odd));
	if (b->full)
		return NULL;
	(void)map_put(&index->by_host, key, all); /* was not there */
	if (slice_starts(in->host, S("*")) && !host_is_pattern(in->host)) {
		*odd = (struct odd_rules){
		    in->r->key.ns, slice_sub(in->host, 1, in->host.len), all};
		rows_add(&index->odd, odd);
	}
	return all;
}

static void
add_to(struct builder *b, enum rule_side side, const struct incoming *in)
{
	struct rows *all = rows_of(b, &b->rules[side], in);
	struct merged_rule *m;
	bool alone = true;

	for (size_t i = 0; all != NULL && i < all->count; i++)
		alone = !merge(in, all->items[i]);
	m = alone && all != NULL ? take(b, 1, sizeof(*m)) : NULL;
	if (m == NULL)
		return;
	m->export_to = in->export_to;
	m->export_count = in->export_count;
	m->callers = in->callers;
	rows_add(&m->sources, (void *)(uintptr_t)in->r);
	rows_add(all, m);
}

/* --- what is told of a rule ----------------------------------------------- */

/* All of it but which version of HTTP is spoken. */
static bool
has_limits(const struct connection_pool *p)
{
	static const char *const names[] = {"http1MaxPendingRequests",
	    "http2MaxRequests", "maxRequestsPerConnection", "maxRetries",
	    "idleTimeout", "maxConcurrentStreams", "http2KeepAlive"};

	if (p == NULL || p->tcp != NULL)
		return p != NULL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (message_has(&http_pool_message, p->http, names[i]))
			return true;
	return false;
}

static void
report_policy(struct builder *b, const struct resource *r,
    const struct traffic_policy *p, uint32_t line)
{
	const struct load_balancer *lb = p != NULL ? p->load_balancer : NULL;
	struct origin o = origin_of(r, line);
	const struct inert_name rows[] = {
	    {"connectionPool", p != NULL && has_limits(p->connection_pool)},
	    {"outlierDetection", p != NULL && p->outlier_detection != NULL},
	    {"tls", p != NULL && p->tls != NULL},
	    {"tunnel", p != NULL && p->tunnel != NULL},
	    {"proxyProtocol", p != NULL && p->proxy_protocol != NULL},
	    {"retryBudget", p != NULL && p->retry_budget != NULL},
	    {"consistentHash", lb != NULL && lb->consistent_hash != NULL},
	    {"localityLbSetting", lb != NULL && lb->locality != NULL},
	    {"zoneAwareLbSetting", lb != NULL && lb->zone != NULL},
	    {"warmup", lb != NULL && lb->warmup != NULL},
	    {"warmupDurationSecs", lb != NULL && lb->warmup_duration > 0},
	    {"PASSTHROUGH", lb != NULL && lb->simple == BALANCER_PASSTHROUGH},
	};
	struct slice names = inert_names(b, rows, ARRAY_LEN(rows));

	if (names.len > 0)
		add_problem(b, &o,
		    "goes on without what is not in force yet: %.*s",
		    SLICE_ARG(names));
}

/* A port's own settings are told like those of all. */
static void
report_policies(struct builder *b, const struct resource *r,
    const struct traffic_policy *p, uint32_t line)
{
	report_policy(b, r, p, line);
	for (size_t i = 0; p != NULL && i < p->port_level.count; i++) {
		const struct port_policy *at = &p->port_level.items[i];
		const struct traffic_policy same = {
		    .load_balancer = at->load_balancer,
		    .connection_pool = at->connection_pool,
		    .outlier_detection = at->outlier_detection,
		    .tls = at->tls};

		report_policy(b, r, &same, at->head.line);
	}
}

static void
report(struct builder *b, const struct incoming *in)
{
	const struct destination_rule *d = in->spec;
	struct origin o = origin_of(in->r, 0);

	b->owner = in->r;
	report_policies(b, in->r, d->traffic_policy, 0);
	for (size_t i = 0; i < d->subsets.count; i++)
		report_policies(b, in->r, d->subsets.items[i].traffic_policy,
		    d->subsets.items[i].head.line);
	if (!slice_starts(in->host, S("*")) &&
	    find_service(b, in->host) == NULL)
		add_problem(b, &o, "there is no service %.*s here",
		    SLICE_ARG(in->host));
	b->owner = NULL;
}

/* --- the index ------------------------------------------------------------ */

static bool
is_private(const struct builder *b, const struct incoming *in)
{
	const struct slice ns = in->r->key.ns;

	if (in->export_count == 0)
		return slice_is_among(S("."),
		    b->mesh->destination_rule_export_to.items,
		    b->mesh->destination_rule_export_to.count);
	return in->export_count == 1 && (slice_eq(in->export_to[0], S(".")) ||
					    slice_eq(in->export_to[0], ns));
}

static bool
is_own(const struct incoming *in)
{
	return in->export_count == 0 ||
	       slice_is_among(S("*"), in->export_to, in->export_count) ||
	       slice_is_among(S("."), in->export_to, in->export_count) ||
	       slice_is_among(in->r->key.ns, in->export_to, in->export_count);
}

static struct incoming
incoming_of(struct builder *b, const struct resource *r)
{
	static const struct slice own[] = {{".", 1}};
	const struct destination_rule *d = resource_destination_rule(r);
	struct incoming in = {.r = r,
	    .spec = d,
	    .host = canonical_host(b, d->host, r->key.ns),
	    .export_to = d->export_to.items,
	    .export_count = d->export_to.count};

	if (d->workload_selector != NULL) {
		in.callers = &d->workload_selector->match_labels;
		in.export_to = own;
		in.export_count = 1;
	}
	return in;
}

void
report_rule(struct builder *b, const struct resource *r)
{
	const struct incoming in = incoming_of(b, r);

	report(b, &in);
}

static void
add_rule(struct builder *b, const struct resource *r)
{
	const struct incoming in = incoming_of(b, r);

	report(b, &in);
	if (is_own(&in))
		add_to(b, RULES_OWN, &in);
	if (!is_private(b, &in))
		add_to(b, RULES_EXPORTED, &in);
	else if (slice_eq(r->key.ns, b->v->root_ns))
		add_to(b, RULES_OWN_ROOT, &in);
}

static int
selecting_first(const void *a, const void *b)
{
	const struct resource *const *x = a;
	const struct resource *const *y = b;
	bool one = resource_destination_rule(*x)->workload_selector != NULL;
	bool other = resource_destination_rule(*y)->workload_selector != NULL;

	return one != other ? (one ? -1 : 1) : resource_age_cmp(*x, *y);
}

void
index_rules(struct builder *b)
{
	struct rows all = {0};

	for (size_t i = 0; i < RULES_COUNT; i++)
		map_init(&b->rules[i].by_host);
	rows_of_kind(b, &kind_destination_rule, &all);
	rows_sort(&all, selecting_first);
	for (size_t i = 0; !b->full && i < all.count; i++)
		add_rule(b, all.items[i]);
	for (size_t i = 0; i < RULES_COUNT; i++)
		rows_sort(&b->rules[i].odd, longest_first);
	rows_fini(&all);
}

static void
drop_rules(void *value)
{
	struct rows *all = value; /* in the view's arena */

	for (size_t i = 0; i < all->count; i++)
		rows_fini(&((struct merged_rule *)all->items[i])->sources);
	rows_fini(all);
}

void
rules_fini(struct builder *b)
{
	rows_fini(&b->rules_of_servers);
	for (size_t i = 0; i < RULES_COUNT; i++) {
		map_fini(&b->rules[i].by_host, drop_rules);
		rows_fini(&b->rules[i].odd);
	}
}

/* --- looking up ----------------------------------------------------------- */

static const struct odd_rules *
find_odd(const struct rule_index *index, struct slice ns, struct slice host)
{
	struct slice end =
	    slice_starts(host, S("*")) ? slice_sub(host, 1, host.len) : host;

	for (size_t i = 0; i < index->odd.count; i++) {
		const struct odd_rules *o = index->odd.items[i];

		if (slice_eq(o->ns, ns) && slice_ends(end, o->suffix))
			return o;
	}
	return NULL;
}

/* Of the hosts that fit the longest; an exact one before any. */
static const struct rows *
find_in(const struct builder *b, enum rule_side side, struct slice ns,
    struct slice host)
{
	const struct rule_index *index = &b->rules[side];
	const struct odd_rules *odd = find_odd(index, ns, host);
	char pattern_text[HOST_TEXT_MAX], text[HOST_TEXT_MAX + NAME_HOST_MAX];
	struct slice pattern;

	if (index->by_host.count == 0)
		return NULL;
	for (size_t at = 0;
	     host_next_pattern(host, &at, pattern_text, &pattern);) {
		const struct rows *all = map_get(
		    &index->by_host, slice_join(SLICES(ns, S("/"), pattern),
					 text, sizeof(text)));

		if (odd != NULL && !slice_eq(pattern, host) &&
		    odd->suffix.len + 1 > pattern.len)
			return odd->all;
		if (all != NULL)
			return all;
	}
	return NULL;
}

/* The one for these callers, if they count, else the last for anybody. */
static const struct merged_rule *
choose(const struct view_scope *of, const struct rows *all, bool by_callers)
{
	const struct merged_rule *any = NULL;

	for (size_t i = 0; all != NULL && i < all->count; i++) {
		const struct merged_rule *m = all->items[i];

		if (m->callers == NULL)
			any = m;
		else if (by_callers && labels_match(&of->labels, m->callers))
			return m;
	}
	return any;
}

/* The same of those that the caller's namespace sees; *out_known says
 * whether there is any. */
static const struct merged_rule *
choose_exported(const struct builder *b, struct slice ns, struct slice host,
    bool *out_known)
{
	const struct rows *all = find_in(b, RULES_EXPORTED, ns, host);
	const struct slice client = b->scope->row.ns;
	const struct merged_rule *any = NULL;

	*out_known = false;
	for (size_t i = 0; all != NULL && i < all->count; i++) {
		const struct merged_rule *m = all->items[i];

		if (m->export_count > 0 &&
		    !slice_is_among(S("*"), m->export_to, m->export_count) &&
		    !slice_is_among(client, m->export_to, m->export_count))
			continue;
		*out_known = true;
		if (m->callers == NULL)
			any = m;
	}
	return any;
}

static const struct merged_rule *
look_up(const struct builder *b, const struct service_row *s, bool by_callers)
{
	const struct view_scope *of = &b->scope->row;
	enum rule_side own =
	    slice_eq(of->ns, b->v->root_ns) ? RULES_OWN_ROOT : RULES_OWN;
	const struct rows *all = find_in(b, own, of->ns, s->row.host);
	const struct merged_rule *m;
	bool known;

	if (all != NULL)
		return choose(of, all, by_callers);
	m = choose_exported(b, s->row.ns, s->row.host, &known);
	return known ? m
		     : choose_exported(b, b->v->root_ns, s->row.host, &known);
}

const struct merged_rule *
rule_of(const struct builder *b, struct service_row *s)
{
	if (s->rule_scope != b->scope) {
		s->rule = look_up(b, s, /* by_callers */ true);
		s->rule_scope = b->scope;
	}
	return s->rule;
}

const struct merged_rule *
find_rule_of_servers(struct builder *b, const struct service_row *s)
{
	const struct merged_rule *m = look_up(b, s, /* by_callers */ false);

	for (size_t i = 0; m != NULL && i < m->sources.count; i++)
		rows_add(&b->rules_of_servers, m->sources.items[i]);
	return m;
}
