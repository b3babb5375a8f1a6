/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis_policies — whom policies are for, and rules that contradict
 * themselves.
 */
#include "analyse.h"
#include "documents.h"
#include "unit.h"

#define AUTHZ(name, spec) POLICY("AuthorizationPolicy", name, spec)
#define FOR(labels) "selector: {matchLabels: {" labels "}}"
#define WORKLOAD(labels)                                                       \
	DOC(NET, "WorkloadEntry", NAMED("w"))                                  \
	"spec: {address: 10.0.0.1, labels: {" labels "}}\n"

TEST(machines_are_workloads_as_pods_are)
{
	expect_found(WORKLOAD("app: a") AUTHZ("p", FOR("app: a")), "");
	expect_found(WORKLOAD("app: a") AUTHZ("p", FOR("app: b")),
	    "IST0127 AuthorizationPolicy/shop/p spec.selector\n");
	expect_found(
	    DOC(NET, "WorkloadGroup",
		NAMED("g")) "spec: {metadata: {labels: {app: a}}, template: "
			    "{serviceAccount: a}}\n" AUTHZ("p", FOR("app: a")),
	    "");
	expect_found(
	    DOC(NET, "WorkloadEntry",
		NAMED("w") ", labels: {app: a}") "spec: {address: 10.0.0.1, "
						 "labels: {tier: b}}\n" AUTHZ(
						     "p",
						     FOR("app: a, tier: b")),
	    "");
}

TEST(pods_without_a_proxy_are_protected_by_nobody)
{
#define BARE(meta)                                                             \
	DOC("v1", "Pod", NAMED("p") ", labels: {app: a}" meta)                 \
	"spec: {containers: [{name: app, image: a}]}\n"
#define TOLD "IST0127 AuthorizationPolicy/shop/p spec.selector\n"
	expect_found(BARE("") AUTHZ("p", FOR("app: a")), TOLD);
	expect_found(BARE(", annotations: {sidecar.istio.io/inject: 'true'}")
			 AUTHZ("p", FOR("app: a")),
	    "");
	expect_found(
	    BARE(", annotations: {ambient.istio.io/redirection: enabled}")
		AUTHZ("p", FOR("app: a")),
	    "");
	expect_found(BARE("") DOC("v1", "Namespace",
			 "name: shop, labels: {istio-injection: enabled}")
			 AUTHZ("p", FOR("app: a")),
	    "");
}

TEST(a_deployment_stands_for_the_pods_it_makes)
{
	expect_found(
	    DOC("apps/v1", "Deployment",
		NAMED("d")) "spec: {template: {metadata: {labels: {app: a, "
			    "sidecar.istio.io/inject: 'true'}}, spec: "
			    "{containers: "
			    "[]}}}\n" AUTHZ("p", FOR("app: a")),
	    "");
}

TEST(a_policy_of_the_root_namespace_is_for_all)
{
	expect_found(
	    WORKLOAD("app: a")
		DOC(SEC, "AuthorizationPolicy",
		    "name: p, namespace: istio-system") "spec: {" FOR("app: a") "}\n" DOC(SEC,
		    "AuthorizationPolicy",
		    "name: q, namespace: istio-system") "spec: {}\n",
	    "");
	expect_found(
	    WORKLOAD("app: a") DOC("meshd.dev/v1", "MeshConfig",
		NAMED("default")) "spec: {rootNamespace: top}\n" DOC(SEC,
		"AuthorizationPolicy", "name: p, namespace: top") "spec: {}\n",
	    "");
}

TEST(a_selectorless_policy_needs_anybody)
{
	expect_found(WORKLOAD("app: a") AUTHZ("p", "action: DENY"), "");
	expect_found(WORKLOAD("app: a") DOC(SEC, "AuthorizationPolicy",
			 "name: p, namespace: other") "spec: {}\n",
	    "IST0127 AuthorizationPolicy/other/p spec.selector\n");
}

TEST(namespaces_fit_by_prefix_and_suffix)
{
	expect_found(
	    WORKLOAD("app: a") DOC("v1", "Namespace", "name: shop")
		AUTHZ("p", "rules: [{from: [{source: {namespaces: ['*', "
			   "'sh*', '*op', shop, 'x*'], notNamespaces: "
			   "[far]}}]}]"),
	    "IST0101 AuthorizationPolicy/shop/p "
	    "spec.rules[0].from[0].source.namespaces[4]\n"
	    "IST0101 AuthorizationPolicy/shop/p "
	    "spec.rules[0].from[0].source.notNamespaces[0]\n");
}

#define RULED(rule) AUTHZ("p", "rules: [{" rule "}]")
#define NEVER "MSH0101 AuthorizationPolicy/shop/p spec.rules[0]\n"

TEST(a_rule_that_excludes_what_it_asks_for_never_matches)
{
	expect_found(
	    RULED("to: [{operation: {methods: [GET], notMethods: ['*']}}]"),
	    NEVER);
	expect_found(
	    RULED("to: [{operation: {paths: [/a/b], notPaths: ['/a*']}}]"),
	    NEVER);
	expect_found(
	    RULED("to: [{operation: {paths: [/a/b], notPaths: ['*c']}}]"), "");
	expect_found(
	    RULED("from: [{source: {principals: [a], notPrincipals: [a]}}, "
		  "{source: {principals: [b]}}]"),
	    "");
	expect_found(RULED("when: [{key: 'request.headers[x]', values: [a], "
			   "notValues: [a]}]"),
	    NEVER);
}

#define MATCHED(match)                                                         \
	ROUTE("r",                                                             \
	    "hosts: [a], http: [{match: [{" match "}], redirect: {uri: /}}]")
#define NEVER_ROUTED "MSH0101 VirtualService/shop/r spec.http[0].match[0]\n"

TEST(a_match_that_no_request_can_have_never_matches)
{
	expect_found(MATCHED("headers: {x: {exact: a}}, withoutHeaders: {X: "
			     "{}}"),
	    NEVER_ROUTED);
	expect_found(MATCHED("headers: {x: {exact: a}}, withoutHeaders: {x: "
			     "{exact: b}}"),
	    "");
	expect_found(SERVICE("a", HTTP80) MATCHED("port: 81"), NEVER_ROUTED);
	expect_found(SERVICE("a", HTTP80) MATCHED("port: 80"), "");
	expect_found(MATCHED("port: 81"), "");
	expect_found(
	    WORKLOAD("app: a") MATCHED("sourceLabels: {app: b}"), NEVER_ROUTED);
	expect_found(WORKLOAD("app: a") MATCHED("sourceLabels: {app: a}"), "");
}

TEST(several_workloads_of_the_same_rivals_are_told_of_once)
{
	expect_found(POD("p1", "app: a, v: '1'") POD("p2", "app: a, v: '1'")
			 SIDECAR("x", "workloadSelector: {labels: {app: a}}")
			     SIDECAR("y", "workloadSelector: {labels: {v: "
					  "'1'}}"),
	    "IST0110 Sidecar/shop/x spec.workloadSelector\n"
	    "IST0110 Sidecar/shop/y spec.workloadSelector\n");
}

TEST(a_pod_in_ambient_mode_has_no_use_for_a_sidecar)
{
	expect_found(DOC("v1", "Pod",
			 NAMED("p") ", labels: {app: a}, annotations: "
				    "{ambient.istio.io/redirection: enabled}")
			 SIDECAR("x", "workloadSelector: {labels: {app: a}}"),
	    "IST0167 Sidecar/shop/x spec.workloadSelector\n");
}

TEST(keys_are_fetched_from_others_only)
{
#define KEYS(uri)                                                              \
	POLICY("RequestAuthentication", "r",                                   \
	    "jwtRules: [{issuer: a, jwksUri: '" uri "'}]")
#define INWARD "IST0175 RequestAuthentication/shop/r spec.jwtRules[0].jwksUri\n"
	expect_found(KEYS("https://issuer.org/keys"), "");
	expect_found(KEYS("https://10.0.0.1/keys"), "");
	expect_found(KEYS("http://127.0.0.1:8080/keys"), INWARD);
	expect_found(KEYS("http://[::1]:8080/keys"), INWARD);
	expect_found(KEYS("http://localhost/keys"), INWARD);
}

TEST(a_control_plane_of_upstreams_needs_a_limit)
{
#define ISTIOD(env)                                                            \
	DOC("apps/v1", "Deployment",                                           \
	    "name: istiod, namespace: istio-system, labels: {app: istiod}")    \
	"spec: {template: {spec: {containers: [{name: d, env: [" env "]}]}}}"  \
	"\n"
	expect_found(ISTIOD("") KEYS("https://issuer.org/keys"),
	    "IST0175 Deployment/istio-system/istiod "
	    "spec.template.spec.containers\n");
	expect_found(ISTIOD("{name: BLOCKED_CIDRS_IN_JWKS_URIS, value: "
			    "10.0.0.0/8}") KEYS("https://issuer.org/keys"),
	    "");
	expect_found(ISTIOD(""), "");
}

TEST(a_service_needs_somebody_healthy)
{
	const struct analysis_workload living[] = {
	    {.node = S("n"),
		.name = S("a"),
		.ns = S("shop"),
		.labels = {&(const struct label){S("app"), S("a")}, 1},
		.port = 80,
		.healthy = false},
	};
	const struct analysis_input known = {.workloads = living,
	    .workload_count = ARRAY_LEN(living),
	    .flags = ANALYSIS_LIVING};
	AUTO(analysis_result_fini) struct analysis_result r = {0};

	analyse(DOC("v1", "Service",
		    NAMED("a")) "spec: {selector: {app: a}, ports: [" HTTP80
				"]}\n",
	    &known, &r);
	EXPECT_EQ(r.count, 1);
	EXPECT_STR(r.items[0].code->id, "MSH0103");
	EXPECT_TRUE(strstr(r.items[0].message, "no workload with app=a is "
					       "healthy") != NULL);
}

TEST(mesh_wide_providers_and_addresses_are_taken_into_account)
{
	expect_found(
	    DOC("meshd.dev/v1", "MeshConfig",
		NAMED("default")) "spec: {defaultProviders: {accessLogging: "
				  "[envoy]}, defaultConfig: "
				  "{proxyMetadata: {ISTIO_META_DNS_CAPTURE: "
				  "'true', "
				  "ISTIO_META_DNS_AUTO_ALLOCATE: "
				  "'true'}}}\n" TELEMETRY("t",
				      "accessLogging: [{filter: "
				      "{expression: a}}]") ENTRY("e",
				      "hosts: [x.y], resolution: DNS, ports: "
				      "[{number: "
				      "22, name: tcp, protocol: TCP}]"),
	    "");
	expect_found(TELEMETRY("t", "accessLogging: [{disabled: true}]"), "");
}
