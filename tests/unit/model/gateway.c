/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway — Gateway and Sidecar: right, wrong, and what is said about each.
 */
#include "expect.h"
#include "unit.h"

#define HEAD(kind)                                                             \
	"apiVersion: networking.istio.io/v1\nkind: " kind "\n"                 \
	"metadata: {name: x, namespace: shop}\nspec:\n"
#define GW HEAD("Gateway") "  servers:\n  - "
#define PORT(protocol) "port: {number: 80, name: a, protocol: " protocol "}"
#define SERVER(protocol) GW "hosts: [a.b]\n    " PORT(protocol) "\n"
#define TLS(words) SERVER("HTTPS") "    tls: {" words "}\n"
#define SC HEAD("Sidecar")
#define OUT(words) SC "  egress:\n  - {" words "}\n"

static const struct mistake wrongs[] = {
    {HEAD("Gateway") "  selector: {a: b}\n", "spec.servers", "is required"},
    {GW "hosts: [a.b]\n", "spec.servers[0].port", "is required"},
    {GW PORT("HTTP") "\n", "spec.servers[0].hosts", "is required"},
    {GW "hosts: [short]\n    " PORT("HTTP") "\n", "spec.servers[0].hosts[0]",
	"short names"},
    {GW "hosts: ['*x.b']\n    " PORT("HTTP") "\n", "spec.servers[0].hosts[0]",
	"partial wildcard"},
    {GW "hosts: ['~/a.b']\n    " PORT("HTTP") "\n", "spec.servers[0].hosts[0]",
	"invalid namespace value"},
    {GW "hosts: [a/b/c]\n    " PORT("HTTP") "\n", "spec.servers[0].hosts[0]",
	"namespace/dnsName"},
    {SERVER("HTPP"), "spec.servers[0].port.protocol", "did you mean"},
    {SERVER("HTTP") "    bind: a.b\n", "spec.servers[0].bind",
	"not a valid IP"},
    {SERVER("HTTP") "    bind: 'unix:///a'\n", "spec.servers[0].port.number",
	"must be 0"},
    {GW "hosts: [a.b]\n    port: {number: 0, name: a, protocol: TCP}\n",
	"spec.servers[0].port.number", "1..65535"},
    {GW "hosts: [a.b]\n    port: {number: 1, name: a, protocol: TCP, "
	"targetPort: 2}\n",
	"spec.servers[0].port.targetPort", "no impact"},
    {SERVER("HTTP") "  - hosts: [c.d]\n    " PORT("TCP") "\n",
	"spec.servers[1].port.name", "must be unique"},
    {SERVER("HTTPS"), "spec.servers[0]", "must have TLS"},
    {SERVER("HTTP") "    tls: {mode: SIMPLE, credentialName: c}\n",
	"spec.servers[0].tls", "plain text HTTP"},
    {SERVER("TCP") "    tls: {mode: SIMPLE, credentialName: c}\n",
	"spec.servers[0].tls", "non HTTPS/TLS"},
    {TLS("mode: SIMPLE"), "spec.servers[0].tls", "server certificate"},
    {TLS("mode: MUTUAL, serverCertificate: a, privateKey: b"),
	"spec.servers[0].tls", "client CA bundle"},
    {TLS("mode: SIMPLE, credentialName: a, serverCertificate: b, "
	 "privateKey: c"),
	"spec.servers[0].tls", "only one of"},
    {TLS("mode: SIMPLE, serverCertificate: a, privateKey: b, caCrl: c"),
	"spec.servers[0].tls.caCrl", "asks none"},
    {TLS("mode: PASSTHROUGH, credentialName: a, caCrl: c"),
	"spec.servers[0].tls.caCrl", "beside credentialName"},
    {TLS("mode: PASSTHROUGH, credentialNames: [a], tlsCertificates: [{}]"),
	"spec.servers[0].tls", "only one of"},
    {TLS("mode: MUTUAL, caCertCredentialName: a, tlsCertificates: "
	 "[{serverCertificate: a, privateKey: b, caCertificates: c}]"),
	"spec.servers[0].tls", "client CA bundle"},
    {TLS("mode: ISTIO_MUTUAL, credentialName: a"),
	"spec.servers[0].tls.credentialName", "cannot have associated"},
    {TLS("mode: SIMPEL"), "spec.servers[0].tls.mode",
	"did you mean \"SIMPLE\""},
    {SC "  workloadSelector: {labels: {a: b}}\n", "spec",
	"empty configuration"},
    {OUT("port: {number: 1, protocol: TCP}"), "spec.egress[0].hosts",
	"is required"},
    {OUT("hosts: [a.b]"), "spec.egress[0].hosts[0]", "namespace/dnsName"},
    {OUT("hosts: ['*/*'], port: {protocol: TCP}"), "spec.egress[0].port.number",
	"ports with 0 value"},
    {OUT("hosts: ['*/*']") "  - {hosts: ['./*'], port: {number: 1}}\n",
	"spec.egress[0]", "last listener"},
    {SC "  egress:\n  - {hosts: ['*/*'], port: {number: 1}}\n"
	"  - {hosts: ['./*'], port: {number: 1}}\n",
	"spec.egress[1]", "must be unique"},
    {SC "  ingress: [{defaultEndpoint: '127.0.0.1:1'}]\n",
	"spec.ingress[0].port", "is required"},
    {SC "  ingress: [{port: {number: 1, protocol: TCP}, "
	"defaultEndpoint: '10.0.0.1:1'}]\n",
	"spec.ingress[0].defaultEndpoint", "must be of form"},
    {SC "  ingress: [{port: {number: 1, protocol: HTTPS}, "
	"tls: {mode: SIMPLE, credentialName: a}}]\n",
	"spec.ingress[0].tls.credentialName", "not supported in ingress"},
    {SC "  ingress: [{port: {number: 1, protocol: HTTP}, tls: {}}]\n",
	"spec.ingress[0].tls", "non HTTPS/TLS"},
    {SC "  outboundTrafficPolicy: {egressProxy: {host: a.b, "
	"port: {number: 1}}}\n",
	"spec.outboundTrafficPolicy.egressProxy", "ALLOW_ANY"},
};

TEST(each_mistake_at_an_edge_is_named)
{
	expect_mistakes(wrongs, ARRAY_LEN(wrongs));
}

TEST(what_helps_nobody_is_warned_of)
{
	static const struct warned rows[] = {
	    {TLS("mode: PASSTHROUGH, credentialName: a"), 1},
	    {TLS("mode: PASSTHROUGH, caCrl: a"), 1},
	    {TLS("mode: SIMPLE, credentialNames: [a, b, c], caCrl: d"), 0},
	    {TLS("mode: SIMPLE, credentialName: a, privateKey: b"), 0},
	    {TLS("mode: SIMPLE, credentialName: a, minProtocolVersion: "
		 "TLSV1_1"),
		1},
	    {TLS("mode: SIMPLE, credentialName: a, "
		 "cipherSuites: [nonsense, AES128-SHA, AES128-SHA]"),
		2},
	    {TLS("mode: SIMPLE, credentialName: a, "
		 "cipherSuites: ['', ALL, '-AES128-SHA', alL]"),
		1},
	    {SERVER("HTTP") "    tls: {httpsRedirect: true}\n", 0},
	    {OUT("hosts: ['*/*', 'a/*']"), 1},
	    {OUT("hosts: ['*/*', '~a/*']"), 0},
	    {OUT("hosts: ['./*', 'shop/x.y']"), 1},
	    {OUT("hosts: ['*/a.b', 'shop/a.b']"), 0},
	    {OUT("hosts: ['*/*']") "  outboundTrafficPolicy: {mode: ALLOW_ANY, "
				   "egressProxy: {host: a, port: {number: "
				   "1}}}\n",
		0},
	    {SC "  workloadSelector: {}\n  egress: [{hosts: ['./*']}]\n", 1},
	};

	expect_warned(rows, ARRAY_LEN(rows));
}

TEST(tls_that_ends_here_is_not_in_force)
{
	expect_inert(TLS("mode: SIMPLE, credentialName: a"),
	    "spec.servers[0].tls.mode", "MSH0001");
	expect_inert(TLS("mode: AUTO_PASSTHROUGH"), "spec.servers[0].tls.mode",
	    "MSH0001");
	expect_in_force(TLS("mode: PASSTHROUGH"));
	expect_in_force(SERVER("HTTP") "    tls: {httpsRedirect: true}\n");
}
