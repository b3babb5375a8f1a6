# SPDX-License-Identifier: Apache-2.0
"""Each field of VirtualService that is in force, met by a request.

Tables to read from top to bottom: what is written, what is asked, what comes.
test_44_walk.py sees that no field is missing.
"""

import collections
import dataclasses
import socket

import pytest

from mesh import Mesh, families, is_cut, wait_for

SUBSETS = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
"""

HEAD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
"""

V1 = "route: [{destination: {host: web, subset: v1}}]"
V2 = "route: [{destination: {host: web, subset: v2, port: {number: 80}}}]"


def rules(*lines):
    """A VirtualService of these rules."""
    return HEAD + "  http:\n" + "".join(f"  - {{{line}}}\n" for line in lines)


@pytest.fixture(scope="module", params=families("fields"))
def home(request, tmp_path_factory):
    """Web v1 on vm2, v2 on vm3, their caller on vm4; echo on vm2."""
    folder = tmp_path_factory.mktemp("fields")
    with Mesh(folder, request.param) as it:
        vm2, vm3 = it.member(2), it.member(3)
        at = it.machine(4).at
        caller = it.member(
            4, "--upstream", f"web={at(9000)}", "--upstream",
            f"echo={at(9001)}", "--access-log", folder / "out.log",
            "--log-success")
        it.v1, it.v2 = it.web(2, 8080, "v1"), it.web(3, 8080, "v2")
        for vm, web, text in (vm2, it.v1, "v1"), (vm3, it.v2, "v2"):
            vm.expose("web", f"80:{web.target}", "--protocol", "http",
                      "--label", f"version={text}")
            vm.expose("echo", f"7:{it.echo(vm.machine.number, 8081).target}",
                      "--protocol", "tcp", "--label", f"version={text}")
        for cli in caller.cli, it.cli:
            cli.sees("web", 2)
            cli.sees("echo", 2)
        it.app, it.log = it.machine(4), folder / "out.log"
        yield it


@pytest.fixture(name="mesh")
def fixture_mesh(home):
    yield home
    home.reset()


@dataclasses.dataclass
class Call:
    """A request, and what is expected of its answer."""

    path: str = "/"
    method: str = "GET"
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = None

    def ask(self, mesh):
        return mesh.app.fetch(9000, self.path, self.method,
                              {"host": "web", **self.headers}, self.body)


def logged(mesh, words):
    return wait_for(
        lambda: [line for line in mesh.log.read_text().splitlines()
                 if words in line], f"{words} is in the access log")


# --- match: v2 answers what it takes, v1 the rest ---

# What is matched; requests that it takes; requests that it passes by.
MATCHES = [
    ("uri: {exact: /a}", [Call("/a"), Call("/a?q=1")],
     [Call("/a/"), Call("/A")]),
    ("uri: {prefix: /a}", [Call("/a"), Call("/ab/c")], [Call("/b/a")]),
    ("uri: {regex: '/a[0-9]+'}", [Call("/a17")], [Call("/a17/b")]),
    ("uri: {exact: /A}, ignoreUriCase: true", [Call("/a"), Call("/A")],
     [Call("/b")]),
    ("scheme: {exact: http}", [Call()], []),
    ("scheme: {prefix: https}", [], [Call()]),
    ("scheme: {regex: 'h..p'}", [Call()], []),
    ("method: {exact: PUT}", [Call(method="PUT")], [Call(), Call("/PUT")]),
    ("method: {prefix: P}", [Call(method="PUT"), Call(method="POST")],
     [Call()]),
    ("method: {regex: 'GET|HEAD'}", [Call()], [Call(method="PUT")]),
    ("authority: {exact: a.b}", [Call(headers={"host": "a.b"})], [Call()]),
    ("authority: {prefix: a.}", [Call(headers={"host": "a.c"})], [Call()]),
    ("authority: {regex: '.*[.]b'}", [Call(headers={"host": "a.b"})],
     [Call(headers={"host": "a.c"})]),
    ("headers: {x-a: {exact: b}}", [Call(headers={"X-A": "b"})],
     [Call(headers={"x-a": "B"}), Call()]),
    ("headers: {x-a: {prefix: b}}", [Call(headers={"x-a": "bc"})],
     [Call(headers={"x-a": "cb"})]),
    ("headers: {x-a: {regex: 'b+'}}", [Call(headers={"x-a": "bb"})],
     [Call(headers={"x-a": "bbc"})]),
    ("headers: {x-a: {}}", [Call(headers={"x-a": "any"})], [Call()]),
    ("withoutHeaders: {x-a: {exact: b}}",
     [Call(), Call(headers={"x-a": "c"})], [Call(headers={"x-a": "b"})]),
    ("withoutHeaders: {x-a: {prefix: b}}", [Call(headers={"x-a": "cb"})],
     [Call(headers={"x-a": "bc"})]),
    ("withoutHeaders: {x-a: {regex: 'b+'}}", [Call(headers={"x-a": "c"})],
     [Call(headers={"x-a": "bb"})]),
    ("queryParams: {q: {exact: '1'}}", [Call("/?p=2&q=1")],
     [Call("/?q=12"), Call("/")]),
    ("queryParams: {q: {prefix: '1'}}", [Call("/?q=12")], [Call("/?q=21")]),
    ("queryParams: {q: {regex: '[a-z]+'}}", [Call("/?q=on")],
     [Call("/?q=1")]),
    ("port: 80", [Call()], []),
    ("port: 81", [], [Call()]),
    ("sourceNamespace: default", [Call()], []),
    ("sourceNamespace: other", [], [Call()]),
    ("sourceLabels: {app: nobody}", [], [Call()]),
    ("gateways: [mesh, g]", [Call()], []),
    ("gateways: [g]", [], [Call()]),
]


def match_document(match):
    return rules(f"name: one, match: [{{name: it, {match}}}], {V2}", V1)


@pytest.mark.parametrize("match, taken, passed", MATCHES)
def test_a_match_takes_what_it_says(mesh, match, taken, passed):
    mesh.apply(SUBSETS + match_document(match), "--force", "--allow-inert")
    for call in taken:
        assert call.ask(mesh).json()["text"] == "v2", call
    for call in passed:
        assert call.ask(mesh).json()["text"] == "v1", call


def test_the_names_of_rule_and_match_are_in_the_log(mesh):
    mesh.apply(SUBSETS + match_document("uri: {exact: /named}"))
    Call("/named").ask(mesh)
    assert logged(mesh, "/named")[0].split()[-1] == "one.it"


# --- actions: one request and one answer each ---


@dataclasses.dataclass
class Row:
    """A rule, a request, and what there is to see of both ends."""

    rule: str
    call: Call = dataclasses.field(default_factory=Call)
    status: int = 200
    got: dict = dataclasses.field(default_factory=dict)   # of the answer
    body: bytes = None
    path: str = None                                      # at the service
    sent: dict = dataclasses.field(default_factory=dict)  # to the service
    letters: str = None                                   # in the log


BROWSER = {"origin": "http://a.com"}
PREFLIGHT = {**BROWSER, "access-control-request-method": "PUT"}
STRANGER = {**PREFLIGHT, "origin": "http://b.com"}
GRPC = {"content-type": "application/grpc"}
ALLOW = "allowOrigins: [{exact: 'http://a.com'}]"
MAY = "access-control-allow-"

ACTIONS = [
    # Answers of the rule's own.
    Row("redirect: {uri: /b}", Call("/a?q=1"), 301,
        {"location": "http://web/b?q=1"}),
    Row("match: [{uri: {prefix: /a}}], redirect: {prefixRewrite: /b, "
        "redirectCode: 308}", Call("/a/c"), 308,
        {"location": "http://web/b/c"}),
    Row("redirect: {authority: b.c, port: 81}", Call("/a"), 301,
        {"location": "http://b.c:81/a"}),
    Row("redirect: {scheme: https, derivePort: FROM_PROTOCOL_DEFAULT}",
        Call("/a"), 301, {"location": "https://web/a"}),
    Row("redirect: {scheme: https, derivePort: FROM_REQUEST_PORT}",
        Call("/a"), 301, {"location": "https://web:80/a"}),
    Row("directResponse: {status: 418, body: {string: tea}}", status=418,
        body=b"tea", got={"content-type": "text/plain"}),
    Row("directResponse: {status: 200, body: {bytes: aGk=}}", body=b"hi"),
    # What is changed on the way there.
    Row("match: [{uri: {prefix: /a}}], rewrite: {uri: /b}, " + V1,
        Call("/a/c?q"), path="/b/c?q",
        sent={"x-envoy-original-path": "/a/c?q"}),
    Row("rewrite: {authority: b.c}, " + V1,
        sent={"host": "b.c", "x-envoy-original-host": "web"}),
    Row("rewrite: {uriRegexRewrite: {match: '^/a/([^/]+)', rewrite: "
        "'/\\1'}}, " + V1, Call("/a/b/c"), path="/b/c"),
    Row("headers: {request: {set: {x-a: 'by %REQ(x-b)%'}}}, " + V1,
        Call(headers={"x-a": "old", "x-b": "me"}), sent={"x-a": "by me"}),
    Row("headers: {request: {add: {x-a: new}}}, " + V1,
        Call(headers={"x-a": "old"}), sent={"x-a": ["old", "new"]}),
    Row("headers: {request: {remove: [x-a]}}, " + V1,
        Call(headers={"x-a": "old"}), sent={"x-a": None}),
    Row("timeout: 7s, " + V1,
        sent={"x-envoy-expected-rq-timeout-ms": "7000",
              "x-envoy-attempt-count": "1"}),
    # And on the way back.
    Row("headers: {response: {set: {x-from: '%REQ(:METHOD)% "
        "%RESPONSE_CODE%'}}}, " + V1, got={"x-from": "GET 200"}),
    Row("headers: {response: {add: {x-from: me}}}, " + V1,
        got={"x-from": "v1, me"}),
    Row("headers: {response: {remove: [x-from]}}, " + V1,
        got={"x-from": None}),
    # The same for one of several destinations.
    Row("route: [{destination: {host: web, subset: v1}, weight: 1, headers: "
        "{request: {set: {x-a: s}, add: {x-b: a}, remove: [x-c]}, response: "
        "{set: {x-s: s}, add: {x-from: a}, remove: [content-type]}}}, "
        "{destination: {host: web, subset: v2}, weight: 0}]",
        Call(headers={"x-a": "1", "x-b": "1", "x-c": "1"}),
        sent={"x-a": "s", "x-b": ["1", "a"], "x-c": None},
        got={"x-s": "s", "x-from": "v1, a", "content-type": None}),
    # Faults on purpose.
    Row("fault: {delay: {fixedDelay: 10ms, percentage: {value: 100}}}, " + V1,
        letters="DI"),
    Row("fault: {delay: {fixedDelay: 10ms, percent: 100}}, " + V1,
        letters="DI"),
    Row("fault: {delay: {fixedDelay: 9s, percentage: {value: 0}}}, " + V1,
        letters="-"),
    Row("fault: {abort: {httpStatus: 418, percentage: {value: 100}}}, " + V1,
        status=418, body=b"fault filter abort\n", letters="FI"),
    Row("fault: {abort: {grpcStatus: ABORTED, percentage: {value: 100}}}, "
        + V1, Call(method="POST", headers=GRPC, body=b"x"), letters="FI",
        got={"grpc-status": "10", "grpc-message": "fault filter abort"}),
    # Other origins.
    Row(f"corsPolicy: {{{ALLOW}, exposeHeaders: [x-from], allowCredentials: "
        f"true}}, {V1}", Call(headers=BROWSER),
        got={MAY + "origin": "http://a.com", MAY + "credentials": "true",
             "access-control-expose-headers": "x-from"}),
    Row("corsPolicy: {allowOrigins: [{prefix: 'http://a'}], allowMethods: "
        "[GET, PUT], allowHeaders: [x-a], maxAge: 1m}, " + V1,
        Call(method="OPTIONS", headers=PREFLIGHT), body=b"",
        got={MAY + "origin": "http://a.com", MAY + "methods": "GET,PUT",
             MAY + "headers": "x-a", "access-control-max-age": "60"}),
    Row("corsPolicy: {allowOrigins: [{regex: 'http://[ac].com'}]}, " + V1,
        Call(headers=BROWSER), got={MAY + "origin": "http://a.com"}),
    Row("corsPolicy: {allowOrigin: ['http://a.com']}, " + V1,
        Call(headers=BROWSER), got={MAY + "origin": "http://a.com"}),
    Row(f"corsPolicy: {{{ALLOW}}}, {V1}",
        Call("/", "OPTIONS", STRANGER), path="/", got={MAY + "origin": None}),
    Row(f"corsPolicy: {{{ALLOW}, unmatchedPreflights: IGNORE}}, {V1}",
        Call("/", "OPTIONS", STRANGER), body=b"",
        got={MAY + "origin": None}),
]


def all_of(headers, name):
    found = headers.get_all(name)
    return ", ".join(found) if found else None


@pytest.mark.parametrize("row", ACTIONS, ids=lambda row: row.rule[:60])
def test_an_action_does_what_it_says(mesh, row):
    mesh.apply(SUBSETS + rules(row.rule))
    before = len(mesh.log.read_text().splitlines())
    answer = row.call.ask(mesh)
    assert answer.status == row.status
    for name, value in row.got.items():
        assert all_of(answer.headers, name) == value, name
    if row.body is not None:
        assert answer.body == row.body
    if row.path is not None or row.sent:
        told = answer.json()
        assert row.path in (None, told["path"])
        for name, value in row.sent.items():
            assert told["headers"].get(name) == (
                value[-1] if isinstance(value, list) else value), name
    if row.letters is not None:
        line = wait_for(
            lambda: mesh.log.read_text().splitlines()[before:],
            "the request is in the log")[0]
        assert f'" {row.status} {row.letters} ' in line, line


# --- what one request does not show ---

WEIGHTS = rules(
    "route: [{destination: {host: web, subset: v1}, weight: 3}, "
    "{destination: {host: web, subset: v2}, weight: 1}]")


def test_weights_share_the_requests(mesh):
    mesh.apply(SUBSETS + WEIGHTS)
    seen = collections.Counter(
        Call().ask(mesh).json()["text"] for _ in range(200))
    assert 120 <= seen["v1"] <= 180, seen


TIMEOUT = rules("timeout: 200ms, " + V1)
TRY_TIMEOUT = rules("retries: {attempts: 1, perTryTimeout: 100ms, retryOn: "
                    "5xx, backoff: 1ms}, " + V1)


@pytest.mark.parametrize("document, tries", [(TIMEOUT, 1), (TRY_TIMEOUT, 2)])
def test_who_takes_too_long_is_given_up(mesh, document, tries):
    mesh.apply(SUBSETS + document)
    mesh.v1.seen.clear()
    try:
        assert Call("/wait").ask(mesh).status == 504
        assert mesh.v1.seen.count("/wait") == tries
    finally:
        mesh.v1.gate.set()
    assert Call("/quick").ask(mesh).status == 200
    mesh.v1.gate.clear()


RETRIES = rules("retries: {attempts: 2, retryOn: '503', "
                "retryIgnorePreviousHosts: false, backoff: 30ms}, " + V1)


def test_what_the_policy_names_is_tried_again(mesh):
    mesh.apply(SUBSETS + RETRIES)
    mesh.v1.seen.clear()
    answer = Call("/status/503").ask(mesh)
    assert answer.status == 503
    assert answer.json()["headers"]["x-envoy-attempt-count"] == "3"
    assert mesh.v1.seen.count("/status/503") == 3
    assert " 503 URX via_upstream " in logged(mesh, "/status/503")[0]
    Call("/status/503?post", "POST", body=b"x" * 1000).ask(mesh)
    assert mesh.v1.seen.count("/status/503?post") == 3
    assert Call("/status/500").ask(mesh).status == 500
    assert mesh.v1.seen.count("/status/500") == 1


MIRRORS = [
    rules("mirror: {host: web, subset: v2, port: {number: 80}}, " + V1),
    rules("mirror: {host: web, subset: v2}, mirrorPercentage: {value: 100}, "
          + V1),
    rules("mirror: {host: web, subset: v2}, mirrorPercent: 100, " + V1),
    rules("mirrors: [{destination: {host: web, subset: v2, port: {number: "
          "80}}, percentage: {value: 100}}, {destination: {host: web, subset: "
          "v1}, percentage: {value: 0}}], " + V1),
]


def counted(mesh):
    return [line for line in mesh.app.fetch(
        15020, "/stats/prometheus").body.decode().splitlines()
            if line.startswith("meshd_mirrored_requests_total{")]


@pytest.mark.parametrize("document", MIRRORS)
def test_a_copy_goes_where_the_rule_says(mesh, document):
    mesh.apply(SUBSETS + document, "--force")
    mesh.v1.seen.clear()
    mesh.v2.seen.clear()
    for n in range(5):
        answer = Call(f"/copy/{n}", "POST", {}, b"x" * 100000).ask(mesh)
        assert answer.json()["text"] == "v1"
        assert answer.json()["headers"]["host"] == "web"
    wait_for(lambda: len(mesh.v2.seen) == 5, "the copies have come")
    assert mesh.v1.seen == sorted(mesh.v2.seen)
    assert any('destination_version="v2"' in line for line in counted(mesh))


def test_a_copy_that_hangs_hurts_nobody(mesh):
    """v2 answers nothing of /wait, v1 at once: it is told to."""
    mesh.apply(SUBSETS + MIRRORS[0])
    mesh.v2.seen.clear()
    mesh.v1.gate.set()
    try:
        for _ in range(20):
            assert Call("/wait").ask(mesh).json()["text"] == "v1"
        wait_for(lambda: mesh.v2.seen.count("/wait") == 20, "all hang at v2")
        assert Call("/").ask(mesh).status == 200
    finally:
        mesh.v2.gate.set()
    mesh.v1.gate.clear()
    mesh.v2.gate.clear()


DELEGATES = HEAD + """\
  http:
  - match: [{uri: {prefix: /shop}}]
    delegate: {name: shop, namespace: other}
  - {%s}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: other}
spec:
  http:
  - match: [{uri: {prefix: /shop/cart}}]
    route: [{destination: {host: web.default.svc.cluster.local, subset: v2}}]
""" % V1


def test_a_delegate_has_the_rules(mesh):
    mesh.apply(SUBSETS + DELEGATES)
    assert Call("/shop/cart").ask(mesh).json()["text"] == "v2"
    assert Call("/").ask(mesh).json()["text"] == "v1"


# Who sees the rules: a host, a gateway, a namespace.
PLACES = [
    ("hosts: [web.default.svc.cluster.local]", True),
    ("hosts: [other]", False),
    ("hosts: [web], gateways: [mesh]", True),
    ("hosts: [web], gateways: [g]", False),
    ("hosts: [web], exportTo: ['.']", True),
    ("hosts: [web], exportTo: ['*']", True),
    ("hosts: [web], exportTo: [other]", False),
]


def place_document(place):
    return HEAD.split("spec:")[0] + (
        f"spec: {{{place}, http: [{{directResponse: {{status: 418}}}}]}}\n")


@pytest.mark.parametrize("place, seen", PLACES)
def test_rules_are_for_those_they_name(mesh, place, seen):
    mesh.apply(place_document(place), "--force", "--allow-inert")
    assert Call().ask(mesh).status == (418 if seen else 200)


# --- tcp ---

# Nobody is at "gone": what its rule takes is cut, the rest is echoed.
GONE = "route: [{destination: {host: gone}}]"
TCP = [
    ("route: [{destination: {host: echo, port: {number: 7}}}]", "echoed"),
    ("match: [{port: 7}], route: [{destination: {host: echo, subset: v2}}]",
     "echoed"),
    ("route: [{destination: {host: gone}, weight: 0}, {destination: {host: "
     "echo}, weight: 1}]", "echoed"),
    (GONE, "cut"),
    (f"match: [{{port: 7}}], {GONE}", "cut"),
    (f"match: [{{port: 8}}], {GONE}", "echoed"),
    (f"match: [{{sourceNamespace: default}}], {GONE}", "cut"),
    (f"match: [{{sourceNamespace: other}}], {GONE}", "echoed"),
    (f"match: [{{sourceLabels: {{app: nobody}}}}], {GONE}", "echoed"),
    (f"match: [{{gateways: [mesh]}}], {GONE}", "cut"),
    (f"match: [{{destinationSubnets: [127.0.0.0/8, '::1']}}], {GONE}", "cut"),
    (f"match: [{{destinationSubnets: [10.0.0.0/8]}}], {GONE}", "echoed"),
    (f"match: [{{gateways: [g]}}], {GONE}", "echoed"),
]


def tcp_document(rule):
    return SUBSETS.replace("web", "echo") + HEAD.replace("web", "echo") + (
        f"  tcp: [{{{rule}}}]\n")


@pytest.mark.parametrize("rule, end", TCP)
def test_a_connection_goes_where_its_rule_says(mesh, rule, end):
    mesh.apply(tcp_document(rule), "--force", "--allow-inert")
    try:
        with mesh.app.connect(mesh.app.loopback, 9001) as conn:
            if end == "echoed":
                conn.sendall(b"hello")
                assert conn.recv(5, socket.MSG_WAITALL) == b"hello"
            else:
                assert is_cut(conn, b"hello")
    except ConnectionResetError:  # before the call for it was over
        assert end == "cut"
