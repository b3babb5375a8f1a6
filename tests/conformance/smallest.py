# SPDX-License-Identifier: Apache-2.0
"""smallest — the smallest valid documents, and messages inside of them.

Of each kind that a peer judges, too; several where one excludes fields.
"""

HTTP_PORT = {"number": 80, "name": "http", "protocol": "HTTP"}
DESTINATION = {"destination": {"host": "a.b"}}
ROUTE = {"route": [DESTINATION]}
ENTRY = {"hosts": ["a.b"], "resolution": "DNS", "ports": [HTTP_PORT]}
TARGET = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}

DOCUMENTS = {
    "VirtualService": [
        {"hosts": ["a.b"], "http": [ROUTE]},
        {"hosts": ["a.b"], "gateways": ["g", "mesh"], "http": [
            {"match": [{"uri": {"prefix": "/a"}}], **ROUTE}, ROUTE]},
        {"hosts": ["a.b"], "http": [{"redirect": {"uri": "/a"}}]},
        {"hosts": ["a.b"], "http": [{"directResponse": {"status": 503}}]},
        {"hosts": ["a.b"], "http": [{"delegate": {"name": "a"}}]},
        {"http": [ROUTE]},
        {"hosts": ["a.b"], "tls": [
            {"match": [{"sniHosts": ["a.b"], "port": 443}], **ROUTE}]},
        {"hosts": ["a.b"], "tcp": [{"match": [{"port": 80}], **ROUTE}]}],
    "DestinationRule": [
        {"host": "a.b"},
        {"host": "a.b", "trafficPolicy": {"tls": {"mode": "SIMPLE"}}},
        {"host": "a.b", "trafficPolicy": {"outlierDetection": {}}},
        {"host": "a.b", "subsets": [{"name": "v1", "labels": {"app": "a"}}]}],
    "Gateway": [
        {"servers": [{"hosts": ["a.b"], "port": HTTP_PORT}]},
        {"selector": {"app": "a"}, "servers": [
            {"hosts": ["a.b"], "tls": {
                "mode": "SIMPLE", "credentialName": "a"},
             "port": {"number": 443, "name": "a", "protocol": "HTTPS"}}]},
        {"servers": [
            {"hosts": ["a.b"], "tls": {"mode": "PASSTHROUGH"},
             "port": {"number": 443, "name": "a", "protocol": "TLS"}}]},
        {"servers": [
            {"hosts": ["a.b"], "tls": {
                "mode": "MUTUAL", "serverCertificate": "/a",
                "privateKey": "/b", "caCertificates": "/c"},
             "port": {"number": 443, "name": "a", "protocol": "HTTPS"}}]}],
    "ServiceEntry": [
        ENTRY,
        {**ENTRY, "resolution": "NONE", "addresses": ["10.0.0.0/8"]},
        {**ENTRY, "resolution": "STATIC", "endpoints": [
            {"address": "10.0.0.1", "ports": {"http": 8080}}]},
        {**ENTRY, "resolution": "STATIC",
         "workloadSelector": {"labels": {"app": "a"}}},
        {**ENTRY, "hosts": ["a.b", "c.d"], "addresses": ["10.0.0.1"],
         "ports": [{**HTTP_PORT, "protocol": "HTTPS"}]},
        {**ENTRY, "hosts": ["*.b"], "resolution": "DYNAMIC_DNS"},
        {**ENTRY, "hosts": ["*.b"], "resolution": "DYNAMIC_DNS",
         "location": "MESH_INTERNAL"}],
    "WorkloadEntry": [
        {"address": "10.0.0.1"}, {"address": "", "network": "a"}],
    "WorkloadGroup": [
        {"template": {}},
        {"template": {}, "probe": {"httpGet": {"port": 80}}},
        {"template": {}, "probe": {"tcpSocket": {"port": 80}}},
        {"template": {}, "probe": {"exec": {"command": ["a"]}}},
        {"template": {}, "probe": {"grpc": {"port": 80}}}],
    "Sidecar": [
        {"egress": [{"hosts": ["./*"]}]},
        {"workloadSelector": {"labels": {"app": "a"}}, "ingress": [
            {"port": HTTP_PORT, "defaultEndpoint": "127.0.0.1:80"}]},
        {"workloadSelector": {"labels": {"app": "a"}}, "ingress": [
            {"port": {**HTTP_PORT, "protocol": "HTTPS"},
             "tls": {"mode": "SIMPLE", "serverCertificate": "/a",
                     "privateKey": "/b"},
             "defaultEndpoint": "127.0.0.1:80"}]}],
    "PeerAuthentication": [
        {}, {"selector": {"matchLabels": {"app": "a"}}}],
    "RequestAuthentication": [{"jwtRules": [{"issuer": "a"}]}, {}],
    "AuthorizationPolicy": [
        {"rules": [{}]}, {},
        {"action": "CUSTOM", "provider": {"name": "a"}, "rules": [{}]},
        {"action": "DENY", "rules": [
            {"to": [{"operation": {"ports": ["80"]}}]}]}],
    "Telemetry": [{}],
    "TrafficExtension": [
        {"lua": {"inlineCode": "a"}}, {"wasm": {"url": "oci://a.b/c"}}],
    "WasmPlugin": [{"url": "oci://a.b/c"}],
    "ProxyConfig": [{}],
}

# Of metadata: in what, which, with what.
NOTES = [
    ("annotations", "istio.io/dry-run", ["true", "false", "x", ""]),
    ("annotations", "internal.istio.io/parents", ["a"]),
    ("labels", "istio.io/use-waypoint", ["a", "None", ""]),
    ("labels", "networking.istio.io/enable-autoallocate-ip",
     ["false", "False", "true"]),
]

# What a message needs besides what the tables say, by the end of its path.
MESSAGES = {
    "distribute": {"from": "a/*", "to": {"a/*": 60, "b/*": 40}},
    "egress.port": HTTP_PORT,
    "failover": {"from": "a", "to": "b"},
    "http.mirror": {"host": "a.b"},
    "retries": {"attempts": 2},
    "outlierDetection": {"splitExternalLocalOriginErrors": True},
    "rules.from": {"source": {"ipBlocks": ["10.0.0.1"]}},
    "rules.to": {"operation": {"ports": ["80"]}},
    "rules.when": {"key": "request.headers[a]", "values": ["a"]},
    "spec.http": ROUTE,
    "spec.ingress": {"port": HTTP_PORT, "defaultEndpoint": "127.0.0.1:80"},
    "spec.tcp": ROUTE,
    "spec.tls": {"match": [{"sniHosts": ["a.b"]}], **ROUTE},
    "targetRef": TARGET,
    "targetRefs": TARGET,
    "uriRegexRewrite": {"match": "a+", "rewrite": "/b"},
}


def of_message(path):
    for count in (2, 1):
        found = MESSAGES.get(".".join(path.split(".")[-count:]))
        if found:
            return found
    return {}
