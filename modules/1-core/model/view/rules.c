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
	struct slice key; /* in the map */
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
		    in->r->key.ns, slice_sub(in->host, 1, in->host.len), key};
		rows_add(&index->odd, odd);
	}
	return all;
}

static void
add_to(struct builder *b, struct rule_index *index, const struct incoming *in)
{
	struct rows *all = rows_of(b, index, in);
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

static bool
has_any(const struct message *m, const void *of, const char *const names[])
{
	for (; of != NULL && *names != NULL; names++)
		if (message_has(m, of, *names))
			return true;
	return false;
}

/* All of it but how old a connection may become and which version of HTTP is
 * spoken. */
static bool
has_limits(const struct connection_pool *p)
{
	static const char *const tcp[] = {"maxConnections", "connectTimeout",
	    "tcpKeepalive", "idleTimeout", NULL};
	static const char *const http[] = {"http1MaxPendingRequests",
	    "http2MaxRequests", "maxRequestsPerConnection", "maxRetries",
	    "idleTimeout", "maxConcurrentStreams", "http2KeepAlive", NULL};

	return p != NULL && (has_any(&tcp_pool_message, p->tcp, tcp) ||
				has_any(&http_pool_message, p->http, http));
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

/* That there is a service for it is the other word. */
static void
note_policy(struct builder *b, struct service_row *s)
{
	struct named_by *n = take(b, 1, sizeof(*n));

	if (n == NULL)
		return;
	*n = (struct named_by){b->owner, s->policies};
	s->policies = n;
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
	if (!slice_starts(in->host, S("*"))) {
		struct service_row *s = find_service(b, in->host);

		if (s == NULL)
			add_problem(b, &o, "there is no service %.*s here",
			    SLICE_ARG(in->host));
		else if (b->v->base == NULL)
			note_policy(b, s);
	}
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

struct slice
host_of_rule(struct builder *b, const struct resource *r)
{
	return incoming_of(b, r).host;
}

static void
add_rule(struct builder *b, struct rule_index *all, const struct incoming *in)
{
	if (is_own(in))
		add_to(b, &all[RULES_OWN], in);
	if (!is_private(b, in))
		add_to(b, &all[RULES_EXPORTED], in);
	else if (slice_eq(in->r->key.ns, b->v->root_ns))
		add_to(b, &all[RULES_OWN_ROOT], in);
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
	for (size_t i = 0; !b->full && i < all.count; i++) {
		const struct incoming in = incoming_of(b, all.items[i]);

		report(b, &in);
		add_rule(b, b->rules, &in);
	}
	for (size_t i = 0; i < RULES_COUNT; i++)
		rows_sort(&b->rules[i].odd, longest_first);
	rows_fini(&all);
}

/* --- for a patch ---------------------------------------------------------- */

static void
add_once(struct rows *all, void *item)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i] == item)
			return;
	rows_add(all, item);
}

/* All of its host and namespace that the base knows. */
static void
add_known(struct builder *b, const struct incoming *in, struct rows *out)
{
	struct slice key = key_of(b, in->r->key.ns, in->host);

	for (size_t side = 0; side < RULES_COUNT; side++) {
		const struct rows *all = map_get(&b->rules[side].by_host, key);

		for (size_t i = 0; all != NULL && i < all->count; i++) {
			const struct merged_rule *m = all->items[i];

			for (size_t j = 0; j < m->sources.count; j++)
				add_once(out, m->sources.items[j]);
		}
	}
}

/* What is known of its host there is told by these indexes from now on. */
static void
take_over(struct builder *b, const struct resource *r, struct rule_index *all,
    struct rows *out)
{
	struct incoming in;

	if (r == NULL || r->kind != &kind_destination_rule)
		return;
	in = incoming_of(b, r);
	for (size_t side = 0; side < RULES_COUNT; side++)
		(void)rows_of(b, &all[side], &in); /* maybe of none */
	add_known(b, &in, out);
}

static bool
is_gone(const struct renewal *all, size_t count, const struct resource *r)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].old == r && all[i].fresh != r)
			return true;
	return false;
}

void
index_rules_again(struct builder *b, const struct renewal *all, size_t count,
    struct rule_index *out)
{
	struct rows rules = {0};

	for (size_t i = 0; i < RULES_COUNT; i++)
		map_init(&out[i].by_host);
	for (size_t i = 0; i < count; i++) {
		take_over(b, all[i].old, out, &rules);
		take_over(b, all[i].fresh, out, &rules);
	}
	for (size_t i = 0; i < count; i++)
		if (all[i].fresh != NULL &&
		    all[i].fresh->kind == &kind_destination_rule)
			add_once(&rules, (void *)(uintptr_t)all[i].fresh);
	rows_sort(&rules, selecting_first);
	for (size_t i = 0; !b->full && i < rules.count; i++) {
		const struct incoming in = incoming_of(b, rules.items[i]);

		if (!is_gone(all, count, in.r))
			add_rule(b, out, &in);
	}
	rows_fini(&rules);
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
rule_indexes_fini(struct rule_index *all)
{
	for (size_t i = 0; i < RULES_COUNT; i++) {
		map_fini(&all[i].by_host, drop_rules);
		rows_fini(&all[i].odd);
	}
}

void
rules_fini(struct builder *b)
{
	rows_fini(&b->obeyed);
	rule_indexes_fini(b->rules);
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

static const struct rows *
rows_under(const struct builder *b, enum rule_side side, struct slice key)
{
	const struct rows *all = b->rules_now != NULL
				     ? map_get(&b->rules_now[side].by_host, key)
				     : NULL;

	if (all == NULL)
		all = map_get(&b->rules[side].by_host, key);
	return all != NULL && all->count > 0 ? all : NULL;
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

	if (index->by_host.count == 0 && b->rules_now == NULL)
		return NULL;
	for (size_t at = 0;
	     host_next_pattern(host, &at, pattern_text, &pattern);) {
		const struct rows *all = rows_under(b, side,
		    slice_join(
			SLICES(ns, S("/"), pattern), text, sizeof(text)));

		if (odd != NULL && !slice_eq(pattern, host) &&
		    odd->suffix.len + 1 > pattern.len)
			return rows_under(b, side, odd->key);
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
	if (b->rules_now != NULL)
		return look_up(b, s, /* by_callers */ true);
	if (s->rule_scope != b->scope) {
		s->rule = look_up(b, s, /* by_callers */ true);
		s->rule_scope = b->scope;
	}
	return s->rule;
}

const struct merged_rule *
rule_of_servers(const struct builder *b, const struct service_row *s)
{
	return look_up(b, s, /* by_callers */ false);
}

const struct merged_rule *
find_rule_of_servers(struct builder *b, const struct service_row *s)
{
	rows_add(&b->obeyed, (void *)(uintptr_t)s);
	return rule_of_servers(b, s);
}
