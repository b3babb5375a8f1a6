/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies — from what a DestinationRule says to how a cluster is called.
 *
 * A port's settings replace those of all ports, the mesh's defaults fill what
 * nobody says of pools and failures, and a subset's settings replace each by
 * each: upstream's order. Equal settings are one row.
 */
#include "inside.h"

enum { PANIC_PERCENT = 50 }; /* Envoy's */

/* The mesh's, where nothing is written. */
static const struct locality_balancer locality_default = {.enabled = true};

/* --- which settings ------------------------------------------------------- */

static struct settings
from_policy(const struct traffic_policy *p)
{
	return (struct settings){.pool = p->connection_pool,
	    .outlier = p->outlier_detection,
	    .balancer = p->load_balancer,
	    .tls = p->tls,
	    .tunnel = p->tunnel,
	    .proxy_protocol = p->proxy_protocol,
	    .budget = p->retry_budget};
}

static const struct port_policy *
find_port_policy(const struct traffic_policy *p, uint16_t port)
{
	for (size_t i = 0; i < p->port_level.count; i++) {
		const struct port_policy *at = &p->port_level.items[i];

		if (at->port != NULL && at->port->number == port)
			return at;
	}
	return NULL;
}

/* Of one policy, for the port; *out_port says whether it names that. */
static struct settings
settings_in(const struct traffic_policy *p, uint16_t port, bool *out_port)
{
	const struct port_policy *at =
	    p != NULL ? find_port_policy(p, port) : NULL;

	*out_port = at != NULL;
	if (p == NULL)
		return (struct settings){0};
	if (at == NULL)
		return from_policy(p);
	return (struct settings){.pool = at->connection_pool,
	    .outlier = at->outlier_detection,
	    .balancer = at->load_balancer,
	    .tls = at->tls};
}

/* `whole`: what a port's settings leave out is gone, not inherited. */
static void
put_over(struct settings *s, const struct settings *over, bool whole)
{
	if (over->pool != NULL || whole)
		s->pool = over->pool;
	if (over->outlier != NULL || whole)
		s->outlier = over->outlier;
	if (over->balancer != NULL || whole)
		s->balancer = over->balancer;
	if (over->tls != NULL || whole)
		s->tls = over->tls;
	if (over->tunnel != NULL)
		s->tunnel = over->tunnel;
	if (over->proxy_protocol != NULL)
		s->proxy_protocol = over->proxy_protocol;
	if (over->budget != NULL)
		s->budget = over->budget;
}

static void
fill_in(struct settings *s, const struct default_traffic_policy *mesh)
{
	if (mesh != NULL && s->pool == NULL)
		s->pool = mesh->connection_pool;
	if (mesh != NULL && s->outlier == NULL)
		s->outlier = mesh->outlier_detection;
}

struct settings
merge_settings(const struct builder *b, const struct traffic_policy *of_all,
    const struct traffic_policy *of_subset, uint16_t port)
{
	bool whole;
	struct settings s = settings_in(of_all, port, &whole);
	bool any = of_all != NULL;
	struct settings over;

	fill_in(&s, b->mesh->traffic_policy);
	any = any || s.pool != NULL || s.outlier != NULL;
	over = settings_in(of_subset, port, &whole);
	if (of_subset != NULL && any)
		put_over(&s, &over, whole);
	else if (of_subset != NULL)
		s = over;
	return s;
}

/* --- the row -------------------------------------------------------------- */

static uint32_t
bound(int64_t n)
{
	return n > 0 ? (uint32_t)MIN(n, (int64_t)VIEW_UNBOUNDED)
		     : (uint32_t)VIEW_UNBOUNDED;
}

static void
read_limits(struct view_limits *l, const struct settings *s)
{
	const struct tcp_pool *tcp = s->pool != NULL ? s->pool->tcp : NULL;
	const struct http_pool *http = s->pool != NULL ? s->pool->http : NULL;

	l->connections = bound(tcp != NULL ? tcp->max_connections : 0);
	l->pending = bound(http != NULL ? http->http1_max_pending : 0);
	l->requests = bound(http != NULL ? http->http2_max_requests : 0);
	l->retries = bound(http != NULL ? http->max_retries : 0);
	if (s->budget == NULL)
		return;
	l->budget_percent = s->budget->percent;
	l->budget_min = (uint32_t)s->budget->min_retry_concurrency;
	l->budget_interval_us = s->budget->budget_interval;
}

static const uint64_t idle_us_default = UINT64_C(3600) * 1000000;

static void
read_http(struct view_connections *c, const struct http_pool *http)
{
	const struct http2_keepalive *ping = http->http2_keepalive;

	c->requests_each = (uint32_t)http->max_requests_per_connection;
	if (message_has(&http_pool_message, http, "maxConcurrentStreams"))
		c->streams_each = (uint32_t)http->max_concurrent_streams;
	c->upgrade = http->h2_upgrade;
	c->as_downstream = http->use_client_protocol;
	if (ping != NULL) {
		c->ping_interval_us = ping->interval;
		c->ping_timeout_us = ping->timeout;
	}
}

static void
read_tcp(struct view_connections *c, const struct tcp_pool *tcp)
{
	if (message_has(&tcp_pool_message, tcp, "connectTimeout"))
		c->connect_timeout_us = tcp->connect_timeout;
	if (message_has(&tcp_pool_message, tcp, "maxConnectionDuration"))
		c->longest_us = tcp->max_connection_duration;
}

/* One for HTTP and bytes alike: HTTP's, if it has one. */
static uint64_t
idle_of(const struct tcp_pool *tcp, const struct http_pool *http)
{
	if (http != NULL &&
	    message_has(&http_pool_message, http, "idleTimeout"))
		return http->idle_timeout;
	if (tcp != NULL && message_has(&tcp_pool_message, tcp, "idleTimeout"))
		return tcp->idle_timeout;
	return idle_us_default;
}

static void
read_connections(const struct builder *b, struct view_connections *c,
    const struct connection_pool *pool)
{
	const struct tcp_pool *tcp = pool != NULL ? pool->tcp : NULL;
	const struct http_pool *http = pool != NULL ? pool->http : NULL;
	const struct tcp_keepalive *alive =
	    tcp != NULL && tcp->keepalive != NULL ? tcp->keepalive
						  : b->mesh->tcp_keepalive;

	c->connect_timeout_us = b->mesh->connect_timeout;
	c->idle_timeout_us = idle_of(tcp, http);
	if (tcp != NULL)
		read_tcp(c, tcp);
	if (http != NULL)
		read_http(c, http);
	if (alive == NULL)
		return;
	c->keepalive = true;
	c->keepalive_probes = (uint32_t)alive->probes;
	c->keepalive_time_us = alive->time;
	c->keepalive_interval_us = alive->interval;
}

static void
read_outlier(struct view_outlier *o, const struct outlier_detection *w)
{
	o->written = w;
	if (w == NULL)
		return;
	o->after_5xx = (uint32_t)w->consecutive_5xx;
	o->after_gateway = (uint32_t)w->consecutive_gateway;
	o->after_local = w->split_local ? (uint32_t)w->consecutive_local : 0;
	o->interval_us = w->interval;
	o->ejection_us = w->base_ejection_time;
	o->most_percent = (uint32_t)w->max_ejection_percent;
}

static void
read_hash(struct view_hash *h, const struct consistent_hash *w)
{
	enum { RING_SIZE = 1024, TABLE_SIZE = 65537 };

	if (w->http_header_name.len > 0) {
		h->on = VIEW_HASH_HEADER;
		h->name = w->http_header_name;
	} else if (w->http_cookie != NULL) {
		h->on = VIEW_HASH_COOKIE;
		h->name = w->http_cookie->name;
		h->cookie = w->http_cookie;
	} else if (w->http_query_parameter_name.len > 0) {
		h->on = VIEW_HASH_PARAMETER;
		h->name = w->http_query_parameter_name;
	} else {
		h->on = VIEW_HASH_SOURCE;
	}
	h->table = w->maglev != NULL ? VIEW_MAGLEV : VIEW_RING;
	if (w->maglev != NULL)
		h->size = (uint64_t)w->maglev->table_size;
	else if (w->ring_hash != NULL)
		h->size = (uint64_t)w->ring_hash->minimum_ring_size;
	else
		h->size = (uint64_t)w->minimum_ring_size;
	if (h->size == 0)
		h->size = w->maglev != NULL ? TABLE_SIZE : RING_SIZE;
}

static void
read_warmup(struct view_warmup *out, const struct load_balancer *lb)
{
	*out = (struct view_warmup){lb->warmup_duration, 10, 1};
	if (lb->warmup != NULL)
		*out = (struct view_warmup){lb->warmup->duration,
		    lb->warmup->minimum_percent, lb->warmup->aggression};
}

/* The rule's before the mesh's, zones before localities; `enabled: false` of
 * a rule leaves nothing of the mesh's. */
static void
read_places(const struct builder *b, struct view_balancing *out,
    const struct load_balancer *lb)
{
	if (lb != NULL && (lb->zone != NULL || lb->locality != NULL)) {
		out->zone = lb->zone;
		out->locality = lb->zone == NULL && lb->locality->enabled
				    ? lb->locality
				    : NULL;
	} else if (b->mesh->zone != NULL) {
		out->zone = b->mesh->zone;
	} else if (b->mesh->locality == NULL || b->mesh->locality->enabled) {
		out->locality = b->mesh->locality != NULL ? b->mesh->locality
							  : &locality_default;
	}
}

static void
read_balancing(const struct builder *b, struct view_balancing *out,
    const struct settings *s)
{
	const struct load_balancer *lb = s->balancer;
	int simple = lb != NULL ? lb->simple : BALANCER_UNSPECIFIED;

	out->balancer =
	    simple == BALANCER_ROUND_ROBIN || simple == BALANCER_RANDOM
		? (enum balancer)simple
		: BALANCER_LEAST_REQUEST;
	out->passthrough = simple == BALANCER_PASSTHROUGH;
	out->panic_percent = PANIC_PERCENT;
	if (s->outlier != NULL)
		out->panic_percent = (uint32_t)s->outlier->min_health_percent;
	if (lb != NULL)
		read_warmup(&out->warmup, lb);
	if (lb != NULL && lb->consistent_hash != NULL)
		read_hash(&out->hash, lb->consistent_hash);
	read_places(b, out, lb);
}

/*
 * A rule for everybody's proxies may not name a secret, since they would all
 * have to be given it; upstream then calls without TLS. We say so.
 */
static bool
lacks_credential(const struct builder *b, const struct settings *s)
{
	return s->tls != NULL && s->tls->credential_name.len > 0 &&
	       (s->tls->mode == CLIENT_TLS_SIMPLE ||
		   s->tls->mode == CLIENT_TLS_MUTUAL) &&
	       !slice_starts(s->tls->credential_name, S("configmap://")) &&
	       b->in->proxy == VIEW_SIDECAR && !s->selecting;
}

static struct view_cluster_policy *
make(struct builder *b, const struct settings *s)
{
	struct view_cluster_policy *p = take(b, 1, sizeof(*p));

	if (p == NULL)
		return NULL;
	read_limits(&p->limits, s);
	read_connections(b, &p->connections, s->pool);
	read_outlier(&p->outlier, s->outlier);
	read_balancing(b, &p->balancing, s);
	p->tls = s->tls;
	p->no_credential = lacks_credential(b, s);
	if (s->proxy_protocol != NULL)
		p->proxy_protocol =
		    s->proxy_protocol->version == PROXY_PROTOCOL_V2 ? 2 : 1;
	p->tunnel = s->tunnel;
	return p;
}

const struct view_cluster_policy *
cluster_policy_of(struct builder *b, const struct settings *s)
{
	const struct slice key = slice_of(s, sizeof(*s));
	struct view_cluster_policy *p = map_get(&b->policies, key);

	if (p != NULL)
		return p;
	p = make(b, s);
	if (p != NULL)
		(void)map_put(&b->policies, key, p); /* was not there */
	return p;
}
