/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_tree — clusters and endpoints as values: all that we know of them,
 * for admin and for people. What upstream would say is in cluster_facts.c.
 */
#include "tree.h"

/* --- endpoints ------------------------------------------------------------ */

const char *
tree_security(enum view_security s)
{
	static const char *const words[] = {
	    [VIEW_SECURITY_NONE] = "plain text",
	    [VIEW_SECURITY_EACH] = "mutual TLS where the endpoint wants it",
	    [VIEW_SECURITY_MESH] = "mutual TLS",
	    [VIEW_SECURITY_TLS] = "TLS",
	};

	return words[s];
}

/* How calls of it are secured: as it is written, and what the proxy does
 * instead. */
static struct slice
endpoint_security(
    struct tree *t, const struct view_cluster *c, const struct view_endpoint *e)
{
	enum view_security wanted = c->security, done = VIEW_SECURITY_NONE;

	if (wanted == VIEW_SECURITY_EACH)
		wanted = e->mutual ? VIEW_SECURITY_MESH : VIEW_SECURITY_NONE;
	if (e->tunnel.family != ADDR_NONE)
		done = VIEW_SECURITY_MESH;
	if (wanted == done)
		return slice_str(tree_security(wanted));
	return tree_printf(t, "%s, not in force yet: %s", tree_security(wanted),
	    tree_security(done));
}

static struct value *
others(struct tree *t, const struct view_endpoint *e)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < e->other_count; i++)
		tree_add_text(t, list, tree_addr(t, &e->others[i]));
	return list;
}

static struct value *
endpoint(
    struct tree *t, const struct view_cluster *c, const struct view_endpoint *e)
{
	struct value *map = tree_map(t);
	char text[ENDPOINT_TEXT_MAX];

	tree_put_text(t, map, "address",
	    tree_printf(t, "%s", view_endpoint_address(e, text)));
	if (e->name.len > 0 && e->addr.family != ADDR_NONE)
		tree_put_text(t, map, "name", e->name);
	tree_put(t, map, "alsoAt", others(t, e));
	tree_put_text(t, map, "tunnel", tree_addr(t, &e->tunnel));
	tree_put_text(t, map, "network", e->network);
	tree_put_text(t, map, "node", e->node);
	tree_put_text(t, map, "workload", e->workload);
	tree_put_text(t, map, "identity", e->identity);
	tree_put(t, map, "labels", tree_labels(t, &e->labels));
	tree_put_text(t, map, "locality", e->locality);
	tree_put_int(t, map, "weight", e->weight);
	if (e->mutual)
		tree_put_bool(t, map, "mutual", true);
	if (e->gateway)
		tree_put_bool(t, map, "gateway", true);
	tree_put_text(t, map, "security", endpoint_security(t, c, e));
	tree_put_bool(t, map, "usable", e->usable);
	tree_put_text(t, map, "reason", e->reason);
	return map;
}

static bool
has_places(const struct view_cluster *c)
{
	return c->locality_count > 1 || c->by_locality;
}

struct value *
tree_endpoints(struct tree *t, const struct view_cluster *c)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < c->locality_count; i++) {
		const struct view_locality *l = &c->localities[i];

		for (size_t j = 0; j < l->count; j++) {
			struct value *map =
			    endpoint(t, c, c->endpoints[l->first + j]);

			if (has_places(c))
				tree_put_int(t, map, "priority", l->priority);
			if (c->by_locality)
				tree_put_int(
				    t, map, "localityWeight", l->weight);
			tree_add(t, list, map);
		}
	}
	return list;
}

/* --- the policy ----------------------------------------------------------- */

static void
put_bound(struct tree *t, struct value *map, const char *key, uint32_t n)
{
	if (n != VIEW_UNBOUNDED)
		tree_put_int(t, map, key, n);
}

struct value *
tree_limits(struct tree *t, const struct view_limits *l)
{
	struct value *map = tree_map(t);

	put_bound(t, map, "maxConnections", l->connections);
	put_bound(t, map, "maxPendingRequests", l->pending);
	put_bound(t, map, "maxRequests", l->requests);
	put_bound(t, map, "maxRetries", l->retries);
	return map;
}

static void
put_count(struct tree *t, struct value *map, const char *key, uint64_t n)
{
	if (n > 0)
		tree_put_int(t, map, key, (int64_t)n);
}

static struct value *
retry_budget(struct tree *t, const struct view_limits *l)
{
	struct value *map = tree_map(t);

	if (l->budget_percent <= 0)
		return map;
	tree_put_text(
	    t, map, "percent", tree_printf(t, "%g", l->budget_percent));
	tree_put_int(t, map, "minRetryConcurrency", l->budget_min);
	tree_put_text(
	    t, map, "budgetInterval", tree_duration(t, l->budget_interval_us));
	return map;
}

static struct value *
keepalive(struct tree *t, const struct view_connections *c)
{
	struct value *map = tree_map(t);

	if (!c->keepalive)
		return map;
	put_count(t, map, "probes", c->keepalive_probes);
	tree_put_text(t, map, "time", tree_duration(t, c->keepalive_time_us));
	tree_put_text(
	    t, map, "interval", tree_duration(t, c->keepalive_interval_us));
	return map;
}

static struct value *
connections(struct tree *t, const struct view_connections *c)
{
	static const uint64_t hour_us = UINT64_C(3600000000); /* the default */
	struct value *map = tree_map(t);

	tree_put_text(
	    t, map, "connectTimeout", tree_duration(t, c->connect_timeout_us));
	if (c->idle_timeout_us != hour_us)
		tree_put_text(t, map, "idleTimeout",
		    c->idle_timeout_us > 0
			? tree_duration(t, c->idle_timeout_us)
			: S("none"));
	tree_put_text(
	    t, map, "maxConnectionDuration", tree_duration(t, c->longest_us));
	put_count(t, map, "maxRequestsPerConnection", c->requests_each);
	put_count(t, map, "maxConcurrentStreams", c->streams_each);
	tree_put(t, map, "tcpKeepalive", keepalive(t, c));
	tree_put_text(
	    t, map, "pingInterval", tree_duration(t, c->ping_interval_us));
	tree_put_text(
	    t, map, "pingTimeout", tree_duration(t, c->ping_timeout_us));
	if (c->as_downstream)
		tree_put_bool(t, map, "useClientProtocol", true);
	return map;
}

static struct value *
outlier(struct tree *t, const struct view_outlier *o, uint32_t least_percent)
{
	struct value *map = tree_map(t);

	if (o->written == NULL)
		return map;
	tree_put_int(t, map, "consecutive5xxErrors", o->after_5xx);
	put_count(t, map, "consecutiveGatewayErrors", o->after_gateway);
	put_count(t, map, "consecutiveLocalOriginFailures", o->after_local);
	tree_put_text(t, map, "interval", tree_duration(t, o->interval_us));
	tree_put_text(
	    t, map, "baseEjectionTime", tree_duration(t, o->ejection_us));
	tree_put_int(t, map, "maxEjectionPercent", o->most_percent);
	put_count(t, map, "minHealthPercent", least_percent);
	return map;
}

static struct value *
as_written(struct tree *t, const struct message *m, const void *said)
{
	struct value *v =
	    said != NULL ? message_encode(m, said, t->arena) : tree_map(t);

	t->full = t->full || v == NULL;
	return v;
}

static struct value *
warmup(struct tree *t, const struct view_warmup *w)
{
	struct value *map = tree_map(t);

	if (w->duration_us == 0)
		return map;
	tree_put_text(t, map, "duration", tree_duration(t, w->duration_us));
	tree_put_text(
	    t, map, "minimumPercent", tree_printf(t, "%g", w->from_percent));
	tree_put_text(
	    t, map, "aggression", tree_printf(t, "%g", w->aggression));
	return map;
}

static struct value *
hash(struct tree *t, const struct view_hash *h)
{
	static const char *const words[] = {
	    [VIEW_HASH_HEADER] = "header",
	    [VIEW_HASH_COOKIE] = "cookie",
	    [VIEW_HASH_SOURCE] = "source address",
	    [VIEW_HASH_PARAMETER] = "query parameter",
	};
	struct value *map = tree_map(t);

	if (h->on == VIEW_HASH_NONE)
		return map;
	tree_put_text(t, map, "of", slice_str(words[h->on]));
	tree_put_text(t, map, "name", h->name);
	tree_put_int(t, map, "size", (int64_t)h->size);
	return map;
}

static struct value *
tls(struct tree *t, const struct view_cluster_policy *p)
{
	static const char *const modes[] = {
	    [CLIENT_TLS_DISABLE] = "DISABLE",
	    [CLIENT_TLS_SIMPLE] = "SIMPLE",
	    [CLIENT_TLS_MUTUAL] = "MUTUAL",
	    [CLIENT_TLS_ISTIO_MUTUAL] = "ISTIO_MUTUAL",
	};
	struct value *map = tree_map(t);
	struct value *names = tree_list(t);

	if (p->tls == NULL)
		return map;
	tree_put_text(t, map, "mode", slice_str(modes[p->tls->mode]));
	tree_put_text(t, map, "credentialName", p->tls->credential_name);
	if (p->no_credential)
		tree_put_text(t, map, "unused",
		    S("only a rule with a workloadSelector may name a "
		      "credential for machines"));
	tree_put_text(t, map, "clientCertificate", p->tls->client_certificate);
	tree_put_text(t, map, "privateKey", p->tls->private_key); /* a path */
	tree_put_text(t, map, "caCertificates", p->tls->ca_certificates);
	for (size_t i = 0; i < p->tls->subject_alt_names.count; i++)
		tree_add_text(t, names, p->tls->subject_alt_names.items[i]);
	tree_put(t, map, "subjectAltNames", names);
	return map;
}

struct value *
tree_policy(struct tree *t, const struct view_cluster_policy *p)
{
	const struct view_balancing *how = &p->balancing;
	struct value *map = tree_map(t);

	tree_put(t, map, "connections", connections(t, &p->connections));
	tree_put(t, map, "limits", tree_limits(t, &p->limits));
	tree_put(t, map, "retryBudget", retry_budget(t, &p->limits));
	tree_put(t, map, "outlierDetection",
	    outlier(t, &p->outlier, how->panic_percent));
	tree_put(t, map, "hash", hash(t, &how->hash));
	tree_put(t, map, "warmup", warmup(t, &how->warmup));
	tree_put(t, map, "localityLbSetting",
	    as_written(t, &locality_balancer_message, how->locality));
	tree_put(t, map, "zoneAwareLbSetting",
	    as_written(t, &zone_balancer_message, how->zone));
	tree_put(t, map, "tls", tls(t, p));
	put_count(t, map, "proxyProtocol", p->proxy_protocol);
	if (p->tunnel != NULL)
		tree_put_text(t, map, "tunnel",
		    tree_printf(t, "%.*s %.*s:%u",
			SLICE_ARG(p->tunnel->protocol),
			SLICE_ARG(p->tunnel->target_host),
			(unsigned)p->tunnel->target_port));
	return map;
}

/* --- the cluster ---------------------------------------------------------- */

const char *
tree_chooser(const struct view_cluster *c)
{
	const struct view_balancing *how = &c->policy->balancing;

	if (c->type == VIEW_CLUSTER_ORIGINAL_DST ||
	    c->type == VIEW_CLUSTER_DYNAMIC_DNS)
		return "CLUSTER_PROVIDED";
	if (how->hash.on != VIEW_HASH_NONE)
		return how->hash.table == VIEW_MAGLEV ? "MAGLEV" : "RING_HASH";
	return tree_balancer(how->balancer);
}

static bool
is_bounded(const struct view_limits *l)
{
	return l->connections != VIEW_UNBOUNDED ||
	       l->pending != VIEW_UNBOUNDED || l->requests != VIEW_UNBOUNDED ||
	       l->retries != VIEW_UNBOUNDED || l->budget_percent > 0;
}

/* What is compiled, and the proxy does not do yet. */
static struct value *
inert(struct tree *t, const struct view_cluster *c)
{
	const struct view_cluster_policy *p = c->policy;
	const struct {
		const char *name;
		bool there;
	} rows[] = {
	    {"limits", is_bounded(&p->limits)},
	    {"outlierDetection", p->outlier.written != NULL},
	    {"hash", p->balancing.hash.on != VIEW_HASH_NONE},
	    {"warmup", p->balancing.warmup.duration_us > 0},
	    {"tls", p->tls != NULL},
	    {"tunnel", p->tunnel != NULL},
	    {"priorities",
		c->locality_count > 0 &&
		    c->localities[c->locality_count - 1].priority > 0},
	    {"weights of localities", c->by_locality},
	};
	struct value *list = tree_list(t);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].there)
			tree_add_text(t, list, slice_str(rows[i].name));
	return list;
}

void
tree_put_cluster(
    struct tree *t, struct value *map, const struct view_cluster *c)
{
	tree_put_text(
	    t, map, "type", slice_str(view_cluster_type_name(c->type)));
	tree_put_text(t, map, "balancer", slice_str(tree_chooser(c)));
	tree_put_text(
	    t, map, "security", slice_str(tree_security(c->security)));
	tree_put_text(t, map, "sni", c->sni);
	tree_put(t, map, "policy", tree_policy(t, c->policy));
	tree_put(t, map, "notInForce", inert(t, c));
	if (c->origin.key.kind.len > 0)
		tree_put_text(t, map, "origin", tree_origin(t, &c->origin));
}

/* By which addresses a program may reach it; its own before automatic ones. */
static struct value *
addresses(struct tree *t, const struct view_service *s)
{
	struct value *list = tree_list(t);
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < s->address_count; i++)
		tree_add_text(t, list,
		    tree_printf(t, "%s", cidr_format(&s->addresses[i], text)));
	for (size_t i = 0; i < ARRAY_LEN(s->automatic); i++)
		if (s->automatic[i].family != ADDR_NONE)
			tree_add_text(t, list,
			    tree_printf(t, "%s automatic",
				addr_format_ip(&s->automatic[i], text)));
	return list;
}

struct value *
tree_cluster(struct tree *t, const struct view_cluster *c)
{
	struct value *map = tree_map(t);
	struct value *names = tree_list(t);

	tree_put_text(t, map, "name", c->name);
	tree_put_text(t, map, "service", c->service->host);
	tree_put(t, map, "addresses", addresses(t, c->service));
	if (c->service->external)
		tree_put_bool(t, map, "external", true);
	for (size_t i = 0; i < c->service->alt_name_count; i++)
		tree_add_text(t, names, c->service->alt_names[i]);
	tree_put(t, map, "subjectAltNames", names);
	tree_put_int(t, map, "port", c->port);
	tree_put_text(t, map, "subset", c->subset);
	tree_put_text(
	    t, map, "protocol", slice_str(view_protocol_name(c->protocol)));
	tree_put_cluster(t, map, c);
	tree_put_int(t, map, "usable", (int64_t)c->usable_count);
	tree_put(t, map, "endpoints", tree_endpoints(t, c));
	return map;
}
