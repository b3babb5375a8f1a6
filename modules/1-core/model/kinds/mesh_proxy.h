/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_proxy — what MeshConfig says of every proxy: its `defaultConfig`.
 *
 * Upstream's mesh.v1alpha1.ProxyConfig, which is more than the kind of that
 * name. The numbers of enums are upstream's.
 */
#ifndef MESHD_MESH_PROXY_H
#define MESHD_MESH_PROXY_H

#include "../field.h"
#include "proxy_config.h"
#include "traffic_policy.h"
#include "workload.h"

/* --- tracing (mesh_tracing.c) --------------------------------------------- */

struct tracer_address {
	struct message_head head;
	struct slice address; /* host:port */
};

struct lightstep_tracer {
	struct message_head head;
	struct slice address;
	struct slice access_token;
};

struct stackdriver_tracer {
	struct message_head head;
	bool debug;
	int64_t max_attributes;
	int64_t max_annotations;
	int64_t max_message_events;
};

enum trace_context {
	TRACE_CONTEXT_UNSPECIFIED,
	TRACE_CONTEXT_W3C,
	TRACE_CONTEXT_GRPC_BIN,
	TRACE_CONTEXT_CLOUD,
	TRACE_CONTEXT_B3
};

struct opencensus_tracer {
	struct message_head head;
	struct slice address;
	LIST_OF(int) context; /* enum trace_context */
};

struct tag_literal {
	struct message_head head;
	struct slice value;
};

struct tag_source {
	struct message_head head;
	struct slice name;
	struct slice default_value;
};

/* One of the three. */
struct custom_tag {
	struct message_head head;
	const struct tag_literal *literal;
	const struct tag_source *environment;
	const struct tag_source *header;
};

/* One of the five tracers. */
struct mesh_tracing {
	struct message_head head;
	const struct tracer_address *zipkin;
	const struct lightstep_tracer *lightstep;
	const struct tracer_address *datadog;
	const struct stackdriver_tracer *stackdriver;
	const struct opencensus_tracer *opencensus;
	LIST_OF(struct message_entry) custom_tags; /* → custom_tag */
	int64_t max_path_tag_length;
	double sampling; /* percent */
	const struct client_tls *tls_settings;
	bool enable_istio_tags;
};

extern const struct message mesh_tracing_message;
extern const struct field_word trace_context_words[];

/* --- headers, and who is believed (mesh_headers.c) ------------------------ */

enum forward_client_cert {
	FORWARD_CERT_UNDEFINED,
	FORWARD_CERT_SANITIZE,
	FORWARD_CERT_ONLY,
	FORWARD_CERT_APPEND,
	FORWARD_CERT_SANITIZE_SET,
	FORWARD_CERT_ALWAYS
};

struct gateway_topology {
	struct message_head head;
	int64_t num_trusted_proxies;
	int forward_client_cert; /* enum forward_client_cert */
	const struct message_head *proxy_protocol; /* without a field */
};

struct header_switch { /* which of the two is the table's */
	struct message_head head;
	bool disabled;
	bool enabled;
};

struct server_header {
	struct message_head head;
	bool disabled;
	struct slice value;
};

enum metadata_exchange { METADATA_EXCHANGE_ALWAYS, METADATA_EXCHANGE_IN_MESH };

struct exchange_headers {
	struct message_head head;
	int mode; /* enum metadata_exchange */
};

struct client_cert_details {
	struct message_head head;
	bool subject;
	bool cert;
	bool chain;
	bool dns;
	bool uri;
};

struct proxy_headers {
	struct message_head head;
	int forwarded_client_cert; /* enum forward_client_cert */
	const struct client_cert_details *cert_details;
	const struct header_switch *request_id;
	const struct server_header *server;
	const struct header_switch *attempt_count;
	const struct header_switch *debug_headers;
	const struct exchange_headers *metadata_exchange;
	bool preserve_case;
	const struct header_switch *x_forwarded_host;
	const struct header_switch *x_forwarded_port;
};

extern const struct message gateway_topology_message;
extern const struct message proxy_headers_message;

/* --- limits of connections (mesh_connections.c) --------------------------- */

enum underscores {
	UNDERSCORES_UNSPECIFIED,
	UNDERSCORES_ALLOW,
	UNDERSCORES_REJECT,
	UNDERSCORES_DROP
};

enum escaped_slashes {
	ESCAPED_SLASHES_UNSPECIFIED,
	ESCAPED_SLASHES_KEEP,
	ESCAPED_SLASHES_REJECT,
	ESCAPED_SLASHES_REDIRECT,
	ESCAPED_SLASHES_FORWARD
};

struct connection_settings {
	struct message_head head;
	int profile;
	int64_t listener_buffer_bytes;
	int64_t cluster_buffer_bytes;
	uint64_t http_idle_timeout;
	uint64_t http_max_connection_duration;
	uint64_t http_drain_timeout;
	uint64_t http_request_timeout;
	uint64_t http_request_headers_timeout;
	uint64_t http_stream_idle_timeout;
	uint64_t http_max_stream_duration;
	int64_t http_max_concurrent_streams;
	int64_t http2_stream_window;
	int64_t http2_connection_window;
	int underscores; /* enum underscores */
	bool merge_slashes;
	int escaped_slashes; /* enum escaped_slashes */
	int64_t listener_connection_limit;
	int64_t downstream_connection_limit;
};

extern const struct message connection_settings_message;

/* --- the whole (mesh_proxy.c) --------------------------------------------- */

struct remote_service {
	struct message_head head;
	struct slice address; /* host:port */
	const struct client_tls *tls_settings;
	const struct tcp_keepalive *tcp_keepalive;
};

struct key_accelerator {
	struct message_head head;
	uint64_t poll_delay;
	bool fallback;
};

/* One of the two. */
struct private_key_provider {
	struct message_head head;
	const struct key_accelerator *cryptomb;
	const struct key_accelerator *qat;
};

struct stats_matcher {
	struct message_head head;
	LIST_OF(struct slice) prefixes;
	LIST_OF(struct slice) suffixes;
	LIST_OF(struct slice) regexps;
};

struct mesh_sds {
	struct message_head head;
	bool enabled;
	struct slice jwt_path;
};

enum tracing_name { NAME_APP, NAME_CANONICAL, NAME_CANONICAL_NAMESPACE };
enum interception { INTERCEPT_REDIRECT, INTERCEPT_TPROXY, INTERCEPT_NONE };

enum control_auth {
	CONTROL_AUTH_NONE,
	CONTROL_AUTH_MUTUAL_TLS,
	CONTROL_AUTH_INHERIT = 1000
};

struct mesh_proxy {
	struct message_head head;
	struct slice config_path;
	struct slice binary_path;
	struct slice service_cluster;
	int tracing_service_name; /* enum tracing_name */
	uint64_t drain_duration;
	struct slice discovery_address;
	uint64_t discovery_refresh_delay;
	struct slice zipkin_address;
	struct slice statsd_address;
	struct slice metrics_address;
	int64_t admin_port;
	struct slice availability_zone;
	int control_plane_auth; /* enum control_auth */
	struct slice custom_config_file;
	int64_t stat_name_length;
	int64_t concurrency; /* workers; present and 0: as many as cores */
	struct slice bootstrap_template;
	int interception_mode; /* enum interception */
	const struct mesh_tracing *tracing;
	const struct mesh_sds *sds;
	const struct remote_service *access_log_service;
	const struct remote_service *metrics_service;
	struct labels metadata;
	struct labels runtime_values;
	int64_t status_port;
	LIST_OF(struct slice) extra_stat_tags;
	const struct gateway_topology *topology;
	uint64_t termination_drain_duration;
	struct slice mesh_id;
	const struct readiness_probe *readiness_probe;
	const struct stats_matcher *stats_matcher;
	bool hold_application;
	LIST_OF(struct slice) ca_certificates_pem;
	const struct proxy_image *image;
	const struct private_key_provider *key_provider;
	const struct proxy_headers *headers;
	uint64_t file_flush_interval;
	int64_t file_flush_min_kb;
	bool stats_compression;
	const struct connection_settings *connections;
};

extern const struct message mesh_proxy_message;

#endif
