# SPDX-License-Identifier: Apache-2.0
"""health — services are asked where they run, and who is unwell gets no call.

Web is on vm2 and vm3, each asked by its own agent every 100 ms; vm4 calls. An
answer is taken from a service that says how it is as the test says.
"""

import re
import ssl
import subprocess
import time

import h2.events
import pytest

from mesh import Mesh, Service, Web, WebHandler, wait_for
from traffic import TalkHandler

pytestmark = pytest.mark.xdist_group("health")

# An answer has a second, since the machine is busy.
OFTEN = ("--check-interval", "100ms", "--check-unhealthy", "1")


class Handler(WebHandler):
    """GET /healthz is not counted as a call."""

    def do_GET(self):
        if self.path != "/healthz":
            self.do_any()
            return
        self.send_response(self.server.web.health)
        self.send_header("content-length", "0")
        self.end_headers()


class Well(Web):
    """Says how it is."""

    def __init__(self, machine, port, text):
        super().__init__(machine, port, text)
        self.health = 200
        self.server.RequestHandlerClass = Handler


class AskedHandler(TalkHandler):
    """grpc.health.v1, of one service: a.B."""

    @staticmethod
    def on_event(conn, event):
        if isinstance(event, h2.events.RequestReceived):
            path = dict(event.headers)[":path"]
            assert path == "/grpc.health.v1.Health/Check", path
        elif isinstance(event, h2.events.DataReceived):
            is_known = event.data == b"\0\0\0\0\5\n\3a.B"
            head = [(":status", "200"), ("content-type", "application/grpc")]
            if not is_known:
                conn.send_headers(event.stream_id, head + [
                    ("grpc-status", "5"), ("grpc-message", "unknown")],
                    end_stream=True)
                return
            conn.send_headers(event.stream_id, head)
            conn.send_data(event.stream_id, b"\0\0\0\0\2\x08\1")
            conn.send_headers(
                event.stream_id, [("grpc-status", "0")], end_stream=True)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    with Mesh(tmp_path_factory.mktemp("health"), 4) as it:
        it.vm2 = it.member(2)
        it.vm3 = it.member(3, "--exec-checks")
        it.vm4 = it.member(4, "--upstream", f"web={it.machine(4).at(9000)}")
        it.webs = []
        for number, agent in ((2, it.vm2), (3, it.vm3)):
            web = Well(it.machine(number), 8080, agent.name)
            it.services.append(web)
            it.webs.append(web)
            agent.expose("web", f"80:{web.target}", "--protocol", "http",
                         "--check", "http/healthz", *OFTEN)
        it.vm4.sees("web", 2)
        yield it


def callers_see(mesh, *names):
    """Waits until so many calls in a row went to these and to no other."""
    seen = []

    def is_so():
        answer = mesh.machine(4).fetch(9000)
        seen.append(answer.json()["text"] if answer.status == 200
                    else answer.status)
        return len(seen) >= 16 and set(seen[-16:]) == set(names)
    wait_for(is_so, lambda: f"calls to {names}: {seen[-20:]}")


def exposed(agent, name):
    return next(e for e in agent.cli.items("exposed") if e["name"] == name)


def is_health(agent, name, health):
    def is_so():
        return exposed(agent, name).get("health") == health
    wait_for(is_so, lambda: f"{name} is {health}: {exposed(agent, name)}")
    return exposed(agent, name)


def test_who_says_it_is_unwell_is_called_no_more_until_it_is_well(mesh):
    web = mesh.webs[0]
    callers_see(mesh, "vm2", "vm3")
    web.health = 503
    began = time.monotonic()
    callers_see(mesh, "vm3")
    web.seen.clear()
    callers_see(mesh, "vm3")
    assert not web.seen, "not one call more"
    assert time.monotonic() - began < 30, "and it did not take long"
    told = exposed(mesh.vm2, "web")
    assert told["health"] == "unhealthy"
    assert told["check"] == "http/healthz"
    assert told["reason"] == "GET /healthz: 503"
    assert re.fullmatch(r"20\d\d-.*Z", told["since"])

    # Why, on the machine itself and elsewhere; and the status names it.
    def why(agent):
        return [e["reason"] for e in agent.cli.items("endpoints", "web")
                if e["status"] != "in use"]
    assert re.fullmatch(r"unhealthy since 20\S+Z: GET /healthz: 503",
                        *why(mesh.vm2))
    assert why(mesh.vm4) == ["node vm2 says that it is unhealthy"]
    assert "GET /healthz: 503" in mesh.vm2.cli.ok("services")
    assert "vm2 says that it is unhealthy" in mesh.vm4.cli.ok("services")
    problem, = [p for p in mesh.vm2.status()["problems"]
                if p["kind"] == "health"]
    assert problem["about"] == "web.default:80"
    assert "GET /healthz: 503" in problem["text"]
    web.health = 200
    callers_see(mesh, "vm2", "vm3")
    assert not [p for p in mesh.vm2.status()["problems"]
                if p["kind"] == "health"]


def test_a_change_is_logged_and_counted_not_each_check(mesh):
    told = mesh.vm2.text
    assert 'service is unhealthy' in told and 'GET /healthz: 503' in told
    assert told.count("service is healthy") <= 3, "changes alone"
    metrics = mesh.machine(2).fetch(15020, "/metrics").body.decode()
    labels = 'namespace="default",service="web",port="80"'
    found = re.search(f'meshd_health_checks_total{{{labels},'
                      r'result="success"} (\d+)', metrics)
    assert int(found.group(1)) > 0
    assert f"meshd_health_state{{{labels}}} 1" in metrics


def test_the_first_answer_makes_it_ready(mesh):
    """Until then nobody calls it, also those who are told of it by records."""
    mesh.vm2.expose("late", "81:127.0.0.1:8181", "--check", "tcp", *OFTEN)
    is_health(mesh.vm2, "late", "unhealthy")
    assert "connection refused" in exposed(mesh.vm2, "late")["reason"]
    wait_for(lambda: "late" in mesh.vm4.cli.ok("services"), "vm4 knows late")
    assert not mesh.vm4.usable("late")
    mesh.echo(2, 8181)
    mesh.vm4.sees("late", 1)
    is_health(mesh.vm2, "late", "healthy")
    mesh.vm2.cli.ok("unexpose", "late")
    mesh.vm4.sees("late", 0)


POLICY = """\
apiVersion: meshd.dev/v1
kind: HealthCheckPolicy
metadata: {{name: {name}, namespace: shop}}
spec: {{{scope}http: {{path: {path}}}, interval: 100ms,
       unhealthyThreshold: 1}}
"""


ROOT = """\
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {rootNamespace: mesh-root}
"""


def test_a_policy_reaches_the_agent_that_serves(mesh):
    web = mesh.webs[1]
    mesh.vm3.expose("pay", f"82:{web.target}", "--protocol", "http",
                    "-n", "shop")
    mesh.vm4.sees("pay.shop", 1)
    assert "health" not in exposed(mesh.vm3, "pay")
    generation = mesh.vm4.status()["generation"]
    mesh.apply(POLICY.format(name="all", scope="", path="/healthz"))
    told = is_health(mesh.vm3, "pay", "healthy")
    assert told["check"] == "http/healthz (shop/all)"
    assert mesh.vm4.status()["generation"] == generation, "no view is new"
    # The one that says more of it counts.
    mesh.apply(POLICY.format(
        name="pay", scope="service: pay, ", path="/status/418"))
    told = is_health(mesh.vm3, "pay", "unhealthy")
    assert told["check"] == "http/status/418 (shop/pay)"
    assert told["reason"] == "GET /status/418: 418"
    mesh.vm4.sees("pay.shop", 0)
    mesh.cli.ok("delete", "HealthCheckPolicy", "pay", "all", "-n", "shop")
    mesh.vm4.sees("pay.shop", 1)
    mesh.vm3.cli.ok("unexpose", "pay", "-n", "shop")


def test_a_policy_of_the_root_namespace_is_for_all(mesh):
    web = mesh.webs[1]
    mesh.vm3.expose("pay", f"82:{web.target}", "--protocol", "http",
                    "-n", "shop")
    scope = "selector: {matchLabels: {app: pay}}, "
    mesh.apply(POLICY.format(name="root", scope=scope, path="/status/418")
               .replace("namespace: shop", "namespace: istio-system"))
    told = is_health(mesh.vm3, "pay", "unhealthy")
    assert told["check"] == "http/status/418 (istio-system/root)"
    # One of its own namespace comes before it, however little it says.
    mesh.apply(POLICY.format(name="all", scope="", path="/healthz"))
    told = is_health(mesh.vm3, "pay", "healthy")
    assert told["check"] == "http/healthz (shop/all)"
    # Where the root is elsewhere it is a namespace like any other.
    mesh.cli.ok("delete", "HealthCheckPolicy", "all", "-n", "shop")
    is_health(mesh.vm3, "pay", "unhealthy")
    mesh.apply(ROOT)
    wait_for(lambda: "health" not in exposed(mesh.vm3, "pay"),
             "nobody asks it")
    mesh.cli.ok("delete", "MeshConfig", "default")
    is_health(mesh.vm3, "pay", "unhealthy")
    mesh.cli.ok("delete", "HealthCheckPolicy", "root", "-n", "istio-system")
    mesh.vm3.cli.ok("unexpose", "pay", "-n", "shop")


def test_after_a_restart_it_is_asked_before_it_is_called(mesh):
    mesh.vm3.stop()
    mesh.webs[1].health = 503
    mesh.vm3.start().joined()
    assert is_health(mesh.vm3, "web", "unhealthy")["check"] == "http/healthz"
    callers_see(mesh, "vm2")
    mesh.webs[1].health = 200
    callers_see(mesh, "vm2", "vm3")


def test_a_command_runs_only_where_the_machine_allows_it(mesh, tmp_path):
    done = mesh.vm2.cli("expose", "job", "83", "--check", "exec:/bin/true")
    assert done.returncode == 5
    assert "exec-checks" in done.stderr
    flag = tmp_path / "flag"
    mesh.vm3.expose(
        "job", "83", "--check", f"exec:/bin/ls {flag}", *OFTEN)
    told = is_health(mesh.vm3, "job", "unhealthy")
    assert told["reason"].startswith("/bin/ls: exit status 2: ")
    assert str(flag) in told["reason"]
    flag.touch()
    is_health(mesh.vm3, "job", "healthy")
    mesh.vm3.cli.ok("unexpose", "job")
    # By a policy: it is not run, and said so.
    mesh.vm2.expose("job", "83", "-n", "batch")
    mesh.apply("apiVersion: meshd.dev/v1\nkind: HealthCheckPolicy\n"
               "metadata: {name: job, namespace: batch}\n"
               "spec: {exec: {command: [/bin/false]}}\n")
    wait_for(lambda: any("exec-checks" in p["text"]
                         for p in mesh.vm2.status()["problems"]),
             "vm2 says that it runs no command")
    assert "exec-checks" in exposed(mesh.vm2, "job")["reason"]
    mesh.vm4.sees("job.batch", 1)
    mesh.vm2.cli.ok("unexpose", "job", "-n", "batch")


def test_grpc_says_which_service_is_well(mesh):
    mesh.services.append(Service(mesh.machine(2), 8282, AskedHandler))
    mesh.vm2.expose("good", "84:8282", "--check", "grpc/a.B", *OFTEN,
                    "--protocol", "grpc")
    assert is_health(mesh.vm2, "good", "healthy")["reason"] == \
        "gRPC health of a.B: SERVING"
    mesh.vm2.expose("bad", "85:8282", "--check", "grpc:8282/a.C", *OFTEN)
    assert is_health(mesh.vm2, "bad", "unhealthy")["reason"] == \
        "gRPC health of a.C: gRPC status 5 unknown"
    mesh.vm2.cli.ok("unexpose", "good")
    mesh.vm2.cli.ok("unexpose", "bad")


@pytest.fixture(name="secure", params=["rsa:2048", "ec"])
def make_secure(mesh, request, tmp_path):
    """A service by TLS whose certificate nobody would trust."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    kind = ([request.param] if request.param != "ec" else
            ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", *kind, "-keyout",
         str(key), "-out", str(cert), "-days", "1", "-subj", "/CN=nobody"],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    names = []
    context.sni_callback = lambda s, name, c: names.append(name)
    web = Well(mesh.machine(2), 8443, "vm2")
    web.server.socket = context.wrap_socket(
        web.server.socket, server_side=True)
    web.context, web.names = context, names
    yield web
    web.close()


def test_https_asks_whoever_answers(mesh, secure):
    mesh.vm2.expose("tls", f"87:{secure.target}", "--check",
                    "https/healthz", "--check-interval", "2s",
                    "--check-timeout", "2s", "--check-unhealthy", "1")
    told = is_health(mesh.vm2, "tls", "healthy")
    assert told["check"] == "https/healthz"
    assert told["reason"] == "GET /healthz: 200"
    secure.health = 500
    assert is_health(mesh.vm2, "tls", "unhealthy")["reason"] == \
        "GET /healthz: 500"
    secure.health = 200
    is_health(mesh.vm2, "tls", "healthy")
    # One that speaks no TLS 1.3, or none at all, is not well.
    secure.context.maximum_version = ssl.TLSVersion.TLSv1_2
    wait_for(lambda: exposed(mesh.vm2, "tls")["health"] == "unhealthy" and
             "TLS 1.3" in exposed(mesh.vm2, "tls")["reason"],
             lambda: f"it says TLS 1.3: {exposed(mesh.vm2, 'tls')}")
    mesh.vm2.cli.ok("unexpose", "tls")
    web = mesh.webs[0]
    mesh.vm2.expose("plain", f"88:{web.target}", "--check", "https/healthz",
                    "--check-interval", "2s", "--check-timeout", "2s")
    told = is_health(mesh.vm2, "plain", "unhealthy")
    assert told["reason"].startswith("GET /healthz: "), told
    mesh.vm2.cli.ok("unexpose", "plain")


def test_who_flaps_is_held_back(mesh):
    web = mesh.webs[0]
    mesh.vm2.expose("flap", f"86:{web.target}", "--check", "http/healthz",
                    *OFTEN)
    is_health(mesh.vm2, "flap", "healthy")
    for _ in range(3):
        web.health = 500
        is_health(mesh.vm2, "flap", "unhealthy")
        web.health = 200
        if _ < 2:
            is_health(mesh.vm2, "flap", "healthy")
    wait_for(lambda: "held back" in exposed(mesh.vm2, "flap")["reason"],
             lambda: f"it is held: {exposed(mesh.vm2, 'flap')}")
    assert exposed(mesh.vm2, "flap")["health"] == "unhealthy"
    mesh.vm4.sees("flap", 0)
    mesh.vm2.cli.ok("unexpose", "flap")
