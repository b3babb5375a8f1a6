# SPDX-License-Identifier: Apache-2.0
"""sets — small meshes of documents that collide and refer to each other.

All names come out of a few, so that half of what a document names is there.
Each set has what a cluster always has: namespaces, the usual gateways, a pod,
a service and a secret, as without any nobody can say that one is missing.
"""

import random

NAMESPACES = ["ns1", "ns1", "ns2", "istio-system"]
SERVICES = ["a", "b"]
OUTSIDE = ["x.example.com", "y.example.com", "*.example.com"]
HOSTS = SERVICES * 2 + [f"{s}.{n}.svc.cluster.local" for s in SERVICES
                        for n in NAMESPACES[1:3]] + OUTSIDE
SUBSETS = ["v1", "v2", "v3"]
PORTS = [80, 443, 8080]
GATEWAYS = ["g1", "g2"]
LABELS = [{"app": "a"}, {"app": "b"}, {"app": "a", "version": "v1"},
          {"app": "a", "version": "v2"}, {"version": "v2"}, {"app": "gone"},
          {"istio": "ingressgateway"}]
LIKELY = LABELS + [{"app": "a"}] * 5
GATEWAY_PORTS = [80, 443, 15443, 31400]
BEGINS = "networking.istio.io/v1"
SECURITY = "security.istio.io/v1"


def document(api, kind, ns, name, **rest):
    meta = {"name": name, **({"namespace": ns} if ns else {})}
    meta.update(rest.pop("meta", {}))
    return {"apiVersion": api, "kind": kind, "metadata": meta, **rest}


def pod(ns, name, labels, **meta):
    return document("v1", "Pod", ns, name, meta={"labels": labels, **meta},
                    spec={"containers": [{"name": "c", "image": "i"},
                                         {"name": "istio-proxy",
                                          "image": "p"}]})


def service(ns, name, selector, ports, **rest):
    return document("v1", "Service", ns, name, spec={
        "selector": selector, "ports": ports}, **rest)


class Sets:
    """Sets, one after another, from a seed and a certificate."""

    def __init__(self, seed, certificate, key):
        self.random = random.Random(seed)
        self.pair = {"tls.crt": certificate, "tls.key": key}
        self.makers = [
            (6, self.virtual_service), (4, self.destination_rule),
            (4, self.gateway), (3, self.service_entry), (2, self.sidecar),
            (2, self.telemetry), (2, self.authorization_policy),
            (1, self.request_authentication), (3, self.service),
            (3, self.pod), (2, self.secret), (1, self.peer_authentication),
            (1, self.control_plane)]

    def pick(self, items, share=1.0):
        """One of them; None as often as the share leaves over."""
        return self.random.choice(items) if self.random.random() < share \
            else None

    def some(self, items, most):
        return self.random.sample(items, self.random.randint(
            1, min(most, len(items))))

    # --- documents ---

    def always(self):
        usual = []
        for name in ("ingressgateway", "egressgateway"):
            labels = {"istio": name}
            usual += [pod("istio-system", f"istio-{name}", labels),
                      service("istio-system", f"istio-{name}", labels, [
                          {"name": f"tcp-{p}", "port": p, "protocol": "TCP"}
                          for p in GATEWAY_PORTS],
                          meta={"labels": labels})]
        injected = {"istio-injection": "enabled"}
        ambient = {"istio.io/dataplane-mode": "ambient"}
        return usual + [
            document("v1", "Namespace", None, n,
                     meta={"labels": self.pick([injected, injected, {},
                                                ambient])})
            for n in sorted(set(NAMESPACES))] + [
            pod("ns1", "always", {"app": "a", "version": "v1"}),
            service("ns1", "a", {"app": "a"},
                    [{"name": "http", "port": 80, "protocol": "TCP"}]),
            document("v1", "Secret", "istio-system", "always",
                     type="kubernetes.io/tls", data=self.pair)]

    def pod(self, ns, name):
        meta = self.pick([{"annotations": {
            "ambient.istio.io/redirection": "enabled"}}], 0.1) or {}
        made = pod(ns, name, self.pick(LABELS), **meta)
        if self.random.random() < 0.3:
            made["spec"]["containers"].pop()
        return made

    def service(self, ns, name):
        ports = [{"name": self.pick(["http", "tcp", "foo", "grpc-x"]) +
                  (f"-{p}" if i else ""), "port": p, "protocol": "TCP",
                  **(self.pick([{"targetPort": 8080}], 0.2) or {})}
                 for i, p in enumerate(self.some(PORTS, 2))]
        meta = self.pick([{"annotations": {"networking.istio.io/exportTo":
                                           self.pick([".", "ns1", "ns2,."])}}],
                         0.2) or {}
        return service(ns, self.pick([*SERVICES, name]), self.pick(LABELS),
                       ports, meta=meta)

    def secret(self, ns, _):
        good = self.random.random() < 0.7
        ns = self.pick([ns, "istio-system"])
        return document("v1", "Secret", ns, self.pick(["c1", "c2"]),
                        type="kubernetes.io/tls",
                        data=self.pair if good else
                        {**self.pair, "tls.crt": "bm9uc2Vuc2U="})

    def control_plane(self, ns, _):
        """istiod, with a limit of where keys come from or without."""
        env = self.pick([[{"name": "BLOCKED_CIDRS_IN_JWKS_URIS",
                           "value": "10.0.0.0/8"}], []])
        labels = {"app": "istiod"}
        return document("apps/v1", "Deployment", ns, "istiod", meta={
            "labels": labels}, spec={
            "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels}, "spec": {"containers": [
                    {"name": "c", "image": "i", "env": env}]}}})

    def scope(self):
        """exportTo, of which most have none."""
        return self.pick([{"exportTo": e} for e in (
            ["*"], ["."], ["ns1"], ["ns2", "."])], 0.25) or {}

    def destination(self):
        return {"host": self.pick(HOSTS),
                **(self.pick([{"subset": s} for s in SUBSETS], 0.4) or {}),
                **(self.pick([{"port": {"number": p}} for p in PORTS], 0.3)
                   or {})}

    def http(self):
        rule = {"route": [{"destination": self.destination()}]}
        kind = self.random.random()
        if kind < 0.15:
            rule["mirror"] = self.destination()
        elif kind < 0.25:
            rule["mirrors"] = [{"destination": self.destination()}]
        elif kind < 0.3:
            rule["fault"] = {"delay": {"fixedDelay": "1s", "percent": 5}}
        match = self.pick([
            {"uri": {"prefix": "/a"}}, {"uri": {"exact": "/a/b"}},
            {"headers": {"@request.auth.claims.a": {"exact": "b"}}},
            {"withoutHeaders": {"@request.auth.claims.a": {"exact": "b"}}}],
            0.5)
        if match:
            rule["match"] = [match]
        return rule

    def virtual_service(self, ns, name):
        spec = {"hosts": self.some(HOSTS, 2), **self.scope()}
        bound = self.pick([["g1"], ["ns1/g1", "mesh"], ["g1", "g2"],
                           ["istio-system/g2"], ["ns1/gone"], ["mesh"],
                           ["ns1/a~istio-autogenerated-k8s-gateway~b"]], 0.5)
        if bound:
            spec["gateways"] = bound
        what = self.random.random()
        if what < 0.8:
            spec["http"] = [self.http()
                            for _ in range(self.random.choice([1, 1, 2]))]
        elif what < 0.9:
            spec["tcp"] = [{"match": [{"port": self.pick(PORTS)}], "route": [
                {"destination": self.destination()}]}]
        else:
            spec["tls"] = [{"match": [{"sniHosts": spec["hosts"][:1]}],
                            "route": [{"destination": self.destination()}]}]
        return document(BEGINS, "VirtualService", ns, name, spec=spec)

    def destination_rule(self, ns, name):
        tls = {"mode": self.pick(["SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]),
               **(self.pick([{"caCertificates": "/a"},
                             {"credentialName": "c1"}], 0.5) or {})}
        if tls["mode"] == "MUTUAL" and "credentialName" not in tls:
            tls.update(clientCertificate="/b", privateKey="/c")
        if tls["mode"] == "ISTIO_MUTUAL":
            tls = {"mode": "ISTIO_MUTUAL"}
        spec = {"host": self.pick(HOSTS), **self.scope()}
        if self.random.random() < 0.6:
            spec["subsets"] = [
                {"name": s, "labels": {"version": self.pick(["v1", "v2"])}}
                for s in self.some(SUBSETS, 2)]
        where = self.random.random()
        if where < 0.2:
            spec["trafficPolicy"] = {"tls": tls}
        elif where < 0.3:
            spec["trafficPolicy"] = {"portLevelSettings": [
                {"port": {"number": 80}, "tls": tls}]}
        if self.random.random() < 0.2:
            spec["workloadSelector"] = {"matchLabels": self.pick(LABELS)}
        return document(BEGINS, "DestinationRule", ns, name, spec=spec)

    def server(self, index):
        host = self.pick(["*", "*"] + OUTSIDE)
        host = self.pick(["", "", "./", "*/", "ns1/", "ns2/"]) + host
        made = {"hosts": [host], "port": {
            "number": self.pick([80, 80, 443, 8443]),
            "name": f"p{index}", "protocol": "HTTP"}}
        if self.random.random() < 0.4:
            made["port"]["protocol"] = "HTTPS"
            made["tls"] = {"mode": "SIMPLE", **self.pick([
                {"credentialName": "c1"}, {"credentialName": "c2"},
                {"credentialName": "always"},
                {"serverCertificate": "/a", "privateKey": "/b"}])}
        if self.random.random() < 0.1:
            made["bind"] = "10.0.0.1"
        return made

    def gateway(self, ns, _):
        servers = [self.server(i)
                   for i in range(self.random.choice([1, 1, 2]))]
        return document(BEGINS, "Gateway", ns, self.pick(GATEWAYS), spec={
            "servers": servers,
            **(self.pick([{"selector": s} for s in [
                *LABELS[-1:] * 5, *LABELS]], 0.9) or {})})

    def service_entry(self, ns, name):
        spec = {"hosts": self.some(OUTSIDE + ["a", "b"], 2), **self.scope(),
                "resolution": self.pick(["NONE", "STATIC", "STATIC"]),
                "ports": [{"number": p, "name": f"p{p}", "protocol":
                           self.pick(["HTTP", "TCP", "HTTPS", "http"])}
                          for p in self.some(PORTS, 2)]}
        if any(p["protocol"] == "TCP" for p in spec["ports"]):
            spec["hosts"] = spec["hosts"][:1]
        spec.update(self.pick([{"addresses": ["10.0.0.1"]}], 0.3) or {})
        if spec["resolution"] == "STATIC":
            spec.update(self.pick([
                {"workloadSelector": {"labels": self.pick(LABELS)}},
                {"endpoints": [{"address": "10.0.0.9"}]}], 0.7) or {})
        return document(BEGINS, "ServiceEntry", ns, name, spec=spec)

    def sidecar(self, ns, name):
        spec = {"egress": [{"hosts": ["./*"]}]}
        if self.random.random() < 0.6:
            spec["workloadSelector"] = {"labels": self.pick(LIKELY)}
        if self.random.random() < 0.2:
            spec["outboundTrafficPolicy"] = {
                "mode": "ALLOW_ANY", "egressProxy": {
                    "host": "a.ns1.svc.cluster.local", "port": {
                        "number": 80}}}
        return document(BEGINS, "Sidecar", ns, name, spec=spec)

    def chosen(self, share):
        return self.pick([{"selector": {"matchLabels": s}} for s in LIKELY],
                         share) or {}

    def telemetry(self, ns, name):
        logging = self.pick([
            [{"providers": [{"name": "p"}]}], [{}], [{"disabled": True}],
            [{"disabled": False}]], 0.5)
        tracing = self.pick([[{"providers": [{"name": "old"}]}]], 0.3)
        return document("telemetry.istio.io/v1", "Telemetry", ns, name, spec={
            **self.chosen(0.6),
            **({"accessLogging": logging} if logging else {}),
            **({"tracing": tracing} if tracing else {})})

    def authorization_policy(self, ns, name):
        names = self.pick([["ns1"], ["gone"], ["ns*"], ["*-system"], ["*"],
                           ["NS1"]])
        key = self.pick(["namespaces", "notNamespaces"])
        return document(SECURITY, "AuthorizationPolicy", ns, name, spec={
            **self.chosen(0.6),
            "rules": [{"from": [{"source": {key: names}}]}]})

    def request_authentication(self, ns, name):
        return document(SECURITY, "RequestAuthentication", ns, name, spec={
            **self.chosen(0.6), "jwtRules": [{"issuer": "a"}]})

    def peer_authentication(self, ns, name):
        return document(SECURITY, "PeerAuthentication", ns, name, spec={
            **self.chosen(0.6), "mtls": {"mode": "STRICT"}})

    def mesh(self):
        """MeshConfig as upstream writes it, without an envelope."""
        made = {}
        if self.random.random() < 0.3:
            made["defaultProviders"] = {"accessLogging": ["p"]}
        if self.random.random() < 0.5:
            made["extensionProviders"] = [{"name": "old", "lightstep": {
                "service": "a.b", "port": 80, "accessToken": "t"}}]
        if self.random.random() < 0.2:
            made["defaultConfig"] = {"proxyMetadata": {
                "ISTIO_META_DNS_CAPTURE": "true",
                "ISTIO_META_DNS_AUTO_ALLOCATE": "true"}}
        return made

    def networks(self):
        """MeshNetworks, without an envelope."""
        return {"networks": {"n": {
            "endpoints": [{"fromRegistry": self.pick(
                ["Kubernetes", "gone", "Mock"])}],
            "gateways": [{"address": "10.0.0.1", "port": 15443}]}}}

    # --- a set ---

    def maker(self, favourites):
        """One of all, or of a few that are likelier to collide then."""
        weights, makers = zip(*(
            favourites if self.random.random() < 0.7 else self.makers))
        return self.random.choices(makers, weights)[0]

    def one(self):
        """(documents, the mesh's own configuration, its networks)"""
        favourites = self.random.sample(self.makers, 3)
        made = {}
        for d in self.always() + [
                self.maker(favourites)(self.pick(NAMESPACES), f"n{i}")
                for i in range(self.random.randint(2, 10))]:
            meta = d["metadata"]
            made[d["kind"], meta.get("namespace"), meta["name"]] = d
            if d["kind"] == "Deployment":
                runs = pod(meta["namespace"], "istiod-x", meta["labels"])
                made["Pod", meta["namespace"], "istiod-x"] = runs
        return list(made.values()), self.mesh(), self.networks()
