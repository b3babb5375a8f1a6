/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route — the rules of virtual hosts, and what a request meets of them.
 */
#ifndef MESHD_ROUTE_H
#define MESHD_ROUTE_H

#include "action.h"

struct view;            /* opaque, see view.h */
struct view_connection; /* listener.h */
struct route_index;     /* opaque */

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
	struct slice logged; /* the route's name, a dot and its own */
	const struct view_condition *conditions;
	size_t count;
	uint32_t line;
};

struct view_http_route {
	struct slice name;
	size_t index; /* in the rule list; the default route is the last */
	const struct view_match *matches; /* any of them; none: everything */
	size_t match_count;
	/* Answers instead of sending on; at most one of the two. */
	const struct view_redirect *redirect;
	const struct view_answer *answer;
	/* None where the rule answers, else never none. */
	const struct view_destination *destinations;
	size_t destination_count;
	uint32_t weight_total; /* 0: the first takes all */
	uint64_t timeout_us;   /* 0: none */
	/* The most that a call's grpc-timeout may ask for; 0: anything. */
	uint64_t grpc_timeout_us;
	/* Of the inbound side: how long a stream may last; 0: for ever. */
	bool limits_stream;
	uint64_t stream_us;
	struct view_retry retry;
	/* Of the path: what matched becomes `new_uri`, or what the
	 * expression finds becomes `new_uri` with \1 for its groups. */
	bool rewrite_uri;
	struct slice new_uri;
	const struct regex *rewrite_regex;
	struct slice rewrite_pattern;
	struct slice new_authority; /* empty: as it came */
	struct view_headers request;
	struct view_headers response;
	const struct view_hash_policy
	    *hashes; /* the first that a request has */
	size_t hash_count;
	const struct view_mirror *mirrors;
	size_t mirror_count;
	const struct view_cors *cors;   /* may be NULL */
	const struct view_fault *fault; /* may be NULL */
	struct origin origin;
};

struct view_tcp_route {
	size_t index;
	const uint16_t *ports; /* any of them; none: every port */
	size_t port_count;
	struct slice never; /* words: why it takes nothing at all; or empty */
	/* Addresses that are called; none: any. Of a named listener's clients
	 * it is the listener's own. */
	const struct cidr *cidrs;
	size_t cidr_count;
	const struct slice *snis; /* exact, or "*.shop.com"; none: any */
	size_t sni_count;
	const struct view_destination *destinations;
	size_t destination_count;
	uint32_t weight_total;
	/* One endpoint for all connections of one address. */
	bool hashes_source;
	struct origin origin;
};

struct view_routes;

/* Istio's virtual host: one host on one port. */
struct view_host {
	/* From 1, among those of the view; 0: in none. See view_host_now(). */
	size_t slot;
	struct slice name; /* "reviews.default.svc.cluster.local:9080" */
	struct slice host; /* as this mesh says it; may begin with "*." */
	uint16_t port;     /* 0: any, for a host that is no service */
	enum view_protocol protocol;
	bool ends_tls; /* of its callers: their scheme is https */
	const struct view_scope *scope;     /* whose calls it is for */
	const struct view_service *service; /* NULL if it is none */
	const struct view_http_route *http; /* first that matches wins */
	size_t http_count;
	const struct route_index *index; /* of them; private to the look-up */
	const struct view_tcp_route *tcp;
	size_t tcp_count;
	/* Somebody wrote rules for its requests: where the port's protocol is
	 * found out, bytes that are no HTTP would get past them. */
	bool has_rules;
	/* At a gateway: a request in the clear is answered 301, to https,
	 * whatever the rules say (httpsRedirect; upstream's ErrTLSRedirect). */
	bool needs_tls;
	const struct view_routes *gate; /* a gateway's: whose it is; or NULL */
	struct origin origin;           /* the VirtualService, or the Service */
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

/* The first of that name in the query, as it came; false if there is none. */
bool view_query_parameter(
    struct slice path, struct slice name, struct slice *out);

/* What a request meets; route NULL: no rule matches it (404, FLOW_NO_ROUTE). */
struct view_http_choice {
	const struct view_http_route *route;
	const struct view_match *match; /* NULL: the route takes everything */
};

/* `trace` may be NULL. Rows live as long as the view. */
struct view_http_choice view_route_http(const struct view_host *host,
    const struct http_attrs *attrs, const struct view_trace *trace);

/* Upstream's name of it for the logs: the route's, and the match's behind. */
struct slice view_choice_name(const struct view_http_choice *choice);

/*
 * What a connection to the host meets where no chain was chosen for it, as at
 * a named listener. Of the rules for the port those count whose networks hold
 * the address most narrowly, and of these the one with the name that fits
 * best, as view_find_chain() has it; where none does, the last: the service
 * itself. NULL: there is none for the port. A trace ends with the one that is
 * taken.
 */
const struct view_tcp_route *view_route_tcp(const struct view_host *host,
    const struct view_connection *c, const struct view_trace *trace);

/*
 * One of the destinations by weight; `chance` is any 64 random bits. Never
 * NULL, but its cluster may be.
 */
const struct view_destination *view_choose(
    const struct view_destination *destinations, size_t count,
    uint32_t weight_total, uint64_t chance);

/*
 * The path after the route's rewrite, the query kept: a prefix that matched is
 * replaced as text ("/", where the path is not tested), else the whole path
 * is; or what the route's expression finds. Borrows from both, or copies to
 * the arena. ERR_NO_MEMORY; ERR_LIMIT if it becomes too long.
 */
MUST_USE enum err view_rewrite_path(const struct view_http_choice *choice,
    struct slice path, struct arena *arena, struct slice *out);

/*
 * Where the choice's redirect leads: "https://shop.com:8443/new?x=1". Of the
 * request its scheme, authority and path count. Errors as above.
 */
MUST_USE enum err view_redirect_location(const struct view_http_choice *choice,
    const struct http_attrs *attrs, struct arena *arena, struct slice *out);

#endif
