/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route — the rules of virtual hosts, and what a request meets of them.
 */
#ifndef MESHD_ROUTE_H
#define MESHD_ROUTE_H

#include "cluster.h"

struct view; /* opaque, see view.h */

/*
 * Whose calls: which rules hold may depend on the caller's namespace and
 * labels, so the hosts are those of one scope.
 */
struct view_scope {
	struct slice ns;
	struct labels labels;
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
	struct slice name; /* of the cluster, also of one that is not there */
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
	/* Addresses that are called; none: any. Nothing is known of them, and
	 * of server names, where a named listener is called. */
	const struct cidr *cidrs;
	size_t cidr_count;
	const struct slice *snis; /* exact, or "*.shop.com"; none: any */
	size_t sni_count;
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

#endif
