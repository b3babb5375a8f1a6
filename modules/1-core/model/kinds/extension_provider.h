/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extension_provider — what MeshConfig names for others to refer to: who
 * authorizes, who takes traces, who takes logs.
 */
#ifndef MESHD_EXTENSION_PROVIDER_H
#define MESHD_EXTENSION_PROVIDER_H

#include "../field.h"

/* A service and its port begin most of them. */
struct provider_service {
	struct slice name; /* "ns/host", a host or an address */
	int64_t port;
};

/* One of the last two. */
struct provider_header {
	struct message_head head;
	struct slice name;
	struct slice value;
	struct slice env_name;
};

struct provider_http {
	struct message_head head;
	struct slice path;
	uint64_t timeout;
	LIST_OF(struct provider_header) headers;
};

struct provider_grpc {
	struct message_head head;
	uint64_t timeout;
	LIST_OF(struct provider_header) initial_metadata;
};

/* One of the first two; upstream does not hold them to be a oneof everywhere.
 */
struct provider_log_format {
	struct message_head head;
	struct slice text;
	const struct value *labels;
};

/* --- who authorizes (provider_authz.c) ------------------------------------ */

struct authz_body {
	struct message_head head;
	int64_t max_request_bytes;
	bool allow_partial;
	bool pack_as_bytes;
};

struct ext_authz {
	struct message_head head;
	struct provider_service service;
	uint64_t timeout;
	bool fail_open;
	bool clear_route_cache;
	struct slice status_on_error;
	const struct authz_body *body;
	/* Of HTTP only: */
	struct slice path_prefix;
	LIST_OF(struct slice) headers_in_check; /* the older form of the next */
	LIST_OF(struct slice) request_headers_in_check;
	struct labels additional_headers_in_check;
	LIST_OF(struct slice) to_upstream_on_allow;
	LIST_OF(struct slice) to_downstream_on_deny;
	LIST_OF(struct slice) to_downstream_on_allow;
};

/* --- who takes traces (provider_tracing.c) -------------------------------- */

struct zipkin_provider {
	struct message_head head;
	struct provider_service service;
	int64_t max_tag_length;
	bool trace_id_64bit;
	struct slice path;
	int trace_context;
	uint64_t timeout;
	LIST_OF(struct provider_header) headers;
};

struct lightstep_provider {
	struct message_head head;
	struct provider_service service;
	struct slice access_token;
	int64_t max_tag_length;
};

struct datadog_provider {
	struct message_head head;
	struct provider_service service;
	int64_t max_tag_length;
};

struct skywalking_provider {
	struct message_head head;
	struct provider_service service;
	struct slice access_token;
};

struct stackdriver_logging {
	struct message_head head;
	struct labels labels;
};

struct stackdriver_provider {
	struct message_head head;
	bool debug;
	int64_t max_attributes;
	int64_t max_annotations;
	int64_t max_message_events;
	int64_t max_tag_length;
	const struct stackdriver_logging *logging;
};

struct opencensus_provider {
	struct message_head head;
	struct provider_service service;
	LIST_OF(int) context; /* enum trace_context of mesh_proxy.h */
	int64_t max_tag_length;
};

struct resource_detectors {
	struct message_head head;
	const struct message_head *environment; /* without a field */
	const struct message_head *dynatrace;
};

struct dynatrace_api {
	struct message_head head;
	struct provider_service service;
	const struct provider_http *http;
};

struct dynatrace_sampler {
	struct message_head head;
	struct slice tenant;
	int64_t cluster_id;
	int64_t root_spans_per_minute;
	const struct dynatrace_api *http_service;
};

struct otel_provider {
	struct message_head head;
	struct provider_service service;
	int64_t max_tag_length;
	const struct provider_http *http; /* or grpc */
	const struct provider_grpc *grpc;
	const struct resource_detectors *resource_detectors;
	int service_attribute_enrichment;
	const struct dynatrace_sampler *dynatrace_sampler;
};

/* --- who takes logs, and the rest (provider_logs.c) ----------------------- */

struct file_log_provider {
	struct message_head head;
	struct slice path;
	const struct provider_log_format *log_format;
	bool omit_empty_values;
};

struct grpc_log_provider { /* of requests or of connections */
	struct message_head head;
	struct provider_service service;
	struct slice log_name;
	LIST_OF(struct slice) filter_state;
	LIST_OF(struct slice) request_headers;
	LIST_OF(struct slice) response_headers;
	LIST_OF(struct slice) response_trailers;
};

struct otel_log_provider {
	struct message_head head;
	struct provider_service service;
	struct slice log_name;
	const struct provider_log_format *log_format;
};

struct sds_provider {
	struct message_head head;
	struct slice name;
	struct provider_service service;
};

/* --- one of them (extension_provider.c) ----------------------------------- */

struct extension_provider {
	struct message_head head;
	struct slice name;
	const struct ext_authz *authz_http;
	const struct ext_authz *authz_grpc;
	const struct zipkin_provider *zipkin;
	const struct lightstep_provider *lightstep;
	const struct datadog_provider *datadog;
	const struct stackdriver_provider *stackdriver;
	const struct opencensus_provider *opencensus;
	const struct skywalking_provider *skywalking;
	const struct otel_provider *opentelemetry;
	const struct message_head *prometheus; /* without a field */
	const struct file_log_provider *file_access_log;
	const struct grpc_log_provider *http_als;
	const struct grpc_log_provider *tcp_als;
	const struct otel_log_provider *otel_als;
	const struct sds_provider *sds;
};

extern const struct message extension_provider_message;

#endif
