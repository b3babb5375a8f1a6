/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clusters — endpoints that share a port, a subset and a policy.
 *
 * Names are Istio's, under svc.cluster.local whatever the mesh's own domain
 * is: dashboards and searches that people have know them like that. So are the
 * types, and the choice between plain text and mutual TLS.
 */
#include "inside.h"
#include "kinds/security.h"
#include "kinds/service_entry.h"

/* --- what is said --------------------------------------------------------- */

/* All that a cluster comes of. */
struct wanted {
	struct service_row *s;
	struct port_row *p;
	const struct merged_rule *m;      /* of the service; may be NULL */
	const struct subset_spec *subset; /* NULL: all endpoints */
	const struct resource *rule;      /* of the subset or the policy */
	const struct traffic_policy *policy;
	const struct view_cluster_policy *merged;
	const struct view_cluster_policy *of_all; /* without the subset's */
	bool fails_over;                          /* failures are noticed */
	struct slice name;
};

/* The first definition of a subset's name. */
const struct subset_spec *
find_subset(const struct merged_rule *m, struct slice name,
    const struct resource **out_rule)
{
	for (size_t i = 0; m != NULL && i < m->sources.count; i++) {
		const struct resource *r = m->sources.items[i];
		const struct destination_rule *d = resource_destination_rule(r);

		for (size_t j = 0; j < d->subsets.count; j++)
			if (slice_eq(d->subsets.items[j].name, name)) {
				*out_rule = r;
				return &d->subsets.items[j];
			}
	}
	return NULL;
}

const struct traffic_policy *
find_policy(const struct merged_rule *m, const struct resource **out_rule)
{
	for (size_t i = 0; m != NULL && i < m->sources.count; i++) {
		const struct resource *r = m->sources.items[i];
		const struct destination_rule *d = resource_destination_rule(r);

		if (d->traffic_policy == NULL)
			continue;
		*out_rule = r;
		return d->traffic_policy;
	}
	return NULL;
}

bool
is_resolved(const struct service_row *s)
{
	return s->row.resolution == VIEW_DNS ||
	       s->row.resolution == VIEW_DNS_FIRST;
}

bool
has_names_of(const struct service_row *s, const struct subset_spec *subset)
{
	static const struct labels none = {NULL, 0};
	const struct service_entry *e;

	if (!is_resolved(s) || is_selecting_entry(s))
		return true;
	e = s->resource->spec;
	for (size_t i = 0; i < e->endpoints.count; i++)
		if (labels_match(
			&e->endpoints.items[i].labels, &subset->labels))
			return true;
	return e->endpoints.count == 0 && labels_match(&none, &subset->labels);
}

static bool
is_dynamic(const struct service_row *s)
{
	return s->row.resolution == VIEW_DNS_DYNAMIC &&
	       slice_starts(s->row.host, S("*"));
}

/* Where endpoints are told one by one, the mesh's default does not count. */
static bool
notices_failures(
    const struct builder *b, const struct settings *s, bool by_name)
{
	const struct default_traffic_policy *mesh = b->mesh->traffic_policy;

	return s->outlier != NULL && (by_name || mesh == NULL ||
					 s->outlier != mesh->outlier_detection);
}

static void
find_settings(struct builder *b, struct wanted *w)
{
	const struct merged_rule *m = w->m;
	const struct resource *from = NULL;
	const struct traffic_policy *own =
	    w->subset != NULL ? w->subset->traffic_policy : NULL;
	struct settings s;

	w->policy = find_policy(m, &from);
	s = merge_settings(b, w->policy, NULL, w->p->port);
	s.selecting = m != NULL && m->callers != NULL;
	w->of_all = w->merged = cluster_policy_of(b, &s);
	if (own != NULL) {
		s = merge_settings(b, w->policy, own, w->p->port);
		s.selecting = m != NULL && m->callers != NULL;
		w->merged = cluster_policy_of(b, &s);
	}
	w->fails_over = notices_failures(b, &s, is_resolved(w->s));
	if (w->rule == NULL)
		w->rule = from;
}

/* --- its kind ------------------------------------------------------------- */

static enum view_cluster_type
type_of(const struct builder *b, const struct wanted *w)
{
	static const enum view_cluster_type types[] = {
	    [VIEW_LISTED] = VIEW_CLUSTER_EDS,
	    [VIEW_ORIGINAL] = VIEW_CLUSTER_ORIGINAL_DST,
	    [VIEW_DNS] = VIEW_CLUSTER_STRICT_DNS,
	    [VIEW_DNS_FIRST] = VIEW_CLUSTER_LOGICAL_DNS,
	    [VIEW_DNS_DYNAMIC] = VIEW_CLUSTER_EDS,
	    [VIEW_ALIAS] = VIEW_CLUSTER_EDS,
	};

	if (is_dynamic(w->s))
		return VIEW_CLUSTER_DYNAMIC_DNS;
	if (w->merged->balancing.passthrough ||
	    w->of_all->balancing.passthrough)
		return VIEW_CLUSTER_ORIGINAL_DST;
	/* At a gateway no connection has an original destination. */
	if (w->s->row.resolution == VIEW_ORIGINAL &&
	    b->in->proxy == VIEW_ROUTER)
		return VIEW_CLUSTER_EDS;
	return types[w->s->row.resolution];
}

const char *
view_cluster_type_name(enum view_cluster_type t)
{
	static const char *const names[] = {
	    [VIEW_CLUSTER_EDS] = "EDS",
	    [VIEW_CLUSTER_STATIC] = "STATIC",
	    [VIEW_CLUSTER_STRICT_DNS] = "STRICT_DNS",
	    [VIEW_CLUSTER_LOGICAL_DNS] = "LOGICAL_DNS",
	    [VIEW_CLUSTER_ORIGINAL_DST] = "ORIGINAL_DST",
	    [VIEW_CLUSTER_DYNAMIC_DNS] = "DYNAMIC_DNS",
	};

	CHECK((unsigned)t < ARRAY_LEN(names));
	return names[t];
}

/* A port that speaks HTTP/2, or is made to; not where the caller decides. */
static bool
speaks_http2(const struct builder *b, const struct wanted *w)
{
	enum view_protocol p = w->p->protocol;
	bool sniffed = p == VIEW_AUTO && b->in->proxy == VIEW_SIDECAR;
	enum h2_upgrade wish = w->merged->connections.upgrade;

	if (w->merged->connections.as_downstream || sniffed)
		return false;
	if (p == VIEW_HTTP2 || view_protocol_is_grpc(p) || wish == H2_UPGRADE)
		return true;
	return wish == H2_DEFAULT && view_protocol_is_http(p) &&
	       b->mesh->h2_upgrade == 1;
}

/* --- how it is secured ---------------------------------------------------- */

static bool
passes_through(const struct traffic_policy *p)
{
	return p != NULL && p->load_balancer != NULL &&
	       p->load_balancer->simple == BALANCER_PASSTHROUGH;
}

/* Nobody is chosen among its endpoints: the caller says where to. */
static bool
is_unchosen(const struct wanted *w)
{
	const struct traffic_policy *own =
	    w->subset != NULL ? w->subset->traffic_policy : w->policy;

	return w->s->row.resolution == VIEW_ORIGINAL || passes_through(own);
}

/* Then all have to want it. */
static bool
all_want_mutual(const struct port_row *p)
{
	for (size_t i = 0; i < p->endpoints.count; i++)
		if (!((const struct view_endpoint *)p->endpoints.items[i])
			 ->mutual)
			return false;
	return p->endpoints.count > 0;
}

static enum view_security
automatic_security(
    struct builder *b, const struct cluster_row *row, const struct port_row *p)
{
	static const struct labels nobody = {NULL, 0};
	const struct view_service *s = row->row.service;

	if (s->external || !b->mesh->enable_auto_mtls ||
	    (row->is_unchosen && !all_want_mutual(p)) ||
	    mutual_tls_of(b, s->ns, &nobody, /* port */ 0) ==
		MUTUAL_TLS_DISABLE)
		return VIEW_SECURITY_NONE;
	return row->row.type == VIEW_CLUSTER_ORIGINAL_DST ? VIEW_SECURITY_MESH
							  : VIEW_SECURITY_EACH;
}

static enum view_security
security_of(
    struct builder *b, const struct cluster_row *row, const struct port_row *p)
{
	const struct view_cluster_policy *policy = row->row.policy;
	const struct client_tls *tls = policy->tls;

	if (tls == NULL)
		return automatic_security(b, row, p);
	if (tls->mode == CLIENT_TLS_DISABLE || policy->no_credential)
		return VIEW_SECURITY_NONE;
	return tls->mode == CLIENT_TLS_ISTIO_MUTUAL ? VIEW_SECURITY_MESH
						    : VIEW_SECURITY_TLS;
}

static struct slice
sni_of(struct builder *b, const struct cluster_row *row)
{
	const struct view_cluster *c = &row->row;
	const struct client_tls *tls = c->policy->tls;
	char port[SLICE_U64_MAX];

	if (c->security == VIEW_SECURITY_NONE)
		return S("");
	if (tls != NULL && tls->sni.len > 0)
		return tls->sni;
	if (c->security == VIEW_SECURITY_TLS ||
	    is_dynamic(service_of_cluster(row)))
		return S(""); /* that of the request */
	return take_join(
	    b, SLICES(S("outbound_."), slice_from_u64(c->port, port), S("_."),
		   c->subset, S("_."), c->service->istio));
}

void
secure_again(
    struct builder *b, struct cluster_row *row, const struct port_row *p)
{
	enum view_security now = security_of(b, row, p);

	if (now == row->row.security)
		return;
	row->row.security = now;
	row->row.sni = sni_of(b, row);
}

/* --- its endpoints -------------------------------------------------------- */

void
choose_endpoints(struct builder *b, struct cluster_row *row,
    const struct view_service *s, const struct port_row *p)
{
	static const struct labels everything = {NULL, 0};
	const struct labels *labels =
	    row->subset != NULL ? &row->subset->labels : &everything;
	struct view_cluster *c = &row->row;
	const struct network_rules through = {
	    .all_mutual = c->security == VIEW_SECURITY_MESH,
	    .none_mutual =
		c->policy->tls != NULL && c->security != VIEW_SECURITY_MESH,
	    .origin = s->origin};
	struct rows all = {0};
	struct slice last = S("");
	size_t left;

	row->networks = 0;
	row->lowest = UINT32_MAX;
	row->highest = 0;
	for (size_t i = 0; i < p->endpoints.count; i++) {
		struct view_endpoint *e = p->endpoints.items[i];

		if (!labels_match(&e->labels, labels))
			continue;
		rows_add(&all, e);
		if (e->network.ptr != last.ptr) /* mostly they share it */
			row->networks |= network_bit(e->network);
		last = e->network;
		row->lowest = MIN(row->lowest, first_bytes(&e->addr));
		row->highest = MAX(row->highest, first_bytes(&e->addr));
	}
	row->is_behind = replace_by_gateways(b, &all, &through, &left);
	row->leaves_out = left > 0;
	arrange_endpoints(b, c, &all, row->fails_over);
	rows_fini(&all);
}

/* --- the row -------------------------------------------------------------- */

/* Has another of its name come already? */
static bool
is_named_before(const struct builder *b, const struct wanted *w)
{
	if (b->arriving == NULL)
		return map_get(&b->v->cluster_by_name, w->name) != NULL;
	for (const struct cluster_row *c = w->p->clusters; c != NULL;
	     c = c->next)
		if (slice_eq(c->row.name, w->name))
			return true;
	return false;
}

/* Into the lists of the view; of one name the first is found by it. */
static void
register_cluster(struct builder *b, struct view_cluster *c)
{
	if (b->box != NULL) {
		rows_add(&b->box->their_clusters, c);
		return;
	}
	if (map_get(&b->v->cluster_by_name, c->name) == NULL)
		(void)map_put(
		    &b->v->cluster_by_name, c->name, c); /* see above */
	rows_add(&b->clusters, c);
}

static struct cluster_row *
make(struct builder *b, const struct wanted *w)
{
	struct cluster_row *row = take(b, 1, sizeof(*row));
	struct view_cluster *c;

	if (row == NULL)
		return NULL;
	c = &row->row;
	c->id = slice_hash_stable(w->name);
	if (is_named_before(b, w))
		c->id ^=
		    b->scope->hash; /* other rules hold for these callers */
	c->name = w->name;
	c->service = &w->s->row;
	c->port = w->p->port;
	c->subset = w->subset != NULL ? w->subset->name : S("");
	c->protocol = w->p->protocol;
	c->policy = w->merged;
	c->type = type_of(b, w);
	row->is_unchosen = is_unchosen(w);
	c->security = security_of(b, row, w->p);
	c->sni = sni_of(b, row);
	c->http2 = speaks_http2(b, w);
	if (w->rule != NULL)
		c->origin = origin_of(
		    w->rule, w->subset != NULL ? w->subset->head.line : 0);
	row->subset = w->subset;
	row->fails_over = w->fails_over;
	row->rule = w->m;
	row->is_own = arranges_by_labels(w->merged, w->fails_over);
	row->scope = b->scope;
	choose_endpoints(b, row, &w->s->row, w->p);
	return b->full ? NULL : row;
}

/* Why there is none, although everything that is named is there. */
static struct slice
why_none(struct builder *b, const struct wanted *w)
{
	const struct service_row *s = w->s;

	if (s->row.resolution == VIEW_ALIAS)
		return take_printf(b, "%.*s only stands for %.*s",
		    SLICE_ARG(s->row.host), SLICE_ARG(s->row.alias));
	if (!is_dynamic(s))
		return S("");
	if (w->subset != NULL)
		return take_printf(b,
		    "%.*s is resolved at each call, so it has no subsets",
		    SLICE_ARG(s->row.host));
	if (!view_protocol_is_http(w->p->protocol) &&
	    w->p->protocol != VIEW_TLS)
		return take_printf(b,
		    "%.*s is resolved at each call, by a name that only HTTP "
		    "and TLS tell",
		    SLICE_ARG(s->row.host));
	return S("");
}

static struct slice
cluster_name(struct builder *b, const struct service_row *s,
    const struct port_row *p, struct slice subset)
{
	char port[SLICE_U64_MAX];

	return take_join(
	    b, SLICES(S("outbound|"), slice_from_u64(p->port, port), S("|"),
		   subset, S("|"), s->row.istio));
}

/* What stands in the rows of the base for what holds now. */
static const struct merged_rule *
rule_before(const struct ruled *r, const struct merged_rule *now)
{
	for (size_t i = 0; r != NULL && i < r->pair_count; i++)
		if (r->pairs[i].now == now)
			return r->pairs[i].old;
	return now;
}

/* One that a patch has beside those of its base. */
static struct cluster_row *
find_later(const struct builder *b, const struct wanted *w, struct slice subset)
{
	for (size_t i = 0; i < b->v->renewal_count; i++) {
		const struct box *box = b->v->renewals[i].box;

		for (size_t j = 0; box != NULL && j < box->clusters.count;
		     j++) {
			struct cluster_row *c = box->clusters.items[j];

			if (c->row.service == &w->s->row &&
			    c->row.port == w->p->port &&
			    slice_eq(c->row.subset, subset))
				return c;
		}
	}
	return NULL;
}

/* Scopes in which the same holds have a cluster in common. */
static struct cluster_row *
find_made(const struct builder *b, const struct wanted *w, struct slice subset)
{
	const struct merged_rule *m = rule_before(w->s->ruled, w->m);
	struct cluster_row *c = w->p->clusters;

	while (c != NULL && (c->rule != m || !slice_eq(c->row.subset, subset) ||
				(c->is_own && c->scope != b->scope)))
		c = c->next;
	return c != NULL || w->s->ruled == NULL ? c : find_later(b, w, subset);
}

/* It is there even if no rule leads to it, where that is asked for. */
static const struct view_cluster *
keep(const struct builder *b, struct cluster_row *c)
{
	if (b->owner == NULL)
		c->is_kept = true;
	return &c->row;
}

static struct slice
no_name(struct builder *b, const struct service_row *s,
    const struct subset_spec *subset)
{
	return take_printf(b,
	    "%.*s has no endpoint%s%.*s whose name could be resolved",
	    SLICE_ARG(s->row.host), subset != NULL ? " of subset " : "",
	    SLICE_ARG(subset != NULL ? subset->name : S("")));
}

/* One that has names to be resolved, but no name, is none; upstream's. */
static const struct view_cluster *
add_made(struct builder *b, const struct wanted *w, struct slice *missing)
{
	const struct resource *owner = b->owner;
	uint32_t door = b->door;
	bool quiet = b->is_quiet;
	struct cluster_row *row;
	struct view_cluster *c;

	*missing = why_none(b, w);
	if (missing->len > 0)
		return NULL;
	b->owner = NULL; /* what is told now is not about its rules */
	b->door = 0;
	b->is_quiet = false;
	row = make(b, w);
	b->owner = owner;
	b->door = door;
	b->is_quiet = quiet;
	if (row == NULL)
		return NULL;
	c = &row->row;
	if (is_resolved(w->s) && c->endpoint_count == 0 &&
	    c->type != VIEW_CLUSTER_ORIGINAL_DST) {
		*missing = no_name(b, w->s, w->subset);
		return NULL;
	}
	row->is_led_to = owner != NULL;
	row->next = w->p->clusters;
	w->p->clusters = row;
	register_cluster(b, c);
	return keep(b, row);
}

struct cluster_row *
remake_cluster(struct builder *b, const struct cluster_row *old,
    struct service_row *s, struct port_row *p, const struct merged_rule *m)
{
	struct wanted w = {.s = s, .p = p, .m = m, .name = old->row.name};
	struct cluster_row *row;

	if (old->subset != NULL)
		w.subset = find_subset(m, old->row.subset, &w.rule);
	find_settings(b, &w);
	row = b->full ? NULL : make(b, &w);
	if (row == NULL || row->is_own != old->is_own)
		return NULL;
	row->row.id = old->row.id;
	row->row.slot = old->row.slot;
	row->rule = old->rule;
	row->is_kept = old->is_kept;
	return row;
}

struct slice
view_cluster_why_none(const struct view_cluster *c)
{
	struct slice why = S("");

	for (size_t i = 0; i < c->endpoint_count; i++) {
		if (c->endpoints[i]->usable)
			return S("");
		if (why.len == 0 && c->endpoints[i]->name.len > 0)
			why = c->endpoints[i]->reason;
	}
	return why;
}

bool
has_cluster(struct builder *b, struct service_row *s, struct port_row *p,
    struct slice subset)
{
	const struct wanted w = {.s = s, .p = p, .m = rule_of(b, s)};

	return find_made(b, &w, subset) != NULL;
}

struct cluster_row *
add_later(struct builder *b, struct service_row *s, struct port_row *p,
    const struct merged_rule *m, struct slice subset)
{
	struct wanted w = {
	    .s = s, .p = p, .m = m, .name = cluster_name(b, s, p, subset)};
	struct cluster_row *row;

	w.subset = find_subset(m, subset, &w.rule);
	if (w.subset == NULL || b->full ||
	    map_get(&b->v->cluster_by_name, w.name) != NULL)
		return NULL;
	find_settings(b, &w);
	row = b->full ? NULL : make(b, &w);
	if (row == NULL || (row->is_own && b->v->scopes.count > 1))
		return NULL;
	row->is_kept = true;
	row->rule = rule_before(s->ruled, m);
	return row;
}

bool
has_namesake(const struct cluster_row *c)
{
	const struct port_row *p =
	    c->row.service != NULL
		? find_port(service_of_cluster(c), c->row.port)
		: NULL;
	const struct cluster_row *x = p != NULL ? p->clusters : NULL;

	while (x != NULL && (x == c || !slice_eq(x->row.subset, c->row.subset)))
		x = x->next;
	return x != NULL;
}

/* Is it known in a patch that nothing would be resolved for it? Where the scope
 * has the service all that it may have was asked for. */
static bool
is_nameless(const struct builder *b, const struct wanted *w, bool is_made)
{
	return b->box != NULL && b->arriving != w->s &&
	       (is_made || find_service(b, w->s->row.host) == w->s) &&
	       !has_names_of(w->s, w->subset);
}

const struct view_cluster *
find_cluster(struct builder *b, struct service_row *s, const struct port_row *p,
    struct slice subset, struct slice *missing)
{
	struct wanted w = {
	    .s = s, .p = &s->ports[p - s->ports], .m = rule_of(b, s)};
	struct cluster_row *made = find_made(b, &w, subset);

	/* Where a view is made it would be this scope that asks first. */
	b->more_follows =
	    b->more_follows ||
	    (b->box != NULL && made != NULL &&
		made->scope->place > b->scope->place && has_namesake(made));
	if (made != NULL && s->ruled == NULL)
		return keep(b, made);
	if (subset.len > 0) { /* of the base's it may be gone */
		w.subset = find_subset(w.m, subset, &w.rule);
		if (w.subset == NULL) {
			*missing = take_printf(b,
			    "no DestinationRule gives %.*s a subset %.*s",
			    SLICE_ARG(s->row.host), SLICE_ARG(subset));
			return NULL;
		}
	}
	if (w.subset != NULL && is_nameless(b, &w, made != NULL)) {
		*missing = no_name(b, s, w.subset);
		return NULL;
	}
	if (made != NULL)
		return keep(b, made);
	if (b->box != NULL && b->arriving != s) {
		*missing = why_none(b, &w);
		b->more_follows |= missing->len == 0; /* it has no slot */
		return NULL;
	}
	find_settings(b, &w);
	w.name = cluster_name(b, s, p, subset);
	return b->full ? NULL : add_made(b, &w, missing);
}

static void
add_subsets(
    struct builder *b, struct service_row *s, const struct merged_rule *m)
{
	for (size_t i = 0; i < m->sources.count; i++) {
		const struct destination_rule *d =
		    resource_destination_rule(m->sources.items[i]);
		struct slice missing;

		for (size_t j = 0; j < d->subsets.count; j++)
			for (size_t k = 0; k < s->port_count; k++)
				(void)find_cluster(b, s, &s->ports[k],
				    d->subsets.items[j].name, &missing);
	}
}

void
compile_subsets_of(struct builder *b, struct service_row *s)
{
	const struct merged_rule *m = rule_of(b, s);

	if (m != NULL && find_service(b, s->row.host) == s)
		add_subsets(b, s, m);
}

/* Those that no route leads to are there as well, as upstream has them. */
void
compile_subsets(struct builder *b)
{
	for (size_t i = 0; i < b->services.count && !b->full; i++)
		compile_subsets_of(b, b->services.items[i]);
}

/* --- without a service ---------------------------------------------------- */

/* What reports say of it is its name, as upstream's do. */
static const struct view_service *
no_service(struct builder *b, struct slice name)
{
	struct view_service *s = take(b, 1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->name = s->host = s->istio = name;
	s->origin.words = S("the mesh");
	return s;
}

static const struct view_cluster_policy *
bare_policy(struct builder *b, enum view_cluster_type type)
{
	static const struct load_balancer in_turn = {
	    .simple = BALANCER_ROUND_ROBIN};
	const struct default_traffic_policy *mesh = b->mesh->traffic_policy;
	struct settings s = {0};

	if (type == VIEW_CLUSTER_STATIC)
		s.balancer = &in_turn;
	else if (mesh != NULL)
		s.pool = mesh->connection_pool;
	return cluster_policy_of(b, &s);
}

struct view_cluster *
bare_cluster(struct builder *b, struct slice name, enum view_cluster_type type,
    const struct view_endpoint *only)
{
	struct view_cluster *c = map_get(&b->v->cluster_by_name, name);

	return c != NULL ? c : new_bare_cluster(b, name, type, only);
}

struct view_cluster *
new_bare_cluster(struct builder *b, struct slice name,
    enum view_cluster_type type, const struct view_endpoint *only)
{
	struct view_cluster *c = take(b, 1, sizeof(*c));
	struct rows endpoints = {0};

	if (c == NULL)
		return NULL;
	c->id = slice_hash_stable(name);
	c->name = take_copy(b, name);
	c->service = no_service(b, c->name);
	c->protocol = VIEW_TCP;
	c->type = type;
	c->policy = bare_policy(b, type);
	if (b->full)
		return NULL;
	if (only != NULL)
		rows_add(&endpoints, (void *)(uintptr_t)only);
	arrange_endpoints(b, c, &endpoints, /* fails_over */ false);
	rows_fini(&endpoints);
	if (b->full)
		return NULL;
	register_cluster(b, c);
	return c;
}

/* Each proxy has them, whether anything leads there or not. */
void
compile_bare_clusters(struct builder *b)
{
	(void)bare_cluster(b, S("BlackHoleCluster"), VIEW_CLUSTER_STATIC, NULL);
	if (b->in->proxy == VIEW_ROUTER)
		return;
	(void)bare_cluster(
	    b, S("PassthroughCluster"), VIEW_CLUSTER_ORIGINAL_DST, NULL);
	(void)bare_cluster(
	    b, S("InboundPassthroughCluster"), VIEW_CLUSTER_ORIGINAL_DST, NULL);
}
