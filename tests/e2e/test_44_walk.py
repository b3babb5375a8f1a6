# SPDX-License-Identifier: Apache-2.0
"""Each routing field there is makes a difference to what comes of a call.

The program says which fields there are. Each that holds a value is met by a
case, the most special that has it, in two documents: as it is written, and
without the field (or, where it may not be left out, with another value). Both
have a host of their own; all are applied at once, and both hosts are called in
the same way: what comes of it has to differ. So a field that is new, and one
whose row says that it is in force while nothing looks at it, fail here.
"""

import collections
import concurrent.futures
import dataclasses
import http.client
import json
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import sys
import time

import h2.config
import h2.connection
import h2.events
import pytest
import yaml

import test_41_virtual_service as met
from fields import below, places, variants
from hbone import Tunnel
from mesh import SANITIZED, Mesh, Service
from test_41_virtual_service import Call

sys.path.append(str(pathlib.Path(__file__).parents[1] / "conformance"))

import generate  # noqa: E402

# Of VirtualService, known to be out of force; to change that changes this.
INERT = {
    "spec.http.match.statPrefix",  # names a statistic, routes nothing
    "spec.http.retries.retryRemoteLocalities",  # about zones: balancers
    "spec.tcp.match.sourceSubnet",  # upstream looks at it nowhere
}
# Refused when they are applied: no proxy does them.
REFUSED = {"spec.http.fault.delay.exponentialDelay",
           "spec.http.fault.abort.http2Error"}
# Of DestinationRule, those of routing; the rest is other issues'.
ROUTING = ("spec.host", "subsets.name", "subsets.labels", "exportTo",
           "matchLabels", "port.number", "loadBalancer.simple",
           "h2UpgradePolicy", "useClientProtocol", "proxyProtocol.version")


# --- services, in either version ---


class ToldHandler(socketserver.BaseRequestHandler):
    """Says whose it is, and how it was called: bytes, HTTP, PROXY before."""

    def handle(self):
        data = self.request.recv(65536)
        proxy, data = self.strip(data)
        data = data or self.request.recv(65536)
        told = {"text": self.server.text, "proxy": proxy}
        if data.startswith(b"PRI "):
            self.answer_h2(data, {**told, "version": "2"})
        elif b"HTTP/1.1" in data:
            body = json.dumps({**told, "version": "1.1"}).encode()
            while data:
                self.request.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" %
                    len(body) + body)
                data = self.request.recv(65536)
        elif data:
            self.request.sendall(json.dumps(told).encode())

    @staticmethod
    def strip(data):
        """Which version of a PROXY header there was, and what follows."""
        if data.startswith(b"PROXY "):
            return "V1", data.partition(b"\r\n")[2]
        if data.startswith(b"\r\n\r\n\0\r\nQUIT\n"):
            return "V2", data[16 + int.from_bytes(data[14:16], "big"):]
        return "", data

    def answer_h2(self, data, told):
        conn = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False))
        conn.initiate_connection()
        while data:
            for event in conn.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    conn.send_headers(event.stream_id, [(":status", "200")])
                    conn.send_data(event.stream_id, json.dumps(told).encode(),
                                   end_stream=True)
            self.request.sendall(conn.data_to_send())
            data = self.request.recv(65536)


class Told(Service):
    def __init__(self, machine, port, text):
        super().__init__(machine, port, ToldHandler)
        self.server.text = text


# --- calls, and what comes of them ---

PROXY = 15002
IN_TURN = {"trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"}}}
CONFIG = f"""\
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {{name: default}}
spec: {{proxyHttpPort: {PROXY}}}
"""


def connect(mesh, place):
    """By CONNECT, which is as good as having called the host itself."""
    conn = mesh.app.connect("127.0.0.1", PROXY)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    target = f"{place.name}:{place.case.port['port']}"
    conn.sendall(
        f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head = conn.recv(1000)  # nobody speaks before it is spoken to
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionResetError(head)
    assert head.endswith(b"\r\n\r\n"), head
    return conn


VOLATILE = {"date", "server", "x-request-id", "x-envoy-upstream-service-time"}


def plain(headers):
    return sorted((name.lower(), str(value)) for name, value in headers.items()
                  if name.lower() not in VOLATILE)


def over_http(mesh, at, calls):
    """Of each call what there is to see at both ends."""
    return [one_http(mesh, at, call) for call in calls]


def one_http(mesh, at, call):
    path = call.path + ("&" if "?" in call.path else "?") + f"case={at.name}"
    begin = time.monotonic()
    try:
        conn = http.client.HTTPConnection("web", timeout=2)
        conn.sock = connect(mesh, at)
        conn.sock.settimeout(2)
        conn.request(call.method, path, call.body, {
            "host": "web", "user-agent": at.name, **call.headers})
        answer = conn.getresponse()
        told = answer.read().decode("latin-1")
    except TimeoutError:
        return "no answer"
    finally:
        conn.close()
    if told.startswith("{"):
        told = json.loads(told)
        told["headers"] = plain(told.get("headers", {}))
    return (answer.status, plain(answer.headers), told,
            time.monotonic() - begin > 0.5)


def over_h2(mesh, at, calls):
    """The same from a client of HTTP/2, of less."""
    with Tunnel(connect(mesh, at)) as client:
        found = []
        for call in calls:
            status, stream = client.request(
                [(":method", "GET"), (":scheme", "http"),
                 (":authority", "web"), (":path", call.path)], end=True)
            found.append((status, client.receive(stream, 1 << 16)))
        return found


def over_tcp(mesh, at, calls):
    """Each call is what is said; who answers, or that nobody does."""
    found = []
    for said in calls:
        said = said if isinstance(said, bytes) else hello(
            f"{said}.{at.name}.net")
        try:
            with connect(mesh, at) as conn:
                conn.sendall(said)
                found.append(said and conn.recv(1000))
        except ConnectionResetError:
            found.append(b"")
    return found


def answered(mesh, at, calls):
    """The same, whoever it is that answers."""
    return [bool(told) for told in over_tcp(mesh, at, calls)]


def elsewhere(mesh, at, calls):
    """Whether each is tried at either version, and none at one alone."""
    calls = [Call(f"{call.path}/{n}") for n, call in enumerate(calls)]
    over_http(mesh, at, calls)
    return all(any(path.startswith(f"{call.path}?case={at.name}")
                   for path in web.seen)
               for call in calls for web in mesh.webs.values())


def turns(mesh, at, calls):
    """Whether endpoints take turns: not who begins."""
    who = [o[2]["text"] for o in over_http(mesh, at, calls * 3)]
    return all(a != b for a, b in zip(who, who[1:]))


def long(mesh, at, calls):
    """Whether all together take long: each waits for a part of the time."""
    begin = time.monotonic()
    over_http(mesh, at, calls)
    return time.monotonic() - begin > 3


def hello(name):
    """What a client of TLS says first."""
    out = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


# --- cases ---


@dataclasses.dataclass
class Case:
    """`spec` is a VirtualService's, or else `rule` a DestinationRule's, of a
    host whose name is where HOST stands."""

    spec: dict = None
    calls: list = dataclasses.field(default_factory=lambda: [Call()] * 2)
    ask: object = over_http
    rule: dict = None
    beside: str = ""
    port: dict = dataclasses.field(
        default_factory=lambda: {"name": "http", "port": 80})
    app: str = "web"
    of: tuple = ()  # only of these fields, and before others

    @property
    def kind(self):
        return "VirtualService" if self.rule is None else "DestinationRule"

    @property
    def subject(self):
        return self.spec if self.rule is None else self.rule

    def having(self, subject):
        of = "spec" if self.rule is None else "rule"
        return dataclasses.replace(self, **{of: subject})


def spec_of(text):
    """The first document's spec, for HOST instead of web; the others."""
    first, _, rest = text.removeprefix(met.SUBSETS).partition("\n---\n")
    spec = yaml.safe_load(first)["spec"]
    spec["hosts"] = ["HOST" if h == "web" else h for h in spec["hosts"]]
    return spec, rest


def by_http(text, *calls, **more):
    spec, beside = spec_of(text)
    return Case(spec, list(calls) or [Call()] * 2, beside=beside, **more)


def tcp(text, ask=over_tcp, times=4, **more):
    return Case({"hosts": ["HOST"], "tcp": [yaml.safe_load(f"{{{text}}}")]},
                [b"hello"] * times, ask, app="told",
                port={"name": "tcp", "port": 7}, **more)


def tls(match, to, ask=over_tcp, times=4, **more):
    """HOST itself is what is called, a.HOST.net and b.HOST.net are named."""
    rows = yaml.safe_load(
        f"[{{match: [{{sniHosts: [a.HOST.net]{match}}}], route: [{to}]}}]")
    return Case({"hosts": ["HOST", "*.HOST.net"], "tls": rows},
                ["a"] * times, ask, app="told",
                port={"name": "tls", "port": 7}, **more)


MANY = 6        # calls, of which each of two endpoints gets one, mostly
BY_CHANCE = 24  # that chance would not give to one of two


def rule(text, *calls, ask=over_http, route=None):
    """A DestinationRule; `route` is the VirtualService's before it."""
    return Case(route and yaml.safe_load(
        f"{{hosts: [HOST], http: [{{route: [{{{route}}}]}}]}}"),
        list(calls) or [Call()] * MANY, ask,
        rule={"host": "HOST", **yaml.safe_load(f"{{{text}}}")}, app="told",
        port={"name": "http", "port": 80, "targetPort": 7})


ROW = met.rules
TOLD = "destination: {host: told, subset: v1"
V2 = "{destination: {host: told, subset: v2}"
UPGRADE = "connectionPool: {http: {h2UpgradePolicy: UPGRADE}}"
CLIENTS = "connectionPool: {http: {useClientProtocol: true}}"
ROBIN = "loadBalancer: {simple: ROUND_ROBIN}"
VERSION = "proxyProtocol: {version: V2}"
# What a policy may say, and who sees it.
POLICIES = [(UPGRADE, over_http), (CLIENTS, over_h2), (ROBIN, turns)]

CASES = [
    *(by_http(met.match_document(match), *taken, *passed)
      for match, taken, passed in met.MATCHES),
    *(by_http(ROW(row.rule), row.call) for row in met.ACTIONS),
    *(by_http(met.place_document(place),
              of=("spec.exportTo", "spec.gateways"))
      for place, _ in met.PLACES[2:]),
    by_http(met.DELEGATES, Call("/shop/cart"), Call("/")),
    *(by_http(text, *[Call("/copy", "POST", {}, b"x")] * 4)
      for text in met.MIRRORS),
    # What takes time.
    by_http(ROW("timeout: 300ms, " + met.V1), Call("/wait")),
    by_http(ROW("retries: {attempts: 1, perTryTimeout: 200ms}, " + met.V1),
            Call("/wait")),
    by_http(ROW("retries: {attempts: 1, retryOn: '503', backoff: 1s}, "
                + met.V1), *[Call("/status/503")] * 16, ask=long,
            of=("spec.http.retries.backoff",)),
    by_http(ROW("fault: {delay: {fixedDelay: 700ms, percentage: {value: "
                "100}}}, " + met.V1)),
    # How often a service is asked.
    by_http(ROW("retries: {attempts: 3, backoff: 1ms, retryOn: '500'}, " +
                met.V1), Call("/status/500"), of=(
                    "spec.http.retries.attempts", "spec.http.retries.retryOn")),
    by_http(ROW("retries: {attempts: 1, backoff: 1ms, retryOn: '500', "
                "retryIgnorePreviousHosts: false}, "
                "route: [{destination: {host: HOST}}]"),
            *[Call("/status/500")] * 12, ask=elsewhere,
            of=("spec.http.retries.retryIgnorePreviousHosts",)),
    by_http(ROW("route: [{destination: {host: web, subset: v1}, weight: 1}, "
                "{destination: {host: web, subset: v2}, weight: 0}]"),
            *[Call()] * BY_CHANCE),
    # What others of the tables do not tell apart.
    by_http(ROW(met.V1), *[Call()] * 4),
    *(by_http(met.match_document(match), Call()) for match in (
        "scheme: {exact: https}", "scheme: {regex: 'h..px'}")),
    by_http(met.match_document("uri: {prefix: /}"), of=(
        "spec.http.name", "spec.http.match.name",
        "spec.http.route.destination.port.number")),
    by_http(ROW("mirror: {host: web, subset: v2}, mirrorPercent: 0, " +
                met.V1), of=("spec.http.mirrorPercent",)),
    by_http(ROW(f"corsPolicy: {{{met.ALLOW}}}, {met.V1}"),
            Call(headers=met.BROWSER)),
    # Bytes, and what TLS says before them.
    *(tcp(f"match: [{{{match}}}], {met.GONE}", answered) for match in (
        "port: 8", "sourceNamespace: other", "sourceLabels: {app: nobody}",
        "gateways: [g]", "destinationSubnets: [10.0.0.0/8]")),
    tcp(f"route: [{{{TOLD}, port: {{number: 7}}}}}}]",
        of=("spec.tcp.route.destination.host",
            "spec.tcp.route.destination.port.number")),
    tcp(f"route: [{{{TOLD}}}, weight: 1}}, {V2}, weight: 0}}]",
        times=BY_CHANCE),
    *(tls(match, "{destination: {host: gone}}", answered) for match in (
        "", ", port: 8", ", sourceNamespace: other", ", gateways: [g]",
        ", sourceLabels: {app: nobody}",
        ", destinationSubnets: [10.0.0.0/8]")),
    tls("", f"{{{TOLD}, port: {{number: 7}}}}}}", of=(
        "spec.tls.route.destination.host", "spec.tls.route.destination.subset",
        "spec.tls.route.destination.port.number")),
    tls("", f"{{{TOLD}}}, weight: 1}}, {V2}, weight: 0}}", times=BY_CHANCE),
    # DestinationRules: of the host, of a port, of a subset, and of its port.
    rule(f"trafficPolicy: {{{UPGRADE}}}"),
    *(rule(where % policy, ask=ask, route=route)
      for where, route in (
          ("trafficPolicy: {%s}", None),
          ("trafficPolicy: {portLevelSettings: [{port: {number: 80}, %s}]}",
           None),
          ("subsets: [{name: s, trafficPolicy: {%s}}]",
           "destination: {host: HOST, subset: s}"),
          ("subsets: [{name: s, trafficPolicy: {portLevelSettings: [{port: "
           "{number: 80}, %s}]}}]", "destination: {host: HOST, subset: s}"))
      for policy, ask in POLICIES),
    rule(f"trafficPolicy: {{{VERSION}}}"),
    rule(f"subsets: [{{name: s, trafficPolicy: {{{VERSION}}}}}]",
         route="destination: {host: HOST, subset: s}"),
    rule("subsets: [{name: v2, labels: {version: v2}}]",
         *[Call()] * BY_CHANCE, route="destination: {host: HOST, subset: v2}"),
    rule(f"exportTo: [other], trafficPolicy: {{{UPGRADE}}}"),
    rule("workloadSelector: {matchLabels: {app: nobody}}, "
         f"trafficPolicy: {{{UPGRADE}}}"),
]


# --- documents ---


def document(kind, name, spec, version="networking.istio.io/v1"):
    text = json.dumps({"apiVersion": version, "kind": kind,
                       "metadata": {"name": name}, "spec": spec})
    return text.replace("HOST", name) + "\n---\n"


def documents(case, name):
    out = document("Service", name, {
        "selector": {"app": case.app}, "ports": [case.port]}, "v1")
    if case.spec is not None:
        out += document("VirtualService", name, case.spec)
    rule = case.rule
    if rule is None and case.ask is not elsewhere:
        rule = {"host": "HOST", **IN_TURN}  # as often each, of several calls
    if rule is not None:
        out += document("DestinationRule", name, rule)
    return out


def validity(subjects):
    """Of each (kind, spec) whether it may be applied."""
    text = "".join(document(kind, "x", spec) for kind, spec in subjects)
    done = subprocess.run(
        [os.environ["MESHD"], "validate", "-o", "json", "-f", "-"],
        input=text, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, 3), done.stderr
    return [not item["errors"] for item in json.loads(done.stdout)["items"]]


def wanted():
    """(kind, path) -> field, of those that hold a value and are routing's."""
    tables = generate.tables(os.environ["MESHD"])
    return {
        (kind, field.path): field
        for kind in ("VirtualService", "DestinationRule")
        for field in below(tables[kind].spec) if not field.inside and (
            kind == "VirtualService" or field.path.endswith(ROUTING))}


@dataclasses.dataclass
class Place:
    """A host of a case."""

    name: str
    case: Case


class Walk:
    """Which hosts there are, and which two of them are compared."""

    def __init__(self):
        self.places = []
        self.of_case = {}
        self.pairs = {}   # (kind, path) -> two places
        fields = wanted()
        self.inert = {key for key, field in fields.items()
                      if not field.row["inForce"]}
        met_by = collections.defaultdict(list)
        for case in CASES:
            for path in set(places(case.subject, "spec")):
                met_by[case.kind, path].append(case)
        self.unmet = {key for key in fields
                      if not met_by[key]} - self.inert
        tried = [(key, case, subject)
                 for key in sorted(fields.keys() - self.unmet - self.inert)
                 for case in [self.most_special(key[1], met_by[key])]
                 for subject in variants(case.subject, fields[key])]
        good = validity([(key[0], subject) for key, _, subject in tried])
        self.stuck = {key for key, _, _ in tried}
        for (key, case, subject), fits in zip(tried, good):
            if fits and key in self.stuck:
                self.stuck.remove(key)
                if not SANITIZED or len(self.stuck) % 4 == 0:
                    self.pairs[key] = (self.place(case), self.place(
                        case.having(subject)))

    @staticmethod
    def most_special(path, cases):
        return min(reversed(cases), key=lambda c: (
            path not in c.of, len(c.of), len([*places(c.subject, "spec")])))

    def place(self, case):
        if id(case) not in self.of_case:
            self.of_case[id(case)] = Place(f"c{len(self.places):03}", case)
            self.places.append(self.of_case[id(case)])
        return self.of_case[id(case)]


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(tmp_path_factory):
    """vm4 calls each host by its name; vm2 has v1, vm3 v2."""
    folder = tmp_path_factory.mktemp("walk")
    walk = Walk()
    with Mesh(folder, 4) as it:
        it.app, it.log, it.walk = it.machine(4), folder / "out.log", walk
        caller = it.agent(4, "--workers", 1, "--access-log", it.log,
                          "--log-success")
        it.webs = {}
        for number, text in (2, "v1"), (3, "v2"):
            vm = it.member(number)
            it.webs[text] = it.web(number, 8080, text)
            told = Told(it.machine(number), 8007, text)
            it.services.append(told)
            for name, port, service in (("web", 80, it.webs[text]),
                                        ("told", 7, told)):
                vm.expose(name, f"{port}:{service.target}", "--protocol",
                          "tcp" if port == 7 else "http", "--label",
                          f"version={text}", "--label", f"app={name}")
        caller.start(it.token("--namespaces", "*")).joined().synced()
        robin = met.SUBSETS.replace(
            "  host: web\n", "  host: web\n  trafficPolicy: "
            "{loadBalancer: {simple: ROUND_ROBIN}}\n")
        it.apply("---\n".join([
            CONFIG, robin, robin.replace("web", "told"),
            *{p.case.beside + "\n" for p in walk.places},
            *(documents(p.case, p.name) for p in walk.places)]),
                 "--force", "--allow-inert")
        for name in "web", "told":
            caller.sees(name, 2)
        yield it


def seen(mesh, place):
    """How often each version was asked, by anybody."""
    return {text: sum(f"case={place.name}" in path for path in web.seen)
            for text, web in mesh.webs.items()}


def logged(mesh, place):
    """Flags and the rule's name, of its requests."""
    lines = [line for line in mesh.log.read_text().splitlines()
             if f'"{place.name}"' in line or f"case={place.name}" in line]
    return sorted((line.split('"')[2].split()[1], line.split()[-1])
                  for line in lines)


def come(mesh, places):
    """What comes of the case of each."""
    def ask(place):
        found = place.case.ask(mesh, place, place.case.calls)
        if not isinstance(found, list):
            return found
        found = sorted(map(repr, found))
        return found if place.case.rule is None else sorted(set(found))

    # Nobody waits for the views of the others.
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda p: over_tcp(mesh, p, [b""]), places))
        slow = {p.name: pool.submit(ask, p) for p in places
                if p.case.ask is long or Call("/wait") in p.case.calls}
        found = {p.name: ask(p) for p in places if p.name not in slow}
        found |= {name: task.result() for name, task in slow.items()}
    time.sleep(0.5)  # copies have come, lines are written
    return {p.name: repr((found[p.name], p.case.ask is over_http and (
        seen(mesh, p), logged(mesh, p)))).replace(p.name, "HOST")
            for p in places}


def test_each_field_makes_a_difference(mesh):
    results = come(mesh, mesh.walk.places)
    same = {key: results[a.name] for key, (a, b) in mesh.walk.pairs.items()
            if results[a.name] == results[b.name]}
    assert not same


def test_each_field_is_in_a_case(mesh):
    assert mesh.walk.unmet == {("VirtualService", path) for path in REFUSED}
    assert not mesh.walk.stuck, "no other value of theirs is valid"
    assert mesh.walk.inert == {("VirtualService", path) for path in INERT}
