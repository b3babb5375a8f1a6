/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_config — MeshConfig and Network, as upstream's plain documents and as
 * kinds of our own: right, wrong, and what is said about each.
 */
#include "expect.h"
#include "unit.h"

#define MC                                                                     \
	"apiVersion: meshd.dev/v1\nkind: MeshConfig\n"                         \
	"metadata: {name: default}\nspec:\n"
#define NET                                                                    \
	"apiVersion: meshd.dev/v1\nkind: Network\n"                            \
	"metadata: {name: east}\nspec:\n"
#define RETRY "defaultInboundHttpRetryPolicy: "
#define PROVIDER(words) "extensionProviders:\n- name: p\n  " words "\n"
#define SETTINGS "defaultConfig: {connectionSettings: "

/* --- plain documents ------------------------------------------------------ */

static const struct wrong plain[] = {
    {"trustDomain: ''\n", "trustDomain", "empty domain name", ERR_INVALID},
    {"trustDomain: a/b\n", "trustDomain", "invalid", ERR_INVALID},
    {"trustDomainAliases: [a, -b]\n", "trustDomainAliases[1]", "invalid",
	ERR_INVALID},
    {"trustDomain: a\nnetworks: {}\n", "networks", "no such field",
	ERR_INVALID},
    {"trustDomain: a\ntrustDomian: b\n", "trustDomian",
	"did you mean \"trustDomain\"", ERR_INVALID},
    {"connectTimeout: 1us\n", "connectTimeout", "at least 1ms", ERR_INVALID},
    {"connectTimeout: 61m\n", "connectTimeout", "at most 1h", ERR_INVALID},
    {"protocolDetectionTimeout: 1.5ms\n", "protocolDetectionTimeout", "whole",
	ERR_INVALID},
    {"proxyListenPort: 0\n", "proxyListenPort", "outside", ERR_INVALID},
    {"serviceSettings: [{hosts: ['a.*']}]\n", "serviceSettings[0].hosts[0]",
	"wildcard", ERR_INVALID},
    {"meshMTLS: {ecdhCurves: [P-256]}\n", "meshMTLS.ecdhCurves",
	"does not support ECDH curves", ERR_INVALID},
    {"defaultTrafficPolicy: {connectionPool: {}}\n",
	"defaultTrafficPolicy.connectionPool", "tcp or http", ERR_INVALID},
    {"defaultTrafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}\n",
	"defaultTrafficPolicy.outlierDetection.maxEjectionPercent", "outside",
	ERR_INVALID},
    {RETRY "{attempts: 3, retryOn: '600'}\n",
	"defaultInboundHttpRetryPolicy.retryOn", "neither", ERR_INVALID},
    {RETRY "{attempts: 3, backoff: 0.000000999s}\n",
	"defaultInboundHttpRetryPolicy.backoff", "finer", ERR_INVALID},
    {RETRY "{attempts: 0, retryOn: reset}\n", "defaultInboundHttpRetryPolicy",
	"attempts is 0", ERR_INVALID},
    {RETRY "{backoff: 50ms}\n", "defaultInboundHttpRetryPolicy.backoff",
	"attempts is 0", ERR_INVALID},
    {"localityLbSetting: {distribute: [{from: a, to: {b: 90}}]}\n",
	"localityLbSetting.distribute[0].to", "90", ERR_INVALID},
    {"zoneAwareLbSetting: {failover: [{from: a, to: a}]}\n",
	"zoneAwareLbSetting.failover[0]", "different", ERR_INVALID},
    {"discoverySelectors: [{matchExpressions: [{key: a, operator: in}]}]\n",
	"discoverySelectors[0].matchExpressions[0].operator", "did you mean",
	ERR_INVALID},
    {"discoverySelectors: [{matchExpressions: [{key: a, operator: In}]}]\n",
	"discoverySelectors[0].matchExpressions[0].values", "need values",
	ERR_INVALID},
};

static const struct wrong proxies[] = {
    {"defaultConfig: {configPath: ''}\n", "defaultConfig.configPath", "empty",
	ERR_INVALID},
    {"defaultConfig: {serviceCluster: ''}\n", "defaultConfig.serviceCluster",
	"empty", ERR_INVALID},
    {"defaultConfig: {drainDuration: 1500ms}\n", "defaultConfig.drainDuration",
	"seconds precision", ERR_INVALID},
    {"defaultConfig: {discoveryAddress: istiod}\n",
	"defaultConfig.discoveryAddress", "HOST:PORT", ERR_INVALID},
    {"defaultConfig: {discoveryAddress: 'a_b:1'}\n",
	"defaultConfig.discoveryAddress", "no host name", ERR_INVALID},
    {"defaultConfig: {statsdUdpAddress: 'a:0'}\n",
	"defaultConfig.statsdUdpAddress", "no port", ERR_INVALID},
    {"defaultConfig: {statsdUdpAddress: '::1:80'}\n",
	"defaultConfig.statsdUdpAddress", "HOST:PORT", ERR_INVALID},
    {"defaultConfig: {proxyAdminPort: 0}\n", "defaultConfig.proxyAdminPort",
	"outside", ERR_INVALID},
    {"defaultConfig: {controlPlaneAuthPolicy: INHERIT}\n",
	"defaultConfig.controlPlaneAuthPolicy", "unrecognized", ERR_INVALID},
    {"defaultConfig: {privateKeyProvider: {}}\n",
	"defaultConfig.privateKeyProvider", "is required", ERR_INVALID},
    {"defaultConfig: {privateKeyProvider: {qat: {pollDelay: 0s}}}\n",
	"defaultConfig.privateKeyProvider.qat.pollDelay", "non zero",
	ERR_INVALID},
    {"defaultConfig: {tracing: {zipkin: {}}}\n",
	"defaultConfig.tracing.zipkin.address", "HOST:PORT", ERR_INVALID},
    {"defaultConfig: {tracing: {lightstep: {address: 'a:1'}}}\n",
	"defaultConfig.tracing.lightstep.accessToken", "required", ERR_INVALID},
    {SETTINGS "{http2InitialStreamWindowSize: 100}}\n",
	"defaultConfig.connectionSettings.http2InitialStreamWindowSize",
	"outside", ERR_INVALID},
    {SETTINGS "{httpIdleTimeout: -1s}}\n",
	"defaultConfig.connectionSettings.httpIdleTimeout", "no duration",
	ERR_INVALID},
    {SETTINGS "{listenerConnectionLimit: 0}}\n",
	"defaultConfig.connectionSettings.listenerConnectionLimit", "outside",
	ERR_INVALID},
};

static const struct wrong networks[] = {
    {"networks: [a]\n", "networks", "a map is expected", ERR_PARSE},
    {"networks: {east_1: {}}\n", "networks[\"east_1\"].name", "a name",
	ERR_INVALID},
    {"networks: {e: {endpoints: [{fromCidr: 10.0.0.0/33}]}}\n",
	"networks[\"e\"].endpoints[0].fromCidr", "neither", ERR_INVALID},
    {"networks: {e: {endpoints: [{fromRegistry: a.b}]}}\n",
	"networks[\"e\"].endpoints[0].fromRegistry", "invalid registry name",
	ERR_INVALID},
    {"networks: {e: {gateways: [{address: 1nv@lid, port: 80}]}}\n",
	"networks[\"e\"].gateways[0].address", "not a valid IP", ERR_INVALID},
    {"networks: {e: {gateways: [{address: 10.0.0.1}]}}\n",
	"networks[\"e\"].gateways[0].port", "is required", ERR_INVALID},
    {"networks: {e: {gateways: [{registryServiceName: '', port: 1}]}}\n",
	"networks[\"e\"].gateways[0].registryServiceName", "empty",
	ERR_INVALID},
};

TEST(each_mistake_in_a_plain_document_is_named_where_it_stands)
{
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		expect_wrong(&plain[i]);
	for (size_t i = 0; i < ARRAY_LEN(proxies); i++)
		expect_wrong(&proxies[i]);
	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		expect_wrong(&networks[i]);
}

TEST(a_mistake_keeps_its_line_in_the_plain_document)
{
	AUTO(loaded_fini) struct loaded l;

	load("networks:\n  e:\n    gateways: []\n  w:\n    gateways:\n"
	     "    - port: 0\n",
	    "n.yaml", &l);
	EXPECT_EQ(l.found.errors.count, 1);
	EXPECT_EQ(l.found.errors.items[0].line, 6);
	EXPECT_STR(l.found.errors.items[0].file, "n.yaml");
	EXPECT_EQ(l.count, 1);
}

TEST(a_plain_document_becomes_the_kind_of_the_mesh)
{
	AUTO(loaded_fini) struct loaded l;
	const struct mesh_config *m;

	load("trustDomain: mesh.internal\noutboundTrafficPolicy: {mode: "
	     "ALLOW_ANY}\nmesh_mTLS: {minProtocolVersion: TLSV1_3}\n",
	    "m.yaml", &l);
	EXPECT_EQ(l.count, 1);
	EXPECT_SLICE(l.items[0]->key.group, S("meshd.dev"));
	EXPECT_SLICE(l.items[0]->key.kind, S("MeshConfig"));
	EXPECT_SLICE(l.items[0]->key.ns, S(""));
	EXPECT_SLICE(l.items[0]->key.name, S("default"));
	m = l.items[0]->spec;
	EXPECT_EQ(m->outbound->mode, MESH_OUTBOUND_ALLOW_ANY);
	EXPECT_EQ(m->mesh_mtls->min_protocol_version, MESH_TLS_1_3);
	EXPECT_EQ(m->connect_timeout, 10000000);
	EXPECT_FALSE(message_has(&mesh_config_message, m, "connectTimeout"));
}

TEST(each_network_of_a_plain_document_is_one)
{
	AUTO(loaded_fini) struct loaded l;
	const struct network *n;

	load("networks:\n  east:\n    endpoints: [{fromRegistry: K1}, "
	     "{fromCidr: '10.1.0.0/16'}]\n    gateways: [{address: 1.2.3.4, "
	     "port: 15443, locality: a/b}]\n  west: null\n",
	    "m.yaml", &l);
	EXPECT_EQ(l.found.errors.count, 0);
	EXPECT_EQ(l.count, 2);
	EXPECT_SLICE(l.items[0]->key.name, S("east"));
	EXPECT_SLICE(l.items[1]->key.name, S("west"));
	n = l.items[0]->spec;
	EXPECT_EQ(n->endpoints.count, 2);
	EXPECT_SLICE(n->endpoints.items[1].from_cidr, S("10.1.0.0/16"));
	EXPECT_EQ(n->gateways.items[0].port, 15443);
}

TEST(an_empty_document_means_nothing)
{
	static const char *const empty[] = {
	    "{}\n", "networks: {}\n", "networks: null\n"};

	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		AUTO(loaded_fini) struct loaded l;

		load(empty[i], "m.yaml", &l);
		EXPECT_EQ(l.found.errors.count, 0);
		EXPECT_EQ(l.count + l.skipped, 0);
	}
}

TEST(the_items_of_a_list_are_documents)
{
	AUTO(loaded_fini) struct loaded l;

	load(
	    "apiVersion: v1\nkind: List\nitems:\n"
	    "- {apiVersion: meshd.dev/v1, kind: Network, metadata: {name: a}}\n"
	    "- {apiVersion: meshd.dev/v1, kind: Network, metadata: {name: b}, "
	    "spec: {gateways: [{port: 0}]}}\n",
	    "m.yaml", &l);
	EXPECT_EQ(l.count, 1);
	EXPECT_EQ(l.found.errors.count, 1);
	EXPECT_STR(l.found.errors.items[0].field, "spec.gateways[0].port");
}

TEST(what_only_looks_like_it_is_no_plain_document)
{
	static const struct wrong missing = {"metadata: {name: a}\nspec: {}\n",
	    "apiVersion", "is required", ERR_INVALID};

	expect_wrong(&missing);
}

/* --- our own kinds -------------------------------------------------------- */

static const struct wrong kinds[] = {
    {"apiVersion: meshd.dev/v1\nkind: MeshConfig\nmetadata: {name: mine}\n",
	"metadata.name", "one MeshConfig", ERR_INVALID},
    {"apiVersion: meshd.dev/v1\nkind: Network\n"
     "metadata: {name: a, namespace: b}\n",
	"metadata.namespace", "whole mesh", ERR_INVALID},
    {MC "  trustDomain: a_b\n", "spec.trustDomain", "invalid", ERR_INVALID},
    {NET "  endpoints: [{fromCidr: x}]\n", "spec.endpoints[0].fromCidr",
	"neither", ERR_INVALID},
};

TEST(each_mistake_in_a_kind_of_the_mesh_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		expect_wrong(&kinds[i]);
}

TEST(what_is_of_the_whole_mesh_is_in_no_namespace)
{
	AUTO(arena_fini) struct arena a;
	struct resource_source source = {.ns = S("prod")};
	struct findings found = {0};
	struct resource *r = NULL;
	struct resource_key key;
	struct value *doc, *meta;
	char text[RESOURCE_KEY_MAX];

	arena_init(&a, 1 << 20);
	doc = value_new(&a, VALUE_MAP);
	meta = value_new(&a, VALUE_MAP);
	value_put_text(&a, &meta, S("name"), S("east"));
	value_put_text(&a, &doc, S("apiVersion"), S("meshd.dev/v1"));
	value_put_text(&a, &doc, S("kind"), S("Network"));
	value_put(&doc, S("metadata"), meta);
	EXPECT_OK(resource_decode(doc, &source, &r, &found));
	EXPECT_OK(resource_key_read(doc, S("prod"), &key, NULL));
	EXPECT_SLICE(r->key.ns, S(""));
	EXPECT_STR(resource_key_format(&key, text), "Network/east");
	EXPECT_TRUE(resource_key_eq(&key, &r->key));
	resource_unref(&r);
	findings_fini(&found);
}

/* --- what is said --------------------------------------------------------- */

static const struct {
	const char *yaml;
	const char *field;
	const char *words;
} warnings[] = {
    {RETRY "{attempts: 3, perTryTimeout: 1s}\n",
	"defaultInboundHttpRetryPolicy.perTryTimeout", "is ignored"},
    {RETRY "{attempts: 3, retryIgnorePreviousHosts: true}\n",
	"defaultInboundHttpRetryPolicy.retryIgnorePreviousHosts", "is ignored"},
    {"tlsDefaults: {ecdhCurves: [P-256, P-999]}\n", "tlsDefaults.ecdhCurves[1]",
	"unrecognized"},
    {"tlsDefaults: {ecdhCurves: [P-256, P-256]}\n", "tlsDefaults.ecdhCurves[1]",
	"duplicate"},
    {"defaultConfig: {proxyMetadata: {ISTIO_META_DNS_AUTO_ALLOCATE: 'x'}}\n",
	"defaultConfig.proxyMetadata[\"ISTIO_META_DNS_AUTO_ALLOCATE\"]",
	"deprecated"},
    {PROVIDER("zipkin: {service: a.b, port: 0}"),
	"extensionProviders[0].zipkin.port", "1..65535"},
    {PROVIDER("zipkin: {port: 1}"), "extensionProviders[0].zipkin.service",
	"empty"},
    {PROVIDER("zipkin: {service: a_b, port: 1}"),
	"extensionProviders[0].zipkin.service", "no host name"},
    {PROVIDER("zipkin: {service: ns/short, port: 1}"),
	"extensionProviders[0].zipkin.service", "short names"},
    {PROVIDER("envoyExtAuthzHttp: {service: a.b, port: 1, pathPrefix: x}"),
	"extensionProviders[0].envoyExtAuthzHttp.pathPrefix", "begin with"},
    {PROVIDER("envoyExtAuthzGrpc: {service: a.b, port: 1, statusOnError: x}"),
	"extensionProviders[0].envoyExtAuthzGrpc.statusOnError", "403"},
    {PROVIDER("lightstep: {service: a.b, port: 1}"),
	"extensionProviders[0].lightstep.accessToken", "missing"},
    {PROVIDER("opentelemetry: {service: a.b, port: 1, http: {}, grpc: {}}"),
	"extensionProviders[0].opentelemetry", "both grpc and http"},
    {"extensionProviders: [{name: p}]\n", "extensionProviders[0]",
	"says of nothing"},
    {"extensionProviders: [{prometheus: {}}]\n", "extensionProviders[0].name",
	"empty extension provider name"},
    {"extensionProviders: [{name: a, prometheus: {}}, {name: a, "
     "prometheus: {}}]\n",
	"extensionProviders[1].name", "duplicate"},
};

TEST(what_is_unwise_in_a_mesh_config_is_said)
{
	for (size_t i = 0; i < ARRAY_LEN(warnings); i++)
		expect_warning(
		    warnings[i].yaml, warnings[i].field, warnings[i].words);
}

static const char *const quiet[] = {
    RETRY "{attempts: 3, retryOn: 'reset-before-request,503', backoff: "
	  "50ms}\n",
    "protocolDetectionTimeout: 0s\nconnectTimeout: 31s\n",
    "trustDomain: foo.bar.com.\n",
    "defaultConfig: {tracing: {zipkin: {address: '$(HOST_IP):9411'}}}\n",
    "defaultConfig: {discoveryAddress: '[::1]:15012'}\n",
    "defaultConfig: {controlPlaneAuthPolicy: NONE}\n",
    "localityLbSetting: {enabled: false}\nzoneAwareLbSetting: {}\n",
    PROVIDER("envoyFileAccessLog: {path: /dev/stdout, logFormat: {labels: "
	     "{a: '%PROTOCOL%', b: {c: 1}}}}"),
    PROVIDER("zipkin: {service: ns/zipkin.ns.svc.cluster.local, port: 9411}"),
    PROVIDER("skywalking: {service: 10.0.0.1, port: 11800}"),
    "serviceSettings: [{settings: {clusterLocal: true}, hosts: ['*.foo.bar', "
    "bar.baz.svc.cluster.local]}]\n",
};

TEST(what_is_right_in_a_mesh_config_is_taken_in_silence)
{
	for (size_t i = 0; i < ARRAY_LEN(quiet); i++)
		expect_quiet(quiet[i]);
}

TEST(what_lets_more_through_when_it_is_ignored_is_told)
{
	static const struct {
		const char *yaml;
		const char *field;
	} guards[] = {
	    {"trustDomain: other.example\n", "trustDomain"},
	    {"trustDomainAliases: [old]\n", "trustDomainAliases"},
	    {"enableAutoMtls: false\n", "enableAutoMtls"},
	    {"outboundTrafficPolicy: {tls: {mode: SIMPLE}}\n",
		"outboundTrafficPolicy.tls"},
	    {"meshMTLS: {}\n", "meshMTLS"},
	    {"discoverySelectors: [{}]\n", "discoverySelectors"},
	    {SETTINGS "{listenerConnectionLimit: 5}}\n",
		"defaultConfig.connectionSettings.listenerConnectionLimit"},
	};

	for (size_t i = 0; i < ARRAY_LEN(guards); i++)
		expect_inert(guards[i].yaml, guards[i].field, "MSH0002");
	expect_inert("accessLogFile: x\n", "accessLogFile", "MSH0001");
}

TEST(what_agents_do_as_it_says_is_in_force)
{
	expect_in_force(
	    "rootNamespace: mesh\n"
	    "proxyHttpPort: 15002\n"
	    "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n"
	    "defaultServiceExportTo: ['.']\n"
	    "defaultVirtualServiceExportTo: ['.']\n"
	    "defaultDestinationRuleExportTo: ['.']\n"
	    "defaultHttpRetryPolicy: {attempts: 1, retryOn: '503'}\n");
}

TEST(what_a_mesh_has_anyway_is_only_not_acted_on)
{
	AUTO(loaded_fini) struct loaded l;

	load("trustDomain: mesh.internal\nrootNamespace: istio-system\n"
	     "enableAutoMtls: true\ndefaultServiceExportTo: ['*']\n"
	     "outboundTrafficPolicy: {mode: ALLOW_ANY}\n"
	     "ingressClass: istio\n",
	    "m.yaml", &l);
	EXPECT_EQ(l.found.inert.count, 1);
	EXPECT_STR(l.found.inert.items[0].id, "MSH0001");
}

TEST(what_was_written_of_the_mesh_is_given_back)
{
	static const char *const whole[] = {
	    MC
	    "  proxyListenPort: 15001\n  connectTimeout: 5s\n"
	    "  tcpKeepalive: {probes: 3, time: 10s}\n"
	    "  ingressControllerMode: OFF\n  accessLogEncoding: JSON\n"
	    "  configSources: [{address: 'x:1', subscribedResources: "
	    "[SERVICE_REGISTRY]}]\n"
	    "  caCertificates: [{pem: x, trustDomains: [a]}]\n"
	    "  ca: {address: 'x:1', requestTimeout: 5s, istiodSide: false}\n"
	    "  defaultProviders: {tracing: [a], accessLogging: [b]}\n"
	    "  serviceScopeConfigs: [{scope: GLOBAL, servicesSelector: "
	    "{matchLabels: {a: b}}}]\n"
	    "  serviceEntryVisibility: {defaultVisibility: PUBLIC, policies: "
	    "[{visibility: NONE, matchingRules: [{namespaceSelector: {}}]}]}\n"
	    "  defaultHttpRetryPolicy: {attempts: 0}\n",
	    MC
	    "  defaultConfig:\n    tracingServiceName: CANONICAL_NAME_ONLY\n"
	    "    concurrency: 0\n    interceptionMode: TPROXY\n"
	    "    tracing: {sampling: 0.5, openCensusAgent: {context: [B3]}, "
	    "customTags: {a: {header: {name: h, defaultValue: d}}}}\n"
	    "    envoyMetricsService: {address: 'x:1', tcpKeepalive: {}}\n"
	    "    gatewayTopology: {numTrustedProxies: 2, proxyProtocol: {}}\n"
	    "    readinessProbe: {httpGet: {port: 80}}\n"
	    "    proxyStatsMatcher: {inclusionRegexps: ['.*']}\n"
	    "    image: {imageType: distroless}\n"
	    "    privateKeyProvider: {cryptomb: {pollDelay: 10ms}}\n"
	    "    proxyHeaders: {server: {value: x}, attemptCount: {disabled: "
	    "true}, xForwardedHost: {enabled: true}, metadataExchangeHeaders: "
	    "{mode: IN_MESH}}\n"
	    "    connectionSettings: {profile: EDGE, httpMergeSlashes: true, "
	    "httpRequestTimeout: 0s, httpPathWithEscapedSlashesAction: "
	    "REJECT_REQUEST}\n",
	    MC
	    "  extensionProviders:\n"
	    "  - {name: a, envoyExtAuthzHttp: {service: a.b, port: 1, "
	    "includeAdditionalHeadersInCheck: {x: y}, "
	    "includeRequestBodyInCheck: {maxRequestBytes: 5}}}\n"
	    "  - {name: b, envoyHttpAls: {service: a.b, port: 1, "
	    "additionalRequestHeadersToLog: [x]}}\n"
	    "  - {name: c, opentelemetry: {service: a.b, port: 1, "
	    "resourceDetectors: {environment: {}}, dynatraceSampler: {tenant: "
	    "t, httpService: {service: c.d, port: 2, http: {headers: [{name: "
	    "n, envName: E}]}}}}}\n"
	    "  - {name: d, envoyOtelAls: {service: a.b, port: 1, logFormat: "
	    "{text: t, labels: {a: b}}}}\n"
	    "  - {name: e, stackdriver: {logging: {labels: {a: b}}}}\n"
	    "  - {name: f, sds: {name: n, service: a.b, port: 3}}\n",
	    NET "  endpoints: [{fromCidr: 10.0.0.0/8}, {fromRegistry: r}]\n"
		"  gateways: [{registryServiceName: a.b, port: 1, locality: "
		"x/y}]\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		expect_round_trip(whole[i]);
}
