/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds — the decoded specs of the kinds that the mesh acts on.
 *
 * Plain structs, filled by the tables in kinds/; the semantics of the fields
 * are Istio's (networking.istio.io/v1). Durations are µs.
 */
#ifndef MESHD_KINDS_H
#define MESHD_KINDS_H

#include "field.h"
#include "kinds/extension.h"
#include "kinds/proxy_config.h"
#include "kinds/security.h"
#include "kinds/selector.h"

/* --- core Service --------------------------------------------------------- */

struct service_port {
	struct message_head head;
	struct slice name;
	int protocol; /* only TCP is built */
	struct slice app_protocol;
	int64_t port;
	struct int_or_string target_port; /* present only if it was written */
};

struct service_spec {
	struct message_head head;
	struct labels selector;
	LIST_OF(struct service_port) ports;
	int type;
};

extern const struct message service_message;

/* True if targetPort was written; it may name a port of the workload. */
bool service_port_has_target(const struct service_port *p);

/* --- VirtualService ------------------------------------------------------- */

/* One of the three; none is the test for presence. */
struct string_match {
	struct message_head head;
	struct slice exact;
	struct slice prefix;
};

struct http_match {
	struct message_head head;
	struct slice name;
	const struct string_match *uri;
	const struct string_match *scheme;
	const struct string_match *method;
	const struct string_match *authority;
	LIST_OF(struct message_entry) headers; /* → struct string_match */
	int64_t port;                          /* 0: any */
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

struct http_destination {
	struct message_head head;
	const struct destination_spec *destination;
	int64_t weight;
	const struct headers_spec *headers;
};

struct http_rewrite {
	struct message_head head;
	struct slice uri;
	struct slice authority;
};

struct http_retry {
	struct message_head head;
	int64_t attempts;
	uint64_t per_try_timeout;
	struct slice retry_on;
};

struct http_route {
	struct message_head head;
	struct slice name;
	LIST_OF(struct http_match) match;
	LIST_OF(struct http_destination) route;
	const struct http_rewrite *rewrite;
	uint64_t timeout;
	const struct http_retry *retries;
	const struct headers_spec *headers;
};

struct tcp_match {
	struct message_head head;
	int64_t port; /* 0: any */
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

struct virtual_service {
	struct message_head head;
	LIST_OF(struct slice) hosts;
	LIST_OF(struct slice) gateways;
	LIST_OF(struct http_route) http;
	LIST_OF(struct tcp_route) tcp;
	LIST_OF(struct slice) export_to;
};

extern const struct message virtual_service_message;

/* --- DestinationRule ------------------------------------------------------ */

enum balancer {
	BALANCER_UNSPECIFIED,
	BALANCER_LEAST_REQUEST,
	BALANCER_ROUND_ROBIN,
	BALANCER_RANDOM,
	BALANCER_LEAST_CONN, /* deprecated name of LEAST_REQUEST */
	BALANCER_PASSTHROUGH
};

struct load_balancer {
	struct message_head head;
	int simple; /* enum balancer */
};

struct traffic_policy {
	struct message_head head;
	const struct load_balancer *load_balancer;
};

struct subset_spec {
	struct message_head head;
	struct slice name;
	struct labels labels;
	const struct traffic_policy *traffic_policy;
};

struct destination_rule {
	struct message_head head;
	struct slice host;
	const struct traffic_policy *traffic_policy;
	LIST_OF(struct subset_spec) subsets;
	LIST_OF(struct slice) export_to;
};

extern const struct message destination_rule_message;

#endif
