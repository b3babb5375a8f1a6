/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action — what a rule does with a request that it takes.
 *
 * Either it answers (a redirect, a response of its own) or it sends the
 * request on to one of its destinations; faults, CORS and changes of headers
 * go with both. The rows are what Envoy is told of them, so that they mean
 * the same.
 */
#ifndef MESHD_ACTION_H
#define MESHD_ACTION_H

#include "cluster.h"
#include "format.h"

enum { VIEW_MILLION = 1000000 }; /* shares are counted in parts of it */

/* --- headers -------------------------------------------------------------- */

struct view_header {
	struct slice name;                /* in lower case */
	struct slice value;               /* without a format */
	const struct view_format *format; /* NULL: the value stands */
	bool append;                      /* beside what is there */
};

/*
 * First all of `remove` go, then the changes are made in their order. Values
 * are computed before the first of them; one that is empty changes nothing.
 */
struct view_headers {
	const struct view_header *changes;
	size_t change_count;
	bool computes;              /* one of them has a format */
	const struct slice *remove; /* in lower case */
	size_t remove_count;
};

/* --- where a request goes ------------------------------------------------- */

struct view_destination {
	const struct view_cluster *cluster; /* NULL: see `flag`, `missing` */
	bool passes; /* instead, where that is done: where the caller went */
	struct slice name; /* of the cluster, also of one that is not there */
	uint32_t weight;
	enum flow_flag flag;  /* FLOW_NO_CLUSTER if there is no cluster */
	struct slice missing; /* words: "no subset v9 …" */
	struct slice host;    /* as written, for messages */
	struct view_headers request; /* applied before the route's */
	struct view_headers response;
	struct slice new_authority; /* unless the route has one; or empty */
};

/* A copy of so many requests, whose answer nobody reads. */
struct view_mirror {
	struct view_destination to;
	uint32_t millionths;
};

enum view_hash_key {
	VIEW_HASH_BY_HEADER,
	VIEW_HASH_BY_COOKIE, /* given to clients that have none, with a ttl */
	VIEW_HASH_BY_SOURCE,
	VIEW_HASH_BY_PARAMETER /* of the query */
};

/* What keeps the requests of one client at one endpoint. */
struct view_hash_policy {
	enum view_hash_key key;
	struct slice name; /* of the header, cookie or parameter */
	bool has_ttl;
	uint64_t ttl_us; /* 0: as long as the browser runs */
	struct slice path;
	const struct label *attributes; /* of the cookie */
	size_t attribute_count;
};

/* --- again ---------------------------------------------------------------- */

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
	struct slice words;          /* the same, with commas; no statuses */
	const uint16_t *statuses;
	size_t status_count;
	uint64_t backoff_us; /* before the first; 0: the proxy's default */
	/* An endpoint that was tried is not chosen again, as long as another
	 * choice comes out of so many. */
	bool avoid_tried;
	uint32_t choices;
	bool avoid_priorities; /* those that were tried */
};

/* --- answers of our own --------------------------------------------------- */

/* What is empty or 0 stays as the request has it. */
struct view_redirect {
	uint16_t code;
	struct slice scheme;
	struct slice host; /* a port may be in it */
	uint16_t port;
	struct slice path;   /* instead of all of it; may have a query */
	struct slice prefix; /* instead of what matched */
};

struct view_answer {
	uint16_t status;
	struct slice body;
	struct slice encoded; /* the body as it was written, if in base64 */
	/* Why the call is refused, in words; empty: a rule answers it. */
	struct slice refusal;
};

/* --- beside them ---------------------------------------------------------- */

enum view_test {
	VIEW_EXACT,
	VIEW_PREFIX,
	VIEW_REGEX, /* all of it, by RE2's syntax */
	VIEW_PRESENT
};

struct view_allowed {
	enum view_test test; /* not VIEW_PRESENT */
	struct slice value;
	const struct regex *regex; /* VIEW_REGEX */
};

/* Lists have a comma between their members; what is empty is not said. */
struct view_cors {
	const struct view_allowed *origins;
	size_t origin_count;
	struct slice methods;
	struct slice headers;
	struct slice expose;
	struct slice max_age; /* seconds */
	bool says_credentials;
	bool credentials;
	bool forwards_unmatched; /* preflights of other origins */
};

struct view_fault {
	uint64_t delay_us; /* 0: none */
	uint32_t delay_millionths;
	uint16_t abort_status; /* 0: none */
	bool aborts_grpc;
	uint8_t grpc_status;
	bool says_abort_share; /* else none are aborted */
	uint32_t abort_millionths;
};

#endif
