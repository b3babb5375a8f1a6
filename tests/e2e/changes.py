# SPDX-License-Identifier: Apache-2.0
"""changes — random ones of configuration, each of which lets all traffic pass.

A change is documents to apply, or to delete, at once. What refers to a subset
comes with the rule that has it or after, and goes with it or before; nothing
else is in any order.
"""

import random

from mesh import wait_for
from test_22_keep import post
from traffic import OFFERS

ISTIO = "networking.istio.io/v1"
SUBSETS = [{"name": v, "labels": {"version": v}} for v in ("v1", "v2")]
# Of each some, sometimes none, are in a rule for requests.
PARTS = {
    "timeout": ["30s", "50s"],
    "retries": [{"attempts": n, "retryOn": "5xx,reset", "backoff": "1ms"}
                for n in (1, 2, 3)],
    "headers": [{way: {"set": {"x-set": "%REQ(host)%"}, "remove": ["x-old"]}}
                for way in ("request", "response")],
    "corsPolicy": [{"allowOrigins": [{"exact": "http://a.com"}]}],
    "fault": [{"delay": {"fixedDelay": "1ms", "percentage": {"value": 50}}},
              {"abort": {"httpStatus": 418, "percentage": {"value": 0}}}],
    "rewrite": [{"uriRegexRewrite": {"match": "^/none", "rewrite": "/"}}],
}
# Rules that nobody who calls meets.
ASIDE = [
    {"match": [{"uri": {"exact": "/tea"}}], "directResponse": {"status": 418}},
    {"match": [{"headers": {"x-who": {"regex": "no.*"}}}],
     "redirect": {"uri": "/there"}},
    {"match": [{"method": {"exact": "TRACE"}}, {"port": 8099}],
     "fault": {"abort": {"httpStatus": 500, "percentage": {"value": 100}}},
     "route": [{"destination": {"host": "nobody"}}]},
]
POLICIES = [
    {"loadBalancer": {"simple": "ROUND_ROBIN"}},
    {"loadBalancer": {"simple": "RANDOM"}},
    {"connectionPool": {"http": {"maxRetries": 100}}},
    {"connectionPool": {"http": {"h2UpgradePolicy": "DO_NOT_UPGRADE"}}},
    {"outlierDetection": {"consecutive5xxErrors": 100}},
]


class Changes:
    """`next` gives one after another, out of the seed alone."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.there = {}  # (kind, name) -> document
        self.makers = [self.routes] * 6 + [self.rules] * 3 + [
            self.bytes_routes, self.service, self.part, self.entry,
            self.stranger, self.sidecar]

    def next(self):
        """("apply" or "delete", documents)."""
        if self.there and self.random.random() < 0.35:
            return "delete", self.take_away()
        documents = self.random.choice(self.makers)()
        for document in documents:
            self.there[self.key(document)] = document
        return "apply", documents

    def after(self, count):
        """What is there after so many that were not made: to apply at once."""
        for _ in range(count):
            self.next()
        return list(self.there.values())

    @staticmethod
    def key(document):
        return document["kind"], document["metadata"]["name"]

    def take_away(self):
        key = self.random.choice(sorted(self.there))
        gone = [self.there.pop(key)]
        routes = ("VirtualService", key[1])
        if key[0] == "DestinationRule" and routes in self.there:
            gone.append(self.there.pop(routes))
        return gone

    def maybe(self, chance=0.3):
        return self.random.random() < chance

    @staticmethod
    def document(kind, name, spec, version=ISTIO):
        return {"apiVersion": version, "kind": kind, "metadata": {
            "name": name, "namespace": "default"}, "spec": spec}

    # --- what goes to those who are called ---

    def destinations(self, host):
        """Where all may go: any version there is, by any weight."""
        there = ["v1", "v2"] if host in ("web", "echo") else ["v1"]
        if ("DestinationRule", host) not in self.there or self.maybe():
            return [{"destination": {"host": host}}]
        taken = self.random.sample(there, self.random.randint(1, len(there)))
        return [{"destination": {"host": host, "subset": v},
                 "weight": self.random.randint(1, 99)} for v in taken]

    def rule(self, host):
        rule = {"route": self.destinations(host)}
        for name, values in PARTS.items():
            if self.maybe():
                rule[name] = self.random.choice(values)
        if host == "web" and self.maybe():
            rule["mirror"] = {"host": self.random.choice(["web", "outside"])}
            rule["mirrorPercentage"] = {"value": 20}
        return rule

    def routes(self):
        host = self.random.choice(["web", "web", "switch", "talk"])
        http = [r for r in ASIDE if self.maybe()]
        if self.maybe():
            http.append({"match": [{"uri": {"prefix": "/"}, "headers": {
                "x-who": {"exact": "part"}}}], "delegate": {"name": "part"}})
        if self.maybe():
            http.append({"match": [{"uri": {"prefix": "/1"}}],
                         **self.rule(host)})
        return [self.document("VirtualService", host, {
            "hosts": [host], "http": [*http, self.rule(host)]})]

    def rules(self):
        host = self.random.choice(sorted(OFFERS))
        spec = {"host": host, "subsets": SUBSETS}
        if self.maybe(0.7):
            spec["trafficPolicy"] = self.random.choice(POLICIES)
        documents = [self.document("DestinationRule", host, spec)]
        self.there[self.key(documents[0])] = documents[0]
        if host != "echo" and self.maybe(0.5):
            documents.append(self.document("VirtualService", host, {
                "hosts": [host], "http": [self.rule(host)]}))
        return documents

    def bytes_routes(self):
        tcp = [{"match": [{"port": 8099}], "route": [
            {"destination": {"host": "nobody"}}]}] if self.maybe() else []
        return [self.document("VirtualService", "echo", {
            "hosts": ["echo"], "tcp": [
                *tcp, {"route": self.destinations("echo")}]})]

    def service(self):
        name = self.random.choice(sorted(OFFERS))
        port, protocol = OFFERS[name][:2]
        ports = [{"name": protocol, "port": port}]
        if self.maybe():
            ports = ports + [{"name": "http-more", "port": 8080}]
        return [self.document("Service", name, {
            "selector": {"app": name}, "ports": ports}, "v1")]

    # --- what is beside them ---

    def part(self):
        return [self.document("VirtualService", "part", {
            "http": [{"route": self.destinations("web")}]})]

    def entry(self):
        count = self.random.randint(1, 5)
        return [self.document("ServiceEntry", "outside", {
            "hosts": ["outside"], "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": f"10.98.0.{n + 1}"}
                          for n in range(count)]})]

    def stranger(self):
        name = f"stranger-{self.random.randrange(10)}"
        return [self.document("Service", name, {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80}]}, "v1"),
                self.document("VirtualService", name, {
                    "hosts": [name], "http": [
                        {"timeout": f"{self.random.randint(1, 9)}s",
                         "route": [{"destination": {"host": name}}]}]})]

    def sidecar(self):
        return [self.document("Sidecar", "default", {"egress": [
            {"hosts": [self.random.choice(["*/*", "./*"])]}]})]


def make(mesh, how, documents):
    """A change, as `next` gives it; its revision."""
    body = {"documents": documents} if how == "apply" else {"keys": [{
        "group": d["apiVersion"].rpartition("/")[0], "kind": d["kind"],
        **d["metadata"]} for d in documents]}
    status, told = post(
        mesh.cli, f"/v1/{how}?force=true&allowInert=true", body)
    assert status == 200, (told, documents)
    return told["revision"]


def in_force(mesh, revision):
    """Waits until every agent has said so."""
    wait_for(lambda: all(agent["revision"] >= revision for agent in
                         mesh.cli.api("/v1/agents")["items"]),
             f"revision {revision} is in force everywhere")
