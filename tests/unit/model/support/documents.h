/* SPDX-License-Identifier: Apache-2.0 */
/*
 * documents — small documents of many kinds, for the tests of the analysis.
 */
#ifndef MESHD_TEST_DOCUMENTS_H
#define MESHD_TEST_DOCUMENTS_H

/* `meta` and `rest` are members in flow style; `rest` is of the document. */
#define DOC(api, kind, meta, rest)                                             \
	"---\n{apiVersion: " api ", kind: " kind ", metadata: {" meta          \
	"}, " rest "}\n"
#define OF(api, kind, meta, spec) DOC(api, kind, meta, "spec: {" spec "}")

#define NET "networking.istio.io/v1"
#define SEC "security.istio.io/v1"
#define NAMED(name) "name: " name ", namespace: shop"
#define IN(ns) "name: x, namespace: " ns

#define ROUTE(name, spec) OF(NET, "VirtualService", NAMED(name), spec)
#define RULE(name, spec) OF(NET, "DestinationRule", NAMED(name), spec)
#define GATEWAY(name, spec) OF(NET, "Gateway", NAMED(name), spec)
#define ENTRY(name, spec) OF(NET, "ServiceEntry", NAMED(name), spec)
#define WORKLOAD(name, spec) OF(NET, "WorkloadEntry", NAMED(name), spec)
#define SIDECAR(name, spec)                                                    \
	OF(NET, "Sidecar", NAMED(name), "egress: [{hosts: ['./*']}], " spec)
#define TELEMETRY(name, spec)                                                  \
	OF("telemetry.istio.io/v1", "Telemetry", NAMED(name), spec)
#define POLICY(kind, name, spec) OF(SEC, kind, NAMED(name), spec)
#define MESH(spec) OF("meshd.dev/v1", "MeshConfig", "name: default", spec)

/* Of core. */
#define SERVICE_OF(name, spec) OF("v1", "Service", NAMED(name), spec)
#define SERVICE(name, ports) SERVICE_OF(name, "ports: [" ports "]")
#define HTTP80 "{name: http, port: 80}"
#define NAMESPACE(name, labels)                                                \
	OF("v1", "Namespace", "name: " name ", labels: {" labels "}", "")
#define POD_OF(name, more, containers)                                         \
	OF("v1", "Pod", NAMED(name) ", " more, "containers: [" containers "]")
#define PROXY "{name: istio-proxy, image: p}"
#define POD(name, labels) POD_OF(name, "labels: {" labels "}", PROXY)

/* Members of specs. */
#define LEAD(host) "{destination: {host: " host "}}"
#define AWAY "http: [{redirect: {uri: /}}]"
#define RULES_TO(more) "hosts: [x.y], http: [{route: [" more "]}]"
#define SERVER(port, protocol, hosts)                                          \
	"{port: {number: " port ", name: p" port ", protocol: " protocol       \
	"}, hosts: [" hosts "]}"
#define INGRESS "selector: {istio: ingressgateway}"
#define ON_PORT(name, port, protocol, hosts)                                   \
	GATEWAY(name, INGRESS ", servers: [" SERVER(port, protocol, hosts) "]")
#define ON_80(name) ON_PORT(name, "80", "HTTP", "x.y")
#define TLS_ON(name, host, tls)                                                \
	GATEWAY(name, INGRESS                                                  \
	    ", servers: [{port: {number: 443, name: s, protocol: "             \
	    "HTTPS}, hosts: [" host "], tls: {mode: SIMPLE, " tls "}}]")
#define FOR(labels) "selector: {matchLabels: {" labels "}}"

#endif
