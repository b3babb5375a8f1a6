# SPDX-License-Identifier: Apache-2.0
"""http proxy — programs that name the agent as their proxy, and ports that
declare no protocol.

The caller has no listener of its own for anything: whom it calls it names.
"""

import http.client
import json
import socket
import time

import pytest

from mesh import DEADLINE, Banner, Mesh, families

PORT = 15002

CONFIG = f"""\
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {{name: default}}
spec:
  proxyHttpPort: {PORT}
  outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}
---
apiVersion: v1
kind: Service
metadata: {{name: any}}
spec:
  selector: {{app: any}}
  ports: [{{name: x, port: 8080}}]
---
apiVersion: v1
kind: Service
metadata: {{name: smtp}}
spec:
  selector: {{app: smtp}}
  ports: [{{name: x, port: 2525}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: rules}}
spec:
  hosts: [web, any]
  http:
  - match: [{{uri: {{prefix: /deny}}}}]
    directResponse: {{status: 451, body: {{string: no}}}}
  - match: [{{uri: {{prefix: /any}}}}]
    route: [{{destination: {{host: any, port: {{number: 8080}}}}}}]
  - route: [{{destination: {{host: web, port: {{number: 80}}}}}}]
"""


@pytest.fixture(scope="module", params=families("proxy"))
def home(request, tmp_path_factory):
    """Web, any, echo and smtp on vm2; their caller on vm3."""
    folder = tmp_path_factory.mktemp("proxy")
    with Mesh(folder, request.param, machines=3) as it:
        vm2 = it.member(2)
        it.log = folder / "out.log"
        it.caller = it.member(3, "--access-log", it.log, "--log-success")
        it.app = it.machine(3)
        web, other = it.web(2, 8080, "web"), it.web(2, 8081, "any")
        echo = it.echo(2, 8082)
        it.banner = Banner(it.machine(2), 8083)
        it.services.append(it.banner)
        vm2.expose("web", f"80:{web.target}", "--protocol", "http")
        vm2.expose("any", f"8080:{other.target}", "--label", "app=any")
        vm2.expose("echo", f"7:{echo.target}")
        vm2.expose("smtp", f"2525:{it.banner.target}", "--label", "app=smtp")
        for name in ("web", "any", "echo", "smtp"):
            it.cli.sees(name, 1)  # to judge what is applied
            it.caller.sees(name, 1)
        it.apply(CONFIG)
        yield it


def curl(mesh, *words):
    """What came, and its status, by way of the proxy."""
    told = mesh.app.run(
        "curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}",
        "-x", f"http://127.0.0.1:{PORT}", *words)
    text, _, status = told.stdout.rpartition("\n")
    return int(status), text, told.stderr


def connect(mesh, target):
    """A connection behind a CONNECT, and the head that it got."""
    conn = mesh.app.connect("127.0.0.1", PORT)
    conn.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"
                 .encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = conn.recv(1)
        assert byte, head
        head += byte
    return conn, head.decode()


@pytest.mark.parametrize("host", [
    "web", "web:80", "web.default", "web.default.svc.cluster.local",
    "WEB.default.svc.mesh.internal"])
def test_curl_reaches_a_service_by_its_name(home, host):
    status, text, _ = curl(home, f"http://{host}/a?b=c")
    assert status == 200
    assert json.loads(text)["text"] == "web"
    assert json.loads(text)["path"] == "/a?b=c"


def test_rules_are_met_on_the_way(home):
    assert curl(home, "http://web/deny")[:2] == (451, "no")
    assert json.loads(curl(home, "http://web/any")[1])["text"] == "any"


def test_the_port_of_the_url_counts(home):
    assert json.loads(curl(home, "http://any:8080/any")[1])["text"] == "any"
    assert curl(home, "http://any:8080/deny")[0] == 451
    status, text, _ = curl(home, "http://any/")
    assert status == 404
    assert "any.default.svc.mesh.internal has no port 80" in text


def test_an_environment_is_enough(home):
    told = home.app.run(
        "env", f"http_proxy=http://127.0.0.1:{PORT}", "/usr/bin/python3",
        "-c", "import urllib.request as u; print(u.urlopen("
        "'http://web/hello').status)")
    assert told.stdout == "200\n", told.stderr


def test_what_the_mesh_does_not_know_is_refused_in_words(home):
    status, text, _ = curl(home, "http://example.com/")
    assert status == 502
    assert "REGISTRY_ONLY" in text
    status, text, _ = curl(home, "http://echo:7/")
    assert status == 404
    assert "speaks tcp, no HTTP; CONNECT reaches it" in text


def test_curl_tunnels_and_meets_the_same_rules(home):
    status, text, _ = curl(home, "--proxytunnel", "http://web/x")
    assert (status, json.loads(text)["path"]) == (200, "/x")
    assert curl(home, "--proxytunnel", "http://web/deny")[0] == 451
    assert curl(home, "--proxytunnel", "http://any:8080/deny")[0] == 451
    _, _, why = curl(home, "--proxytunnel", "http://nobody/")
    assert "502" in why


def test_tls_in_a_tunnel_does_not_get_around_rules(home):
    for target in ("https://web:80/", "https://any:8080/"):
        status, _, why = curl(home, "-k", target)
        assert status == 0, why


def test_python_tunnels(home):
    conn = http.client.HTTPConnection("web", 80, timeout=DEADLINE)
    conn.set_tunnel("web", 80)
    conn._create_connection = (  # pylint: disable=protected-access
        lambda *_, **__: home.app.connect("127.0.0.1", PORT))
    for path, status in (("/x", 200), ("/deny", 451), ("/y", 200)):
        conn.request("GET", path)
        answer = conn.getresponse()
        assert answer.status == status
        answer.read()
    conn.close()


def test_bytes_go_both_ways_behind_a_connect(home):
    conn, head = connect(home, "echo:7")
    assert head == "HTTP/1.1 200 OK\r\n\r\n"
    with conn:
        conn.sendall(b"\x00hello")
        assert conn.recv(6, socket.MSG_WAITALL) == b"\x00hello"
        conn.shutdown(socket.SHUT_WR)
        assert conn.recv(1) == b""


def test_a_refused_connect_says_why(home):
    for target, status, words in (
            ("echo:8", 404, "has no port 8"),
            ("nobody:80", 502, "REGISTRY_ONLY")):
        conn, head = connect(home, target)
        with conn:
            assert head.startswith(f"HTTP/1.1 {status} ")
            assert words in head


def test_who_speaks_first_is_heard_without_delay(home):
    conn, _ = connect(home, "smtp:2525")
    began = time.monotonic()
    with conn, home.banner.accept() as far:
        assert conn.recv(11, socket.MSG_WAITALL) == b"220 hello\r\n"
        assert time.monotonic() - began < 2
        conn.sendall(b"EHLO me\r\n")
        assert far.recv(9, socket.MSG_WAITALL) == b"EHLO me\r\n"


def test_a_slow_client_gets_around_no_rule(home):
    conn, _ = connect(home, "any:8080")
    with conn:
        time.sleep(0.2)  # it is silent: this is what is tried
        for byte in b"GET /deny HTTP/1.1\r\nHost: any\r\n\r\n":
            conn.sendall(bytes([byte]))
            time.sleep(0.01)
        assert conn.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 451"


def test_explain_says_the_same(home):
    told = json.loads(home.caller.cli.ok(
        "explain", "connection", "--address", "127.0.0.1", "--port", PORT,
        "http://web/deny", "-o", "json"))
    assert told["routeConfigMatched"] == "http_proxy"
    assert told["outcome"]["status"] == 451


def test_an_old_client_keeps_its_connection(home):
    with home.app.connect("127.0.0.1", PORT) as conn:
        for path, status in (("/x", 200), ("/deny", 451), ("/x", 200)):
            conn.sendall(f"GET http://web{path} HTTP/1.0\r\n"
                         "Connection: keep-alive\r\n\r\n".encode())
            answer = http.client.HTTPResponse(conn)
            answer.begin()
            assert answer.status == status
            assert answer.getheader("transfer-encoding") is None
            assert answer.getheader("connection") == "keep-alive"
            answer.read()
