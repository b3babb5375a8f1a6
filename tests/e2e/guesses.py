# SPDX-License-Identifier: Apache-2.0
"""guesses — rules for one host at random, and requests that nearly meet them.

Only what the proxy does itself: a difference between it and explain is a
mistake of one of them.
"""

import json
import random

PATHS = ["/", "/api", "/api/v1", "/api/v1/users", "/static/x.png", "/Api",
         "/a.b", "/login"]
EXPRESSIONS = ["/api/v[0-9]+", "/.*", "/api/v1/(users|carts)", "/a\\.b",
               "/static/.*\\.png"]
METHODS = ["GET", "POST", "PUT", "DELETE"]
NAMES = ["who", "x-version", "end-user"]
VALUES = ["a", "tester", "v1", "v1-beta", "Bob", ""]
PARAMETERS = ["id", "debug"]
HOSTS = ["web", "web.default", "shop.example.com", "web:80"]
VERSIONS = ["v1", "v2"]


class Guesses:
    """Everything follows from the seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def maybe(self, share):
        return self.random.random() < share

    def pick(self, items):
        return self.random.choice(items)

    # --- rules ---

    def text_test(self, values, expressions):
        kind = self.pick(["exact", "prefix", "regex"])
        if kind == "regex":
            return {kind: self.pick(expressions)}
        return {kind: self.pick([v for v in values if v])}

    def match(self):
        made = {}
        if self.maybe(0.8):
            made["uri"] = self.text_test(PATHS, EXPRESSIONS)
            if self.maybe(0.2):
                made["ignoreUriCase"] = True
        if self.maybe(0.2):
            made["method"] = {"exact": self.pick(METHODS)}
        if self.maybe(0.15):
            made["authority"] = self.text_test(HOSTS, ["web.*", ".*"])
        for key in ("headers", "withoutHeaders"):
            if self.maybe(0.25):
                made[key] = {self.pick(NAMES): self.pick(
                    [{}, self.text_test(VALUES, ["v1.*", ".+", "a|Bob"])])}
        if self.maybe(0.2):
            made["queryParams"] = {self.pick(PARAMETERS): {self.pick(
                ["exact", "regex"]): self.pick(["1", "on", "a"])}}
        if self.maybe(0.1):
            made["port"] = self.pick([80, 81])
        return made

    def destination(self):
        host = "web" if self.maybe(0.92) else self.pick(["nobody", "gone"])
        made = {"host": host}
        if host == "web" and self.maybe(0.8):
            made["subset"] = "v9" if self.maybe(0.05) else self.pick(VERSIONS)
        return made

    def rule(self, index):
        made = {"name": f"r{index}",
                "match": [self.match() for _ in range(self.pick([1, 1, 2]))],
                "route": [{"destination": self.destination()}]}
        if self.maybe(0.2):
            made["route"] = [
                {"destination": self.destination(), "weight": w}
                for w in self.pick([(100, 0), (0, 100), (50, 50)])]
        if self.maybe(0.2):
            made["rewrite"] = {"uri": self.pick(["/", "/new", "/new/"])}
        if self.maybe(0.2):
            made["headers"] = {"request": {
                "set": {"x-rule": f"r{index}"}, "remove": [self.pick(NAMES)]}}
        return made

    def configuration(self):
        http = [self.rule(i) for i in range(self.random.randint(2, 8))]
        if self.maybe(0.5):
            http.append({"name": "rest",
                         "route": [{"destination": self.destination()}]})
        documents = [
            {"apiVersion": "v1", "kind": "Service",
             "metadata": {"name": name},
             "spec": {"selector": {"app": name},
                      "ports": [{"name": "http", "port": 80}]}}
            for name in ("web", "nobody")] + [
            {"apiVersion": "networking.istio.io/v1",
             "kind": "DestinationRule", "metadata": {"name": "web"},
             "spec": {"host": "web", "subsets": [
                 {"name": v, "labels": {"version": v}} for v in VERSIONS]}},
            {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
             "metadata": {"name": "web"},
             "spec": {"hosts": ["web"], "http": http}}]
        return json.dumps({"apiVersion": "v1", "kind": "List",
                           "items": documents})

    # --- requests ---

    def path(self):
        path = self.pick(PATHS)
        if self.maybe(0.3):
            path += self.pick(["/", "x", "/deeper", "/v2"])
        if self.maybe(0.3):
            path += f"?{self.pick(PARAMETERS)}={self.pick(['1', 'on', 'a'])}"
            if self.maybe(0.3):
                path += f"&{self.pick(PARAMETERS)}=on"
        return path

    def request(self):
        """(method, path, headers), the host among them."""
        headers = {"host": self.pick(HOSTS)}
        for name in NAMES:
            if self.maybe(0.4):
                headers[name] = self.pick(VALUES) + self.pick(["", "", "x"])
        return self.pick(METHODS), self.path(), headers


EDGE_HOSTS = ["shop.example.com", "*.example.com", "a.b.example.com",
              "other.example.org", "*", "*.com"]
EDGE_PORTS = [8000, 8001]
NAMES_OF_TLS = ["a.tls.test", "b.tls.test", "*.tls.test", "c.d.tls.test"]


class EdgeGuesses(Guesses):
    """The same at gateways: several, whose hosts and ports nearly meet."""

    def server(self, port, index):
        made = {"port": {"number": port, "name": f"p{index}",
                         "protocol": "HTTP"},
                "hosts": sorted({self.pick(EDGE_HOSTS)
                                 for _ in range(self.pick([1, 1, 2]))})}
        if self.maybe(0.15):
            made["tls"] = {"httpsRedirect": True}
        return made

    def gateway(self, name):
        servers = [self.server(self.pick(EDGE_PORTS), i)
                   for i in range(self.pick([1, 2]))]
        servers.append({"port": {"number": 8443, "name": "tls",
                                 "protocol": "TLS"}, "hosts": [f"*.{name}", "*"],
                        "tls": {"mode": "PASSTHROUGH"}})
        return {"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
                "metadata": {"name": name},
                "spec": {"selector": {"istio": self.pick(
                    ["ingressgateway"] * 4 + ["elsewhere"])},
                         "servers": servers}}

    def tls_rule(self):
        return {"match": [{"sniHosts": [self.pick(NAMES_OF_TLS)]}],
                "route": [{"destination": {
                    "host": self.pick(["secure", "echo", "gone"]),
                    "port": {"number": 443}}}]}

    def virtual_service(self, name):
        spec = {"gateways": self.pick([["g"], ["h"], ["g", "h"], ["mesh"],
                                       ["default/g"]]),
                "hosts": [self.pick(EDGE_HOSTS)],
                "http": [self.rule(i)
                         for i in range(self.random.randint(1, 4))]}
        if self.maybe(0.7):
            spec["http"].append({"name": "rest", "route": [
                {"destination": self.destination()}]})
        if spec["gateways"] == ["mesh"]:
            spec["hosts"] = ["inside.example.com"]
        if self.maybe(0.5):
            spec["hosts"] = ["*.tls.test"]
            spec["tls"] = [self.tls_rule()
                           for _ in range(self.random.randint(1, 3))]
        return {"apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService", "metadata": {"name": name},
                "spec": spec}

    def edge(self):
        return [self.gateway(name) for name in ("g", "h")] + [
            self.virtual_service(f"v{i}")
            for i in range(self.random.randint(2, 5))]

    def edge_request(self):
        """(port, method, path, headers), the host among them."""
        method, path, headers = self.request()
        host = self.pick(EDGE_HOSTS).replace("*", self.pick(["x", "a.b"]))
        headers["host"] = host + self.pick(["", "", ":8000"])
        return self.pick(EDGE_PORTS), method, path, headers

    def sni(self):
        return self.pick(NAMES_OF_TLS + ["none.test", ""]).replace("*", "z")


# --- what came, beside what explain says ---


def versions_of(told):
    """Who may answer; None: nobody, and the proxy says so itself."""
    found = set()
    for d in told["destinations"]:
        if len(told["destinations"]) > 1 and d["weight"] == 0:
            continue
        if d.get("usable", 0) == 0:
            found.add(None)
        else:
            subset = d["cluster"].split("|")[2]
            found |= {subset} if subset else {"v1", "v2"}
    return found


def check_answer(told, answer):
    if told["outcome"]["status"]:
        assert answer.status == told["outcome"]["status"]
        return
    if answer.status == 503:
        assert None in versions_of(told)
        return
    seen = answer.json()
    assert seen["text"] in versions_of(told)
    if "rewrittenPath" in told:
        # The server takes away slashes that come twice in front.
        assert seen["path"] == "/" + told["rewrittenPath"].lstrip("/")
    for name, value in told.get("requestHeaders", {}).get("set", {}).items():
        assert seen["headers"][name] == value
