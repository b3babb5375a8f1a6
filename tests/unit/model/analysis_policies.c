/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis_policies — whom policies are for, and rules that contradict
 * themselves.
 */
#include "analyse.h"
#include "documents.h"
#include "unit.h"

#define AUTHZ(spec) POLICY("AuthorizationPolicy", "p", spec)
#define MACHINE(labels) WORKLOAD("w", "address: 10.0.0.1, labels: {" labels "}")
#define NOBODY "IST0127 AuthorizationPolicy/shop/p spec.selector\n"

TEST(machines_are_workloads_as_pods_are)
{
#define GROUP                                                                  \
	OF(NET, "WorkloadGroup", NAMED("g"),                                   \
	    "metadata: {labels: {app: a}}, template: {serviceAccount: a}")
#define LABELLED                                                               \
	OF(NET, "WorkloadEntry", NAMED("w") ", labels: {app: a}",              \
	    "address: 10.0.0.1, labels: {tier: b}")
	expect_found(MACHINE("app: a") AUTHZ(FOR("app: a")), "");
	expect_found(MACHINE("app: a") AUTHZ(FOR("app: b")), NOBODY);
	expect_found(GROUP AUTHZ(FOR("app: a")), "");
	expect_found(LABELLED AUTHZ(FOR("app: a, tier: b")), "");
}

TEST(pods_without_a_proxy_are_protected_by_nobody)
{
#define BARE(more) POD_OF("p", "labels: {app: a}" more, "{name: app, image: a}")
#define NOTED(note) ", annotations: {" note "}"
#define INJECTED "sidecar.istio.io/inject: 'true'"
#define AMBIENT "ambient.istio.io/redirection: enabled"
	expect_found(BARE("") AUTHZ(FOR("app: a")), NOBODY);
	expect_found(BARE(NOTED(INJECTED)) AUTHZ(FOR("app: a")), "");
	expect_found(BARE(NOTED(AMBIENT)) AUTHZ(FOR("app: a")), "");
	expect_found(BARE("") NAMESPACE("shop", "istio-injection: enabled")
			 AUTHZ(FOR("app: a")),
	    "");
}

TEST(a_deployment_stands_for_the_pods_it_makes)
{
#define DEPLOYMENT                                                             \
	OF("apps/v1", "Deployment", NAMED("d"),                                \
	    "template: {metadata: {labels: {app: a, " INJECTED                 \
	    "}}, spec: {}}")
	expect_found(DEPLOYMENT AUTHZ(FOR("app: a")), "");
}

/* As upstream reads JSON: null is nothing, and a field has two spellings. */
TEST(what_is_asked_of_a_document_is_what_was_read_of_it)
{
	expect_found(TELEMETRY("x", "selector: null") TELEMETRY("y", ""),
	    "IST0160 Telemetry/shop/x spec.selector\n"
	    "IST0160 Telemetry/shop/y spec.selector\n");
	expect_found(TELEMETRY("x", "access_logging: [{disabled: null}]"),
	    "IST0157 Telemetry/shop/x spec.accessLogging[0]\n");
	expect_found(MESH("default_providers: {access_logging: [a]}")
			 TELEMETRY("x", "accessLogging: [{providers: null}]"),
	    "");
}

TEST(a_policy_of_the_root_namespace_is_for_all)
{
#define ROOTED(ns, spec) OF(SEC, "AuthorizationPolicy", IN(ns), spec)
	expect_found(
	    MACHINE("app: a") ROOTED("istio-system", FOR("app: a")), "");
	expect_found(MACHINE("app: a") ROOTED("istio-system", ""), "");
	expect_found(MACHINE("app: a") MESH("rootNamespace: top")
			 ROOTED("top", FOR("app: a")),
	    "");
	expect_found(MACHINE("app: a") ROOTED("top", FOR("app: a")),
	    "IST0127 AuthorizationPolicy/top/x spec.selector\n");
}

TEST(a_selectorless_policy_needs_anybody)
{
	expect_found(MACHINE("app: a") AUTHZ("action: DENY"), "");
	expect_found(MACHINE("app: a") ROOTED("other", ""),
	    "IST0127 AuthorizationPolicy/other/x spec.selector\n");
}

TEST(namespaces_fit_by_prefix_and_suffix)
{
#define FROM(member, ns)                                                       \
	MACHINE("app: a")                                                      \
	NAMESPACE("shop", "")                                                  \
	AUTHZ("rules: [{from: [{source: {" member ": ['" ns "']}}]}]")
#define NONE(member)                                                           \
	"IST0101 AuthorizationPolicy/shop/p "                                  \
	"spec.rules[0].from[0].source." member "[0]\n"
	expect_found(FROM("namespaces", "*"), "");
	expect_found(FROM("namespaces", "sh*"), "");
	expect_found(FROM("namespaces", "*op"), "");
	expect_found(FROM("namespaces", "shop"), "");
	expect_found(FROM("namespaces", "x*"), NONE("namespaces"));
	expect_found(FROM("notNamespaces", "far"), NONE("notNamespaces"));
}

/* --- rules that contradict themselves ------------------------------------- */

#define RULED(rule) AUTHZ("rules: [{" rule "}]")
#define ON(operation) RULED("to: [{operation: {" operation "}}]")
#define NEVER "MSH0101 AuthorizationPolicy/shop/p spec.rules[0]\n"

TEST(a_rule_that_excludes_what_it_asks_for_never_matches)
{
#define ME_NOT_ME "{source: {principals: [a], notPrincipals: [a]}}"
#define YOU "{source: {principals: [b]}}"
#define WHEN "when: [{key: 'request.headers[x]', "
	expect_found(ON("methods: [GET], notMethods: ['*']"), NEVER);
	expect_found(ON("paths: [/a/b], notPaths: ['/a*']"), NEVER);
	expect_found(ON("paths: [/a/b], notPaths: ['*c']"), "");
	expect_found(RULED("from: [" ME_NOT_ME "]"), NEVER);
	expect_found(RULED("from: [" ME_NOT_ME ", " YOU "]"), "");
	expect_found(RULED(WHEN "values: [a], notValues: [a]}]"), NEVER);
	expect_found(RULED(WHEN "values: [a, b], notValues: [a]}]"), "");
}

#define MATCHED(match)                                                         \
	ROUTE("r",                                                             \
	    "hosts: [a], http: [{match: [{" match "}], redirect: {uri: /}}]")
#define NEVER_ROUTED "MSH0101 VirtualService/shop/r spec.http[0].match[0]\n"

TEST(a_match_that_no_request_can_have_never_matches)
{
#define WITH "headers: {x: {exact: a}}, withoutHeaders: "
	expect_found(MATCHED(WITH "{X: {}}"), NEVER_ROUTED);
	expect_found(MATCHED(WITH "{x: {exact: b}}"), "");
	expect_found(SERVICE("a", HTTP80) MATCHED("port: 81"), NEVER_ROUTED);
	expect_found(SERVICE("a", HTTP80) MATCHED("port: 80"), "");
	expect_found(MATCHED("port: 81"), "");
	expect_found(
	    MACHINE("app: a") MATCHED("sourceLabels: {app: b}"), NEVER_ROUTED);
	expect_found(MACHINE("app: a") MATCHED("sourceLabels: {app: a}"), "");
}

/* --- Sidecars ------------------------------------------------------------- */

#define SELECTS(name, labels)                                                  \
	SIDECAR(name, "workloadSelector: {labels: {" labels "}}")
#define RIVAL(name) "IST0110 Sidecar/shop/" name " spec.workloadSelector\n"

TEST(several_workloads_of_the_same_rivals_are_told_of_once)
{
	expect_found(POD("p1", "app: a, v: '1'") POD("p2", "app: a, v: '1'")
			 SELECTS("x", "app: a") SELECTS("y", "v: '1'"),
	    RIVAL("x") RIVAL("y"));
}

TEST(a_pod_in_ambient_mode_has_no_use_for_a_sidecar)
{
	expect_found(BARE(NOTED(AMBIENT)) SELECTS("x", "app: a"),
	    "IST0167 Sidecar/shop/x spec.workloadSelector\n");
}

/* --- keys ----------------------------------------------------------------- */

#define KEYS(uri)                                                              \
	POLICY("RequestAuthentication", "r",                                   \
	    "jwtRules: [{issuer: a, jwksUri: '" uri "'}]")
#define INWARD "IST0175 RequestAuthentication/shop/r spec.jwtRules[0].jwksUri\n"

TEST(keys_are_fetched_from_others_only)
{
	expect_found(KEYS("https://issuer.org/keys"), "");
	expect_found(KEYS("https://10.0.0.1/keys"), "");
	expect_found(KEYS("http://127.0.0.1:8080/keys"), INWARD);
	expect_found(KEYS("http://[::1]:8080/keys"), INWARD);
	expect_found(KEYS("http://localhost/keys"), INWARD);
}

TEST(a_control_plane_of_upstreams_needs_a_limit)
{
#define ISTIOD(env)                                                            \
	OF("apps/v1", "Deployment",                                            \
	    "name: istiod, namespace: istio-system, labels: {app: istiod}",    \
	    "template: {spec: {containers: [{name: d, env: [" env "]}]}}")
#define LIMIT "{name: BLOCKED_CIDRS_IN_JWKS_URIS, value: 10.0.0.0/8}"
	expect_found(ISTIOD("") KEYS("https://issuer.org/keys"),
	    "IST0175 Deployment/istio-system/istiod "
	    "spec.template.spec.containers\n");
	expect_found(ISTIOD(LIMIT) KEYS("https://issuer.org/keys"), "");
	expect_found(ISTIOD(""), "");
}

/* --- what lives, and what the mesh says ----------------------------------- */

TEST(a_service_needs_somebody_healthy)
{
	const struct label app = {S("app"), S("a")};
	struct analysis_workload living = {.node = S("n"),
	    .name = S("a"),
	    .ns = S("shop"),
	    .labels = {&app, 1},
	    .port = 80};
	const struct analysis_input known = {.workloads = &living,
	    .workload_count = 1,
	    .flags = ANALYSIS_LIVING};
	AUTO(analysis_result_fini) struct analysis_result r = {0};

#define SELECTING SERVICE_OF("a", "selector: {app: a}, ports: [" HTTP80 "]")
	analyse(SELECTING, &known, &r);
	EXPECT_EQ(r.count, 1);
	EXPECT_STR(r.items[0].code->id, "MSH0103");
	EXPECT_TRUE(strstr(r.items[0].message, "is healthy") != NULL);
	living.healthy = true;
	expect_found_with(SELECTING, &known, "");
}

TEST(mesh_wide_providers_and_addresses_are_taken_into_account)
{
#define LOGGED TELEMETRY("t", "accessLogging: [{filter: {expression: a}}]")
#define SILENT TELEMETRY("t", "accessLogging: [{disabled: true}]")
#define SSH                                                                    \
	ENTRY("e", "hosts: [x.y], resolution: DNS, ports: [{number: 22, "      \
		   "name: tcp, protocol: TCP}]")
#define ALLOCATED                                                              \
	"defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true', "     \
	"ISTIO_META_DNS_AUTO_ALLOCATE: 'true'}}"
	expect_found(MESH("defaultProviders: {accessLogging: [a]}") LOGGED, "");
	expect_found(MESH(ALLOCATED) SSH, "");
	expect_found(SILENT, "");
}
