/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_proxy — MeshConfig's defaultConfig.
 */
#include "mesh_proxy.h"
#include "addresses.h"
#include "rows.h"
#include "validate.h"

/* --- small messages ------------------------------------------------------- */

static void
check_given_address(struct check *c, const void *value)
{
	if (((const struct slice *)value)->len > 0)
		check_host_port(c, value);
}

static const struct field remote_service_fields[] = {
    ROW(remote_service, "address", address, FIELD_STRING,
	.check = check_given_address, .doc = "HOST:PORT of the service."),
    ROW_OF(remote_service, "tlsSettings", tls_settings, client_tls,
	.doc = "How the connection is secured."),
    ROW_OF(remote_service, "tcpKeepalive", tcp_keepalive, tcp_keepalive,
	.doc = "The kernel's probes while it is silent."),
};

static const struct message remote_service_message =
    MESSAGE(remote_service, "RemoteService", remote_service_fields,
	.doc = "A service that proxies send to.");

static void
check_poll_delay(struct check *c, const void *value)
{
	if (*(const uint64_t *)value == 0)
		check_error(c, ERR_INVALID, "pollDelay must be non zero");
}

static const struct field accelerator_fields[] = {
    ROW(key_accelerator, "pollDelay", poll_delay, FIELD_DURATION,
	.flags = FIELD_REQUIRED, .check = check_poll_delay,
	.doc = "How long operations are gathered before they are run."),
    ROW(key_accelerator, "fallback", fallback, FIELD_BOOL, .otherwise = "false",
	.doc = "Does without it where the processor has it not."),
};

static const struct message cryptomb_message =
    MESSAGE(key_accelerator, "CryptoMb", accelerator_fields,
	.doc = "Intel's instructions for several operations at once.");
static const struct message qat_message = MESSAGE(
    key_accelerator, "QAT", accelerator_fields, .doc = "Intel's QuickAssist.");

enum { ONEOF_KEY_PROVIDER = 1 };

static void
check_key_provider(struct check *c, const void *message)
{
	const struct private_key_provider *p = message;

	if (p->cryptomb == NULL && p->qat == NULL)
		check_error(c, ERR_INVALID,
		    "private key provider configuration is required: cryptomb "
		    "or qat");
}

static const struct field key_provider_fields[] = {
    ROW_OF(private_key_provider, "cryptomb", cryptomb, cryptomb,
	.oneof = ONEOF_KEY_PROVIDER, .doc = "Intel's CryptoMB."),
    ROW_OF(private_key_provider, "qat", qat, qat, .oneof = ONEOF_KEY_PROVIDER,
	.doc = "Intel's QuickAssist."),
};

static const struct message key_provider_message = MESSAGE(private_key_provider,
    "PrivateKeyProvider", key_provider_fields, .check = check_key_provider,
    .doc = "What computes with private keys instead of the processor.");

static const struct field stats_matcher_fields[] = {
    ROW(stats_matcher, "inclusionPrefixes", prefixes, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "Beginnings of names that are kept."),
    ROW(stats_matcher, "inclusionSuffixes", suffixes, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "Ends of names that are kept."),
    ROW(stats_matcher, "inclusionRegexps", regexps, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Regular expressions of names that are kept."),
};

static const struct message stats_matcher_message =
    MESSAGE(stats_matcher, "ProxyStatsMatcher", stats_matcher_fields,
	.doc = "Further statistics that are kept.");

static const struct field sds_fields[] = {
    ROW(mesh_sds, "enabled", enabled, FIELD_BOOL, .otherwise = "false",
	.doc = "No longer used upstream."),
    ROW(mesh_sds, "k8sSaJwtPath", jwt_path, FIELD_STRING,
	.doc = "No longer used upstream."),
};

static const struct message mesh_sds_message =
    MESSAGE(mesh_sds, "SDS", sds_fields, .doc = "No longer used upstream.");

/* --- the whole ------------------------------------------------------------ */

static void
check_drain(struct check *c, const void *us)
{
	enum { SECOND_US = 1000000 };
	uint64_t d = *(const uint64_t *)us;

	check_duration(c, us);
	if (d % SECOND_US != 0)
		check_error(c, ERR_INVALID,
		    "drain time only supports durations to seconds precision");
}

static void
check_mesh_proxy(struct check *c, const void *message)
{
	const struct mesh_proxy *p = message;
	struct check auth = check_member(c, "controlPlaneAuthPolicy");
	struct check metadata = check_member(c, "proxyMetadata");
	struct slice name = S("ISTIO_META_DNS_AUTO_ALLOCATE");
	struct check at = check_entry(&metadata, name);

	if (p->control_plane_auth != CONTROL_AUTH_NONE &&
	    p->control_plane_auth != CONTROL_AUTH_MUTUAL_TLS)
		check_error(&auth, ERR_INVALID,
		    "unrecognized control plane auth policy: it is NONE or "
		    "MUTUAL_TLS");
	if (labels_get(&p->metadata, name).ptr != NULL)
		check_warning(&at,
		    "'ISTIO_META_DNS_AUTO_ALLOCATE' is deprecated; addresses "
		    "are given out without it");
}

static const struct field_word tracing_name_words[] = {
    {"APP_LABEL_AND_NAMESPACE", NAME_APP, 0},
    {"CANONICAL_NAME_ONLY", NAME_CANONICAL, 0},
    {"CANONICAL_NAME_AND_NAMESPACE", NAME_CANONICAL_NAMESPACE, 0},
    {NULL, 0, 0},
};

static const struct field_word auth_words[] = {
    {"NONE", CONTROL_AUTH_NONE, 0},
    {"MUTUAL_TLS", CONTROL_AUTH_MUTUAL_TLS, 0},
    {"INHERIT", CONTROL_AUTH_INHERIT, 0},
    {NULL, 0, 0},
};

static const struct field_word interception_words[] = {
    {"REDIRECT", INTERCEPT_REDIRECT, 0},
    {"TPROXY", INTERCEPT_TPROXY, 0},
    {"NONE", INTERCEPT_NONE, 0},
    {NULL, 0, 0},
};

enum { ONEOF_CLUSTER_NAME = 1 };

static const struct field mesh_proxy_fields[] = {
    ROW(mesh_proxy, "configPath", config_path, FIELD_STRING,
	.flags = FIELD_NON_EMPTY | FIELD_INERT,
	.otherwise = "./etc/istio/proxy",
	.doc = "Folder of Envoy's configuration."),
    ROW(mesh_proxy, "binaryPath", binary_path, FIELD_STRING,
	.flags = FIELD_NON_EMPTY | FIELD_INERT,
	.otherwise = "/usr/local/bin/envoy", .doc = "Envoy's program."),
    ROW(mesh_proxy, "serviceCluster", service_cluster, FIELD_STRING,
	.flags = FIELD_NON_EMPTY | FIELD_INERT, .oneof = ONEOF_CLUSTER_NAME,
	.otherwise = "istio-proxy", .doc = "What proxies call themselves."),
    ROW(mesh_proxy, "tracingServiceName", tracing_service_name, FIELD_ENUM,
	.words = tracing_name_words, .oneof = ONEOF_CLUSTER_NAME,
	.flags = FIELD_INERT,
	.doc = "Which of a workload's names traces have."),
    ROW(mesh_proxy, "drainDuration", drain_duration, FIELD_DURATION,
	.check = check_drain, .otherwise = "45s", .flags = FIELD_INERT,
	.doc = "How long connections are let end when listeners change."),
    ROW(mesh_proxy, "discoveryAddress", discovery_address, FIELD_STRING,
	.flags = FIELD_NON_EMPTY | FIELD_INERT, .check = check_given_address,
	.otherwise = "istiod.istio-system.svc:15012",
	.doc = "HOST:PORT of the control plane; here it is in the token."),
    ROW(mesh_proxy, "discoveryRefreshDelay", discovery_refresh_delay,
	FIELD_DURATION, .flags = FIELD_INERT,
	.doc = "No longer used upstream."),
    ROW(mesh_proxy, "zipkinAddress", zipkin_address, FIELD_STRING,
	.flags = FIELD_INERT,
	.doc = "The older form of tracing.zipkin.address."),
    ROW(mesh_proxy, "statsdUdpAddress", statsd_address, FIELD_STRING,
	.check = check_given_address, .flags = FIELD_INERT,
	.doc = "HOST:PORT that takes statsd."),
    ROW(mesh_proxy, "envoyMetricsServiceAddress", metrics_address, FIELD_STRING,
	.check = check_given_address, .flags = FIELD_INERT,
	.doc = "The older form of envoyMetricsService.address."),
    ROW(mesh_proxy, "proxyAdminPort", admin_port, FIELD_INT, .min = 1,
	.max = 65535, .otherwise = "15000", .flags = FIELD_INERT,
	.doc = "Port of the admin page."),
    ROW(mesh_proxy, "availabilityZone", availability_zone, FIELD_STRING,
	.flags = FIELD_INERT, .doc = "No longer used upstream."),
    ROW(mesh_proxy, "controlPlaneAuthPolicy", control_plane_auth, FIELD_ENUM,
	.words = auth_words, .otherwise = "MUTUAL_TLS", .flags = FIELD_INERT,
	.doc = "How the control plane is reached; here always by mutual "
	       "TLS."),
    ROW(mesh_proxy, "customConfigFile", custom_config_file, FIELD_STRING,
	.flags = FIELD_INERT,
	.doc = "A file of Envoy's configuration instead of the control "
	       "plane's."),
    ROW(mesh_proxy, "statNameLength", stat_name_length, FIELD_INT,
	.min = INT32_MIN, .max = INT32_MAX, .otherwise = "189",
	.flags = FIELD_INERT, .doc = "Longest name of a statistic."),
    ROW(mesh_proxy, "concurrency", concurrency, FIELD_INT, .min = INT32_MIN,
	.max = INT32_MAX, .flags = FIELD_INERT,
	.doc = "Worker threads; 0: as many as there are cores."),
    ROW(mesh_proxy, "proxyBootstrapTemplatePath", bootstrap_template,
	FIELD_STRING, .flags = FIELD_INERT,
	.doc = "Template of Envoy's first configuration."),
    ROW(mesh_proxy, "interceptionMode", interception_mode, FIELD_ENUM,
	.words = interception_words, .otherwise = "REDIRECT",
	.flags = FIELD_INERT, .doc = "How traffic is captured."),
    ROW_OF(mesh_proxy, "tracing", tracing, mesh_tracing, .flags = FIELD_INERT,
	.doc = "How requests are traced."),
    ROW_OF(mesh_proxy, "sds", sds, mesh_sds, .flags = FIELD_INERT,
	.doc = "No longer used upstream."),
    ROW_OF(mesh_proxy, "envoyAccessLogService", access_log_service,
	remote_service, .flags = FIELD_INERT,
	.doc = "Takes access logs by gRPC."),
    ROW_OF(mesh_proxy, "envoyMetricsService", metrics_service, remote_service,
	.flags = FIELD_INERT, .doc = "Takes metrics by gRPC."),
    ROW(mesh_proxy, "proxyMetadata", metadata, FIELD_STRING_MAP,
	.flags = FIELD_INERT,
	.doc = "Further variables of the proxy's environment."),
    ROW(mesh_proxy, "runtimeValues", runtime_values, FIELD_STRING_MAP,
	.flags = FIELD_INERT, .doc = "Values of Envoy's runtime."),
    ROW(mesh_proxy, "statusPort", status_port, FIELD_INT, .min = 1,
	.max = 65535, .otherwise = "15020", .flags = FIELD_INERT,
	.doc = "Port of health and metrics."),
    ROW(mesh_proxy, "extraStatTags", extra_stat_tags, FIELD_STRING,
	.flags = FIELD_REPEATED | FIELD_INERT,
	.doc = "Further labels that metrics may have."),
    ROW_OF(mesh_proxy, "gatewayTopology", topology, gateway_topology,
	.doc = "What stands before the gateways."),
    ROW(mesh_proxy, "terminationDrainDuration", termination_drain_duration,
	FIELD_DURATION, .otherwise = "5s", .flags = FIELD_INERT,
	.doc = "How long connections are let end when the proxy stops."),
    ROW(mesh_proxy, "meshId", mesh_id, FIELD_STRING, .flags = FIELD_INERT,
	.doc = "Names the mesh; the trust domain if absent."),
    ROW_OF(mesh_proxy, "readinessProbe", readiness_probe, readiness_probe,
	.flags = FIELD_INERT,
	.doc = "How a machine's health is asked; see WorkloadGroup."),
    ROW_OF(mesh_proxy, "proxyStatsMatcher", stats_matcher, stats_matcher,
	.flags = FIELD_INERT, .doc = "Further statistics that are kept."),
    ROW(mesh_proxy, "holdApplicationUntilProxyStarts", hold_application,
	FIELD_BOOL, .flags = FIELD_INERT,
	.doc = "Starts a pod's containers behind the proxy."),
    ROW(mesh_proxy, "caCertificatesPem", ca_certificates_pem, FIELD_STRING,
	.flags = FIELD_REPEATED | FIELD_INERT,
	.doc = "Further authorities, as PEM, that proxies believe."),
    ROW_OF(mesh_proxy, "image", image, proxy_image, .flags = FIELD_INERT,
	.doc = "The proxy's image."),
    ROW_OF(mesh_proxy, "privateKeyProvider", key_provider, key_provider,
	.flags = FIELD_INERT, .doc = "What computes with private keys."),
    ROW_OF(mesh_proxy, "proxyHeaders", headers, proxy_headers,
	.flags = FIELD_INERT, .doc = "Headers that proxies make."),
    ROW(mesh_proxy, "fileFlushInterval", file_flush_interval, FIELD_DURATION,
	.otherwise = "1s", .flags = FIELD_INERT,
	.doc = "How often logs are written out."),
    ROW(mesh_proxy, "fileFlushMinSizeKb", file_flush_min_kb, FIELD_INT,
	.min = 0, .max = UINT32_MAX, .otherwise = "64", .flags = FIELD_INERT,
	.doc = "Kilobytes of log that are written out at once."),
    ROW(mesh_proxy, "statsCompression", stats_compression, FIELD_BOOL,
	.otherwise = "true", .flags = FIELD_INERT,
	.doc = "Whether metrics are sent compressed."),
    ROW_OF(mesh_proxy, "connectionSettings", connections, connection_settings,
	.flags = FIELD_INERT, .doc = "Limits of connections."),
};

const struct message mesh_proxy_message =
    MESSAGE(mesh_proxy, "ProxyConfig", mesh_proxy_fields,
	.check = check_mesh_proxy, .doc = "What holds for every proxy.");
