# SPDX-License-Identifier: Apache-2.0
"""fitting — values that are likely to be valid, by a field's type and name.

The tables say what a field holds, but of a text only that it is one; what
upstream takes there is told by the end of the field's path.
"""

HOSTS = ["a.b", "a", "*.b", "b.ns1.svc.cluster.local", "a.example.com"]
NAMES = ["a", "a-b", "web", "v1"]
HEADERS = ["x-a", "X-B", "content-type", "host"]
PATHS = ["/", "/a", "/a/*", "*/b", "/a/{*}/b", "/{**}"]
REGIONS = ["a", "b", "a/b", "a/b/c", "a/*"]
SUBNETS = ["10.0.0.0/8", "10.0.0.1", "::1", "fd00::/8"]
REGEXES = ["a+", "^a$", "[a-z]*", "(a|b){2}", "/a/(.*)"]
FILES = ["/etc/a.pem", "a.pem"]
GATEWAYS = ["mesh", "g", "ns1/g"]
PRINCIPALS = ["*", "a/ns/b/sa/c", "td/*", "*/c"]

TEXTS = {
    "address": ["10.0.0.1", "a.b", "unix:///a", "::1"],
    "addresses": SUBNETS,
    "allowMethods": ["GET", "POST"],
    "authority": ["a.b", "a.b:80"],
    "bind": ["10.0.0.1", "::1", "0.0.0.0", "unix:///a"],
    "bytes": ["YQ==", "YWI="],
    "cipherSuites": ["ECDHE-RSA-AES256-GCM-SHA384", "AES128-SHA"],
    "credentialName": ["a", "kubernetes://ns1/a", "configmap://ns1/a"],
    "defaultEndpoint": ["127.0.0.1:80", "unix:///a", "0.0.0.0:9000"],
    "destinationSubnets": SUBNETS,
    "egress.hosts": ["./*", "*/*", "ns1/*", "~/*", "./a.b", "*/a.b"],
    "exportTo": ["*", ".", "ns1"],
    "expression": ["response.code >= 400", "true", "has(a.b)"],
    "failover.from": ["a", "b"],
    "failover.to": ["c", "d"],
    "failoverPriority": ["topology.kubernetes.io/region", "a=b", "app"],
    "fromHeaders.prefix": ["Bearer ", "a"],
    "group": ["gateway.networking.k8s.io"],
    "grpcStatus": ["UNAVAILABLE", "NOT_FOUND", "7"],
    "headers.name": HEADERS,
    "hosts": HOSTS,
    "http2Error": ["NO_ERROR", "CANCEL"],
    "httpHeaders.name": HEADERS,
    "imageType": ["default", "distroless"],
    "ipBlocks": SUBNETS,
    "jwks": ['{"keys":[]}', '{"keys":[{"e":"AQAB","kid":"a","kty":"RSA",'
             '"n":"AQAB"}]}'],
    "jwksUri": ["https://a.b/c", "http://a.b:80/c"],
    "key": ["request.headers[a]", "source.ip", "source.namespace",
            "request.auth.claims[a]", "destination.port", "connection.sni",
            "remote.ip", "request.auth.audiences", "source.principal",
            "experimental.envoy.filters.a[b]"],
    "httpGet.scheme": ["HTTP", "HTTPS"],
    "kind": ["Gateway", "GatewayClass"],
    "locality": REGIONS[:4],
    "match.gateways": GATEWAYS,
    "methods": ["GET", "POST", "*"],
    "namespaces": ["ns1", "*", "ns*"],
    "notMethods": ["GET"],
    "notPaths": PATHS,
    "notPorts": ["80", "8080"],
    "notServiceAccounts": ["a", "ns1/a"],
    "path": ["/", "/a"],
    "paths": PATHS,
    "percent": ["1"],
    "ports": ["80", "8080"],
    "ports.protocol": ["HTTP", "TCP", "HTTPS", "GRPC", "TLS", "MONGO", ""],
    "port.protocol": ["HTTP", "TCP", "HTTPS", "GRPC", "TLS", "HTTP2"],
    "prefix": ["/", "/a", "a"],
    "protocol": ["CONNECT", "POST"],
    "regex": REGEXES,
    "remoteIpBlocks": SUBNETS,
    "reportingInterval": ["5s", "1m"],
    "retryOn": ["5xx", "connect-failure,503", "gateway-error", "reset"],
    "scheme": ["http", "https"],
    "servers.hosts": HOSTS + ["*", "./a.b", "ns1/*", "*/*.b"],
    "serviceAccounts": ["a", "ns1/a"],
    "sha256": ["a" * 64, "0123456789abcdef" * 4],
    "sni": ["a.b", "*.b"],
    "sniHosts": ["a.b", "*.b"],
    "sourceSubnet": SUBNETS,
    "subjectAltNames": ["a", "spiffe://a/b"],
    "targetHost": ["a.b", "10.0.0.1"],
    "uri": ["/", "/a", "http://a/b"],
    "uriRegexRewrite.match": REGEXES,
    "uriRegexRewrite.rewrite": ["/a", "\\1", "\\0/x", "/\\1/\\2"],
    "url": ["oci://a.b/c", "https://a.b/c", "file:///a", "a.b/c:1"],
    "values": ["a", "*", "10.0.0.0/8", "80"],
    "verifyCertificateHash": ["a" * 64],
}
for _name in ("host", "notHosts"):
    TEXTS[_name] = HOSTS
for _name in ("header", "httpHeaderName", "outputPayloadToHeader", "remove",
              "allowHeaders", "exposeHeaders"):
    TEXTS[_name] = HEADERS
for _name in ("serverCertificate", "privateKey", "caCertificates", "caCrl",
              "clientCertificate"):
    TEXTS[_name] = FILES
for _name in ("principals", "notPrincipals", "requestPrincipals",
              "notRequestPrincipals"):
    TEXTS[_name] = PRINCIPALS
for _name in ("notIpBlocks", "notRemoteIpBlocks"):
    TEXTS[_name] = SUBNETS
TEXTS["gateways"] = GATEWAYS
TEXTS["from"] = REGIONS

DURATIONS = ["1s", "5ms", "1.5s", "2h", "0.5s", "1h2m", "10s"]
MAPS = {
    "add": {"x-a": "b"}, "set": {"x-b": "%REQ(a)%"},
    "to": {"a/*": 60, "b/*": 40}, "headers": ["x-a", "uri", "X-B"],
    "withoutHeaders": ["x-a", "X-B"], "queryParams": ["q"],
    "labels": {"app": "a", "version": "v1"},
}


def _named(table, path, otherwise):
    """By the last two steps of a path, by the last one."""
    for count in (2, 1):
        found = table.get(".".join(path.split(".")[-count:]))
        if found:
            return found
    return otherwise


def text(random, path):
    return random.choice(_named(TEXTS, path, NAMES))


def number(random, row):
    low, high = row.get("min", 0), row.get("max", 100)
    near = [n for n in (1, 50, 80, 100, 404, 503, 65537) if low <= n <= high]
    return random.choice([low, high, *near, *near,
                          random.randint(int(low), int(high))])


def plain_map(path, kind):
    """A map of texts, of numbers or of anything."""
    if kind == "map of anything":
        return {"a": [1, {"b": None}]}
    found = MAPS.get(path.split(".")[-1])
    if kind.startswith("map of numbers"):
        return dict(found) if found and path.endswith(".to") else {"http": 80}
    return dict(found) if isinstance(found, dict) else {"app": "a"}


def map_key(random, path):
    """Of a map of messages."""
    return random.choice(_named(MAPS, path, ["a", "80", "x-a"]))
