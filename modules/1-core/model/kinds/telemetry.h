/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry — Telemetry (telemetry.istio.io/v1).
 */
#ifndef MESHD_KIND_TELEMETRY_H
#define MESHD_KIND_TELEMETRY_H

#include "../field.h"
#include "selector.h"

enum telemetry_mode {
	TELEMETRY_CLIENT_AND_SERVER,
	TELEMETRY_CLIENT, /* what the workload sends; gateways */
	TELEMETRY_SERVER
};

struct telemetry_provider {
	struct message_head head;
	struct slice name;
};

/* --- tracing -------------------------------------------------------------- */

struct telemetry_tag_text {
	struct message_head head;
	struct slice value;
};

struct telemetry_tag_named {
	struct message_head head;
	struct slice name;
	struct slice default_value;
};

/* One of the four. */
struct telemetry_tag {
	struct message_head head;
	const struct telemetry_tag_text *literal;
	const struct telemetry_tag_named *environment;
	const struct telemetry_tag_named *header;
	const struct telemetry_tag_text *formatter;
};

struct telemetry_match {
	struct message_head head;
	int mode; /* enum telemetry_mode */
};

struct telemetry_tracing {
	struct message_head head;
	const struct telemetry_match *match;
	LIST_OF(struct telemetry_provider) providers;
	double random_sampling_percentage;
	bool disable_span_reporting;
	LIST_OF(struct message_entry) custom_tags; /* → struct telemetry_tag */
	bool use_request_id_for_trace_sampling;
	bool enable_istio_tags;
	bool disable_context_propagation;
};

/* --- metrics -------------------------------------------------------------- */

enum telemetry_metric {
	TELEMETRY_ALL_METRICS,
	TELEMETRY_REQUEST_COUNT,
	TELEMETRY_REQUEST_DURATION,
	TELEMETRY_REQUEST_SIZE,
	TELEMETRY_RESPONSE_SIZE,
	TELEMETRY_TCP_OPENED_CONNECTIONS,
	TELEMETRY_TCP_CLOSED_CONNECTIONS,
	TELEMETRY_TCP_SENT_BYTES,
	TELEMETRY_TCP_RECEIVED_BYTES,
	TELEMETRY_GRPC_REQUEST_MESSAGES,
	TELEMETRY_GRPC_RESPONSE_MESSAGES
};

struct telemetry_metric_match {
	struct message_head head;
	int metric; /* enum telemetry_metric, unless there is a name */
	struct slice custom_metric;
	int mode;
};

enum telemetry_operation { TELEMETRY_UPSERT, TELEMETRY_REMOVE };

struct telemetry_tag_override {
	struct message_head head;
	int operation;      /* enum telemetry_operation */
	struct slice value; /* CEL */
};

struct telemetry_override {
	struct message_head head;
	const struct telemetry_metric_match *match;
	bool disabled;
	/* → struct telemetry_tag_override */
	LIST_OF(struct message_entry) tag_overrides;
};

struct telemetry_metrics {
	struct message_head head;
	LIST_OF(struct telemetry_provider) providers;
	LIST_OF(struct telemetry_override) overrides;
	struct slice reporting_interval; /* a duration; of any sign */
};

/* --- access log ----------------------------------------------------------- */

struct telemetry_filter {
	struct message_head head;
	struct slice expression; /* CEL */
};

struct telemetry_logging {
	struct message_head head;
	const struct telemetry_match *match;
	LIST_OF(struct telemetry_provider) providers;
	bool disabled;
	const struct telemetry_filter *filter;
};

struct telemetry_spec {
	struct message_head head;
	struct policy_scope scope;
	LIST_OF(struct telemetry_tracing) tracing;
	LIST_OF(struct telemetry_metrics) metrics;
	LIST_OF(struct telemetry_logging) access_logging;
};

extern const struct message telemetry_message;
extern const struct message telemetry_tracing_message;
extern const struct message telemetry_metrics_message;
extern const struct message telemetry_override_message;

#endif
