# SPDX-License-Identifier: Apache-2.0
"""mesh — services call one another: discovery, routes, refusals, reports."""

import collections
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from guesses import Guesses, check_answer
from hbone import OpenSSL, Tunnel, identity_of, mesh_context
from mesh import DEADLINE, Mesh, families, is_cut, wait_for

WEB = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
%s  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"""

NOBODY = """\
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec:
  selector: {app: nobody}
  ports: [{name: http, port: 80}]
"""

ROUTES = """\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
"""

BALANCER = """\
  trafficPolicy: {loadBalancer: {simple: %s}}
"""


@pytest.fixture(scope="module", params=families("mesh"))
def home(request, tmp_path_factory):
    """Web v1 on vm2, web v2 on vm3, their caller on vm4; echo on vm2."""
    folder = tmp_path_factory.mktemp("mesh")
    with Mesh(folder, request.param) as it:
        vm2 = it.member(2, "--access-log", folder / "in.log", "--log-success")
        vm3 = it.member(3)
        at = it.machine(4).at
        caller = it.member(
            4, "--upstream", f"web={at(9000)}",
            "--upstream", f"echo={at(9001)}",
            "--upstream", f"nobody={at(9002)}",
            "--upstream", f"outside={at(9003)}/api.example.com:80",
            "--access-log", folder / "out.log", "--log-success")
        it.v1 = it.web(2, 8080, "v1")
        it.v2 = it.web(3, 8080, "v2")
        echo = it.echo(2, 8081)
        vm2.expose("web", f"80:{it.v1.target}", "--protocol", "http",
                   "--label", "version=v1")
        vm3.expose("web", f"80:{it.v2.target}", "--protocol", "http",
                   "--label", "version=v2")
        vm2.expose("echo", f"7:{echo.target}", "--protocol", "tcp")
        for cli in (caller.cli, it.cli):  # who calls, and who judges apply
            cli.sees("web", 2)
            cli.sees("echo", 1)
        it.caller = caller
        it.app = it.machine(4)
        it.access_log = folder / "out.log"
        yield it


@pytest.fixture
def mesh(home):
    """The mesh of this file without configuration, and nothing broken."""
    yield home
    home.reset()
    assert all(agent.is_running for agent in home.agents)


def texts(mesh, count, path="/", port=9000, **options):
    """How often each version answered."""
    return collections.Counter(
        mesh.app.fetch(port, path, **options).json()["text"]
        for _ in range(count))


def explain(mesh, *words):
    return json.loads(mesh.caller.cli.ok(
        "explain", "request", *words, "-o", "json"))


# --- found, and called ---


def test_a_request_reaches_the_service_and_comes_back(mesh):
    answer = mesh.app.fetch(9000, "/hello?x=1", headers={"who": "me"})
    assert answer.status == 200
    told = answer.json()
    assert told["path"] == "/hello?x=1"
    assert told["headers"]["who"] == "me"
    assert told["headers"]["x-request-id"]


def test_a_body_reaches_the_service(mesh):
    told = mesh.app.fetch(9000, "/", "POST", body=b"x" * 300000).json()
    assert told["method"] == "POST"
    assert len(told["body"]) == 300000


def test_bytes_go_both_ways_and_half_close_is_kept(mesh):
    with mesh.app.connect(mesh.app.loopback, 9001) as conn:
        conn.sendall(b"hello")
        assert conn.recv(5, socket.MSG_WAITALL) == b"hello"
        conn.sendall(b"more")
        conn.shutdown(socket.SHUT_WR)
        assert conn.recv(4, socket.MSG_WAITALL) == b"more"
        assert conn.recv(1) == b""


def test_a_service_without_endpoints_is_refused_in_words(mesh):
    mesh.apply(NOBODY)
    answer = mesh.app.fetch(9002, "/failed")
    assert answer.status == 503
    assert "meshd" in answer.headers["proxy-status"]
    assert "no healthy endpoint" in answer.body.decode()
    line = logged(mesh, "/failed")[0]
    assert '" 503 UH ' in line, line


def test_a_name_that_nobody_offers_is_told_in_http_and_else_a_reset(mesh):
    assert mesh.app.fetch(9002).status == 503
    assert "nobody" in logged(mesh, " 503 NC ")[-1]
    with mesh.app.connect(mesh.app.loopback, 9002) as conn:
        assert is_cut(conn, b"\x16\x03\x01")
    assert "nobody" in logged(mesh, " 0 NC ")[-1]


def test_both_instances_are_used_without_any_configuration(mesh):
    assert set(texts(mesh, 20)) == {"v1", "v2"}


def test_nothing_is_readable_on_the_wire(mesh, tmp_path):
    dump = tmp_path / "dump"
    with dump.open("wb") as file:
        tcpdump = subprocess.Popen(
            [*mesh.app.enter, "tcpdump", "-i", "eth0", "-w", "-", "-U",
             "--immediate-mode", "tcp port 15008"], stdout=file,
            stderr=subprocess.PIPE)
    try:
        wait_for(lambda: b"listening" in tcpdump.stderr.readline(),
                 "tcpdump listens")
        for _ in range(4):
            mesh.app.fetch(9000, "/very-secret-path")
        # What it has not written yet would be lost with its end.
        wait_for(lambda: dump.stat().st_size > 1000, "the calls are dumped")
    finally:
        tcpdump.terminate()
        tcpdump.communicate(timeout=DEADLINE)
    assert b"very-secret-path" not in dump.read_bytes()


def test_members_and_services_and_endpoints_are_shown(mesh):
    members = mesh.caller.cli.items("members")
    assert {m["name"]: m["status"] for m in members if m["name"][2:]} == {
        "vm2": "up", "vm3": "up", "vm4": "up"}
    shown = {s["name"]: s for s in mesh.caller.cli.items("services")}
    assert shown["web"]["usable"] == 2
    assert shown["web"]["host"] == "web.default.svc.mesh.internal"
    assert "record of node vm" in shown["web"]["origin"]
    nodes = {e["node"] for e in mesh.caller.cli.items("endpoints", "web")}
    assert nodes == {"vm2", "vm3"}
    assert mesh.machine(2).ip in mesh.caller.cli.ok("endpoints", "echo")


# --- balancers ---


def test_round_robin_takes_turns(mesh):
    mesh.apply(WEB % (BALANCER % "ROUND_ROBIN"))
    with_turns = texts(mesh, 40)
    assert abs(with_turns["v1"] - with_turns["v2"]) <= 4


@pytest.mark.parametrize("name", ["RANDOM", "LEAST_REQUEST"])
def test_both_endpoints_get_a_share(mesh, name):
    mesh.apply(WEB % (BALANCER % name))
    seen = texts(mesh, 60)
    assert min(seen["v1"], seen["v2"]) >= 10, seen
    told = mesh.caller.cli.api("/v1/view")
    cluster = next(c for c in told["clusters"]
                   if c["name"].startswith("outbound|80||web."))
    assert cluster["balancer"] == name


def test_least_request_avoids_the_one_that_is_busy(mesh):
    mesh.apply(WEB % (BALANCER % "LEAST_REQUEST"))
    mesh.v1.gate.clear()
    mesh.v2.gate.set()
    stuck = [threading.Thread(target=mesh.app.fetch, args=(9000, "/wait"))
             for _ in range(16)]
    try:
        for one in stuck:
            one.start()
        # How many depends on how fast they come: v2 answers at once.
        wait_for(lambda: "/wait" in mesh.v1.seen, "a request waits at v1")
        seen = texts(mesh, 40)
        assert seen["v2"] > seen["v1"], seen
    finally:
        mesh.v1.gate.set()
        for one in stuck:
            one.join()
        mesh.v1.gate.clear()
        mesh.v2.gate.clear()


# --- routes: what explain says is what happens; each field has its test in
# test_41_virtual_service.py ---


def test_traffic_is_split_by_weight(mesh):
    mesh.apply(WEB % "" + ROUTES + """\
  - route:
    - {destination: {host: web, subset: v1}, weight: 90}
    - {destination: {host: web, subset: v2}, weight: 10}
""")
    told = explain(mesh, "GET", "http://web/")
    assert [d["weight"] for d in told["destinations"]] == [90, 10]
    seen = texts(mesh, 200)
    assert 160 <= seen["v1"] <= 197, seen


def test_a_header_picks_the_subset(mesh):
    mesh.apply(WEB % "" + ROUTES + """\
  - name: testers
    match: [{headers: {who: {exact: tester}}}]
    route: [{destination: {host: web, subset: v2}}]
  - name: rest
    route: [{destination: {host: web, subset: v1}}]
""")
    for words, headers, version, rule in (
            (("-H", "who: tester"), {"who": "tester"}, "v2", "testers"),
            ((), {}, "v1", "rest")):
        told = explain(mesh, "GET", "http://web/", *words)
        assert told["routeMatched"] == rule
        assert f"|{version}|" in told["destinations"][0]["cluster"]
        assert texts(mesh, 10, headers=headers) == {version: 10}


def test_expressions_parameters_and_absence_pick_the_subset(mesh):
    mesh.apply(WEB % "" + ROUTES + """\
  - name: strange
    match:
    - uri: {regex: "/item/[0-9]+"}
      queryParams: {debug: {regex: "on|1"}}
      withoutHeaders: {cookie: {prefix: "old="}}
    - {uri: {exact: /EITHER}, ignoreUriCase: true}
    route: [{destination: {host: web, subset: v2}}]
  - name: rest
    route: [{destination: {host: web, subset: v1}}]
""")
    for path, headers, rule in (
            ("/item/12?a=b&debug=on", {}, "strange"),
            ("/item/12?debug=1", {"cookie": "new=1"}, "strange"),
            ("/item/12?debug=1", {"cookie": "old=1"}, "rest"),
            ("/item/12?debug=off", {}, "rest"),
            ("/item/12/x?debug=on", {}, "rest"),
            ("/either?x", {}, "strange")):
        words = [w for k, v in headers.items() for w in ("-H", f"{k}: {v}")]
        told = explain(mesh, "GET", f"http://web{path}", *words)
        assert told["routeMatched"] == rule, path
        text = mesh.app.fetch(9000, path, headers=headers).json()["text"]
        assert text == ("v2" if rule == "strange" else "v1"), path


OUTSIDE = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [api.example.com]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: "%s", ports: {http: 8080}, labels: {version: v1}}
  - {address: "%s", ports: {http: 8080}, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: outside}
spec:
  host: api.example.com
  subsets: [{name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: outside}
spec:
  hosts: [api.example.com]
  http:
  - match: [{uri: {prefix: /two}}]
    route: [{destination: {host: api.example.com, subset: v2}}]
  - route: [{destination: {host: api.example.com}}]
"""


def test_a_service_outside_is_called_as_an_entry_says(mesh):
    ips = tuple(mesh.machine(n).ip for n in (2, 3))
    outside = [mesh.web(n, 8080, f"v{n - 1}", ip=mesh.machine(n).ip)
               for n in (2, 3)]
    mesh.apply(OUTSIDE % ips)
    told = explain(mesh, "GET", "http://api.example.com/two")
    assert told["clusterMatched"] == "outbound|80|v2|api.example.com"
    assert texts(mesh, 10, "/two", port=9003) == {"v2": 10}
    both = texts(mesh, 40, "/", port=9003)
    assert set(both) == {"v1", "v2"}
    # Not shown to the caller's namespace, it is not there for it.
    mesh.apply(OUTSIDE.replace(
        "  resolution:", "  exportTo: ['~']\n  resolution:", 1) % ips, "--force")
    assert mesh.app.fetch(9003).status == 503
    for service in outside:
        service.close()


AGED = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s}
spec:
  host: %s
  trafficPolicy: {connectionPool: {tcp: {maxConnectionDuration: 200ms}}}
"""


def test_connections_end_at_their_age(mesh):
    """Those of requests behind the last one, bytes at once."""
    mesh.apply("---\n".join(AGED % (name, name) for name in ("web", "echo")))
    policy = explain(mesh, "GET", "http://web/")["destinations"][0]["policy"]
    assert policy["connections"]["maxConnectionDuration"] == "200ms"
    mesh.v1.server.cut()  # older ones keep the age they were opened with
    wait_for(lambda: not mesh.v1.server.connections, "they have ended")
    assert texts(mesh, 10)["v1"]
    wait_for(lambda: not mesh.v1.server.connections, "all have ended")
    with mesh.app.connect(mesh.app.loopback, 9001) as conn:
        conn.sendall(b"x")
        assert conn.recv(1) == b"x"
        assert is_cut(conn)
    assert logged(mesh, " DT ")


def test_a_path_is_matched_and_rewritten(mesh):
    mesh.apply(WEB % "" + ROUTES + """\
  - name: old
    match: [{uri: {prefix: /old/}}]
    rewrite: {uri: /new/, authority: other.example}
    route: [{destination: {host: web, subset: v1}}]
  - name: only
    match: [{uri: {exact: /only}}]
    route: [{destination: {host: web, subset: v2}}]
""")
    told = mesh.app.fetch(9000, "/old/page?q=1").json()
    assert (told["text"], told["path"]) == ("v1", "/new/page?q=1")
    assert told["headers"]["host"] == "other.example"
    assert explain(mesh, "GET", "http://web/old/page")["routeMatched"] == "old"
    assert mesh.app.fetch(9000, "/only").json()["text"] == "v2"
    answer = mesh.app.fetch(9000, "/neither")
    assert answer.status == 404
    assert answer.headers["proxy-status"]
    assert explain(mesh, "GET", "http://web/neither")["outcome"] != "routed"


def test_a_path_is_rewritten_by_an_expression(mesh):
    mesh.apply(WEB % "" + ROUTES + """\
  - rewrite: {uriRegexRewrite: {match: "^/api/v([0-9]+)/(.*)$",
      rewrite: '/\\2/of/\\1'}}
    route: [{destination: {host: web}}]
""")
    told = mesh.app.fetch(9000, "/api/v2/page?q=1").json()
    assert told["path"] == "/page/of/2?q=1"
    assert mesh.app.fetch(9000, "/else").json()["path"] == "/else"
    assert explain(mesh, "GET", "http://web/api/v2/page")["rewrittenPath"] \
        == "/page/of/2"


def test_a_path_is_judged_in_the_spelling_that_arrives(mesh):
    mesh.apply(WEB % "" + ROUTES + """\
  - match: [{uri: {prefix: /admin}}]
    directResponse: {status: 403}
  - route: [{destination: {host: web}}]
""")
    for path in ("/admin/x", "/a/../admin/x", "/./%61dmin", "/a\\..\\admin"):
        assert mesh.app.fetch(9000, path).status == 403
        told = explain(mesh, "GET", f"http://web{path}")
        assert told["outcome"]["status"] == 403
    told = mesh.app.fetch(9000, "/x/./y/../%7Ez//%2e?q=/../%61").json()
    assert told["path"] == "/x/~z//?q=/../%61"
    answer = mesh.app.fetch(9000, "/a%00b")
    assert answer.status == 400
    assert "no path may have" in answer.headers["proxy-status"]


def test_a_rule_answers_by_itself(mesh):
    mesh.apply(WEB % "" + ROUTES + """\
  - match: [{uri: {prefix: /moved}}]
    redirect: {authority: new.example, scheme: https, prefixRewrite: /new}
  - match: [{uri: {exact: /down}}]
    directResponse: {status: 503, body: {string: back soon}}
    headers: {response: {set: {retry-after: "60"}}}
  - route: [{destination: {host: web}}]
""")
    for _ in range(2):
        answer = mesh.app.fetch(9000, "/moved/page?q=1")
        assert answer.status == 301
        assert answer.headers["location"] == \
            "https://new.example/new/page?q=1"
        answer = mesh.app.fetch(9000, "/down")
        assert (answer.status, answer.body) == (503, b"back soon")
        assert answer.headers["retry-after"] == "60"
        assert mesh.app.fetch(9000, "/").status == 200
    assert " 301 - direct_response " in logged(mesh, "/moved/page?q=1")[0]
    told = explain(mesh, "GET", "http://web/moved/page?q=1")
    assert told["outcome"]["status"] == 301
    assert told["location"] == "https://new.example/new/page?q=1"
    told = explain(mesh, "GET", "http://web/down")
    assert told["action"] == {
        "directResponse": {"status": 503, "body": "back soon"},
        "responseHeaders": {"add": [
            {"name": "retry-after", "op": "set", "value": "60"}]}}


def test_explain_names_the_endpoints_that_would_serve(mesh):
    told = explain(mesh, "GET", "http://web/")
    text = json.dumps(told)
    for number in (2, 3):
        assert mesh.machine(number).ip in text


def test_explain_prints_what_a_person_asks(mesh):
    """Listener, rule, destination, endpoints, and why not the others."""
    mesh.apply(WEB % "" + ROUTES + """\
  - match: [{headers: {who: {exact: tester}}}]
    route: [{destination: {host: web, subset: v9}}]
  - route:
    - {destination: {host: web, subset: v1}, weight: 75}
    - {destination: {host: web, subset: v2}, weight: 25}
""", "--force")
    told = mesh.caller.cli.ok("explain", "request", "GET", "http://web/")
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert (f"listener web at {mesh.app.at(9000)}, calls as "
            "spiffe://mesh.internal/ns/meshd-nodes/sa/vm4") in lines, told
    assert any(line.startswith("- 1 ") and line.endswith(
        "not so: header who is tester; the request has none")
        for line in lines), told
    assert "outbound|80|v1|web.default.svc.cluster.local 75 % " \
        "LEAST_REQUEST mutual TLS where the endpoint wants it" in lines, told
    assert (f"+ {mesh.net.join(mesh.machine(2).ip, 80)} vm2 in use "
            "mutual TLS") in lines, told


def test_the_server_explains_what_the_callers_agent_would_do(mesh):
    """Also for a service that nobody wrote: it has the records, too."""
    mesh.apply("""\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http: [{route: [{destination: {host: web}}], timeout: 2s}]
""")
    words = ("explain", "request", "GET", "http://web/", "-o", "json")

    def said(cli):
        told = json.loads(cli.ok(*words))
        return [told[key] for key in (
            "outcome", "clusterMatched", "origin", "destinations")]

    wait_for(lambda: said(mesh.cli) == said(mesh.caller.cli),
             "the server to say what the agent says")
    outcome, _, _, destinations = said(mesh.cli)
    assert outcome["status"] == 0, outcome
    assert {e["node"] for e in destinations[0]["endpoints"]} == {"vm2", "vm3"}


def test_server_and_agent_show_the_same_services_and_endpoints(mesh):
    def shown(cli, *words):
        """Only an agent has configuration in part, and says so."""
        items = cli.items(*words)
        for item in items:
            item.pop("configuration", None)
        return items
    for words in (("services",), ("endpoints",)):
        assert shown(mesh.cli, *words) == shown(mesh.caller.cli, *words)
    for name in ("web", "web.default", "web.default.svc.mesh.internal"):
        rows = shown(mesh.cli, "endpoints", name)
        assert {row["service"] for row in rows} == {"web"}
        assert rows == shown(mesh.caller.cli, "endpoints", name)


def test_a_service_that_is_not_known_is_told(mesh):
    for cli in (mesh.cli, mesh.caller.cli):
        done = cli("endpoints", "nothing")
        assert done.returncode == 3, done
        assert "no service nothing is known here" in done.stderr


def test_a_question_for_the_other_role_is_told(mesh):
    done = mesh.cli("exposed")
    assert "is for an agent, and this is the server" in done.stderr
    done = mesh.caller.cli("token", "list")
    assert "is for the server, and this is an agent" in done.stderr


# --- what a written Service does to records ---


def test_a_written_service_overrides_records(mesh):
    mesh.apply(WEB.replace("port: 80}", "port: 8888, targetPort: 80}") % "")
    shown = [s for s in mesh.caller.cli.items("services")
             if s["name"] == "web"]
    assert [s["port"] for s in shown] == [8888]
    assert "Service/default/web" in shown[0]["origin"]


def test_what_is_exposed_is_found_and_what_is_unexposed_is_gone(mesh):
    vm3 = mesh.agents[1]
    vm3.expose("more", f"90:{mesh.machine(3).at(8080)}", "--protocol", "http")
    mesh.caller.sees("more", 1)
    assert {e["name"] for e in vm3.cli.items("exposed")} == {"web", "more"}
    assert vm3.cli.ok("unexpose", "more") == "more is no longer exposed\n"
    mesh.caller.sees("more", 0)
    wrong = vm3.cli("unexpose", "more")
    assert wrong.returncode == 3
    assert "more" in wrong.stderr


# --- what the tunnel refuses ---


@pytest.fixture
def context(mesh):
    """TLS as vm4 does it, with its certificate."""
    return mesh_context(mesh.caller.cli.state, mesh.cli)


def test_an_exposed_port_is_served_through_a_tunnel(mesh, context):
    target = mesh.machine(2)
    with Tunnel(mesh.app.connect(target.ip, 15008), context) as tunnel:
        assert identity_of(tunnel.tls).startswith("spiffe://mesh.internal/ns/")
        status, stream = tunnel.connect(f"{mesh.net.join(target.ip, 7)}")
        assert status == 200
        tunnel.send(stream, b"hello")
        assert tunnel.receive(stream, 5) == b"hello"


def test_a_port_that_is_not_exposed_is_refused(mesh, context):
    target = mesh.machine(2)
    with Tunnel(mesh.app.connect(target.ip, 15008), context) as tunnel:
        status, _ = tunnel.connect(mesh.net.join(target.ip, 22))
        assert status == 503
        assert "not exposed here" in tunnel.headers["proxy-status"]
    wait_for(lambda: any("22" in line and "not exposed" in line for line in
                         (mesh.folder / "in.log").read_text().splitlines()),
             "the refusal is in the access log")


def test_the_address_of_another_machine_is_refused(mesh, context):
    with Tunnel(mesh.app.connect(mesh.machine(2).ip, 15008),
                context) as tunnel:
        for port in (22, 80):  # 80 is exposed on both
            status, _ = tunnel.connect(mesh.net.join(mesh.machine(3).ip, port))
            assert status == 400
            assert "not this machine" in tunnel.headers["proxy-status"]


def test_a_host_may_be_the_authority(mesh, context):
    with Tunnel(mesh.app.connect(mesh.machine(2).ip, 15008),
                context) as tunnel:
        for host in ("echo.default.svc.mesh.internal", "echo.default.svc."
                     "cluster.local"):
            status, stream = tunnel.connect(f"{host}:7")
            assert status == 200
            tunnel.send(stream, b"hello", end=True)
            assert tunnel.receive(stream, 5) == b"hello"
        for authority in ("echo.default.svc.mesh.internal:8",
                          "other.default.svc.mesh.internal:7"):
            assert tunnel.connect(authority)[0] == 503
            assert "not exposed here" in tunnel.headers["proxy-status"]


def test_both_ends_of_a_tunnel_say_who_they_are(mesh, context):
    target = mesh.net.join(mesh.machine(2).ip, 7)
    with Tunnel(mesh.app.connect(mesh.machine(2).ip, 15008),
                context) as tunnel:
        status, stream = tunnel.connect(
            target, baggage="service.name=tester,service.version=v7",
            forwarded='for="192.0.2.1:4711"')
        assert status == 200
        assert tunnel.headers["baggage"] == (
            "k8s.cluster.name=default,service.name=echo,"
            "service.version=latest,k8s.namespace.name=default")
        tunnel.send(stream, b"x", end=True)
        assert tunnel.receive(stream, 1) == b"x"
    wait_for(lambda: '"192.0.2.1:4711"' in
             (mesh.folder / "in.log").read_text(), "the program is logged")
    assert 'source_canonical_service="tester"' in metrics(
        mesh, mesh.machine(2))


def test_what_is_no_connect_is_refused(mesh, context):
    with Tunnel(mesh.app.connect(mesh.machine(2).ip, 15008),
                context) as tunnel:
        assert tunnel.ask("GET", "/") == 400
        assert tunnel.connect("no-port")[0] == 400


def test_nobody_comes_in_without_a_certificate(mesh):
    context = mesh_context(None, mesh.cli)
    with pytest.raises(OSError):
        with Tunnel(mesh.app.connect(mesh.machine(2).ip, 15008),
                    context) as tunnel:
            tunnel.connect(mesh.net.join(mesh.machine(2).ip, 7))
    mesh.agents[0].says("tunnel refused")


def test_plain_text_is_refused(mesh):
    with mesh.app.connect(mesh.machine(2).ip, 15008) as conn:
        conn.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        try:
            answer = conn.recv(100)
        except ConnectionResetError:
            answer = b""
        assert b"HTTP" not in answer


# --- reports ---

TEXT_LINE = re.compile(
    r'^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] '
    r'"GET /logged\?n=1 HTTP/1\.1" 200 - via_upstream - "-" 0 \d+ \d+ \d+ '
    r'"-" "tester" "[0-9a-f-]{36}" "web\.example" "[^"]+:80" '
    r'outbound\|80\|\|web\.default\.svc\.cluster\.local \S+ \S+:9000 '
    r'\S+:\d+ - \S+$')


def logged(mesh, words):
    return wait_for(
        lambda: [line for line in mesh.access_log.read_text().splitlines()
                 if words in line], f"{words} is in the access log")


def test_the_access_log_is_istios_text(mesh):
    mesh.app.fetch(9000, "/logged?n=1", headers={
        "user-agent": "tester", "host": "web.example"})
    line = logged(mesh, "/logged?n=1")[0]
    assert TEXT_LINE.match(line), line


def test_a_refusal_is_logged_unless_that_was_turned_off(mesh):
    """vm3 was told nothing of an access log."""
    with Tunnel(mesh.app.connect(mesh.machine(3).ip, 15008),
                mesh_context(mesh.caller.cli.state, mesh.cli)) as tunnel:
        assert tunnel.connect(mesh.net.join(mesh.machine(3).ip, 22))[0] == 503
    mesh.agents[1].says("is not exposed here")


def metrics(mesh, machine):
    return machine.fetch(15020, "/stats/prometheus").body.decode()


def test_metrics_have_istios_names(mesh):
    mesh.app.fetch(9000, "/")
    with mesh.app.connect(mesh.app.loopback, 9001) as conn:
        conn.sendall(b"x")
        assert conn.recv(1) == b"x"
    text = wait_for(
        lambda: "istio_tcp_connections_closed_total{" in
        metrics(mesh, mesh.app) and metrics(mesh, mesh.app),
        "the closed connection is counted")
    for name in ("istio_requests_total",
                 "istio_request_duration_milliseconds_bucket",
                 "istio_request_bytes_sum", "istio_response_bytes_count",
                 "istio_tcp_connections_opened_total",
                 "istio_tcp_received_bytes_total",
                 "istio_tcp_sent_bytes_total"):
        assert f"\n{name}{{" in text, name
    assert 'istio_build{component="proxy",tag="' in text
    line = next(line for line in text.splitlines()
                if line.startswith("istio_requests_total{"))
    for label in ('reporter="source"', 'destination_service_name="web"',
                  'response_code="200"', 'request_protocol="http"',
                  'source_principal=', 'connection_security_policy='):
        assert label in line, line


def test_metrics_tell_the_versions_of_a_service_apart(mesh):
    def counted(version):
        return sum(
            int(line.rsplit(" ", 1)[1])
            for line in metrics(mesh, mesh.app).splitlines()
            if line.startswith("istio_requests_total{")
            and f'destination_version="{version}"' in line)

    before = {version: counted(version) for version in ("v1", "v2")}
    # The last is counted a moment after its client has all of it.
    for version, count in texts(mesh, 30).items():
        wait_for(lambda: counted(version) == before[version] + count,
                 lambda: f"{version}: {counted(version)}, not "
                 f"{before[version]} and {count}")


def test_both_ends_name_the_caller_alike(mesh):
    texts(mesh, 4)
    for machine in (mesh.app, mesh.machine(2)):
        assert ('source_principal="spiffe://mesh.internal/ns/meshd-nodes/sa/'
                'vm4"' in metrics(mesh, machine))


def test_health_says_that_it_serves(mesh):
    for number in (2, 3, 4):
        answer = mesh.machine(number).fetch(15021, "/healthz/ready")
        assert answer.status == 200
    assert mesh.app.fetch(15021, "/other").status == 404


def test_the_admin_port_reads_and_does_not_write(mesh):
    def ask(path, method="GET", body=None):
        return mesh.app.fetch(15000, path, method, body=body, ip="127.0.0.1")
    assert ask("/v1/view").json()["clusters"]
    assert len(ask("/v1/members").json()["items"]) == 4
    assert ask("/v1/status").json()["name"] == "vm4"
    refused = ask("/v1/expose", "POST", b'{"name":"x","target":"[::1]:1"}')
    assert refused.status == 403
    assert "PRIVATE" not in json.dumps(ask("/v1/view").json())
    with pytest.raises(OSError):
        mesh.app.connect(mesh.app.ip, 15000)


def test_connections_are_listed_with_their_identities(mesh):
    with mesh.app.connect(mesh.app.loopback, 9001) as conn:
        conn.sendall(b"x")
        assert conn.recv(1) == b"x"

        def inbound():
            return [c for c in mesh.agents[0].cli.api(
                "/v1/connections")["items"] if c["what"].startswith("echo")]
        shown = wait_for(inbound, "the tunnel is listed at vm2")[0]
        assert shown["source"].startswith("spiffe://mesh.internal/ns/")
        assert shown["bytesIn"] + shown["bytesOut"] > 0


# --- coming and going: each of these has agents of its own ---


EXTRAS = itertools.count()


@pytest.fixture
def extra(mesh):
    """An agent on vm1, where the server is, that may leave or be revoked."""
    ports = ["--access-log", mesh.folder / "extra.log",
             "--access-log-format", "json", "--log-success",
             "--gossip", "15947"]
    at = mesh.machine(1).at
    agent = mesh.member(1, *ports, "--upstream", f"web={at(9000)}",
                        "--upstream", f"echo={at(9001)}",
                        "--upstream", f"nowhere={at(9002)}",
                        name=f"extra{next(EXTRAS)}")
    agent.sees("web", 2)
    agent.sees("echo", 1)
    yield agent
    agent.stop(signal.SIGKILL)
    mesh.agents.remove(agent)


def test_the_access_log_is_istios_json_when_asked(mesh, extra):
    assert mesh.machine(1).fetch(9000, "/json").status == 200
    line = wait_for(lambda: (mesh.folder / "extra.log").read_text(),
                    "something is in the access log").splitlines()[0]
    told = json.loads(line)
    assert told["path"] == "/json"
    assert told["response_code"] == 200
    assert set(told) >= {
        "start_time", "method", "protocol", "response_flags",
        "response_code_details", "bytes_received", "bytes_sent", "duration",
        "upstream_service_time", "user_agent", "request_id", "authority",
        "upstream_host", "upstream_cluster", "downstream_local_address",
        "downstream_remote_address", "route_name"}


def test_an_upstream_without_a_service_says_so_everywhere(mesh, extra):
    words = "there is no service nowhere.default.svc.mesh.internal (yet)"
    status = extra.cli.ok("status")
    assert "upstream nowhere" in status and words in status
    assert [p["text"] for p in extra.cli.api("/v1/problems")["items"]
            if p["about"] == "upstream nowhere"] == [words]
    answer = mesh.machine(1).fetch(9002)
    assert answer.status == 503
    assert "destination_not_found" in answer.headers["proxy-status"]
    assert words in answer.body.decode()
    for _ in range(8):
        with mesh.machine(1).connect(mesh.machine(1).loopback, 9002) as conn:
            assert is_cut(conn)  # it was silent
    told = extra.text.count("connections are refused listener=nowhere")
    assert 1 <= told <= os.cpu_count(), "once by each worker"
    counted = [line for line in mesh.machine(1).fetch(
        15020, "/metrics").body.decode().splitlines()
        if line.startswith("istio_tcp_connections_closed_total") and
        'response_flags="NC"' in line]
    assert sum(float(line.split()[-1]) for line in counted) == 8, counted


def test_conflicting_records_are_reported_and_the_older_node_wins(
        mesh, extra):
    def reported():
        return [p for p in mesh.caller.cli.api("/v1/problems")["items"]
                if "echo" in p["about"] + p["text"]]
    extra.expose("echo", "7:8099", "--protocol", "http")
    problem = wait_for(reported, "the conflict is reported")[0]
    assert extra.name in json.dumps(problem), problem
    shown = {s["name"]: s for s in mesh.caller.cli.items("services")}
    assert shown["echo"]["protocol"] == "tcp"
    extra.cli.ok("unexpose", "echo")
    wait_for(lambda: not reported(), "the conflict is over")


def test_sigterm_lets_a_request_in_flight_end(mesh, extra):
    mesh.v1.gate.clear()
    mesh.v2.gate.clear()
    for web in (mesh.v1, mesh.v2):
        web.arrived.clear()
    answers = []
    caller = threading.Thread(target=lambda: answers.append(
        mesh.machine(1).fetch(9000, "/wait/drain")))
    caller.start()
    wait_for(lambda: mesh.v1.arrived.is_set() or mesh.v2.arrived.is_set(),
             "the request is under way")
    extra.process.send_signal(signal.SIGTERM)
    extra.says("stopping")
    mesh.v1.gate.set()
    mesh.v2.gate.set()
    caller.join()
    mesh.v1.gate.clear()
    mesh.v2.gate.clear()
    assert [a.status for a in answers] == [200]
    assert extra.ends() == 0


def test_a_node_that_leaves_is_gone_and_forgets(mesh, extra):
    extra.expose("gone", "91:8080")
    mesh.caller.sees("gone", 1)
    assert extra.cli.ok("leave").startswith("left")
    assert extra.ends() == 0
    mesh.caller.sees("gone", 0)
    assert not (extra.cli.state / "node.pem").exists()
    wait_for(lambda: {m["name"]: m["status"] for m in
                      mesh.caller.cli.items("members")}.get(extra.name)
             in ("left", None), "its peers know that it left")


def test_a_revoked_node_is_cut_off_and_told(mesh, extra):
    extra.expose("stale", "92:8080")
    mesh.caller.sees("stale", 1)
    with mesh.machine(1).connect(mesh.machine(1).loopback, 9001) as living:
        living.sendall(b"x")
        assert living.recv(1) == b"x"
        mesh.cli.ok("node", "revoke", extra.name, "--reason", "test")
        assert is_cut(living)
    row = next(n for n in mesh.cli.items("node", "list")
               if n["name"] == extra.name)
    assert row["revoked"] is True
    extra.says("revoked")
    # Its certificates are good for days, but nobody takes them any more.
    wait_for(lambda: mesh.machine(1).fetch(9000).status == 503,
             "its requests are refused")
    for _ in range(5):
        assert mesh.machine(1).fetch(9000).status == 503
    mesh.caller.sees("stale", 0)


def test_a_revoked_node_does_not_come_back_by_its_ticket(
        mesh, extra, tmp_path):
    target = mesh.net.join(mesh.machine(2).ip, 15008)
    session = tmp_path / "session"

    def resumed():
        return next((float(line.split()[-1]) for line in
                     metrics(mesh, mesh.machine(2)).splitlines()
                     if line.startswith("meshd_tunnels_opened_total{") and
                     'direction="inbound"' in line and
                     'handshake="resumed"' in line), None)

    def call(*words):
        return OpenSSL(mesh.machine(1), target, extra.cli.state, *words)
    before = resumed()
    with call("-sess_out", session) as tool:
        tool.begin()
    for number in range(3):
        with call("-sess_in", session) as tool:
            tool.begin()
            assert b"Reused, TLSv1.3" in tool.said, tool.said
        wait_for(lambda n=number: resumed() >= before + n + 1,
                 "it is counted")
    mesh.cli.ok("node", "revoke", extra.name)
    extra.says("revoked")

    def is_refused():
        with call("-sess_in", session) as tool:
            tool.hears(b"\n---\n")
            try:
                tool.begin()
            except (AssertionError, BrokenPipeError):
                return b"alert certificate revoked" in tool.said
        return False
    wait_for(is_refused, "vm2 has heard of it")
    assert is_refused()


def test_a_refusal_is_told_once_and_asked_about_less_and_less(mesh, extra):
    before = mesh.server.text.count("control stream refused")

    def asked():
        return mesh.server.text.count("control stream refused") - before
    mesh.cli.ok("node", "revoke", extra.name)
    wait_for(lambda: asked() >= 6, "it has asked for a while")
    assert extra.text.count("refused; it is asked again") == 1
    assert extra.text.count("join again with a new token and name") <= 2
    status = extra.status()
    assert not status["connected"]
    assert "the node was revoked" in status["trouble"]
    assert "join again with a new token" in status["trouble"]
    for word in ("signal", "join"):
        was = asked()
        if word == "signal":
            extra.process.send_signal(signal.SIGHUP)
        else:
            done = extra.cli("join", mesh.token())
            assert "leave first with: meshd leave" in done.stderr
        wait_for(lambda n=was: asked() > n, "it asks at once", 3)


def test_a_revoked_name_joins_anew_with_another_key(mesh, extra):
    mesh.cli.ok("node", "revoke", extra.name)
    extra.stop(signal.SIGKILL)
    second = int(time.time())
    wait_for(lambda: int(time.time()) > second, "certificates count seconds")
    words = [w for w in extra.words if w not in ("agent", "--name", extra.name)]
    again = mesh.member(1, *words, name=extra.name)
    again.expose("fresh", "93:8080")
    mesh.caller.sees("fresh", 1)
    wait_for(lambda: mesh.machine(1).fetch(9000).status == 200,
             "its requests are answered")
    again.stop(signal.SIGKILL)
    mesh.agents.remove(again)


def test_a_dry_run_says_whose_calls_would_change(mesh):
    split = ROUTES + """\
  - route:
    - {destination: {host: web, subset: v1}, weight: %d}
    - {destination: {host: web, subset: v2}, weight: %d}
"""
    mesh.apply(WEB % "" + split % (100, 0))
    words = ("apply", "--dry-run", "--blast", "-f", "-")
    change = WEB % "" + split % (90, 10)
    out = mesh.cli.ok(*words, stdin=change)
    assert "10 % now go to v2 (until now all to v1)" in out
    told = json.loads(mesh.cli.ok(*words, "-o", "json", stdin=change))
    effects = told["blast"]["items"]
    assert {e["to"] for e in effects} == {"web.default:80"}
    assert {e["caller"] for e in effects} >= {
        "web.default", "echo.default", "other programs in default"}
    assert "no call changes" in mesh.cli.ok(
        *words, stdin=WEB % "" + split % (100, 0))
    out = mesh.cli.ok(*words, "--force", stdin=WEB.replace(
        "app: web", "app: web, version: v2") % "")
    assert "everybody → web.default:80: 1 endpoints, not 2\n" in out
    assert "everybody → web.default:80: v1: 0 endpoints, not 1\n" in out
    assert ("everybody → web.default:80: all now go to any instance "
            "(until now all to v1)\n" in
            mesh.cli.ok("delete", "vs", "web", "--dry-run", "--blast"))
    assert texts(mesh, 10) == {"v1": 10}


def test_what_a_proxy_is_made_of_is_shown_with_its_sources(mesh):
    mesh.apply(WEB % "" + ROUTES + """\
  - name: testers
    match: [{headers: {who: {exact: tester}}}]
    route: [{destination: {host: web, subset: v2}}]
  - route: [{destination: {host: web, subset: v1}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/none]}}]}]}
""", "--allow-inert")
    for cli, words in ((mesh.cli, ["vm2"]), (mesh.caller.cli, []),
                       (mesh.caller.cli, ["vm4"])):
        out = cli.ok("proxy", "config", *words, "routes")
        assert re.search(r"web\.default\.svc\.cluster\.local:80 +testers +"
                         r"header who is tester +outbound\|80\|v2\|web\.",
                         out), out
        assert "VirtualService/default/web@" in out
        told = cli.json("proxy", "config", *words)
        assert set(told) == {"listeners", "routes", "clusters", "endpoints",
                             "policies"}
        rules = {(row["action"], row["policy"], row["asks"])
                 for place in told["policies"] for row in place["rows"]}
        assert rules == {("DENY", "default/no-admin",
                          "request.path is one of /none")}
        nodes = {row.get("node") for place in told["endpoints"]
                 for row in place["rows"]}
        assert nodes >= {"vm2", "vm3"}
    assert "9000" in mesh.caller.cli.ok("proxy", "config", "listeners")
    done = mesh.cli("proxy", "config", "vm99")
    assert done.returncode != 0 and "node list" in done.stderr
    mesh.cli.ok("delete", "AuthorizationPolicy", "no-admin")


def explained(mesh, port_name, requests):
    lines = "".join(json.dumps({
        "upstream": port_name, "method": method, "path": path,
        "authority": headers["host"],
        "headers": {k: v for k, v in headers.items() if k != "host"}}) + "\n"
                    for method, path, headers in requests)
    out = mesh.caller.cli.ok("explain", "--questions", "-", stdin=lines)
    return [json.loads(line) for line in out.splitlines()]


def test_a_thousand_requests_get_what_explain_says(mesh):
    """SEED=n asks others."""
    seed = int(os.environ.get("SEED", "") or 1)
    guesses = Guesses(seed)
    outcomes = collections.Counter()
    for _ in range(20):
        configuration = guesses.configuration()
        mesh.apply(configuration, "--force")
        asked = [guesses.request() for _ in range(50)]
        told = explained(mesh, "web", asked)
        for (method, path, headers), one in zip(asked, told):
            answer = mesh.app.fetch(9000, path, method, headers)
            try:
                check_answer(one, answer)
            except (AssertionError, KeyError) as why:
                raise AssertionError(
                    f"SEED={seed}: {method} {path} {headers} was answered "
                    f"{answer.status} {answer.body[:200]!r}, explain says "
                    f"{json.dumps(one)[:2000]} of {configuration}: {why}"
                    ) from why
            outcomes[answer.status, one.get("routeMatched", "")] += 1
    # Rules, their refusals and what nothing matches were all met.
    assert {status for status, _ in outcomes} >= {200, 404, 503}, outcomes
    assert len(outcomes) >= 6, outcomes
