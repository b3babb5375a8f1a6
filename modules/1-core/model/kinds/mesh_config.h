/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_config — MeshConfig (meshd.dev/v1): what holds for the whole mesh.
 *
 * The fields are upstream's mesh.v1alpha1.MeshConfig, which it writes as a
 * plain document; resource_unfold() makes one of these of it. There is one, of
 * the name `default`. The numbers of enums are upstream's.
 */
#ifndef MESHD_MESH_CONFIG_H
#define MESHD_MESH_CONFIG_H

#include "../field.h"
#include "extension_provider.h"
#include "mesh_proxy.h"
#include "traffic_policy.h"

struct http_retry;

/* --- which namespaces and services (mesh_scope.c) ------------------------- */

struct label_requirement {
	struct message_head head;
	struct slice key;
	struct slice op; /* In, NotIn, Exists, DoesNotExist */
	LIST_OF(struct slice) values;
};

/* All of both have to hold. */
struct label_selector {
	struct message_head head;
	struct labels match_labels;
	LIST_OF(struct label_requirement) match_expressions;
};

enum service_scope { SERVICE_SCOPE_LOCAL, SERVICE_SCOPE_GLOBAL };

struct service_scope_config {
	struct message_head head;
	const struct label_selector *namespaces;
	const struct label_selector *services;
	int scope; /* enum service_scope */
};

struct service_settings_values {
	struct message_head head;
	bool cluster_local;
};

struct service_settings {
	struct message_head head;
	const struct service_settings_values *settings;
	LIST_OF(struct slice) hosts;
};

enum entry_visibility {
	VISIBILITY_UNSPECIFIED,
	VISIBILITY_NONE,
	VISIBILITY_NAMESPACE,
	VISIBILITY_PUBLIC
};

struct visibility_match {
	struct message_head head;
	const struct label_selector *namespaces;
};

struct visibility_policy {
	struct message_head head;
	int visibility; /* enum entry_visibility */
	LIST_OF(struct visibility_match) matching_rules;
};

struct service_entry_visibility {
	struct message_head head;
	int default_visibility; /* enum entry_visibility */
	bool apply_to_sidecars;
	LIST_OF(struct visibility_policy) policies;
};

extern const struct message label_selector_message;
extern const struct message service_scope_config_message;
extern const struct message service_settings_message;
extern const struct message service_entry_visibility_message;

/* --- trust (mesh_trust.c) ------------------------------------------------- */

/* One of the first two. */
struct ca_certificate {
	struct message_head head;
	struct slice pem;
	struct slice spiffe_bundle_url;
	LIST_OF(struct slice) cert_signers;
	LIST_OF(struct slice) trust_domains;
};

struct mesh_certificate {
	struct message_head head;
	struct slice secret_name;
	LIST_OF(struct slice) dns_names;
};

struct mesh_ca {
	struct message_head head;
	struct slice address;
	const struct client_tls *tls_settings;
	uint64_t request_timeout;
	bool istiod_side;
};

enum mesh_tls_version { MESH_TLS_AUTO, MESH_TLS_1_2, MESH_TLS_1_3 };

struct mesh_tls {
	struct message_head head;
	int min_protocol_version; /* enum mesh_tls_version */
	LIST_OF(struct slice) ecdh_curves;
	LIST_OF(struct slice) cipher_suites;
};

struct config_source {
	struct message_head head;
	struct slice address;
	const struct client_tls *tls_settings;
	LIST_OF(int) subscribed_resources;
};

extern const struct message ca_certificate_message;
extern const struct message mesh_certificate_message;
extern const struct message mesh_ca_message;
extern const struct message mesh_mtls_message;    /* between workloads */
extern const struct message tls_defaults_message; /* with the world */
extern const struct message config_source_message;

/* "mesh.internal"; a row's check. */
void check_trust_domain(struct check *c, const void *slice);

/* --- the whole (mesh_config.c) -------------------------------------------- */

enum ingress_mode {
	INGRESS_UNSPECIFIED,
	INGRESS_OFF,
	INGRESS_DEFAULT,
	INGRESS_STRICT
};

enum log_encoding { LOG_ENCODING_TEXT, LOG_ENCODING_JSON };

enum mesh_outbound {
	MESH_OUTBOUND_REGISTRY_ONLY,
	MESH_OUTBOUND_ALLOW_ANY,
	MESH_OUTBOUND_DYNAMIC_DNS = 3
};

struct mesh_outbound_policy {
	struct message_head head;
	int mode; /* enum mesh_outbound */
	const struct client_tls *tls;
};

enum mesh_inbound { MESH_INBOUND_PASSTHROUGH, MESH_INBOUND_LOCALHOST };

struct mesh_inbound_policy {
	struct message_head head;
	int mode; /* enum mesh_inbound */
};

enum path_normalization {
	NORMALIZE_DEFAULT,
	NORMALIZE_NONE,
	NORMALIZE_BASE,
	NORMALIZE_MERGE_SLASHES,
	NORMALIZE_DECODE_AND_MERGE
};

const char *path_normalization_name(enum path_normalization n);

struct mesh_normalization {
	struct message_head head;
	int normalization; /* enum path_normalization */
};

struct default_providers {
	struct message_head head;
	LIST_OF(struct slice) tracing;
	LIST_OF(struct slice) metrics;
	LIST_OF(struct slice) access_logging;
};

struct default_traffic_policy {
	struct message_head head;
	const struct connection_pool *connection_pool;
	const struct outlier_detection *outlier_detection;
};

/* Where no MeshConfig says another one. */
#define MESH_ROOT_NAMESPACE "istio-system"

struct mesh_config {
	struct message_head head;
	int64_t proxy_listen_port;
	int64_t proxy_inbound_listen_port;
	int64_t proxy_http_port;
	uint64_t connect_timeout;
	uint64_t hbone_idle_timeout;
	uint64_t protocol_detection_timeout; /* 0: as long as it takes */
	const struct tcp_keepalive *tcp_keepalive;
	struct slice ingress_class;
	struct slice ingress_service;
	int ingress_controller_mode; /* enum ingress_mode */
	struct slice ingress_selector;
	bool enable_tracing;
	struct slice access_log_file;
	struct slice access_log_format;
	int access_log_encoding; /* enum log_encoding */
	bool enable_access_log_service;
	bool disable_listener_log;
	const struct mesh_proxy *default_config;
	const struct mesh_outbound_policy *outbound;
	const struct mesh_inbound_policy *inbound;
	LIST_OF(struct config_source) config_sources;
	bool enable_auto_mtls;
	struct slice trust_domain;
	LIST_OF(struct slice) trust_domain_aliases;
	LIST_OF(struct ca_certificate) ca_certificates;
	LIST_OF(struct slice) service_export_to;
	LIST_OF(struct slice) virtual_service_export_to;
	LIST_OF(struct slice) destination_rule_export_to;
	struct slice root_namespace;
	const struct locality_balancer *locality;
	const struct zone_balancer *zone;
	uint64_t dns_refresh_rate;
	int h2_upgrade; /* 1: HTTP/1.1 becomes HTTP/2 */
	struct slice inbound_stat_name;
	struct slice outbound_stat_name;
	LIST_OF(struct mesh_certificate) certificates;
	LIST_OF(struct service_settings) service_settings;
	LIST_OF(struct service_scope_config) service_scopes;
	bool enable_prometheus_merge;
	bool verify_certificate_at_client;
	const struct mesh_ca *ca;
	LIST_OF(struct extension_provider) providers;
	const struct default_providers *default_providers;
	LIST_OF(struct label_selector) discovery_selectors;
	const struct mesh_normalization *path_normalization;
	const struct http_retry *http_retry;
	const struct http_retry *inbound_http_retry;
	const struct mesh_tls *mesh_mtls;
	const struct mesh_tls *tls_defaults;
	const struct default_traffic_policy *traffic_policy;
	const struct service_entry_visibility *entry_visibility;
};

extern const struct message mesh_config_message;

#endif
