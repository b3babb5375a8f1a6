# SPDX-License-Identifier: Apache-2.0
"""gateway — programs outside of the mesh reach its services."""

import collections
import contextlib
import http.client
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

import pytest

from guesses import EdgeGuesses, check_answer
from mesh import DEADLINE, Mesh, Service, families, is_cut, wait_for
from mesh import EchoHandler

SERVICES = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: secure}
spec: {selector: {app: secure}, ports: [{name: tls, port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {selector: {app: echo}, ports: [{name: tcp, port: 443}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"""

ISTIO = "apiVersion: networking.istio.io/v1\n"


def gateway(name, *servers, selector="{istio: ingressgateway}"):
    return (f"---\n{ISTIO}kind: Gateway\nmetadata: {{name: {name}}}\n"
            f"spec:\n  selector: {selector}\n  servers:\n" +
            "".join(f"  - {s}\n" for s in servers))


def http_server(port, hosts, extra=""):
    return (f"{{port: {{number: {port}, name: http-{port}, protocol: HTTP}}, "
            f"hosts: {json.dumps(hosts)}{extra}}}")


def bound(name, gateways, hosts, rules, kind="http"):
    return (f"---\n{ISTIO}kind: VirtualService\nmetadata: {{name: {name}}}\n"
            f"spec:\n  gateways: {json.dumps(gateways)}\n"
            f"  hosts: {json.dumps(hosts)}\n  {kind}:\n" +
            "".join(f"  - {r}\n" for r in rules))


def to(host, subset=None, weight=None, port=None):
    target = {"host": host}
    if subset:
        target["subset"] = subset
    if port:
        target["port"] = {"number": port}
    made = {"destination": target}
    if weight is not None:
        made["weight"] = weight
    return json.dumps(made)


WEB_RULE = f"{{route: [{to('web')}]}}"


class TlsHandler(EchoHandler):
    """Ends TLS as itself, then sends back what comes."""

    def handle(self):
        with contextlib.suppress(OSError):
            self.request = self.server.context.wrap_socket(
                self.request, server_side=True)
            super().handle()


class Tls(Service):
    def __init__(self, machine, port, folder):
        key, cert = folder / "tls.key", folder / "tls.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
             "-days", "2", "-subj", "/CN=secure.example.com", "-addext",
             "subjectAltName=DNS:*.example.com"],
            check=True, capture_output=True, timeout=60)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.cert = cert
        super().__init__(machine, port, TlsHandler)
        self.server.context = self.context


@pytest.fixture(scope="module", params=families("gateway"))
def home(request, tmp_path_factory):
    """Services on vm2 and vm5, a gateway on vm3; machine 4 is not of the
    mesh."""
    folder = tmp_path_factory.mktemp("gateway")
    with Mesh(folder, request.param, machines=5) as it:
        vm2, vm5 = it.member(2), it.member(5)
        it.access_log = folder / "edge.log"
        it.edge = it.member(
            3, "--upstream", f"web={it.machine(3).at(9000)}",
            "--upstream", f"secure={it.machine(3).at(9443)}",
            "--upstream", f"echo={it.machine(3).at(9007)}",
            "--access-log", it.access_log, "--log-success", role="gateway")
        it.v1 = it.web(2, 8080, "v1")
        it.v2 = it.web(5, 8080, "v2")
        echo = it.echo(5, 8082)
        it.tls = Tls(it.machine(2), 8443, folder)
        it.services.append(it.tls)
        vm2.expose("web", f"80:{it.v1.target}", "--protocol", "http",
                   "--label", "version=v1")
        vm5.expose("web", f"80:{it.v2.target}", "--protocol", "http",
                   "--label", "version=v2")
        vm5.expose("echo", f"443:{echo.target}", "--protocol", "tcp")
        vm2.expose("secure", f"443:{it.tls.target}", "--protocol", "tcp")
        for cli in (it.cli, it.edge.cli):
            cli.sees("web", 2)
            cli.sees("echo", 1)
            cli.sees("secure", 1)
        it.outside = it.machine(4)
        it.at = it.machine(3).ip
        yield it


@pytest.fixture
def mesh(home):
    yield home
    home.reset()
    assert all(agent.is_running for agent in home.agents)


def is_open(mesh, port):
    try:
        mesh.outside.connect(mesh.at, port).close()
    except ConnectionRefusedError:
        return False
    return True


def opens(mesh, port):
    wait_for(lambda: is_open(mesh, port), lambda: f"port {port} is open: "
             f"{mesh.edge.text}")


def closes(mesh, port):
    wait_for(lambda: not is_open(mesh, port), f"port {port} is closed")


def fetch(mesh, path="/", host="shop.example.com", port=8000, **options):
    return mesh.outside.fetch(
        port, path, ip=mesh.at,
        headers={"host": host, **options.pop("headers", {})}, **options)


def serve(mesh, *documents, port=8000):
    mesh.apply(SERVICES + "".join(documents))
    opens(mesh, port)


SHOP = gateway("shop", http_server(8000, ["*.example.com"]))


def test_a_program_outside_reaches_a_service(mesh):
    serve(mesh, SHOP, bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    answer = fetch(mesh, "/hello?x=1")
    assert answer.status == 200
    assert answer.json()["path"] == "/hello?x=1"
    status = mesh.edge.status()
    assert status["role"] == "gateway"
    assert status["labels"] == "istio=ingressgateway"


def test_http2_by_prior_knowledge_is_served(mesh):
    serve(mesh, SHOP, bound("v", ["shop"], ["*.example.com"], [WEB_RULE]))
    url = mesh.net.join(mesh.at, 8000)
    done = mesh.outside.run("curl", "-sS", "--http2-prior-knowledge", "-w",
                            "\n%{http_version} %{http_code}", "-H",
                            "host: a.example.com", f"http://{url}/two")
    assert done.stdout.endswith("\n2 200"), (done.stdout, done.stderr)
    assert '"path": "/two"' in done.stdout


BROWSERS = ("{corsPolicy: {allowOrigins: [{exact: 'http://a.com'}], "
            "allowMethods: [POST], allowHeaders: [content-type], "
            "exposeHeaders: [grpc-status, grpc-message]}, "
            f"route: [{to('web')}]}}")


def test_browsers_speak_grpc_to_a_server_that_says_so(mesh):
    """The service tells what it was asked in words that are no gRPC."""
    server = http_server(8000, ["*.example.com"])
    serve(mesh, gateway("shop", server.replace(" HTTP}", " GRPC-WEB}")),
          bound("v", ["shop"], ["shop.example.com"], [BROWSERS]))
    origin = {"origin": "http://a.com"}
    before = fetch(mesh, "/a.B/C", method="OPTIONS", headers={
        "access-control-request-method": "POST", **origin})
    assert before.status == 200
    assert before.headers["access-control-allow-headers"] == "content-type"
    answer = fetch(mesh, "/a.B/C", method="POST", body=b"AAAAAAE=QQ==",
                   headers={"content-type": "application/grpc-web-text",
                            **origin})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == \
        "application/grpc-web-text+proto"
    assert answer.headers["access-control-expose-headers"] == \
        "grpc-status,grpc-message"
    assert answer.headers["grpc-status"] == "2"
    asked = json.loads(urllib.parse.unquote(answer.headers["grpc-message"]))
    assert asked["headers"]["content-type"] == "application/grpc"
    assert asked["headers"]["te"] == "trailers"
    nobody = fetch(mesh, "/a.B/C", "other.example.com", method="POST",
                   body=b"", headers={"content-type": "application/grpc-web"})
    assert (nobody.status, nobody.headers["grpc-status"]) == (200, "12")
    told = json.loads(mesh.edge.cli.ok(
        "explain", "request", "--gateway", "http://shop.example.com:8000/",
        "-o", "json"))
    assert told["destinations"][0]["grpcWeb"] is True


def test_a_host_that_nobody_has_gets_404_in_words(mesh):
    serve(mesh, SHOP, bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    answer = fetch(mesh, host="other.example.com")
    assert answer.status == 404
    assert "other.example.com" in answer.body.decode()
    # Lines are written at the end of a turn.
    wait_for(lambda: " NR " in mesh.access_log.read_text(), "a line of it")


def test_the_narrowest_host_takes_a_request(mesh):
    serve(mesh, SHOP,
          bound("wide", ["shop"], ["*.example.com"],
                [f"{{route: [{to('web', 'v1')}]}}"]),
          bound("narrow", ["shop"], ["shop.example.com"],
                [f"{{route: [{to('web', 'v2')}]}}"]))
    assert fetch(mesh).json()["text"] == "v2"
    assert fetch(mesh, host="a.b.example.com").json()["text"] == "v1"
    assert fetch(mesh, host="SHOP.example.com:80").json()["text"] == "v2"
    assert fetch(mesh, host="example.com").status == 404


def test_two_gateways_share_a_port(mesh):
    serve(mesh, SHOP, gateway("more", http_server(8000, ["*.example.org"])),
          bound("v", ["shop"], ["shop.example.com"],
                [f"{{route: [{to('web', 'v1')}]}}"]),
          bound("w", ["more"], ["shop.example.org"],
                [f"{{route: [{to('web', 'v2')}]}}"]))
    assert fetch(mesh).json()["text"] == "v1"
    assert fetch(mesh, host="shop.example.org").json()["text"] == "v2"


def test_shares_are_kept(mesh):
    serve(mesh, SHOP, bound(
        "v", ["shop"], ["shop.example.com"],
        [f"{{route: [{to('web', 'v1', 75)}, {to('web', 'v2', 25)}]}}"]))
    seen = collections.Counter(fetch(mesh).json()["text"] for _ in range(200))
    assert 120 < seen["v1"] < 180 and seen.total() == 200, seen


def test_a_delegate_says_what_its_root_leaves_open(mesh):
    serve(mesh, SHOP,
          bound("root", ["shop"], ["shop.example.com"],
                ["{match: [{uri: {prefix: /api}}], "
                 "delegate: {name: api}}"]),
          f"---\n{ISTIO}kind: VirtualService\nmetadata: {{name: api}}\n"
          f"spec: {{http: [{{route: [{to('web', 'v2')}]}}]}}\n")
    assert fetch(mesh, "/api/x").json()["text"] == "v2"
    assert fetch(mesh, "/").status == 404


def test_a_change_cuts_no_connection(mesh):
    rules = [bound("v", ["shop"], ["shop.example.com"],
                   [f"{{route: [{to('web', name)}]}}"])
             for name in ("v1", "v2")]
    serve(mesh, SHOP, rules[0])
    sock = mesh.outside.connect(mesh.at, 8000)

    def ask():
        sock.sendall(b"GET / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
            answer += sock.recv(65536)
        return json.loads(answer.split(b"\r\n\r\n", 1)[1])["text"]

    with contextlib.closing(sock):
        assert ask() == "v1"
        for i in range(6):
            mesh.apply(SERVICES + SHOP + rules[(i + 1) % 2])
            assert ask() == ("v1", "v2")[(i + 1) % 2]


def test_a_gateway_that_goes_closes_its_port(mesh):
    serve(mesh, SHOP, bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    assert fetch(mesh).status == 200
    mesh.cli.ok("delete", "Gateway", "shop")
    closes(mesh, 8000)
    mesh.apply(SHOP)
    opens(mesh, 8000)
    assert fetch(mesh).status == 200


def test_a_gateway_for_others_is_not_here(mesh):
    mesh.apply(SERVICES + gateway(
        "far", http_server(8001, ["*"]), selector="{istio: other}") + bound(
            "v", ["far"], ["*"], [WEB_RULE]))
    assert not is_open(mesh, 8001)
    kinds = {item["kind"] for item in mesh.edge.cli.items("get", "all")}
    assert kinds == {"Service", "DestinationRule"}  # of its own upstream


def test_a_service_in_front_says_where_calls_arrive(mesh):
    mesh.apply(SERVICES + gateway("shop", http_server(80, ["*"])) + bound(
        "v", ["shop"], ["shop.example.com"], [WEB_RULE]) + """\
---
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway}
spec:
  selector: {istio: ingressgateway}
  ports: [{name: http, port: 80, targetPort: 8080}]
""")
    opens(mesh, 8080)
    assert fetch(mesh, port=8080).status == 200
    assert not is_open(mesh, 80)
    mesh.cli.ok("delete", "Service", "istio-ingressgateway")
    opens(mesh, 80)
    closes(mesh, 8080)
    assert fetch(mesh, port=80).status == 200


def test_a_server_may_have_an_address(mesh):
    serve(mesh, gateway("shop", http_server(
        8000, ["*"], f", bind: '{mesh.at}'")),
          bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    assert fetch(mesh).status == 200
    with pytest.raises(ConnectionRefusedError):
        mesh.machine(3).connect(mesh.machine(3).loopback, 8000)


def test_programs_beside_a_gateway_call_services_too(mesh):
    mesh.apply(SERVICES)
    mesh.edge.sees("web", 2)
    answer = mesh.machine(3).fetch(9000, "/local")
    assert answer.status == 200
    assert "x-envoy-external-address" not in answer.json()["headers"]


def test_plain_requests_are_sent_to_https(mesh):
    serve(mesh, gateway("shop", http_server(
        8000, ["*"], ", tls: {httpsRedirect: true}")),
          bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    answer = fetch(mesh, "/a?b=c")
    assert answer.status == 301
    assert answer.headers["location"] == "https://shop.example.com/a?b=c"


def test_what_comes_from_outside_is_not_believed(mesh):
    serve(mesh, SHOP, bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    seen = fetch(mesh, headers={
        "x-envoy-retry-on": "5xx", "x-forwarded-for": "1.2.3.4",
        "x-forwarded-proto": "https", "x-request-id": "mine",
        "x-forwarded-client-cert": "URI=spiffe://x"}).json()["headers"]
    assert seen["x-forwarded-for"] == f"1.2.3.4,{mesh.outside.ip}"
    assert seen["x-envoy-external-address"] == mesh.outside.ip
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-request-id"] != "mine"
    assert "x-envoy-retry-on" not in seen
    assert "x-forwarded-client-cert" not in seen


def test_metrics_have_the_gateway_as_the_source(mesh):
    serve(mesh, SHOP, bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    assert fetch(mesh).status == 200
    text = mesh.machine(3).fetch(15020, "/metrics").body.decode()
    lines = [line for line in text.splitlines()
             if line.startswith("istio_requests_total{")
             and 'response_flags="-"' in line
             and 'response_code="200"' in line]
    assert lines and all('reporter="source"' in line and
                         'source_workload="vm3"' in line and
                         'destination_service="web.default.svc' in line
                         for line in lines), lines


# --- bytes, and TLS that is passed on ---


def tcp_server(port, protocol="TCP", extra=""):
    return (f"{{port: {{number: {port}, name: tcp-{port}, protocol: "
            f"{protocol}}}, hosts: ['*']{extra}}}")


def test_bytes_go_where_the_tcp_rule_says(mesh):
    serve(mesh, gateway("bytes", tcp_server(8007)),
          bound("v", ["bytes"], ["*"], [f"{{route: [{to('echo')}]}}"], "tcp"),
          port=8007)
    with contextlib.closing(mesh.outside.connect(mesh.at, 8007)) as sock:
        sock.sendall(b"ping")
        assert sock.recv(100) == b"ping"
        mesh.cli.ok("delete", "Gateway", "bytes")
        closes(mesh, 8007)
        sock.sendall(b"still here")
        assert sock.recv(100) == b"still here"


PASS = gateway("pass", tcp_server(8443, "TLS", ", tls: {mode: PASSTHROUGH}"))
BY_NAME = bound("names", ["pass"], ["*.example.com"], [
    "{match: [{sniHosts: ['secure.example.com']}], "
    f"route: [{to('secure', port=443)}]}}"], "tls")


def test_tls_is_passed_on_by_its_name(mesh):
    serve(mesh, PASS, BY_NAME, port=8443)
    context = ssl.create_default_context(cafile=mesh.tls.cert)
    context.set_alpn_protocols(["h2"])
    sock = mesh.outside.connect(mesh.at, 8443)
    with context.wrap_socket(
            sock, server_hostname="secure.example.com") as secured:
        assert secured.selected_alpn_protocol() == "h2"
        secured.sendall(b"x" * 100000)
        got = b""
        while len(got) < 100000:
            got += secured.recv(65536)
        assert got == b"x" * 100000


def test_openssl_meets_the_service_itself(mesh):
    serve(mesh, PASS, BY_NAME, port=8443)
    words = ["openssl", "s_client", "-connect", mesh.net.join(mesh.at, 8443),
             "-CAfile", mesh.tls.cert, "-verify_return_error"]
    done = mesh.outside.run(*words, "-servername", "secure.example.com",
                            input="Q\n")
    assert done.returncode == 0, done.stderr
    assert "CN = secure.example.com" in done.stdout
    for name in (["-servername", "other.example.com"], ["-noservername"]):
        done = mesh.outside.run(*words, *name, input="Q\n")
        assert done.returncode != 0
    mesh.edge.says("the listener takes no connection of this kind")
    wait_for(lambda: any(
        " NR " in line and "other.example.com" in line
        for line in mesh.access_log.read_text().splitlines()),
        "a line of the refused name")


def test_a_client_that_says_nothing_is_waited_for(mesh):
    serve(mesh, PASS, BY_NAME, port=8443)
    with contextlib.closing(mesh.outside.connect(mesh.at, 8443)) as sock:
        sock.settimeout(0.3)
        with pytest.raises(socket.timeout):
            sock.recv(1)
        sock.settimeout(DEADLINE)
        assert is_cut(sock, b"GET / HTTP/1.1\r\n\r\n")


def test_tls_that_would_end_here_is_refused_in_words(mesh):
    mesh.apply(SERVICES + SHOP + gateway("ends", (
        "{port: {number: 8444, name: https, protocol: HTTPS}, hosts: ['*'], "
        "tls: {mode: SIMPLE, credentialName: c}}")) + bound(
            "v", ["shop", "ends"], ["shop.example.com"], [WEB_RULE]))
    opens(mesh, 8000)
    assert not is_open(mesh, 8444)
    words = "TLS that ends at a gateway is not in force yet"
    assert f"this server takes nobody: {words}" in mesh.edge.cli.ok("status")
    assert fetch(mesh).status == 200


def test_on_a_shared_port_only_tls_that_would_end_here_is_closed(mesh):
    serve(mesh, PASS, BY_NAME, gateway("ends", (
        "{port: {number: 8443, name: https, protocol: HTTPS}, "
        "hosts: ['ends.example.com'], "
        "tls: {mode: SIMPLE, credentialName: c}}")), bound(
            "v", ["ends"], ["ends.example.com"], [WEB_RULE]), port=8443)
    assert answers_tls(mesh, "secure.example.com") == "secure"
    assert answers_tls(mesh, "ends.example.com") == ""
    mesh.edge.says('reason="TLS that ends at a gateway is not in force yet"')


# --- behind another proxy, and in front of one ---

BEHIND = """\
---
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {defaultConfig: {gatewayTopology: {proxyProtocol: {}}}}
"""

CLIENT = {4: ("192.0.2.1", "198.51.100.9"), 6: ("2001:db8::1", "2001:db8::9")}
CALLED = 443


def header_of(family, version):
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    source, called = CLIENT[family]
    if version == 1:
        return (f"PROXY TCP{family} {source} {called} 40000 "
                f"{CALLED}\r\n").encode()
    ends = (socket.inet_pton(kind, source) + socket.inet_pton(kind, called) +
            struct.pack(">HH", 40000, CALLED))
    return (b"\r\n\r\n\0\r\nQUIT\n\x21" + bytes([0x21 if family == 6 else 0x11])
            + struct.pack(">H", len(ends)) + ends)


def ask_behind(mesh, header, port=8000):
    """The answer to a request behind these bytes; None: there is none."""
    sock = mesh.outside.connect(mesh.at, port)
    with contextlib.closing(sock):
        sock.sendall(header + b"GET /told HTTP/1.1\r\n"
                     b"host: shop.example.com\r\nconnection: close\r\n\r\n")
        answer = http.client.HTTPResponse(sock)
        try:
            answer.begin()
        except (ConnectionError, http.client.HTTPException):
            return None
        return json.loads(answer.read())


def refused_headers(mesh):
    text = mesh.machine(3).fetch(15020, "/metrics").body.decode()
    return sum(int(line.split()[-1]) for line in text.splitlines()
               if line.startswith("meshd_refusals_total{")
               and 'reason="proxy_header"' in line)


@pytest.mark.parametrize("version", [1, 2])
def test_a_proxy_header_says_who_the_client_is(mesh, version):
    serve(mesh, SHOP, BEHIND,
          bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    source, called = CLIENT[mesh.net.family]
    seen = ask_behind(mesh, header_of(mesh.net.family, version))["headers"]
    assert seen["x-forwarded-for"] == source
    assert seen["x-envoy-external-address"] == source
    ends = (mesh.net.join(source, 40000), mesh.net.join(called, CALLED))
    wait_for(lambda: any(
        "/told" in line and all(end in line for end in ends)
        for line in mesh.access_log.read_text().splitlines()),
        lambda: f"a line with {ends}: {mesh.access_log.read_text()}")


def test_a_header_that_knows_nobody_leaves_the_sockets_ends(mesh):
    serve(mesh, SHOP, BEHIND,
          bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    for header in (b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"):
        seen = ask_behind(mesh, header)["headers"]
        assert seen["x-forwarded-for"] == mesh.outside.ip


def test_without_a_header_a_client_is_closed_in_words(mesh):
    serve(mesh, SHOP, BEHIND,
          bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    before = refused_headers(mesh)
    assert ask_behind(mesh, b"") is None
    assert ask_behind(mesh, b"PROXY TCP9 a b 1 2\r\n") is None
    wait_for(lambda: refused_headers(mesh) >= before + 2, "both are counted")
    mesh.edge.says("the client did not begin with a PROXY header")
    mesh.edge.says("names another family than TCP4, TCP6 and UNKNOWN")
    wait_for(lambda: " DPE " in mesh.access_log.read_text(), "its line")
    told = mesh.edge.cli.ok("explain", "connection", "--gateway",
                            "http://shop.example.com:8000/")
    assert "takes only what begins with a PROXY header" in told
    mesh.cli.ok("delete", "MeshConfig", "default")
    wait_for(lambda: ask_behind(mesh, b"") is not None,
             "nobody has to say it any more")


def test_the_annotation_of_its_group_is_for_one_gateway(mesh):
    def group(label):
        return (f"---\n{ISTIO}kind: WorkloadGroup\n"
                "metadata: {name: edge}\nspec:\n  template: {}\n"
                f"  metadata:\n    labels: {{istio: {label}}}\n"
                "    annotations:\n      proxy.istio.io/config: |\n"
                "        gatewayTopology:\n          proxyProtocol: {}\n")
    serve(mesh, SHOP, group("ingressgateway"),
          bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    source, _ = CLIENT[mesh.net.family]
    seen = ask_behind(mesh, header_of(mesh.net.family, 2))["headers"]
    assert seen["x-forwarded-for"] == source
    assert ask_behind(mesh, b"") is None
    mesh.apply(group("another"))
    wait_for(lambda: ask_behind(mesh, b"") is not None,
             "this gateway wants no header any more")


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_says_by_itself_who_it_is(mesh, version):
    serve(mesh, SHOP, BEHIND,
          bound("v", ["shop"], ["*.example.com"], [WEB_RULE]))
    url = f"http://{mesh.net.join(mesh.at, 8000)}/"
    done = mesh.outside.run("curl", "-sS", "--haproxy-protocol", version, "-H",
                            "host: a.example.com", url)
    assert done.returncode == 0, done.stderr
    assert f'"x-forwarded-for": "{mesh.outside.ip}"' in done.stdout


def test_a_header_has_to_come_in_time(mesh):
    serve(mesh, SHOP, BEHIND,
          bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    before = refused_headers(mesh)
    with contextlib.closing(mesh.outside.connect(mesh.at, 8000)) as sock:
        began = time.monotonic()
        assert is_cut(sock, b"PROXY TCP4 192.0.2.1")
        assert 10 < time.monotonic() - began < 50
    wait_for(lambda: refused_headers(mesh) > before, "it is counted")
    mesh.edge.says("the client's PROXY header did not come in time")


def test_tls_is_passed_on_behind_a_header(mesh):
    serve(mesh, PASS, BY_NAME, BEHIND, port=8443)
    context = ssl.create_default_context(cafile=mesh.tls.cert)
    sock = mesh.outside.connect(mesh.at, 8443)
    sock.sendall(header_of(mesh.net.family, 2))
    with context.wrap_socket(
            sock, server_hostname="secure.example.com") as secured:
        secured.sendall(b"hi")
        assert secured.recv(2) == b"hi"


@pytest.mark.parametrize("version", [1, 2])
def test_a_service_is_told_whom_the_gateway_was_told(mesh, version):
    """In by one version, out by the other, through a tunnel."""
    serve(mesh, gateway("bytes", tcp_server(8007)), BEHIND,
          bound("v", ["bytes"], ["*"], [f"{{route: [{to('echo')}]}}"], "tcp"),
          f"---\n{ISTIO}kind: DestinationRule\nmetadata: {{name: echo}}\n"
          f"spec: {{host: echo, trafficPolicy: {{proxyProtocol: "
          f"{{version: V{version}}}}}}}\n", port=8007)
    family = mesh.net.family
    wanted = header_of(family, version) + b"ping"
    with contextlib.closing(mesh.outside.connect(mesh.at, 8007)) as sock:
        sock.sendall(header_of(family, 3 - version) + b"ping")
        got = b""
        while len(got) < len(wanted):
            more = sock.recv(1000)
            assert more, got
            got += more
        assert got == wanted


# --- rules for connections, at named listeners ---


def in_mesh(name, hosts, rules, kind):
    return bound(name, ["mesh"], hosts, rules, kind)


def test_the_name_of_tls_decides_at_a_named_listener(mesh):
    mesh.apply(SERVICES + in_mesh("names", ["secure", "*.example.com"], [
        "{match: [{sniHosts: ['echo.example.com']}], "
        f"route: [{to('echo')}]}}"], "tls"))
    at = mesh.machine(3)
    for name, wanted in (("echo.example.com", "echo"),
                         ("secure.example.com", "secure"), ("", "secure")):
        sock = at.connect(at.loopback, 9443)
        assert taker_of(client_hello(name), sock) == wanted, name
    told = [json.loads(line) for line in mesh.edge.cli.ok(
        "explain", "--questions", "-", stdin="".join(
            json.dumps({"upstream": "secure", "sni": name}) + "\n"
            for name in ("echo.example.com", "secure.example.com"))
    ).splitlines()]
    assert told[0]["clusterMatched"].split("|")[-1].startswith("echo.")
    assert told[1]["clusterMatched"].split("|")[-1].startswith("secure.")
    assert "server name is echo.example.com" in told[1]["rules"][0]["why"]
    assert "problems" not in told[0], told[0]


def test_the_address_that_was_called_decides_at_a_named_listener(mesh):
    loopback = "::1" if mesh.net.family == 6 else "127.0.0.0/8"
    at = mesh.machine(3)
    for subnet, wanted in ((loopback, "secure"), ("192.0.2.0/24", "echo")):
        mesh.apply(SERVICES + in_mesh("subnets", ["echo"], [
            f"{{match: [{{destinationSubnets: ['{subnet}']}}], "
            f"route: [{to('secure')}]}}"], "tcp"))
        sock = at.connect(at.loopback, 9007)
        assert taker_of(client_hello("secure.example.com"), sock) == wanted
        told = mesh.edge.cli.json("explain", "request", "tcp://echo:443")
        assert f"||{wanted}." in told["clusterMatched"], told


# --- changes ---


class Talker(threading.Thread):
    """Says and hears over one connection until it is told to end."""

    def __init__(self, sock, turn):
        super().__init__(daemon=True)
        self.sock, self.turn = sock, turn
        self.over = threading.Event()
        self.turns, self.failed = 0, None

    def run(self):
        try:
            while not self.over.is_set():
                self.turn(self.sock)
                self.turns += 1
        except (OSError, AssertionError) as why:
            self.failed = why
        self.sock.close()

    def end(self):
        self.over.set()
        self.join(DEADLINE)
        return self.failed


def turn_of_http(sock):
    sock.sendall(b"GET / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
        more = sock.recv(65536)
        assert more, answer
        answer += more
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]


def turn_of_echo(sock):
    sock.sendall(b"ping")
    assert sock.recv(4) == b"ping"


def test_changes_under_load_harm_nobody(mesh):
    base = SERVICES + SHOP + PASS + BY_NAME + gateway(
        "bytes", tcp_server(8007)) + bound(
            "b", ["bytes"], ["*"], [f"{{route: [{to('echo')}]}}"], "tcp")
    serve(mesh, base.removeprefix(SERVICES),
          bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    for port in (8007, 8443):
        opens(mesh, port)
    context = ssl.create_default_context(cafile=mesh.tls.cert)
    talkers = [Talker(mesh.outside.connect(mesh.at, 8000), turn_of_http)
               for _ in range(3)] + [
        Talker(mesh.outside.connect(mesh.at, 8007), turn_of_echo),
        Talker(context.wrap_socket(
            mesh.outside.connect(mesh.at, 8443),
            server_hostname="secure.example.com"), turn_of_echo)]
    for talker in talkers:
        talker.start()
    for i in range(20):
        rule = f"{{route: [{to('web', ('v1', 'v2')[i % 2])}], timeout: {i + 1}s}}"
        more = gateway("more", http_server(8100 + i % 3, ["*"]),
                       http_server(8000, ["*.example.org"]))
        mesh.apply(base + more + bound(
            "v", ["shop", "more"], ["shop.example.com"], [rule]))
    assert [t.end() for t in talkers] == [None] * len(talkers)
    assert all(t.turns > 20 for t in talkers), [t.turns for t in talkers]


# --- the server's word, and explain's ---


def test_a_server_knows_what_the_gateway_serves(mesh):
    serve(mesh, SHOP, bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    at_home = mesh.edge.cli.json("proxy", "config", "listeners")
    told = mesh.cli.json("proxy", "config", "vm3", "listeners")
    assert at_home["listeners"] == told["listeners"]
    rows = [row for group in told["listeners"] for row in group["rows"]]
    assert {(row["direction"], row["name"].rpartition("_")[2])
            for row in rows if row["direction"] != "outbound"} == {
                ("gateway", "8000")}, rows
    assert "no gateway has these labels" not in mesh.cli("analyze").stdout
    mesh.apply(gateway("none", http_server(8009, ["*"]),
                       selector="{istio: nowhere}"))
    assert "istio=nowhere\": no gateway has" in mesh.cli("analyze").stdout
    told = json.loads(mesh.cli.ok(
        "apply", "--dry-run", "--blast", "-f", "-", "-o", "json",
        stdin=bound("v", ["shop"], ["shop.example.com"],
                    [f"{{route: [{to('web')}], timeout: 3s}}"])))
    assert any(item["caller"] == "the gateway vm3" and "3s" in item["text"]
               for item in told["blast"]["items"]), told
    members = {m["name"]: m for m in mesh.cli.items("members")}
    assert members["vm3"]["role"] == "gateway"


def test_a_gateway_calls_as_its_account(mesh):
    front = mesh.member(4, "--labels", "istio=front", "--account", "front",
                        name="front", role="gateway")
    mesh.apply(SERVICES + gateway("front", http_server(8020, ["*"]),
                                  selector="{istio: front}") +
               bound("v", ["front"], ["*"], [f"{{route: [{to('web', 'v1')}]}}"]))
    front.sees("web", 2)
    answer = wait_for(
        lambda: (lambda a: a if a.status == 200 else None)(
            mesh.outside.fetch(8020, "/")), "the certificate is here")
    assert answer.json()["text"] == "v1"
    text = mesh.machine(2).fetch(15020, "/metrics").body.decode()
    assert 'source_principal="spiffe://mesh.internal/ns/default/sa/front"' \
        in text
    front.stop()
    mesh.agents.remove(front)
    mesh.cli.ok("node", "revoke", "front")


def test_a_server_says_what_it_does_not_know_of_a_gateway(mesh):
    gone = mesh.member(4, "--labels", "istio=far", role="gateway")
    wait_for(lambda: any(m["name"] == "vm4" and m["role"] == "gateway"
                         for m in mesh.cli.items("members")),
             "the server has the gateway's record")
    gone.stop()
    mesh.agents.remove(gone)
    wait_for(lambda: all(a["node"] != "vm4"
                         for a in mesh.cli.api("/v1/agents")["items"]),
             "the server has seen it go")
    text = mesh.cli.ok("proxy", "config", "vm4", "listeners")
    assert "it is a gateway, and by which labels Gateways select it" in text
    mesh.cli.ok("node", "revoke", "vm4")


def test_of_two_that_cannot_share_a_port_the_older_is_served(mesh):
    serve(mesh, SHOP, bound("v", ["shop"], ["shop.example.com"], [WEB_RULE]))
    mesh.apply(gateway("clash", tcp_server(8000)) + bound(
        "w", ["clash"], ["*"], [f"{{route: [{to('echo')}]}}"], "tcp"),
               "--force")
    told = json.loads(mesh.edge.cli.ok(
        "explain", "request", "--gateway", "http://shop.example.com:8000/",
        "-o", "json"))
    assert told["clusterMatched"].endswith("web.default.svc.cluster.local")
    assert fetch(mesh).status == 200
    assert "cannot share port 8000" in mesh.edge.cli.ok("status")


def ask_all(mesh, questions):
    lines = "".join(json.dumps({"direction": "gateway", "proxy": "gateway",
                                **q}) + "\n" for q in questions)
    out = mesh.edge.cli.ok("explain", "--questions", "-", stdin=lines)
    return [json.loads(line) for line in out.splitlines()]


def compare_requests(mesh, asked):
    """Sends each to the gateway; how often what came of it."""
    told = ask_all(mesh, [{
        "port": port, "protocol": "http", "method": method, "path": path,
        "authority": headers["host"],
        "headers": {k: v for k, v in headers.items() if k != "host"}}
                          for port, method, path, headers in asked])
    seen = collections.Counter()
    for (port, method, path, headers), one in zip(asked, told):
        if one.get("error") == "ErrNoListener":
            closes(mesh, port)
            seen["closed"] += 1
            continue
        opens(mesh, port)
        answer = mesh.outside.fetch(port, path, method, headers, ip=mesh.at)
        try:
            check_answer(one, answer)
        except (AssertionError, KeyError) as why:
            raise AssertionError(
                f"{port} {method} {path} {headers} was answered "
                f"{answer.status} {answer.body[:200]!r}, explain says "
                f"{json.dumps(one)[:2000]}: {why}") from why
        seen[answer.status] += 1
    return seen


def client_hello(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out,
                         server_hostname=name or None).do_handshake()
    return out.read()


def answers_tls(mesh, name):
    """The service that a ClientHello with this name reaches; "": nobody."""
    return taker_of(client_hello(name), mesh.outside.connect(mesh.at, 8443))


def taker_of(hello, sock):
    with contextlib.closing(sock):
        sock.sendall(hello)
        try:
            got = sock.recv(6)
        except ConnectionResetError:
            return ""
    if not got:
        return ""
    return "echo" if got == hello[:6] and got[5] == 1 else "secure"


def compare_tls(mesh, names):
    told = ask_all(mesh, [{"port": 8443, "protocol": "tcp", "tls": "tls",
                           "sni": name} for name in names])
    seen = collections.Counter()
    for name, one in zip(names, told):
        if one.get("error") == "ErrNoListener":
            closes(mesh, 8443)
            continue
        opens(mesh, 8443)
        cluster = one.get("clusterMatched", "||").split("|")[-1]
        wanted = cluster.split(".")[0]
        if one["outcome"].get("flag", "-") != "-":
            wanted = ""
        got = answers_tls(mesh, name)
        assert got == wanted, (name, got, json.dumps(one)[:2000])
        seen[got] += 1
    return seen


# Whatever the others say, all services are in the gateway's view.
ALL = gateway("all", http_server(8009, ["*"])) + bound(
    "all", ["all"], ["all.test"],
    [f"{{route: [{to(name)}]}}" for name in ("web", "echo", "secure")])


def test_what_explain_says_is_what_a_gateway_does(mesh):
    """SEED=n asks others."""
    seed = int(os.environ.get("SEED", "") or 1)
    guesses = EdgeGuesses(seed)
    requests, names = collections.Counter(), collections.Counter()
    for _ in range(15):
        documents = guesses.edge()
        mesh.reset()
        mesh.apply(SERVICES + ALL + "".join(
            f"---\n{json.dumps(d)}\n" for d in documents), "--force")
        for name, count in (("web", 2), ("echo", 1), ("secure", 1)):
            mesh.edge.sees(name, count)
        try:
            requests += compare_requests(
                mesh, [guesses.edge_request() for _ in range(40)])
            names += compare_tls(mesh, [guesses.sni() for _ in range(10)])
        except AssertionError as why:
            raise AssertionError(
                f"SEED={seed}: {json.dumps(documents)}: {why}") from why
    assert set(requests) >= {"closed", 200, 301, 404, 503}, requests
    assert set(names) == {"", "echo", "secure"}, names
