/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view — what one proxy makes of the mesh: hosts, routes, clusters, endpoints.
 *
 * Compiled once from plain data, immutable, counted; any thread may read it.
 * The proxy and `explain` ask it through the same functions. What traffic
 * does (counts, failures) lives elsewhere, under the ids that rows have here.
 */
#ifndef MESHD_VIEW_H
#define MESHD_VIEW_H

#include "flow.h"
#include "resource.h"

struct view_access; /* access.h */
struct view_authn;  /* authn.h */

/* --- what goes in (all borrowed for the call, then copied) ---------------- */

enum view_health {
	VIEW_HEALTHY,
	VIEW_UNHEALTHY, /* its owner says so */
	VIEW_DRAINING,  /* no new traffic */
	VIEW_DOWN       /* its node is dead */
};

/* A port of a service that nobody wrote a Service for. */
struct view_port_input {
	uint16_t port;
	struct slice name;
	struct slice protocol; /* "http", "tcp", …; empty: tcp */
};

/* A service known from records only; a written Service overrides it. */
struct view_service_input {
	struct slice name;
	struct slice ns;
	const struct view_port_input *ports;
	size_t port_count;
	struct slice origin; /* words: "record of node db-1" */
};

/* One workload behind one port of one service. */
struct view_endpoint_input {
	struct slice service;
	struct slice service_ns;
	uint16_t service_port;
	struct addr addr; /* of the workload, port included: CONNECT's target */
	struct addr tunnel; /* HBONE of its node; family 0: none, plaintext */
	struct slice network;
	struct slice node;
	struct slice workload;
	struct slice ns; /* with `account`, of its identity */
	struct slice account;
	struct labels labels;
	struct slice locality;
	uint32_t weight; /* 0 takes no new traffic */
	enum view_health health;
	struct slice reason; /* words, if not healthy */
};

/* A named listener: what a program on this machine connects to. */
struct view_upstream_input {
	struct slice name; /* unique: "reviews" */
	struct slice host; /* any form of a service name, or a host */
	uint16_t port;     /* 0: the service's first */
	struct addr listen;
	struct slice ns;      /* with `account`, who it calls as */
	struct slice account; /* empty: the node's default */
};

/* A local service that the mesh may reach through this proxy. */
struct view_exposed_input {
	struct slice service;
	struct slice ns;
	uint16_t port; /* callers' */
	struct slice protocol;
	struct addr addr;   /* as announced, port included; any IP: port only */
	struct addr target; /* where it really listens */
	struct slice account;
	struct labels labels;
};

struct view_input {
	struct slice domain;         /* "mesh.internal" if empty */
	struct slice trust_domain;   /* the same as `domain` if empty */
	struct slice root_namespace; /* "istio-system" if empty */
	/* Whose place this is: who calls without a listener of its own. */
	struct slice ns; /* "default" if empty */
	struct labels labels;
	struct slice network;  /* that it lies in */
	struct slice identity; /* its own; who calls without an account */
	const struct resource *const *resources;
	size_t resource_count;
	const struct view_service_input *services;
	size_t service_count;
	const struct view_endpoint_input *endpoints;
	size_t endpoint_count;
	const struct view_upstream_input *upstreams;
	size_t upstream_count;
	const struct view_exposed_input *exposed;
	size_t exposed_count;
	const struct addr *addrs; /* of this machine, as announced; no port */
	size_t addr_count;
	uint64_t generation;       /* for people: which view this is */
	const struct view *before; /* what it has may be shared; may be NULL */
};

/* --- rows ----------------------------------------------------------------- */

/* Where a row came from. Empty slices and zeroes are unknown. */
struct origin {
	struct resource_key key; /* empty kind: no resource, see `words` */
	uint64_t revision;
	struct slice file;
	uint32_t line;      /* of the very rule, if it came from a file */
	struct slice words; /* "record of node db-1", "default" */
};

enum { ORIGIN_TEXT_MAX = 1024 };

/* "file:12" or "VirtualService/default/reviews@7" or the words. */
char *origin_format(const struct origin *o, char out[ORIGIN_TEXT_MAX]);

enum view_protocol {
	VIEW_TCP, /* bytes; also what declares no protocol */
	VIEW_HTTP,
	VIEW_HTTP2,
	VIEW_GRPC /* HTTP/2 with trailers */
};

/* "tcp", "http", "http2", "grpc". */
const char *view_protocol_name(enum view_protocol p);

static inline bool
view_protocol_is_http(enum view_protocol p)
{
	return p != VIEW_TCP;
}

/*
 * Whose calls: which rules hold may depend on the caller's namespace and
 * labels, so the hosts are those of one scope.
 */
struct view_scope {
	struct slice ns;
	struct labels labels;
};

struct view_service {
	struct slice name;
	struct slice ns;
	struct slice host; /* "reviews.default.svc.mesh.internal" */
	/* The same as dashboards have it: "reviews.default.svc.cluster.local".
	 */
	struct slice istio;
	/* Accounts that configuration gives it (annotation
	 * meshd.dev/accounts); none: any that a voucher allowed. */
	const struct slice *accounts;
	size_t account_count;
	struct origin origin;
};

struct view_endpoint {
	uint64_t id; /* of (network, address, port); the same in every view */
	struct addr addr;
	struct addr tunnel; /* family 0: plaintext to `addr` */
	struct slice network;
	struct slice node;
	struct slice workload;
	struct slice identity; /* spiffe://…, who has to answer; may be empty */
	struct slice ns;
	struct slice account;
	struct labels labels;
	struct flow_party party; /* what reports say of it */
	struct slice locality;
	uint32_t weight;
	enum view_health health;
	bool usable;         /* healthy, weight > 0, of an expected account */
	struct slice reason; /* words, if not usable */
};

/* A set of endpoints that share a port, a subset and a policy. */
struct view_cluster {
	uint64_t id;       /* of its name; survives views */
	struct slice name; /* "outbound|9080|v1|reviews.default.svc.…" */
	const struct view_service *service;
	uint16_t port;
	struct slice subset; /* may be empty */
	enum view_protocol protocol;
	enum balancer balancer; /* LEAST_REQUEST, ROUND_ROBIN or RANDOM */
	const struct view_endpoint *const
	    *endpoints; /* by id's address order */
	size_t endpoint_count;
	size_t usable_count;
	struct origin origin; /* of the DestinationRule, if any */
};

enum view_subject {
	VIEW_ON_PATH, /* without the query */
	VIEW_ON_METHOD,
	VIEW_ON_SCHEME,
	VIEW_ON_AUTHORITY,
	VIEW_ON_HEADER,
	VIEW_ON_PARAMETER, /* of the query, as it came; the first of its name */
	VIEW_ON_PORT,
	VIEW_NEVER /* does not hold, whatever comes; `value` says why */
};

enum view_test {
	VIEW_EXACT,
	VIEW_PREFIX,
	VIEW_REGEX, /* all of it, by RE2's syntax */
	VIEW_PRESENT
};

struct view_condition {
	enum view_subject subject;
	enum view_test test;
	bool any_case; /* of ASCII letters; VIEW_EXACT, VIEW_PREFIX */
	/* Holds if the test fails; what is not there counts as empty, but for
	 * VIEW_PRESENT. */
	bool negated;
	struct slice name; /* of a header, in lower case, or a parameter */
	struct slice value;
	const struct regex *regex; /* VIEW_REGEX */
	uint16_t port;             /* VIEW_ON_PORT */
};

/* All of its conditions have to hold. */
struct view_match {
	struct slice name;
	const struct view_condition *conditions;
	size_t count;
	uint32_t line;
};

struct view_headers {
	const struct label *set; /* names in lower case */
	size_t set_count;
	const struct label *add;
	size_t add_count;
	const struct slice *remove;
	size_t remove_count;
};

struct view_destination {
	const struct view_cluster *cluster; /* NULL: see `flag`, `missing` */
	uint32_t weight;
	enum flow_flag flag;  /* FLOW_NO_CLUSTER if there is no cluster */
	struct slice missing; /* words: "no subset v9 …" */
	struct slice host;    /* as written, for messages */
	struct view_headers request; /* applied before the route's */
	struct view_headers response;
};

enum view_retry_on {
	VIEW_RETRY_5XX = 1 << 0,
	VIEW_RETRY_GATEWAY_ERROR = 1 << 1,
	VIEW_RETRY_RESET = 1 << 2,
	VIEW_RETRY_RESET_BEFORE_REQUEST = 1 << 3,
	VIEW_RETRY_CONNECT_FAILURE = 1 << 4,
	VIEW_RETRY_RETRIABLE_4XX = 1 << 5,
	VIEW_RETRY_REFUSED_STREAM = 1 << 6,
	VIEW_RETRY_STATUS_CODES = 1 << 7, /* those in `statuses` */
	VIEW_RETRY_HEADERS = 1 << 8,
	VIEW_RETRY_RATELIMITED = 1 << 9,
	VIEW_RETRY_HTTP3 = 1 << 10,
	VIEW_RETRY_GRPC_CANCELLED = 1 << 11,
	VIEW_RETRY_GRPC_DEADLINE = 1 << 12,
	VIEW_RETRY_GRPC_INTERNAL = 1 << 13,
	VIEW_RETRY_GRPC_EXHAUSTED = 1 << 14,
	VIEW_RETRY_GRPC_UNAVAILABLE = 1 << 15
};

struct view_retry {
	uint32_t attempts;           /* further tries; 0: none */
	uint64_t per_try_timeout_us; /* 0: the route's timeout */
	uint32_t on;                 /* enum view_retry_on */
	const uint16_t *statuses;
	size_t status_count;
};

struct view_http_route {
	struct slice name;
	size_t index; /* in the rule list; the default route is the last */
	const struct view_match *matches; /* any of them; none: everything */
	size_t match_count;
	const struct view_destination *destinations; /* never none */
	size_t destination_count;
	uint32_t weight_total; /* 0: the first takes all */
	uint64_t timeout_us;   /* 0: none */
	struct view_retry retry;
	bool rewrite_uri;
	struct slice new_uri;
	struct slice new_authority; /* empty: as it came */
	struct view_headers request;
	struct view_headers response;
	struct origin origin;
};

struct view_tcp_route {
	size_t index;
	const uint16_t *ports; /* any of them; none: every port */
	size_t port_count;
	struct slice never; /* words: why it takes nothing at all; or empty */
	const struct view_destination *destinations;
	size_t destination_count;
	uint32_t weight_total;
	struct origin origin;
};

/* Istio's virtual host: one host on one port. */
struct view_host {
	struct slice name; /* "reviews.default.svc.cluster.local:9080" */
	struct slice host; /* as this mesh says it; may begin with "*." */
	uint16_t port;     /* 0: any, for a host that is no service */
	enum view_protocol protocol;
	const struct view_scope *scope;     /* whose calls it is for */
	const struct view_service *service; /* NULL if it is none */
	const struct view_http_route *http; /* first that matches wins */
	size_t http_count;
	const struct view_tcp_route *tcp;
	size_t tcp_count;
	struct origin origin; /* the VirtualService, or the Service */
};

struct view_upstream {
	struct slice name;
	struct addr listen;
	struct slice ns;
	struct slice account;
	struct slice identity; /* spiffe://…; the node's without an account */
	const struct view_scope *scope;
	struct flow_party party;      /* what reports say of its clients */
	const struct view_host *host; /* NULL: see `missing` */
	struct slice missing;         /* words */
};

struct view_exposed {
	struct slice service;
	struct slice ns;
	struct slice host; /* "web.default.svc.mesh.internal" */
	uint16_t port;
	enum view_protocol protocol;
	struct addr addr; /* as announced; any IP: the port alone decides */
	struct addr target;
	struct slice account;
	struct slice identity; /* spiffe://… */
	struct labels labels;
	struct flow_party party;          /* what reports say of it */
	struct slice cluster;             /* "inbound|80||" */
	const struct view_access *access; /* NULL: no policy is for it */
	const struct view_authn *authn;   /* NULL: tokens are not looked at */
};

/* Something that does not take part, or not fully, and why. */
struct view_problem {
	struct origin origin;
	struct slice text;
};

/* --- the view ------------------------------------------------------------- */

struct view; /* opaque */

enum { VIEW_BYTES_MAX = 1 << 30 };

/*
 * Never refuses for what resources say: what cannot be used is a problem of
 * the view. ERR_NO_MEMORY or ERR_LIMIT otherwise. The order of the inputs
 * does not matter. References to the resources are kept.
 */
MUST_USE enum err view_compile(
    const struct view_input *in, struct view **out, struct fault *why);

struct view *view_ref(const struct view *v);
void view_unref(struct view **vp);

/*
 * A hash of all that it says, the generation apart; equal views have equal
 * ones. Made anew at each call: not for a request's path.
 */
uint64_t view_fingerprint(const struct view *v);

/* Arrays of pointers to rows, in a fixed order; they live as long as `v`. */
const struct view_host *const *view_hosts(
    const struct view *v, size_t *out_count);
const struct view_cluster *const *view_clusters(
    const struct view *v, size_t *out_count);
const struct view_upstream *view_upstreams(
    const struct view *v, size_t *out_count);
const struct view_problem *view_problems(
    const struct view *v, size_t *out_count);

const struct view_upstream *view_find_upstream(
    const struct view *v, struct slice name);

/* By full name; NULL if there is none. */
const struct view_cluster *view_find_cluster(
    const struct view *v, struct slice name);
const struct view_cluster *view_find_cluster_by_id(
    const struct view *v, uint64_t id);

/* The scope of such callers; the proxy's own if nobody calls from there. */
const struct view_scope *view_find_scope(
    const struct view *v, struct slice ns, const struct labels *labels);

/*
 * The host that answers for `authority`'s name (any form of a service's name,
 * whatever the case, no port in it) on `port`; 0 is the service's first. `of`
 * is a scope of this view, NULL the proxy's own. Exact names before
 * wildcards, longer wildcards before shorter.
 */
const struct view_host *view_find_host(const struct view *v,
    const struct view_scope *of, struct slice host, uint16_t port);

/* The exposed service at the address of a CONNECT; NULL: not exposed. */
const struct view_exposed *view_find_exposed(
    const struct view *v, const struct addr *target);

/* The same by any form of its service's full name, and the callers' port. */
const struct view_exposed *view_find_exposed_host(
    const struct view *v, struct slice host, uint16_t port);

/* Is this the IP address of one that the machine announces as its own? */
bool view_is_announced(const struct view *v, const struct addr *a);

/* --- look-ups on a request's path: no allocation, no lock ----------------- */

struct http_attrs {
	struct slice method;
	struct slice scheme;
	struct slice authority;
	struct slice path; /* with the query, as it came */
	uint16_t port;     /* the service's, as called */
	/* The value of a header (name in lower case), joined with commas if it
	 * came twice; false if it is not there. May be NULL: no headers. */
	bool (*header)(void *arg, struct slice name, struct slice *out_value);
	void *arg;
};

/* One rule, or one match of a rule, that was looked at. */
struct view_step {
	const struct view_host *host;
	const struct view_http_route *route; /* or tcp */
	const struct view_tcp_route *tcp;
	const struct view_match *match; /* NULL: the rule has none */
	bool matched;
	const struct view_condition
	    *failed; /* the first one; NULL if matched */
	bool has_actual;
	struct slice actual; /* what the request had there */
};

typedef void (*view_trace_cb)(void *arg, const struct view_step *step);

struct view_trace {
	view_trace_cb step;
	void *arg;
};

/* What a request meets; route NULL: no rule matches it (404, FLOW_NO_ROUTE). */
struct view_http_choice {
	const struct view_http_route *route;
	const struct view_match *match; /* NULL: the route takes everything */
};

/* `trace` may be NULL. Rows live as long as the view. */
struct view_http_choice view_route_http(const struct view_host *host,
    const struct http_attrs *attrs, const struct view_trace *trace);

/* NULL: no rule takes this port. */
const struct view_tcp_route *view_route_tcp(const struct view_host *host,
    uint16_t port, const struct view_trace *trace);

/*
 * One of the destinations by weight; `chance` is any 64 random bits. Never
 * NULL, but its cluster may be.
 */
const struct view_destination *view_choose(
    const struct view_destination *destinations, size_t count,
    uint32_t weight_total, uint64_t chance);

/*
 * The path after the route's rewrite, the query kept: a matched prefix is
 * replaced as text, else the whole path is. Borrows from both, or copies to
 * the arena. ERR_NO_MEMORY.
 */
MUST_USE enum err view_rewrite_path(const struct view_http_choice *choice,
    struct slice path, struct arena *arena, struct slice *out);

/* All of it as a tree, for admin. Borrows from the view. NULL: arena full. */
struct value *view_dump(const struct view *v, struct arena *arena);

#endif
