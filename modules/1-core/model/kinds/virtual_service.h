/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtual_service — the decoded spec of VirtualService.
 */
#ifndef MESHD_VIRTUAL_SERVICE_H
#define MESHD_VIRTUAL_SERVICE_H

#include "../field.h"

/* --- what several messages hold ------------------------------------------- */

/* One of the three; none is the test for presence. */
struct string_match {
	struct message_head head;
	struct slice exact;
	struct slice prefix;
	struct slice regex; /* of RE2, for the whole text */
};

struct percent {
	struct message_head head;
	double value;
};

struct port_selector {
	struct message_head head;
	int64_t number;
};

struct destination_spec {
	struct message_head head;
	struct slice host;
	struct slice subset;
	const struct port_selector *port;
};

struct header_operations {
	struct message_head head;
	struct labels set;
	struct labels add;
	LIST_OF(struct slice) remove;
};

struct headers_spec {
	struct message_head head;
	const struct header_operations *request;
	const struct header_operations *response;
};

/* --- requests ------------------------------------------------------------- */

struct http_match {
	struct message_head head;
	struct slice name;
	const struct string_match *uri;
	const struct string_match *scheme;
	const struct string_match *method;
	const struct string_match *authority;
	LIST_OF(struct message_entry) headers;         /* → string_match */
	LIST_OF(struct message_entry) without_headers; /* → string_match */
	LIST_OF(struct message_entry) query_params;    /* → string_match */
	int64_t port;                                  /* 0: any */
	bool ignore_uri_case;
	struct labels source_labels;
	struct slice source_namespace;
	LIST_OF(struct slice) gateways; /* instead of the resource's */
	struct slice stat_prefix;
};

struct http_destination {
	struct message_head head;
	const struct destination_spec *destination;
	int64_t weight;
	const struct headers_spec *headers;
};

enum derived_port { PORT_OF_PROTOCOL, PORT_OF_REQUEST };

struct http_redirect {
	struct message_head head;
	struct slice uri; /* the whole path */
	struct slice prefix_rewrite;
	struct slice authority;
	int64_t port;
	int derive_port; /* enum derived_port */
	struct slice scheme;
	int64_t code;
};

struct http_body {
	struct message_head head;
	struct slice text;
	struct slice bytes; /* base64 */
};

struct http_direct_response {
	struct message_head head;
	int64_t status;
	const struct http_body *body;
};

struct delegate_spec {
	struct message_head head;
	struct slice name;
	struct slice ns; /* the root's if empty */
};

struct regex_rewrite {
	struct message_head head;
	struct slice match;
	struct slice rewrite; /* with \1 for groups */
};

struct http_rewrite {
	struct message_head head;
	struct slice uri;
	struct slice authority;
	const struct regex_rewrite *uri_regex;
};

struct http_retry {
	struct message_head head;
	int64_t attempts;
	uint64_t per_try_timeout;
	struct slice retry_on;
	bool remote_localities;
	bool ignore_previous_hosts;
	uint64_t backoff;
};

struct fault_delay {
	struct message_head head;
	uint64_t fixed_delay;
	uint64_t exponential_delay;       /* refused, as upstream does */
	const struct percent *percentage; /* NULL: 0 % */
	int64_t percent;                  /* the older form */
};

struct fault_abort {
	struct message_head head;
	int64_t http_status;
	struct slice grpc_status;
	struct slice http2_error;         /* refused, as upstream does */
	const struct percent *percentage; /* NULL: 0 % */
};

struct http_fault {
	struct message_head head;
	const struct fault_delay *delay;
	const struct fault_abort *abort;
};

struct mirror_policy {
	struct message_head head;
	const struct destination_spec *destination;
	const struct percent *percentage; /* NULL: 100 % */
};

enum preflight { PREFLIGHT_UNSPECIFIED, PREFLIGHT_FORWARD, PREFLIGHT_IGNORE };

struct cors_policy {
	struct message_head head;
	LIST_OF(struct string_match) allow_origins;
	LIST_OF(struct slice) allow_origin; /* the older form */
	LIST_OF(struct slice) allow_methods;
	LIST_OF(struct slice) allow_headers;
	LIST_OF(struct slice) expose_headers;
	uint64_t max_age;
	bool allow_credentials;
	int unmatched_preflights; /* enum preflight */
};

/* One action of route, redirect, direct response and delegate. */
struct http_route {
	struct message_head head;
	struct slice name;
	LIST_OF(struct http_match) match;
	LIST_OF(struct http_destination) route;
	const struct http_redirect *redirect;
	const struct http_direct_response *direct_response;
	const struct delegate_spec *delegate;
	const struct http_rewrite *rewrite;
	uint64_t timeout;
	const struct http_retry *retries;
	const struct http_fault *fault;
	const struct destination_spec *mirror;
	LIST_OF(struct mirror_policy) mirrors;
	int64_t mirror_percent;                  /* the oldest form */
	const struct percent *mirror_percentage; /* of `mirror` */
	const struct cors_policy *cors_policy;
	const struct headers_spec *headers;
};

extern const struct message http_route_message;
extern const struct message http_match_message;
extern const struct message string_match_message;
extern const struct message http_retry_message;

/* True if the value has operators such as %REQ(x)% and is no plain text. */
bool header_value_is_computed(struct slice value);

/* --- connections ---------------------------------------------------------- */

struct tcp_match {
	struct message_head head;
	LIST_OF(struct slice) destination_subnets;
	int64_t port; /* 0: any */
	struct slice source_subnet;
	struct labels source_labels;
	LIST_OF(struct slice) gateways;
	struct slice source_namespace;
};

struct tcp_destination {
	struct message_head head;
	const struct destination_spec *destination;
	int64_t weight;
};

struct tcp_route {
	struct message_head head;
	LIST_OF(struct tcp_match) match;
	LIST_OF(struct tcp_destination) route;
};

struct tls_match {
	struct message_head head;
	LIST_OF(struct slice) sni_hosts;
	LIST_OF(struct slice) destination_subnets;
	int64_t port; /* 0: any */
	struct labels source_labels;
	LIST_OF(struct slice) gateways;
	struct slice source_namespace;
};

struct tls_route {
	struct message_head head;
	LIST_OF(struct tls_match) match;
	LIST_OF(struct tcp_destination) route;
};

/* --- the whole ------------------------------------------------------------ */

struct virtual_service {
	struct message_head head;
	LIST_OF(struct slice) hosts; /* none: a delegate */
	LIST_OF(struct slice) gateways;
	LIST_OF(struct http_route) http;
	LIST_OF(struct tls_route) tls;
	LIST_OF(struct tcp_route) tcp;
	LIST_OF(struct slice) export_to;
};

extern const struct message virtual_service_message;

/* True if `gateways`, or none, takes in the proxies inside the mesh. */
bool gateways_have_mesh(const struct slice *gateways, size_t count);

/*
 * What an entry of `gateways` names, as a VirtualService of `ns` writes it:
 * "ns/name", "name", or upstream's older "name.ns.svc…".
 */
void gateway_name_split(struct slice text, struct slice ns,
    struct slice *out_ns, struct slice *out_name);

#endif
