/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_config — the fields of MeshConfig.
 */
#include "format.h"
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

/* --- traffic that nobody names -------------------------------------------- */

static const struct field_word outbound_words[] = {
    {"REGISTRY_ONLY", MESH_OUTBOUND_REGISTRY_ONLY, 0},
    {"ALLOW_ANY", MESH_OUTBOUND_ALLOW_ANY, 0},
    {"ALLOW_ANY_DYNAMIC_DNS", MESH_OUTBOUND_DYNAMIC_DNS, 0},
    {NULL, 0, 0},
};

static const struct field outbound_fields[] = {
    ROW(mesh_outbound_policy, "mode", mode, FIELD_ENUM, .words = outbound_words,
	.otherwise = "REGISTRY_ONLY",
	.doc = "What becomes of calls to what the mesh does not know: "
	       "REGISTRY_ONLY refuses them, which is so if only the block is "
	       "there."),
    ROW_OF(mesh_outbound_policy, "tls", tls, client_tls, .flags = FIELD_GUARD,
	.doc = "How ALLOW_ANY_DYNAMIC_DNS secures them."),
};

static const struct message mesh_outbound_message =
    MESSAGE(mesh_outbound_policy, "OutboundTrafficPolicy", outbound_fields,
	.doc = "Calls to what the mesh does not know.");

static const struct field_word inbound_words[] = {
    {"PASSTHROUGH", MESH_INBOUND_PASSTHROUGH, 0},
    {"LOCALHOST", MESH_INBOUND_LOCALHOST, 0},
    {NULL, 0, 0},
};

static const struct field inbound_fields[] = {
    ROW(mesh_inbound_policy, "mode", mode, FIELD_ENUM, .words = inbound_words,
	.otherwise = "PASSTHROUGH",
	.doc = "Whether a service is reached at the address that was called, "
	       "or at localhost."),
};

static const struct message mesh_inbound_message =
    MESSAGE(mesh_inbound_policy, "InboundTrafficPolicy", inbound_fields,
	.doc = "How services are reached on their machine.");

/* --- small messages ------------------------------------------------------- */

static const struct field_word normalization_words[] = {
    {"DEFAULT", NORMALIZE_DEFAULT, 0},
    {"NONE", NORMALIZE_NONE, 0},
    {"BASE", NORMALIZE_BASE, 0},
    {"MERGE_SLASHES", NORMALIZE_MERGE_SLASHES, 0},
    {"DECODE_AND_MERGE_SLASHES", NORMALIZE_DECODE_AND_MERGE, 0},
    {NULL, 0, 0},
};

const char *
path_normalization_name(enum path_normalization n)
{
	return normalization_words[n].word;
}

static const struct field normalization_fields[] = {
    ROW(mesh_normalization, "normalization", normalization, FIELD_ENUM,
	.words = normalization_words, .otherwise = "DEFAULT",
	.doc = "What is done to a path before it is judged; BASE unless it "
	       "is said."),
};

static const struct message mesh_normalization_message =
    MESSAGE(mesh_normalization, "ProxyPathNormalization", normalization_fields,
	.doc = "What is done to a path before it is judged.");

#define PROVIDERS_ROW(field_name, member, words)                               \
	ROW(default_providers, field_name, member, FIELD_STRING,               \
	    .flags = FIELD_REPEATED, .doc = words)

static const struct field default_providers_fields[] = {
    PROVIDERS_ROW("tracing", tracing, "Those for traces."),
    PROVIDERS_ROW("metrics", metrics, "Those for metrics."),
    PROVIDERS_ROW("accessLogging", access_logging, "Those for access logs."),
};

static const struct message default_providers_message =
    MESSAGE(default_providers, "DefaultProviders", default_providers_fields,
	.doc = "Providers where no Telemetry names any.");

static const struct field default_policy_fields[] = {
    ROW_OF(default_traffic_policy, "connectionPool", connection_pool,
	connection_pool, .doc = "Bounds of connections and requests."),
    ROW_OF(default_traffic_policy, "outlierDetection", outlier_detection,
	outlier_detection, .doc = "Takes endpoints that fail out for a while."),
};

static const struct message default_traffic_policy_message = MESSAGE(
    default_traffic_policy, "DefaultTrafficPolicy", default_policy_fields,
    .doc = "How destinations are called where no rule says it.");

/* --- checks --------------------------------------------------------------- */

static void
check_connect_timeout(struct check *c, const void *us)
{
	static const uint64_t hour_us = UINT64_C(3600000000);

	check_duration(c, us);
	if (*(const uint64_t *)us > hour_us)
		check_error(c, ERR_INVALID, "has to be at most 1h");
}

static void
check_detection_timeout(struct check *c, const void *us)
{
	if (*(const uint64_t *)us > 0)
		check_duration(c, us);
}

/* Of a service's own side: what is chosen there is not the endpoint. */
static void
check_inbound_retry(struct check *c, const void *message)
{
	static const char *const ignored[] = {"perTryTimeout",
	    "retryRemoteLocalities", "retryIgnorePreviousHosts"};
	const struct http_retry *r = message;
	struct check backoff = check_member(c, "backoff");

	if (r->attempts == 0 && check_given(c, "backoff"))
		check_error(&backoff, ERR_INVALID,
		    "attempts is 0, so backoff may not be given");
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
		struct check at = check_member(c, "%s", ignored[i]);

		if (check_given(c, ignored[i]))
			check_warning(&at,
			    "is ignored by the default inbound http retry "
			    "policy");
	}
}

static void
check_own_domain(struct check *c, const struct mesh_config *m)
{
	struct check at = check_member(c, "trustDomain");

	if (m->trust_domain.len > 0 && c->trust_domain.len > 0 &&
	    !slice_eq(m->trust_domain, c->trust_domain))
		check_inert(&at, FIELD_GUARD,
		    "the mesh was made with the trust domain \"%.*s\", which "
		    "stays; identities of another one are not its own",
		    SLICE_ARG(c->trust_domain));
}

static void
check_names_once(struct check *c, const struct mesh_config *m)
{
	for (size_t j = 0; j < m->providers.count; j++) {
		struct check at =
		    check_member(c, "extensionProviders[%zu].name", j);
		struct slice name = m->providers.items[j].name;

		if (name.len == 0)
			check_warning(&at, "empty extension provider name");
		for (size_t i = 0; i < j && name.len > 0; i++)
			if (slice_eq(m->providers.items[i].name, name)) {
				check_warning(&at,
				    "duplicate extension provider name "
				    "\"%.*s\"",
				    SLICE_ARG(
					slice_sub(name, 0, NAME_LABEL_MAX)));
				break;
			}
	}
}

static void
check_mesh_config(struct check *c, const void *message)
{
	const struct mesh_config *m = message;
	struct check mtls = check_member(c, "enableAutoMtls");
	struct check verify = check_member(c, "verifyCertificateAtClient");

	check_own_domain(c, m);
	check_names_once(c, m);
	if (!m->enable_auto_mtls)
		check_in_force(&mtls, FIELD_GUARD);
	if (m->verify_certificate_at_client)
		check_in_force(&verify, FIELD_GUARD);
}

/* --- the whole ------------------------------------------------------------ */

enum { PROVIDERS_MAX = 256 }; /* each name is compared with each */

static const struct field_word ingress_words[] = {
    {"UNSPECIFIED", INGRESS_UNSPECIFIED, 0},
    {"OFF", INGRESS_OFF, 0},
    {"DEFAULT", INGRESS_DEFAULT, 0},
    {"STRICT", INGRESS_STRICT, 0},
    {NULL, 0, 0},
};

static const struct field_word encoding_words[] = {
    {"TEXT", LOG_ENCODING_TEXT, 0},
    {"JSON", LOG_ENCODING_JSON, 0},
    {NULL, 0, 0},
};

static const struct field_word upgrade_words[] = {
    {"DO_NOT_UPGRADE", 0, 0},
    {"UPGRADE", 1, 0},
    {NULL, 0, 0},
};

#define EXPORT_ROW(field_name, member, words)                                  \
	ROW(mesh_config, field_name, member, FIELD_STRING,                     \
	    .flags = FIELD_REPEATED,                                           \
	    .doc = "Who is shown a " words                                     \
		   " that does not say it; everyone unless it is said.")

/* Upstream's proxy takes no configuration with an operator that is none. */
static void
check_log_format(struct check *c, const void *value)
{
	const struct slice *text = value;
	struct fault why = {0};
	bool inert = false;

	if (format_check(*text, &inert, &why) != OK)
		check_error(c, why.code, "%s", why.text);
	else if (inert)
		check_in_force(c, FIELD_INERT);
}

static const struct field mesh_config_fields[] = {
    ROW(mesh_config, "proxyListenPort", proxy_listen_port, FIELD_INT, .min = 1,
	.max = 65535, .otherwise = "15001", .flags = FIELD_INERT,
	.doc = "Port that captured calls come to."),
    ROW(mesh_config, "proxyInboundListenPort", proxy_inbound_listen_port,
	FIELD_INT, .min = 0, .max = 65535, .otherwise = "15006",
	.flags = FIELD_INERT,
	.doc = "Port that captured calls to a workload come to."),
    ROW(mesh_config, "proxyHttpPort", proxy_http_port, FIELD_INT, .min = 0,
	.max = 65535, .otherwise = "0",
	.doc = "Port at 127.0.0.1 of an HTTP proxy for programs; 0 for none."),
    ROW(mesh_config, "connectTimeout", connect_timeout, FIELD_DURATION,
	.check = check_connect_timeout, .otherwise = "10s",
	.flags = FIELD_INERT,
	.doc = "How long a connection may take to be made."),
    ROW(mesh_config, "hboneIdleTimeout", hbone_idle_timeout, FIELD_DURATION,
	.otherwise = "1h", .flags = FIELD_INERT,
	.doc = "How long a tunnel without calls is kept."),
    ROW(mesh_config, "protocolDetectionTimeout", protocol_detection_timeout,
	FIELD_DURATION, .check = check_detection_timeout, .otherwise = "0s",
	.flags = FIELD_INERT,
	.doc = "How long the first bytes are waited for; 0s without end."),
    ROW_OF(mesh_config, "tcpKeepalive", tcp_keepalive, tcp_keepalive,
	.flags = FIELD_INERT,
	.doc = "The kernel's probes of silent connections; none if absent."),
    ROW(mesh_config, "ingressClass", ingress_class, FIELD_STRING,
	.otherwise = "istio", .flags = FIELD_INERT,
	.doc = "Class of Ingresses of Kubernetes."),
    ROW(mesh_config, "ingressService", ingress_service, FIELD_STRING,
	.otherwise = "istio-ingressgateway", .flags = FIELD_INERT,
	.doc = "Service of the gateway that Ingresses are served by."),
    ROW(mesh_config, "ingressControllerMode", ingress_controller_mode,
	FIELD_ENUM, .words = ingress_words, .otherwise = "STRICT",
	.flags = FIELD_INERT, .doc = "Which Ingresses are served."),
    ROW(mesh_config, "ingressSelector", ingress_selector, FIELD_STRING,
	.flags = FIELD_INERT,
	.doc = "Label `istio` of the gateway that Ingresses are served by."),
    ROW(mesh_config, "enableTracing", enable_tracing, FIELD_BOOL,
	.otherwise = "true", .flags = FIELD_INERT,
	.doc = "Whether requests are traced."),
    ROW(mesh_config, "accessLogFile", access_log_file, FIELD_STRING,
	.flags = FIELD_INERT,
	.doc =
	    "File of the access log, such as /dev/stdout; where it goes here "
	    "is the agent's setting access-log."),
    ROW(mesh_config, "accessLogFormat", access_log_format, FIELD_STRING,
	.check = check_log_format,
	.doc =
	    "How a line of an agent's access log looks, by Envoy's operators; "
	    "an object of JSON with operators in its texts where the "
	    "encoding is JSON; the usual way if empty. An agent's own "
	    "access-log-format goes before it."),
    ROW(mesh_config, "accessLogEncoding", access_log_encoding, FIELD_ENUM,
	.words = encoding_words, .otherwise = "TEXT",
	.doc = "Whether a line is text or JSON."),
    ROW(mesh_config, "enableEnvoyAccessLogService", enable_access_log_service,
	FIELD_BOOL, .otherwise = "false", .flags = FIELD_INERT,
	.doc = "Sends the access log to envoyAccessLogService."),
    ROW(mesh_config, "disableEnvoyListenerLog", disable_listener_log,
	FIELD_BOOL, .otherwise = "false", .flags = FIELD_INERT,
	.doc = "Leaves out connections that no listener takes."),
    ROW_OF(mesh_config, "defaultConfig", default_config, mesh_proxy,
	.doc = "What holds for every proxy."),
    ROW_OF(mesh_config, "outboundTrafficPolicy", outbound, mesh_outbound,
	.doc = "Calls to what the mesh does not know; let pass if absent."),
    ROW_OF(mesh_config, "inboundTrafficPolicy", inbound, mesh_inbound,
	.flags = FIELD_INERT,
	.doc = "How services are reached on their machine."),
    ROWS_OF(mesh_config, "configSources", config_sources, config_source,
	FIELD_INERT, .doc = "Further places that configuration comes from."),
    ROW(mesh_config, "enableAutoMtls", enable_auto_mtls, FIELD_BOOL,
	.otherwise = "true",
	.doc = "Whether calls are secured wherever the other side can do it."),
    ROW(mesh_config, "trustDomain", trust_domain, FIELD_STRING,
	.check = check_trust_domain,
	.doc = "The domain of identities; here it is the one that `meshd "
	       "server init` was given."),
    ROW(mesh_config, "trustDomainAliases", trust_domain_aliases, FIELD_STRING,
	.flags = FIELD_REPEATED | FIELD_GUARD, .check = check_trust_domain,
	.doc = "Other trust domains that policies take for the own one."),
    ROWS_OF(mesh_config, "caCertificates", ca_certificates, ca_certificate,
	FIELD_INERT, .doc = "Further authorities that workloads believe."),
    EXPORT_ROW("defaultServiceExportTo", service_export_to, "service"),
    EXPORT_ROW("defaultVirtualServiceExportTo", virtual_service_export_to,
	"VirtualService"),
    EXPORT_ROW("defaultDestinationRuleExportTo", destination_rule_export_to,
	"DestinationRule"),
    ROW(mesh_config, "rootNamespace", root_namespace, FIELD_STRING,
	.otherwise = MESH_ROOT_NAMESPACE,
	.doc = "Namespace whose resources hold for the whole mesh."),
    ROW_OF(mesh_config, "localityLbSetting", locality, locality_balancer,
	.flags = FIELD_INERT,
	.doc = "Which places are preferred where no rule says it."),
    ROW_OF(mesh_config, "zoneAwareLbSetting", zone, zone_balancer,
	.flags = FIELD_INERT,
	.doc = "Prefers the own zone by its share; before "
	       "localityLbSetting."),
    ROW(mesh_config, "dnsRefreshRate", dns_refresh_rate, FIELD_DURATION,
	.otherwise = "60s",
	.doc = "How soon a name is asked for again at the latest after it "
	       "could not be resolved, or if the answer does not say it."),
    ROW(mesh_config, "h2UpgradePolicy", h2_upgrade, FIELD_ENUM,
	.words = upgrade_words, .otherwise = "DO_NOT_UPGRADE",
	.doc = "Whether HTTP/1.1 becomes HTTP/2 on the way."),
    ROW(mesh_config, "inboundClusterStatName", inbound_stat_name, FIELD_STRING,
	.flags = FIELD_INERT,
	.doc = "Pattern of names of statistics of a workload's own side."),
    ROW(mesh_config, "outboundClusterStatName", outbound_stat_name,
	FIELD_STRING, .flags = FIELD_INERT,
	.doc = "Pattern of names of statistics of calls."),
    ROWS_OF(mesh_config, "certificates", certificates, mesh_certificate,
	FIELD_INERT,
	.doc = "Certificates of the control plane; no longer used upstream."),
    ROWS_OF(mesh_config, "serviceSettings", service_settings, service_settings,
	FIELD_INERT, .doc = "Settings of services, by their hosts."),
    ROWS_OF(mesh_config, "serviceScopeConfigs", service_scopes,
	service_scope_config, FIELD_INERT, .doc = "How far services are seen."),
    ROW(mesh_config, "enablePrometheusMerge", enable_prometheus_merge,
	FIELD_BOOL, .otherwise = "true", .flags = FIELD_INERT,
	.doc = "Whether a service's own metrics are shown with the proxy's."),
    ROW(mesh_config, "verifyCertificateAtClient", verify_certificate_at_client,
	FIELD_BOOL, .otherwise = "false",
	.doc = "Checks servers against the system's authorities where a rule "
	       "names none; no longer used upstream."),
    ROW_OF(mesh_config, "ca", ca, mesh_ca, .flags = FIELD_INERT,
	.doc = "An authority that signs instead of the mesh's own."),
    ROWS_OF(mesh_config, "extensionProviders", providers, extension_provider,
	FIELD_INERT, .most = PROVIDERS_MAX,
	.doc = "What Telemetry and AuthorizationPolicy may refer to."),
    ROW_OF(mesh_config, "defaultProviders", default_providers,
	default_providers, .flags = FIELD_INERT,
	.doc = "Providers where no Telemetry names any."),
    ROWS_OF(mesh_config, "discoverySelectors", discovery_selectors,
	label_selector, FIELD_GUARD,
	.doc = "Namespaces that belong to the mesh; all if absent."),
    ROW_OF(mesh_config, "pathNormalization", path_normalization,
	mesh_normalization,
	.doc = "What is done to a path before it is judged."),
    ROW_OF(mesh_config, "defaultHttpRetryPolicy", http_retry, http_retry,
	.doc = "What is tried again where no route says it."),
    ROW_OF(mesh_config, "defaultInboundHttpRetryPolicy", inbound_http_retry,
	http_retry, .check = check_inbound_retry, .flags = FIELD_INERT,
	.doc = "What a workload's own side tries again: attempts, retryOn and "
	       "backoff."),
    ROW_OF(mesh_config, "meshMTLS", mesh_mtls, mesh_mtls, .flags = FIELD_GUARD,
	.doc = "TLS between workloads."),
    ROW_OF(mesh_config, "tlsDefaults", tls_defaults, tls_defaults,
	.flags = FIELD_GUARD, .doc = "TLS with the rest of the world."),
    ROW_OF(mesh_config, "defaultTrafficPolicy", traffic_policy,
	default_traffic_policy, .flags = FIELD_INERT,
	.doc = "How destinations are called where no rule says it."),
    ROW_OF(mesh_config, "serviceEntryVisibility", entry_visibility,
	service_entry_visibility, .flags = FIELD_INERT,
	.doc = "Who sees ServiceEntries."),
};

const struct message mesh_config_message =
    MESSAGE(mesh_config, "MeshConfig", mesh_config_fields,
	.check = check_mesh_config, .doc = "What holds for the whole mesh.");

static void
check_name(struct check *c, const struct resource *r)
{
	struct check at = check_member(c, "metadata.name");

	if (r->key.name.len > 0 && !slice_eq(r->key.name, S("default")))
		check_error(&at, ERR_INVALID,
		    "a mesh has one MeshConfig, whose name is \"default\"");
}

const struct resource_kind kind_mesh_config = {
    .group = "meshd.dev",
    .kind = "MeshConfig",
    .plural = "meshconfigs",
    .alias = "mc",
    .versions = (const char *const[]){"v1", NULL},
    .spec = &mesh_config_message,
    .mesh_wide = true,
    .check = check_name,
};
