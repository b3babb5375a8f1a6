/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination_rule — the decoded spec of DestinationRule.
 */
#ifndef MESHD_DESTINATION_RULE_H
#define MESHD_DESTINATION_RULE_H

#include "selector.h"
#include "traffic_policy.h"

/* Replaces the destination's own settings, wholly; see traffic_policy. */
struct port_policy {
	struct message_head head;
	const struct policy_port *port;
	const struct load_balancer *load_balancer;
	const struct connection_pool *connection_pool;
	const struct outlier_detection *outlier_detection;
	const struct client_tls *tls;
};

struct policy_port {
	struct message_head head;
	int64_t number;
};

struct tunnel_settings {
	struct message_head head;
	struct slice protocol; /* "CONNECT" or "POST" */
	struct slice target_host;
	int64_t target_port;
};

enum proxy_protocol_version { PROXY_PROTOCOL_V1, PROXY_PROTOCOL_V2 };

struct proxy_protocol {
	struct message_head head;
	int version; /* enum proxy_protocol_version */
};

struct retry_budget {
	struct message_head head;
	double percent;
	int64_t min_retry_concurrency;
	uint64_t budget_interval;
};

struct traffic_policy {
	struct message_head head;
	const struct load_balancer *load_balancer;
	const struct connection_pool *connection_pool;
	const struct outlier_detection *outlier_detection;
	const struct client_tls *tls;
	LIST_OF(struct port_policy) port_level;
	const struct tunnel_settings *tunnel;
	const struct proxy_protocol *proxy_protocol;
	const struct retry_budget *retry_budget;
};

struct subset_spec {
	struct message_head head;
	struct slice name;
	struct labels labels;
	const struct traffic_policy *traffic_policy; /* over the rule's own */
};

struct destination_rule {
	struct message_head head;
	struct slice host;
	const struct traffic_policy *traffic_policy;
	LIST_OF(struct subset_spec) subsets;
	LIST_OF(struct slice) export_to;
	const struct policy_selector *workload_selector; /* of the callers */
};

extern const struct message destination_rule_message;

#endif
