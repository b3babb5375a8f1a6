/* SPDX-License-Identifier: Apache-2.0 */
/*
 * documents — small documents of many kinds, for the tests of the analysis.
 */
#ifndef MESHD_TEST_DOCUMENTS_H
#define MESHD_TEST_DOCUMENTS_H

#define DOC(api, kind, meta)                                                   \
	"---\napiVersion: " api "\nkind: " kind "\nmetadata: {" meta "}\n"
#define NET "networking.istio.io/v1"
#define SEC "security.istio.io/v1"
#define NAMED(name) "name: " name ", namespace: shop"

#define SERVICE(name, ports)                                                   \
	DOC("v1", "Service", NAMED(name))                                      \
	"spec: {ports: [" ports "]}\n"
#define HTTP80 "{name: http, port: 80}"
#define POD(name, labels)                                                      \
	DOC("v1", "Pod", NAMED(name) ", labels: {" labels "}")                 \
	"spec: {containers: [{name: istio-proxy, image: p}]}\n"

/* The spec's members in flow style. */
#define ROUTE(name, spec)                                                      \
	DOC(NET, "VirtualService", NAMED(name)) "spec: {" spec "}\n"
#define RULE(name, spec)                                                       \
	DOC(NET, "DestinationRule", NAMED(name)) "spec: {" spec "}\n"
#define GATEWAY(name, spec)                                                    \
	DOC(NET, "Gateway", NAMED(name)) "spec: {" spec "}\n"
#define ENTRY(name, spec)                                                      \
	DOC(NET, "ServiceEntry", NAMED(name)) "spec: {" spec "}\n"
#define SIDECAR(name, spec)                                                    \
	DOC(NET, "Sidecar", NAMED(name))                                       \
	"spec: {egress: [{hosts: ['./*']}], " spec "}\n"
#define TELEMETRY(name, spec)                                                  \
	DOC("telemetry.istio.io/v1", "Telemetry", NAMED(name))                 \
	"spec: {" spec "}\n"
#define POLICY(kind, name, spec)                                               \
	DOC(SEC, kind, NAMED(name)) "spec: {" spec "}\n"

/* Members of specs. */
#define LEAD(host) "{destination: {host: " host "}}"
#define SERVER(port, protocol, hosts)                                          \
	"{port: {number: " port ", name: p" port ", protocol: " protocol       \
	"}, hosts: [" hosts "]}"
#define INGRESS "selector: {istio: ingressgateway}"
#define ON_80(name)                                                            \
	GATEWAY(name, INGRESS ", servers: [" SERVER("80", "HTTP", "x.y") "]")

#endif
